/* The micro-kernel with A where it lies (sgm_micro_in_place of isa.h); included by body_gemm.h. */

#if defined(__aarch64__)
/* NEON multiplies by one lane of four elements of a row: A is packed. */
#define MICRO_IN_PLACE                                                                             \
    {                                                                                              \
        0                                                                                          \
    }
#else
/* x86 reaches five rows from one register: a distance between rows, three of it, and a scale. */
#define ROWS_PER_BASE 5
/* So many rows of a stored transpose ahead: often another page, which no processor foresees. */
#define AHEAD 8
#define BASES ((STRIP + ROWS_PER_BASE - 1) / ROWS_PER_BASE)

/* `rows` rows of A times 2 VL columns of B. by_rows: element k of row i is a[i * lda + k], else
 * a[k * lda + i]. */
INLINE void in_place_pass(const int rows, const bool by_rows, const float *a, int64_t lda,
                          const float *b, int64_t count, float *c0, float *c1, int64_t ld,
                          bool accumulate, int64_t b_half)
{
    vf s0[STRIP], s1[STRIP];
    const float *base[BASES];
    UNROLL for (int i = 0; i < rows; i++)
    {
        s0[i] = accumulate ? v_load(c0 + i * ld) : v_set(0.0f);
        s1[i] = accumulate ? v_load(c1 + i * ld) : v_set(0.0f);
    }
    UNROLL for (int i = 0; i < rows; i += ROWS_PER_BASE) base[i / ROWS_PER_BASE] = a + i * lda;
    for (int64_t chunk = 0; chunk < count; chunk += 16, b += SGM_B_CHUNK / 4 - 256) {
        int64_t end = chunk + 16 < count ? chunk + 16 : count;
        for (int64_t k = chunk; k < end; k++, b += 16, a += lda) {
            vf b0 = v_load(b), b1 = v_load(b + b_half);
            if (!by_rows) {
                __builtin_prefetch(a + AHEAD * lda);
                if (rows > 1) __builtin_prefetch(a + AHEAD * lda + rows - 1);
            }
            UNROLL for (int i = 0; i < rows; i++)
            {
                vf x = v_set(by_rows ? base[i / ROWS_PER_BASE][i % ROWS_PER_BASE * lda + k] : a[i]);
                s0[i] = v_fma(x, b0, s0[i]);
                s1[i] = v_fma(x, b1, s1[i]);
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        v_store(c0 + i * ld, s0[i]);
        v_store(c1 + i * ld, s1[i]);
    }
}

INLINE void in_place_rows(const int rows, const bool by_rows, const int columns, const float *a,
                          int64_t lda, const float *b, int64_t count, float *c, int64_t ld,
                          int64_t half, bool accumulate)
{
#if VL == 16
    (void)columns;
    in_place_pass(rows, by_rows, a, lda, b, count, c, c + half, ld, accumulate, 256);
#else
    for (int column = 0; column < columns; column += PASS_COLUMNS) {
        int at = column % 16;
        float *to = c + column / 16 * half + at;
        in_place_pass(rows, by_rows, a, lda, b + column / 16 * 256 + at, count, to, to + VL, ld,
                      accumulate, VL);
    }
#endif
}

#define IN_PLACE_ROWS(name, by_rows, columns, rows)                                                \
    static __attribute__((noinline)) void name##rows(const float *a, int64_t lda, const float *b,  \
                                                     int64_t count, float *c, int64_t ld,          \
                                                     int64_t half, bool accumulate)                \
    {                                                                                              \
        in_place_rows(rows, by_rows, columns, a, lda, b, count, c, ld, half, accumulate);          \
    }

#if STRIP == 4
#define IN_PLACE_EACH(...) FOR_4(__VA_ARGS__)
#elif STRIP == 6
#define IN_PLACE_EACH(...) FOR_4(__VA_ARGS__) FOR_6(__VA_ARGS__)
#else
#define IN_PLACE_EACH(...) FOR_4(__VA_ARGS__) FOR_6(__VA_ARGS__) FOR_14(__VA_ARGS__)
#endif
#define FOR_4(...)                                                                                 \
    IN_PLACE_ROWS(__VA_ARGS__, 1)                                                                  \
    IN_PLACE_ROWS(__VA_ARGS__, 2) IN_PLACE_ROWS(__VA_ARGS__, 3) IN_PLACE_ROWS(__VA_ARGS__, 4)
#define FOR_6(...) IN_PLACE_ROWS(__VA_ARGS__, 5) IN_PLACE_ROWS(__VA_ARGS__, 6)
#define FOR_14(...)                                                                                \
    IN_PLACE_ROWS(__VA_ARGS__, 7)                                                                  \
    IN_PLACE_ROWS(__VA_ARGS__, 8)                                                                  \
    IN_PLACE_ROWS(__VA_ARGS__, 9)                                                                  \
    IN_PLACE_ROWS(__VA_ARGS__, 10)                                                                 \
    IN_PLACE_ROWS(__VA_ARGS__, 11)                                                                 \
    IN_PLACE_ROWS(__VA_ARGS__, 12) IN_PLACE_ROWS(__VA_ARGS__, 13) IN_PLACE_ROWS(__VA_ARGS__, 14)

typedef void (*in_place_fn)(const float *, int64_t, const float *, int64_t, float *, int64_t,
                            int64_t, bool);

/* Defines `name`, a sgm_micro_in_place_fn. */
#define MICRO_OF_ROWS(name, by_rows, columns)                                                      \
    IN_PLACE_EACH(name##_, by_rows, columns)                                                       \
    static void name(const float *a, int64_t lda, const void *b, int64_t count, float *c,          \
                     int64_t ld, int64_t half, int rows, bool accumulate)                          \
    {                                                                                              \
        static const in_place_fn by_count[] = {BY_ROWS(name##_)};                                  \
        by_count[rows](a, lda, b, count, c, ld, half, accumulate);                                 \
    }

MICRO_OF_ROWS(micro_plain, true, SGM_PANEL)
MICRO_OF_ROWS(micro_turned, false, SGM_PANEL)
#if VL == 16
#define MICRO_IN_PLACE                                                                             \
    {                                                                                              \
        .rows = micro_plain, .columns = micro_turned                                               \
    }
#else
MICRO_OF_ROWS(half_plain, true, SGM_PANEL / 2)
MICRO_OF_ROWS(half_turned, false, SGM_PANEL / 2)
#define MICRO_IN_PLACE                                                                             \
    {                                                                                              \
        .rows = micro_plain, .columns = micro_turned, .rows_half = half_plain,                     \
        .columns_half = half_turned                                                                \
    }
#endif
#endif
