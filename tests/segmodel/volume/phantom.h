/* A scene in patient space, sampled into volumes of any axis order, sign and spacing. */
#ifndef SEGMODEL_TESTS_PHANTOM_H
#define SEGMODEL_TESTS_PHANTOM_H

#include "segmodel/volume.h"

/* Intensity at an LPS position, millimetres. */
typedef double (*phantom_fn)(const double mm[3]);

typedef struct phantom {
    sgm_volume volume;
    uint8_t *voxels;
} phantom;

/* Covers extent[a] voxels of spacing[a] mm along patient axis a, centred on the origin. Index axis
 * n runs along patient axis order[n], backwards where signs has bit n set. */
void phantom_make(phantom *p, phantom_fn scene, const int64_t extent[3], const double spacing[3],
                  const int order[3], int signs);
void phantom_clear(phantom *p);

/* Continuous index of a position. */
void phantom_index(const phantom *p, const double mm[3], double index[3]);
void phantom_position(const phantom *p, const double index[3], double mm[3]);

/* The 48 signed axis orders: order and signs of number 0..47. */
void phantom_orientation(int number, int order[3], int *signs);

/* Dice of a mask with the voxels whose intensity lies in low..high. */
double phantom_dice(const phantom *p, const uint8_t *mask, int low, int high);

#endif
