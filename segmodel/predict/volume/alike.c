/* A walk's question leans to what looks like the object on the slice that the walk left. The
 * neighbour's mask alone passes an error on: what was lost on one slice is not looked for on the
 * next. The first slice's mask is the user's or nearest to what he asked for. */
#include "predict/look/likeness.h"
#include "predict/look/logits.h"
#include "predict/volume/run.h"

#include "core/status.h"

#include <math.h>
#include <stdlib.h>

/* Cells that the question is surer of are left as they are, so that nothing far away joins. */
static const float unsure = 4;
/* What a place must look like for the question to lean to it. A score of 0 is as like the object as
 * its surroundings; half-way to the outside walks grow (LABBOOK.md of Testing/quality/volumes). */
static const float least_score = 0.3f;

/* Makes the embedding of this part of the step's slice the network's current one, and *maps its
 * maps. */
static sgm_status show_maps(sgm_desk *desk, sgm_stack *stack, int64_t slice, sgm_view view,
                            sgm_feature_map *maps, int *count)
{
    const sgm_predictor *network = desk->predictor;
    sgm_stack_show(stack, slice);
    SGM_TRY(sgm_embedder_select(desk->looker.embedder, sgm_stack_picture(stack, slice),
                                &stack->picture, view));
    return network->maps(network->self, maps, count);
}

static sgm_status fit(sgm_desk *desk, sgm_stack *stack, const sgm_answer *answer)
{
    const sgm_predictor *network = desk->predictor;
    sgm_volume_step step;
    sgm_feature_map maps[SGM_MOST_MAPS];
    int count, fitted = 0;
    sgm_answers_step(answer, &step);
    SGM_TRY(show_maps(desk, stack, step.slice, answer->view, maps, &count));
    size_t size = (1 + sgm_likeness_count(maps, count)) * sizeof(float);
    sgm_stack_unpack(stack, &answer->mask, stack->other_neighbour);
    sgm_logits_from_mask(network, stack->other_neighbour, stack->plane.width, stack->plane.height,
                         answer->view, desk->other_logits);
    float *weights = malloc(size);
    if (!weights) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's likeness");
    sgm_logits_clear_padding(network, desk->other_logits, answer->view);
    sgm_status status = sgm_likeness_fit(maps, count, desk->other_logits, network->low_res_shape[0],
                                         network->low_res_shape[1], weights + 1, &fitted);
    weights[0] = (float)fitted;
    if (status == SGM_OK)
        sgm_answers_set_likeness(&desk->answers, answer, weights, size);
    else
        free(weights);
    return status;
}

/* Adds `strength` times what the shown maps score, -1 to 1, to cells of desk->logits. */
static sgm_status lean(sgm_desk *desk, const sgm_feature_map *maps, int count,
                       const float *likeness, float strength)
{
    const sgm_predictor *network = desk->predictor;
    float *scores = desk->other_logits;
    if (likeness[0] == 0) return SGM_OK; /* nothing is known of it */
    SGM_TRY(sgm_likeness_scores(maps, count, likeness + 1, network->low_res_shape[0],
                                network->low_res_shape[1], scores));
    for (size_t i = 0; i < sgm_desk_low_res_count(desk); i++)
        if (fabsf(desk->logits[i]) <= unsure)
            desk->logits[i] += strength * fminf(fmaxf(scores[i] - least_score, -1), 1);
    return SGM_OK;
}

sgm_status sgm_lean_to_start(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                             sgm_view view)
{
    sgm_feature_map maps[SGM_MOST_MAPS];
    int count, starts = step->start[1] ? 2 : 1;
    float strength = desk->predictor->walk_likeness / (float)starts;
    if (!(strength > 0) || !desk->predictor->maps) return SGM_OK;
    for (int n = 0; n < starts; n++)
        if (!step->start[n]->likeness) SGM_TRY(fit(desk, stack, step->start[n]));
    SGM_TRY(show_maps(desk, stack, step->slice, view, maps, &count));
    for (int n = 0; n < starts; n++)
        SGM_TRY(lean(desk, maps, count, step->start[n]->likeness, strength));
    return SGM_OK;
}
