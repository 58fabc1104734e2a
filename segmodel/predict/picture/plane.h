/* The slices of a volume: which index axis they are taken along, and how the two others lie in the
 * picture of square pixels that the network sees. */
#ifndef SEGMODEL_PREDICT_PICTURE_PLANE_H
#define SEGMODEL_PREDICT_PICTURE_PLANE_H

#include "segmodel/volume.h"

/* Voxel a of the u axis, counted from the picture's left (a' = a or, flipped, columns - 1 - a),
 * covers the picture's x from a' * scale_x - 0.5 to (a' + 1) * scale_x - 0.5; v and y likewise. */
typedef struct sgm_plane {
    int axis, u, v;     /* index axes: across slices, along x, along y */
    int flip_u, flip_v; /* 1: the picture runs against the index */
    int flip_slices;    /* 1: the patient's left, posterior or superior lies at lower indices */
    int64_t slices;     /* voxels along axis, u, v */
    int64_t columns, rows;
    int width, height;       /* of the picture, square pixels */
    double scale_x, scale_y; /* pixels per voxel */
    double slice_step;       /* mm from slice to slice, along their normal */
    double voxel_area;       /* mm2 of a voxel within its slice */
} sgm_plane;

/* Follows segmodel/volume.h. The objects' prompts matter for SGM_AXIS_AUTO only and are taken to be
 * finite. SGM_UNREADABLE: sizes or a matrix that cannot be. */
sgm_status sgm_plane_choose(const sgm_volume *volume, sgm_axis axis, const sgm_object *objects,
                            size_t object_count, sgm_plane *plane);

/* Picture coordinates of a continuous voxel index. */
void sgm_plane_project(const sgm_plane *plane, const double index[3], double *x, double *y);

/* The slice that holds a continuous index along the plane's axis, clamped to the volume; of two
 * equally near ones the one farther left, posterior or superior, however the axis is stored. */
int64_t sgm_plane_slice_of(const sgm_plane *plane, double index);

/* The slice in the middle of first..last; of two the one less far left, posterior or superior. */
int64_t sgm_plane_middle(const sgm_plane *plane, int64_t first, int64_t last);
/* `steps` slices towards the patient's left, posterior or superior; may leave the volume. */
int64_t sgm_plane_onward(const sgm_plane *plane, int64_t slice, int64_t steps);

/* Where a voxel of a slice lies in the volume, in voxels. */
int64_t sgm_plane_offset(const sgm_plane *plane, const int64_t size[3], int64_t slice, int64_t u,
                         int64_t v);

#endif
