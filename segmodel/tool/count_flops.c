#include "count_flops.h"

#include <stdlib.h>

static double product(const sgm_node *node)
{
    return (double)sgm_shape_count(node->shape);
}

static double attention_grid(const sgm_node *node)
{
    const int64_t *d = node->shape.dim;
    double window = node->u.attention.window, rows = window > 0 ? window : (double)d[1];
    double columns = window > 0 ? window : (double)d[2];
    double scores = 4 * rows * columns;
    double positions = node->u.attention.bias == SGM_BIAS_REL_POS ? 2 * (rows + columns) : 0;
    return product(node) * (scores + positions);
}

static double node_flops(const sgm_node *node)
{
    const int64_t *w = node->in[1] ? node->in[1]->shape.dim : NULL;
    switch (node->op) {
    case SGM_OP_LINEAR:
        return 2 * product(node) * (double)w[1];
    case SGM_OP_CONV2D:
        return 2 * product(node) * (double)(w[1] * w[2] * w[3]);
    case SGM_OP_CONV_TRANSPOSE:
        return 2 * product(node) * (double)w[0];
    case SGM_OP_ATTENTION:
        return 4 * product(node) * (double)node->in[1]->shape.dim[1];
    case SGM_OP_ATTENTION_GRID:
        return attention_grid(node);
    case SGM_OP_MATMUL:
        return 2 * product(node) * (double)node->in[0]->shape.dim[2];
    default:
        return 0;
    }
}

double count_flops(const sgm_graph *graph)
{
    double sum = 0;
    for (int i = 0; i < sgm_graph_size(graph); i++) {
        const sgm_node *node = sgm_graph_node(graph, i);
        if (!node->constant) sum += node_flops(node);
    }
    return sum;
}

/* Products of the backward pass, in forward passes of the node. `wanted[id]`: the gradient of that
 * value is needed. */
static int backward_products(const sgm_node *node, const bool *wanted)
{
    int operands = 0;
    for (int i = 0; i < node->input_count; i++)
        operands += node->in[i] && wanted[node->in[i]->id];
    if (node->op == SGM_OP_ATTENTION || node->op == SGM_OP_ATTENTION_GRID) return operands ? 2 : 0;
    int first = wanted[node->in[0]->id], second = wanted[node->in[1]->id];
    return first + second;
}

double count_step_flops(const sgm_graph *graph, sgm_trainable_fn trainable, void *user)
{
    int size = sgm_graph_size(graph);
    bool *wanted = calloc((size_t)size + 1, sizeof *wanted);
    if (!wanted) return -1;
    double sum = 0;
    for (int i = 0; i < size; i++) {
        const sgm_node *node = sgm_graph_node(graph, i);
        if (node->op == SGM_OP_PARAM) wanted[i] = !trainable || trainable(user, node->name);
        for (int k = 0; k < node->input_count; k++)
            wanted[i] |= node->in[k] && wanted[node->in[k]->id];
        double forward = node_flops(node);
        if (forward > 0) sum += forward * (1 + backward_products(node, wanted));
    }
    free(wanted);
    return sum;
}
