/* Attention: one query at a time, its probabilities in scratch. */
#include <math.h>
#include <string.h>

#include "backend/ref/ref_ops.h"

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static void softmax_in_place(double *p, int64_t n)
{
    double top = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        top = p[i] > top ? p[i] : top;
    for (int64_t i = 0; i < n; i++)
        sum += p[i] = exp(p[i] - top);
    for (int64_t i = 0; i < n; i++)
        p[i] /= sum;
}

/* ------------------------------------------------------------------------------------- general */

typedef struct attn {
    int64_t B, N, M, C, D, kv_batch;
    int heads;
    double scale;
} attn;

static attn attn_sizes(const sgm_step *step)
{
    const int64_t *q = step->in[0].shape.dim, *k = step->in[1].shape.dim;
    int heads = step->node->u.attention.heads;
    return (attn){q[0], q[1], k[1], q[2], q[2] / heads, k[0], heads, step->node->u.attention.scale};
}

/* Offset of head h of token n of batch b. */
static int64_t at(const attn *a, int64_t b, int64_t n, int64_t tokens, int64_t h)
{
    return (b * tokens + n) * a->C + h * a->D;
}

static void probabilities(const sgm_step *step, const attn *a, int64_t b, int64_t n, int64_t h,
                          double *p)
{
    const float *q = sgm_f(&step->in[0]) + at(a, b, n, a->N, h);
    int64_t kb = a->kv_batch == 1 ? 0 : b;
    for (int64_t m = 0; m < a->M; m++)
        p[m] = a->scale * dot(q, sgm_f(&step->in[1]) + at(a, kb, m, a->M, h), a->D);
    softmax_in_place(p, a->M);
}

sgm_status sgm_ref_attention(const sgm_step *step)
{
    attn a = attn_sizes(step);
    double *p = step->scratch;
    for (int64_t i = 0; i < a.B * a.N * a.heads; i++) {
        int64_t b = i / (a.N * a.heads), n = i / a.heads % a.N, h = i % a.heads;
        int64_t kb = a.kv_batch == 1 ? 0 : b;
        float *out = sgm_fm(&step->out) + at(&a, b, n, a.N, h);
        probabilities(step, &a, b, n, h, p);
        for (int64_t d = 0; d < a.D; d++) {
            double sum = 0;
            for (int64_t m = 0; m < a.M; m++)
                sum += p[m] * sgm_f(&step->in[2])[at(&a, kb, m, a.M, h) + d];
            out[d] = (float)sum;
        }
    }
    return SGM_OK;
}

/* With P the probabilities and dP = dO V^T: dS = P (dP - sum(P dP)), dQ = s dS K, dK = s dS^T Q,
 * dV = P^T dO. */
sgm_status sgm_ref_attention_backward(const sgm_step *step)
{
    attn a = attn_sizes(step);
    double *p = step->scratch, *ds = p + a.M;
    float *dq = sgm_fm(&step->grad_in[0]), *dk = sgm_fm(&step->grad_in[1]);
    float *dv = sgm_fm(&step->grad_in[2]);
    for (int i = 0; i < 3; i++)
        sgm_ref_clear_grad(step, i);
    for (int64_t i = 0; i < a.B * a.N * a.heads; i++) {
        int64_t b = i / (a.N * a.heads), n = i / a.heads % a.N, h = i % a.heads;
        int64_t kb = a.kv_batch == 1 ? 0 : b, qi = at(&a, b, n, a.N, h);
        const float *dout = sgm_f(&step->grad_out) + qi;
        double mean = 0;
        probabilities(step, &a, b, n, h, p);
        for (int64_t m = 0; m < a.M; m++) {
            ds[m] = dot(dout, sgm_f(&step->in[2]) + at(&a, kb, m, a.M, h), a.D);
            mean += p[m] * ds[m];
        }
        for (int64_t m = 0; m < a.M; m++) {
            int64_t ki = at(&a, kb, m, a.M, h);
            double s = a.scale * p[m] * (ds[m] - mean);
            for (int64_t d = 0; d < a.D; d++) {
                if (dq) dq[qi + d] += (float)(s * sgm_f(&step->in[1])[ki + d]);
                if (dk) dk[ki + d] += (float)(s * sgm_f(&step->in[0])[qi + d]);
                if (dv) dv[ki + d] += (float)(p[m] * dout[d]);
            }
        }
    }
    return SGM_OK;
}

/* --------------------------------------------------------------------------------- on the grid */

typedef struct grid {
    int64_t B, H, W, C, D, S_h, S_w, windows_y, windows_x;
    int heads;
    double scale;
    sgm_grid_bias bias;
    sgm_qkv_layout layout;
} grid;

static grid grid_sizes(const sgm_step *step)
{
    const int64_t *d = step->in[0].shape.dim;
    const sgm_node *node = step->node;
    int64_t window = node->u.attention.window, heads = node->u.attention.heads;
    grid g = {.B = d[0], .H = d[1], .W = d[2], .C = d[3] / 3, .D = d[3] / 3 / heads};
    g.S_h = window ? window : g.H;
    g.S_w = window ? window : g.W;
    g.windows_y = (g.H + g.S_h - 1) / g.S_h;
    g.windows_x = (g.W + g.S_w - 1) / g.S_w;
    g.heads = (int)heads;
    g.scale = node->u.attention.scale;
    g.bias = node->u.attention.bias;
    g.layout = node->u.attention.layout;
    return g;
}

/* Offset of part (0 q, 1 k, 2 v) of head h within a token's 3C numbers. */
static int64_t part_offset(const grid *g, int part, int64_t h)
{
    return g->layout == SGM_QKV_SAM ? part * g->C + h * g->D : (h * 3 + part) * g->D;
}

/* One query: batch, window and place in the window. */
typedef struct query {
    int64_t b, top, left, y, x, h;
} query;

/* Index of the token at (y, x) of the query's window, -1 for a padding token. */
static int64_t token(const grid *g, const query *q, int64_t y, int64_t x)
{
    int64_t gy = q->top + y, gx = q->left + x;
    return gy < g->H && gx < g->W ? (q->b * g->H + gy) * g->W + gx : -1;
}

static const float *part_of(const sgm_step *step, const grid *g, int64_t token, int part, int64_t h)
{
    static const float zeros[1024];
    const float *base = token < 0 ? sgm_f(&step->in[1]) : sgm_f(&step->in[0]) + token * 3 * g->C;
    return base ? base + part_offset(g, part, h) : zeros;
}

static float *grad_part(const sgm_step *step, const grid *g, int64_t token, int part, int64_t h)
{
    const sgm_tensor *grad = &step->grad_in[token < 0];
    if (!grad->data) return NULL;
    return sgm_fm(grad) + (token < 0 ? 0 : token * 3 * g->C) + part_offset(g, part, h);
}

static int64_t table_index(const grid *g, const query *q, int64_t y, int64_t x)
{
    int64_t dy = q->y > y ? q->y - y : y - q->y, dx = q->x > x ? q->x - x : x - q->x;
    return (q->h * g->S_h + dy) * g->S_w + dx;
}

static const float *rel_row(const sgm_step *step, const grid *g, int input, int64_t from,
                            int64_t to)
{
    int64_t size = input == 2 ? g->S_h : g->S_w;
    return sgm_f(&step->in[input]) + (from - to + size - 1) * g->D;
}

static void grid_probabilities(const sgm_step *step, const grid *g, const query *q, double *p)
{
    const float *qv = part_of(step, g, token(g, q, q->y, q->x), 0, q->h);
    for (int64_t y = 0; y < g->S_h; y++)
        for (int64_t x = 0; x < g->S_w; x++) {
            const float *k = part_of(step, g, token(g, q, y, x), 1, q->h);
            double score = g->scale * dot(qv, k, g->D);
            if (g->bias == SGM_BIAS_REL_POS)
                score += dot(qv, rel_row(step, g, 2, q->y, y), g->D) +
                         dot(qv, rel_row(step, g, 3, q->x, x), g->D);
            if (g->bias == SGM_BIAS_TABLE) score += sgm_f(&step->in[2])[table_index(g, q, y, x)];
            p[y * g->S_w + x] = score;
        }
    softmax_in_place(p, g->S_h * g->S_w);
}

static void grid_query_forward(const sgm_step *step, const grid *g, const query *q)
{
    double *p = step->scratch;
    float *out = sgm_fm(&step->out) + token(g, q, q->y, q->x) * g->C + q->h * g->D;
    grid_probabilities(step, g, q, p);
    for (int64_t d = 0; d < g->D; d++) {
        double sum = 0;
        for (int64_t m = 0; m < g->S_h * g->S_w; m++)
            sum += p[m] * part_of(step, g, token(g, q, m / g->S_w, m % g->S_w), 2, q->h)[d];
        out[d] = (float)sum;
    }
}

/* y[0..n) += s x, when there is a y. */
static void add_scaled(float *y, double s, const float *x, int64_t n)
{
    for (int64_t i = 0; y && i < n; i++)
        y[i] += (float)(s * x[i]);
}

static void grid_bias_backward(const sgm_step *step, const grid *g, const query *q, int64_t y,
                               int64_t x, double ds)
{
    int64_t self = token(g, q, q->y, q->x);
    const float *qv = part_of(step, g, self, 0, q->h);
    float *dq = grad_part(step, g, self, 0, q->h);
    float *d0 = sgm_fm(&step->grad_in[2]), *d1 = sgm_fm(&step->grad_in[3]);
    if (g->bias == SGM_BIAS_TABLE && d0) d0[table_index(g, q, y, x)] += (float)ds;
    if (g->bias != SGM_BIAS_REL_POS) return;
    add_scaled(dq, ds, rel_row(step, g, 2, q->y, y), g->D);
    add_scaled(dq, ds, rel_row(step, g, 3, q->x, x), g->D);
    if (d0) add_scaled(d0 + (q->y - y + g->S_h - 1) * g->D, ds, qv, g->D);
    if (d1) add_scaled(d1 + (q->x - x + g->S_w - 1) * g->D, ds, qv, g->D);
}

static void grid_query_backward(const sgm_step *step, const grid *g, const query *q)
{
    int64_t keys = g->S_h * g->S_w, self = token(g, q, q->y, q->x);
    double *p = step->scratch, *dp = p + keys, mean = 0;
    const float *qv = part_of(step, g, self, 0, q->h);
    const float *dout = sgm_f(&step->grad_out) + self * g->C + q->h * g->D;
    grid_probabilities(step, g, q, p);
    for (int64_t m = 0; m < keys; m++) {
        dp[m] = dot(dout, part_of(step, g, token(g, q, m / g->S_w, m % g->S_w), 2, q->h), g->D);
        mean += p[m] * dp[m];
    }
    for (int64_t m = 0; m < keys; m++) {
        int64_t y = m / g->S_w, x = m % g->S_w, other = token(g, q, y, x);
        double ds = p[m] * (dp[m] - mean);
        add_scaled(grad_part(step, g, self, 0, q->h), g->scale * ds,
                   part_of(step, g, other, 1, q->h), g->D);
        add_scaled(grad_part(step, g, other, 1, q->h), g->scale * ds, qv, g->D);
        add_scaled(grad_part(step, g, other, 2, q->h), p[m], dout, g->D);
        grid_bias_backward(step, g, q, y, x, ds);
    }
}

/* Every query of every head: real tokens only, padding is never asked. */
static void for_each_query(const sgm_step *step, const grid *g,
                           void (*fn)(const sgm_step *, const grid *, const query *))
{
    for (int64_t t = 0; t < g->B * g->H * g->W * g->heads; t++) {
        int64_t h = t % g->heads, x = t / g->heads % g->W, y = t / g->heads / g->W % g->H;
        query q = {t / g->heads / g->W / g->H,
                   y / g->S_h * g->S_h,
                   x / g->S_w * g->S_w,
                   y % g->S_h,
                   x % g->S_w,
                   h};
        fn(step, g, &q);
    }
}

sgm_status sgm_ref_attention_grid(const sgm_step *step)
{
    grid g = grid_sizes(step);
    for_each_query(step, &g, grid_query_forward);
    return SGM_OK;
}

sgm_status sgm_ref_attention_grid_backward(const sgm_step *step)
{
    grid g = grid_sizes(step);
    for (int i = 0; i < 4; i++)
        sgm_ref_clear_grad(step, i);
    for_each_query(step, &g, grid_query_backward);
    return SGM_OK;
}
