#include "engine.h"

#include "segmodel/classes.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge.h"
#include "cli_cancel.h"
#include "cli_clock.h"
#include "cli_exit.h"

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

static int find_model(const char *given, pipeline_engine *engine)
{
    engine->model_path = given ? strdup(given) : bundled_model();
    if (engine->model_path) return 0;
    return cli_fail(CLI_EXIT_MODEL,
                    "the bundled model %s was not found beside the program; name "
                    "one with --model",
                    BUNDLED_MODEL);
}

static int create_context(const engine_options *options, sgm_context **context)
{
    const sgm_context_options wanted = {.device = options->device,
                                        .precision = options->precision,
                                        .threads = options->threads,
                                        .cancel = cli_cancelled};
    return bridge_from_model(sgm_context_create(&wanted, context));
}

int pipeline_engine_open(const engine_options *options, cli_warnings *warnings,
                         pipeline_engine *out)
{
    const double start = cli_clock();
    memset(out, 0, sizeof *out);
    out->threads = options->threads;
    int failed = create_context(options, &out->context);
    if (!failed) failed = find_model(options->model, out);
    if (!failed)
        failed = bridge_from_model(sgm_model_load_on(out->context, options->base, out->model_path,
                                                     options->variant, &out->model));
    if (failed) return failed;
    sgm_model_get_info(out->model, &out->info);
    if (*out->info.assumption) cli_warn(warnings, out->info.assumption);
    if (options->cache)
        failed =
            bridge_from_model(sgm_store_open(options->cache, options->cache_limit, &out->store));
    out->seconds_load = cli_clock() - start;
    return failed;
}

void pipeline_engine_close(pipeline_engine *engine)
{
    sgm_store_close(&engine->store);
    sgm_model_destroy(engine->model);
    sgm_context_destroy(engine->context);
    free(engine->model_path);
    memset(engine, 0, sizeof *engine);
}

int pipeline_engine_segment(pipeline_engine *engine, const pipeline_case *work,
                            engine_progress progress, sgm_volume_result *out)
{
    const sgm_volume view = bridge_volume(&work->volume);
    sgm_volume_options options = work->options->volume;
    const char *asked = work->options->class_name;
    options.store = engine->store;
    if (asked && !work->classes) {
        int failed = bridge_from_model(sgm_model_class(engine->model, asked, &options.class_index));
        if (failed) return failed;
    }
    sgm_call call = sgm_call_init();
    call.progress = progress.update;
    call.progress_user = progress.user;
    call.warning = cli_warn;
    call.warning_user = work->warnings;
    const size_t count = work->prompts.segment_count;
    if (work->classes)
        return bridge_from_model(sgm_volume_predict_classes(
            engine->model, &view, engine->info.classes ? work->classes : NULL, count, &options,
            &call, out));
    return bridge_from_model(
        sgm_volume_predict(engine->model, &view, work->objects, count, &options, &call, out));
}
