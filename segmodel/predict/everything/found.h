/* The masks of a picture, as they are found, sifted and handed out. */
#ifndef SEGMODEL_PREDICT_EVERYTHING_FOUND_H
#define SEGMODEL_PREDICT_EVERYTHING_FOUND_H

#include "predict/picture/packed_mask.h"
#include "segmodel/everything.h"

typedef struct sgm_candidate {
    sgm_found found;
    sgm_packed_mask mask; /* in the picture; owned */
} sgm_candidate;

/* The list behind segmodel/everything.h. Zero-initialise, set the size. */
struct sgm_everything {
    int width, height;
    sgm_candidate *items;
    size_t count, room;
};

/* Takes the candidate's mask over, also when there is no memory for it. */
sgm_status sgm_everything_add(sgm_everything *all, sgm_candidate candidate);
/* Moves all of `from` behind those of `to`; `from` is empty then. */
sgm_status sgm_everything_move(sgm_everything *to, sgm_everything *from);
void sgm_everything_clear(sgm_everything *all);

/* Puts the best first by `scores` (one per candidate, those of equal score in their order) and
 * drops whatever overlaps a better one by more than `threshold` (1: nothing): IoU of the boxes, in
 * single precision, as torchvision. A box without area overlaps nothing. */
sgm_status sgm_everything_suppress(sgm_everything *all, const float *scores, double threshold);

#endif
