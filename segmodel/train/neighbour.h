/* The same object on two neighbouring slices of a labelled volume: what a walk goes from and to. */
#ifndef SEGMODEL_TRAIN_NEIGHBOUR_H
#define SEGMODEL_TRAIN_NEIGHBOUR_H

#include "train/objects.h"
#include "train/rng.h"

typedef struct sgm_neighbour_pair {
    int item, beside;   /* in the pack: the slice that is asked, and the neighbour's */
    uint8_t *mask;      /* the object there, of the item's size; empty: it has ended */
    uint8_t *neighbour; /* the object on the slice beside it */
    bool ended;
    sgm_target frame;  /* the whole item, for sgm_crop_mask */
    sgm_target extent; /* bounding box of the neighbour's mask */
} sgm_neighbour_pair;

/* Pairs `object` with what continues it on a slice one or two further, in a direction by chance:
 * the pixels of the same label connected with places beside it. Which of both slices is asked is
 * chance as well, so that objects grow as often as they shrink. False: the object is of no volume,
 * or its slice has no neighbour. Masks are malloc'ed; release with sgm_neighbour_clear. */
sgm_status sgm_neighbour_draw(const sgm_pack *pack, const sgm_target *object, sgm_rng *rng,
                              sgm_neighbour_pair *out, bool *found);
/* The same pair seen from the neighbour: it is asked, with the mask of the slice that was. Not for
 * an object that has ended. `extent` stays, so that both are seen in the same window. */
sgm_status sgm_neighbour_turn(const sgm_pack *pack, const sgm_target *object,
                              sgm_neighbour_pair *pair);
void sgm_neighbour_clear(sgm_neighbour_pair *pair);

#endif
