#include "predict/volume/run.h"

#include "core/status.h"
#include "predict/picture/roi.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------- fronts */

/* Last slice that a walk from `slice` may ever take. */
static int64_t reach_of(const sgm_run *run, const sgm_object *object, int64_t slice, int direction)
{
    int64_t low = 0, high = run->plane.slices - 1;
    if (object->roi_count) {
        low = high + 1;
        high = -1;
    }
    for (size_t i = 0; i < object->roi_count; i++) {
        int64_t first, last;
        sgm_roi_slices(&object->rois[i], run->plane.axis, run->plane.slices, &first, &last);
        if (last < first) continue;
        if (first < low) low = first;
        if (last > high) high = last;
    }
    int64_t end = direction > 0 ? high : low;
    int64_t most = run->options->max_slices;
    if (most > 0 && direction * (end - slice) > most) end = slice + direction * most;
    return end;
}

static ptrdiff_t add_front(sgm_run *run, const sgm_task *task, int direction, int64_t half)
{
    sgm_front *front = &run->fronts[run->front_count];
    const sgm_object *object = run->targets[task->target].object;
    *front = (sgm_front){
        .target = task->target, .direction = direction, .at = task->slice, .opposite = -1};
    front->reach = reach_of(run, object, task->slice, direction);
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
    if (!count || run->options->no_propagation) return;
    tasks[0].down = add_front(run, &tasks[0], -1, 0);
    run->fronts[tasks[0].down].is_outer = 1;
    for (size_t i = 0; i + 1 < count; i++)
        add_pair(run, &tasks[i], &tasks[i + 1]);
    tasks[count - 1].up = add_front(run, &tasks[count - 1], 1, run->plane.slices - 1);
    run->fronts[tasks[count - 1].up].is_outer = 1;
}

/* -------------------------------------------------------------------------------------- tasks */

static sgm_status append_tasks(sgm_run *run, size_t target, const uint8_t *prompted)
{
    size_t count = 0;
    for (int64_t slice = 0; slice < run->plane.slices; slice++)
        count += prompted[slice] != 0;
    if (!count)
        return sgm_fail(SGM_BAD_PROMPT, "object \"%s\": no ROI meets the volume",
                        run->targets[target].object->name ? run->targets[target].object->name : "");
    sgm_task *tasks = realloc(run->tasks, (run->task_count + count) * sizeof *tasks);
    if (!tasks) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu prompted slices", count);
    run->tasks = tasks;
    for (int64_t slice = 0; slice < run->plane.slices; slice++)
        if (prompted[slice])
            run->tasks[run->task_count++] =
                (sgm_task){.target = target, .slice = slice, .up = -1, .down = -1};
    return SGM_OK;
}

static int compare_tasks(const void *a, const void *b)
{
    const sgm_task *x = a, *y = b;
    if (x->slice != y->slice) return x->slice < y->slice ? -1 : 1;
    return (x->target > y->target) - (x->target < y->target);
}

static sgm_status plan_tasks(sgm_run *run)
{
    size_t slices = (size_t)run->plane.slices;
    uint8_t *prompted = malloc(slices);
    if (!prompted) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu slices", slices);
    sgm_status status = SGM_OK;
    for (size_t i = 0; i < run->target_count && status == SGM_OK; i++) {
        memset(prompted, 0, slices);
        sgm_prompted_slices(&run->plane, run->volume->size, run->targets[i].object, prompted);
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
            if (run->tasks[end].target != run->tasks[start].target) break;
        add_fronts(run, run->tasks + start, end - start);
    }
    qsort(run->tasks, run->task_count, sizeof *run->tasks, compare_tasks);
    return SGM_OK;
}

/* ---------------------------------------------------------------------------------------- run */

static sgm_status make_targets(sgm_run *run, const sgm_object *objects, size_t count)
{
    const int64_t *size = run->volume->size;
    run->targets = calloc(count, sizeof *run->targets);
    if (!run->targets) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu objects", count);
    run->target_count = count;
    for (size_t i = 0; i < count; i++) {
        run->targets[i].object = &objects[i];
        run->targets[i].mask = calloc((size_t)(size[0] * size[1]), (size_t)size[2]);
        if (!run->targets[i].mask)
            return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a mask of %lld x %lld x %lld voxels",
                            (long long)size[0], (long long)size[1], (long long)size[2]);
    }
    return SGM_OK;
}

static sgm_status make_room(sgm_run *run, const sgm_object *objects, size_t count)
{
    size_t most = SGM_INNER_POINTS, low_res = sgm_run_low_res_count(run);
    size_t pixels = (size_t)run->plane.width * (size_t)run->plane.height;
    for (size_t i = 0; i < count; i++)
        if (objects[i].seed_count + SGM_INNER_POINTS > most)
            most = objects[i].seed_count + SGM_INNER_POINTS;
    run->pixels = malloc(pixels * (size_t)run->volume->channels);
    run->neighbour = malloc(pixels);
    run->other_neighbour = malloc(pixels);
    run->logits = malloc(low_res * sizeof *run->logits);
    run->other_logits = malloc(low_res * sizeof *run->other_logits);
    run->points = malloc(most * sizeof *run->points);
    run->loaded = -1;
    run->picture = (sgm_image){.data = run->pixels,
                               .width = run->plane.width,
                               .height = run->plane.height,
                               .channels = run->volume->channels};
    if (run->pixels && run->neighbour && run->other_neighbour && run->logits && run->other_logits &&
        run->points)
        return SGM_OK;
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for slices of %d x %d pixels", run->plane.width,
                    run->plane.height);
}

static sgm_status init(sgm_run *run, int zoom, const sgm_object *objects, size_t count, double low,
                       double high)
{
    const sgm_volume_options *options = run->options;
    SGM_TRY(sgm_plane_choose(run->volume, options->axis, objects, count, &run->plane));
    SGM_TRY(make_targets(run, objects, count));
    SGM_TRY(make_room(run, objects, count));
    SGM_TRY(plan_tasks(run));
    SGM_TRY(plan_fronts(run));
    SGM_TRY(sgm_slicer_init(&run->slicer, run->volume, &run->plane, low, high));
    SGM_TRY(sgm_embedder_init(&run->embedder, run->predictor, &options->store,
                              options->embedding_memory));
    SGM_TRY(sgm_looker_init(&run->looker, run->predictor, &run->embedder, zoom));
    return sgm_run_encode_ahead(run);
}

sgm_status sgm_run_init(sgm_run *run, const sgm_predictor *predictor, int zoom,
                        const sgm_volume *volume, const sgm_object *objects, size_t count,
                        const sgm_volume_options *options, double low, double high)
{
    *run = (sgm_run){.predictor = predictor, .volume = volume, .options = options};
    sgm_status status = init(run, zoom, objects, count, low, high);
    if (status != SGM_OK) sgm_run_clear(run);
    return status;
}

void sgm_run_clear(sgm_run *run)
{
    sgm_looker_clear(&run->looker);
    sgm_embedder_clear(&run->embedder);
    sgm_slicer_clear(&run->slicer);
    for (size_t i = 0; i < run->front_count; i++)
        free(run->fronts[i].logits);
    for (size_t i = 0; i < run->target_count; i++) {
        free(run->targets[i].mask);
        free(run->targets[i].reports);
    }
    free(run->fronts);
    free(run->tasks);
    free(run->targets);
    free(run->pixels);
    free(run->ahead_pixels);
    free(run->neighbour);
    free(run->other_neighbour);
    free(run->logits);
    free(run->other_logits);
    free(run->points);
    *run = (sgm_run){0};
}
