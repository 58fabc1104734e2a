/* Elementwise arithmetic and resampling on the CPU. */
#include "backend/cpu/cpu_glue.h"
#include "backend/cpu/kernels/elementwise.h"
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

sgm_status sgm_cpu_add(sgm_threads *pool, const sgm_step *step)
{
    int full;
    int64_t rows = orient(step, &full);
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
    sgm_act_forward(pool, step->node->u.act, step->in[0].data, step->in[0].dtype, step->out.data,
                    step->out.dtype, sgm_shape_count(step->out.shape));
    return SGM_OK;
}

sgm_status sgm_cpu_act_backward(sgm_threads *pool, const sgm_step *step)
{
    if (step->grad_in[0].data)
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
