/* Fusion: an activation or a residual sum directly behind a layer is computed in the layer's
 * epilogue, so that the layer's own output never goes through memory. */
#include "plan/plan_internal.h"

static bool is_layer(const sgm_node *node)
{
    return node->op == SGM_OP_LINEAR || node->op == SGM_OP_CONV2D ||
           node->op == SGM_OP_CONV_TRANSPOSE || node->op == SGM_OP_LAYERNORM ||
           node->op == SGM_OP_MATMUL;
}

/* The layer whose value `node` is so far, with the activation fused into it; NULL if none. */
static const sgm_node *layer_behind(const sgm_plan *plan, const sgm_node *node, sgm_act *act)
{
    *act = SGM_ACT_NONE;
    if (node->constant) return NULL;
    if (is_layer(node)) return node;
    if (node->op != SGM_OP_ACT) return NULL;
    const sgm_node *layer = node->in[0];
    if (!is_layer(layer) || plan->fused[layer->id] != node) return NULL;
    *act = node->u.act;
    return layer;
}

static bool free_to_fuse(const sgm_plan *plan, const sgm_node *node)
{
    return plan->consumers[node->id] == 1;
}

static void fuse_act(sgm_plan *plan, const sgm_node *node)
{
    const sgm_node *layer = node->in[0];
    if (layer->constant || !is_layer(layer) || !free_to_fuse(plan, layer)) return;
    if (plan->backend->ops->fuses(plan->backend, layer, node->u.act, false))
        plan->fused[layer->id] = node;
}

/* Tries to make the layer behind operand `which` of a sum add the other operand. */
static bool fuse_residual(sgm_plan *plan, const sgm_node *sum, int which)
{
    sgm_act act;
    const sgm_node *tail = sum->in[which], *layer = layer_behind(plan, tail, &act);
    if (!layer || !free_to_fuse(plan, tail) || sum->in[1 - which] == tail) return false;
    if (!sgm_shape_equal(sum->in[1 - which]->shape, sum->shape) ||
        !sgm_shape_equal(tail->shape, sum->shape))
        return false;
    if (!plan->backend->ops->fuses(plan->backend, layer, act, true)) return false;
    plan->fused[layer->id] = sum;
    if (tail != layer) plan->fused[tail->id] = sum;
    return true;
}

void sgm_plan_fuse(sgm_plan *plan)
{
    for (int id = 0; id < plan->node_count; id++) {
        const sgm_node *node = sgm_graph_node(plan->graph, id);
        if (!plan->needed[id] || node->constant) continue;
        if (node->op == SGM_OP_ACT) fuse_act(plan, node);
        if (node->op == SGM_OP_ADD && !fuse_residual(plan, node, 1)) fuse_residual(plan, node, 0);
    }
}
