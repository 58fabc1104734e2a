#include <stdlib.h>
#include <string.h>

#include "backend/ref/ref_ops.h"
#include "core/system.h"
#include "graph/graph_internal.h"
#include "backend/ref/loss.h"

int64_t sgm_last_dim(sgm_shape shape)
{
    return shape.ndim ? shape.dim[shape.ndim - 1] : 1;
}

int64_t sgm_row_count(sgm_shape shape)
{
    return sgm_shape_count(shape) / sgm_last_dim(shape);
}

void sgm_ref_clear_grad(const sgm_step *step, int input)
{
    const sgm_tensor *grad = &step->grad_in[input];
    if (grad->data && !step->accumulate[input])
        memset(grad->data, 0, (size_t)sgm_shape_count(grad->shape) * sizeof(float));
}

static sgm_status ref_loss(const sgm_step *step)
{
    const sgm_node *node = step->node;
    return sgm_loss_forward(node->u.loss.kind, node->u.loss.value, step->input_count, step->in,
                            sgm_fm(&step->out));
}

static sgm_status ref_loss_backward(const sgm_step *step)
{
    const sgm_node *node = step->node;
    return sgm_loss_backward(node->u.loss.kind, node->u.loss.value, step->input_count, step->in,
                             *sgm_f(&step->grad_out), step->grad_in, step->accumulate);
}

static const struct {
    sgm_ref_fn forward, backward;
} table[SGM_OP_COUNT] = {
    [SGM_OP_LINEAR] = {sgm_ref_linear, sgm_ref_linear_backward},
    [SGM_OP_CONV2D] = {sgm_ref_conv2d, sgm_ref_conv2d_backward},
    [SGM_OP_CONV_TRANSPOSE] = {sgm_ref_conv_transpose, sgm_ref_conv_transpose_backward},
    [SGM_OP_LAYERNORM] = {sgm_ref_layernorm, sgm_ref_layernorm_backward},
    [SGM_OP_ATTENTION] = {sgm_ref_attention, sgm_ref_attention_backward},
    [SGM_OP_ATTENTION_GRID] = {sgm_ref_attention_grid, sgm_ref_attention_grid_backward},
    [SGM_OP_MATMUL] = {sgm_ref_matmul, sgm_ref_matmul_backward},
    [SGM_OP_ADD] = {sgm_ref_add, sgm_ref_add_backward},
    [SGM_OP_MUL] = {sgm_ref_mul, sgm_ref_mul_backward},
    [SGM_OP_AFFINE] = {sgm_ref_affine, sgm_ref_affine_backward},
    [SGM_OP_ACT] = {sgm_ref_act, sgm_ref_act_backward},
    [SGM_OP_CONCAT] = {sgm_ref_concat, sgm_ref_concat_backward},
    [SGM_OP_SLICE] = {sgm_ref_slice, sgm_ref_slice_backward},
    [SGM_OP_PERMUTE] = {sgm_ref_permute, sgm_ref_permute_backward},
    [SGM_OP_GATHER] = {sgm_ref_gather, sgm_ref_gather_backward},
    [SGM_OP_RESIZE] = {sgm_ref_resize, sgm_ref_resize_backward},
    [SGM_OP_MAXPOOL] = {sgm_ref_maxpool, sgm_ref_maxpool_backward},
    [SGM_OP_FOURIER] = {sgm_ref_fourier, NULL},
    [SGM_OP_SOFTMAX] = {sgm_ref_softmax, sgm_ref_softmax_backward},
    [SGM_OP_SUM] = {sgm_ref_sum, sgm_ref_sum_backward},
    [SGM_OP_LOSS] = {ref_loss, ref_loss_backward},
};

sgm_status sgm_ref_forward(const sgm_step *step)
{
    sgm_ref_fn fn = table[step->node->op].forward;
    if (!fn) return sgm_fail(SGM_INTERNAL, "no forward rule for %s", sgm_op_name(step->node->op));
    return fn(step);
}

sgm_status sgm_ref_backward(const sgm_step *step)
{
    sgm_ref_fn fn = table[step->node->op].backward;
    if (!fn) return sgm_fail(SGM_INTERNAL, "no gradient rule for %s", sgm_op_name(step->node->op));
    return fn(step);
}

/* Attention keeps one query's probabilities: see ref_attention.c. */
size_t sgm_ref_scratch(const sgm_step *step, bool backward)
{
    const sgm_node *node = step->node;
    int64_t keys = 0;
    if (node->op == SGM_OP_ATTENTION) keys = step->in[1].shape.dim[1];
    if (node->op == SGM_OP_ATTENTION_GRID) {
        int64_t s = node->u.attention.window;
        keys = s ? s * s : step->in[0].shape.dim[1] * step->in[0].shape.dim[2];
    }
    return (size_t)keys * sizeof(double) * (backward ? 2 : 1);
}

/* --------------------------------------------------------------------------------- the backend */

static void *ref_alloc(sgm_backend *backend, size_t size)
{
    (void)backend;
    return sgm_aligned_alloc(64, (size + 63) / 64 * 64 + 64);
}

static void ref_free(sgm_backend *backend, void *memory)
{
    (void)backend;
    sgm_aligned_free(memory);
}

static sgm_status ref_copy(sgm_backend *backend, void *to, const void *from, size_t size)
{
    (void)backend;
    memcpy(to, from, size);
    return SGM_OK;
}

static bool ref_stores_bf16(sgm_backend *backend, const sgm_node *node)
{
    (void)backend, (void)node;
    return false;
}

static bool ref_reads_bf16(sgm_backend *backend, const sgm_node *node, int index)
{
    (void)backend, (void)node, (void)index;
    return false;
}

static bool ref_fuses(sgm_backend *backend, const sgm_node *node, sgm_act act, bool residual)
{
    (void)backend, (void)node, (void)act, (void)residual;
    return false;
}

static size_t ref_scratch(sgm_backend *backend, const sgm_step *step, bool backward)
{
    (void)backend;
    return sgm_ref_scratch(step, backward);
}

static sgm_status ref_prepare(sgm_backend *backend, const sgm_step *step, bool bf16, void **packed,
                              size_t *size)
{
    (void)backend, (void)step, (void)bf16;
    *packed = NULL;
    *size = 0;
    return SGM_OK;
}

static void ref_release(sgm_backend *backend, void *packed)
{
    (void)backend, (void)packed;
}

static sgm_status ref_forward(sgm_backend *backend, const sgm_step *step)
{
    (void)backend;
    return sgm_ref_forward(step);
}

static sgm_status ref_backward(sgm_backend *backend, const sgm_step *step)
{
    (void)backend;
    return sgm_ref_backward(step);
}

static sgm_status ref_synchronize(sgm_backend *backend)
{
    (void)backend;
    return SGM_OK;
}

static void ref_destroy(sgm_backend *backend)
{
    free(backend);
}

sgm_status sgm_ref_create(sgm_backend **out)
{
    static const sgm_backend_ops ops = {
        .name = "ref",
        .host_memory = true,
        .alloc = ref_alloc,
        .free = ref_free,
        .upload = ref_copy,
        .download = ref_copy,
        .stores_bf16 = ref_stores_bf16,
        .reads_bf16 = ref_reads_bf16,
        .fuses = ref_fuses,
        .scratch = ref_scratch,
        .prepare = ref_prepare,
        .release = ref_release,
        .forward = ref_forward,
        .backward = ref_backward,
        .synchronize = ref_synchronize,
        .destroy = ref_destroy,
    };
    sgm_backend *backend = calloc(1, sizeof *backend);
    if (!backend) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the reference backend");
    backend->ops = &ops;
    backend->threads = 1;
    *out = backend;
    return SGM_OK;
}
