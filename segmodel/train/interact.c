#include "train/interact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = SGM_ROUND_TOKENS };

sgm_status sgm_interaction_create(const sgm_train_graph *graph, int threads, sgm_interaction *out)
{
    size_t batch = (size_t)graph->target->shape.dim[0];
    out->side = (int)graph->target->shape.dim[1];
    out->low_res = malloc((size_t)sgm_shape_count(graph->low_res[1]->shape) * sizeof(float));
    out->sources = malloc(batch * sizeof *out->sources);
    sgm_status status = SGM_OK;
    if (!out->low_res || !out->sources)
        status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory to simulate interaction");
    else
        status = sgm_threads_create(threads, &out->threads);
    if (status != SGM_OK) sgm_interaction_clear(out);
    return status;
}

void sgm_interaction_clear(sgm_interaction *interaction)
{
    free(interaction->low_res);
    free(interaction->sources);
    sgm_threads_destroy(interaction->threads);
    memset(interaction, 0, sizeof *interaction);
}

/* Takes the first padding token, else the last point. */
static void put_correction(float *coords, int32_t *labels, int count, int side, int x, int y,
                           int label)
{
    int at = -1;
    for (int i = 0; i < count && at < 0; i++)
        if (labels[i] == SGM_TOKEN_PADDING) at = i;
    for (int i = 0; i < count && at < 0; i++)
        if (labels[count - 1 - i] <= SGM_TOKEN_FOREGROUND) at = count - 1 - i;
    if (at < 0) return;
    coords[2 * at] = 2 * ((float)x + 0.5f) / (float)side - 1;
    coords[2 * at + 1] = 2 * ((float)y + 0.5f) / (float)side - 1;
    labels[at] = label == SGM_FOREGROUND ? SGM_TOKEN_FOREGROUND : SGM_TOKEN_BACKGROUND;
}

/* Where walks are trained a mask has points and a padding token beside it, and no box. */
static void without_box(float *coords, int32_t *labels)
{
    for (int i = 0; i < TOKENS; i++)
        if (labels[i] > SGM_TOKEN_FOREGROUND) {
            labels[i] = SGM_TOKEN_PADDING;
            coords[2 * i] = coords[2 * i + 1] = 0;
        }
}

/* A walk keeps its logits in quarters, in one byte. */
static float in_quarters(float logit)
{
    return rintf(fmaxf(-127, fminf(127, 4 * logit))) / 4;
}

/* Of a picture without a neighbour: its own answer, moved and scaled a little. */
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
            to[y * side + x] = in_quarters(top + b * (low - top));
        }
}

static double dice_of(const float *logits, const float *target, int cells)
{
    int both = 0, sum = 0;
    for (int i = 0; i < cells; i++) {
        int is = logits[i] > 0, should = target[i] > 0.5f;
        both += is & should;
        sum += is + should;
    }
    return sum ? 2.0 * both / sum : 0;
}

/* Bytes that `correct` works in: cells as integers, then two masks and as much again. */
static size_t scratch_bytes(const sgm_interaction *w)
{
    size_t cells = (size_t)w->side * (size_t)w->side;
    return cells * sizeof(int32_t) + 4 * cells;
}

/* Round 3: `logits` as the mask, the tokens of an earlier round (-1: none), and a correction. */
static void correct(const sgm_interaction *w, bool walks, const float *logits, int64_t from,
                    int sample, sgm_rng *rng, void *memory, sgm_batch *batch)
{
    int cells = w->side * w->side;
    int64_t to = batch->count + sample;
    const float *target = batch->target + (size_t)sample * (size_t)cells;
    uint8_t *mask = (uint8_t *)((int32_t *)memory + cells), *guess = mask + cells;
    sgm_sim_scratch scratch = {{NULL, mask + 2 * cells, NULL}, memory};
    float *coords = batch->coords[1] + to * TOKENS * 2, *prompt = batch->masks[1] + to * cells;
    int32_t *labels = batch->labels[1] + to * TOKENS;
    if (from >= 0) {
        memmove(coords, batch->coords[1] + from * TOKENS * 2, TOKENS * 2 * sizeof *coords);
        memmove(labels, batch->labels[1] + from * TOKENS, TOKENS * sizeof *labels);
    }
    for (int i = 0; from < 0 && i < TOKENS; i++)
        labels[i] = SGM_TOKEN_PADDING;
    if (walks) without_box(coords, labels);
    for (int i = 0; i < cells; i++) {
        mask[i] = target[i] > 0.5f;
        guess[i] = logits[i] > 0;
        prompt[i] = walks ? in_quarters(logits[i]) : logits[i];
    }
    int x, y, label;
    bool deepest = sgm_rng_chance(rng, 0.5);
    if (!sgm_correction(mask, guess, w->side, deepest, rng, &scratch, &x, &y, &label)) return;
    put_correction(coords, labels, walks ? TOKENS - 1 : TOKENS, w->side, x, y, label);
    if (walks && sgm_rng_chance(rng, 0.5)) sgm_weaken_logits(prompt, w->side, x, y);
}

static void draw_sources(const sgm_interaction *w, bool goes_on, int count, sgm_rng *rng)
{
    for (int b = 0; b < count; b++) {
        bool walked = goes_on || sgm_rng_chance(rng, 0.5);
        w->sources[b] =
            (sgm_interaction_sources){.beside = walked ? SGM_NEIGHBOUR_ROUND : 1,
                                      .again = sgm_rng_chance(rng, 0.5) ? SGM_NEIGHBOUR_ROUND
                                               : goes_on                ? 3
                                                                        : 2};
    }
}

/* Answers that miss their own object teach nothing about the next slice: what was drawn stays. */
static void ask_beside(const sgm_interaction *w, const float *logits, int sample, sgm_rng *rng,
                       sgm_batch *batch)
{
    int cells = w->side * w->side, beside = sample ^ 1;
    const float *target = batch->target + (size_t)sample * (size_t)cells;
    if (beside < batch->count && batch->paired[beside]) {
        float *prompt = batch->masks[2] + (size_t)beside * (size_t)cells;
        if (dice_of(logits, target, cells) < 0.6) return;
        for (int i = 0; i < cells; i++)
            prompt[i] = in_quarters(logits[i]);
    }
    if (!batch->paired[sample])
        move_logits(logits, w->side, rng, batch->masks[2] + (size_t)sample * (size_t)cells);
}

/* ------------------------------------------------------------------------- all of one round */

typedef struct round_work {
    const sgm_interaction *interaction;
    sgm_batch *batch;
    bool walks;
    int round, group, part;
    int64_t masks; /* answers per sample */
    uint64_t seed; /* of the samples' random numbers */
} round_work;

/* All that the answers to one round lead to, for samples [begin, end). A mask prompt has one
 * writer: its own sample, or of a pair the other one. */
static void use_answers(void *context, int64_t begin, int64_t end, int thread)
{
    const round_work *r = context;
    const sgm_interaction *w = r->interaction;
    int64_t cells = (int64_t)w->side * w->side;
    void *memory = sgm_threads_scratch(w->threads, thread);
    for (int b = (int)begin; b < end; b++) {
        int64_t row = (int64_t)r->part * r->batch->count + b;
        const float *logits = w->low_res + row * r->masks * cells;
        sgm_rng rng = sgm_rng_at(r->seed, (uint64_t)b);
        if (!r->walks) {
            correct(w, false, logits, b, b, &rng, memory, r->batch);
            continue;
        }
        if (r->batch->weight[b] <= 0) continue;
        if (w->sources[b].beside == r->round) ask_beside(w, logits, b, &rng, r->batch);
        if (w->sources[b].again == r->round)
            correct(w, true, logits, r->group == 1 ? row : -1, b, &rng, memory, r->batch);
    }
}

static sgm_status use_round(const sgm_train_graph *graph, sgm_train_plan *plan, int round,
                            sgm_rng *rng, const sgm_interaction *w, sgm_batch *batch)
{
    round_work work = {
        .interaction = w, .batch = batch, .walks = graph->walks, .round = round, .group = 1};
    if (graph->walks) work.group = sgm_group_of(round, &work.part);
    const sgm_node *answers = graph->low_res[work.group];
    work.masks = answers->shape.dim[1];
    work.seed = sgm_rng_next(rng);
    SGM_TRY(sgm_train_plan_get(plan, answers, w->low_res));
    sgm_threads_lock(w->threads);
    sgm_status status = sgm_threads_reserve(w->threads, scratch_bytes(w), 0);
    if (status == SGM_OK) sgm_parallel_for(w->threads, batch->count, 1, use_answers, &work);
    sgm_threads_unlock(w->threads);
    return status;
}

static sgm_status interact_with_walks(const sgm_train_graph *graph, sgm_train_plan *plan,
                                      sgm_rng rng, const sgm_interaction *w, sgm_batch *batch)
{
    int passes = sgm_rng_chance(&rng, 0.4) ? 2 : 1;
    for (int pass = 0; pass < passes; pass++) {
        if (pass) SGM_TRY(sgm_train_graph_feed_prompts(graph, plan, batch));
        SGM_TRY((pass ? sgm_train_plan_forward_late : sgm_train_plan_forward)(plan));
        draw_sources(w, pass > 0, batch->count, &rng);
        for (int round = 1; round <= SGM_NEIGHBOUR_ROUND; round++)
            SGM_TRY(use_round(graph, plan, round, &rng, w, batch));
    }
    return SGM_OK;
}

sgm_status sgm_interact(const sgm_train_graph *graph, sgm_train_plan *plan, sgm_rng rng,
                        const sgm_interaction *interaction, sgm_batch *batch)
{
    SGM_TRY(sgm_train_graph_feed(graph, plan, batch));
    if (graph->walks) return interact_with_walks(graph, plan, rng, interaction, batch);
    SGM_TRY(sgm_train_plan_forward(plan));
    return use_round(graph, plan, 2, &rng, interaction, batch);
}
