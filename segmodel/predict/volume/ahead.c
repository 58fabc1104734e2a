/* Which slices come after the one at hand, for devices that encode pictures in batches. */
#include "predict/volume/run.h"

#include "core/status.h"

#include <stdlib.h>

static int starts_fronts(const sgm_task *task)
{
    return task->up >= 0 || task->down >= 0;
}

/* Prompted slices are decoded whatever their neighbours give, though a zoom may look at another
 * part of them. Tasks that start fronts come before fronts, the others after them: each kind
 * announces its own. */
static int slice_of_tasks(const sgm_run *run, int n, int64_t *slice)
{
    int64_t last = run->loaded;
    for (size_t i = 0; i < run->task_count; i++) {
        const sgm_task *task = &run->tasks[i]; /* ascending slices */
        if (task->done || task->slice == last || task->slice == run->loaded ||
            starts_fronts(task) != starts_fronts(run->at_task))
            continue;
        last = task->slice;
        if (n-- > 0) continue;
        *slice = task->slice;
        return run->looker.zoom ? 1 : 2;
    }
    return 0;
}

/* A front goes on until it stops. */
static int slice_of_front(const sgm_run *run, int n, int64_t *slice)
{
    const sgm_front *front = run->at_front;
    *slice = run->loaded + front->direction * ((int64_t)n + 1);
    return front->direction * (front->limit - *slice) >= 0;
}

static int upcoming_picture(void *user, int n, int64_t *picture)
{
    const sgm_run *run = user;
    if (run->at_task) return slice_of_tasks(run, n, picture);
    return run->at_front ? slice_of_front(run, n, picture) : 0;
}

static const sgm_image *upcoming_image(void *user, int64_t picture)
{
    sgm_run *run = user;
    sgm_slicer_extract(&run->slicer, picture, run->ahead_pixels);
    return &run->ahead;
}

sgm_status sgm_run_encode_ahead(sgm_run *run)
{
    if (run->predictor->batch <= 1) return SGM_OK;
    run->ahead_pixels = malloc((size_t)run->plane.width * (size_t)run->plane.height *
                               (size_t)run->volume->channels);
    if (!run->ahead_pixels) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a slice");
    run->ahead = run->picture;
    run->ahead.data = run->ahead_pixels;
    run->embedder.upcoming =
        (sgm_upcoming){.user = run, .picture = upcoming_picture, .image = upcoming_image};
    return SGM_OK;
}
