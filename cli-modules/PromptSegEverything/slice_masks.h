/* The masks of one slice's picture, whatever they were asked by: a grid of points, or a detector's
 * boxes. */
#ifndef PROMPTSEG_EVERYTHING_SLICE_MASKS_H
#define PROMPTSEG_EVERYTHING_SLICE_MASKS_H

#include "segmodel/everything.h"

typedef struct slice_mask {
    sgm_found found;    /* of a box's mask: area, box and predicted IoU alone */
    double score;       /* that ranks it: a detector's, else the mean of both predictions */
    double prompt[4];   /* x0, y0, x1, y1 of a detector's box */
    long long category; /* of a detector; 0 else */
    uint32_t *runs;     /* owned: lengths of background and mask in turns, column after column */
    size_t run_count;
} slice_mask;

typedef struct slice_masks {
    int64_t slice;
    int width, height; /* of the picture */
    int from_boxes;
    slice_mask *items; /* owned */
    size_t count;
} slice_masks;

/* Room for `count` masks. 0 or CLI_EXIT_MEMORY. */
int slice_masks_init(slice_masks *masks, int64_t slice, int width, int height, size_t count);
void slice_masks_clear(slice_masks *masks);

/* Fills runs, area and box of a mask (width * height, 0 or 1). 0 or CLI_EXIT_MEMORY. */
int slice_mask_take(slice_masks *masks, size_t index, const uint8_t *mask);
/* The mask again. */
void slice_mask_draw(const slice_masks *masks, size_t index, uint8_t *mask);

/* Indices of the masks, the largest first, of equal ones the first; malloc'ed, NULL: no memory. */
size_t *slice_masks_by_area(const slice_masks *masks);

#endif
