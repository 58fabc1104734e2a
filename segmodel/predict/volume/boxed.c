/* A box in space and points, of an object whose walks are guided by the box: what the points are.
 *
 * Nothing says which came first, and a run from nothing must give what the clicks one after the
 * other gave. But the first point tells: where the box alone has an answer without it, it corrects
 * that answer, and so do all behind it. Where the answer holds it already, nobody would have set it
 * for that; it says which of the things in the box is meant. So it does where the network does not
 * believe in the answer. */
#include "predict/volume/run.h"

#include "core/status.h"

#include <math.h>
#include <stdlib.h>

/* Mean rating below which a box's answer is not worth correcting. Those of the bundled model to
 * boxes of cases to develop by have .47 to .79, the demo's tumour, where the box is not enough, .3
 * to .4. */
static const double least_rating = 0.45;

/* Whether the network itself does not believe in what the box gave, or it gave nothing. */
static int is_doubtful(const sgm_run *run)
{
    const sgm_subject *subject = &run->subjects[0];
    double sum = 0, count = 0;
    for (size_t i = 0; i < subject->taken_count; i++) {
        if (!subject->taken[i].answer->mask.voxels) continue;
        sum += (double)subject->taken[i].answer->quality;
        count++;
    }
    return sum <= least_rating * count;
}

/* Asks for the box without any point. */
static sgm_status ask_box_alone(sgm_desk *desk, sgm_stack *stack, const sgm_object *object,
                                sgm_boxed *boxed)
{
    static const sgm_initial none;
    boxed->object = *object;
    boxed->object.seed_count = 0;
    SGM_TRY(sgm_run_init(&boxed->run, desk, stack, &boxed->object, &none, 1));
    boxed->run.is_aside = 1;
    return sgm_run_all(&boxed->run);
}

sgm_status sgm_points_lead(sgm_desk *desk, sgm_stack *stack, const sgm_object *object, int *lead,
                           sgm_boxed **boxed)
{
    *boxed = NULL;
    *lead = object->seed_count && object->seeds[0].label != SGM_BACKGROUND;
    if (!*lead || desk->rules.stays) return SGM_OK;
    sgm_boxed *alone = calloc(1, sizeof *alone);
    if (!alone) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a box's answer");
    sgm_status status = ask_box_alone(desk, stack, object, alone);
    if (status == SGM_OK)
        *lead = is_doubtful(&alone->run) ||
                sgm_subject_holds(stack, &alone->run.subjects[0], &object->seeds[0]);
    if (status == SGM_OK && !*lead)
        *boxed = alone;
    else
        sgm_boxed_clear(alone);
    return status;
}

void sgm_boxed_clear(sgm_boxed *boxed)
{
    if (!boxed) return;
    if (boxed->run.desk) sgm_run_clear(&boxed->run);
    free(boxed);
}
