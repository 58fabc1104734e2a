#include "engine.h"

#include "segmodel/classes.h"
#include "segmodel/sequence.h"

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

/* One object of a sequence: what the network sees where its masks are, and how it rates that. */
typedef struct refined_object {
    uint8_t *masks;
    float *quality; /* of each frame */
} refined_object;

/* The masks of an object are asked about, and stand in its place. */
static int refine_masks(pipeline_engine *engine, const sgm_volume *frames,
                        const sgm_volume_options *options, const sgm_call *call, sgm_object *object,
                        refined_object *out)
{
    const size_t count = (size_t)frames->size[2];
    const sgm_sequence_options how = {.size = sizeof how,
                                      .window = options->window,
                                      .window_low = options->window_low,
                                      .window_high = options->window_high,
                                      .zoom = options->zoom,
                                      .store = options->store};
    out->masks = malloc((size_t)(frames->size[0] * frames->size[1]) * count);
    out->quality = calloc(count, sizeof *out->quality);
    if (!out->masks || !out->quality)
        return cli_fail(CLI_EXIT_MEMORY, "no memory for the masks of frames");
    const int failed = bridge_from_model(
        sgm_sequence_refine(engine->model, frames, object->labels, object->label_type,
                            object->label_value, &how, call, out->masks, out->quality));
    object->labels = out->masks;
    object->label_type = SGM_VOXEL_U8;
    object->label_value = 0;
    return failed;
}

/* A walk takes the answers for given masks, which are right by definition; the network has rated
 * them before. */
static void put_ratings(const refined_object *refined, sgm_object_result *object)
{
    double sum = 0;
    for (size_t i = 0; i < object->slice_count; i++) {
        sgm_slice_report *slice = &object->slices[i];
        const float rating = refined->quality ? refined->quality[slice->slice] : 0;
        if (rating > 0) slice->predicted_iou = rating;
        sum += slice->predicted_iou;
    }
    if (object->slice_count) object->quality = sum / (double)object->slice_count;
}

/* Masks of frames are asked about first; what they become walks on along time. */
static int segment_sequence(pipeline_engine *engine, const pipeline_case *work,
                            const sgm_volume *frames, const sgm_volume_options *options,
                            const sgm_call *call, sgm_volume_result *out)
{
    const size_t count = work->prompts.segment_count;
    sgm_object *objects = calloc(count + 1, sizeof *objects);
    refined_object *refined = calloc(count + 1, sizeof *refined);
    int failed = objects && refined ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for prompts");
    for (size_t i = 0; i < count && !failed; i++) {
        objects[i] = work->objects[i];
        if (objects[i].labels)
            failed = refine_masks(engine, frames, options, call, &objects[i], &refined[i]);
    }
    if (!failed)
        failed = bridge_from_model(
            sgm_volume_predict(engine->model, frames, objects, count, options, call, out));
    for (size_t i = 0; i < count && !failed; i++)
        put_ratings(&refined[i], &out->objects[i]);
    for (size_t i = 0; refined && i < count; i++) {
        free(refined[i].masks);
        free(refined[i].quality);
    }
    free(refined);
    free(objects);
    return failed;
}

int pipeline_engine_segment(pipeline_engine *engine, const pipeline_case *work,
                            engine_progress progress, sgm_volume_result *out)
{
    const sgm_volume view = bridge_volume(&work->volume);
    sgm_volume_options options = work->options->volume;
    if (work->volume.is_sequence && options.axis == SGM_AXIS_AUTO) options.axis = SGM_AXIS_K;
    options.is_sequence = work->volume.is_sequence;
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
    if (work->options->mask_prompts)
        return segment_sequence(engine, work, &view, &options, &call, out);
    const size_t count = work->prompts.segment_count;
    if (work->classes)
        return bridge_from_model(sgm_volume_predict_classes(
            engine->model, &view, engine->info.classes ? work->classes : NULL, count, &options,
            &call, out));
    return bridge_from_model(
        sgm_volume_predict(engine->model, &view, work->objects, count, &options, &call, out));
}
