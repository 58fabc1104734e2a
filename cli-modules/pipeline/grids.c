#include "grids.h"

#include <stdio.h>

void pipeline_grid_describe(const sgio_geometry *grid, char *out, size_t size)
{
    double spacing[3], first[3], last[3];
    const double begin[3] = {0, 0, 0},
                 end[3] = {(double)grid->size[0] - 1, (double)grid->size[1] - 1,
                           (double)grid->size[2] - 1};
    sgio_geometry_spacing(grid, spacing);
    sgio_geometry_index_to_lps(grid, begin, first);
    sgio_geometry_index_to_lps(grid, end, last);
    snprintf(out, size,
             "%lld x %lld x %lld voxels of %.4g x %.4g x %.4g mm, first at %.6g,%.6g,%.6g, last at "
             "%.6g,%.6g,%.6g",
             (long long)grid->size[0], (long long)grid->size[1], (long long)grid->size[2],
             spacing[0], spacing[1], spacing[2], first[0], first[1], first[2], last[0], last[1],
             last[2]);
}
