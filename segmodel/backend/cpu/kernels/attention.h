/* Multi-head attention between two sets of tokens (Vaswani et al. 2017), fused: scores live only
 * for a tile of queries and keys, softmax is computed online (Milakov & Gimelshein 2018; tiles as
 * in Dao et al. 2022). Sums, softmax and the running maximum are FP32. */
#ifndef SEGMODEL_CPU_KERNELS_ATTENTION_H
#define SEGMODEL_CPU_KERNELS_ATTENTION_H

#include "core/threads.h"
#include "graph/graph.h"

/* q[B, Nq, C], k[B|1, Nk, C], v[B|1, Nk, C], out[B, Nq, C]; head h is channels
 * [h * C / heads, (h + 1) * C / heads). Row strides `*_ld` and batch strides `*_batch` (0: shared
 * by the batch) in elements. C / heads at most 256. */
typedef struct sgm_attention_args {
    int64_t batch, nq, nk;
    int heads, head_dim;
    float scale;
    const void *q, *k, *v;
    sgm_dtype q_dtype, k_dtype, v_dtype;
    int64_t q_ld, k_ld, v_ld;
    int64_t q_batch, k_batch, v_batch;
    void *out;
    sgm_dtype out_dtype;
    int64_t out_ld, out_batch;
    sgm_dtype compute; /* SGM_BF16: q, k, v and probabilities rounded to BF16 */
} sgm_attention_args;

sgm_status sgm_attention_forward(sgm_threads *pool, const sgm_attention_args *args);

/* Gradients, in `compute` where attention_grad_bf16.c takes the sequences, else FP32; probabilities
 * are recomputed. `forward` describes the inputs (its `out` must hold the forward result). dq/dk/dv
 * have the shapes of q/k/v, dense rows (ld = C), NULL where not wanted; dk, dv of a shared k, v are
 * summed over the batch. */
typedef struct sgm_attention_grads {
    const float *dout; /* [B, Nq, C] dense */
    float *dq, *dk, *dv;
    bool accumulate_q, accumulate_k, accumulate_v; /* add to what is there */
} sgm_attention_grads;

sgm_status sgm_attention_backward(sgm_threads *pool, const sgm_attention_args *forward,
                                  const sgm_attention_grads *grads);

#endif
