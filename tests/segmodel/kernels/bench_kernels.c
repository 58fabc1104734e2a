/* Speed of the CPU kernels at the sizes that matter. Prints GFLOP/s and the share of the matrix
 * rate that this machine reaches in registers, measured between the runs: other load on the machine
 * slows both. Each kernel's result is first compared with a plain double loop at a few random
 * places (bench_checks.h); exit code 1 when one is wrong.
 *
 *     bench_kernels [seconds=0.5] [threads=N] [clock=cpu] [words that a line's name must contain]
 *
 * clock=cpu counts processor time per thread instead of wall time: on a shared machine, with
 * threads=1, the only figure that can be compared with another run's. */
#include <time.h>

#include "backend/cpu/kernels/elementwise.h"
#include "backend/cpu/kernels/isa.h"
#include "backend/cpu/kernels/layernorm.h"
#include "core/system.h"

#include "bench_checks.h"

#ifdef SEGMODEL_HAVE_ONEDNN
#include "bench_onednn.h"
#endif

static sgm_threads *pool;
static double budget = 0.5;
static const char *filter = "";
static int threads = 0;
static bool cpu_clock = false;

static double now(void)
{
    struct timespec t;
    clock_gettime(cpu_clock ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    double seconds = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    return cpu_clock ? seconds / sgm_threads_count(pool) : seconds;
}

/* ------------------------------------------------------------------- the machine's matrix rate */

typedef struct probe {
    const sgm_micro *micro;
    char *a, *b;
    int64_t chunks, rounds;
} probe;

static void probe_items(void *context, int64_t begin, int64_t end, int thread)
{
    const probe *p = context;
    float c[SGM_MAX_STEP * SGM_PANEL];
    (void)begin, (void)end, (void)thread;
    if (p->micro->begin) p->micro->begin();
    for (int64_t i = 0; i < p->rounds; i++)
        p->micro->run(p->a, (size_t)(p->chunks * p->micro->strip * SGM_CHUNK), p->b, p->chunks, c,
                      SGM_PANEL, 16, p->micro->step, false);
    if (p->micro->end) p->micro->end();
}

/* GFLOP/s of the bare micro-kernel with all operands in the L1 cache, all threads. */
static double matrix_rate(sgm_dtype dtype)
{
    static char a[SGM_MAX_STEP * 8 * SGM_CHUNK] __attribute__((aligned(64)));
    static char b[8 * SGM_B_CHUNK] __attribute__((aligned(64)));
    probe p = {sgm_micro_for(dtype), a, b, 8, 3000};
    double best = 0;
    for (int i = 0; i < 8; i++) {
        double start = now();
        sgm_parallel_for(pool, sgm_threads_count(pool), 1, probe_items, &p);
        double flops = 2.0 * p.micro->step * SGM_PANEL * (dtype == SGM_F32 ? 16 : 32) *
                       (double)p.chunks * (double)p.rounds * sgm_threads_count(pool);
        double rate = flops / (now() - start) / 1e9;
        if (rate > best) best = rate;
    }
    return best;
}

typedef sgm_status (*kernel_fn)(void *context);

/* Median time of repeated calls; `flops` or, where 0, `bytes` of one call. */
static void report(const char *name, kernel_fn fn, void *context, double flops, double bytes,
                   sgm_dtype compute)
{
    double times[200], start = now(), rate = flops > 0 ? matrix_rate(compute) : 0;
    int n = 0;
    CHECK_OK(fn(context));
    for (start = now(); n < 200 && (n < 3 || now() - start < budget); n++) {
        double t = now();
        CHECK_OK(fn(context));
        times[n] = now() - t;
    }
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && times[j] < times[j - 1]; j--) {
            double t = times[j];
            times[j] = times[j - 1];
            times[j - 1] = t;
        }
    if (flops > 0) {
        double again = matrix_rate(compute);
        if (again > rate) rate = again;
        printf("%-44s %9.3f ms (best %9.3f) %8.1f GFLOP/s  %5.1f %% of %.0f\n", name,
               times[n / 2] * 1e3, times[0] * 1e3, flops / times[n / 2] / 1e9,
               100 * flops / times[n / 2] / 1e9 / rate, rate);
    } else {
        printf("%-44s %9.3f ms (best %9.3f) %8.1f GB/s\n", name, times[n / 2] * 1e3, times[0] * 1e3,
               bytes / times[n / 2] / 1e9);
    }
    fflush(stdout);
}

static bool wanted(const char *name)
{
    return strstr(name, filter) != NULL;
}

static const char *type_name(sgm_dtype dtype)
{
    return dtype == SGM_F32 ? "f32" : "bf16";
}

/* ------------------------------------------------------------------------------ linear layers */

typedef struct linear {
    sgm_packed *pack;
    sgm_rows rows;
    int64_t m;
    sgm_epilogue e;
    sgm_matmul_args matmul;
} linear;

static sgm_status run_linear(void *context)
{
    linear *l = context;
    return sgm_gemm(pool, l->pack, &l->rows, l->m, &l->e);
}

static sgm_status run_matmul(void *context)
{
    return sgm_matmul_run(pool, &((linear *)context)->matmul);
}

#ifdef SEGMODEL_HAVE_ONEDNN
/* The layer that was just measured once more, by oneDNN; its output is compared with ours first.
 * oneDNN's threads are OpenMP's: only all cores by wall time can be compared. */
static void bench_onednn(const linear *l, int64_t k, int64_t n, float *w)
{
    if (cpu_clock || sgm_threads_count(pool) != sgm_available_cores()) return;
    char name[40];
    sgm_dtype dtype = l->rows.dtype;
    int64_t count = l->m * n;
    void *out = calloc((size_t)count, 4);
    onednn_linear *rival = onednn_linear_create(l->m, k, n, dtype, l->e.act == SGM_ACT_GELU,
                                                (void *)l->rows.data, w, (float *)l->e.bias, out);
    snprintf(name, sizeof name, "  oneDNN %s", onednn_version());
    if (rival) {
        CHECK_OK(onednn_linear_run(rival));
        for (int64_t i = 0; i < count; i += count / 50 + 1)
            CHECK_NEAR(value_at(out, dtype, i), value_at(l->e.out, dtype, i),
                       (dtype == SGM_F32 ? 1e-5 : 1e-2) * sqrt((double)k));
        report(name, onednn_linear_run, rival, 2.0 * (double)count * (double)k, 0, dtype);
    }
    onednn_linear_destroy(rival);
    free(out);
}
#endif

static void bench_linear(int64_t m, int64_t k, int64_t n, sgm_dtype dtype, sgm_act act)
{
    char name[100];
    snprintf(name, sizeof name, "linear %lldx%lldx%lld %s%s", (long long)m, (long long)k,
             (long long)n, type_name(dtype), act == SGM_ACT_GELU ? " gelu" : "");
    if (!wanted(name)) return;
    float *a = random_floats((size_t)(m * k)), *w = random_floats((size_t)(n * k));
    float *bias = zeros((size_t)n), *out = zeros((size_t)(m * n));
    void *a_data = as_dtype(a, (size_t)(m * k), dtype);
    linear l = {.rows = {a_data, dtype, k, NULL}, .m = m};
    CHECK_OK(sgm_packed_create(w, n, k, k, false, dtype, NULL, &l.pack));
    l.e = (sgm_epilogue){.bias = bias, .act = act, .out = out, .out_dtype = dtype, .out_ld = n};
    CHECK_OK(run_linear(&l));
    check_linear(a, w, &l.e, m, n, k, dtype);
    report(name, run_linear, &l, 2.0 * (double)m * (double)n * (double)k, 0, dtype);
#ifdef SEGMODEL_HAVE_ONEDNN
    if (act != SGM_ACT_RELU) bench_onednn(&l, k, n, w); /* asked for no or GELU epilogues */
#endif
    sgm_packed_destroy(l.pack);
    free(a), free(w), free(bias), free(out), free(a_data);
}

static void bench_matmul(int64_t m, int64_t n, int64_t k, bool ta, bool tb, sgm_dtype compute)
{
    char name[100];
    snprintf(name, sizeof name, "matmul %s%s %lldx%lldx%lld %s", ta ? "T" : "N", tb ? "T" : "N",
             (long long)m, (long long)n, (long long)k, type_name(compute));
    if (!wanted(name)) return;
    float *a = random_floats((size_t)(m * k)), *b = random_floats((size_t)(n * k));
    float *c = zeros((size_t)(m * n));
    linear l = {.matmul = {.m = m,
                           .n = n,
                           .k = k,
                           .transpose_a = ta,
                           .transpose_b = tb,
                           .a = a,
                           .b = b,
                           .c = c,
                           .lda = ta ? m : k,
                           .ldb = tb ? k : n,
                           .ldc = n,
                           .alpha = 1,
                           .compute = compute}};
    CHECK_OK(run_matmul(&l));
    check_matmul(&l.matmul);
    report(name, run_matmul, &l, 2.0 * (double)m * (double)n * (double)k, 0, compute);
    free(a), free(b), free(c);
}

/* ----------------------------------------------------------------------------------- attention */

typedef struct grid {
    sgm_attention_grid_args args;
    sgm_attention_grid_grads grads;
} grid;

static sgm_status run_grid(void *context)
{
    return sgm_attention_grid_forward(pool, &((grid *)context)->args);
}

static sgm_status run_grid_backward(void *context)
{
    grid *g = context;
    return sgm_attention_grid_backward(pool, &g->args, &g->grads);
}

static void bench_grid(int64_t batch, int64_t side, int heads, int dim, int window,
                       sgm_grid_bias bias, sgm_dtype dtype, bool backward)
{
    char name[100];
    snprintf(name, sizeof name, "attention %lldx%lld^2 window %d %dx%d %s%s", (long long)batch,
             (long long)side, window, heads, dim, type_name(dtype), backward ? " backward" : "");
    if (!wanted(name)) return;
    int64_t c = (int64_t)heads * dim, tokens = batch * side * side, s = window ? window : side;
    float *qkv = random_floats((size_t)(tokens * 3 * c)), *pad = random_floats((size_t)(3 * c));
    float *rel = random_floats((size_t)((2 * s - 1) * dim));
    float *table = random_floats((size_t)(heads * s * s));
    float *dout = random_floats((size_t)(tokens * c));
    float *dqkv = zeros((size_t)(tokens * 3 * c)), *drel = zeros((size_t)((2 * s - 1) * dim * 2));
    float *dtable = zeros((size_t)(heads * s * s));
    void *data = as_dtype(qkv, (size_t)(tokens * 3 * c), dtype),
         *out = calloc((size_t)(tokens * c), 4);
    grid g = {.args = {batch, side, side, heads, dim, window, 1 / sqrtf((float)dim), bias,
                       SGM_QKV_SAM, data, dtype, pad, rel, rel, table, out, dtype, dtype},
              .grads = {.dout = dout,
                        .dqkv = dqkv,
                        .drel_h = drel,
                        .drel_w = drel + (2 * s - 1) * dim,
                        .dtable = dtable}};
    CHECK_OK(run_grid(&g)); /* the gradient needs its result too */
    check_grid(&g.args, qkv);
    if (backward) CHECK_OK(run_grid_backward(&g));
    if (backward) check_grid_backward(&g.args, &g.grads, qkv);
    double in_window = 0; /* keys per query, padding left out */
    for (int64_t y = 0; y < side; y += s)
        for (int64_t x = 0; x < side; x += s) {
            double n = (double)((side - y < s ? side - y : s) * (side - x < s ? side - x : s));
            in_window += n * n;
        }
    double flops = (backward ? 10.0 : 4.0) * (double)batch * heads * dim * in_window;
    report(name, backward ? run_grid_backward : run_grid, &g, flops, 0, dtype);
    free(qkv), free(pad), free(rel), free(table), free(dout), free(dqkv), free(drel), free(dtable);
    free(data), free(out);
}

typedef struct plain {
    sgm_attention_args args;
} plain;

static sgm_status run_plain(void *context)
{
    return sgm_attention_forward(pool, &((plain *)context)->args);
}

static void bench_plain(int64_t batch, int64_t nq, int64_t nk, int heads, int dim, sgm_dtype dtype)
{
    char name[100];
    snprintf(name, sizeof name, "attention %lldx%lld over %lld %dx%d %s", (long long)batch,
             (long long)nq, (long long)nk, heads, dim, type_name(dtype));
    if (!wanted(name)) return;
    int64_t c = (int64_t)heads * dim;
    float *q = random_floats((size_t)(batch * nq * c)),
          *k = random_floats((size_t)(batch * nk * c));
    float *out = zeros((size_t)(batch * nq * c));
    plain p = {{.batch = batch,
                .nq = nq,
                .nk = nk,
                .heads = heads,
                .head_dim = dim,
                .scale = 0.25f,
                .q = q,
                .k = k,
                .v = k,
                .q_ld = c,
                .k_ld = c,
                .v_ld = c,
                .q_batch = nq * c,
                .k_batch = nk * c,
                .v_batch = nk * c,
                .out = out,
                .out_ld = c,
                .out_batch = nq * c,
                .compute = dtype}};
    CHECK_OK(run_plain(&p));
    check_plain(&p.args);
    report(name, run_plain, &p, 4.0 * (double)(batch * nq * nk * c), 0, dtype);
    free(q), free(k), free(out);
}

/* --------------------------------------------------------------------------------- convolutions */

typedef struct conv {
    sgm_conv_shape s;
    sgm_packed *pack;
    const void *x;
    const float *w, *bias;
    sgm_dtype dtype;
    sgm_epilogue e;
    sgm_conv_grads grads;
} conv;

static sgm_status run_conv(void *context)
{
    conv *c = context;
    return sgm_conv2d_forward(pool, &c->s, c->pack, c->x, c->dtype, &c->e);
}

static sgm_status run_transposed(void *context)
{
    conv *c = context;
    return sgm_conv_transpose_forward(pool, &c->s, c->pack, c->x, c->dtype, &c->e);
}

static sgm_status run_depthwise(void *context)
{
    conv *c = context;
    return sgm_depthwise_forward(pool, &c->s, c->w, c->bias, SGM_ACT_GELU, c->x, c->dtype, c->e.out,
                                 c->e.out_dtype, NULL);
}

static sgm_status run_conv_backward(void *context)
{
    conv *c = context;
    return sgm_conv2d_backward(pool, &c->s, &c->grads);
}

static sgm_status run_depthwise_backward(void *context)
{
    conv *c = context;
    return sgm_depthwise_backward(pool, &c->s, &c->grads);
}

typedef enum conv_kind { DENSE, DENSE_BACK, DEPTHWISE, DEPTHWISE_BACK, TRANSPOSED } conv_kind;

static void bench_conv(conv_kind kind, sgm_conv_shape s, sgm_dtype dtype)
{
    static const char *const kinds[] = {"conv", "conv backward", "depthwise", "depthwise backward",
                                        "transposed"};
    char name[100];
    snprintf(name, sizeof name, "%s %lldx%lldx%lld->%lld %d/%d %s", kinds[kind],
             (long long)s.height, (long long)s.width, (long long)s.channels, (long long)s.outputs,
             s.kernel_h, s.stride, type_name(dtype));
    if (!wanted(name)) return;
    bool deep = kind == DEPTHWISE || kind == DEPTHWISE_BACK;
    int64_t pixels = sgm_conv_out_height(&s) * sgm_conv_out_width(&s);
    if (kind == TRANSPOSED) pixels = 4 * s.height * s.width;
    size_t nx = (size_t)(s.batch * s.height * s.width * s.channels);
    size_t no = (size_t)(s.batch * pixels * s.outputs);
    size_t nw = (size_t)(s.outputs * (deep ? 1 : s.channels) * s.kernel_h * s.kernel_w);
    float *x = random_floats(nx), *w = random_floats(nw), *bias = zeros((size_t)s.outputs);
    float *out = zeros(no), *dx = zeros(nx), *dw = zeros(nw), *dout = random_floats(no);
    conv c = {.s = s, .x = as_dtype(x, nx, dtype), .w = w, .bias = bias, .dtype = dtype};
    c.e = (sgm_epilogue){
        .bias = bias, .act = SGM_ACT_GELU, .out = out, .out_dtype = dtype, .out_ld = s.outputs};
    c.grads = (sgm_conv_grads){
        .dout = dout, .w = w, .x = c.x, .x_dtype = dtype, .dx = dx, .dw = dw, .compute = dtype};
    if (kind == DENSE) CHECK_OK(sgm_conv_pack(&s, w, dtype, NULL, &c.pack));
    if (kind == TRANSPOSED)
        CHECK_OK(sgm_conv_transpose_pack(s.channels, s.outputs, w, dtype, NULL, &c.pack));
    double flops =
        2.0 * (double)no * (double)s.channels * (kind == TRANSPOSED ? 1 : s.kernel_h * s.kernel_w);
    double bytes = (double)(nx + no) * (dtype == SGM_F32 ? 4 : 2);
    static const kernel_fn fns[] = {run_conv, run_conv_backward, run_depthwise,
                                    run_depthwise_backward, run_transposed};
    CHECK_OK(fns[kind](&c));
    if (kind == DENSE_BACK || kind == DEPTHWISE_BACK)
        check_conv_backward(&s, deep, &c.grads, x);
    else
        check_conv(&s, deep, kind == TRANSPOSED, x, w, &c.e, dtype);
    report(name, fns[kind], &c, deep ? 0 : flops * (kind == DENSE_BACK ? 2 : 1), bytes, dtype);
    sgm_packed_destroy(c.pack);
    free(x), free(w), free(bias), free(out), free(dx), free(dw), free(dout), free((void *)c.x);
}

/* ---------------------------------------------------------------------------------- memory-bound
 */

typedef struct rows {
    sgm_layernorm_args norm;
    float *x, *y;
    int64_t n;
} rows;

static sgm_status run_norm(void *context)
{
    return sgm_layernorm_forward(pool, &((rows *)context)->norm);
}

static sgm_status run_gelu(void *context)
{
    rows *r = context;
    sgm_act_forward(pool, SGM_ACT_GELU, r->x, SGM_F32, r->y, SGM_F32, r->n);
    return SGM_OK;
}

static sgm_status run_resize(void *context)
{
    rows *r = context;
    return sgm_resize_bilinear(pool, r->x, SGM_F32, 1, 256, 256, 1, 1024, 1024, false, r->y,
                               SGM_F32);
}

static sgm_status run_nothing(void *context)
{
    rows *r = context;
    sgm_convert(pool, r->x, SGM_F32, r->y, SGM_F32, 40000);
    return SGM_OK;
}

static void bench_rows(void)
{
    int64_t m = 4096, c = 768;
    rows r = {.x = random_floats((size_t)(m * c)), .y = zeros((size_t)(m * c)), .n = m * c};
    r.norm = (sgm_layernorm_args){.m = m, .c = c, .x = r.x, .eps = 1e-6f, .out = r.y};
    if (wanted("layer norm 4096x768")) {
        CHECK_OK(run_norm(&r));
        check_norm(r.x, r.y, m, c, 1e-6);
        report("layer norm 4096x768", run_norm, &r, 0, 8.0 * (double)r.n, SGM_F32);
    }
    if (wanted("gelu 4096x768")) {
        CHECK_OK(run_gelu(&r));
        for (int64_t i = 0; i < r.n; i += r.n / BENCH_PLACES)
            CHECK_NEAR(r.y[i], gelu_exact(r.x[i]), 1e-6);
        report("gelu 4096x768", run_gelu, &r, 0, 8.0 * (double)r.n, SGM_F32);
    }
    if (wanted("resize 256^2 to 1024^2")) {
        CHECK_OK(run_resize(&r));
        check_resize(r.x, r.y, 256, 4);
        report("resize 256^2 to 1024^2", run_resize, &r, 0, 4.0 * 1024 * 1024, SGM_F32);
    }
    if (wanted("loop start (copy of 160 kB)")) {
        CHECK_OK(run_nothing(&r));
        CHECK(memcmp(r.x, r.y, 40000 * sizeof(float)) == 0);
        report("loop start (copy of 160 kB)", run_nothing, &r, 0, 320000, SGM_F32);
    }
    free(r.x), free(r.y);
}

static void bench_type(sgm_dtype t)
{
    bench_linear(4096, 768, 2304, t, SGM_ACT_NONE);
    bench_linear(4096, 768, 768, t, SGM_ACT_NONE);
    bench_linear(4096, 768, 3072, t, SGM_ACT_GELU);
    bench_linear(4096, 3072, 768, t, SGM_ACT_NONE);
    bench_linear(65536, 64, 256, t, SGM_ACT_GELU);
    bench_linear(16384, 128, 512, t, SGM_ACT_GELU);
    bench_linear(7, 256, 2048, t, SGM_ACT_RELU);
    bench_grid(1, 64, 12, 64, 0, SGM_BIAS_REL_POS, t, false);
    bench_grid(1, 64, 12, 64, 14, SGM_BIAS_REL_POS, t, false);
    bench_grid(1, 64, 16, 80, 14, SGM_BIAS_REL_POS, t, false);
    bench_grid(1, 128, 4, 32, 7, SGM_BIAS_TABLE, t, false);
    bench_grid(1, 64, 5, 32, 14, SGM_BIAS_TABLE, t, false);
    bench_plain(1, 7, 4096, 8, 16, t);
    bench_plain(1, 4096, 7, 8, 16, t);
    bench_plain(1, 1024, 1024, 12, 64, t);
    bench_conv(DENSE, (sgm_conv_shape){1, 1024, 1024, 3, 32, 3, 3, 2, 1}, t);
    bench_conv(DENSE, (sgm_conv_shape){1, 512, 512, 32, 64, 3, 3, 2, 1}, t);
    bench_conv(DENSE, (sgm_conv_shape){1, 1024, 1024, 3, 768, 16, 16, 16, 0}, t);
    bench_conv(DENSE, (sgm_conv_shape){1, 64, 64, 256, 256, 3, 3, 1, 1}, t);
    bench_conv(TRANSPOSED, (sgm_conv_shape){1, 64, 64, 256, 64, 2, 2, 2, 0}, t);
    bench_conv(DEPTHWISE, (sgm_conv_shape){1, 256, 256, 256, 256, 3, 3, 1, 1}, t);
    bench_conv(DEPTHWISE, (sgm_conv_shape){1, 256, 256, 256, 256, 3, 3, 2, 1}, t);
    bench_conv(DEPTHWISE, (sgm_conv_shape){1, 64, 64, 160, 160, 3, 3, 1, 1}, t);
}

static void bench_training(sgm_dtype t)
{
    bench_matmul(4096, 768, 3072, false, false, t);
    bench_matmul(3072, 768, 4096, true, false, t);
    bench_matmul(768, 768, 4096, true, false, t);
    bench_matmul(4, 65536, 32, false, true, t);
    bench_conv(DENSE_BACK, (sgm_conv_shape){4, 64, 64, 64, 64, 3, 3, 1, 1}, t);
    bench_conv(DENSE_BACK, (sgm_conv_shape){4, 128, 128, 32, 64, 3, 3, 2, 1}, t);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "seconds=", 8) == 0)
            budget = strtod(argv[i] + 8, NULL);
        else if (strncmp(argv[i], "threads=", 8) == 0)
            threads = atoi(argv[i] + 8);
        else if (strcmp(argv[i], "clock=cpu") == 0)
            cpu_clock = true;
        else
            filter = argv[i];
    }
    if (!CHECK_OK(sgm_threads_create(threads, &pool))) return check_report();
    printf("%s, %d threads\n", sgm_cpu_summary(), sgm_threads_count(pool));
    for (int t = SGM_F32; t <= (has_bf16() ? SGM_BF16 : SGM_F32); t++) {
        bench_type((sgm_dtype)t);
        bench_training((sgm_dtype)t);
    }
    bench_rows();
    bench_grid(4, 16, 5, 32, 7, SGM_BIAS_TABLE, SGM_F32, true);
    bench_grid(4, 16, 5, 32, 14, SGM_BIAS_TABLE, SGM_F32, true);
    bench_grid(1, 64, 12, 64, 14, SGM_BIAS_REL_POS, SGM_F32, true);
    bench_grid(1, 32, 12, 64, 0, SGM_BIAS_REL_POS, SGM_F32, true);
    bench_conv(DEPTHWISE_BACK, (sgm_conv_shape){4, 64, 64, 256, 256, 3, 3, 1, 1}, SGM_F32);
    sgm_threads_destroy(pool);
    return check_report();
}
