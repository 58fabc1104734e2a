/* A volume at once: a live volume that is asked for all objects together. */
#include "predict/volume/segment.h"

#include "core/call.h"
#include "core/status.h"
#include "predict/volume/live.h"
#include "predict/volume/prompts.h"

#include <stdlib.h>
#include <string.h>

/* Nobody asks again: walks keep what they go on from. */
enum { ONE_SHOT_MEMORY = 1 << 20 };

/* Moves a solid's parts to the caller. */
static sgm_status give_object(const sgm_live_volume *live, sgm_solid *solid,
                              sgm_object_result *result)
{
    const int64_t *size = live->desk.volume.size;
    result->mask = calloc((size_t)(size[0] * size[1]), (size_t)size[2]);
    if (!result->mask)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a mask of %lld x %lld x %lld voxels",
                        (long long)size[0], (long long)size[1], (long long)size[2]);
    sgm_solid_paint(solid, size, result->mask, SGM_VOXEL_U8, 1);
    result->voxels = solid->voxels;
    memcpy(result->first, solid->first, sizeof result->first);
    memcpy(result->last, solid->last, sizeof result->last);
    memcpy(result->stopped, solid->stopped, sizeof result->stopped);
    result->quality = solid->quality;
    result->slices = solid->reports;
    result->slice_count = solid->count;
    result->walks = solid->walks;
    result->walk_count = solid->walk_count;
    solid->reports = NULL;
    solid->walks = NULL;
    return SGM_OK;
}

sgm_status sgm_volume_finish(sgm_live_volume *live, sgm_run *run, sgm_volume_result *out)
{
    out->objects = calloc(run->subject_count, sizeof *out->objects);
    if (!out->objects) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for results");
    out->object_count = run->subject_count;
    for (size_t i = 0; i < run->subject_count; i++) {
        sgm_solid solid;
        SGM_TRY(sgm_solid_make(run, i, NULL, &solid));
        sgm_status status = give_object(live, &solid, &out->objects[i]);
        sgm_solid_clear(&solid, &live->desk.answers);
        SGM_TRY(status);
    }
    out->axis = run->stack->plane.axis;
    out->window[0] = live->low;
    out->window[1] = live->high;
    out->hounsfield = live->desk.volume.hounsfield == SGM_HOUNSFIELD_ON;
    out->encoded = live->desk.embedder.encoded;
    out->cached = live->desk.embedder.cached;
    return SGM_OK;
}

static sgm_status read_initials(const sgm_live_volume *live, const sgm_stack *stack,
                                const sgm_object *objects, size_t count, sgm_initial *initials)
{
    for (size_t i = 0; i < count; i++) {
        SGM_TRY(sgm_initial_read(&initials[i], &stack->plane, live->desk.volume.size, &objects[i]));
        SGM_TRY(sgm_prompts_check_initial(&objects[i], &initials[i]));
    }
    return SGM_OK;
}

static sgm_status run_all(sgm_live_volume *live, sgm_stack *stack, const sgm_object *objects,
                          const sgm_initial *initials, size_t count, sgm_volume_result *out)
{
    sgm_run run;
    SGM_TRY(sgm_run_init(&run, &live->desk, stack, objects, initials, count));
    sgm_run_encode_ahead(&run);
    sgm_status status = sgm_run_all(&run);
    if (status == SGM_OK) status = sgm_run_clicks(&run, 1);
    if (status == SGM_OK) status = sgm_volume_finish(live, &run, out);
    sgm_run_clear(&run);
    return status;
}

static sgm_status segment(sgm_live_volume *live, const sgm_object *objects, size_t count,
                          sgm_volume_result *out)
{
    sgm_stack *stack;
    SGM_TRY(sgm_prompts_check(&live->desk.volume, objects, count));
    SGM_TRY(sgm_live_volume_stack(live, objects, count, &stack));
    sgm_live_volume_warn(live);
    sgm_initial *initials = calloc(count, sizeof *initials);
    if (!initials) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu objects", count);
    live->desk.answers.limit = ONE_SHOT_MEMORY;
    sgm_status status = read_initials(live, stack, objects, count, initials);
    if (status == SGM_OK) status = run_all(live, stack, objects, initials, count, out);
    for (size_t i = 0; i < count; i++)
        sgm_initial_clear(&initials[i]);
    free(initials);
    if (status != SGM_OK) sgm_volume_result_clear(out);
    return status;
}

sgm_status sgm_volume_segment(const sgm_predictor *predictor, int zoom, const sgm_volume *volume,
                              const sgm_object *objects, size_t object_count,
                              const sgm_volume_options *options, sgm_volume_result *out)
{
    sgm_live_volume *live;
    *out = (sgm_volume_result){0};
    SGM_TRY(sgm_live_volume_make(predictor, zoom, volume, options, &live));
    sgm_status status = segment(live, objects, object_count, out);
    sgm_live_volume_destroy(live);
    return status;
}

sgm_status sgm_volume_predict(sgm_model *model, const sgm_volume *volume, const sgm_object *objects,
                              size_t object_count, const sgm_volume_options *options,
                              const sgm_call *call, sgm_volume_result *out)
{
    sgm_call_scope scope;
    sgm_live_volume *live;
    if (!out) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_volume_predict: out is NULL");
    *out = (sgm_volume_result){0};
    SGM_TRY(sgm_live_volume_create(model, volume, options, &live));
    sgm_status status = sgm_call_enter(&scope, call);
    if (status == SGM_OK) {
        status = segment(live, objects, object_count, out);
        sgm_call_leave(&scope);
    }
    sgm_live_volume_destroy(live);
    return status;
}

void sgm_volume_result_clear(sgm_volume_result *result)
{
    if (!result) return;
    for (size_t i = 0; i < result->object_count; i++) {
        free(result->objects[i].mask);
        free(result->objects[i].slices);
        free(result->objects[i].walks);
    }
    free(result->objects);
    *result = (sgm_volume_result){0};
}
