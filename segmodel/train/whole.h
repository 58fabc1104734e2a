/* Whole pictures as samples: the network's input is what prediction shows it of that picture
 * (predict/picture/preprocess.h), mask and target lie in the same frame. Masks are taken at the
 * nearest pixel, as the official loaders of the families do. */
#ifndef SEGMODEL_TRAIN_WHOLE_H
#define SEGMODEL_TRAIN_WHOLE_H

#include "predict/picture/preprocess.h"
#include "train/objects.h"
#include "train/rng.h"

/* Mirrored, and with other grey levels. */
typedef struct sgm_look_change {
    bool flip_x, flip_y;
    bool levels; /* `curve` counts */
    uint8_t curve[256];
} sgm_look_change;

/* strength 0: nothing is changed. */
sgm_look_change sgm_look_change_draw(double strength, sgm_rng *rng);

/* A grid of targets: cells over the network's square, or over the picture alone. */
typedef struct sgm_target_grid {
    int width, height;
    bool of_picture; /* the frame's padding is not part of it */
} sgm_target_grid;

/* input: image_size^2 * 3. */
sgm_status sgm_whole_picture(const sgm_model_config *config, const sgm_pack_item *item,
                             const sgm_look_change *change, float *input, sgm_frame *frame);

/* A value per cell at the pixel nearest to its centre: of `object` 1 or 0 (object_mask as
 * sgm_target_mask gives it); without one (NULL) the item's label value. Outside the picture 0. */
void sgm_whole_cells(const sgm_model_config *config, const sgm_pack_item *item,
                     const sgm_look_change *change, const sgm_target *object,
                     const uint8_t *object_mask, sgm_target_grid grid, float *cells);

/* The object over the network's square, 0 or 1. */
void sgm_whole_mask(const sgm_model_config *config, const sgm_pack_item *item,
                    const sgm_look_change *change, const sgm_target *object,
                    const uint8_t *object_mask, uint8_t *mask);

#endif
