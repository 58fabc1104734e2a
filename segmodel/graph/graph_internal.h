/* What the files that define ops share. */
#ifndef SEGMODEL_GRAPH_GRAPH_INTERNAL_H
#define SEGMODEL_GRAPH_GRAPH_INTERNAL_H

#include "graph/graph.h"

/* Appends a copy of `node` (op, inputs, shape, dtype and numbers set) and returns it; sets id,
 * constant and key. NULL when the graph already has an error. */
sgm_node *sgm_graph_append(sgm_graph *graph, const sgm_node *node);

/* Copies `size` bytes that live as long as the graph. NULL (and a sticky error) out of memory. */
void *sgm_graph_copy(sgm_graph *graph, const void *bytes, size_t size);

/* Sticks an SGM_INVALID_ARGUMENT with this message to the graph; returns NULL. */
sgm_node *sgm_graph_refuse(sgm_graph *graph, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* Name of an op for messages and dumps. */
const char *sgm_op_name(sgm_op op);

#endif
