/* What the passes that make a plan share with the code that runs it. */
#ifndef SEGMODEL_PLAN_PLAN_INTERNAL_H
#define SEGMODEL_PLAN_PLAN_INTERNAL_H

#include "plan/layout.h"
#include "plan/plan.h"

/* Where a tensor of a step lives. */
typedef enum sgm_place { SGM_PLACE_NONE, SGM_PLACE_FIXED, SGM_PLACE_ARENA } sgm_place;

typedef struct sgm_operand {
    sgm_place place;
    int value;   /* SGM_PLACE_ARENA: index of the value (its base node's id) */
    void *fixed; /* SGM_PLACE_FIXED: weights */
    sgm_dtype dtype;
    sgm_shape shape;
} sgm_operand;

/* A step before its memory is resolved. */
typedef struct sgm_planned {
    const sgm_node *node; /* the op that is computed */
    const sgm_node
        *root; /* the node whose value the step writes: `node`, or what it was fused into */
    sgm_act act;
    const sgm_node *residual_node;
    sgm_operand in[SGM_MAX_INPUTS], residual, out;
    void *packed;
    size_t scratch_size, scratch_offset;
    int64_t turn_rows; /* > 0: takes turns with the next step, this many rows each (plan_turns.c) */
} sgm_planned;

struct sgm_plan {
    const sgm_graph *graph;
    sgm_weights *weights;
    sgm_backend *backend;
    sgm_plan_options options;
    sgm_planned *steps;
    int step_count;
    int node_count;
    bool *needed;           /* per node */
    int *consumers;         /* per node: steps that read it; outputs count once more */
    const sgm_node **fused; /* per node: the root it is computed for, NULL: itself */
    sgm_dtype *storage;     /* per node: type its value is stored as (bases only) */
    size_t *offset;         /* per node: place of its value in the arena (bases only) */
    sgm_node **outputs;
    int output_count;
    size_t arena;
};

/* A view's base: the node that owns the memory. */
const sgm_node *sgm_base_of(const sgm_node *node);

/* plan_fuse.c: decides which nodes are computed as part of a later one. */
void sgm_plan_fuse(sgm_plan *plan);

/* plan_turns.c: decides which steps take turns. */
void sgm_plan_take_turns(sgm_plan *plan);
/* The part of `step` that makes `rows` rows of its output from `row` on. `whole_in` and
 * `whole_out`: whether its first input and its output are there as a whole, or only these rows of
 * them. */
void sgm_step_rows(sgm_step *step, int64_t row, int64_t rows, bool whole_in, bool whole_out);

#endif
