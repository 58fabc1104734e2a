/* Packing of operands into the form of the micro-kernels; see isa.h. */
#include "backend/cpu/kernels/vec_math.h"

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

/* An output pixel of a batch, as they follow each other. */
typedef struct output_pixel {
    int64_t b, y, x;
} output_pixel;

INLINE output_pixel pixel_at(const sgm_patches *p, int64_t number)
{
    int64_t row = number / p->out_width;
    return (output_pixel){row / p->out_height, row % p->out_height, number % p->out_width};
}

INLINE void next_pixel(const sgm_patches *p, output_pixel *at)
{
    if (++at->x < p->out_width) return;
    at->x = 0;
    if (++at->y < p->out_height) return;
    at->y = 0;
    at->b++;
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

/* Appends n elements of x from x_at on; zeros when x is NULL. `from` and the row's dtype are
 * constants after inlining. */
INLINE void append(packed_row *row, const void *x, int64_t x_at, const sgm_dtype from, int64_t n)
{
    const int64_t whole = chunk_elements(row->dtype), size = SGM_CHUNK / whole;
    while (n > 0) {
        int64_t at = row->k % whole, take = n < whole - at ? n : whole - at;
        char *to = row->first + row->k / whole * row->stride + at * size;
        if (!x)
            memset(to, 0, (size_t)(take * size));
        else if (take == whole)
            convert_short(x, x_at, from, to, 0, row->dtype, whole);
        else
            convert_short(x, x_at, from, to, 0, row->dtype, take);
        row->k += take;
        x_at += take;
        n -= take;
    }
}

INLINE packed_row row_of_strip(void *packed, int i, int64_t chunks, int strip, const sgm_dtype to)
{
    char *base = (char *)packed + (int64_t)(i / strip) * chunks * strip * SGM_CHUNK;
    return (packed_row){base + i % strip * SGM_CHUNK, (int64_t)strip * SGM_CHUNK, to, 0};
}

/* Fills up the row to whole chunks. */
INLINE void finish_row(packed_row *row, int64_t chunks)
{
    append(row, NULL, 0, row->dtype, chunks * chunk_elements(row->dtype) - row->k);
}

INLINE void pack_rows_as(const sgm_dtype from, const sgm_dtype to, const sgm_rows_source *a,
                         int64_t first, int rows, int64_t chunks, int strip, void *packed)
{
    int whole = (rows + strip - 1) / strip * strip;
    for (int i = 0; i < whole; i++) {
        packed_row row = row_of_strip(packed, i, chunks, strip, to);
        int64_t r = first + i;
        if (i < rows && a->rows.index) r = a->rows.index[r];
        if (i < rows && r >= 0) append(&row, a->rows.data, r * a->rows.ld, from, a->k);
        finish_row(&row, chunks);
    }
}

static void pack_rows(const void *source, int64_t first, int rows, int64_t chunks, sgm_dtype to,
                      int strip, void *packed)
{
    const sgm_rows_source *a = source;
    if (a->rows.dtype == SGM_F32 && to == SGM_F32)
        pack_rows_as(SGM_F32, SGM_F32, a, first, rows, chunks, strip, packed);
    else if (a->rows.dtype == SGM_F32)
        pack_rows_as(SGM_F32, SGM_BF16, a, first, rows, chunks, strip, packed);
    else if (to == SGM_BF16)
        pack_rows_as(SGM_BF16, SGM_BF16, a, first, rows, chunks, strip, packed);
    else
        pack_rows_as(SGM_BF16, SGM_F32, a, first, rows, chunks, strip, packed);
}

/* The taps (ky, kx, c) that output pixel (b, oy, ox) reads, zeros outside the image. */
INLINE void append_patch(packed_row *row, const sgm_patches *p, const sgm_dtype from, int64_t b,
                         int64_t oy, int64_t ox)
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
            append(row, NULL, 0, from, s->kernel_w * c);
            continue;
        }
        append(row, NULL, 0, from, left * c);
        append(row, p->x, ((b * s->height + y) * s->width + x0 + left) * c, from, (end - left) * c);
        append(row, NULL, 0, from, (s->kernel_w - end) * c);
    }
}

INLINE void pack_patches_as(const sgm_dtype from, const sgm_dtype to, const sgm_patches *p,
                            int64_t first, int rows, int64_t chunks, int strip, void *packed)
{
    int whole = (rows + strip - 1) / strip * strip;
    output_pixel at = pixel_at(p, first);
    for (int i = 0; i < whole; i++, next_pixel(p, &at)) {
        packed_row row = row_of_strip(packed, i, chunks, strip, to);
        if (i < rows) append_patch(&row, p, from, at.b, at.y, at.x);
        finish_row(&row, chunks);
    }
}

static void pack_patches(const void *source, int64_t first, int rows, int64_t chunks, sgm_dtype to,
                         int strip, void *packed)
{
    const sgm_patches *p = source;
    if (p->dtype == SGM_F32 && to == SGM_F32)
        pack_patches_as(SGM_F32, SGM_F32, p, first, rows, chunks, strip, packed);
    else if (p->dtype == SGM_F32)
        pack_patches_as(SGM_F32, SGM_BF16, p, first, rows, chunks, strip, packed);
    else if (to == SGM_BF16)
        pack_patches_as(SGM_BF16, SGM_BF16, p, first, rows, chunks, strip, packed);
    else
        pack_patches_as(SGM_BF16, SGM_F32, p, first, rows, chunks, strip, packed);
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

/* ----------------------------------------------------------------------------------- columns of B
 */

/* One step of 16 columns: `cols` elements of the line at `low` (FP32), or pairs of them and those
 * at `high` (BF16). NULL: zeros. */
INLINE void pack_step(const void *low, const void *high, const sgm_dtype from, int64_t cols,
                      const sgm_dtype to, uint32_t *step)
{
    for (int64_t j = 0; j < 16; j += VL) {
        int64_t n = cols - j < 0 ? 0 : cols - j;
        vf x = low && n > 0 ? v_load_upto(low, j, from, n) : v_set(0.0f), y;
        if (to == SGM_F32) {
            v_store((float *)step + j, x);
            continue;
        }
        y = high && n > 0 ? v_load_upto(high, j, from, n) : v_set(0.0f);
        vu pair = __builtin_convertvector(v_to_bf16(x), vu) |
                  __builtin_convertvector(v_to_bf16(y), vu) << 16;
        memcpy(step + j, &pair, sizeof pair);
    }
}

INLINE const char *element(const void *x, const sgm_dtype dtype, int64_t at)
{
    return (const char *)x + at * (dtype == SGM_F32 ? 4 : 2);
}

INLINE void pack_columns_as(const void *x, const sgm_dtype from, int64_t at, int64_t ld, int cols,
                            int64_t k, const sgm_dtype to, uint32_t *panel)
{
    int64_t pairs = to == SGM_F32 ? 1 : 2, whole = 16 * pairs, steps = (k + whole - 1) / whole * 16;
    for (int64_t s = 0; s < steps; s++) {
        uint32_t *step = panel + s / 16 * (SGM_B_CHUNK / 4) + s % 16 * 16;
        int64_t row = s * pairs;
        const char *low = row < k ? element(x, from, at + row * ld) : NULL;
        const char *high = row + 1 < k ? element(x, from, at + (row + 1) * ld) : NULL;
        pack_step(low, high, from, cols, to, step);
        if (cols > 16) {
            low = low ? element(low, from, 16) : NULL;
            high = high ? element(high, from, 16) : NULL;
        }
        pack_step(low, high, from, cols - 16, to, step + 256);
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

/* -------------------------------------------------------------------------------- A's transpose */

/* One chunk of up to 16 rows of A from its transpose, whose rows are K: `k` of them from x on. */
INLINE void turn_chunk(const char *x, const sgm_dtype from, int64_t ld, int rows, int64_t k,
                       const sgm_dtype to, uint32_t *block, int64_t block_ld)
{
    uint32_t words[256];
    const int64_t pairs = to == SGM_F32 ? 1 : 2;
    if (from == SGM_F32 && to == SGM_F32 && rows == 16 && k >= 16) {
        transpose_words((const uint32_t *)x, ld, block, block_ld);
        return;
    }
    for (int64_t s = 0; s < 16; s++) {
        const char *low = s * pairs < k ? element(x, from, s * pairs * ld) : NULL;
        const char *high = s * pairs + 1 < k ? element(x, from, (s * pairs + 1) * ld) : NULL;
        pack_step(low, high, from, rows, to, words + s * 16);
    }
    transpose_words(words, 16, block, block_ld);
}

/* Rows [first, first + 16) of a packed A, one chunk, into the strips that they lie in. */
INLINE void put_chunk(const uint32_t *block, int first, int rows, int64_t chunk, int64_t chunks,
                      int strip, char *packed)
{
    for (int i = 0; i < rows; i++) {
        int64_t in_strip = (first + i) % strip, at = (first + i) / strip * chunks + chunk;
        memcpy(packed + (at * strip + in_strip) * SGM_CHUNK, block + i * 16, SGM_CHUNK);
    }
}

INLINE void pack_turned_as(const sgm_dtype from, const sgm_dtype to, const char *x, int64_t ld,
                           int rows, int64_t k, int strip, char *packed)
{
    uint32_t block[256];
    const int64_t elements = chunk_elements(to);
    int64_t chunks = (k + elements - 1) / elements;
    int whole = (rows + strip - 1) / strip * strip; /* rows of zeros fill the last strip */
    for (int i = 0; i < whole; i += 16) {
        int n = rows - i < 0 ? 0 : rows - i < 16 ? rows - i : 16;
        for (int64_t c = 0; c < chunks; c++) {
            const char *part = element(x, from, i + c * elements * ld);
            if (strip == 16) {
                char *at = packed + (i / 16 * chunks + c) * 16 * SGM_CHUNK;
                turn_chunk(part, from, ld, n, k - c * elements, to, (uint32_t *)at, 16);
                continue;
            }
            turn_chunk(part, from, ld, n, k - c * elements, to, block, 16);
            put_chunk(block, i, whole - i < 16 ? whole - i : 16, c, chunks, strip, packed);
        }
    }
}

static void pack_turned(const void *x, sgm_dtype from, int64_t at, int64_t ld, int rows, int64_t k,
                        sgm_dtype to, int strip, void *packed)
{
    const char *first = element(x, from, at);
    if (from == SGM_F32 && to == SGM_F32)
        pack_turned_as(SGM_F32, SGM_F32, first, ld, rows, k, strip, packed);
    else if (from == SGM_F32)
        pack_turned_as(SGM_F32, SGM_BF16, first, ld, rows, k, strip, packed);
    else if (to == SGM_BF16)
        pack_turned_as(SGM_BF16, SGM_BF16, first, ld, rows, k, strip, packed);
    else
        pack_turned_as(SGM_BF16, SGM_F32, first, ld, rows, k, strip, packed);
}

/* ----------------------------------------------------------------------------- patches as B */

/* 16 columns of the patches. Where they lie in one row of the kernel they are one run of the image,
 * as long as the taps that they touch lie inside. */
typedef struct patch_columns {
    int64_t n, count;   /* the first of them; fewer than 16 at the end */
    int64_t ky, at;     /* row of the kernel, and the first one's place in it */
    int64_t tap0, tap1; /* first and last column of the kernel that they touch */
    bool one_run;
} patch_columns;

INLINE patch_columns columns_of_patches(const sgm_conv_shape *s, int64_t n)
{
    int64_t run = s->kernel_w * s->channels, left = s->kernel_h * run - n;
    patch_columns c = {.n = n, .count = left < 16 ? left : 16, .ky = n / run, .at = n % run};
    c.one_run = c.count > 0 && c.at + c.count <= run;
    c.tap0 = c.at / s->channels;
    c.tap1 = (c.at + c.count - 1) / s->channels;
    return c;
}

/* The columns of one patch copied together, tap by tap; zeros outside of the image. */
static void copy_patch_columns(const sgm_patches *p, const patch_columns *c, output_pixel at,
                               char *copy)
{
    const sgm_conv_shape *s = &p->shape;
    int64_t tap = c->n / s->channels, channel = c->n % s->channels, take;
    for (int64_t i = 0; i < c->count; i += take, tap++, channel = 0) {
        take = s->channels - channel < c->count - i ? s->channels - channel : c->count - i;
        int64_t y = at.y * s->stride - s->pad + tap / s->kernel_w;
        int64_t x = at.x * s->stride - s->pad + tap % s->kernel_w;
        size_t size = p->dtype == SGM_F32 ? 4 : 2, bytes = (size_t)take * size;
        char *to = copy + (size_t)i * size;
        if (y < 0 || y >= s->height || x < 0 || x >= s->width)
            memset(to, 0, bytes);
        else
            memcpy(to,
                   element(p->x, p->dtype,
                           ((at.b * s->height + y) * s->width + x) * s->channels + channel),
                   bytes);
    }
}

/* Where the columns of one patch lie: in the image, or in `copy`. */
INLINE const char *line_of_patch(const sgm_patches *p, const patch_columns *c, output_pixel at,
                                 const sgm_dtype from, char *copy)
{
    const sgm_conv_shape *s = &p->shape;
    int64_t y = at.y * s->stride - s->pad + c->ky, x = at.x * s->stride - s->pad;
    bool inside = y >= 0 && y < s->height && x + c->tap0 >= 0 && x + c->tap1 < s->width;
    if (c->one_run && inside)
        return element(p->x, from, ((at.b * s->height + y) * s->width + x) * s->channels + c->at);
    copy_patch_columns(p, c, at, copy);
    return copy;
}

INLINE void pack_half_of_patches(const sgm_patches *p, int64_t n, int64_t k0, int64_t k,
                                 const sgm_dtype from, const sgm_dtype to, uint32_t *half)
{
    char copy[2][64];
    const int64_t pairs = to == SGM_F32 ? 1 : 2, whole = 16 * pairs;
    int64_t steps = (k + whole - 1) / whole * 16;
    patch_columns c = columns_of_patches(&p->shape, n);
    output_pixel at = pixel_at(p, k0);
    for (int64_t s = 0; s < steps; s++) {
        const char *line[2] = {NULL, NULL};
        for (int64_t i = 0; i < pairs && s * pairs + i < k && c.count > 0; i++, next_pixel(p, &at))
            line[i] = line_of_patch(p, &c, at, from, copy[i]);
        pack_step(line[0], line[1], from, c.count, to,
                  half + s / 16 * (SGM_B_CHUNK / 4) + s % 16 * 16);
    }
}

/* Columns [n, n + 32) of k patches from patch k0 on as a panel of B. */
static void pack_patch_panel(const sgm_patches *p, int64_t n, int64_t k0, int64_t k, sgm_dtype to,
                             void *panel)
{
    for (int h = 0; h < 2; h++) {
        uint32_t *half = (uint32_t *)panel + h * 256;
        if (p->dtype == SGM_F32 && to == SGM_F32)
            pack_half_of_patches(p, n + 16 * h, k0, k, SGM_F32, SGM_F32, half);
        else if (p->dtype == SGM_F32)
            pack_half_of_patches(p, n + 16 * h, k0, k, SGM_F32, SGM_BF16, half);
        else
            pack_half_of_patches(p, n + 16 * h, k0, k, SGM_BF16, to, half);
    }
}
