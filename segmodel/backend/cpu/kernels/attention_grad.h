/* The gradient of one head's attention over one set of keys, on one thread, FP32 where
 * attention_grad_bf16.c does not take it.
 *
 * Everything is computed transposed, rows of keys by columns of queries, because then the products
 * chain without copies: a strip of probabilities is at once the packed A of dV = P^T dO, and a
 * block of strips the packed B of dQ^T = K^T dS^T (the five products of Dao et al. 2022,
 * section 3.2). The row sums, which the forward pass does not keep, need all scores of a block of
 * queries first: these are kept, or made once more where the keys are many. Chunks of 16 without
 * queries are left out. */
#ifndef SEGMODEL_CPU_KERNELS_ATTENTION_GRAD_H
#define SEGMODEL_CPU_KERNELS_ATTENTION_GRAD_H

#include "backend/cpu/kernels/attention_core.h"

/* Sums over all queries of a window and head, added to; NULL where not wanted. */
typedef struct sgm_bias_sums {
    float *rel_h, *rel_w; /* [2 s - 1][head_dim], in the order of the parameters */
    float *table;         /* [sh][ld_w] mirrored like sgm_position_bias.table */
    float *pad_k, *pad_v; /* [head_dim] */
} sgm_bias_sums;

typedef struct sgm_attention_grad_task {
    sgm_attention_task forward;  /* out: the forward result; all queries (first = 0) */
    sgm_tokens dout, dq, dk, dv; /* FP32; data NULL: not wanted */
    bool accumulate_q, accumulate_k, accumulate_v;
    sgm_bias_sums sums;
} sgm_attention_grad_task;

size_t sgm_attention_grad_memory(int64_t nk, int head_dim, int64_t sh, int64_t sw);

void sgm_attention_grad_run(const sgm_attention_grad_task *task, void *memory);

/* What both files share. Tokens [first, first + n) as FP32, from where they lie if they lie evenly,
 * else in memory[n][head_dim]; and a token's gradient, which becomes factor * row or gains it. */
sgm_even_tokens sgm_grad_rows(const sgm_tokens *t, int64_t first, int64_t n, int head_dim,
                              float *memory);
void sgm_put_row(int head_dim, const sgm_tokens *to, int64_t token, float factor, const float *row,
                 bool accumulate);

/* Whether attention_grad_bf16.c takes such a task: BF16 wanted and at hand, no padding keys, no
 * relative positions, enough of both sides. sgm_attention_grad_run asks. */
bool sgm_attention_grad_in_bf16(const sgm_attention_task *forward);
size_t sgm_attention_grad_bf16_memory(int64_t nk, int head_dim);
void sgm_attention_grad_bf16_run(const sgm_attention_grad_task *task, void *memory);

#endif
