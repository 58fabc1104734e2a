/* Attention of one head over one set of keys, on one thread: what the whole-sequence and the grid
 * version share. Scores are kept in units of log2 (the scale includes log2 e). */
#ifndef SEGMODEL_CPU_KERNELS_ATTENTION_CORE_H
#define SEGMODEL_CPU_KERNELS_ATTENTION_CORE_H

#include "backend/cpu/kernels/gemm_internal.h"

#define SGM_LOG2E 1.44269504088896340736f
#define SGM_MAX_HEAD_DIM 256

/* Token i of a head starts at element at + i / run * row_stride + i % run * token_stride. */
typedef struct sgm_tokens {
    const void *data;
    sgm_dtype dtype;
    int64_t at, run, row_stride, token_stride;
} sgm_tokens;

/* Position bias in units of log2. REL_POS: tables turned over and transposed,
 * rel_h[d * ld_h + (sh - 1 - qy) + ky], so that one query's keys are neighbours. TABLE: mirrored,
 * table[|dy| * ld_w + (sw - 1 - qx) + kx]. Rows have 16 readable elements to spare. */
typedef struct sgm_position_bias {
    sgm_grid_bias kind;
    int64_t sh, sw; /* sides of the window, or of the grid */
    const float *rel_h, *rel_w, *table;
    const float *plain_h, *plain_w; /* rel_h, rel_w as given, [2 s - 1][head_dim], natural units */
    int64_t ld_h, ld_w;
} sgm_position_bias;

typedef struct sgm_attention_task {
    sgm_tokens q, k, v, out;
    int64_t first, nq, nk; /* queries [first, first + nq) of those at q and out */
    int head_dim;
    float scale;
    sgm_dtype compute;
    sgm_position_bias bias;
    float *partial;             /* NULL, or what comes instead of out: below */
    int64_t pads;               /* padding keys beside the nk real ones: sh * sw - nk */
    const float *pad_k, *pad_v; /* [head_dim]; NULL: zeros */
} sgm_attention_task;

/* What is known of a query after some of its keys: maximum of the scores, sum of 2^(score -
 * maximum), and the values weighed with it, [head_dim]. */
#define SGM_PARTIAL_FLOATS(head_dim) (2 + (head_dim))

/* Bytes a thread needs for tasks of at most nk keys and windows of at most sh x sw. */
size_t sgm_attention_memory(int64_t nk, int head_dim, int64_t sh, int64_t sw, sgm_dtype compute);

static inline int64_t sgm_round_up(int64_t n, int64_t to)
{
    return sgm_div_up(n, to) * to;
}

/* The next `bytes` of a work space, in whole cache lines; `memory` NULL: it is only measured. */
static inline void *sgm_carve(char *memory, size_t *used, int64_t bytes)
{
    void *p = memory ? memory + *used : NULL;
    *used += (size_t)sgm_round_up(bytes, 64);
    return p;
}

void sgm_attention_task_run(const sgm_attention_task *task, const sgm_micro *micro, void *memory);

static inline int64_t sgm_token_offset(const sgm_tokens *t, int64_t i)
{
    return t->at + i / t->run * t->row_stride + i % t->run * t->token_stride;
}

/* A head's tokens with equal steps from one to the next: token i starts at at + i * ld. */
typedef struct sgm_even_tokens {
    const void *data;
    sgm_dtype dtype;
    int64_t at, ld;
} sgm_even_tokens;

static inline const float *sgm_even_row(const sgm_even_tokens *t, int64_t i)
{
    return (const float *)t->data + t->at + i * t->ld;
}

/* Tokens [first, first + n): as they lie where that is evenly, else gathered as `dtype` into
 * memory[n][head_dim]. */
sgm_even_tokens sgm_evenly(const sgm_tokens *t, int64_t first, int64_t n, int head_dim,
                           sgm_dtype dtype, void *memory);

/* Rows [first, first + n) of a head as to[n][ld]. */
void sgm_gather_tokens(const sgm_tokens *t, int64_t first, int64_t n, int head_dim,
                       sgm_dtype to_dtype, void *to, int64_t ld);

/* One query's bias parts over a whole window: bh[sh], bw[sw] (REL_POS), from its unscaled values.
 */
void sgm_relative_parts(const sgm_position_bias *bias, const float *q, int head_dim, int64_t qy,
                        int64_t qx, float *bh, float *bw);

#endif
