/* From steps to answers, by memory where it serves. */
#include "predict/volume/run.h"

#include "core/call.h"
#include "core/status.h"

#include <stdlib.h>

size_t sgm_desk_low_res_count(const sgm_desk *desk)
{
    return (size_t)desk->predictor->low_res_shape[0] * (size_t)desk->predictor->low_res_shape[1];
}

static sgm_status grow_points(sgm_point **points, size_t wanted)
{
    sgm_point *grown = realloc(*points, wanted * sizeof *grown);
    if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu points", wanted);
    *points = grown;
    return SGM_OK;
}

sgm_status sgm_desk_make_room(sgm_desk *desk, const sgm_object *object)
{
    size_t wanted = object->seed_count + SGM_WALK_POINTS;
    if (wanted <= desk->point_room) return SGM_OK;
    SGM_TRY(grow_points(&desk->points, wanted));
    SGM_TRY(grow_points(&desk->asked_points, wanted));
    desk->point_room = wanted;
    return SGM_OK;
}

void sgm_step_prompted(const sgm_stack *stack, const sgm_subject *subject, int64_t slice,
                       sgm_point *points, sgm_volume_step *step)
{
    *step = (sgm_volume_step){.kind = SGM_STEP_PROMPTED,
                              .axis = stack->plane.axis,
                              .slice = slice,
                              .own = {.points = points}};
    sgm_slice_prompt_of(&stack->plane, subject->object, slice, &step->own);
    step->rois_are_deep = step->own.has_roi && subject->roi_last > subject->roi_first;
    step->has_rois = subject->object->roi_count > 0;
    step->by_mask = subject->by_mask;
    if (subject->initial) step->initial = sgm_initial_on(subject->initial, slice);
    if (step->initial && subject->keeps_initial) step->kind = SGM_STEP_KEPT;
}

static sgm_status compute(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                          sgm_answer *answer)
{
    *answer = (sgm_answer){0};
    sgm_stack_show(stack, step->slice);
    switch (step->kind) {
    case SGM_STEP_PROMPTED:
        return sgm_answer_prompted(desk, stack, step, answer);
    case SGM_STEP_ALONE:
        return sgm_answer_alone(desk, stack, step, answer);
    case SGM_STEP_MEETING:
        return sgm_answer_meeting(desk, stack, step, answer);
    case SGM_STEP_KEPT:
        return sgm_answer_kept(desk, stack, step, answer);
    case SGM_STEP_CLICKED:
        return sgm_answer_clicked(desk, stack, step, answer);
    case SGM_STEP_FOLLOWED:
        return sgm_answer_followed(desk, stack, step, answer);
    case SGM_STEP_ENDED:
        return sgm_answer_ended(desk, stack, step, answer);
    case SGM_STEP_CLASS: /* no walk goes on from one, so that none is asked for again */
        break;
    }
    return sgm_fail(SGM_INTERNAL, "no step of kind %d", (int)step->kind);
}

/* The n-th answer whose logits a step is asked with; NULL: none. */
static const sgm_answer *asked_with(const sgm_volume_step *step, int n)
{
    return n == 0 || step->kind == SGM_STEP_MEETING ? step->from[n] : NULL;
}

/* Walks back from an answer without logits to the last one that can be computed again. */
static const sgm_answer *first_without(const sgm_answer *answer, sgm_volume_step *step)
{
    for (;;) {
        const sgm_answer *lost = NULL;
        sgm_answers_step(answer, step);
        for (int n = 0; n < 2 && !lost; n++)
            if (asked_with(step, n) && !asked_with(step, n)->logits) lost = asked_with(step, n);
        if (!lost) return answer;
        answer = lost;
    }
}

/* Logits that were given up are computed again from the steps they answered: the same ones. */
static sgm_status restore_logits(sgm_desk *desk, sgm_stack *stack, const sgm_answer *answer)
{
    while (!answer->logits) {
        sgm_volume_step step;
        sgm_answer again;
        const sgm_answer *lost = first_without(answer, &step);
        sgm_status status = compute(desk, stack, &step, &again);
        if (status == SGM_OK && again.logits)
            sgm_answers_set_logits(&desk->answers, lost, again.logits);
        else
            free(again.logits);
        sgm_packed_mask_clear(&again.mask);
        SGM_TRY(status);
        if (!lost->logits) return sgm_fail(SGM_INTERNAL, "a slice answered differently again");
    }
    return SGM_OK;
}

static sgm_status compute_new(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                              const sgm_answer **out)
{
    sgm_answer answer;
    for (int i = 0; i < 2; i++)
        if (asked_with(step, i)) SGM_TRY(restore_logits(desk, stack, asked_with(step, i)));
    sgm_status status = compute(desk, stack, step, &answer);
    if (status == SGM_OK) return sgm_answers_add(&desk->answers, step, &answer, out);
    sgm_packed_mask_clear(&answer.mask);
    free(answer.logits);
    return status;
}

sgm_status sgm_desk_ask(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                        const sgm_answer **out)
{
    SGM_TRY(sgm_call_cancelled());
    *out = sgm_answers_find(&desk->answers, step);
    if (*out) {
        desk->reused++;
        return SGM_OK;
    }
    SGM_TRY(compute_new(desk, stack, step, out));
    sgm_answers_pin(*out, 1); /* a walk goes on from it now */
    sgm_answers_trim(&desk->answers);
    sgm_answers_pin(*out, -1);
    return SGM_OK;
}
