/* The graph and its plans: sticky errors, folding, fusion, memory that is never shared by values
 * alive at the same time, limits, cancelling. */
#include <stdlib.h>

#include "check.h"
#include "plan/layout.h"
#include "plan/plan.h"

static sgm_status read_ones(void *user, const char *name, sgm_shape shape, const float **values,
                            bool *owned)
{
    int64_t count = sgm_shape_count(shape);
    float *v = malloc((size_t)count * sizeof *v);
    (void)name;
    if (user) ++*(int *)user;
    for (int64_t i = 0; i < count; i++)
        v[i] = 1.0f + 0.25f * (float)(i % 3);
    *values = v;
    *owned = true;
    return SGM_OK;
}

static sgm_status refuse_w(void *user, const char *name, sgm_shape wanted)
{
    (void)user, (void)wanted;
    return strcmp(name, "bad.weight") ? SGM_OK
                                      : sgm_fail(SGM_BAD_MODEL, "%s: wanted 2x2, found 3x3", name);
}

static void test_errors_stick(void)
{
    sgm_graph *g = sgm_graph_create(refuse_w, NULL);
    sgm_node *x = sgm_input(g, "x", SGM_F32, SGM_SHAPE(2, 2));
    sgm_node *w = sgm_param(g, SGM_SHAPE(2, 2), "bad.weight");
    CHECK(!w && !sgm_linear(g, x, w, NULL));
    CHECK(!sgm_input(g, "y", SGM_F32, SGM_SHAPE(1)));
    CHECK_STATUS(sgm_graph_status(g), SGM_BAD_MODEL, "bad.weight: wanted 2x2, found 3x3");
    sgm_graph_destroy(g);

    g = sgm_graph_create(NULL, NULL);
    x = sgm_input(g, "x", SGM_F32, SGM_SHAPE(2, 3));
    CHECK(!sgm_add(g, x, sgm_input(g, "y", SGM_F32, SGM_SHAPE(2, 4))));
    CHECK_STATUS(sgm_graph_status(g), SGM_INVALID_ARGUMENT, "2x3 and 2x4");
    sgm_graph_destroy(g);
}

static void test_layout(void)
{
    sgm_lifetime p[40];
    size_t total = 0;
    for (int i = 0; i < 40; i++)
        p[i] = (sgm_lifetime){(size_t)(i * 37 % 11) * 50, i % 13, i % 13 + i % 5, 0};
    CHECK_OK(sgm_layout(p, 40, &total));
    for (int i = 0; i < 40; i++) {
        CHECK(p[i].offset % 64 == 0 && p[i].offset + p[i].size <= total);
        for (int k = 0; k < i; k++)
            CHECK(!p[i].size || !p[k].size || p[i].last < p[k].first || p[k].last < p[i].first ||
                  p[i].offset + p[i].size <= p[k].offset || p[k].offset + p[k].size <= p[i].offset);
    }
}

static sgm_status always_cancelled(void *user)
{
    (void)user;
    return sgm_fail(SGM_CANCELLED, "cancelled");
}

/* y = gelu(x W^T scale + b) + x with W * scale folded and the rest fused into one step. */
static sgm_node *block(sgm_graph *g, sgm_node *x)
{
    sgm_node *w =
        sgm_mul(g, sgm_param(g, SGM_SHAPE(4, 4), "w"), sgm_param(g, SGM_SHAPE(4, 1), "s"));
    sgm_node *y = sgm_linear(g, x, w, sgm_param(g, SGM_SHAPE(4), "b"));
    return sgm_add(g, x, sgm_act_node(g, y, SGM_ACT_GELU));
}

static void run_block(sgm_backend *backend, float out[8], int *reads)
{
    const float in[8] = {0.5f, -1, 0.25f, 2, -0.125f, 0, 1, -2};
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    sgm_node *x = sgm_input(g, "x", SGM_F32, SGM_SHAPE(2, 4)), *y = block(g, x);
    sgm_weights *weights = NULL;
    sgm_plan *plan = NULL, *again = NULL;
    sgm_workspace *space = NULL;
    CHECK_OK(sgm_weights_create(backend, read_ones, reads, &weights));
    CHECK_OK(sgm_plan_create(g, weights, 1, &y, NULL, &plan));
    CHECK_OK(sgm_workspace_create(plan, &space));
    CHECK_OK(sgm_workspace_set(space, x, in));
    CHECK_OK(sgm_plan_run(plan, space));
    CHECK_OK(sgm_plan_run(plan, space)); /* inputs survive a run */
    CHECK_OK(sgm_workspace_get(space, y, out));
    char *dump = sgm_plan_dump(plan);
    int lines = 0;
    for (const char *c = dump; c && *c; c++)
        lines += *c == '\n';
    CHECK(lines == (strcmp(backend->ops->name, "ref") ? 1 : 3));
    free(dump);

    sgm_plan_options options = {.memory_limit = 16};
    CHECK_STATUS(sgm_plan_create(g, weights, 1, &y, &options, &again), SGM_OUT_OF_MEMORY, "limit");
    options = (sgm_plan_options){.cancelled = always_cancelled};
    CHECK_OK(sgm_plan_create(g, weights, 1, &y, &options, &again));
    CHECK_STATUS(sgm_plan_run(again, space), SGM_CANCELLED, "cancelled");
    sgm_workspace_destroy(space);
    sgm_plan_destroy(plan);
    sgm_plan_destroy(again);
    sgm_weights_destroy(weights);
    sgm_graph_destroy(g);
}

static void test_plan(void)
{
    sgm_backend *ref = NULL, *cpu = NULL;
    float a[8], b[8];
    int reads = 0;
    CHECK_OK(sgm_ref_create(&ref));
    CHECK_OK(sgm_cpu_create(2, &cpu));
    run_block(ref, a, NULL);
    run_block(cpu, b, &reads);
    CHECK(reads == 3);                         /* w, s, b: once each although two plans were made */
    check_close("block", b, a, 8, 1e-6, 1e-6); /* F32 rounding of four products */
    ref->ops->destroy(ref);
    cpu->ops->destroy(cpu);
}

/* x + W2 gelu(W1 x + b1) + b2 over rows whose hidden values are more than a turn's: 4099 rows in
 * three turns (two in BF16), or at once when the hidden values are asked for. */
enum { ROWS = 4099, WIDTH = 24, HIDDEN = 3072 };

typedef struct mlp_run {
    float *out;
    size_t workspace;
} mlp_run;

static void run_mlp(sgm_backend *backend, bool bf16, bool at_once, mlp_run *run)
{
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    sgm_node *x = sgm_input(g, "x", SGM_F32, SGM_SHAPE(1, ROWS, WIDTH));
    sgm_node *w1 = sgm_param(g, SGM_SHAPE(HIDDEN, WIDTH), "w1");
    sgm_node *w2 = sgm_param(g, SGM_SHAPE(WIDTH, HIDDEN), "w2");
    sgm_node *hidden = sgm_linear(g, x, w1, sgm_param(g, SGM_SHAPE(HIDDEN), "b1"));
    hidden = sgm_act_node(g, hidden, SGM_ACT_GELU);
    sgm_node *y = sgm_linear(g, hidden, w2, sgm_param(g, SGM_SHAPE(WIDTH), "b2"));
    sgm_node *outputs[2] = {sgm_add(g, x, y), hidden};
    float *in = malloc(ROWS * WIDTH * sizeof *in);
    for (int i = 0; i < ROWS * WIDTH; i++)
        in[i] = (float)(i * 29 % 113) / 64 - 0.9f;
    sgm_weights *weights = NULL;
    sgm_plan *plan = NULL;
    sgm_workspace *space = NULL;
    sgm_plan_options options = {.bf16 = bf16, .inputs_once = true};
    CHECK_OK(sgm_weights_create(backend, read_ones, NULL, &weights));
    CHECK_OK(sgm_plan_create(g, weights, at_once ? 2 : 1, outputs, &options, &plan));
    CHECK_OK(sgm_workspace_create(plan, &space));
    CHECK_OK(sgm_workspace_set(space, x, in));
    CHECK_OK(sgm_plan_run(plan, space));
    run->out = malloc(ROWS * WIDTH * sizeof *run->out);
    CHECK_OK(sgm_workspace_get(space, outputs[0], run->out));
    run->workspace = sgm_plan_workspace_bytes(plan);
    sgm_workspace_destroy(space);
    sgm_plan_destroy(plan);
    sgm_weights_destroy(weights);
    sgm_graph_destroy(g);
    free(in);
}

static void test_turns(void)
{
    const size_t hidden = (size_t)ROWS * HIDDEN * sizeof(float);
    for (int bf16 = 0; bf16 <= (int)sgm_cpu_has_bf16(); bf16++)
        for (int threads = 1; threads <= 2; threads++) {
            sgm_backend *cpu = NULL;
            mlp_run turns = {0}, whole = {0};
            CHECK_OK(sgm_cpu_create(threads, &cpu));
            run_mlp(cpu, bf16, false, &turns);
            run_mlp(cpu, bf16, true, &whole);
            CHECK(memcmp(turns.out, whole.out, ROWS * WIDTH * sizeof(float)) == 0);
            CHECK(whole.workspace > hidden);
            CHECK(turns.workspace < hidden / 2);
            free(turns.out);
            free(whole.out);
            cpu->ops->destroy(cpu);
        }
}

/* With inputs that are set before every run, a chain of three values needs the place of two. */
static void test_inputs_once(void)
{
    sgm_backend *cpu = NULL;
    sgm_weights *weights = NULL;
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    sgm_node *x = sgm_input(g, "x", SGM_F32, SGM_SHAPE(1024, 16)), *y = x;
    for (int i = 0; i < 3; i++)
        y = sgm_softmax(g, y);
    CHECK_OK(sgm_cpu_create(1, &cpu));
    CHECK_OK(sgm_weights_create(cpu, read_ones, NULL, &weights));
    for (int once = 0; once < 2; once++) {
        sgm_plan *plan = NULL;
        sgm_plan_options options = {.inputs_once = once};
        CHECK_OK(sgm_plan_create(g, weights, 1, &y, &options, &plan));
        CHECK(sgm_plan_workspace_bytes(plan) == (once ? 2 : 3) * 1024 * 16 * sizeof(float));
        sgm_plan_destroy(plan);
    }
    sgm_weights_destroy(weights);
    sgm_graph_destroy(g);
    cpu->ops->destroy(cpu);
}

int main(void)
{
    test_errors_stick();
    test_layout();
    test_plan();
    test_turns();
    test_inputs_once();
    return check_report();
}
