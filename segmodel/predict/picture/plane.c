#include "predict/picture/plane.h"

#include "core/status.h"
#include "predict/picture/roi.h"
#include "predict/picture/touching.h"

#include <math.h>
#include <stdlib.h>

enum { LEFT, POSTERIOR, SUPERIOR };
enum { MAX_SIDE = 32768, MAX_ENLARGED_SIDE = 4096 };

/* An axis counts as the coarsest when it is this much coarser than both others: less is rounding,
 * or a reconstruction that is isotropic for all purposes. */
static const double coarser = 1.1;
/* A point so near to a slice's plane, in slices, was set on that slice: by a click in a viewer, up
 * to the rounding of a file. */
static const double on_slice = 0.02;
/* In-plane spacings that differ by less need no resampling. */
static const double square_enough = 1.01;

/* ------------------------------------------------------------------------------------ checks */

static sgm_status check_matrix(const sgm_volume *volume)
{
    const double(*m)[4] = volume->matrix;
    for (int axis = 0; axis < 3; axis++) {
        double length = hypot(hypot(m[0][axis], m[1][axis]), m[2][axis]);
        if (!(length > 0 && isfinite(length) && isfinite(m[axis][3])))
            return sgm_fail(SGM_UNREADABLE,
                            "the volume's matrix needs finite, positive spacings; axis %d has %g "
                            "and the origin is (%g, %g, %g)",
                            axis, length, m[0][3], m[1][3], m[2][3]);
    }
    return SGM_OK;
}

static sgm_status check_voxels(const sgm_volume *volume)
{
    if ((int)volume->type < SGM_VOXEL_U8 || (int)volume->type > SGM_VOXEL_I64)
        return sgm_fail(SGM_INVALID_ARGUMENT, "unknown voxel type %d", (int)volume->type);
    if (volume->type > SGM_VOXEL_F64)
        return sgm_fail(SGM_UNREADABLE, "a volume of 64-bit integers is not supported; convert it "
                                        "to 32 bits or to floating point");
    if (volume->channels == 1 || (volume->channels == 3 && volume->type == SGM_VOXEL_U8))
        return SGM_OK;
    if (volume->channels == 3)
        return sgm_fail(SGM_UNREADABLE, "colour is supported with 8 bits per channel only, in type "
                                        "SGM_VOXEL_U8; scale the three channels to 0..255");
    return sgm_fail(SGM_UNREADABLE,
                    "a volume has one channel, or three of 8 bits; this one has %d: choose one of "
                    "them, or drop the fourth",
                    volume->channels);
}

sgm_status sgm_volume_check(const sgm_volume *volume)
{
    if (!volume) return sgm_fail(SGM_INVALID_ARGUMENT, "there is no volume");
    const int64_t *size = volume->size;
    if (!volume->data) return sgm_fail(SGM_INVALID_ARGUMENT, "the volume has no data");
    SGM_TRY(check_voxels(volume));
    for (int axis = 0; axis < 3; axis++)
        if (size[axis] < 1 || size[axis] > INT32_MAX)
            return sgm_fail(SGM_UNREADABLE, "a volume of %lld x %lld x %lld voxels cannot be",
                            (long long)size[0], (long long)size[1], (long long)size[2]);
    if (size[0] * size[1] > (INT64_MAX / 32) / size[2])
        return sgm_fail(SGM_UNREADABLE, "a volume of %lld x %lld x %lld voxels is too large",
                        (long long)size[0], (long long)size[1], (long long)size[2]);
    return check_matrix(volume);
}

/* ---------------------------------------------------------------------------------- anatomy */

static double spacing_of(const sgm_volume *volume, int axis)
{
    const double(*m)[4] = volume->matrix;
    return hypot(hypot(m[0][axis], m[1][axis]), m[2][axis]);
}

/* Pairs index axes with anatomical ones (LEFT, POSTERIOR, SUPERIOR) so that the sum of the cosines
 * between partners is largest: one partner each, also at 45 degrees. */
static void match_anatomy(const sgm_volume *volume, int anatomy[3])
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    double best = -1;
    for (int order = 0; order < 6; order++) {
        double sum = 0;
        for (int axis = 0; axis < 3; axis++)
            sum += fabs(volume->matrix[orders[order][axis]][axis]) / spacing_of(volume, axis);
        if (sum <= best + 1e-9) continue;
        best = sum;
        for (int axis = 0; axis < 3; axis++)
            anatomy[axis] = orders[order][axis];
    }
}

static int axis_of(const int anatomy[3], int direction)
{
    return anatomy[0] == direction ? 0 : anatomy[1] == direction ? 1 : 2;
}

/* ------------------------------------------------------------------------------------- axis */

static int is_whole(double index)
{
    return fabs(index - floor(index + 0.5)) <= on_slice;
}

/* Whether all points lie in the planes of slices along `axis`, and all boxes that lie within one
 * slice along some axis within one along this. */
static int lies_on_slices(const sgm_volume *volume, const sgm_object *objects, size_t count,
                          int axis)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t s = 0; s < objects[i].seed_count; s++, found++)
            if (!is_whole(objects[i].seeds[s].index[axis])) return 0;
        for (size_t r = 0; r < objects[i].roi_count; r++) {
            int64_t first, last, flat[3];
            for (int a = 0; a < 3; a++) {
                sgm_roi_slices(&objects[i].rois[r], a, volume->size[a], &first, &last);
                flat[a] = first == last;
            }
            if (!flat[0] && !flat[1] && !flat[2]) continue;
            if (!flat[axis]) return 0;
            found++;
        }
    }
    return found > 0;
}

/* The one axis along which the prompts lie on slices; the axial one when there are none or
 * several. */
static int clicked_axis(const sgm_volume *volume, const sgm_object *objects, size_t count,
                        int axial)
{
    int found = -1;
    for (int axis = 0; axis < 3; axis++) {
        if (!lies_on_slices(volume, objects, count, axis)) continue;
        if (found >= 0) return axial;
        found = axis;
    }
    return found < 0 ? axial : found;
}

/* -1: none */
static int single_voxel_axis(const sgm_volume *volume)
{
    for (int axis = 2; axis >= 0; axis--)
        if (volume->size[axis] == 1) return axis;
    return -1;
}

static int coarsest_axis(const sgm_volume *volume)
{
    for (int axis = 0; axis < 3; axis++) {
        double other = fmax(spacing_of(volume, (axis + 1) % 3), spacing_of(volume, (axis + 2) % 3));
        if (spacing_of(volume, axis) >= coarser * other) return axis;
    }
    return -1;
}

static sgm_status choose_axis(const sgm_volume *volume, sgm_axis wish, const sgm_object *objects,
                              size_t count, const int anatomy[3], int *axis)
{
    switch (wish) {
    case SGM_AXIS_AXIAL:
        *axis = axis_of(anatomy, SUPERIOR);
        return SGM_OK;
    case SGM_AXIS_CORONAL:
        *axis = axis_of(anatomy, POSTERIOR);
        return SGM_OK;
    case SGM_AXIS_SAGITTAL:
        *axis = axis_of(anatomy, LEFT);
        return SGM_OK;
    case SGM_AXIS_I:
    case SGM_AXIS_J:
    case SGM_AXIS_K:
        *axis = (int)wish - SGM_AXIS_I;
        return SGM_OK;
    case SGM_AXIS_AUTO:
        *axis = single_voxel_axis(volume);
        if (*axis < 0) *axis = coarsest_axis(volume);
        if (*axis >= 0) return SGM_OK;
        *axis = clicked_axis(volume, objects, count, axis_of(anatomy, SUPERIOR));
        return SGM_OK;
    }
    return sgm_fail(SGM_INVALID_ARGUMENT, "unknown slice axis %d", (int)wish);
}

/* ----------------------------------------------------------------------------------- picture */

/* The radiologist's view of a plane: what runs to the right and downwards. */
static void orient(const sgm_volume *volume, const int anatomy[3], sgm_plane *plane)
{
    int normal = anatomy[plane->axis];
    plane->u = axis_of(anatomy, normal == LEFT ? POSTERIOR : LEFT);
    plane->v = axis_of(anatomy, normal == SUPERIOR ? POSTERIOR : SUPERIOR);
    double right = volume->matrix[anatomy[plane->u]][plane->u];
    double down = volume->matrix[anatomy[plane->v]][plane->v];
    plane->flip_u = right < 0;
    plane->flip_slices = volume->matrix[normal][plane->axis] < 0;
    plane->flip_v = normal == SUPERIOR ? down < 0 : down > 0;
    plane->slices = volume->size[plane->axis];
    plane->columns = volume->size[plane->u];
    plane->rows = volume->size[plane->v];
}

static int pixels_for(int64_t voxels, double enlargement)
{
    double wanted = fmin((double)voxels * enlargement, fmax((double)voxels, MAX_ENLARGED_SIDE));
    return (int)fmax(1, floor(wanted + 0.5));
}

/* Square pixels of the finer spacing; when the picture then outgrows MAX_ENLARGED_SIDE, both axes
 * get proportionally coarser pixels. */
static sgm_status size_picture(const sgm_volume *volume, sgm_plane *plane)
{
    if (plane->columns > MAX_SIDE || plane->rows > MAX_SIDE)
        return sgm_fail(SGM_UNREADABLE, "slices of %lld x %lld voxels; at most %d x %d",
                        (long long)plane->columns, (long long)plane->rows, MAX_SIDE, MAX_SIDE);
    double u = spacing_of(volume, plane->u), v = spacing_of(volume, plane->v), pixel = fmin(u, v);
    if (fmax(u, v) <= square_enough * pixel) u = v = pixel;
    double longest = fmax((double)plane->columns * u, (double)plane->rows * v) / pixel;
    double most = fmax(MAX_ENLARGED_SIDE,
                       (double)(plane->columns > plane->rows ? plane->columns : plane->rows));
    if (longest > most) pixel *= longest / most;
    plane->width = pixels_for(plane->columns, u / pixel);
    plane->height = pixels_for(plane->rows, v / pixel);
    plane->scale_x = (double)plane->width / (double)plane->columns;
    plane->scale_y = (double)plane->height / (double)plane->rows;
    return SGM_OK;
}

/* The cross product of two columns of the matrix is normal to the slices that they span. */
static void measure_slices(const sgm_volume *volume, sgm_plane *plane)
{
    const double(*m)[4] = volume->matrix;
    double normal[3], volume_of_voxel = 0;
    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3, k = (i + 2) % 3;
        normal[i] = m[j][plane->u] * m[k][plane->v] - m[k][plane->u] * m[j][plane->v];
        volume_of_voxel += normal[i] * m[i][plane->axis];
    }
    plane->voxel_area = hypot(hypot(normal[0], normal[1]), normal[2]);
    plane->slice_step = fabs(volume_of_voxel) / plane->voxel_area;
}

sgm_status sgm_plane_choose(const sgm_volume *volume, sgm_axis axis, const sgm_object *objects,
                            size_t object_count, sgm_plane *plane)
{
    int anatomy[3];
    *plane = (sgm_plane){0};
    SGM_TRY(sgm_volume_check(volume));
    match_anatomy(volume, anatomy);
    SGM_TRY(choose_axis(volume, axis, objects, object_count, anatomy, &plane->axis));
    orient(volume, anatomy, plane);
    measure_slices(volume, plane);
    return size_picture(volume, plane);
}

void sgm_plane_project(const sgm_plane *plane, const double index[3], double *x, double *y)
{
    double u = index[plane->u], v = index[plane->v];
    if (plane->flip_u) u = (double)(plane->columns - 1) - u;
    if (plane->flip_v) v = (double)(plane->rows - 1) - v;
    *x = (u + 0.5) * plane->scale_x - 0.5;
    *y = (v + 0.5) * plane->scale_y - 0.5;
}

int64_t sgm_plane_slice_of(const sgm_plane *plane, double index)
{
    double nearest = plane->flip_slices ? -sgm_nearest(-index) : sgm_nearest(index);
    if (!(nearest > 0)) return 0;
    return nearest < (double)plane->slices ? (int64_t)nearest : plane->slices - 1;
}

int64_t sgm_plane_middle(const sgm_plane *plane, int64_t first, int64_t last)
{
    return (first + last + plane->flip_slices) / 2;
}

int64_t sgm_plane_onward(const sgm_plane *plane, int64_t slice, int64_t steps)
{
    return plane->flip_slices ? slice - steps : slice + steps;
}

int64_t sgm_plane_offset(const sgm_plane *plane, const int64_t size[3], int64_t slice, int64_t u,
                         int64_t v)
{
    int64_t index[3];
    index[plane->axis] = slice;
    index[plane->u] = u;
    index[plane->v] = v;
    return index[0] + size[0] * (index[1] + size[1] * index[2]);
}
