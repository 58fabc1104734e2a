/* What the op test has no cases for, on the CUDA backend against the reference: losses of every
 * kind with their gradients, and lookups in a table, a bad index included. */
#include <stdlib.h>

#include "../check.h"
#include "backend/backend.h"
#include "backend/ref/loss.h"
#include "plan/train_plan.h"
#include "train/loss.h"

enum {
    BATCH = 3,
    MASKS = 4,
    SIDE = 9,
    PIXELS = SIDE * SIDE,
    MANY = 1500,    /* two samples of them are more than a block's share */
    LONG_SIDE = 71, /* a picture of so many lines has two blocks */
    MOST = 2 * LONG_SIDE * LONG_SIDE
};

static double uniform(uint64_t key, uint64_t index)
{
    uint64_t z = key * 0x9E3779B97F4A7C15u + index * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 40) * 0x1p-23 - 1;
}

/* Logits and predictions: uniform in [-3, 3). */
static sgm_status read_param(void *user, const char *name, sgm_shape shape, const float **values,
                             bool *owned)
{
    int64_t count = sgm_shape_count(shape);
    float *v = malloc((size_t)count * sizeof *v);
    (void)user;
    for (int64_t i = 0; v && i < count; i++)
        v[i] = (float)(3 * uniform((uint64_t)name[1], (uint64_t)i));
    *values = v;
    *owned = true;
    return v ? SGM_OK : SGM_OUT_OF_MEMORY;
}

/* Numbers 0 .. classes - 1 in blobs. Class numbers are data from outside: some are out of range. */
static sgm_node *labels(sgm_graph *g, sgm_shape shape, int classes)
{
    static float values[MOST];
    for (int64_t i = 0; i < sgm_shape_count(shape); i++)
        values[i] = (float)((int)(8 + 8 * uniform(77, (uint64_t)(i / 5))) % classes);
    if (classes > 2) values[1] = -1, values[sgm_shape_count(shape) - 1] = 99;
    return sgm_data(g, shape, values);
}

/* A square in each image, so that the boundary is a small part of the object. */
static sgm_node *squares(sgm_graph *g, sgm_shape shape)
{
    static float values[MOST];
    for (int i = 0; i < MOST; i++) {
        int x = i % SIDE, y = i / SIDE % SIDE, image = i / PIXELS;
        values[i] = x >= image % 3 && x < SIDE - 1 && y > 0 && y < SIDE;
    }
    return sgm_data(g, shape, values);
}

typedef struct loss_case {
    const char *name;
    int kind;
    float value[4];
    int target; /* 0: masks as the logits, 1: class numbers, 2: SAM, 3: SAM with weights,
                   4: prototypes, 5: squares, 6: one pixel a sample, 7: many pixels of
                   classes, 8: of masks, 9: of SAM's */
} loss_case;

static const loss_case cases[] = {
    {"bce", SGM_LOSS_BCE, {2}, 0},
    {"dice, whole", SGM_LOSS_DICE, {1e-5f, 1e-5f, 1, 0}, 0},
    {"dice, per sample", SGM_LOSS_DICE, {1, 1, 0, 1}, 0},
    {"focal", SGM_LOSS_FOCAL, {0.25f, 2}, 0},
    {"focal, gamma 1.5", SGM_LOSS_FOCAL, {0.6f, 1.5f}, 0},
    {"boundary", SGM_LOSS_BOUNDARY, {1e-5f}, 0},
    {"boundary, large objects", SGM_LOSS_BOUNDARY, {1e-5f}, 5},
    {"boundary of the paper", SGM_LOSS_BOUNDARY, {1e-5f, 1}, 0},
    {"boundary of the paper, large objects", SGM_LOSS_BOUNDARY, {1e-5f, 1}, 5},
    {"range", SGM_LOSS_RANGE, {0}, 5},
    {"cross entropy", SGM_LOSS_CROSS_ENTROPY, {0}, 1},
    {"softmax dice", SGM_LOSS_DICE_SOFTMAX, {1e-5f}, 1},
    {"cross entropy, many pixels", SGM_LOSS_CROSS_ENTROPY, {0}, 7},
    {"softmax dice, many pixels", SGM_LOSS_DICE_SOFTMAX, {1e-5f}, 7},
    {"boundary, a row of pixels", SGM_LOSS_BOUNDARY, {1e-5f}, 6},
    {"mse", SGM_LOSS_MSE, {0}, 0},
    {"bce, many pixels", SGM_LOSS_BCE, {2}, 8},
    {"dice, per sample, many pixels", SGM_LOSS_DICE, {1, 1, 0, 1}, 8},
    {"boundary, many pixels", SGM_LOSS_BOUNDARY, {1e-5f}, 8},
    {"sam, best mask, many pixels", SGM_LOSS_SAM, {20, 1, 1, 1}, 9},
    {"sam, one mask", SGM_LOSS_SAM, {20, 1, 1, 0}, 2},
    {"sam, best mask", SGM_LOSS_SAM, {20, 1, 1, 1}, 2},
    {"sam, one mask, balanced", SGM_LOSS_SAM, {20, 1, 1, 2}, 2},
    {"sam, best mask, balanced", SGM_LOSS_SAM, {20, 1, 1, 3}, 3},
    {"sam, weights", SGM_LOSS_SAM, {20, 1, 1, 1}, 3},
    {"prototype", SGM_LOSS_PROTOTYPE, {0.07f}, 4},
};

static sgm_node *build(sgm_graph *g, const loss_case *c)
{
    sgm_node *logits = sgm_param(g, SGM_SHAPE(BATCH, MASKS, SIDE, SIDE), "p0"), *in[4] = {logits};
    if (c->target == 0) in[1] = labels(g, logits->shape, 2);
    if (c->target == 1) in[1] = labels(g, SGM_SHAPE(BATCH, SIDE, SIDE), MASKS);
    if (c->target == 5) in[1] = squares(g, logits->shape);
    if (c->target == 6) {
        in[0] = sgm_param(g, SGM_SHAPE(PIXELS), "p0");
        in[1] = labels(g, SGM_SHAPE(PIXELS), 2);
    }
    if (c->target == 7) { /* more than one block */
        in[0] = sgm_param(g, SGM_SHAPE(2, 3, MANY), "p0");
        in[1] = labels(g, SGM_SHAPE(2, MANY), 3);
    }
    if (c->target == 8) {
        in[0] = sgm_param(g, SGM_SHAPE(2, LONG_SIDE, LONG_SIDE), "p0");
        in[1] = labels(g, in[0]->shape, 2);
    }
    if (c->target == 9) {
        in[0] = sgm_param(g, SGM_SHAPE(2, MASKS, LONG_SIDE, LONG_SIDE), "p0");
        in[1] = sgm_param(g, SGM_SHAPE(2, MASKS), "p1");
        in[2] = labels(g, SGM_SHAPE(2, LONG_SIDE, LONG_SIDE), 2);
    }
    if (c->target == 2 || c->target == 3) {
        const float weights[BATCH] = {1, 0, 0.5f};
        in[1] = sgm_param(g, SGM_SHAPE(BATCH, MASKS), "p1");
        in[2] = labels(g, SGM_SHAPE(BATCH, SIDE, SIDE), 2);
        if (c->target == 3) in[3] = sgm_data(g, SGM_SHAPE(BATCH), weights);
    }
    if (c->target == 4) {
        in[0] = sgm_param(g, SGM_SHAPE(MASKS, 16), "p0");
        in[1] = sgm_param(g, SGM_SHAPE(8, 16), "p1");
        in[2] = labels(g, SGM_SHAPE(8), MASKS);
    }
    int count = 2 + ((c->target > 1 && c->target < 5) || c->target == 9) + (c->target == 3);
    return sgm_loss(g, c->kind, c->value, count, in);
}

typedef struct result {
    float loss, *grad[2];
    int64_t count[2];
    int params;
} result;

static result run(const loss_case *c, sgm_backend *backend)
{
    result r = {.loss = NAN};
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    sgm_params *params = NULL;
    sgm_train_plan *plan = NULL;
    sgm_node *loss = build(g, c);
    CHECK_OK(sgm_params_create(backend, read_param, NULL, NULL, NULL, &params));
    if (CHECK_OK(sgm_train_plan_create(g, params, loss, 0, NULL, false, &plan)) &&
        CHECK_OK(sgm_train_plan_step(plan, 1.5f)) && CHECK_OK(sgm_train_plan_step(plan, 1.5f)))
        CHECK_OK(sgm_train_plan_get(plan, loss, &r.loss));
    r.params = params ? sgm_params_count(params) : 0;
    for (int i = 0; i < r.params; i++) {
        sgm_parameter *p = sgm_params_get(params, i);
        r.count[i] = p->count;
        r.grad[i] = calloc((size_t)p->count, sizeof(float));
        CHECK_OK(
            backend->ops->download(backend, r.grad[i], p->grad, (size_t)p->count * sizeof(float)));
    }
    sgm_train_plan_destroy(plan);
    sgm_params_destroy(params);
    sgm_graph_destroy(g);
    return r;
}

/* F32 per pixel against double: exp and log good to 2e-7 each, sums in double on both sides. */
static void compare(const loss_case *c, sgm_backend *ref, sgm_backend *device)
{
    result want = run(c, ref), got = run(c, device);
    char what[128];
    snprintf(what, sizeof what, "%s: loss %.9g, wanted %.9g", c->name, (double)got.loss,
             (double)want.loss);
    check_that(fabs((double)got.loss - want.loss) <= 2e-6 * fabs((double)want.loss), what, __FILE__,
               __LINE__);
    for (int i = 0; i < want.params; i++) {
        snprintf(what, sizeof what, "%s: gradient %d", c->name, i);
        check_nrmse(what, got.grad[i], want.grad[i], (size_t)want.count[i], 2e-6);
        free(want.grad[i]);
        free(got.grad[i]);
    }
}

/* Rows of a table, one of them twice; then an index beyond it. */
static void test_gather(sgm_backend *device)
{
    const int32_t good[4] = {2, 0, 2, 1}, bad[4] = {2, 0, 3, 1};
    const float weights[4] = {1, 2, 3, 4};
    float table[6], out[8], grad[6];
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    sgm_node *index = sgm_input(g, "index", SGM_I32, SGM_SHAPE(4));
    sgm_node *rows = sgm_gather(g, sgm_param(g, SGM_SHAPE(3, 2), "p0"), index);
    sgm_node *loss = sgm_sum(g, sgm_mul(g, rows, sgm_data(g, SGM_SHAPE(4, 1), weights)), 0);
    sgm_params *params = NULL;
    sgm_train_plan *plan = NULL;
    CHECK_OK(sgm_params_create(device, read_param, NULL, NULL, NULL, &params));
    if (!CHECK_OK(sgm_train_plan_create(g, params, loss, 1, &rows, false, &plan))) return;
    sgm_parameter *p = sgm_params_get(params, 0);
    CHECK_OK(sgm_train_plan_set(plan, index, good));
    CHECK_OK(sgm_train_plan_step(plan, 1));
    CHECK_OK(sgm_train_plan_get(plan, rows, out));
    CHECK_OK(device->ops->download(device, table, p->value, sizeof table));
    CHECK_OK(device->ops->download(device, grad, p->grad, sizeof grad));
    for (int i = 0; i < 8; i++)
        CHECK(out[i] == table[good[i / 2] * 2 + i % 2]);
    const float sums[3] = {2, 4, 4}; /* of the weights that met rows 0, 1 and 2 */
    for (int i = 0; i < 6; i++)
        CHECK(grad[i] == sums[i / 2]);
    CHECK_OK(sgm_train_plan_set(plan, index, bad));
    CHECK_STATUS(sgm_train_plan_forward(plan), SGM_INTERNAL, "index");
    CHECK_OK(sgm_train_plan_set(plan, index, good));
    CHECK_OK(sgm_train_plan_forward(plan)); /* told once, then forgotten */
    sgm_train_plan_destroy(plan);
    sgm_params_destroy(params);
    sgm_graph_destroy(g);
}

int main(void)
{
    sgm_backend *ref = NULL, *device = NULL;
    sgm_status status = sgm_cuda_create(0, &device);
    if (status == SGM_DEVICE) {
        printf("skipped: %s\n", sgm_last_message());
        return 77;
    }
    if (!CHECK_OK(status) || !CHECK_OK(sgm_ref_create(&ref))) return 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        compare(&cases[i], ref, device);
    test_gather(device);
    ref->ops->destroy(ref);
    device->ops->destroy(device);
    return check_report();
}
