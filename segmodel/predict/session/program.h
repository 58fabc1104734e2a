/* A program: a graph with its plan, ready to run: some of a network's stages for a batch of
 * pictures or of prompt sets of equal size. */
#ifndef SEGMODEL_PREDICT_SESSION_PROGRAM_H
#define SEGMODEL_PREDICT_SESSION_PROGRAM_H

#include "models/family.h"
#include "plan/plan.h"

/* What a program does of a network's work. Prompts are encoded where they are decoded: alone they
 * are a few thousand numbers. */
typedef enum sgm_stage {
    SGM_STAGE_ENCODE, /* pictures to features */
    SGM_STAGE_DECODE  /* features and prompts to masks */
} sgm_stage;

typedef struct sgm_program_key {
    sgm_stage stage;
    int batch;
    /* decode */
    int tokens;   /* prompt tokens per set, may be 0 */
    bool mask;    /* with a mask prompt */
    bool classes; /* with a class */
} sgm_program_key;

typedef struct sgm_program {
    sgm_program_key key;
    sgm_graph *graph;
    sgm_plan *plan; /* NULL when only the graph was asked for */
    /* encode */
    sgm_node *image;       /* in: [B, S, S, 3] */
    sgm_features features; /* out: [B, rows, columns, channels] each; family.h */
    /* decode; inputs that the key does not have are NULL */
    sgm_features in;         /* [1, rows, columns, channels] each */
    sgm_prompt_input prompt; /* of B sets; models.h */
    sgm_node *low_res;       /* out: [B, mask_tokens, 4 grid, 4 grid] */
    sgm_node *iou;           /* out: [B, mask_tokens] */
    int references;          /* guarded by the model's lock */
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
