#include "backend/cpu/kernels/orthogonalize.h"

#include <math.h>

#include "backend/cpu/kernels/gemm.h"
#include "backend/muon.h"
#include "core/system.h"

/* c[m, n] = alpha a[m, k] b (+ c); b[k, n], or b[n, k] transposed. */
static sgm_status product(sgm_threads *pool, int64_t m, int64_t n, int64_t k, float alpha,
                          const float *a, const float *b, bool transposed, float *c, bool add)
{
    sgm_matmul_args args = {.m = m,
                            .n = n,
                            .k = k,
                            .transpose_b = transposed,
                            .a = a,
                            .b = b,
                            .lda = k,
                            .ldb = transposed ? k : n,
                            .c = c,
                            .ldc = n,
                            .alpha = alpha,
                            .accumulate = add};
    return sgm_matmul_run(pool, &args);
}

static void scale(const float *from, float by, int64_t count, float *to)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = by * from[i];
}

/* y = A x + (B g + C g g) x for x[r, c] and its Gram matrix g[r, r]; h[r, r] is work space. */
static sgm_status newton_schulz(sgm_threads *pool, int64_t r, int64_t c, const float *x, float *g,
                                float *h, float *y)
{
    SGM_TRY(product(pool, r, r, c, 1, x, x, true, g, false));
    scale(g, SGM_MUON_B, r * r, h);
    SGM_TRY(product(pool, r, r, r, SGM_MUON_C, g, g, false, h, true));
    scale(x, SGM_MUON_A, r * c, y);
    return product(pool, r, c, r, 1, h, x, false, y, true);
}

/* to = by * from, transposed unless `from` has the fewer rows already. */
static void turn(const float *from, int64_t rows, int64_t columns, bool transposed, float by,
                 float *to)
{
    if (!transposed) {
        scale(from, by, rows * columns, to);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            to[j * rows + i] = by * from[i * columns + j];
}

static float inverse_norm(const float *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return (float)(1 / (sqrt(sum) + SGM_MUON_EPSILON));
}

sgm_status sgm_orthogonalize_run(sgm_threads *pool, float *matrix, int64_t rows, int64_t columns)
{
    bool tall = rows > columns;
    int64_t r = tall ? columns : rows, c = tall ? rows : columns;
    float *memory = sgm_aligned_alloc(64, (size_t)(2 * r * (r + c)) * sizeof *memory);
    if (!memory) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the optimiser");
    float *x = memory, *y = x + r * c, *g = y + r * c, *h = g + r * r;
    turn(matrix, rows, columns, tall, inverse_norm(matrix, r * c), x);
    sgm_status status = SGM_OK;
    for (int step = 0; status == SGM_OK && step < SGM_MUON_STEPS; step++) {
        status = newton_schulz(pool, r, c, x, g, h, y);
        float *last = x;
        x = y;
        y = last;
    }
    if (status == SGM_OK) turn(x, r, c, tall, 1, matrix);
    sgm_aligned_free(memory);
    return status;
}
