/* Muon: matrices with known singular vectors come out with the same vectors and singular values
 * near 1; whole updates against the formulas in double; the same bits for any number of threads;
 * what counts as a matrix. */
#include <stdlib.h>

#include "../check.h"
#include "../hash_weights.h"
#include "backend/backend.h"
#include "train/optim.h"
#include "train/train_weights.h"

enum { SHORTER = 24, LONGER = 40, COUNT = SHORTER * LONGER };

/* Row k of an orthonormal basis of n values (the cosine transform's). */
static double basis(int n, int k, int i)
{
    double scale = sqrt((k ? 2.0 : 1.0) / n);
    return scale * cos(3.14159265358979323846 * (i + 0.5) * k / n);
}

/* matrix[rows, columns] = sum over k of values[k] * (left vector k) * (right vector k). */
static void compose(int rows, int columns, const double *values, double *matrix)
{
    int rank = rows < columns ? rows : columns;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            double sum = 0;
            for (int k = 0; k < rank; k++)
                sum += values[k] * basis(rows, k, i) * basis(columns, k, j);
            matrix[i * columns + j] = sum;
        }
}

static double singular_value(int rows, int columns, const float *matrix, int k)
{
    double sum = 0;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            sum += matrix[i * columns + j] * basis(rows, k, i) * basis(columns, k, j);
    return sum;
}

/* Five steps of a x + b x^3 + c x^5 on one singular value of a matrix of norm 1. */
static double turned_value(double x)
{
    for (int step = 0; step < 5; step++) {
        double square = x * x;
        x *= 3.4445 + square * (-4.7750 + square * 2.0315);
    }
    return x;
}

/* Values from the norm's share of one down to `smallest` of it, one of them 0. */
static void check_turned(sgm_backend *cpu, int rows, int columns, double smallest)
{
    double values[SHORTER], matrix[COUNT], want[COUNT], norm = 0;
    float got[COUNT], wanted[COUNT];
    for (int k = 0; k < SHORTER; k++) {
        values[k] = k == 5 ? 0 : 7 * pow(smallest, (double)k / (SHORTER - 1));
        norm += values[k] * values[k];
    }
    compose(rows, columns, values, matrix);
    for (int i = 0; i < COUNT; i++)
        got[i] = (float)matrix[i];
    CHECK_OK(cpu->ops->orthogonalize(cpu, got, rows, columns));
    for (int k = 0; k < SHORTER; k++) {
        values[k] = turned_value(values[k] / sqrt(norm));
        double found = singular_value(rows, columns, got, k);
        CHECK(k == 5 ? fabs(found) < 1e-4 : found > 0.68 && found < 1.14);
    }
    compose(rows, columns, values, want);
    for (int i = 0; i < COUNT; i++)
        wanted[i] = (float)want[i];
    /* rounding of FP32 grows by up to 3.4445^5 = 485 in directions that hold next to nothing */
    check_close("orthogonalized", got, wanted, COUNT, 2e-5, 0);
}

static void check_nothing(sgm_backend *cpu)
{
    float zeros[COUNT] = {0};
    CHECK_OK(cpu->ops->orthogonalize(cpu, zeros, SHORTER, LONGER));
    for (int i = 0; i < COUNT; i++)
        CHECK(zeros[i] == 0);
}

typedef struct holder {
    float value[COUNT], gradient[COUNT], first[COUNT], second[COUNT], average[COUNT];
    sgm_trained trained;
} holder;

static void reset(holder *h, const char *name, int64_t rows)
{
    memset(h, 0, sizeof *h);
    hash_uniform(name, COUNT, h->value);
    memcpy(h->average, h->value, sizeof h->value);
    h->trained = (sgm_trained){.name = name,
                               .count = COUNT,
                               .matrix = true,
                               .value = h->value,
                               .gradient = h->gradient,
                               .first = h->first,
                               .second = h->second,
                               .average = h->average,
                               .rate = 0.5f,
                               .rows = rows};
}

static const sgm_optim_options muon = {SGM_OPTIMIZER_MUON, 0.9, 0.999, 1e-8, 0.1, false};

/* Gradients of step s: singular values that change from step to step, on a common basis. */
static void gradient_values(int s, double values[SHORTER])
{
    for (int k = 0; k < SHORTER; k++)
        values[k] = 0.01 * (1 + cos(1.0 + k + 0.7 * s * k));
}

/* Three updates of one matrix, known at every step because momentum keeps the basis. */
static void check_updates(sgm_backend *cpu, int rows, int columns)
{
    const double rate = 0.02;
    holder h;
    double momentum[SHORTER] = {0}, direction[SHORTER], want[COUNT], turned[COUNT], value[COUNT];
    reset(&h, "muon_p", rows);
    for (int i = 0; i < COUNT; i++)
        value[i] = h.value[i];
    for (int s = 0; s < 3; s++) {
        double values[SHORTER], size = 0, norm;
        gradient_values(s, values);
        compose(rows, columns, values, want);
        for (int i = 0; i < COUNT; i++)
            h.gradient[i] = (float)want[i];
        for (int k = 0; k < SHORTER; k++) {
            momentum[k] = 0.95 * momentum[k] + values[k];
            direction[k] = values[k] + 0.95 * momentum[k];
            size += direction[k] * direction[k];
        }
        for (int k = 0; k < SHORTER; k++)
            direction[k] = turned_value(direction[k] / sqrt(size));
        compose(rows, columns, direction, turned);
        sgm_optim_numbers numbers = sgm_optim_numbers_of(&muon, rate, s + 1, 0, 0.9);
        CHECK_OK(sgm_optim_update(cpu, &numbers, &h.trained, 1, &norm));
        float wanted[COUNT];
        for (int i = 0; i < COUNT; i++) {
            value[i] =
                (1 - 0.5 * rate * 0.1) * value[i] - 0.2 * sqrt(LONGER) * 0.5 * rate * turned[i];
            wanted[i] = (float)value[i];
        }
        check_close("updated", h.value, wanted, COUNT, 1e-6, 0);
    }
    CHECK(h.average[3] != h.value[3]);
}

/* In the same update: a vector, and a table that is no matrix of Muon's, follow AdamW. */
static void check_others(sgm_backend *cpu)
{
    holder other, alone;
    reset(&other, "muon_p", 0);
    reset(&alone, "muon_p", 0);
    hash_uniform("muon_g", COUNT, other.gradient);
    memcpy(alone.gradient, other.gradient, sizeof alone.gradient);
    const sgm_optim_options adamw = {SGM_OPTIMIZER_ADAMW, 0.9, 0.999, 1e-8, 0.1, false};
    sgm_optim_numbers a = sgm_optim_numbers_of(&muon, 0.01, 1, 0, 0);
    sgm_optim_numbers b = sgm_optim_numbers_of(&adamw, 0.01, 1, 0, 0);
    CHECK_OK(sgm_optim_step(cpu, &a, &other.trained, 1));
    CHECK_OK(sgm_optim_step(cpu, &b, &alone.trained, 1));
    CHECK(!memcmp(other.value, alone.value, sizeof alone.value));
    other.trained.rows = SHORTER;
    memcpy(alone.value, other.value, sizeof alone.value);
    CHECK_STATUS(sgm_optim_step(NULL, &a, &other.trained, 1), SGM_DEVICE, "muon");
    CHECK(!memcmp(other.value, alone.value, sizeof alone.value));
}

static void check_threads(sgm_backend *cpu, sgm_backend *three)
{
    enum { ROWS = 160, COLUMNS = 480 };
    float *one = malloc(ROWS * COLUMNS * sizeof *one), *more = malloc(ROWS * COLUMNS * sizeof *one);
    hash_uniform("muon_threads", ROWS * COLUMNS, one);
    memcpy(more, one, ROWS * COLUMNS * sizeof *one);
    CHECK_OK(cpu->ops->orthogonalize(cpu, one, ROWS, COLUMNS));
    CHECK_OK(three->ops->orthogonalize(three, more, ROWS, COLUMNS));
    CHECK(!memcmp(one, more, ROWS * COLUMNS * sizeof *one));
    free(one);
    free(more);
}

static void check_what_is_a_matrix(void)
{
    sgm_shape layer = {2, {96, 48}}, taps = {4, {96, 48, 3, 3}}, depthwise = {4, {96, 1, 5, 5}};
    sgm_shape bias = {1, {96}}, narrow = {2, {4, 256}}, table = {2, {225, 16}};
    CHECK(sgm_muon_rows("image_encoder.layers.1.blocks.0.attn.qkv.weight", layer) == 96);
    CHECK(sgm_muon_rows("image_encoder.layers.1.downsample.conv2.c.weight", taps) == 96);
    CHECK(sgm_muon_rows("image_encoder.layers.1.blocks.0.local_conv.c.weight", depthwise) == 0);
    CHECK(sgm_muon_rows("image_encoder.layers.1.blocks.0.attn.qkv.bias", bias) == 0);
    CHECK(sgm_muon_rows("mask_decoder.iou_prediction_head.layers.2.weight", narrow) == 0);
    CHECK(sgm_muon_rows("image_encoder.layers.1.blocks.0.attn.attention_biases", table) == 0);
    CHECK(sgm_muon_rows("mask_decoder.mask_tokens.weight", layer) == 0);
}

int main(void)
{
    sgm_backend *cpu, *three;
    if (!CHECK_OK(sgm_cpu_create(1, &cpu)) || !CHECK_OK(sgm_cpu_create(3, &three)))
        return check_report();
    check_turned(cpu, SHORTER, LONGER, 0.05);
    check_turned(cpu, LONGER, SHORTER, 0.05);
    check_turned(cpu, SHORTER, LONGER, 0.5);
    check_nothing(cpu);
    check_updates(cpu, SHORTER, LONGER);
    check_updates(cpu, LONGER, SHORTER);
    check_others(cpu);
    check_threads(cpu, three);
    check_what_is_a_matrix();
    cpu->ops->destroy(cpu);
    three->ops->destroy(three);
    return check_report();
}
