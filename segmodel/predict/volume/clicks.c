/* Prompts that come after the first ones, in their order. Each is held against the mask that stands
 * when its turn comes: a point that the mask agrees with changes nothing; one on a slice without a
 * mask begins a walk over slices without one; any other corrects the region it lies in, on its
 * slice and as far as the neighbours are wrong in the same place. So a click never changes what it
 * does not reach, and the masks are those of the same clicks one after the other. */
#include "predict/session/mask.h"
#include "predict/volume/run.h"

#include "core/status.h"

#include <math.h>
#include <stdlib.h>

/* A slice without a mask is asked with that of a neighbour which is so near. */
static const int64_t near_slices = 3;
/* What a foreground click adds goes on over so many slices on each side, and farther only while the
 * network rates the mask it makes there so high: asked with a mask that has the addition it seldom
 * denies it (LABBOOK.md of Testing/quality/volumes). */
static const int64_t sure_slices = 2;
static const float sure_rating = 0.8f;
/* A click lies at a part's innermost place when it is so deep; people do not hit it to the pixel.
 */
static const double innermost = 0.9;

typedef struct clicks {
    sgm_run *run;
    size_t number; /* of the subject */
    sgm_subject *subject;
    sgm_object prefix; /* the prompts up to this click */
} clicks;

/* ------------------------------------------------------------------------------------- what stands
 */

/* The answer of a slice; NULL when it has no mask. */
static const sgm_answer *standing_of(const sgm_subject *subject, int64_t slice)
{
    for (size_t i = 0; i < subject->taken_count; i++)
        if (subject->taken[i].slice == slice)
            return subject->taken[i].answer->mask.voxels ? subject->taken[i].answer : NULL;
    return NULL;
}

static const sgm_answer *standing(const clicks *c, int64_t slice)
{
    return standing_of(c->subject, slice);
}

int sgm_subject_holds(sgm_stack *stack, const sgm_subject *subject, const sgm_seed *seed)
{
    const sgm_plane *plane = &stack->plane;
    sgm_point point = sgm_slice_point(plane, seed);
    const sgm_answer *answer =
        standing_of(subject, sgm_plane_slice_of(plane, seed->index[plane->axis]));
    if (!answer) return 0;
    sgm_slice_place place = sgm_slice_place_of(plane, point.x, point.y);
    sgm_packed_mask_unpack(&answer->mask, (int)plane->columns, (int)plane->rows, stack->voxels);
    return stack->voxels[place.v * plane->columns + place.u];
}

/* The nearest mask of another slice whose bounding box holds the voxel, not farther away than
 * near_slices; the lower one of two. */
static const sgm_answer *near_by(const clicks *c, int64_t slice, const sgm_seed *seed)
{
    const sgm_plane *plane = &c->run->stack->plane;
    double u = seed->index[plane->u], v = seed->index[plane->v];
    for (int64_t d = 1; d <= near_slices; d++)
        for (int side = 0; side < 2; side++) {
            const sgm_answer *there = standing(c, sgm_plane_onward(plane, slice, side ? d : -d));
            if (!there) continue;
            const sgm_packed_mask *m = &there->mask;
            if (u >= m->x - 0.5 && u <= m->x + m->width - 0.5 && v >= m->y - 0.5 &&
                v <= m->y + m->height - 0.5)
                return there;
        }
    return NULL;
}

/* ---------------------------------------------------------------------------------------- asking
 */

static sgm_status ask(const clicks *c, const sgm_volume_step *step, const sgm_answer **answer)
{
    return sgm_desk_ask(c->run->desk, c->run->stack, step, answer);
}

static sgm_status take(const clicks *c, int64_t slice, const sgm_answer *answer, int prompted)
{
    return sgm_subject_take(c->run, c->number, slice, answer, prompted);
}

static void begin_step(const clicks *c, int64_t slice, sgm_step_kind kind, sgm_volume_step *step)
{
    sgm_step_prompted(c->run->stack, c->subject, slice, c->run->desk->points, step);
    step->kind = kind;
    step->initial = NULL;
}

static int is_within(const clicks *c, int64_t slice)
{
    const sgm_plane *plane = &c->run->stack->plane;
    return slice >= 0 && slice < plane->slices && sgm_rois_allow(plane, c->subject->object, slice);
}

/* From an answer over slices without a mask. */
static sgm_status walk(const clicks *c, const sgm_answer *start, int64_t from, int direction)
{
    const sgm_answer *at = start, *next;
    int most = c->run->desk->rules.max_slices, count = 0;
    if (c->run->desk->rules.stays) return SGM_OK;
    for (int64_t slice = from + direction; is_within(c, slice); slice += direction) {
        sgm_volume_step step;
        if (standing(c, slice) || (most > 0 && ++count > most)) return SGM_OK;
        begin_step(c, slice, SGM_STEP_ALONE, &step);
        step.is_outer = 1;
        step.from[0] = at;
        step.start[0] = start;
        SGM_TRY(ask(c, &step, &next));
        if (next->stop != SGM_STOP_NONE) {
            sgm_answers_release(&c->run->desk->answers, next);
            return SGM_OK;
        }
        SGM_TRY(take(c, slice, next, 0));
        at = next;
    }
    return SGM_OK;
}

/* Voxels that a change may have on other slices, by those that the click changed: it was set where
 * the error is plain to see, and what is much larger elsewhere is something else. */
static int64_t largest_change(const sgm_answer *changed, const sgm_answer *before)
{
    int64_t count = llabs(changed->mask.voxels - before->mask.voxels);
    return count + 16;
}

/* From a changed slice over slices with a mask. `before`: what stood on it. */
static sgm_status follow(const clicks *c, const sgm_answer *changed, const sgm_answer *before,
                         int64_t from, int direction, int label)
{
    sgm_answers *answers = &c->run->desk->answers;
    const sgm_answer *old = sgm_answers_hold(answers, before), *here;
    int64_t largest = largest_change(changed, before);
    sgm_status status = SGM_OK;
    if (c->run->desk->rules.stays) from = -1;
    for (int64_t slice = from + direction; from >= 0 && changed->mask.voxels; slice += direction) {
        sgm_volume_step step;
        const sgm_answer *stands = is_within(c, slice) ? standing(c, slice) : NULL, *next;
        if (!stands) break;
        begin_step(c, slice, SGM_STEP_FOLLOWED, &step);
        step.label = label;
        step.largest = largest;
        step.from[0] = changed;
        step.from[1] = stands;
        step.start[0] = old;
        status = ask(c, &step, &next);
        if (status != SGM_OK) break;
        int far = llabs(slice - from) > sure_slices && label != SGM_BACKGROUND;
        if (next->stop != SGM_STOP_NONE || (far && next->quality < sure_rating)) {
            sgm_answers_release(answers, next);
            break;
        }
        here = sgm_answers_hold(answers, stands);
        sgm_answers_release(answers, old);
        old = here;
        status = take(c, slice, next, 0);
        if (status != SGM_OK) break;
        changed = next;
    }
    sgm_answers_release(answers, old);
    return status;
}

/* --------------------------------------------------------------------------------------- the end
 */

/* Slices that foreground prompts lie on: the first and the last, or the middle of the ROIs. 0:
 * there are none. */
static int prompted_range(const clicks *c, int64_t range[2])
{
    const sgm_plane *plane = &c->run->stack->plane;
    const sgm_subject *s = c->subject;
    int found = 0;
    for (size_t i = 0; i < c->prefix.seed_count; i++) {
        if (c->prefix.seeds[i].label == SGM_BACKGROUND) continue;
        int64_t slice = sgm_plane_slice_of(plane, c->prefix.seeds[i].index[plane->axis]);
        if (!found || slice < range[0]) range[0] = slice;
        if (!found || slice > range[1]) range[1] = slice;
        found = 1;
    }
    if (found || !s->object->roi_count || s->roi_last < s->roi_first) return found;
    range[0] = range[1] = s->object->roi_count == 1
                              ? sgm_roi_middle(plane, s->object->rois)
                              : sgm_plane_middle(plane, s->roi_first, s->roi_last);
    return 1;
}

/* How deep a click lies in its part of a mask. Its pixel may be another voxel's, up to rounding. */
static sgm_status depth_of_click(const sgm_stack *stack, const uint8_t *mask,
                                 const sgm_point *click, double *depth)
{
    const sgm_plane *plane = &stack->plane;
    int x = (int)lrint(click->x), y = (int)lrint(click->y);
    if (!mask[(size_t)y * (size_t)plane->width + (size_t)x]) {
        sgm_slice_place place = sgm_slice_place_of(plane, click->x, click->y);
        x = place.x;
        y = place.y;
    }
    return sgm_mask_depth(mask, plane->width, plane->height, x, y, depth);
}

/* *direction: where the slices that the object does not reach lie from a background click on (1:
 * behind it, -1: before it), if it says that the object does not reach its slice; else 0. It says
 * so beyond all foreground prompts, where it leaves nothing of the mask, or where it lies at the
 * innermost place of a part: whoever corrects an outline clicks elsewhere. There the network may
 * insist on what it sees; where it takes half of the part away for the click, the rest is its
 * answer; and what looks unlike the mask around it is a hole. */
static sgm_status direction_of_end(const clicks *c, int64_t slice, const sgm_point *click,
                                   const sgm_answer *stands, const sgm_answer *answer,
                                   int *direction)
{
    double depth;
    sgm_stack *stack = c->run->stack;
    int64_t range[2] = {0, 0}, left = answer->mask.voxels;
    *direction = 0;
    if (click->label != SGM_BACKGROUND || c->subject->initial || !prompted_range(c, range))
        return SGM_OK;
    if (slice >= range[0] && slice <= range[1]) return SGM_OK;
    sgm_stack_unpack(stack, &stands->mask, stack->neighbour);
    SGM_TRY(depth_of_click(stack, stack->neighbour, click, &depth));
    if (left && (answer->is_hole || depth < innermost || 2 * left <= stands->mask.voxels))
        return SGM_OK;
    *direction = slice > range[1] ? 1 : -1;
    return SGM_OK;
}

/* Takes away what the click on `slice` says is beyond the object's end. */
static sgm_status end_from(const clicks *c, int64_t slice, int direction, int spreads)
{
    const sgm_answer *stood = NULL, *now = NULL;
    sgm_status status = SGM_OK;
    for (; status == SGM_OK && is_within(c, slice); slice += direction) {
        sgm_volume_step step;
        const sgm_answer *stands = standing(c, slice), *next;
        if (!stands || (now && !spreads)) break;
        begin_step(c, slice, SGM_STEP_ENDED, &step);
        step.from[1] = stands;
        step.start[0] = stood;
        step.start[1] = now;
        status = ask(c, &step, &next);
        if (status != SGM_OK) break;
        if (next->stop != SGM_STOP_NONE) {
            sgm_answers_release(&c->run->desk->answers, next);
            break;
        }
        sgm_answers_hold(&c->run->desk->answers, stands);
        sgm_answers_release(&c->run->desk->answers, stood);
        stood = stands;
        status = take(c, slice, next, !now);
        now = next;
    }
    sgm_answers_release(&c->run->desk->answers, stood);
    return status;
}

/* ---------------------------------------------------------------------------------------- clicks
 */

/* A point where nothing stands. */
static sgm_status begin_here(const clicks *c, int64_t slice, const sgm_seed *seed, int spreads)
{
    sgm_volume_step step;
    const sgm_answer *near = near_by(c, slice, seed), *answer;
    begin_step(c, slice, near ? SGM_STEP_CLICKED : SGM_STEP_PROMPTED, &step);
    step.label = near ? SGM_FOREGROUND : 0;
    step.from[0] = near;
    SGM_TRY(ask(c, &step, &answer));
    SGM_TRY(take(c, slice, answer, 1));
    if (!answer->mask.voxels || !spreads) return SGM_OK;
    SGM_TRY(walk(c, answer, slice, -1));
    return walk(c, answer, slice, 1);
}

static sgm_status correct_here(const clicks *c, int64_t slice, const sgm_answer *stands,
                               const sgm_point *click, int spreads)
{
    sgm_volume_step step;
    const sgm_answer *answer;
    int label = click->label;
    begin_step(c, slice, SGM_STEP_CLICKED, &step);
    step.label = label;
    step.from[0] = step.from[1] = stands;
    SGM_TRY(ask(c, &step, &answer));
    int ends;
    sgm_status status = direction_of_end(c, slice, click, stands, answer, &ends);
    if (status != SGM_OK || ends) {
        sgm_answers_release(&c->run->desk->answers, answer);
        return status == SGM_OK ? end_from(c, slice, ends, spreads) : status;
    }
    sgm_answers_hold(&c->run->desk->answers, stands);
    status = take(c, slice, answer, 1);
    if (status == SGM_OK && spreads) status = follow(c, answer, stands, slice, -1, label);
    if (status == SGM_OK && spreads) status = follow(c, answer, stands, slice, 1, label);
    sgm_answers_release(&c->run->desk->answers, stands);
    return status;
}

static int agrees_with(const clicks *c, const sgm_seed *seed)
{
    return sgm_subject_holds(c->run->stack, c->subject, seed) == (seed->label != SGM_BACKGROUND);
}

static sgm_status take_click(const clicks *c, const sgm_seed *seed, int spreads)
{
    const sgm_plane *plane = &c->run->stack->plane;
    int64_t slice = sgm_plane_slice_of(plane, seed->index[plane->axis]);
    const sgm_answer *stands = standing(c, slice);
    sgm_point point = sgm_slice_point(plane, seed);
    if (!is_within(c, slice)) return SGM_OK;
    if (!stands) return begin_here(c, slice, seed, spreads);
    return correct_here(c, slice, stands, &point, spreads);
}

/* The clicks of subject n. `agrees`, where it is asked for: whether the mask agrees with one of
 * them when its turn comes; none behind that one is taken then, nor the last. */
static sgm_status take_clicks(sgm_run *run, size_t n, int follow_last, int *agrees)
{
    sgm_subject *subject = &run->subjects[n];
    const sgm_object *given = subject->given;
    clicks c = {.run = run, .number = n, .subject = subject, .prefix = *given};
    sgm_status status = SGM_OK;
    subject->object = &c.prefix;
    for (size_t i = subject->first.seed_count; i < given->seed_count && status == SGM_OK; i++) {
        int is_last = i + 1 == given->seed_count;
        c.prefix.seed_count = i + 1;
        int agreed = agrees_with(&c, &given->seeds[i]);
        if (agrees && (agreed || is_last)) { /* what the last one would change says nothing more */
            *agrees = agreed;
            break;
        }
        if (!agreed) status = take_click(&c, &given->seeds[i], follow_last || !is_last);
    }
    subject->object = &subject->first;
    return status;
}

sgm_status sgm_run_clicks(sgm_run *run, int follow_last)
{
    for (size_t i = 0; i < run->subject_count; i++)
        SGM_TRY(take_clicks(run, i, follow_last, NULL));
    return SGM_OK;
}

sgm_status sgm_run_clicks_until_agreed(sgm_run *run, const sgm_object *object, int *agrees)
{
    *agrees = 0;
    run->subjects[0].given = object;
    return take_clicks(run, 0, 1, agrees);
}
