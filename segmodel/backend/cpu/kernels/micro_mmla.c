/* BF16 products with ARM's bfmmla: each instruction adds to 2 x 2 sums the products of two rows of
 * A and two columns of B, four elements of K deep. */
#include "backend/cpu/kernels/isa.h"

#if defined(__aarch64__) && defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")
#define STRIP 8
#define PAIRS (STRIP / 2)
#define COLUMNS                                                                                    \
    8 /* of a pass: 4 x 4 squares of sums, 8 operands of A, 4 of B: 28 registers of 32 */

typedef struct squares {
    float32x4_t s[PAIRS][COLUMNS / 2]; /* [row pair][column pair]: both columns of either row */
} squares;

/* Eight elements of K of two rows that are neighbours, as two operands of four. */
INLINE void load_pair(const uint16_t *a, bfloat16x8_t *low, bfloat16x8_t *high)
{
    uint64x2_t x = vreinterpretq_u64_u16(vld1q_u16(a));
    uint64x2_t y = vreinterpretq_u64_u16(vld1q_u16(a + SGM_CHUNK / 2));
    *low = vreinterpretq_bf16_u64(vzip1q_u64(x, y));
    *high = vreinterpretq_bf16_u64(vzip2q_u64(x, y));
}

/* Two steps (four elements of K) of eight columns against one operand of each pair of rows. */
INLINE void add_steps(const int pairs, squares *sums, const bfloat16x8_t *a, const uint32_t *b)
{
    UNROLL for (int half = 0; half < COLUMNS / 4; half++)
    {
        uint32x4_t x = vld1q_u32(b + 4 * half), y = vld1q_u32(b + 16 + 4 * half);
        bfloat16x8_t left = vreinterpretq_bf16_u32(vzip1q_u32(x, y));
        bfloat16x8_t right = vreinterpretq_bf16_u32(vzip2q_u32(x, y));
        UNROLL for (int p = 0; p < pairs; p++)
        {
            sums->s[p][2 * half] = vbfmmlaq_f32(sums->s[p][2 * half], a[p], left);
            sums->s[p][2 * half + 1] = vbfmmlaq_f32(sums->s[p][2 * half + 1], a[p], right);
        }
    }
}

/* The last of an odd number of rows has a partner in the packed A, and none in C. */
INLINE void load_sums(const int pairs, squares *sums, const float *c, int64_t ld, int rows,
                      bool accumulate)
{
    UNROLL for (int p = 0; p < pairs; p++)
    {
        const float *row = c + 2 * p * ld;
        UNROLL for (int q = 0; q < COLUMNS / 2; q++)
        {
            float32x2_t none = vdup_n_f32(0), first = accumulate ? vld1_f32(row + 2 * q) : none;
            float32x2_t second = accumulate && 2 * p + 1 < rows ? vld1_f32(row + ld + 2 * q) : none;
            sums->s[p][q] = vcombine_f32(first, second);
        }
    }
}

INLINE void store_sums(const int pairs, const squares *sums, float *c, int64_t ld, int rows)
{
    UNROLL for (int p = 0; p < pairs; p++)
    {
        float *row = c + 2 * p * ld;
        UNROLL for (int q = 0; q < COLUMNS / 2; q++)
        {
            vst1_f32(row + 2 * q, vget_low_f32(sums->s[p][q]));
            if (2 * p + 1 < rows) vst1_f32(row + ld + 2 * q, vget_high_f32(sums->s[p][q]));
        }
    }
}

/* `pairs` is a constant after inlining. */
INLINE void pass(const int pairs, const uint16_t *a, const uint32_t *b, int64_t chunks, float *c,
                 int64_t ld, int rows, bool accumulate)
{
    squares sums;
    load_sums(pairs, &sums, c, ld, rows, accumulate);
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        for (int k = 0; k < 4; k++) { /* eight elements, four steps */
            bfloat16x8_t low[PAIRS], high[PAIRS];
            UNROLL for (int p = 0; p < pairs; p++)
                load_pair(a + p * SGM_CHUNK + 8 * k, &low[p], &high[p]);
            add_steps(pairs, &sums, low, b + 64 * k);
            add_steps(pairs, &sums, high, b + 64 * k + 32);
        }
        a += STRIP * SGM_CHUNK / 2;
        b += SGM_B_CHUNK / 4;
    }
    store_sums(pairs, &sums, c, ld, rows);
}

#define ROW_PAIRS(n)                                                                               \
    static __attribute__((noinline)) void pass_##n(const uint16_t *a, const uint32_t *b,           \
                                                   int64_t chunks, float *c, int64_t ld, int rows, \
                                                   bool accumulate)                                \
    {                                                                                              \
        pass(n, a, b, chunks, c, ld, rows, accumulate);                                            \
    }
ROW_PAIRS(1)
ROW_PAIRS(2)
ROW_PAIRS(3)
ROW_PAIRS(4)

static void run(const void *a, size_t strip_bytes, const void *b, int64_t chunks, float *c,
                int64_t ld, int64_t half, int rows, bool accumulate)
{
    typedef void (*pass_fn)(const uint16_t *, const uint32_t *, int64_t, float *, int64_t, int,
                            bool);
    static const pass_fn by_pairs[] = {NULL, pass_1, pass_2, pass_3, pass_4};
    (void)strip_bytes;
    for (int column = 0; column < SGM_PANEL; column += COLUMNS)
        by_pairs[(rows + 1) / 2](a, (const uint32_t *)b + column / 16 * 256 + column % 16, chunks,
                                 c + column / 16 * half + column % 16, ld, rows, accumulate);
}

const sgm_micro sgm_micro_mmla = {.strip = STRIP, .step = STRIP, .run = run};
#else
const sgm_micro sgm_micro_mmla;
#endif
