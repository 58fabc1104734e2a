/* Timing: the encoder's plan alone at several batch sizes, and what a user waits for. Between the
 * runs the machine's matrix rate is measured, so that the share of it is one of the same minute and
 * not of another day. */
#include "bench_model.h"
#include "count_allocations.h"
#include "count_flops.h"
#include "matrix_rate.h"

#include "core/clock.h"
#include "plan/weights.h"
#include "predict/picture/preprocess.h"
#include "predict/session/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct encoder_run {
    int batch, repeat;
    bool bf16;
    sgm_program *program;
    sgm_workspace *workspace;
    matrix_rate *rate;
    long allocations;
    double error; /* the largest of the batch */
    double seconds[BENCH_MAX_RUNS], rates[BENCH_MAX_RUNS], ceilings[BENCH_MAX_RUNS];
} encoder_run;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

void bench_line(const char *name, double value, const char *unit)
{
    printf("%-34s %12.4g %s\n", name, value, unit);
}

void bench_time_line(const char *name, double seconds)
{
    if (seconds < 0.2)
        bench_line(name, 1e3 * seconds, "ms");
    else
        bench_line(name, seconds, "s");
}

void bench_rate_line(const char *name, double flops_per_second)
{
    if (flops_per_second >= 1e12)
        bench_line(name, 1e-12 * flops_per_second, "TFLOP/s");
    else
        bench_line(name, 1e-9 * flops_per_second, "GFLOP/s");
}

static int repeats(const bench *b)
{
    return b->repeat ? b->repeat : b->reference->on_cpu ? 5 : 20;
}

static void print_profile(sgm_workspace *workspace)
{
    char *text = sgm_workspace_profile(workspace);
    if (text) fputs(text, stdout);
    free(text);
}

/* ------------------------------------------------------------------------------------- encoder */

/* The pictures in turns, as the network wants them. */
static sgm_status set_pictures(const bench *b, const sgm_model_config *config, encoder_run *run)
{
    size_t side = (size_t)config->image_size, count = side * side * 3;
    float *input = malloc((size_t)run->batch * count * sizeof *input);
    sgm_status status = input ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for images");
    for (int i = 0; status == SGM_OK && i < run->batch; i++) {
        sgm_frame frame;
        uint8_t *pixels = bench_picture(i % b->reference->pictures);
        sgm_image image = {
            .data = pixels, .width = BENCH_SIDE, .height = BENCH_SIDE, .channels = 3};
        status = pixels ? sgm_preprocess(config, &image, input + (size_t)i * count, &frame)
                        : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an image");
        free(pixels);
    }
    if (status == SGM_OK) status = sgm_workspace_set(run->workspace, run->program->image, input);
    free(input);
    return status;
}

/* One feature of every picture of the batch; in the reference it begins at `first`. */
static sgm_status check_feature(const bench *b, encoder_run *run, const sgm_node *node,
                                const sgm_feature *feature, size_t first)
{
    size_t count = (size_t)sgm_shape_count(node->shape) / (size_t)run->batch;
    float *values = malloc((size_t)run->batch * count * sizeof *values);
    if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for embeddings");
    sgm_status status = sgm_workspace_get(run->workspace, node, values);
    for (int i = 0; status == SGM_OK && i < run->batch; i++)
        status = bench_check_feature(b, i % b->reference->pictures, first, feature,
                                     values + (size_t)i * count, run->bf16, &run->error);
    free(values);
    return status;
}

/* All that the encoder makes of the batch, which is also the warm-up. */
static sgm_status check_encoder(const bench *b, const sgm_model_config *config, encoder_run *run)
{
    sgm_feature features[SGM_MAX_FEATURES];
    int count = sgm_config_features(config, features);
    size_t first = 0;
    SGM_TRY(sgm_plan_run(run->program->plan, run->workspace));
    for (int i = 0; i < count; i++) {
        SGM_TRY(check_feature(b, run, run->program->features.node[i], &features[i], first));
        first += (size_t)(features[i].rows * features[i].columns * features[i].channels);
    }
    return SGM_OK;
}

/* On the CPU a plan's run uses its input's memory for other things; a GPU's stays, and its upload
 * would run into the time. */
static sgm_status set_again(const bench *b, sgm_model *model, encoder_run *run)
{
    if (!sgm_weights_backend(sgm_model_weights(model))->ops->host_memory) return SGM_OK;
    return set_pictures(b, sgm_model_get_config(model), run);
}

static sgm_status time_encoder(const bench *b, sgm_model *model, encoder_run *run)
{
    const sgm_model_config *config = sgm_model_get_config(model);
    SGM_TRY(sgm_model_program(
        model, (sgm_program_key){.stage = SGM_STAGE_ENCODE, .batch = run->batch}, &run->program));
    SGM_TRY(sgm_workspace_create(run->program->plan, &run->workspace));
    SGM_TRY(set_pictures(b, config, run));
    SGM_TRY(check_encoder(b, config, run));
    matrix_rate_measure(run->rate);
    SGM_TRY(set_again(b, model, run));
    SGM_TRY(sgm_plan_run(run->program->plan, run->workspace));
    for (int i = 0; i < run->repeat; i++) {
        run->rates[i] = matrix_rate_measure(run->rate);
        run->ceilings[i] = matrix_rate_ceiling(run->rate);
        SGM_TRY(set_again(b, model, run));
        long before = count_allocations();
        double start = sgm_clock();
        SGM_TRY(sgm_plan_run(run->program->plan, run->workspace));
        run->seconds[i] = sgm_clock() - start;
        run->allocations += count_allocations() - before;
    }
    if (count_allocations() < 0) run->allocations = -1;
    if (!b->profile) return SGM_OK;
    SGM_TRY(set_again(b, model, run));
    sgm_workspace_time(run->workspace, true);
    SGM_TRY(sgm_plan_run(run->program->plan, run->workspace));
    print_profile(run->workspace);
    return SGM_OK;
}

/* "encode" or "encode of 8", and what. */
static const char *named(const encoder_run *run, const char *what)
{
    static char text[64];
    if (run->batch == 1)
        snprintf(text, sizeof text, "encode, %s", what);
    else
        snprintf(text, sizeof text, "encode of %d, %s", run->batch, what);
    return text;
}

static void report_encoder(const bench *b, sgm_model *model, encoder_run *run)
{
    double middle = bench_median(run->seconds, run->repeat);
    double rate = bench_median(run->rates, run->repeat);
    double ceiling = bench_median(run->ceilings, run->repeat);
    double flops = count_flops(run->program->graph);
    bench_line(named(run, "error to FP32"), run->error, "(normalised RMS)");
    bench_time_line(named(run, "best"), run->seconds[0]);
    bench_time_line(named(run, "median"), middle);
    if (run->batch > 1) bench_time_line(named(run, "per image"), middle / run->batch);
    bench_line(named(run, "arithmetic"), flops * 1e-9, "GFLOP");
    bench_rate_line(named(run, "speed"), flops / middle);
    bench_rate_line("matrix rate, a large product", rate);
    if (ceiling > 0) bench_rate_line("matrix rate, operands in L1", ceiling);
    bench_line(named(run, "share of the rate"), 100 * flops / middle / rate, "%");
    if (ceiling > 0)
        bench_line(named(run, "share of the latter"), 100 * flops / middle / ceiling, "%");
    if (!b->reference->on_cpu) {
        bench_line("memory for weights", 1e-6 * (double)sgm_weights_bytes(sgm_model_weights(model)),
                   "MB");
        bench_line(named(run, "memory"),
                   1e-6 * (double)sgm_plan_workspace_bytes(run->program->plan), "MB");
    }
    if (run->allocations < 0)
        printf("%-34s not counted in this build\n", "allocations while encoding");
    else
        bench_line("allocations while encoding", (double)run->allocations, "");
}

static sgm_status one_batch(const bench *b, sgm_model *model, matrix_rate *rate, int batch)
{
    sgm_context *context = sgm_model_context(model);
    encoder_run run = {.batch = batch,
                       .repeat = repeats(b),
                       .rate = rate,
                       .bf16 = sgm_context_precision(context) == SGM_PRECISION_BF16};
    sgm_status status = time_encoder(b, model, &run);
    if (status == SGM_OK) report_encoder(b, model, &run);
    sgm_workspace_destroy(run.workspace);
    sgm_model_release(model, run.program);
    return status;
}

/* Steps of the decoder for one point; the embedding's values do not matter for the time. */
static sgm_status profile_decoder(sgm_model *model)
{
    sgm_program *p;
    sgm_workspace *workspace = NULL;
    const int32_t labels[2] = {SGM_TOKEN_FOREGROUND, SGM_TOKEN_PADDING};
    const float coordinates[4] = {0};
    sgm_program_key key = {.stage = SGM_STAGE_DECODE, .batch = 1, .tokens = 2};
    SGM_TRY(sgm_model_program(model, key, &p));
    sgm_status status = sgm_workspace_create(p->plan, &workspace);
    float *zeros = calloc(sgm_config_embedding_count(sgm_model_get_config(model)), sizeof *zeros);
    if (status == SGM_OK && zeros) {
        sgm_workspace_time(workspace, true);
        for (int i = 0; status == SGM_OK && i < p->in.count; i++)
            status = sgm_workspace_set(workspace, p->in.node[i], zeros);
        if (status == SGM_OK)
            status = sgm_workspace_set(workspace, p->prompt.coordinates, coordinates);
        if (status == SGM_OK) status = sgm_workspace_set(workspace, p->prompt.labels, labels);
        for (int i = 0; status == SGM_OK && i < 2; i++)
            status = sgm_plan_run(p->plan, workspace);
        if (status == SGM_OK) print_profile(workspace);
    }
    free(zeros);
    sgm_workspace_destroy(workspace);
    sgm_model_release(model, p);
    return status;
}

sgm_status bench_network(const bench *b, sgm_model *model)
{
    static const int usual[2] = {1, 8};
    sgm_context *context = sgm_model_context(model);
    matrix_rate *rate;
    bool bf16 = sgm_context_precision(context) == SGM_PRECISION_BF16;
    SGM_TRY(matrix_rate_create(sgm_context_backend(context), bf16, b->rate_side, &rate));
    const int *batches = b->batch_count ? b->batches : usual;
    int count = b->batch_count ? b->batch_count : b->reference->on_cpu ? 1 : 2;
    sgm_status status = SGM_OK;
    for (int i = 0; status == SGM_OK && i < count; i++)
        status = one_batch(b, model, rate, batches[i]);
    if (status == SGM_OK && b->profile) status = profile_decoder(model);
    matrix_rate_destroy(rate);
    return status;
}

/* ------------------------------------------------------------------------------------- session */

typedef struct session_run {
    sgm_session *session;
    sgm_image image;
    int repeat, images;
    bool bf16;
    double error;
    long allocations;
    double decode[BENCH_MAX_RUNS], embed[BENCH_MAX_RUNS], slice[BENCH_MAX_RUNS];
} session_run;

/* One point on an image, to a mask of its size and every logit. */
static sgm_status time_session(const bench *b, session_run *run)
{
    sgm_mask mask;
    SGM_TRY(sgm_session_set_image(run->session, &run->image));
    SGM_TRY(bench_predict(run->session, true, &mask));
    SGM_TRY(bench_check_logits(b, 0, mask.low_res, run->bf16, &run->error));
    for (int i = 0; i < run->images; i++) {
        double start = sgm_clock();
        SGM_TRY(sgm_session_set_image(run->session, &run->image));
        run->embed[i] = sgm_clock() - start;
        SGM_TRY(bench_predict(run->session, false, &mask));
        run->slice[i] = sgm_clock() - start;
    }
    long before = count_allocations();
    for (int i = 0; i < run->repeat; i++) {
        double start = sgm_clock();
        SGM_TRY(bench_predict(run->session, false, &mask));
        run->decode[i] = sgm_clock() - start;
    }
    run->allocations = count_allocations() - before;
    return SGM_OK;
}

static void report_session(session_run *run)
{
    bench_line("mask logits, error to FP32", run->error, "(normalised RMS)");
    bench_time_line("image to embedding", bench_median(run->embed, run->images));
    bench_time_line("image to mask", bench_median(run->slice, run->images));
    bench_time_line("decode to a 1024 x 1024 mask", bench_median(run->decode, run->repeat));
    if (run->allocations >= 0)
        bench_line("allocations while decoding", (double)run->allocations, "");
}

sgm_status bench_session(const bench *b, sgm_model *model)
{
    uint8_t *pixels = bench_picture(0);
    if (!pixels) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an image");
    session_run run = {
        .image = {.data = pixels, .width = BENCH_SIDE, .height = BENCH_SIDE, .channels = 3},
        .repeat = repeats(b),
        .images = b->reference->on_cpu ? 1 : repeats(b),
        .bf16 = sgm_context_precision(sgm_model_context(model)) == SGM_PRECISION_BF16};
    sgm_status status = sgm_session_create(model, &run.session);
    if (status == SGM_OK) status = time_session(b, &run);
    if (status == SGM_OK) report_session(&run);
    sgm_session_destroy(run.session);
    free(pixels);
    return status;
}
