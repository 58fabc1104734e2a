#include "predict/volume/prompts.h"

#include "core/status.h"
#include "predict/look/view.h"
#include "predict/picture/roi.h"

#include <math.h>
#include <stdio.h>

/* ------------------------------------------------------------------------------------ checks */

static void to_millimetres(const sgm_volume *volume, const double index[3], double mm[3])
{
    for (int row = 0; row < 3; row++)
        mm[row] = volume->matrix[row][0] * index[0] + volume->matrix[row][1] * index[1] +
                  volume->matrix[row][2] * index[2] + volume->matrix[row][3];
}

/* "x -120..120, y -90..150, z 0..300 mm (LPS)": the box around the volume's voxels. */
static void describe_bounds(const sgm_volume *volume, char *text, size_t room)
{
    double low[3] = {INFINITY, INFINITY, INFINITY}, high[3] = {-INFINITY, -INFINITY, -INFINITY};
    for (int corner = 0; corner < 8; corner++) {
        double index[3], mm[3];
        for (int a = 0; a < 3; a++)
            index[a] = corner >> a & 1 ? (double)volume->size[a] - 0.5 : -0.5;
        to_millimetres(volume, index, mm);
        for (int a = 0; a < 3; a++) {
            low[a] = fmin(low[a], mm[a]);
            high[a] = fmax(high[a], mm[a]);
        }
    }
    snprintf(text, room, "x %.1f..%.1f, y %.1f..%.1f, z %.1f..%.1f mm (LPS)", low[0], high[0],
             low[1], high[1], low[2], high[2]);
}

static sgm_status outside(const sgm_volume *volume, const sgm_object *object, const char *what,
                          size_t number, const double index[3])
{
    char bounds[200];
    double mm[3];
    describe_bounds(volume, bounds, sizeof bounds);
    to_millimetres(volume, index, mm);
    return sgm_fail(SGM_BAD_PROMPT,
                    "object \"%s\": %s %zu at (%.1f, %.1f, %.1f) mm, voxel (%.1f, %.1f, %.1f), is "
                    "outside the volume, which spans %s",
                    object->name ? object->name : "", what, number + 1, mm[0], mm[1], mm[2],
                    index[0], index[1], index[2], bounds);
}

static int is_finite3(const double v[3])
{
    return isfinite(v[0]) && isfinite(v[1]) && isfinite(v[2]);
}

static sgm_status check_seed(const sgm_volume *volume, const sgm_object *object, size_t number)
{
    const sgm_seed *seed = &object->seeds[number];
    const char *name = object->name ? object->name : "";
    if (!is_finite3(seed->index))
        return sgm_fail(SGM_BAD_PROMPT, "object \"%s\": seed %zu is not a number (%g, %g, %g)",
                        name, number + 1, seed->index[0], seed->index[1], seed->index[2]);
    if (seed->label != SGM_FOREGROUND && seed->label != SGM_BACKGROUND)
        return sgm_fail(SGM_BAD_PROMPT,
                        "object \"%s\": seed %zu has the label %d; wanted foreground (1) or "
                        "background (0)",
                        name, number + 1, seed->label);
    for (int a = 0; a < 3; a++)
        if (seed->index[a] < -0.5 - SGM_TOUCHING ||
            seed->index[a] > (double)volume->size[a] - 0.5 + SGM_TOUCHING)
            return outside(volume, object, "seed", number, seed->index);
    return SGM_OK;
}

static sgm_status check_roi(const sgm_volume *volume, const sgm_object *object, size_t number)
{
    const sgm_roi *roi = &object->rois[number];
    const char *name = object->name ? object->name : "";
    if (!is_finite3(roi->center) || !is_finite3(roi->half_axis[0]) ||
        !is_finite3(roi->half_axis[1]) || !is_finite3(roi->half_axis[2]))
        return sgm_fail(SGM_BAD_PROMPT, "object \"%s\": ROI %zu holds a value that is not a number",
                        name, number + 1);
    int flat = 0;
    for (int axis = 0; axis < 3; axis++)
        flat += roi->half_axis[axis][0] == 0 && roi->half_axis[axis][1] == 0 &&
                roi->half_axis[axis][2] == 0;
    if (flat > 1)
        return sgm_fail(SGM_BAD_PROMPT, "object \"%s\": ROI %zu has no extent", name, number + 1);
    for (int a = 0; a < 3; a++) {
        double low, high;
        sgm_roi_span(roi, a, &low, &high);
        if (!(high >= -0.5 - SGM_TOUCHING && low <= (double)volume->size[a] - 0.5 + SGM_TOUCHING))
            return outside(volume, object, "ROI", number, roi->center);
    }
    return SGM_OK;
}

static sgm_status no_foreground(const sgm_object *object)
{
    return sgm_fail(SGM_BAD_PROMPT,
                    "object \"%s\" has no foreground seed, no ROI and no initial mask",
                    object->name ? object->name : "");
}

static sgm_status check_object(const sgm_volume *volume, const sgm_object *object)
{
    size_t foreground = 0;
    if ((object->seed_count && !object->seeds) || (object->roi_count && !object->rois))
        return sgm_fail(SGM_INVALID_ARGUMENT, "object \"%s\": prompts are counted but not given",
                        object->name ? object->name : "");
    for (size_t i = 0; i < object->seed_count; i++) {
        SGM_TRY(check_seed(volume, object, i));
        foreground += object->seeds[i].label != SGM_BACKGROUND;
    }
    for (size_t i = 0; i < object->roi_count; i++)
        SGM_TRY(check_roi(volume, object, i));
    if ((int)object->label_type < SGM_VOXEL_U8 || (int)object->label_type > SGM_VOXEL_I64)
        return sgm_fail(SGM_INVALID_ARGUMENT, "object \"%s\": unknown type %d of the labels",
                        object->name ? object->name : "", (int)object->label_type);
    return foreground || object->roi_count || object->labels ? SGM_OK : no_foreground(object);
}

sgm_status sgm_prompts_check_initial(const sgm_object *object, const sgm_initial *initial)
{
    size_t foreground = initial->count + object->roi_count;
    for (size_t i = 0; i < object->seed_count; i++)
        foreground += object->seeds[i].label != SGM_BACKGROUND;
    return foreground ? SGM_OK : no_foreground(object);
}

sgm_status sgm_prompts_check(const sgm_volume *volume, const sgm_object *objects, size_t count)
{
    if (!count) return sgm_fail(SGM_BAD_PROMPT, "there is no object to segment: no prompt at all");
    if (!objects) return sgm_fail(SGM_INVALID_ARGUMENT, "objects are counted but not given");
    for (size_t i = 0; i < count; i++)
        SGM_TRY(check_object(volume, &objects[i]));
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------ slices */

static sgm_box picture_box(const sgm_plane *plane, const double low[3], const double high[3])
{
    double x[2], y[2];
    sgm_plane_project(plane, low, &x[0], &y[0]);
    sgm_plane_project(plane, high, &x[1], &y[1]);
    return (sgm_box){fmin(x[0], x[1]), fmin(y[0], y[1]), fmax(x[0], x[1]), fmax(y[0], y[1])};
}

/* Picture box of a ROI's core on a slice that it crosses; a ROI of one slice has no other. */
static sgm_box core_box(const sgm_plane *plane, const sgm_roi *roi, int64_t slice)
{
    int64_t first, last;
    double low[3], high[3];
    sgm_roi_slices(roi, plane->axis, plane->slices, &first, &last);
    if (first == last)
        sgm_roi_section(roi, plane->axis, (double)slice, low, high);
    else
        sgm_roi_core(roi, plane->axis, (double)slice, low, high);
    return picture_box(plane, low, high);
}

/* Picture box of the part of a ROI's cross-section that lies in the volume. 0: there is none. */
static int section_box(const sgm_plane *plane, const sgm_roi *roi, int64_t slice, sgm_box *box)
{
    int64_t first, last;
    double low[3], high[3];
    sgm_roi_slices(roi, plane->axis, plane->slices, &first, &last);
    if (slice < first || slice > last) return 0;
    sgm_roi_section(roi, plane->axis, (double)slice, low, high);
    *box = picture_box(plane, low, high);
    return box->x1 >= -0.5 + SGM_TOUCHING && box->y1 >= -0.5 + SGM_TOUCHING &&
           box->x0 <= plane->width - 0.5 - SGM_TOUCHING &&
           box->y0 <= plane->height - 0.5 - SGM_TOUCHING;
}

/* Clips a span to the picture's pixel centres and widens it to a pixel. */
static void fit_span(double *low, double *high, int length)
{
    double centre = (*low + *high) / 2;
    if (*high - *low < 1) {
        *low = centre - 0.5;
        *high = centre + 0.5;
    }
    *low = fmin(fmax(*low, 0), length > 1 ? length - 2 : 0);
    *high = fmax(fmin(*high, length - 1), *low + 1);
}

static void fit_box(const sgm_plane *plane, sgm_box *box)
{
    fit_span(&box->x0, &box->x1, plane->width);
    fit_span(&box->y0, &box->y1, plane->height);
}

sgm_point sgm_slice_point(const sgm_plane *plane, const sgm_seed *seed)
{
    sgm_point point = {.label = seed->label};
    sgm_plane_project(plane, seed->index, &point.x, &point.y);
    /* half a voxel around the outer centres still belongs to the volume */
    point.x = fmin(fmax(point.x, 0), plane->width - 1);
    point.y = fmin(fmax(point.y, 0), plane->height - 1);
    return point;
}

static void add_points(const sgm_plane *plane, const sgm_object *object, int64_t slice,
                       sgm_slice_prompt *prompt)
{
    for (size_t i = 0; i < object->seed_count; i++) {
        const sgm_seed *seed = &object->seeds[i];
        if (sgm_plane_slice_of(plane, seed->index[plane->axis]) != slice) continue;
        sgm_point point = sgm_slice_point(plane, seed);
        prompt->points[prompt->point_count++] = point;
        if (point.label == SGM_BACKGROUND) continue;
        prompt->foreground_count++;
        if (!prompt->has_roi) continue;
        sgm_box dot = {point.x, point.y, point.x, point.y};
        prompt->roi = sgm_box_union(&prompt->roi, &dot);
        prompt->core = sgm_box_union(&prompt->core, &dot);
    }
}

void sgm_slice_prompt_of(const sgm_plane *plane, const sgm_object *object, int64_t slice,
                         sgm_slice_prompt *prompt)
{
    sgm_box box;
    prompt->point_count = prompt->foreground_count = 0;
    prompt->has_roi = 0;
    for (size_t i = 0; i < object->roi_count; i++) {
        if (!section_box(plane, &object->rois[i], slice, &box)) continue;
        sgm_box core = core_box(plane, &object->rois[i], slice);
        prompt->roi = prompt->has_roi ? sgm_box_union(&prompt->roi, &box) : box;
        prompt->core = prompt->has_roi ? sgm_box_union(&prompt->core, &core) : core;
        prompt->has_roi = 1;
    }
    if (prompt->points) add_points(plane, object, slice, prompt);
    if (!prompt->has_roi) return;
    fit_box(plane, &prompt->roi);
    fit_box(plane, &prompt->core);
}

int sgm_rois_allow(const sgm_plane *plane, const sgm_object *object, int64_t slice)
{
    sgm_box box;
    for (size_t i = 0; i < object->roi_count; i++)
        if (section_box(plane, &object->rois[i], slice, &box)) return 1;
    return !object->roi_count;
}

int64_t sgm_roi_middle(const sgm_plane *plane, const sgm_roi *roi)
{
    int64_t first, last;
    sgm_box box;
    sgm_roi_slices(roi, plane->axis, plane->slices, &first, &last);
    if (last < first) return -1;
    const int64_t middle = sgm_plane_middle(plane, first, last);
    for (int64_t d = 0; d <= last - first; d++)
        for (int side = 0; side < 2; side++) {
            int64_t slice = sgm_plane_onward(plane, middle, side ? d : -d);
            if (section_box(plane, roi, slice, &box)) return slice;
        }
    return -1;
}

static void mark_middles(const sgm_plane *plane, const sgm_object *object, uint8_t *prompted)
{
    for (size_t i = 0; i < object->roi_count; i++) {
        const int64_t slice = sgm_roi_middle(plane, &object->rois[i]);
        if (slice >= 0) prompted[slice] = 1;
    }
}

void sgm_prompted_slices(const sgm_plane *plane, const sgm_object *object,
                         const sgm_initial *initial, int middles, uint8_t *prompted)
{
    int found = 0;
    for (size_t i = 0; initial && i < initial->count; i++, found = 1)
        prompted[initial->slices[i]] = 1;
    for (size_t i = 0; i < object->seed_count; i++) {
        int64_t slice = sgm_plane_slice_of(plane, object->seeds[i].index[plane->axis]);
        if (object->seeds[i].label == SGM_BACKGROUND || !sgm_rois_allow(plane, object, slice))
            continue;
        prompted[slice] = 1;
        found = 1;
    }
    if (!found && middles) mark_middles(plane, object, prompted);
    if (found || middles) return;
    for (int64_t slice = 0; slice < plane->slices; slice++) {
        sgm_slice_prompt prompt = {0};
        sgm_slice_prompt_of(plane, object, slice, &prompt);
        prompted[slice] = (uint8_t)prompt.has_roi;
    }
}
