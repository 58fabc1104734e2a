/* What a run leaves behind: segmentation, picture, report, return values, lines on stdout. */
#include <stdlib.h>

#include "segment_run.h"

/* ------------------------------------------------------------------------------------- checks */

static int check_named(const cli_options *options, const char *name)
{
    if (!cli_given(options, name)) return 0;
    return segment_from_io(sgio_output_check(cli_text(options, name)));
}

/* Fails before the work when a file can never be written. */
int segment_check_outputs(segment_run *run)
{
    const cli_options *options = run->program->options;
    const sgio_segmentation_write_options how = {.source = &run->volume, .source_path = run->input};
    int failed =
        segment_from_io(sgio_segmentation_check_write(run->output, &run->volume.geometry, &how));
    if (!failed) failed = check_named(options, "report");
    if (!failed) failed = check_named(options, "picture");
    return failed;
}

/* ------------------------------------------------------------------------------- segmentation */

int segment_collect(segment_run *run)
{
    for (size_t i = 0; i < run->prompts.segment_count; i++) {
        const sgio_prompt_segment *prompt = &run->prompts.segments[i];
        int found = sgio_segmentation_find(&run->segmentation, prompt->name);
        size_t index = (size_t)found;
        sgio_status status = SGIO_OK;
        if (found < 0)
            status = sgio_segmentation_add(&run->segmentation, prompt->name,
                                           prompt->has_colour ? prompt->colour : NULL, &index);
        if (status == SGIO_OK)
            status =
                sgio_segmentation_set_mask(&run->segmentation, index, run->result.objects[i].mask);
        if (status != SGIO_OK) return segment_from_io(status);
        if (run->result.objects[i].voxels == 0) {
            char sentence[256];
            snprintf(sentence, sizeof sentence, "segment %.180s is empty", prompt->name);
            cli_warn(&run->program->warnings, sentence);
        }
    }
    return 0;
}

static sgio_segmentation_write_options describe_output(segment_run *run, sgio_outputs *outputs)
{
    return (sgio_segmentation_write_options){.source = &run->volume,
                                             .source_path = run->input,
                                             .prompts = &run->prompts,
                                             .outputs = outputs,
                                             .warn = cli_warn,
                                             .warn_user = &run->program->warnings,
                                             .progress = segment_stop};
}

static int write_segmentation(segment_run *run, sgio_outputs *outputs)
{
    const sgio_segmentation_write_options how = describe_output(run, outputs);
    double start = segment_clock();
    int failed =
        segment_from_io(sgio_segmentation_write(&run->segmentation, run->output, &how, NULL));
    run->times.write = segment_clock() - start;
    return failed;
}

static int write_picture(const segment_run *run, sgio_outputs *outputs)
{
    const cli_options *options = run->program->options;
    const sgio_picture_options how = {.axis = run->result.axis,
                                      .window = {run->result.window[0], run->result.window[1]}};
    if (!cli_given(options, "picture")) return 0;
    return segment_from_io(sgio_picture_write(outputs, cli_text(options, "picture"), &run->volume,
                                              &run->segmentation, &run->prompts, &how));
}

/* ------------------------------------------------------------------------------------- report */

static double mean_quality(const sgm_object_result *object)
{
    double sum = 0;
    for (size_t i = 0; i < object->slice_count; i++)
        sum += object->slices[i].predicted_iou;
    return object->slice_count ? sum / (double)object->slice_count : 0;
}

static sgio_report_slice *report_slices(const sgm_object_result *object)
{
    sgio_report_slice *slices = calloc(object->slice_count + 1, sizeof *slices);
    for (size_t i = 0; slices && i < object->slice_count; i++) {
        const sgm_slice_report *s = &object->slices[i];
        slices[i] = (sgio_report_slice){s->slice, s->predicted_iou, s->voxels, s->prompted};
    }
    return slices;
}

static void report_segment(const segment_run *run, size_t i, const int *labels,
                           sgio_report_segment *out)
{
    const sgm_object_result *object = &run->result.objects[i];
    size_t index =
        (size_t)sgio_segmentation_find(&run->segmentation, run->prompts.segments[i].name);
    out->name = run->prompts.segments[i].name;
    out->label = labels[index];
    out->voxels = object->voxels;
    out->ml = sgio_segmentation_ml(&run->segmentation, index);
    out->quality = mean_quality(object);
    out->stopped_below = sgm_stop_name(object->stopped[0]);
    out->stopped_above = sgm_stop_name(object->stopped[1]);
    out->slices = report_slices(object);
    out->slice_count = out->slices ? object->slice_count : 0;
}

static sgio_report describe_run(const segment_run *run)
{
    static const char *const axis_names[] = {"i", "j", "k"};
    const int threads = (int)cli_integer(run->program->options, "threads");
    sgio_report report = {.program = "PromptSeg",
                          .version = run->program->tool->version,
                          .input = run->input,
                          .output = run->output,
                          .spacing_assumed = run->volume.spacing_assumed,
                          .modality = run->volume.modality[0] ? run->volume.modality : NULL,
                          .axis = axis_names[run->result.axis],
                          /* adding zero turns -0, which JSON would show, into 0 */
                          .window = {run->result.window[0] + 0.0, run->result.window[1] + 0.0},
                          .model = run->model_path,
                          .variant = run->info.variant,
                          .device = sgm_context_device(run->context),
                          .precision = run->info.precision == SGM_PRECISION_BF16 ? "bf16" : "fp32",
                          .threads = threads ? threads : -1,
                          .seconds_total = segment_clock() - run->times.start,
                          .seconds_read = run->times.read,
                          .seconds_load = run->times.load,
                          .seconds_predict = run->times.predict,
                          .seconds_write = run->times.write,
                          .peak_memory = sgio_peak_memory(),
                          .embeddings_encoded = run->result.encoded,
                          .embeddings_cached = run->result.cached,
                          .warnings = (const char *const *)run->program->warnings.sentences,
                          .warning_count = run->program->warnings.count};
    for (int i = 0; i < 3; i++)
        report.size[i] = run->volume.geometry.size[i];
    sgio_geometry_spacing(&run->volume.geometry, report.spacing);
    return report;
}

static int write_report(const segment_run *run, sgio_outputs *outputs)
{
    const cli_options *options = run->program->options;
    size_t count = run->prompts.segment_count;
    if (!cli_given(options, "report")) return 0;
    sgio_report report = describe_run(run);
    sgio_report_segment *segments = calloc(count + 1, sizeof *segments);
    int *labels = calloc(run->segmentation.segment_count + 1, sizeof *labels);
    int failed = segments && labels ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for the report");
    if (!failed) {
        sgio_segmentation_flat_labels(&run->segmentation, labels);
        for (size_t i = 0; i < count; i++)
            report_segment(run, i, labels, &segments[i]);
        report.segments = segments;
        report.segment_count = count;
        failed = segment_from_io(sgio_report_write(outputs, cli_text(options, "report"), &report));
    }
    for (size_t i = 0; segments && i < count; i++)
        free((void *)segments[i].slices);
    free(segments);
    free(labels);
    return failed;
}

/* ------------------------------------------------------------------------------ what is said */

static void say(const segment_run *run)
{
    for (size_t i = 0; i < run->prompts.segment_count; i++) {
        const sgm_object_result *object = &run->result.objects[i];
        const char *name = run->prompts.segments[i].name;
        int index = sgio_segmentation_find(&run->segmentation, name);
        printf("%s: %lld voxels, %.4g ml, %zu slices, predicted quality %.2f\n", name,
               (long long)object->voxels, sgio_segmentation_ml(&run->segmentation, (size_t)index),
               object->slice_count, mean_quality(object));
    }
    printf("%s: %.2f s on %s\n", run->output, segment_clock() - run->times.start,
           sgm_context_device(run->context));
}

static void set_returns(segment_run *run)
{
    cli_buffer *returns = &run->program->returns;
    char *warnings = cli_warnings_join(&run->program->warnings);
    double ml = 0;
    for (size_t i = 0; i < run->prompts.segment_count; i++) {
        int index = sgio_segmentation_find(&run->segmentation, run->prompts.segments[i].name);
        ml += sgio_segmentation_ml(&run->segmentation, (size_t)index);
    }
    cli_return_integer(returns, "segments", (long long)run->segmentation.segment_count);
    cli_return_real(returns, "volumeInMl", ml);
    cli_return_real(returns, "seconds", segment_clock() - run->times.start);
    cli_return_text(returns, "deviceUsed", sgm_context_device(run->context));
    cli_return_text(returns, "warnings", warnings ? warnings : "");
    free(warnings);
}

/* All outputs appear together: a report never speaks of a segmentation that could not be written.
 */
int segment_write(segment_run *run)
{
    sgio_outputs *outputs = NULL;
    int failed = segment_from_io(sgio_outputs_create(&outputs));
    if (!failed) failed = write_picture(run, outputs);
    if (!failed) failed = write_segmentation(run, outputs);
    if (!failed) failed = write_report(run, outputs);
    if (!failed) failed = segment_from_io(sgio_outputs_commit(outputs));
    sgio_outputs_destroy(outputs);
    if (failed) return failed;
    say(run);
    set_returns(run);
    return 0;
}
