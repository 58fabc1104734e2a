/* op_test forward|bf16|gradient|gradient16|nan [cpu|cuda [WORD]]: every op on a backend, or the
 * cases with WORD in their name.
 *
 *   forward   in F32 against the reference loops
 *   bf16      in BF16 against the reference loops (skipped where the device has none)
 *   gradient  reference gradients against finite differences, then the backend's against them
 *   gradient16  the backend's gradients in BF16 against the reference
 *   nan       NaN among the inputs of what chooses between numbers: both backends as PyTorch
 *
 * Without the device: one line and exit code 77.
 *
 * The graph's parameters are the inputs: values are uniform in [-1, 1) by a hash of name and index.
 * The scalar that is differentiated is the sum of the output times fixed random weights. */
#include <stdlib.h>

#include "backend/ref/ref_ops.h"
#include "check.h"
#include "op_cases.h"
#include "plan/plan.h"
#include "plan/train_plan.h"

static const char *word = "";

static bool chosen(const op_case *c)
{
    return strstr(c->name, word) != NULL;
}

static double uniform(uint64_t key, uint64_t index)
{
    uint64_t z = key * 0x9E3779B97F4A7C15u + index * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 40) * 0x1p-23 - 1;
}

static float *random_values(uint64_t key, int64_t count)
{
    float *values = malloc((size_t)count * sizeof *values);
    for (int64_t i = 0; values && i < count; i++)
        values[i] = (float)uniform(key, (uint64_t)i);
    return values;
}

/* Some of the values are NaN, now and then two side by side. */
static bool with_nan;

static sgm_status read_param(void *user, const char *name, sgm_shape shape, const float **values,
                             bool *owned)
{
    (void)user;
    float *drawn = random_values((uint64_t)name[1] * 77 + 5, sgm_shape_count(shape));
    for (int64_t i = 0; with_nan && drawn && i < sgm_shape_count(shape); i++)
        if (i % 7 == 2 || i % 11 == 3) drawn[i] = NAN;
    *values = drawn;
    *owned = true;
    return *values ? SGM_OK : SGM_OUT_OF_MEMORY;
}

typedef struct outcome {
    float *values;
    int64_t count;
} outcome;

static outcome outcome_of(const sgm_node *out)
{
    int64_t count = sgm_shape_count(out->shape);
    return (outcome){malloc((size_t)count * sizeof(float)), count};
}

/* One forward run of a training plan: weights packed on the fly, nothing fused. */
static outcome run_plain(const op_case *c, sgm_backend *backend, bool bf16)
{
    outcome result = {0};
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    sgm_params *params = NULL;
    sgm_train_plan *plan = NULL;
    op_case_first_is_input = false;
    sgm_node *out = c->build(g);
    CHECK_OK(sgm_graph_status(g));
    CHECK_OK(sgm_params_create(backend, read_param, NULL, NULL, NULL, &params));
    if (CHECK_OK(sgm_train_plan_create(g, params, NULL, 1, &out, bf16, &plan))) {
        CHECK_OK(sgm_train_plan_forward(plan));
        result = outcome_of(out);
        CHECK_OK(sgm_train_plan_get(plan, out, result.values));
    }
    sgm_train_plan_destroy(plan);
    sgm_params_destroy(params);
    sgm_graph_destroy(g);
    return result;
}

/* The input named p0 gets the values the parameter would have. */
static void set_input(sgm_graph *g, sgm_workspace *space)
{
    for (int i = 0; i < sgm_graph_size(g); i++) {
        const sgm_node *node = sgm_graph_node(g, i);
        const float *values = NULL;
        bool owned;
        if (node->op != SGM_OP_INPUT) continue;
        CHECK_OK(read_param(NULL, "p0", node->shape, &values, &owned));
        CHECK_OK(sgm_workspace_set(space, node, values));
        free((void *)values);
    }
}

/* An inference plan: constants folded, weights packed, epilogues fused, values stored as BF16. */
static outcome run_planned(const op_case *c, sgm_backend *backend, bool bf16)
{
    outcome result = {0};
    sgm_graph *g = sgm_graph_create(NULL, NULL);
    sgm_weights *weights = NULL;
    sgm_plan *plan = NULL;
    sgm_workspace *space = NULL;
    sgm_plan_options options = {.bf16 = bf16};
    op_case_first_is_input = true;
    sgm_node *out = c->build(g);
    CHECK_OK(sgm_graph_status(g));
    CHECK_OK(sgm_weights_create(backend, read_param, NULL, &weights));
    if (CHECK_OK(sgm_plan_create(g, weights, 1, &out, &options, &plan)) &&
        CHECK_OK(sgm_workspace_create(plan, &space))) {
        set_input(g, space);
        CHECK_OK(sgm_plan_run(plan, space));
        result = outcome_of(out);
        CHECK_OK(sgm_workspace_get(space, out, result.values));
    }
    sgm_workspace_destroy(space);
    sgm_plan_destroy(plan);
    sgm_weights_destroy(weights);
    sgm_graph_destroy(g);
    return result;
}

/* Error against the reference relative to its RMS value; NaN propagates. */
static double norm_of(const float *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)values[i] * values[i];
    return sqrt(sum);
}

/* Where `want` is zero throughout, the difference is measured against `size_of_zero`. */
static double relative_error(const float *got, const float *want, int64_t count,
                             double size_of_zero)
{
    double error = 0, norm = norm_of(want, count);
    for (int64_t i = 0; i < count; i++)
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
    return error == 0 ? 0 : sqrt(error) / (norm > 0 ? norm : size_of_zero);
}

static void judge(const op_case *c, const char *how, outcome want, outcome got, double limit)
{
    char what[160];
    double error =
        want.values && got.values ? relative_error(got.values, want.values, want.count, 1) : NAN;
    snprintf(what, sizeof what, "%s (%s): relative error %.3g, allowed %.3g", c->name, how, error,
             limit);
    check_that(error <= limit, what, __FILE__, __LINE__);
    free(got.values);
}

static void compare(const op_case *c, sgm_backend *ref, sgm_backend *device, bool bf16,
                    double limit)
{
    outcome want = run_plain(c, ref, false);
    judge(c, "plain", want, run_plain(c, device, bf16), limit);
    judge(c, "planned", want, run_planned(c, device, bf16), limit);
    judge(c, "reference, planned", want, run_planned(c, ref, false), 1e-7);
    free(want.values);
}

/* F32: sums of up to 768 products, each rounded at 6e-8, err by sqrt(768) 6e-8 = 1.7e-6 of their
 * size at worst; exp, erf and tanh by polynomials good to 2e-7. */
static void test_forward(sgm_backend *ref, sgm_backend *device)
{
    for (int i = 0; i < op_case_count; i++)
        if (chosen(&op_cases[i]))
            compare(&op_cases[i], ref, device, false,
                    op_cases[i].forward ? op_cases[i].forward : 1.7e-6);
}

/* BF16 has 8 bits: each factor is off by up to 2^-9, probabilities too; sums average it out. */
static void test_bf16(sgm_backend *ref, sgm_backend *device)
{
    if (!strcmp(device->ops->name, "cpu") && !sgm_cpu_has_bf16()) {
        printf("skipped: this CPU does not multiply BF16\n");
        exit(77);
    }
    for (int i = 0; i < op_case_count; i++)
        if (chosen(&op_cases[i]))
            compare(&op_cases[i], ref, device, true, op_cases[i].bf16 ? op_cases[i].bf16 : 6e-3);
}

/* ---------------------------------------------------------------------------------- gradients */

typedef struct differentiated {
    sgm_graph *graph;
    sgm_params *params;
    sgm_train_plan *plan;
    sgm_node *loss;
} differentiated;

static bool differentiate(const op_case *c, sgm_backend *backend, bool bf16, differentiated *d)
{
    d->graph = sgm_graph_create(NULL, NULL);
    op_case_first_is_input = false;
    sgm_node *out = c->build(d->graph);
    float *weights = out ? random_values(99, sgm_shape_count(out->shape)) : NULL;
    if (out)
        d->loss =
            sgm_sum(d->graph, sgm_mul(d->graph, out, sgm_data(d->graph, out->shape, weights)), 0);
    free(weights);
    CHECK_OK(sgm_params_create(backend, read_param, NULL, NULL, NULL, &d->params));
    return CHECK_OK(sgm_train_plan_create(d->graph, d->params, d->loss, 0, NULL, bf16, &d->plan));
}

static void forget(differentiated *d)
{
    sgm_train_plan_destroy(d->plan);
    sgm_params_destroy(d->params);
    sgm_graph_destroy(d->graph);
}

static double loss_at(differentiated *d)
{
    float loss = NAN;
    CHECK_OK(sgm_train_plan_forward(d->plan));
    CHECK_OK(sgm_train_plan_get(d->plan, d->loss, &loss));
    return loss;
}

/* Central difference along a random direction of one parameter: <gradient, direction>. Values are
 * moved by 2^-7; the curvature of these ops leaves an error of about 1e-4 of the gradient's size,
 * and F32 losses of size ~10 a noise of 1e-6 / 2^-7. */
static void check_parameter(const op_case *c, differentiated *d, sgm_parameter *p, int which)
{
    const double h = 0x1p-7;
    float *direction = random_values(1000 + (uint64_t)which, p->count), *saved;
    double along = 0, size = 0, up, down;
    saved = malloc((size_t)p->count * sizeof *saved);
    memcpy(saved, p->value, (size_t)p->count * sizeof *saved);
    for (int64_t i = 0; i < p->count; i++) {
        along += (double)p->grad[i] * direction[i];
        size += fabs((double)p->grad[i] * direction[i]);
    }
    for (int64_t i = 0; i < p->count; i++)
        p->value[i] = (float)(saved[i] + h * direction[i]);
    up = loss_at(d);
    for (int64_t i = 0; i < p->count; i++)
        p->value[i] = (float)(saved[i] - h * direction[i]);
    down = loss_at(d);
    memcpy(p->value, saved, (size_t)p->count * sizeof *saved);
    double numeric = (up - down) / (2 * h), limit = 2e-3 * size + 2e-3;
    char what[160];
    snprintf(what, sizeof what, "%s, parameter %s: gradient %.6g, finite difference %.6g", c->name,
             p->name, along, numeric);
    check_that(fabs(along - numeric) <= limit, what, __FILE__, __LINE__);
    free(direction);
    free(saved);
}

/* Host copy of a gradient; the caller frees it. */
static float *gradient_of(sgm_backend *backend, const sgm_parameter *p)
{
    float *values = calloc((size_t)p->count, sizeof *values);
    CHECK_OK(backend->ops->download(backend, values, p->grad, (size_t)p->count * sizeof *values));
    return values;
}

/* The device's gradients against the reference loops'. A gradient that vanishes (that of the
 * queries and keys of attention to one key) is what is left of larger ones: its rounding is theirs.
 */
static void compare_gradients(const op_case *c, differentiated *want, differentiated *got,
                              sgm_backend *device, double limit)
{
    double largest = 0;
    for (int k = 0; k < sgm_params_count(want->params); k++) {
        sgm_parameter *x = sgm_params_get(want->params, k);
        largest = fmax(largest, norm_of(x->grad, x->count));
    }
    for (int k = 0; k < sgm_params_count(want->params); k++) {
        sgm_parameter *x = sgm_params_get(want->params, k), *y = sgm_params_get(got->params, k);
        float *grad = gradient_of(device, y);
        double error = relative_error(grad, x->grad, x->count, largest);
        char what[128];
        snprintf(what, sizeof what, "%s, gradient of %s on %s: relative error %.3g", c->name,
                 x->name, device->ops->name, error);
        check_that(error <= limit, what, __FILE__, __LINE__);
        free(grad);
    }
}

/* In FP32 the same terms are summed in other orders, which each compiler chooses anew: gcc's code
 * stays below 2e-6, clang's has 2.12e-6 in a grid of seven rows after a layer, where all five are
 * near 2e-6. Factors of BF16 on both sides of each product: twice the error of a forward run, and
 * sums of opposite signs cancel. */
static void test_gradient(sgm_backend *ref, sgm_backend *device, bool bf16)
{
    for (int i = 0; i < op_case_count; i++) {
        const op_case *c = &op_cases[i];
        if (c->no_gradient || !chosen(c)) continue;
        differentiated a = {0}, b = {0};
        if (!differentiate(c, ref, false, &a) || !differentiate(c, device, bf16, &b)) exit(1);
        CHECK_OK(sgm_train_plan_step(a.plan, 1));
        CHECK_OK(sgm_train_plan_step(b.plan, 1));
        compare_gradients(c, &a, &b, device, bf16 ? 2e-2 : 3e-6);
        for (int k = 0; !bf16 && k < sgm_params_count(a.params); k++)
            check_parameter(c, &a, sgm_params_get(a.params, k), k);
        forget(&a);
        forget(&b);
    }
}

/* ------------------------------------------------------------------------------------------ NaN
 * PyTorch's rules: of max pooling's four values the last NaN is the largest; ReLU keeps NaN. Both
 * pass the gradient on to it. */

enum { POOL_H = 4, POOL_W = 6, POOL_C = 19, RELU_COUNT = 67 };

static sgm_node *first_param(sgm_graph *g, sgm_shape shape)
{
    return op_case_first_is_input ? sgm_input(g, "p0", SGM_F32, shape) : sgm_param(g, shape, "p0");
}

static sgm_node *pool_nan(sgm_graph *g)
{
    return sgm_maxpool(g, first_param(g, SGM_SHAPE(1, POOL_H, POOL_W, POOL_C)));
}

static sgm_node *relu_nan(sgm_graph *g)
{
    return sgm_act_node(g, first_param(g, SGM_SHAPE(RELU_COUNT)), SGM_ACT_RELU);
}

/* Which element of x output element i is; -1: none, it is 0. */
static int64_t chosen_by_pool(const float *x, int64_t i)
{
    int64_t c = i % POOL_C, pixel = i / POOL_C, best = -1;
    for (int k = 0; k < 4; k++) {
        int64_t row = pixel / (POOL_W / 2) * 2 + k / 2, column = pixel % (POOL_W / 2) * 2 + k % 2;
        int64_t at = (row * POOL_W + column) * POOL_C + c;
        if (best < 0 || x[at] > x[best] || isnan(x[at])) best = at;
    }
    return best;
}

static int64_t chosen_by_relu(const float *x, int64_t i)
{
    return x[i] <= 0 ? -1 : i;
}

static void check_same(const char *what, const float *got, const float *want, int64_t count)
{
    int64_t differ = 0;
    for (int64_t i = 0; got && i < count; i++)
        differ += got[i] != want[i] && !(isnan(got[i]) && isnan(want[i]));
    check_that(got && !differ, what, __FILE__, __LINE__);
}

static void check_nan(const op_case *c, int64_t (*choice)(const float *x, int64_t i),
                      sgm_backend *backend)
{
    const float *x;
    bool owned;
    differentiated d = {0};
    char what[96];
    if (!differentiate(c, backend, false, &d)) return;
    CHECK_OK(sgm_train_plan_step(d.plan, 1));
    sgm_parameter *p = sgm_params_get(d.params, 0);
    outcome plain = run_plain(c, backend, false), planned = run_planned(c, backend, false);
    float *grad = gradient_of(backend, p), *weights = random_values(99, plain.count);
    float *want = calloc((size_t)plain.count, sizeof *want);
    float *want_grad = calloc((size_t)p->count, sizeof *want_grad);
    CHECK_OK(read_param(NULL, "p0", (sgm_shape)SGM_SHAPE(p->count), &x, &owned));
    for (int64_t i = 0; i < plain.count; i++) {
        int64_t at = choice(x, i);
        want[i] = at < 0 ? 0 : x[at];
        if (at >= 0) want_grad[at] = weights[i];
    }
    snprintf(what, sizeof what, "%s of NaN on %s", c->name, backend->ops->name);
    check_same(what, plain.values, want, plain.count);
    check_same(what, planned.values, want, plain.count);
    check_same(what, grad, want_grad, p->count);
    free((void *)x), free(grad), free(weights), free(want), free(want_grad);
    free(plain.values), free(planned.values);
    forget(&d);
}

static void test_nan(sgm_backend *ref, sgm_backend *device)
{
    const op_case pool = {.name = "max pooling", .build = pool_nan};
    const op_case relu = {.name = "ReLU", .build = relu_nan};
    sgm_backend *backends[2] = {ref, device};
    with_nan = true;
    for (int i = 0; i < 2; i++) {
        check_nan(&pool, chosen_by_pool, backends[i]);
        check_nan(&relu, chosen_by_relu, backends[i]);
    }
}

int main(int argc, char **argv)
{
    sgm_backend *ref = NULL, *device = NULL;
    const char *mode = argc > 1 ? argv[1] : "forward";
    bool cuda = argc > 2 && !strcmp(argv[2], "cuda");
    if (argc > 3) word = argv[3];
    sgm_status status = cuda ? sgm_cuda_create(0, &device) : sgm_cpu_create(2, &device);
    if (status == SGM_DEVICE) {
        printf("skipped: %s\n", sgm_last_message());
        return 77;
    }
    if (!CHECK_OK(status) || !CHECK_OK(sgm_ref_create(&ref))) return 1;
    if (!strcmp(mode, "forward")) test_forward(ref, device);
    if (!strcmp(mode, "bf16")) test_bf16(ref, device);
    if (!strcmp(mode, "gradient")) test_gradient(ref, device, false);
    if (!strcmp(mode, "gradient16")) test_gradient(ref, device, true);
    if (!strcmp(mode, "nan")) test_nan(ref, device);
    ref->ops->destroy(ref);
    device->ops->destroy(device);
    return check_report();
}
