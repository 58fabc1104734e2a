/* Arithmetic with broadcasting, activations, softmax, sums, batched products. */
#include <math.h>

#include "backend/ref/ref_ops.h"

/* Offset in a broadcast operand of the output element with flat index i. */
static int64_t source(sgm_shape out, sgm_shape in, int64_t i)
{
    int64_t offset = 0, stride = 1;
    for (int a = 1; a <= in.ndim; a++) {
        int64_t size = in.dim[in.ndim - a];
        if (size > 1) offset += i % out.dim[out.ndim - a] * stride;
        i /= out.dim[out.ndim - a];
        stride *= size;
    }
    return offset;
}

sgm_status sgm_ref_add(const sgm_step *step)
{
    int64_t count = sgm_shape_count(step->out.shape);
    for (int64_t i = 0; i < count; i++)
        sgm_fm(&step->out)[i] = sgm_f(&step->in[0])[source(step->out.shape, step->in[0].shape, i)] +
                                sgm_f(&step->in[1])[source(step->out.shape, step->in[1].shape, i)];
    return SGM_OK;
}

sgm_status sgm_ref_add_backward(const sgm_step *step)
{
    int64_t count = sgm_shape_count(step->out.shape);
    for (int k = 0; k < 2; k++) {
        if (!step->grad_in[k].data) continue;
        sgm_ref_clear_grad(step, k);
        for (int64_t i = 0; i < count; i++)
            sgm_fm(&step->grad_in[k])[source(step->out.shape, step->in[k].shape, i)] +=
                sgm_f(&step->grad_out)[i];
    }
    return SGM_OK;
}

sgm_status sgm_ref_mul(const sgm_step *step)
{
    int64_t count = sgm_shape_count(step->out.shape);
    for (int64_t i = 0; i < count; i++)
        sgm_fm(&step->out)[i] = sgm_f(&step->in[0])[source(step->out.shape, step->in[0].shape, i)] *
                                sgm_f(&step->in[1])[source(step->out.shape, step->in[1].shape, i)];
    return SGM_OK;
}

sgm_status sgm_ref_mul_backward(const sgm_step *step)
{
    int64_t count = sgm_shape_count(step->out.shape);
    for (int k = 0; k < 2; k++) {
        if (!step->grad_in[k].data) continue;
        sgm_ref_clear_grad(step, k);
        for (int64_t i = 0; i < count; i++)
            sgm_fm(&step->grad_in[k])[source(step->out.shape, step->in[k].shape, i)] +=
                sgm_f(&step->grad_out)[i] *
                sgm_f(&step->in[1 - k])[source(step->out.shape, step->in[1 - k].shape, i)];
    }
    return SGM_OK;
}

sgm_status sgm_ref_affine(const sgm_step *step)
{
    int64_t count = sgm_shape_count(step->out.shape);
    double scale = step->node->u.affine.scale, shift = step->node->u.affine.shift;
    for (int64_t i = 0; i < count; i++)
        sgm_fm(&step->out)[i] = (float)(scale * sgm_f(&step->in[0])[i] + shift);
    return SGM_OK;
}

sgm_status sgm_ref_affine_backward(const sgm_step *step)
{
    int64_t count = sgm_shape_count(step->out.shape);
    double scale = step->node->u.affine.scale;
    for (int64_t i = 0; step->grad_in[0].data && i < count; i++)
        sgm_put(&sgm_fm(&step->grad_in[0])[i], scale * sgm_f(&step->grad_out)[i],
                step->accumulate[0]);
    return SGM_OK;
}

double sgm_ref_act_value(sgm_act act, double x)
{
    switch (act) {
    case SGM_ACT_NONE:
        return x;
    case SGM_ACT_RELU:
        return x <= 0 ? 0 : x; /* NaN stays NaN, and passes its gradient on */
    case SGM_ACT_GELU:
        return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
    case SGM_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case SGM_ACT_TANH:
        return tanh(x);
    case SGM_ACT_LEAKY_RELU:
        return x > 0 ? x : 0.01 * x;
    case SGM_ACT_EXP:
        return exp(x);
    case SGM_ACT_LOG:
        return log(x);
    case SGM_ACT_RSQRT:
        return 1 / sqrt(x);
    }
    return NAN;
}

double sgm_ref_act_slope(sgm_act act, double x, double y)
{
    switch (act) {
    case SGM_ACT_NONE:
        return 1;
    case SGM_ACT_RELU:
        return !(x <= 0);
    case SGM_ACT_GELU:
        return 0.5 * (1 + erf(x * 0.70710678118654752440)) +
               x * 0.39894228040143267794 * exp(-0.5 * x * x);
    case SGM_ACT_SIGMOID:
        return y * (1 - y);
    case SGM_ACT_TANH:
        return 1 - y * y;
    case SGM_ACT_LEAKY_RELU:
        return x > 0 ? 1 : 0.01;
    case SGM_ACT_EXP:
        return y;
    case SGM_ACT_LOG:
        return 1 / x;
    case SGM_ACT_RSQRT:
        return -0.5 * y * y * y;
    }
    return NAN;
}

sgm_status sgm_ref_act(const sgm_step *step)
{
    int64_t count = sgm_shape_count(step->out.shape);
    for (int64_t i = 0; i < count; i++)
        sgm_fm(&step->out)[i] = (float)sgm_ref_act_value(step->node->u.act, sgm_f(&step->in[0])[i]);
    return SGM_OK;
}

sgm_status sgm_ref_act_backward(const sgm_step *step)
{
    int64_t count = sgm_shape_count(step->out.shape);
    for (int64_t i = 0; step->grad_in[0].data && i < count; i++) {
        double x = sgm_f(&step->in[0])[i], y = sgm_ref_act_value(step->node->u.act, x);
        sgm_put(&sgm_fm(&step->grad_in[0])[i],
                sgm_f(&step->grad_out)[i] * sgm_ref_act_slope(step->node->u.act, x, y),
                step->accumulate[0]);
    }
    return SGM_OK;
}

sgm_status sgm_ref_softmax(const sgm_step *step)
{
    int64_t rows = sgm_row_count(step->out.shape), C = sgm_last_dim(step->out.shape);
    for (int64_t r = 0; r < rows; r++) {
        const float *x = sgm_f(&step->in[0]) + r * C;
        double top = -INFINITY, sum = 0;
        for (int64_t c = 0; c < C; c++)
            top = x[c] > top ? x[c] : top;
        for (int64_t c = 0; c < C; c++)
            sum += exp(x[c] - top);
        for (int64_t c = 0; c < C; c++)
            sgm_fm(&step->out)[r * C + c] = (float)(exp(x[c] - top) / sum);
    }
    return SGM_OK;
}

/* dx = y (dy - sum(y dy)); `out` holds the forward result. */
sgm_status sgm_ref_softmax_backward(const sgm_step *step)
{
    int64_t rows = sgm_row_count(step->out.shape), C = sgm_last_dim(step->out.shape);
    for (int64_t r = 0; step->grad_in[0].data && r < rows; r++) {
        const float *y = sgm_f(&step->out) + r * C, *dy = sgm_f(&step->grad_out) + r * C;
        double sum = 0;
        for (int64_t c = 0; c < C; c++)
            sum += (double)y[c] * dy[c];
        for (int64_t c = 0; c < C; c++)
            sgm_put(&sgm_fm(&step->grad_in[0])[r * C + c], y[c] * (dy[c] - sum),
                    step->accumulate[0]);
    }
    return SGM_OK;
}

sgm_status sgm_ref_sum(const sgm_step *step)
{
    int64_t kept = sgm_shape_count(step->out.shape);
    int64_t inner = sgm_shape_count(step->in[0].shape) / kept;
    for (int64_t i = 0; i < kept; i++) {
        double sum = 0;
        for (int64_t k = 0; k < inner; k++)
            sum += sgm_f(&step->in[0])[i * inner + k];
        sgm_fm(&step->out)[i] = (float)sum;
    }
    return SGM_OK;
}

sgm_status sgm_ref_sum_backward(const sgm_step *step)
{
    int64_t kept = sgm_shape_count(step->out.shape);
    int64_t inner = sgm_shape_count(step->in[0].shape) / kept;
    for (int64_t i = 0; step->grad_in[0].data && i < kept * inner; i++)
        sgm_put(&sgm_fm(&step->grad_in[0])[i], sgm_f(&step->grad_out)[i / inner],
                step->accumulate[0]);
    return SGM_OK;
}

typedef struct product {
    int64_t B, M, N, K, a_step, b_step; /* steps are 0 for a broadcast operand */
} product;

static product product_sizes(const sgm_step *step)
{
    const int64_t *a = step->in[0].shape.dim, *b = step->in[1].shape.dim;
    return (product){step->out.shape.dim[0],     a[1], b[1], a[2], a[0] == 1 ? 0 : a[1] * a[2],
                     b[0] == 1 ? 0 : b[1] * b[2]};
}

sgm_status sgm_ref_matmul(const sgm_step *step)
{
    product s = product_sizes(step);
    for (int64_t i = 0; i < s.B * s.M * s.N; i++) {
        int64_t batch = i / (s.M * s.N), m = i / s.N % s.M, n = i % s.N;
        const float *a = sgm_f(&step->in[0]) + batch * s.a_step + m * s.K;
        const float *b = sgm_f(&step->in[1]) + batch * s.b_step + n * s.K;
        double sum = 0;
        for (int64_t k = 0; k < s.K; k++)
            sum += (double)a[k] * b[k];
        sgm_fm(&step->out)[i] = (float)sum;
    }
    return SGM_OK;
}

/* dA = dY B, dB = dY^T A. */
sgm_status sgm_ref_matmul_backward(const sgm_step *step)
{
    product s = product_sizes(step);
    float *da = sgm_fm(&step->grad_in[0]), *db = sgm_fm(&step->grad_in[1]);
    sgm_ref_clear_grad(step, 0);
    sgm_ref_clear_grad(step, 1);
    for (int64_t i = 0; i < s.B * s.M * s.N; i++) {
        int64_t batch = i / (s.M * s.N), m = i / s.N % s.M, n = i % s.N;
        int64_t ia = batch * s.a_step + m * s.K, ib = batch * s.b_step + n * s.K;
        float dy = sgm_f(&step->grad_out)[i];
        for (int64_t k = 0; k < s.K; k++) {
            if (da) da[ia + k] += dy * sgm_f(&step->in[1])[ib + k];
            if (db) db[ib + k] += dy * sgm_f(&step->in[0])[ia + k];
        }
    }
    return SGM_OK;
}
