/* Masks on grids: components, distances, deepest points. */
#ifndef QUALITY_VOLUMES_GRID_H
#define QUALITY_VOLUMES_GRID_H

#include <stddef.h>
#include <stdint.h>

/* Index axes of a volume seen as slices: `axis` across them, u and v within. */
typedef struct grid {
    int64_t size[3];
    double spacing[3]; /* mm */
    int axis, u, v;
} grid;

typedef struct span {
    int64_t first[3], last[3]; /* inclusive */
} span;

size_t grid_count(const grid *g);
size_t grid_at(const grid *g, const int64_t index[3]);
void grid_index(const grid *g, size_t at, int64_t index[3]);

/* malloc or exit code 5 with a message: a program's luxury. */
void *must_alloc(size_t count, size_t size);

/* Numbers the connected sets of equal, non-zero values 1, 2, ... in memory order; neighbours share
 * a corner (corners = 1) or a face. Returns how many there are; part[voxel] is 0 for zeros. */
int32_t grid_parts(const grid *g, const int32_t *values, int corners, int32_t *part);

/* Bounding box and voxels of mask == value; last < first when there are none. */
int64_t grid_measure(const grid *g, const int32_t *mask, int32_t value, span *box);

/* Millimetres from each voxel of the box x..y (within the volume) to the nearest voxel of the mask
 * that is not `inside`; beyond the box counts as not inside when `closed`. Row-major over the box,
 * i fastest; the caller frees it. */
float *grid_depth(const grid *g, const uint8_t *mask, int inside, const span *box, int closed);

/* The voxel of the mask on a slice that is farthest from its outline (the first of several).
 * Returns its area in voxels, 0 when there is none. */
int64_t grid_deepest(const grid *g, const uint8_t *mask, int64_t slice, int64_t point[3]);

int64_t grid_slice_area(const grid *g, const uint8_t *mask, int64_t slice);

#endif
