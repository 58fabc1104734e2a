/* Ops that move values, and resampling. Gradients gather: every input element collects what the
 * outputs it reached say, so that no two threads write one place. */
#include "cuda_vector.h"

/* Sizes around an axis: a tensor is [outer][size][inner]. */
static int inner_of(sgm_shape shape, int axis)
{
    int inner = 1;
    for (int i = axis + 1; i < shape.ndim; i++)
        inner *= (int)shape.dim[i];
    return inner;
}

/* to[o][to_start + r] (+)= from[o][from_start + r] for r in [0, block), rows of to_row and
 * from_row values. */
typedef struct block_copy {
    const float *from;
    float *to;
    int block, from_row, from_start, to_row, to_start, count;
    bool accumulate;
} block_copy;

/* All sizes count groups of V. */
template <int V> static __global__ void block_copy_kernel(block_copy c, sgm_divisor block)
{
    SGM_ELEMENT(i, c.count);
    int r, o = sgm_divide_rest(i, block, &r);
    float values[V];
    sgm_load_f32<V>(c.from, o * c.from_row + c.from_start + r, values);
    sgm_give_group<V>(c.to, o * c.to_row + c.to_start + r, values, c.accumulate);
}

static void copy_blocks(sgm_cuda *cuda, block_copy c)
{
    int *sizes[] = {&c.block, &c.from_row, &c.from_start, &c.to_row, &c.to_start};
    bool fours = sgm_in_fours(c.from, 0, 0) && sgm_in_fours(c.to, 0, 0);
    int64_t count = c.count;
    for (int *size : sizes)
        fours = fours && *size % SGM_VECTOR == 0;
    for (int *size : sizes)
        *size /= fours ? SGM_VECTOR : 1;
    c.count /= fours ? SGM_VECTOR : 1;
    SGM_LAUNCH_GROUPS(block_copy_kernel, fours, count, cuda->stream, c, sgm_divisor_of(c.block));
}

/* Between the joined tensor and part i of a concatenation. */
static void concat_part(sgm_cuda *cuda, const sgm_step *step, int i, int start, bool backward)
{
    int axis = step->node->u.slice.axis, inner = inner_of(step->out.shape, axis);
    int joined = (int)step->out.shape.dim[axis] * inner;
    block_copy c = {};
    c.block = (int)step->in[i].shape.dim[axis] * inner;
    c.count = sgm_count_of(step->in[i].shape);
    c.from_row = backward ? joined : c.block;
    c.to_row = backward ? c.block : joined;
    c.from_start = backward ? start : 0;
    c.to_start = backward ? 0 : start;
    c.from = (const float *)(backward ? step->grad_out.data : step->in[i].data);
    c.to = (float *)(backward ? step->grad_in[i].data : step->out.data);
    c.accumulate = backward && step->accumulate[i];
    if (c.to) copy_blocks(cuda, c);
}

static sgm_status concat(sgm_cuda *cuda, const sgm_step *step, bool backward)
{
    int axis = step->node->u.slice.axis, inner = inner_of(step->out.shape, axis), start = 0;
    for (int i = 0; i < step->input_count; i++) {
        concat_part(cuda, step, i, start, backward);
        start += (int)step->in[i].shape.dim[axis] * inner;
    }
    return SGM_OK;
}

sgm_status sgm_cuda_concat(sgm_cuda *cuda, const sgm_step *step)
{
    return concat(cuda, step, false);
}

sgm_status sgm_cuda_concat_backward(sgm_cuda *cuda, const sgm_step *step)
{
    return concat(cuda, step, true);
}

static block_copy slice_copy(const sgm_step *step)
{
    int axis = step->node->u.slice.axis, inner = inner_of(step->out.shape, axis);
    block_copy c = {};
    c.block = (int)step->node->u.slice.count * inner;
    c.count = sgm_count_of(step->out.shape);
    c.from_row = (int)step->in[0].shape.dim[axis] * inner;
    c.from_start = (int)step->node->u.slice.start * inner;
    c.to_row = c.block;
    return c;
}

sgm_status sgm_cuda_slice(sgm_cuda *cuda, const sgm_step *step)
{
    block_copy c = slice_copy(step);
    c.from = (const float *)step->in[0].data;
    c.to = (float *)step->out.data;
    copy_blocks(cuda, c);
    return SGM_OK;
}

sgm_status sgm_cuda_slice_backward(sgm_cuda *cuda, const sgm_step *step)
{
    block_copy forward = slice_copy(step), c = forward;
    if (!step->grad_in[0].data) return SGM_OK;
    SGM_TRY(sgm_cuda_clear_grad(cuda, step, 0));
    c.from = (const float *)step->grad_out.data;
    c.to = (float *)step->grad_in[0].data;
    c.from_row = forward.to_row, c.from_start = 0;
    c.to_row = forward.from_row, c.to_start = forward.from_start;
    c.accumulate = true;
    copy_blocks(cuda, c);
    return SGM_OK;
}

/* -------------------------------------------------------------------------------------- permute */

/* Of output axis a, counted from the last: its size and its stride in the input. */
typedef struct permutation {
    int count, step[SGM_MAX_DIMS];
    sgm_divisor dim[SGM_MAX_DIMS];
} permutation;

static permutation permutation_of(const sgm_step *step)
{
    sgm_shape in = step->in[0].shape, out = step->out.shape;
    int stride[SGM_MAX_DIMS], size = 1;
    for (int a = in.ndim - 1; a >= 0; a--) {
        stride[a] = size;
        size *= (int)in.dim[a];
    }
    permutation p = {};
    p.count = out.ndim;
    for (int a = 0; a < out.ndim; a++) {
        p.dim[a] = sgm_divisor_of((int)out.dim[out.ndim - 1 - a]);
        p.step[a] = stride[step->node->u.perm[out.ndim - 1 - a]];
    }
    return p;
}

static __global__ void permute_kernel(permutation p, const float *from, float *to, int count,
                                      bool backward, bool accumulate)
{
    SGM_ELEMENT(i, count);
    int rest = i, at = 0;
    SGM_UNROLL /* as in cuda_arith.cu: else `p` lies in local memory */
        for (int a = 0; a < SGM_MAX_DIMS; a++)
    {
        int place;
        if (a == p.count) break;
        rest = sgm_divide_rest(rest, p.dim[a], &place);
        at += place * p.step[a];
    }
    if (backward)
        sgm_give(&to[at], from[i], accumulate);
    else
        to[i] = from[at];
}

sgm_status sgm_cuda_permute(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    SGM_LAUNCH(permute_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, permutation_of(step),
               (const float *)step->in[0].data, (float *)step->out.data, count, false, false);
    return SGM_OK;
}

sgm_status sgm_cuda_permute_backward(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    if (step->grad_in[0].data)
        SGM_LAUNCH(permute_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
                   permutation_of(step), (const float *)step->grad_out.data,
                   (float *)step->grad_in[0].data, count, true, step->accumulate[0]);
    return SGM_OK;
}

/* --------------------------------------------------------------------------------------- gather */

/* A bad index leaves NaN and is told at the next synchronisation; all who write it write 1. */
static __global__ void gather_kernel(const float *table, const int *index, int rows, sgm_divisor C,
                                     int count, float *out, int *fault)
{
    SGM_ELEMENT(i, count);
    int c, row = index[sgm_divide_rest(i, C, &c)];
    bool good = row >= 0 && row < rows;
    out[i] = good ? table[row * (int)C.by + c] : NAN;
    if (!good) *fault = 1;
}

sgm_status sgm_cuda_gather(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    SGM_LAUNCH(gather_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
               (const float *)step->in[0].data, (const int *)step->in[1].data,
               (int)step->in[0].shape.dim[0], sgm_divisor_of(sgm_last_of(step->out.shape)), count,
               (float *)step->out.data, cuda->fault);
    return SGM_OK;
}

/* Tables are small (labels of points), so each of their elements looks at all indices. */
static __global__ void gather_backward_kernel(const float *dy, const int *index, int indices, int C,
                                              int count, float *dtable, bool accumulate)
{
    SGM_ELEMENT(i, count);
    int row = i / C, c = i % C;
    float sum = 0;
    for (int k = 0; k < indices; k++)
        if (index[k] == row) sum += dy[k * C + c];
    sgm_give(&dtable[i], sum, accumulate);
}

sgm_status sgm_cuda_gather_backward(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->in[0].shape);
    if (step->grad_in[0].data)
        SGM_LAUNCH(gather_backward_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
                   (const float *)step->grad_out.data, (const int *)step->in[1].data,
                   sgm_count_of(step->in[1].shape), sgm_last_of(step->out.shape), count,
                   (float *)step->grad_in[0].data, step->accumulate[0]);
    return SGM_OK;
}

/* --------------------------------------------------------------------------------------- resize */

typedef struct resize_sizes {
    int H, W, C, H2, W2, align;
} resize_sizes;

static resize_sizes resize_of(const sgm_step *step)
{
    const int64_t *x = step->in[0].shape.dim, *y = step->out.shape.dim;
    resize_sizes r = {(int)x[1], (int)x[2], (int)x[3],
                      (int)y[1], (int)y[2], step->node->u.resize.align_corners};
    return r;
}

/* Where element (or group) i of an image [B, rows, columns, C] lies. */
typedef struct image_divisors {
    sgm_divisor C, columns, rows;
} image_divisors;

static image_divisors image_of(int rows, int columns, int C)
{
    image_divisors d = {sgm_divisor_of(C), sgm_divisor_of(columns), sgm_divisor_of(rows)};
    return d;
}

static __device__ int image_place(const image_divisors &d, int i, int *y, int *x, int *c)
{
    return sgm_divide_rest(sgm_divide_rest(sgm_divide_rest(i, d.C, c), d.columns, x), d.rows, y);
}

/* PyTorch's bilinear rule for output index i: source pixels lo and hi, weight w of hi. The source
 * place is a fraction of integers, so that no rounding depends on the size. */
static __device__ void bilinear(int i, int in, int out, int align, int *lo, int *hi, float *w)
{
    int64_t over, under;
    if (align) {
        over = out > 1 ? (int64_t)i * (in - 1) : 0;
        under = out > 1 ? out - 1 : 1;
    } else {
        over = (2 * (int64_t)i + 1) * in - out;
        under = 2 * (int64_t)out;
    }
    if (over < 0) over = 0;
    int at = (int)(over / under);
    *w = (float)(over % under) / (float)under;
    if (at > in - 1) {
        at = in - 1;
        *w = 0;
    }
    *lo = at;
    *hi = at + 1 < in ? at + 1 : at;
}

/* r.C counts groups. */
template <int V>
static __global__ void resize_kernel(resize_sizes r, image_divisors d, sgm_floats x, int groups,
                                     sgm_floats out)
{
    SGM_ELEMENT(i, groups);
    int c, z, y, b = image_place(d, i, &y, &z, &c), y0, y1, z0, z1;
    float wy, wz, v[4][V];
    bilinear(y, r.H, r.H2, r.align, &y0, &y1, &wy);
    bilinear(z, r.W, r.W2, r.align, &z0, &z1, &wz);
    int top = (b * r.H + y0) * r.W, bottom = (b * r.H + y1) * r.W;
    sgm_load_group<V>(x, (top + z0) * r.C + c, v[0]);
    sgm_load_group<V>(x, (top + z1) * r.C + c, v[1]);
    sgm_load_group<V>(x, (bottom + z0) * r.C + c, v[2]);
    sgm_load_group<V>(x, (bottom + z1) * r.C + c, v[3]);
    for (int k = 0; k < V; k++)
        v[0][k] = (1 - wy) * (1 - wz) * v[0][k] + (1 - wy) * wz * v[1][k] +
                  wy * (1 - wz) * v[2][k] + wy * wz * v[3][k];
    sgm_store_group<V>(out, i, v[0]);
}

sgm_status sgm_cuda_resize(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    sgm_floats x = sgm_floats_of(&step->in[0]), out = sgm_floats_of(&step->out);
    resize_sizes r = resize_of(step);
    bool fours = sgm_in_fours(x.data, x.bf16, r.C) && sgm_in_fours(out.data, out.bf16, r.C);
    int V = fours ? SGM_VECTOR : 1;
    r.C /= V;
    SGM_LAUNCH_GROUPS(resize_kernel, fours, count, cuda->stream, r, image_of(r.H2, r.W2, r.C), x,
                      count / V, out);
    return SGM_OK;
}

/* Output indices [*first, *last] that can read input index `at`: generous by one on both sides, and
 * open at the borders, where indices are clamped. */
static __device__ void readers(int at, int in, int out, int *first, int *last)
{
    int64_t scale_in = in > 1 ? in - 1 : 1; /* the wider of both rules' steps is taken */
    *first = at == 0 ? 0 : (int)((int64_t)(at - 1) * (out - 1) / in) - 2;
    *last = at == in - 1 ? out - 1 : (int)(((int64_t)(at + 2) * out + scale_in - 1) / scale_in) + 2;
    if (*first < 0) *first = 0;
    if (*last > out - 1) *last = out - 1;
}

/* How much of output index i comes from input index `at`. */
static __device__ float share(int i, int at, int in, int out, int align)
{
    int lo, hi;
    float w;
    bilinear(i, in, out, align, &lo, &hi, &w);
    return (lo == at ? 1 - w : 0) + (hi == at ? w : 0);
}

static __global__ void resize_backward_kernel(resize_sizes r, image_divisors d, const float *dy,
                                              int count, float *dx, bool accumulate)
{
    SGM_ELEMENT(i, count);
    int c, z, y, b = image_place(d, i, &y, &z, &c);
    int y_first, y_last, z_first, z_last;
    readers(y, r.H, r.H2, &y_first, &y_last);
    readers(z, r.W, r.W2, &z_first, &z_last);
    float sum = 0;
    for (int v = y_first; v <= y_last; v++) {
        float row_share = share(v, y, r.H, r.H2, r.align), row = 0;
        if (row_share == 0) continue;
        for (int u = z_first; u <= z_last; u++) {
            float w = share(u, z, r.W, r.W2, r.align);
            if (w != 0) row += w * dy[((b * r.H2 + v) * r.W2 + u) * r.C + c];
        }
        sum += row_share * row;
    }
    sgm_give(&dx[i], sum, accumulate);
}

sgm_status sgm_cuda_resize_backward(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->in[0].shape);
    resize_sizes r = resize_of(step);
    if (step->grad_in[0].data)
        SGM_LAUNCH(resize_backward_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, r,
                   image_of(r.H, r.W, r.C), (const float *)step->grad_out.data, count,
                   (float *)step->grad_in[0].data, step->accumulate[0]);
    return SGM_OK;
}

/* -------------------------------------------------------------------------------------- maxpool */

typedef struct pool_sizes {
    int H, W, C, H2, W2;
} pool_sizes;

static pool_sizes pool_of(const sgm_step *step)
{
    const int64_t *x = step->in[0].shape.dim, *y = step->out.shape.dim;
    pool_sizes p = {(int)x[1], (int)x[2], (int)x[3], (int)y[1], (int)y[2]};
    return p;
}

/* Offset of the largest of the four inputs of output pixel (b, y, x); the first wins a tie. A NaN is
 * larger than anything, and the last one the largest, as in PyTorch. */
static __device__ int largest(const pool_sizes &p, sgm_floats x, int b, int y, int z, int c)
{
    int best = ((b * p.H + 2 * y) * p.W + 2 * z) * p.C + c;
    for (int k = 1; k < 4; k++) {
        int at = ((b * p.H + 2 * y + k / 2) * p.W + 2 * z + k % 2) * p.C + c;
        float value = sgm_load(x, at);
        if (value > sgm_load(x, best) || value != value) best = at;
    }
    return best;
}

static __global__ void maxpool_kernel(pool_sizes p, image_divisors d, sgm_floats x, int count,
                                      sgm_floats out)
{
    SGM_ELEMENT(i, count);
    int c, z, y, b = image_place(d, i, &y, &z, &c);
    sgm_store(out, i, sgm_load(x, largest(p, x, b, y, z, c)));
}

static __global__ void maxpool_backward_kernel(pool_sizes p, image_divisors d, sgm_floats x,
                                               const float *dy, int count, float *dx,
                                               bool accumulate)
{
    SGM_ELEMENT(i, count);
    int c, z, y, b = image_place(d, i, &y, &z, &c);
    float value = 0; /* an odd last row or column is read by nobody */
    y /= 2, z /= 2;
    if (y < p.H2 && z < p.W2 && largest(p, x, b, y, z, c) == i)
        value = dy[((b * p.H2 + y) * p.W2 + z) * p.C + c];
    sgm_give(&dx[i], value, accumulate);
}

sgm_status sgm_cuda_maxpool(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->out.shape);
    pool_sizes p = pool_of(step);
    SGM_LAUNCH(maxpool_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, p,
               image_of(p.H2, p.W2, p.C), sgm_floats_of(&step->in[0]), count,
               sgm_floats_of(&step->out));
    return SGM_OK;
}

sgm_status sgm_cuda_maxpool_backward(sgm_cuda *cuda, const sgm_step *step)
{
    int count = sgm_count_of(step->in[0].shape);
    pool_sizes p = pool_of(step);
    if (step->grad_in[0].data)
        SGM_LAUNCH(maxpool_backward_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, p,
                   image_of(p.H, p.W, p.C), sgm_floats_of(&step->in[0]),
                   (const float *)step->grad_out.data, count, (float *)step->grad_in[0].data,
                   step->accumulate[0]);
    return SGM_OK;
}

/* -------------------------------------------------------------------------------------- fourier */

/* In double: angles are many turns, and prompts are few. */
static __global__ void fourier_kernel(const float *xy, const float *gaussian, int F, int count,
                                      float *out)
{
    SGM_ELEMENT(i, count);
    int f = i % F, row = i / F;
    double turns = (double)xy[2 * row] * gaussian[f] + (double)xy[2 * row + 1] * gaussian[F + f];
    double angle = 6.283185307179586476925 * turns;
    out[row * 2 * F + f] = (float)sin(angle);
    out[row * 2 * F + F + f] = (float)cos(angle);
}

sgm_status sgm_cuda_fourier(sgm_cuda *cuda, const sgm_step *step)
{
    int F = sgm_last_of(step->in[1].shape), count = sgm_rows_of(step->in[0].shape) * F;
    SGM_LAUNCH(fourier_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
               (const float *)step->in[0].data, (const float *)step->in[1].data, F, count,
               (float *)step->out.data);
    return SGM_OK;
}
