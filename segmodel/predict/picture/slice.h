/* Slices as pictures, and masks of pictures as voxels. */
#ifndef SEGMODEL_PREDICT_PICTURE_SLICE_H
#define SEGMODEL_PREDICT_PICTURE_SLICE_H

#include "predict/picture/plane.h"

/* How one axis of a picture is interpolated: output n is the sum of `taps` inputs from first[n] on.
 * taps 0: nothing to do. */
typedef struct sgm_axis_taps {
    int taps;
    int *first;
    float *weights;
} sgm_axis_taps;

/* Borrows the volume. */
typedef struct sgm_slicer {
    const sgm_volume *volume;
    sgm_plane plane;
    double low, high; /* window */
    sgm_axis_taps across, down;
    float *table;   /* the shade of every 16-bit value; NULL: none */
    uint8_t *bytes; /* as pixels; NULL: not of voxels that are pixels */
    double *line;
    float *voxels, *widened; /* rows x columns, rows x width */
} sgm_slicer;

sgm_status sgm_slicer_init(sgm_slicer *slicer, const sgm_volume *volume, const sgm_plane *plane,
                           double low, double high);
void sgm_slicer_clear(sgm_slicer *slicer);

/* The slice as 8-bit picture: width * height * channels bytes. `low` and below is black, `high` and
 * above is white; padding and NaN are black. RGB is taken as it is. */
void sgm_slicer_extract(sgm_slicer *slicer, int64_t slice, uint8_t *picture);

/* A slice's mask is rows x columns voxels, 0 or 1, the plane's u fastest. */

/* A picture's mask as the slice's: each voxel takes the pixel at its centre. Returns the number of
 * voxels set. */
int64_t sgm_slice_store(const sgm_plane *plane, const uint8_t *picture, uint8_t *slice);
/* The other way: each pixel takes the voxel that covers its centre. Where pixels are coarser than
 * voxels and none would be set so, those that a voxel's centre lies in are: a mask that is not
 * empty is no empty picture. */
void sgm_slice_load(const sgm_plane *plane, const uint8_t *slice, uint8_t *picture);

/* The voxel that holds a place in the picture, and the pixel at its centre. Where voxels are thick,
 * that may lie many pixels away, and it alone says what becomes of the voxel. */
typedef struct sgm_slice_place {
    int64_t u, v;
    int x, y;
} sgm_slice_place;

sgm_slice_place sgm_slice_place_of(const sgm_plane *plane, double x, double y);
/* Sets the pixels of a voxel: those whose centres it covers, and the one at its own. */
void sgm_slice_set_voxel(const sgm_plane *plane, int64_t u, int64_t v, uint8_t value,
                         uint8_t *picture);

/* Which voxel of the volume covers each pixel's centre: width * height indices, rows first. */
void sgm_slice_voxels(const sgm_plane *plane, const int64_t size[3], int64_t slice,
                      int64_t *voxels);

#endif
