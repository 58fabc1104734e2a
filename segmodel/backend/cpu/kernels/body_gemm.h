/* Micro-kernel and epilogue of the matrix product; see isa.h for the packed form. */
#include "backend/cpu/kernels/vec_math.h"

#if VL == 16
#define STRIP 14 /* 28 sums, 2 columns of B, 1 spare */
#elif VL == 8
#define STRIP 6
#elif defined(__aarch64__)
#define STRIP 8 /* 16 sums, 8 rows of A, 2 columns of B: 26 registers of 32 */
#else
#define STRIP 4
#endif

/* A panel's part of at most 20 KiB stays in L1 beside the strips of A that pass by. A kernel with
 * fewer sums reads B more often; with 28 of them L2 is quick enough. */
#if VL == 16
#define DEPTH 0
#else
#define DEPTH 10
#endif

#define PASS_COLUMNS (2 * VL)

#if defined(__aarch64__)
/* s += row[i] * b for element i of four of A: a constant, because the instruction holds it. */
#define ADD_LANE(i, s, b, row)                                                                     \
    ((vf)vfmaq_laneq_f32((float32x4_t)(s), (float32x4_t)(b), (float32x4_t)(row), (i)))
#define ADD_STEP(step)                                                                             \
    {                                                                                              \
        vf b0 = v_load(b + (k + (step)) * 16), b1 = v_load(b + (k + (step)) * 16 + b_half);        \
        UNROLL for (int i = 0; i < rows; i++)                                                      \
        {                                                                                          \
            s0[i] = ADD_LANE(step, s0[i], b0, row[i]);                                             \
            s1[i] = ADD_LANE(step, s1[i], b1, row[i]);                                             \
        }                                                                                          \
    }

/* A chunk of A's strip against one of B's panel: four elements of A's rows are loaded at once. */
INLINE void micro_chunk(const int rows, vf *s0, vf *s1, const float *a, const float *b,
                        int64_t b_half)
{
    for (int k = 0; k < 16; k += 4) {
        vf row[STRIP];
        UNROLL for (int i = 0; i < rows; i++) row[i] = v_load(a + i * 16 + k);
        ADD_STEP(0)
        ADD_STEP(1)
        ADD_STEP(2)
        ADD_STEP(3)
    }
}
#else
INLINE void micro_chunk(const int rows, vf *s0, vf *s1, const float *a, const float *b,
                        int64_t b_half)
{
    for (int k = 0; k < 16; k++) {
        vf b0 = v_load(b + k * 16), b1 = v_load(b + k * 16 + b_half);
        UNROLL for (int i = 0; i < rows; i++)
        {
            vf x = v_set(a[i * 16 + k]);
            s0[i] = v_fma(x, b0, s0[i]);
            s1[i] = v_fma(x, b1, s1[i]);
        }
    }
}
#endif

/* Columns [column, column + 2 VL) of `rows` rows. `rows` is a constant after inlining. */
INLINE void micro_pass(const int rows, const float *a, const float *b, int64_t chunks, float *c0,
                       float *c1, int64_t ld, bool accumulate, int64_t b_half)
{
    vf s0[STRIP], s1[STRIP];
    UNROLL for (int i = 0; i < rows; i++)
    {
        s0[i] = accumulate ? v_load(c0 + i * ld) : v_set(0.0f);
        s1[i] = accumulate ? v_load(c1 + i * ld) : v_set(0.0f);
    }
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        micro_chunk(rows, s0, s1, a, b, b_half);
        a += STRIP * 16;
        b += SGM_B_CHUNK / 4;
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        v_store(c0 + i * ld, s0[i]);
        v_store(c1 + i * ld, s1[i]);
    }
}

INLINE void micro_rows(const int rows, const int columns, const float *a, const float *b,
                       int64_t chunks, float *c, int64_t ld, int64_t half, bool accumulate)
{
#if VL == 16
    (void)columns;
    micro_pass(rows, a, b, chunks, c, c + half, ld, accumulate, 256);
#else
    for (int column = 0; column < columns; column += PASS_COLUMNS) {
        int at = column % 16;
        float *to = c + column / 16 * half + at;
        micro_pass(rows, a, b + column / 16 * 256 + at, chunks, to, to + VL, ld, accumulate, VL);
    }
#endif
}

#define MICRO_COLUMNS(name, rows, columns)                                                         \
    static __attribute__((noinline)) void name(const float *a, const float *b, int64_t chunks,     \
                                               float *c, int64_t ld, int64_t half,                 \
                                               bool accumulate)                                    \
    {                                                                                              \
        micro_rows(rows, columns, a, b, chunks, c, ld, half, accumulate);                          \
    }

#if VL == 16
#define MICRO(rows) MICRO_COLUMNS(micro_##rows, rows, SGM_PANEL)
#else
#define MICRO(rows)                                                                                \
    MICRO_COLUMNS(micro_##rows, rows, SGM_PANEL)                                                   \
    MICRO_COLUMNS(half_##rows, rows, SGM_PANEL / 2)
#endif

MICRO(1)
MICRO(2)
MICRO(3)
MICRO(4)
#if STRIP > 4
MICRO(5)
MICRO(6)
#endif
#if STRIP > 6
MICRO(7)
MICRO(8)
#endif
#if STRIP > 8
MICRO(9)
MICRO(10)
MICRO(11)
MICRO(12)
MICRO(13)
MICRO(14)
#endif

#if STRIP == 4
#define BY_ROWS(name) NULL, name##1, name##2, name##3, name##4
#elif STRIP == 6
#define BY_ROWS(name) NULL, name##1, name##2, name##3, name##4, name##5, name##6
#elif STRIP == 8
#define BY_ROWS(name) NULL, name##1, name##2, name##3, name##4, name##5, name##6, name##7, name##8
#else
#define BY_ROWS(name)                                                                              \
    NULL, name##1, name##2, name##3, name##4, name##5, name##6, name##7, name##8, name##9,         \
        name##10, name##11, name##12, name##13, name##14
#endif

typedef void (*micro_rows_fn)(const float *, const float *, int64_t, float *, int64_t, int64_t,
                              bool);

static void micro_f32(const void *a, size_t strip_bytes, const void *b, int64_t chunks, float *c,
                      int64_t ld, int64_t half, int rows, bool accumulate)
{
    static const micro_rows_fn by_rows[] = {BY_ROWS(micro_)};
    (void)strip_bytes;
    by_rows[rows](a, b, chunks, c, ld, half, accumulate);
}

#if VL == 16
#define MICRO_HALF NULL
#else
#define MICRO_HALF micro_f32_half
static void micro_f32_half(const void *a, size_t strip_bytes, const void *b, int64_t chunks,
                           float *c, int64_t ld, int64_t half, int rows, bool accumulate)
{
    static const micro_rows_fn by_rows[] = {BY_ROWS(half_)};
    (void)strip_bytes;
    by_rows[rows](a, b, chunks, c, ld, half, accumulate);
}
#endif

#include "backend/cpu/kernels/body_in_place.h"

/* ------------------------------------------------------------------------------------ epilogue */

/* Where row m of an output lies, and the rows behind it without a division for each. */
typedef struct row_walk {
    int64_t block, row; /* group, and row within it */
} row_walk;

INLINE row_walk walk_from(const sgm_epilogue *e, int64_t m)
{
    int64_t block = e->group > 0 ? m / e->group : 0;
    return (row_walk){block, m - block * e->group};
}

INLINE void walk_on(row_walk *w, const sgm_epilogue *e)
{
    if (++w->row != e->group) return;
    w->row = 0;
    w->block++;
}

INLINE void epilogue_rows(const sgm_act act, const float *tile, int rows, int cols, int64_t m,
                          int64_t n, const sgm_epilogue *e)
{
    row_walk at = walk_from(e, m);
    for (int i = 0; i < rows; i++, walk_on(&at, e)) {
        int64_t block = at.block * e->group_ld + n;
        int64_t out = block + at.row * e->out_ld, residual = block + at.row * e->residual_ld;
        for (int j = 0; j < cols; j += VL) {
            vf x = v_load(tile + i * SGM_PANEL + j);
            if (e->bias) x += v_load_upto(e->bias, n + j, SGM_F32, cols - j);
            x = v_act(act, x);
            if (e->residual)
                x += v_load_upto(e->residual, residual + j, e->residual_dtype, cols - j);
            v_store_upto(e->out, out + j, e->out_dtype, x, cols - j);
        }
    }
}

/* Whole panels of FP32 with a bias, as most are. */
INLINE void epilogue_panel(const sgm_act act, const float *tile, int rows, int64_t m, int64_t n,
                           const sgm_epilogue *e)
{
    vf bias[SGM_PANEL / VL];
    row_walk at = walk_from(e, m);
    UNROLL for (int j = 0; j < SGM_PANEL / VL; j++) bias[j] =
        e->bias ? v_load(e->bias + n + j * VL) : v_set(0.0f);
    for (int i = 0; i < rows; i++, walk_on(&at, e)) {
        float *out = (float *)e->out + at.block * e->group_ld + at.row * e->out_ld + n;
        const float *residual = e->residual;
        if (residual) residual += at.block * e->group_ld + at.row * e->residual_ld + n;
        vf x[SGM_PANEL / VL], y[SGM_PANEL / VL];
        EACH(j, SGM_PANEL / VL) x[j] = v_load(tile + i * SGM_PANEL + j * VL) + bias[j];
        v_act_each(SGM_PANEL / VL, act, x, y, NULL);
        EACH(j, SGM_PANEL / VL)
        v_store(out + j * VL, residual ? y[j] + v_load(residual + j * VL) : y[j]);
    }
}

/* What training asks for, some vectors of a row; `n` columns in each: VL, a constant, or fewer at
 * the row's end. */
INLINE void slope_step(const int vectors, const sgm_act act, const float *tile, int64_t column,
                       int64_t out, int64_t residual, const sgm_epilogue *e, int64_t n)
{
    vf x[SGM_PANEL / VL], y[SGM_PANEL / VL], slope[SGM_PANEL / VL];
    EACH(j, vectors) x[j] = v_load(tile + j * VL);
    if (e->bias) EACH(j, vectors) x[j] += v_load_upto(e->bias, column + j * VL, SGM_F32, n);
    v_act_each(vectors, act, x, y, slope);
    if (e->residual)
        EACH(j, vectors) y[j] += v_load_upto(e->residual, residual + j * VL, SGM_F32, n);
    EACH(j, vectors) v_store_upto(e->out, out + j * VL, SGM_F32, y[j], n);
    EACH(j, vectors) v_store_upto(e->slope, out + j * VL, SGM_F32, slope[j], n);
}

INLINE void epilogue_slopes(const sgm_act act, const float *tile, int rows, int cols, int64_t m,
                            int64_t n, const sgm_epilogue *e)
{
    row_walk at = walk_from(e, m);
    int whole = cols / VL * VL;
    for (int i = 0; i < rows; i++, walk_on(&at, e), tile += SGM_PANEL) {
        int64_t block = at.block * e->group_ld + n;
        int64_t out = block + at.row * e->out_ld, residual = block + at.row * e->residual_ld;
        if (cols == SGM_PANEL) {
            slope_step(SGM_PANEL / VL, act, tile, n, out, residual, e, VL);
            continue;
        }
        for (int j = 0; j < whole; j += VL)
            slope_step(1, act, tile + j, n + j, out + j, residual + j, e, VL);
        if (whole < cols)
            slope_step(1, act, tile + whole, n + whole, out + whole, residual + whole, e,
                       cols - whole);
    }
}

INLINE void factor_step(const float *tile, int64_t out, const sgm_epilogue *e, int64_t n)
{
    v_store_upto(e->out, out, SGM_F32, v_load(tile) * v_load_upto(e->factor, out, SGM_F32, n), n);
}

INLINE void epilogue_factor(const float *tile, int rows, int cols, int64_t m, int64_t n,
                            const sgm_epilogue *e)
{
    row_walk at = walk_from(e, m);
    int whole = cols / VL * VL;
    for (int i = 0; i < rows; i++, walk_on(&at, e), tile += SGM_PANEL) {
        int64_t out = at.block * e->group_ld + at.row * e->out_ld + n;
        for (int j = 0; j < whole; j += VL)
            factor_step(tile + j, out + j, e, VL);
        if (whole < cols) factor_step(tile + whole, out + whole, e, cols - whole);
    }
}

static void epilogue_of_training(const float *tile, int rows, int cols, int64_t m, int64_t n,
                                 const sgm_epilogue *epilogue)
{
    const sgm_epilogue e = *epilogue; /* a copy, which no store can change */
    if (e.factor)
        epilogue_factor(tile, rows, cols, m, n, &e);
    else if (e.act == SGM_ACT_GELU)
        epilogue_slopes(SGM_ACT_GELU, tile, rows, cols, m, n, &e);
    else
        epilogue_slopes(e.act, tile, rows, cols, m, n, &e);
}

static void epilogue(const float *tile, int rows, int cols, int64_t m, int64_t n,
                     const sgm_epilogue *e)
{
    if (e->slope || e->factor) {
        epilogue_of_training(tile, rows, cols, m, n, e);
        return;
    }
    bool whole = cols == SGM_PANEL && e->out_dtype == SGM_F32 &&
                 (!e->residual || e->residual_dtype == SGM_F32);
    if (whole && e->act == SGM_ACT_NONE)
        epilogue_panel(SGM_ACT_NONE, tile, rows, m, n, e);
    else if (whole && e->act == SGM_ACT_GELU)
        epilogue_panel(SGM_ACT_GELU, tile, rows, m, n, e);
    else if (e->act == SGM_ACT_NONE)
        epilogue_rows(SGM_ACT_NONE, tile, rows, cols, m, n, e);
    else if (e->act == SGM_ACT_GELU)
        epilogue_rows(SGM_ACT_GELU, tile, rows, cols, m, n, e);
    else
        epilogue_rows(e->act, tile, rows, cols, m, n, e);
}

/* FP32 in whole vectors, as most are. */
INLINE void store_vectors(const float *tile, int rows, int cols, float alpha, const bool accumulate,
                          float *c, int64_t ld)
{
    for (int i = 0; i < rows; i++, c += ld, tile += SGM_PANEL)
        for (int j = 0; j < cols; j += VL) {
            vf x = v_set(alpha) * v_load(tile + j);
            v_store(c + j, accumulate ? x + v_load(c + j) : x);
        }
}

static void store_scaled(const float *tile, int rows, int cols, float alpha, bool accumulate,
                         void *c, sgm_dtype dtype, int64_t offset, int64_t ld)
{
    if (cols % VL == 0 && dtype == SGM_F32) {
        float *to = (float *)c + offset;
        if (accumulate)
            store_vectors(tile, rows, cols, alpha, true, to, ld);
        else
            store_vectors(tile, rows, cols, alpha, false, to, ld);
        return;
    }
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < cols; j += VL) {
            int64_t at = offset + i * ld + j;
            vf x = v_set(alpha) * v_load(tile + i * SGM_PANEL + j);
            if (accumulate) x += v_load_upto(c, at, dtype, cols - j);
            v_store_upto(c, at, dtype, x, cols - j);
        }
    }
}
