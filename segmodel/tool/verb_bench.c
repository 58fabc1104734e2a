/* Every precision runs in a process of its own, so that its peak memory is its own. Between
 * encodings the machine's matrix rate is measured, so that the share of it is one of the same
 * minute and not of another day. */
#include "bench_paced.h"
#include "count_allocations.h"
#include "count_flops.h"
#include "matrix_rate.h"
#include "tool.h"
#include "tool_options.h"

#include "predict/model.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_RUNS = 64 };

typedef struct bench {
    const char *path, *variant, *paced;
    sgm_context_options options;
    int repeat;
    bool profile, load_only;
    sgm_context *context;
    sgm_model *model;
    sgm_session *session;
    double encode[MAX_RUNS], rate[MAX_RUNS], ceiling[MAX_RUNS], decode[MAX_RUNS];
} bench;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static void line(const char *name, double value, const char *unit)
{
    printf("%-34s %12.4g %s\n", name, value, unit);
}

static sgm_status open_model(bench *b)
{
    SGM_TRY(sgm_context_create(&b->options, &b->context));
    return sgm_model_load(b->context, b->path, b->variant, &b->model);
}

static void close_model(bench *b)
{
    sgm_session_destroy(b->session);
    sgm_model_destroy(b->model);
    sgm_context_destroy(b->context);
}

/* A picture of noise: preprocessing has work, values are ordinary. */
static uint8_t *noise(int side)
{
    size_t count = (size_t)side * (size_t)side * 3;
    uint8_t *pixels = malloc(count);
    uint32_t state = 1;
    for (size_t i = 0; pixels && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(state >> 24);
    }
    return pixels;
}

static void print_profile(sgm_workspace *workspace)
{
    char *text = sgm_workspace_profile(workspace);
    if (text) fputs(text, stdout);
    free(text);
}

/* Runs the encoder's plan alone, matrix rate in between. */
static sgm_status time_encoder(bench *b, double *flops, long *allocations)
{
    sgm_program *program;
    sgm_workspace *workspace = NULL;
    matrix_rate *rate = NULL;
    bool bf16 = sgm_context_precision(b->context) == SGM_PRECISION_BF16;
    int threads = sgm_context_backend(b->context)->threads;
    SGM_TRY(sgm_model_program(b->model, (sgm_program_key){.batch = 1}, &program));
    sgm_status status = sgm_workspace_create(program->plan, &workspace);
    if (status == SGM_OK) status = matrix_rate_create(threads, bf16, &rate);
    if (status == SGM_OK) {
        size_t count = (size_t)sgm_shape_count(program->image->shape);
        float *input = calloc(count, sizeof *input);
        for (size_t i = 0; input && i < count; i++)
            input[i] = (float)(i * 2654435761u % 1000) / 500 - 1;
        status = input ? sgm_workspace_set(workspace, program->image, input)
                       : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an image");
        free(input);
    }
    *flops = count_flops(program->graph);
    if (status == SGM_OK) { /* warm-up */
        matrix_rate_measure(rate);
        status = sgm_plan_run(program->plan, workspace);
    }
    sgm_workspace_time(workspace, b->profile);
    long before = count_allocations();
    for (int i = 0; status == SGM_OK && i < b->repeat; i++) {
        b->rate[i] = matrix_rate_measure(rate);
        b->ceiling[i] = matrix_rate_ceiling(rate);
        double start = now_seconds();
        status = sgm_plan_run(program->plan, workspace);
        b->encode[i] = now_seconds() - start;
    }
    *allocations = count_allocations() - before;
    if (status == SGM_OK && b->profile) print_profile(workspace);
    matrix_rate_destroy(rate);
    sgm_workspace_destroy(workspace);
    sgm_model_release(b->model, program);
    return status;
}

/* Steps of the decoder for one point; the embedding's values do not matter for the time. */
static sgm_status profile_decoder(bench *b)
{
    sgm_program *p;
    sgm_workspace *workspace = NULL;
    const int32_t labels[2] = {SGM_TOKEN_FOREGROUND, SGM_TOKEN_PADDING};
    const float coordinates[4] = {0};
    SGM_TRY(sgm_model_program(b->model, (sgm_program_key){true, 1, 2, false}, &p));
    sgm_status status = sgm_workspace_create(p->plan, &workspace);
    float *embedding = calloc((size_t)sgm_shape_count(p->in_embedding->shape), sizeof *embedding);
    if (status == SGM_OK && embedding) {
        sgm_workspace_time(workspace, true);
        status = sgm_workspace_set(workspace, p->in_embedding, embedding);
        if (status == SGM_OK) status = sgm_workspace_set(workspace, p->coordinates, coordinates);
        if (status == SGM_OK) status = sgm_workspace_set(workspace, p->labels, labels);
        for (int i = 0; status == SGM_OK && i < 2; i++)
            status = sgm_plan_run(p->plan, workspace);
        if (status == SGM_OK) print_profile(workspace);
    }
    free(embedding);
    sgm_workspace_destroy(workspace);
    sgm_model_release(b->model, p);
    return status;
}

/* One point on an image, to a mask of 1024 x 1024 and every logit; and the whole way from pixels to
 * the embedding. */
static sgm_status time_session(bench *b, double *set_image, long *allocations)
{
    enum { SIDE = 1024 };
    sgm_point point = {400, 500, SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    sgm_mask mask;
    uint8_t *pixels = noise(SIDE);
    if (!pixels) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an image");
    sgm_image image = {.data = pixels, .width = SIDE, .height = SIDE, .channels = 3};
    sgm_status status = sgm_session_create(b->model, &b->session);
    if (status == SGM_OK) status = sgm_session_set_image(b->session, &image);
    double start = now_seconds();
    if (status == SGM_OK) status = sgm_session_set_image(b->session, &image);
    *set_image = now_seconds() - start;
    if (status == SGM_OK) status = sgm_session_predict(b->session, &prompt, NULL, &mask);
    long before = count_allocations();
    for (int i = 0; status == SGM_OK && i < b->repeat; i++) {
        start = now_seconds();
        status = sgm_session_predict(b->session, &prompt, NULL, &mask);
        b->decode[i] = now_seconds() - start;
    }
    *allocations = count_allocations() - before;
    free(pixels);
    return status;
}

static void report(bench *b, double flops, double set_image, const long allocations[2])
{
    double best = b->encode[0];
    for (int i = 1; i < b->repeat; i++)
        if (b->encode[i] < best) best = b->encode[i];
    double middle = median(b->encode, b->repeat), rate = median(b->rate, b->repeat);
    double ceiling = median(b->ceiling, b->repeat);
    line("encode, best", best, "s");
    line("encode, median", middle, "s");
    line("encode, arithmetic", flops * 1e-9, "GFLOP");
    line("encode, speed", flops / middle * 1e-9, "GFLOP/s");
    line("matrix rate, a large product", rate * 1e-9, "GFLOP/s");
    line("matrix rate, operands in L1", ceiling * 1e-9, "GFLOP/s");
    line("encode, share of the former", 100 * flops / middle / rate, "%");
    line("encode, share of the latter", 100 * flops / middle / ceiling, "%");
    line("image to embedding", set_image, "s");
    line("decode to a 1024 x 1024 mask", 1e3 * median(b->decode, b->repeat), "ms");
    if (allocations[0] < 0 || allocations[1] < 0) {
        printf("%-34s not counted in this build\n", "allocations while running");
        return;
    }
    line("allocations while encoding", (double)allocations[0], "");
    line("allocations while decoding", (double)allocations[1], "");
}

/* In the child: one precision, from start to end. */
static int run_one(bench *b)
{
    double flops, set_image, start = now_seconds();
    long allocations[2];
    sgm_status status = open_model(b);
    if (status == SGM_OK && !b->load_only) {
        double load = now_seconds() - start;
        printf("\n%s on %s\n", sgm_model_get_config(b->model)->variant,
               sgm_context_device(b->context));
        line("load", 1e3 * load, "ms");
        status = time_encoder(b, &flops, &allocations[0]);
        if (status == SGM_OK && b->profile) status = profile_decoder(b);
        if (status == SGM_OK) status = time_session(b, &set_image, &allocations[1]);
        if (status == SGM_OK) report(b, flops, set_image, allocations);
    }
    close_model(b);
    fflush(stdout);
    return tool_exit(status);
}

/* Waits; the child's exit code and, if asked, its peak memory in bytes. */
static int wait_for(pid_t child, double *peak)
{
    int code;
    struct rusage usage;
    if (wait4(child, &code, 0, &usage) != child) return EXIT_DEVICE;
    if (peak) *peak = 1024.0 * (double)usage.ru_maxrss;
    return WIFEXITED(code) ? WEXITSTATUS(code) : EXIT_DEVICE;
}

static int run_precision(const bench *wanted, sgm_precision precision)
{
    double peak;
    bench b = *wanted;
    b.options.precision = precision;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) return EXIT_DEVICE;
    if (child == 0) _exit(run_one(&b));
    int code = wait_for(child, &peak);
    if (code == EXIT_DONE) line("peak memory", peak / 1e6, "MB");
    return code;
}

/* This program started anew, only to load the model: what a user waits before the first encode. */
static int time_start(const bench *b)
{
    char *arguments[] = {"segmodel", "bench", (char *)b->path, "--loadonly", NULL, NULL, NULL};
    if (b->variant) {
        arguments[4] = "--variant";
        arguments[5] = (char *)b->variant;
    }
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        pid_t child;
        double start = now_seconds();
        if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) != 0)
            return EXIT_DONE; /* no /proc: this line is left out */
        int code = wait_for(child, NULL);
        if (code != EXIT_DONE) return code;
        double seconds = now_seconds() - start;
        if (seconds < best) best = seconds;
    }
    line("start + load", 1e3 * best, "ms");
    return EXIT_DONE;
}

static int run_all(const bench *b)
{
    int code = time_start(b);
    if (code != EXIT_DONE) return code;
    if (b->options.precision != SGM_PRECISION_AUTO) return run_precision(b, b->options.precision);
    code = run_precision(b, SGM_PRECISION_FP32);
    if (code == EXIT_DONE && sgm_cpu_has_bf16()) code = run_precision(b, SGM_PRECISION_BF16);
    return code;
}

int verb_bench(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "volume")) return bench_volume(argc - 1, argv + 1);
    bench b = {.repeat = 5};
    bool helped;
    const option options[] = {
        {"--variant", OPTION_TEXT, &b.variant, NULL, "NAME", "the network (segmodel info)"},
        {"--precision", OPTION_PRECISION, &b.options.precision, NULL, "fp32|bf16",
         "both unless given"},
        {"--device", OPTION_DEVICE, &b.options.device, NULL, "auto|cpu|cuda", ""},
        {"--threads", OPTION_INT, &b.options.threads, NULL, "N", "0: one per core"},
        {"--repeat", OPTION_INT, &b.repeat, NULL, "N", "timed runs of each kind (5)"},
        {"--profile", OPTION_FLAG, &b.profile, NULL, NULL, "time of every step"},
        {"--paced", OPTION_TEXT, &b.paced, NULL, "IMAGE",
         "encode or decode IMAGE for each such word on stdin"},
        {"--loadonly", OPTION_FLAG, &b.load_only, NULL, NULL, "load the model and stop"},
        {0}};
    command_line command = {.usage = "segmodel bench FILE [--precision fp32|bf16] [--repeat N]\n"
                                     "       segmodel bench volume MODEL VOLUME.npy LABELS.npy",
                            .help = "Times start, load, encoding and decoding, and says how they "
                                    "compare\nwith the machine's own matrix rate.",
                            .options = options,
                            .positional = &b.path,
                            .positional_wanted = 1,
                            .positional_room = 1};
    sgm_status status = parse_options(argc, argv, &command, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    if (b.repeat < 1 || b.repeat > MAX_RUNS)
        return tool_exit(sgm_fail(SGM_INVALID_ARGUMENT, "--repeat is 1 to %d", MAX_RUNS));
    if (b.paced) return tool_exit(bench_paced(&b.options, b.path, b.variant, b.paced));
    return b.load_only ? run_one(&b) : run_all(&b);
}
