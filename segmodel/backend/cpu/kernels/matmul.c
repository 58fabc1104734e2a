#include "backend/cpu/kernels/gemm.h"

#include "backend/cpu/kernels/gemm_internal.h"

typedef struct operand {
    const void *x;
    sgm_dtype dtype;
    int64_t ld, at;
    bool transposed; /* stored as [columns, rows] */
    int64_t n;       /* B only: its columns */
} operand;

static void pack_a(const void *source, int64_t row, int rows, int64_t k0, int64_t k, sgm_dtype to,
                   int strip, void *packed)
{
    const operand *a = source;
    if (a->transposed) {
        sgm_loops()->pack_turned(a->x, a->dtype, a->at + k0 * a->ld + row, a->ld, rows, k, to,
                                 strip, packed);
        return;
    }
    size_t size = a->dtype == SGM_F32 ? 4 : 2;
    sgm_rows_source plain = {
        {(const char *)a->x + (size_t)(a->at + k0) * size, a->dtype, a->ld, NULL}, k};
    sgm_loops()->pack_rows(&plain, row, rows, sgm_chunks(k, to), to, strip, packed);
}

static void pack_b(const void *source, int64_t panel, int64_t k0, int64_t k, sgm_dtype to,
                   void *packed)
{
    const operand *b = source;
    int64_t n = panel * SGM_PANEL;
    int cols = (int)(b->n - n < SGM_PANEL ? b->n - n : SGM_PANEL);
    if (b->transposed)
        sgm_packed_panel_rows(b->x, b->dtype, b->at + n * b->ld + k0, b->ld, cols, k, to, packed);
    else
        sgm_packed_panel_columns(b->x, b->dtype, b->at + k0 * b->ld + n, b->ld, cols, k, to,
                                 packed);
}

/* Where an operand that needs no conversion lies. */
static const float *plain_operand(const operand *a)
{
    return a->dtype == SGM_F32 ? (const float *)a->x + a->at : NULL;
}

sgm_status sgm_matmul_run(sgm_threads *pool, const sgm_matmul_args *x)
{
    if (x->c_dtype == SGM_BF16 && (x->accumulate || x->k > 1024))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "matmul: BF16 output wants k <= 1024 and no accumulation, got k = %lld",
                        (long long)x->k);
    if ((x->residual || x->factor) && (x->accumulate || x->alpha != 1 || x->k > 1024))
        return sgm_fail(
            SGM_INVALID_ARGUMENT,
            "matmul: a residual or factor wants k <= 1024, alpha 1 and no accumulation, got "
            "k = %lld",
            (long long)x->k);
    for (int64_t i = 0; i < (x->batch > 0 ? x->batch : 1); i++) {
        operand a = {x->a, x->a_dtype, x->lda, i * x->stride_a, x->transpose_a, 0};
        operand b = {x->b, x->b_dtype, x->ldb, i * x->stride_b, x->transpose_b, x->n};
        sgm_cpu_product product = {.m = x->m,
                                   .n = x->n,
                                   .k = x->k,
                                   .plain_a = plain_operand(&a),
                                   .lda = x->lda,
                                   .turned_a = x->transpose_a,
                                   .pack_a = pack_a,
                                   .pack_b = pack_b,
                                   .a = &a,
                                   .b = &b,
                                   .compute = x->compute,
                                   .alpha = x->alpha,
                                   .accumulate = x->accumulate,
                                   .c = x->c,
                                   .c_dtype = x->c_dtype,
                                   .c_at = i * x->stride_c,
                                   .ldc = x->ldc,
                                   .residual = x->residual ? x->residual + i * x->stride_c : NULL,
                                   .factor = x->factor ? x->factor + i * x->stride_c : NULL};
        SGM_TRY(sgm_product_run(pool, &product));
    }
    return SGM_OK;
}
