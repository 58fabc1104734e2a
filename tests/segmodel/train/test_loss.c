/* Losses against the official training code's values and gradients, and against finite
 * differences. argv[1]: folder of losses.safetensors. */
#include <stdlib.h>

#include "../check.h"
#include "../hash_weights.h"
#include "backend/ref/loss.h"
#include "checkpoint/checkpoint.h"
#include "train/loss.h"
#include "train/rng.h"

enum { SIDE = 48, BATCH = 2, PIXELS = BATCH * SIDE * SIDE };

typedef struct golden {
    sgm_checkpoint *file;
    float logits[PIXELS], target[PIXELS];
} golden;

static sgm_tensor tensor_of(float *data, sgm_shape shape)
{
    return (sgm_tensor){data, SGM_F32, shape};
}

/* The number behind "key": in the metadata's JSON text. */
static double golden_value(const golden *g, const char *key)
{
    char quoted[128];
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const char *text = sgm_checkpoint_metadata(g->file, "values");
    const char *at = text ? strstr(text, quoted) : NULL;
    CHECK(at != NULL);
    return at ? strtod(at + strlen(quoted), NULL) : NAN;
}

static void check_gradient(const golden *g, const char *name, const float *grad, int64_t count)
{
    char key[128];
    int64_t idx[256];
    float want[256], got[256];
    snprintf(key, sizeof key, "grad.%s.idx", name);
    const sgm_stored_tensor *places = sgm_checkpoint_find(g->file, key);
    snprintf(key, sizeof key, "grad.%s.val", name);
    const sgm_stored_tensor *values = sgm_checkpoint_find(g->file, key);
    if (!CHECK(places && values && places->count == 256 && values->count == 256)) return;
    sgm_stored_tensor_read_raw(places, 0, 256, idx);
    sgm_stored_tensor_read_f32(values, want);
    for (int i = 0; i < 256; i++)
        got[i] = CHECK(idx[i] >= 0 && idx[i] < count) ? grad[idx[i]] : NAN;
    /* the reference itself is FP32 arithmetic: 1e-5 of the spread of its values */
    check_nrmse(name, got, want, 256, 1e-5);
}

typedef struct part {
    int kind;
    float value[4];
    double weight;
} part;

/* Value and gradient of a weighted sum of losses. */
static void check_sum(const golden *g, const char *target, const char *name, int count,
                      const part parts[])
{
    static float grad[PIXELS], truth[PIXELS];
    char key[96];
    double sum = 0;
    memcpy(truth, g->target, sizeof truth);
    memset(grad, 0, sizeof grad);
    sgm_shape shape = SGM_SHAPE(BATCH, 1, SIDE, SIDE);
    sgm_tensor in[2] = {tensor_of((float *)g->logits, shape), tensor_of(truth, shape)};
    sgm_tensor grads[2] = {tensor_of(grad, shape), {0}};
    bool add[2] = {true, false};
    for (int i = 0; i < count; i++) {
        float loss = NAN;
        CHECK_OK(sgm_loss_forward(parts[i].kind, parts[i].value, 2, in, &loss));
        CHECK_OK(sgm_loss_backward(parts[i].kind, parts[i].value, 2, in, (float)parts[i].weight,
                                   grads, add));
        sum += parts[i].weight * loss;
    }
    snprintf(key, sizeof key, "%s.%s", target, name);
    CHECK_NEAR(sum, golden_value(g, key), 2e-6);
    check_gradient(g, key, grad, PIXELS);
}

static void check_target(golden *g, const char *target)
{
    static const part samus_bce = {SGM_LOSS_BCE, {2}, 1};
    static const part samus_dice = {SGM_LOSS_DICE, {1e-5f, 1e-5f, 1, 0}, 1};
    static const part surgical = {SGM_LOSS_DICE, {0, 2e-3f, 1, 1}, 1};
    static const part boundary = {SGM_LOSS_BOUNDARY, {1e-5f}, 1};
    static const part focal = {SGM_LOSS_FOCAL, {0.25f, 2}, 1};
    static const part sam_dice = {SGM_LOSS_DICE, {1, 1, 0, 1}, 1};
    static const part samus[2] = {{SGM_LOSS_BCE, {2}, 0.2},
                                  {SGM_LOSS_DICE, {1e-5f, 1e-5f, 1, 0}, 0.8}};
    static const part samihs[2] = {{SGM_LOSS_BCE, {2}, 0.5}, {SGM_LOSS_BOUNDARY, {1e-5f}, 0.5}};
    char key[32];
    snprintf(key, sizeof key, "gt.%s", target);
    const sgm_stored_tensor *t = sgm_checkpoint_find(g->file, key);
    if (!CHECK(t && t->count == PIXELS)) return;
    sgm_stored_tensor_read_f32(t, g->target);
    check_sum(g, target, "samus_bce", 1, &samus_bce);
    check_sum(g, target, "msa_bce", 1, &samus_bce);
    check_sum(g, target, "samus_dice", 1, &samus_dice);
    check_sum(g, target, "samus_total", 2, samus);
    check_sum(g, target, "samihs_bd", 1, &boundary);
    check_sum(g, target, "samihs_total", 2, samihs);
    check_sum(g, target, "surgical_dice", 1, &surgical);
    check_sum(g, target, "sam_focal", 1, &focal);
    check_sum(g, target, "sam_dice", 1, &sam_dice);
}

/* A small random problem for each kind, gradients against central differences. */
typedef struct problem {
    int kind, count;
    float value[4];
    sgm_shape shape[4];
} problem;

static const problem PROBLEMS[] = {
    {SGM_LOSS_BCE, 2, {2}, {{2, {2, 12}}, {2, {2, 12}}}},
    {SGM_LOSS_DICE, 2, {1, 1, 0, 1}, {{2, {3, 8}}, {2, {3, 8}}}},
    {SGM_LOSS_DICE, 2, {1e-5f, 1e-5f, 1, 0}, {{2, {3, 8}}, {2, {3, 8}}}},
    {SGM_LOSS_FOCAL, 2, {0.25f, 2}, {{2, {2, 12}}, {2, {2, 12}}}},
    {SGM_LOSS_FOCAL, 2, {0.6f, 1.5f}, {{2, {2, 12}}, {2, {2, 12}}}},
    {SGM_LOSS_BOUNDARY, 2, {1e-5f}, {{3, {2, 5, 6}}, {3, {2, 5, 6}}}},
    {SGM_LOSS_BOUNDARY, 2, {1e-5f, 1}, {{3, {2, 5, 6}}, {3, {2, 5, 6}}}},
    {SGM_LOSS_RANGE, 2, {0}, {{2, {2, 12}}, {2, {2, 12}}}},
    {SGM_LOSS_CROSS_ENTROPY, 2, {0}, {{3, {2, 4, 5}}, {2, {2, 5}}}},
    {SGM_LOSS_DICE_SOFTMAX, 2, {1e-5f}, {{3, {2, 4, 5}}, {2, {2, 5}}}},
    {SGM_LOSS_MSE, 2, {0}, {{2, {3, 7}}, {2, {3, 7}}}},
    {SGM_LOSS_SAM, 3, {20, 1, 1, 0}, {{4, {2, 4, 4, 5}}, {2, {2, 4}}, {3, {2, 4, 5}}}},
    {SGM_LOSS_SAM, 4, {20, 1, 1, 1}, {{4, {3, 4, 4, 5}}, {2, {3, 4}}, {3, {3, 4, 5}}, {1, {3}}}},
    {SGM_LOSS_SAM, 3, {10, 1, 1, 3}, {{4, {2, 4, 4, 5}}, {2, {2, 4}}, {3, {2, 4, 5}}}},
    {SGM_LOSS_PROTOTYPE, 3, {0.5f}, {{2, {3, 6}}, {2, {5, 6}}, {1, {5}}}},
};

/* An object that is not there: whatever is drawn has an IoU of 0, and so has drawing nothing, so
 * that the rating says whether there is an object at all. */
static void check_empty_target(void)
{
    static const float value[4] = {0, 0, 1, 0};
    for (int drawn = 0; drawn < 2; drawn++) {
        float logits[4] = {-3, -3, -3, drawn ? 3 : -3}, iou[1] = {0.7f}, target[4] = {0};
        float grad_iou[1] = {0}, loss = NAN;
        sgm_tensor in[3] = {tensor_of(logits, SGM_SHAPE(1, 1, 2, 2)),
                            tensor_of(iou, SGM_SHAPE(1, 1)), tensor_of(target, SGM_SHAPE(1, 2, 2))};
        sgm_tensor grads[3] = {{0}, tensor_of(grad_iou, SGM_SHAPE(1, 1)), {0}};
        bool add[3] = {false};
        CHECK_OK(sgm_loss_forward(SGM_LOSS_SAM, value, 3, in, &loss));
        CHECK_OK(sgm_loss_backward(SGM_LOSS_SAM, value, 3, in, 1, grads, add));
        CHECK_NEAR(loss, 0.49, 1e-5);
        CHECK_NEAR(grad_iou[0], 1.4, 1e-5);
    }
}

static int differentiable(const problem *p)
{
    return p->kind == SGM_LOSS_SAM || p->kind == SGM_LOSS_PROTOTYPE ? 2 : 1;
}

static void fill_problem(const problem *p, sgm_rng *rng, float *data[4])
{
    bool classes = p->kind == SGM_LOSS_CROSS_ENTROPY || p->kind == SGM_LOSS_DICE_SOFTMAX;
    for (int i = 0; i < p->count; i++)
        for (int64_t k = 0; k < sgm_shape_count(p->shape[i]); k++) {
            double u = sgm_rng_unit(rng);
            bool target = i == (p->kind == SGM_LOSS_SAM ? 2 : 1) && p->kind != SGM_LOSS_PROTOTYPE;
            data[i][k] = (float)(4 * u - 2);
            /* the true IoU jumps where a logit changes its sign */
            if (fabs(data[i][k]) < 0.02) data[i][k] = 0.02f;
            if (target) data[i][k] = classes ? (float)(int)(4 * u) : u < 0.4;
            /* the logarithm of an extreme jumps to its limit: the least is no object, the most is
             */
            if (p->kind == SGM_LOSS_RANGE && i == 0 && k % 12 < 2) data[i][k] = k % 12 ? 3 : -3;
            if (p->kind == SGM_LOSS_RANGE && i == 1 && k % 12 < 2) data[i][k] = (float)(k % 12);
            if (p->kind == SGM_LOSS_PROTOTYPE && i == 2) data[i][k] = (float)(int)(3 * u);
            if (p->kind == SGM_LOSS_SAM && i == 3) data[i][k] = (float)(0.5 + u);
        }
}

static void check_problem(const problem *p)
{
    float memory[4][256], grads[4][256];
    float *data[4] = {memory[0], memory[1], memory[2], memory[3]};
    sgm_tensor in[4] = {{0}}, grad[4] = {{0}};
    bool accumulate[4] = {false};
    sgm_rng rng = sgm_rng_at(5, (uint64_t)(p - PROBLEMS));
    fill_problem(p, &rng, data);
    for (int i = 0; i < p->count; i++) {
        in[i] = tensor_of(data[i], p->shape[i]);
        grad[i] = tensor_of(grads[i], p->shape[i]);
    }
    CHECK_OK(sgm_loss_backward(p->kind, p->value, p->count, in, 1.5f, grad, accumulate));
    for (int i = 0; i < differentiable(p); i++)
        for (int64_t k = 0; k < sgm_shape_count(p->shape[i]); k++) {
            float kept = data[i][k], up = NAN, down = NAN, h = 2e-3f;
            data[i][k] = kept + h;
            CHECK_OK(sgm_loss_forward(p->kind, p->value, p->count, in, &up));
            data[i][k] = kept - h;
            CHECK_OK(sgm_loss_forward(p->kind, p->value, p->count, in, &down));
            data[i][k] = kept;
            /* FP32 losses around 10 leave 1e-6 / h of noise */
            CHECK_NEAR(grads[i][k], 1.5 * ((double)up - down) / (2.0 * h), 2.5e-3);
        }
    for (int i = differentiable(p); i < p->count; i++)
        for (int64_t k = 0; k < sgm_shape_count(p->shape[i]); k++)
            CHECK(grads[i][k] == 0);
}

static void check_edges(void)
{
    float prototypes[2] = {1, 0}, embedding[2] = {1, 0}, label[1] = {9}, loss = NAN;
    sgm_tensor in[3] = {tensor_of(prototypes, SGM_SHAPE(1, 2)),
                        tensor_of(embedding, SGM_SHAPE(1, 2)), tensor_of(label, SGM_SHAPE(1))};
    float value[4] = {0.07f};
    CHECK_OK(sgm_loss_forward(SGM_LOSS_PROTOTYPE, value, 3, in, &loss));
    CHECK(loss == 0); /* no pair of a prototype and its embedding */
    sgm_shape shapes[3] = {SGM_SHAPE(2, 4), SGM_SHAPE(2, 5)};
    CHECK_STATUS(sgm_loss_check(SGM_LOSS_BCE, value, 2, shapes), SGM_INVALID_ARGUMENT, "2x5");
    CHECK_STATUS(sgm_loss_check(99, value, 2, shapes), SGM_INVALID_ARGUMENT, "99");
    CHECK_STATUS(sgm_loss_check(SGM_LOSS_BCE, value, 1, shapes), SGM_INVALID_ARGUMENT, "wanted 2");
}

/* The boundary-sensitive loss in both forms beside the formulas in FP64. */
static void check_both_forms(const char *folder)
{
    static const struct {
        const char *name;
        double code, paper;
    } CASES[] = {{"disc", 0.8869882483213463, 0.7553372140111069},
                 {"small", 0.9783141500094491, 0.9953649331343922},
                 {"line", 0.9357192170210653, 1.0},
                 {"border", 0.9142135010310267, 0.8461970638689358},
                 {"full", 0.7783859531646611, 0.3952468772245692},
                 {"empty", 1.0, 1.0},
                 {"noisy", 0.6880038968996388, 0.786485118215078}};
    static float logits[PIXELS], target[PIXELS], grad[PIXELS], wanted[PIXELS];
    char path[4096], key[64];
    sgm_checkpoint *file;
    snprintf(path, sizeof path, "%s/boundary.safetensors", folder);
    if (!CHECK_OK(sgm_checkpoint_open(path, &file))) return;
    for (size_t i = 0; i < 2 * sizeof CASES / sizeof *CASES; i++) {
        bool paper = i % 2;
        const char *name = CASES[i / 2].name;
        float value[4] = {1e-5f, paper}, loss = NAN;
        bool add[2] = {false};
        snprintf(key, sizeof key, "logits.%s", name);
        const sgm_stored_tensor *x = sgm_checkpoint_find(file, key);
        snprintf(key, sizeof key, "target.%s", name);
        const sgm_stored_tensor *t = sgm_checkpoint_find(file, key);
        snprintf(key, sizeof key, "grad_%s.%s", paper ? "paper" : "code", name);
        const sgm_stored_tensor *g = sgm_checkpoint_find(file, key);
        if (!CHECK(x && t && g && x->count == PIXELS && t->count == PIXELS && g->count == PIXELS))
            continue;
        sgm_stored_tensor_read_f32(x, logits);
        sgm_stored_tensor_read_f32(t, target);
        sgm_stored_tensor_read_f32(g, wanted);
        sgm_shape shape = SGM_SHAPE(BATCH, 1, SIDE, SIDE);
        sgm_tensor in[2] = {tensor_of(logits, shape), tensor_of(target, shape)};
        sgm_tensor grads[2] = {tensor_of(grad, shape), {0}};
        CHECK_OK(sgm_loss_forward(SGM_LOSS_BOUNDARY, value, 2, in, &loss));
        CHECK_OK(sgm_loss_backward(SGM_LOSS_BOUNDARY, value, 2, in, 1, grads, add));
        CHECK_NEAR(loss, paper ? CASES[i / 2].paper : CASES[i / 2].code, 1e-5 * loss);
        double most = 0, error = 0;
        for (int k = 0; k < PIXELS; k++) {
            most = fmax(most, fabs((double)wanted[k]));
            error = fmax(error, fabs((double)grad[k] - wanted[k]));
        }
        if (!CHECK(error <= 1e-5 * most)) fprintf(stderr, "    %s: %g of %g\n", key, error, most);
    }
    sgm_checkpoint_close(file);
}

int main(int argc, char **argv)
{
    static const char *const TARGETS[] = {"disc", "small", "edge", "full", "empty", "thin"};
    static golden g;
    char path[4096];
    snprintf(path, sizeof path, "%s/losses.safetensors", argc > 1 ? argv[1] : ".");
    if (CHECK_OK(sgm_checkpoint_open(path, &g.file))) {
        const sgm_stored_tensor *logits = sgm_checkpoint_find(g.file, "logits");
        if (CHECK(logits && logits->count == PIXELS)) {
            sgm_stored_tensor_read_f32(logits, g.logits);
            for (size_t i = 0; i < sizeof TARGETS / sizeof *TARGETS; i++)
                check_target(&g, TARGETS[i]);
        }
        sgm_checkpoint_close(g.file);
    }
    for (size_t i = 0; i < sizeof PROBLEMS / sizeof *PROBLEMS; i++)
        check_problem(&PROBLEMS[i]);
    check_both_forms(argc > 1 ? argv[1] : ".");
    check_edges();
    check_empty_target();
    return check_report();
}
