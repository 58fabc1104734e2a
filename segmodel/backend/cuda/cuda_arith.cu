/* Elementwise arithmetic with broadcasting, activations, sums. */
#include "cuda_internal.h"

/* --------------------------------------------------------------------------------- broadcasting */

/* Strides of an operand along the axes of the output, 0 where it repeats; axes count from the
 * last. */
typedef struct strides {
    int count, dim[SGM_MAX_DIMS], step[SGM_MAX_DIMS];
} strides;

static strides strides_of(sgm_shape out, sgm_shape in)
{
    strides s = {};
    int step = 1;
    s.count = out.ndim;
    for (int a = 0; a < out.ndim; a++) {
        int size = a < in.ndim ? (int)in.dim[in.ndim - 1 - a] : 1;
        s.dim[a] = (int)out.dim[out.ndim - 1 - a];
        s.step[a] = size > 1 ? step : 0;
        step *= size;
    }
    return s;
}

/* Offset in the operand of output element i. */
static __device__ int operand_of(const strides &s, int i)
{
    int offset = 0;
    for (int a = 0; a < s.count; a++) {
        offset += i % s.dim[a] * s.step[a];
        i /= s.dim[a];
    }
    return offset;
}

static __global__ void binary_kernel(sgm_floats x, strides sx, sgm_floats y, strides sy,
                                     bool multiply, int count, sgm_floats out)
{
    SGM_ELEMENT(i, count);
    float a = sgm_load(x, operand_of(sx, i)), b = sgm_load(y, operand_of(sy, i));
    sgm_store(out, i, multiply ? a * b : a + b);
}

static sgm_status binary(sgm_cuda *cuda, const sgm_step *step, bool multiply)
{
    int count = sgm_count_of(step->out.shape);
    SGM_LAUNCH(binary_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
               sgm_floats_of(&step->in[0]), strides_of(step->out.shape, step->in[0].shape),
               sgm_floats_of(&step->in[1]), strides_of(step->out.shape, step->in[1].shape),
               multiply, count, sgm_floats_of(&step->out));
    return SGM_OK;
}

sgm_status sgm_cuda_add(sgm_cuda *cuda, const sgm_step *step)
{
    return binary(cuda, step, false);
}

sgm_status sgm_cuda_mul(sgm_cuda *cuda, const sgm_step *step)
{
    return binary(cuda, step, true);
}

/* The output elements that an operand's element reaches: its own axes fixed, the repeated ones
 * free. */
typedef struct reached {
    strides own;   /* output strides of the operand's axes, dim of the operand */
    strides freed; /* dim and output strides of the repeated axes */
    int repeats;
} reached;

static reached reached_by(sgm_shape out, sgm_shape in)
{
    reached r = {};
    int step = 1;
    r.repeats = 1;
    r.own.count = r.freed.count = out.ndim;
    for (int a = 0; a < out.ndim; a++) {
        int size = a < in.ndim ? (int)in.dim[in.ndim - 1 - a] : 1;
        int all = (int)out.dim[out.ndim - 1 - a];
        r.own.dim[a] = size;
        r.own.step[a] = size > 1 ? step : 0;
        r.freed.dim[a] = size == all ? 1 : all;
        r.freed.step[a] = size == all ? 0 : step;
        r.repeats *= r.freed.dim[a];
        step *= all;
    }
    return r;
}

/* Gradient at operand element `at`: dy, times the other operand for a product, over `lane`,
 * `lane` + `lanes`, ... of the repetitions. */
static __device__ float reached_sum(const reached &r, int at, int lane, int lanes, const float *dy,
                                    sgm_floats other, const strides &so)
{
    int base = operand_of(r.own, at);
    float sum = 0;
    for (int k = lane; k < r.repeats; k += lanes) {
        int i = base + operand_of(r.freed, k);
        sum += other.data ? dy[i] * sgm_load(other, operand_of(so, i)) : dy[i];
    }
    return sum;
}

static __global__ void reached_kernel(reached r, int count, const float *dy, sgm_floats other,
                                      strides so, float *grad, bool accumulate)
{
    SGM_ELEMENT(at, count);
    sgm_give(&grad[at], reached_sum(r, at, 0, 1, dy, other, so), accumulate);
}

static __global__ void reached_team_kernel(reached r, const float *dy, sgm_floats other, strides so,
                                           float *grad, bool accumulate)
{
    __shared__ float board[SGM_TEAM + 32];
    int at = (int)blockIdx.x;
    float sum = reached_sum(r, at, (int)threadIdx.x, SGM_TEAM, dy, other, so);
    sum = sgm_team_sum(sum, board);
    if (threadIdx.x == 0) sgm_give(&grad[at], sum, accumulate);
}

/* Many repetitions of few values are summed by a block each, few repetitions by a thread each. */
static void operand_gradient(sgm_cuda *cuda, const sgm_step *step, int k, bool multiply)
{
    float *grad = (float *)step->grad_in[k].data;
    if (!grad) return;
    reached r = reached_by(step->out.shape, step->in[k].shape);
    strides so = strides_of(step->out.shape, step->in[1 - k].shape);
    sgm_floats other = {};
    if (multiply) other = sgm_floats_of(&step->in[1 - k]);
    const float *dy = (const float *)step->grad_out.data;
    int count = sgm_count_of(step->in[k].shape);
    if (r.repeats <= 64)
        SGM_LAUNCH(reached_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, r, count, dy,
                   other, so, grad, step->accumulate[k]);
    else
        SGM_LAUNCH_TEAM(reached_team_kernel, (unsigned)count, SGM_TEAM, cuda->stream, r, dy, other,
                        so, grad, step->accumulate[k]);
}

sgm_status sgm_cuda_add_backward(sgm_cuda *cuda, const sgm_step *step)
{
    operand_gradient(cuda, step, 0, false);
    operand_gradient(cuda, step, 1, false);
    return SGM_OK;
}

sgm_status sgm_cuda_mul_backward(sgm_cuda *cuda, const sgm_step *step)
{
    operand_gradient(cuda, step, 0, true);
    operand_gradient(cuda, step, 1, true);
    return SGM_OK;
}

/* ---------------------------------------------------------------------------------- elementwise */

static __global__ void affine_kernel(sgm_floats x, float scale, float shift, int count,
                                     bool accumulate, sgm_floats out)
{
    SGM_ELEMENT(i, count);
    float y = scale * sgm_load(x, i) + shift;
    sgm_store(out, i, accumulate ? sgm_load(out, i) + y : y);
}

sgm_status sgm_cuda_affine(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    SGM_LAUNCH(affine_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
               sgm_floats_of(&step->in[0]), step->node->u.affine.scale, step->node->u.affine.shift,
               count, false, sgm_floats_of(&step->out));
    return SGM_OK;
}

sgm_status sgm_cuda_affine_backward(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    if (step->grad_in[0].data)
        SGM_LAUNCH(affine_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
                   sgm_floats_of(&step->grad_out), step->node->u.affine.scale, 0.0f, count,
                   step->accumulate[0], sgm_floats_of(&step->grad_in[0]));
    return SGM_OK;
}

static __global__ void act_kernel(sgm_floats x, int act, int count, sgm_floats out)
{
    SGM_ELEMENT(i, count);
    sgm_store(out, i, sgm_act_of(act, sgm_load(x, i)));
}

sgm_status sgm_cuda_act(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    SGM_LAUNCH(act_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
               sgm_floats_of(&step->in[0]), (int)step->node->u.act, count,
               sgm_floats_of(&step->out));
    return SGM_OK;
}

static __device__ float slope_of(int act, float x)
{
    float y = sgm_act_of(act, x);
    switch (act) {
    case SGM_ACT_RELU:
        return x > 0 ? 1 : 0;
    case SGM_ACT_GELU:
        return 0.5f * (1 + erff(x * 0.70710678f)) + x * 0.39894228f * expf(-0.5f * x * x);
    case SGM_ACT_SIGMOID:
        return y * (1 - y);
    case SGM_ACT_TANH:
        return 1 - y * y;
    case SGM_ACT_LEAKY_RELU:
        return x > 0 ? 1 : 0.01f;
    case SGM_ACT_EXP:
        return y;
    case SGM_ACT_LOG:
        return 1 / x;
    case SGM_ACT_RSQRT:
        return -0.5f * y * y * y;
    default:
        return 1;
    }
}

static __global__ void act_backward_kernel(sgm_floats x, int act, const float *dy, int count,
                                           float *dx, bool accumulate)
{
    SGM_ELEMENT(i, count);
    sgm_give(&dx[i], dy[i] * slope_of(act, sgm_load(x, i)), accumulate);
}

sgm_status sgm_cuda_act_backward(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    if (step->grad_in[0].data)
        SGM_LAUNCH(act_backward_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
                   sgm_floats_of(&step->in[0]), (int)step->node->u.act,
                   (const float *)step->grad_out.data, count, (float *)step->grad_in[0].data,
                   step->accumulate[0]);
    return SGM_OK;
}

/* ----------------------------------------------------------------------------------------- sums */

/* In double: a loss is a sum of everything. */
static __global__ void sum_kernel(const float *x, int inner, float *out)
{
    __shared__ double board[SGM_TEAM + 32];
    int64_t row = blockIdx.x;
    double sum = 0;
    for (int k = (int)threadIdx.x; k < inner; k += SGM_TEAM)
        sum += x[row * inner + k];
    sum = sgm_team_sum(sum, board);
    if (threadIdx.x == 0) out[row] = (float)sum;
}

sgm_status sgm_cuda_sum(sgm_cuda *cuda, const sgm_step *step)
{
    int kept = sgm_count_of(step->out.shape);
    SGM_LAUNCH_TEAM(sum_kernel, (unsigned)kept, SGM_TEAM, cuda->stream,
                    (const float *)step->in[0].data, sgm_count_of(step->in[0].shape) / kept,
                    (float *)step->out.data);
    return SGM_OK;
}

static __global__ void sum_backward_kernel(const float *dy, int inner, int count, float *dx,
                                           bool accumulate)
{
    SGM_ELEMENT(i, count);
    sgm_give(&dx[i], dy[i / inner], accumulate);
}

sgm_status sgm_cuda_sum_backward(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->in[0].shape), kept = sgm_count_of(step->out.shape);
    if (step->grad_in[0].data)
        SGM_LAUNCH(sum_backward_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
                   (const float *)step->grad_out.data, count / kept, count,
                   (float *)step->grad_in[0].data, step->accumulate[0]);
    return SGM_OK;
}
