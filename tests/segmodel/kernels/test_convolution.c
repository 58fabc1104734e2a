/* Convolutions, forward and backward, against plain loops in double. */
#include "backend/cpu/kernels/convolution.h"

#include "kernel_test.h"

typedef struct problem {
    sgm_conv_shape s;
    sgm_dtype x, weight, out;
    sgm_act act;
} problem;

static size_t count(double n)
{
    return (size_t)n;
}

/* Visits every product of a convolution: out[o_at] += x[x_at] * w[w_at]. */
typedef void (*product_fn)(void *context, int64_t o_at, int64_t x_at, int64_t w_at);

static void walk(const sgm_conv_shape *s, bool depthwise, product_fn fn, void *context)
{
    int64_t oh = sgm_conv_out_height(s), ow = sgm_conv_out_width(s);
    int64_t inputs = depthwise ? 1 : s->channels;
    for (int64_t p = 0; p < s->batch * oh * ow; p++)
        for (int64_t o = 0; o < s->outputs; o++)
            for (int64_t i = 0; i < inputs; i++)
                for (int64_t t = 0; t < s->kernel_h * s->kernel_w; t++) {
                    int64_t y = p / ow % oh * s->stride - s->pad + t / s->kernel_w;
                    int64_t x = p % ow * s->stride - s->pad + t % s->kernel_w;
                    if (y < 0 || x < 0 || y >= s->height || x >= s->width) continue;
                    int64_t c = depthwise ? o : i;
                    fn(context, p * s->outputs + o,
                       ((p / ow / oh * s->height + y) * s->width + x) * s->channels + c,
                       (o * inputs + i) * s->kernel_h * s->kernel_w + t);
                }
}

/* Transposed, kernel 2, stride 2: output (2y + t / 2, 2x + t % 2), w[C, outputs, 2, 2]. */
static void walk_transposed(const sgm_conv_shape *s, product_fn fn, void *context)
{
    for (int64_t p = 0; p < s->batch * s->height * s->width; p++)
        for (int64_t c = 0; c < s->channels; c++)
            for (int64_t o = 0; o < s->outputs; o++)
                for (int64_t t = 0; t < 4; t++) {
                    int64_t row = p / s->width * 2 + t / 2, column = p % s->width * 2 + t % 2;
                    fn(context, (row * 2 * s->width + column) * s->outputs + o, p * s->channels + c,
                       (c * s->outputs + o) * 4 + t);
                }
}

typedef struct sums {
    const float *x, *w, *dout;
    double *out, *dx, *dw;
} sums;

static void add(void *context, int64_t o, int64_t x, int64_t w)
{
    sums *s = context;
    s->out[o] += (double)s->x[x] * s->w[w];
    s->dx[x] += (double)s->dout[o] * s->w[w];
    s->dw[w] += (double)s->dout[o] * s->x[x];
}

typedef enum kind { DENSE, DEPTHWISE, TRANSPOSED } kind;

static void compare(const char *name, const char *what, const float *got, const double *want,
                    size_t n, double atol, double rtol)
{
    char label[200];
    float *w = zeros(n);
    for (size_t i = 0; i < n; i++)
        w[i] = (float)want[i];
    snprintf(label, sizeof label, "%s: %s", name, what);
    check_close(label, got, w, n, atol, rtol);
    free(w);
}

static void run_forward(sgm_threads *pool, kind k, const problem *p, const float *w,
                        const float *bias, const void *x, void *out)
{
    sgm_epilogue e = {
        .bias = bias, .act = p->act, .out = out, .out_dtype = p->out, .out_ld = p->s.outputs};
    sgm_packed *pack = NULL;
    if (k == DEPTHWISE) {
        CHECK_OK(sgm_depthwise_forward(pool, &p->s, w, bias, p->act, x, p->x, out, p->out, NULL));
    } else if (k == DENSE) {
        CHECK_OK(sgm_conv_pack(&p->s, w, p->weight, NULL, &pack));
        CHECK_OK(sgm_conv2d_forward(pool, &p->s, pack, x, p->x, &e));
    } else {
        CHECK_OK(sgm_conv_transpose_pack(p->s.channels, p->s.outputs, w, p->weight, NULL, &pack));
        CHECK_OK(sgm_conv_transpose_forward(pool, &p->s, pack, x, p->x, &e));
    }
    sgm_packed_destroy(pack);
}

static void check_backward(sgm_threads *pool, kind k, const problem *p, const sums *want,
                           const void *x, size_t nx, size_t nw, size_t no, const char *name)
{
    float *dx = zeros(nx), *dw = zeros(nw), *db = zeros((size_t)p->s.outputs);
    double *bias = calloc((size_t)p->s.outputs, sizeof *bias);
    for (size_t i = 0; i < no; i++)
        bias[i % (size_t)p->s.outputs] += want->dout[i];
    for (size_t i = 0; i < nw; i++) {
        dw[i] = 1;
        want->dw[i] += 1;
    }
    for (size_t i = 0; i < nx; i++)
        dx[i] = 1e6f;
    sgm_conv_grads g = {.dout = want->dout,
                        .w = want->w,
                        .x = x,
                        .x_dtype = p->x,
                        .dx = dx,
                        .dw = dw,
                        .dbias = db,
                        .accumulate_dw = true,
                        .compute = k == DEPTHWISE ? SGM_F32 : p->weight};
    CHECK_OK(k == DENSE       ? sgm_conv2d_backward(pool, &p->s, &g)
             : k == DEPTHWISE ? sgm_depthwise_backward(pool, &p->s, &g)
                              : sgm_conv_transpose_backward(pool, &p->s, &g));
    /* FP32 rounding of sums of n terms below 1: about sqrt(n) * sqrt(n) * 2^-24, n up to 10^4. */
    compare(name, "dx", dx, want->dx, nx, 1e-4, 1e-5);
    compare(name, "dw", dw, want->dw, nw, 2e-4, 1e-5);
    compare(name, "dbias", db, bias, (size_t)p->s.outputs, 2e-4, 1e-5);
    free(dx), free(dw), free(db), free(bias);
}

static void check_problem(sgm_threads *pool, kind k, problem p)
{
    const sgm_conv_shape *s = &p.s;
    double pixels = (double)s->batch * (double)s->height * (double)s->width;
    double out_pixels = k == TRANSPOSED
                            ? 4 * pixels
                            : (double)(s->batch * sgm_conv_out_height(s) * sgm_conv_out_width(s));
    size_t nx = count(pixels * (double)s->channels), no = count(out_pixels * (double)s->outputs);
    size_t nw = (size_t)(s->outputs * (k == DEPTHWISE ? 1 : s->channels) *
                         (k == TRANSPOSED ? 4 : s->kernel_h * s->kernel_w));
    float *x = random_floats(nx), *w = random_floats(nw), *dout = random_floats(no);
    float *bias = random_floats((size_t)s->outputs);
    if (p.weight == SGM_BF16) {
        free(as_dtype(x, nx, SGM_BF16));
        free(as_dtype(w, nw, SGM_BF16));
        free(as_dtype(dout, no, SGM_BF16));
    }
    void *x_data = as_dtype(x, nx, p.x), *out = calloc(no, 4);
    sums want = {x, w, dout, calloc(no, 8), calloc(nx, 8), calloc(nw, 8)};
    if (k == TRANSPOSED)
        walk_transposed(s, add, &want);
    else
        walk(s, k == DEPTHWISE, add, &want);
    for (size_t i = 0; i < no; i++)
        want.out[i] = act_exact(p.act, want.out[i] + bias[i % (size_t)s->outputs]);
    char name[160];
    snprintf(name, sizeof name, "kind %d: %lldx%lldx%lldx%lld -> %lld, %dx%d/%d+%d, dtypes %d%d%d",
             k, (long long)s->batch, (long long)s->height, (long long)s->width,
             (long long)s->channels, (long long)s->outputs, s->kernel_h, s->kernel_w, s->stride,
             s->pad, p.x, p.weight, p.out);
    run_forward(pool, k, &p, w, bias, x_data, out);
    float *got = to_floats(out, no, p.out);
    compare(name, "out", got, want.out, no, 2e-5, p.out == SGM_BF16 ? 0x1p-8 : 1e-5);
    if (k != TRANSPOSED || p.out == SGM_F32)
        check_backward(pool, k, &p, &want, x_data, nx, nw, no, name);
    free(x), free(w), free(dout), free(bias), free(x_data), free(got);
    free(want.out), free(want.dx), free(want.dw);
}

static void check_dtypes(sgm_threads *pool, kind k, sgm_conv_shape s)
{
    check_problem(pool, k, (problem){s, SGM_F32, SGM_F32, SGM_F32, SGM_ACT_NONE});
    check_problem(pool, k, (problem){s, SGM_BF16, SGM_F32, SGM_BF16, SGM_ACT_GELU});
    if (has_bf16() && k != DEPTHWISE) {
        check_problem(pool, k, (problem){s, SGM_F32, SGM_BF16, SGM_F32, SGM_ACT_RELU});
        check_problem(pool, k, (problem){s, SGM_BF16, SGM_BF16, SGM_BF16, SGM_ACT_NONE});
    }
}

static void test_dense(sgm_threads *pool)
{
    static const sgm_conv_shape shapes[] = {
        {1, 1, 1, 1, 1, 1, 1, 1, 0},     {2, 5, 7, 3, 33, 3, 3, 1, 1},
        {1, 9, 8, 3, 32, 3, 3, 2, 1},    {1, 6, 11, 32, 20, 3, 3, 1, 1},
        {2, 4, 4, 17, 40, 1, 1, 1, 0},   {1, 8, 8, 3, 24, 4, 4, 4, 0},
        {1, 24, 20, 3, 8, 16, 16, 8, 0}, {1, 3, 3, 64, 8, 3, 3, 1, 1},
        {1, 2, 9, 5, 6, 1, 3, 1, 1},     {1, 7, 7, 8, 12, 3, 3, 2, 1},
        {3, 20, 19, 16, 64, 3, 3, 1, 1}, {2, 13, 11, 16, 40, 3, 3, 2, 1},
        {1, 9, 9, 32, 33, 3, 3, 1, 0},   {1, 8, 9, 48, 20, 1, 1, 2, 0},
        {2, 30, 29, 16, 17, 2, 2, 1, 1}, {1, 5, 40, 80, 16, 3, 1, 2, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_dtypes(pool, DENSE, shapes[i]);
}

static void test_depthwise(sgm_threads *pool)
{
    static const sgm_conv_shape shapes[] = {
        {1, 1, 1, 1, 1, 3, 3, 1, 1},   {2, 5, 6, 7, 7, 3, 3, 1, 1},
        {1, 9, 8, 33, 33, 3, 3, 2, 1}, {1, 8, 7, 64, 64, 3, 3, 2, 1},
        {1, 4, 9, 16, 16, 5, 5, 1, 2}, {1, 20, 33, 80, 80, 3, 3, 1, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_dtypes(pool, DEPTHWISE, shapes[i]);
}

static void test_transposed(sgm_threads *pool)
{
    static const sgm_conv_shape shapes[] = {
        {1, 1, 1, 1, 1, 2, 2, 2, 0}, {2, 3, 5, 17, 9, 2, 2, 2, 0}, {1, 12, 9, 64, 40, 2, 2, 2, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_dtypes(pool, TRANSPOSED, shapes[i]);
}

static void test_refusals(sgm_threads *pool)
{
    sgm_conv_shape s = {1, 2, 2, 1, 1, 3, 3, 1, 0};
    sgm_packed *pack;
    float w[9] = {0}, x[4] = {0}, out[4];
    CHECK_STATUS(sgm_conv_pack(&s, w, SGM_F32, NULL, &pack), SGM_INVALID_ARGUMENT, "3 x 3");
    s.outputs = 2;
    s.pad = 1;
    CHECK_STATUS(
        sgm_depthwise_forward(pool, &s, w, NULL, SGM_ACT_NONE, x, SGM_F32, out, SGM_F32, NULL),
        SGM_INVALID_ARGUMENT, "1 channels in, 2 out");
}

int main(void)
{
    under_each_isa(test_dense);
    under_each_isa(test_depthwise);
    under_each_isa(test_transposed);
    under_each_isa(test_refusals);
    return check_report();
}
