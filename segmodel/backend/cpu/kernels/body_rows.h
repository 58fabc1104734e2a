/* Layer normalisation and elementwise loops. */
#include "backend/cpu/kernels/vec_math.h"

/* --------------------------------------------------------------------------- layer normalisation
 */

/* x (+ add) of element at; after the first pass over a row, from `sum` where there is one. */
INLINE vf norm_input(const sgm_layernorm_args *a, int64_t at, int64_t n, bool summed)
{
    if (summed && a->sum) return v_load_upto(a->sum, at, a->x_dtype, n);
    vf x = v_load_upto(a->x, at, a->x_dtype, n);
    if (a->add) x += v_load_upto(a->add, at, a->add_dtype, n);
    return x;
}

static void layernorm_row(const sgm_layernorm_args *a, int64_t row)
{
    int64_t c = a->c, base = row * c;
    vf total = v_set(0.0f), squares = v_set(0.0f);
    for (int64_t i = 0; i < c; i += VL) {
        vf x = norm_input(a, base + i, c - i, false);
        if (a->sum) v_store_upto(a->sum, base + i, a->x_dtype, x, c - i);
        total += x;
    }
    vf mean = v_set(v_sum(total) / (float)c);
    for (int64_t i = 0; i < c; i += VL) {
        vf d = lanes_below(c - i, norm_input(a, base + i, c - i, true) - mean);
        squares = v_fma(d, d, squares);
    }
    vf scale = v_set(1.0f / sqrtf(v_sum(squares) / (float)c + a->eps));
    for (int64_t i = 0; i < c; i += VL) {
        vf y = (norm_input(a, base + i, c - i, true) - mean) * scale;
        if (a->gamma) y *= v_load_upto(a->gamma, i, SGM_F32, c - i);
        if (a->beta) y += v_load_upto(a->beta, i, SGM_F32, c - i);
        v_store_upto(a->out, base + i, a->out_dtype, v_act(a->act, y), c - i);
    }
}

/* Rows that take each pass together: a sum along a row is a chain of waits, those of several run
 * side by side. */
#define NORM_ROWS 8

typedef struct row_moments {
    vf mean, scale;
} row_moments;

/* Steps over a row: `n` is VL for whole vectors, a constant there, and the rest at the end. */
INLINE vf centred(const void *x, const sgm_dtype dtype, int64_t at, vf mean, int64_t n)
{
    return lanes_below(n, v_load_upto(x, at, dtype, n) - mean);
}

INLINE row_moments moments(const void *x, const sgm_dtype dtype, int64_t base, int64_t c, float eps)
{
    vf total = v_set(0.0f), squares = v_set(0.0f), d;
    int64_t i = 0;
    for (; i + VL <= c; i += VL)
        total += v_load_upto(x, base + i, dtype, VL);
    if (i < c) total += v_load_upto(x, base + i, dtype, c - i);
    vf mean = v_set(v_sum(total) / (float)c);
    for (i = 0; i + VL <= c; i += VL) {
        d = centred(x, dtype, base + i, mean, VL);
        squares = v_fma(d, d, squares);
    }
    d = i < c ? centred(x, dtype, base + i, mean, c - i) : v_set(0.0f);
    squares = v_fma(d, d, squares);
    return (row_moments){mean, v_set(1.0f / sqrtf(v_sum(squares) / (float)c + eps))};
}

INLINE void norm_step(const sgm_layernorm_args *a, const sgm_act act, const sgm_dtype to,
                      int64_t base, int64_t i, row_moments m, int64_t n)
{
    vf y = (v_load_upto(a->x, base + i, SGM_F32, n) - m.mean) * m.scale;
    y = y * v_load_upto(a->gamma, i, SGM_F32, n) + v_load_upto(a->beta, i, SGM_F32, n);
    v_store_upto(a->out, base + i, to, v_act(act, y), n);
}

/* What networks ask for: FP32 with gamma and beta, nothing added. */
INLINE void plain_rows(const sgm_layernorm_args *a, const sgm_act act, const sgm_dtype to,
                       int64_t row, int64_t rows)
{
    row_moments m[NORM_ROWS];
    int64_t c = a->c;
    for (int64_t r = 0; r < rows; r++)
        m[r] = moments(a->x, SGM_F32, (row + r) * c, c, a->eps);
    for (int64_t r = 0; r < rows; r++) {
        int64_t base = (row + r) * c, i = 0;
        for (; i + VL <= c; i += VL)
            norm_step(a, act, to, base, i, m[r], VL);
        if (i < c) norm_step(a, act, to, base, i, m[r], c - i);
    }
}

INLINE void plain_norms(const sgm_layernorm_args *a, const sgm_act act, int64_t begin, int64_t end)
{
    for (int64_t row = begin; row < end; row += NORM_ROWS) {
        int64_t rows = end - row < NORM_ROWS ? end - row : NORM_ROWS;
        if (a->out_dtype == SGM_F32)
            plain_rows(a, act, SGM_F32, row, rows);
        else
            plain_rows(a, act, SGM_BF16, row, rows);
    }
}

static void layernorm(const sgm_layernorm_args *args, int64_t begin, int64_t end)
{
    const sgm_layernorm_args a = *args; /* a copy, which no store can change */
    bool plain = a.x_dtype == SGM_F32 && a.gamma && a.beta && !a.add;
    if (plain && a.act == SGM_ACT_NONE)
        plain_norms(&a, SGM_ACT_NONE, begin, end);
    else if (plain && a.act == SGM_ACT_GELU)
        plain_norms(&a, SGM_ACT_GELU, begin, end);
    else
        for (int64_t row = begin; row < end; row++)
            layernorm_row(&a, row);
}

typedef struct norm_sums {
    vf g, gx; /* of g and g xhat along a row */
} norm_sums;

INLINE vf norm_slope(const sgm_norm_grad_job *j, int64_t base, int64_t i, int64_t n)
{
    vf d = v_load_upto(j->dout, base + i, SGM_F32, n);
    return j->gamma ? d * v_load_upto(j->gamma, i, SGM_F32, n) : d;
}

INLINE void sums_step(const sgm_norm_grad_job *j, const sgm_dtype dtype, int64_t base, int64_t i,
                      row_moments m, float *dgamma, float *dbeta, norm_sums *s, int64_t n)
{
    vf xhat = (v_load_upto(j->x, base + i, dtype, n) - m.mean) * m.scale;
    vf g = norm_slope(j, base, i, n);
    s->g += g;
    s->gx = v_fma(g, xhat, s->gx);
    if (!dgamma) return;
    vf d = v_load_upto(j->dout, base + i, SGM_F32, n);
    v_store_upto(dgamma, i, SGM_F32, v_load_upto(dgamma, i, SGM_F32, n) + d * xhat, n);
    v_store_upto(dbeta, i, SGM_F32, v_load_upto(dbeta, i, SGM_F32, n) + d, n);
}

INLINE void dx_step(const sgm_norm_grad_job *j, const sgm_dtype dtype, int64_t base, int64_t i,
                    row_moments m, norm_sums mean, int64_t n)
{
    vf xhat = (v_load_upto(j->x, base + i, dtype, n) - m.mean) * m.scale;
    vf dx = m.scale * (norm_slope(j, base, i, n) - mean.g - xhat * mean.gx);
    if (j->accumulate_dx) dx += v_load_upto(j->dx, base + i, SGM_F32, n);
    v_store_upto(j->dx, base + i, SGM_F32, dx, n);
}

/* The means of g and g xhat over a row, which also adds to dgamma and dbeta. */
INLINE norm_sums row_sums(const sgm_norm_grad_job *j, const sgm_dtype dtype, int64_t row,
                          row_moments m, float *dgamma, float *dbeta)
{
    int64_t c = j->c, base = row * c, i = 0;
    norm_sums s = {v_set(0.0f), v_set(0.0f)};
    for (; i + VL <= c; i += VL)
        sums_step(j, dtype, base, i, m, dgamma, dbeta, &s, VL);
    if (i < c) sums_step(j, dtype, base, i, m, dgamma, dbeta, &s, c - i);
    return (norm_sums){v_set(v_sum(s.g) / (float)c), v_set(v_sum(s.gx) / (float)c)};
}

INLINE void row_dx(const sgm_norm_grad_job *j, const sgm_dtype dtype, int64_t row, row_moments m,
                   norm_sums mean)
{
    int64_t c = j->c, base = row * c, i = 0;
    for (; i + VL <= c; i += VL)
        dx_step(j, dtype, base, i, m, mean, VL);
    if (i < c) dx_step(j, dtype, base, i, m, mean, c - i);
}

/* dx = scale (g - mean(g) - xhat mean(g xhat)), g = dout gamma. */
INLINE void layernorm_grad_rows(const sgm_norm_grad_job *j, const sgm_dtype dtype, int64_t row,
                                int64_t rows, float *dgamma, float *dbeta)
{
    row_moments m[NORM_ROWS];
    norm_sums mean[NORM_ROWS];
    for (int64_t r = 0; r < rows; r++)
        m[r] = moments(j->x, dtype, (row + r) * j->c, j->c, j->eps);
    for (int64_t r = 0; r < rows; r++)
        mean[r] = row_sums(j, dtype, row + r, m[r], dgamma, dbeta);
    for (int64_t r = 0; j->dx && r < rows; r++)
        row_dx(j, dtype, row + r, m[r], mean[r]);
}

/* Blocks [begin, end) of rows. */
static void layernorm_grad(const sgm_norm_grad_job *job, int64_t begin, int64_t end)
{
    const sgm_norm_grad_job j = *job; /* a copy, which no store can change */
    for (int64_t b = begin; b < end; b++) {
        float *dgamma = j.partial ? j.partial + b * 2 * j.c : NULL;
        float *dbeta = dgamma ? dgamma + j.c : NULL;
        if (dgamma) memset(dgamma, 0, sizeof(float) * 2 * (size_t)j.c);
        int64_t last = (b + 1) * j.block < j.m ? (b + 1) * j.block : j.m;
        for (int64_t row = b * j.block; row < last; row += NORM_ROWS) {
            int64_t rows = last - row < NORM_ROWS ? last - row : NORM_ROWS;
            if (j.x_dtype == SGM_F32)
                layernorm_grad_rows(&j, SGM_F32, row, rows, dgamma, dbeta);
            else
                layernorm_grad_rows(&j, SGM_BF16, row, rows, dgamma, dbeta);
        }
    }
}

/* ----------------------------------------------------------------------------------- elementwise
 */

#define ACTS 4 /* vectors whose activations are computed together */

INLINE void act_body(const sgm_act act, const void *x, const sgm_dtype from, void *out,
                     const sgm_dtype to, int64_t begin, int64_t end)
{
    int64_t i = begin;
    for (; i + ACTS * VL <= end; i += ACTS * VL) {
        vf in[ACTS], y[ACTS];
        EACH(k, ACTS) in[k] = v_load_as(x, i + k * VL, from);
        v_act_each(ACTS, act, in, y, NULL);
        EACH(k, ACTS) v_store_as(out, i + k * VL, to, y[k]);
    }
    for (; i + VL <= end; i += VL)
        v_store_as(out, i, to, v_act(act, v_load_as(x, i, from)));
    if (i < end) v_store_part(out, i, to, v_act(act, v_load_part(x, i, from, end - i)), end - i);
}

/* The types as constants: what is left is one loop without a branch. */
INLINE void act_typed(const sgm_act act, const void *x, sgm_dtype from, void *out, sgm_dtype to,
                      int64_t begin, int64_t end)
{
    if (from == SGM_F32 && to == SGM_F32)
        act_body(act, x, SGM_F32, out, SGM_F32, begin, end);
    else if (from == SGM_BF16 && to == SGM_BF16)
        act_body(act, x, SGM_BF16, out, SGM_BF16, begin, end);
    else
        act_body(act, x, from, out, to, begin, end);
}

static void act_run(sgm_act act, const void *x, sgm_dtype from, void *out, sgm_dtype to,
                    int64_t begin, int64_t end)
{
    if (act == SGM_ACT_GELU)
        act_typed(SGM_ACT_GELU, x, from, out, to, begin, end);
    else if (act == SGM_ACT_RELU)
        act_typed(SGM_ACT_RELU, x, from, out, to, begin, end);
    else
        act_body(act, x, from, out, to, begin, end);
}

INLINE void act_slopes_body(const sgm_act act, const float *x, float *out, float *slope,
                            int64_t begin, int64_t end)
{
    int64_t i = begin;
    for (; i + ACTS * VL <= end; i += ACTS * VL) {
        vf in[ACTS], y[ACTS], s[ACTS];
        EACH(k, ACTS) in[k] = v_load(x + i + k * VL);
        v_act_each(ACTS, act, in, y, s);
        EACH(k, ACTS) v_store(out + i + k * VL, y[k]);
        EACH(k, ACTS) v_store(slope + i + k * VL, s[k]);
    }
    for (; i < end; i += VL) {
        vf in = v_load_upto(x, i, SGM_F32, end - i);
        v_store_upto(out, i, SGM_F32, v_act(act, in), end - i);
        v_store_upto(slope, i, SGM_F32, v_act_slope(act, in), end - i);
    }
}

static void act_slopes(sgm_act act, const float *x, float *out, float *slope, int64_t begin,
                       int64_t end)
{
    if (act == SGM_ACT_GELU)
        act_slopes_body(SGM_ACT_GELU, x, out, slope, begin, end);
    else
        act_slopes_body(act, x, out, slope, begin, end);
}

INLINE void act_grad_body(const sgm_act act, const void *x, const sgm_dtype from, const float *dout,
                          float *dx, const bool accumulate, int64_t begin, int64_t end)
{
    int64_t i = begin;
    for (; i + ACTS * VL <= end; i += ACTS * VL) {
        vf in[ACTS], s[ACTS];
        EACH(k, ACTS) in[k] = v_load_as(x, i + k * VL, from);
        v_act_each(ACTS, act, in, NULL, s);
        EACH(k, ACTS)
        {
            vf g = v_load(dout + i + k * VL) * s[k];
            v_store(dx + i + k * VL, accumulate ? g + v_load(dx + i + k * VL) : g);
        }
    }
    for (; i + VL <= end; i += VL) {
        vf g = v_load(dout + i) * v_act_slope(act, v_load_as(x, i, from));
        v_store(dx + i, accumulate ? g + v_load(dx + i) : g);
    }
    if (i == end) return;
    int64_t n = end - i;
    vf g = v_load_part(dout, i, SGM_F32, n) * v_act_slope(act, v_load_part(x, i, from, n));
    if (accumulate) g += v_load_part(dx, i, SGM_F32, n);
    v_store_part(dx, i, SGM_F32, g, n);
}

static void act_grad_run(sgm_act act, const void *x, sgm_dtype from, const float *dout, float *dx,
                         bool accumulate, int64_t begin, int64_t end)
{
    if (act == SGM_ACT_GELU && from == SGM_F32 && !accumulate)
        act_grad_body(SGM_ACT_GELU, x, SGM_F32, dout, dx, false, begin, end);
    else if (act == SGM_ACT_GELU && from == SGM_F32)
        act_grad_body(SGM_ACT_GELU, x, SGM_F32, dout, dx, true, begin, end);
    else if (act == SGM_ACT_GELU)
        act_grad_body(SGM_ACT_GELU, x, from, dout, dx, accumulate, begin, end);
    else if (act == SGM_ACT_RELU)
        act_grad_body(SGM_ACT_RELU, x, from, dout, dx, accumulate, begin, end);
    else
        act_grad_body(act, x, from, dout, dx, accumulate, begin, end);
}

static void binary_run(sgm_binary op, const void *x, int64_t x_at, sgm_dtype x_dtype, const void *y,
                       int64_t y_at, sgm_dtype y_dtype, void *out, int64_t out_at,
                       sgm_dtype out_dtype, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL) {
        vf a = v_load_upto(x, x_at + i, x_dtype, n - i);
        vf b = v_load_upto(y, y_at + i, y_dtype, n - i);
        v_store_upto(out, out_at + i, out_dtype, op == SGM_BINARY_ADD ? a + b : a * b, n - i);
    }
}

static void affine_run(const void *x, sgm_dtype from, float scale, float shift, void *out,
                       sgm_dtype to, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i += VL)
        v_store_upto(out, i, to,
                     v_fma(v_set(scale), v_load_upto(x, i, from, end - i), v_set(shift)), end - i);
}

static void add_to(float *sum, const void *x, int64_t at, sgm_dtype dtype, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL)
        v_store_upto(sum, i, SGM_F32,
                     v_load_upto(sum, i, SGM_F32, n - i) + v_load_upto(x, at + i, dtype, n - i),
                     n - i);
}

/* A column's sum is loaded and stored once for so many rows. */
#define SUM_ROWS 8

INLINE void sum_rows_as(float *sum, const void *x, const sgm_dtype dtype, int64_t at, int64_t n,
                        int64_t rows)
{
    for (int64_t r = 0; r < rows; r += SUM_ROWS, at += SUM_ROWS * n) {
        int64_t count = rows - r < SUM_ROWS ? rows - r : SUM_ROWS, i = 0;
        for (; i + VL <= n; i += VL) {
            vf s = v_load(sum + i);
            for (int64_t k = 0; k < count; k++)
                s += v_load_as(x, at + k * n + i, dtype);
            v_store(sum + i, s);
        }
        if (i == n) continue;
        vf s = v_load_part(sum, i, SGM_F32, n - i);
        for (int64_t k = 0; k < count; k++)
            s += v_load_part(x, at + k * n + i, dtype, n - i);
        v_store_part(sum, i, SGM_F32, s, n - i);
    }
}

static void sum_rows(float *sum, const void *x, int64_t at, sgm_dtype dtype, int64_t n,
                     int64_t rows)
{
    if (dtype == SGM_F32)
        sum_rows_as(sum, x, SGM_F32, at, n, rows);
    else
        sum_rows_as(sum, x, SGM_BF16, at, n, rows);
}

/* A NaN is larger than anything, and the last one the largest, as in PyTorch. */
static void max4(const void *x, const int64_t at[4], sgm_dtype from, void *out, int64_t out_at,
                 sgm_dtype to, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL) {
        vf m = v_load_upto(x, at[0] + i, from, n - i);
        for (int j = 1; j < 4; j++) {
            vf y = v_load_upto(x, at[j] + i, from, n - i);
            m = v_select((y > m) | (y != y), y, m);
        }
        v_store_upto(out, out_at + i, to, m, n - i);
    }
}
