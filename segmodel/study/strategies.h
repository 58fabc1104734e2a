/* Where a simulated user points, as papers describe it; every choice can be repeated from its key
 * (metrics/draw.h). Masks are width * height bytes, not 0 is the object, which is not empty; a
 * place is y * width + x. */
#ifndef SEGMODEL_STUDY_STRATEGIES_H
#define SEGMODEL_STUDY_STRATEGIES_H

#include "segmodel/segmodel.h"

/* The pixel farthest from the outside; what lies beyond the picture is outside. The first in row
 * order among equals. SGM_OUT_OF_MEMORY. */
sgm_status sgm_point_centre(const uint8_t *mask, int width, int height, int64_t *place);
/* Any pixel of the mask, uniformly: draw `index` of the key. -1: there is none. */
int64_t sgm_point_random(const uint8_t *mask, int64_t count, uint64_t key, uint64_t index);

/* The second point (SAMUS's study): a pixel of the object, never the first one again unless there
 * is no other. Random: uniformly, draw 1. Doubt: where the answer to the first point is least sure,
 * which is where predictive entropy is highest: doubt[i] falls with it (|logit|, or the distance of
 * a probability from one half). Farthest: by Euclidean distance from the first. The lowest place
 * among equals. */
int64_t sgm_second_random(const uint8_t *mask, int64_t count, int64_t first, uint64_t key);
int64_t sgm_second_doubt(const uint8_t *mask, int64_t count, int64_t first, const float *doubt);
int64_t sgm_second_farthest(const uint8_t *mask, int width, int height, int64_t first);

#define SGM_BOX_NOISE_LIMIT 20

/* SAM's noise: each coordinate moves by a normal deviate of `share` times the box's side along it,
 * by SGM_BOX_NOISE_LIMIT pixels at most, and stays in the picture. */
sgm_box sgm_noisy_box(sgm_box box, double share, uint64_t key, int width, int height);

#endif
