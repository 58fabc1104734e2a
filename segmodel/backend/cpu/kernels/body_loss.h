/* The pixels of SAM's loss, value and gradient: backend/ref/loss_sam.c in vectors. */
#include "backend/cpu/kernels/vec_math.h"

/* Pixels whose terms are summed in FP32, by lanes, before they go to double. */
#define SUM_RUN 1024

/* What one pixel's logit x and target t give. */
typedef struct mask_pixel {
    vf p, cross, miss, weight; /* probability, cross entropy, |p - t|, focal's alpha */
} mask_pixel;

/* Sigmoid and softplus(-x) from one exponential. */
INLINE mask_pixel pixel_of(vf x, vf t, float alpha)
{
    vf zero = v_set(0.0f), one = v_set(1.0f), e = v_exp(zero - v_abs(x)), q = one / (one + e);
    vf softplus = v_max(zero, zero - x) + v_log1p(e), p = v_select(x >= zero, q, e * q);
    return (mask_pixel){p, v_fma(one - t, x, softplus), p + t - v_set(2.0f) * p * t,
                        v_fma(v_set(2 * alpha - 1), t, v_set(1 - alpha))};
}

INLINE void add_run(const float *x, const float *t, int64_t n, float alpha, double sums[5])
{
    vf zero = v_set(0.0f), one = v_set(1.0f), s[5] = {zero, zero, zero, zero, zero};
    for (int64_t i = 0; i < n; i += VL) {
        vf logit = v_load_upto(x, i, SGM_F32, n - i), target = v_load_upto(t, i, SGM_F32, n - i);
        mask_pixel m = pixel_of(logit, target, alpha);
        vi a = logit > zero, b = target > v_set(0.5f);
        vf terms[5] = {m.weight * m.cross * m.miss * m.miss, m.p * target, m.p + target,
                       v_select(a & b, one, zero), v_select(a | b, one, zero)};
        UNROLL for (int k = 0; k < 5; k++) s[k] += lanes_below(n - i, terms[k]);
    }
    for (int k = 0; k < 5; k++)
        sums[k] += (double)v_sum(s[k]);
}

static void sam_sums(const float *x, const float *t, int64_t n, float alpha, double sums[5])
{
    for (int64_t i = 0; i < n; i += SUM_RUN)
        add_run(x + i, t + i, n - i < SUM_RUN ? n - i : SUM_RUN, alpha, sums);
}

static void sam_grad(const float *x, const float *t, int64_t n, float alpha, float w_focal,
                     float w_num, float w_den, float *grad)
{
    vf one = v_set(1.0f), two = v_set(2.0f);
    for (int64_t i = 0; i < n; i += VL) {
        vf target = v_load_upto(t, i, SGM_F32, n - i);
        mask_pixel m = pixel_of(v_load_upto(x, i, SGM_F32, n - i), target, alpha);
        vf slope = m.p * (one - m.p);
        vf focal = (m.p - target) * m.miss * m.miss +
                   two * m.cross * m.miss * slope * (one - two * target);
        vf g = v_set(w_focal) * m.weight * focal + (v_set(w_num) - v_set(w_den) * target) * slope;
        v_store_upto(grad, i, SGM_F32, v_load_upto(grad, i, SGM_F32, n - i) + g, n - i);
    }
}
