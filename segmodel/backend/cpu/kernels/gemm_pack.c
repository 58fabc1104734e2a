#include "backend/cpu/kernels/gemm_internal.h"

#include "core/system.h"

#include <stdlib.h>

#define HEADER 128 /* of a packed weight; keeps the data on a cache line */

/* 16 rows of w, one chunk of K each, as 16 x 16 words; missing rows and columns are zeros. */
static void load_block(const void *x, sgm_dtype from, int64_t at, int64_t ld, int rows, int64_t n,
                       sgm_dtype to, void *block)
{
    const sgm_isa_table *loops = sgm_loops();
    int64_t elements = to == SGM_F32 ? 16 : 32;
    if (rows < 16 || n < elements) memset(block, 0, 16 * SGM_CHUNK);
    for (int i = 0; i < rows; i++)
        loops->convert(x, at + i * ld, from, block, i * elements, to, n < elements ? n : elements);
}

void sgm_packed_panel_rows(const void *x, sgm_dtype from, int64_t at, int64_t ld, int cols,
                           int64_t k, sgm_dtype dtype, void *panel)
{
    const sgm_isa_table *loops = sgm_loops();
    _Alignas(64) uint32_t block[256];
    int64_t elements = dtype == SGM_F32 ? 16 : 32;
    uint32_t *to = panel;
    for (int64_t k0 = 0; k0 < k; k0 += elements, to += SGM_B_CHUNK / 4) {
        for (int h = 0; h < 2; h++) {
            int rows = cols - 16 * h < 0 ? 0 : cols - 16 * h > 16 ? 16 : cols - 16 * h;
            int64_t first = at + 16 * h * ld + k0;
            if (from == SGM_F32 && dtype == SGM_F32 && rows == 16 && k - k0 >= 16) {
                loops->transpose((const uint32_t *)x + first, ld, to + h * 256, 16);
                continue;
            }
            load_block(x, from, first, ld, rows, k - k0, dtype, block);
            loops->transpose(block, 16, to + h * 256, 16);
        }
    }
}

void sgm_packed_panel_columns(const void *x, sgm_dtype from, int64_t at, int64_t ld, int cols,
                              int64_t k, sgm_dtype dtype, void *panel)
{
    sgm_loops()->pack_columns(x, from, at, ld, cols, k, dtype, panel);
}

size_t sgm_pack_bytes(int64_t n, int64_t k, int segments, sgm_dtype dtype)
{
    return HEADER + (size_t)segments * (size_t)sgm_packed_b_bytes(n, k, dtype);
}

size_t sgm_packed_size(int64_t n, int64_t k, sgm_dtype dtype)
{
    return sgm_pack_bytes(n, k, 1, dtype);
}

sgm_status sgm_packed_allocate(int64_t n, int64_t k, int segments, sgm_dtype dtype, void *buffer,
                               sgm_packed **out)
{
    _Static_assert(sizeof(sgm_packed) <= HEADER, "header");
    *out = NULL;
    if (n <= 0 || k <= 0)
        return sgm_fail(SGM_INVALID_ARGUMENT, "weight: %lld x %lld cannot be packed", (long long)n,
                        (long long)k);
    if (dtype != SGM_F32 && !sgm_micro_for(dtype))
        return sgm_fail(SGM_DEVICE, "this processor has no BF16 products (%s)", sgm_cpu_summary());
    size_t size = sgm_pack_bytes(n, k, segments, dtype);
    sgm_packed *pack = buffer ? buffer : sgm_aligned_alloc(64, (size + 63) & ~(size_t)63);
    if (!pack) return sgm_fail(SGM_OUT_OF_MEMORY, "weight: no %zu bytes to pack it", size);
    *pack = (sgm_packed){.n = n,
                         .k = k,
                         .chunks = sgm_chunks(k, dtype),
                         .panels = sgm_div_up(n, SGM_PANEL),
                         .segments = segments,
                         .dtype = dtype,
                         .owned = !buffer,
                         .data = (char *)pack + HEADER};
    *out = pack;
    return SGM_OK;
}

void sgm_packed_fill(sgm_packed *pack, int segment, const float *w, int64_t ld, bool transposed)
{
    int64_t panel_bytes = pack->chunks * SGM_B_CHUNK;
    for (int64_t p = 0; p < pack->panels; p++) {
        char *panel = pack->data + (segment * pack->panels + p) * panel_bytes;
        int64_t n = p * SGM_PANEL;
        int cols = (int)(pack->n - n < SGM_PANEL ? pack->n - n : SGM_PANEL);
        if (transposed)
            sgm_packed_panel_columns(w, SGM_F32, n, ld, cols, pack->k, pack->dtype, panel);
        else
            sgm_packed_panel_rows(w, SGM_F32, n * ld, ld, cols, pack->k, pack->dtype, panel);
    }
}

sgm_status sgm_packed_create(const float *w, int64_t n, int64_t k, int64_t ld, bool transposed,
                             sgm_dtype dtype, void *buffer, sgm_packed **out)
{
    SGM_TRY(sgm_packed_allocate(n, k, 1, dtype, buffer, out));
    sgm_packed_fill(*out, 0, w, ld, transposed);
    return SGM_OK;
}

void sgm_packed_destroy(sgm_packed *pack)
{
    if (pack && pack->owned) sgm_aligned_free(pack);
}

int64_t sgm_packed_rows(const sgm_packed *pack)
{
    return pack->n;
}

int64_t sgm_packed_columns(const sgm_packed *pack)
{
    return pack->k;
}
