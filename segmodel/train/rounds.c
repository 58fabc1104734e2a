#include "train/rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/family.h"
#include "train/drop_path.h"
#include "train/loss.h"
#include "train/validate.h"

enum { MOST_TOKENS = SGM_MOST_ROUNDS };

/* The encoder: its "loss" is the sum of features times what the rounds found their gradients to be,
 * so that its gradients are theirs carried on. */
typedef struct encoder_part {
    sgm_graph *graph;
    sgm_node *image, *drop, *loss;
    sgm_node *feature[SGM_MAX_FEATURES], *seed[SGM_MAX_FEATURES];
    sgm_train_plan *plan;
} encoder_part;

/* The decoder for a number of tokens. */
typedef struct decoder_part {
    sgm_graph *graph;
    sgm_node *feature[SGM_MAX_FEATURES];
    sgm_node *coords, *labels, *mask, *target; /* mask NULL: the first round */
    sgm_node *low_res, *iou, *loss;
    sgm_train_plan *plan;
} decoder_part;

struct sgm_rounds {
    const sgm_train_config *config;
    sgm_backend *backend;
    int count, batch, feature_count;
    encoder_part encoder;
    decoder_part decoders[SGM_MOST_ROUNDS]; /* 0: the first round; n: n + 1 tokens and a mask */
    int decoder_count;
    sgm_train_memory memory; /* of the decoders, which run one after the other */
    size_t feature_size[SGM_MAX_FEATURES];
    float *values[SGM_MAX_FEATURES], *gradients[SGM_MAX_FEATURES], *part;
    float *low_res, *iou;
    float *coords;   /* [rounds][B][tokens][2], with room for MOST_TOKENS */
    int32_t *labels; /* likewise */
    float *masks;    /* [rounds][B][cells] */
    int tokens[SGM_MOST_ROUNDS], points[SGM_MOST_ROUNDS];
    float *loss; /* in the backend's memory */
};

static size_t cells_of(const sgm_rounds *r)
{
    size_t side = 4 * (size_t)r->config->model.grid;
    return side * side;
}

/* ------------------------------------------------------------------------------------- the parts
 */

static sgm_node *feature_input(sgm_graph *g, const sgm_feature *f, int64_t batch, const char *name)
{
    return sgm_input(g, name, SGM_F32, SGM_SHAPE(batch, f->rows, f->columns, f->channels));
}

static sgm_node *dot(sgm_graph *g, sgm_node *a, sgm_node *b)
{
    sgm_shape flat = SGM_SHAPE(1, 1, -1);
    sgm_node *product = sgm_matmul(g, sgm_reshape(g, a, flat), sgm_reshape(g, b, flat));
    return sgm_reshape(g, product, SGM_SHAPE(1));
}

static sgm_status make_encoder(sgm_rounds *r, sgm_params *params, const sgm_feature *features)
{
    const sgm_train_config *c = r->config;
    encoder_part *e = &r->encoder;
    int64_t size = c->model.image_size, batch = r->batch;
    sgm_graph *g = e->graph = sgm_graph_create(NULL, NULL);
    if (!g) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training graph");
    e->image = sgm_input(g, "image", SGM_F32, SGM_SHAPE(batch, size, size, 3));
    e->drop = sgm_drop_input(g, c);
    sgm_net net = {.graph = g, .drop = e->drop};
    sgm_features made = sgm_encode(&net, &c->model, e->image);
    for (int i = 0; i < r->feature_count; i++) {
        e->feature[i] = made.node[i];
        e->seed[i] = feature_input(g, &features[i], batch, "seed");
        sgm_node *part = dot(g, e->feature[i], e->seed[i]);
        e->loss = i ? sgm_add(g, e->loss, part) : part;
    }
    SGM_TRY(sgm_graph_status(g));
    SGM_TRY(sgm_drop_check(g, e->drop, c));
    return sgm_train_plan_create(g, params, e->loss, r->feature_count, e->feature, c->bf16,
                                 &e->plan);
}

static sgm_node *round_loss(const sgm_train_config *c, const decoder_part *d)
{
    bool balanced = c->loss == SGM_TRAIN_LOSS_BALANCED;
    return sgm_loss_sam(d->graph, d->low_res, d->iou, d->target, NULL,
                        (sgm_sam_shares){balanced ? 10 : 20, 1, 1, balanced}, !d->mask);
}

static sgm_status make_decoder(sgm_rounds *r, sgm_params *params, const sgm_feature *list,
                               int tokens, bool first)
{
    const sgm_train_config *c = r->config;
    decoder_part *d = &r->decoders[r->decoder_count++];
    int64_t side = 4 * c->model.grid, batch = r->batch;
    sgm_features features = {.count = r->feature_count};
    sgm_graph *g = d->graph = sgm_graph_create(NULL, NULL);
    if (!g) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training graph");
    for (int i = 0; i < r->feature_count; i++)
        features.node[i] = d->feature[i] = feature_input(g, &list[i], batch, "feature");
    d->target = sgm_input(g, "target", SGM_F32, SGM_SHAPE(batch, side, side));
    d->coords = sgm_input(g, "coordinates", SGM_F32, SGM_SHAPE(batch, tokens, 2));
    d->labels = sgm_input(g, "labels", SGM_I32, SGM_SHAPE(batch, tokens));
    if (!first) d->mask = sgm_input(g, "mask", SGM_F32, SGM_SHAPE(batch, side, side, 1));
    sgm_net net = {.graph = g};
    sgm_prompt_input in = {.coordinates = d->coords, .labels = d->labels, .mask = d->mask};
    sgm_prompt_embedding prompt = sgm_encode_prompt(&net, &c->model, &in, &features);
    sgm_decoder_output out = sgm_decode(&net, &c->model, &features, &prompt, batch);
    d->low_res = out.low_res;
    d->iou = out.iou;
    d->loss = round_loss(c, d);
    SGM_TRY(sgm_graph_status(g));
    sgm_node *outputs[2] = {d->low_res, d->iou};
    const sgm_train_request request = {.loss = d->loss,
                                       .output_count = 2,
                                       .outputs = outputs,
                                       .input_count = r->feature_count,
                                       .inputs = d->feature,
                                       .bf16 = c->bf16,
                                       .shared = &r->memory};
    return sgm_train_plan_make(g, params, &request, &d->plan);
}

/* ------------------------------------------------------------------------------------ the memory
 */

static sgm_status reserve(sgm_rounds *r, const sgm_feature *features)
{
    size_t asked = (size_t)r->count * (size_t)r->batch, batch = (size_t)r->batch, largest = 1;
    size_t masks = (size_t)r->config->model.decoder.mask_tokens;
    bool good = true;
    for (int i = 0; i < r->feature_count; i++) {
        const sgm_feature *f = &features[i];
        size_t size = batch * (size_t)(f->rows * f->columns * f->channels);
        r->feature_size[i] = size;
        r->values[i] = malloc(size * sizeof(float));
        r->gradients[i] = malloc(size * sizeof(float));
        good &= r->values[i] && r->gradients[i];
        if (size > largest) largest = size;
    }
    r->part = malloc(largest * sizeof(float));
    r->low_res = malloc(batch * masks * cells_of(r) * sizeof(float));
    r->iou = malloc(batch * masks * sizeof(float));
    r->coords = calloc(asked * MOST_TOKENS * 2, sizeof(float));
    r->labels = calloc(asked * MOST_TOKENS, sizeof(int32_t));
    r->masks = calloc(asked * cells_of(r), sizeof(float));
    r->loss = r->backend->ops->alloc(r->backend, sizeof *r->loss);
    good &= r->part && r->low_res && r->iou && r->coords && r->labels && r->masks;
    return good && r->loss ? SGM_OK
                           : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for rounds of training");
}

static sgm_status set_up(sgm_rounds *r, sgm_params *params)
{
    sgm_feature features[SGM_MAX_FEATURES];
    r->feature_count = sgm_config_features(&r->config->model, features);
    SGM_TRY(reserve(r, features));
    SGM_TRY(make_encoder(r, params, features));
    SGM_TRY(make_decoder(r, params, features, 2, true));
    for (int tokens = 2; tokens < r->count; tokens++)
        SGM_TRY(make_decoder(r, params, features, tokens, false));
    return SGM_OK;
}

sgm_status sgm_rounds_create(const sgm_train_config *config, sgm_backend *backend,
                             sgm_params *params, sgm_rounds **out)
{
    sgm_rounds *r = *out = calloc(1, sizeof *r);
    if (!r) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for rounds of training");
    r->config = config;
    r->backend = backend;
    r->count = config->sampler.rounds;
    r->batch = config->batch;
    sgm_status status = set_up(r, params);
    if (status == SGM_OK) return SGM_OK;
    sgm_rounds_destroy(r);
    *out = NULL;
    return status;
}

void sgm_rounds_destroy(sgm_rounds *r)
{
    if (!r) return;
    for (int i = 0; i < r->decoder_count; i++) {
        sgm_train_plan_destroy(r->decoders[i].plan);
        sgm_graph_destroy(r->decoders[i].graph);
    }
    sgm_train_plan_destroy(r->encoder.plan);
    sgm_graph_destroy(r->encoder.graph);
    sgm_train_memory_clear(&r->memory, r->backend);
    for (int i = 0; i < SGM_MAX_FEATURES; i++) {
        free(r->values[i]);
        free(r->gradients[i]);
    }
    if (r->loss) r->backend->ops->free(r->backend, r->loss);
    free(r->part);
    free(r->low_res);
    free(r->iou);
    free(r->coords);
    free(r->labels);
    free(r->masks);
    free(r);
}

/* --------------------------------------------------------------------------------- the questions
 */

static float *coords_of(const sgm_rounds *r, int round, int sample)
{
    size_t tokens = (size_t)r->tokens[round];
    return r->coords +
           ((size_t)round * (size_t)r->batch * MOST_TOKENS + (size_t)sample * tokens) * 2;
}

static int32_t *labels_of(const sgm_rounds *r, int round, int sample)
{
    size_t tokens = (size_t)r->tokens[round];
    return r->labels + (size_t)round * (size_t)r->batch * MOST_TOKENS + (size_t)sample * tokens;
}

static float *mask_of(const sgm_rounds *r, int round, int sample)
{
    return r->masks + ((size_t)round * (size_t)r->batch + (size_t)sample) * cells_of(r);
}

/* Which rounds add a point. `place` is the point before which the answer alone is asked with. */
static void plan_rounds(sgm_rounds *r, int place)
{
    int round = 0, tokens = 2;
    r->tokens[round] = tokens;
    r->points[round++] = 0;
    for (int point = 0; point < r->count - 3; point++) {
        if (point == place) {
            r->tokens[round] = tokens;
            r->points[round++] = 0;
        }
        r->tokens[round] = ++tokens;
        r->points[round++] = 1;
    }
    r->tokens[round] = tokens;
    r->points[round] = 0;
}

/* The n-th cell where mask and target differ, or (`error` false) that is on the object; -1 with
 * their count where there are not so many. */
static int64_t nth_cell(const float *logits, const float *target, int64_t cells, bool error,
                        int64_t n, int64_t *count)
{
    int64_t seen = 0;
    for (int64_t i = 0; i < cells; i++) {
        bool object = target[i] > 0.5f;
        if (error ? (logits[i] > 0) == object : !object) continue;
        if (seen++ == n) return i;
    }
    *count = seen;
    return -1;
}

static int64_t largest_share(const float *target, int64_t cells)
{
    int64_t best = 0;
    for (int64_t i = 1; i < cells; i++)
        if (target[i] > target[best]) best = i;
    return best;
}

/* A cell of the error, or of the object where there is none. */
static int64_t draw_cell(const float *logits, const float *target, int64_t cells, sgm_rng *rng)
{
    int64_t count = 0;
    bool error = true;
    nth_cell(logits, target, cells, true, -1, &count);
    if (!count) {
        error = false;
        nth_cell(logits, target, cells, false, -1, &count);
    }
    if (!count) return largest_share(target, cells);
    return nth_cell(logits, target, cells, error, sgm_rng_below(rng, count), &count);
}

/* The prompts of round - 1 and, after the points among them, a new one. */
static void ask_again(const sgm_rounds *r, int round, int sample, const float *target, sgm_rng *rng)
{
    int64_t cells = (int64_t)cells_of(r), side = 4 * r->config->model.grid;
    const float *before = coords_of(r, round - 1, sample), *answer = mask_of(r, round, sample);
    const int32_t *kinds = labels_of(r, round - 1, sample);
    float *coords = coords_of(r, round, sample);
    int32_t *labels = labels_of(r, round, sample);
    int at = 0, old = r->tokens[round - 1];
    while (at < old && kinds[at] <= SGM_TOKEN_FOREGROUND)
        at++;
    memcpy(coords, before, (size_t)at * 2 * sizeof *coords);
    memcpy(labels, kinds, (size_t)at * sizeof *labels);
    int new = r->points[round];
    memcpy(coords + 2 * (at + new), before + 2 * at, (size_t)(old - at) * 2 * sizeof *coords);
    memcpy(labels + at + new, kinds + at, (size_t)(old - at) * sizeof *labels);
    if (!new) return;
    int64_t cell = draw_cell(answer, target, cells, rng);
    coords[2 * at] = 2 * ((float)(cell % side) + 0.5f) / (float)side - 1;
    coords[2 * at + 1] = 2 * ((float)(cell / side) + 0.5f) / (float)side - 1;
    labels[at] = target[cell] > 0.5f ? SGM_TOKEN_FOREGROUND : SGM_TOKEN_BACKGROUND;
}

/* ------------------------------------------------------------------------------------- a round */

static sgm_status ask(sgm_rounds *r, decoder_part *d, const sgm_batch *batch, int round)
{
    for (int i = 0; i < r->feature_count; i++)
        SGM_TRY(sgm_train_plan_set(d->plan, d->feature[i], r->values[i]));
    SGM_TRY(sgm_train_plan_set(d->plan, d->target, batch->target));
    SGM_TRY(sgm_train_plan_set(d->plan, d->coords, coords_of(r, round, 0)));
    SGM_TRY(sgm_train_plan_set(d->plan, d->labels, labels_of(r, round, 0)));
    return d->mask ? sgm_train_plan_set(d->plan, d->mask, mask_of(r, round, 0)) : SGM_OK;
}

static sgm_status add_gradients(sgm_rounds *r, decoder_part *d)
{
    for (int i = 0; i < r->feature_count; i++) {
        SGM_TRY(sgm_train_plan_gradient(d->plan, d->feature[i], r->part));
        for (size_t k = 0; k < r->feature_size[i]; k++)
            r->gradients[i][k] += r->part[k];
    }
    return SGM_OK;
}

/* What the next round is asked with. */
static sgm_status use_answer(sgm_rounds *r, decoder_part *d, const sgm_batch *batch, int round,
                             sgm_rng *rng)
{
    size_t cells = cells_of(r);
    int masks = r->config->model.decoder.mask_tokens;
    SGM_TRY(sgm_train_plan_get(d->plan, d->low_res, r->low_res));
    SGM_TRY(sgm_train_plan_get(d->plan, d->iou, r->iou));
    for (int b = 0; b < r->batch; b++) {
        int chosen = sgm_answer_index(r->iou + b * masks, masks, !d->mask);
        memcpy(mask_of(r, round + 1, b),
               r->low_res + ((size_t)b * (size_t)masks + (size_t)chosen) * cells,
               cells * sizeof(float));
        ask_again(r, round + 1, b, batch->target + (size_t)b * cells, rng);
    }
    return SGM_OK;
}

static sgm_status run_round(sgm_rounds *r, const sgm_batch *batch, int round, float grad_scale,
                            sgm_rng *rng, float *sum)
{
    decoder_part *d = &r->decoders[round ? r->tokens[round] - 1 : 0];
    float loss;
    SGM_TRY(ask(r, d, batch, round));
    SGM_TRY(sgm_train_plan_submit(d->plan, grad_scale / (float)r->count));
    SGM_TRY(sgm_train_plan_get(d->plan, d->loss, &loss));
    *sum += loss;
    SGM_TRY(add_gradients(r, d));
    return round + 1 < r->count ? use_answer(r, d, batch, round, rng) : SGM_OK;
}

static sgm_status encode(sgm_rounds *r, const sgm_batch *batch, sgm_rng *rng)
{
    encoder_part *e = &r->encoder;
    SGM_TRY(sgm_train_plan_set(e->plan, e->image, batch->image));
    SGM_TRY(sgm_drop_feed(e->plan, e->drop, r->config->drop_path, rng));
    for (int i = 0; i < r->feature_count; i++) {
        memset(r->gradients[i], 0, r->feature_size[i] * sizeof(float));
        SGM_TRY(sgm_train_plan_set(e->plan, e->seed[i], r->gradients[i]));
    }
    SGM_TRY(sgm_train_plan_forward(e->plan));
    for (int i = 0; i < r->feature_count; i++)
        SGM_TRY(sgm_train_plan_get(e->plan, e->feature[i], r->values[i]));
    return SGM_OK;
}

sgm_status sgm_rounds_run(sgm_rounds *r, const sgm_batch *batch, sgm_rng rng, float grad_scale)
{
    float sum = 0;
    size_t tokens = 2 * (size_t)r->batch;
    plan_rounds(r, (int)sgm_rng_below(&rng, r->count - 3));
    memcpy(r->coords, batch->coords[0], tokens * 2 * sizeof(float));
    memcpy(r->labels, batch->labels[0], tokens * sizeof(int32_t));
    SGM_TRY(encode(r, batch, &rng));
    for (int round = 0; round < r->count; round++)
        SGM_TRY(run_round(r, batch, round, grad_scale, &rng, &sum));
    for (int i = 0; i < r->feature_count; i++)
        SGM_TRY(sgm_train_plan_set(r->encoder.plan, r->encoder.seed[i], r->gradients[i]));
    SGM_TRY(sgm_train_plan_backward(r->encoder.plan, 1));
    sum /= (float)r->count;
    return r->backend->ops->upload(r->backend, r->loss, &sum, sizeof sum);
}

const void *sgm_rounds_loss(const sgm_rounds *r)
{
    return r->loss;
}

sgm_round_question sgm_rounds_question(const sgm_rounds *r, int number)
{
    return (sgm_round_question){.by_mask = number > 0,
                                .new_point = r->points[number],
                                .tokens = r->tokens[number],
                                .coords = coords_of(r, number, 0),
                                .labels = labels_of(r, number, 0),
                                .masks = mask_of(r, number, 0)};
}
