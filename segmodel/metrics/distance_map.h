/* Exact Euclidean distance maps (Felzenszwalb and Huttenlocher 2012: one pass per axis over lower
 * envelopes of parabolas). */
#ifndef SEGMODEL_METRICS_DISTANCE_MAP_H
#define SEGMODEL_METRICS_DISTANCE_MAP_H

#include "core/status.h"

/* squared[i]: squared distance, in voxels, from voxel i to the nearest voxel where mask is zero; 0
 * there. With `border`, what lies beyond the array is zero too, except along axes of length 1;
 * without it and without any zero, the distance is infinite. nearest (may be NULL): the offset of
 * the nearest zero voxel, -1 where it is beyond the border or there is none; among equally near
 * ones, any. */
sgm_status sgm_distance_map(const uint8_t *mask, const int64_t size[3], int border, double *squared,
                            int64_t *nearest);

#endif
