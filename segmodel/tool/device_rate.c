#include "device_rate.h"

#include "core/clock.h"
#include "matrix_rate.h"
#include "plan/plan.h"

#include <math.h>
#include <stdlib.h>

/* All activations come from a narrow layer of DEPTH inputs, so that little is uploaded and the wide
 * products find them as the network would: stored as BF16 in the fast mode. */
enum { DEPTH = 64, PRODUCTS = 4, PLACES = 4 };

/* PRODUCTS wide products in a row, each of the one before, or side by side, all of the same
 * activations. In the fast mode the former store BF16, the latter FP32. */
typedef struct course {
    sgm_graph *graph;
    sgm_plan *plan;
    sgm_workspace *workspace;
    sgm_node *input, *out;
} course;

struct device_rate {
    int side;
    bool bf16;
    sgm_weights *weights;
    course in_row, side_by_side;
};

/* Uniform in [-1, 1): random operands draw the power that real ones do; zeros would be faster. */
static float uniform(uint64_t key, uint64_t index)
{
    uint64_t z = key * 0x9E3779B97F4A7C15u + index * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 30)) * 0x94D049BB133111EBu;
    return (float)((double)((z ^ (z >> 31)) >> 40) * 0x1p-23 - 1);
}

/* Weights that keep the activations' variance. */
static float weight_at(const char *name, int64_t columns, int64_t i)
{
    return uniform((uint64_t)name[0], (uint64_t)i) * sqrtf(3.0f / (float)columns);
}

static sgm_status read_weight(void *user, const char *name, sgm_shape shape, const float **values,
                              bool *owned)
{
    (void)user;
    int64_t count = sgm_shape_count(shape);
    float *all = malloc((size_t)count * sizeof *all);
    if (!all) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to measure the matrix rate");
    for (int64_t i = 0; i < count; i++)
        all[i] = weight_at(name, shape.dim[1], i);
    *values = all;
    *owned = true;
    return SGM_OK;
}

static void clear_course(course *c)
{
    sgm_workspace_destroy(c->workspace);
    sgm_plan_destroy(c->plan);
    sgm_graph_destroy(c->graph);
}

static sgm_status upload(course *c, int side)
{
    float *values = malloc((size_t)side * DEPTH * sizeof *values);
    if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to measure the matrix rate");
    for (int i = 0; i < side * DEPTH; i++)
        values[i] = uniform('x', (uint64_t)i);
    sgm_status status = sgm_workspace_set(c->workspace, c->input, values);
    free(values);
    return status;
}

static sgm_status make_course(const device_rate *rate, bool in_row, course *c)
{
    sgm_graph *g = c->graph = sgm_graph_create(NULL, NULL);
    if (!g) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph");
    int64_t side = rate->side;
    c->input = sgm_input(g, "input", SGM_F32, SGM_SHAPE(side, DEPTH));
    sgm_node *x = sgm_linear(g, c->input, sgm_param(g, SGM_SHAPE(side, DEPTH), "narrow"), NULL);
    sgm_node *weight = sgm_param(g, SGM_SHAPE(side, side), "wide"), *outputs[PRODUCTS];
    for (int i = 0; i < PRODUCTS; i++) {
        outputs[i] = sgm_linear(g, x, weight, NULL);
        if (in_row) x = outputs[i];
    }
    SGM_TRY(sgm_graph_status(g));
    c->out = outputs[in_row ? PRODUCTS - 1 : 0];
    sgm_plan_options options = {.bf16 = rate->bf16};
    SGM_TRY(sgm_plan_create(g, rate->weights, in_row ? 1 : PRODUCTS,
                            in_row ? &outputs[PRODUCTS - 1] : outputs, &options, &c->plan));
    SGM_TRY(sgm_workspace_create(c->plan, &c->workspace));
    SGM_TRY(upload(c, rate->side));
    return sgm_plan_run(c->plan, c->workspace);
}

/* One element of x narrow^T wide^T in double. */
static double wanted_at(int64_t side, int64_t row, int64_t column)
{
    double sum = 0;
    for (int64_t k = 0; k < side; k++) {
        double hidden = 0;
        for (int64_t d = 0; d < DEPTH; d++)
            hidden += (double)uniform('x', (uint64_t)(row * DEPTH + d)) *
                      weight_at("narrow", DEPTH, k * DEPTH + d);
        sum += hidden * weight_at("wide", side, column * side + k);
    }
    return sum;
}

/* Values have a deviation of 0.58; the roundings of BF16 add up to some 0.003 of it. */
static sgm_status check(const device_rate *rate)
{
    const course *c = &rate->side_by_side;
    int64_t side = rate->side, count = side * side;
    float *values = malloc((size_t)count * sizeof *values);
    if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to check a product");
    sgm_status status = sgm_workspace_get(c->workspace, c->out, values);
    for (int64_t i = 0; status == SGM_OK && i < PLACES; i++) {
        int64_t row = i * 2654435761 % side, column = (i + 1) * 40503 % side;
        double wanted = wanted_at(side, row, column), found = (double)values[row * side + column];
        if (!(fabs(found - wanted) <= (rate->bf16 ? 3e-2 : 1e-4)))
            status = sgm_fail(SGM_INTERNAL, "a product of side %d is wrong: %g, not %g", rate->side,
                              found, wanted);
    }
    free(values);
    return status;
}

sgm_status device_rate_create(sgm_backend *backend, bool bf16, int side, device_rate **out)
{
    device_rate *rate = calloc(1, sizeof *rate);
    *out = NULL;
    if (!rate) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to measure the matrix rate");
    rate->side = side > 0 ? side : bf16 ? 8192 : 4096;
    rate->bf16 = bf16;
    sgm_status status = sgm_weights_create(backend, read_weight, NULL, &rate->weights);
    if (status == SGM_OK) status = make_course(rate, false, &rate->side_by_side);
    if (status == SGM_OK) status = check(rate);
    if (status == SGM_OK && bf16) status = make_course(rate, true, &rate->in_row);
    if (status != SGM_OK) {
        device_rate_destroy(rate);
        return status;
    }
    *out = rate;
    return SGM_OK;
}

void device_rate_destroy(device_rate *rate)
{
    if (!rate) return;
    clear_course(&rate->in_row);
    clear_course(&rate->side_by_side);
    sgm_weights_destroy(rate->weights);
    free(rate);
}

static double measure(const device_rate *rate, const course *c)
{
    if (!c->plan) return 0;
    double side = rate->side, start = sgm_clock();
    if (sgm_plan_run(c->plan, c->workspace) != SGM_OK) return NAN;
    return 2 * side * side * (PRODUCTS * side + DEPTH) / (sgm_clock() - start);
}

double device_rate_measure(device_rate *rate)
{
    double wide = measure(rate, &rate->side_by_side), row = measure(rate, &rate->in_row);
    return row > wide || isnan(row) ? row : wide;
}
