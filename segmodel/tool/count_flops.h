/* Arithmetic of a graph: 2 per multiply-add in linear layers, convolutions and attention; sums,
 * norms and activations are not counted, as is usual. */
#ifndef SEGMODEL_TOOL_COUNT_FLOPS_H
#define SEGMODEL_TOOL_COUNT_FLOPS_H

#include "graph/graph.h"

/* What depends on the input; padding tokens of windows count as keys but not as queries. */
double count_flops(const sgm_graph *graph);

#endif
