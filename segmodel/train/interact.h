/* Real interaction in training: what the network itself answered to round 2 becomes the mask prompt
 * of round 3, with a correction in its largest error (Kirillov 2023, appendix A); and where walks
 * are trained, what it answered to the box, moved and scaled a little, becomes the neighbour's mask
 * of samples that have no real one. */
#ifndef SEGMODEL_TRAIN_INTERACT_H
#define SEGMODEL_TRAIN_INTERACT_H

#include "train/train_graph.h"

/* Working memory, made once. */
typedef struct sgm_interaction {
    int side;
    float *low_res; /* of group 0 or 1 */
    uint8_t *bytes;
    int32_t *ints;
} sgm_interaction;

sgm_status sgm_interaction_create(const sgm_train_graph *graph, sgm_interaction *out);
void sgm_interaction_clear(sgm_interaction *interaction);

/* Runs the plan forward on `batch` and rewrites the batch's round 3 and, with walks, 4. `rng`:
 * chooses between the deepest place of the error and any. */
sgm_status sgm_interact(const sgm_train_graph *graph, sgm_train_plan *plan, sgm_rng rng,
                        const sgm_interaction *interaction, sgm_batch *batch);

#endif
