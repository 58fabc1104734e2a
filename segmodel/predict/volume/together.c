/* Points on several slices, of an object without box and mask: did they come one after the other,
 * or were they set together?
 *
 * Nothing says so. But a person clicks where the mask is wrong: in a list of clicks every point
 * contradicts the mask that stands when its turn comes. A list with a point that agrees was set
 * before there was a mask, and its order says nothing: the first point may well be the worst to
 * begin with, at the end of the object, say. So the walk of each foreground point is held against
 * all others, and the list begins with one whose walk agrees with most; with its first if that is
 * one of them, else with the one nearest to the middle of their slices. */
#include "predict/volume/run.h"

#include "core/status.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Walks that are compared, at most: a list's first one and others evenly chosen. */
enum { MOST_STARTS = 8 };

static const sgm_initial no_initial;

static int is_foreground(const sgm_seed *seed)
{
    return seed->label != SGM_BACKGROUND;
}

/* Asks for `count` objects in a run of its own. The caller clears it, whatever comes back. */
static sgm_status run_aside(sgm_desk *desk, sgm_stack *stack, const sgm_object *objects,
                            const sgm_initial *initials, size_t count, sgm_run *run)
{
    SGM_TRY(sgm_run_init(run, desk, stack, objects, initials, count));
    run->is_aside = 1;
    sgm_run_encode_ahead(run);
    sgm_status status = sgm_run_all(run);
    desk->embedder.upcoming = (sgm_upcoming){0};
    return status;
}

/* How many of the object's points a walk agrees with. */
static size_t count_agreeing(sgm_stack *stack, const sgm_subject *walk, const sgm_object *object)
{
    size_t count = 0;
    for (size_t i = 0; i < object->seed_count; i++)
        count +=
            sgm_subject_holds(stack, walk, &object->seeds[i]) == is_foreground(&object->seeds[i]);
    return count;
}

/* Whether a point agrees with what stands when its turn comes; not where the first point's walk
 * agrees with all of them: no other is better then. */
static sgm_status has_agreement(sgm_desk *desk, sgm_stack *stack, const sgm_subject *subject,
                                int *agrees)
{
    sgm_run run = {0};
    const sgm_object *object = subject->given;
    *agrees = 0;
    sgm_status status = run_aside(desk, stack, &subject->first, &no_initial, 1, &run);
    if (status == SGM_OK && count_agreeing(stack, &run.subjects[0], object) < object->seed_count)
        status = sgm_run_clicks_until_agreed(&run, object, agrees);
    sgm_run_clear(&run);
    return status;
}

/* Numbers of foreground seeds to begin with; how many. */
static size_t choose_starts(const sgm_object *object, size_t starts[MOST_STARTS])
{
    size_t all = 0, seen = 0, count = 0;
    for (size_t i = 0; i < object->seed_count; i++)
        all += (size_t)is_foreground(&object->seeds[i]);
    size_t wanted = all < MOST_STARTS ? all : MOST_STARTS;
    for (size_t i = 0; i < object->seed_count && count < wanted; i++)
        if (is_foreground(&object->seeds[i]) && seen++ == count * all / wanted) starts[count++] = i;
    return count;
}

/* Twice the distance in slices, whole numbers: rounding decides nothing. */
static int64_t from_middle(const sgm_plane *plane, const sgm_object *object, size_t start)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (size_t i = 0; i < object->seed_count; i++) {
        int64_t slice = sgm_plane_slice_of(plane, object->seeds[i].index[plane->axis]);
        if (!is_foreground(&object->seeds[i])) continue;
        if (slice < low) low = slice;
        if (slice > high) high = slice;
    }
    return llabs(2 * sgm_plane_slice_of(plane, object->seeds[start].index[plane->axis]) - low -
                 high);
}

/* The best of walks that have run, as a number of `starts`. */
static size_t best_start(const sgm_run *run, const sgm_object *object, const size_t *starts)
{
    size_t best = 0, most = 0;
    for (size_t n = 0; n < run->subject_count; n++) {
        size_t agreeing = count_agreeing(run->stack, &run->subjects[n], object);
        int64_t distance = from_middle(&run->stack->plane, object, starts[n]);
        int is_nearer =
            best > 0 && distance < from_middle(&run->stack->plane, object, starts[best]);
        if (agreeing < most || (agreeing == most && n && !is_nearer)) continue;
        most = agreeing;
        best = n;
    }
    return best;
}

/* Which seed the list begins with. All walks go side by side, so that slices are encoded once. */
static sgm_status find_start(sgm_desk *desk, sgm_stack *stack, const sgm_object *object,
                             size_t *start)
{
    size_t starts[MOST_STARTS], count = choose_starts(object, starts);
    sgm_object alone[MOST_STARTS];
    sgm_initial none[MOST_STARTS] = {0};
    sgm_run run = {0};
    for (size_t n = 0; n < count; n++) {
        alone[n] = *object;
        alone[n].seeds = object->seeds + starts[n];
        alone[n].seed_count = 1;
    }
    sgm_status status = run_aside(desk, stack, alone, none, count, &run);
    if (status == SGM_OK) *start = starts[best_start(&run, object, starts)];
    sgm_run_clear(&run);
    return status;
}

/* The list with `start` before all others. */
static sgm_status reorder(sgm_subject *subject, size_t start)
{
    const sgm_object *object = subject->given;
    sgm_seed *seeds = malloc(object->seed_count * sizeof *seeds);
    if (!seeds) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu points", object->seed_count);
    seeds[0] = object->seeds[start];
    memcpy(seeds + 1, object->seeds, start * sizeof *seeds);
    memcpy(seeds + start + 1, object->seeds + start + 1,
           (object->seed_count - start - 1) * sizeof *seeds);
    subject->chosen = *object;
    subject->chosen.seeds = subject->seeds = seeds;
    subject->given = &subject->chosen;
    subject->first = subject->chosen;
    subject->first.seed_count = 1;
    return SGM_OK;
}

sgm_status sgm_points_together(sgm_desk *desk, sgm_stack *stack, sgm_subject *subject)
{
    const sgm_object *object = subject->given;
    size_t first = subject->first.seed_count, start = 0;
    int agrees;
    if (!first || first == object->seed_count || desk->rules.stays ||
        !is_foreground(&object->seeds[first - 1]))
        return SGM_OK;
    SGM_TRY(has_agreement(desk, stack, subject, &agrees));
    if (!agrees) return SGM_OK;
    SGM_TRY(find_start(desk, stack, object, &start));
    return start + 1 == first ? SGM_OK : reorder(subject, start);
}
