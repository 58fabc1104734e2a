/* The mask of one slice, packed: thousands of them are kept. */
#ifndef SEGMODEL_PREDICT_PICTURE_PACKED_MASK_H
#define SEGMODEL_PREDICT_PICTURE_PACKED_MASK_H

#include "segmodel/segmodel.h"

/* Rows of columns. Runs of 0 and 1 take turns inside the bounding box, 0 first, row after row; a
 * run's length is a number of 7 bits a byte, low ones first, the last byte below 128. */
typedef struct sgm_packed_mask {
    int64_t voxels;          /* 0: nothing else is set */
    int x, y, width, height; /* bounding box */
    size_t size;
    uint8_t *runs; /* owned */
} sgm_packed_mask;

/* Packs what is not 0. SGM_OUT_OF_MEMORY leaves *out empty. */
sgm_status sgm_packed_mask_make(const uint8_t *mask, int columns, int rows, sgm_packed_mask *out);
void sgm_packed_mask_clear(sgm_packed_mask *packed);
sgm_status sgm_packed_mask_copy(const sgm_packed_mask *packed, sgm_packed_mask *out);
int sgm_packed_mask_equal(const sgm_packed_mask *a, const sgm_packed_mask *b);

/* All of the mask, 0 or 1. */
void sgm_packed_mask_unpack(const sgm_packed_mask *packed, int columns, int rows, uint8_t *mask);

/* Calls `visit` for each run of ones within a row: columns first..last of row y. */
typedef void (*sgm_run_fn)(void *user, int y, int first, int last);
void sgm_packed_mask_visit(const sgm_packed_mask *packed, sgm_run_fn visit, void *user);

#endif
