/* Distances between the surfaces of two masks, in the two conventions that the field uses. */
#include "core/status.h"
#include "metrics/nearest.h"
#include "metrics/surface_pieces.h"
#include "segmodel/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A distance and the area it stands for. */
typedef struct piece {
    double distance, area;
} piece;

typedef struct surface {
    sgm_point3 *points; /* in the order of the search tree after `plant` */
    piece *pieces;
    double *areas; /* of the points, before `plant` */
    size_t count;
} surface;

typedef struct grid {
    const int64_t *size;
    const double (*axes)[3];
    int is_plane, flat; /* one axis of length 1, and which */
    double area[SGM_NEIGHBOURHOODS];
} grid;

static void surface_clear(surface *s)
{
    free(s->points);
    free(s->pieces);
    free(s->areas);
    *s = (surface){0};
}

static sgm_status surface_reserve(surface *s, size_t count)
{
    s->points = malloc((count + 1) * sizeof *s->points);
    s->pieces = malloc((count + 1) * sizeof *s->pieces);
    s->areas = malloc((count + 1) * sizeof *s->areas);
    if (s->points && s->pieces && s->areas) return SGM_OK;
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a surface of %zu points", count);
}

static sgm_point3 place(const grid *g, double i, double j, double k)
{
    sgm_point3 p;
    for (int r = 0; r < 3; r++)
        p.x[r] = g->axes[r][0] * i + g->axes[r][1] * j + g->axes[r][2] * k;
    return p;
}

/* ------------------------------------------------------------------------------ voxel surface */

static int is_surface_voxel(const grid *g, const uint8_t *mask, const int64_t index[3], int64_t at)
{
    int64_t step = 1;
    for (int axis = 0; axis < 3; axis++) {
        if (!g->is_plane || axis != g->flat) {
            if (index[axis] == 0 || !mask[at - step]) return 1;
            if (index[axis] == g->size[axis] - 1 || !mask[at + step]) return 1;
        }
        step *= g->size[axis];
    }
    return 0;
}

/* Counts the surface's voxels, and stores them unless `s` is NULL. */
static size_t scan_voxels(const grid *g, const uint8_t *mask, surface *s)
{
    size_t count = 0;
    int64_t at = 0, i[3];
    for (i[2] = 0; i[2] < g->size[2]; i[2]++)
        for (i[1] = 0; i[1] < g->size[1]; i[1]++)
            for (i[0] = 0; i[0] < g->size[0]; i[0]++, at++) {
                if (!mask[at] || !is_surface_voxel(g, mask, i, at)) continue;
                if (s) {
                    s->points[count] = place(g, (double)i[0], (double)i[1], (double)i[2]);
                    s->areas[count] = 1;
                }
                count++;
            }
    return count;
}

/* ---------------------------------------------------------------------------- surface elements */

static int voxel(const grid *g, const uint8_t *mask, int64_t i, int64_t j, int64_t k)
{
    if (i < 0 || j < 0 || k < 0 || i >= g->size[0] || j >= g->size[1] || k >= g->size[2]) return 0;
    return mask[(k * g->size[1] + j) * g->size[0] + i] != 0;
}

/* The neighbourhood whose first voxel is (i, j, k); along the flat axis of a plane there is one
 * voxel only. */
static int neighbourhood(const grid *g, const uint8_t *mask, const int64_t i[3])
{
    int code = 0, bit = 0;
    for (int corner = 0; corner < 8; corner++) {
        int step[3] = {corner & 1, corner >> 1 & 1, corner >> 2};
        if (g->is_plane && step[g->flat]) continue;
        code |= voxel(g, mask, i[0] + step[0], i[1] + step[1], i[2] + step[2]) << bit++;
    }
    return code;
}

static void add_element(const grid *g, const int64_t i[3], double area, surface *s, size_t *count)
{
    if (area == 0) return;
    if (s) {
        s->points[*count] = place(g, (double)i[0], (double)i[1], (double)i[2]);
        s->areas[*count] = area;
    }
    ++*count;
}

static size_t scan_plane(const grid *g, const uint8_t *mask, surface *s)
{
    size_t count = 0;
    int64_t first[3], i[3];
    for (int axis = 0; axis < 3; axis++)
        first[axis] = axis == g->flat ? 0 : -1;
    for (i[2] = first[2]; i[2] < g->size[2]; i[2]++)
        for (i[1] = first[1]; i[1] < g->size[1]; i[1]++)
            for (i[0] = first[0]; i[0] < g->size[0]; i[0]++)
                add_element(g, i, g->area[neighbourhood(g, mask, i)], s, &count);
    return count;
}

/* The four rows of a line of neighbourhoods; NULL: beyond the grid, or nothing in it. */
static int rows_at(const grid *g, const uint8_t *mask, int64_t j, int64_t k, const uint8_t *rows[4])
{
    int any = 0;
    for (int n = 0; n < 4; n++) {
        const int64_t row = j + (n & 1), slice = k + (n >> 1);
        rows[n] = NULL;
        if (row < 0 || slice < 0 || row >= g->size[1] || slice >= g->size[2]) continue;
        const uint8_t *begin = mask + (slice * g->size[1] + row) * g->size[0];
        /* All zero: the first is, and each equals the next. */
        if (!begin[0] && !memcmp(begin, begin + 1, (size_t)g->size[0] - 1)) continue;
        rows[n] = begin;
        any = 1;
    }
    return any;
}

/* The four voxels at place i of the rows, at the even bits of a neighbourhood's code. */
static int column_at(const uint8_t *const rows[4], int64_t i)
{
    int code = 0;
    for (int n = 0; n < 4; n++)
        if (rows[n] && rows[n][i]) code |= 1 << 2 * n;
    return code;
}

/* Line by line, each column looked at once. */
static size_t scan_volume(const grid *g, const uint8_t *mask, surface *s)
{
    size_t count = 0;
    const uint8_t *rows[4];
    int64_t i[3];
    for (i[2] = -1; i[2] < g->size[2]; i[2]++)
        for (i[1] = -1; i[1] < g->size[1]; i[1]++) {
            if (!rows_at(g, mask, i[1], i[2], rows)) continue;
            int left = 0;
            for (i[0] = -1; i[0] < g->size[0]; i[0]++) {
                const int right = i[0] + 1 < g->size[0] ? column_at(rows, i[0] + 1) : 0;
                add_element(g, i, g->area[left | right << 1], s, &count);
                left = right;
            }
        }
    return count;
}

static size_t scan_elements(const grid *g, const uint8_t *mask, surface *s)
{
    return g->is_plane ? scan_plane(g, mask, s) : scan_volume(g, mask, s);
}

/* -------------------------------------------------------------------------------- distances */

typedef size_t (*scan_fn)(const grid *g, const uint8_t *mask, surface *s);

/* Points in the order of the scan, and a copy as a search tree. */
static sgm_status make(const grid *g, const uint8_t *mask, scan_fn scan, surface *s,
                       sgm_point3 **tree)
{
    s->count = scan(g, mask, NULL);
    SGM_TRY(surface_reserve(s, s->count));
    scan(g, mask, s);
    *tree = malloc((s->count + 1) * sizeof **tree);
    if (!*tree) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a surface");
    memcpy(*tree, s->points, s->count * sizeof **tree);
    sgm_nearest_build(*tree, s->count);
    return SGM_OK;
}

static int compare_pieces(const void *a, const void *b)
{
    double x = ((const piece *)a)->distance, y = ((const piece *)b)->distance;
    return (x > y) - (x < y);
}

/* Distances in ascending order, each with its area. Places in a row are near each other, so the
 * last answer is a good first guess. */
static void measure(surface *from, const sgm_point3 *tree, size_t count)
{
    size_t hint = 0;
    for (size_t i = 0; i < from->count; i++)
        from->pieces[i] =
            (piece){count ? sgm_nearest_distance(tree, count, from->points[i].x, &hint) : INFINITY,
                    from->areas[i]};
    qsort(from->pieces, from->count, sizeof *from->pieces, compare_pieces);
}

static sgm_status measure_both(const grid *g, const uint8_t *reference, const uint8_t *prediction,
                               scan_fn scan, surface both[2])
{
    sgm_point3 *tree[2] = {NULL, NULL};
    sgm_status status = make(g, reference, scan, &both[0], &tree[0]);
    if (status == SGM_OK) status = make(g, prediction, scan, &both[1], &tree[1]);
    if (status == SGM_OK) {
        measure(&both[0], tree[1], both[1].count);
        measure(&both[1], tree[0], both[0].count);
    }
    free(tree[0]);
    free(tree[1]);
    return status;
}

/* ----------------------------------------------------------------------------------- voxels */

static double mean_of(const surface *s)
{
    double sum = 0, area = 0;
    for (size_t i = 0; i < s->count; i++) {
        sum += s->pieces[i].distance * s->pieces[i].area;
        area += s->pieces[i].area;
    }
    return sum / area;
}

/* Percentile of both directions' distances together, linear between ranks. */
static sgm_status pooled_percentile(const surface both[2], double share, double *out)
{
    size_t count = both[0].count + both[1].count;
    piece *all = malloc(count * sizeof *all);
    if (!all) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu distances", count);
    memcpy(all, both[0].pieces, both[0].count * sizeof *all);
    memcpy(all + both[0].count, both[1].pieces, both[1].count * sizeof *all);
    qsort(all, count, sizeof *all, compare_pieces);
    double rank = share * (double)(count - 1);
    size_t below = (size_t)rank, above = below + 1 < count ? below + 1 : below;
    *out =
        all[below].distance + (rank - (double)below) * (all[above].distance - all[below].distance);
    free(all);
    return SGM_OK;
}

static sgm_status of_voxels(const surface both[2], sgm_surface_metrics *out)
{
    if (!both[0].count || !both[1].count) {
        double d = both[0].count || both[1].count ? INFINITY : NAN;
        out->hd = out->hd95 = out->assd = out->mean_distance[0] = out->mean_distance[1] = d;
        return SGM_OK;
    }
    double count[2] = {(double)both[0].count, (double)both[1].count};
    for (int way = 0; way < 2; way++)
        out->mean_distance[way] = mean_of(&both[way]);
    out->assd = (out->mean_distance[0] * count[0] + out->mean_distance[1] * count[1]) /
                (count[0] + count[1]);
    out->hd = fmax(both[0].pieces[both[0].count - 1].distance,
                   both[1].pieces[both[1].count - 1].distance);
    return pooled_percentile(both, 0.95, &out->hd95);
}

/* --------------------------------------------------------------------------------- elements */

static double area_within(const surface *s, double tolerance)
{
    /* Distances on a grid are sums of rounded products: one that equals the tolerance counts. */
    double limit = tolerance * (1 + 1e-9) + 1e-9, area = 0;
    for (size_t i = 0; i < s->count && s->pieces[i].distance <= limit; i++)
        area += s->pieces[i].area;
    return area;
}

/* The first distance at which the share of the area is reached. */
static double weighted_percentile(const surface *s, double area, double share)
{
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        sum += s->pieces[i].area;
        if (sum / area >= share) return s->pieces[i].distance;
    }
    return s->count ? s->pieces[s->count - 1].distance : INFINITY;
}

static double last_distance(const surface *s)
{
    return s->count ? s->pieces[s->count - 1].distance : INFINITY;
}

static void of_elements(const surface both[2], const double *tolerances, size_t tolerance_count,
                        sgm_surface_metrics *out)
{
    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < both[way].count; i++)
            out->area[way] += both[way].pieces[i].area;
        out->element_mean[way] = mean_of(&both[way]);
    }
    int is_nothing = !both[0].count && !both[1].count;
    out->element_hd100 = is_nothing ? NAN : fmax(last_distance(&both[0]), last_distance(&both[1]));
    out->element_hd95 = is_nothing ? NAN
                                   : fmax(weighted_percentile(&both[0], out->area[0], 0.95),
                                          weighted_percentile(&both[1], out->area[1], 0.95));
    for (size_t t = 0; t < tolerance_count; t++) {
        double within[2] = {area_within(&both[0], tolerances[t]),
                            area_within(&both[1], tolerances[t])};
        for (int way = 0; way < 2; way++)
            out->overlap[t][way] = within[way] / out->area[way];
        out->surface_dice[t] = (within[0] + within[1]) / (out->area[0] + out->area[1]);
    }
}

/* -------------------------------------------------------------------------------------- all */

static void column(const double axes[3][3], int c, double out[3])
{
    for (int r = 0; r < 3; r++)
        out[r] = axes[r][c];
}

static void grid_make(grid *g, const int64_t size[3], const double axes[3][3])
{
    *g = (grid){.size = size, .axes = axes};
    for (int axis = 2; axis >= 0 && !g->is_plane; axis--)
        if (size[axis] == 1) g->is_plane = 1, g->flat = axis;
    if (g->is_plane) {
        double a[3], b[3];
        column(axes, g->flat == 0 ? 1 : 0, a);
        column(axes, g->flat == 2 ? 1 : 2, b);
        sgm_contour_lengths(a, b, g->area);
    } else {
        sgm_surface_areas(axes, g->area);
    }
}

static sgm_status compare(const grid *g, const uint8_t *reference, const uint8_t *prediction,
                          const double *tolerances, size_t tolerance_count,
                          sgm_surface_metrics *out)
{
    surface both[2] = {{0}, {0}};
    sgm_status status = measure_both(g, reference, prediction, scan_voxels, both);
    if (status == SGM_OK) status = of_voxels(both, out);
    for (int i = 0; i < 2; i++)
        surface_clear(&both[i]);
    if (status == SGM_OK) status = measure_both(g, reference, prediction, scan_elements, both);
    if (status == SGM_OK) of_elements(both, tolerances, tolerance_count, out);
    for (int i = 0; i < 2; i++)
        surface_clear(&both[i]);
    return status;
}

sgm_status sgm_surface_compare(const uint8_t *reference, const uint8_t *prediction,
                               const int64_t size[3], const double axes[3][3],
                               const double *tolerances, size_t tolerance_count,
                               sgm_surface_metrics *out)
{
    grid g;
    *out = (sgm_surface_metrics){0};
    if (size[0] < 1 || size[1] < 1 || size[2] < 1 || tolerance_count > SGM_MOST_TOLERANCES)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "surfaces of %lld x %lld x %lld voxels with %zu tolerances (at most %d)",
                        (long long)size[0], (long long)size[1], (long long)size[2], tolerance_count,
                        SGM_MOST_TOLERANCES);
    grid_make(&g, size, axes);
    return compare(&g, reference, prediction, tolerances, tolerance_count, out);
}

/* ------------------------------------------------------------------------------- rows as points */

static double row_distance(const uint8_t *a, const uint8_t *b, int width, int power)
{
    int differ = 0;
    for (int x = 0; x < width; x++)
        differ += (a[x] != 0) != (b[x] != 0);
    return power == 1 ? differ : sqrt(differ);
}

static double one_way(const uint8_t *from, const uint8_t *to, int width, int height, int power)
{
    double most = 0;
    for (int y = 0; y < height; y++) {
        double least = INFINITY;
        for (int z = 0; z < height; z++)
            least = fmin(least, row_distance(from + (size_t)y * (size_t)width,
                                             to + (size_t)z * (size_t)width, width, power));
        most = fmax(most, least);
    }
    return most;
}

double sgm_rows_distance(const uint8_t *reference, const uint8_t *prediction, int width, int height,
                         int power)
{
    return fmax(one_way(reference, prediction, width, height, power),
                one_way(prediction, reference, width, height, power));
}
