/* The look of a training sample: a square window, turned and mirrored, on an item of a pack. */
#ifndef SEGMODEL_TRAIN_CROP_H
#define SEGMODEL_TRAIN_CROP_H

#include "train/objects.h"
#include "train/rng.h"

typedef struct sgm_crop {
    double cx, cy;       /* centre in the item's pixels */
    double side;         /* of the window, in the item's pixels */
    double angle;        /* radians */
    double stretch;      /* x is this much wider than y */
    bool flip_x, flip_y; /* after the rotation */
} sgm_crop;

/* image: size * size * 3 floats in [0, 255]; grey items repeat their channel, places outside the
 * item are `outside`. Output pixels that cover several pixels are means over up to 4 x 4 of them,
 * as the predictor's area means are. */
void sgm_crop_image(const sgm_crop *crop, const sgm_pack_item *item, int size, float outside,
                    float *image);

/* around: size * size, 1 where the output pixel's centre lies outside the item. */
void sgm_crop_around(const sgm_crop *crop, const sgm_pack_item *item, int size, uint8_t *around);

/* mask: size * size, 0 or 1; object_mask as sgm_target_mask gives it. */
void sgm_crop_mask(const sgm_crop *crop, const sgm_target *object, const uint8_t *object_mask,
                   int size, uint8_t *mask);

#endif
