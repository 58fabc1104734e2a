/* Running a plan: a workspace is the memory of one run, so several threads can run one plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/full.h"
#include "backend/ref/ref_ops.h"
#include "core/clock.h"
#include "graph/graph_internal.h"
#include "plan/plan_internal.h"
#include "plan/weights.h"

struct sgm_workspace {
    const sgm_plan *plan;
    sgm_backend *backend;
    char *memory;
    bool borrowed;   /* the memory */
    void **lent;     /* per node: memory of an input outside of it, or NULL; NULL: of none */
    double *seconds; /* per step, or NULL */
    void *recording; /* of all steps, or NULL */
    int plain_runs;  /* before the recording */
    bool unrecorded; /* the backend cannot record these steps */
};

sgm_status sgm_workspace_create_in(const sgm_plan *plan, void *memory, sgm_workspace **out)
{
    sgm_workspace *workspace = calloc(1, sizeof *workspace);
    if (!workspace) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a workspace");
    workspace->plan = plan;
    workspace->backend = plan->backend;
    workspace->memory = memory;
    workspace->borrowed = true;
    *out = workspace;
    return SGM_OK;
}

sgm_status sgm_workspace_create(const sgm_plan *plan, sgm_workspace **out)
{
    const sgm_backend_ops *ops = plan->backend->ops;
    char *memory = ops->alloc(plan->backend, plan->arena ? plan->arena : 64);
    if (!memory)
        return sgm_backend_full(plan->backend, "no memory for a workspace of %zu MiB",
                                plan->arena >> 20);
    sgm_status status = sgm_workspace_create_in(plan, memory, out);
    if (status == SGM_OK)
        (*out)->borrowed = false;
    else
        ops->free(plan->backend, memory);
    return status;
}

void sgm_workspace_destroy(sgm_workspace *workspace)
{
    if (!workspace) return;
    if (workspace->recording)
        workspace->backend->ops->capture_free(workspace->backend, workspace->recording);
    if (!workspace->borrowed) workspace->backend->ops->free(workspace->backend, workspace->memory);
    free(workspace->seconds);
    free(workspace->lent);
    free(workspace);
}

static char *value_memory(const sgm_workspace *workspace, const sgm_node *node)
{
    return workspace->memory + workspace->plan->offset[sgm_base_of(node)->id];
}

void *sgm_workspace_memory(const sgm_workspace *workspace, const sgm_node *node)
{
    if (!workspace->plan->needed[node->id] || node->constant) return NULL;
    return value_memory(workspace, node);
}

sgm_status sgm_workspace_set(sgm_workspace *workspace, const sgm_node *input, const void *values)
{
    if (input->op != SGM_OP_INPUT) return sgm_fail(SGM_INTERNAL, "node %d is no input", input->id);
    if (!workspace->plan->needed[input->id]) return SGM_OK;
    if (workspace->lent) workspace->lent[input->id] = NULL;
    return workspace->backend->ops->upload(workspace->backend, value_memory(workspace, input),
                                           values, (size_t)sgm_shape_count(input->shape) * 4);
}

sgm_status sgm_workspace_lend(sgm_workspace *workspace, const sgm_node *input, const void *values)
{
    if (input->op != SGM_OP_INPUT || !workspace->backend->ops->host_memory)
        return sgm_fail(SGM_INTERNAL, "node %d cannot be lent", input->id);
    if (!workspace->lent)
        workspace->lent = calloc((size_t)workspace->plan->node_count + 1, sizeof *workspace->lent);
    if (!workspace->lent) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a workspace");
    workspace->lent[input->id] = (void *)values; /* steps only read inputs */
    return SGM_OK;
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
    if (operand->place == SGM_PLACE_ARENA && workspace->lent && workspace->lent[operand->value])
        tensor.data = workspace->lent[operand->value];
    return tensor;
}

static sgm_step resolved(const sgm_workspace *workspace, const sgm_planned *planned)
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
    return step;
}

/* Runs (a part of) step number `i`. */
static sgm_status run_step(sgm_workspace *workspace, int i, const sgm_step *step)
{
    sgm_backend *backend = workspace->backend;
    double start = workspace->seconds ? sgm_clock() : 0;
    SGM_TRY(backend->ops->forward(backend, step));
    if (!workspace->seconds) return SGM_OK;
    SGM_TRY(backend->ops->synchronize(backend));
    workspace->seconds[i] += sgm_clock() - start;
    return SGM_OK;
}

/* Steps i and i + 1, block of rows by block of rows. */
static sgm_status run_turns(sgm_workspace *workspace, int i)
{
    const sgm_planned *first = &workspace->plan->steps[i];
    int64_t all = sgm_row_count(first->out.shape);
    for (int64_t row = 0; row < all; row += first->turn_rows) {
        int64_t rows = all - row < first->turn_rows ? all - row : first->turn_rows;
        sgm_step one = resolved(workspace, first), two = resolved(workspace, first + 1);
        sgm_step_rows(&one, row, rows, true, false);
        sgm_step_rows(&two, row, rows, false, true);
        SGM_TRY(run_step(workspace, i, &one));
        SGM_TRY(run_step(workspace, i + 1, &two));
    }
    return SGM_OK;
}

static sgm_status run_steps(const sgm_plan *plan, sgm_workspace *workspace)
{
    if (workspace->seconds)
        memset(workspace->seconds, 0, (size_t)plan->step_count * sizeof *workspace->seconds);
    for (int i = 0; i < plan->step_count; i++) {
        if (plan->options.cancelled) SGM_TRY(plan->options.cancelled(plan->options.cancel_user));
        if (plan->steps[i].turn_rows) {
            SGM_TRY(run_turns(workspace, i++));
            continue;
        }
        sgm_step step = resolved(workspace, &plan->steps[i]);
        SGM_TRY(run_step(workspace, i, &step));
    }
    return SGM_OK;
}

/* Not the first run: a backend may load kernels at their first launch, and one run may be all there
 * is. */
static bool wants_recording(const sgm_workspace *workspace)
{
    return workspace->backend->ops->capture_begin && !workspace->recording &&
           !workspace->unrecorded && workspace->plain_runs > 0;
}

/* Records the steps; where that fails they stay as they are, to be run one by one. */
static sgm_status record(const sgm_plan *plan, sgm_workspace *workspace)
{
    const sgm_backend_ops *ops = plan->backend->ops;
    workspace->unrecorded = true;
    if (ops->capture_begin(plan->backend) != SGM_OK) return SGM_OK;
    sgm_status status = run_steps(plan, workspace);
    sgm_status end = ops->capture_end(plan->backend, &workspace->recording);
    if (status == SGM_CANCELLED) workspace->unrecorded = false;
    if (status == SGM_OK && end == SGM_OK) return SGM_OK;
    if (workspace->recording) ops->capture_free(plan->backend, workspace->recording);
    workspace->recording = NULL;
    return status == SGM_CANCELLED ? status : SGM_OK;
}

/* A recording that cannot be started (its first start takes device memory) is given up. */
static sgm_status replay(const sgm_plan *plan, sgm_workspace *workspace)
{
    if (plan->options.cancelled) SGM_TRY(plan->options.cancelled(plan->options.cancel_user));
    if (plan->backend->ops->replay(plan->backend, workspace->recording) == SGM_OK) return SGM_OK;
    plan->backend->ops->capture_free(plan->backend, workspace->recording);
    workspace->recording = NULL;
    return run_steps(plan, workspace);
}

sgm_status sgm_plan_submit(const sgm_plan *plan, sgm_workspace *workspace)
{
    if (workspace->seconds) return run_steps(plan, workspace);
    if (wants_recording(workspace)) SGM_TRY(record(plan, workspace));
    if (workspace->recording) return replay(plan, workspace);
    SGM_TRY(run_steps(plan, workspace));
    workspace->plain_runs++;
    return SGM_OK;
}

sgm_status sgm_plan_run(const sgm_plan *plan, sgm_workspace *workspace)
{
    SGM_TRY(sgm_plan_submit(plan, workspace));
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
