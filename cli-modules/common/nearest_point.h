/* Exact nearest neighbours among points in space: a balanced k-d tree (Bentley 1975; search with
 * incremental distances after Arya and Mount 1993). */
#ifndef PROMPTSEG_NEAREST_POINT_H
#define PROMPTSEG_NEAREST_POINT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cli_point3 {
    double x[3];
} cli_point3;

/* Rearranges the points into the tree's order; nothing else is stored, so that the tree costs no
 * memory. No NaN. Any number of points, equal ones too. */
void cli_nearest_build(cli_point3 *points, size_t count);

/* Distance from `query` to the nearest of the points, count >= 1. `hint` (NULL: none) points at the
 * index of a point that is probably near, and receives the nearest point's index. */
double cli_nearest_distance(const cli_point3 *points, size_t count, const double query[3],
                            size_t *hint);

#ifdef __cplusplus
}
#endif
#endif
