/* Layer normalisation and elementwise loops. */
#include "backend/cpu/kernels/vec_math.h"

/* --------------------------------------------------------------------------- layer normalisation
 */

/* Sums that are made side by side: one alone would wait for each of its additions. */
#define WAYS 4

INLINE vf join_ways(const vf ways[WAYS])
{
    return (ways[0] + ways[1]) + (ways[2] + ways[3]);
}

/* x - mean in the first n lanes, 0 in the others. */
INLINE vf apart(vf x, vf mean, int64_t n)
{
    float lane[VL];
    v_store(lane, x - mean);
    for (int64_t i = n; i < VL; i++)
        lane[i] = 0;
    return v_load(lane);
}

typedef struct row_moments {
    vf mean, scale;
} row_moments;

INLINE row_moments moments_as(const void *x, const sgm_dtype dtype, int64_t base, int64_t c,
                              float eps)
{
    const int64_t whole = c / (WAYS * VL) * (WAYS * VL);
    vf total[WAYS] = {0}, squares[WAYS] = {0};
    for (int64_t i = 0; i < whole; i += WAYS * VL)
        UNROLL for (int w = 0; w < WAYS; w++) total[w] += v_load_as(x, base + i + w * VL, dtype);
    for (int64_t i = whole; i < c; i += VL)
        total[0] += v_load_upto(x, base + i, dtype, c - i);
    vf mean = v_set(v_sum(join_ways(total)) / (float)c);
    for (int64_t i = 0; i < whole; i += WAYS * VL)
        UNROLL for (int w = 0; w < WAYS; w++)
        {
            vf d = v_load_as(x, base + i + w * VL, dtype) - mean;
            squares[w] = v_fma(d, d, squares[w]);
        }
    for (int64_t i = whole; i < c; i += VL) {
        vf d = v_load_upto(x, base + i, dtype, c - i);
        d = c - i < VL ? apart(d, mean, c - i) : d - mean;
        squares[0] = v_fma(d, d, squares[0]);
    }
    return (row_moments){mean, v_set(1.0f / sqrtf(v_sum(join_ways(squares)) / (float)c + eps))};
}

static row_moments moments(const void *x, sgm_dtype dtype, int64_t base, int64_t c, float eps)
{
    return dtype == SGM_F32 ? moments_as(x, SGM_F32, base, c, eps)
                            : moments_as(x, SGM_BF16, base, c, eps);
}

INLINE void norm_row(const sgm_layernorm_args *a, const sgm_act act, const sgm_dtype from,
                     const sgm_dtype to, int64_t row)
{
    int64_t c = a->c, base = row * c;
    row_moments m = moments_as(a->x, from, base, c, a->eps);
    for (int64_t i = 0; i < c; i += VL) {
        vf y = (v_load_upto(a->x, base + i, from, c - i) - m.mean) * m.scale;
        if (a->gamma) y *= v_load_upto(a->gamma, i, SGM_F32, c - i);
        if (a->beta) y += v_load_upto(a->beta, i, SGM_F32, c - i);
        v_store_upto(a->out, base + i, to, v_act(act, y), c - i);
    }
}

INLINE void norm_rows(const sgm_layernorm_args *a, const sgm_act act, const sgm_dtype from,
                      const sgm_dtype to, int64_t begin, int64_t end)
{
    for (int64_t row = begin; row < end; row++)
        norm_row(a, act, from, to, row);
}

/* What networks have most gets loops of its own. */
static void layernorm(const sgm_layernorm_args *a, int64_t begin, int64_t end)
{
    bool f32 = a->x_dtype == SGM_F32;
    if (f32 && a->out_dtype == SGM_F32 && a->act == SGM_ACT_NONE)
        norm_rows(a, SGM_ACT_NONE, SGM_F32, SGM_F32, begin, end);
    else if (f32 && a->out_dtype == SGM_BF16 && a->act == SGM_ACT_NONE)
        norm_rows(a, SGM_ACT_NONE, SGM_F32, SGM_BF16, begin, end);
    else if (f32 && a->out_dtype == SGM_F32 && a->act == SGM_ACT_GELU)
        norm_rows(a, SGM_ACT_GELU, SGM_F32, SGM_F32, begin, end);
    else if (f32 && a->out_dtype == SGM_BF16 && a->act == SGM_ACT_GELU)
        norm_rows(a, SGM_ACT_GELU, SGM_F32, SGM_BF16, begin, end);
    else
        norm_rows(a, a->act, a->x_dtype, a->out_dtype, begin, end);
}

/* dx = scale (g - mean(g) - xhat mean(g xhat)), g = dout gamma. */
static void layernorm_grad_row(const sgm_norm_grad_job *j, int64_t row, float *dgamma, float *dbeta)
{
    int64_t c = j->c, base = row * c;
    row_moments m = moments(j->x, j->x_dtype, base, c, j->eps);
    vf sum_g = v_set(0.0f), sum_gx = v_set(0.0f);
    for (int64_t i = 0; i < c; i += VL) {
        int64_t n = c - i;
        vf d = v_load_upto(j->dout, base + i, SGM_F32, n);
        vf xhat = (v_load_upto(j->x, base + i, j->x_dtype, n) - m.mean) * m.scale;
        vf g = j->gamma ? d * v_load_upto(j->gamma, i, SGM_F32, n) : d;
        sum_g += g;
        sum_gx = v_fma(g, xhat, sum_gx);
        if (dgamma) {
            v_store_upto(dgamma, i, SGM_F32, v_load_upto(dgamma, i, SGM_F32, n) + d * xhat, n);
            v_store_upto(dbeta, i, SGM_F32, v_load_upto(dbeta, i, SGM_F32, n) + d, n);
        }
    }
    if (!j->dx) return;
    vf mean_g = v_set(v_sum(sum_g) / (float)c), mean_gx = v_set(v_sum(sum_gx) / (float)c);
    for (int64_t i = 0; i < c; i += VL) {
        int64_t n = c - i;
        vf g = v_load_upto(j->dout, base + i, SGM_F32, n);
        if (j->gamma) g *= v_load_upto(j->gamma, i, SGM_F32, n);
        vf xhat = (v_load_upto(j->x, base + i, j->x_dtype, n) - m.mean) * m.scale;
        vf dx = m.scale * (g - mean_g - xhat * mean_gx);
        if (j->accumulate_dx) dx += v_load_upto(j->dx, base + i, SGM_F32, n);
        v_store_upto(j->dx, base + i, SGM_F32, dx, n);
    }
}

/* Blocks [begin, end) of rows. */
static void layernorm_grad(const sgm_norm_grad_job *j, int64_t begin, int64_t end)
{
    for (int64_t b = begin; b < end; b++) {
        float *dgamma = j->partial ? j->partial + b * 2 * j->c : NULL;
        if (dgamma) memset(dgamma, 0, sizeof(float) * 2 * (size_t)j->c);
        int64_t last = (b + 1) * j->block < j->m ? (b + 1) * j->block : j->m;
        for (int64_t row = b * j->block; row < last; row++)
            layernorm_grad_row(j, row, dgamma, dgamma ? dgamma + j->c : NULL);
    }
}

/* ----------------------------------------------------------------------------------- elementwise
 */

INLINE void act_body(const sgm_act act, const void *x, sgm_dtype from, void *out, sgm_dtype to,
                     int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i += VL)
        v_store_upto(out, i, to, v_act(act, v_load_upto(x, i, from, end - i)), end - i);
}

static void act_run(sgm_act act, const void *x, sgm_dtype from, void *out, sgm_dtype to,
                    int64_t begin, int64_t end)
{
    if (act == SGM_ACT_GELU)
        act_body(SGM_ACT_GELU, x, from, out, to, begin, end);
    else if (act == SGM_ACT_RELU)
        act_body(SGM_ACT_RELU, x, from, out, to, begin, end);
    else
        act_body(act, x, from, out, to, begin, end);
}

static void act_grad_run(sgm_act act, const void *x, sgm_dtype from, const float *dout, float *dx,
                         bool accumulate, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i += VL) {
        int64_t n = end - i;
        vf g = v_load_upto(dout, i, SGM_F32, n) * v_act_slope(act, v_load_upto(x, i, from, n));
        if (accumulate) g += v_load_upto(dx, i, SGM_F32, n);
        v_store_upto(dx, i, SGM_F32, g, n);
    }
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

static void max4(const void *x, const int64_t at[4], sgm_dtype from, void *out, int64_t out_at,
                 sgm_dtype to, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL) {
        vf m = v_load_upto(x, at[0] + i, from, n - i);
        for (int j = 1; j < 4; j++)
            m = v_max(m, v_load_upto(x, at[j] + i, from, n - i));
        v_store_upto(out, out_at + i, to, m, n - i);
    }
}
