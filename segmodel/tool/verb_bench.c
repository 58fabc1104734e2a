/* `segmodel bench`: options, and the processes that do the work (bench_model.h). */
#include "bench_model.h"
#include "bench_paced.h"
#include "children.h"
#include "matrix_rate.h"
#include "tool.h"
#include "tool_options.h"

#include "core/clock.h"
#include "core/cpu_features.h"
#include "predict/session/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In a child: loads the model, and with `work` runs one precision from start to end. */
static int run_one(const bench *b, bool work)
{
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    double start = sgm_clock();
    sgm_status status = sgm_context_create(&b->options, &context);
    if (status == SGM_OK) status = sgm_model_load(context, b->path, b->variant, &model);
    if (status == SGM_OK && work) {
        double load = sgm_clock() - start;
        printf("\n%s on %s\n", sgm_model_get_config(model)->variant, sgm_context_device(context));
        if (b->reference->on_cpu) printf("%-34s %s\n", "kernels", sgm_cpu_summary());
        if (b->reference->on_cpu) printf("%-34s %s\n", "checked against", b->reference->kernels);
        bench_line("load", 1e3 * load, "ms");
        status = bench_network(b, model);
        if (status == SGM_OK) status = bench_session(b, model);
    }
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    fflush(stdout);
    return tool_exit(status);
}

static int run_whole(const void *argument)
{
    return run_one(argument, true);
}

static int run_precision(const bench *wanted, sgm_precision precision)
{
    double peak;
    bench b = *wanted;
    b.options.precision = precision;
    int code = child_copy(run_whole, &b, &peak);
    if (code == EXIT_DONE) bench_line("peak memory", peak / 1e6, "MB");
    return code;
}

static int make_reference(const void *argument)
{
    return tool_exit(bench_make_reference(argument));
}

/* This program started anew, only to load the model: what a user waits before the first encode. */
static int time_start(const bench *b)
{
    static const char *const devices[] = {"auto", "cpu", "cuda", "reference"};
    char *arguments[] = {"segmodel",   "bench",    (char *)b->path,
                         "--loadonly", "--device", (char *)devices[b->options.device],
                         NULL,         NULL,       NULL};
    if (b->variant) {
        arguments[6] = "--variant";
        arguments[7] = (char *)b->variant;
    }
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        double start = sgm_clock();
        int code = child_anew(arguments);
        if (code == -1) return EXIT_DONE; /* no /proc: this line is left out */
        if (code != EXIT_DONE) return code;
        double seconds = sgm_clock() - start;
        if (seconds < best) best = seconds;
    }
    bench_line("start + load", 1e3 * best, "ms");
    return EXIT_DONE;
}

static int run_all(bench *b)
{
    int code = time_start(b);
    if (code != EXIT_DONE) return code;
    b->reference = child_shared(sizeof *b->reference);
    if (!b->reference)
        return tool_exit(sgm_fail(SGM_OUT_OF_MEMORY, "no memory for reference results"));
    code = child_copy(make_reference, b, NULL);
    if (code == EXIT_DONE && b->options.precision != SGM_PRECISION_AUTO)
        return run_precision(b, b->options.precision);
    if (code == EXIT_DONE) code = run_precision(b, SGM_PRECISION_FP32);
    if (code == EXIT_DONE && b->reference->has_bf16) code = run_precision(b, SGM_PRECISION_BF16);
    return code;
}

static sgm_status add_batch(void *user, const char *text)
{
    bench *b = user;
    double batch;
    if (b->batch_count == BENCH_MAX_BATCHES || !parse_list(text, 1, &batch) ||
        batch != (int)batch || batch < 1 || batch > 64)
        return sgm_fail(SGM_INVALID_ARGUMENT, "--batch wants 1 to 64, at most %d times; got '%s'",
                        BENCH_MAX_BATCHES, text);
    b->batches[b->batch_count++] = (int)batch;
    return SGM_OK;
}

/* Kernels of another instruction set than the processor's best, in this process and its copies. */
static sgm_status limit_isa(void *user, const char *text)
{
    static const char *const names[] = {"base", "avx2", "avx512"};
    (void)user;
    for (int i = 0; i < 3; i++)
        if (!strcmp(text, names[i])) {
            if (sgm_cpu()->isa < (sgm_isa)i)
                return sgm_fail(SGM_INVALID_ARGUMENT, "this processor has no %s", text);
            sgm_cpu_limit(i == SGM_ISA_AVX512 ? SGM_ISA_AVX512_BF16 : (sgm_isa)i, SGM_BF16_AMX);
            return SGM_OK;
        }
    return sgm_fail(SGM_INVALID_ARGUMENT, "--isa is base, avx2 or avx512, not '%s'", text);
}

int verb_bench(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "volume")) return bench_volume(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "train")) return bench_train(argc - 1, argv + 1);
    bench b = {0};
    bool helped;
    const option options[] = {
        {"--variant", OPTION_TEXT, &b.variant, NULL, "NAME", "the network (segmodel info)"},
        {"--precision", OPTION_PRECISION, &b.options.precision, NULL, "fp32|bf16",
         "both unless given"},
        {"--device", OPTION_DEVICE, &b.options.device, NULL, "auto|cpu|cuda", ""},
        {"--threads", OPTION_INT, &b.options.threads, NULL, "N", "0: one per core"},
        {"--isa", OPTION_VISIT, NULL, limit_isa, "base|avx2|avx512",
         "the CPU's kernels for these instructions, not for all it has"},
        {"--batch", OPTION_VISIT, &b, add_batch, "N",
         "images encoded at once, repeatable (cpu 1; cuda 1 and 8)"},
        {"--repeat", OPTION_INT, &b.repeat, NULL, "N", "timed runs of each kind (cpu 5; cuda 20)"},
        {"--profile", OPTION_FLAG, &b.profile, NULL, NULL, "time of every step"},
        {"--rateside", OPTION_INT, &b.rate_side, NULL, "N",
         "side of the GPU's matrix products (8192, fp32 4096)"},
        {"--paced", OPTION_TEXT, &b.paced, NULL, "IMAGE",
         "encode or decode IMAGE for each such word on stdin"},
        {"--loadonly", OPTION_FLAG, &b.load_only, NULL, NULL, "load the model and stop"},
        {0}};
    command_line command = {
        .usage = "segmodel bench FILE [--device D] [--precision fp32|bf16] [--batch N]\n"
                 "       segmodel bench volume MODEL VOLUME.npy LABELS.npy\n"
                 "       segmodel bench train CONFIG",
        .help = "Times start, load, encoding and decoding, and says how they compare\nwith the "
                "machine's own matrix rate. Results are first compared with FP32\non the CPU.",
        .options = options,
        .positional = &b.path,
        .positional_wanted = 1,
        .positional_room = 1};
    sgm_status status = parse_options(argc, argv, &command, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    if (b.repeat < 0 || b.repeat > BENCH_MAX_RUNS || b.rate_side < 0 || b.rate_side > 16384)
        return tool_exit(sgm_fail(SGM_INVALID_ARGUMENT,
                                  "--repeat is 1 to %d, --rateside at most 16384", BENCH_MAX_RUNS));
    if (b.paced) return tool_exit(bench_paced(&b.options, b.path, b.variant, b.paced));
    return b.load_only ? run_one(&b, false) : run_all(&b);
}
