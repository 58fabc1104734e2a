/* Fused attention, forward and backward, against plain loops in double. */
#include "backend/cpu/kernels/attention.h"
#include "backend/cpu/kernels/attention_grid.h"

#include "kernel_test.h"

/* ------------------------------------------------------------------------------ the oracle, double
 */

/* One query against n keys: scores in, probabilities out. */
static void softmax_exact(double *s, int64_t n)
{
    double top = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        top = fmax(top, s[i]);
    for (int64_t i = 0; i < n; i++)
        sum += s[i] = exp(s[i] - top);
    for (int64_t i = 0; i < n; i++)
        s[i] /= sum;
}

typedef struct grid_problem {
    int64_t batch, height, width;
    int heads, dim, window;
    sgm_grid_bias bias;
    sgm_qkv_layout layout;
    sgm_dtype qkv_dtype, out_dtype, compute;
    bool pad;
} grid_problem;

typedef struct grid_data {
    int64_t sh, sw;
    float *qkv, *pad, *rel_h, *rel_w, *table;
    float *dout;
    double *out, *dqkv, *dpad, *drel_h, *drel_w, *dtable;
} grid_data;

static int64_t channel(const grid_problem *p, int head, int which, int d)
{
    return p->layout == SGM_QKV_SAM ? (int64_t)(which * p->heads + head) * p->dim + d
                                    : (int64_t)(head * 3 + which) * p->dim + d;
}

/* Element of key/value token (y, x) in image b: from the padding where it lies outside. */
static double token(const grid_problem *p, const grid_data *g, int64_t b, int64_t y, int64_t x,
                    int64_t c)
{
    int64_t c3 = 3 * (int64_t)p->heads * p->dim;
    if (y >= p->height || x >= p->width) return g->pad ? g->pad[c] : 0;
    return g->qkv[((b * p->height + y) * p->width + x) * c3 + c];
}

static double *grad_of(const grid_problem *p, grid_data *g, int64_t b, int64_t y, int64_t x,
                       int64_t c)
{
    int64_t c3 = 3 * (int64_t)p->heads * p->dim;
    if (y >= p->height || x >= p->width) return &g->dpad[c];
    return &g->dqkv[((b * p->height + y) * p->width + x) * c3 + c];
}

static double score(const grid_problem *p, const grid_data *g, int head, int64_t b, int64_t qy,
                    int64_t qx, int64_t ky, int64_t kx, double scale)
{
    double s = 0;
    int64_t h = qy - ky + g->sh - 1, w = qx - kx + g->sw - 1;
    for (int d = 0; d < p->dim; d++) {
        double q = token(p, g, b, qy, qx, channel(p, head, 0, d));
        s += scale * q * token(p, g, b, ky, kx, channel(p, head, 1, d));
        if (p->bias == SGM_BIAS_REL_POS)
            s += q * g->rel_h[h * p->dim + d] + q * g->rel_w[w * p->dim + d];
    }
    if (p->bias == SGM_BIAS_TABLE)
        s += g->table[(head * g->sh + llabs(qy - ky)) * g->sw + llabs(qx - kx)];
    return s;
}

static void score_grad(const grid_problem *p, grid_data *g, int head, int64_t b, int64_t qy,
                       int64_t qx, int64_t ky, int64_t kx, double scale, double ds)
{
    int64_t h = qy - ky + g->sh - 1, w = qx - kx + g->sw - 1;
    for (int d = 0; d < p->dim; d++) {
        double q = token(p, g, b, qy, qx, channel(p, head, 0, d));
        double *dq = grad_of(p, g, b, qy, qx, channel(p, head, 0, d));
        *grad_of(p, g, b, ky, kx, channel(p, head, 1, d)) += ds * scale * q;
        *dq += ds * scale * token(p, g, b, ky, kx, channel(p, head, 1, d));
        if (p->bias == SGM_BIAS_REL_POS) {
            *dq += ds * ((double)g->rel_h[h * p->dim + d] + g->rel_w[w * p->dim + d]);
            g->drel_h[h * p->dim + d] += ds * q;
            g->drel_w[w * p->dim + d] += ds * q;
        }
    }
    if (p->bias == SGM_BIAS_TABLE)
        g->dtable[(head * g->sh + llabs(qy - ky)) * g->sw + llabs(qx - kx)] += ds;
}

static void exact_query(const grid_problem *p, grid_data *g, int head, int64_t b, int64_t qy,
                        int64_t qx, double scale)
{
    int64_t y0 = p->window ? qy / p->window * p->window : 0;
    int64_t x0 = p->window ? qx / p->window * p->window : 0, n = g->sh * g->sw;
    int64_t c = (int64_t)p->heads * p->dim;
    int64_t at = ((b * p->height + qy) * p->width + qx) * c + head * p->dim;
    double *s = malloc(sizeof *s * (size_t)n), *dp = malloc(sizeof *dp * (size_t)n), mean = 0;
    for (int64_t i = 0; i < n; i++)
        s[i] = score(p, g, head, b, qy, qx, y0 + i / g->sw, x0 + i % g->sw, scale);
    softmax_exact(s, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t ky = y0 + i / g->sw, kx = x0 + i % g->sw;
        dp[i] = 0;
        for (int d = 0; d < p->dim; d++) {
            int64_t v = channel(p, head, 2, d);
            g->out[at + d] += s[i] * token(p, g, b, ky, kx, v);
            dp[i] += (double)g->dout[at + d] * token(p, g, b, ky, kx, v);
            *grad_of(p, g, b, ky, kx, v) += s[i] * g->dout[at + d];
        }
        mean += s[i] * dp[i];
    }
    for (int64_t i = 0; i < n; i++)
        score_grad(p, g, head, b, qy, qx, y0 + i / g->sw, x0 + i % g->sw, scale,
                   s[i] * (dp[i] - mean));
    free(s), free(dp);
}

static double *zero_doubles(int64_t n)
{
    return calloc((size_t)(n ? n : 1), sizeof(double));
}

static float *floats_of(const double *x, int64_t n)
{
    float *f = malloc(sizeof *f * (size_t)(n ? n : 1));
    for (int64_t i = 0; i < n; i++)
        f[i] = (float)x[i];
    return f;
}

static grid_data make_data(const grid_problem *p)
{
    int64_t c = (int64_t)p->heads * p->dim, tokens = p->batch * p->height * p->width;
    grid_data g = {.sh = p->window ? p->window : p->height, .sw = p->window ? p->window : p->width};
    g.qkv = random_floats((size_t)(tokens * 3 * c));
    for (int64_t i = 0; i < tokens * 3 * c; i++)
        g.qkv[i] *= 2; /* scores that differ: softmax far from uniform */
    g.pad = p->pad ? random_floats((size_t)(3 * c)) : NULL;
    g.rel_h = random_floats((size_t)((2 * g.sh - 1) * p->dim));
    g.rel_w = random_floats((size_t)((2 * g.sw - 1) * p->dim));
    for (int64_t i = 0; i < (2 * g.sh - 1) * p->dim; i++)
        g.rel_h[i] *= 0.2f;
    g.table = random_floats((size_t)(p->heads * g.sh * g.sw));
    g.dout = random_floats((size_t)(tokens * c));
    g.out = zero_doubles(tokens * c);
    g.dqkv = zero_doubles(tokens * 3 * c);
    g.dpad = zero_doubles(3 * c);
    g.drel_h = zero_doubles((2 * g.sh - 1) * p->dim);
    g.drel_w = zero_doubles((2 * g.sw - 1) * p->dim);
    g.dtable = zero_doubles(p->heads * g.sh * g.sw);
    return g;
}

static void free_data(grid_data *g)
{
    free(g->qkv), free(g->pad), free(g->rel_h), free(g->rel_w), free(g->table), free(g->dout);
    free(g->out), free(g->dqkv), free(g->dpad), free(g->drel_h), free(g->drel_w), free(g->dtable);
}

/* Compares n floats with doubles and frees the floats. `limit` is a normalised RMS error. */
static void check_part(const char *what, const char *name, float *got, const double *want,
                       int64_t n, double limit)
{
    char label[160];
    float *w = floats_of(want, n);
    snprintf(label, sizeof label, "%s: %s", name, what);
    check_nrmse(label, got, w, (size_t)n, limit);
    free(w), free(got);
}

/* Sums of up to a few hundred FP32 products: 1e-5 is 100 times their rounding. In BF16 each product
 * has two rounded factors, twice the forward run's limit below. */
static double backward_limit(sgm_dtype compute)
{
    return compute == SGM_BF16 ? 3e-2 : 1e-5;
}

static void check_grid_backward(sgm_threads *pool, const grid_problem *p, const grid_data *g,
                                const sgm_attention_grid_args *args, const char *name)
{
    int64_t c = (int64_t)p->heads * p->dim, tokens = p->batch * p->height * p->width;
    int64_t nh = (2 * g->sh - 1) * p->dim, nw = (2 * g->sw - 1) * p->dim;
    sgm_attention_grid_grads grads = {.dout = g->dout,
                                      .dqkv = zeros((size_t)(tokens * 3 * c)),
                                      .dpad = zeros((size_t)(3 * c)),
                                      .drel_h = zeros((size_t)nh),
                                      .drel_w = zeros((size_t)nw),
                                      .dtable = zeros((size_t)(p->heads * g->sh * g->sw))};
    for (int64_t i = 0; i < nh; i++)
        grads.drel_h[i] = 1e6f; /* must be overwritten */
    CHECK_OK(sgm_attention_grid_backward(pool, args, &grads));
    double limit = backward_limit(p->compute);
    check_part("dqkv", name, grads.dqkv, g->dqkv, tokens * 3 * c, limit);
    if (p->pad) {
        check_part("dpad", name, grads.dpad, g->dpad, 3 * c, limit);
    } else {
        free(grads.dpad);
    }
    if (p->bias == SGM_BIAS_REL_POS) {
        check_part("drel_h", name, grads.drel_h, g->drel_h, nh, limit);
        check_part("drel_w", name, grads.drel_w, g->drel_w, nw, limit);
    } else {
        free(grads.drel_h), free(grads.drel_w);
    }
    if (p->bias == SGM_BIAS_TABLE)
        check_part("dtable", name, grads.dtable, g->dtable, p->heads * g->sh * g->sw, limit);
    else
        free(grads.dtable);
}

/* A part of SGM_BF16's error model: q, k, v and the probabilities are rounded (2^-9 relative each);
 * with scores of size s that moves a probability by about s 2^-9. Twice that for headroom. */
static void check_grid(sgm_threads *pool, const grid_problem *p)
{
    grid_data g = make_data(p);
    int64_t c = (int64_t)p->heads * p->dim, tokens = p->batch * p->height * p->width;
    void *qkv = as_dtype(g.qkv, (size_t)(tokens * 3 * c), p->qkv_dtype);
    double scale = 1 / sqrt(p->dim);
    for (int64_t i = 0; i < tokens * p->heads; i++) {
        int64_t t = i / p->heads, hw = p->height * p->width;
        exact_query(p, &g, (int)(i % p->heads), t / hw, t % hw / p->width, t % p->width, scale);
    }
    void *out = calloc((size_t)(tokens * c), 4);
    sgm_attention_grid_args args = {.batch = p->batch,
                                    .height = p->height,
                                    .width = p->width,
                                    .heads = p->heads,
                                    .head_dim = p->dim,
                                    .window = p->window,
                                    .scale = (float)scale,
                                    .bias = p->bias,
                                    .layout = p->layout,
                                    .qkv = qkv,
                                    .qkv_dtype = p->qkv_dtype,
                                    .pad = g.pad,
                                    .rel_h = g.rel_h,
                                    .rel_w = g.rel_w,
                                    .table = g.table,
                                    .out = out,
                                    .out_dtype = p->out_dtype,
                                    .compute = p->compute};
    char name[160];
    snprintf(name, sizeof name, "grid %lldx%lldx%lld window %d dim %d bias %d dtypes %d%d%d",
             (long long)p->batch, (long long)p->height, (long long)p->width, p->window, p->dim,
             p->bias, p->qkv_dtype, p->out_dtype, p->compute);
    CHECK_OK(sgm_attention_grid_forward(pool, &args));
    if (p->out_dtype == SGM_F32) check_grid_backward(pool, p, &g, &args, name);
    double limit = p->compute == SGM_BF16 ? 1.5e-2 : p->out_dtype == SGM_BF16 ? 4e-3 : 4e-6;
    check_part("out", name, to_floats(out, (size_t)(tokens * c), p->out_dtype), g.out, tokens * c,
               limit);
    free(qkv);
    free_data(&g);
}

static void test_grid(sgm_threads *pool)
{
    static const grid_problem problems[] = {
        {1, 1, 1, 1, 8, 0, SGM_BIAS_NONE, SGM_QKV_SAM, 0, 0, 0, false},
        {2, 5, 7, 2, 16, 0, SGM_BIAS_REL_POS, SGM_QKV_SAM, 0, 0, 0, false},
        {1, 16, 16, 1, 64, 0, SGM_BIAS_REL_POS, SGM_QKV_SAM, 0, 0, 0, false},
        {1, 9, 33, 1, 80, 0, SGM_BIAS_REL_POS, SGM_QKV_SAM, 0, 0, 0, false},
        {1, 20, 18, 2, 64, 14, SGM_BIAS_REL_POS, SGM_QKV_SAM, 0, 0, 0, true},
        {2, 15, 14, 1, 32, 14, SGM_BIAS_REL_POS, SGM_QKV_SAM, 1, 0, 0, true},
        {1, 10, 9, 2, 32, 7, SGM_BIAS_TABLE, SGM_QKV_TINYVIT, 0, 0, 0, true},
        {1, 8, 8, 3, 32, 7, SGM_BIAS_TABLE, SGM_QKV_TINYVIT, 0, 1, 0, false},
        {1, 6, 6, 1, 20, 0, SGM_BIAS_TABLE, SGM_QKV_TINYVIT, 0, 0, 0, false},
        {1, 5, 5, 1, 12, 3, SGM_BIAS_NONE, SGM_QKV_SAM, 0, 0, 0, true},
        {2, 16, 16, 2, 16, 8, SGM_BIAS_TABLE, SGM_QKV_TINYVIT, 0, 0, 0, false},
        {1, 20, 24, 1, 32, 16, SGM_BIAS_TABLE, SGM_QKV_TINYVIT, 0, 0, 0, true},
        {1, 33, 33, 1, 8, 0, SGM_BIAS_TABLE, SGM_QKV_TINYVIT, 0, 0, 0, false},
    };
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        grid_problem p = problems[i];
        check_grid(pool, &p);
        if (!has_bf16()) continue;
        p.compute = SGM_BF16;
        check_grid(pool, &p);
        p.qkv_dtype = p.out_dtype = SGM_BF16;
        check_grid(pool, &p);
    }
}

/* ------------------------------------------------------------------------------ whole sequences */

typedef struct plain_problem {
    int64_t batch, key_batch, nq, nk;
    int heads, dim;
    sgm_dtype dtype, compute;
} plain_problem;

typedef struct plain_data {
    float *q, *k, *v, *dout;
    double *out, *dq, *dk, *dv;
} plain_data;

static void exact_plain_query(const plain_problem *p, plain_data *d, int64_t b, int head, int64_t i,
                              double scale)
{
    int64_t c = (int64_t)p->heads * p->dim, kb = p->key_batch == 1 ? 0 : b;
    double *s = malloc(sizeof *s * (size_t)p->nk), *dp = malloc(sizeof *dp * (size_t)p->nk);
    double mean = 0;
    int64_t q = (b * p->nq + i) * c + head * p->dim, k0 = kb * p->nk * c + head * p->dim;
    for (int64_t j = 0; j < p->nk; j++) {
        s[j] = 0;
        for (int x = 0; x < p->dim; x++)
            s[j] += scale * d->q[q + x] * d->k[k0 + j * c + x];
    }
    softmax_exact(s, p->nk);
    for (int64_t j = 0; j < p->nk; j++) {
        dp[j] = 0;
        for (int x = 0; x < p->dim; x++) {
            d->out[q + x] += s[j] * d->v[k0 + j * c + x];
            dp[j] += (double)d->dout[q + x] * d->v[k0 + j * c + x];
            d->dv[k0 + j * c + x] += s[j] * d->dout[q + x];
        }
        mean += s[j] * dp[j];
    }
    for (int64_t j = 0; j < p->nk; j++)
        for (int x = 0; x < p->dim; x++) {
            d->dq[q + x] += s[j] * (dp[j] - mean) * scale * d->k[k0 + j * c + x];
            d->dk[k0 + j * c + x] += s[j] * (dp[j] - mean) * scale * d->q[q + x];
        }
    free(s), free(dp);
}

static void check_plain_backward(sgm_threads *pool, const plain_problem *p, const plain_data *d,
                                 const sgm_attention_args *args, const char *name)
{
    int64_t c = (int64_t)p->heads * p->dim;
    int64_t nq = p->batch * p->nq * c, nk = p->key_batch * p->nk * c;
    sgm_attention_grads g = {.dout = d->dout,
                             .dq = zeros((size_t)nq),
                             .dk = zeros((size_t)nk),
                             .dv = zeros((size_t)nk),
                             .accumulate_k = true};
    for (int64_t i = 0; i < nk; i++) {
        /* added to: a sum of the gradients' own size, or its rounding would drown theirs */
        g.dk[i] = (float)d->dk[nk - 1 - i];
        g.dv[i] = 1; /* overwritten */
    }
    for (int64_t i = 0; i < nk; i++)
        d->dk[i] += g.dk[i];
    CHECK_OK(sgm_attention_backward(pool, args, &g));
    check_part("dq", name, g.dq, d->dq, nq, backward_limit(p->compute));
    check_part("dk", name, g.dk, d->dk, nk, backward_limit(p->compute));
    check_part("dv", name, g.dv, d->dv, nk, backward_limit(p->compute));
}

static void check_plain(sgm_threads *pool, const plain_problem *p)
{
    int64_t c = (int64_t)p->heads * p->dim;
    int64_t nq = p->batch * p->nq * c, nk = p->key_batch * p->nk * c;
    plain_data d = {random_floats((size_t)nq), random_floats((size_t)nk), random_floats((size_t)nk),
                    random_floats((size_t)nq), zero_doubles(nq),          zero_doubles(nq),
                    zero_doubles(nk),          zero_doubles(nk)};
    for (int64_t i = 0; i < nq; i++)
        d.q[i] *= 4;
    void *q = as_dtype(d.q, (size_t)nq, p->dtype), *k = as_dtype(d.k, (size_t)nk, p->dtype);
    void *v = as_dtype(d.v, (size_t)nk, p->dtype), *out = calloc((size_t)(nq ? nq : 1), 4);
    double scale = 1 / sqrt(p->dim);
    for (int64_t i = 0; i < p->batch * p->nq * p->heads; i++)
        exact_plain_query(p, &d, i / p->heads / p->nq, (int)(i % p->heads), i / p->heads % p->nq,
                          scale);
    sgm_attention_args args = {.batch = p->batch,
                               .nq = p->nq,
                               .nk = p->nk,
                               .heads = p->heads,
                               .head_dim = p->dim,
                               .scale = (float)scale,
                               .q = q,
                               .k = k,
                               .v = v,
                               .q_dtype = p->dtype,
                               .k_dtype = p->dtype,
                               .v_dtype = p->dtype,
                               .q_ld = c,
                               .k_ld = c,
                               .v_ld = c,
                               .q_batch = p->nq * c,
                               .k_batch = p->key_batch == 1 ? 0 : p->nk * c,
                               .v_batch = p->key_batch == 1 ? 0 : p->nk * c,
                               .out = out,
                               .out_dtype = p->dtype,
                               .out_ld = c,
                               .out_batch = p->nq * c,
                               .compute = p->compute};
    char name[120];
    snprintf(name, sizeof name, "attention %lldx%lld over %lld, dim %d, dtypes %d%d",
             (long long)p->batch, (long long)p->nq, (long long)p->nk, p->dim, p->dtype, p->compute);
    CHECK_OK(sgm_attention_forward(pool, &args));
    /* of one key the gradient vanishes: what is left is the rounding of `out` */
    bool vanishes = p->compute == SGM_BF16 && p->nk == 1;
    if (p->dtype == SGM_F32 && !vanishes) check_plain_backward(pool, p, &d, &args, name);
    double limit = p->compute == SGM_BF16 ? 1.5e-2 : p->dtype == SGM_BF16 ? 4e-3 : 4e-6;
    check_part("out", name, to_floats(out, (size_t)nq, p->dtype), d.out, nq, limit);
    free(q), free(k), free(v), free(d.q), free(d.k), free(d.v), free(d.dout), free(d.out);
    free(d.dq), free(d.dk), free(d.dv);
}

static void test_plain(sgm_threads *pool)
{
    static const plain_problem problems[] = {
        {1, 1, 1, 1, 1, 1, 0, 0},       {2, 2, 7, 9, 2, 16, 0, 0},
        {3, 1, 7, 300, 2, 16, 0, 0},    {1, 1, 300, 7, 2, 16, 0, 0},
        {2, 2, 6, 6, 2, 32, 1, 0},      {1, 1, 530, 70, 1, 33, 0, 0},
        {1, 1, 33, 600, 3, 24, 0, 0},   {1, 1, 12, 1000, 1, 128, 0, 0},
        {2, 1, 9, 1500, 2, 16, 0, 0},   {2, 2, 56, 300, 1, 256, 0, 0},
        {1, 1, 128, 1025, 1, 20, 0, 0}, {2, 2, 16, 32, 2, 16, 0, 0},
        {2, 2, 256, 9, 2, 16, 0, 0},    {1, 1, 40, 250, 2, 48, 0, 0},
        {1, 1, 75, 1100, 1, 16, 0, 0},
    };
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        plain_problem p = problems[i];
        check_plain(pool, &p);
        if (!has_bf16()) continue;
        p.compute = SGM_BF16;
        check_plain(pool, &p);
        p.dtype = SGM_BF16;
        check_plain(pool, &p);
    }
}

/* Few queries over many keys, as a decoder asks: the same bits whatever the threads, and for a
 * prompt alone and among others. */
static void test_same_bits(sgm_threads *unused)
{
    (void)unused;
    enum { B = 3, NQ = 7, NK = 1100, C = 32 };
    float *q = random_floats(B * NQ * C), *kv = random_floats(NK * C), out[4][B * NQ * C];
    for (int run = 0; run < 4; run++) {
        sgm_threads *pool;
        sgm_attention_args args = {.batch = run < 3 ? B : 1,
                                   .nq = NQ,
                                   .nk = NK,
                                   .heads = 2,
                                   .head_dim = C / 2,
                                   .scale = 0.25f,
                                   .q = q,
                                   .k = kv,
                                   .v = kv,
                                   .q_ld = C,
                                   .k_ld = C,
                                   .v_ld = C,
                                   .q_batch = NQ * C,
                                   .out = out[run],
                                   .out_ld = C,
                                   .out_batch = NQ * C};
        CHECK_OK(sgm_threads_create(run < 3 ? run + 1 : 1, &pool));
        CHECK_OK(sgm_attention_forward(pool, &args));
        sgm_threads_destroy(pool);
        CHECK(!memcmp(out[0], out[run], sizeof(float) * (size_t)(args.batch * NQ * C)));
    }
    free(q), free(kv);
}

/* No query: keys and values owe nothing to anybody. */
static void test_no_queries(sgm_threads *pool)
{
    float kv[16] = {0}, dk[16], dv[16];
    for (int i = 0; i < 16; i++)
        dk[i] = dv[i] = 7;
    sgm_attention_args args = {.batch = 1,
                               .nk = 2,
                               .heads = 1,
                               .head_dim = 8,
                               .scale = 1,
                               .q = kv,
                               .k = kv,
                               .v = kv,
                               .k_ld = 8,
                               .v_ld = 8,
                               .out = kv};
    sgm_attention_grads grads = {.dk = dk, .dv = dv, .accumulate_v = true};
    CHECK_OK(sgm_attention_backward(pool, &args, &grads));
    for (int i = 0; i < 16; i++)
        CHECK(dk[i] == 0 && dv[i] == 7);
}

static void test_nan_spreads(sgm_threads *pool)
{
    float q[8] = {0}, k[16] = {0}, v[16] = {0}, out[8] = {0};
    k[3] = NAN;
    sgm_attention_args args = {.batch = 1,
                               .nq = 1,
                               .nk = 2,
                               .heads = 1,
                               .head_dim = 8,
                               .scale = 1,
                               .q = q,
                               .k = k,
                               .v = v,
                               .q_ld = 8,
                               .k_ld = 8,
                               .v_ld = 8,
                               .out = out,
                               .out_ld = 8};
    CHECK_OK(sgm_attention_forward(pool, &args));
    CHECK(isnan(out[0]));
    args.head_dim = 257;
    CHECK_STATUS(sgm_attention_forward(pool, &args), SGM_INVALID_ARGUMENT, "257");
}

int main(void)
{
    under_each_isa(test_grid);
    under_each_isa(test_plain);
    under_each_isa(test_no_queries);
    under_each_isa(test_nan_spreads);
    under_each_isa(test_same_bits);
    return check_report();
}
