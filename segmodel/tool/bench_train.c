/* `segmodel bench train`: one training step, forward and backward, of the network and batch of a
 * settings file, on synthetic images. The loss and all gradients are first compared with FP32 on
 * the CPU. What the optimiser, the loader and validations add shows in the images/s that `segmodel
 * train` prints. */
#include "bench_model.h"
#include "count_flops.h"
#include "matrix_rate.h"
#include "tool.h"
#include "tool_options.h"

#include "backend/context.h"
#include "core/clock.h"
#include "core/cpu_features.h"
#include "train/train_graph.h"
#include "train/train_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct train_bench {
    const char *path;
    sgm_context_options device;
    int batch, repeat, rate_side;
    bool profile;
    sgm_train_config config;
    sgm_batch samples;
} train_bench;

/* A network ready to take steps. */
typedef struct step_run {
    sgm_backend *backend;
    sgm_first_values first;
    sgm_params *params;
    sgm_train_graph graph;
    sgm_train_plan *plan;
} step_run;

/* What a step gives. */
typedef struct step_result {
    float loss;
    int64_t count;
    float *gradients; /* of all trained parameters, one after the other */
} step_result;

/* ------------------------------------------------------------------------------------- samples */

static sgm_status draw_samples(train_bench *b)
{
    sgm_sampler *sampler;
    sgm_sampler_scratch scratch = {0};
    sgm_sampler_options *o = &b->config.sampler;
    o->seed = b->config.seed;
    o->size = b->config.model.image_size;
    o->target_side = 4 * b->config.model.grid;
    o->protocol = b->config.model.protocol;
    o->synthetic_share = 1;
    SGM_TRY(sgm_sampler_create(NULL, o, &sampler));
    sgm_status status = sgm_batch_create(o, b->config.batch, &b->samples);
    if (status == SGM_OK) status = sgm_sampler_scratch_create(o, &scratch);
    for (int i = 0; status == SGM_OK && i < b->config.batch; i++)
        status = sgm_sampler_draw(sampler, (uint64_t)i, i, &scratch, &b->samples);
    sgm_sampler_scratch_clear(&scratch);
    sgm_sampler_destroy(sampler);
    return status;
}

/* --------------------------------------------------------------------------------------- steps */

static sgm_status make_run(train_bench *b, sgm_backend *backend, bool bf16, step_run *run)
{
    sgm_train_config *c = &b->config;
    *run = (step_run){.backend = backend, .first = {.seed = c->seed}};
    SGM_TRY(sgm_params_create(backend, sgm_first_values_read, &run->first, sgm_is_trainable, c,
                              &run->params));
    SGM_TRY(sgm_train_graph_build(&c->model, c->loss, c->point_weight, c->batch, &c->sampler.sim,
                                  &run->graph));
    return sgm_train_plan_create(run->graph.graph, run->params, run->graph.loss, 0, NULL, bf16,
                                 &run->plan);
}

static void clear_run(step_run *run)
{
    sgm_train_plan_destroy(run->plan);
    sgm_train_graph_clear(&run->graph);
    sgm_params_destroy(run->params);
}

/* As the trainer takes it; the loss comes back, so all of it is done. */
static sgm_status take_step(const train_bench *b, step_run *run, float *loss)
{
    SGM_TRY(sgm_params_clear_grads(run->params));
    SGM_TRY(sgm_train_graph_feed(&run->graph, run->plan, &b->samples));
    SGM_TRY(sgm_train_plan_step(run->plan, 1));
    return sgm_train_plan_get(run->plan, run->graph.loss, loss);
}

static sgm_status read_result(const train_bench *b, step_run *run, step_result *result)
{
    SGM_TRY(take_step(b, run, &result->loss));
    for (int i = 0; i < sgm_params_count(run->params); i++) {
        const sgm_parameter *p = sgm_params_get(run->params, i);
        result->count += p->grad ? p->count : 0;
    }
    result->gradients = malloc((size_t)result->count * sizeof(float));
    if (!result->gradients) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for gradients");
    float *to = result->gradients;
    for (int i = 0; i < sgm_params_count(run->params); i++) {
        const sgm_parameter *p = sgm_params_get(run->params, i);
        if (!p->grad) continue;
        SGM_TRY(run->backend->ops->download(run->backend, to, p->grad,
                                            (size_t)p->count * sizeof(float)));
        to += p->count;
    }
    return SGM_OK;
}

/* FP32 on the CPU; where the CPU itself is measured, by another instruction set's kernels. */
static sgm_status make_reference(train_bench *b, bool on_cpu, step_result *result)
{
    sgm_context *context;
    step_run run = {0};
    sgm_context_options options = {
        .device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32, .threads = b->device.threads};
    if (on_cpu) sgm_cpu_limit(bench_other_isa(sgm_cpu()->isa), SGM_BF16_NONE);
    if (on_cpu) printf("%-34s %s\n", "checked against", sgm_cpu_summary());
    sgm_status status = sgm_context_create(&options, &context);
    if (status == SGM_OK) {
        status = make_run(b, sgm_context_backend(context), false, &run);
        if (status == SGM_OK) status = read_result(b, &run, result);
        clear_run(&run);
        sgm_context_destroy(context);
    }
    sgm_cpu_limit(SGM_ISA_AVX512_BF16, SGM_BF16_AMX);
    return status;
}

/* FP32 sums in another order; BF16 rounds some hundred layers in a row, and its gradients of nearly
 * untrained networks are noisier than its values. A wrong kernel is off by 1. */
static sgm_status compare(const train_bench *b, const step_result *found, const step_result *wanted)
{
    double error = 0, norm = 0;
    for (int64_t i = 0; i < wanted->count && found->count == wanted->count; i++) {
        double d = (double)found->gradients[i] - wanted->gradients[i];
        error += d * d;
        norm += (double)wanted->gradients[i] * wanted->gradients[i];
    }
    double gradient = sqrt(error / norm),
           loss = fabs((double)found->loss - wanted->loss) / fabs((double)wanted->loss);
    bench_line("loss, error to FP32", loss, "(relative)");
    bench_line("gradients, error to FP32", gradient, "(normalised RMS)");
    if (loss <= (b->config.bf16 ? 2e-2 : 1e-4) && gradient <= (b->config.bf16 ? 0.2 : 1e-3))
        return SGM_OK;
    return sgm_fail(SGM_INTERNAL,
                    "a training step differs too much from FP32 on the CPU: the loss by %.3g, the "
                    "gradients by %.3g; nothing was timed",
                    loss, gradient);
}

static sgm_status check(train_bench *b, step_run *run)
{
    step_result wanted = {0}, found = {0};
    sgm_status status = make_reference(b, run->backend->ops->host_memory, &wanted);
    if (status == SGM_OK) status = read_result(b, run, &found);
    if (status == SGM_OK) status = compare(b, &found, &wanted);
    free(wanted.gradients);
    free(found.gradients);
    return status;
}

/* --------------------------------------------------------------------------------------- times */

static void report(train_bench *b, const step_run *run, double seconds, double rate, double ceiling)
{
    double flops = count_step_flops(run->graph.graph, sgm_is_trainable, &b->config);
    bench_time_line("step, median", seconds);
    bench_line("step, samples", b->config.batch / seconds, "samples/s");
    bench_line("step, arithmetic per sample", 1e-9 * flops / b->config.batch, "GFLOP");
    bench_rate_line("step, speed", flops / seconds);
    bench_rate_line("matrix rate, a large product", rate);
    bench_line("step, share of the rate", 100 * flops / seconds / rate, "%");
    if (ceiling > 0) {
        bench_rate_line("matrix rate, operands in L1", ceiling);
        bench_line("step, share of the latter", 100 * flops / seconds / ceiling, "%");
    }
    bench_line("memory of the plan", 1e-6 * (double)sgm_train_plan_bytes(run->plan), "MB");
}

static sgm_status profile_steps(const train_bench *b, step_run *run)
{
    float loss;
    sgm_train_plan_time(run->plan, true);
    sgm_status status = take_step(b, run, &loss);
    char *text = status == SGM_OK ? sgm_train_plan_profile(run->plan) : NULL;
    if (text) fputs(text, stdout);
    free(text);
    return status;
}

static sgm_status time_steps(train_bench *b, step_run *run)
{
    double seconds[BENCH_MAX_RUNS], rates[BENCH_MAX_RUNS], ceilings[BENCH_MAX_RUNS];
    int repeat = b->repeat ? b->repeat : run->backend->ops->host_memory ? 5 : 30;
    matrix_rate *rate;
    float loss;
    SGM_TRY(matrix_rate_create(run->backend, b->config.bf16, b->rate_side, &rate));
    matrix_rate_measure(rate);
    sgm_status status = take_step(b, run, &loss);
    for (int i = 0; status == SGM_OK && i < repeat; i++) {
        rates[i] = matrix_rate_measure(rate);
        ceilings[i] = matrix_rate_ceiling(rate);
        double start = sgm_clock();
        status = take_step(b, run, &loss);
        seconds[i] = sgm_clock() - start;
    }
    matrix_rate_destroy(rate);
    if (status == SGM_OK && !isfinite(loss))
        status = sgm_fail(SGM_INTERNAL, "the loss became %g while steps were timed", (double)loss);
    if (status != SGM_OK) return status;
    report(b, run, bench_median(seconds, repeat), bench_median(rates, repeat),
           bench_median(ceilings, repeat));
    return b->profile ? profile_steps(b, run) : SGM_OK;
}

static sgm_status run_on(train_bench *b, sgm_context *context)
{
    step_run run;
    printf("\ntraining step of batch %d, %s, on %s\n", b->config.batch,
           b->config.bf16 ? "bf16" : "fp32", sgm_context_device(context));
    sgm_status status = make_run(b, sgm_context_backend(context), b->config.bf16, &run);
    if (status == SGM_OK) status = check(b, &run);
    if (status == SGM_OK) status = time_steps(b, &run);
    clear_run(&run);
    return status;
}

static sgm_status run_bench(train_bench *b)
{
    sgm_context *context;
    SGM_TRY(sgm_train_config_read(b->path, &b->config));
    if (!b->config.architecture[0])
        return sgm_fail(SGM_UNREADABLE, "%s: a benchmark wants an architecture, not init", b->path);
    if (b->batch) b->config.batch = b->batch;
    if (b->device.precision != SGM_PRECISION_AUTO)
        b->config.bf16 = b->device.precision == SGM_PRECISION_BF16;
    b->device.precision = SGM_PRECISION_AUTO;
    SGM_TRY(draw_samples(b));
    SGM_TRY(sgm_context_create(&b->device, &context));
    sgm_status status = run_on(b, context);
    sgm_context_destroy(context);
    return status;
}

int bench_train(int argc, char **argv)
{
    train_bench b = {0};
    bool helped;
    const option options[] = {
        {"--device", OPTION_DEVICE, &b.device.device, NULL, "auto|cpu|cuda", ""},
        {"--precision", OPTION_PRECISION, &b.device.precision, NULL, "fp32|bf16",
         "the settings' unless given"},
        {"--threads", OPTION_INT, &b.device.threads, NULL, "N", "0: one per core"},
        {"--batch", OPTION_INT, &b.batch, NULL, "N", "the settings' unless given"},
        {"--repeat", OPTION_INT, &b.repeat, NULL, "N", "timed steps (cpu 5; cuda 30)"},
        {"--rateside", OPTION_INT, &b.rate_side, NULL, "N", "side of the GPU's matrix products"},
        {"--profile", OPTION_FLAG, &b.profile, NULL, NULL, "time of every op"},
        {0}};
    command_line command = {.usage = "segmodel bench train CONFIG [--device D] [--batch N]",
                            .help = "Times a training step, forward and backward, on synthetic "
                                    "images.\nLoss and gradients are first compared with FP32 on "
                                    "the CPU.",
                            .options = options,
                            .positional = &b.path,
                            .positional_wanted = 1,
                            .positional_room = 1};
    sgm_status status = parse_options(argc, argv, &command, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    if (b.repeat < 0 || b.repeat > BENCH_MAX_RUNS || b.batch < 0 || b.batch > 256 ||
        b.rate_side < 0 || b.rate_side > 16384)
        return tool_exit(sgm_fail(SGM_INVALID_ARGUMENT,
                                  "--repeat is 1 to %d, --batch 1 to 256, --rateside at most 16384",
                                  BENCH_MAX_RUNS));
    status = run_bench(&b);
    sgm_batch_clear(&b.samples);
    return tool_exit(status);
}
