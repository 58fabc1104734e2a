/* Masks from elsewhere, frame by frame, as the network sees them. */
#include "segmodel/sequence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/call.h"
#include "core/sized.h"
#include "core/status.h"
#include "predict/look/logits.h"
#include "predict/look/look.h"
#include "predict/look/session_predictor.h"
#include "predict/picture/labels.h"
#include "predict/picture/slice.h"
#include "predict/picture/window.h"
#include "predict/session/mask.h"

/* What one frame after the other is looked at with. */
typedef struct refiner {
    const sgm_volume *frames;
    const void *labels;
    sgm_voxel label_type;
    int64_t label_value;
    sgm_session_predictor binding;
    sgm_embedder embedder;
    sgm_looker looker;
    sgm_plane plane;
    sgm_slicer slicer;
    sgm_image image;
    uint8_t *pixels, *picture_mask;  /* of the picture's size */
    uint8_t *slice_mask, *neighbour; /* of the slice's size */
    float *logits, *other;
} refiner;

/* Answers of so many frames on either side have a say in the second round, as far as they overlap
 * with the frame's own by this much: errors of single masks are not those of their neighbours. */
enum { REACH = 2 };
static const double least_overlap = 0.5;

static size_t low_count(const refiner *r)
{
    const int *shape = r->binding.predictor.low_res_shape;
    return (size_t)shape[0] * (size_t)shape[1];
}

static sgm_status make_room(refiner *r)
{
    size_t pixels = (size_t)r->plane.width * (size_t)r->plane.height;
    r->pixels = malloc(pixels * (size_t)r->frames->channels);
    r->picture_mask = malloc(pixels);
    r->slice_mask = malloc((size_t)(r->plane.columns * r->plane.rows));
    r->neighbour = malloc((size_t)(r->plane.columns * r->plane.rows));
    r->logits = malloc((low_count(r) + 1) * sizeof *r->logits);
    r->other = malloc((low_count(r) + 1) * sizeof *r->other);
    r->image = (sgm_image){r->pixels, r->plane.width, r->plane.height, r->frames->channels, 0};
    if (r->pixels && r->picture_mask && r->slice_mask && r->neighbour && r->logits && r->other)
        return SGM_OK;
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for frames of %d x %d pixels", r->plane.width,
                    r->plane.height);
}

static sgm_status init_network(refiner *r, sgm_model *model, const sgm_sequence_options *options)
{
    const sgm_predictor *predictor = &r->binding.predictor;
    SGM_TRY(sgm_session_predictor_init(&r->binding, model));
    SGM_TRY(sgm_embedder_init(&r->embedder, predictor, &options->store, 0));
    return sgm_looker_init(&r->looker, predictor, &r->embedder,
                           sgm_zoom_applies(model, options->zoom));
}

static sgm_status init_pictures(refiner *r, const sgm_sequence_options *options)
{
    const double manual[2] = {options->window_low, options->window_high};
    sgm_volume frames = *r->frames;
    double low, high;
    if (frames.hounsfield == SGM_HOUNSFIELD_AUTO) frames.hounsfield = SGM_HOUNSFIELD_OFF;
    SGM_TRY(sgm_window_check(options->window, manual));
    SGM_TRY(sgm_plane_choose(r->frames, SGM_AXIS_K, NULL, 0, &r->plane));
    SGM_TRY(sgm_window_choose(&frames, options->window, manual, &low, &high));
    SGM_TRY(sgm_slicer_init(&r->slicer, r->frames, &r->plane, low, high));
    return make_room(r);
}

static void refiner_clear(refiner *r)
{
    sgm_slicer_clear(&r->slicer);
    sgm_looker_clear(&r->looker);
    sgm_embedder_clear(&r->embedder);
    sgm_session_predictor_clear(&r->binding);
    free(r->pixels);
    free(r->picture_mask);
    free(r->slice_mask);
    free(r->neighbour);
    free(r->logits);
    free(r->other);
}

/* The given mask of a frame, as the slice's; returns its voxels. */
static int64_t load_given(const refiner *r, int64_t frame, uint8_t *slice_mask)
{
    const int64_t *size = r->frames->size;
    int64_t step = sgm_plane_offset(&r->plane, size, 0, 1, 0), voxels = 0;
    for (int64_t v = 0; v < r->plane.rows; v++)
        voxels += sgm_labels_match(r->labels, r->label_type, r->label_value,
                                   sgm_plane_offset(&r->plane, size, frame, 0, v), step,
                                   r->plane.columns, slice_mask + v * r->plane.columns);
    return voxels;
}

/* A slice's mask into the volume's. */
static void store(const refiner *r, int64_t frame, const uint8_t *slice_mask, uint8_t *masks)
{
    for (int64_t v = 0; v < r->plane.rows; v++)
        for (int64_t u = 0; u < r->plane.columns; u++)
            masks[sgm_plane_offset(&r->plane, r->frames->size, frame, u, v)] =
                slice_mask[v * r->plane.columns + u];
}

/* A slice's mask of the volume's. */
static void fetch(const refiner *r, int64_t frame, const uint8_t *masks, uint8_t *slice_mask)
{
    for (int64_t v = 0; v < r->plane.rows; v++)
        for (int64_t u = 0; u < r->plane.columns; u++)
            slice_mask[v * r->plane.columns + u] =
                masks[sgm_plane_offset(&r->plane, r->frames->size, frame, u, v)];
}

static sgm_view view_of(const refiner *r, const sgm_box *extent)
{
    int width = r->plane.width, height = r->plane.height;
    return r->looker.zoom ? sgm_view_around(extent, width, height) : sgm_view_whole(width, height);
}

/* r->logits of a slice's mask, in the view around it; 0: the mask is empty. */
static int show_mask(refiner *r, const uint8_t *slice_mask, sgm_box *extent, sgm_view *view)
{
    int width = r->plane.width, height = r->plane.height;
    sgm_slice_load(&r->plane, slice_mask, r->picture_mask);
    if (!sgm_mask_measure(r->picture_mask, width, height, extent)) return 0;
    *view = view_of(r, extent);
    sgm_logits_from_mask(&r->binding.predictor, r->picture_mask, width, height, *view, r->logits);
    return 1;
}

/* As a walk asks about the next slice: the mask alone, in r->logits, says what is meant. */
static sgm_status ask(refiner *r, int64_t frame, const sgm_box *extent, sgm_view view,
                      sgm_look *look)
{
    sgm_question question = {.picture = frame,
                             .image = &r->image,
                             .extent = extent,
                             .logits = r->logits,
                             .logits_view = view,
                             .stay = view,
                             .tight_box = SGM_TIGHT_BOX_OFF};
    for (size_t i = 0; i < low_count(r); i++)
        r->logits[i] -= r->binding.predictor.walk_lowering;
    sgm_slicer_extract(&r->slicer, frame, r->pixels);
    return sgm_look_at(&r->looker, &question, look);
}

static void take(refiner *r, int64_t frame, const sgm_look *look, uint8_t *masks, float *quality)
{
    sgm_slice_store(&r->plane, look->mask, r->slice_mask);
    store(r, frame, r->slice_mask, masks);
    if (quality) quality[frame] = look->raw.predicted_iou;
}

static sgm_status first_round(refiner *r, int64_t frame, uint8_t *masks, float *quality)
{
    sgm_box extent;
    sgm_view view;
    sgm_look look;
    if (!load_given(r, frame, r->slice_mask)) return SGM_OK;
    if (!show_mask(r, r->slice_mask, &extent, &view)) return SGM_OK;
    SGM_TRY(ask(r, frame, &extent, view, &look));
    take(r, frame, &look, masks, quality);
    return SGM_OK;
}

/* IoU of two slices' masks. */
static double overlap_of(const refiner *r, const uint8_t *a, const uint8_t *b)
{
    int64_t both = 0, either = 0;
    for (int64_t i = 0; i < r->plane.columns * r->plane.rows; i++) {
        both += a[i] && b[i];
        either += a[i] || b[i];
    }
    return either ? (double)both / (double)either : 0;
}

/* r->logits become the mean of the frame's own and its neighbours', by their overlap. */
static void mix_neighbours(refiner *r, int64_t frame, const uint8_t *answers, sgm_view view)
{
    const sgm_predictor *predictor = &r->binding.predictor;
    double sum = 1;
    for (int64_t k = frame - REACH; k <= frame + REACH; k++) {
        if (k < 0 || k >= r->plane.slices || k == frame) continue;
        fetch(r, k, answers, r->neighbour);
        const double share = overlap_of(r, r->slice_mask, r->neighbour);
        if (share < least_overlap) continue;
        sgm_slice_load(&r->plane, r->neighbour, r->picture_mask);
        sgm_logits_from_mask(predictor, r->picture_mask, r->plane.width, r->plane.height, view,
                             r->other);
        for (size_t i = 0; i < low_count(r); i++)
            r->logits[i] += (float)share * r->other[i];
        sum += share;
    }
    for (size_t i = 0; i < low_count(r); i++)
        r->logits[i] /= (float)sum;
}

static sgm_status second_round(refiner *r, int64_t frame, const uint8_t *answers, uint8_t *masks,
                               float *quality)
{
    sgm_box extent;
    sgm_view view;
    sgm_look look;
    fetch(r, frame, answers, r->slice_mask);
    if (!show_mask(r, r->slice_mask, &extent, &view)) return SGM_OK;
    mix_neighbours(r, frame, answers, view);
    SGM_TRY(ask(r, frame, &extent, view, &look));
    if (look.area) take(r, frame, &look, masks, quality);
    return SGM_OK;
}

static sgm_status refine_all(refiner *r, uint8_t *masks, float *quality)
{
    const int64_t frames = r->plane.slices, *size = r->frames->size;
    const size_t voxels = (size_t)(size[0] * size[1] * size[2]);
    uint8_t *answers = malloc(voxels);
    sgm_status status =
        answers ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the masks of frames");
    for (int64_t step = 0; step < 2 * frames && status == SGM_OK; step++) {
        if (step == frames) memcpy(answers, masks, voxels);
        status = sgm_call_cancelled();
        if (status == SGM_OK)
            status = step < frames ? first_round(r, step, masks, quality)
                                   : second_round(r, step - frames, answers, masks, quality);
        sgm_call_progress((double)(step + 1) / (double)(2 * frames), "asking about the masks");
    }
    free(answers);
    return status;
}

static void copy_given(const refiner *r, uint8_t *masks)
{
    const int64_t *size = r->frames->size;
    for (int64_t row = 0; row < size[1] * size[2]; row++)
        sgm_labels_match(r->labels, r->label_type, r->label_value, row * size[0], 1, size[0],
                         masks + row * size[0]);
}

static sgm_status refine(refiner *r, sgm_model *model, const sgm_sequence_options *options,
                         uint8_t *masks, float *quality)
{
    const int64_t *size = r->frames->size;
    SGM_TRY(sgm_volume_check(r->frames));
    SGM_TRY(init_network(r, model, options));
    if (quality)
        for (int64_t frame = 0; frame < size[2]; frame++)
            quality[frame] = 0;
    if (!sgm_walk_is_by_mask(&r->binding.predictor.walk)) {
        copy_given(r, masks);
        return SGM_OK;
    }
    memset(masks, 0, (size_t)(size[0] * size[1] * size[2]));
    SGM_TRY(init_pictures(r, options));
    return refine_all(r, masks, quality);
}

sgm_status sgm_sequence_refine(sgm_model *model, const sgm_volume *frames, const void *labels,
                               sgm_voxel label_type, int64_t label_value,
                               const sgm_sequence_options *options, const sgm_call *call,
                               uint8_t *masks, float *quality)
{
    sgm_sequence_options known = {sizeof known, SGM_WINDOW_AUTO, 0, 0, SGM_ZOOM_AUTO, {0}};
    sgm_call_scope scope;
    if (!model || !frames || !labels || !masks)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "sgm_sequence_refine: model, frames, labels or masks is NULL");
    if (options)
        SGM_TRY(
            sgm_sized_read("sgm_sequence_options", options, sizeof known, &known, sizeof known));
    SGM_TRY(sgm_call_enter(&scope, call));
    refiner r = {
        .frames = frames, .labels = labels, .label_type = label_type, .label_value = label_value};
    sgm_status status = refine(&r, model, &known, masks, quality);
    refiner_clear(&r);
    sgm_call_leave(&scope);
    return status;
}
