/* From volumes to what a pack holds: 8-bit pictures with square pixels, and their label maps. */
#ifndef PROMPTSEG_PACK_SLICES_H
#define PROMPTSEG_PACK_SLICES_H

#include "sgio/volume.h"

typedef struct pack_slice {
    int64_t index; /* along the slicing axis */
    int width, height, channels;
    uint8_t *image;  /* width * height * channels */
    uint16_t *label; /* width * height */
    int most;        /* the largest label value */
} pack_slice;

typedef struct pack_slicing {
    const sgio_volume *image, *label;
    const char *modality;
    int axis;         /* of the coarsest spacing; 2 for pictures */
    double low, high; /* the intensity window */
    int max_side;     /* longer pictures are made smaller */
} pack_slicing;

/* Checks that the label fits its image (same size) and chooses axis and window: CT volumes
 * -160..240 HU, other volumes the percentiles 0.5 and 99.5; 8-bit pictures are taken as they are.
 * 0, or an exit code with a message. */
int pack_slicing_begin(const sgio_volume *image, const sgio_volume *label, const char *modality,
                       int max_side, pack_slicing *out);

/* Number of slices along the axis. */
int64_t pack_slicing_count(const pack_slicing *slicing);
/* 1 if any voxel of that slice has a label. */
int pack_slicing_has_label(const pack_slicing *slicing, int64_t index);
/* Makes one slice; release with pack_slice_clear. 0, or an exit code with a message. */
int pack_slicing_make(const pack_slicing *slicing, int64_t index, pack_slice *out);
void pack_slice_clear(pack_slice *slice);

#endif
