/* The life of a live volume: options, window, axes; and questions about whole objects. */
#include "predict/volume/live.h"

#include "core/call.h"
#include "core/sized.h"
#include "core/status.h"
#include "predict/picture/labels.h"
#include "predict/picture/window.h"
#include "predict/session/session_batch.h"
#include "predict/volume/prompts.h"

#include <stdlib.h>
#include <string.h>

enum { USUAL_POINTS = 8 };

#define SGM_ANSWER_MEMORY ((size_t)32 << 20)

/* -------------------------------------------------------------------------------------- options */

static sgm_status check_choice(const char *what, int value, int last)
{
    if (value >= 0 && value <= last) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_volume_options: unknown %s %d", what, value);
}

sgm_status sgm_volume_options_read(const sgm_volume_options *given, sgm_volume_options *options)
{
    *options = sgm_volume_options_init();
    if (!given) return SGM_OK;
    SGM_TRY(sgm_sized_read("sgm_volume_options", given, sizeof *options, options, sizeof *options));
    SGM_TRY(check_choice("slice axis", (int)options->axis, SGM_AXIS_K));
    SGM_TRY(check_choice("window", (int)options->window, SGM_WINDOW_MANUAL));
    SGM_TRY(check_choice("hounsfield", (int)options->hounsfield, SGM_HOUNSFIELD_OFF));
    SGM_TRY(check_choice("padding", (int)options->padding, SGM_PADDING_NONE));
    SGM_TRY(check_choice("zoom", (int)options->zoom, SGM_ZOOM_ON));
    if (options->max_slices < 0)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_volume_options: max_slices is %d",
                        options->max_slices);
    const double manual[2] = {options->window_low, options->window_high};
    return sgm_window_check(options->window, manual);
}

/* From here on each part has what it needs of the options, and nobody else their whole. */
static void take_options(sgm_live_volume *live, const sgm_volume_options *options)
{
    sgm_volume *volume = &live->desk.volume;
    live->wish = live->axis = options->axis;
    live->window = options->window;
    live->manual_window[0] = options->window_low;
    live->manual_window[1] = options->window_high;
    live->desk.rules = (sgm_walk_rules){.stays = options->no_propagation,
                                        .max_slices = options->max_slices,
                                        .keep_largest = options->keep_largest,
                                        .fill_holes = options->fill_holes,
                                        .is_timed = options->is_sequence != 0};
    if (options->hounsfield != SGM_HOUNSFIELD_AUTO) volume->hounsfield = options->hounsfield;
    if (options->padding == SGM_PADDING_AUTO) return;
    volume->has_padding = options->padding == SGM_PADDING_VALUE;
    volume->padding = options->padding_value;
}

/* ----------------------------------------------------------------------------- making, unmaking */

static sgm_status init_desk(sgm_desk *desk, const sgm_predictor *predictor, int zoom,
                            const sgm_volume_options *options)
{
    desk->predictor = predictor;
    size_t low_res = sgm_desk_low_res_count(desk);
    sgm_answers_init(&desk->answers,
                     options->answer_memory ? options->answer_memory : SGM_ANSWER_MEMORY, low_res);
    desk->logits = malloc((low_res + 1) * sizeof *desk->logits);
    desk->other_logits = malloc((low_res + 1) * sizeof *desk->other_logits);
    if (!desk->logits || !desk->other_logits)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for low-res logits");
    SGM_TRY(
        sgm_embedder_init(&desk->embedder, predictor, &options->store, options->embedding_memory));
    return sgm_looker_init(&desk->looker, predictor, &desk->embedder, zoom);
}

/* `predictor` NULL: the model's. */
static sgm_status make(sgm_model *model, const sgm_predictor *predictor, int zoom,
                       const sgm_volume *volume, const sgm_volume_options *given,
                       sgm_live_volume **out)
{
    sgm_volume_options options;
    *out = NULL;
    SGM_TRY(sgm_volume_check(volume));
    SGM_TRY(sgm_volume_options_read(given, &options));
    sgm_live_volume *live = calloc(1, sizeof *live);
    if (!live) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a live volume");
    live->desk.volume = *volume;
    take_options(live, &options);
    sgm_status status = SGM_OK;
    if (!predictor) {
        status = sgm_session_predictor_init(&live->binding, model);
        if (status == SGM_OK)
            status = sgm_session_ask_class(live->binding.session, options.class_index);
        predictor = &live->binding.predictor;
        zoom = options.zoom == SGM_ZOOM_ON ||
               (options.zoom == SGM_ZOOM_AUTO && sgm_model_wants_zoom(model));
    }
    if (status == SGM_OK) status = init_desk(&live->desk, predictor, zoom, &options);
    if (status != SGM_OK) {
        sgm_live_volume_destroy(live);
        return status;
    }
    *out = live;
    return SGM_OK;
}

sgm_status sgm_live_volume_make(const sgm_predictor *predictor, int zoom, const sgm_volume *volume,
                                const sgm_volume_options *options, sgm_live_volume **out)
{
    return make(NULL, predictor, zoom, volume, options, out);
}

sgm_status sgm_live_volume_create(sgm_model *model, const sgm_volume *volume,
                                  const sgm_volume_options *options, sgm_live_volume **out)
{
    if (!out) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_live_volume_create: out is NULL");
    *out = NULL;
    if (!model || !volume)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_live_volume_create: model or volume is NULL");
    return make(model, NULL, 0, volume, options, out);
}

static void clear_desk(sgm_desk *desk)
{
    sgm_looker_clear(&desk->looker);
    sgm_embedder_clear(&desk->embedder);
    sgm_answers_clear(&desk->answers);
    free(desk->logits);
    free(desk->other_logits);
    free(desk->points);
    free(desk->asked_points);
}

void sgm_live_volume_destroy(sgm_live_volume *live)
{
    if (!live) return;
    for (size_t i = 0; i < live->object_count; i++) {
        sgm_initial_clear(&live->objects[i].initial);
        sgm_solid_clear(&live->objects[i].solid, &live->desk.answers);
    }
    for (int axis = 0; axis < 3; axis++)
        sgm_stack_clear(&live->stacks[axis]);
    clear_desk(&live->desk);
    sgm_session_predictor_clear(&live->binding);
    free(live->objects);
    free(live->slice);
    free(live);
}

/* --------------------------------------------------------------------------- window and axis */

/* Looking at the voxels takes time, so it waits for the first call and is done once. */
static sgm_status settle(sgm_live_volume *live)
{
    sgm_volume *volume = &live->desk.volume;
    if (live->is_settled) return SGM_OK;
    const char *doubt;
    sgm_status status = sgm_window_settle(volume, live->window, live->manual_window, &live->low,
                                          &live->high, &doubt);
    if (doubt) live->doubt = doubt; /* also before a failure: it is found once */
    live->is_settled = status == SGM_OK;
    return status;
}

void sgm_live_volume_warn(const sgm_live_volume *live)
{
    if (live->doubt) sgm_call_warn("%s", live->doubt);
}

sgm_status sgm_live_volume_stack(sgm_live_volume *live, const sgm_object *objects, size_t count,
                                 sgm_stack **out)
{
    sgm_plane plane;
    SGM_TRY(settle(live));
    SGM_TRY(sgm_plane_choose(&live->desk.volume, live->axis, objects, count, &plane));
    *out = &live->stacks[plane.axis];
    if ((*out)->pixels[0]) return SGM_OK;
    return sgm_stack_init(*out, &live->desk.volume, &plane, live->low, live->high);
}

sgm_status sgm_live_volume_hold_axis(sgm_live_volume *live, const sgm_object *objects, size_t count)
{
    static const sgm_axis axes[3] = {SGM_AXIS_I, SGM_AXIS_J, SGM_AXIS_K};
    sgm_plane plane;
    if (!live) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_live_volume_hold_axis: live is NULL");
    live->axis = live->wish;
    if (!count) return SGM_OK;
    SGM_TRY(sgm_prompts_check(&live->desk.volume, objects, count));
    SGM_TRY(sgm_plane_choose(&live->desk.volume, live->wish, objects, count, &plane));
    live->axis = axes[plane.axis];
    return SGM_OK;
}

/* -------------------------------------------------------------------------------------- objects */

static sgm_live_object *find_object(const sgm_live_volume *live, int64_t id)
{
    for (size_t i = 0; i < live->object_count; i++)
        if (live->objects[i].id == id) return &live->objects[i];
    return NULL;
}

sgm_status sgm_live_volume_object(sgm_live_volume *live, int64_t id, sgm_live_object **out)
{
    *out = find_object(live, id);
    if (*out) return SGM_OK;
    if (live->object_count == live->object_room) {
        size_t room = live->object_room ? 2 * live->object_room : 8;
        sgm_live_object *grown = realloc(live->objects, room * sizeof *grown);
        if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for objects");
        live->objects = grown;
        live->object_room = room;
    }
    *out = &live->objects[live->object_count++];
    **out = (sgm_live_object){.id = id};
    return SGM_OK;
}

void sgm_live_volume_remove(sgm_live_volume *live, int64_t id)
{
    sgm_live_object *object = live ? find_object(live, id) : NULL;
    if (!object) return;
    sgm_initial_clear(&object->initial);
    sgm_solid_clear(&object->solid, &live->desk.answers);
    *object = live->objects[--live->object_count];
}

/* --------------------------------------------------------------------------------------- counts */

typedef struct counts {
    int64_t encoded, cached, decoded, reused;
} counts;

static counts count(const sgm_desk *desk)
{
    return (counts){desk->embedder.encoded, desk->embedder.cached, desk->looker.decoded,
                    desk->reused};
}

/* ------------------------------------------------------------------------------------- predicting
 */

/* Masks and everything about them but what one call did. */
static sgm_live_result result_of(const sgm_live_volume *live, const sgm_solid *solid)
{
    sgm_live_result result = {.voxels = solid->voxels,
                              .changed_last = {-1, -1, -1},
                              .last = {-1, -1, -1},
                              .quality = solid->quality,
                              .stopped = {solid->stopped[0], solid->stopped[1]},
                              .slices = solid->reports,
                              .slice_count = solid->count,
                              .walks = solid->walks,
                              .walk_count = solid->walk_count,
                              .axis = solid->plane.axis,
                              .window = {live->low, live->high},
                              .hounsfield = live->desk.volume.hounsfield == SGM_HOUNSFIELD_ON};
    if (solid->slices) memcpy(result.first, solid->first, sizeof result.first);
    if (solid->slices) memcpy(result.last, solid->last, sizeof result.last);
    return result;
}

void sgm_live_volume_make_ready(sgm_live_volume *live)
{
    const sgm_predictor *network = live->desk.predictor;
    if (live->is_ready || !network->expect) return;
    for (size_t points = 0; points <= USUAL_POINTS; points++)
        if (sgm_call_cancelled() != SGM_OK || network->expect(network->self, points) != SGM_OK)
            return; /* whoever needs it will say why it cannot be */
    live->is_ready = 1;
}

static sgm_status give(const sgm_live_result *from, sgm_live_result *to)
{
    return to ? sgm_sized_write("sgm_live_result", from, sizeof *from, sizeof *from, to) : SGM_OK;
}

static sgm_status run_object(sgm_live_volume *live, sgm_live_object *kept, sgm_stack *stack,
                             const sgm_object *object, sgm_solid *out)
{
    sgm_run run;
    SGM_TRY(sgm_run_init(&run, &live->desk, stack, object, &kept->initial, 1));
    sgm_run_encode_ahead(&run);
    sgm_status status = sgm_run_all(&run);
    if (status == SGM_OK) status = sgm_run_clicks(&run, 1);
    if (status == SGM_OK) status = sgm_solid_make(&run, 0, &kept->solid, out);
    live->desk.embedder.upcoming = (sgm_upcoming){0};
    sgm_run_clear(&run);
    return status;
}

static sgm_status predict(sgm_live_volume *live, int64_t id, const sgm_object *object,
                          sgm_live_result *result)
{
    sgm_live_object *kept;
    sgm_stack *stack;
    sgm_solid solid;
    counts before = count(&live->desk), after;
    SGM_TRY(sgm_prompts_check(&live->desk.volume, object, 1));
    SGM_TRY(sgm_live_volume_stack(live, object, 1, &stack));
    sgm_live_volume_warn(live);
    SGM_TRY(sgm_live_volume_object(live, id, &kept));
    SGM_TRY(sgm_initial_read(&kept->initial, &stack->plane, live->desk.volume.size, object));
    SGM_TRY(sgm_prompts_check_initial(object, &kept->initial));
    SGM_TRY(run_object(live, kept, stack, object, &solid));
    sgm_live_result made = result_of(live, &solid);
    sgm_solid_difference(&kept->solid, &solid, made.changed_first, made.changed_last);
    after = count(&live->desk);
    made.encoded = after.encoded - before.encoded;
    made.cached = after.cached - before.cached;
    made.decoded = after.decoded - before.decoded;
    made.reused = after.reused - before.reused;
    sgm_solid_clear(&kept->solid, &live->desk.answers);
    kept->solid = solid;
    live->doubt = NULL;                                 /* it was told */
    if (made.encoded) sgm_live_volume_make_ready(live); /* nobody notices now */
    return give(&made, result);
}

sgm_status sgm_live_volume_predict(sgm_live_volume *live, int64_t id, const sgm_object *object,
                                   const sgm_call *call, sgm_live_result *result)
{
    sgm_call_scope scope;
    if (!live || !object)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_live_volume_predict: live or object is NULL");
    if (result) SGM_TRY(sgm_sized_check("sgm_live_result", result, sizeof *result));
    SGM_TRY(sgm_call_enter(&scope, call));
    sgm_status status = predict(live, id, object, result);
    sgm_call_leave(&scope);
    return status;
}

sgm_status sgm_live_volume_get(sgm_live_volume *live, int64_t id, sgm_live_result *result)
{
    static const sgm_solid nothing;
    if (!live || !result)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_live_volume_get: live or result is NULL");
    const sgm_live_object *object = find_object(live, id);
    sgm_live_result made = result_of(live, object ? &object->solid : &nothing);
    return give(&made, result);
}

/* ------------------------------------------------------------------------------------- ways out */

static sgm_status check_part(const sgm_volume *volume, const int64_t first[3],
                             const int64_t last[3])
{
    for (int a = 0; a < 3; a++)
        if (first[a] < 0 || last[a] < first[a] || last[a] >= volume->size[a])
            return sgm_fail(SGM_INVALID_ARGUMENT,
                            "the part %lld..%lld of axis %d is empty or outside the volume's %lld",
                            (long long)first[a], (long long)last[a], a, (long long)volume->size[a]);
    return SGM_OK;
}

sgm_status sgm_live_volume_mask(sgm_live_volume *live, int64_t id, const int64_t first[3],
                                const int64_t last[3], uint8_t *mask)
{
    static const sgm_solid nothing;
    if (!live || !first || !last || !mask)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_live_volume_mask: NULL");
    SGM_TRY(check_part(&live->desk.volume, first, last));
    const sgm_live_object *object = find_object(live, id);
    sgm_solid_copy(object ? &object->solid : &nothing, first, last, mask);
    return SGM_OK;
}

sgm_status sgm_live_volume_paint(sgm_live_volume *live, int64_t id, void *labels, sgm_voxel type,
                                 int64_t value)
{
    if (!live || !labels) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_live_volume_paint: NULL");
    if (!sgm_labels_fit(type, value))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "the value %lld does not fit the label volume's type, which must be one "
                        "of integers",
                        (long long)value);
    const sgm_live_object *object = find_object(live, id);
    if (object) sgm_solid_paint(&object->solid, live->desk.volume.size, labels, type, value);
    return SGM_OK;
}
