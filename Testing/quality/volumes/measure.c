#include "measure.h"

#include "segmodel/metrics.h"

#include <math.h>
#include <stdlib.h>

double measure_dice(const volume_case *c, const truth *object, const uint8_t *mask)
{
    int64_t both = 0, voxels = 0;
    for (size_t i = 0; i < grid_count(&c->grid); i++) {
        voxels += mask[i];
        both += mask[i] & object->mask[i];
    }
    return 2.0 * (double)both / (double)(voxels + object->voxels);
}

static double surface_dice(const volume_case *c, const truth *object, const uint8_t *mask)
{
    double axes[3][3];
    sgm_surface_metrics metrics;
    for (int r = 0; r < 3; r++)
        for (int a = 0; a < 3; a++)
            axes[r][a] = c->volume.matrix[r][a];
    if (sgm_surface_compare(object->mask, mask, c->grid.size, (const double(*)[3])axes,
                            &c->row->tolerance, 1, &metrics) != SGM_OK)
        return NAN;
    return metrics.surface_dice[0];
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Appends the growth of each step from the largest slice in one direction. */
static size_t grow(const volume_case *c, const truth *object, const uint8_t *mask, int direction,
                   double *list, size_t count)
{
    const grid *g = &c->grid;
    double before = 0, truth_before = 0;
    for (int64_t s = object->largest; s >= 0 && s < g->size[g->axis]; s += direction) {
        double area = (double)grid_slice_area(g, mask, s);
        double truth_area = (double)grid_slice_area(g, object->mask, s);
        if (area <= 0 || truth_area <= 0) break;
        if (before > 0) list[count++] = area / before / (truth_area / truth_before) - 1;
        before = area;
        truth_before = truth_area;
    }
    return count;
}

measures measure(const volume_case *c, const truth *object, const uint8_t *mask)
{
    const grid *g = &c->grid;
    int64_t slices = g->size[g->axis];
    double beyond = 0, missed = 0, volume = (double)object->voxels;
    for (int64_t s = 0; s < slices; s++) {
        int64_t area = grid_slice_area(g, mask, s);
        int64_t truth_area = grid_slice_area(g, object->mask, s);
        if (!truth_area) beyond += (double)area;
        if (!area) missed += (double)truth_area;
    }
    double *growth = must_alloc(2 * (size_t)slices, sizeof *growth);
    size_t count = grow(c, object, mask, 1, growth, 0);
    count = grow(c, object, mask, -1, growth, count);
    qsort(growth, count, sizeof *growth, ascending);
    measures m = {.dice = measure_dice(c, object, mask),
                  .surface_dice = surface_dice(c, object, mask),
                  .beyond = beyond / volume,
                  .missed = missed / volume,
                  .growth = count ? (growth[(count - 1) / 2] + growth[count / 2]) / 2 : NAN};
    free(growth);
    return m;
}
