/* A run: objects on their way to masks, as subjects, tasks and fronts, and the order they are
 * worked off in.
 *
 * A task is a slice decoded from an object's own prompts. From it, fronts walk outwards, slice by
 * slice. Any task, and any front's next slice, can be done as soon as its predecessor is; the
 * scheduler picks them so that what needs the same slice is done together. What is asked of a slice
 * is a step (step.h); what was asked before is not computed again. */
#ifndef SEGMODEL_PREDICT_VOLUME_RUN_H
#define SEGMODEL_PREDICT_VOLUME_RUN_H

#include "predict/look/look.h"
#include "predict/volume/answers.h"
#include "predict/volume/initial.h"
#include "predict/volume/stack.h"

/* What the user wishes of walks and of what becomes of their masks. */
typedef struct sgm_walk_rules {
    int stays;      /* prompted slices only */
    int max_slices; /* per direction from a prompted slice; 0: no limit */
    int keep_largest, fill_holes;
    int is_timed; /* slices are moments, not places */
} sgm_walk_rules;

/* What answers are made with: one per live volume. */
typedef struct sgm_desk {
    const sgm_predictor *predictor;
    sgm_volume volume; /* data borrowed; hounsfield is ON or OFF once the window is known */
    sgm_walk_rules rules;
    sgm_embedder embedder;
    sgm_looker looker;
    sgm_answers answers;
    float *logits, *other_logits;
    sgm_point *points;       /* room for a slice's own points; steps borrow it */
    sgm_point *asked_points; /* of the question at hand: room for these and SGM_WALK_POINTS. Never
                                the same: answers that a step goes on from may be computed again
                                between its making and its asking */
    size_t point_room;       /* of either */
    int64_t reused;          /* answers that were known */
} sgm_desk;

/* A slice that belongs to an object. The answer is held. */
typedef struct sgm_taken {
    int64_t slice;
    const sgm_answer *answer;
    int prompted; /* as in sgm_slice_report */
} sgm_taken;

typedef struct sgm_boxed sgm_boxed;

/* An object being segmented. */
typedef struct sgm_subject {
    const sgm_object *given;
    sgm_object first;  /* those of its prompts that the walks begin with */
    sgm_object chosen; /* `given`, where its points were set together: their best one first; or
                          where some lie on slices that no ROI crosses: without them, */
    sgm_seed *seeds;   /* in a copy of their own */
    const sgm_object
        *object; /* the prompts to go by now: `first`, or more while clicks are taken */
    const sgm_initial *initial;  /* NULL: none */
    int keeps_initial;           /* 1: as it is, 0: as a prompt */
    int by_mask;                 /* walks ask by the neighbour's mask alone */
    int64_t roi_first, roi_last; /* slices that its ROIs cross; last < first: none */
    sgm_boxed *boxed;            /* what they gave alone, where points correct it; or NULL */
    sgm_taken *taken;
    size_t taken_count, taken_room;
} sgm_subject;

typedef struct sgm_task {
    size_t subject;
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
    size_t subject;
    int direction;      /* 1 or -1 */
    int is_outer;       /* no prompted slice lies ahead */
    int64_t from, at;   /* the prompted slice, and the last slice taken */
    int64_t limit;      /* the last slice it may take by itself */
    int64_t reach;      /* the last slice it may ever take: max_slices, ROI, volume */
    ptrdiff_t opposite; /* the front that comes towards this one, or -1 */
    sgm_front_state state;
    sgm_stop stop;            /* why it ended */
    const sgm_answer *start;  /* of the prompted slice; held until the run ends */
    const sgm_answer *answer; /* of slice `at` while it goes on; held likewise, and pinned */
} sgm_front;

typedef struct sgm_run {
    sgm_desk *desk;
    sgm_stack *stack;
    const sgm_front *at_front; /* what is being worked on: a front, */
    const sgm_task *at_task;   /* or a task */
    sgm_subject *subjects;
    size_t subject_count;
    sgm_task *tasks; /* by slice */
    size_t task_count;
    sgm_front *fronts; /* by subject, then as in sgm_walk_report */
    size_t front_count;
    int is_aside; /* a trial before another run: its slices are told and do not count */
    int64_t done; /* slices */
    double progress;
} sgm_run;

/* An object's box without its points. */
struct sgm_boxed {
    sgm_object object;
    sgm_run run;
};

/* ------------------------------------------------------------------------------------- plan.c */

/* Everything there is to do for `count` objects. All is borrowed; initials[i] may be empty. */
sgm_status sgm_run_init(sgm_run *run, sgm_desk *desk, sgm_stack *stack, const sgm_object *objects,
                        const sgm_initial *initials, size_t count);
void sgm_run_clear(sgm_run *run);
/* Sorts an object's prompts into the first ones and clicks, and makes room for them in
 * desk->points. The subject must stay where it is. */
sgm_status sgm_subject_init(sgm_subject *subject, sgm_desk *desk, sgm_stack *stack,
                            const sgm_object *object, const sgm_initial *initial);
void sgm_subject_clear(sgm_subject *subject, sgm_desk *desk);

/* ------------------------------------------------------------------------------------ boxed.c */

/* *lead: 1: the object's points say what is meant in its box, 0: there are none, or they correct
 * what the box gives. *boxed: in the latter case what it gave, to be kept as long as the object's
 * own run, which asks the same first; else NULL. */
sgm_status sgm_points_lead(sgm_desk *desk, sgm_stack *stack, const sgm_object *object, int *lead,
                           sgm_boxed **boxed);
void sgm_boxed_clear(sgm_boxed *boxed); /* NULL: nothing */

/* --------------------------------------------------------------------------------- together.c */

/* Where the object's points were not set one after the other, lets its walk begin with the best of
 * them. Of a subject without ROI and initial mask that walks by masks. */
sgm_status sgm_points_together(sgm_desk *desk, sgm_stack *stack, sgm_subject *subject);

/* --------------------------------------------------------------------------------- schedule.c */

/* Works everything off. */
sgm_status sgm_run_all(sgm_run *run);

/* ------------------------------------------------------------------------------------ ahead.c */

/* Tells the embedder which slices come next, where it encodes in batches; until the run ends. */
void sgm_run_encode_ahead(sgm_run *run);

/* ------------------------------------------------------------------------------------ front.c */

/* Asks for a task's slice and starts its fronts. */
sgm_status sgm_run_task(sgm_run *run, sgm_task *task);
/* Takes the next slice of a running or meeting front, or ends it. */
sgm_status sgm_front_step(sgm_run *run, sgm_front *front);

/* -------------------------------------------------------------------------------------- ask.c */

/* What is asked of a slice that the object's own prompts lie on. `points` has room for all of the
 * object's seeds; the step borrows them and the subject. */
void sgm_step_prompted(const sgm_stack *stack, const sgm_subject *subject, int64_t slice,
                       sgm_point *points, sgm_volume_step *step);
/* The kept answer to a step, or a new one; held for the caller. */
sgm_status sgm_desk_ask(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                        const sgm_answer **out);
/* Room in the desk's points for the object's seeds and SGM_WALK_POINTS. */
sgm_status sgm_desk_make_room(sgm_desk *desk, const sgm_object *object);
size_t sgm_desk_low_res_count(const sgm_desk *desk);

/* Whether the seed's voxel is in the mask taken on its slice. */
int sgm_subject_holds(sgm_stack *stack, const sgm_subject *subject, const sgm_seed *seed);

/* Puts an answer in the slice's place; takes over the hold on it. */
sgm_status sgm_subject_take(sgm_run *run, size_t subject, int64_t slice, const sgm_answer *answer,
                            int prompted);

/* ----------------------------------------------------------------------------------- clicks.c */

/* Takes the prompts that came after the first ones, in their order. `follow_last`: 0: the last one
 * changes its own slice only. */
sgm_status sgm_run_clicks(sgm_run *run, int follow_last);
/* Takes the prompts of `object` that come after those that the run's only subject began with, until
 * the mask agrees with one when its turn comes: *agrees is 1 then, else 0. The last one is compared
 * and not taken. */
sgm_status sgm_run_clicks_until_agreed(sgm_run *run, const sgm_object *object, int *agrees);

/* ------------------------------------------------ decode.c, propagate.c, correct.c: the answers */

/* The step's slice is shown; the answers it comes from have their logits; *answer is zeroed. */
sgm_status sgm_answer_prompted(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                               sgm_answer *answer);
sgm_status sgm_answer_alone(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                            sgm_answer *answer);
sgm_status sgm_answer_meeting(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                              sgm_answer *answer);
sgm_status sgm_answer_kept(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                           sgm_answer *answer);
sgm_status sgm_answer_clicked(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                              sgm_answer *answer);
sgm_status sgm_answer_followed(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                               sgm_answer *answer);
sgm_status sgm_answer_ended(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                            sgm_answer *answer);
/* Leans desk->logits, the question of a walk in `view`, to what looks like where the walk began;
 * alike.c. Uses desk->other_logits and stack->other_neighbour; the step's slice is shown. */
sgm_status sgm_lean_to_start(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                             sgm_view view);
/* Asks for the shown slice with a neighbour's mask, which desk->logits holds in `view`; clipped to
 * the ROI. */
sgm_status sgm_ask_by_mask(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                           sgm_view view, const sgm_box *extent, sgm_look *look);
/* Makes a look the answer. */
sgm_status sgm_answer_take(sgm_desk *desk, sgm_stack *stack, const sgm_look *look,
                           sgm_answer *answer);
/* The same with another mask (not the look's own), whose look's logits are kept where they agree
 * with it. */
sgm_status sgm_answer_take_changed(sgm_desk *desk, sgm_stack *stack, const uint8_t *mask,
                                   sgm_look *look, sgm_answer *answer);

#endif
