/* A small CT: a disc that gets brighter from slice to slice, on a striped background. */
#ifndef SEGMODEL_TESTS_DISC_VOLUME_H
#define SEGMODEL_TESTS_DISC_VOLUME_H

#include "segmodel/volume.h"

enum { DISC_SIDE = 48, DISC_SLICE = DISC_SIDE * DISC_SIDE };

/* Voxels of 1 x 1 x 4 mm; the disc's radius is 12, its centre at (20, 25). voxels: room for
 * slices * DISC_SLICE, must outlive the volume. */
static inline sgm_volume disc_volume(int16_t *voxels, int slices)
{
    for (int i = 0; i < slices * DISC_SLICE; i++) {
        int x = i % DISC_SIDE - 20, y = i / DISC_SIDE % DISC_SIDE - 25, z = i / DISC_SLICE;
        voxels[i] = (int16_t)(x * x + y * y < 150 ? 120 + 4 * z : -50 + (7 * x + 3 * y) % 40);
    }
    return (sgm_volume){.data = voxels,
                        .type = SGM_VOXEL_I16,
                        .channels = 1,
                        .size = {DISC_SIDE, DISC_SIDE, slices},
                        .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 4, 0}},
                        .hounsfield = SGM_HOUNSFIELD_ON};
}

#endif
