/* A training plan from inside: train_plan.c makes and runs it, train_sharing.c lets gradients share
 * memory, train_fuse.c lets steps do the work of others. */
#ifndef SEGMODEL_PLAN_TRAIN_INTERNAL_H
#define SEGMODEL_PLAN_TRAIN_INTERNAL_H

#include "plan/layout.h"
#include "plan/plan_internal.h"
#include "plan/train_plan.h"

/* Per node of the graph. Gradients belong to bases: a view's gradient is its base's. */
typedef struct train_value {
    bool needed;   /* by the loss or an output */
    bool on_path;  /* lies between something that is trained (or asked for) and the loss */
    bool has_grad; /* a later node contributes to its gradient */
    bool asked;    /* an input whose gradient is wanted */
    bool late;     /* a late input, or depends on one */
    sgm_parameter *param;
    void *fixed;    /* DATA: device copy (owned unless the graph's) */
    void *transfer; /* INPUT: what uploads pass through */
    size_t offset, grad_offset;
    int forward_time, backward_time; /* of the node's step; -1: none */
    int shares; /* the next node whose gradient lies in the same memory, in a ring; itself alone */
} train_value;

typedef struct train_step train_step;
struct train_step {
    const sgm_node *node;
    bool backward;
    bool accumulate[SGM_MAX_INPUTS];
    bool shared[SGM_MAX_INPUTS]; /* the input's gradient lies in the output's memory, and is it */
    /* Forward: an activation, or a sum with `residual`, whose value this step makes instead of its
     * own; or the step that makes this one's. NULL: none. */
    const sgm_node *act, *sum, *residual;
    train_step *made_by;
    /* Of an activation and the layer that makes it: the slope is kept where the value of the
     * activation's input would lie. */
    bool slope;
    /* Backward: grad_in[0] is multiplied by the slope of in[0], an activation, and is the gradient
     * of that one's input; of the activation: the step that does so instead of it, or NULL. */
    bool scales;
    train_step *scaled_by;
    size_t scratch, scratch_offset, back_scratch, back_scratch_offset;
};

/* Steps that a device can run again by one call. */
typedef struct recorded_steps {
    void *recording; /* or NULL */
    uint64_t stamp;  /* values_stamp of the recording */
    bool ran;        /* once, step by step */
    bool impossible; /* the backend cannot record them, or not start what it recorded */
} recorded_steps;

struct sgm_train_plan {
    const sgm_graph *graph;
    sgm_params *params;
    sgm_backend *backend;
    const sgm_node *loss;
    sgm_node **outputs;
    int output_count;
    bool bf16;
    int node_count, step_count;
    int early_steps; /* the first so many depend on no late input */
    train_value *values;
    train_step *steps;
    char *memory; /* its own, or NULL */
    sgm_train_memory *shared;
    size_t bytes;
    float *seed, seeded; /* device: the gradient of the loss, and what it is */
    recorded_steps forward, late, backward;
    double *seconds; /* NULL: nobody asks; else of every step of the last run, then backwards */
};

static inline train_value *sgm_train_value_of(sgm_train_plan *plan, const sgm_node *node)
{
    return &plan->values[sgm_base_of(node)->id];
}

/* The gradient this node's backward rule is asked for at input i, NULL if none. */
static inline train_value *sgm_train_wanted_grad(sgm_train_plan *plan, const sgm_node *node, int i)
{
    const sgm_node *input = node->in[i];
    if (!input || !plan->values[input->id].on_path) return NULL;
    return sgm_train_value_of(plan, input);
}

static inline bool sgm_train_is_leaf(const sgm_node *node)
{
    return node->op == SGM_OP_INPUT || node->op == SGM_OP_PARAM || node->op == SGM_OP_DATA;
}

static inline bool sgm_train_makes_step(const sgm_node *node)
{
    return !sgm_train_is_leaf(node) && node->op != SGM_OP_RESHAPE;
}

/* Whether the backward rule of an op reads its output. */
static inline bool sgm_train_reads_output(sgm_op op)
{
    return op == SGM_OP_SOFTMAX || op == SGM_OP_ATTENTION || op == SGM_OP_ATTENTION_GRID;
}

/* Chooses who does whose work, when accumulation and sharing are known. */
sgm_status sgm_train_fuse(sgm_train_plan *plan);

/* Chooses step->shared and the rings of values, when times and accumulation are known. */
void sgm_train_share_gradients(sgm_train_plan *plan);
/* Makes one piece of memory of the pieces of a ring; first_piece: of node 0's gradient. */
void sgm_train_merge_pieces(const sgm_train_plan *plan, sgm_lifetime *first_piece);
/* After the layout: all of a ring lie where its piece lies. */
void sgm_train_spread_offsets(sgm_train_plan *plan);

#endif
