/* Layers with weights on the CPU: steps to packed products. */
#include "backend/cpu/cpu_glue.h"
#include "backend/cpu/kernels/elementwise.h"
#include "backend/cpu/kernels/layernorm.h"
#include "backend/ref/ref_ops.h"
#include "core/cpu_features.h"

static sgm_dtype compute_type(bool bf16)
{
    return bf16 && sgm_cpu()->bf16 ? SGM_BF16 : SGM_F32;
}

static sgm_epilogue epilogue_of(const sgm_step *step)
{
    int64_t channels = sgm_last_dim(step->out.shape);
    return (sgm_epilogue){.bias = step->in[2].data,
                          .act = step->act,
                          .residual = step->residual.data,
                          .residual_dtype = step->residual.dtype,
                          .residual_ld = channels,
                          .out = step->out.data,
                          .out_dtype = step->out.dtype,
                          .out_ld = channels,
                          .slope = step->slope.data};
}

/* ------------------------------------------------------------------------------------ packing */

bool sgm_cpu_is_depthwise(const sgm_step *step)
{
    return step->node->op == SGM_OP_CONV2D && step->node->u.conv.groups > 1 &&
           step->in[1].shape.dim[1] == 1 && step->in[1].shape.dim[0] == step->node->u.conv.groups;
}

/* Grouped, but not one filter per channel: no network here has it, the reference loops do it. */
static bool is_odd_grouping(const sgm_step *step)
{
    return step->node->op == SGM_OP_CONV2D && step->node->u.conv.groups > 1 &&
           !sgm_cpu_is_depthwise(step);
}

sgm_conv_shape sgm_cpu_conv_shape(const sgm_step *step)
{
    const int64_t *x = step->in[0].shape.dim, *w = step->in[1].shape.dim;
    if (step->node->op == SGM_OP_CONV_TRANSPOSE)
        return (sgm_conv_shape){x[0], x[1], x[2], x[3], w[1], 2, 2, 2, 0};
    return (sgm_conv_shape){x[0],
                            x[1],
                            x[2],
                            x[3],
                            w[0],
                            (int)w[2],
                            (int)w[3],
                            step->node->u.conv.stride,
                            step->node->u.conv.pad};
}

size_t sgm_cpu_pack_size(const sgm_step *step, bool bf16)
{
    const int64_t *w = step->in[1].shape.dim;
    sgm_dtype type = compute_type(bf16);
    if (step->node->op == SGM_OP_LINEAR) return sgm_packed_size(w[0], w[1], type);
    if (step->node->op == SGM_OP_CONV_TRANSPOSE)
        return sgm_conv_transpose_pack_size(w[0], w[1], type);
    if (step->node->op != SGM_OP_CONV2D || step->node->u.conv.groups > 1) return 0;
    return sgm_packed_size(w[0], w[1] * w[2] * w[3], type);
}

sgm_status sgm_cpu_pack(const sgm_step *step, bool bf16, void *buffer, sgm_packed **out)
{
    const int64_t *w = step->in[1].shape.dim;
    const float *values = step->in[1].data;
    sgm_dtype type = compute_type(bf16);
    if (step->node->op == SGM_OP_LINEAR)
        return sgm_packed_create(values, w[0], w[1], w[1], false, type, buffer, out);
    if (step->node->op == SGM_OP_CONV_TRANSPOSE)
        return sgm_conv_transpose_pack(w[0], w[1], values, type, buffer, out);
    sgm_conv_shape shape = sgm_cpu_conv_shape(step);
    return sgm_conv_pack(&shape, values, type, buffer, out);
}

/* The packed weight: made beforehand, or now in scratch. */
static sgm_status packed_weight(const sgm_step *step, const sgm_packed **pack)
{
    *pack = step->packed;
    if (*pack) return SGM_OK;
    return sgm_cpu_pack(step, step->bf16, step->scratch, (sgm_packed **)pack);
}

/* ------------------------------------------------------------------------------------- linear */

sgm_status sgm_cpu_linear(sgm_threads *pool, const sgm_step *step)
{
    const sgm_packed *pack;
    SGM_TRY(packed_weight(step, &pack));
    sgm_rows rows = {step->in[0].data, step->in[0].dtype, sgm_last_dim(step->in[0].shape), NULL};
    sgm_epilogue epilogue = epilogue_of(step);
    return sgm_gemm(pool, pack, &rows, sgm_row_count(step->in[0].shape), &epilogue);
}

static sgm_status linear_data_gradient(sgm_threads *pool, const sgm_step *step, int64_t rows,
                                       int64_t K, int64_t N)
{
    sgm_matmul_args args = {.m = rows,
                            .n = K,
                            .k = N,
                            .a = step->grad_out.data,
                            .lda = N,
                            .b = step->in[1].data,
                            .ldb = K,
                            .c = step->grad_in[0].data,
                            .ldc = K,
                            .factor = step->slope.data,
                            .alpha = 1,
                            .accumulate = step->accumulate[0],
                            .compute = compute_type(step->bf16)};
    return sgm_matmul_run(pool, &args);
}

static sgm_status linear_weight_gradient(sgm_threads *pool, const sgm_step *step, int64_t rows,
                                         int64_t K, int64_t N)
{
    sgm_matmul_args args = {.m = N,
                            .n = K,
                            .k = rows,
                            .transpose_a = true,
                            .a = step->grad_out.data,
                            .lda = N,
                            .b = step->in[0].data,
                            .b_dtype = step->in[0].dtype,
                            .ldb = K,
                            .c = step->grad_in[1].data,
                            .ldc = K,
                            .alpha = 1,
                            .accumulate = step->accumulate[1],
                            .compute = compute_type(step->bf16)};
    return sgm_matmul_run(pool, &args);
}

sgm_status sgm_cpu_linear_backward(sgm_threads *pool, const sgm_step *step)
{
    int64_t rows = sgm_row_count(step->in[0].shape), K = sgm_last_dim(step->in[0].shape);
    int64_t N = sgm_last_dim(step->out.shape);
    if (step->grad_in[0].data) SGM_TRY(linear_data_gradient(pool, step, rows, K, N));
    if (step->grad_in[1].data) SGM_TRY(linear_weight_gradient(pool, step, rows, K, N));
    if (!step->grad_in[2].data) return SGM_OK;
    return sgm_column_sum(pool, step->grad_out.data, SGM_F32, rows, N, step->grad_in[2].data,
                          step->accumulate[2]);
}

/* -------------------------------------------------------------------------------- convolution */

sgm_status sgm_cpu_conv2d(sgm_threads *pool, const sgm_step *step)
{
    sgm_conv_shape shape = sgm_cpu_conv_shape(step);
    if (is_odd_grouping(step)) return sgm_ref_conv2d(step);
    if (sgm_cpu_is_depthwise(step))
        return sgm_depthwise_forward(pool, &shape, step->in[1].data, step->in[2].data, step->act,
                                     step->in[0].data, step->in[0].dtype, step->out.data,
                                     step->out.dtype, step->slope.data);
    const sgm_packed *pack;
    SGM_TRY(packed_weight(step, &pack));
    sgm_epilogue epilogue = epilogue_of(step);
    return sgm_conv2d_forward(pool, &shape, pack, step->in[0].data, step->in[0].dtype, &epilogue);
}

static sgm_conv_grads conv_grads_of(const sgm_step *step)
{
    return (sgm_conv_grads){.dout = step->grad_out.data,
                            .w = step->in[1].data,
                            .x = step->in[0].data,
                            .x_dtype = step->in[0].dtype,
                            .dx = step->grad_in[0].data,
                            .dw = step->grad_in[1].data,
                            .dbias = step->grad_in[2].data,
                            .accumulate_dx = step->accumulate[0],
                            .accumulate_dw = step->accumulate[1],
                            .accumulate_dbias = step->accumulate[2],
                            .factor = step->slope.data,
                            .compute = compute_type(step->bf16)};
}

sgm_status sgm_cpu_conv2d_backward(sgm_threads *pool, const sgm_step *step)
{
    if (is_odd_grouping(step)) return sgm_ref_conv2d_backward(step);
    sgm_conv_shape shape = sgm_cpu_conv_shape(step);
    sgm_conv_grads grads = conv_grads_of(step);
    return sgm_cpu_is_depthwise(step) ? sgm_depthwise_backward(pool, &shape, &grads)
                                      : sgm_conv2d_backward(pool, &shape, &grads);
}

sgm_status sgm_cpu_conv_transpose(sgm_threads *pool, const sgm_step *step)
{
    const sgm_packed *pack;
    SGM_TRY(packed_weight(step, &pack));
    sgm_conv_shape shape = sgm_cpu_conv_shape(step);
    sgm_epilogue epilogue = epilogue_of(step);
    return sgm_conv_transpose_forward(pool, &shape, pack, step->in[0].data, step->in[0].dtype,
                                      &epilogue);
}

sgm_status sgm_cpu_conv_transpose_backward(sgm_threads *pool, const sgm_step *step)
{
    sgm_conv_shape shape = sgm_cpu_conv_shape(step);
    sgm_conv_grads grads = conv_grads_of(step);
    return sgm_conv_transpose_backward(pool, &shape, &grads);
}

/* ---------------------------------------------------------------------------------- layer norm */

sgm_status sgm_cpu_layernorm(sgm_threads *pool, const sgm_step *step)
{
    sgm_layernorm_args args = {.m = sgm_row_count(step->out.shape),
                               .c = sgm_last_dim(step->out.shape),
                               .x = step->in[0].data,
                               .x_dtype = step->in[0].dtype,
                               .gamma = step->in[1].data,
                               .beta = step->in[2].data,
                               .eps = step->node->u.norm.eps,
                               .act = step->act,
                               .out = step->out.data,
                               .out_dtype = step->out.dtype};
    return sgm_layernorm_forward(pool, &args);
}

sgm_status sgm_cpu_layernorm_backward(sgm_threads *pool, const sgm_step *step)
{
    return sgm_layernorm_backward(
        pool, sgm_row_count(step->out.shape), sgm_last_dim(step->out.shape), step->in[0].data,
        step->in[0].dtype, step->in[1].data, step->node->u.norm.eps, step->grad_out.data,
        step->grad_in[0].data, step->accumulate[0], step->grad_in[1].data, step->accumulate[1],
        step->grad_in[2].data, step->accumulate[2]);
}
