/* Running a plan: a workspace is the memory of one run, so several threads can run one plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "graph/graph_internal.h"
#include "graph/plan_internal.h"
#include "graph/weights.h"

struct sgm_workspace {
    const sgm_plan *plan;
    sgm_backend *backend;
    char *memory;
    double *seconds; /* per step, or NULL */
};

sgm_status sgm_workspace_create(const sgm_plan *plan, sgm_workspace **out)
{
    sgm_workspace *workspace = calloc(1, sizeof *workspace);
    if (!workspace) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a workspace");
    workspace->plan = plan;
    workspace->backend = plan->backend;
    workspace->memory = plan->backend->ops->alloc(plan->backend, plan->arena ? plan->arena : 64);
    if (!workspace->memory) {
        free(workspace);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a workspace of %zu MiB",
                        plan->arena >> 20);
    }
    *out = workspace;
    return SGM_OK;
}

void sgm_workspace_destroy(sgm_workspace *workspace)
{
    if (!workspace) return;
    workspace->backend->ops->free(workspace->backend, workspace->memory);
    free(workspace->seconds);
    free(workspace);
}

static char *value_memory(const sgm_workspace *workspace, const sgm_node *node)
{
    return workspace->memory + workspace->plan->offset[sgm_base_of(node)->id];
}

sgm_status sgm_workspace_set(sgm_workspace *workspace, const sgm_node *input, const void *values)
{
    if (input->op != SGM_OP_INPUT) return sgm_fail(SGM_INTERNAL, "node %d is no input", input->id);
    if (!workspace->plan->needed[input->id]) return SGM_OK;
    return workspace->backend->ops->upload(workspace->backend, value_memory(workspace, input),
                                           values, (size_t)sgm_shape_count(input->shape) * 4);
}

sgm_status sgm_workspace_get(sgm_workspace *workspace, const sgm_node *output, float *values)
{
    void *memory = value_memory(workspace, output);
    if (output->constant) SGM_TRY(sgm_weights_value(workspace->plan->weights, output, &memory));
    return workspace->backend->ops->download(workspace->backend, values, memory,
                                             (size_t)sgm_shape_count(output->shape) * 4);
}

static sgm_tensor resolve(const sgm_workspace *workspace, const sgm_operand *operand)
{
    sgm_tensor tensor = {NULL, operand->dtype, operand->shape};
    if (operand->place == SGM_PLACE_FIXED) tensor.data = operand->fixed;
    if (operand->place == SGM_PLACE_ARENA)
        tensor.data = workspace->memory + workspace->plan->offset[operand->value];
    return tensor;
}

static sgm_status run_step(sgm_workspace *workspace, const sgm_planned *planned)
{
    sgm_step step = {.node = planned->node,
                     .input_count = planned->node->input_count,
                     .act = planned->act,
                     .bf16 = workspace->plan->options.bf16,
                     .packed = planned->packed,
                     .scratch = workspace->memory + planned->scratch_offset,
                     .scratch_size = planned->scratch_size};
    for (int i = 0; i < step.input_count; i++)
        step.in[i] = resolve(workspace, &planned->in[i]);
    step.out = resolve(workspace, &planned->out);
    step.residual = resolve(workspace, &planned->residual);
    return workspace->backend->ops->forward(workspace->backend, &step);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

sgm_status sgm_plan_run(const sgm_plan *plan, sgm_workspace *workspace)
{
    for (int i = 0; i < plan->step_count; i++) {
        if (plan->options.cancelled) SGM_TRY(plan->options.cancelled(plan->options.cancel_user));
        double start = workspace->seconds ? now() : 0;
        SGM_TRY(run_step(workspace, &plan->steps[i]));
        if (workspace->seconds) {
            SGM_TRY(plan->backend->ops->synchronize(plan->backend));
            workspace->seconds[i] = now() - start;
        }
    }
    return plan->backend->ops->synchronize(plan->backend);
}

void sgm_workspace_time(sgm_workspace *workspace, bool on)
{
    free(workspace->seconds);
    workspace->seconds =
        on ? calloc((size_t)workspace->plan->step_count + 1, sizeof(double)) : NULL;
}

char *sgm_workspace_profile(const sgm_workspace *workspace)
{
    const sgm_plan *plan = workspace->plan;
    double by_op[SGM_OP_COUNT] = {0};
    size_t room = (size_t)(plan->step_count + SGM_OP_COUNT) * 120 + 1, used = 0;
    char *text = malloc(room), shape[64];
    if (!text || !workspace->seconds) {
        free(text);
        return NULL;
    }
    for (int i = 0; i < plan->step_count; i++) {
        const sgm_planned *s = &plan->steps[i];
        by_op[s->node->op] += workspace->seconds[i];
        used += (size_t)snprintf(text + used, room - used, "%4d %-14s -> %-18s %9.3f ms\n", i,
                                 sgm_op_name(s->node->op), sgm_shape_text(s->out.shape, shape),
                                 1e3 * workspace->seconds[i]);
    }
    for (int op = 0; op < SGM_OP_COUNT; op++)
        if (by_op[op] > 0)
            used += (size_t)snprintf(text + used, room - used, "all  %-14s %31.3f ms\n",
                                     sgm_op_name((sgm_op)op), 1e3 * by_op[op]);
    return text;
}
