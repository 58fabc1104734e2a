/* Elementwise arithmetic and resampling on the CPU. */
#include "backend/cpu/cpu_glue.h"
#include "backend/cpu/kernels/elementwise.h"
#include "backend/cpu/kernels/isa.h"
#include "backend/ref/ref_ops.h"

/* Rows after which `small` repeats inside `big`, when small is big's shape without some leading
 * axes (ones in front are ignored); 0 when the broadcast is of another kind. */
static int64_t repeated_rows(sgm_shape big, sgm_shape small)
{
    int lead = 0;
    while (lead < small.ndim - 1 && small.dim[lead] == 1)
        lead++;
    int axes = small.ndim - lead;
    if (axes < 1 || axes > big.ndim) return 0;
    for (int i = 1; i <= axes; i++)
        if (small.dim[small.ndim - i] != big.dim[big.ndim - i]) return 0;
    return sgm_shape_count(small) / sgm_last_dim(small);
}

/* Which operand has the output's shape, and how often the other repeats; 0: neither fits. */
static int64_t orient(const sgm_step *step, int *full)
{
    for (*full = 0; *full < 2; ++*full) {
        sgm_shape shape = step->in[*full].shape;
        if (sgm_shape_count(shape) != sgm_shape_count(step->out.shape)) continue;
        int64_t rows = repeated_rows(step->out.shape, step->in[1 - *full].shape);
        if (rows) return rows;
    }
    return 0;
}

/* Any other broadcast, row by row of the last axis. */
typedef struct row_walk {
    const sgm_step *step;
    sgm_binary op;
    int64_t c;
} row_walk;

/* The row of an operand that row `row` of the output reads. */
static int64_t row_of(sgm_shape out, sgm_shape in, int64_t row)
{
    int64_t at = 0, stride = 1;
    for (int a = 2; a <= in.ndim; a++) {
        int64_t size = in.dim[in.ndim - a], of = out.dim[out.ndim - a];
        if (size > 1) at += row % of * stride;
        row /= of;
        stride *= size;
    }
    return at;
}

/* A row of x and one number for all of it. */
static void row_and_number(const row_walk *w, const sgm_tensor *x, const sgm_tensor *number,
                           int64_t row)
{
    const sgm_tensor *out = &w->step->out;
    int64_t from = row_of(out->shape, x->shape, row) * w->c;
    float value = ((const float *)number->data)[row_of(out->shape, number->shape, row)];
    bool sum = w->op == SGM_BINARY_ADD;
    sgm_loops()->affine((const char *)x->data + from * (x->dtype == SGM_F32 ? 4 : 2), x->dtype,
                        sum ? 1 : value, sum ? value : 0,
                        (char *)out->data + row * w->c * (out->dtype == SGM_F32 ? 4 : 2),
                        out->dtype, 0, w->c);
}

static void row_and_row(const row_walk *w, const sgm_tensor *x, const sgm_tensor *y, int64_t row)
{
    const sgm_tensor *out = &w->step->out;
    sgm_loops()->binary(w->op, x->data, row_of(out->shape, x->shape, row) * w->c, x->dtype, y->data,
                        row_of(out->shape, y->shape, row) * w->c, y->dtype, out->data, row * w->c,
                        out->dtype, w->c);
}

static bool is_number(const row_walk *w, const sgm_tensor *x)
{
    return w->c > 1 && sgm_last_dim(x->shape) == 1 && x->dtype == SGM_F32;
}

static void walk_items(void *context, int64_t begin, int64_t end, int thread)
{
    const row_walk *w = context;
    const sgm_tensor *x = &w->step->in[0], *y = &w->step->in[1];
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        if (is_number(w, x))
            row_and_number(w, y, x, row);
        else if (is_number(w, y))
            row_and_number(w, x, y, row);
        else
            row_and_row(w, x, y, row);
    }
}

/* The last axis of both is the output's, or one of them has a number in its place. */
static bool walks_rows(const sgm_step *step)
{
    int64_t c = sgm_last_dim(step->out.shape);
    const sgm_tensor *x = &step->in[0], *y = &step->in[1];
    int64_t first = sgm_last_dim(x->shape), second = sgm_last_dim(y->shape);
    if (first == c && second == c) return true;
    return (first == c && second == 1 && y->dtype == SGM_F32) ||
           (second == c && first == 1 && x->dtype == SGM_F32);
}

static void walk_rows(sgm_threads *pool, const sgm_step *step, sgm_binary op)
{
    row_walk walk = {step, op, sgm_last_dim(step->out.shape)};
    int64_t grain = walk.c > 0 ? 16384 / walk.c + 1 : 1;
    sgm_parallel_for(pool, sgm_row_count(step->out.shape), grain, walk_items, &walk);
}

sgm_status sgm_cpu_add(sgm_threads *pool, const sgm_step *step)
{
    int full;
    int64_t rows = orient(step, &full);
    if (!rows && walks_rows(step)) {
        walk_rows(pool, step, SGM_BINARY_ADD);
        return SGM_OK;
    }
    if (!rows) return sgm_ref_add(step);
    const sgm_tensor *x = &step->in[full], *y = &step->in[1 - full];
    sgm_add_rows(pool, x->data, x->dtype, y->data, y->dtype, rows, step->out.data, step->out.dtype,
                 sgm_row_count(step->out.shape), sgm_last_dim(step->out.shape));
    return SGM_OK;
}

/* The gradient of an operand that repeats: the sum over its repetitions. */
static sgm_status add_operand_backward(sgm_threads *pool, const sgm_step *step, int i)
{
    int64_t count = sgm_shape_count(step->in[i].shape), all = sgm_shape_count(step->out.shape);
    if (count != all)
        return sgm_column_sum(pool, step->grad_out.data, SGM_F32, all / count, count,
                              step->grad_in[i].data, step->accumulate[i]);
    if (step->accumulate[i])
        sgm_add_rows(pool, step->grad_in[i].data, SGM_F32, step->grad_out.data, SGM_F32, 1,
                     step->grad_in[i].data, SGM_F32, 1, all);
    else
        sgm_convert(pool, step->grad_out.data, SGM_F32, step->grad_in[i].data, SGM_F32, all);
    return SGM_OK;
}

sgm_status sgm_cpu_add_backward(sgm_threads *pool, const sgm_step *step)
{
    int full;
    if (!orient(step, &full)) return sgm_ref_add_backward(step);
    for (int i = 0; i < 2; i++)
        if (step->grad_in[i].data) SGM_TRY(add_operand_backward(pool, step, i));
    return SGM_OK;
}

sgm_status sgm_cpu_mul(sgm_threads *pool, const sgm_step *step)
{
    int full;
    int64_t rows = orient(step, &full);
    if (!rows && walks_rows(step)) {
        walk_rows(pool, step, SGM_BINARY_MUL);
        return SGM_OK;
    }
    if (!rows) return sgm_ref_mul(step);
    const sgm_tensor *x = &step->in[full], *y = &step->in[1 - full];
    sgm_mul_rows(pool, x->data, x->dtype, y->data, y->dtype, rows, step->out.data, step->out.dtype,
                 sgm_row_count(step->out.shape), sgm_last_dim(step->out.shape));
    return SGM_OK;
}

sgm_status sgm_cpu_affine(sgm_threads *pool, const sgm_step *step)
{
    sgm_affine_rows(pool, step->in[0].data, step->in[0].dtype, step->node->u.affine.scale,
                    step->node->u.affine.shift, step->out.data, step->out.dtype,
                    sgm_shape_count(step->out.shape));
    return SGM_OK;
}

sgm_status sgm_cpu_act(sgm_threads *pool, const sgm_step *step)
{
    if (step->slope.data) {
        sgm_act_slopes(pool, step->node->u.act, step->in[0].data, step->out.data, step->slope.data,
                       sgm_shape_count(step->out.shape));
        return SGM_OK;
    }
    sgm_act_forward(pool, step->node->u.act, step->in[0].data, step->in[0].dtype, step->out.data,
                    step->out.dtype, sgm_shape_count(step->out.shape));
    return SGM_OK;
}

sgm_status sgm_cpu_act_backward(sgm_threads *pool, const sgm_step *step)
{
    if (step->grad_in[0].data && step->slope.data)
        sgm_mul_alike(pool, step->grad_out.data, step->slope.data, step->grad_in[0].data,
                      sgm_shape_count(step->out.shape));
    else if (step->grad_in[0].data)
        sgm_act_backward(pool, step->node->u.act, step->in[0].data, step->in[0].dtype,
                         step->grad_out.data, step->grad_in[0].data, step->accumulate[0],
                         sgm_shape_count(step->out.shape));
    return SGM_OK;
}

sgm_status sgm_cpu_softmax(sgm_threads *pool, const sgm_step *step)
{
    sgm_softmax_rows(pool, step->in[0].data, step->in[0].dtype, step->out.data, step->out.dtype,
                     sgm_row_count(step->out.shape), sgm_last_dim(step->out.shape));
    return SGM_OK;
}

sgm_status sgm_cpu_resize(sgm_threads *pool, const sgm_step *step)
{
    const int64_t *x = step->in[0].shape.dim, *y = step->out.shape.dim;
    sgm_resize_bilinear(pool, step->in[0].data, step->in[0].dtype, x[0], x[1], x[2], x[3], y[1],
                        y[2], step->node->u.resize.align_corners, step->out.data, step->out.dtype);
    return SGM_OK;
}

sgm_status sgm_cpu_resize_backward(sgm_threads *pool, const sgm_step *step)
{
    const int64_t *x = step->in[0].shape.dim, *y = step->out.shape.dim;
    if (!step->grad_in[0].data) return SGM_OK;
    return sgm_resize_bilinear_backward(pool, step->grad_out.data, x[0], x[1], x[2], x[3], y[1],
                                        y[2], step->node->u.resize.align_corners,
                                        step->grad_in[0].data, step->accumulate[0]);
}

sgm_status sgm_cpu_maxpool(sgm_threads *pool, const sgm_step *step)
{
    const int64_t *x = step->in[0].shape.dim;
    sgm_maxpool2(pool, step->in[0].data, step->in[0].dtype, x[0], x[1], x[2], x[3], step->out.data,
                 step->out.dtype);
    return SGM_OK;
}

sgm_status sgm_cpu_maxpool_backward(sgm_threads *pool, const sgm_step *step)
{
    const int64_t *x = step->in[0].shape.dim;
    if (step->grad_in[0].data)
        sgm_maxpool2_backward(pool, step->in[0].data, step->in[0].dtype, step->grad_out.data, x[0],
                              x[1], x[2], x[3], step->grad_in[0].data, step->accumulate[0]);
    return SGM_OK;
}
