/* From volumes to what a pack holds: the pictures that prediction shows the network, cut by the
 * predictor's own slicer, and their label maps. */
#ifndef PROMPTSEG_PACK_SLICES_H
#define PROMPTSEG_PACK_SLICES_H

#include "predict/picture/slice.h"
#include "sgio/volume.h"

typedef struct pack_slice {
    int64_t index; /* along the slicing axis */
    int width, height, channels;
    uint8_t *image;  /* width * height * channels */
    uint16_t *label; /* width * height */
    int most;        /* the largest label value */
} pack_slice;

typedef struct pack_slicing {
    const sgio_volume *label; /* borrowed */
    sgm_volume view;          /* the image, borrowed */
    sgm_slicer slicer;
    int64_t *voxels; /* of the slice at hand: the voxel under each pixel */
    int max_side;    /* longer pictures are made smaller */
} pack_slicing;

/* Chooses plane and window as prediction does without options; `axis` is sgm_axis. The label lies
 * on the image's grid (pack_grid.h). Neither volume may be released before pack_slicing_end, which
 * is due whatever the result: 0, or an exit code with a message. */
int pack_slicing_begin(const sgio_volume *image, const sgio_volume *label, sgm_axis axis,
                       int max_side, pack_slicing *out);
void pack_slicing_end(pack_slicing *slicing);

/* Number of slices along the axis. */
int64_t pack_slicing_count(const pack_slicing *slicing);
/* 1 if any pixel of that slice has a label. */
int pack_slicing_has_label(const pack_slicing *slicing, int64_t index);
/* Makes one slice; release with pack_slice_clear. 0, or an exit code with a message. */
int pack_slicing_make(pack_slicing *slicing, int64_t index, pack_slice *out);
void pack_slice_clear(pack_slice *slice);

#endif
