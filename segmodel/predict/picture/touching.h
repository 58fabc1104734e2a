/* Where a coordinate decides between two voxels or slices. Seeds and faces of ROIs often lie
 * exactly between two of them, or exactly on a centre, and miss it by rounding on their way through
 * millimetres; which side they miss it on must not matter. So every such decision lies a tolerance
 * beside the places that people and programs choose. */
#ifndef SEGMODEL_PREDICT_PICTURE_TOUCHING_H
#define SEGMODEL_PREDICT_PICTURE_TOUCHING_H

#include <math.h>

/* In voxels: more than rounding, less than anybody means. */
#define SGM_TOUCHING 1e-4

/* The whole number nearest to a coordinate; between two of them, the larger. */
static inline double sgm_nearest(double coordinate)
{
    return floor(coordinate + 0.5 + SGM_TOUCHING);
}

#endif
