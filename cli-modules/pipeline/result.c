#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "class_segments.h"
#include "cli_cancel.h"
#include "cli_clock.h"
#include "cli_exit.h"
#include "cli_files.h"
#include "cli_output.h"
#include "cli_text.h"
#include "result_report.h"
#include "sgio/picture.h"

enum { THUMBNAIL_PIXELS = 116, FILMSTRIP_TILES = 32 }; /* with its rim a tile of a contact sheet */

/* -------------------------------------------------------------------------------- segmentation */

static int collect_object(pipeline_result *result, const pipeline_case *work, size_t i)
{
    const sgio_prompt_segment *prompt = &work->prompts.segments[i];
    const int found = sgio_segmentation_find(&result->segmentation, prompt->name);
    size_t index = (size_t)found;
    sgio_status status = SGIO_OK;
    if (found < 0)
        status = sgio_segmentation_add(&result->segmentation, prompt->name,
                                       prompt->has_colour ? prompt->colour : NULL, &index);
    if (status == SGIO_OK)
        status =
            sgio_segmentation_set_mask(&result->segmentation, index, result->found.objects[i].mask);
    if (status == SGIO_OK && result->found.objects[i].voxels == 0) {
        char sentence[256];
        snprintf(sentence, sizeof sentence, "segment %.180s is empty", prompt->name);
        cli_warn(work->warnings, sentence);
    }
    return bridge_from_io(status);
}

static int check_value(const result_options *options, const char *name, int value)
{
    const int most = sgio_segmentation_most_label(options->output);
    if (value <= most) return 0;
    return cli_fail(CLI_EXIT_USAGE,
                    "%s: its files hold values up to %d, and the label of '%.200s' is %d%s",
                    options->output, most, name, value,
                    options->labels ? "; --labelValues chooses values" : "");
}

/* All segments have values, in labels[]. */
static int check_values(const result_options *options, const sgio_segmentation *s,
                        const int *labels)
{
    int failed = 0;
    for (size_t i = 0; i < s->segment_count && !failed; i++)
        failed = check_value(options, s->segments[i].name, labels[i]);
    return failed;
}

/* Values that are known before the work: those of names, and those that the case begins with. */
static int check_known_values(const pipeline_case *work, const result_options *options)
{
    const sgio_segmentation *initial = &work->initial;
    if (!sgio_segmentation_is_plain(options->output)) return 0;
    int *labels = calloc(initial->segment_count + 1, sizeof *labels);
    int failed = labels ? label_values_assign(options->labels, initial, labels)
                        : cli_fail(CLI_EXIT_MEMORY, "no memory for %s", options->output);
    if (!failed) failed = check_values(options, initial, labels);
    free(labels);
    for (size_t i = 0; i < work->prompts.segment_count && !failed && options->labels; i++) {
        const label_value *own =
            label_values_find(options->labels, work->prompts.segments[i].name, 0);
        if (own) failed = check_value(options, own->name, own->value);
    }
    return failed;
}

int pipeline_result_make(pipeline_engine *engine, pipeline_case *work,
                         const result_options *options, engine_progress progress,
                         pipeline_result *out)
{
    const double start = cli_clock();
    memset(out, 0, sizeof *out);
    int failed = class_segments_make(engine, work);
    if (!failed) failed = check_known_values(work, options);
    if (!failed) failed = pipeline_engine_segment(engine, work, progress, &out->found);
    out->seconds_predict = cli_clock() - start;
    if (failed) return failed;
    out->segmentation = work->initial;
    memset(&work->initial, 0, sizeof work->initial);
    for (size_t i = 0; i < work->prompts.segment_count && !failed; i++)
        failed = collect_object(out, work, i);
    return failed;
}

void pipeline_result_keep(pipeline_case *work, pipeline_result *out)
{
    memset(out, 0, sizeof *out);
    out->segmentation = work->initial;
    out->found.axis = 2;
    memset(&work->initial, 0, sizeof work->initial);
}

void pipeline_result_clear(pipeline_result *result)
{
    sgm_volume_result_clear(&result->found);
    sgio_segmentation_clear(&result->segmentation);
    free(result->labels);
    free(result->written);
    memset(result, 0, sizeof *result);
}

int64_t pipeline_result_segment_voxels(const pipeline_result *result, size_t segment)
{
    return result->written ? result->written[segment]
                           : result->segmentation.segments[segment].voxels;
}

double pipeline_result_segment_ml(const pipeline_result *result, size_t segment)
{
    const int64_t all = result->segmentation.segments[segment].voxels;
    const double ml = sgio_segmentation_ml(&result->segmentation, segment);
    const int64_t voxels = pipeline_result_segment_voxels(result, segment);
    return voxels == all ? ml : ml * (double)voxels / (double)all;
}

static size_t segment_of(const pipeline_result *result, const pipeline_case *work, size_t i)
{
    return (size_t)sgio_segmentation_find(&result->segmentation, work->prompts.segments[i].name);
}

int64_t pipeline_result_voxels(const pipeline_result *result, const pipeline_case *work, size_t i)
{
    return pipeline_result_segment_voxels(result, segment_of(result, work, i));
}

double pipeline_result_ml(const pipeline_result *result, const pipeline_case *work, size_t i)
{
    return pipeline_result_segment_ml(result, segment_of(result, work, i));
}

int pipeline_result_label(const pipeline_result *result, const pipeline_case *work, size_t i)
{
    return result->written ? result->labels[segment_of(result, work, i)] : 0;
}

double pipeline_result_quality(const pipeline_result *result, size_t i)
{
    return result->found.objects[i].quality;
}

/* --------------------------------------------------------------------------------------- files */

/* What the segmentation came from, for formats that refer to it. */
static sgio_segmentation_write_options origin_of(const pipeline_case *work)
{
    const case_options *o = work->options;
    return (sgio_segmentation_write_options){.source = &work->volume,
                                             .source_path = o->input,
                                             .prompts = &work->prompts,
                                             .reference = o->reference ? &work->reference : NULL,
                                             .reference_path = o->reference,
                                             .reference_option =
                                                 o->takes_reference ? "--reference" : NULL};
}

typedef struct beside {
    cli_files files;
    const char *output;
} beside;

static void add_beside(void *user, const char *path)
{
    beside *b = user;
    char role[512];
    snprintf(role, sizeof role, "a file beside %.400s", b->output);
    cli_files_add(&b->files, role, path, CLI_FILE_WRITTEN);
}

static void add_if_given(beside *b, const char *role, const char *path, cli_file_use use)
{
    if (path) cli_files_add(&b->files, role, path, use);
}

/* Files that belong to <output> have names of their own, known only now: they must not be any that
 * was read, nor another output. */
static int check_beside(const pipeline_case *work, const result_options *options,
                        const sgio_segmentation_write_options *how)
{
    const case_options *o = work->options;
    beside b = {.output = options->output};
    int failed = bridge_from_io(sgio_segmentation_beside(options->output, how, add_beside, &b));
    if (!failed && b.files.count > 0) {
        add_if_given(&b, "<input>", o->input, CLI_FILE_READ);
        add_if_given(&b, "--initial", o->initial, CLI_FILE_READ);
        add_if_given(&b, "--boxes", o->boxes, CLI_FILE_READ);
        add_if_given(&b, "--labels", o->labels, CLI_FILE_READ);
        add_if_given(&b, "--maskPrompts", o->mask_prompts, CLI_FILE_READ);
        add_if_given(&b, "--reference", o->reference, CLI_FILE_READ);
        for (size_t i = 0; i < o->prompts.count; i++)
            cli_files_add(&b.files, "--prompts", o->prompts.items[i], CLI_FILE_READ);
        add_if_given(&b, "--report", options->report, CLI_FILE_WRITTEN);
        add_if_given(&b, "--picture", options->picture, CLI_FILE_WRITTEN);
        failed = cli_files_compare(&b.files);
    }
    cli_files_clear(&b.files);
    return failed;
}

int pipeline_result_check(const pipeline_case *work, const result_options *options)
{
    const sgio_segmentation_write_options how = origin_of(work);
    const int failed = check_beside(work, options, &how);
    if (failed) return failed;
    return bridge_from_io(
        sgio_segmentation_check_write(options->output, &work->volume.geometry, &how));
}

/* What a plain label map cannot hold: which segment has which value. */
static int make_labels(pipeline_result *result, const result_options *options)
{
    const size_t count = result->segmentation.segment_count + 1;
    free(result->labels);
    free(result->written);
    result->labels = calloc(count, sizeof *result->labels);
    result->written =
        sgio_segmentation_is_plain(options->output) ? calloc(count, sizeof *result->written) : NULL;
    if (!result->labels || (!result->written && sgio_segmentation_is_plain(options->output)))
        return cli_fail(CLI_EXIT_MEMORY, "no memory for %s", options->output);
    const int failed = label_values_assign(result->written ? options->labels : NULL,
                                           &result->segmentation, result->labels);
    return failed || !result->written
               ? failed
               : check_values(options, &result->segmentation, result->labels);
}

static int write_segmentation(pipeline_result *result, const pipeline_case *work, const char *path,
                              sgio_outputs *outputs)
{
    sgio_segmentation_write_options how = origin_of(work);
    const double start = cli_clock();
    how.outputs = outputs;
    how.warn = cli_warn;
    how.warn_user = work->warnings;
    how.labels = result->labels;
    how.written = result->written;
    int failed = bridge_from_io(sgio_segmentation_write(&result->segmentation, path, &how, NULL));
    result->seconds_write = cli_clock() - start;
    return failed;
}

/* The slices in which prompts were asked, which for a box is not always its middle; NULL: there is
 * no memory, or nothing was asked. Each may be there several times. */
static int64_t *asked_slices(const pipeline_result *result, size_t *count)
{
    const sgm_volume_result *found = &result->found;
    size_t most = 0;
    *count = 0;
    for (size_t i = 0; i < found->object_count; i++)
        most += found->objects[i].slice_count;
    int64_t *slices = most ? calloc(most, sizeof *slices) : NULL;
    for (size_t i = 0; i < found->object_count && slices; i++)
        for (size_t k = 0; k < found->objects[i].slice_count; k++)
            if (found->objects[i].slices[k].prompted)
                slices[(*count)++] = found->objects[i].slices[k].slice;
    return slices;
}

static int write_picture(const pipeline_result *result, const pipeline_case *work, const char *path,
                         int tiles, int pixels, sgio_outputs *outputs)
{
    const int strip = work->volume.is_sequence && tiles == 0 ? FILMSTRIP_TILES : tiles;
    size_t asked_count;
    int64_t *asked = asked_slices(result, &asked_count);
    const sgio_picture_options how = {.axis = result->found.axis,
                                      .window = {result->found.window[0], result->found.window[1]},
                                      .max_tiles = strip,
                                      .tile_pixels = pixels,
                                      .without_legend = tiles == 1,
                                      .prompted = asked,
                                      .prompted_count = asked_count};
    const int failed = bridge_from_io(sgio_picture_write(
        outputs, path, &work->volume, &result->segmentation, &work->prompts, &how));
    free(asked);
    return failed;
}

/* The names of a label map's values, as BIDS asks for them: _dseg.tsv. */
static int write_names(const pipeline_result *result, const char *path, sgio_outputs *outputs)
{
    const sgio_segmentation *s = &result->segmentation;
    cli_buffer text = {0};
    cli_buffer_printf(&text, "index\tname\n");
    for (size_t i = 0; i < s->segment_count; i++) {
        char name[256];
        cli_clean_copy(name, sizeof name, s->segments[i].name, CLI_CLEAN_LINES);
        cli_buffer_printf(&text, "%d\t%s\n", result->labels[i], name);
    }
    const int failed = text.failed ? cli_fail(CLI_EXIT_MEMORY, "no memory for %s", path)
                                   : cli_write_file(outputs, path, text.text, text.size);
    cli_buffer_clear(&text);
    return failed;
}

/* All outputs appear together: a report never speaks of a segmentation that could not be written.
 * It comes last, because it tells how the writing went. What is finished is not thrown away: a
 * signal that comes while files are written waits for them, and a second one ends the program. */
int pipeline_result_write(pipeline_result *result, const pipeline_engine *engine,
                          const pipeline_case *work, const result_options *options,
                          const result_maker *maker)
{
    sgio_outputs *outputs = NULL;
    if (cli_cancelled(NULL)) return cli_fail(CLI_EXIT_CANCELLED, "cancelled");
    int failed = make_labels(result, options);
    if (!failed) failed = bridge_from_io(sgio_outputs_create(&outputs));
    if (!failed && options->picture)
        failed = write_picture(result, work, options->picture, 0, 0, outputs);
    if (!failed && options->thumbnail)
        failed = write_picture(result, work, options->thumbnail, 1, THUMBNAIL_PIXELS, outputs);
    if (!failed && options->names) failed = write_names(result, options->names, outputs);
    if (!failed) failed = write_segmentation(result, work, options->output, outputs);
    if (!failed && maker->write_more) failed = maker->write_more(maker->user, outputs);
    if (!failed && options->report)
        failed = result_report_write(result, engine, work, options, maker, outputs);
    if (!failed) failed = bridge_from_io(sgio_outputs_commit(outputs));
    sgio_outputs_destroy(outputs);
    return failed;
}
