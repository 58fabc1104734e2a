/* The slices of a volume as pictures: what networks are shown of it, for work that is done slice by
 * slice (masks of everything, boxes of a detector, edges). The pictures are those of
 * segmodel/volume.h: radiologist's orientation, square pixels, windowed to 8 bits. */
#ifndef SEGMODEL_SLICES_H
#define SEGMODEL_SLICES_H

#include "segmodel/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgm_slices sgm_slices;

typedef struct sgm_slices_info {
    size_t size;       /* sizeof(sgm_slices_info) */
    int axis;          /* across slices: 0, 1 or 2 = i, j, k */
    int64_t count;     /* slices */
    int width, height; /* of each picture, pixels */
    double window[2];  /* shown black and white */
} sgm_slices_info;

/* Of `options` (NULL: the defaults) axis, window, hounsfield and padding matter. The volume is
 * borrowed until the slices are destroyed. SGM_UNREADABLE, SGM_INVALID_ARGUMENT, SGM_OUT_OF_MEMORY,
 * SGM_CANCELLED; *out is NULL then. One thread at a time. */
SGM_API sgm_status sgm_slices_create(const sgm_volume *volume, const sgm_volume_options *options,
                                     const sgm_call *call, sgm_slices **out);
SGM_API void sgm_slices_destroy(sgm_slices *slices);

/* Fills as much as info->size has room for; 0 stands for the size in version 0.2. */
SGM_API sgm_status sgm_slices_get_info(const sgm_slices *slices, sgm_slices_info *info);

/* The picture of one slice (0 to count - 1, in the order of the volume's index); valid until the
 * next call. SGM_INVALID_ARGUMENT: there is no such slice. */
SGM_API sgm_status sgm_slices_picture(sgm_slices *slices, int64_t slice, sgm_image *picture);

/* Which voxel of the volume (its offset, i fastest) covers the centre of each pixel:
 * voxels[height * width]. */
SGM_API sgm_status sgm_slices_voxels(const sgm_slices *slices, int64_t slice, int64_t *voxels);

/* Sets labels[voxel] = value for each voxel of the slice whose centre lies in a pixel that `mask`
 * (height * width, 0 or 1) marks. labels: as many as the volume has voxels. *painted (may be NULL):
 * how many voxels. SGM_OUT_OF_MEMORY, SGM_INVALID_ARGUMENT. */
SGM_API sgm_status sgm_slices_paint(const sgm_slices *slices, int64_t slice, const uint8_t *mask,
                                    uint16_t value, uint16_t *labels, int64_t *painted);

#ifdef __cplusplus
}
#endif

#endif
