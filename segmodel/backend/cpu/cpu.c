#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu_glue.h"
#include "backend/cpu/kernels/orthogonalize.h"
#include "backend/ref/ref_ops.h"
#include "core/cpu_features.h"
#include "core/system.h"

static const struct {
    sgm_cpu_fn forward, backward;
} table[SGM_OP_COUNT] = {
    [SGM_OP_LINEAR] = {sgm_cpu_linear, sgm_cpu_linear_backward},
    [SGM_OP_CONV2D] = {sgm_cpu_conv2d, sgm_cpu_conv2d_backward},
    [SGM_OP_CONV_TRANSPOSE] = {sgm_cpu_conv_transpose, sgm_cpu_conv_transpose_backward},
    [SGM_OP_LAYERNORM] = {sgm_cpu_layernorm, sgm_cpu_layernorm_backward},
    [SGM_OP_ATTENTION] = {sgm_cpu_attention, sgm_cpu_attention_backward},
    [SGM_OP_ATTENTION_GRID] = {sgm_cpu_attention_grid, sgm_cpu_attention_grid_backward},
    [SGM_OP_MATMUL] = {sgm_cpu_matmul, sgm_cpu_matmul_backward},
    [SGM_OP_ADD] = {sgm_cpu_add, sgm_cpu_add_backward},
    [SGM_OP_MUL] = {sgm_cpu_mul, NULL},
    [SGM_OP_AFFINE] = {sgm_cpu_affine, NULL},
    [SGM_OP_ACT] = {sgm_cpu_act, sgm_cpu_act_backward},
    [SGM_OP_SOFTMAX] = {sgm_cpu_softmax, NULL},
    [SGM_OP_RESIZE] = {sgm_cpu_resize, sgm_cpu_resize_backward},
    [SGM_OP_MAXPOOL] = {sgm_cpu_maxpool, sgm_cpu_maxpool_backward},
    [SGM_OP_LOSS] = {sgm_cpu_loss, sgm_cpu_loss_backward},
};

static sgm_threads *pool_of(sgm_backend *backend)
{
    return ((sgm_cpu_backend *)backend)->pool;
}

static void *cpu_alloc(sgm_backend *backend, size_t size)
{
    (void)backend;
    return sgm_aligned_alloc(64, (size + 63) / 64 * 64 + 64);
}

static void cpu_free(sgm_backend *backend, void *memory)
{
    (void)backend;
    sgm_aligned_free(memory);
}

static sgm_status cpu_copy(sgm_backend *backend, void *to, const void *from, size_t size)
{
    (void)backend;
    memcpy(to, from, size);
    return SGM_OK;
}

static bool dense_or_depthwise(const sgm_node *node)
{
    int groups = node->u.conv.groups;
    return groups == 1 || (node->in[1]->shape.dim[1] == 1 && node->shape.dim[3] == groups);
}

static bool cpu_stores_bf16(sgm_backend *backend, const sgm_node *node)
{
    (void)backend;
    switch (node->op) {
    case SGM_OP_LINEAR:
    case SGM_OP_CONV_TRANSPOSE:
    case SGM_OP_LAYERNORM:
    case SGM_OP_ATTENTION:
    case SGM_OP_ATTENTION_GRID:
    case SGM_OP_ACT:
    case SGM_OP_RESIZE:
    case SGM_OP_MAXPOOL:
        return true;
    case SGM_OP_CONV2D:
        return dense_or_depthwise(node);
    default:
        return false; /* sums carry the residual stream: F32 */
    }
}

static bool cpu_reads_bf16(sgm_backend *backend, const sgm_node *node, int index)
{
    (void)backend;
    switch (node->op) {
    case SGM_OP_ATTENTION:
        return true;
    case SGM_OP_LINEAR:
    case SGM_OP_CONV_TRANSPOSE:
    case SGM_OP_ATTENTION_GRID:
    case SGM_OP_ACT:
    case SGM_OP_RESIZE:
    case SGM_OP_MAXPOOL:
        return index == 0;
    case SGM_OP_CONV2D:
        return index == 0 && dense_or_depthwise(node);
    default:
        return false;
    }
}

/* Activations the epilogues know. */
static bool epilogue_act(sgm_act act)
{
    return act == SGM_ACT_NONE || act == SGM_ACT_RELU || act == SGM_ACT_GELU ||
           act == SGM_ACT_SIGMOID || act == SGM_ACT_TANH || act == SGM_ACT_LEAKY_RELU;
}

static bool cpu_fuses(sgm_backend *backend, const sgm_node *node, sgm_act act, bool residual)
{
    (void)backend;
    if (!epilogue_act(act)) return false;
    if (node->op == SGM_OP_LINEAR) return true;
    if (node->op == SGM_OP_MATMUL)
        return residual && act == SGM_ACT_NONE && sgm_last_dim(node->in[0]->shape) <= 1024;
    if (node->op == SGM_OP_LAYERNORM || node->op == SGM_OP_CONV_TRANSPOSE) return !residual;
    if (node->op == SGM_OP_CONV2D)
        return node->u.conv.groups == 1 || (dense_or_depthwise(node) && !residual);
    return false;
}

static bool cpu_keeps_slope(sgm_backend *backend, const sgm_node *node, sgm_act act)
{
    (void)backend;
    switch (node->op) {
    case SGM_OP_LINEAR:
    case SGM_OP_CONV_TRANSPOSE:
        return epilogue_act(act);
    case SGM_OP_CONV2D:
        return epilogue_act(act) && dense_or_depthwise(node);
    case SGM_OP_ACT: /* a slope that is a choice between two numbers is no less work than its x */
        return act != SGM_ACT_RELU && act != SGM_ACT_LEAKY_RELU;
    default:
        return false;
    }
}

static bool cpu_scales_gradient(sgm_backend *backend, const sgm_node *node)
{
    (void)backend;
    if (node->op == SGM_OP_LINEAR) return sgm_last_dim(node->shape) <= 1024; /* see gemm.h */
    if (node->op != SGM_OP_CONV2D) return false;
    const int64_t *w = node->in[1]->shape.dim;
    bool dense = node->u.conv.groups == 1;
    return dense ? node->u.conv.stride == 1 && w[2] == w[3] && node->u.conv.pad < w[2]
                 : dense_or_depthwise(node);
}

/* A weight that changes from run to run (training) is packed into scratch before its product. */
static size_t cpu_scratch(sgm_backend *backend, const sgm_step *step, bool backward)
{
    (void)backend;
    sgm_op op = step->node->op;
    bool layer = op == SGM_OP_LINEAR || op == SGM_OP_CONV2D || op == SGM_OP_CONV_TRANSPOSE;
    if (layer && !backward && !step->packed) return sgm_cpu_pack_size(step, step->bf16);
    return table[op].forward ? 0 : sgm_ref_scratch(step, backward);
}

static sgm_status cpu_prepare(sgm_backend *backend, const sgm_step *step, bool bf16, void **packed,
                              size_t *size)
{
    (void)backend;
    *packed = NULL;
    *size = sgm_cpu_pack_size(step, bf16);
    if (*size == 0) return SGM_OK;
    return sgm_cpu_pack(step, bf16, NULL, (sgm_packed **)packed);
}

static void cpu_release(sgm_backend *backend, void *packed)
{
    (void)backend;
    sgm_packed_destroy(packed);
}

static sgm_status cpu_forward(sgm_backend *backend, const sgm_step *step)
{
    sgm_cpu_fn fn = table[step->node->op].forward;
    return fn ? fn(pool_of(backend), step) : sgm_ref_forward(step);
}

static sgm_status cpu_backward(sgm_backend *backend, const sgm_step *step)
{
    sgm_cpu_fn fn = table[step->node->op].backward;
    return fn ? fn(pool_of(backend), step) : sgm_ref_backward(step);
}

static sgm_status cpu_orthogonalize(sgm_backend *backend, float *matrix, int64_t rows,
                                    int64_t columns)
{
    return sgm_orthogonalize_run(pool_of(backend), matrix, rows, columns);
}

static sgm_status cpu_synchronize(sgm_backend *backend)
{
    (void)backend;
    return SGM_OK;
}

static void cpu_destroy(sgm_backend *backend)
{
    if (!backend) return;
    sgm_threads_destroy(pool_of(backend));
    free(backend);
}

bool sgm_cpu_has_bf16(void)
{
    return sgm_cpu()->bf16;
}

sgm_status sgm_cpu_create(int threads, sgm_backend **out)
{
    static const sgm_backend_ops ops = {
        .name = "cpu",
        .host_memory = true,
        .alloc = cpu_alloc,
        .free = cpu_free,
        .upload = cpu_copy,
        .download = cpu_copy,
        .stores_bf16 = cpu_stores_bf16,
        .reads_bf16 = cpu_reads_bf16,
        .fuses = cpu_fuses,
        .keeps_slope = cpu_keeps_slope,
        .scales_gradient = cpu_scales_gradient,
        .scratch = cpu_scratch,
        .prepare = cpu_prepare,
        .release = cpu_release,
        .forward = cpu_forward,
        .backward = cpu_backward,
        .orthogonalize = cpu_orthogonalize,
        .synchronize = cpu_synchronize,
        .destroy = cpu_destroy,
    };
    sgm_cpu_backend *backend = calloc(1, sizeof *backend);
    if (!backend) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the CPU backend");
    sgm_status status = sgm_threads_create(threads, &backend->pool);
    if (status != SGM_OK) {
        free(backend);
        return status;
    }
    backend->base.ops = &ops;
    backend->base.threads = sgm_threads_count(backend->pool);
    *out = &backend->base;
    return SGM_OK;
}
