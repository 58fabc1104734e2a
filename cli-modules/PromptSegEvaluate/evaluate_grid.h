/* The box around two cut-outs of one grid: what either file marks lies in it. */
#ifndef PROMPTSEG_EVALUATE_GRID_H
#define PROMPTSEG_EVALUATE_GRID_H

#include "sgio/labelmap.h"

/* The smallest grid with the voxels of both, on the lattice of `a`. 0, or -1 when the two do not
 * have the same voxels, in whatever order they count them. */
int evaluate_box_around(const sgio_geometry *a, const sgio_geometry *b, sgio_geometry *box);

/* `grid` with the voxels of an extent (i0 i1 j0 j1 k0 k1, counted from it); `alone`: these only. */
sgio_geometry evaluate_grid_with(const sgio_geometry *grid, const int64_t extent[6], int alone);

/* 1 when the box has 2^30 voxels and more, and many times those of both grids. */
int evaluate_box_is_vast(const sgio_geometry *box, const sgio_geometry *a, const sgio_geometry *b);

/* Of files that lie so far apart one has a wrong place: CLI_EXIT_INPUT with a sentence. */
int evaluate_far_apart(const char *path, const char *other_path, const sgio_geometry *box);

/* Slicer writes 1 x 1 x 1 without a label when there is nothing to save: it has no place. */
int evaluate_has_no_place(const sgio_segmentation *segmentation);

/* Voxels of all segments together. */
int64_t evaluate_voxels(const sgio_segmentation *segmentation);

#endif
