#include "predict/volume/segment.h"

#include "core/status.h"
#include "predict/look/session_predictor.h"
#include "predict/picture/window.h"
#include "predict/session/mask.h"
#include "predict/volume/components.h"
#include "predict/volume/run.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------ after the run */

static int compare_reports(const void *a, const void *b)
{
    int64_t x = ((const sgm_slice_report *)a)->slice, y = ((const sgm_slice_report *)b)->slice;
    return (x > y) - (x < y);
}

static sgm_status fill_holes(sgm_run *run, sgm_target *target)
{
    for (size_t i = 0; i < target->report_count; i++) {
        sgm_slice_report *report = &target->reports[i];
        if (!report->voxels) continue;
        sgm_slice_load(&run->plane, run->volume->size, report->slice, target->mask, run->neighbour);
        SGM_TRY(sgm_mask_fill_holes(run->neighbour, run->plane.width, run->plane.height));
        sgm_slice_store(&run->plane, run->volume->size, report->slice, run->neighbour,
                        target->mask);
    }
    return SGM_OK;
}

/* Voxels of one slice; widens the bounding box to hold them. */
static int64_t measure_slice(const sgm_run *run, const uint8_t *mask, int64_t slice,
                             sgm_object_result *result)
{
    const sgm_plane *plane = &run->plane;
    int64_t count = 0, step = sgm_plane_offset(plane, run->volume->size, 0, 1, 0);
    for (int64_t v = 0; v < plane->rows; v++) {
        const uint8_t *voxel = mask + sgm_plane_offset(plane, run->volume->size, slice, 0, v);
        for (int64_t u = 0; u < plane->columns; u++) {
            if (!voxel[u * step]) continue;
            int64_t index[3];
            index[plane->axis] = slice;
            index[plane->u] = u;
            index[plane->v] = v;
            for (int a = 0; a < 3; a++) {
                if (index[a] < result->first[a]) result->first[a] = index[a];
                if (index[a] > result->last[a]) result->last[a] = index[a];
            }
            count++;
        }
    }
    return count;
}

static void measure(const sgm_run *run, sgm_target *target, sgm_object_result *result)
{
    result->voxels = 0;
    for (int a = 0; a < 3; a++) {
        result->first[a] = run->volume->size[a];
        result->last[a] = -1;
    }
    for (size_t i = 0; i < target->report_count; i++) {
        sgm_slice_report *report = &target->reports[i];
        report->voxels = measure_slice(run, target->mask, report->slice, result);
        result->voxels += report->voxels;
    }
}

static sgm_status finish_target(sgm_run *run, sgm_target *target, sgm_object_result *result)
{
    const int64_t *size = run->volume->size;
    if (target->report_count)
        qsort(target->reports, target->report_count, sizeof *target->reports, compare_reports);
    if (run->options->fill_holes) SGM_TRY(fill_holes(run, target));
    measure(run, target, result);
    if (!run->options->keep_largest) return SGM_OK;
    SGM_TRY(sgm_keep_largest(target->mask, size, result->first, result->last));
    measure(run, target, result);
    return SGM_OK;
}

/* Moves masks and reports from the run to the result. */
static sgm_status finish(sgm_run *run, sgm_volume_result *out)
{
    out->objects = calloc(run->target_count, sizeof *out->objects);
    if (!out->objects) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for results");
    out->object_count = run->target_count;
    for (size_t i = 0; i < run->target_count; i++) {
        sgm_target *target = &run->targets[i];
        sgm_object_result *result = &out->objects[i];
        SGM_TRY(finish_target(run, target, result));
        memcpy(result->stopped, target->stopped, sizeof result->stopped);
        result->mask = target->mask;
        result->slices = target->reports;
        result->slice_count = target->report_count;
        target->mask = NULL;
        target->reports = NULL;
    }
    out->axis = run->plane.axis;
    out->window[0] = run->slicer.low;
    out->window[1] = run->slicer.high;
    out->encoded = run->embedder.encoded;
    out->cached = run->embedder.cached;
    return SGM_OK;
}

/* ----------------------------------------------------------------------------------- the run */

sgm_status sgm_volume_segment(const sgm_predictor *predictor, int zoom, const sgm_volume *volume,
                              const sgm_object *objects, size_t object_count,
                              const sgm_volume_options *options, sgm_volume_result *out)
{
    static const sgm_volume_options defaults;
    double low, high;
    sgm_run run;
    *out = (sgm_volume_result){0};
    if (!options) options = &defaults;
    SGM_TRY(sgm_volume_check(volume));
    SGM_TRY(sgm_prompts_check(volume, objects, object_count));
    SGM_TRY(sgm_window_choose(volume, options, &low, &high));
    SGM_TRY(sgm_run_init(&run, predictor, zoom, volume, objects, object_count, options, low, high));
    sgm_status status = sgm_run_all(&run);
    if (status == SGM_OK) status = finish(&run, out);
    sgm_run_clear(&run);
    if (status != SGM_OK) sgm_volume_result_clear(out);
    return status;
}

void sgm_volume_result_clear(sgm_volume_result *result)
{
    if (!result) return;
    for (size_t i = 0; i < result->object_count; i++) {
        free(result->objects[i].mask);
        free(result->objects[i].slices);
    }
    free(result->objects);
    *result = (sgm_volume_result){0};
}

sgm_status sgm_volume_predict(sgm_model *model, const sgm_volume *volume, const sgm_object *objects,
                              size_t object_count, const sgm_volume_options *options,
                              sgm_volume_result *out)
{
    sgm_session_predictor binding;
    if (!out) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_volume_predict: out is NULL");
    *out = (sgm_volume_result){0};
    if (!model || !volume)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_volume_predict: model or volume is NULL");
    sgm_zoom_mode mode = options ? options->zoom : SGM_ZOOM_AUTO;
    int zoom = mode == SGM_ZOOM_ON || (mode == SGM_ZOOM_AUTO && sgm_model_wants_zoom(model));
    SGM_TRY(sgm_session_predictor_init(&binding, model));
    sgm_status status =
        sgm_volume_segment(&binding.predictor, zoom, volume, objects, object_count, options, out);
    sgm_session_predictor_clear(&binding);
    return status;
}
