/* Elementwise arithmetic with broadcasting, activations, sums. */
#include "cuda_vector.h"

/* --------------------------------------------------------------------------------- broadcasting */

/* Axes of a tensor from the last one on, those of size 1 left out, and how far a step along them
 * goes in each of two operands: 0 where it repeats. */
typedef struct axes {
    int count, size[SGM_MAX_DIMS], x[SGM_MAX_DIMS], y[SGM_MAX_DIMS];
} axes;

/* Joins the new axis to the one before it where both operands go on as they went. */
static void push_axis(axes *to, int size, int x, int y)
{
    int last = to->count - 1;
    if (size == 1) return;
    if (last >= 0 && x == to->x[last] * to->size[last] && y == to->y[last] * to->size[last]) {
        to->size[last] *= size;
        return;
    }
    to->size[to->count] = size;
    to->x[to->count] = x;
    to->y[to->count++] = y;
}

/* Size of axis a, counted from the last. */
static int size_of(sgm_shape shape, int a)
{
    return a < shape.ndim ? (int)shape.dim[shape.ndim - 1 - a] : 1;
}

/* Of the output, with the steps of two operands. */
static axes axes_of(sgm_shape out, sgm_shape x, sgm_shape y)
{
    axes all = {};
    int x_step = 1, y_step = 1;
    for (int a = 0; a < out.ndim; a++) {
        int x_size = size_of(x, a), y_size = size_of(y, a);
        push_axis(&all, size_of(out, a), x_size > 1 ? x_step : 0, y_size > 1 ? y_step : 0);
        x_step *= x_size;
        y_step *= y_size;
    }
    return all;
}

/* The same for a kernel. */
typedef struct strides {
    sgm_divisor size[SGM_MAX_DIMS];
    int count, x[SGM_MAX_DIMS], y[SGM_MAX_DIMS];
} strides;

/* With V > 1 the innermost axis counts groups of V. */
static strides strides_of(const axes *all, int V)
{
    strides s = {};
    s.count = all->count;
    for (int a = 0; a < all->count; a++) {
        s.size[a] = sgm_divisor_of(a ? all->size[a] : all->size[a] / V);
        s.x[a] = all->x[a] * (a ? 1 : V);
        s.y[a] = all->y[a] * (a ? 1 : V);
    }
    return s;
}

/* Offsets in both operands of element (or group) i. Unrolled, because an axis that is known only at
 * run time would put `s` into local memory. */
static __device__ __forceinline__ void offsets_of(const strides &s, int i, int *x, int *y)
{
    *x = *y = 0;
    SGM_UNROLL
    for (int a = 0; a < SGM_MAX_DIMS; a++) {
        int at;
        if (a == s.count) break;
        i = sgm_divide_rest(i, s.size[a], &at);
        *x += at * s.x[a];
        *y += at * s.y[a];
    }
}

/* V values from `offset` on, or one value V times. */
template <int V>
static __device__ void load_operand(sgm_floats x, int offset, bool repeats, float to[V])
{
    if (!repeats) {
        sgm_load_group<V>(x, offset / V, to);
        return;
    }
    float value = sgm_load(x, offset);
    for (int k = 0; k < V; k++)
        to[k] = value;
}

template <int V>
static __global__ void binary_kernel(sgm_floats x, sgm_floats y, strides s, bool multiply,
                                     int groups, sgm_floats out)
{
    SGM_ELEMENT(i, groups);
    int x_at, y_at;
    float a[V], b[V];
    offsets_of(s, i, &x_at, &y_at);
    load_operand<V>(x, x_at, s.count && !s.x[0], a);
    load_operand<V>(y, y_at, s.count && !s.y[0], b);
    for (int k = 0; k < V; k++)
        a[k] = multiply ? a[k] * b[k] : a[k] + b[k];
    sgm_store_group<V>(out, i, a);
}

/* Does an operand lie in groups of four along the innermost axis, or repeat along it? */
static bool operand_in_fours(sgm_floats x, const int step[], const axes *all)
{
    if (!all->count || all->size[0] % SGM_VECTOR) return false;
    if (!step[0]) return true;
    for (int a = 1; a < all->count; a++)
        if (step[a] % SGM_VECTOR) return false;
    return step[0] == 1 && sgm_in_fours(x.data, x.bf16, all->size[0]);
}

static sgm_status binary(sgm_cuda *cuda, const sgm_step *step, bool multiply)
{
    int count = sgm_count_of(step->out.shape);
    sgm_floats x = sgm_floats_of(&step->in[0]), y = sgm_floats_of(&step->in[1]);
    sgm_floats out = sgm_floats_of(&step->out);
    axes all = axes_of(step->out.shape, step->in[0].shape, step->in[1].shape);
    bool fours = operand_in_fours(x, all.x, &all) && operand_in_fours(y, all.y, &all) &&
                 sgm_in_fours(out.data, out.bf16, count);
    int V = fours ? SGM_VECTOR : 1;
    SGM_LAUNCH_GROUPS(binary_kernel, fours, count, cuda->stream, x, y, strides_of(&all, V),
                      multiply, count / V, out);
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

/* ------------------------------------------------------------------------ gradients of operands */

/* The output elements that an operand's element reaches: its own axes fixed, the repeated ones
 * free. x: offsets in the output, y: in the other operand. */
typedef struct reached {
    strides own, freed;
    int count, repeats; /* elements of the operand, outputs that each reaches */
    bool rows;          /* neighbours of the operand are neighbours in the output */
    bool columns;       /* the output is a matrix of `repeats` rows, each like the operand */
    bool both;          /* and so is the other operand */
} reached;

static reached reached_by(sgm_shape out, sgm_shape in, sgm_shape other)
{
    reached r = {};
    axes own = {}, freed = {};
    int step = 1, other_step = 1;
    r.count = r.repeats = 1;
    for (int a = 0; a < out.ndim; a++) {
        int all = size_of(out, a), mine = size_of(in, a), theirs = size_of(other, a);
        bool repeats = mine != all;
        push_axis(repeats ? &freed : &own, all, step, theirs > 1 ? other_step : 0);
        *(repeats ? &r.repeats : &r.count) *= all;
        step *= all;
        other_step *= theirs;
    }
    r.rows = own.count && own.x[0] == 1;
    r.columns = r.rows && own.count == 1 && freed.count == 1 && freed.x[0] == r.count;
    r.both = r.columns && own.y[0] == 1 && freed.y[0] == r.count;
    r.own = strides_of(&own, 1);
    r.freed = strides_of(&freed, 1);
    return r;
}

/* Gradient at operand element `at`: dy, times the other operand for a product, over `lane`,
 * `lane` + `lanes`, ... of the repetitions. */
static __device__ float reached_sum(const reached &r, int at, int lane, int lanes, const float *dy,
                                    sgm_floats other)
{
    int base, other_base;
    float sum = 0;
    offsets_of(r.own, at, &base, &other_base);
    for (int k = lane; k < r.repeats; k += lanes) {
        int i, j;
        offsets_of(r.freed, k, &i, &j);
        sum += other.data ? dy[base + i] * sgm_load(other, other_base + j) : dy[base + i];
    }
    return sum;
}

static __global__ void reached_kernel(reached r, const float *dy, sgm_floats other, float *grad,
                                      bool accumulate)
{
    SGM_ELEMENT(at, r.count);
    sgm_give(&grad[at], reached_sum(r, at, 0, 1, dy, other), accumulate);
}

/* partial[chunk, at]: a warp reads whole pieces of rows. */
static __global__ void reached_chunk_kernel(reached r, const float *dy, sgm_floats other,
                                            float *partial)
{
    SGM_ELEMENT(at, r.count);
    int chunk = (int)blockIdx.y;
    partial[(int64_t)chunk * r.count + at] = reached_sum(r, at, chunk, (int)gridDim.y, dy, other);
}

static __global__ void reached_team_kernel(reached r, const float *dy, sgm_floats other,
                                           float *grad, bool accumulate)
{
    __shared__ float board[SGM_TEAM + 32];
    int at = (int)blockIdx.x;
    float sum = reached_sum(r, at, (int)threadIdx.x, SGM_TEAM, dy, other);
    sum = sgm_team_sum(sum, board);
    if (threadIdx.x == 0) sgm_give(&grad[at], sum, accumulate);
}

/* Nothing repeats: dx (+)= dy, or dy times the other. */
template <int V>
static __global__ void same_kernel(const float *dy, sgm_floats other, int groups, float *grad,
                                   bool accumulate)
{
    SGM_ELEMENT(i, groups);
    float value[V], factor[V];
    sgm_load_f32<V>(dy, i, value);
    if (other.data) {
        sgm_load_group<V>(other, i, factor);
        for (int k = 0; k < V; k++)
            value[k] *= factor[k];
    }
    sgm_give_group<V>(grad, i, value, accumulate);
}

/* Chunks of the repetitions that make enough threads; 1: none are needed. */
static int reached_chunks(const reached *r)
{
    const int enough = 1 << 17;
    if (!r->rows || r->repeats <= 64 || r->count >= enough) return 1;
    int wanted = enough / r->count, most = (r->repeats + 31) / 32;
    if (most > 128) most = 128;
    return wanted < most ? wanted : most;
}

/* Is the gradient a sum of dy, or of dy times the other, over the rows of a matrix? */
static bool reaches_columns(const reached *r, bool multiply)
{
    return multiply ? r->both : r->columns;
}

static size_t reached_bytes(const sgm_step *step, int k)
{
    reached r = reached_by(step->out.shape, step->in[k].shape, step->in[1 - k].shape);
    int chunks = reached_chunks(&r);
    if (reaches_columns(&r, step->node->op == SGM_OP_MUL))
        return sgm_cuda_column_bytes(r.repeats, r.count);
    return chunks > 1 ? (size_t)chunks * (size_t)r.count * sizeof(float) : 0;
}

/* Both operands' gradients use the same scratch, one after the other. */
void sgm_cuda_binary_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                             sgm_cursor *cursor)
{
    (void)cuda;
    if (!backward) return;
    size_t a = reached_bytes(step, 0), b = reached_bytes(step, 1);
    sgm_take(cursor, a > b ? a : b);
}

static void same_gradient(sgm_cuda *cuda, const float *dy, sgm_floats other, int count, float *grad,
                          bool accumulate)
{
    bool fours = sgm_in_fours(dy, 0, count) && sgm_in_fours(grad, 0, count) &&
                 sgm_in_fours(other.data, other.bf16, count);
    SGM_LAUNCH_GROUPS(same_kernel, fours, count, cuda->stream, dy, other, fours ? count / 4 : count,
                      grad, accumulate);
}

static void operand_gradient(sgm_cuda *cuda, const sgm_step *step, int k, bool multiply)
{
    float *grad = (float *)step->grad_in[k].data, *partial = (float *)step->scratch;
    if (!grad) return;
    reached r = reached_by(step->out.shape, step->in[k].shape, step->in[1 - k].shape);
    sgm_floats other = {};
    if (multiply) other = sgm_floats_of(&step->in[1 - k]);
    const float *dy = (const float *)step->grad_out.data;
    bool accumulate = step->accumulate[k];
    int chunks = reached_chunks(&r);
    dim3 grid(sgm_blocks(r.count), (unsigned)chunks);
    if (r.repeats == 1 && (!multiply || sgm_count_of(step->in[1 - k].shape) == r.count))
        same_gradient(cuda, dy, other, r.count, grad, accumulate);
    else if (reaches_columns(&r, multiply))
        sgm_cuda_column_products(cuda, dy, other, r.repeats, r.count, grad, accumulate, partial);
    else if (chunks > 1) {
        SGM_LAUNCH(reached_chunk_kernel, grid, SGM_THREADS, cuda->stream, r, dy, other, partial);
        sgm_cuda_fold(cuda, partial, chunks, r.count, grad, accumulate);
    } else if (r.rows || r.repeats <= 64)
        SGM_LAUNCH(reached_kernel, grid, SGM_THREADS, cuda->stream, r, dy, other, grad, accumulate);
    else
        SGM_LAUNCH_TEAM(reached_team_kernel, (unsigned)r.count, SGM_TEAM, cuda->stream, r, dy,
                        other, grad, accumulate);
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

template <int V>
static __global__ void affine_kernel(sgm_floats x, float scale, float shift, int groups,
                                     bool accumulate, sgm_floats out)
{
    SGM_ELEMENT(i, groups);
    float y[V], old[V];
    sgm_load_group<V>(x, i, y);
    if (accumulate) sgm_load_group<V>(out, i, old);
    for (int k = 0; k < V; k++)
        y[k] = scale * y[k] + shift + (accumulate ? old[k] : 0);
    sgm_store_group<V>(out, i, y);
}

static void affine(sgm_cuda *cuda, sgm_floats x, float scale, float shift, int count,
                   bool accumulate, sgm_floats out)
{
    bool fours = sgm_in_fours(x.data, x.bf16, count) && sgm_in_fours(out.data, out.bf16, count);
    SGM_LAUNCH_GROUPS(affine_kernel, fours, count, cuda->stream, x, scale, shift,
                      fours ? count / 4 : count, accumulate, out);
}

sgm_status sgm_cuda_affine(sgm_cuda *cuda, const sgm_step *step)
{
    affine(cuda, sgm_floats_of(&step->in[0]), step->node->u.affine.scale,
           step->node->u.affine.shift, sgm_count_of(step->out.shape), false,
           sgm_floats_of(&step->out));
    return SGM_OK;
}

sgm_status sgm_cuda_affine_backward(sgm_cuda *cuda, const sgm_step *step)
{
    if (step->grad_in[0].data)
        affine(cuda, sgm_floats_of(&step->grad_out), step->node->u.affine.scale, 0,
               sgm_count_of(step->out.shape), step->accumulate[0],
               sgm_floats_of(&step->grad_in[0]));
    return SGM_OK;
}

template <int V>
static __global__ void act_kernel(sgm_floats x, int act, int groups, sgm_floats out)
{
    SGM_ELEMENT(i, groups);
    float y[V];
    sgm_load_group<V>(x, i, y);
    for (int k = 0; k < V; k++)
        y[k] = sgm_act_of(act, y[k]);
    sgm_store_group<V>(out, i, y);
}

sgm_status sgm_cuda_act(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    sgm_floats x = sgm_floats_of(&step->in[0]), out = sgm_floats_of(&step->out);
    bool fours = sgm_in_fours(x.data, x.bf16, count) && sgm_in_fours(out.data, out.bf16, count);
    SGM_LAUNCH_GROUPS(act_kernel, fours, count, cuda->stream, x, (int)step->node->u.act,
                      fours ? count / 4 : count, out);
    return SGM_OK;
}

static __device__ float slope_of(int act, float x)
{
    float y = sgm_act_of(act, x);
    switch (act) {
    case SGM_ACT_RELU:
        return x <= 0 ? 0 : 1;
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

template <int V>
static __global__ void act_backward_kernel(sgm_floats x, int act, const float *dy, int groups,
                                           float *dx, bool accumulate)
{
    SGM_ELEMENT(i, groups);
    float at[V], slope[V];
    sgm_load_group<V>(x, i, at);
    sgm_load_f32<V>(dy, i, slope);
    for (int k = 0; k < V; k++)
        slope[k] *= slope_of(act, at[k]);
    sgm_give_group<V>(dx, i, slope, accumulate);
}

sgm_status sgm_cuda_act_backward(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    sgm_floats x = sgm_floats_of(&step->in[0]);
    const float *dy = (const float *)step->grad_out.data;
    float *dx = (float *)step->grad_in[0].data;
    if (!dx) return SGM_OK;
    bool fours = sgm_in_fours(x.data, x.bf16, count) && sgm_in_fours(dy, 0, count) &&
                 sgm_in_fours(dx, 0, count);
    SGM_LAUNCH_GROUPS(act_backward_kernel, fours, count, cuda->stream, x, (int)step->node->u.act,
                      dy, fours ? count / 4 : count, dx, step->accumulate[0]);
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

static __global__ void sum_backward_kernel(const float *dy, sgm_divisor inner, int count, float *dx,
                                           bool accumulate)
{
    SGM_ELEMENT(i, count);
    sgm_give(&dx[i], dy[sgm_divide(i, inner)], accumulate);
}

sgm_status sgm_cuda_sum_backward(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->in[0].shape), kept = sgm_count_of(step->out.shape);
    if (step->grad_in[0].data)
        SGM_LAUNCH(sum_backward_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
                   (const float *)step->grad_out.data, sgm_divisor_of(count / kept), count,
                   (float *)step->grad_in[0].data, step->accumulate[0]);
    return SGM_OK;
}
