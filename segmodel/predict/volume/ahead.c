/* Which slices come after the one at hand, for devices that encode pictures in batches. */
#include "predict/volume/run.h"

static int starts_fronts(const sgm_task *task)
{
    return task->up >= 0 || task->down >= 0;
}

/* Prompted slices are decoded whatever their neighbours give, though a zoom may look at another
 * part of them. Tasks that start fronts come before fronts, the others after them: each kind
 * announces its own. */
static int slice_of_tasks(const sgm_run *run, int n, int64_t *slice)
{
    int64_t last = run->stack->shown;
    for (size_t i = 0; i < run->task_count; i++) {
        const sgm_task *task = &run->tasks[i]; /* ascending slices */
        if (task->done || task->slice == last || task->slice == run->stack->shown ||
            starts_fronts(task) != starts_fronts(run->at_task))
            continue;
        last = task->slice;
        if (n-- > 0) continue;
        *slice = task->slice;
        return run->desk->looker.zoom ? 1 : 2;
    }
    return 0;
}

/* A front goes on until it stops. */
static int slice_of_front(const sgm_run *run, int n, int64_t *slice)
{
    const sgm_front *front = run->at_front;
    *slice = run->stack->shown + front->direction * ((int64_t)n + 1);
    return front->direction * (front->limit - *slice) >= 0;
}

static int upcoming_picture(void *user, int n, int64_t *picture)
{
    const sgm_run *run = user;
    int64_t slice;
    int likely = 0;
    if (run->at_task)
        likely = slice_of_tasks(run, n, &slice);
    else if (run->at_front)
        likely = slice_of_front(run, n, &slice);
    if (likely) *picture = sgm_stack_picture(run->stack, slice);
    return likely;
}

static const sgm_image *upcoming_image(void *user, int64_t picture)
{
    sgm_run *run = user;
    return sgm_stack_look_ahead(run->stack, sgm_stack_slice(picture));
}

void sgm_run_encode_ahead(sgm_run *run)
{
    run->desk->embedder.upcoming =
        (sgm_upcoming){.user = run, .picture = upcoming_picture, .image = upcoming_image};
}
