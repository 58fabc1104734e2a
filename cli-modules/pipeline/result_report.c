#include "result_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_clock.h"
#include "cli_exit.h"
#include "report_paths.h"
#include "sgio/report.h"

/* What the report's arrays point into. */
typedef struct report_parts {
    sgio_report_segment *segments;
    size_t segment_count;
    char **warnings;
    size_t warning_count;
    known_paths paths;
} report_parts;

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "no memory for the report");
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

/* The model has one word for all ends that are no answer of the network; which one it was, the
 * slices tell. */
static const char *limit_name(const pipeline_result *result, const pipeline_case *work, size_t i,
                              int above)
{
    const sgm_object_result *object = &result->found.objects[i];
    const int64_t most = work->options->volume.max_slices;
    const int64_t size = work->volume.geometry.size[result->found.axis];
    size_t prompted = 0, last = object->slice_count;
    for (size_t k = 0; k < object->slice_count; k++)
        if (object->slices[k].prompted && (above || prompted == 0)) prompted = k + 1;
    if (!prompted) return "limit";
    const int64_t from = object->slices[prompted - 1].slice;
    const int64_t to = object->slices[above ? last - 1 : 0].slice;
    if (to == (above ? size - 1 : 0)) return "end of the volume";
    if (most > 0 && (above ? to - from : from - to) >= most) return "maxSlices";
    return work->prompts.segments[i].box_count ? "end of the box" : "limit";
}

static const char *stop_name(const pipeline_result *result, const pipeline_case *work, size_t i,
                             int above)
{
    const sgm_stop stop = result->found.objects[i].stopped[above];
    return stop == SGM_STOP_LIMIT ? limit_name(result, work, i, above) : sgm_stop_name(stop);
}

static int report_segment(const pipeline_result *result, const pipeline_case *work, size_t i,
                          sgio_report_segment *out)
{
    const sgm_object_result *object = &result->found.objects[i];
    const char *name = work->prompts.segments[i].name;
    out->name = name;
    out->label = result->labels[sgio_segmentation_find(&result->segmentation, name)];
    out->voxels = pipeline_result_voxels(result, work, i);
    memcpy(out->first, object->first, sizeof out->first);
    memcpy(out->last, object->last, sizeof out->last);
    out->ml = work->volume.is_sequence ? NAN : pipeline_result_ml(result, work, i);
    out->quality = pipeline_result_quality(result, i);
    out->stopped_below = stop_name(result, work, i, 0);
    out->stopped_above = stop_name(result, work, i, 1);
    out->slices = report_slices(object);
    out->slice_count = object->slice_count;
    return out->slices ? 0 : no_memory();
}

static int make_segments(const pipeline_result *result, const pipeline_case *work,
                         report_parts *parts)
{
    const size_t count = work->prompts.segment_count;
    parts->segments = calloc(count + 1, sizeof *parts->segments);
    if (!parts->segments) return no_memory();
    parts->segment_count = count;
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++)
        failed = report_segment(result, work, i, &parts->segments[i]);
    return failed;
}

static int make_warnings(const cli_warnings *warnings, report_parts *parts)
{
    parts->warnings = calloc(warnings->count + 1, sizeof *parts->warnings);
    if (!parts->warnings) return no_memory();
    for (size_t i = 0; i < warnings->count; i++) {
        parts->warnings[i] = known_paths_replace(&parts->paths, warnings->sentences[i]);
        if (!parts->warnings[i]) return no_memory();
        parts->warning_count++;
    }
    return 0;
}

static void clear_parts(report_parts *parts)
{
    for (size_t i = 0; i < parts->segment_count; i++)
        free((void *)parts->segments[i].slices);
    for (size_t i = 0; i < parts->warning_count; i++)
        free(parts->warnings[i]);
    free(parts->segments);
    free(parts->warnings);
    known_paths_clear(&parts->paths);
}

static void describe_engine(const pipeline_engine *engine, const known_paths *paths,
                            sgio_report *report)
{
    report->model = known_paths_show(paths, engine->model_path);
    report->variant = engine->info.variant;
    report->device = sgm_context_device(engine->context);
    report->precision = engine->info.precision == SGM_PRECISION_BF16 ? "bf16" : "fp32";
    report->threads = engine->threads ? engine->threads : -1;
    report->seconds_load = engine->seconds_load;
}

static void describe_case(const pipeline_case *work, sgio_report *report)
{
    report->modality = work->volume.modality[0] ? work->volume.modality : NULL;
    for (int i = 0; i < 3; i++)
        report->size[i] = work->volume.geometry.size[i];
    sgio_geometry_spacing(&work->volume.geometry, report->spacing);
    report->spacing_assumed = work->volume.spacing_assumed;
    report->seconds_read = work->seconds_read;
}

static void describe_result(const pipeline_result *result, sgio_report *report)
{
    static const char *const axis_names[] = {"i", "j", "k"};
    report->axis = axis_names[result->found.axis];
    report->hounsfield = result->found.hounsfield;
    /* adding zero turns -0, which JSON would show, into 0 */
    for (int i = 0; i < 2; i++)
        report->window[i] = result->found.window[i] + 0.0;
    report->seconds_predict = result->seconds_predict;
    report->seconds_write = result->seconds_write;
    report->embeddings_encoded = result->found.encoded;
    report->embeddings_cached = result->found.cached;
}

int result_report_write(const pipeline_result *result, const pipeline_engine *engine,
                        const pipeline_case *work, const result_options *options,
                        const result_maker *maker, sgio_outputs *outputs)
{
    report_parts parts = {0};
    int failed = known_paths_make(work->options, options, engine->model_path, &parts.paths);
    if (!failed) failed = make_segments(result, work, &parts);
    if (!failed) failed = make_warnings(work->warnings, &parts);
    if (!failed) {
        sgio_report report = {.program = maker->program,
                              .version = maker->version,
                              .input = known_paths_show(&parts.paths, work->options->input),
                              .output = known_paths_show(&parts.paths, options->output),
                              .peak_memory = sgio_peak_memory(),
                              .segments = parts.segments,
                              .segment_count = parts.segment_count,
                              .warnings = (const char *const *)parts.warnings,
                              .warning_count = parts.warning_count};
        describe_engine(engine, &parts.paths, &report);
        describe_case(work, &report);
        describe_result(result, &report);
        report.seconds_total = cli_clock() - maker->started;
        failed = bridge_from_io(sgio_report_write(outputs, options->report, &report));
    }
    clear_parts(&parts);
    return failed;
}
