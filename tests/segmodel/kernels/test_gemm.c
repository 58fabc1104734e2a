/* Matrix products against plain loops in double. */
#include "backend/cpu/kernels/gemm.h"

#include "backend/cpu/kernels/isa.h"

#include "kernel_test.h"

typedef struct problem {
    int64_t m, n, k, pad; /* pad: extra elements per row */
    sgm_dtype a, weight, out, residual;
    sgm_act act;
    bool bias, has_residual, transposed, indexed, in_place;
} problem;

/* FP32: K products and sums, each rounded to 2^-24 relative, of terms below 1: the error grows with
 * sqrt(K), and 4 covers the spread. BF16 operands are exact here (rounded beforehand), so only
 * the output's rounding comes on top: 2^-9 relative. */
static double tolerance(const problem *p)
{
    return 4 * sqrt((double)p->k) * 0x1p-24 * sqrt((double)p->k) + 4e-7;
}

static float *expected(const problem *p, const float *a, const int32_t *index, const float *w,
                       const float *bias, const float *residual)
{
    float *want = malloc(sizeof *want * (size_t)(p->m * p->n));
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            double sum = p->bias ? bias[j] : 0;
            int64_t row = p->indexed ? index[i] : i;
            for (int64_t k = 0; row >= 0 && k < p->k; k++)
                sum += (double)a[row * (p->k + p->pad) + k] *
                       (p->transposed ? w[k * (p->n + p->pad) + j] : w[j * (p->k + p->pad) + k]);
            sum = act_exact(p->act, sum);
            if (p->has_residual) sum += residual[i * (p->n + p->pad) + j];
            want[i * p->n + j] = (float)sum;
        }
    return want;
}

static void check_problem(sgm_threads *pool, const problem *p)
{
    int64_t lda = p->k + p->pad, ldc = p->n + p->pad;
    size_t a_count = (size_t)(p->m * lda), c_count = (size_t)(p->m * ldc);
    size_t w_count = (size_t)(p->transposed ? p->k * ldc : p->n * lda);
    float *a = random_floats(a_count), *w = random_floats(w_count);
    float *bias = random_floats((size_t)p->n), *residual = random_floats(c_count);
    int32_t *index = malloc(sizeof *index * (size_t)p->m);
    for (int64_t i = 0; i < p->m; i++)
        index[i] = i % 5 == 3 ? -1 : (int32_t)((i * 7) % p->m);
    void *a_data = as_dtype(a, a_count, p->a);
    if (p->weight == SGM_BF16) { /* what the kernel will see */
        free(as_dtype(w, w_count, SGM_BF16));
        free(as_dtype(a, a_count, SGM_BF16));
    }
    void *r_data = as_dtype(residual, c_count, p->residual);
    float *want = expected(p, a, index, w, bias, residual);
    void *out = p->in_place ? r_data : calloc(c_count, 4);
    sgm_packed *pack;
    if (CHECK_OK(sgm_packed_create(w, p->n, p->k, p->transposed ? ldc : lda, p->transposed,
                                   p->weight, NULL, &pack))) {
        sgm_rows rows = {a_data, p->a, lda, p->indexed ? index : NULL};
        sgm_epilogue e = {.bias = p->bias ? bias : NULL,
                          .act = p->act,
                          .residual = p->has_residual ? r_data : NULL,
                          .residual_dtype = p->residual,
                          .residual_ld = ldc,
                          .out = out,
                          .out_dtype = p->out,
                          .out_ld = ldc};
        CHECK_OK(sgm_gemm(pool, pack, &rows, p->m, &e));
        sgm_packed_destroy(pack);
    }
    float *all = p->in_place ? to_floats(out, c_count, p->out) : to_floats(out, c_count, p->out);
    float *got = malloc(sizeof *got * (size_t)(p->m * p->n));
    for (int64_t i = 0; i < p->m; i++)
        memcpy(got + i * p->n, all + i * ldc, sizeof *got * (size_t)p->n);
    char name[128];
    snprintf(name, sizeof name, "gemm %lldx%lldx%lld act %d dtypes %d%d%d", (long long)p->m,
             (long long)p->n, (long long)p->k, p->act, p->a, p->weight, p->out);
    check_close(name, got, want, (size_t)(p->m * p->n), tolerance(p),
                p->out == SGM_BF16 ? 0x1p-8 : 1e-6);
    free(a), free(a_data), free(w), free(bias), free(index), free(residual), free(want), free(all);
    free(got);
    if (!p->in_place) free(r_data);
}

static void test_shapes(sgm_threads *pool)
{
    static const int64_t sizes[][3] = {{1, 1, 1},     {1, 33, 17},  {2, 7, 3},     {5, 31, 16},
                                       {7, 256, 32},  {13, 64, 33}, {14, 32, 64},  {15, 65, 100},
                                       {31, 40, 31},  {32, 32, 32}, {33, 100, 48}, {200, 96, 70},
                                       {450, 70, 300}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int weight = SGM_F32; weight <= (has_bf16() ? SGM_BF16 : SGM_F32); weight++)
            for (int variant = 0; variant < 6; variant++) {
                problem p = {.m = sizes[i][0],
                             .n = sizes[i][1],
                             .k = sizes[i][2],
                             .weight = (sgm_dtype)weight,
                             .act = fused_acts[variant],
                             .pad = variant % 3,
                             .bias = variant != 1,
                             .has_residual = variant % 2 == 1,
                             .residual = variant == 3 ? SGM_BF16 : SGM_F32,
                             .a = variant >= 4 ? SGM_BF16 : SGM_F32,
                             .out = variant == 2 || variant == 3 ? SGM_BF16 : SGM_F32,
                             .transposed = variant == 2 || variant == 5,
                             .indexed = variant == 4,
                             .in_place = variant == 1};
                check_problem(pool, &p);
            }
}

static void check_matmul(sgm_threads *pool, int64_t m, int64_t n, int64_t k, int variant)
{
    bool ta = variant & 1, tb = variant & 2, accumulate = variant & 4;
    sgm_dtype compute = variant & 8 ? SGM_BF16 : SGM_F32,
              a_dtype = variant & 16 ? SGM_BF16 : SGM_F32;
    int64_t batch = variant % 3 + 1, lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
    int64_t sa = (ta ? k : m) * lda, sb = (tb ? n : k) * ldb, sc = m * ldc;
    float *a = random_floats((size_t)(batch * sa)), *b = random_floats((size_t)sb);
    float *c = random_floats((size_t)(batch * sc)), *want = zeros((size_t)(batch * sc));
    void *a_data = as_dtype(a, (size_t)(batch * sa), a_dtype);
    if (compute == SGM_BF16) {
        free(as_dtype(a, (size_t)(batch * sa), SGM_BF16));
        free(as_dtype(b, (size_t)sb, SGM_BF16));
    }
    memcpy(want, c, sizeof *c * (size_t)(batch * sc));
    for (int64_t t = 0; t < batch; t++)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t x = 0; x < k; x++)
                    sum += (double)a[t * sa + (ta ? x * lda + i : i * lda + x)] *
                           b[tb ? j * ldb + x : x * ldb + j];
                float *to = &want[t * sc + i * ldc + j];
                *to = (float)(0.5 * sum + (accumulate ? *to : 0));
            }
    sgm_matmul_args args = {.m = m,
                            .n = n,
                            .k = k,
                            .transpose_a = ta,
                            .transpose_b = tb,
                            .a = a_data,
                            .a_dtype = a_dtype,
                            .lda = lda,
                            .b = b,
                            .ldb = ldb,
                            .c = c,
                            .ldc = ldc,
                            .alpha = 0.5f,
                            .accumulate = accumulate,
                            .batch = batch,
                            .stride_a = sa,
                            .stride_c = sc,
                            .compute = compute};
    CHECK_OK(sgm_matmul_run(pool, &args));
    char name[80];
    snprintf(name, sizeof name, "matmul %lldx%lldx%lld variant %d", (long long)m, (long long)n,
             (long long)k, variant);
    check_close(name, c, want, (size_t)(batch * sc), 4 * (double)k * 0x1p-24 + 1e-6, 1e-6);
    free(a), free(a_data), free(b), free(c), free(want);
}

static void test_matmul(sgm_threads *pool)
{
    static const int64_t sizes[][3] = {{1, 1, 1},    {4, 100, 32},  {3, 5, 7},
                                       {17, 33, 65}, {150, 40, 30}, {140, 70, 2100}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int variant = 0; variant < 32; variant++)
            if (!(variant & 8) || has_bf16())
                check_matmul(pool, sizes[i][0], sizes[i][1], sizes[i][2], variant);
}

/* The same bits whatever the number of threads; K in several parts, for the packed weight and for
 * gradients. */
static void test_thread_independence(void)
{
    enum { M = 500, N = 130, K = 1300 };
    float *a = random_floats(M * K), *w = random_floats(N * K);
    float *first[2] = {zeros(M * N), zeros(M * N)}, *other[2] = {zeros(M * N), zeros(M * N)};
    sgm_packed *pack;
    CHECK_OK(sgm_packed_create(w, N, K, K, false, SGM_F32, NULL, &pack));
    for (int threads = 1; threads <= 4; threads++) {
        float **out = threads == 1 ? first : other;
        sgm_threads *pool;
        CHECK_OK(sgm_threads_create(threads, &pool));
        sgm_rows rows = {a, SGM_F32, K, NULL};
        sgm_epilogue e = {.act = SGM_ACT_GELU, .out = out[0], .out_ld = N};
        CHECK_OK(sgm_gemm(pool, pack, &rows, M, &e));
        sgm_matmul_args gradient = {.m = M,
                                    .n = N,
                                    .k = K,
                                    .transpose_a = true,
                                    .a = a,
                                    .b = w,
                                    .c = out[1],
                                    .lda = M,
                                    .ldb = N,
                                    .ldc = N,
                                    .alpha = 1};
        CHECK_OK(sgm_matmul_run(pool, &gradient));
        sgm_threads_destroy(pool);
        for (int i = 0; i < 2 && threads > 1; i++)
            CHECK(memcmp(first[i], other[i], sizeof(float) * M * N) == 0);
    }
    sgm_packed_destroy(pack);
    free(a), free(w);
    for (int i = 0; i < 2; i++)
        free(first[i]), free(other[i]);
}

/* Half a panel: the bits of the whole one in its columns, and nothing beside them. */
static void test_half_panels(sgm_threads *pool)
{
    enum { CHUNKS = 3, FLOATS = SGM_MAX_STEP * SGM_PANEL };
    const sgm_micro *micro = sgm_micro_for(SGM_F32);
    (void)pool;
    CHECK(sgm_micro_columns(micro, 17) == micro->run);
    if (!micro->run_half) return;
    CHECK(sgm_micro_columns(micro, 16) == micro->run_half);
    float *a = random_floats(SGM_MAX_STEP * CHUNKS * 16), *b = random_floats(CHUNKS * 512);
    for (int rows = 1; rows <= micro->step; rows++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            float *start = random_floats(FLOATS), whole[FLOATS], half[FLOATS];
            memcpy(whole, start, sizeof whole);
            memcpy(half, start, sizeof half);
            micro->run(a, 0, b, CHUNKS, whole, SGM_PANEL, 16, rows, accumulate);
            micro->run_half(a, 0, b, CHUNKS, half, SGM_PANEL, 16, rows, accumulate);
            for (int i = 0; i < FLOATS; i++)
                CHECK(half[i] == (i % SGM_PANEL < SGM_PANEL / 2 ? whole : start)[i]);
            free(start);
        }
    free(a), free(b);
}

static void test_refusals(void)
{
    float w[4] = {0};
    sgm_packed *pack;
    CHECK_STATUS(sgm_packed_create(w, 0, 4, 4, false, SGM_F32, NULL, &pack), SGM_INVALID_ARGUMENT,
                 "0 x 4");
    sgm_cpu_limit(SGM_ISA_BASE, SGM_BF16_NONE);
    CHECK_STATUS(sgm_packed_create(w, 2, 2, 2, false, SGM_BF16, NULL, &pack), SGM_DEVICE, "BF16");
    sgm_cpu_limit(SGM_ISA_AVX512_BF16, SGM_BF16_AMX);
}

int main(void)
{
    under_each_isa(test_shapes);
    under_each_isa(test_matmul);
    under_each_isa(test_half_panels);
    test_thread_independence();
    test_refusals();
    return check_report();
}
