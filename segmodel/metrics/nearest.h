/* Exact nearest neighbours among points in space: a balanced k-d tree (Bentley 1975; search with
 * incremental distances after Arya and Mount 1993). */
#ifndef SEGMODEL_METRICS_NEAREST_H
#define SEGMODEL_METRICS_NEAREST_H

#include <stddef.h>

typedef struct sgm_point3 {
    double x[3];
} sgm_point3;

/* Rearranges the points into the tree's order; nothing else is stored, so that the tree costs no
 * memory. No NaN. Any number of points, equal ones too. */
void sgm_nearest_build(sgm_point3 *points, size_t count);

/* Distance from `query` to the nearest of the points, count >= 1. `hint` (NULL: none) points at the
 * index of a point that is probably near, and receives the nearest point's index. */
double sgm_nearest_distance(const sgm_point3 *points, size_t count, const double query[3],
                            size_t *hint);

#endif
