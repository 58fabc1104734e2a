/* Matrix products on the CPU.
 *
 * Notation: M rows of activations, K inputs, N outputs; row-major; `ld` is the distance between
 * rows in elements. Sums run over K in FP32. Results do not depend on the number of threads.
 *
 * Blocking: B (the weight) lies in panels of 32 columns that hold the whole K; a block of rows of A
 * is packed so that it stays in the L2 cache of one core while B's panels stream past it once
 * (the outer-product scheme of Goto & van de Geijn 2008, without its split of K). Rows of FP32 that
 * meet few panels are read where they lie (sgm_in_place_pays). */
#ifndef SEGMODEL_CPU_KERNELS_GEMM_H
#define SEGMODEL_CPU_KERNELS_GEMM_H

#include "core/threads.h"
#include "graph/graph.h"

/* A matrix of activations: row i is data + (index ? index[i] : i) * ld elements; index -1 is a row
 * of zeros. dtype SGM_F32 or SGM_BF16. Borrowed. */
typedef struct sgm_rows {
    const void *data;
    sgm_dtype dtype;
    int64_t ld;
    const int32_t *index; /* NULL: rows in order */
} sgm_rows;

/* out = act(sum + bias) + residual, or sum * factor. Row i of `out` and `residual` starts at
 * (i / group) * group_ld + (i % group) * ld elements; group 0 means one group. */
typedef struct sgm_epilogue {
    const float *bias;    /* [N] or NULL */
    sgm_act act;          /* NONE, RELU, GELU (error below 2e-7), SIGMOID, TANH, LEAKY_RELU */
    const void *residual; /* [M, N] or NULL; may be `out` itself */
    sgm_dtype residual_dtype;
    int64_t residual_ld;
    void *out; /* [M, N] */
    sgm_dtype out_dtype;
    int64_t out_ld;
    int64_t group, group_ld;
    float *slope;        /* NULL, or receives act'(sum + bias), laid out as `out`; out is FP32 */
    const float *factor; /* NULL, or what sums are multiplied by, laid out as `out`, FP32; goes with
                            neither bias nor act, and a residual is left out */
} sgm_epilogue;

/* A weight in the layout of the micro-kernels; immutable, may be shared by threads. */
typedef struct sgm_packed sgm_packed;

/* Bytes for a weight of n outputs and k inputs, header included. */
size_t sgm_packed_size(int64_t n, int64_t k, sgm_dtype dtype);

/* Packs w[n, k] (row stride ld; transposed: w[k, n]) into `buffer` of sgm_packed_size bytes,
 * 64-byte aligned; with buffer NULL the memory is allocated, and sgm_packed_destroy frees it. dtype
 * SGM_BF16 needs sgm_cpu()->bf16 (else SGM_DEVICE). `w` is not kept. */
sgm_status sgm_packed_create(const float *w, int64_t n, int64_t k, int64_t ld, bool transposed,
                             sgm_dtype dtype, void *buffer, sgm_packed **out);
void sgm_packed_destroy(sgm_packed *pack);
int64_t sgm_packed_rows(const sgm_packed *pack);    /* n */
int64_t sgm_packed_columns(const sgm_packed *pack); /* k */

/* out[M, N] = epilogue(A[M, K] * transpose(W[N, K])). A of either dtype goes with a pack of either
 * dtype (it is converted while it is packed). */
sgm_status sgm_gemm(sgm_threads *pool, const sgm_packed *w, const sgm_rows *a, int64_t m,
                    const sgm_epilogue *epilogue);

/* C[b] = alpha * op(A[b]) * op(B[b]) (+ C[b]) for b < batch; nothing packed beforehand: training's
 * products, and products of two activations. op(A) is [m, k], op(B) is [k, n]. Linear layers:
 * dX[M, K] = dY * W (no transpose); dW[N, K] = transpose(dY) * X (transpose_a). */
typedef struct sgm_matmul_args {
    int64_t m, n, k;
    bool transpose_a, transpose_b;
    const void *a, *b;
    sgm_dtype a_dtype, b_dtype;
    int64_t lda, ldb; /* of the stored matrices */
    void *c;
    sgm_dtype c_dtype; /* SGM_BF16 only with accumulate false and k <= 1024 */
    int64_t ldc;
    const float *residual; /* NULL, or added to C, laid out as C is; only with k <= 1024, alpha 1,
                              accumulate false */
    const float *factor;   /* NULL, or what C is multiplied by; as the residual, and without one */
    float alpha;
    bool accumulate;
    int64_t batch;                        /* 0 is 1 */
    int64_t stride_a, stride_b, stride_c; /* between batch items; 0 repeats */
    sgm_dtype compute; /* SGM_BF16: operands rounded to BF16, sums FP32; needs sgm_cpu()->bf16 */
} sgm_matmul_args;

sgm_status sgm_matmul_run(sgm_threads *pool, const sgm_matmul_args *args);

#endif
