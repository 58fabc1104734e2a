/* Walks: fronts that leave prompted slices, meet, stop, and give each other the rest. What a slice
 * answers is computed elsewhere (propagate.c). */
#include "predict/volume/run.h"

#include "core/status.h"

#include <stdlib.h>

/* A walk goes on from its last answer, whose logits must stay for that long. */
static void hold_logits(sgm_front *front, const sgm_answer *answer)
{
    if (front->answer) sgm_answers_pin(front->answer, -1);
    if (answer) sgm_answers_pin(answer, 1);
    front->answer = answer;
}

static void end_front(sgm_front *front, sgm_stop reason)
{
    hold_logits(front, NULL);
    front->state = SGM_FRONT_ENDED;
    front->stop = reason;
}

static int has_more(const sgm_front *front)
{
    return front->direction * (front->limit - front->at) > 0;
}

/* The front found nothing more: its opposite may have the rest. */
static void stop_front(sgm_run *run, sgm_front *front, sgm_stop reason)
{
    sgm_front *opposite = front->opposite < 0 ? NULL : &run->fronts[front->opposite];
    end_front(front, reason);
    if (!opposite || opposite->state == SGM_FRONT_ENDED) return;
    int direction = opposite->direction;
    int64_t rest = front->at - direction; /* `at` itself is taken */
    opposite->opposite = -1;
    opposite->limit = direction * (rest - opposite->reach) < 0 ? rest : opposite->reach;
    if (opposite->state != SGM_FRONT_WAITING) return;
    opposite->state = SGM_FRONT_RUNNING;
    if (!has_more(opposite)) end_front(opposite, SGM_STOP_MET);
}

/* A front has come to its limit. Of two that wait for each other with one slice between them, the
 * upward one takes it for both. */
static void arrive(sgm_run *run, sgm_front *front)
{
    sgm_front *opposite = front->opposite < 0 ? NULL : &run->fronts[front->opposite];
    if (!opposite) {
        int is_end = front->is_outer || front->limit == front->reach;
        end_front(front, is_end ? SGM_STOP_LIMIT : SGM_STOP_MET);
        return;
    }
    front->state = SGM_FRONT_WAITING;
    if (opposite->state != SGM_FRONT_WAITING) return;
    sgm_front *up = front->direction > 0 ? front : opposite;
    sgm_front *down = up == front ? opposite : front;
    if (up->at + 2 == down->at && up->reach > up->at && down->reach < down->at) {
        up->state = SGM_FRONT_MEETING;
        return;
    }
    sgm_stop reason = up->at + 1 == down->at ? SGM_STOP_MET : SGM_STOP_LIMIT;
    end_front(up, reason);
    end_front(down, reason);
}

static void go_on(sgm_run *run, sgm_front *front, const sgm_answer *answer, int64_t at)
{
    hold_logits(front, answer);
    front->at = at;
    front->state = SGM_FRONT_RUNNING;
    if (!has_more(front)) arrive(run, front);
}

/* ------------------------------------------------------------------------------------- taking */

sgm_status sgm_subject_take(sgm_run *run, size_t subject, int64_t slice, const sgm_answer *answer,
                            int prompted)
{
    sgm_subject *s = &run->subjects[subject];
    for (size_t i = 0; i < s->taken_count; i++) {
        if (s->taken[i].slice != slice) continue;
        sgm_answers_release(&run->desk->answers, s->taken[i].answer);
        s->taken[i] = (sgm_taken){slice, answer, prompted || s->taken[i].prompted};
        return SGM_OK;
    }
    if (s->taken_count == s->taken_room) {
        size_t room = s->taken_room ? 2 * s->taken_room : 16;
        sgm_taken *grown = realloc(s->taken, room * sizeof *grown);
        if (!grown) {
            sgm_answers_release(&run->desk->answers, answer);
            return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for slices");
        }
        s->taken = grown;
        s->taken_room = room;
    }
    s->taken[s->taken_count++] = (sgm_taken){slice, answer, prompted};
    return SGM_OK;
}

static void start_front(sgm_run *run, ptrdiff_t number, const sgm_answer *answer)
{
    if (number < 0) return;
    sgm_front *front = &run->fronts[number];
    front->start = answer;
    if (answer->mask.voxels)
        go_on(run, front, answer, front->at);
    else
        stop_front(run, front, SGM_STOP_EMPTY);
}

sgm_status sgm_run_task(sgm_run *run, sgm_task *task)
{
    sgm_volume_step step;
    const sgm_answer *answer;
    task->done = 1;
    sgm_step_prompted(run->stack, &run->subjects[task->subject], task->slice, run->desk->points,
                      &step);
    SGM_TRY(sgm_desk_ask(run->desk, run->stack, &step, &answer));
    SGM_TRY(sgm_subject_take(run, task->subject, task->slice, answer, 1));
    start_front(run, task->up, answer);
    start_front(run, task->down, answer);
    return SGM_OK;
}

/* -------------------------------------------------------------------------------------- steps */

/* The step from a front, or from two that meet (`down` NULL: from one), to a slice. */
static void step_from(const sgm_run *run, const sgm_front *up, const sgm_front *down, int64_t slice,
                      sgm_volume_step *step)
{
    const sgm_subject *subject = &run->subjects[up->subject];
    sgm_step_prompted(run->stack, subject, slice, run->desk->points, step);
    step->kind = down ? SGM_STEP_MEETING : SGM_STEP_ALONE;
    step->initial = NULL;
    step->has_rois = subject->object->roi_count > 0;
    step->is_outer = up->is_outer;
    step->from[0] = up->answer;
    step->start[0] = up->start;
    if (!down) return;
    step->from[1] = down->answer;
    step->start[1] = down->start;
}

static sgm_status step_alone(sgm_run *run, sgm_front *front)
{
    sgm_volume_step step;
    const sgm_answer *answer;
    int64_t next = front->at + front->direction;
    step_from(run, front, NULL, next, &step);
    SGM_TRY(sgm_desk_ask(run->desk, run->stack, &step, &answer));
    if (answer->stop == SGM_STOP_NONE) {
        SGM_TRY(sgm_subject_take(run, front->subject, next, answer, 0));
        go_on(run, front, answer, next);
        return SGM_OK;
    }
    stop_front(run, front, answer->stop);
    sgm_answers_release(&run->desk->answers, answer);
    return SGM_OK;
}

/* Masks that share nothing are branches: the one that walks towards the patient's left, posterior
 * or superior goes on alone. It comes first in any case, however the slices are stored. */
static sgm_status step_meeting(sgm_run *run, sgm_front *up, sgm_front *down)
{
    sgm_volume_step step;
    const sgm_answer *answer;
    if (run->stack->plane.flip_slices) {
        sgm_front *first = down;
        down = up;
        up = first;
    }
    int64_t slice = up->at + up->direction;
    step_from(run, up, down, slice, &step);
    SGM_TRY(sgm_desk_ask(run->desk, run->stack, &step, &answer));
    if (answer->has_parted) {
        sgm_answers_release(&run->desk->answers, answer);
        up->opposite = -1;
        up->limit = slice;
        end_front(down, SGM_STOP_MET);
        return step_alone(run, up);
    }
    end_front(up, SGM_STOP_MET);
    end_front(down, SGM_STOP_MET);
    if (answer->stop == SGM_STOP_NONE) return sgm_subject_take(run, up->subject, slice, answer, 0);
    sgm_answers_release(&run->desk->answers, answer);
    return SGM_OK;
}

sgm_status sgm_front_step(sgm_run *run, sgm_front *front)
{
    if (front->state == SGM_FRONT_MEETING)
        return step_meeting(run, front, &run->fronts[front->opposite]);
    return step_alone(run, front);
}
