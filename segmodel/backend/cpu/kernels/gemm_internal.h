/* What the product drivers share: packed weights, packing of B at run time, the blocked loop. */
#ifndef SEGMODEL_CPU_KERNELS_GEMM_INTERNAL_H
#define SEGMODEL_CPU_KERNELS_GEMM_INTERNAL_H

#include "backend/cpu/kernels/isa.h"

#define SGM_MAX_SEGMENTS 4

/* One or more matrices [n, k] of the same shape side by side (a transposed convolution has four):
 * panels of 32 rows of the matrix, see isa.h. */
struct sgm_packed {
    int64_t n, k, chunks, panels; /* of one segment */
    int segments;
    sgm_dtype dtype;
    bool owned;
    char *data;
};

static inline int64_t sgm_div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inline int64_t sgm_chunks(int64_t k, sgm_dtype dtype)
{
    return sgm_div_up(k, dtype == SGM_F32 ? 16 : 32);
}

/* Bytes of a packed B operand. */
static inline int64_t sgm_packed_b_bytes(int64_t n, int64_t k, sgm_dtype dtype)
{
    return sgm_div_up(n, SGM_PANEL) * sgm_chunks(k, dtype) * SGM_B_CHUNK;
}

/* Chunks of K that a product gives the micro-kernel per call: all of them or, where it takes no
 * more than micro->depth, parts as equal as can be: a short last part would cost its sums' way to
 * memory and back as much as a long one. */
static inline int64_t sgm_depth(const sgm_micro *micro, int64_t chunks)
{
    if (!micro->depth || chunks <= micro->depth) return chunks;
    return sgm_div_up(chunks, sgm_div_up(chunks, micro->depth));
}

/* Whether FP32 rows `ld` apart are read where they lie by so many panels: with more of them packing
 * costs little, and strips lie better in the caches; rows at multiples of 2 KiB share few sets of
 * L1.
 */
static inline bool sgm_in_place_pays(int64_t panels, int64_t ld)
{
    return panels <= 16 && ld * 4 % 2048 != 0;
}

/* Packs a panel (32 columns of B, fewer at the edge) of B = transpose(w), w[cols, k]: row j of w
 * starts at x + (at + j * ld) elements. dtype: of the packed form. */
void sgm_packed_panel_rows(const void *x, sgm_dtype from, int64_t at, int64_t ld, int cols,
                           int64_t k, sgm_dtype dtype, void *panel);

/* The same for B[k, cols] as stored: row i starts at x + (at + i * ld). */
void sgm_packed_panel_columns(const void *x, sgm_dtype from, int64_t at, int64_t ld, int cols,
                              int64_t k, sgm_dtype dtype, void *panel);

sgm_status sgm_packed_allocate(int64_t n, int64_t k, int segments, sgm_dtype dtype, void *buffer,
                               sgm_packed **out);
size_t sgm_pack_bytes(int64_t n, int64_t k, int segments, sgm_dtype dtype);
/* Fills one segment from w[n, k] or, transposed, w[k, n]. */
void sgm_packed_fill(sgm_packed *pack, int segment, const float *w, int64_t ld, bool transposed);

/* out[segment] = epilogue[segment](A * transpose(W[segment])), rows of A made by `pack_a`. */
sgm_status sgm_gemm_run(sgm_threads *pool, const sgm_packed *w, sgm_pack_a_fn pack_a,
                        const void *source, int64_t m, const sgm_epilogue *epilogues);

/* Fills B's panel for rows [k0, k0 + k) of the sum. */
typedef void (*sgm_pack_b_fn)(const void *source, int64_t panel, int64_t k0, int64_t k,
                              sgm_dtype to, void *packed);
/* Writes rows [row, row + rows) of A, columns [k0, k0 + k), into strips. */
typedef void (*sgm_pack_a_part_fn)(const void *source, int64_t row, int rows, int64_t k0, int64_t k,
                                   sgm_dtype to, int strip, void *packed);

/* C[m, n] = alpha A B (+ C) with both operands packed on the way, K in parts. Where A is FP32 and
 * the micro-kernel reads it in place, plain_a says where: element (i, k) is plain_a[i * lda + k],
 * or plain_a[k * lda + i] where it is stored as its transpose. */
typedef struct sgm_cpu_product {
    int64_t m, n, k;
    const float *plain_a; /* or NULL */
    int64_t lda;
    bool turned_a;
    sgm_pack_a_part_fn pack_a;
    sgm_pack_b_fn pack_b;
    const void *a, *b;
    sgm_dtype compute;
    float alpha;
    bool accumulate;
    void *c;
    sgm_dtype c_dtype;
    int64_t c_at, ldc;
    const float *residual, *factor; /* from their first element on, rows of ldc; see gemm.h */
} sgm_cpu_product;

sgm_status sgm_product_run(sgm_threads *pool, const sgm_cpu_product *product);

#endif
