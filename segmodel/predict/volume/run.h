/* A volume on its way to masks: tasks and fronts, and the order they are worked off in.
 *
 * A task is a slice decoded from an object's own prompts. From it, fronts walk outwards, slice by
 * slice. Any task, and any front's next slice, can be done as soon as its predecessor is; the
 * scheduler picks them so that what needs the same slice is done together. */
#ifndef SEGMODEL_PREDICT_VOLUME_RUN_H
#define SEGMODEL_PREDICT_VOLUME_RUN_H

#include "predict/look/look.h"
#include "predict/picture/plane.h"
#include "predict/picture/slice.h"
#include "predict/volume/prompts.h"
#include "predict/volume/stop.h"

typedef struct sgm_target {
    const sgm_object *object;
    uint8_t *mask;       /* of the volume's size */
    sgm_stop stopped[2]; /* the outermost walks, down and up */
    sgm_slice_report *reports;
    size_t report_count, report_room;
} sgm_target;

typedef struct sgm_task {
    size_t target;
    int64_t slice;
    ptrdiff_t up, down; /* fronts that start here, or -1 */
    int done;
} sgm_task;

typedef enum sgm_front_state {
    SGM_FRONT_IDLE,    /* its task is not done */
    SGM_FRONT_RUNNING, /* may take the next slice */
    SGM_FRONT_WAITING, /* has come as far as it may without its opposite */
    SGM_FRONT_MEETING, /* takes the slice in the middle together with its opposite */
    SGM_FRONT_ENDED
} sgm_front_state;

typedef struct sgm_front {
    size_t target;
    int direction;      /* 1 or -1 */
    int is_outer;       /* no prompted slice lies ahead */
    int64_t at;         /* the last slice taken */
    int64_t limit;      /* the last slice it may take by itself */
    int64_t reach;      /* the last slice it may ever take: max_slices, ROI, volume */
    ptrdiff_t opposite; /* the front that comes towards this one, or -1 */
    sgm_front_state state;
    float quality;     /* predicted IoU of the prompted slice */
    sgm_shades first;  /* of the prompted slice */
    sgm_shades shades; /* of the last look */
    sgm_view view;     /* of the last look */
    int8_t *logits;    /* of the last look, packed; NULL before the first and after the last */
} sgm_front;

typedef struct sgm_run {
    const sgm_predictor *predictor;
    const sgm_volume *volume;
    const sgm_volume_options *options;
    sgm_plane plane;
    sgm_slicer slicer;
    sgm_embedder embedder;
    sgm_looker looker;
    sgm_image picture; /* of slice `loaded` */
    uint8_t *pixels;
    int64_t loaded;  /* -1: none */
    sgm_image ahead; /* picture of a slice that is encoded ahead */
    uint8_t *ahead_pixels;
    const sgm_front *at_front;            /* what is being worked on: a front, */
    const sgm_task *at_task;              /* or a task */
    uint8_t *neighbour, *other_neighbour; /* masks of the picture's size */
    float *logits, *other_logits;
    sgm_point *points; /* room for any object's seeds and SGM_INNER_POINTS */
    sgm_target *targets;
    size_t target_count;
    sgm_task *tasks; /* by slice */
    size_t task_count;
    sgm_front *fronts;
    size_t front_count;
    int64_t decoded;
    double progress;
} sgm_run;

#define SGM_INNER_POINTS 3

/* ------------------------------------------------------------------------------ volume_plan.c */

/* Everything there is to do. Volume, objects and options are checked and borrowed. */
sgm_status sgm_run_init(sgm_run *run, const sgm_predictor *predictor, int zoom,
                        const sgm_volume *volume, const sgm_object *objects, size_t count,
                        const sgm_volume_options *options, double low, double high);
void sgm_run_clear(sgm_run *run);

/* ---------------------------------------------------------------------------- volume_decode.c */

/* Brings a slice's picture up. */
void sgm_run_show(sgm_run *run, int64_t slice);
/* Decodes a task's slice and starts its fronts. */
sgm_status sgm_run_task(sgm_run *run, sgm_task *task);
/* Stores a look as the target's mask of the slice that is shown; returns its voxels in *voxels.
 * `prompted` as in sgm_slice_report. */
sgm_status sgm_run_take(sgm_run *run, sgm_target *target, const sgm_look *look, int prompted,
                        int64_t *voxels);
size_t sgm_run_low_res_count(const sgm_run *run);

/* ------------------------------------------------------------------------- volume_propagate.c */

/* Lets a front go from the look that was just taken at slice `at`. */
sgm_status sgm_front_go_on(sgm_run *run, sgm_front *front, const sgm_look *look, int64_t at);
/* The front found nothing more: its opposite may have the rest. */
void sgm_front_stop(sgm_run *run, sgm_front *front, sgm_stop reason);
/* Takes the next slice of a running or meeting front, or ends it. */
sgm_status sgm_front_step(sgm_run *run, sgm_front *front);

/* -------------------------------------------------------------------------- volume_schedule.c */

/* Works everything off. */
sgm_status sgm_run_all(sgm_run *run);

/* ----------------------------------------------------------------------------- volume_ahead.c */

/* Tells the embedder which slices come next, where it encodes in batches. */
sgm_status sgm_run_encode_ahead(sgm_run *run);

#endif
