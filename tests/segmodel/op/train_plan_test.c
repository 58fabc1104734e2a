/* What a training plan does where memory or a device fails: gradients are right or there are none.
 * Linked with --wrap for calloc. */
#include <stdlib.h>

#include "check.h"
#include "core/status.h"
#include "graph/loss.h"
#include "plan/plan.h"
#include "plan/train_plan.h"

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static long until_failure = -1; /* allocations that still succeed; -1: all */
static int failed;

void *__wrap_calloc(size_t count, size_t size)
{
    if (until_failure < 0 || until_failure-- > 0) return __real_calloc(count, size);
    failed++;
    return NULL;
}

enum { ROWS = 2, WIDTH = 4 };

static sgm_status read_weights(void *user, const char *name, sgm_shape shape, const float **values,
                               bool *owned)
{
    static const float w[WIDTH * WIDTH] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    (void)user, (void)name, (void)shape;
    *values = w;
    *owned = false;
    return SGM_OK;
}

/* The loss of y + tanh(y), y = W x: y's gradient comes from two places. */
typedef struct network {
    sgm_params *params;
    sgm_graph *graph;
    sgm_node *x, *target, *loss;
} network;

static int make_network(sgm_backend *backend, network *n)
{
    n->graph = sgm_graph_create(NULL, NULL);
    n->x = sgm_input(n->graph, "x", SGM_F32, SGM_SHAPE(ROWS, WIDTH));
    n->target = sgm_input(n->graph, "target", SGM_F32, SGM_SHAPE(ROWS, WIDTH));
    sgm_node *w = sgm_param(n->graph, SGM_SHAPE(WIDTH, WIDTH), "w");
    sgm_node *y = sgm_linear(n->graph, n->x, w, NULL);
    sgm_node *z = sgm_add(n->graph, y, sgm_act_node(n->graph, y, SGM_ACT_TANH));
    sgm_node *in[2] = {z, n->target};
    const float values[4] = {0};
    n->loss = sgm_loss(n->graph, SGM_LOSS_MSE, values, 2, in);
    return CHECK_OK(sgm_params_create(backend, read_weights, NULL, NULL, NULL, &n->params));
}

static void drop_network(network *n)
{
    sgm_graph_destroy(n->graph);
    sgm_params_destroy(n->params);
}

/* Sums the gradients of `steps` steps of a plan. */
static void run(network *n, sgm_train_plan *plan, int steps, float gradient[WIDTH * WIDTH])
{
    const float x[ROWS * WIDTH] = {.1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f};
    const float target[ROWS * WIDTH] = {0};
    for (int i = 0; i < steps; i++) {
        CHECK_OK(sgm_train_plan_set(plan, n->x, x));
        CHECK_OK(sgm_train_plan_set(plan, n->target, target));
        CHECK_OK(sgm_train_plan_step(plan, 1));
    }
    memcpy(gradient, sgm_params_get(n->params, 0)->grad, WIDTH * WIDTH * sizeof *gradient);
}

/* Every allocation fails once: no plan, or one that computes as the others do. */
static void check_memory(void)
{
    float want[WIDTH * WIDTH], got[WIDTH * WIDTH];
    sgm_status status = SGM_OUT_OF_MEMORY;
    long at = -1;
    for (; at < 100; at++) {
        sgm_backend *cpu;
        network n;
        sgm_train_plan *plan = NULL;
        if (!CHECK_OK(sgm_cpu_create(1, &cpu)) || !make_network(cpu, &n)) return;
        failed = 0;
        until_failure = at;
        status = sgm_train_plan_create(n.graph, n.params, n.loss, 0, NULL, false, &plan);
        until_failure = -1;
        CHECK(status == (failed ? SGM_OUT_OF_MEMORY : SGM_OK));
        if (status == SGM_OK) run(&n, plan, 2, at < 0 ? want : got);
        if (status == SGM_OK && at >= 0) CHECK(!memcmp(want, got, sizeof want));
        sgm_train_plan_destroy(plan);
        drop_network(&n);
        cpu->ops->destroy(cpu);
        if (at >= 0 && !failed) break;
    }
    CHECK(status == SGM_OK && at >= 5);
}

/* A device that records, and cannot start what it recorded. */
static int recorded, started;

static sgm_status begin_recording(sgm_backend *backend)
{
    (void)backend;
    return SGM_OK;
}

static sgm_status end_recording(sgm_backend *backend, void **recording)
{
    (void)backend;
    recorded++;
    *recording = malloc(1);
    return SGM_OK;
}

static sgm_status start_recording(sgm_backend *backend, void *recording)
{
    (void)backend, (void)recording;
    started++;
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to start it");
}

static void drop_recording(sgm_backend *backend, void *recording)
{
    (void)backend;
    free(recording);
}

/* The steps are submitted one by one then, from that run on. (What is recorded here is also
 * computed, and cleared.) */
static void check_recording(void)
{
    sgm_backend *cpu;
    network n;
    sgm_train_plan *plan = NULL;
    float one[WIDTH * WIDTH], got[WIDTH * WIDTH];
    if (!CHECK_OK(sgm_cpu_create(1, &cpu)) || !make_network(cpu, &n)) return;
    sgm_backend_ops ops = *cpu->ops;
    ops.capture_begin = begin_recording;
    ops.capture_end = end_recording;
    ops.replay = start_recording;
    ops.capture_free = drop_recording;
    const sgm_backend_ops *before = cpu->ops;
    cpu->ops = &ops;
    CHECK_OK(sgm_train_plan_create(n.graph, n.params, n.loss, 0, NULL, false, &plan));
    float *gradient = sgm_params_get(n.params, 0)->grad;
    run(&n, plan, 1, one);
    run(&n, plan, 1, got); /* is recorded, cannot be started */
    CHECK(recorded == 2 && started == 2);
    for (int i = 0; i < 3; i++) {
        memset(gradient, 0, sizeof one);
        run(&n, plan, 1, got);
        CHECK(!memcmp(one, got, sizeof one));
    }
    CHECK(recorded == 2 && started == 2);
    sgm_train_plan_destroy(plan);
    drop_network(&n);
    cpu->ops = before;
    cpu->ops->destroy(cpu);
}

int main(void)
{
    check_memory();
    check_recording();
    return check_report();
}
