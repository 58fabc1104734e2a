/* Attention and batched products on the CPU. */
#include "backend/cpu/cpu_glue.h"
#include "backend/cpu/kernels/attention.h"
#include "backend/cpu/kernels/attention_grid.h"
#include "backend/ref/ref_ops.h"
#include "core/cpu_features.h"

static sgm_dtype compute_of(const sgm_step *step)
{
    return step->bf16 && sgm_cpu()->bf16 ? SGM_BF16 : SGM_F32;
}

static sgm_attention_args attention_args(const sgm_step *step)
{
    const int64_t *q = step->in[0].shape.dim, *k = step->in[1].shape.dim;
    int64_t C = q[2], shared = k[0] == 1 && q[0] > 1;
    return (sgm_attention_args){.batch = q[0],
                                .nq = q[1],
                                .nk = k[1],
                                .heads = step->node->u.attention.heads,
                                .head_dim = (int)(C / step->node->u.attention.heads),
                                .scale = step->node->u.attention.scale,
                                .q = step->in[0].data,
                                .k = step->in[1].data,
                                .v = step->in[2].data,
                                .q_dtype = step->in[0].dtype,
                                .k_dtype = step->in[1].dtype,
                                .v_dtype = step->in[2].dtype,
                                .q_ld = C,
                                .k_ld = C,
                                .v_ld = C,
                                .q_batch = q[1] * C,
                                .k_batch = shared ? 0 : k[1] * C,
                                .v_batch = shared ? 0 : k[1] * C,
                                .out = step->out.data,
                                .out_dtype = step->out.dtype,
                                .out_ld = C,
                                .out_batch = q[1] * C,
                                .compute = compute_of(step)};
}

sgm_status sgm_cpu_attention(sgm_threads *pool, const sgm_step *step)
{
    sgm_attention_args args = attention_args(step);
    return sgm_attention_forward(pool, &args);
}

sgm_status sgm_cpu_attention_backward(sgm_threads *pool, const sgm_step *step)
{
    sgm_attention_args args = attention_args(step);
    sgm_attention_grads grads = {
        step->grad_out.data, step->grad_in[0].data, step->grad_in[1].data, step->grad_in[2].data,
        step->accumulate[0], step->accumulate[1],   step->accumulate[2]};
    return sgm_attention_backward(pool, &args, &grads);
}

static sgm_attention_grid_args grid_args(const sgm_step *step)
{
    const int64_t *d = step->in[0].shape.dim;
    const sgm_node *node = step->node;
    bool rel_pos = node->u.attention.bias == SGM_BIAS_REL_POS;
    return (sgm_attention_grid_args){.batch = d[0],
                                     .height = d[1],
                                     .width = d[2],
                                     .heads = node->u.attention.heads,
                                     .head_dim = (int)(d[3] / 3 / node->u.attention.heads),
                                     .window = node->u.attention.window,
                                     .scale = node->u.attention.scale,
                                     .bias = node->u.attention.bias,
                                     .layout = node->u.attention.layout,
                                     .qkv = step->in[0].data,
                                     .qkv_dtype = step->in[0].dtype,
                                     .pad = step->in[1].data,
                                     .rel_h = rel_pos ? step->in[2].data : NULL,
                                     .rel_w = rel_pos ? step->in[3].data : NULL,
                                     .table = rel_pos ? NULL : step->in[2].data,
                                     .out = step->out.data,
                                     .out_dtype = step->out.dtype,
                                     .compute = compute_of(step)};
}

sgm_status sgm_cpu_attention_grid(sgm_threads *pool, const sgm_step *step)
{
    sgm_attention_grid_args args = grid_args(step);
    return sgm_attention_grid_forward(pool, &args);
}

sgm_status sgm_cpu_attention_grid_backward(sgm_threads *pool, const sgm_step *step)
{
    sgm_attention_grid_args args = grid_args(step);
    bool rel_pos = step->node->u.attention.bias == SGM_BIAS_REL_POS;
    /* The kernel has one flag for both biases: clear what is to be overwritten and add. */
    sgm_ref_clear_grad(step, 2);
    sgm_ref_clear_grad(step, 3);
    sgm_attention_grid_grads grads = {
        .dout = step->grad_out.data,
        .dqkv = step->grad_in[0].data,
        .dpad = step->grad_in[1].data,
        .drel_h = rel_pos ? step->grad_in[2].data : NULL,
        .drel_w = rel_pos ? step->grad_in[3].data : NULL,
        .dtable = rel_pos ? NULL : step->grad_in[2].data,
        .accumulate_qkv = step->accumulate[0],
        .accumulate_pad = step->accumulate[1],
        .accumulate_bias = true,
    };
    return sgm_attention_grid_backward(pool, &args, &grads);
}

/* ---------------------------------------------------------------------------- batched products */

typedef struct product {
    int64_t batch, M, N, K, a_step, b_step;
} product;

static product product_of(const sgm_step *step)
{
    const int64_t *a = step->in[0].shape.dim, *b = step->in[1].shape.dim;
    return (product){step->out.shape.dim[0],     a[1], b[1], a[2], a[0] == 1 ? 0 : a[1] * a[2],
                     b[0] == 1 ? 0 : b[1] * b[2]};
}

sgm_status sgm_cpu_matmul(sgm_threads *pool, const sgm_step *step)
{
    product p = product_of(step);
    sgm_matmul_args args = {.m = p.M,
                            .n = p.N,
                            .k = p.K,
                            .transpose_b = true,
                            .a = step->in[0].data,
                            .a_dtype = step->in[0].dtype,
                            .lda = p.K,
                            .b = step->in[1].data,
                            .b_dtype = step->in[1].dtype,
                            .ldb = p.K,
                            .c = step->out.data,
                            .c_dtype = step->out.dtype,
                            .ldc = p.N,
                            .residual = step->residual.data,
                            .alpha = 1,
                            .batch = p.batch,
                            .stride_a = p.a_step,
                            .stride_b = p.b_step,
                            .stride_c = p.M * p.N,
                            .compute = compute_of(step)};
    return sgm_matmul_run(pool, &args);
}

/* dA = dY B, dB = dY^T A. A broadcast operand sums over the batch: the reference does that. */
sgm_status sgm_cpu_matmul_backward(sgm_threads *pool, const sgm_step *step)
{
    product p = product_of(step);
    if (p.batch > 1 && (!p.a_step || !p.b_step)) return sgm_ref_matmul_backward(step);
    sgm_matmul_args da = {.m = p.M,
                          .n = p.K,
                          .k = p.N,
                          .a = step->grad_out.data,
                          .lda = p.N,
                          .b = step->in[1].data,
                          .b_dtype = step->in[1].dtype,
                          .ldb = p.K,
                          .c = step->grad_in[0].data,
                          .ldc = p.K,
                          .alpha = 1,
                          .accumulate = step->accumulate[0],
                          .batch = p.batch,
                          .stride_a = p.M * p.N,
                          .stride_b = p.b_step,
                          .stride_c = p.a_step,
                          .compute = compute_of(step)};
    sgm_matmul_args db = {.m = p.N,
                          .n = p.K,
                          .k = p.M,
                          .transpose_a = true,
                          .a = step->grad_out.data,
                          .lda = p.N,
                          .b = step->in[0].data,
                          .b_dtype = step->in[0].dtype,
                          .ldb = p.K,
                          .c = step->grad_in[1].data,
                          .ldc = p.K,
                          .alpha = 1,
                          .accumulate = step->accumulate[1],
                          .batch = p.batch,
                          .stride_a = p.M * p.N,
                          .stride_b = p.a_step,
                          .stride_c = p.b_step,
                          .compute = compute_of(step)};
    if (da.c) SGM_TRY(sgm_matmul_run(pool, &da));
    return db.c ? sgm_matmul_run(pool, &db) : SGM_OK;
}
