/* Shape rules of ops that move values without computing. */
#include "graph/graph_internal.h"

#include <string.h>

sgm_node *sgm_reshape(sgm_graph *g, sgm_node *x, sgm_shape shape)
{
    if (!x) return NULL;
    int64_t known = 1, total = sgm_shape_count(x->shape);
    int open = -1;
    for (int i = 0; i < shape.ndim; i++) {
        if (shape.dim[i] == -1 && open < 0)
            open = i;
        else
            known *= shape.dim[i];
    }
    if (open >= 0) shape.dim[open] = known > 0 ? total / known : 0;
    if (sgm_shape_count(shape) != total) {
        char from[64], to[64];
        return sgm_graph_refuse(g, "reshape: %s does not fit %s", sgm_shape_text(x->shape, from),
                                sgm_shape_text(shape, to));
    }
    sgm_node node = {
        .op = SGM_OP_RESHAPE, .in = {x}, .input_count = 1, .shape = shape, .dtype = x->dtype};
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_permute(sgm_graph *g, sgm_node *x, const int perm[])
{
    if (!x) return NULL;
    sgm_node node = {.op = SGM_OP_PERMUTE, .in = {x}, .input_count = 1};
    unsigned seen = 0;
    node.shape.ndim = x->shape.ndim;
    for (int i = 0; i < x->shape.ndim; i++) {
        if (perm[i] < 0 || perm[i] >= x->shape.ndim || seen & 1u << perm[i])
            return sgm_graph_refuse(g, "permute: not a permutation of %d axes", x->shape.ndim);
        seen |= 1u << perm[i];
        node.u.perm[i] = perm[i];
        node.shape.dim[i] = x->shape.dim[perm[i]];
    }
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_concat(sgm_graph *g, int axis, int count, sgm_node *const parts[])
{
    if (count < 1 || count > SGM_MAX_INPUTS)
        return sgm_graph_refuse(g, "concat: %d parts, 1 to %d can be", count, SGM_MAX_INPUTS);
    sgm_node node = {.op = SGM_OP_CONCAT, .input_count = count};
    for (int i = 0; i < count; i++) {
        if (!parts[i]) return NULL;
        sgm_shape expected = parts[0]->shape;
        if (axis < 0 || axis >= expected.ndim)
            return sgm_graph_refuse(g, "concat: no axis %d", axis);
        expected.dim[axis] = parts[i]->shape.dim[axis];
        if (!sgm_shape_equal(expected, parts[i]->shape)) {
            char a[64], b[64];
            return sgm_graph_refuse(g, "concat along axis %d: %s beside %s", axis,
                                    sgm_shape_text(parts[0]->shape, a),
                                    sgm_shape_text(parts[i]->shape, b));
        }
        node.in[i] = parts[i];
        if (i)
            node.shape.dim[axis] += parts[i]->shape.dim[axis];
        else
            node.shape = parts[0]->shape;
    }
    node.u.slice.axis = axis;
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_slice(sgm_graph *g, sgm_node *x, int axis, int64_t start, int64_t count)
{
    if (!x) return NULL;
    if (axis < 0 || axis >= x->shape.ndim || start < 0 || count < 1 ||
        start + count > x->shape.dim[axis]) {
        char text[64];
        return sgm_graph_refuse(g, "slice: [%lld, +%lld) along axis %d of %s", (long long)start,
                                (long long)count, axis, sgm_shape_text(x->shape, text));
    }
    sgm_node node = {.op = SGM_OP_SLICE, .in = {x}, .input_count = 1, .shape = x->shape};
    node.shape.dim[axis] = count;
    node.u.slice.axis = axis;
    node.u.slice.start = start;
    node.u.slice.count = count;
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_gather(sgm_graph *g, sgm_node *table, sgm_node *index)
{
    if (!table || !index) return NULL;
    if (table->shape.ndim != 2 || index->dtype != SGM_I32 || index->shape.ndim >= SGM_MAX_DIMS)
        return sgm_graph_refuse(g, "gather: wants a table of rows and integer indices");
    sgm_node node = {
        .op = SGM_OP_GATHER, .in = {table, index}, .input_count = 2, .shape = index->shape};
    node.shape.dim[node.shape.ndim++] = table->shape.dim[1];
    return sgm_graph_append(g, &node);
}
