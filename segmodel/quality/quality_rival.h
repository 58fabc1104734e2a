/* What a network has to beat: the ellipse inscribed in the box, and region growing. */
#ifndef SEGMODEL_QUALITY_QUALITY_RIVAL_H
#define SEGMODEL_QUALITY_QUALITY_RIVAL_H

#include "train/pack.h"

/* Confidence-connected region growing (as ITK's filter of that name): from the seeds' surroundings
 * the mean and deviation of the grey values, then the connected pixels within 2.5 deviations,
 * three times over. With a box, growth stays inside and the statistics begin with the pixels of the
 * box's central third. mask: width * height of the item. SGM_OUT_OF_MEMORY. */
sgm_status sgm_rival_grow(const sgm_pack_item *item, const sgm_point *seeds, size_t seed_count,
                          const sgm_box *box, uint8_t *mask);

void sgm_rival_ellipse(const sgm_pack_item *item, const sgm_box *box, uint8_t *mask);

#endif
