/* BF16 products with vdpbf16ps: each instruction adds two products to each of 16 sums. */
#include "backend/cpu/kernels/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")
#define STRIP 16
#define HALF_STRIP                                                                                 \
    8 /* 8 rows x 32 columns: 16 sums hide the latency, and 2 + 8 loads feed them                  \
       */

INLINE void eight_rows(const int rows, const uint16_t *a, const uint16_t *b, int64_t chunks,
                       float *c, int64_t ld, int64_t half, bool accumulate)
{
    __m512 s0[HALF_STRIP], s1[HALF_STRIP];
    UNROLL for (int i = 0; i < rows; i++)
    {
        s0[i] = accumulate ? _mm512_loadu_ps(c + i * ld) : _mm512_setzero_ps();
        s1[i] = accumulate ? _mm512_loadu_ps(c + i * ld + half) : _mm512_setzero_ps();
    }
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        for (int k = 0; k < 16; k++) {
            __m512bh b0 = (__m512bh)_mm512_loadu_si512(b + k * 32);
            __m512bh b1 = (__m512bh)_mm512_loadu_si512(b + k * 32 + 512);
            UNROLL for (int i = 0; i < rows; i++)
            {
                int32_t pair;
                __builtin_memcpy(&pair, a + i * 32 + k * 2, 4);
                __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
                s0[i] = _mm512_dpbf16_ps(s0[i], x, b0);
                s1[i] = _mm512_dpbf16_ps(s1[i], x, b1);
            }
        }
        a += STRIP * 32;
        b += SGM_B_CHUNK / 2;
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        _mm512_storeu_ps(c + i * ld, s0[i]);
        _mm512_storeu_ps(c + i * ld + half, s1[i]);
    }
}

#define ROWS(n)                                                                                    \
    static __attribute__((noinline)) void rows_##n(const uint16_t *a, const uint16_t *b,           \
                                                   int64_t chunks, float *c, int64_t ld,           \
                                                   int64_t half, bool accumulate)                  \
    {                                                                                              \
        eight_rows(n, a, b, chunks, c, ld, half, accumulate);                                      \
    }
ROWS(1)
ROWS(2)
ROWS(3)
ROWS(4)
ROWS(5)
ROWS(6)
ROWS(7)
ROWS(8)

static void run(const void *a, size_t strip_bytes, const void *b, int64_t chunks, float *c,
                int64_t ld, int64_t half, int rows, bool accumulate)
{
    typedef void (*rows_fn)(const uint16_t *, const uint16_t *, int64_t, float *, int64_t, int64_t,
                            bool);
    static const rows_fn by_rows[] = {NULL,   rows_1, rows_2, rows_3, rows_4,
                                      rows_5, rows_6, rows_7, rows_8};
    (void)strip_bytes;
    for (int i = 0; i < rows; i += HALF_STRIP) {
        int n = rows - i < HALF_STRIP ? rows - i : HALF_STRIP;
        by_rows[n]((const uint16_t *)a + i * 32, b, chunks, c + i * ld, ld, half, accumulate);
    }
}

const sgm_micro sgm_micro_dot = {.strip = STRIP, .step = STRIP, .run = run};
#else
const sgm_micro sgm_micro_dot;
#endif
