#include "evaluate_grid.h"

#include "cli_exit.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* `box` on the lattice of `a`, beginning there. */
static void begin_at(const sgio_geometry *a, const double begin[3], sgio_geometry *box)
{
    double lps[3];
    sgio_geometry_index_to_lps(a, begin, lps);
    for (int r = 0; r < 3; r++)
        box->matrix[r][3] = lps[r];
}

int evaluate_box_around(const sgio_geometry *a, const sgio_geometry *b, sgio_geometry *box)
{
    int64_t offset[3];
    double begin[3];
    sgio_geometry turned;
    if (sgio_geometry_turned_offset(b, a, sgio_geometry_rounding(a), &turned, offset) != 0)
        return -1;
    *box = *a;
    for (int axis = 0; axis < 3; axis++) {
        const int64_t first = least(0, offset[axis]);
        box->size[axis] = most(a->size[axis], offset[axis] + turned.size[axis]) - first;
        begin[axis] = (double)first;
    }
    begin_at(a, begin, box);
    return 0;
}

sgio_geometry evaluate_grid_with(const sgio_geometry *grid, const int64_t extent[6], int alone)
{
    sgio_geometry box = *grid;
    double begin[3];
    for (int axis = 0; axis < 3; axis++) {
        const int64_t first = extent[2 * axis], last = extent[2 * axis + 1];
        const int64_t from = alone ? first : least(0, first);
        box.size[axis] = (alone ? last : most(grid->size[axis] - 1, last)) + 1 - from;
        begin[axis] = (double)from;
    }
    begin_at(grid, begin, &box);
    return box;
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

int evaluate_far_apart(const char *path, const char *other_path, const sgio_geometry *box)
{
    return cli_fail(CLI_EXIT_INPUT,
                    "%s and %s lie too far apart: the box around both would have %lld x %lld x "
                    "%lld voxels",
                    path, other_path, (long long)box->size[0], (long long)box->size[1],
                    (long long)box->size[2]);
}

int evaluate_has_no_place(const sgio_segmentation *s)
{
    return evaluate_voxels(s) == 0 && s->geometry.size[0] == 1 && s->geometry.size[1] == 1 &&
           s->geometry.size[2] == 1;
}

int64_t evaluate_voxels(const sgio_segmentation *segmentation)
{
    int64_t voxels = 0;
    for (size_t s = 0; s < segmentation->segment_count; s++)
        voxels += segmentation->segments[s].voxels;
    return voxels;
}
