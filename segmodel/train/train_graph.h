/* The network of one training step: the encoder on B images, then the decoder on the same
 * embeddings for the rounds of prompt_sim.h, group by group, and the loss over all of them.
 */
#ifndef SEGMODEL_TRAIN_TRAIN_GRAPH_H
#define SEGMODEL_TRAIN_TRAIN_GRAPH_H

#include "models/models.h"
#include "plan/train_plan.h"
#include "train/train_config.h"

typedef struct sgm_train_graph {
    sgm_graph *graph;
    sgm_node *image;  /* [B, S, S, 3] */
    sgm_node *target; /* [B, T, T] */
    sgm_node *weight; /* [B] of all rounds but the neighbour's; NULL without walks */
    sgm_node *coords[SGM_GROUPS], *labels[SGM_GROUPS]; /* NULL where a group has no token */
    sgm_node *masks[SGM_GROUPS];
    sgm_node *low_res[SGM_GROUPS]; /* [rounds B, M, T, T] */
    sgm_node *iou[SGM_GROUPS];     /* [rounds B, M] */
    sgm_node *loss;                /* mean over the rounds, by their weights */
    bool prior;                    /* rounds 0 to 2 have mask prompts: the prior */
    bool walks;                    /* rounds 4 and 5 are there */

    /* Trained as the family's authors do (asked_graph.h): one round, group 0. */
    sgm_asked asked;
    int outputs;         /* what is read of group 0: its masks on the target's grid, or none */
    sgm_node *answer;    /* [B, masks, height, width] logits on the target's grid */
    sgm_node *classes;   /* [B] int32, index of the class asked for; or NULL */
    sgm_node *class_at;  /* the same as F32; or NULL */
    sgm_node *drop;      /* [B, branches] of drop_path.h; or NULL */
    sgm_node *embedding; /* [B, dim] mean feature of the object; or NULL */
    sgm_node *features;  /* [B, grid, grid, dim] instead of pictures; or NULL */
    struct sgm_batch_norms *norms; /* those that gather while training; or NULL */
} sgm_train_graph;

/* point_weight: of round 0 in the loss, beside 1 of the others. Without `prior` only round 3 sees a
 * mask prompt; the others have none, as in SAM. `walks` wants a prior and one of SAM's losses:
 * SGM_INVALID_ARGUMENT. */
sgm_status sgm_train_graph_build(const sgm_model_config *model, sgm_train_loss loss,
                                 double point_weight, int batch, const sgm_sim_options *sim,
                                 sgm_train_graph *out);
void sgm_train_graph_clear(sgm_train_graph *graph);

/* How many groups of low_res and iou there are. */
static inline int sgm_graph_groups(const sgm_train_graph *graph)
{
    return graph->asked == SGM_ASKED_MIXED ? sgm_group_count(graph->walks) : 1;
}

/* Sets all inputs of a plan of this graph. */
sgm_status sgm_train_graph_feed(const sgm_train_graph *graph, sgm_train_plan *plan,
                                const sgm_batch *batch);
/* The inputs of the prompts, which interaction changes; how many there are. */
enum { SGM_PROMPT_INPUTS = 3 * SGM_GROUPS };
int sgm_train_graph_prompts(const sgm_train_graph *graph, sgm_node *inputs[SGM_PROMPT_INPUTS]);
/* Of a batch that the plan has already: what interaction has changed, its prompts. */
sgm_status sgm_train_graph_feed_prompts(const sgm_train_graph *graph, sgm_train_plan *plan,
                                        const sgm_batch *batch);

#endif
