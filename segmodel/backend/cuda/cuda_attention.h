/* Attention as the kernels see it: `groups` of N queries and M keys each, `heads` heads of D
 * channels. A group is an image of SGM_OP_ATTENTION, or an image's window (the whole grid is one
 * window) of SGM_OP_ATTENTION_GRID.
 *
 * Windows that reach over the grid hold padding tokens. They are keys and values like all others,
 * all equal to `pad`, and count in the softmax; as queries their rows are computed by nobody. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_ATTENTION_H
#define SEGMODEL_BACKEND_CUDA_CUDA_ATTENTION_H

#include "cuda_internal.h"

/* The largest head the kernels have room for; SAM's are 16 to 80. */
enum { SGM_MOST_HEAD_DIM = 128 };

typedef struct sgm_attend {
    sgm_floats q, k, v, out;
    int q_row, kv_row, out_row; /* values per token */
    int q_part, k_part, v_part; /* first value of head 0 within a token */
    int head_step;              /* values between heads of q, k and v */
    int groups, heads, D, N, M;
    bool shared_keys; /* all groups have the keys of group 0 */
    float scale;
    /* grid only */
    bool grid;
    int H, W, Sh, Sw, windows_x, windows; /* windows per image */
    const float *pad;                     /* 3C values, or NULL for zeros */
    int bias;                             /* sgm_grid_bias */
    const float *table;                   /* SGM_BIAS_TABLE */
    const float *rel;                     /* SGM_BIAS_REL_POS: [token, head, Sh + Sw], q . row */
    const float *rel_h, *rel_w;
} sgm_attend;

/* Everything but `rel`. */
sgm_attend sgm_attend_of(const sgm_step *step);
size_t sgm_attend_rel_bytes(const sgm_attend *a);
/* Fills `rel` (device memory of sgm_attend_rel_bytes) and sets a->rel; nothing without rel-pos. */
void sgm_attend_rel(sgm_cuda *cuda, sgm_attend *a, void *rel);
/* Takes what sgm_cuda_attention_backward will take. */
void sgm_attend_grad_scratch(sgm_cuda *cuda, const sgm_step *step, const sgm_attend *a,
                             sgm_cursor *cursor);

/* Token of place n in a group, -1 for padding. */
static __device__ int sgm_grid_token(const sgm_attend &a, int group, int n)
{
    int window = group % a.windows, b = group / a.windows;
    int y = window / a.windows_x * a.Sh + n / a.Sw, x = window % a.windows_x * a.Sw + n % a.Sw;
    return y < a.H && x < a.W ? (b * a.H + y) * a.W + x : -1;
}

static __device__ int sgm_query_token(const sgm_attend &a, int group, int n)
{
    return a.grid ? sgm_grid_token(a, group, n) : group * a.N + n;
}

static __device__ int sgm_key_token(const sgm_attend &a, int group, int m)
{
    if (a.grid) return sgm_grid_token(a, group, m);
    return (a.shared_keys ? 0 : group) * a.M + m;
}

/* Channel d of head h of a key or value (x, part) of a token, padding included. */
static __device__ float sgm_key_value(const sgm_attend &a, sgm_floats x, int part, int token, int h,
                                      int d)
{
    int at = part + h * a.head_step + d;
    if (token < 0) return a.pad ? a.pad[at] : 0;
    return sgm_load(x, (int64_t)token * a.kv_row + at);
}

/* What is added to the score of query n (its token) and key m. */
static __device__ float sgm_bias_of(const sgm_attend &a, int token, int h, int n, int m)
{
    int ky = m / a.Sw, kx = m % a.Sw;
    if (a.bias == SGM_BIAS_REL_POS) {
        const float *rel = a.rel + ((int64_t)token * a.heads + h) * (a.Sh + a.Sw);
        return rel[ky] + rel[a.Sh + kx];
    }
    int dy = n / a.Sw - ky, dx = n % a.Sw - kx;
    if (dy < 0) dy = -dy;
    if (dx < 0) dx = -dx;
    return a.table[(h * a.Sh + dy) * a.Sw + dx];
}

#endif
