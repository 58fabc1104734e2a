/* Arithmetic of a graph: 2 per multiply-add in linear layers, convolutions and attention; sums,
 * norms and activations are not counted, as is usual. */
#ifndef SEGMODEL_TOOL_COUNT_FLOPS_H
#define SEGMODEL_TOOL_COUNT_FLOPS_H

#include "plan/train_plan.h"

/* What depends on the input; padding tokens of windows count as keys but not as queries. */
double count_flops(const sgm_graph *graph);

/* One training step: forward, and backward once more for each operand whose gradient is wanted
 * (attention: twice). What a kernel computes again (attention's scores) is not counted twice. A
 * negative number when out of memory. */
double count_step_flops(const sgm_graph *graph, sgm_trainable_fn trainable, void *user);

#endif
