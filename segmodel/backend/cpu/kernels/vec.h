/* Vectors of VL floats for the instruction set this file is compiled for. Kernels written on them
 * are compiled once per instruction set (isa_base.c, isa_avx2.c, isa_avx512.c). GCC's vector
 * extensions do the arithmetic; intrinsics only where those lack the operation. */
#ifndef SEGMODEL_CPU_KERNELS_VEC_H
#define SEGMODEL_CPU_KERNELS_VEC_H

#include <stdint.h>
#include <string.h>

#include "graph/graph.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define VL 16
#elif defined(__AVX2__)
#define VL 8
#else
#define VL 4
#endif

#define INLINE static inline __attribute__((always_inline))
/* Loops with constant trip counts over arrays of vectors must unroll for these to be registers. */
#define UNROLL _Pragma("GCC unroll 32")

typedef float vf __attribute__((vector_size(4 * VL)));
typedef int32_t vi __attribute__((vector_size(4 * VL)));
typedef uint32_t vu __attribute__((vector_size(4 * VL)));
typedef uint16_t vh __attribute__((vector_size(2 * VL)));
typedef float vf_any __attribute__((vector_size(4 * VL), aligned(4), may_alias));
typedef uint16_t vh_any __attribute__((vector_size(2 * VL), aligned(2), may_alias));

INLINE vf v_set(float x)
{
    return x - (vf){0};
}

INLINE vf v_load(const float *p)
{
    return *(const vf_any *)p;
}

INLINE void v_store(float *p, vf x)
{
    *(vf_any *)p = x;
}

INLINE vf v_select(vi mask, vf yes, vf no)
{
    return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}

/* a * b + c, rounded once where the hardware can. */
INLINE vf v_fma(vf a, vf b, vf c)
{
#if defined(__AVX512F__)
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__)
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

/* Returns b where either is NaN, as x86 does: put the value that may be NaN second. */
INLINE vf v_max(vf a, vf b)
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return v_select(a > b, a, b);
#endif
}

INLINE vf v_min(vf a, vf b)
{
#if defined(__AVX512F__)
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return v_select(a < b, a, b);
#endif
}

INLINE float v_sum(vf x)
{
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)x);
#elif defined(__AVX2__)
    __m128 s = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
#else
    float s[VL];
    memcpy(s, &x, sizeof s);
    for (int w = VL / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++)
            s[i] += s[i + w];
    return s[0];
#endif
}

INLINE float v_hmax(vf x)
{
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps((__m512)x);
#elif defined(__AVX2__)
    __m128 s = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
#else
    float s[VL];
    memcpy(s, &x, sizeof s);
    for (int w = VL / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++)
            s[i] = s[i] > s[i + w] ? s[i] : s[i + w];
    return s[0];
#endif
}

INLINE vf v_from_bf16(vh x)
{
    return (vf)(__builtin_convertvector(x, vu) << 16);
}

/* Round to nearest even; NaN stays NaN. The instruction also turns denormals into 0. */
INLINE vh v_to_bf16(vf x)
{
#if defined(__AVX512BF16__)
    return (vh)_mm512_cvtneps_pbh((__m512)x);
#else
    vu u = (vu)x;
    vu rounded = u + 0x7fff + ((u >> 16) & 1);
    vu nan = (vu)(x != x);
    vu r = (nan & (u | 0x400000)) | (~nan & rounded);
    return __builtin_convertvector(r >> 16, vh);
#endif
}

INLINE float from_bf16(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

INLINE uint16_t to_bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if (x != x) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

INLINE vf v_load_bf16(const uint16_t *p)
{
    return v_from_bf16(*(const vh_any *)p);
}

INLINE void v_store_bf16(uint16_t *p, vf x)
{
    *(vh_any *)p = v_to_bf16(x);
}

/* Element i of an array of either dtype. */
INLINE vf v_load_as(const void *p, int64_t i, sgm_dtype dtype)
{
    return dtype == SGM_F32 ? v_load((const float *)p + i) : v_load_bf16((const uint16_t *)p + i);
}

INLINE void v_store_as(void *p, int64_t i, sgm_dtype dtype, vf x)
{
    if (dtype == SGM_F32)
        v_store((float *)p + i, x);
    else
        v_store_bf16((uint16_t *)p + i, x);
}

INLINE float load_as(const void *p, int64_t i, sgm_dtype dtype)
{
    return dtype == SGM_F32 ? ((const float *)p)[i] : from_bf16(((const uint16_t *)p)[i]);
}

INLINE void store_as(void *p, int64_t i, sgm_dtype dtype, float x)
{
    if (dtype == SGM_F32)
        ((float *)p)[i] = x;
    else
        ((uint16_t *)p)[i] = to_bf16(x);
}

/* The first n < VL elements; the other lanes are 0 / untouched. */
#if defined(__AVX512F__)
INLINE vf v_load_part(const void *p, int64_t i, sgm_dtype dtype, int64_t n)
{
    __mmask16 mask = (__mmask16)((1u << n) - 1);
    if (dtype == SGM_F32) return (vf)_mm512_maskz_loadu_ps(mask, (const float *)p + i);
    __m256i half = _mm256_maskz_loadu_epi16(mask, (const uint16_t *)p + i);
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
}

INLINE void v_store_part(void *p, int64_t i, sgm_dtype dtype, vf x, int64_t n)
{
    __mmask16 mask = (__mmask16)((1u << n) - 1);
    if (dtype == SGM_F32)
        _mm512_mask_storeu_ps((float *)p + i, mask, (__m512)x);
    else
        _mm256_mask_storeu_epi16((uint16_t *)p + i, mask, (__m256i)v_to_bf16(x));
}
#else
#if defined(__AVX2__)
/* All bits in the first n lanes. */
INLINE __m256i v_first(int64_t n)
{
    static const int32_t bits[2 * VL] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(bits + VL - n));
}

/* The first n < VL lanes in pieces: a masked store takes AMD's processors dozens of steps. */
INLINE void v_store_first(float *p, __m256 x, int64_t n)
{
    __m128 left = _mm256_castps256_ps128(x);
    if (n & 4) {
        _mm_storeu_ps(p, left);
        left = _mm256_extractf128_ps(x, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, left);
        left = _mm_movehl_ps(left, left);
        p += 2;
    }
    if (n & 1) _mm_store_ss(p, left);
}
#endif

INLINE vf v_load_part(const void *p, int64_t i, sgm_dtype dtype, int64_t n)
{
#if defined(__AVX2__)
    if (dtype == SGM_F32) return (vf)_mm256_maskload_ps((const float *)p + i, v_first(n));
#endif
    float lane[VL] = {0};
    for (int64_t j = 0; j < n; j++)
        lane[j] = load_as(p, i + j, dtype);
    return v_load(lane);
}

INLINE void v_store_part(void *p, int64_t i, sgm_dtype dtype, vf x, int64_t n)
{
#if defined(__AVX2__)
    if (dtype == SGM_F32) {
        v_store_first((float *)p + i, (__m256)x, n);
        return;
    }
#endif
    float lane[VL];
    v_store(lane, x);
    for (int64_t j = 0; j < n; j++)
        store_as(p, i + j, dtype, lane[j]);
}
#endif

INLINE vf v_load_upto(const void *p, int64_t i, sgm_dtype dtype, int64_t n)
{
    return n >= VL ? v_load_as(p, i, dtype) : v_load_part(p, i, dtype, n);
}

INLINE void v_store_upto(void *p, int64_t i, sgm_dtype dtype, vf x, int64_t n)
{
    if (n >= VL)
        v_store_as(p, i, dtype, x);
    else
        v_store_part(p, i, dtype, x, n);
}

/* The first n lanes; 0 in the others. */
INLINE vf lanes_below(int64_t n, vf x)
{
    if (n >= VL) return x;
    float lane[VL];
    v_store(lane, x);
    for (int64_t i = n; i < VL; i++)
        lane[i] = 0;
    return v_load(lane);
}

#endif
