#include "sgio/prompts.h"

#include "io_status.h"
#include "text_number.h"
#include "vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Slicer hands points on with six significant digits, so a point on the border may fall out by
 * rounding. In voxels. */
static const double BORDER_TOLERANCE = 1e-3;
static const double FLAT_TOLERANCE_MM = 1e-6;

/* The volume's bounding box in LPS, voxel borders included. */
static void find_bounds(const sgio_geometry *geometry, double low[3], double high[3])
{
    for (int a = 0; a < 3; a++) {
        low[a] = INFINITY;
        high[a] = -INFINITY;
    }
    for (int corner = 0; corner < 8; corner++) {
        double index[3], lps[3];
        for (int a = 0; a < 3; a++)
            index[a] = (corner >> a & 1) ? geometry->size[a] - 0.5 : -0.5;
        sgio_geometry_index_to_lps(geometry, index, lps);
        for (int a = 0; a < 3; a++) {
            low[a] = fmin(low[a], lps[a]);
            high[a] = fmax(high[a], lps[a]);
        }
    }
}

/* 0 without its sign. */
static double minus(double value)
{
    return value == 0 ? 0 : -value;
}

/* The bounds in LPS, then place and bounds as Slicer shows them. */
static void describe_bounds(const sgio_geometry *geometry, const double place[3], char *text,
                            size_t bytes)
{
    double low[3], high[3];
    find_bounds(geometry, low, high);
    sgio_print(text, bytes,
               "x %g to %g, y %g to %g, z %g to %g mm (LPS). 3D Slicer shows RAS: there it is at "
               "%g,%g,%g and the volume is R %g to %g, A %g to %g, S %g to %g mm",
               low[0], high[0], low[1], high[1], low[2], high[2], minus(place[0]), minus(place[1]),
               place[2], minus(high[0]), minus(low[0]), minus(high[1]), minus(low[1]), low[2],
               high[2]);
}

static int inside(const sgio_geometry *geometry, const double lps[3])
{
    double index[3];
    if (sgio_geometry_lps_to_index(geometry, lps, index) != 0) return 0;
    for (int a = 0; a < 3; a++)
        if (!(index[a] >= -0.5 - BORDER_TOLERANCE &&
              index[a] <= geometry->size[a] - 0.5 + BORDER_TOLERANCE))
            return 0;
    return 1;
}

static sgio_status point_outside(const sgio_prompt_segment *segment, size_t p,
                                 const sgio_geometry *geometry)
{
    const sgio_point *point = &segment->points[p];
    char bounds[512];
    describe_bounds(geometry, point->lps, bounds, sizeof bounds);
    return sgio_fail(
        SGIO_BAD_PROMPT, "point %zu ('%s') of segment '%s' at %g,%g,%g lies outside the volume: %s",
        p + 1, point->label, segment->name, point->lps[0], point->lps[1], point->lps[2], bounds);
}

static sgio_status box_outside(const sgio_prompt_segment *segment, size_t b,
                               const sgio_geometry *geometry)
{
    const double *c = segment->boxes[b].centre;
    char bounds[512];
    describe_bounds(geometry, c, bounds, sizeof bounds);
    return sgio_fail(SGIO_BAD_PROMPT,
                     "ROI %zu of segment '%s', centred at %g,%g,%g, misses the volume: %s", b + 1,
                     segment->name, c[0], c[1], c[2], bounds);
}

static int has_foreground(const sgio_prompt_segment *segment)
{
    for (size_t p = 0; p < segment->point_count; p++)
        if (segment->points[p].foreground) return 1;
    return segment->box_count > 0;
}

/* A point by the voxel it lies in, for sorting. */
typedef struct placed {
    int64_t voxel[3];
    const sgio_point *point;
} placed;

static int compare_voxels(const placed *a, const placed *b)
{
    for (int axis = 2; axis >= 0; axis--)
        if (a->voxel[axis] != b->voxel[axis]) return a->voxel[axis] < b->voxel[axis] ? -1 : 1;
    return 0;
}

static int compare_placed(const void *left, const void *right)
{
    const placed *a = left, *b = right;
    int order = compare_voxels(a, b);
    return order ? order : a->point->foreground - b->point->foreground;
}

static void warn_contradiction(const sgio_prompt_segment *segment, const placed *background,
                               const placed *foreground, const sgio_prompts_check_options *options)
{
    const double *lps = foreground->point->lps;
    sgio_warn(options->warn, options->warn_user,
              "segment '%s': points '%s' (inside) and '%s' (outside) lie in one voxel, at "
              "%g,%g,%g (LPS), and contradict each other",
              segment->name, foreground->point->label, background->point->label, lps[0], lps[1],
              lps[2]);
}

/* Foreground and background in one voxel: neighbours in the sorted list. */
static sgio_status find_contradictions(const sgio_prompt_segment *segment,
                                       const sgio_geometry *geometry,
                                       const sgio_prompts_check_options *options)
{
    size_t count = segment->point_count;
    if (count < 2 || !options->warn) return SGIO_OK;
    placed *points = malloc(count * sizeof *points);
    if (!points) return sgio_fail_memory(count * sizeof *points, "prompts");
    for (size_t p = 0; p < count; p++) {
        double index[3];
        points[p].point = &segment->points[p];
        sgio_geometry_lps_to_index(geometry, points[p].point->lps, index);
        for (int axis = 0; axis < 3; axis++)
            points[p].voxel[axis] = (int64_t)floor(index[axis] + 0.5);
    }
    qsort(points, count, sizeof *points, compare_placed);
    for (size_t p = 1; p < count; p++)
        if (points[p].point->foreground && !points[p - 1].point->foreground &&
            compare_voxels(&points[p - 1], &points[p]) == 0)
            warn_contradiction(segment, &points[p - 1], &points[p], options);
    free(points);
    return SGIO_OK;
}

static sgio_status check_segment(const sgio_prompt_segment *segment, const sgio_geometry *geometry,
                                 const sgio_prompts_check_options *options)
{
    double low[3], high[3];
    if (!has_foreground(segment) &&
        !(options->has_mask && options->has_mask(options->user, segment->name)))
        return sgio_fail(SGIO_BAD_PROMPT,
                         "segment '%s' has background points only: a foreground point or a ROI is "
                         "needed",
                         segment->name);
    for (size_t p = 0; p < segment->point_count; p++)
        if (!inside(geometry, segment->points[p].lps)) return point_outside(segment, p, geometry);
    for (size_t b = 0; b < segment->box_count; b++)
        if (!sgio_box_index_range(&segment->boxes[b], geometry, low, high))
            return box_outside(segment, b, geometry);
    return find_contradictions(segment, geometry, options);
}

sgio_status sgio_prompts_check(const sgio_prompts *prompts, const sgio_geometry *geometry,
                               const sgio_prompts_check_options *options)
{
    static const sgio_prompts_check_options none;
    sgio_status status = SGIO_OK;
    if (prompts->segment_count == 0)
        return sgio_fail(SGIO_BAD_PROMPT, "no prompt given: a foreground point or a ROI is needed");
    for (size_t s = 0; s < prompts->segment_count && status == SGIO_OK; s++)
        status = check_segment(&prompts->segments[s], geometry, options ? options : &none);
    return status;
}

/* 1 when the projections of both bodies on `axis` are apart. */
static int separates(const double axis[3], const double offset[3], const double half[3][3],
                     const double cube[3])
{
    double reach = 1e-9;
    for (int a = 0; a < 3; a++)
        reach += fabs(sgio_dot(axis, half[a])) + fabs(axis[a]) * cube[a];
    return fabs(sgio_dot(axis, offset)) > reach;
}

/* Separating axis test between the box and the grid's cube, both parallelepipeds in index space:
 * 3 + 3 face normals and 9 cross products of edges. offset: from the cube's centre to the box's;
 * cube: half sizes. */
static int bodies_meet(const double offset[3], const double half[3][3], const double cube[3])
{
    static const double unit[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    double axis[3];
    for (int a = 0; a < 3; a++) {
        sgio_cross(half[a], half[(a + 1) % 3], axis);
        if (separates(unit[a], offset, half, cube) || separates(axis, offset, half, cube)) return 0;
        for (int b = 0; b < 3; b++) {
            sgio_cross(half[a], unit[b], axis);
            if (separates(axis, offset, half, cube)) return 0;
        }
    }
    return 1;
}

/* Centre and half axes of the box in continuous index space. */
static int box_to_index(const sgio_box *box, const sgio_geometry *geometry, double centre[3],
                        double half[3][3])
{
    if (sgio_geometry_lps_to_index(geometry, box->centre, centre) != 0) return 0;
    for (int a = 0; a < 3; a++) {
        double face[3];
        for (int r = 0; r < 3; r++)
            face[r] = box->centre[r] + box->half_axis[a][r];
        sgio_geometry_lps_to_index(geometry, face, half[a]);
        for (int r = 0; r < 3; r++)
            half[a][r] -= centre[r];
    }
    return 1;
}

int sgio_box_index_range(const sgio_box *box, const sgio_geometry *geometry, double low[3],
                         double high[3])
{
    double centre[3], half[3][3], offset[3], cube[3];
    if (!box_to_index(box, geometry, centre, half)) return 0;
    for (int r = 0; r < 3; r++) {
        double reach = fabs(half[0][r]) + fabs(half[1][r]) + fabs(half[2][r]);
        low[r] = fmax(centre[r] - reach, -0.5);
        high[r] = fmin(centre[r] + reach, geometry->size[r] - 0.5);
        cube[r] = geometry->size[r] / 2.0;
        offset[r] = centre[r] - (cube[r] - 0.5);
    }
    return bodies_meet(offset, half, cube);
}

/* A flat axis has no direction of its own: it gets the normal of the other two, and the tolerance
 * as length. */
static void thicken(double axes[3][3])
{
    for (int a = 0; a < 3; a++) {
        if (sgio_dot(axes[a], axes[a]) > 0) continue;
        sgio_cross(axes[(a + 1) % 3], axes[(a + 2) % 3], axes[a]);
        double scale = FLAT_TOLERANCE_MM / sqrt(sgio_dot(axes[a], axes[a]));
        for (int r = 0; r < 3; r++)
            axes[a][r] *= scale;
    }
}

int sgio_box_contains(const sgio_box *box, const double lps[3])
{
    double offset[3], axes[3][3];
    memcpy(axes, box->half_axis, sizeof axes);
    thicken(axes);
    for (int r = 0; r < 3; r++)
        offset[r] = lps[r] - box->centre[r];
    for (int a = 0; a < 3; a++) {
        double normal[3];
        sgio_cross(axes[(a + 1) % 3], axes[(a + 2) % 3], normal);
        double slack = FLAT_TOLERANCE_MM * sqrt(sgio_dot(normal, normal));
        if (!(fabs(sgio_dot(normal, offset)) <= fabs(sgio_dot(normal, axes[a])) + slack)) return 0;
    }
    return 1;
}
