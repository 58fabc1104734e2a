#include "surface_metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "nearest_point.h"

/* The surface of one mask, and the distances from its points to the other surface. */
typedef struct surface {
    cli_point3 *points;
    double *distances;
    size_t count;
} surface;

static int is_surface(const uint8_t *mask, const int64_t size[3], const int64_t index[3],
                      int64_t at)
{
    int64_t stride = 1;
    for (int axis = 0; axis < 3; axis++) {
        if (size[axis] > 1) {
            if (index[axis] == 0 || !mask[at - stride]) return 1;
            if (index[axis] == size[axis] - 1 || !mask[at + stride]) return 1;
        }
        stride *= size[axis];
    }
    return 0;
}

static cli_point3 place(const double axes[3][3], const int64_t index[3])
{
    cli_point3 point;
    for (int r = 0; r < 3; r++)
        point.x[r] = axes[r][0] * (double)index[0] + axes[r][1] * (double)index[1] +
                     axes[r][2] * (double)index[2];
    return point;
}

/* Counts the surface's points, and stores them unless `points` is NULL. */
static size_t scan_surface(const uint8_t *mask, const int64_t size[3], const double axes[3][3],
                           cli_point3 *points)
{
    size_t count = 0;
    int64_t at = 0, index[3];
    for (index[2] = 0; index[2] < size[2]; index[2]++)
        for (index[1] = 0; index[1] < size[1]; index[1]++)
            for (index[0] = 0; index[0] < size[0]; index[0]++, at++) {
                if (!mask[at] || !is_surface(mask, size, index, at)) continue;
                if (points) points[count] = place(axes, index);
                count++;
            }
    return count;
}

static int make_surface(const uint8_t *mask, const int64_t size[3], const double axes[3][3],
                        surface *s)
{
    s->count = scan_surface(mask, size, axes, NULL);
    s->points = calloc(s->count + 1, sizeof *s->points);
    s->distances = calloc(s->count + 1, sizeof *s->distances);
    if (!s->points || !s->distances)
        return cli_fail(CLI_EXIT_MEMORY, "out of memory for a surface of %zu points", s->count);
    scan_surface(mask, size, axes, s->points);
    cli_nearest_build(s->points, s->count);
    return 0;
}

static void clear_surface(surface *s)
{
    free(s->points);
    free(s->distances);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Neighbours in the tree's order are near each other, so the last answer is a good first guess. The
 * distances end up in ascending order. */
static void measure(surface *from, const surface *to)
{
    size_t hint = 0;
    for (size_t i = 0; i < from->count; i++)
        from->distances[i] = cli_nearest_distance(to->points, to->count, from->points[i].x, &hint);
    qsort(from->distances, from->count, sizeof *from->distances, compare_doubles);
}

/* Percentile of ascending values, linear between ranks. */
static double percentile(const double *values, size_t count, double share)
{
    const double rank = share * (double)(count - 1);
    const size_t below = (size_t)rank;
    if (below + 1 >= count) return values[count - 1];
    return values[below] + (rank - (double)below) * (values[below + 1] - values[below]);
}

static size_t count_within(const surface *s, double tolerance)
{
    /* Grid distances that equal the tolerance must count although they are sums of rounded
     * products. */
    const double limit = tolerance * (1 + 1e-9) + 1e-9;
    size_t count = 0;
    while (count < s->count && s->distances[count] <= limit)
        count++;
    return count;
}

static double sum(const surface *s)
{
    double total = 0;
    for (size_t i = 0; i < s->count; i++)
        total += s->distances[i];
    return total;
}

static void summarise(const surface *r, const surface *p, double tolerance, cli_mask_metrics *out)
{
    const double points = (double)(r->count + p->count);
    out->hd_mm = fmax(r->distances[r->count - 1], p->distances[p->count - 1]);
    out->hd95_mm =
        fmax(percentile(r->distances, r->count, 0.95), percentile(p->distances, p->count, 0.95));
    out->assd_mm = (sum(r) + sum(p)) / points;
    out->surface_dice = (double)(count_within(r, tolerance) + count_within(p, tolerance)) / points;
}

static int compare_surfaces(const uint8_t *reference, const uint8_t *prediction,
                            const int64_t size[3], const double axes[3][3], double tolerance,
                            cli_mask_metrics *out)
{
    surface r = {0}, p = {0};
    int failed = make_surface(reference, size, axes, &r);
    if (!failed) failed = make_surface(prediction, size, axes, &p);
    if (!failed) {
        measure(&r, &p);
        measure(&p, &r);
        summarise(&r, &p, tolerance, out);
    }
    clear_surface(&r);
    clear_surface(&p);
    return failed;
}

static double voxel_ml(const double a[3][3])
{
    const double determinant = a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) -
                               a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
                               a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
    return fabs(determinant) / 1000;
}

static void count_voxels(const uint8_t *reference, const uint8_t *prediction, int64_t voxels,
                         cli_mask_metrics *out)
{
    for (int64_t i = 0; i < voxels; i++) {
        out->reference_voxels += reference[i] != 0;
        out->prediction_voxels += prediction[i] != 0;
        out->common_voxels += reference[i] && prediction[i];
    }
}

int cli_compare_masks(const uint8_t *reference, const uint8_t *prediction, const int64_t size[3],
                      const double axes[3][3], double tolerance_mm, cli_mask_metrics *out)
{
    memset(out, 0, sizeof *out);
    count_voxels(reference, prediction, size[0] * size[1] * size[2], out);
    const int64_t both = out->reference_voxels + out->prediction_voxels;
    out->reference_ml = (double)out->reference_voxels * voxel_ml(axes);
    out->prediction_ml = (double)out->prediction_voxels * voxel_ml(axes);
    out->dice = both ? 2 * (double)out->common_voxels / (double)both : NAN;
    out->iou = both ? (double)out->common_voxels / (double)(both - out->common_voxels) : NAN;
    out->surface_dice = both ? 0 : NAN;
    out->hd_mm = out->hd95_mm = out->assd_mm = both ? INFINITY : NAN;
    if (out->reference_voxels == 0 || out->prediction_voxels == 0) return 0;
    return compare_surfaces(reference, prediction, size, axes, tolerance_mm, out);
}
