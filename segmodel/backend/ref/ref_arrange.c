/* Ops that move values, and resampling. */
#include <math.h>
#include <string.h>

#include "backend/ref/ref_ops.h"

/* Around an axis a tensor is [outer][size][inner]. */
static int64_t inner_of(sgm_shape shape, int axis)
{
    int64_t inner = 1;
    for (int i = axis + 1; i < shape.ndim; i++)
        inner *= shape.dim[i];
    return inner;
}

static int64_t outer_of(sgm_shape shape, int axis)
{
    int64_t outer = 1;
    for (int i = 0; i < axis; i++)
        outer *= shape.dim[i];
    return outer;
}

static void copy_or_add(float *to, const float *from, int64_t count, bool add)
{
    if (!add) memcpy(to, from, (size_t)count * sizeof(float));
    for (int64_t i = 0; add && i < count; i++)
        to[i] += from[i];
}

sgm_status sgm_ref_concat(const sgm_step *step)
{
    int axis = step->node->u.slice.axis;
    int64_t outer = outer_of(step->out.shape, axis), inner = inner_of(step->out.shape, axis);
    float *out = sgm_fm(&step->out);
    for (int64_t o = 0; o < outer; o++)
        for (int i = 0; i < step->input_count; i++) {
            int64_t block = step->in[i].shape.dim[axis] * inner;
            memcpy(out, sgm_f(&step->in[i]) + o * block, (size_t)block * sizeof(float));
            out += block;
        }
    return SGM_OK;
}

sgm_status sgm_ref_concat_backward(const sgm_step *step)
{
    int axis = step->node->u.slice.axis;
    int64_t outer = outer_of(step->out.shape, axis), inner = inner_of(step->out.shape, axis);
    const float *grad = sgm_f(&step->grad_out);
    for (int64_t o = 0; o < outer; o++)
        for (int i = 0; i < step->input_count; i++) {
            int64_t block = step->in[i].shape.dim[axis] * inner;
            if (step->grad_in[i].data)
                copy_or_add(sgm_fm(&step->grad_in[i]) + o * block, grad, block,
                            step->accumulate[i]);
            grad += block;
        }
    return SGM_OK;
}

sgm_status sgm_ref_slice(const sgm_step *step)
{
    int axis = step->node->u.slice.axis;
    int64_t outer = outer_of(step->out.shape, axis), inner = inner_of(step->out.shape, axis);
    int64_t from = step->in[0].shape.dim[axis] * inner, block = step->node->u.slice.count * inner;
    for (int64_t o = 0; o < outer; o++)
        memcpy(sgm_fm(&step->out) + o * block,
               sgm_f(&step->in[0]) + o * from + step->node->u.slice.start * inner,
               (size_t)block * sizeof(float));
    return SGM_OK;
}

sgm_status sgm_ref_slice_backward(const sgm_step *step)
{
    int axis = step->node->u.slice.axis;
    int64_t outer = outer_of(step->out.shape, axis), inner = inner_of(step->out.shape, axis);
    int64_t from = step->in[0].shape.dim[axis] * inner, block = step->node->u.slice.count * inner;
    if (!step->grad_in[0].data) return SGM_OK;
    sgm_ref_clear_grad(step, 0);
    for (int64_t o = 0; o < outer; o++)
        copy_or_add(sgm_fm(&step->grad_in[0]) + o * from + step->node->u.slice.start * inner,
                    sgm_f(&step->grad_out) + o * block, block, true);
    return SGM_OK;
}

/* Offset in the input of the output element with flat index i. */
static int64_t permuted(const sgm_step *step, int64_t i)
{
    sgm_shape in = step->in[0].shape, out = step->out.shape;
    int64_t stride[SGM_MAX_DIMS], offset = 0, size = 1;
    for (int a = in.ndim - 1; a >= 0; size *= in.dim[a], a--)
        stride[a] = size;
    for (int a = out.ndim - 1; a >= 0; i /= out.dim[a], a--)
        offset += i % out.dim[a] * stride[step->node->u.perm[a]];
    return offset;
}

sgm_status sgm_ref_permute(const sgm_step *step)
{
    int64_t count = sgm_shape_count(step->out.shape);
    for (int64_t i = 0; i < count; i++)
        sgm_fm(&step->out)[i] = sgm_f(&step->in[0])[permuted(step, i)];
    return SGM_OK;
}

sgm_status sgm_ref_permute_backward(const sgm_step *step)
{
    int64_t count = sgm_shape_count(step->out.shape);
    if (!step->grad_in[0].data) return SGM_OK;
    for (int64_t i = 0; i < count; i++)
        sgm_put(&sgm_fm(&step->grad_in[0])[permuted(step, i)], sgm_f(&step->grad_out)[i],
                step->accumulate[0]);
    return SGM_OK;
}

sgm_status sgm_ref_gather(const sgm_step *step)
{
    const int32_t *index = step->in[1].data;
    int64_t count = sgm_shape_count(step->in[1].shape), C = sgm_last_dim(step->out.shape);
    int64_t rows = step->in[0].shape.dim[0];
    for (int64_t i = 0; i < count; i++) {
        if (index[i] < 0 || index[i] >= rows)
            return sgm_fail(SGM_INTERNAL, "gather: index %d of a table of %lld rows", index[i],
                            (long long)rows);
        memcpy(sgm_fm(&step->out) + i * C, sgm_f(&step->in[0]) + index[i] * C,
               (size_t)C * sizeof(float));
    }
    return SGM_OK;
}

sgm_status sgm_ref_gather_backward(const sgm_step *step)
{
    const int32_t *index = step->in[1].data;
    int64_t count = sgm_shape_count(step->in[1].shape), C = sgm_last_dim(step->out.shape);
    if (!step->grad_in[0].data) return SGM_OK;
    sgm_ref_clear_grad(step, 0);
    for (int64_t i = 0; i < count; i++)
        copy_or_add(sgm_fm(&step->grad_in[0]) + index[i] * C, sgm_f(&step->grad_out) + i * C, C,
                    true);
    return SGM_OK;
}

/* The two source pixels and the weight of the second, PyTorch's bilinear rule. */
static void bilinear(int64_t i, int64_t in, int64_t out, bool align, int64_t *lo, int64_t *hi,
                     double *w)
{
    double at = align ? (out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0)
                      : ((double)i + 0.5) * (double)in / (double)out - 0.5;
    if (at < 0) at = 0;
    *lo = (int64_t)at;
    if (*lo > in - 1) *lo = in - 1;
    *hi = *lo + 1 < in ? *lo + 1 : *lo;
    *w = at - (double)*lo;
}

/* Offsets of the four source pixels of output pixel p, and their weights. */
static void corners(const sgm_step *step, int64_t p, int64_t offset[4], double weight[4])
{
    const int64_t *x = step->in[0].shape.dim, *y = step->out.shape.dim;
    bool align = step->node->u.resize.align_corners;
    int64_t b = p / (y[1] * y[2]), r[2], c[2];
    double wr, wc;
    bilinear(p / y[2] % y[1], x[1], y[1], align, &r[0], &r[1], &wr);
    bilinear(p % y[2], x[2], y[2], align, &c[0], &c[1], &wc);
    for (int k = 0; k < 4; k++) {
        offset[k] = ((b * x[1] + r[k / 2]) * x[2] + c[k % 2]) * x[3];
        weight[k] = (k / 2 ? wr : 1 - wr) * (k % 2 ? wc : 1 - wc);
    }
}

sgm_status sgm_ref_resize(const sgm_step *step)
{
    int64_t pixels = sgm_row_count(step->out.shape), C = sgm_last_dim(step->out.shape), o[4];
    const float *x = sgm_f(&step->in[0]);
    double w[4];
    for (int64_t p = 0; p < pixels; p++) {
        corners(step, p, o, w);
        for (int64_t c = 0; c < C; c++)
            sgm_fm(&step->out)[p * C + c] = (float)(w[0] * x[o[0] + c] + w[1] * x[o[1] + c] +
                                                    w[2] * x[o[2] + c] + w[3] * x[o[3] + c]);
    }
    return SGM_OK;
}

sgm_status sgm_ref_resize_backward(const sgm_step *step)
{
    int64_t pixels = sgm_row_count(step->out.shape), C = sgm_last_dim(step->out.shape), o[4];
    float *dx = sgm_fm(&step->grad_in[0]);
    double w[4];
    if (!dx) return SGM_OK;
    sgm_ref_clear_grad(step, 0);
    for (int64_t p = 0; p < pixels; p++) {
        corners(step, p, o, w);
        for (int k = 0; k < 4; k++)
            for (int64_t c = 0; c < C; c++)
                dx[o[k] + c] += (float)(w[k] * sgm_f(&step->grad_out)[p * C + c]);
    }
    return SGM_OK;
}

/* Offset of the largest of the four inputs of output element (p, c); the first wins a tie. A NaN is
 * larger than anything, and the last one the largest, as in PyTorch. */
static int64_t largest(const sgm_step *step, int64_t p, int64_t c)
{
    const int64_t *x = step->in[0].shape.dim, *y = step->out.shape.dim;
    int64_t b = p / (y[1] * y[2]), r = 2 * (p / y[2] % y[1]), q = 2 * (p % y[2]), best = -1;
    for (int k = 0; k < 4; k++) {
        int64_t at = ((b * x[1] + r + k / 2) * x[2] + q + k % 2) * x[3] + c;
        float value = sgm_f(&step->in[0])[at];
        if (best < 0 || value > sgm_f(&step->in[0])[best] || isnan(value)) best = at;
    }
    return best;
}

sgm_status sgm_ref_maxpool(const sgm_step *step)
{
    int64_t pixels = sgm_row_count(step->out.shape), C = sgm_last_dim(step->out.shape);
    for (int64_t i = 0; i < pixels * C; i++)
        sgm_fm(&step->out)[i] = sgm_f(&step->in[0])[largest(step, i / C, i % C)];
    return SGM_OK;
}

sgm_status sgm_ref_maxpool_backward(const sgm_step *step)
{
    int64_t pixels = sgm_row_count(step->out.shape), C = sgm_last_dim(step->out.shape);
    if (!step->grad_in[0].data) return SGM_OK;
    sgm_ref_clear_grad(step, 0);
    for (int64_t i = 0; i < pixels * C; i++)
        sgm_fm(&step->grad_in[0])[largest(step, i / C, i % C)] += sgm_f(&step->grad_out)[i];
    return SGM_OK;
}

/* sin and cos of 2 pi (coordinates . gaussian), SAM's random position encoding. */
sgm_status sgm_ref_fourier(const sgm_step *step)
{
    const double two_pi = 6.283185307179586476925;
    int64_t rows = sgm_row_count(step->in[0].shape), F = sgm_last_dim(step->in[1].shape);
    const float *xy = sgm_f(&step->in[0]), *g = sgm_f(&step->in[1]);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t f = 0; f < F; f++) {
            double angle = two_pi * ((double)xy[2 * r] * g[f] + (double)xy[2 * r + 1] * g[F + f]);
            sgm_fm(&step->out)[r * 2 * F + f] = (float)sin(angle);
            sgm_fm(&step->out)[r * 2 * F + F + f] = (float)cos(angle);
        }
    return SGM_OK;
}
