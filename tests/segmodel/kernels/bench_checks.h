/* Results of the kernels at a few random places, in double: bench_kernels looks at them before it
 * measures. The kernel tests are thorough; this catches a benchmark that times something else.
 *
 * Limits: operands are uniform in [-1, 1), so a sum of n products has a deviation of sqrt(n) / 3;
 * rounding adds 2^-9 of each term in BF16, 2^-24 in F32. */
#ifndef SEGMODEL_TESTS_BENCH_CHECKS_H
#define SEGMODEL_TESTS_BENCH_CHECKS_H

#include "backend/cpu/kernels/attention.h"
#include "backend/cpu/kernels/attention_grid.h"
#include "backend/cpu/kernels/convolution.h"
#include "kernel_test.h"

enum { BENCH_PLACES = 12, BENCH_QUERIES = 3 };

static int64_t random_index(int64_t count)
{
    int64_t i = (int64_t)((1 + (double)random_value()) / 2 * (double)count);
    return i < count ? i : count - 1;
}

static double value_at(const void *values, sgm_dtype dtype, int64_t i)
{
    return dtype == SGM_F32 ? ((const float *)values)[i]
                            : widen_bf16(((const uint16_t *)values)[i]);
}

static double sum_limit(double terms, sgm_dtype dtype)
{
    return (dtype == SGM_F32 ? 1e-5 : 1e-2) * sqrt(terms + 1);
}

/* out[m, n] = act(a[m, k] w[n, k]^T) */
static void check_linear(const float *a, const float *w, const sgm_epilogue *e, int64_t m,
                         int64_t n, int64_t k, sgm_dtype dtype)
{
    for (int s = 0; s < 4 * BENCH_PLACES; s++) {
        int64_t i = random_index(m), j = random_index(n);
        double sum = 0;
        for (int64_t x = 0; x < k; x++)
            sum += (double)a[i * k + x] * w[j * k + x];
        CHECK_NEAR(value_at(e->out, e->out_dtype, i * n + j), act_exact(e->act, sum),
                   sum_limit((double)k, dtype));
    }
}

static void check_matmul(const sgm_matmul_args *p)
{
    const float *a = p->a, *b = p->b, *c = p->c;
    for (int s = 0; s < BENCH_PLACES; s++) {
        int64_t i = random_index(p->m), j = random_index(p->n);
        double sum = 0;
        for (int64_t x = 0; x < p->k; x++)
            sum += (double)a[p->transpose_a ? x * p->lda + i : i * p->lda + x] *
                   b[p->transpose_b ? j * p->ldb + x : x * p->ldb + j];
        CHECK_NEAR(c[i * p->ldc + j], sum, sum_limit((double)p->k, p->compute));
    }
}

/* ----------------------------------------------------------------------------------- attention */

/* One window of one head of SGM_QKV_SAM, its operands in double. */
typedef struct bench_window {
    const sgm_attention_grid_args *a;
    const float *qkv; /* the values of a->qkv */
    int head;
    int64_t image, top, left, rows, columns;
} bench_window;

/* Element d of q (0), k (1) or v (2) of a token; padding outside the grid. */
static double bench_token(const bench_window *w, int which, int64_t y, int64_t x, int d)
{
    const sgm_attention_grid_args *a = w->a;
    int64_t channels = (int64_t)a->heads * a->head_dim;
    int64_t at = which * channels + (int64_t)w->head * a->head_dim + d;
    y += w->top, x += w->left;
    if (y >= a->height || x >= a->width) return a->pad ? a->pad[at] : 0;
    return w->qkv[((w->image * a->height + y) * a->width + x) * 3 * channels + at];
}

static double bench_score(const bench_window *w, int64_t qy, int64_t qx, int64_t ky, int64_t kx)
{
    const sgm_attention_grid_args *a = w->a;
    double sum = 0;
    for (int d = 0; d < a->head_dim; d++) {
        double q = bench_token(w, 0, qy, qx, d);
        sum += a->scale * q * bench_token(w, 1, ky, kx, d);
        if (a->bias == SGM_BIAS_REL_POS)
            sum += q * ((double)a->rel_h[(qy - ky + w->rows - 1) * a->head_dim + d] +
                        a->rel_w[(qx - kx + w->columns - 1) * a->head_dim + d]);
    }
    if (a->bias == SGM_BIAS_TABLE)
        sum +=
            a->table[w->head * w->rows * w->columns + llabs(qy - ky) * w->columns + llabs(qx - kx)];
    return sum;
}

/* Probabilities of a query over the window's keys, malloc'ed. */
static double *bench_probabilities(const bench_window *w, int64_t qy, int64_t qx)
{
    int64_t n = w->rows * w->columns;
    double *p = malloc((size_t)n * sizeof *p), top = -1e300, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        p[i] = bench_score(w, qy, qx, i / w->columns, i % w->columns);
        top = p[i] > top ? p[i] : top;
    }
    for (int64_t i = 0; i < n; i++)
        sum += p[i] = exp(p[i] - top);
    for (int64_t i = 0; i < n; i++)
        p[i] /= sum;
    return p;
}

/* A random token of the grid and its window; y, x inside the window. */
static bench_window random_token(const sgm_attention_grid_args *a, const float *qkv, int64_t *y,
                                 int64_t *x)
{
    bench_window w = {a, qkv, (int)random_index(a->heads),       random_index(a->batch),
                      0, 0,   a->window ? a->window : a->height, a->window ? a->window : a->width};
    *y = random_index(a->height);
    *x = random_index(a->width);
    w.top = *y / w.rows * w.rows;
    w.left = *x / w.columns * w.columns;
    *y -= w.top;
    *x -= w.left;
    return w;
}

static int64_t out_index(const bench_window *w, int64_t y, int64_t x)
{
    const sgm_attention_grid_args *a = w->a;
    return ((w->image * a->height + w->top + y) * a->width + w->left + x) * a->heads * a->head_dim +
           (int64_t)w->head * a->head_dim;
}

static void check_grid(const sgm_attention_grid_args *a, const float *qkv)
{
    for (int s = 0; s < BENCH_QUERIES; s++) {
        int64_t y, x;
        bench_window w = random_token(a, qkv, &y, &x);
        double *p = bench_probabilities(&w, y, x);
        for (int d = 0; d < a->head_dim; d++) {
            double sum = 0;
            for (int64_t i = 0; i < w.rows * w.columns; i++)
                sum += p[i] * bench_token(&w, 2, i / w.columns, i % w.columns, d);
            CHECK_NEAR(value_at(a->out, a->out_dtype, out_index(&w, y, x) + d), sum,
                       a->compute == SGM_F32 ? 1e-5 : 5e-2);
        }
        free(p);
    }
}

/* Gradients of the scores of one query: p (dp - sum p dp), dp = dout . v. Replaces p. */
static void score_gradients(const bench_window *w, const float *dout, int64_t qy, int64_t qx,
                            double *p)
{
    int64_t n = w->rows * w->columns, at = out_index(w, qy, qx);
    double *dp = calloc((size_t)n, sizeof *dp), mean = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int d = 0; d < w->a->head_dim; d++)
            dp[i] += dout[at + d] * bench_token(w, 2, i / w->columns, i % w->columns, d);
        mean += p[i] * dp[i];
    }
    for (int64_t i = 0; i < n; i++)
        p[i] *= dp[i] - mean;
    free(dp);
}

/* dq of a few tokens: it needs everything that dk, dv and the bias's gradients are sums of. */
static void check_grid_backward(const sgm_attention_grid_args *a,
                                const sgm_attention_grid_grads *grads, const float *qkv)
{
    for (int s = 0; s < BENCH_QUERIES; s++) {
        int64_t y, x;
        bench_window w = random_token(a, qkv, &y, &x);
        double *p = bench_probabilities(&w, y, x);
        score_gradients(&w, grads->dout, y, x, p);
        int64_t channels = (int64_t)a->heads * a->head_dim;
        int64_t at = out_index(&w, y, x) / channels * 3 * channels + (int64_t)w.head * a->head_dim;
        for (int d = 0; d < a->head_dim; d++) {
            double sum = 0;
            for (int64_t i = 0; i < w.rows * w.columns; i++) {
                int64_t ky = i / w.columns, kx = i % w.columns;
                double bias = a->bias != SGM_BIAS_REL_POS
                                  ? 0
                                  : (double)a->rel_h[(y - ky + w.rows - 1) * a->head_dim + d] +
                                        a->rel_w[(x - kx + w.columns - 1) * a->head_dim + d];
                sum += p[i] * (a->scale * bench_token(&w, 1, ky, kx, d) + bias);
            }
            CHECK_NEAR(grads->dqkv[at + d], sum, 1e-4);
        }
        free(p);
    }
}

static void check_plain(const sgm_attention_args *a)
{
    const float *q = a->q, *k = a->k, *v = a->v;
    double *p = malloc((size_t)a->nk * sizeof *p);
    for (int s = 0; s < BENCH_QUERIES; s++) {
        int64_t i = random_index(a->nq), from = random_index(a->heads) * a->head_dim;
        double top = -1e300, sum = 0;
        for (int64_t j = 0; j < a->nk; j++) {
            p[j] = 0;
            for (int d = 0; d < a->head_dim; d++)
                p[j] += a->scale * (double)q[i * a->q_ld + from + d] * k[j * a->k_ld + from + d];
            top = p[j] > top ? p[j] : top;
        }
        for (int64_t j = 0; j < a->nk; j++)
            sum += p[j] = exp(p[j] - top);
        for (int d = 0; d < a->head_dim; d++) {
            double want = 0;
            for (int64_t j = 0; j < a->nk; j++)
                want += p[j] / sum * v[j * a->v_ld + from + d];
            CHECK_NEAR(((const float *)a->out)[i * a->out_ld + from + d], want,
                       a->compute == SGM_F32 ? 1e-5 : 5e-2);
        }
    }
    free(p);
}

/* --------------------------------------------------------------------------------- convolutions */

typedef struct bench_conv_place {
    int64_t image, y, x, channel;
} bench_conv_place;

static int64_t place_index(bench_conv_place p, int64_t height, int64_t width, int64_t channels)
{
    return ((p.image * height + p.y) * width + p.x) * channels + p.channel;
}

static bench_conv_place random_place(int64_t batch, int64_t height, int64_t width, int64_t channels)
{
    return (bench_conv_place){random_index(batch), random_index(height), random_index(width),
                              random_index(channels)};
}

/* w[outputs, channels or 1, kh, kw] */
static double conv_weight(const sgm_conv_shape *s, bool deep, const float *w, int64_t o, int64_t c,
                          int i, int j)
{
    int64_t inner = deep ? 1 : s->channels;
    return w[((o * inner + (deep ? 0 : c)) * s->kernel_h + i) * s->kernel_w + j];
}

static double conv_exact(const sgm_conv_shape *s, bool deep, const float *x, const float *w,
                         bench_conv_place p)
{
    double sum = 0;
    for (int64_t c = deep ? p.channel : 0; c < (deep ? p.channel + 1 : s->channels); c++)
        for (int i = 0; i < s->kernel_h; i++)
            for (int j = 0; j < s->kernel_w; j++) {
                bench_conv_place at = {p.image, p.y * s->stride + i - s->pad,
                                       p.x * s->stride + j - s->pad, c};
                if (at.y < 0 || at.x < 0 || at.y >= s->height || at.x >= s->width) continue;
                sum += (double)x[place_index(at, s->height, s->width, s->channels)] *
                       conv_weight(s, deep, w, p.channel, c, i, j);
            }
    return sum;
}

static double transposed_exact(const sgm_conv_shape *s, const float *x, const float *w,
                               bench_conv_place p)
{
    double sum = 0;
    for (int64_t c = 0; c < s->channels; c++) {
        bench_conv_place at = {p.image, p.y / 2, p.x / 2, c};
        sum += (double)x[place_index(at, s->height, s->width, s->channels)] *
               w[((c * s->outputs + p.channel) * 2 + p.y % 2) * 2 + p.x % 2];
    }
    return sum;
}

/* Forward, with the activation of the epilogue and a bias of zeros. */
static void check_conv(const sgm_conv_shape *s, bool deep, bool transposed, const float *x,
                       const float *w, const sgm_epilogue *e, sgm_dtype dtype)
{
    int64_t height = transposed ? 2 * s->height : sgm_conv_out_height(s);
    int64_t width = transposed ? 2 * s->width : sgm_conv_out_width(s);
    double terms = (double)(deep ? 1 : s->channels) * (transposed ? 1 : s->kernel_h * s->kernel_w);
    for (int k = 0; k < BENCH_PLACES; k++) {
        bench_conv_place p = random_place(s->batch, height, width, s->outputs);
        double sum = transposed ? transposed_exact(s, x, w, p) : conv_exact(s, deep, x, w, p);
        CHECK_NEAR(value_at(e->out, e->out_dtype, place_index(p, height, width, s->outputs)),
                   act_exact(e->act, sum), sum_limit(terms, dtype));
    }
}

/* dx of one place: every output that reads it. */
static double conv_dx(const sgm_conv_shape *s, bool deep, const sgm_conv_grads *g,
                      bench_conv_place p)
{
    int64_t height = sgm_conv_out_height(s), width = sgm_conv_out_width(s);
    double sum = 0;
    for (int64_t o = deep ? p.channel : 0; o < (deep ? p.channel + 1 : s->outputs); o++)
        for (int i = 0; i < s->kernel_h; i++)
            for (int j = 0; j < s->kernel_w; j++) {
                int64_t y = p.y + s->pad - i, x = p.x + s->pad - j;
                if (y < 0 || x < 0 || y % s->stride || x % s->stride) continue;
                bench_conv_place at = {p.image, y / s->stride, x / s->stride, o};
                if (at.y >= height || at.x >= width) continue;
                sum += (double)g->dout[place_index(at, height, width, s->outputs)] *
                       conv_weight(s, deep, g->w, o, p.channel, i, j);
            }
    return sum;
}

/* dw of output o, channel c, tap i, j. */
static double conv_dw(const sgm_conv_shape *s, const sgm_conv_grads *g, const float *values,
                      int64_t o, int64_t c, int i, int j)
{
    int64_t height = sgm_conv_out_height(s), width = sgm_conv_out_width(s);
    double sum = 0;
    for (int64_t k = 0; k < s->batch * height * width; k++) {
        bench_conv_place out = {k / (height * width), k / width % height, k % width, o};
        bench_conv_place in = {out.image, out.y * s->stride + i - s->pad,
                               out.x * s->stride + j - s->pad, c};
        if (in.y < 0 || in.x < 0 || in.y >= s->height || in.x >= s->width) continue;
        sum += (double)g->dout[place_index(out, height, width, s->outputs)] *
               values[place_index(in, s->height, s->width, s->channels)];
    }
    return sum;
}

static void check_conv_backward(const sgm_conv_shape *s, bool deep, const sgm_conv_grads *g,
                                const float *x)
{
    int64_t pixels = s->batch * sgm_conv_out_height(s) * sgm_conv_out_width(s);
    double taps = s->kernel_h * s->kernel_w;
    for (int k = 0; k < BENCH_PLACES; k++) {
        bench_conv_place p = random_place(s->batch, s->height, s->width, s->channels);
        CHECK_NEAR(g->dx[place_index(p, s->height, s->width, s->channels)], conv_dx(s, deep, g, p),
                   sum_limit(taps * (double)(deep ? 1 : s->outputs), g->compute));
        int64_t o = random_index(s->outputs), c = deep ? o : random_index(s->channels);
        int i = (int)random_index(s->kernel_h), j = (int)random_index(s->kernel_w);
        int64_t at = (o * (deep ? 1 : s->channels) + (deep ? 0 : c)) * s->kernel_h + i;
        CHECK_NEAR(g->dw[at * s->kernel_w + j], conv_dw(s, g, x, o, c, i, j),
                   sum_limit((double)pixels, g->compute));
    }
}

/* --------------------------------------------------------------------------------- memory-bound */

static void check_norm(const float *x, const float *y, int64_t m, int64_t c, double eps)
{
    for (int s = 0; s < BENCH_PLACES; s++) {
        int64_t row = random_index(m), at = row * c + random_index(c);
        double mean = 0, square = 0;
        for (int64_t i = 0; i < c; i++) {
            mean += x[row * c + i] / (double)c;
            square += (double)x[row * c + i] * x[row * c + i] / (double)c;
        }
        CHECK_NEAR(y[at], (x[at] - mean) / sqrt(square - mean * mean + eps), 1e-5);
    }
}

/* Bilinear, pixel centres at halves, `times` times as many pixels a side. */
static void check_resize(const float *x, const float *y, int64_t side, int64_t times)
{
    for (int s = 0; s < BENCH_PLACES; s++) {
        int64_t at[2] = {random_index(side * times), random_index(side * times)}, low[2];
        double part[2];
        for (int a = 0; a < 2; a++) {
            double place = ((double)at[a] + 0.5) / (double)times - 0.5;
            place = place < 0 ? 0 : place;
            low[a] = (int64_t)place < side - 1 ? (int64_t)place : side - 2;
            part[a] = place - (double)low[a] < 1 ? place - (double)low[a] : 1;
        }
        const float *p = x + low[0] * side + low[1];
        double upper = p[0] * (1 - part[1]) + p[1] * part[1];
        double lower = p[side] * (1 - part[1]) + p[side + 1] * part[1];
        CHECK_NEAR(y[at[0] * side * times + at[1]], upper * (1 - part[0]) + lower * part[0], 1e-5);
    }
}

#endif
