/* Layers with weights, and layer norm. */
#include <math.h>

#include "backend/ref/ref_ops.h"

/* ------------------------------------------------------------------------------------- linear */

sgm_status sgm_ref_linear(const sgm_step *step)
{
    const float *x = sgm_f(&step->in[0]), *w = sgm_f(&step->in[1]), *b = sgm_f(&step->in[2]);
    float *y = sgm_fm(&step->out);
    int64_t rows = sgm_row_count(step->in[0].shape), K = sgm_last_dim(step->in[0].shape);
    int64_t N = sgm_last_dim(step->out.shape);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t n = 0; n < N; n++) {
            double sum = b ? b[n] : 0;
            for (int64_t k = 0; k < K; k++)
                sum += (double)x[r * K + k] * w[n * K + k];
            y[r * N + n] = (float)sum;
        }
    return SGM_OK;
}

/* Sums of neighbours are taken side by side, as they lie in memory; each keeps its order. */
enum { SIDE_BY_SIDE = 16 };

static int64_t neighbours(int64_t first, int64_t count)
{
    return count - first < SIDE_BY_SIDE ? count - first : SIDE_BY_SIDE;
}

static void add_row(double *sums, int64_t count, double factor, const float *row)
{
    for (int64_t i = 0; i < count; i++)
        sums[i] += factor * row[i];
}

/* to[c] (+)= sum over r of factor[r * step] * rows[r * C + c]. */
static void sum_rows(float *to, bool accumulate, const float *factor, int64_t step,
                     const float *rows, int64_t R, int64_t C)
{
    for (int64_t first = 0; first < C; first += SIDE_BY_SIDE) {
        double sums[SIDE_BY_SIDE] = {0};
        int64_t count = neighbours(first, C);
        for (int64_t r = 0; r < R; r++)
            add_row(sums, count, factor[r * step], rows + r * C + first);
        for (int64_t c = 0; c < count; c++)
            sgm_put(&to[first + c], sums[c], accumulate);
    }
}

/* dx = dy w, dw = dy^T x, db = sum of dy over rows. */
sgm_status sgm_ref_linear_backward(const sgm_step *step)
{
    const float *x = sgm_f(&step->in[0]), *w = sgm_f(&step->in[1]), *dy = sgm_f(&step->grad_out);
    float *dx = sgm_fm(&step->grad_in[0]), *dw = sgm_fm(&step->grad_in[1]);
    float *db = sgm_fm(&step->grad_in[2]);
    int64_t rows = sgm_row_count(step->in[0].shape), K = sgm_last_dim(step->in[0].shape);
    int64_t N = sgm_last_dim(step->out.shape);
    for (int64_t r = 0; dx && r < rows; r++)
        sum_rows(dx + r * K, step->accumulate[0], dy + r * N, 1, w, N, K);
    for (int64_t n = 0; dw && n < N; n++)
        sum_rows(dw + n * K, step->accumulate[1], dy + n, N, x, rows, K);
    for (int64_t n = 0; db && n < N; n++) {
        double sum = 0;
        for (int64_t r = 0; r < rows; r++)
            sum += dy[r * N + n];
        sgm_put(&db[n], sum, step->accumulate[2]);
    }
    return SGM_OK;
}

/* -------------------------------------------------------------------------------- convolution */

typedef struct conv {
    int64_t B, H, W, I, O, kh, kw, H2, W2, Ig, Og;
    int stride, pad;
} conv;

static conv conv_sizes(const sgm_step *step)
{
    const int64_t *x = step->in[0].shape.dim, *w = step->in[1].shape.dim, *y = step->out.shape.dim;
    int groups = step->node->u.conv.groups;
    return (conv){x[0],
                  x[1],
                  x[2],
                  x[3],
                  w[0],
                  w[2],
                  w[3],
                  y[1],
                  y[2],
                  w[1],
                  w[0] / groups,
                  step->node->u.conv.stride,
                  step->node->u.conv.pad};
}

/* Calls for each (output pixel, kernel tap) pair inside the image, via the loops below. */
#define FOR_EACH_TAP(c)                                                                            \
    for (int64_t b = 0; b < c.B; b++)                                                              \
        for (int64_t y = 0; y < c.H2; y++)                                                         \
            for (int64_t x = 0; x < c.W2; x++)                                                     \
                for (int64_t ky = 0; ky < c.kh; ky++)                                              \
                    for (int64_t kx = 0; kx < c.kw; kx++)

/* Index of the input pixel's first channel under a tap, -1 outside the image. */
static int64_t tap(const conv *c, int64_t b, int64_t y, int64_t x, int64_t ky, int64_t kx)
{
    int64_t iy = y * c->stride - c->pad + ky, ix = x * c->stride - c->pad + kx;
    if (iy < 0 || iy >= c->H || ix < 0 || ix >= c->W) return -1;
    return ((b * c->H + iy) * c->W + ix) * c->I;
}

sgm_status sgm_ref_conv2d(const sgm_step *step)
{
    const float *in = sgm_f(&step->in[0]), *w = sgm_f(&step->in[1]), *bias = sgm_f(&step->in[2]);
    float *out = sgm_fm(&step->out);
    conv c = conv_sizes(step);
    for (int64_t p = 0; p < c.B * c.H2 * c.W2; p++)
        for (int64_t o = 0; o < c.O; o++) {
            int64_t b = p / (c.H2 * c.W2), y = p / c.W2 % c.H2, x = p % c.W2;
            double sum = bias ? bias[o] : 0;
            for (int64_t ky = 0; ky < c.kh; ky++)
                for (int64_t kx = 0; kx < c.kw; kx++) {
                    int64_t at = tap(&c, b, y, x, ky, kx);
                    for (int64_t i = 0; at >= 0 && i < c.Ig; i++)
                        sum += (double)in[at + o / c.Og * c.Ig + i] *
                               w[((o * c.Ig + i) * c.kh + ky) * c.kw + kx];
                }
            out[p * c.O + o] = (float)sum;
        }
    return SGM_OK;
}

static void conv_data_gradient(const sgm_step *step, const conv *sizes)
{
    const conv c = *sizes;
    const float *w = sgm_f(&step->in[1]), *dy = sgm_f(&step->grad_out);
    float *dx = sgm_fm(&step->grad_in[0]);
    sgm_ref_clear_grad(step, 0);
    FOR_EACH_TAP(c)
    {
        int64_t at = tap(&c, b, y, x, ky, kx), p = (b * c.H2 + y) * c.W2 + x;
        for (int64_t o = 0; at >= 0 && o < c.O; o++)
            for (int64_t i = 0; i < c.Ig; i++)
                dx[at + o / c.Og * c.Ig + i] +=
                    dy[p * c.O + o] * w[((o * c.Ig + i) * c.kh + ky) * c.kw + kx];
    }
}

/* Of one tap and `count` input channels from `first` on. */
static void tap_gradient(const sgm_step *step, const conv *c, int64_t o, int64_t k, int64_t first,
                         int64_t count)
{
    const float *in = sgm_f(&step->in[0]), *dy = sgm_f(&step->grad_out);
    float *dw = sgm_fm(&step->grad_in[1]);
    double sums[SIDE_BY_SIDE] = {0};
    for (int64_t p = 0; p < c->B * c->H2 * c->W2; p++) {
        int64_t at =
            tap(c, p / (c->H2 * c->W2), p / c->W2 % c->H2, p % c->W2, k / c->kw, k % c->kw);
        if (at >= 0) add_row(sums, count, dy[p * c->O + o], in + at + o / c->Og * c->Ig + first);
    }
    for (int64_t i = 0; i < count; i++)
        sgm_put(&dw[(o * c->Ig + first + i) * c->kh * c->kw + k], sums[i], step->accumulate[1]);
}

static void conv_weight_gradient(const sgm_step *step, const conv *c)
{
    for (int64_t o = 0; o < c->O; o++)
        for (int64_t k = 0; k < c->kh * c->kw; k++)
            for (int64_t i = 0; i < c->Ig; i += SIDE_BY_SIDE)
                tap_gradient(step, c, o, k, i, neighbours(i, c->Ig));
}

/* db = sum of dy over all pixels; shared by both convolutions. */
static void bias_gradient(const sgm_step *step)
{
    const float *dy = sgm_f(&step->grad_out);
    float *db = sgm_fm(&step->grad_in[2]);
    int64_t rows = sgm_row_count(step->grad_out.shape), O = sgm_last_dim(step->grad_out.shape);
    for (int64_t o = 0; db && o < O; o++) {
        double sum = 0;
        for (int64_t r = 0; r < rows; r++)
            sum += dy[r * O + o];
        sgm_put(&db[o], sum, step->accumulate[2]);
    }
}

sgm_status sgm_ref_conv2d_backward(const sgm_step *step)
{
    conv c = conv_sizes(step);
    if (step->grad_in[0].data) conv_data_gradient(step, &c);
    if (step->grad_in[1].data) conv_weight_gradient(step, &c);
    bias_gradient(step);
    return SGM_OK;
}

/* ----------------------------------------------------------------------- transposed convolution */

/* Index of output pixel (2y + ky, 2x + kx)'s first channel for input pixel p. */
static int64_t up_pixel(const sgm_step *step, int64_t p, int64_t ky, int64_t kx)
{
    const int64_t *d = step->in[0].shape.dim;
    int64_t b = p / (d[1] * d[2]), y = p / d[2] % d[1], x = p % d[2];
    return ((b * 2 * d[1] + 2 * y + ky) * 2 * d[2] + 2 * x + kx) * sgm_last_dim(step->out.shape);
}

sgm_status sgm_ref_conv_transpose(const sgm_step *step)
{
    const float *in = sgm_f(&step->in[0]), *w = sgm_f(&step->in[1]), *bias = sgm_f(&step->in[2]);
    float *out = sgm_fm(&step->out);
    int64_t rows = sgm_row_count(step->in[0].shape), I = sgm_last_dim(step->in[0].shape);
    int64_t O = sgm_last_dim(step->out.shape);
    for (int64_t p = 0; p < rows; p++)
        for (int64_t k = 0; k < 4; k++)
            for (int64_t o = 0; o < O; o++) {
                double sum = bias ? bias[o] : 0;
                for (int64_t i = 0; i < I; i++)
                    sum += (double)in[p * I + i] * w[(i * O + o) * 4 + k];
                out[up_pixel(step, p, k / 2, k % 2) + o] = (float)sum;
            }
    return SGM_OK;
}

sgm_status sgm_ref_conv_transpose_backward(const sgm_step *step)
{
    const float *in = sgm_f(&step->in[0]), *w = sgm_f(&step->in[1]), *dy = sgm_f(&step->grad_out);
    float *dx = sgm_fm(&step->grad_in[0]), *dw = sgm_fm(&step->grad_in[1]);
    int64_t rows = sgm_row_count(step->in[0].shape), I = sgm_last_dim(step->in[0].shape);
    int64_t O = sgm_last_dim(step->out.shape);
    for (int64_t p = 0; dx && p < rows; p++)
        for (int64_t i = 0; i < I; i++) {
            double sum = 0;
            for (int64_t k = 0; k < 4; k++)
                for (int64_t o = 0; o < O; o++)
                    sum += (double)dy[up_pixel(step, p, k / 2, k % 2) + o] * w[(i * O + o) * 4 + k];
            sgm_put(&dx[p * I + i], sum, step->accumulate[0]);
        }
    for (int64_t i = 0; dw && i < I; i++)
        for (int64_t k = 0; k < 4; k++)
            for (int64_t o = 0; o < O; o += SIDE_BY_SIDE) {
                double sums[SIDE_BY_SIDE] = {0};
                int64_t count = neighbours(o, O);
                for (int64_t p = 0; p < rows; p++)
                    add_row(sums, count, in[p * I + i], dy + up_pixel(step, p, k / 2, k % 2) + o);
                for (int64_t c = 0; c < count; c++)
                    sgm_put(&dw[(i * O + o + c) * 4 + k], sums[c], step->accumulate[1]);
            }
    bias_gradient(step);
    return SGM_OK;
}

/* ---------------------------------------------------------------------------------- layer norm */

/* Mean and 1 / sqrt(variance + eps) of a row (population variance, as PyTorch). */
static void row_statistics(const float *x, int64_t C, double eps, double *mean, double *rstd)
{
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < C; c++)
        sum += x[c];
    *mean = sum / (double)C;
    for (int64_t c = 0; c < C; c++)
        squares += (x[c] - *mean) * (x[c] - *mean);
    *rstd = 1 / sqrt(squares / (double)C + eps);
}

sgm_status sgm_ref_layernorm(const sgm_step *step)
{
    const float *x = sgm_f(&step->in[0]), *g = sgm_f(&step->in[1]), *b = sgm_f(&step->in[2]);
    float *y = sgm_fm(&step->out);
    int64_t rows = sgm_row_count(step->out.shape), C = sgm_last_dim(step->out.shape);
    for (int64_t r = 0; r < rows; r++, x += C, y += C) {
        double mean, rstd;
        row_statistics(x, C, step->node->u.norm.eps, &mean, &rstd);
        for (int64_t c = 0; c < C; c++)
            y[c] = (float)((x[c] - mean) * rstd * g[c] + b[c]);
    }
    return SGM_OK;
}

/* With n = (x - mean) rstd and d = dy gamma: dx = rstd (d - mean(d) - n mean(d n)). */
sgm_status sgm_ref_layernorm_backward(const sgm_step *step)
{
    const float *x = sgm_f(&step->in[0]), *g = sgm_f(&step->in[1]), *dy = sgm_f(&step->grad_out);
    float *dx = sgm_fm(&step->grad_in[0]), *dg = sgm_fm(&step->grad_in[1]);
    float *db = sgm_fm(&step->grad_in[2]);
    int64_t rows = sgm_row_count(step->out.shape), C = sgm_last_dim(step->out.shape);
    sgm_ref_clear_grad(step, 1);
    sgm_ref_clear_grad(step, 2);
    for (int64_t r = 0; r < rows; r++, x += C, dy += C) {
        double mean, rstd, sum_d = 0, sum_dn = 0;
        row_statistics(x, C, step->node->u.norm.eps, &mean, &rstd);
        for (int64_t c = 0; c < C; c++) {
            double n = (x[c] - mean) * rstd, d = (double)dy[c] * g[c];
            sum_d += d;
            sum_dn += d * n;
            if (dg) dg[c] += (float)(dy[c] * n);
            if (db) db[c] += dy[c];
        }
        for (int64_t c = 0; dx && c < C; c++) {
            double n = (x[c] - mean) * rstd, d = (double)dy[c] * g[c];
            sgm_put(&dx[r * C + c], rstd * (d - sum_d / (double)C - n * sum_dn / (double)C),
                    step->accumulate[0]);
        }
    }
    return SGM_OK;
}
