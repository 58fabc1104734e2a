/* oneDNN's linear layer, measured beside ours by bench_kernels where oneDNN is installed. */
#ifndef SEGMODEL_TESTS_BENCH_ONEDNN_H
#define SEGMODEL_TESTS_BENCH_ONEDNN_H

#include "graph/graph.h"

typedef struct onednn_linear onednn_linear;

/* out[m, n] = act(a[m, k] w[n, k]^T + bias), weights packed as oneDNN likes them; `a` and `out` are
 * of `dtype` and borrowed, threads are OpenMP's. NULL when oneDNN refuses. */
onednn_linear *onednn_linear_create(int64_t m, int64_t k, int64_t n, sgm_dtype dtype, bool gelu,
                                    void *a, float *w, float *bias, void *out);
void onednn_linear_destroy(onednn_linear *linear);
/* sgm_status (*)(void *), as the benchmark times functions. */
sgm_status onednn_linear_run(void *linear);
/* "2.6.3" */
const char *onednn_version(void);

#endif
