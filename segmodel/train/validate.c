#include "train/validate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "predict/session/prompt_prior.h"

int sgm_answer_index(const float *iou, int masks, bool multi)
{
    int best = multi && masks > 1 ? 1 : 0;
    for (int m = best + 1; multi && m < masks; m++)
        if (iou[m] > iou[best]) best = m;
    return best;
}

static double dice(const float *logits, const float *target, int64_t cells)
{
    int64_t both = 0, sum = 0;
    for (int64_t i = 0; i < cells; i++) {
        bool a = logits[i] > 0, b = target[i] > 0.5f;
        both += a && b;
        sum += a + b;
    }
    return sum ? 2.0 * (double)both / (double)sum : 1;
}

/* The ellipse of a box given as its two corner tokens. */
static double ellipse_dice(const float *corners, const float *target, int side, float *logits)
{
    sgm_box box = {(corners[0] + 1) * side / 2 - 0.5, (corners[1] + 1) * side / 2 - 0.5,
                   (corners[2] + 1) * side / 2 - 0.5, (corners[3] + 1) * side / 2 - 0.5};
    sgm_prompt_prior(NULL, 0, &box, side, logits);
    return dice(logits, target, (int64_t)side * side);
}

typedef struct validation_memory {
    sgm_batch batch;
    sgm_sampler_scratch scratch;
    float *low_res[SGM_GROUPS], *iou[SGM_GROUPS], *ellipse;
} validation_memory;

typedef struct score {
    int samples, present, ended; /* all; those of rounds but the neighbour's; objects that ended */
    sgm_validation sum;
} score;

/* Mask 0 is what answers a neighbour's mask. */
static void score_neighbour(const float *logits, const float *target, int64_t cells, bool ended,
                            score *out)
{
    int64_t area = 0, truth = 0;
    for (int64_t i = 0; i < cells; i++) {
        area += logits[i] > 0;
        truth += target[i] > 0.5f;
    }
    if (ended) {
        out->ended++;
        out->sum.ended_seen += area == 0;
        return;
    }
    out->sum.dice[SGM_NEIGHBOUR_ROUND] += dice(logits, target, cells);
    out->sum.growth += log((double)(area + 1) / (double)(truth + 1));
}

static void score_round(const sgm_batch *batch, const float *low_res, const float *iou, int masks,
                        int64_t cells, int round, score *out)
{
    int part;
    sgm_group_of(round, &part);
    for (int b = 0; b < batch->count; b++) {
        int64_t row = (int64_t)part * batch->count + b;
        const float *target = batch->target + b * cells;
        int m = sgm_answer_index(iou + row * masks, masks, round == 0);
        const float *logits = low_res + (row * masks + m) * cells;
        if (round == SGM_NEIGHBOUR_ROUND)
            score_neighbour(logits, target, cells, batch->weight[b] == 0, out);
        else if (batch->weight[b] > 0)
            out->sum.dice[round] += dice(logits, target, cells);
    }
}

static void score_batch(const sgm_batch *batch, const validation_memory *m, bool walks, int masks,
                        int side, score *out)
{
    int64_t cells = (int64_t)side * side;
    for (int r = 0; r < sgm_round_count(walks); r++) {
        int part, group = sgm_group_of(r, &part);
        score_round(batch, m->low_res[group], m->iou[group], masks, cells, r, out);
    }
    for (int b = 0; b < batch->count; b++) {
        if (batch->weight[b] == 0) continue;
        out->present++;
        out->sum.ellipse += ellipse_dice(batch->coords[0] + (int64_t)(batch->count + b) * 4,
                                         batch->target + b * cells, side, m->ellipse);
    }
    out->samples += batch->count;
}

static sgm_validation mean_of(const score *s)
{
    sgm_validation out = s->sum;
    double present = s->present ? s->present : 1;
    out.samples = s->samples;
    for (int r = 0; r < SGM_ROUNDS; r++)
        out.dice[r] /= present;
    out.ellipse /= present;
    out.growth /= present;
    out.ended_seen /= s->ended ? s->ended : 1;
    return out;
}

static sgm_status reserve(const sgm_train_graph *graph, const sgm_sampler_options *options,
                          int batch, validation_memory *m)
{
    memset(m, 0, sizeof *m);
    for (int p = 0; p < sgm_group_count(graph->walks); p++) {
        m->low_res[p] = malloc((size_t)sgm_shape_count(graph->low_res[p]->shape) * sizeof(float));
        m->iou[p] = malloc((size_t)sgm_shape_count(graph->iou[p]->shape) * sizeof(float));
        if (!m->low_res[p] || !m->iou[p])
            return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to validate");
    }
    m->ellipse =
        malloc((size_t)options->target_side * (size_t)options->target_side * sizeof(float));
    if (!m->ellipse) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to validate");
    SGM_TRY(sgm_batch_create(options, batch, &m->batch));
    return sgm_sampler_scratch_create(options, &m->scratch);
}

static void release(validation_memory *m)
{
    for (int p = 0; p < SGM_GROUPS; p++) {
        free(m->low_res[p]);
        free(m->iou[p]);
    }
    free(m->ellipse);
    sgm_batch_clear(&m->batch);
    sgm_sampler_scratch_clear(&m->scratch);
}

static sgm_status run_batch(const sgm_train_graph *graph, sgm_train_plan *plan,
                            const sgm_sampler *sampler, uint64_t first, validation_memory *m)
{
    for (int i = 0; i < m->batch.count; i++)
        SGM_TRY(sgm_sampler_draw(sampler, first + (uint64_t)i, i, &m->scratch, &m->batch));
    SGM_TRY(sgm_train_graph_feed(graph, plan, &m->batch));
    SGM_TRY(sgm_train_plan_forward(plan));
    for (int p = 0; p < sgm_group_count(graph->walks); p++) {
        SGM_TRY(sgm_train_plan_get(plan, graph->low_res[p], m->low_res[p]));
        SGM_TRY(sgm_train_plan_get(plan, graph->iou[p], m->iou[p]));
    }
    return SGM_OK;
}

int sgm_validation_batches(int count, int batch)
{
    return count / batch > 0 ? count / batch : 1;
}

sgm_status sgm_validate(const sgm_train_graph *graph, sgm_train_plan *plan,
                        const sgm_sampler *sampler, const sgm_sampler_options *options, int batch,
                        int count, sgm_validation_watch watch, sgm_validation *out)
{
    validation_memory m;
    score sum = {0};
    memset(out, 0, sizeof *out);
    sgm_status status = reserve(graph, options, batch, &m);
    int batches = sgm_validation_batches(count, batch);
    int masks = (int)graph->iou[0]->shape.dim[1];
    for (int k = 0; k < batches && status == SGM_OK; k++) {
        if (watch.before) status = watch.before(watch.user, k, batches);
        if (status == SGM_OK)
            status = run_batch(graph, plan, sampler, (uint64_t)k * (uint64_t)batch, &m);
        if (status == SGM_OK)
            score_batch(&m.batch, &m, graph->walks, masks, options->target_side, &sum);
    }
    release(&m);
    if (status == SGM_OK) *out = mean_of(&sum);
    return status;
}
