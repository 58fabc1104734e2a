/* Self-attention over a grid of tokens, whole or in windows, with a position bias, fused: the
 * encoder blocks of SAM ViT (Li et al. 2022, decomposed relative positions) and TinyViT (Wu et al.
 * 2022, table of offsets).
 *
 * Score of query (qy, qx) and key (ky, kx) of the same window, S its side (or the grid's H, W):
 *   REL_POS: scale * q.k + q.rel_h[qy - ky + Sh - 1] + q.rel_w[qx - kx + Sw - 1]
 *   TABLE:   scale * q.k + table[head][|qy - ky| * S + |qx - kx|]
 * Windows that reach over the right or bottom border contain padding tokens, all with the same
 * q|k|v `pad`; they act as keys and values and are never asked. Their arithmetic is done once per
 * query, not per padding token, without changing the result. */
#ifndef SEGMODEL_CPU_KERNELS_ATTENTION_GRID_H
#define SEGMODEL_CPU_KERNELS_ATTENTION_GRID_H

#include "core/threads.h"
#include "graph/graph.h"

typedef struct sgm_attention_grid_args {
    int64_t batch, height, width;
    int heads, head_dim; /* C = heads * head_dim, head_dim at most 256 */
    int window;          /* side; 0: the whole grid */
    float scale;
    sgm_grid_bias bias;
    sgm_qkv_layout layout;
    const void *qkv; /* [B, H, W, 3C] dense */
    sgm_dtype qkv_dtype;
    const float *pad;           /* [3C] in the layout of qkv; NULL: zeros */
    const float *rel_h, *rel_w; /* [2Sh - 1, head_dim], [2Sw - 1, head_dim] */
    const float *table;         /* [heads, S * S] */
    void *out;                  /* [B, H, W, C] dense */
    sgm_dtype out_dtype;
    sgm_dtype compute; /* SGM_BF16: q, k, v and probabilities rounded to BF16 */
} sgm_attention_grid_args;

sgm_status sgm_attention_grid_forward(sgm_threads *pool, const sgm_attention_grid_args *args);

/* Gradients, in `compute` where attention_grad_bf16.c takes the windows, else FP32; probabilities
 * are recomputed. `forward->out` must hold the forward
 * result. Any of the outputs may be NULL. Results do not depend on the number of threads. */
typedef struct sgm_attention_grid_grads {
    const float *dout; /* [B, H, W, C] */
    float *dqkv;       /* [B, H, W, 3C] in the layout of qkv */
    float *dpad;       /* [3C]; its q part is zero */
    float *drel_h, *drel_w, *dtable;
    bool accumulate_qkv, accumulate_pad, accumulate_bias; /* add to what is there */
} sgm_attention_grid_grads;

sgm_status sgm_attention_grid_backward(sgm_threads *pool, const sgm_attention_grid_args *forward,
                                       const sgm_attention_grid_grads *grads);

#endif
