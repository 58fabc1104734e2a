#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ref/ref_ops.h"
#include "graph/graph_internal.h"
#include "plan/plan_internal.h"
#include "plan/weights.h"

const sgm_node *sgm_base_of(const sgm_node *node)
{
    while (node->op == SGM_OP_RESHAPE)
        node = node->in[0];
    return node;
}

static size_t type_size(sgm_dtype dtype)
{
    return dtype == SGM_BF16 ? 2 : 4;
}

static size_t value_bytes(const sgm_plan *plan, const sgm_node *base)
{
    return (size_t)sgm_shape_count(base->shape) * type_size(plan->storage[base->id]);
}

/* ------------------------------------------------------------------------------ what is needed */

/* Constants are folded, so what only they need is not needed here. */
static void mark_needed(sgm_plan *plan)
{
    for (int i = 0; i < plan->output_count; i++) {
        plan->needed[plan->outputs[i]->id] = true;
        plan->consumers[plan->outputs[i]->id]++;
    }
    for (int id = plan->node_count - 1; id >= 0; id--) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        if (!plan->needed[id] || node->constant) continue;
        for (int i = 0; i < node->input_count; i++) {
            if (!node->in[i]) continue;
            plan->needed[node->in[i]->id] = true;
            plan->consumers[node->in[i]->id]++;
        }
    }
}

/* ------------------------------------------------------------------------------------- steps */

/* The layer a root computes through fusion, or the root itself. */
static const sgm_node *computed_node(const sgm_plan *plan, const sgm_node *root, sgm_planned *step)
{
    step->act = SGM_ACT_NONE;
    step->residual_node = NULL;
    const sgm_node *node = root;
    if (node->op == SGM_OP_ADD) {
        for (int i = 0; i < 2; i++)
            if (plan->fused[node->in[i]->id] == root) {
                step->residual_node = node->in[1 - i];
                node = node->in[i];
                break;
            }
    }
    if (node->op == SGM_OP_ACT && plan->fused[node->in[0]->id] == root) {
        step->act = node->u.act;
        node = node->in[0];
    }
    return node;
}

static bool makes_a_step(const sgm_plan *plan, const sgm_node *node)
{
    return plan->needed[node->id] && !node->constant && node->op != SGM_OP_INPUT &&
           node->op != SGM_OP_RESHAPE && !plan->fused[node->id];
}

static sgm_status make_steps(sgm_plan *plan)
{
    plan->steps = calloc((size_t)plan->node_count + 1, sizeof *plan->steps);
    if (!plan->steps) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a plan");
    for (int id = 0; id < plan->node_count; id++) {
        const sgm_node *root = sgm_graph_node(plan->graph, id);
        if (!makes_a_step(plan, root)) continue;
        sgm_planned *step = &plan->steps[plan->step_count++];
        step->root = root;
        step->node = computed_node(plan, root, step);
    }
    return SGM_OK;
}

/* ----------------------------------------------------------------------------- storage types */

/* A value is stored as BF16 when whatever reads it is a matrix product (or is fine with it) and
 * nobody needs it exactly. */
static void choose_storage(sgm_plan *plan)
{
    sgm_backend *backend = plan->backend;
    for (int i = 0; plan->options.bf16 && i < plan->step_count; i++) {
        const sgm_planned *step = &plan->steps[i];
        if (backend->ops->stores_bf16(backend, step->node))
            plan->storage[step->root->id] = SGM_BF16;
    }
    for (int i = 0; i < plan->step_count; i++) {
        const sgm_planned *step = &plan->steps[i];
        for (int k = 0; k < step->node->input_count; k++) {
            const sgm_node *input = step->node->in[k];
            if (input && !backend->ops->reads_bf16(backend, step->node, k))
                plan->storage[sgm_base_of(input)->id] = SGM_F32;
        }
        if (step->residual_node) plan->storage[sgm_base_of(step->residual_node)->id] = SGM_F32;
    }
    for (int i = 0; i < plan->output_count; i++)
        plan->storage[sgm_base_of(plan->outputs[i])->id] = SGM_F32;
}

/* ------------------------------------------------------------------------------------ binding */

static sgm_status bind(sgm_plan *plan, const sgm_node *node, sgm_operand *operand)
{
    const sgm_node *base = sgm_base_of(node);
    operand->shape = node->shape;
    operand->dtype = node->dtype == SGM_I32 ? SGM_I32 : plan->storage[base->id];
    if (node->constant) {
        operand->place = SGM_PLACE_FIXED;
        return sgm_weights_value(plan->weights, node, &operand->fixed);
    }
    operand->place = SGM_PLACE_ARENA;
    operand->value = base->id;
    return SGM_OK;
}

static bool has_weight(const sgm_node *node)
{
    return (node->op == SGM_OP_LINEAR || node->op == SGM_OP_CONV2D ||
            node->op == SGM_OP_CONV_TRANSPOSE) &&
           node->in[1]->constant;
}

/* The step as a backend sees it, memory not yet resolved. */
static sgm_step unresolved(const sgm_plan *plan, const sgm_planned *planned)
{
    sgm_step step = {.node = planned->node,
                     .input_count = planned->node->input_count,
                     .act = planned->act,
                     .packed = planned->packed,
                     .bf16 = plan->options.bf16};
    for (int i = 0; i < step.input_count; i++)
        if (planned->node->in[i])
            step.in[i] =
                (sgm_tensor){planned->in[i].fixed, planned->in[i].dtype, planned->in[i].shape};
    step.out = (sgm_tensor){NULL, planned->out.dtype, planned->out.shape};
    return step;
}

static sgm_status bind_step(sgm_plan *plan, sgm_planned *step)
{
    const sgm_node *node = step->node;
    SGM_TRY(bind(plan, step->root, &step->out));
    for (int i = 0; i < node->input_count; i++) {
        if (!node->in[i]) continue;
        step->in[i].shape = node->in[i]->shape;
        if (!(i == 1 && has_weight(node))) SGM_TRY(bind(plan, node->in[i], &step->in[i]));
    }
    if (step->residual_node) SGM_TRY(bind(plan, step->residual_node, &step->residual));
    if (has_weight(node)) {
        sgm_step view = unresolved(plan, step);
        SGM_TRY(sgm_weights_packed(plan->weights, &view, plan->options.bf16, &step->packed));
        if (!step->packed) SGM_TRY(bind(plan, node->in[1], &step->in[1]));
    }
    sgm_step view = unresolved(plan, step);
    if (step->residual_node) view.residual.shape = step->residual.shape;
    step->scratch_size = plan->backend->ops->scratch(plan->backend, &view, false);
    return SGM_OK;
}

static sgm_status bind_all(sgm_plan *plan)
{
    for (int i = 0; i < plan->step_count; i++)
        SGM_TRY(bind_step(plan, &plan->steps[i]));
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------- memory */

static void use(sgm_lifetime *pieces, const sgm_operand *operand, int time)
{
    if (operand->place == SGM_PLACE_ARENA && pieces[operand->value].last < time)
        pieces[operand->value].last = time;
}

/* Set once and run often, an input stays; else it goes with its last reader. */
static int last_of_input(const sgm_plan *plan)
{
    return plan->options.inputs_once ? -1 : plan->step_count;
}

/* Of what a step writes: all rows, or those of one turn. */
static size_t step_bytes(const sgm_plan *plan, const sgm_planned *step)
{
    size_t bytes = value_bytes(plan, step->root);
    if (!step->turn_rows) return bytes;
    return bytes / (size_t)sgm_row_count(step->out.shape) * (size_t)step->turn_rows;
}

/* pieces[0..nodes) are values, then one scratch piece per step. Of two steps that take turns, the
 * first one's inputs and the second one's output are there while either runs. */
static void lifetimes(const sgm_plan *plan, sgm_lifetime *pieces)
{
    for (int id = 0; id < plan->node_count; id++) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        if (plan->needed[id] && node->op == SGM_OP_INPUT)
            pieces[id] = (sgm_lifetime){value_bytes(plan, node), -1, last_of_input(plan), 0};
    }
    for (int t = 0; t < plan->step_count; t++) {
        const sgm_planned *step = &plan->steps[t];
        bool takes_turns = step->turn_rows > 0, second = t > 0 && step[-1].turn_rows > 0;
        pieces[step->root->id] = (sgm_lifetime){step_bytes(plan, step), second ? t - 1 : t, t, 0};
        for (int i = 0; i < step->node->input_count; i++)
            use(pieces, &step->in[i], takes_turns ? t + 1 : t);
        use(pieces, &step->residual, t);
        pieces[plan->node_count + t] = (sgm_lifetime){step->scratch_size, t, t, 0};
    }
    for (int i = 0; i < plan->output_count; i++)
        if (!plan->outputs[i]->constant)
            pieces[sgm_base_of(plan->outputs[i])->id].last = plan->step_count;
}

static sgm_status lay_out(sgm_plan *plan)
{
    int count = plan->node_count + plan->step_count;
    sgm_lifetime *pieces = calloc((size_t)count + 1, sizeof *pieces);
    if (!pieces) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a plan");
    lifetimes(plan, pieces);
    sgm_status status = sgm_layout(pieces, count, &plan->arena);
    for (int id = 0; id < plan->node_count; id++)
        plan->offset[id] = pieces[id].offset;
    for (int t = 0; t < plan->step_count; t++)
        plan->steps[t].scratch_offset = pieces[plan->node_count + t].offset;
    free(pieces);
    if (status == SGM_OK && plan->options.memory_limit && plan->arena > plan->options.memory_limit)
        return sgm_fail(SGM_OUT_OF_MEMORY,
                        "this network needs %zu MiB of working memory, the limit is %zu MiB",
                        plan->arena >> 20, plan->options.memory_limit >> 20);
    return status;
}

/* ----------------------------------------------------------------------------------- the plan */

static sgm_status allocate(sgm_plan *plan)
{
    size_t n = (size_t)plan->node_count + 1;
    plan->needed = calloc(n, sizeof *plan->needed);
    plan->consumers = calloc(n, sizeof *plan->consumers);
    plan->fused = calloc(n, sizeof *plan->fused);
    plan->storage = calloc(n, sizeof *plan->storage);
    plan->offset = calloc(n, sizeof *plan->offset);
    plan->outputs = calloc((size_t)plan->output_count + 1, sizeof *plan->outputs);
    if (!plan->needed || !plan->consumers || !plan->fused || !plan->storage || !plan->offset ||
        !plan->outputs)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a plan");
    return SGM_OK;
}

static sgm_status build(sgm_plan *plan, sgm_node *const outputs[])
{
    SGM_TRY(allocate(plan));
    for (int i = 0; i < plan->output_count; i++) {
        if (!outputs[i]) return sgm_fail(SGM_INTERNAL, "a plan's output %d is missing", i);
        plan->outputs[i] = outputs[i];
    }
    mark_needed(plan);
    sgm_plan_fuse(plan);
    SGM_TRY(make_steps(plan));
    choose_storage(plan);
    SGM_TRY(bind_all(plan));
    sgm_plan_take_turns(plan);
    return lay_out(plan);
}

sgm_status sgm_plan_create(const sgm_graph *graph, sgm_weights *weights, int output_count,
                           sgm_node *const outputs[], const sgm_plan_options *options,
                           sgm_plan **out)
{
    SGM_TRY(sgm_graph_status(graph));
    sgm_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a plan");
    plan->graph = graph;
    plan->weights = weights;
    plan->backend = sgm_weights_backend(weights);
    plan->node_count = sgm_graph_size(graph);
    plan->output_count = output_count;
    if (options) plan->options = *options;
    sgm_status status = build(plan, outputs);
    sgm_weights_trim(weights);
    if (status != SGM_OK) {
        sgm_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return SGM_OK;
}

void sgm_plan_destroy(sgm_plan *plan)
{
    if (!plan) return;
    free(plan->steps);
    free(plan->needed);
    free(plan->consumers);
    free(plan->fused);
    free(plan->storage);
    free(plan->offset);
    free(plan->outputs);
    free(plan);
}

size_t sgm_plan_workspace_bytes(const sgm_plan *plan)
{
    return plan->arena;
}

char *sgm_plan_dump(const sgm_plan *plan)
{
    size_t room = (size_t)plan->step_count * 160 + 1, used = 0;
    char *text = malloc(room), shape[64];
    if (!text) return NULL;
    text[0] = 0;
    for (int i = 0; i < plan->step_count; i++) {
        const sgm_planned *s = &plan->steps[i];
        used += (size_t)snprintf(text + used, room - used, "%4d %-14s -> %-18s %s%s%s%s @%zu\n", i,
                                 sgm_op_name(s->node->op), sgm_shape_text(s->out.shape, shape),
                                 s->out.dtype == SGM_BF16 ? "bf16" : "f32", s->act ? " +act" : "",
                                 s->residual_node ? " +residual" : "", s->packed ? " packed" : "",
                                 plan->offset[s->root->id]);
    }
    return text;
}
