/* What the masks of all slices become as one segmentation. */
#ifndef PROMPTSEG_EVERYTHING_LABELS_H
#define PROMPTSEG_EVERYTHING_LABELS_H

#include "segmodel/slices.h"
#include "sgio/labelmap.h"
#include "slice_masks.h"

/* Segment n holds the n-th mask of every slice: numbers begin anew on each. */
typedef struct everything_labels {
    const sgio_volume *volume; /* borrowed */
    int layers;                /* overlapping masks stay whole */
    uint16_t *labels;          /* one per voxel; without layers */
    slice_masks *kept;         /* all slices', owned; with layers */
    size_t kept_count;
    size_t most; /* masks of the slice that has most */
} everything_labels;

/* 0 or CLI_EXIT_MEMORY. */
int everything_labels_open(everything_labels *all, const sgio_volume *volume, int layers);
void everything_labels_clear(everything_labels *all);

/* Takes the slice's masks over. Without layers the largest is painted first, so that small ones
 * stay visible. CLI_EXIT_OUTPUT for more masks than a segmentation can hold. */
int everything_labels_add(everything_labels *all, const sgm_slices *slices, slice_masks *masks);

int everything_labels_finish(const everything_labels *all, const sgm_slices *slices,
                             const char *name, sgio_segmentation *out);

#endif
