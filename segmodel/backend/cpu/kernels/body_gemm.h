/* Micro-kernel, packing and epilogue of the matrix product; see isa.h for the packed form. */
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

/* A panel's part of 16 KiB stays in L1 beside the strips of A that pass by. A kernel with fewer
 * sums reads B more often; with 28 of them L2 is quick enough. */
#if VL == 16
#define DEPTH 0
#else
#define DEPTH 8
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

/* ------------------------------------------------------------------------------------ packing */

INLINE void convert_short(const void *x, int64_t x_at, sgm_dtype from, void *out, int64_t out_at,
                          sgm_dtype to, int64_t n)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store_as(out, out_at + i, to, v_load_as(x, x_at + i, from));
    if (i < n) v_store_part(out, out_at + i, to, v_load_part(x, x_at + i, from, n - i), n - i);
}

static void convert_run(const void *x, int64_t x_at, sgm_dtype from, void *out, int64_t out_at,
                        sgm_dtype to, int64_t n)
{
    if (from == SGM_F32 && to == SGM_F32) {
        convert_short(x, x_at, SGM_F32, out, out_at, SGM_F32, n);
    } else if (from == SGM_BF16 && to == SGM_BF16) {
        memcpy((uint16_t *)out + out_at, (const uint16_t *)x + x_at, (size_t)n * 2);
    } else if (to == SGM_BF16) {
        convert_short(x, x_at, SGM_F32, out, out_at, SGM_BF16, n);
    } else {
        convert_short(x, x_at, SGM_BF16, out, out_at, SGM_F32, n);
    }
}

/* One row of a packed A operand: where its chunks lie. */
typedef struct packed_row {
    char *first;
    int64_t stride; /* bytes between its chunks */
    sgm_dtype dtype;
    int64_t k; /* elements written so far */
} packed_row;

INLINE int64_t chunk_elements(sgm_dtype dtype)
{
    return dtype == SGM_F32 ? 16 : 32;
}

/* Appends n elements of x from x_at on; zeros when x is NULL. */
INLINE void append(packed_row *row, const void *x, int64_t x_at, sgm_dtype from, int64_t n)
{
    int64_t whole = chunk_elements(row->dtype), size = SGM_CHUNK / whole;
    while (n > 0) {
        int64_t at = row->k % whole, take = n < whole - at ? n : whole - at;
        char *to = row->first + row->k / whole * row->stride + at * size;
        if (!x)
            memset(to, 0, (size_t)(take * size));
        else if (take == whole && from == row->dtype)
            memcpy(to, (const char *)x + x_at * size, SGM_CHUNK);
        else
            convert_run(x, x_at, from, to, 0, row->dtype, take);
        row->k += take;
        x_at += take;
        n -= take;
    }
}

INLINE packed_row row_of_strip(void *packed, int i, int64_t chunks, int strip, sgm_dtype to)
{
    char *base = (char *)packed + (int64_t)(i / strip) * chunks * strip * SGM_CHUNK;
    return (packed_row){base + i % strip * SGM_CHUNK, (int64_t)strip * SGM_CHUNK, to, 0};
}

/* Fills up the row to whole chunks. */
INLINE void finish_row(packed_row *row, int64_t chunks)
{
    append(row, NULL, 0, row->dtype, chunks * chunk_elements(row->dtype) - row->k);
}

static void pack_rows(const void *source, int64_t first, int rows, int64_t chunks, sgm_dtype to,
                      int strip, void *packed)
{
    const sgm_rows_source *a = source;
    int whole = (rows + strip - 1) / strip * strip;
    for (int i = 0; i < whole; i++) {
        packed_row row = row_of_strip(packed, i, chunks, strip, to);
        int64_t r = first + i;
        if (i < rows && a->rows.index) r = a->rows.index[r];
        if (i < rows && r >= 0) append(&row, a->rows.data, r * a->rows.ld, a->rows.dtype, a->k);
        finish_row(&row, chunks);
    }
}

/* The taps (ky, kx, c) that output pixel (b, oy, ox) reads, zeros outside the image. */
INLINE void append_patch(packed_row *row, const sgm_patches *p, int64_t b, int64_t oy, int64_t ox)
{
    const sgm_conv_shape *s = &p->shape;
    int64_t x0 = ox * s->stride - s->pad, y0 = oy * s->stride - s->pad, c = s->channels;
    int64_t left = x0 < 0 ? -x0 : 0;
    int64_t end = s->width - x0 < s->kernel_w ? s->width - x0 : s->kernel_w;
    if (left > s->kernel_w) left = s->kernel_w;
    if (end < left) end = left;
    for (int64_t ky = 0; ky < s->kernel_h; ky++) {
        int64_t y = y0 + ky;
        if (y < 0 || y >= s->height) {
            append(row, NULL, 0, p->dtype, s->kernel_w * c);
            continue;
        }
        append(row, NULL, 0, p->dtype, left * c);
        append(row, p->x, ((b * s->height + y) * s->width + x0 + left) * c, p->dtype,
               (end - left) * c);
        append(row, NULL, 0, p->dtype, (s->kernel_w - end) * c);
    }
}

static void pack_patches(const void *source, int64_t first, int rows, int64_t chunks, sgm_dtype to,
                         int strip, void *packed)
{
    const sgm_patches *p = source;
    int whole = (rows + strip - 1) / strip * strip;
    int64_t ox = first % p->out_width, oy = first / p->out_width % p->out_height;
    int64_t b = first / p->out_width / p->out_height;
    for (int i = 0; i < whole; i++) {
        packed_row row = row_of_strip(packed, i, chunks, strip, to);
        if (i < rows) append_patch(&row, p, b, oy, ox);
        finish_row(&row, chunks);
        if (++ox == p->out_width) {
            ox = 0;
            if (++oy == p->out_height) {
                oy = 0;
                b++;
            }
        }
    }
}

/* ----------------------------------------------------------------------------------- transpose */

#if VL == 16
/* 16 x 16 words: four rounds of interleaving 32-, 64-, 128- and 256-bit pieces. */
static void transpose_words(const uint32_t *src, int64_t ld, uint32_t *dst, int64_t dst_ld)
{
    __m512i r[16], t[16];
    UNROLL for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(src + i * ld);
    UNROLL for (int i = 0; i < 8; i++)
    {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
        t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
        t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
        t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        _mm512_storeu_si512(dst + i * dst_ld, _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88));
        _mm512_storeu_si512(dst + (8 + i) * dst_ld, _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd));
        _mm512_storeu_si512(dst + (4 + i) * dst_ld,
                            _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88));
        _mm512_storeu_si512(dst + (12 + i) * dst_ld,
                            _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd));
    }
}
#elif defined(__aarch64__)
/* In squares of 4 x 4 words: two rounds of interleaving 32- and 64-bit pieces. */
static void transpose_words(const uint32_t *src, int64_t ld, uint32_t *dst, int64_t dst_ld)
{
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 16; j += 4) {
            const uint32_t *from = src + i * ld + j;
            uint32_t *to = dst + j * dst_ld + i;
            uint32x4_t a = vld1q_u32(from), b = vld1q_u32(from + ld);
            uint32x4_t c = vld1q_u32(from + 2 * ld), d = vld1q_u32(from + 3 * ld);
            uint64x2_t ab = (uint64x2_t)vtrn1q_u32(a, b), odd_ab = (uint64x2_t)vtrn2q_u32(a, b);
            uint64x2_t cd = (uint64x2_t)vtrn1q_u32(c, d), odd_cd = (uint64x2_t)vtrn2q_u32(c, d);
            vst1q_u32(to, (uint32x4_t)vtrn1q_u64(ab, cd));
            vst1q_u32(to + dst_ld, (uint32x4_t)vtrn1q_u64(odd_ab, odd_cd));
            vst1q_u32(to + 2 * dst_ld, (uint32x4_t)vtrn2q_u64(ab, cd));
            vst1q_u32(to + 3 * dst_ld, (uint32x4_t)vtrn2q_u64(odd_ab, odd_cd));
        }
}
#elif VL == 8
/* 8 x 8 words: three rounds of interleaving 32-, 64- and 128-bit pieces. */
INLINE void transpose_eight(const uint32_t *src, int64_t ld, uint32_t *dst, int64_t dst_ld)
{
    __m256i r[8], t[8];
    UNROLL for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_si256((const __m256i *)(src + i * ld));
    UNROLL for (int i = 0; i < 4; i++)
    {
        t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < 2; i++)
    {
        r[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        __m256i low = _mm256_permute2x128_si256(r[i], r[4 + i], 0x20);
        __m256i high = _mm256_permute2x128_si256(r[i], r[4 + i], 0x31);
        _mm256_storeu_si256((__m256i *)(dst + i * dst_ld), low);
        _mm256_storeu_si256((__m256i *)(dst + (4 + i) * dst_ld), high);
    }
}

static void transpose_words(const uint32_t *src, int64_t ld, uint32_t *dst, int64_t dst_ld)
{
    for (int i = 0; i < 16; i += 8)
        for (int j = 0; j < 16; j += 8)
            transpose_eight(src + i * ld + j, ld, dst + j * dst_ld + i, dst_ld);
}
#else
static void transpose_words(const uint32_t *src, int64_t ld, uint32_t *dst, int64_t dst_ld)
{
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++)
            dst[j * dst_ld + i] = src[i * ld + j];
}
#endif

/* 16 columns of rows k0 and k0 + 1 (BF16) or of row k0 (FP32) as one step of a packed B. */
INLINE void pack_step(const void *x, sgm_dtype from, int64_t at, int64_t ld, int64_t cols,
                      int64_t rows_left, sgm_dtype to, uint32_t *step)
{
    for (int64_t j = 0; j < 16; j += VL) {
        int64_t n = cols - j < 0 ? 0 : cols - j;
        vf low = v_set(0.0f), high = v_set(0.0f);
        if (rows_left > 0 && n > 0) low = v_load_upto(x, at + j, from, n);
        if (to == SGM_F32) {
            v_store((float *)step + j, low);
            continue;
        }
        if (rows_left > 1 && n > 0) high = v_load_upto(x, at + ld + j, from, n);
        vu pair = __builtin_convertvector(v_to_bf16(low), vu) |
                  __builtin_convertvector(v_to_bf16(high), vu) << 16;
        memcpy(step + j, &pair, sizeof pair);
    }
}

INLINE void pack_columns_as(const void *x, sgm_dtype from, int64_t at, int64_t ld, int cols,
                            int64_t k, sgm_dtype to, uint32_t *panel)
{
    int64_t pairs = to == SGM_F32 ? 1 : 2, whole = 16 * pairs, steps = (k + whole - 1) / whole * 16;
    for (int64_t s = 0; s < steps; s++) {
        uint32_t *step = panel + s / 16 * (SGM_B_CHUNK / 4) + s % 16 * 16;
        int64_t first = at + s * pairs * ld;
        pack_step(x, from, first, ld, cols, k - s * pairs, to, step);
        pack_step(x, from, first + 16, ld, cols - 16, k - s * pairs, to, step + 256);
    }
}

static void pack_columns(const void *x, sgm_dtype from, int64_t at, int64_t ld, int cols, int64_t k,
                         sgm_dtype to, void *panel)
{
    if (from == SGM_F32 && to == SGM_F32)
        pack_columns_as(x, SGM_F32, at, ld, cols, k, SGM_F32, panel);
    else if (from == SGM_F32)
        pack_columns_as(x, SGM_F32, at, ld, cols, k, SGM_BF16, panel);
    else
        pack_columns_as(x, SGM_BF16, at, ld, cols, k, to, panel);
}

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
        UNROLL for (int j = 0; j < SGM_PANEL / VL; j++)
        {
            vf x = v_act(act, v_load(tile + i * SGM_PANEL + j * VL) + bias[j]);
            if (residual) x += v_load(residual + j * VL);
            v_store(out + j * VL, x);
        }
    }
}

static void epilogue(const float *tile, int rows, int cols, int64_t m, int64_t n,
                     const sgm_epilogue *e)
{
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

static void store_scaled(const float *tile, int rows, int cols, float alpha, bool accumulate,
                         void *c, sgm_dtype dtype, int64_t offset, int64_t ld)
{
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < cols; j += VL) {
            int64_t at = offset + i * ld + j;
            vf x = v_set(alpha) * v_load(tile + i * SGM_PANEL + j);
            if (accumulate) x += v_load_upto(c, at, dtype, cols - j);
            v_store_upto(c, at, dtype, x, cols - j);
        }
    }
}
