/* Layer norm, elementwise functions, resampling: forward and backward against double. */
#include "backend/cpu/kernels/elementwise.h"
#include "backend/cpu/kernels/isa.h"
#include "backend/cpu/kernels/layernorm.h"

#include "kernel_test.h"

#define LENGTH(a) (sizeof(a) / sizeof *(a))

static void compare(const char *what, const float *got, const double *want, size_t n, double atol,
                    double rtol)
{
    float *w = zeros(n);
    for (size_t i = 0; i < n; i++)
        w[i] = (float)want[i];
    check_close(what, got, w, n, atol, rtol);
    free(w);
}

static double *doubles(size_t n)
{
    return calloc(n ? n : 1, sizeof(double));
}

/* -------------------------------------------------------------------------- layer normalisation */

static void exact_norm(const float *x, const float *gamma, const float *beta, const float *dout,
                       size_t m, size_t c, double eps, double *y, double *dx, double *dg,
                       double *db)
{
    for (size_t r = 0; r < m; r++) {
        double mean = 0, var = 0, g_mean = 0, gx_mean = 0;
        for (size_t i = 0; i < c; i++)
            mean += x[r * c + i] / (double)c;
        for (size_t i = 0; i < c; i++)
            var += (x[r * c + i] - mean) * (x[r * c + i] - mean) / (double)c;
        double scale = 1 / sqrt(var + eps);
        for (size_t i = 0; i < c; i++) {
            double n = (x[r * c + i] - mean) * scale, g = dout[r * c + i] * (double)gamma[i];
            y[r * c + i] = n * gamma[i] + beta[i];
            g_mean += g / (double)c;
            gx_mean += g * n / (double)c;
            dg[i] += dout[r * c + i] * n;
            db[i] += dout[r * c + i];
        }
        for (size_t i = 0; i < c; i++) {
            double n = (x[r * c + i] - mean) * scale, g = dout[r * c + i] * (double)gamma[i];
            dx[r * c + i] = scale * (g - g_mean - n * gx_mean);
        }
    }
}

static void check_norm(sgm_threads *pool, size_t m, size_t c, bool with_add, sgm_dtype dtype)
{
    size_t n = m * c;
    float *x = random_floats(n), *add = random_floats(n), *dout = random_floats(n);
    float *gamma = random_floats(c), *beta = random_floats(c), *sum = zeros(n);
    for (size_t i = 0; i < n; i++)
        x[i] += 3; /* a mean to be removed */
    void *x_data = as_dtype(x, n, dtype), *out = calloc(n, 4), *kept = calloc(n, 4);
    for (size_t i = 0; i < n; i++)
        sum[i] = with_add ? x[i] + add[i] : x[i];
    double *y = doubles(n), *dx = doubles(n), *dg = doubles(c), *db = doubles(c);
    exact_norm(sum, gamma, beta, dout, m, c, 1e-5, y, dx, dg, db);
    sgm_layernorm_args args = {.m = (int64_t)m,
                               .c = (int64_t)c,
                               .x = x_data,
                               .x_dtype = dtype,
                               .add = with_add ? add : NULL,
                               .sum = with_add && dtype == SGM_F32 ? kept : NULL,
                               .gamma = gamma,
                               .beta = beta,
                               .eps = 1e-5f,
                               .out = out,
                               .out_dtype = dtype};
    CHECK_OK(sgm_layernorm_forward(pool, &args));
    float *got = to_floats(out, n, dtype);
    /* x around 3 with spread 0.6: its rounding, 2^-22, is 4e-7 of the spread. */
    double atol = c == 1 ? 1e-5 : 4e-6;
    compare("layer norm", got, y, n, atol, dtype == SGM_BF16 ? 0x1p-8 : 4e-6);
    if (args.sum) CHECK(memcmp(kept, sum, n * 4) == 0);
    float *gx = random_floats(n), *gg = zeros(c), *gb = zeros(c);
    for (size_t i = 0; i < n; i++)
        dx[i] += gx[i];
    CHECK_OK(sgm_layernorm_backward(pool, (int64_t)m, (int64_t)c, sum, SGM_F32, gamma, 1e-5f, dout,
                                    gx, true, gg, false, gb, true));
    compare("layer norm dx", gx, dx, n, c < 3 ? 1e-2 : 1e-4, 1e-4);
    compare("layer norm dgamma", gg, dg, c, 1e-4, 1e-4);
    compare("layer norm dbeta", gb, db, c, 1e-4, 1e-5);
    free(x), free(add), free(dout), free(gamma), free(beta), free(sum), free(x_data), free(kept);
    free(got), free(gx), free(gg), free(gb), free(y), free(dx), free(dg), free(db);
}

/* An activation in the norm is the same bits as one behind it: whole vectors, a rest, eight rows
 * that are taken together and some more. */
static void check_norm_act(sgm_threads *pool, size_t m, size_t c, sgm_act act)
{
    size_t n = m * c;
    float *x = random_floats(n), *gamma = random_floats(c), *beta = random_floats(c);
    float *plain = zeros(n), *together = zeros(n), *behind = zeros(n);
    sgm_layernorm_args args = {.m = (int64_t)m,
                               .c = (int64_t)c,
                               .x = x,
                               .gamma = gamma,
                               .beta = beta,
                               .eps = 1e-6f,
                               .out = plain};
    CHECK_OK(sgm_layernorm_forward(pool, &args));
    sgm_act_forward(pool, act, plain, SGM_F32, behind, SGM_F32, (int64_t)n);
    args.act = act;
    args.out = together;
    CHECK_OK(sgm_layernorm_forward(pool, &args));
    CHECK(memcmp(together, behind, n * sizeof *x) == 0);
    free(x), free(gamma), free(beta), free(plain), free(together), free(behind);
}

static void test_norm(sgm_threads *pool)
{
    static const size_t sizes[][2] = {{1, 1}, {3, 7}, {5, 16}, {2, 33}, {300, 96}, {9, 768}};
    for (size_t i = 0; i < LENGTH(sizes); i++)
        for (int v = 0; v < 4; v++)
            check_norm(pool, sizes[i][0], sizes[i][1], v & 1, v & 2 ? SGM_BF16 : SGM_F32);
    for (size_t i = 1; i < LENGTH(sizes); i++) {
        check_norm_act(pool, sizes[i][0], sizes[i][1], SGM_ACT_GELU);
        check_norm_act(pool, sizes[i][0], sizes[i][1], SGM_ACT_RELU);
    }
}

/* ----------------------------------------------------------------------------------- functions */

static double slope_exact(sgm_act act, double x)
{
    double h = 1e-5 * (fabs(x) > 1 ? fabs(x) : 1);
    if (act == SGM_ACT_LOG || act == SGM_ACT_RSQRT) h = 1e-5 * x;
    return (act_exact(act, x + h) - act_exact(act, x - h)) / (2 * h);
}

/* Every function over the range it is used in; GELU's far tails too. */
static void check_act(sgm_threads *pool, sgm_act act, float low, float high)
{
    size_t n = 40001;
    float *x = zeros(n), *out = zeros(n), *dx = zeros(n), *dout = random_floats(n);
    double *want = doubles(n), *slope = doubles(n);
    for (size_t i = 0; i < n; i++) {
        x[i] = low + (high - low) * (float)i / (float)(n - 1);
        if (act == SGM_ACT_RELU || act == SGM_ACT_LEAKY_RELU)
            x[i] = fabsf(x[i]) < 1e-3f ? 0.5f : x[i]; /* no slope at 0 */
        want[i] = act_exact(act, x[i]);
        slope[i] = slope_exact(act, x[i]) * dout[i];
    }
    char name[40];
    snprintf(name, sizeof name, "function %d", act);
    sgm_act_forward(pool, act, x, SGM_F32, out, SGM_F32, (int64_t)n);
    compare(name, out, want, n, 2e-7, 3e-7);
    snprintf(name, sizeof name, "slope of function %d", act);
    sgm_act_backward(pool, act, x, SGM_F32, dout, dx, false, (int64_t)n);
    compare(name, dx, slope, n, 2e-6, 1e-5);
    free(x), free(out), free(dx), free(dout), free(want), free(slope);
}

static void test_functions(sgm_threads *pool)
{
    check_act(pool, SGM_ACT_NONE, -5, 5);
    check_act(pool, SGM_ACT_RELU, -5, 5);
    check_act(pool, SGM_ACT_LEAKY_RELU, -5, 5);
    check_act(pool, SGM_ACT_GELU, -6, 6);
    check_act(pool, SGM_ACT_GELU, -60, 60);
    check_act(pool, SGM_ACT_SIGMOID, -30, 30);
    check_act(pool, SGM_ACT_TANH, -10, 10);
    check_act(pool, SGM_ACT_EXP, -80, 2);
    check_act(pool, SGM_ACT_LOG, 0.01f, 100);
    check_act(pool, SGM_ACT_RSQRT, 0.01f, 100);
    float odd[3] = {NAN, INFINITY, -INFINITY}, out[3];
    sgm_act_forward(pool, SGM_ACT_GELU, odd, SGM_F32, out, SGM_F32, 3);
    CHECK(isnan(out[0]) && out[1] == INFINITY && fabsf(out[2]) < 1e-20f);
    sgm_act_forward(pool, SGM_ACT_SIGMOID, odd, SGM_F32, out, SGM_F32, 3);
    CHECK(isnan(out[0]) && out[1] == 1 && out[2] >= 0 && out[2] < 1e-30f);
}

/* Whatever its bits are: damaged weights and files have others than the processor makes. */
static void test_nan(sgm_threads *pool)
{
    enum { N = 32, AT = 3 };
    static const uint32_t nans[] = {0x7fc00000, 0xffc00000, 0x7f800001, 0x7fffffff,
                                    0xffffffff, 0x7fc00100, 0xffc00181, 0x7f8001ff};
    static const sgm_act acts[] = {SGM_ACT_GELU, SGM_ACT_SIGMOID, SGM_ACT_EXP, SGM_ACT_RELU};
    for (size_t k = 0; k < sizeof nans / sizeof *nans; k++) {
        float x[N], y[N];
        for (int i = 0; i < N; i++)
            x[i] = 0.25f * (float)(i % 5);
        memcpy(&x[AT], &nans[k], sizeof *x);
        for (size_t a = 0; a < sizeof acts / sizeof *acts; a++) {
            sgm_act_forward(pool, acts[a], x, SGM_F32, y, SGM_F32, N);
            for (int i = 0; i < N; i++)
                CHECK(isnan(y[i]) == (i == AT));
        }
        for (int cols = AT + 1; cols <= N; cols++) {
            sgm_softmax_rows(pool, x, SGM_F32, y, SGM_F32, 1, cols);
            CHECK(isnan(y[AT]) && isnan(y[0]));
        }
    }
}

static void test_conversion(sgm_threads *pool)
{
    enum { N = 20011 };
    float *x = random_floats(N), *back = zeros(N);
    uint16_t *half = malloc(N * sizeof *half);
    x[0] = NAN;
    x[1] = INFINITY;
    x[2] = 1.00390625f; /* halfway: to even, which is 1 */
    x[3] = 1.01171875f; /* halfway: to even, up */
    sgm_convert(pool, x, SGM_F32, half, SGM_BF16, N);
    CHECK((half[0] & 0x7f80) == 0x7f80 && (half[0] & 0x7f));
    CHECK(half[1] == 0x7f80 && half[2] == 0x3f80 && half[3] == 0x3f82);
    int differ = 0;
    for (int i = 1; i < N; i++)
        differ += half[i] != round_bf16(x[i]);
    CHECK(differ == 0);
    sgm_convert(pool, half, SGM_BF16, back, SGM_F32, N);
    for (int i = 1; i < N; i++)
        differ += back[i] != widen_bf16(half[i]);
    CHECK(differ == 0);
    free(x), free(back), free(half);
}

/* Rows shorter than a vector, of just one, and longer, eight that are taken together and some more;
 * what lies behind the last stays. */
static void test_softmax(sgm_threads *pool)
{
    enum { M = 19 };
    for (size_t c = 1; c <= 40; c++) {
        size_t n = M * c;
        float *x = random_floats(n), *out = random_floats(n + 1), behind = out[n];
        double *want = doubles(n);
        for (size_t r = 0; r < M; r++) {
            double total = 0;
            for (size_t i = 0; i < c; i++)
                total += exp(10.0 * x[r * c + i]);
            for (size_t i = 0; i < c; i++)
                want[r * c + i] = exp(10.0 * x[r * c + i]) / total;
        }
        sgm_affine_rows(pool, x, SGM_F32, 10, 0, x, SGM_F32, (int64_t)n);
        sgm_softmax_rows(pool, x, SGM_F32, out, SGM_F32, M, (int64_t)c);
        compare("softmax", out, want, n, 1e-6, 3e-6);
        CHECK(out[n] == behind);
        free(x), free(out), free(want);
    }
}

static void test_rows_arithmetic(sgm_threads *pool)
{
    size_t m = 12, c = 37, n = m * c;
    float *x = random_floats(n), *y = random_floats(n), *out = zeros(n), *sum = random_floats(c);
    double *want = doubles(n), *column = doubles(c);
    for (size_t i = 0; i < n; i++) {
        want[i] = (double)x[i] + y[i % (4 * c)];
        column[i % c] += x[i];
    }
    sgm_add_rows(pool, x, SGM_F32, y, SGM_F32, 4, out, SGM_F32, (int64_t)m, (int64_t)c);
    compare("add rows", out, want, n, 0, 1e-6);
    for (size_t i = 0; i < n; i++)
        want[i] = (double)x[i] * y[i % c];
    sgm_mul_rows(pool, x, SGM_F32, y, SGM_F32, 1, out, SGM_F32, (int64_t)m, (int64_t)c);
    compare("multiply rows", out, want, n, 0, 1e-6);
    for (size_t i = 0; i < c; i++)
        column[i] += sum[i];
    CHECK_OK(sgm_column_sum(pool, x, SGM_F32, (int64_t)m, (int64_t)c, sum, true));
    compare("column sum", sum, column, c, 1e-5, 0);
    free(x), free(y), free(out), free(sum), free(want), free(column);
}

/* -------------------------------------------------------------------------------- resampling */

static void source(size_t i, size_t in, size_t out, bool align, size_t *low, size_t *high,
                   double *f)
{
    double at = align ? (out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0)
                      : ((double)i + 0.5) * (double)in / (double)out - 0.5;
    if (at < 0) at = 0;
    *low = (size_t)at;
    if (*low > in - 1) *low = in - 1;
    *high = *low + 1 < in ? *low + 1 : *low;
    *f = at - (double)*low;
}

static void check_resize(sgm_threads *pool, size_t b, size_t h, size_t w, size_t c, size_t oh,
                         size_t ow, bool align)
{
    size_t n = b * h * w * c, m = b * oh * ow * c;
    float *x = random_floats(n), *dout = random_floats(m), *out = zeros(m), *dx = random_floats(n);
    double *want = doubles(m), *grad = doubles(n);
    for (size_t i = 0; i < n; i++)
        grad[i] = dx[i];
    for (size_t i = 0; i < m; i++) {
        size_t ch = i % c, ox = i / c % ow, oy = i / c / ow % oh, ib = i / c / ow / oh, p[2], q[2];
        double fx, fy;
        source(oy, h, oh, align, &p[0], &p[1], &fy);
        source(ox, w, ow, align, &q[0], &q[1], &fx);
        for (int k = 0; k < 4; k++) {
            size_t at = ((ib * h + p[k / 2]) * w + q[k % 2]) * c + ch;
            double weight = (k / 2 ? fy : 1 - fy) * (k % 2 ? fx : 1 - fx);
            want[i] += weight * x[at];
            grad[at] += weight * dout[i];
        }
    }
    CHECK_OK(sgm_resize_bilinear(pool, x, SGM_F32, (int64_t)b, (int64_t)h, (int64_t)w, (int64_t)c,
                                 (int64_t)oh, (int64_t)ow, align, out, SGM_F32));
    /* positions are FP32, as in PyTorch: 1000 pixels * 2^-24 */
    compare("resize", out, want, m, 2e-5, 0);
    CHECK_OK(sgm_resize_bilinear_backward(pool, dout, (int64_t)b, (int64_t)h, (int64_t)w,
                                          (int64_t)c, (int64_t)oh, (int64_t)ow, align, dx, true));
    compare("resize gradient", dx, grad, n, 1e-4, 1e-5);
    free(x), free(dout), free(out), free(dx), free(want), free(grad);
}

static void test_resize(sgm_threads *pool)
{
    for (int align = 0; align < 2; align++) {
        check_resize(pool, 1, 1, 1, 1, 3, 2, align);
        check_resize(pool, 2, 5, 7, 3, 11, 13, align);
        check_resize(pool, 1, 16, 16, 20, 5, 9, align);
        check_resize(pool, 2, 32, 30, 1, 128, 120, align);
        check_resize(pool, 1, 6, 6, 33, 6, 1, align);
    }
}

static void test_pooling(sgm_threads *pool)
{
    size_t b = 2, h = 5, w = 8, c = 19, n = b * h * w * c, m = b * 2 * 4 * c;
    float *x = random_floats(n), *out = zeros(m), *dout = random_floats(m), *dx = random_floats(n);
    double *want = doubles(m), *grad = doubles(n);
    for (size_t i = 0; i < m; i++) {
        size_t best = 0;
        want[i] = -INFINITY;
        for (size_t k = 0; k < 4; k++) {
            size_t y = i / c / 4 % 2 * 2 + k / 2, z = i / c % 4 * 2 + k % 2;
            size_t at = ((i / c / 8 * h + y) * w + z) * c + i % c;
            if (x[at] > want[i]) {
                want[i] = x[at];
                best = at;
            }
        }
        grad[best] += dout[i];
    }
    sgm_maxpool2(pool, x, SGM_F32, (int64_t)b, (int64_t)h, (int64_t)w, (int64_t)c, out, SGM_F32);
    compare("max pool", out, want, m, 0, 0);
    sgm_maxpool2_backward(pool, x, SGM_F32, dout, (int64_t)b, (int64_t)h, (int64_t)w, (int64_t)c,
                          dx, false);
    compare("max pool gradient", dx, grad, n, 0, 1e-6);
    free(x), free(out), free(dout), free(dx), free(want), free(grad);
}

/* NaN in every pattern of four pixels, one by channel: the last of them is what is taken, and what
 * gets the gradient; without one it is the largest number, here the fourth. */
static void test_pooling_nan(sgm_threads *pool)
{
    enum { C = 35 };
    float x[4 * C], out[C], dout[C], dx[4 * C];
    for (int c = 0; c < C; c++) {
        dout[c] = (float)(c + 1);
        for (int k = 0; k < 4; k++)
            x[k * C + c] = c >> k & 1 ? NAN : (float)k;
    }
    sgm_maxpool2(pool, x, SGM_F32, 1, 2, 2, C, out, SGM_F32);
    sgm_maxpool2_backward(pool, x, SGM_F32, dout, 1, 2, 2, C, dx, false);
    for (int c = 0; c < C; c++) {
        int best = 3;
        for (int k = 0; k < 4; k++)
            if (c >> k & 1) best = k;
        CHECK(c & 15 ? isnan(out[c]) : out[c] == 3);
        for (int k = 0; k < 4; k++)
            CHECK(dx[k * C + c] == (k == best ? dout[c] : 0));
    }
}

/* ------------------------------------------------------------------------------ pixels of a loss
 */

/* SAM's focal and dice terms of one pixel, and their slopes, as graph/loss.h has them. */
static void exact_pixel(double x, double t, double alpha, const double w[3], double sums[5],
                        double *grad)
{
    double p = 1 / (1 + exp(-x)), cross = -t * x + log1p(exp(-fabs(x))) + (x > 0 ? x : 0);
    double miss = p + t - 2 * p * t, weight = alpha * t + (1 - alpha) * (1 - t), dp = p * (1 - p);
    sums[0] += weight * cross * miss * miss;
    sums[1] += p * t;
    sums[2] += p + t;
    sums[3] += x > 0 && t > 0.5;
    sums[4] += x > 0 || t > 0.5;
    *grad += w[0] * weight * ((p - t) * miss * miss + 2 * cross * miss * dp * (1 - 2 * t));
    *grad += (w[1] - w[2] * t) * dp;
}

/* Logits from certain to certain, targets 0, 1 and between. */
static void check_loss(size_t n, double alpha)
{
    float *x = random_floats(n), *t = random_floats(n), *got = random_floats(n);
    double w[3] = {0.5, 0.25, 2}, sums[5] = {0}, want[5] = {1, 2, 3, 4, 5}, *grad = doubles(n);
    memcpy(sums, want, sizeof sums); /* added to */
    for (size_t i = 0; i < n; i++) {
        x[i] *= i % 3 ? 4 : 120;
        t[i] = i % 5 == 0 ? fabsf(t[i]) : t[i] > 0;
        grad[i] = got[i];
        exact_pixel(x[i], t[i], alpha, w, want, grad + i);
    }
    sgm_loops()->sam_sums(x, t, (int64_t)n, (float)alpha, sums);
    sgm_loops()->sam_grad(x, t, (int64_t)n, (float)alpha, (float)w[0], (float)w[1], (float)w[2],
                          got);
    for (int k = 0; k < 3; k++)
        CHECK_NEAR(sums[k], want[k], 1e-6 * want[k]);
    CHECK(sums[3] == want[3] && sums[4] == want[4]);
    /* cross entropy goes up to 120 at a slope of 1: rounded at 6e-8 of that */
    compare("slopes of SAM's loss", got, grad, n, 4e-6, 2e-6);
    free(x), free(t), free(got), free(grad);
}

static void test_loss(sgm_threads *unused)
{
    (void)unused;
    check_loss(1, 0.25);
    check_loss(13, 0.5);
    check_loss(4096, 0.25);
    check_loss(5003, 0.5);
    float x[2] = {1, NAN}, t[2] = {0, 1};
    double sums[5] = {0};
    sgm_loops()->sam_sums(x, t, 2, 0.25f, sums);
    CHECK(isnan(sums[0]) && isnan(sums[2]) && sums[3] == 0 && sums[4] == 2);
}

int main(void)
{
    under_each_isa(test_norm);
    under_each_isa(test_functions);
    under_each_isa(test_nan);
    under_each_isa(test_conversion);
    under_each_isa(test_softmax);
    under_each_isa(test_rows_arithmetic);
    under_each_isa(test_resize);
    under_each_isa(test_pooling);
    under_each_isa(test_pooling_nan);
    under_each_isa(test_loss);
    return check_report();
}
