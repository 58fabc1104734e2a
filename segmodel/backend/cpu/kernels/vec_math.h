/* Elementary functions on vectors. Polynomials are minimax fits made for this file; the errors
 * stated were measured against double precision over the whole range (test_vec_math). */
#ifndef SEGMODEL_CPU_KERNELS_VEC_MATH_H
#define SEGMODEL_CPU_KERNELS_VEC_MATH_H

#include <math.h>

#include "backend/cpu/kernels/vec.h"

/* 1.5 * 2^23: adding it rounds to an integer that then sits in the low bits. */
#define ROUND_MAGIC 12582912.0f

/* Vectors that take the steps of a long function together, at most. */
#define SGM_ABREAST 8

INLINE vf v_exp2_of(vf x, vf fraction, vf integer_bits)
{
    vf f = fraction;
    vf p = v_fma(v_set(1.5461444699e-4f), f, v_set(1.3400428178e-3f));
    p = v_fma(p, f, v_set(9.6180566785e-3f));
    p = v_fma(p, f, v_set(5.5503272267e-2f));
    p = v_fma(p, f, v_set(2.4022650922e-1f));
    p = v_fma(p, f, v_set(6.9314720670e-1f));
    p = v_fma(p, f, v_set(1.0f));
    vf r = (vf)((vi)p + ((vi)integer_bits << 23));
    r = v_select(p == p, r, p); /* the low bits of a NaN would make a number of it */
    return (vf)((vi)r & (vi) ~(x < v_set(-126.0f)));
}

/* 2^x: relative error below 1.2e-7; 0 below -126, saturates at 2^127; NaN stays NaN. */
INLINE vf v_exp2(vf x)
{
    vf y = v_min(v_set(127.0f), v_max(v_set(-126.0f), x));
    vf t = y + v_set(ROUND_MAGIC);
    return v_exp2_of(x, y - (t - v_set(ROUND_MAGIC)), t);
}

/* Several vectors that take the steps of a long function together: those of one wait for each
 * other. How many is a constant after inlining; the values are those of one at a time. */
#define EACH(i, n) UNROLL for (int i = 0; i < (n); i++)

/* 2^x for x <= 0: relative error below 2e-7; below -126 (-inf too) 2^-126, which vanishes in every
 * sum it is meant for. A NaN as the processor makes it stays one; one whose low 9 bits are not zero
 * need not: to look for it costs attention 3 to 6 % under AVX2. */
INLINE void exp2_negative_each(const int n, const vf *x, vf *result)
{
    vf t[SGM_ABREAST], f[SGM_ABREAST], p[SGM_ABREAST];
    EACH(i, n)
    {
        vf y = v_max(v_set(-126.0f), x[i]);
        t[i] = y + v_set(ROUND_MAGIC);
        f[i] = y - (t[i] - v_set(ROUND_MAGIC));
    }
    EACH(i, n) p[i] = v_fma(v_set(1.3390863365e-3f), f[i], v_set(9.6760319183e-3f));
    EACH(i, n) p[i] = v_fma(p[i], f[i], v_set(5.5503571142e-2f));
    EACH(i, n) p[i] = v_fma(p[i], f[i], v_set(2.4022107485e-1f));
    EACH(i, n) p[i] = v_fma(p[i], f[i], v_set(6.9314718803e-1f));
    EACH(i, n) p[i] = v_fma(p[i], f[i], v_set(1.0000000755f));
    EACH(i, n) result[i] = (vf)((vi)p[i] + ((vi)t[i] << 23));
}

INLINE vf v_exp2_negative(vf x)
{
    vf y;
    exp2_negative_each(1, &x, &y);
    return y;
}

/* e^x: relative error below 2e-7 (Cody-Waite reduction in two steps). */
INLINE vf v_exp(vf x)
{
    vf y = v_min(v_set(88.0f), v_max(v_set(-87.3f), x));
    vf t = v_fma(y, v_set(1.44269504f), v_set(ROUND_MAGIC));
    vf n = t - v_set(ROUND_MAGIC);
    vf r = v_fma(n, v_set(-0.693145752f), y);
    r = v_fma(n, v_set(-1.42860677e-6f), r);
    vf e = v_exp2_of(v_set(0.0f), r * v_set(1.44269504f), t);
    return (vf)((vi)e & (vi) ~(x < v_set(-87.3f)));
}

/* log(1 + x) for 0 <= x <= 1: 2 atanh(x / (2 + x)), relative error below 2.5e-7. */
INLINE vf v_log1p(vf x)
{
    vf z = x / (v_set(2.0f) + x), u = z * z;
    vf p = v_fma(v_set(2.322432922e-1f), u, v_set(2.170657580e-1f));
    p = v_fma(p, u, v_set(2.859235799e-1f));
    p = v_fma(p, u, v_set(3.999970633e-1f));
    p = v_fma(p, u, v_set(6.666666732e-1f));
    p = v_fma(p, u, v_set(2.0f));
    return z * p;
}

INLINE vf v_abs(vf x)
{
    return (vf)((vi)x & 0x7fffffff);
}

/* erfc(a / sqrt 2) = 2^(a p(a)) for 0 <= a <= 12: one polynomial and one exponential over the whole
 * range. Error below 4e-8 / a. */
INLINE void erfc_half_each(const int n, const vf *a, vf *result)
{
    vf p[SGM_ABREAST];
    EACH(i, n) p[i] = v_fma(v_set(9.773764020e-8f), a[i], v_set(-2.822690021e-6f));
    EACH(i, n) p[i] = v_fma(p[i], a[i], v_set(3.070732055e-5f));
    EACH(i, n) p[i] = v_fma(p[i], a[i], v_set(-1.324655896e-4f));
    EACH(i, n) p[i] = v_fma(p[i], a[i], v_set(-2.779819188e-4f));
    EACH(i, n) p[i] = v_fma(p[i], a[i], v_set(7.249599323e-3f));
    EACH(i, n) p[i] = v_fma(p[i], a[i], v_set(-5.261959136e-2f));
    EACH(i, n) p[i] = v_fma(p[i], a[i], v_set(-4.591715038e-1f));
    EACH(i, n) p[i] = v_fma(p[i], a[i], v_set(-1.151108742f));
    EACH(i, n) p[i] = a[i] * p[i];
    exp2_negative_each(n, p, result);
}

/* x Phi(x) = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2, the exact GELU: absolute error below
 * 1e-7 max(1, |x|). Its slope is Phi(x) + x times the density. Either may be NULL. */
INLINE void gelu_each(const int n, const vf *x, vf *gelu, vf *slope)
{
    vf a[SGM_ABREAST], erfc[SGM_ABREAST], phi[SGM_ABREAST], power[SGM_ABREAST];
    EACH(i, n) a[i] = v_min(v_set(12.0f), v_abs(x[i]));
    erfc_half_each(n, a, erfc);
    if (gelu) EACH(i, n) gelu[i] = v_fma(v_set(-0.5f) * a[i], erfc[i], v_max(v_set(0.0f), x[i]));
    if (!slope) return;
    EACH(i, n)
    {
        vf half = v_set(0.5f) * erfc[i];
        phi[i] = v_select(x[i] > v_set(0.0f), v_set(1.0f) - half, half);
        power[i] = v_set(-0.721347520f) * x[i] * x[i];
    }
    exp2_negative_each(n, power, power);
    EACH(i, n) slope[i] = v_fma(x[i], v_set(0.398942280f) * power[i], phi[i]);
}

INLINE vf v_gelu(vf x)
{
    vf y;
    gelu_each(1, &x, &y, NULL);
    return y;
}

INLINE vf v_gelu_slope(vf x)
{
    vf slope;
    gelu_each(1, &x, NULL, &slope);
    return slope;
}

INLINE vf v_sigmoid(vf x)
{
    return v_set(1.0f) / (v_set(1.0f) + v_exp(v_set(0.0f) - x));
}

INLINE vf v_relu(vf x)
{
    return v_max(v_set(0.0f), x);
}

/* For the functions too rare to deserve a polynomial. */
INLINE vf v_each(vf x, float (*f)(float))
{
    float lane[VL];
    v_store(lane, x);
    for (int i = 0; i < VL; i++)
        lane[i] = f(lane[i]);
    return v_load(lane);
}

INLINE vf v_rsqrt(vf x)
{
    return v_set(1.0f) / v_each(x, sqrtf);
}

INLINE vf v_act(sgm_act act, vf x)
{
    switch (act) {
    case SGM_ACT_NONE:
        return x;
    case SGM_ACT_RELU:
        return v_relu(x);
    case SGM_ACT_GELU:
        return v_gelu(x);
    case SGM_ACT_SIGMOID:
        return v_sigmoid(x);
    case SGM_ACT_TANH:
        return v_each(x, tanhf);
    case SGM_ACT_LEAKY_RELU:
        return v_select(x > v_set(0.0f), x, v_set(0.01f) * x);
    case SGM_ACT_EXP:
        return v_exp(x);
    case SGM_ACT_LOG:
        return v_each(x, logf);
    case SGM_ACT_RSQRT:
        return v_rsqrt(x);
    }
    return x;
}

/* d act(x) / dx */
INLINE vf v_act_slope(sgm_act act, vf x)
{
    vf one = v_set(1.0f), zero = v_set(0.0f), y;
    switch (act) {
    case SGM_ACT_NONE:
        return one;
    case SGM_ACT_RELU:
        return v_select(x <= zero, zero, one); /* NaN passes its gradient on */
    case SGM_ACT_GELU:
        return v_gelu_slope(x);
    case SGM_ACT_SIGMOID:
        y = v_sigmoid(x);
        return y * (one - y);
    case SGM_ACT_TANH:
        y = v_each(x, tanhf);
        return one - y * y;
    case SGM_ACT_LEAKY_RELU:
        return v_select(x > zero, one, v_set(0.01f));
    case SGM_ACT_EXP:
        return v_exp(x);
    case SGM_ACT_LOG:
        return one / x;
    case SGM_ACT_RSQRT:
        return v_set(-0.5f) * v_rsqrt(x) / x;
    }
    return one;
}

/* act and its slope of several vectors; Results do not lie over x; either may be NULL. */
INLINE void v_act_each(const int n, const sgm_act act, const vf *x, vf *value, vf *slope)
{
    if (act == SGM_ACT_GELU) {
        gelu_each(n, x, value, slope);
        return;
    }
    if (slope) EACH(i, n) slope[i] = v_act_slope(act, x[i]);
    if (value) EACH(i, n) value[i] = v_act(act, x[i]);
}

#endif
