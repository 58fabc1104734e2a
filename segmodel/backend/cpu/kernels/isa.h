/* The inner loops, compiled once per instruction set, behind one table each.
 *
 * Packed form, shared by all micro-kernels. A chunk is 64 bytes along K: 16 floats or 32 BF16.
 *   A: strips of `strip` rows:  [chunk][row in strip][64 bytes]
 *   B: panels of 32 columns:    [chunk][2 halves][16 steps][16 columns][4 bytes]
 * where a step is one float, or a pair of BF16 next to each other (what AMX and vdpbf16ps read).
 * K is padded with zeros to whole chunks, columns to whole panels. */
#ifndef SEGMODEL_CPU_KERNELS_ISA_H
#define SEGMODEL_CPU_KERNELS_ISA_H

#include "backend/cpu/kernels/attention_grid.h"
#include "backend/cpu/kernels/convolution.h"
#include "backend/cpu/kernels/layernorm.h"
#include "core/cpu_features.h"

#include <string.h>

#define SGM_PANEL 32                        /* columns of B per panel */
#define SGM_CHUNK 64                        /* bytes along K per packed chunk */
#define SGM_B_CHUNK (SGM_PANEL * SGM_CHUNK) /* bytes of B per chunk and panel */
#define SGM_MAX_STEP 32                     /* rows a micro-kernel makes per call, at most */

/* c[rows, 32] = (accumulate ? c : 0) + A strip(s) * B panel. Column j of row i is
 * c[i * ld + (j / 16) * half + j % 16]. */
typedef void (*sgm_micro_fn)(const void *a, size_t strip_bytes, const void *b, int64_t chunks,
                             float *c, int64_t ld, int64_t half, int rows, bool accumulate);

/* The same with A where it lies, in FP32, `count` elements of K: element k of row i is
 * a[i * lda + k] (rows) or a[k * lda + i] (columns, of A as its transpose is stored). */
typedef void (*sgm_micro_in_place_fn)(const float *a, int64_t lda, const void *b, int64_t count,
                                      float *c, int64_t ld, int64_t half, int rows,
                                      bool accumulate);

typedef struct sgm_micro_in_place {
    sgm_micro_in_place_fn rows, columns;           /* NULL: A is to be packed */
    sgm_micro_in_place_fn rows_half, columns_half; /* as run_half */
} sgm_micro_in_place;

typedef struct sgm_micro {
    int strip; /* rows per packed strip of A */
    int step;  /* rows per call, a multiple of strip */
    int depth; /* chunks of K that a product gives it per call at most; 0: all */
    sgm_micro_fn run;
    sgm_micro_fn run_half; /* only columns [0, 16) of the panel; NULL where `run` takes no longer */
    sgm_micro_in_place in_place;
    void (*begin)(void); /* before / after a series of calls on a thread; may be NULL */
    void (*end)(void);
} sgm_micro;

/* What makes the first `cols` columns of a panel. */
static inline sgm_micro_fn sgm_micro_columns(const sgm_micro *micro, int64_t cols)
{
    return cols <= SGM_PANEL / 2 && micro->run_half ? micro->run_half : micro->run;
}

/* The same where A stays where it lies. */
static inline sgm_micro_in_place_fn sgm_micro_rows(const sgm_micro *micro, int64_t cols)
{
    const sgm_micro_in_place *m = &micro->in_place;
    return cols <= SGM_PANEL / 2 && m->rows_half ? m->rows_half : m->rows;
}

static inline sgm_micro_in_place_fn sgm_micro_turned(const sgm_micro *micro, int64_t cols)
{
    const sgm_micro_in_place *m = &micro->in_place;
    return cols <= SGM_PANEL / 2 && m->columns_half ? m->columns_half : m->columns;
}

/* Writes rows [row, row + rows) of an A operand, `chunks` chunks each, into strips. */
typedef void (*sgm_pack_a_fn)(const void *source, int64_t row, int rows, int64_t chunks,
                              sgm_dtype to, int strip, void *packed);

typedef struct sgm_rows_source {
    sgm_rows rows;
    int64_t k;
} sgm_rows_source;

/* Patches of an image as rows of A: K runs over (ky, kx, c). */
typedef struct sgm_patches {
    sgm_conv_shape shape; /* of the walk: output pixels are the rows */
    const void *x;
    sgm_dtype dtype;
    int64_t out_height, out_width;
} sgm_patches;

typedef struct sgm_resize_plan {
    const void *x;
    void *out;
    sgm_dtype x_dtype, out_dtype;
    int64_t height, width, channels, out_height, out_width;
    bool align_corners;
    const int32_t *low, *high; /* [out_width] input columns, in elements */
    const float *fraction;     /* [out_width] of high */
} sgm_resize_plan;

typedef struct sgm_depthwise_job {
    sgm_conv_shape shape;
    const float *w; /* [kh * kw, C] */
    const float *bias;
    sgm_act act;
    const void *x;
    void *out;
    sgm_dtype x_dtype, out_dtype;
    float *slope;        /* as in sgm_epilogue */
    const float *factor; /* NULL, or what sums are multiplied by, in place of act */
} sgm_depthwise_job;

typedef struct sgm_depthwise_grad {
    sgm_conv_shape shape;
    const float *w; /* [kh * kw, C] */
    const float *dout;
    const void *x;
    sgm_dtype x_dtype;
    float *dx;
    bool accumulate;
    const float *factor; /* as in sgm_conv_grads */
} sgm_depthwise_grad;

typedef struct sgm_norm_grad_job {
    int64_t m, c, block;
    const void *x;
    sgm_dtype x_dtype;
    const float *gamma, *dout;
    float eps;
    float *dx;
    bool accumulate_dx;
    float *partial; /* [blocks][2][c] or NULL */
} sgm_norm_grad_job;

/* One strip of an online softmax, scores in the packed layout of A (chunks of 16 floats). */
typedef struct sgm_softmax_strip {
    float *scores;  /* [chunks16][score_strip][16]; replaced by probabilities when FP32 */
    uint16_t *bf16; /* [chunks32][strip][32] or NULL: probabilities for a BF16 product */
    int score_strip, strip, rows;
    int64_t chunks;   /* of 16 */
    float *max, *sum; /* [rows] running; max starts at -inf, sum at 0 */
    float *rescale;   /* [rows] out: factor for what was accumulated before */
} sgm_softmax_strip;

typedef enum sgm_binary { SGM_BINARY_ADD, SGM_BINARY_MUL } sgm_binary;

typedef struct sgm_isa_table {
    sgm_micro f32;
    /* dst[j][i] = src[i][j] for 16 x 16 words; ld in words. */
    void (*transpose)(const uint32_t *src, int64_t ld, uint32_t *dst, int64_t dst_ld);
    /* A panel of B: see sgm_packed_panel_columns. */
    void (*pack_columns)(const void *x, sgm_dtype from, int64_t at, int64_t ld, int cols, int64_t k,
                         sgm_dtype to, void *panel);
    sgm_pack_a_fn pack_rows;    /* source: sgm_rows_source */
    sgm_pack_a_fn pack_patches; /* source: sgm_patches */
    /* Strips of `rows` rows of A from its transpose: row i of the k stored ones starts at
     * x + (at + i * ld). */
    void (*pack_turned)(const void *x, sgm_dtype from, int64_t at, int64_t ld, int rows, int64_t k,
                        sgm_dtype to, int strip, void *packed);
    /* Columns [n, n + 32) of k patches from patch k0 on, as a panel of B. */
    void (*pack_patch_panel)(const sgm_patches *patches, int64_t n, int64_t k0, int64_t k,
                             sgm_dtype to, void *panel);
    void (*epilogue)(const float *tile, int rows, int cols, int64_t m, int64_t n,
                     const sgm_epilogue *e);
    /* c[i * ld + j] (+)= alpha * tile[i * 32 + j] */
    void (*store_scaled)(const float *tile, int rows, int cols, float alpha, bool accumulate,
                         void *c, sgm_dtype dtype, int64_t offset, int64_t ld);
    void (*convert)(const void *x, int64_t x_at, sgm_dtype from, void *out, int64_t out_at,
                    sgm_dtype to, int64_t n);
    void (*softmax_strip)(const sgm_softmax_strip *s);
    /* y[i] (+)= a * x[i] */
    void (*axpy)(float *y, float a, const float *x, int64_t n);
    void (*scale)(float *y, float a, int64_t n);
    float (*dot)(const float *x, const float *y, int64_t n);
    /* c[j] = sum over d of q[d] * table[d * ld + j], j < n (n rounded up to 16 readable) */
    void (*row_times)(const float *q, const float *table, int64_t ld, int depth, float *c, int n);
    /* One query's position bias for key columns [first, first + n), n a multiple of 16, keys in
     * rows of `run`: scores[c / 16 * stride + c % 16] = bh[ky] + bw[|ky - qy| * bw_ld + kx].
     * bh may be NULL. `line` is scratch of run + n + 32 floats. */
    void (*bias_row)(const float *bh, const float *bw, int64_t bw_ld, int64_t qy, int64_t run,
                     int64_t rows, int64_t first, int64_t n, float *line, float *scores,
                     int64_t stride);
    /* Its gradient: bw[|ky - qy| * bw_ld + kx] += scores, for n key columns (any number). */
    void (*bias_row_grad)(float *bw, int64_t bw_ld, int64_t qy, int64_t run, int64_t first,
                          int64_t n, const float *scores, int64_t stride);
    /* Scores transposed, [chunk of 16 queries][strip keys][16]: running maximum and sum of 2^score
     * of each query over `rows` more keys. */
    void (*column_stats)(const float *scores, int strip, int rows, int chunks, float *max,
                         float *sum);
    /* s becomes p = 2^(s - lse), dp becomes p (dp - delta), for each query (column). */
    void (*column_grad)(float *s, float *dp, int strip, int rows, int chunks, const float *lse,
                        const float *delta);
    /* p[i] *= factor, dp[i] = p[i] (dp[i] - delta), n a multiple of 16: of one query, whose
     * probabilities p still lack the factor 1 / sum. */
    void (*softmax_grad)(float *p, float *dp, float factor, float delta, int64_t n);
    /* x[i] = 2^(x[i] - shift), n a multiple of 16, x <= shift */
    void (*exp2_shifted)(float *x, float shift, int64_t n);
    /* y[16 c + i] (+)= x[c * stride + i] (+ add[16 c + i]): a strided row of chunks, contiguous. */
    void (*add_chunks)(float *y, const float *x, int64_t stride, int chunks);
    void (*put_chunks)(float *x, int64_t stride, int chunks, const float *y, const float *add);
    void (*layernorm)(const sgm_layernorm_args *args, int64_t begin, int64_t end);
    void (*layernorm_grad)(const sgm_norm_grad_job *job, int64_t begin, int64_t end);
    void (*act)(sgm_act act, const void *x, sgm_dtype from, void *out, sgm_dtype to, int64_t begin,
                int64_t end);
    /* out = act(x), slope = act'(x); either may be x. All FP32. */
    void (*act_slopes)(sgm_act act, const float *x, float *out, float *slope, int64_t begin,
                       int64_t end);
    void (*act_grad)(sgm_act act, const void *x, sgm_dtype from, const float *dout, float *dx,
                     bool accumulate, int64_t begin, int64_t end);
    void (*binary)(sgm_binary op, const void *x, int64_t x_at, sgm_dtype x_dtype, const void *y,
                   int64_t y_at, sgm_dtype y_dtype, void *out, int64_t out_at, sgm_dtype out_dtype,
                   int64_t n);
    void (*affine)(const void *x, sgm_dtype from, float scale, float shift, void *out, sgm_dtype to,
                   int64_t begin, int64_t end);
    void (*add_to)(float *sum, const void *x, int64_t at, sgm_dtype dtype, int64_t n);
    /* sum[n] += x[rows, n], row after row. */
    void (*sum_rows)(float *sum, const void *x, int64_t at, sgm_dtype dtype, int64_t n,
                     int64_t rows);
    /* Rows [begin, end) of c. */
    void (*softmax_rows)(const void *x, sgm_dtype from, void *out, sgm_dtype to, int64_t begin,
                         int64_t end, int64_t c);
    /* Output row `row` between input rows low and high; temp: width * channels + 64 floats. */
    void (*resize_row)(const sgm_resize_plan *plan, int64_t row, int64_t low, int64_t high,
                       float fraction, float *temp);
    /* Output pixels [begin, end) of a row. */
    void (*depthwise_row)(const sgm_depthwise_job *job, int64_t row, int64_t begin, int64_t end);
    void (*depthwise_grad_row)(const sgm_depthwise_grad *job, int64_t row); /* of dx */
    /* dw[kh * kw, C] += output rows [begin, end) */
    void (*depthwise_weight_grad)(const sgm_depthwise_grad *job, int64_t begin, int64_t end,
                                  float *dw);
    /* SAM's loss over n pixels of logits x and targets t, see backend/ref/loss.h. */
    void (*sam_sums)(const float *x, const float *t, int64_t n, float alpha, double sums[5]);
    void (*sam_grad)(const float *x, const float *t, int64_t n, float alpha, float w_focal,
                     float w_num, float w_den, float *grad);
    void (*max4)(const void *x, const int64_t at[4], sgm_dtype from, void *out, int64_t out_at,
                 sgm_dtype to, int64_t n);
} sgm_isa_table;

extern const sgm_isa_table sgm_isa_base, sgm_isa_avx2, sgm_isa_avx512, sgm_isa_avx512_bf16;

/* The table for sgm_cpu()->isa. */
const sgm_isa_table *sgm_loops(void);

/* The micro-kernel for a compute type; NULL when the processor has none (BF16 only). */
const sgm_micro *sgm_micro_for(sgm_dtype dtype);
extern const sgm_micro sgm_micro_dot, sgm_micro_amx, sgm_micro_mmla;

#endif
