/* The order of work. Encoding a slice costs a hundred decodes, so everything that needs the slice
 * at hand comes first; then the prompted slices that fronts start from; then all upward fronts,
 * lowest first, so that those behind catch up and objects walk together; then all downward ones,
 * highest first; then prompted slices nobody passed by. When all objects are prompted on one slice,
 * every slice is encoded once; fronts that cross others' slices from the other side find them in
 * memory if these are not too many. */
#include "predict/volume/run.h"

#include "core/call.h"
#include "core/status.h"

#include <stdio.h>

static int is_ready(const sgm_front *front)
{
    return front->state == SGM_FRONT_RUNNING || front->state == SGM_FRONT_MEETING;
}

static int64_t next_slice(const sgm_front *front)
{
    return front->at + front->direction;
}

/* What a front would rather do first: smaller is better. */
static int64_t front_rank(const sgm_run *run, const sgm_front *front)
{
    int64_t slice = next_slice(front), slices = run->stack->plane.slices;
    if (slice == run->stack->shown) return -1;
    return front->direction > 0 ? slice : 2 * slices - slice;
}

static sgm_front *best_front(sgm_run *run)
{
    sgm_front *best = NULL;
    for (size_t i = 0; i < run->front_count; i++) {
        sgm_front *front = &run->fronts[i];
        if (!is_ready(front)) continue;
        if (!best || front_rank(run, front) < front_rank(run, best)) best = front;
    }
    return best;
}

static int starts_fronts(const sgm_task *task)
{
    return task->up >= 0 || task->down >= 0;
}

/* The first task on the shown slice, else the first that fronts wait for, else any. */
static sgm_task *best_task(sgm_run *run)
{
    sgm_task *first = NULL, *starting = NULL;
    for (size_t i = 0; i < run->task_count; i++) {
        sgm_task *task = &run->tasks[i];
        if (task->done) continue;
        if (task->slice == run->stack->shown) return task;
        if (!first) first = task;
        if (!starting && starts_fronts(task)) starting = task;
    }
    return starting ? starting : first;
}

static int64_t remaining(const sgm_run *run)
{
    int64_t count = 0;
    for (size_t i = 0; i < run->task_count; i++)
        count += !run->tasks[i].done;
    for (size_t i = 0; i < run->front_count; i++) {
        const sgm_front *front = &run->fronts[i];
        if (front->state == SGM_FRONT_ENDED || front->state == SGM_FRONT_WAITING) continue;
        int64_t left = front->direction * (front->limit - front->at);
        count += left > 0 ? left : front->state == SGM_FRONT_MEETING;
    }
    return count;
}

static void count_progress(sgm_run *run)
{
    run->done++;
    double fraction = (double)run->done / (double)(run->done + remaining(run));
    if (fraction > run->progress) run->progress = fraction;
}

static void report_progress(sgm_run *run, size_t subject, int64_t slice)
{
    char message[128];
    const char *name = run->subjects[subject].object->name;
    if (!run->is_aside) count_progress(run);
    snprintf(message, sizeof message, "%.80s%s%sslice %lld", name ? name : "", name ? ", " : "",
             run->is_aside ? "trying " : "", (long long)slice);
    sgm_call_progress(run->progress, message);
}

static int prefers_task(const sgm_run *run, const sgm_task *task, const sgm_front *front)
{
    if (!task || !front) return task != NULL;
    if (task->slice == run->stack->shown) return 1;
    return next_slice(front) != run->stack->shown && starts_fronts(task);
}

sgm_status sgm_run_all(sgm_run *run)
{
    for (;;) {
        sgm_task *task = best_task(run);
        sgm_front *front = best_front(run);
        if (!task && !front) return SGM_OK;
        int is_task = prefers_task(run, task, front);
        run->at_task = is_task ? task : NULL;
        run->at_front = is_task ? NULL : front;
        size_t subject = is_task ? task->subject : front->subject;
        int64_t slice = is_task ? task->slice : next_slice(front);
        SGM_TRY(is_task ? sgm_run_task(run, task) : sgm_front_step(run, front));
        report_progress(run, subject, slice);
    }
}
