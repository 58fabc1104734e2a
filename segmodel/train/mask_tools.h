/* Small binary masks: what prompt simulation and measurement need. Masks are S x S, 0 or 1. */
#ifndef SEGMODEL_TRAIN_MASK_TOOLS_H
#define SEGMODEL_TRAIN_MASK_TOOLS_H

#include <stdbool.h>

#include "train/rng.h"

typedef struct sgm_mask_box {
    int x0, y0, x1, y1; /* inclusive; x1 < x0: nothing there */
    int area;
} sgm_mask_box;

sgm_mask_box sgm_mask_bounds(const uint8_t *mask, int width, int height);

/* Distance of each foreground pixel to the nearest background pixel (outside counts as background),
 * by the 3-4 chamfer, in thirds of a pixel; 0 in the background. */
void sgm_mask_distance(const uint8_t *mask, int width, int height, int32_t *distance);

/* A foreground pixel: uniformly, or (deepest) one of the largest distance to the background, the
 * first in row order. `distance` from above. False if there is no foreground. */
bool sgm_mask_random_pixel(const int32_t *distance, int width, int height, sgm_rng *rng, int *x,
                           int *y);
bool sgm_mask_deepest_pixel(const int32_t *distance, int width, int height, int *x, int *y);

/* Pixels in exactly one / in a but not b. out may be a or b. */
void sgm_mask_minus(const uint8_t *a, const uint8_t *b, int count, uint8_t *out);

#endif
