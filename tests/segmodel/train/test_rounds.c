/* SAM's rounds: what is asked when, gradients of all rounds together, resuming, and how fast which
 * layer learns. Runs in the current folder. */
#include "train_run.h"

#include "backend/context.h"
#include "models/family.h"
#include "train/drop_path.h"
#include "train/loss.h"
#include "train/rounds.h"
#include "train/train_weights.h"

#include <math.h>
#include <stdlib.h>

#define PACK "test_rounds.pack"
#define VIT                                                                                        \
    "architecture = vit protocol=sam image=32 decoder_dim=32 decoder_heads=4 decoder_depth=2 "     \
    "decoder_mlp=64 mask_tokens=4 embed=32 depth=3 heads=2 patch=4 window=4 pos_side=8 "           \
    "rel_window=7 rel_global=15 global=2\n"
#define ASKED                                                                                      \
    "window = whole\nobjects = any\ndraw = epochs\nsynthetic = 0\naugmentation = 0\nclip = 0\n"    \
    "prompts = either\nloss = sam\nbox_noise = 0.1\nbox_limit = 20\ndeepest = 0\nbatch = 2\n"      \
    "seed = 5\nwarmup = 0\n"

/* What training works with, outside of the trainer. */
typedef struct desk {
    sgm_context *context;
    sgm_backend *backend;
    sgm_train_config config;
    sgm_first_values first;
    sgm_params *params;
    sgm_rounds *rounds;
    sgm_pack *pack;
    sgm_sampler *sampler;
    sgm_batch batch;
    sgm_sampler_scratch scratch;
} desk;

static bool open_desk(desk *d, const char *settings)
{
    sgm_context_options how = {.device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    memset(d, 0, sizeof *d);
    sgm_train_config *c = &d->config;
    if (!CHECK_OK(sgm_context_create(&how, &d->context)) ||
        !CHECK_OK(sgm_train_config_parse(settings, "test", c)))
        return false;
    d->backend = sgm_context_backend(d->context);
    sgm_sampler_options *o = &c->sampler;
    int side = 4 * c->model.grid;
    *o = (sgm_sampler_options){.seed = 5,
                               .size = c->model.image_size,
                               .target_side = side,
                               .protocol = c->model.protocol,
                               .model = &c->model,
                               .window = o->window,
                               .asked = o->asked,
                               .kinds = o->kinds,
                               .draws = o->draws,
                               .grid = {side, side, false},
                               .tokens = 2,
                               .sim = o->sim,
                               .box_limit = o->box_limit,
                               .rounds = o->rounds};
    d->first = (sgm_first_values){.family = c->model.family, .seed = 5};
    return CHECK_OK(sgm_params_create(d->backend, sgm_first_values_read, &d->first,
                                      sgm_is_trainable, c, &d->params)) &&
           CHECK_OK(sgm_rounds_create(c, d->backend, d->params, &d->rounds)) &&
           CHECK_OK(sgm_pack_open(PACK, &d->pack)) &&
           CHECK_OK(sgm_sampler_create(d->pack, o, &d->sampler)) &&
           CHECK_OK(sgm_batch_create(o, c->batch, &d->batch)) &&
           CHECK_OK(sgm_sampler_scratch_create(o, &d->scratch));
}

static void close_desk(desk *d)
{
    sgm_sampler_scratch_clear(&d->scratch);
    sgm_batch_clear(&d->batch);
    sgm_sampler_destroy(d->sampler);
    sgm_pack_close(d->pack);
    sgm_rounds_destroy(d->rounds);
    sgm_params_destroy(d->params);
    sgm_context_destroy(d->context);
}

static void draw(desk *d, uint64_t first)
{
    for (int i = 0; i < d->config.batch; i++)
        CHECK_OK(sgm_sampler_draw(d->sampler, first + (uint64_t)i, i, &d->scratch, &d->batch));
    d->batch.first = first;
}

/* --------------------------------------------------------------------------- what is asked when */

/* The prompts of a round are those before it, at most one point more, which lies where the answer
 * is wrong (or on the object, where nothing is) and says what is there. */
static void check_question(const desk *d, int round)
{
    sgm_round_question now = sgm_rounds_question(d->rounds, round);
    sgm_round_question before = sgm_rounds_question(d->rounds, round - 1);
    int side = 4 * d->config.model.grid, cells = side * side;
    CHECK(now.by_mask && now.tokens == before.tokens + now.new_point);
    for (int b = 0; b < d->config.batch; b++) {
        const int32_t *labels = now.labels + b * now.tokens,
                      *old = before.labels + b * before.tokens;
        const float *coords = now.coords + 2 * b * now.tokens;
        const float *target = d->batch.target + b * cells, *mask = now.masks + b * cells;
        int at = 0, errors = 0;
        while (at < before.tokens && old[at] <= SGM_TOKEN_FOREGROUND)
            at++;
        CHECK(!memcmp(labels, old, (size_t)at * sizeof *old));
        CHECK(!memcmp(labels + at + now.new_point, old + at,
                      (size_t)(before.tokens - at) * sizeof *old));
        for (int i = 0; i < cells; i++)
            errors += (mask[i] > 0) != (target[i] > 0.5f);
        if (!now.new_point) continue;
        int x = (int)((coords[2 * at] + 1) / 2 * (float)side);
        int y = (int)((coords[2 * at + 1] + 1) / 2 * (float)side);
        bool object = target[y * side + x] > 0.5f;
        CHECK(labels[at] == (object ? SGM_TOKEN_FOREGROUND : SGM_TOKEN_BACKGROUND));
        CHECK(errors ? (mask[y * side + x] > 0) != object : object);
    }
}

/* Eleven rounds: eight points, and twice the mask alone, once between them and once at the end. */
static void check_schedule(void)
{
    desk d;
    int places[8] = {0}, boxes = 0, points = 0;
    if (open_desk(&d, VIT ASKED "rounds = 11\n"))
        for (uint64_t n = 0; n < 60; n++) {
            int added = 0, place = -1;
            draw(&d, 2 * n);
            CHECK_OK(sgm_rounds_run(d.rounds, &d.batch, sgm_rng_at(9, n), 1));
            CHECK(!sgm_rounds_question(d.rounds, 0).by_mask);
            for (int b = 0; b < 2; b++) {
                bool box = d.batch.labels[0][2 * b] == SGM_TOKEN_BOX_FIRST;
                boxes += box;
                points += !box;
            }
            for (int round = 1; round < 11; round++) {
                check_question(&d, round);
                if (sgm_rounds_question(d.rounds, round).new_point)
                    added++;
                else if (round < 10)
                    CHECK(place < 0), place = added;
            }
            CHECK(added == 8 && place >= 0 && place < 8);
            if (place >= 0 && place < 8) places[place]++;
        }
    CHECK(boxes > 30 && points > 30);
    for (int i = 0; i < 8; i++)
        CHECK(places[i] > 0);
    close_desk(&d);
}

/* ------------------------------------------------------------------------------------ gradients */

typedef struct whole {
    sgm_graph *graph;
    sgm_node *image, *target, *loss;
    sgm_node *coords[12], *labels[12], *masks[12];
    sgm_node *answers[24]; /* of every round: logits of all masks, their ratings */
} whole;

/* All rounds as one network with one encoder: the same prompts, answers given as numbers. */
static void build_whole(const desk *d, whole *w)
{
    const sgm_train_config *c = &d->config;
    int64_t batch = c->batch, side = 4 * c->model.grid, size = c->model.image_size;
    sgm_graph *g = w->graph = sgm_graph_create(NULL, NULL);
    sgm_net net = {.graph = g};
    w->image = sgm_input(g, "image", SGM_F32, SGM_SHAPE(batch, size, size, 3));
    w->target = sgm_input(g, "target", SGM_F32, SGM_SHAPE(batch, side, side));
    sgm_features features = sgm_encode(&net, &c->model, w->image);
    for (int r = 0; r < c->sampler.rounds; r++) {
        sgm_round_question q = sgm_rounds_question(d->rounds, r);
        w->coords[r] = sgm_input(g, "coords", SGM_F32, SGM_SHAPE(batch, q.tokens, 2));
        w->labels[r] = sgm_input(g, "labels", SGM_I32, SGM_SHAPE(batch, q.tokens));
        w->masks[r] = r ? sgm_input(g, "mask", SGM_F32, SGM_SHAPE(batch, side, side, 1)) : NULL;
        sgm_prompt_input in = {
            .coordinates = w->coords[r], .labels = w->labels[r], .mask = w->masks[r]};
        sgm_prompt_embedding prompt = sgm_encode_prompt(&net, &c->model, &in, &features);
        sgm_decoder_output out = sgm_decode(&net, &c->model, &features, &prompt, batch);
        w->answers[2 * r] = out.low_res;
        w->answers[2 * r + 1] = out.iou;
        sgm_node *loss = sgm_loss_sam(g, out.low_res, out.iou, w->target, NULL,
                                      (sgm_sam_shares){20, 1, 1, false}, r == 0);
        loss = sgm_affine(g, loss, 1.0f / (float)c->sampler.rounds, 0);
        w->loss = r ? sgm_add(g, w->loss, loss) : loss;
    }
}

/* The appendix's words: the answer of a round goes into the next one as logits, not as a mask; of
 * the first round's three it is the one that is rated best, later there is one. */
static void check_handed_on(const desk *d, const whole *w, sgm_train_plan *plan)
{
    int side = 4 * d->config.model.grid, cells = side * side, masks = 4;
    float *logits = malloc((size_t)(2 * masks * cells) * sizeof *logits), ratings[8];
    for (int r = 0; r < 10; r++) {
        CHECK_OK(sgm_train_plan_get(plan, w->answers[2 * r], logits));
        CHECK_OK(sgm_train_plan_get(plan, w->answers[2 * r + 1], ratings));
        const float *next = sgm_rounds_question(d->rounds, r + 1).masks;
        for (int b = 0; b < 2; b++) {
            int best = r ? 0 : 1;
            for (int m = 2; !r && m < masks; m++)
                if (ratings[b * masks + m] > ratings[b * masks + best]) best = m;
            double most = 0, size = 0;
            for (int i = 0; i < cells; i++) {
                double wanted = logits[(b * masks + best) * cells + i];
                most = fmax(most, fabs(next[b * cells + i] - wanted));
                size = fmax(size, fabs(wanted));
            }
            CHECK(size > 0 && most <= 1e-5 * size); /* the same network, in one graph or in parts */
        }
    }
    free(logits);
}

static double root_of_squares(const float *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)values[i] * values[i];
    return sqrt(sum);
}

static void compare_gradients(desk *d, sgm_params *other)
{
    double largest = 0;
    int compared = 0;
    for (int i = 0; i < sgm_params_count(d->params); i++) {
        const sgm_parameter *p = sgm_params_get(d->params, i);
        if (p->grad) largest = fmax(largest, root_of_squares(p->grad, p->count));
    }
    for (int i = 0; i < sgm_params_count(d->params); i++) {
        const sgm_parameter *p = sgm_params_get(d->params, i), *q = sgm_params_find(other, p->name);
        double difference = 0, size;
        if (!p->grad || !CHECK(q && q->grad)) continue;
        size = root_of_squares(q->grad, q->count);
        for (int64_t k = 0; k < p->count; k++)
            difference += pow((double)p->grad[k] - q->grad[k], 2);
        compared++;
        if (!CHECK(sqrt(difference) <= 2e-5 * size + 1e-7 * largest))
            fprintf(stderr, "    %s: %g of %g\n", p->name, sqrt(difference), size);
    }
    CHECK(compared > 60);
}

static void check_gradients(void)
{
    desk d;
    whole w = {0};
    sgm_params *other = NULL;
    sgm_train_plan *plan = NULL;
    float loss = 0, rounds = 0;
    if (open_desk(&d, VIT ASKED "rounds = 11\n")) {
        sgm_first_values first = {.family = d.config.model.family, .seed = 5};
        draw(&d, 4);
        CHECK_OK(sgm_params_clear_grads(d.params));
        CHECK_OK(sgm_rounds_run(d.rounds, &d.batch, sgm_rng_at(9, 4), 0.5f));
        memcpy(&rounds, sgm_rounds_loss(d.rounds), sizeof rounds);
        build_whole(&d, &w);
        CHECK_OK(sgm_params_create(d.backend, sgm_first_values_read, &first, sgm_is_trainable,
                                   &d.config, &other));
        if (CHECK_OK(sgm_train_plan_create(w.graph, other, w.loss, 22, w.answers, false, &plan))) {
            CHECK_OK(sgm_train_plan_set(plan, w.image, d.batch.image));
            CHECK_OK(sgm_train_plan_set(plan, w.target, d.batch.target));
            for (int r = 0; r < 11; r++) {
                sgm_round_question q = sgm_rounds_question(d.rounds, r);
                CHECK_OK(sgm_train_plan_set(plan, w.coords[r], q.coords));
                CHECK_OK(sgm_train_plan_set(plan, w.labels[r], q.labels));
                if (r) CHECK_OK(sgm_train_plan_set(plan, w.masks[r], q.masks));
            }
            CHECK_OK(sgm_train_plan_step(plan, 0.5f));
            CHECK_OK(sgm_train_plan_get(plan, w.loss, &loss));
            CHECK(fabsf(loss - rounds) <= 1e-5f * loss);
            check_handed_on(&d, &w, plan);
            compare_gradients(&d, other);
        }
    }
    sgm_train_plan_destroy(plan);
    sgm_graph_destroy(w.graph);
    sgm_params_destroy(other);
    close_desk(&d);
}

/* The gradient of an input that was asked for is the slope of the loss. */
static void check_input_gradients(void)
{
    enum { N = 12 };
    sgm_context *context;
    sgm_context_options how = {.device = SGM_DEVICE_REFERENCE, .precision = SGM_PRECISION_FP32};
    sgm_params *params = NULL;
    sgm_train_plan *plan = NULL;
    float x[N], slope[N], low, high;
    if (!CHECK_OK(sgm_context_create(&how, &context))) return;
    sgm_first_values first = {.seed = 1};
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    sgm_node *in = sgm_input(g, "x", SGM_F32, SGM_SHAPE(3, 4));
    sgm_node *weight = sgm_param(g, SGM_SHAPE(2, 4), "w.weight");
    sgm_node *y = sgm_act_node(g, sgm_linear(g, in, weight, NULL), SGM_ACT_GELU);
    sgm_node *loss = sgm_reshape(
        g,
        sgm_matmul(g, sgm_reshape(g, y, SGM_SHAPE(1, 1, 6)), sgm_reshape(g, y, SGM_SHAPE(1, 1, 6))),
        SGM_SHAPE(1));
    sgm_node *inputs[1] = {in};
    sgm_train_request request = {.loss = loss, .input_count = 1, .inputs = inputs};
    for (int i = 0; i < N; i++)
        x[i] = (float)(i * 5 % 7) / 4 - 0.6f;
    if (CHECK_OK(sgm_params_create(sgm_context_backend(context), sgm_first_values_read, &first,
                                   NULL, NULL, &params)) &&
        CHECK_OK(sgm_train_plan_make(g, params, &request, &plan))) {
        CHECK_OK(sgm_train_plan_set(plan, in, x));
        CHECK_OK(sgm_train_plan_forward(plan));
        CHECK_OK(sgm_train_plan_backward(plan, 2));
        CHECK_OK(sgm_train_plan_gradient(plan, in, slope));
        for (int i = 0; i < N; i++) {
            float kept = x[i];
            x[i] = kept + 0.01f;
            CHECK_OK(sgm_train_plan_set(plan, in, x));
            CHECK_OK(sgm_train_plan_forward(plan));
            CHECK_OK(sgm_train_plan_get(plan, loss, &high));
            x[i] = kept - 0.01f;
            CHECK_OK(sgm_train_plan_set(plan, in, x));
            CHECK_OK(sgm_train_plan_forward(plan));
            CHECK_OK(sgm_train_plan_get(plan, loss, &low));
            x[i] = kept;
            CHECK(fabsf(slope[i] - 2 * (high - low) / 0.02f) <= 2e-3f * (1 + fabsf(slope[i])));
        }
    }
    sgm_train_plan_destroy(plan);
    sgm_params_destroy(params);
    sgm_graph_destroy(g);
    sgm_context_destroy(context);
}

/* ------------------------------------------------------------------------------- late inputs */

enum { LATE_ROWS = 8, LATE_WIDTH = 64, LATE_VALUES = LATE_ROWS * LATE_WIDTH };

/* Early values that only a late sum reads, beside others of their size: memory that is used again
 * too soon would show. */
typedef struct late_graph {
    sgm_node *early, *late, *loss;
} late_graph;

static late_graph make_late_graph(sgm_graph *g)
{
    sgm_shape flat = SGM_SHAPE(1, 1, LATE_VALUES), square = SGM_SHAPE(LATE_WIDTH, LATE_WIDTH);
    late_graph l = {.early = sgm_input(g, "early", SGM_F32, SGM_SHAPE(LATE_ROWS, LATE_WIDTH)),
                    .late = sgm_input(g, "late", SGM_F32, SGM_SHAPE(LATE_ROWS, LATE_WIDTH))};
    sgm_node *first = sgm_linear(g, l.late, sgm_param(g, square, "late.weight"), NULL);
    sgm_node *stream = sgm_linear(g, l.early, sgm_param(g, square, "a.weight"), NULL);
    sgm_node *sum = sgm_add(g, stream, l.early);
    sgm_node *deeper = sgm_act_node(g, sum, SGM_ACT_GELU);
    deeper = sgm_linear(g, deeper, sgm_param(g, square, "b.weight"), NULL);
    sgm_node *second = sgm_act_node(g, sgm_add(g, first, stream), SGM_ACT_GELU);
    sgm_node *all = sgm_add(g, sgm_add(g, second, deeper), sum);
    l.loss = sgm_reshape(g, sgm_matmul(g, sgm_reshape(g, all, flat), sgm_reshape(g, all, flat)),
                         SGM_SHAPE(1));
    return l;
}

static void fill(float *values, int factor)
{
    for (int i = 0; i < LATE_VALUES; i++)
        values[i] = (float)(i * factor % 17) / 16 - 0.5f;
}

static int count_gradients(sgm_params *params)
{
    int count = 0;
    for (int i = 0; i < sgm_params_count(params); i++)
        count += (int)sgm_params_get(params, i)->count;
    return count;
}

/* The loss and then all gradients of a run with the second late values: of a whole run, or of the
 * late part after a run with the first. */
static void run_late(sgm_params *params, sgm_train_plan *plan, const late_graph *l, bool whole,
                     float *numbers)
{
    float values[LATE_VALUES];
    CHECK_OK(sgm_params_clear_grads(params));
    fill(values, 5);
    CHECK_OK(sgm_train_plan_set(plan, l->early, values));
    fill(values, 3);
    CHECK_OK(sgm_train_plan_set(plan, l->late, values));
    CHECK_OK(sgm_train_plan_forward(plan));
    for (int pass = 0; pass < 2; pass++) { /* a device records the second */
        fill(values, pass ? 7 : 11);
        CHECK_OK(sgm_train_plan_set(plan, l->late, values));
        if (!pass)
            CHECK_OK((whole ? sgm_train_plan_forward : sgm_train_plan_forward_late)(plan));
        else
            CHECK_OK((whole ? sgm_train_plan_submit : sgm_train_plan_submit_late)(plan, 1));
    }
    CHECK_OK(sgm_train_plan_get(plan, l->loss, numbers++));
    for (int i = 0; i < sgm_params_count(params); i++) {
        const sgm_parameter *p = sgm_params_get(params, i);
        memcpy(numbers, p->grad, (size_t)p->count * sizeof *numbers);
        numbers += p->count;
    }
}

static void check_late_inputs(sgm_device device)
{
    sgm_context *context;
    sgm_context_options how = {.device = device, .precision = SGM_PRECISION_FP32};
    sgm_params *params = NULL;
    sgm_train_plan *plan = NULL;
    if (!CHECK_OK(sgm_context_create(&how, &context))) return;
    sgm_first_values first = {.seed = 1};
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    late_graph l = make_late_graph(g);
    sgm_train_request request = {.loss = l.loss, .late_count = 1, .late = &l.late};
    if (CHECK_OK(sgm_params_create(sgm_context_backend(context), sgm_first_values_read, &first,
                                   NULL, NULL, &params)) &&
        CHECK_OK(sgm_train_plan_make(g, params, &request, &plan))) {
        size_t count = 1 + (size_t)count_gradients(params);
        float *want = calloc(count, sizeof *want), *got = calloc(count, sizeof *got);
        run_late(params, plan, &l, true, want);
        run_late(params, plan, &l, false, got);
        CHECK(count == 1 + 3 * LATE_WIDTH * LATE_WIDTH && want[0] > 0);
        CHECK(!memcmp(want, got, count * sizeof *want));
        free(want);
        free(got);
    }
    sgm_train_plan_destroy(plan);
    sgm_params_destroy(params);
    sgm_graph_destroy(g);
    sgm_context_destroy(context);
}

/* --------------------------------------------------------------------------------- drop path */

enum { DROP_BLOCKS = 3, DROP_BRANCHES = 2 * DROP_BLOCKS };

/* The values of the blocks of a network whose branches are multiplied as an input says. */
typedef struct tapped {
    sgm_node *block[DROP_BLOCKS], *drop;
} tapped;

static void note_block(void *user, const char *stage, sgm_node *value)
{
    tapped *t = user;
    int block, used = 0;
    if (sscanf(stage, "block%d%n", &block, &used) == 1 && !stage[used] && block < DROP_BLOCKS)
        t->block[block] = value;
}

/* A block's value [2, 8, 8, 32] with these multipliers. */
static void run_blocks(sgm_train_plan *plan, const tapped *t, const float *keep, int block,
                       float *out)
{
    CHECK_OK(sgm_train_plan_set(plan, t->drop, keep));
    CHECK_OK(sgm_train_plan_forward(plan));
    CHECK_OK(sgm_train_plan_get(plan, t->block[block], out));
}

/* A branch is what is multiplied, and of that sample alone: beside the shortcut a branch of weight
 * w gives w times what it gives. The last branch of a block is the one whose output is a sum. */
static void check_branch(sgm_train_plan *plan, const tapped *t, int block)
{
    enum { COUNT = 8 * 8 * 32 };
    static float at[3][2 * COUNT];
    static const float weights[3] = {0, 1, 2.5f};
    float keep[2 * DROP_BRANCHES];
    double off = 0, size = 0;
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < 2 * DROP_BRANCHES; i++)
            keep[i] = 1;
        keep[2 * block + 1] = weights[k]; /* the first sample's MLP */
        run_blocks(plan, t, keep, block, at[k]);
    }
    for (int i = 0; i < COUNT; i++) {
        double branch = (double)at[1][i] - at[0][i];
        off = fmax(off, fabs(at[2][i] - at[0][i] - 2.5 * branch));
        size = fmax(size, fabs(branch));
    }
    CHECK(size > 1e-2 && off <= 1e-5 * fmax(size, 1));
    CHECK(!memcmp(at[0] + COUNT, at[2] + COUNT, COUNT * sizeof(float)));
}

static void check_branches(void)
{
    desk d;
    tapped t = {0};
    sgm_train_plan *plan = NULL;
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    float keep[2 * DROP_BRANCHES] = {0};
    static float patches[2 * 8 * 8 * 32], last[2 * 8 * 8 * 32];
    if (open_desk(&d, VIT ASKED "rounds = 1\ndrop_path = 0.5\n")) {
        sgm_net net = {.graph = g, .tap = note_block, .tap_user = &t};
        sgm_node *image = sgm_input(g, "image", SGM_F32, SGM_SHAPE(2, 32, 32, 3));
        net.drop = t.drop = sgm_drop_input(g, &d.config);
        sgm_encode(&net, &d.config.model, image);
        draw(&d, 3);
        if (CHECK_OK(
                sgm_train_plan_create(g, d.params, NULL, DROP_BLOCKS, t.block, false, &plan)) &&
            CHECK_OK(sgm_train_plan_set(plan, image, d.batch.image))) {
            for (int b = 0; b < DROP_BLOCKS; b++)
                check_branch(plan, &t, b);
            /* without any branch the last block gives what the first was given */
            run_blocks(plan, &t, keep, 0, patches);
            run_blocks(plan, &t, keep, DROP_BLOCKS - 1, last);
            CHECK(!memcmp(patches, last, sizeof last));
        }
    }
    sgm_train_plan_destroy(plan);
    sgm_graph_destroy(g);
    close_desk(&d);
}

/* Block b of n loses a branch in rate * b / (n - 1) of the samples; what is kept is made larger, so
 * that the mean stays. Validation keeps all. */
static void check_chances(void)
{
    enum { DRAWS = 4000 };
    desk d;
    sgm_train_plan *plan = NULL;
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    float keep[2 * DROP_BRANCHES];
    int lost[DROP_BRANCHES] = {0};
    if (open_desk(&d, VIT ASKED "rounds = 1\ndrop_path = 0.5\n")) {
        sgm_node *drop = sgm_drop_input(g, &d.config), *same = sgm_affine(g, drop, 1, 0);
        sgm_rng rng = sgm_rng_at(3, 1);
        CHECK_OK(sgm_train_plan_create(g, d.params, NULL, 1, &same, false, &plan));
        for (int n = 0; plan && n < DRAWS; n++) {
            CHECK_OK(sgm_drop_feed(plan, drop, 0.5, &rng));
            CHECK_OK(sgm_train_plan_forward(plan));
            CHECK_OK(sgm_train_plan_get(plan, same, keep));
            for (int i = 0; i < 2 * DROP_BRANCHES; i++) {
                double chance = 0.25 * (i % DROP_BRANCHES / 2);
                CHECK(keep[i] == 0 || fabs(keep[i] - 1 / (1 - chance)) < 1e-6);
                lost[i % DROP_BRANCHES] += keep[i] == 0;
            }
        }
        for (int i = 0; i < DROP_BRANCHES; i++) /* five deviations of 8000 draws */
            CHECK(fabs(lost[i] / (2.0 * DRAWS) - 0.25 * (i / 2)) < (i < 2 ? 1e-9 : 0.028));
        CHECK_OK(sgm_drop_feed(plan, drop, 0.5, NULL));
        CHECK_OK(sgm_train_plan_forward(plan));
        CHECK_OK(sgm_train_plan_get(plan, same, keep));
        for (int i = 0; i < 2 * DROP_BRANCHES; i++)
            CHECK(keep[i] == 1);
    }
    sgm_train_plan_destroy(plan);
    sgm_graph_destroy(g);
    close_desk(&d);
}

/* -------------------------------------------------------------------------------------- runs */

static run new_run(const char *out, const char *settings)
{
    remove_folder(out);
    write_config("rounds.cfg", settings);
    return (run){.device = SGM_DEVICE_CPU, .config = "rounds.cfg", .pack = PACK, .out = out};
}

static void check_resume(void)
{
    static const char settings[] = VIT ASKED "rounds = 5\nlayer_decay = 0.8\ndrop_path = 0.3\n"
                                             "steps = 6\naccumulate = 2\nvalidate_every = 0\n"
                                             "save_every = 0\nreport_every = 1\n"
                                             "optimizer = adamw\nweight_decay = 0.1\n";
    run whole = new_run("rounds_whole", settings), broken = new_run("rounds_broken", settings);
    broken.stop_at = 3;
    CHECK_OK(train(&whole));
    CHECK_STATUS(train(&broken), SGM_CANCELLED, NULL);
    broken.stop_at = 0;
    broken.resume = 1;
    CHECK_OK(train(&broken));
    check_same_file(&whole, &broken, "last.safetensors");
    remove_folder("rounds_whole");
    remove_folder("rounds_broken");
}

/* Asked eleven times it learns to be corrected, and one point is enough for more. */
static void check_learns(void)
{
    run r = new_run("rounds_learn", VIT ASKED "rounds = 11\nsteps = 40\nrate = 3e-3\n"
                                              "validate_every = 0\nsave_every = 0\n"
                                              "validate_objects = 8\nreport_every = 4\n");
    if (CHECK_OK(train(&r))) CHECK(r.loss[r.losses - 1] < 0.75 * r.loss[0]);
    remove_folder("rounds_learn");
}

static void refused(const char *settings, sgm_status status, const char *message)
{
    char text[2048];
    snprintf(text, sizeof text, "%s" ASKED "steps = 1\nsave_every = 0\n", settings);
    run r = new_run("rounds_refused", text);
    CHECK_STATUS(train(&r), status, message);
    remove_folder("rounds_refused");
}

static void check_refusals(void)
{
    refused(VIT "rounds = 3\n", SGM_INVALID_ARGUMENT, "wanted 1, or 4 to 32");
    refused(VIT "rounds = 33\n", SGM_UNREADABLE, "from 1 to 32");
    refused(VIT "rounds = 11\ntarget = picture\n", SGM_INVALID_ARGUMENT, "target = low");
    refused(NETWORK "drop_path = 0.1\n", SGM_INVALID_ARGUMENT, "no branches");
    refused(NETWORK "layer_decay = 0.8\n", SGM_INVALID_ARGUMENT, "layer_decay");
}

/* ------------------------------------------------------------------- how fast which layer learns
 */

static void check_layers(void)
{
    sgm_train_config c;
    if (!CHECK_OK(sgm_train_config_parse(VIT ASKED "layer_decay = 0.8\n", "test", &c))) return;
    CHECK(fabs(sgm_layer_rate(&c, "mask_decoder.iou_token.weight") - 1) < 1e-6);
    CHECK(fabs(sgm_layer_rate(&c, "image_encoder.neck.0.weight") - 1) < 1e-6);
    CHECK(fabs(sgm_layer_rate(&c, "image_encoder.blocks.2.norm1.weight") - 0.8) < 1e-6);
    CHECK(fabs(sgm_layer_rate(&c, "image_encoder.blocks.0.attn.rel_pos_h") - 0.512) < 1e-6);
    CHECK(fabs(sgm_layer_rate(&c, "image_encoder.patch_embed.proj.weight") - 0.4096) < 1e-6);
    CHECK(fabs(sgm_layer_rate(&c, "image_encoder.pos_embed") - 0.4096) < 1e-6);
}

static void step(sgm_optim_options options, float rate, double learning_rate, float *value)
{
    float gradient = 0.3f, first = 0, second = 0;
    sgm_trained t = {.name = "p",
                     .count = 1,
                     .matrix = true,
                     .value = value,
                     .rate = rate,
                     .gradient = &gradient,
                     .first = &first,
                     .second = &second};
    sgm_optim_numbers numbers = sgm_optim_numbers_of(&options, learning_rate, 1, 0, 0);
    CHECK_OK(sgm_optim_step(NULL, &numbers, &t, 1));
}

/* A tensor's share of the rate is what that rate alone would do, decay included. */
static void check_rates(void)
{
    static const sgm_optim_options kinds[] = {{SGM_OPTIMIZER_SGD, 0.9, 0.999, 1e-8, 0.1, true},
                                              {SGM_OPTIMIZER_ADAM, 0.9, 0.999, 1e-8, 0.1, true},
                                              {SGM_OPTIMIZER_ADAMW, 0.9, 0.999, 1e-8, 0.1, true}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        float shared = 0.7f, alone = 0.7f;
        step(kinds[k], 0.25f, 0.1, &shared);
        step(kinds[k], 1, 0.025, &alone);
        CHECK(shared != 0.7f && fabsf(shared - alone) < 1e-7f);
    }
}

int main(void)
{
    make_pack(PACK, 6, false);
    check_layers();
    check_rates();
    check_input_gradients();
    check_late_inputs(SGM_DEVICE_REFERENCE);
    check_late_inputs(SGM_DEVICE_CPU);
    check_gradients();
    check_branches();
    check_chances();
    check_schedule();
    check_refusals();
    check_resume();
    check_learns();
    unlink(PACK);
    unlink("rounds.cfg");
    return check_report();
}
