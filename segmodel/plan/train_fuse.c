/* What steps of training do together. Forward: an activation or a residual sum directly behind a
 * layer is computed in the layer's epilogue. Where the activation is on the way back, the memory of
 * the layer's own value, which nobody else reads, takes the activation's slope: its backward step
 * is one multiplication then, and its polynomials run once. Backward: a layer that an activation
 * alone feeds multiplies its input's gradient by that slope itself, and the activation's step is
 * left out.
 *
 * The values are those of single steps, bit for bit. */
#include "plan/train_internal.h"

#include <stdlib.h>

static train_step *step_of(sgm_train_plan *plan, const sgm_node *node)
{
    return &plan->steps[plan->values[node->id].forward_time];
}

/* How many read each value; outputs and the loss are read once more. */
static int *count_readers(const sgm_train_plan *plan)
{
    int *readers = calloc((size_t)plan->node_count + 1, sizeof *readers);
    for (int id = 0; readers && id < plan->node_count; id++) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        for (int i = 0; plan->values[id].needed && i < node->input_count; i++)
            if (node->in[i]) readers[node->in[i]->id]++;
    }
    for (int i = 0; readers && i < plan->output_count; i++)
        readers[plan->outputs[i]->id]++;
    if (readers && plan->loss) readers[plan->loss->id]++;
    return readers;
}

/* A value that `node` alone reads, made by a step of its own. */
static bool belongs_to(sgm_train_plan *plan, const int *readers, const sgm_node *value,
                       const sgm_node *node)
{
    return sgm_train_makes_step(value) && readers[value->id] == 1 &&
           plan->values[value->id].late == plan->values[node->id].late;
}

static void fuse_act(sgm_train_plan *plan, const int *readers, train_step *step)
{
    const sgm_backend_ops *ops = plan->backend->ops;
    const sgm_node *node = step->node, *layer = node->in[0];
    sgm_act act = node->u.act;
    if (!belongs_to(plan, readers, layer, node) || step->accumulate[0]) return;
    if (ops->fuses(plan->backend, layer, act, false) &&
        (!step->backward || ops->keeps_slope(plan->backend, layer, act))) {
        train_step *first = step_of(plan, layer);
        first->act = node;
        first->slope = step->slope = step->backward;
        step->made_by = first;
    } else if (step->backward && !sgm_train_reads_output(layer->op) &&
               ops->keeps_slope(plan->backend, node, act)) {
        step->slope = true;
    }
}

/* Tries to make the layer of operand `which` of a sum add the other operand, which must exist by
 * then. */
static bool fuse_sum(sgm_train_plan *plan, const int *readers, train_step *step, int which)
{
    const sgm_node *sum = step->node, *layer = sum->in[which], *other = sum->in[1 - which];
    if (!belongs_to(plan, readers, layer, sum) || other == layer ||
        !sgm_shape_equal(layer->shape, sum->shape) || !sgm_shape_equal(other->shape, sum->shape) ||
        !plan->backend->ops->fuses(plan->backend, layer, SGM_ACT_NONE, true))
        return false;
    train_step *first = step_of(plan, layer);
    const train_value *value = sgm_train_value_of(plan, other);
    if (value->forward_time >= (int)(first - plan->steps)) return false;
    first->sum = sum;
    first->residual = other;
    step->made_by = first;
    return true;
}

static void scale_gradient(sgm_train_plan *plan, const int *readers, train_step *step)
{
    const sgm_node *act = step->node->in[0];
    if (!step->backward || !act || act->op != SGM_OP_ACT || readers[act->id] != 1 ||
        step->accumulate[0] || step->shared[0] || !sgm_train_wanted_grad(plan, step->node, 0))
        return;
    train_step *kept = step_of(plan, act);
    if (!kept->slope || !plan->backend->ops->scales_gradient(plan->backend, step->node)) return;
    step->scales = true;
    kept->scaled_by = step;
}

sgm_status sgm_train_fuse(sgm_train_plan *plan)
{
    const sgm_backend_ops *ops = plan->backend->ops;
    if (!ops->keeps_slope || !ops->scales_gradient) return SGM_OK;
    int *readers = count_readers(plan);
    if (!readers) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training plan");
    for (int t = 0; t < plan->step_count; t++) {
        train_step *step = &plan->steps[t];
        if (step->node->op == SGM_OP_ACT) fuse_act(plan, readers, step);
        if (step->node->op == SGM_OP_ADD && !fuse_sum(plan, readers, step, 1))
            fuse_sum(plan, readers, step, 0);
    }
    for (int t = 0; t < plan->step_count; t++)
        scale_gradient(plan, readers, &plan->steps[t]);
    free(readers);
    return SGM_OK;
}
