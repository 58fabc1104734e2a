/* How a mask compares with the truth. */
#ifndef QUALITY_VOLUMES_MEASURE_H
#define QUALITY_VOLUMES_MEASURE_H

#include "case.h"

typedef struct measures {
    double dice, surface_dice;
    double beyond; /* voxels on slices without the object, as a share of its volume */
    double missed; /* the object's voxels on slices without mask, as a share of its volume */
    double growth; /* median over slices, outwards from the largest one: the area's growth against
                      the truth's; NaN when no two slices have both */
} measures;

measures measure(const volume_case *c, const truth *object, const uint8_t *mask);
double measure_dice(const volume_case *c, const truth *object, const uint8_t *mask);

#endif
