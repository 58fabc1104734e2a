/* Two grids that ought to be one. */
#ifndef PROMPTSEG_PIPELINE_GRIDS_H
#define PROMPTSEG_PIPELINE_GRIDS_H

#include "sgio/geometry.h"

/* "16 x 14 x 10 voxels of 0.5 x 0.5 x 2 mm, first at -10,20,30, last at -2.5,26.5,48" (LPS) */
void pipeline_grid_describe(const sgio_geometry *grid, char *out, size_t size);

#endif
