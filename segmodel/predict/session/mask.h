/* Binary masks in the plane (0/1, row-major). */
#ifndef SEGMODEL_PREDICT_SESSION_MASK_H
#define SEGMODEL_PREDICT_SESSION_MASK_H

#include "segmodel/segmodel.h"

/* Bounding box (pixel centres) and area of a 0/1 mask; the box is untouched when empty. */
int64_t sgm_mask_measure(const uint8_t *mask, int width, int height, sgm_box *extent);

/* The innermost points of the mask's parts: of each part the pixel furthest from the outline (3-4
 * chamfer distance, Borgefors 1986), the nearest to the part's centre of these; deepest parts
 * first, parts smaller than a fifth of the first one left out. *count: how many of at most `most`
 * were found, 0 for an empty mask. SGM_OUT_OF_MEMORY. */
sgm_status sgm_mask_inner_points(const uint8_t *mask, int width, int height, size_t most,
                                 sgm_point *points, size_t *count);

/* A pixel of a mask in its part (8-connected); distances as above, in pixels. All are 0 outside of
 * the mask. */
typedef struct sgm_mask_place {
    double depth;   /* of the pixel */
    double deepest; /* of the part's innermost place */
    int64_t part;   /* pixels of the part */
} sgm_mask_place;

/* SGM_OUT_OF_MEMORY. */
sgm_status sgm_mask_place_of(const uint8_t *mask, int width, int height, int x, int y,
                             sgm_mask_place *place);

/* How deep a pixel lies in its part, 1 being the part's innermost place. 0 outside of the mask.
 * SGM_OUT_OF_MEMORY. */
sgm_status sgm_mask_depth(const uint8_t *mask, int width, int height, int x, int y, double *depth);

/* Centre of gravity of a mask that is not empty. */
void sgm_mask_centre(const uint8_t *mask, int width, int height, double *x, double *y);

/* Sets background that is not 4-connected to the mask's surroundings. SGM_OUT_OF_MEMORY. */
sgm_status sgm_mask_fill_holes(uint8_t *mask, int width, int height);

#endif
