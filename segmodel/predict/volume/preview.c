/* A live volume's quick questions: one slice, and what may be asked next. */
#include "predict/volume/live.h"

#include "core/call.h"
#include "core/sized.h"
#include "core/status.h"
#include "predict/volume/prompts.h"

#include <stdlib.h>
#include <string.h>

static const sgm_live_object *find_object(const sgm_live_volume *live, int64_t id)
{
    for (size_t i = 0; i < live->object_count; i++)
        if (live->objects[i].id == id) return &live->objects[i];
    return NULL;
}

/* -------------------------------------------------------------------------------------- preview */

/* The slice of the last seed, else the middle of the ROIs, else of the initial label. */
static int64_t default_slice(const sgm_stack *stack, const sgm_object *object,
                             const sgm_initial *initial)
{
    const sgm_plane *plane = &stack->plane;
    if (object->seed_count)
        return sgm_plane_slice_of(plane, object->seeds[object->seed_count - 1].index[plane->axis]);
    if (initial->count) return initial->slices[initial->count / 2];
    for (size_t i = object->roi_count; i-- > 0;)
        if (sgm_roi_middle(plane, &object->rois[i]) >= 0)
            return sgm_roi_middle(plane, &object->rois[i]);
    return 0;
}

/* Sets *prompted to 1 for a slice that the first prompts ask for, to 2 for one with a click. */
static sgm_status is_prompted(const sgm_stack *stack, const sgm_subject *subject, int middles,
                              int64_t slice, int *prompted)
{
    const sgm_plane *plane = &stack->plane;
    uint8_t *marks = calloc((size_t)plane->slices, 1);
    if (!marks) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for slices");
    sgm_prompted_slices(plane, subject->object, subject->initial, middles, marks);
    *prompted = marks[slice];
    free(marks);
    for (size_t i = subject->first.seed_count; i < subject->given->seed_count; i++)
        if (sgm_plane_slice_of(plane, subject->given->seeds[i].index[plane->axis]) == slice)
            *prompted = 2;
    return SGM_OK;
}

/* An answer as the volume's voxels; lets go of it. */
static sgm_status show_answer(sgm_live_volume *live, sgm_stack *stack, const sgm_answer *answer,
                              int64_t slice, uint8_t *mask, sgm_live_slice *out)
{
    sgm_desk *desk = &live->desk;
    sgm_packed_mask filled = {0};
    sgm_status status = SGM_OK;
    if (desk->rules.fill_holes && answer->mask.voxels)
        status = sgm_fill_slice(stack, &answer->mask, &filled);
    sgm_solid_slice taken = {
        .slice = slice, .answer = answer, .filled = filled, .has_filled = filled.voxels > 0};
    sgm_solid solid = {.plane = stack->plane, .slices = &taken, .count = 1};
    int64_t first[3] = {0, 0, 0}, last[3];
    for (int a = 0; a < 3; a++)
        last[a] = desk->volume.size[a] - 1;
    first[stack->plane.axis] = last[stack->plane.axis] = slice;
    sgm_solid_copy(&solid, first, last, mask);
    out->predicted_iou = answer->quality;
    out->voxels = sgm_solid_mask(&taken)->voxels;
    sgm_packed_mask_clear(&filled);
    sgm_answers_release(&desk->answers, answer);
    return status;
}

/* What a prediction will take on a slice that the first prompts ask for. */
static sgm_status decode_slice(sgm_live_volume *live, sgm_stack *stack, const sgm_subject *subject,
                               int64_t slice, uint8_t *mask, sgm_live_slice *out)
{
    sgm_volume_step step;
    const sgm_answer *answer;
    sgm_step_prompted(stack, subject, slice, live->desk.points, &step);
    SGM_TRY(sgm_desk_ask(&live->desk, stack, &step, &answer));
    return show_answer(live, stack, answer, slice, mask, out);
}

/* What a prediction will take on a slice that clicks lie on or may reach: they correct what the
 * prompts before them made, which is known if they were predicted. A last one on the slice itself
 * does not walk on. */
static sgm_status click_slice(sgm_live_volume *live, sgm_stack *stack, const sgm_subject *subject,
                              int64_t slice, uint8_t *mask, sgm_live_slice *out)
{
    sgm_run run;
    const sgm_answer *answer = NULL;
    static const sgm_initial none;
    const sgm_object *object = subject->given;
    const sgm_seed *last = &object->seeds[object->seed_count - 1];
    int is_last = sgm_plane_slice_of(&stack->plane, last->index[stack->plane.axis]) == slice;
    SGM_TRY(sgm_run_init(&run, &live->desk, stack, object,
                         subject->initial ? subject->initial : &none, 1));
    sgm_status status = sgm_run_all(&run);
    if (status == SGM_OK) status = sgm_run_clicks(&run, !is_last);
    for (size_t i = 0; i < run.subjects[0].taken_count && status == SGM_OK; i++)
        if (run.subjects[0].taken[i].slice == slice)
            answer = sgm_answers_hold(&live->desk.answers, run.subjects[0].taken[i].answer);
    sgm_run_clear(&run);
    SGM_TRY(status);
    memset(mask, 0, (size_t)(stack->plane.columns * stack->plane.rows));
    return answer ? show_answer(live, stack, answer, slice, mask, out) : SGM_OK;
}

/* The object's present mask there, along whatever axis it was made. */
static void copy_slice(const sgm_live_volume *live, const sgm_live_object *object, int axis,
                       int64_t slice, uint8_t *mask, sgm_live_slice *out)
{
    int64_t first[3] = {0, 0, 0}, last[3], count = out->mask_size[0] * out->mask_size[1];
    for (int a = 0; a < 3; a++)
        last[a] = live->desk.volume.size[a] - 1;
    first[axis] = last[axis] = slice;
    memset(mask, 0, (size_t)count);
    if (!object || !object->solid.slices) return;
    sgm_solid_copy(&object->solid, first, last, mask);
    for (int64_t i = 0; i < count; i++)
        out->voxels += mask[i];
    for (size_t i = 0; i < object->solid.count && object->solid.plane.axis == axis; i++)
        if (object->solid.reports[i].slice == slice)
            out->predicted_iou = object->solid.reports[i].predicted_iou;
}

static sgm_status make_slice_room(sgm_live_volume *live, const sgm_plane *plane, uint8_t **mask)
{
    free(live->slice);
    *mask = live->slice = malloc((size_t)plane->columns * (size_t)plane->rows);
    return *mask ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the mask of a slice");
}

/* Whether clicks on other slices may change what the first prompts ask for. */
static int clicks_reach(const sgm_live_volume *live, const sgm_subject *subject)
{
    return subject->first.seed_count < subject->given->seed_count && !live->desk.rules.stays;
}

/* The slice of an object whose prompts are sorted. */
static sgm_status show_slice(sgm_live_volume *live, int64_t id, const sgm_subject *subject,
                             sgm_stack *stack, int64_t slice, sgm_live_slice *out)
{
    uint8_t *mask;
    int prompted;
    SGM_TRY(is_prompted(stack, subject, subject->by_mask, slice, &prompted));
    SGM_TRY(make_slice_room(live, &stack->plane, &mask));
    out->mask = mask;
    out->prompted = prompted > 0;
    if (prompted && (prompted == 2 || clicks_reach(live, subject)))
        return click_slice(live, stack, subject, slice, mask, out);
    if (prompted) return decode_slice(live, stack, subject, slice, mask, out);
    copy_slice(live, find_object(live, id), stack->plane.axis, slice, mask, out);
    return SGM_OK;
}

static sgm_status preview(sgm_live_volume *live, int64_t id, const sgm_object *object,
                          const sgm_initial *initial, sgm_stack *stack, int64_t slice,
                          sgm_live_slice *out)
{
    const sgm_plane *plane = &stack->plane;
    const int64_t *size = live->desk.volume.size;
    sgm_subject subject;
    if (slice == -1) slice = default_slice(stack, object, initial);
    if (slice < 0 || slice >= plane->slices)
        return sgm_fail(SGM_INVALID_ARGUMENT, "there is no slice %lld; axis %d has 0 to %lld",
                        (long long)slice, plane->axis, (long long)plane->slices - 1);
    *out = (sgm_live_slice){.axis = plane->axis, .slice = slice};
    out->mask_size[0] = size[plane->axis == 0 ? 1 : 0];
    out->mask_size[1] = size[plane->axis == 2 ? 1 : 2];
    sgm_status status = sgm_subject_init(&subject, &live->desk, stack, object, initial);
    if (status == SGM_OK) status = show_slice(live, id, &subject, stack, slice, out);
    sgm_subject_clear(&subject, &live->desk);
    return status;
}

/* The object's initial label, read into *spare or, where it need not be read again with the same
 * stamp, into the object, which a prediction reads it into too. */
static sgm_status read_initial(sgm_live_volume *live, int64_t id, const sgm_stack *stack,
                               const sgm_object *object, sgm_initial *spare, sgm_initial **out)
{
    sgm_live_object *kept;
    *out = spare;
    if (object->labels && object->label_stamp) {
        SGM_TRY(sgm_live_volume_object(live, id, &kept));
        *out = &kept->initial;
    }
    SGM_TRY(sgm_initial_read(*out, &stack->plane, live->desk.volume.size, object));
    return sgm_prompts_check_initial(object, *out);
}

static sgm_status preview_counted(sgm_live_volume *live, int64_t id, const sgm_object *object,
                                  int64_t slice, sgm_live_slice *out)
{
    const sgm_desk *desk = &live->desk;
    int64_t encoded = desk->embedder.encoded, cached = desk->embedder.cached;
    int64_t decoded = desk->looker.decoded;
    sgm_initial spare = {0}, *initial;
    sgm_stack *stack;
    SGM_TRY(sgm_prompts_check(&desk->volume, object, 1));
    SGM_TRY(sgm_live_volume_stack(live, object, 1, &stack));
    sgm_status status = read_initial(live, id, stack, object, &spare, &initial);
    if (status == SGM_OK) status = preview(live, id, object, initial, stack, slice, out);
    sgm_initial_clear(&spare);
    out->encoded = desk->embedder.encoded - encoded;
    out->cached = desk->embedder.cached - cached;
    out->decoded = desk->looker.decoded - decoded;
    return status;
}

sgm_status sgm_live_volume_preview(sgm_live_volume *live, int64_t id, const sgm_object *object,
                                   int64_t slice, const sgm_call *call, sgm_live_slice *out)
{
    sgm_call_scope scope;
    sgm_live_slice made = {0};
    if (!live || !object || !out)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_live_volume_preview: NULL");
    SGM_TRY(sgm_sized_check("sgm_live_slice", out, sizeof *out));
    SGM_TRY(sgm_call_enter(&scope, call));
    sgm_status status = preview_counted(live, id, object, slice, &made);
    sgm_call_leave(&scope);
    SGM_TRY(status);
    return sgm_sized_write("sgm_live_slice", &made, sizeof made, sizeof made, out);
}

/* ---------------------------------------------------------------------------------------- ahead */

/* The view that a walk would look through on this slice: that of an object's nearest slice. */
static int walk_view(const sgm_live_volume *live, int axis, int64_t slice, sgm_view *view)
{
    int64_t nearest = INT64_MAX;
    for (size_t i = 0; i < live->object_count; i++) {
        const sgm_solid *solid = &live->objects[i].solid;
        for (size_t n = 0; n < solid->count && solid->plane.axis == axis; n++) {
            int64_t distance = llabs(solid->slices[n].slice - slice);
            if (distance >= nearest || !solid->slices[n].answer->mask.voxels) continue;
            nearest = distance;
            *view = solid->slices[n].answer->view;
        }
    }
    return nearest != INT64_MAX;
}

/* The user moves on while this works: also where nothing is left to encode. */
static sgm_status is_wanted(const sgm_desk *desk)
{
    SGM_TRY(sgm_call_cancelled());
    return desk->predictor->cancelled ? desk->predictor->cancelled(desk->predictor->self) : SGM_OK;
}

/* One slice, in the views that a click at (x, y) and a walk through it look at; *room counts down
 * the embeddings that memory still holds. Its picture is made only for a view that is not there
 * yet. */
static sgm_status encode_slice(sgm_live_volume *live, sgm_stack *stack, int64_t slice,
                               const sgm_point *click, size_t *room)
{
    sgm_desk *desk = &live->desk;
    sgm_view views[SGM_MOST_VIEWS + 1];
    int count = 0;
    SGM_TRY(is_wanted(desk));
    if (click) count = sgm_looker_views(&desk->looker, &stack->picture, click, views);
    if (!desk->looker.zoom && !count)
        views[count++] = sgm_view_whole(stack->picture.width, stack->picture.height);
    if (desk->looker.zoom && walk_view(live, stack->plane.axis, slice, &views[count])) count++;
    for (int i = 0; i<count && * room> 0; i++, --*room) {
        const int64_t picture = sgm_stack_picture(stack, slice);
        if (sgm_embedder_holds(&desk->embedder, picture, views[i])) continue;
        sgm_stack_show(stack, slice);
        SGM_TRY(sgm_embedder_select(&desk->embedder, picture, &stack->picture, views[i]));
    }
    return SGM_OK;
}

/* Slices at falling nearness; a zooming model's crops are known where an object is, and on the
 * slice itself. */
static sgm_status encode_near(sgm_live_volume *live, sgm_stack *stack, int64_t slice,
                              const sgm_point *click)
{
    size_t room = live->desk.embedder.slot_count - 1;
    sgm_view view;
    SGM_TRY(encode_slice(live, stack, slice, click, &room));
    if (live->desk.looker.zoom && !walk_view(live, stack->plane.axis, slice, &view)) return SGM_OK;
    for (int64_t distance = 1; room > 0 && distance < stack->plane.slices; distance++)
        for (int side = -1; side <= 1; side += 2) {
            int64_t other = slice + side * distance;
            if (other < 0 || other >= stack->plane.slices) continue;
            SGM_TRY(encode_slice(live, stack, other, NULL, &room));
        }
    return SGM_OK;
}

static sgm_status ahead(sgm_live_volume *live, const double place[3])
{
    sgm_stack *stack;
    sgm_seed seed = {.index = {place[0], place[1], place[2]}, .label = SGM_FOREGROUND};
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_point click = {.label = SGM_FOREGROUND};
    SGM_TRY(sgm_prompts_check(&live->desk.volume, &object, 1));
    SGM_TRY(sgm_live_volume_stack(live, &object, 1, &stack));
    sgm_live_volume_make_ready(live);
    sgm_plane_project(&stack->plane, place, &click.x, &click.y);
    return encode_near(live, stack, sgm_plane_slice_of(&stack->plane, place[stack->plane.axis]),
                       &click);
}

sgm_status sgm_live_volume_ahead(sgm_live_volume *live, const double place[3], const sgm_call *call)
{
    sgm_call_scope scope;
    if (!live || !place)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_live_volume_ahead: live or place is NULL");
    SGM_TRY(sgm_call_enter(&scope, call));
    sgm_status status = ahead(live, place);
    sgm_call_leave(&scope);
    return status;
}
