/* A training plan whose steps do the work of others (plan/train_fuse.c) gives the gradients of one
 * that runs them singly, bit for bit, with any number of threads, and needs no more memory. */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "core/cpu_features.h"
#include "core/status.h"
#include "graph/loss.h"
#include "plan/train_plan.h"

/* Sides and channels that fill neither panels nor vectors, and some that do. */
enum { BATCH = 2, HEIGHT = 7, WIDTH = 9, MOST = 400000 };

static float numbers[MOST];

static void draw_numbers(void)
{
    uint32_t state = 1;
    for (int i = 0; i < MOST; i++) {
        state = state * 1664525u + 1013904223u;
        numbers[i] = ((float)(state >> 8) / 8388608.0f - 1.0f) * 0.3f;
    }
}

static sgm_status read_weights(void *user, const char *name, sgm_shape shape, const float **values,
                               bool *owned)
{
    (void)user, (void)shape;
    int at = 0;
    for (const char *p = name; *p; p++)
        at = at * 31 + *p;
    *values = numbers + (unsigned)at % 1000;
    *owned = false;
    return SGM_OK;
}

static sgm_node *weight(sgm_graph *g, const char *name, sgm_shape shape)
{
    return sgm_param(g, shape, "%s", name);
}

static sgm_node *linear(sgm_graph *g, sgm_node *x, int from, int to, const char *name)
{
    char bias[32];
    snprintf(bias, sizeof bias, "%s.b", name);
    return sgm_linear(g, x, weight(g, name, SGM_SHAPE(to, from)), weight(g, bias, SGM_SHAPE(to)));
}

static sgm_node *conv(sgm_graph *g, sgm_node *x, int from, int to, int kernel, int stride,
                      bool depthwise, const char *name)
{
    char bias[32];
    snprintf(bias, sizeof bias, "%s.b", name);
    return sgm_conv2d(g, x, weight(g, name, SGM_SHAPE(to, depthwise ? 1 : from, kernel, kernel)),
                      weight(g, bias, SGM_SHAPE(to)), stride, kernel / 2, depthwise ? to : 1);
}

/* Layers, activations and sums as the encoder of a TinyViT and the upsampling of a mask decoder
 * have them; c channels, and h hidden ones. */
static sgm_node *network(sgm_graph *g, sgm_node *x, int c, int h, sgm_act act)
{
    x = sgm_act_node(g, conv(g, x, c, c, 3, 1, false, "stem"), act);
    sgm_node *wide = sgm_act_node(g, conv(g, x, c, h, 1, 1, false, "conv1"), act);
    wide = sgm_act_node(g, conv(g, wide, h, h, 3, 1, true, "conv2"), act);
    x = sgm_act_node(g, sgm_add(g, conv(g, wide, h, c, 1, 1, false, "conv3"), x), act);
    x = sgm_add(g, x, conv(g, x, c, c, 3, 1, true, "local"));
    wide = sgm_act_node(g, linear(g, x, c, h, "fc1"), act);
    x = sgm_add(g, linear(g, wide, h, c, "fc2"), x);
    x = sgm_act_node(g, conv(g, x, c, c, 3, 2, true, "down"), act); /* feeds a strided one: */
    x = sgm_act_node(g, conv(g, x, c, c, 3, 2, false, "down2"), act);
    x = sgm_act_node(g, sgm_conv_transpose(g, x, weight(g, "up", SGM_SHAPE(c, c, 2, 2)), NULL),
                     act);
    x = sgm_act_node(g,
                     sgm_layernorm(g, x, weight(g, "gamma", SGM_SHAPE(c)),
                                   weight(g, "beta", SGM_SHAPE(c)), 1e-5f),
                     act);
    sgm_node *both = sgm_act_node(g, linear(g, x, c, c, "two"), act); /* read twice */
    return sgm_add(g, sgm_act_node(g, both, act), linear(g, both, c, c, "last"));
}

typedef struct outcome {
    float *gradients;
    float loss;
    size_t count, bytes;
} outcome;

static void read_gradients(sgm_params *params, outcome *o)
{
    o->gradients = malloc(sizeof(float) * MOST);
    for (int i = 0; o->gradients && i < sgm_params_count(params); i++) {
        const sgm_parameter *p = sgm_params_get(params, i);
        memcpy(o->gradients + o->count, p->grad, (size_t)p->count * sizeof(float));
        o->count += (size_t)p->count;
    }
}

/* Two steps: the second reads memory that the first has used. */
static outcome run(int c, int h, sgm_act act, int threads, bool fused)
{
    outcome o = {0};
    sgm_backend *cpu;
    if (!CHECK_OK(sgm_cpu_create(threads, &cpu))) return o;
    sgm_backend_ops ops = *cpu->ops;
    const sgm_backend_ops *own = cpu->ops;
    if (!fused) ops.keeps_slope = NULL;
    cpu->ops = &ops;
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    sgm_node *x = sgm_input(g, "x", SGM_F32, SGM_SHAPE(BATCH, HEIGHT, WIDTH, c));
    sgm_node *y = network(g, x, c, h, act), *target = sgm_input(g, "target", SGM_F32, y->shape);
    sgm_node *in[2] = {y, target};
    const float values[4] = {0};
    sgm_node *loss = sgm_loss(g, SGM_LOSS_MSE, values, 2, in);
    sgm_params *params = NULL;
    sgm_train_plan *plan = NULL;
    if (CHECK_OK(sgm_params_create(cpu, read_weights, NULL, NULL, NULL, &params)) &&
        CHECK_OK(sgm_train_plan_create(g, params, loss, 0, NULL, false, &plan))) {
        for (int i = 0; i < 2; i++) {
            CHECK_OK(sgm_train_plan_set(plan, x, numbers + 5000));
            CHECK_OK(sgm_train_plan_set(plan, target, numbers + 7000));
            CHECK_OK(sgm_train_plan_step(plan, 1));
        }
        CHECK_OK(sgm_train_plan_get(plan, loss, &o.loss));
        read_gradients(params, &o);
        o.bytes = sgm_train_plan_bytes(plan);
    }
    sgm_train_plan_destroy(plan);
    sgm_graph_destroy(g);
    sgm_params_destroy(params);
    cpu->ops = own;
    cpu->ops->destroy(cpu);
    return o;
}

static void check_network(int c, int h, sgm_act act)
{
    outcome single = run(c, h, act, 1, false);
    CHECK(single.count > 0 && single.loss > 0);
    for (int threads = 1; threads <= 3; threads++) {
        outcome fused = run(c, h, act, threads, true);
        CHECK(fused.loss == single.loss && fused.count == single.count &&
              fused.bytes <= single.bytes);
        CHECK(fused.gradients && single.gradients &&
              !memcmp(fused.gradients, single.gradients, sizeof(float) * single.count));
        free(fused.gradients);
    }
    free(single.gradients);
}

int main(void)
{
    static const sgm_act acts[] = {SGM_ACT_GELU, SGM_ACT_RELU, SGM_ACT_SIGMOID, SGM_ACT_TANH,
                                   SGM_ACT_LEAKY_RELU};
    static const sgm_isa isas[] = {SGM_ISA_BASE, SGM_ISA_AVX2, SGM_ISA_AVX512};
    draw_numbers();
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        sgm_cpu_limit(isas[i], SGM_BF16_NONE);
        for (size_t a = 0; a < sizeof acts / sizeof *acts; a++)
            check_network(5, 37, acts[a]);
        check_network(16, 48, SGM_ACT_GELU);
        check_network(32, 72, SGM_ACT_GELU);
        check_network(43, 190, SGM_ACT_GELU);
    }
    return check_report();
}
