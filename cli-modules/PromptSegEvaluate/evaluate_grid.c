#include "evaluate_grid.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int evaluate_box_around(const sgio_geometry *a, const sgio_geometry *b, sgio_geometry *box)
{
    int64_t offset[3];
    double begin[3], lps[3];
    sgio_geometry turned;
    if (sgio_geometry_turned_offset(b, a, sgio_geometry_rounding(a), &turned, offset) != 0)
        return -1;
    *box = *a;
    for (int axis = 0; axis < 3; axis++) {
        const int64_t first = least(0, offset[axis]);
        box->size[axis] = most(a->size[axis], offset[axis] + turned.size[axis]) - first;
        begin[axis] = (double)first;
    }
    sgio_geometry_index_to_lps(a, begin, lps);
    for (int r = 0; r < 3; r++)
        box->matrix[r][3] = lps[r];
    return 0;
}

static double voxels_of(const sgio_geometry *grid)
{
    return (double)grid->size[0] * (double)grid->size[1] * (double)grid->size[2];
}

int evaluate_box_is_vast(const sgio_geometry *box, const sgio_geometry *a, const sgio_geometry *b)
{
    const double voxels = voxels_of(box);
    return voxels >= (double)(1 << 30) && voxels > 8 * (voxels_of(a) + voxels_of(b));
}

int64_t evaluate_voxels(const sgio_segmentation *segmentation)
{
    int64_t voxels = 0;
    for (size_t s = 0; s < segmentation->segment_count; s++)
        voxels += segmentation->segments[s].voxels;
    return voxels;
}
