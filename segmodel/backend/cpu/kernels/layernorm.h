/* Layer normalisation over the last axis (Ba et al. 2016), biased variance, two passes over a row
 * held in cache. */
#ifndef SEGMODEL_CPU_KERNELS_LAYERNORM_H
#define SEGMODEL_CPU_KERNELS_LAYERNORM_H

#include "core/threads.h"
#include "graph/graph.h"

/* out = (s - mean(s)) / sqrt(var(s) + eps) * gamma + beta with s = x (+ add). All dense [m, c];
 * gamma, beta [c], NULL for 1 and 0. `sum` (optional, may be x) receives s in x's dtype. */
typedef struct sgm_layernorm_args {
    int64_t m, c;
    const void *x;
    sgm_dtype x_dtype;
    const void *add; /* [m, c] or NULL */
    sgm_dtype add_dtype;
    void *sum;
    const float *gamma, *beta;
    float eps;
    sgm_act act; /* applied last; NONE or what sgm_epilogue takes */
    void *out;
    sgm_dtype out_dtype;
} sgm_layernorm_args;

sgm_status sgm_layernorm_forward(sgm_threads *pool, const sgm_layernorm_args *args);

/* dx[m, c], dgamma[c], dbeta[c] (NULL where not wanted) of the norm without add and act. Sums over
 * rows are made in a fixed order: the result does not depend on the number of threads. */
sgm_status sgm_layernorm_backward(sgm_threads *pool, int64_t m, int64_t c, const void *x,
                                  sgm_dtype x_dtype, const float *gamma, float eps,
                                  const float *dout, float *dx, bool accumulate_dx, float *dgamma,
                                  bool accumulate_dgamma, float *dbeta, bool accumulate_dbeta);

#endif
