#include "train/interact.h"

#include <stdlib.h>
#include <string.h>

enum { TOKENS = SGM_ROUND_TOKENS };

sgm_status sgm_interaction_create(const sgm_train_graph *graph, sgm_interaction *out)
{
    size_t side = (size_t)graph->target->shape.dim[1], cells = side * side;
    out->side = (int)side;
    out->low_res = malloc((size_t)sgm_shape_count(graph->low_res[1]->shape) * sizeof(float));
    out->bytes = malloc(4 * cells);
    out->ints = malloc(cells * sizeof(int32_t));
    if (out->low_res && out->bytes && out->ints) return SGM_OK;
    sgm_interaction_clear(out);
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to simulate interaction");
}

void sgm_interaction_clear(sgm_interaction *interaction)
{
    free(interaction->low_res);
    free(interaction->bytes);
    free(interaction->ints);
    memset(interaction, 0, sizeof *interaction);
}

/* Takes the first padding token, else the last point. */
static void put_correction(float *coords, int32_t *labels, int side, int x, int y, int label)
{
    int at = -1;
    for (int i = 0; i < TOKENS && at < 0; i++)
        if (labels[i] == SGM_TOKEN_PADDING) at = i;
    for (int i = 0; i < TOKENS && at < 0; i++)
        if (labels[TOKENS - 1 - i] <= SGM_TOKEN_FOREGROUND) at = TOKENS - 1 - i;
    if (at < 0) return;
    coords[2 * at] = 2 * ((float)x + 0.5f) / (float)side - 1;
    coords[2 * at + 1] = 2 * ((float)y + 0.5f) / (float)side - 1;
    labels[at] = label == SGM_FOREGROUND ? SGM_TOKEN_FOREGROUND : SGM_TOKEN_BACKGROUND;
}

static void rewrite(const sgm_interaction *w, const float *logits, const float *target, int sample,
                    sgm_rng *rng, sgm_batch *batch)
{
    int cells = w->side * w->side, from = sample, to = batch->count + sample;
    uint8_t *mask = w->bytes, *guess = w->bytes + cells;
    sgm_sim_scratch scratch = {{NULL, w->bytes + 2 * cells, NULL}, w->ints};
    float *coords = batch->coords[1] + (size_t)to * TOKENS * 2;
    int32_t *labels = batch->labels[1] + (size_t)to * TOKENS;
    memcpy(coords, batch->coords[1] + (size_t)from * TOKENS * 2, TOKENS * 2 * sizeof *coords);
    memcpy(labels, batch->labels[1] + (size_t)from * TOKENS, TOKENS * sizeof *labels);
    memcpy(batch->masks[1] + (size_t)to * (size_t)cells, logits, (size_t)cells * sizeof *logits);
    for (int i = 0; i < cells; i++) {
        mask[i] = target[i] > 0.5f;
        guess[i] = logits[i] > 0;
    }
    int x, y, label;
    bool deepest = sgm_rng_chance(rng, 0.5);
    if (sgm_correction(mask, guess, w->side, deepest, rng, &scratch, &x, &y, &label))
        put_correction(coords, labels, w->side, x, y, label);
}

/* The mask of another slice has the network's own soft edge, and lies elsewhere: as the walk's
 * prompts, rounds to quarters of a logit. */
static void move_logits(const float *from, int side, sgm_rng *rng, float *to)
{
    double slip = 0.03 * side, scale = exp(0.08 * sgm_rng_normal(rng)), half = (side - 1) / 2.0;
    double dx = slip * sgm_rng_normal(rng), dy = slip * sgm_rng_normal(rng);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            double u = fmin(fmax(half + (x - dx - half) / scale, 0), side - 1.001);
            double v = fmin(fmax(half + (y - dy - half) / scale, 0), side - 1.001);
            int iu = (int)u, iv = (int)v;
            float a = (float)(u - iu), b = (float)(v - iv);
            const float *p = from + iv * side + iu;
            float top = p[0] + a * (p[1] - p[0]), low = p[side] + a * (p[side + 1] - p[side]);
            to[y * side + x] = rintf(4 * (top + b * (low - top))) / 4;
        }
}

static sgm_status rewrite_neighbours(const sgm_train_graph *graph, sgm_train_plan *plan,
                                     sgm_rng *rng, const sgm_interaction *w, sgm_batch *batch)
{
    int64_t masks = graph->low_res[0]->shape.dim[1], cells = (int64_t)w->side * w->side;
    SGM_TRY(sgm_train_plan_get(plan, graph->low_res[0], w->low_res));
    for (int b = 0; b < batch->count; b++)
        if (!batch->paired[b])
            move_logits(w->low_res + (batch->count + b) * masks * cells, w->side, rng,
                        batch->masks[2] + b * cells);
    return SGM_OK;
}

sgm_status sgm_interact(const sgm_train_graph *graph, sgm_train_plan *plan, sgm_rng rng,
                        const sgm_interaction *interaction, sgm_batch *batch)
{
    SGM_TRY(sgm_train_graph_feed(graph, plan, batch));
    SGM_TRY(sgm_train_plan_forward(plan));
    SGM_TRY(sgm_train_plan_get(plan, graph->low_res[1], interaction->low_res));
    int64_t masks = graph->low_res[1]->shape.dim[1];
    int64_t cells = (int64_t)interaction->side * interaction->side;
    for (int b = 0; b < batch->count; b++)
        if (!graph->walks || batch->weight[b] > 0)
            rewrite(interaction, interaction->low_res + b * masks * cells,
                    batch->target + b * cells, b, &rng, batch);
    return graph->walks ? rewrite_neighbours(graph, plan, &rng, interaction, batch) : SGM_OK;
}
