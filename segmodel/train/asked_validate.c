#include "train/asked_validate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

sgm_status sgm_asked_feed_features(const sgm_train_graph *t, sgm_train_plan *plan,
                                   const sgm_feature_store *store, const sgm_batch *batch)
{
    if (!t->features) return SGM_OK;
    size_t count = (size_t)sgm_shape_count(t->features->shape), each = count / (size_t)batch->count;
    size_t dim = (size_t)t->features->shape.dim[3];
    float *values = malloc((count + dim * (size_t)batch->count) * sizeof *values);
    float *embeddings = values + count;
    sgm_status status = values ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for features");
    for (int b = 0; status == SGM_OK && b < batch->count; b++) {
        float *features = values + (size_t)b * each;
        status = sgm_feature_store_read(store, batch->item[b], features);
        if (status == SGM_OK && t->embedding)
            status = sgm_feature_store_class(store, batch->item[b], batch->label[b], features,
                                             embeddings + (size_t)b * dim);
    }
    if (status == SGM_OK) status = sgm_train_plan_set(plan, t->features, values);
    if (status == SGM_OK && t->embedding)
        status = sgm_train_plan_set(plan, t->embedding, embeddings);
    free(values);
    return status;
}

typedef struct overlap {
    int64_t both, sum;
} overlap;

static double dice_of(overlap o)
{
    return o.sum ? 2.0 * (double)o.both / (double)o.sum : 1;
}

/* Where logits say yes: above 0, or half way between the extremes. */
static double mask_dice(const float *logits, const float *target, int64_t cells, bool range)
{
    float low = logits[0], high = logits[0];
    overlap o = {0};
    for (int64_t i = 1; i < cells; i++) {
        low = logits[i] < low ? logits[i] : low;
        high = logits[i] > high ? logits[i] : high;
    }
    float limit = range ? (low + high) / 2 : 0;
    for (int64_t i = 0; i < cells; i++) {
        bool a = logits[i] > limit, b = target[i] > 0.5f;
        o.both += a && b;
        o.sum += a + b;
    }
    return dice_of(o);
}

/* logits: [masks, cells]. NaN where the map holds no class. */
static double map_dice(const float *logits, const float *target, int masks, int64_t cells)
{
    double sum = 0;
    int classes = 0;
    for (int c = 1; c < masks; c++) {
        overlap o = {0};
        bool there = false;
        for (int64_t i = 0; i < cells; i++) {
            int best = 0;
            for (int m = 1; m < masks; m++)
                if (logits[m * cells + i] > logits[best * cells + i]) best = m;
            bool a = best == c, b = target[i] == (float)c;
            o.both += a && b;
            o.sum += a + b;
            there |= b;
        }
        if (!there) continue;
        sum += dice_of(o);
        classes++;
    }
    return classes ? sum / classes : NAN;
}

static bool is_empty(const float *target, int64_t cells)
{
    for (int64_t i = 0; i < cells; i++)
        if (target[i] > 0) return false;
    return true;
}

/* Whether anything is found. */
static bool finds_something(const sgm_sampler_options *options, const float *logits, int masks,
                            int64_t cells)
{
    for (int64_t i = 0; i < cells; i++) {
        if (!options->class_map && logits[i] > 0) return true;
        for (int m = 1; options->class_map && m < masks; m++)
            if (logits[m * cells + i] > logits[i]) return true;
    }
    return false;
}

static double sample_dice(const sgm_sampler_options *options, const float *logits, const float *iou,
                          const float *target, int masks, int rated)
{
    int64_t cells = (int64_t)options->grid.width * options->grid.height;
    if (options->class_map) return map_dice(logits, target, masks, cells);
    int answer = masks > 1 && options->protocol->answer == SGM_ANSWER_SAM
                     ? sgm_answer_index(iou, rated, options->asked == SGM_ASKED_POINT)
                     : 0;
    return mask_dice(logits + answer * cells, target, cells, options->protocol->range);
}

typedef struct asked_memory {
    sgm_batch batch;
    sgm_sampler_scratch scratch;
    float *answer, *iou;
} asked_memory;

static sgm_status reserve(const sgm_train_graph *graph, const sgm_sampler_options *options,
                          int batch, asked_memory *m)
{
    m->answer = malloc((size_t)sgm_shape_count(graph->answer->shape) * sizeof *m->answer);
    m->iou = malloc((size_t)sgm_shape_count(graph->iou[0]->shape) * sizeof *m->iou);
    if (!m->answer || !m->iou) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to validate");
    SGM_TRY(sgm_batch_create(options, batch, &m->batch));
    return sgm_sampler_scratch_create(options, &m->scratch);
}

static void release(asked_memory *m)
{
    free(m->answer);
    free(m->iou);
    sgm_batch_clear(&m->batch);
    sgm_sampler_scratch_clear(&m->scratch);
}

static sgm_status run_batch(const sgm_train_graph *graph, sgm_train_plan *plan,
                            const sgm_feature_store *store, const sgm_sampler *sampler,
                            uint64_t first, asked_memory *m)
{
    for (int i = 0; i < m->batch.count; i++)
        SGM_TRY(sgm_sampler_draw(sampler, first + (uint64_t)i, i, &m->scratch, &m->batch));
    SGM_TRY(sgm_asked_graph_feed(graph, plan, &m->batch));
    SGM_TRY(sgm_asked_feed_features(graph, plan, store, &m->batch));
    SGM_TRY(sgm_train_plan_forward(plan));
    SGM_TRY(sgm_train_plan_get(plan, graph->answer, m->answer));
    return sgm_train_plan_get(plan, graph->iou[0], m->iou);
}

sgm_status sgm_asked_validate(const sgm_train_graph *graph, sgm_train_plan *plan,
                              const sgm_feature_store *store, const sgm_sampler *sampler,
                              const sgm_sampler_options *options, int batch, int count,
                              sgm_validation_watch watch, sgm_validation *out)
{
    asked_memory m = {0};
    int batches = sgm_validation_batches(count, batch);
    int masks = (int)graph->answer->shape.dim[1], rated = (int)graph->iou[0]->shape.dim[1];
    int64_t cells = (int64_t)options->grid.width * options->grid.height;
    memset(out, 0, sizeof *out);
    sgm_status status = reserve(graph, options, batch, &m);
    for (int k = 0; k < batches && status == SGM_OK; k++) {
        if (watch.before) status = watch.before(watch.user, k, batches);
        if (status == SGM_OK)
            status = run_batch(graph, plan, store, sampler, (uint64_t)k * (uint64_t)batch, &m);
        for (int b = 0; b < batch && status == SGM_OK; b++) {
            const float *answer = m.answer + b * masks * cells;
            double dice = sample_dice(options, answer, m.iou + b * rated,
                                      m.batch.target + b * cells, masks, rated);
            if (options->empty && !m.batch.label[b] && is_empty(m.batch.target + b * cells, cells))
                dice = finds_something(options, answer, masks, cells) ? 0 : NAN;
            if (isnan(dice)) continue;
            out->dice[0] += dice;
            out->samples++;
        }
    }
    release(&m);
    if (status != SGM_OK) return status;
    if (!out->samples) return SGM_OK;
    out->dice[0] /= out->samples;
    out->dice[1] = out->dice[0];
    return SGM_OK;
}
