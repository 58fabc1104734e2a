/* Endless labelled pictures: smooth shapes with nested parts, neighbours and occluders, drawn with
 * the statistics of CT, MR, ultrasound, endoscopy, microscopy and X-ray. They fill in what a small
 * corpus lacks: low contrast, round textured objects, every size. Not an imitation of anatomy. */
#ifndef SEGMODEL_TRAIN_SYNTH_H
#define SEGMODEL_TRAIN_SYNTH_H

#include <stdbool.h>

#include "train/rng.h"

typedef enum sgm_synth_style {
    SGM_SYNTH_CT,
    SGM_SYNTH_MR,
    SGM_SYNTH_ULTRASOUND,
    SGM_SYNTH_ENDOSCOPY,
    SGM_SYNTH_MICROSCOPY,
    SGM_SYNTH_XRAY,
    SGM_SYNTH_STYLE_COUNT
} sgm_synth_style;

/* Floats of scratch for a picture of this size. */
#define SGM_SYNTH_SCRATCH(size) ((size_t)4 * (size_t)(size) * (size_t)(size))

/* Picture `index` of stream `seed`: image[size * size * 3] in [0, 255] and the mask (0/1) of its
 * object, which is never empty and lies with its centre inside. `ended`: the object and its parts
 * are left out of the picture (as on a slice beyond it) and the mask is where they would be. The
 * same index gives the same picture whoever asks. Returns the style. */
sgm_synth_style sgm_synth(uint64_t seed, uint64_t index, int size, bool ended, float *image,
                          uint8_t *mask, float *scratch);

#endif
