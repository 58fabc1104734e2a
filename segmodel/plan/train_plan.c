#include "plan/train_plan.h"
#include "backend/full.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/transfer.h"
#include "core/clock.h"
#include "graph/graph_internal.h"
#include "plan/layout.h"
#include "plan/params_internal.h"
#include "plan/plan_internal.h"
#include "plan/train_internal.h"

/* What the backward rule of an op reads besides the gradient of its output. */
static bool reads_inputs(sgm_op op)
{
    switch (op) {
    case SGM_OP_ADD:
    case SGM_OP_AFFINE:
    case SGM_OP_CONCAT:
    case SGM_OP_SLICE:
    case SGM_OP_PERMUTE:
    case SGM_OP_RESIZE:
    case SGM_OP_SOFTMAX:
    case SGM_OP_SUM:
        return false;
    default:
        return true;
    }
}

/* ------------------------------------------------------------------------------ what is needed */

static void mark_needed(sgm_train_plan *plan)
{
    if (plan->loss) plan->values[plan->loss->id].needed = true;
    for (int i = 0; i < plan->output_count; i++)
        plan->values[plan->outputs[i]->id].needed = true;
    for (int id = plan->node_count - 1; id >= 0; id--) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        for (int i = 0; plan->values[id].needed && i < node->input_count; i++)
            if (node->in[i]) plan->values[node->in[i]->id].needed = true;
    }
}

/* What late inputs lead to is computed after all else, so that it can be computed again. */
static void mark_late(sgm_train_plan *plan, const sgm_train_request *request)
{
    for (int i = 0; i < request->late_count; i++)
        plan->values[request->late[i]->id].late = true;
    for (int id = 0; id < plan->node_count; id++) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        for (int i = 0; i < node->input_count; i++)
            if (node->in[i] && plan->values[node->in[i]->id].late) plan->values[id].late = true;
    }
}

/* A node gets a gradient when it depends on something trainable and the loss depends on it. */
static void mark_path(sgm_train_plan *plan)
{
    for (int id = 0; id < plan->node_count; id++) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        train_value *v = &plan->values[id];
        v->on_path = v->asked || (v->param && v->param->grad);
        for (int i = 0; v->needed && i < node->input_count; i++)
            if (node->in[i] && plan->values[node->in[i]->id].on_path) v->on_path = true;
        if (node->op == SGM_OP_FOURIER) v->on_path = false; /* SAM's matrix is a buffer */
    }
    if (!plan->loss) return;
    plan->values[plan->loss->id].has_grad = true;
    for (int id = plan->loss->id; id >= 0; id--) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        if (!plan->values[id].has_grad || !plan->values[id].on_path) continue;
        for (int i = 0; i < node->input_count; i++)
            if (node->in[i] && plan->values[node->in[i]->id].on_path)
                plan->values[node->in[i]->id].has_grad = true;
    }
    for (int id = 0; id < plan->node_count; id++)
        if (plan->values[id].has_grad && plan->values[id].param)
            plan->values[id].param->used = true;
}

/* Does this step read input i, a parameter or a view of one, from its BF16 copy? */
static bool reads_copy(sgm_train_plan *plan, const sgm_node *node, int i)
{
    const sgm_backend_ops *ops = plan->backend->ops;
    return plan->bf16 && node->in[i] && sgm_train_value_of(plan, node->in[i])->param &&
           ops->keeps_bf16 && ops->keeps_bf16(plan->backend, node, i);
}

static sgm_status keep_bf16(sgm_train_plan *plan, const sgm_node *node)
{
    for (int i = 0; i < node->input_count; i++)
        if (reads_copy(plan, node, i))
            SGM_TRY(
                sgm_params_keep_bf16(plan->params, sgm_train_value_of(plan, node->in[i])->param));
    return SGM_OK;
}

static sgm_status bind_leaves(sgm_train_plan *plan)
{
    for (int id = 0; id < plan->node_count; id++) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        train_value *v = &plan->values[id];
        if (!v->needed) continue;
        if (node->op == SGM_OP_PARAM) SGM_TRY(sgm_params_of_node(plan->params, node, &v->param));
        if (plan->bf16) SGM_TRY(keep_bf16(plan, node));
        if (node->op != SGM_OP_DATA) continue;
        size_t bytes = (size_t)sgm_shape_count(node->shape) * sizeof(float);
        v->fixed = plan->backend->ops->alloc(plan->backend, bytes);
        if (!v->fixed) return sgm_backend_full(plan->backend, "no memory for constant data");
        SGM_TRY(plan->backend->ops->upload(plan->backend, v->fixed, node->data, bytes));
    }
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------- steps */

/* The first contribution to a gradient overwrites, later ones add; a parameter's gradient is only
 * ever added to, because it sums up over micro-batches. */
static sgm_status choose_accumulation(sgm_train_plan *plan)
{
    bool *started = calloc((size_t)plan->node_count + 1, sizeof *started);
    if (!started) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training plan");
    for (int t = plan->step_count - 1; t >= 0; t--) {
        train_step *step = &plan->steps[t];
        for (int i = 0; step->backward && i < step->node->input_count; i++) {
            train_value *v = sgm_train_wanted_grad(plan, step->node, i);
            if (!v) continue;
            int base = sgm_base_of(step->node->in[i])->id;
            step->accumulate[i] = v->param || started[base];
            started[base] = true;
        }
    }
    free(started);
    return SGM_OK;
}

static void add_steps(sgm_train_plan *plan, bool late)
{
    for (int id = 0; id < plan->node_count; id++) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        train_value *v = &plan->values[id];
        if (!v->needed || !sgm_train_makes_step(node) || v->late != late) continue;
        train_step *step = &plan->steps[plan->step_count];
        step->node = node;
        step->backward = v->has_grad && v->on_path;
        /* A view of this node may carry the gradient instead of the node itself. */
        v->forward_time = plan->step_count++;
    }
}

static sgm_status make_steps(sgm_train_plan *plan)
{
    plan->steps = calloc((size_t)plan->node_count + 1, sizeof *plan->steps);
    if (!plan->steps) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training plan");
    add_steps(plan, false);
    plan->early_steps = plan->step_count;
    add_steps(plan, true);
    for (int id = 0; id < plan->node_count; id++) {
        train_value *v = &plan->values[id];
        v->backward_time = v->forward_time < 0 ? -1 : 2 * plan->step_count - v->forward_time;
    }
    SGM_TRY(choose_accumulation(plan));
    sgm_train_share_gradients(plan);
    return sgm_train_fuse(plan);
}

/* ---------------------------------------------------------------------------- resolved steps */

static char *block(const sgm_train_plan *plan)
{
    return plan->shared ? plan->shared->data : plan->memory;
}

static void *value_memory(sgm_train_plan *plan, const sgm_node *node)
{
    train_value *v = sgm_train_value_of(plan, node);
    if (v->param) return v->param->value;
    if (v->fixed) return v->fixed;
    return block(plan) ? block(plan) + v->offset : NULL;
}

static void *grad_memory(sgm_train_plan *plan, const sgm_node *node)
{
    train_value *v = sgm_train_value_of(plan, node);
    if (v->param) return v->param->grad;
    if (plan->loss && sgm_base_of(node) == sgm_base_of(plan->loss)) return plan->seed;
    return block(plan) ? block(plan) + v->grad_offset : NULL;
}

static sgm_tensor value_tensor(sgm_train_plan *plan, const sgm_node *node)
{
    return (sgm_tensor){value_memory(plan, node), node->dtype, node->shape};
}

/* Forward: what the step makes besides, or instead of, its own value. */
static void add_fused(sgm_train_plan *plan, const train_step *planned, sgm_step *step)
{
    const sgm_node *node = planned->node;
    const sgm_node *out = planned->sum ? planned->sum : planned->act;
    if (planned->slope) step->slope = value_tensor(plan, planned->act ? node : node->in[0]);
    if (planned->act) step->act = planned->act->u.act;
    if (planned->residual) step->residual = value_tensor(plan, planned->residual);
    if (out) step->out = value_tensor(plan, out);
}

/* Backward: the slope that an activation kept, for itself or for who does its work. */
static void use_slope(sgm_train_plan *plan, const train_step *planned, sgm_step *step)
{
    const sgm_node *node = planned->node;
    if (node->op == SGM_OP_ACT && planned->slope) step->slope = value_tensor(plan, node->in[0]);
    if (!planned->scales) return;
    const sgm_node *input = node->in[0]->in[0];
    step->slope = value_tensor(plan, input);
    step->grad_in[0] = (sgm_tensor){grad_memory(plan, input), SGM_F32, input->shape};
}

static sgm_step resolve(sgm_train_plan *plan, const train_step *planned, bool backward)
{
    const sgm_node *node = planned->node;
    sgm_step step = {.node = node, .input_count = node->input_count, .bf16 = plan->bf16};
    for (int i = 0; i < node->input_count; i++) {
        if (!node->in[i]) continue;
        step.in[i] = value_tensor(plan, node->in[i]);
        if (reads_copy(plan, node, i)) {
            step.in[i].data = sgm_train_value_of(plan, node->in[i])->param->bf16;
            step.in[i].dtype = SGM_BF16;
        }
        if (backward && !planned->shared[i] && sgm_train_wanted_grad(plan, node, i))
            step.grad_in[i] =
                (sgm_tensor){grad_memory(plan, node->in[i]), SGM_F32, node->in[i]->shape};
        step.accumulate[i] = planned->accumulate[i];
    }
    step.out = (sgm_tensor){value_memory(plan, node), SGM_F32, node->shape};
    if (backward) step.grad_out = (sgm_tensor){grad_memory(plan, node), SGM_F32, node->shape};
    if (backward)
        use_slope(plan, planned, &step);
    else
        add_fused(plan, planned, &step);
    step.scratch_size = backward ? planned->back_scratch : planned->scratch;
    size_t at = backward ? planned->back_scratch_offset : planned->scratch_offset;
    step.scratch = block(plan) ? block(plan) + at : NULL;
    return step;
}

/* ------------------------------------------------------------------------------------- memory */

static void until(sgm_lifetime *piece, int time)
{
    if (time > piece->last) piece->last = time;
}

static int time_of(const sgm_train_plan *plan, const train_step *step)
{
    return (int)(step - plan->steps);
}

/* The value of step t lives from when it is made; that of a layer whose slope nobody keeps, not. */
static sgm_lifetime value_piece(const sgm_train_plan *plan, int t, size_t bytes)
{
    const train_step *step = &plan->steps[t];
    bool stored = step->slope || !(step->act || step->sum);
    int made = step->made_by ? time_of(plan, step->made_by) : t;
    return (sgm_lifetime){stored ? bytes : 0, made, t, 0};
}

/* When the backward work of a step is done. */
static int backward_time(const sgm_train_plan *plan, const train_step *step)
{
    const train_step *does = step->scaled_by ? step->scaled_by : step;
    return plan->values[does->node->id].backward_time;
}

/* Pieces: value of node id at [id], its gradient at [n + id], scratch of step t at [2n + 2t] and
 * [2n + 2t + 1]. Time 0 .. steps - 1 is forward, steps is the loss, later is backward. */
static void lifetimes(sgm_train_plan *plan, sgm_lifetime *pieces)
{
    int n = plan->node_count, end = 2 * plan->step_count + 1;
    for (int id = 0; id < n; id++) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        size_t bytes = (size_t)sgm_shape_count(node->shape) * sizeof(float);
        if (plan->values[id].needed && node->op == SGM_OP_INPUT)
            pieces[id] = (sgm_lifetime){bytes, -1, end, 0};
        if (plan->values[id].asked) pieces[n + id] = (sgm_lifetime){bytes, end, end, 0};
    }
    for (int t = 0; t < plan->step_count; t++) {
        train_step *step = &plan->steps[t];
        const sgm_node *node = step->node;
        size_t bytes = (size_t)sgm_shape_count(node->shape) * sizeof(float);
        int back = backward_time(plan, step);
        pieces[node->id] = value_piece(plan, t, bytes);
        if (step->backward) {
            pieces[n + node->id] = (sgm_lifetime){step->scaled_by ? 0 : bytes, back, back, 0};
            if (sgm_train_reads_output(node->op)) until(&pieces[node->id], back);
        }
        for (int i = 0; i < node->input_count; i++) {
            if (!node->in[i]) continue;
            sgm_lifetime *piece = &pieces[sgm_base_of(node->in[i])->id];
            until(piece, step->backward && reads_inputs(node->op) ? back : t);
            if (t >= plan->early_steps && !sgm_train_value_of(plan, node->in[i])->late)
                until(piece, plan->step_count); /* a late step reads it again */
        }
        pieces[2 * n + 2 * t] = (sgm_lifetime){step->scratch, t, t, 0};
        pieces[2 * n + 2 * t + 1] = (sgm_lifetime){step->back_scratch, back, back, 0};
    }
}

/* A gradient lives from its first contribution (the latest consumer's backward step) on. */
static void gradient_starts(sgm_train_plan *plan, sgm_lifetime *pieces)
{
    int n = plan->node_count;
    for (int t = 0; t < plan->step_count; t++) {
        const train_step *step = &plan->steps[t];
        int back = backward_time(plan, step);
        for (int i = 0; step->backward && i < step->node->input_count; i++) {
            if (!sgm_train_wanted_grad(plan, step->node, i)) continue;
            const sgm_node *input = step->node->in[i];
            if (step->scales && i == 0) input = input->in[0];
            sgm_lifetime *piece = &pieces[n + sgm_base_of(input)->id];
            if (piece->size && back < piece->first) piece->first = back;
        }
    }
    if (plan->loss) pieces[n + plan->loss->id].first = plan->step_count;
}

static void keep_outputs(sgm_train_plan *plan, sgm_lifetime *pieces)
{
    int end = 2 * plan->step_count + 1;
    for (int i = 0; i < plan->output_count; i++)
        until(&pieces[sgm_base_of(plan->outputs[i])->id], end);
    if (plan->loss) until(&pieces[sgm_base_of(plan->loss)->id], end);
}

static sgm_status lay_out(sgm_train_plan *plan)
{
    int n = plan->node_count, count = 2 * n + 2 * plan->step_count;
    sgm_lifetime *pieces = calloc((size_t)count + 1, sizeof *pieces);
    if (!pieces) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training plan");
    for (int t = 0; t < plan->step_count; t++) {
        sgm_step step = resolve(plan, &plan->steps[t], false);
        plan->steps[t].scratch = plan->backend->ops->scratch(plan->backend, &step, false);
        if (plan->steps[t].backward)
            plan->steps[t].back_scratch = plan->backend->ops->scratch(plan->backend, &step, true);
    }
    lifetimes(plan, pieces);
    gradient_starts(plan, pieces);
    keep_outputs(plan, pieces);
    sgm_train_merge_pieces(plan, pieces + n);
    sgm_status status = sgm_layout(pieces, count, &plan->bytes);
    for (int id = 0; id < n; id++) {
        plan->values[id].offset = pieces[id].offset;
        plan->values[id].grad_offset = pieces[n + id].offset;
    }
    sgm_train_spread_offsets(plan);
    for (int t = 0; t < plan->step_count; t++) {
        plan->steps[t].scratch_offset = pieces[2 * n + 2 * t].offset;
        plan->steps[t].back_scratch_offset = pieces[2 * n + 2 * t + 1].offset;
    }
    free(pieces);
    return status;
}

/* ----------------------------------------------------------------------------------- the plan */

void sgm_train_memory_clear(sgm_train_memory *memory, sgm_backend *backend)
{
    if (memory->data) backend->ops->free(backend, memory->data);
    *memory = (sgm_train_memory){0};
}

/* Of its own, or what others have if that is large enough. */
static bool take_memory(sgm_train_plan *plan)
{
    const sgm_backend_ops *ops = plan->backend->ops;
    size_t bytes = plan->bytes ? plan->bytes : 64;
    if (!plan->shared) return (plan->memory = ops->alloc(plan->backend, bytes)) != NULL;
    if (plan->shared->bytes >= bytes) return true;
    sgm_train_memory_clear(plan->shared, plan->backend);
    plan->shared->data = ops->alloc(plan->backend, bytes);
    if (plan->shared->data) plan->shared->bytes = bytes;
    return plan->shared->data != NULL;
}

static sgm_status build(sgm_train_plan *plan, const sgm_train_request *request)
{
    plan->values = calloc((size_t)plan->node_count + 1, sizeof *plan->values);
    plan->outputs = calloc((size_t)plan->output_count + 1, sizeof *plan->outputs);
    if (!plan->values || !plan->outputs)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training plan");
    for (int i = 0; i < plan->output_count; i++)
        plan->outputs[i] = request->outputs[i];
    for (int i = 0; i < request->input_count; i++)
        plan->values[request->inputs[i]->id].asked = true;
    for (int id = 0; id < plan->node_count; id++)
        plan->values[id].forward_time = -1;
    mark_needed(plan);
    mark_late(plan, request);
    SGM_TRY(bind_leaves(plan));
    mark_path(plan);
    SGM_TRY(make_steps(plan));
    SGM_TRY(lay_out(plan));
    plan->seed = plan->backend->ops->alloc(plan->backend, sizeof *plan->seed);
    if (!take_memory(plan) || !plan->seed)
        return sgm_backend_full(plan->backend, "no memory for a training step (%zu MiB)",
                                plan->bytes >> 20);
    return SGM_OK;
}

sgm_status sgm_train_plan_make(const sgm_graph *graph, sgm_params *params,
                               const sgm_train_request *request, sgm_train_plan **out)
{
    SGM_TRY(sgm_graph_status(graph));
    if (request->loss && sgm_shape_count(request->loss->shape) != 1)
        return sgm_fail(SGM_INTERNAL, "a loss must be a scalar");
    sgm_train_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training plan");
    plan->graph = graph;
    plan->params = params;
    plan->backend = sgm_params_backend(params);
    plan->loss = request->loss;
    plan->output_count = request->output_count;
    plan->bf16 = request->bf16;
    plan->shared = request->shared;
    plan->seeded = NAN; /* nothing yet */
    plan->node_count = sgm_graph_size(graph);
    sgm_status status = build(plan, request);
    if (status != SGM_OK) {
        sgm_train_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return SGM_OK;
}

sgm_status sgm_train_plan_create(const sgm_graph *graph, sgm_params *params, sgm_node *loss,
                                 int output_count, sgm_node *const outputs[], bool bf16,
                                 sgm_train_plan **out)
{
    const sgm_train_request request = {
        .loss = loss, .output_count = output_count, .outputs = outputs, .bf16 = bf16};
    return sgm_train_plan_make(graph, params, &request, out);
}

static void forget(sgm_train_plan *plan, recorded_steps *r)
{
    if (r->recording) plan->backend->ops->capture_free(plan->backend, r->recording);
    r->recording = NULL;
}

void sgm_train_plan_destroy(sgm_train_plan *plan)
{
    if (!plan) return;
    for (int id = 0; plan->values && id < plan->node_count; id++) {
        if (plan->values[id].fixed) plan->backend->ops->free(plan->backend, plan->values[id].fixed);
        sgm_transfer_release(plan->backend, plan->values[id].transfer);
    }
    forget(plan, &plan->forward);
    forget(plan, &plan->late);
    forget(plan, &plan->backward);
    if (plan->memory) plan->backend->ops->free(plan->backend, plan->memory);
    if (plan->seed) plan->backend->ops->free(plan->backend, plan->seed);
    free(plan->values);
    free(plan->outputs);
    free(plan->steps);
    free(plan->seconds);
    free(plan);
}

size_t sgm_train_plan_bytes(const sgm_train_plan *plan)
{
    return plan->bytes;
}

sgm_status sgm_train_plan_set(sgm_train_plan *plan, const sgm_node *input, const void *values)
{
    if (input->op != SGM_OP_INPUT) return sgm_fail(SGM_INTERNAL, "node %d is no input", input->id);
    if (!plan->values[input->id].needed) return SGM_OK;
    return sgm_upload_async(plan->backend, value_memory(plan, input), values,
                            (size_t)sgm_shape_count(input->shape) * 4,
                            &plan->values[input->id].transfer);
}

sgm_status sgm_train_plan_get(sgm_train_plan *plan, const sgm_node *node, float *values)
{
    return plan->backend->ops->download(plan->backend, values, value_memory(plan, node),
                                        (size_t)sgm_shape_count(node->shape) * sizeof(float));
}

void *sgm_train_plan_memory(sgm_train_plan *plan, const sgm_node *node)
{
    return value_memory(plan, node);
}

/* Where times are wanted each step is waited for: a device would only say how long it took to ask.
 */
static sgm_status run_step(sgm_train_plan *plan, int t, bool backward)
{
    const sgm_backend_ops *ops = plan->backend->ops;
    const train_step *planned = &plan->steps[t];
    if (backward ? planned->scaled_by : planned->made_by) return SGM_OK;
    sgm_step step = resolve(plan, planned, backward);
    double start = plan->seconds ? sgm_clock() : 0;
    SGM_TRY((backward ? ops->backward : ops->forward)(plan->backend, &step));
    if (!plan->seconds) return SGM_OK;
    SGM_TRY(ops->synchronize(plan->backend));
    plan->seconds[backward ? plan->step_count + t : t] = sgm_clock() - start;
    return SGM_OK;
}

static sgm_status forward_from(sgm_train_plan *plan, int first)
{
    for (int t = first; t < plan->step_count; t++)
        SGM_TRY(run_step(plan, t, false));
    return SGM_OK;
}

static sgm_status submit_forward(sgm_train_plan *plan)
{
    return forward_from(plan, 0);
}

static sgm_status submit_late(sgm_train_plan *plan)
{
    return forward_from(plan, plan->early_steps);
}

static sgm_status submit_backward(sgm_train_plan *plan)
{
    for (int t = plan->step_count - 1; t >= 0; t--)
        if (plan->steps[t].backward) SGM_TRY(run_step(plan, t, true));
    return SGM_OK;
}

/* Changes when a parameter's values are elsewhere than before: a recording knows addresses. */
static uint64_t values_stamp(const sgm_train_plan *plan)
{
    uint64_t stamp = 0;
    for (int i = 0; i < sgm_params_count(plan->params); i++)
        stamp = stamp * 0x100000001B3u + (uintptr_t)sgm_params_get(plan->params, i)->value;
    return stamp;
}

/* Where recording fails, steps are submitted one by one. */
static void record(sgm_train_plan *plan, recorded_steps *r, sgm_status (*submit)(sgm_train_plan *))
{
    const sgm_backend_ops *ops = plan->backend->ops;
    r->impossible = true;
    if (ops->capture_begin(plan->backend) != SGM_OK) return;
    sgm_status status = submit(plan);
    sgm_status end = ops->capture_end(plan->backend, &r->recording);
    if (status != SGM_OK || end != SGM_OK) {
        forget(plan, r);
        return;
    }
    r->stamp = values_stamp(plan);
    r->impossible = false;
}

/* Thousands of launches become one; not at the first run, which may load kernels. */
static sgm_status run_steps(sgm_train_plan *plan, recorded_steps *r,
                            sgm_status (*submit)(sgm_train_plan *))
{
    const sgm_backend_ops *ops = plan->backend->ops;
    if (plan->seconds) return submit(plan);
    if (r->recording && r->stamp != values_stamp(plan)) forget(plan, r);
    if (!r->recording && r->ran && !r->impossible && ops->capture_begin) record(plan, r, submit);
    r->ran = true;
    if (!r->recording) return submit(plan);
    if (ops->replay(plan->backend, r->recording) == SGM_OK) return SGM_OK;
    forget(plan, r); /* its first start takes device memory, which there may not be */
    r->impossible = true;
    return submit(plan);
}

sgm_status sgm_train_plan_forward(sgm_train_plan *plan)
{
    SGM_TRY(run_steps(plan, &plan->forward, submit_forward));
    return plan->backend->ops->synchronize(plan->backend);
}

sgm_status sgm_train_plan_forward_late(sgm_train_plan *plan)
{
    SGM_TRY(run_steps(plan, &plan->late, submit_late));
    return plan->backend->ops->synchronize(plan->backend);
}

static sgm_status set_seed(sgm_train_plan *plan, float grad_scale)
{
    if (plan->seeded == grad_scale) return SGM_OK;
    plan->seeded = grad_scale;
    return plan->backend->ops->upload(plan->backend, plan->seed, &plan->seeded,
                                      sizeof plan->seeded);
}

sgm_status sgm_train_plan_submit(sgm_train_plan *plan, float grad_scale)
{
    SGM_TRY(run_steps(plan, &plan->forward, submit_forward));
    return sgm_train_plan_backward(plan, grad_scale);
}

sgm_status sgm_train_plan_submit_late(sgm_train_plan *plan, float grad_scale)
{
    SGM_TRY(run_steps(plan, &plan->late, submit_late));
    return sgm_train_plan_backward(plan, grad_scale);
}

sgm_status sgm_train_plan_backward(sgm_train_plan *plan, float grad_scale)
{
    if (!plan->loss) return sgm_fail(SGM_INTERNAL, "this plan has no loss");
    SGM_TRY(set_seed(plan, grad_scale));
    return run_steps(plan, &plan->backward, submit_backward);
}

sgm_status sgm_train_plan_gradient(sgm_train_plan *plan, const sgm_node *input, float *values)
{
    if (!plan->values[input->id].asked || !plan->values[input->id].has_grad)
        return sgm_fail(SGM_INTERNAL, "no gradient of input %d was asked for", input->id);
    return plan->backend->ops->download(plan->backend, values, grad_memory(plan, input),
                                        (size_t)sgm_shape_count(input->shape) * sizeof(float));
}

sgm_status sgm_train_plan_step(sgm_train_plan *plan, float grad_scale)
{
    SGM_TRY(sgm_train_plan_submit(plan, grad_scale));
    return plan->backend->ops->synchronize(plan->backend);
}

void sgm_train_plan_time(sgm_train_plan *plan, bool on)
{
    free(plan->seconds);
    plan->seconds = on ? calloc(2 * (size_t)plan->step_count + 1, sizeof *plan->seconds) : NULL;
}

/* One step of a profile, both ways. */
typedef struct step_time {
    const sgm_node *node;
    double forward, backward;
} step_time;

static int by_time(const void *one, const void *other)
{
    const step_time *a = one, *b = other;
    double x = a->forward + a->backward, y = b->forward + b->backward;
    return (x < y) - (x > y);
}

static size_t write_line(char *text, size_t room, const char *name, const char *shape,
                         const step_time *time)
{
    return (size_t)snprintf(text, room, "%-14s %-24s forward %9.3f ms, backward %9.3f ms\n", name,
                            shape, 1e3 * time->forward, 1e3 * time->backward);
}

/* The slowest steps, then all of them by op. */
static void write_profile(step_time *times, int count, char *text, size_t room)
{
    step_time by_op[SGM_OP_COUNT] = {0};
    size_t used = 0;
    char shape[64];
    qsort(times, (size_t)count, sizeof *times, by_time);
    for (int i = 0; i < count; i++) {
        sgm_op op = times[i].node->op;
        by_op[op].forward += times[i].forward;
        by_op[op].backward += times[i].backward;
        if (i < SGM_PROFILE_STEPS)
            used += write_line(text + used, room - used, sgm_op_name(op),
                               sgm_shape_text(times[i].node->shape, shape), &times[i]);
    }
    for (int op = 0; op < SGM_OP_COUNT; op++)
        if (by_op[op].forward > 0)
            used +=
                write_line(text + used, room - used, sgm_op_name((sgm_op)op), "all", &by_op[op]);
}

char *sgm_train_plan_profile(const sgm_train_plan *plan)
{
    size_t room = (SGM_PROFILE_STEPS + SGM_OP_COUNT) * 120 + 1;
    step_time *times = calloc((size_t)plan->step_count + 1, sizeof *times);
    char *text = calloc(room, 1);
    if (!times || !text || !plan->seconds) {
        free(times);
        free(text);
        return NULL;
    }
    for (int t = 0; t < plan->step_count; t++)
        times[t] =
            (step_time){plan->steps[t].node, plan->seconds[t], plan->seconds[plan->step_count + t]};
    write_profile(times, plan->step_count, text, room);
    free(times);
    return text;
}
