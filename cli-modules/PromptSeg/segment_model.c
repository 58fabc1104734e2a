/* The device, the model and the embedding cache. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segment_run.h"

#define BUNDLED_MODEL "promptseg-lite.safetensors"

/* The bundled model lies beside the programs' folder: <prefix>/bin/PromptSeg and
 * <prefix>/share/promptseg/models. NULL when it is not there. */
static char *bundled_model(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return NULL;
    path[n] = 0;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(path, '/');
        if (!slash) return NULL;
        *slash = 0;
    }
    static const char tail[] = "/share/promptseg/models/" BUNDLED_MODEL;
    if (strlen(path) + sizeof tail > sizeof path) return NULL;
    strcat(path, tail);
    return access(path, R_OK) == 0 ? strdup(path) : NULL;
}

static int find_model(segment_run *run)
{
    const cli_options *options = run->program->options;
    run->model_path =
        cli_given(options, "model") ? strdup(cli_text(options, "model")) : bundled_model();
    if (run->model_path) return 0;
    return cli_fail(CLI_EXIT_MODEL,
                    "the bundled model %s was not found beside the program; name "
                    "one with --model",
                    BUNDLED_MODEL);
}

static int create_context(segment_run *run)
{
    const cli_options *options = run->program->options;
    const char *device = cli_text(options, "device"), *precision = cli_text(options, "precision");
    sgm_context_options wanted = {.threads = (int)cli_integer(options, "threads"),
                                  .cancel = cli_cancelled};
    if (!strcmp(device, "cpu")) wanted.device = SGM_DEVICE_CPU;
    if (!strcmp(device, "cuda")) wanted.device = SGM_DEVICE_CUDA;
    if (!strcmp(precision, "fp32")) wanted.precision = SGM_PRECISION_FP32;
    if (!strcmp(precision, "bf16")) wanted.precision = SGM_PRECISION_BF16;
    return segment_from_model(sgm_context_create(&wanted, &run->context));
}

static int open_cache(segment_run *run)
{
    const cli_options *options = run->program->options;
    if (!cli_given(options, "cache")) return 0;
    uint64_t limit = (uint64_t)cli_integer(options, "cacheLimit") << 20;
    int failed = segment_from_model(sgm_store_open(cli_text(options, "cache"), limit, &run->store));
    run->volume_options.store = run->store;
    return failed;
}

int segment_open_model(segment_run *run)
{
    double start = segment_clock();
    int failed = create_context(run);
    if (!failed) failed = find_model(run);
    if (!failed)
        failed = segment_from_model(sgm_model_load(run->context, run->model_path,
                                                   cli_text(run->program->options, "variant"),
                                                   &run->model));
    if (failed) return failed;
    sgm_model_get_info(run->model, &run->info);
    if (*run->info.assumption) cli_warn(&run->program->warnings, run->info.assumption);
    failed = open_cache(run);
    run->times.load = segment_clock() - start;
    return failed;
}
