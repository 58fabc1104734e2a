/* Where a picture is asked: crops of it, and the places of a grid's points. */
#ifndef SEGMODEL_PREDICT_EVERYTHING_CROPS_H
#define SEGMODEL_PREDICT_EVERYTHING_CROPS_H

#include "segmodel/segmodel.h"

#define SGM_MOST_CROP_LAYERS 4

typedef struct sgm_part {
    int x0, y0, x1, y1; /* x1, y1 lie behind it */
    int layer;          /* 0: the whole picture */
} sgm_part;

/* The whole picture, then layer after layer of 2^layer x 2^layer crops, column after column. The
 * crops of layer 1 overlap by `overlap_ratio` of the shorter side, those of further layers by half
 * of that, and so on. *out is malloc'ed. */
sgm_status sgm_crops_make(int width, int height, int layers, double overlap_ratio, sgm_part **out,
                          size_t *count);

/* Points per side of a layer's grid, at least 0. */
int sgm_grid_points(int points_per_side, int layer, int downscale_factor);
/* Place `index` of `count` places spread evenly over 0..1, half a step from both ends. */
double sgm_grid_place(int index, int count);

/* Whether a mask's box (of the picture) runs into a side of its crop that is not the picture's:
 * within 20 pixels. */
int sgm_crop_cuts(const sgm_part *crop, int width, int height, const int box[4]);

#endif
