/* Real interaction in training: what the network itself answered to round 2 becomes the mask prompt
 * of round 3, with a correction in its largest error (Kirillov 2023, appendix A).
 *
 * Where walks are trained, its answer on one slice becomes the neighbour's mask of the slice beside
 * it (samples 2 m and 2 m + 1, see sampler.h): its answer to the box as at a walk's beginning, or
 * to a neighbour's mask as further on. The target stays the truth, so that a walk that has grown,
 * or lost something, comes back. Corrections are made on such answers too, and on corrected ones.
 */
#ifndef SEGMODEL_TRAIN_INTERACT_H
#define SEGMODEL_TRAIN_INTERACT_H

#include "core/threads.h"
#include "train/train_graph.h"

/* Which answers of a sample are used: for the slice beside it, round 1 (the box) or 4 (the walk);
 * for a correction of its own, round 2 (points), 3 (corrected already) or 4 (the walk). */
typedef struct sgm_interaction_sources {
    uint8_t beside, again;
} sgm_interaction_sources;

/* Working memory and threads, made once. */
typedef struct sgm_interaction {
    int side;
    float *low_res;                   /* of one group */
    sgm_interaction_sources *sources; /* of every sample */
    sgm_threads *threads;             /* samples are answered side by side */
} sgm_interaction;

/* threads: how many; results do not depend on it. */
sgm_status sgm_interaction_create(const sgm_train_graph *graph, int threads, sgm_interaction *out);
void sgm_interaction_clear(sgm_interaction *interaction);

/* Runs the plan forward on `batch` and rewrites the batch's round 3 and, with walks, 4. The plan
 * has the batch's pictures then, so that its prompts alone need to be given to it again. `rng`:
 * chooses between the deepest place of the error and any. */
sgm_status sgm_interact(const sgm_train_graph *graph, sgm_train_plan *plan, sgm_rng rng,
                        const sgm_interaction *interaction, sgm_batch *batch);

#endif
