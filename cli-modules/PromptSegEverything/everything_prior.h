/* Masks as further channels of a picture, for the training of another network (the idea of SAMAug,
 * Zhang et al. 2023): the picture's grey, where masks lie, where they end. */
#ifndef PROMPTSEG_EVERYTHING_PRIOR_H
#define PROMPTSEG_EVERYTHING_PRIOR_H

#include "slice_masks.h"

/* rgb[height * width]: the grey of the picture (ITU-R 601 of colours); the segmentation prior: the
 * sum of the stability scores of the masks at each pixel (of a detector's masks: of their predicted
 * IoUs), 255 where it is largest; the boundary prior: 255 on both sides of each mask's outline. 0,
 * or CLI_EXIT_MEMORY. */
int everything_prior(const sgm_image *picture, const slice_masks *masks, uint8_t *rgb);

#endif
