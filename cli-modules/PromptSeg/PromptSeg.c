/* PromptSeg: segments one volume from seeds, boxes or an initial segmentation.
 *
 * command line -> options; engine (device, model); case (volume, prompts); result (files). */
#include <stdlib.h>

#include "bridge.h"
#include "cli_clock.h"
#include "cli_embed.h"
#include "cli_files.h"
#include "cli_program.h"
#include "cli_text.h"
#include "result.h"

CLI_DECLARE_EMBEDDED(PromptSeg_xml);

/* One run, from the command line to written files. */
typedef struct segment_run {
    cli_program *program;
    double started;
    pipeline_options options;
    pipeline_engine engine;
    pipeline_case work;
    pipeline_result result;
} segment_run;

static int list_series(cli_program *program)
{
    char *text = NULL;
    program->stdout_is_result = 1;
    int failed = bridge_from_io(sgio_list_series(cli_text(program->options, "input"), &text));
    if (!failed) {
        cli_clean_text(text, CLI_CLEAN_BRACKETS);
        fputs(text, stdout);
    }
    free(text);
    return failed;
}

/* Before anything is read: what would be destroyed, and what can never be written. */
static int check_files(const cli_options *options)
{
    cli_files files = {0};
    cli_files_add_options(&files, options, "initial");
    const int failed = cli_files_check(&files);
    cli_files_clear(&files);
    return failed;
}

static void on_progress(void *progress, double fraction, const char *message)
{
    cli_progress_update(progress, fraction, message);
}

static int predict(segment_run *run)
{
    const cli_progress_mode mode = cli_progress_choose(run->program->slicer);
    cli_progress progress;
    cli_progress_start(&progress, mode, mode == CLI_PROGRESS_SLICER ? stdout : stderr, "PromptSeg",
                       "Segmenting");
    int failed = pipeline_result_make(&run->engine, &run->work, &run->options.result,
                                      (engine_progress){on_progress, &progress}, &run->result);
    cli_progress_end(&progress);
    return failed;
}

static int make(segment_run *run)
{
    if (!run->options.work.convert) return predict(run);
    pipeline_result_keep(&run->work, &run->result);
    return 0;
}

/* Errors are looked for in this order: usage, outputs, device, model, input, prompts. */
static int segment(segment_run *run)
{
    const cli_options *options = run->program->options;
    const result_maker maker = {
        .program = "PromptSeg", .version = run->program->tool->version, .started = run->started};
    int failed = pipeline_options_read(options, &run->options);
    if (!failed) failed = check_files(options);
    if (failed) return failed;
    cli_cancel_at_once(run->program->name);
    if (!run->options.work.convert)
        failed = pipeline_engine_open(&run->options.engine, &run->program->warnings, &run->engine);
    if (!failed)
        failed = pipeline_case_read(&run->options.work, &run->program->warnings, &run->work);
    if (!failed) failed = pipeline_result_check(&run->work, &run->options.result);
    cli_cancel_at_once(NULL);
    if (!failed) failed = make(run);
    if (!failed)
        failed = pipeline_result_write(&run->result, &run->engine, &run->work, &run->options.result,
                                       &maker);
    return failed;
}

/* ------------------------------------------------------------------------------ what is said */

static int64_t frames_with(const sgm_object_result *object)
{
    int64_t frames = 0;
    for (size_t i = 0; i < object->slice_count; i++)
        frames += object->slices[i].voxels > 0;
    return frames;
}

/* A plain label map holds no names: which value it is. */
static void say_name(const char *name, int label)
{
    if (label)
        printf("%s (label %d): ", name, label);
    else
        printf("%s: ", name);
}

/* Of a sequence in pixels and frames: there are no millimetres along time. */
static void say_segments(const segment_run *run)
{
    char name[256];
    for (size_t i = 0; i < run->work.prompts.segment_count; i++) {
        const sgm_object_result *object = &run->result.found.objects[i];
        const long long voxels = (long long)pipeline_result_voxels(&run->result, &run->work, i);
        const double quality = pipeline_result_quality(&run->result, i);
        cli_clean_copy(name, sizeof name, run->work.prompts.segments[i].name,
                       CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS);
        say_name(name, pipeline_result_label(&run->result, &run->work, i));
        if (run->work.volume.is_sequence) {
            printf("%lld pixels on %lld of %lld frames, predicted quality %.2f\n", voxels,
                   (long long)frames_with(object), (long long)run->work.volume.geometry.size[2],
                   quality);
            continue;
        }
        printf("%lld voxels, %.4g ml%s, %zu slices, predicted quality %.2f\n", voxels,
               pipeline_result_ml(&run->result, &run->work, i),
               run->work.volume.spacing_assumed ? " (a guess: the spacing is assumed)" : "",
               object->slice_count, quality);
    }
}

/* Of --convert. */
static void say_kept(const segment_run *run)
{
    char name[256];
    const sgio_segmentation *kept = &run->result.segmentation;
    for (size_t i = 0; i < kept->segment_count; i++) {
        cli_clean_copy(name, sizeof name, kept->segments[i].name,
                       CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS);
        say_name(name, run->result.written ? run->result.labels[i] : 0);
        printf("%lld voxels, %.4g ml\n", (long long)pipeline_result_segment_voxels(&run->result, i),
               pipeline_result_segment_ml(&run->result, i));
    }
}

static const char *device_of(const segment_run *run)
{
    return run->engine.context ? sgm_context_device(run->engine.context) : "none";
}

static void say(const segment_run *run)
{
    char output[1024];
    cli_clean_copy(output, sizeof output, run->options.result.output, CLI_CLEAN_LINES);
    if (run->options.work.convert) {
        say_kept(run);
        printf("%s: %.2f s\n", output, cli_clock() - run->started);
        return;
    }
    say_segments(run);
    printf("%s: %.2f s on %s\n", output, cli_clock() - run->started, device_of(run));
}

/* Of what was prompted; with --convert of all. */
static double all_ml(const segment_run *run)
{
    const sgio_segmentation *kept = &run->result.segmentation;
    double ml = 0;
    for (size_t i = 0; i < run->work.prompts.segment_count; i++)
        ml += pipeline_result_ml(&run->result, &run->work, i);
    for (size_t i = 0; i < kept->segment_count && run->options.work.convert; i++)
        ml += pipeline_result_segment_ml(&run->result, i);
    return ml;
}

static void set_returns(segment_run *run)
{
    cli_buffer *returns = &run->program->returns;
    char *warnings = cli_warnings_join(&run->program->warnings);
    cli_return_integer(returns, "segments", (long long)run->result.segmentation.segment_count);
    cli_return_real(returns, "volumeInMl", all_ml(run));
    cli_return_real(returns, "seconds", cli_clock() - run->started);
    cli_return_text(returns, "deviceUsed", device_of(run));
    cli_return_text(returns, "warnings", warnings ? warnings : "");
    free(warnings);
}

static void release(segment_run *run)
{
    pipeline_result_clear(&run->result);
    pipeline_case_clear(&run->work);
    pipeline_engine_close(&run->engine);
    pipeline_options_clear(&run->options);
}

int main(int argc, char **argv)
{
    cli_program program;
    segment_run run = {.program = &program, .started = cli_clock()};
    int code;
    if (!cli_program_begin(&program, "PromptSeg", PromptSeg_xml, PromptSeg_xml_size, argc, argv,
                           "listSeries", &code))
        return code;
    if (cli_switch(program.options, "listSeries")) {
        code = list_series(&program);
    } else {
        code = segment(&run);
        if (!code) say(&run);
        if (!code) set_returns(&run);
    }
    release(&run);
    return cli_program_end(&program, code, NULL);
}
