/* A program: a graph with its plan, ready to run. An encoder program for a batch of images, or a
 * decoder program for a batch of prompt sets of equal size. */
#ifndef SEGMODEL_PREDICT_SESSION_PROGRAM_H
#define SEGMODEL_PREDICT_SESSION_PROGRAM_H

#include "graph/plan.h"
#include "models/models.h"

typedef struct sgm_program_key {
    bool decoder;
    int batch;
    int tokens; /* decoder: prompt tokens per set, may be 0 */
    bool mask;  /* decoder: with a mask prompt */
} sgm_program_key;

typedef struct sgm_program {
    sgm_program_key key;
    sgm_graph *graph;
    sgm_plan *plan; /* NULL when only the graph was asked for */
    /* inputs; NULL where the key has none */
    sgm_node *image;        /* [B, S, S, 3] */
    sgm_node *in_embedding; /* [1, grid, grid, dim] */
    sgm_node *coordinates;  /* [B, tokens, 2] */
    sgm_node *labels;       /* [B, tokens], int32 */
    sgm_node *mask;         /* [B, 4 grid, 4 grid, 1] */
    /* outputs */
    sgm_node *embedding; /* [B, grid, grid, dim] */
    sgm_node *low_res;   /* [B, mask_tokens, 4 grid, 4 grid] */
    sgm_node *iou;       /* [B, mask_tokens] */
    int references;      /* guarded by the model's lock */
    uint64_t last_used;
} sgm_program;

/* Builds the graph; `check` as in sgm_graph_create. `net` may carry a tap (its graph is set here);
 * NULL otherwise. On failure *out is NULL. */
sgm_status sgm_program_build(const sgm_model_config *config, sgm_program_key key,
                             sgm_param_check_fn check, void *user, const sgm_net *net,
                             sgm_program **out);
/* Makes the plan of a built program. */
sgm_status sgm_program_plan(sgm_program *program, sgm_weights *weights,
                            const sgm_plan_options *options);
void sgm_program_destroy(sgm_program *program);

#endif
