#include "count_flops.h"

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
