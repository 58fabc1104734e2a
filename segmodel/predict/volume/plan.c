#include "predict/volume/run.h"

#include "core/call.h"
#include "core/status.h"
#include "predict/picture/roi.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------- fronts */

/* Last slice that a walk from `slice` may ever take. */
static int64_t reach_of(const sgm_run *run, const sgm_subject *subject, int64_t slice,
                        int direction)
{
    int64_t low = 0, high = run->stack->plane.slices - 1;
    if (subject->object->roi_count) {
        low = subject->roi_first;
        high = subject->roi_last;
    }
    int64_t end = direction > 0 ? high : low;
    int64_t most = run->desk->rules.max_slices;
    if (most > 0 && direction * (end - slice) > most) end = slice + direction * most;
    return end;
}

static ptrdiff_t add_front(sgm_run *run, const sgm_task *task, int direction, int64_t half)
{
    sgm_front *front = &run->fronts[run->front_count];
    *front = (sgm_front){.subject = task->subject,
                         .direction = direction,
                         .from = task->slice,
                         .at = task->slice,
                         .opposite = -1};
    front->reach = reach_of(run, &run->subjects[task->subject], task->slice, direction);
    front->limit = direction * (half - front->reach) < 0 ? half : front->reach;
    return (ptrdiff_t)run->front_count++;
}

/* Fronts from task `a` up and from the next one of the same object, `b`, down: each has the slices
 * nearer to its own task. */
static void add_pair(sgm_run *run, sgm_task *a, sgm_task *b)
{
    int64_t between = b->slice - a->slice - 1;
    if (between < 1) return;
    a->up = add_front(run, a, 1, a->slice + between / 2);
    b->down = add_front(run, b, -1, b->slice - between / 2);
    run->fronts[a->up].opposite = b->down;
    run->fronts[b->down].opposite = a->up;
}

/* The tasks of one object lie one after the other, ascending. */
static void add_fronts(sgm_run *run, sgm_task *tasks, size_t count)
{
    const sgm_subject *subject = count ? &run->subjects[tasks->subject] : NULL;
    if (!count || run->desk->rules.stays) return;
    /* An initial mask that is clicked on is finished but for what the clicks reach. */
    if (subject->keeps_initial && subject->given->seed_count) return;
    tasks[0].down = add_front(run, &tasks[0], -1, 0);
    run->fronts[tasks[0].down].is_outer = 1;
    for (size_t i = 0; i + 1 < count; i++)
        add_pair(run, &tasks[i], &tasks[i + 1]);
    tasks[count - 1].up = add_front(run, &tasks[count - 1], 1, run->stack->plane.slices - 1);
    run->fronts[tasks[count - 1].up].is_outer = 1;
}

/* -------------------------------------------------------------------------------------- tasks */

static sgm_status append_tasks(sgm_run *run, size_t subject, const uint8_t *prompted)
{
    size_t count = 0;
    for (int64_t slice = 0; slice < run->stack->plane.slices; slice++)
        count += prompted[slice] != 0;
    if (!count)
        return sgm_fail(SGM_BAD_PROMPT, "object \"%s\": no ROI meets the volume",
                        run->subjects[subject].object->name ? run->subjects[subject].object->name
                                                            : "");
    sgm_task *tasks = realloc(run->tasks, (run->task_count + count) * sizeof *tasks);
    if (!tasks) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu prompted slices", count);
    run->tasks = tasks;
    for (int64_t slice = 0; slice < run->stack->plane.slices; slice++)
        if (prompted[slice])
            run->tasks[run->task_count++] =
                (sgm_task){.subject = subject, .slice = slice, .up = -1, .down = -1};
    return SGM_OK;
}

static int compare_tasks(const void *a, const void *b)
{
    const sgm_task *x = a, *y = b;
    if (x->slice != y->slice) return x->slice < y->slice ? -1 : 1;
    return (x->subject > y->subject) - (x->subject < y->subject);
}

static sgm_status plan_tasks(sgm_run *run)
{
    size_t slices = (size_t)run->stack->plane.slices;
    uint8_t *prompted = malloc(slices);
    if (!prompted) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu slices", slices);
    sgm_status status = SGM_OK;
    for (size_t i = 0; i < run->subject_count && status == SGM_OK; i++) {
        memset(prompted, 0, slices);
        sgm_prompted_slices(&run->stack->plane, run->subjects[i].object, run->subjects[i].initial,
                            run->subjects[i].by_mask, prompted);
        status = append_tasks(run, i, prompted);
    }
    free(prompted);
    return status;
}

static sgm_status plan_fronts(sgm_run *run)
{
    run->fronts = calloc(2 * run->task_count, sizeof *run->fronts);
    if (!run->fronts)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu prompted slices", run->task_count);
    for (size_t start = 0, end; start < run->task_count; start = end) {
        for (end = start; end < run->task_count; end++)
            if (run->tasks[end].subject != run->tasks[start].subject) break;
        add_fronts(run, run->tasks + start, end - start);
    }
    qsort(run->tasks, run->task_count, sizeof *run->tasks, compare_tasks);
    return SGM_OK;
}

/* ---------------------------------------------------------------------------------------- run */

/* Sets roi_first and roi_last. */
static void find_rois(const sgm_plane *plane, sgm_subject *subject)
{
    const sgm_object *object = subject->object;
    subject->roi_first = plane->slices;
    subject->roi_last = -1;
    for (size_t i = 0; i < object->roi_count; i++) {
        int64_t first, last;
        sgm_roi_slices(&object->rois[i], plane->axis, plane->slices, &first, &last);
        if (last < first) continue;
        if (first < subject->roi_first) subject->roi_first = first;
        if (last > subject->roi_last) subject->roi_last = last;
    }
}

static void warn_unused(const sgm_object *object, size_t first, size_t count)
{
    const char *name = object->name ? object->name : "";
    if (count == 1)
        sgm_call_warn(
            "object \"%s\": point %zu lies on a slice that no ROI crosses and is not used", name,
            first + 1);
    else
        sgm_call_warn("object \"%s\": %zu points, the first of them point %zu, lie on slices that "
                      "no ROI crosses and are not used",
                      name, count, first + 1);
}

/* Nothing may be marked on slices that no ROI crosses, so that seeds there ask for nothing. */
static sgm_status leave_out_seeds(const sgm_plane *plane, sgm_subject *subject)
{
    const sgm_object *object = subject->given;
    size_t kept = 0, first = 0, count = object->seed_count;
    if (!object->roi_count || !count) return SGM_OK;
    sgm_seed *seeds = malloc(count * sizeof *seeds);
    if (!seeds) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu points", count);
    for (size_t i = 0; i < count; i++) {
        int64_t slice = sgm_plane_slice_of(plane, object->seeds[i].index[plane->axis]);
        if (sgm_rois_allow(plane, object, slice))
            seeds[kept++] = object->seeds[i];
        else if (kept == i) /* none was left out before */
            first = i;
    }
    if (kept == count) {
        free(seeds);
        return SGM_OK;
    }
    warn_unused(object, first, count - kept);
    subject->chosen = *object;
    subject->chosen.seeds = subject->seeds = seeds;
    subject->chosen.seed_count = kept;
    subject->given = &subject->chosen;
    subject->first = subject->chosen;
    return SGM_OK;
}

/* How many seeds the walks begin with: those up to the first one of the object. */
static size_t first_seeds(const sgm_object *object)
{
    size_t count = 0;
    while (count < object->seed_count)
        if (object->seeds[count++].label != SGM_BACKGROUND) break;
    return count;
}

/* In a box in space a network that takes boxes to be tight walks by masks too, guided by the box;
 * but not where points say what is meant in it: it would begin with something else. */
static sgm_status find_way(sgm_subject *subject, sgm_desk *desk, sgm_stack *stack)
{
    const sgm_predictor *predictor = desk->predictor;
    int lead = 0;
    subject->by_mask = sgm_walk_is_by_mask(&predictor->walk);
    if (!subject->given->roi_count || sgm_walk_is_by_mask(&predictor->walk_in_box)) return SGM_OK;
    subject->by_mask &= subject->roi_last > subject->roi_first;
    if (!subject->by_mask || subject->initial) return SGM_OK;
    SGM_TRY(sgm_points_lead(desk, stack, subject->given, &lead, &subject->boxed));
    subject->by_mask = !lead;
    return SGM_OK;
}

sgm_status sgm_subject_init(sgm_subject *subject, sgm_desk *desk, sgm_stack *stack,
                            const sgm_object *object, const sgm_initial *initial)
{
    const sgm_plane *plane = &stack->plane;
    *subject = (sgm_subject){.given = object,
                             .first = *object,
                             .object = &subject->first,
                             .initial = initial->count ? initial : NULL};
    find_rois(plane, subject);
    SGM_TRY(leave_out_seeds(plane, subject));
    object = subject->given;
    SGM_TRY(sgm_desk_make_room(desk, object));
    SGM_TRY(find_way(subject, desk, stack));
    if (!subject->by_mask || (plane->slices == 1 && !subject->initial)) return SGM_OK;
    subject->keeps_initial = subject->initial != NULL;
    subject->first.seed_count = subject->initial || object->roi_count ? 0 : first_seeds(object);
    return sgm_points_together(desk, stack, subject);
}

void sgm_subject_clear(sgm_subject *subject, sgm_desk *desk)
{
    for (size_t n = 0; n < subject->taken_count; n++)
        sgm_answers_release(&desk->answers, subject->taken[n].answer);
    free(subject->taken);
    free(subject->seeds);
    sgm_boxed_clear(subject->boxed);
    subject->boxed = NULL;
}

static sgm_status make_subjects(sgm_run *run, const sgm_object *objects,
                                const sgm_initial *initials, size_t count)
{
    run->subjects = calloc(count, sizeof *run->subjects);
    if (!run->subjects) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu objects", count);
    run->subject_count = count;
    for (size_t i = 0; i < count; i++)
        SGM_TRY(
            sgm_subject_init(&run->subjects[i], run->desk, run->stack, &objects[i], &initials[i]));
    return SGM_OK;
}

sgm_status sgm_run_init(sgm_run *run, sgm_desk *desk, sgm_stack *stack, const sgm_object *objects,
                        const sgm_initial *initials, size_t count)
{
    *run = (sgm_run){.desk = desk, .stack = stack};
    sgm_status status = make_subjects(run, objects, initials, count);
    if (status == SGM_OK) status = plan_tasks(run);
    if (status == SGM_OK) status = plan_fronts(run);
    if (status != SGM_OK) sgm_run_clear(run);
    return status;
}

void sgm_run_clear(sgm_run *run)
{
    for (size_t i = 0; i < run->front_count; i++)
        if (run->fronts[i].answer) sgm_answers_pin(run->fronts[i].answer, -1);
    for (size_t i = 0; i < run->subject_count; i++)
        sgm_subject_clear(&run->subjects[i], run->desk);
    free(run->fronts);
    free(run->tasks);
    free(run->subjects);
    *run = (sgm_run){0};
}
