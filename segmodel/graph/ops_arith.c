/* Shape rules of arithmetic. */
#include "graph/graph_internal.h"

/* NumPy's rule: shapes are aligned at the last axis; sizes are equal or one of them is 1. */
static bool broadcast(sgm_shape a, sgm_shape b, sgm_shape *out)
{
    out->ndim = a.ndim > b.ndim ? a.ndim : b.ndim;
    for (int i = 1; i <= out->ndim; i++) {
        int64_t x = i <= a.ndim ? a.dim[a.ndim - i] : 1, y = i <= b.ndim ? b.dim[b.ndim - i] : 1;
        if (x != y && x != 1 && y != 1) return false;
        out->dim[out->ndim - i] = x == 1 ? y : x;
    }
    return true;
}

static sgm_node *binary(sgm_graph *g, sgm_op op, sgm_node *a, sgm_node *b)
{
    if (!a || !b) return NULL;
    sgm_node node = {.op = op, .in = {a, b}, .input_count = 2};
    if (!broadcast(a->shape, b->shape, &node.shape)) {
        char x[64], y[64];
        return sgm_graph_refuse(g, "%s: %s and %s do not broadcast", sgm_op_name(op),
                                sgm_shape_text(a->shape, x), sgm_shape_text(b->shape, y));
    }
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_add(sgm_graph *g, sgm_node *a, sgm_node *b)
{
    return binary(g, SGM_OP_ADD, a, b);
}

sgm_node *sgm_mul(sgm_graph *g, sgm_node *a, sgm_node *b)
{
    return binary(g, SGM_OP_MUL, a, b);
}

static sgm_node *unary(sgm_graph *g, sgm_op op, sgm_node *x)
{
    if (!x) return NULL;
    sgm_node node = {.op = op, .in = {x}, .input_count = 1, .shape = x->shape};
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_affine(sgm_graph *g, sgm_node *x, float scale, float shift)
{
    if (!x) return NULL;
    sgm_node node = {.op = SGM_OP_AFFINE, .in = {x}, .input_count = 1, .shape = x->shape};
    node.u.affine.scale = scale;
    node.u.affine.shift = shift;
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_act_node(sgm_graph *g, sgm_node *x, sgm_act act)
{
    if (!x || act == SGM_ACT_NONE) return x;
    sgm_node node = {.op = SGM_OP_ACT, .in = {x}, .input_count = 1, .shape = x->shape};
    node.u.act = act;
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_softmax(sgm_graph *g, sgm_node *x)
{
    return unary(g, SGM_OP_SOFTMAX, x);
}

sgm_node *sgm_sum(sgm_graph *g, sgm_node *x, int keep)
{
    if (!x) return NULL;
    if (keep < 0 || keep > x->shape.ndim)
        return sgm_graph_refuse(g, "sum: cannot keep %d of %d axes", keep, x->shape.ndim);
    sgm_node node = {.op = SGM_OP_SUM, .in = {x}, .input_count = 1, .shape = x->shape};
    node.shape.ndim = keep;
    node.u.keep = keep;
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_matmul(sgm_graph *g, sgm_node *a, sgm_node *b)
{
    if (!a || !b) return NULL;
    const int64_t *x = a->shape.dim, *y = b->shape.dim;
    if (a->shape.ndim != 3 || b->shape.ndim != 3 || x[2] != y[2] ||
        (x[0] != y[0] && x[0] != 1 && y[0] != 1)) {
        char s[64], t[64];
        return sgm_graph_refuse(g, "matmul: %s times the transpose of %s",
                                sgm_shape_text(a->shape, s), sgm_shape_text(b->shape, t));
    }
    sgm_node node = {.op = SGM_OP_MATMUL,
                     .in = {a, b},
                     .input_count = 2,
                     .shape = SGM_SHAPE(x[0] > y[0] ? x[0] : y[0], x[1], y[1])};
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_loss(sgm_graph *g, int kind, const float value[4], int count,
                   sgm_node *const inputs[])
{
    if (count < 1 || count > SGM_MAX_INPUTS)
        return sgm_graph_refuse(g, "loss: %d inputs, 1 to %d can be", count, SGM_MAX_INPUTS);
    sgm_node node = {.op = SGM_OP_LOSS, .input_count = count};
    for (int i = 0; i < count; i++) {
        if (!inputs[i]) return NULL;
        node.in[i] = inputs[i];
    }
    node.u.loss.kind = kind;
    for (int i = 0; i < 4; i++)
        node.u.loss.value[i] = value ? value[i] : 0;
    return sgm_graph_append(g, &node);
}
