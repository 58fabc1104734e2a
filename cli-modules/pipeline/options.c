#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli_exit.h"
#include "cli_number.h"
#include "sgio/labelmap.h"

static const char *const axes[] = {"auto", "axial", "coronal", "sagittal", "i", "j", "k"};
static const char *const windows[] = {"auto", "none",    "percentile", "brain",
                                      "lung", "abdomen", "bone",       "mediastinum"};
static const char *const devices[] = {"auto", "cpu", "cuda"};
static const char *const precisions[] = {"auto", "fp32", "bf16"};
static const char *const path_words[] = {"given", "relative", "none"};

/* Index of a word in a list, -1 if it is not there. */
static int word_in(const char *word, const char *const list[], int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(word, list[i])) return i;
    return -1;
}

static const char *text_or_null(const cli_options *options, const char *name)
{
    return cli_given(options, name) ? cli_text(options, name) : NULL;
}

static int read_texts(const cli_options *options, const char *name, option_texts *out)
{
    out->count = cli_given(options, name);
    out->items = calloc(out->count + 1, sizeof *out->items);
    if (!out->items) {
        out->count = 0;
        return cli_fail(CLI_EXIT_MEMORY, "out of memory while reading the command line");
    }
    for (size_t i = 0; i < out->count; i++)
        out->items[i] = cli_text_at(options, name, i);
    return 0;
}

/* "low,high" with low < high; a person may type blanks around them. */
static int manual_window(const char *text, sgm_volume_options *volume)
{
    char plain[80];
    size_t length = 0;
    double values[2];
    volume->window = SGM_WINDOW_MANUAL;
    for (const char *c = text; *c && length < sizeof plain - 1; c++)
        if (*c != ' ') plain[length++] = *c;
    plain[length] = '\0';
    if (cli_parse_reals(plain, values, 2) == 2 && values[1] - values[0] > 0 &&
        values[1] - values[0] < 1e30) {
        volume->window_low = values[0];
        volume->window_high = values[1];
        return 0;
    }
    return cli_fail(CLI_EXIT_USAGE,
                    "--window %s: wanted auto, none, percentile, brain, lung, abdomen, bone, "
                    "mediastinum, or two numbers low,high",
                    text);
}

static int read_colour(const cli_options *options, case_options *work)
{
    double colour[4];
    work->has_colour = cli_given(options, "segmentColor") > 0;
    if (!work->has_colour) return 0;
    size_t count = cli_numbers_at(options, "segmentColor", 0, colour, 4);
    for (size_t i = 0; i < 3 && count == 3; i++)
        if (!(colour[i] >= 0 && colour[i] <= 1)) count = 0;
    if (count != 3)
        return cli_fail(CLI_EXIT_USAGE,
                        "--segmentColor %s: wanted red,green,blue, each from 0 to 1",
                        cli_text(options, "segmentColor"));
    memcpy(work->colour, colour, sizeof work->colour);
    return 0;
}

void pipeline_read_engine(const cli_options *options, engine_options *engine)
{
    engine->model = text_or_null(options, "model");
    engine->base = text_or_null(options, "base");
    engine->variant = cli_text(options, "variant");
    engine->device = (sgm_device)word_in(cli_text(options, "device"), devices, 3);
    engine->precision = (sgm_precision)word_in(cli_text(options, "precision"), precisions, 3);
    engine->threads = (int)cli_integer(options, "threads");
    engine->cache = text_or_null(options, "cache");
    engine->cache_limit = (uint64_t)cli_integer(options, "cacheLimit") << 20;
}

int pipeline_read_cut(const cli_options *options, sgm_volume_options *volume)
{
    const char *window = cli_text(options, "window");
    const int known = word_in(window, windows, 8);
    volume->axis = (sgm_axis)word_in(cli_text(options, "axis"), axes, 7);
    volume->window = (sgm_window)known;
    return known < 0 ? manual_window(window, volume) : 0;
}

void pipeline_read_paths(const cli_options *options, result_options *result)
{
    result->paths = (report_paths)word_in(cli_text(options, "reportPaths"), path_words, 3);
}

static int read_slicing(const cli_options *options, sgm_volume_options *volume)
{
    volume->no_propagation = !strcmp(cli_text(options, "propagate"), "none");
    volume->max_slices = (int)cli_integer(options, "maxSlices");
    volume->keep_largest = cli_switch(options, "keepLargest");
    volume->fill_holes = cli_switch(options, "fillHoles");
    return pipeline_read_cut(options, volume);
}

static int read_given(const cli_options *options, case_options *work)
{
    static const char *const kinds[] = {"foreground", "background", "roi", "prompts"};
    const char *name, *text;
    size_t count = 0;
    for (int kind = 0; kind < 4; kind++)
        count += cli_given(options, kinds[kind]);
    work->given = calloc(count + 1, sizeof *work->given);
    if (!work->given)
        return cli_fail(CLI_EXIT_MEMORY, "out of memory while reading the command line");
    for (size_t place = 0; (name = cli_at_place(options, place, &text)) != NULL; place++) {
        const int kind = word_in(name, kinds, 4);
        if (kind < 0) continue;
        work->given[work->given_count++] = (option_prompt){(prompt_kind)kind, text};
    }
    return 0;
}

static int read_prompts(const cli_options *options, case_options *work)
{
    int failed = read_given(options, work);
    if (!failed) failed = read_texts(options, "prompts", &work->prompts);
    work->boxes = text_or_null(options, "boxes");
    work->initial = text_or_null(options, "initial");
    work->convert = cli_switch(options, "convert");
    work->mask_prompts = text_or_null(options, "maskPrompts");
    work->is_sequence = cli_switch(options, "sequence");
    work->takes_reference = 1;
    work->reference = text_or_null(options, "reference");
    work->segment_name = cli_text(options, "segmentName");
    return failed;
}

/* Slicer gives every option a value: nothing, or -1 as earlier versions had it, is no class. */
static const char *class_or_null(const char *text)
{
    return *text && strcmp(text, "-1") != 0 ? text : NULL;
}

static int read_case(const cli_options *options, case_options *work)
{
    work->input = cli_text(options, "input");
    work->series = text_or_null(options, "series");
    work->allow_gaps = cli_switch(options, "allowGaps");
    int failed = read_prompts(options, work);
    if (failed) return failed;
    work->names_segment = strcmp(work->segment_name, "Segment_1") != 0;
    work->class_name = class_or_null(cli_text(options, "className"));
    if (work->class_name && !strcmp(work->class_name, "0"))
        return cli_fail(CLI_EXIT_USAGE, "--class: classes are numbered from 1");
    if (work->mask_prompts && work->initial)
        return cli_fail(CLI_EXIT_USAGE, "--maskPrompts and --initial both say where the object is: "
                                        "give one of them");
    if (!*work->segment_name)
        return cli_fail(CLI_EXIT_USAGE, "--segmentName is empty: every segment needs a name");
    failed = read_slicing(options, &work->volume);
    if (!failed && work->mask_prompts && work->volume.axis != SGM_AXIS_AUTO &&
        work->volume.axis != SGM_AXIS_K)
        return cli_fail(CLI_EXIT_USAGE, "--maskPrompts goes along time, which is --axis k");
    return failed ? failed : read_colour(options, work);
}

static int read_result(const cli_options *options, result_options *result)
{
    result->output = cli_text(options, "output");
    result->report = text_or_null(options, "report");
    result->picture = text_or_null(options, "picture");
    pipeline_read_paths(options, result);
    if (sgio_segmentation_can_write(result->output)) return 0;
    return cli_fail(CLI_EXIT_USAGE, "%s: the output's name must end in %s", result->output,
                    sgio_segmentation_endings());
}

/* What asks for an answer, or tells of one, has no place beside --convert. */
static int check_convert(const cli_options *options, const case_options *work)
{
    static const char *const others[] = {"foreground", "background", "roi",
                                         "prompts",    "boxes",      "report"};
    if (!work->convert) return 0;
    if (!work->initial)
        return cli_fail(CLI_EXIT_USAGE, "--convert wants the segmentation to write: --initial");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (cli_given(options, others[i]))
            return cli_fail(CLI_EXIT_USAGE, "--convert segments nothing: leave --%s out",
                            others[i]);
    return 0;
}

/* Both formats that refer to a series end in .dcm. */
static int check_reference(const pipeline_options *o)
{
    const size_t length = strlen(o->result.output);
    if (!o->work.reference) return 0;
    if (length > 4 && strcasecmp(o->result.output + length - 4, ".dcm") == 0) return 0;
    return cli_fail(CLI_EXIT_USAGE,
                    "--reference %s: only outputs that end in .dcm or .rtstruct.dcm refer to a "
                    "series, not %s",
                    o->work.reference, o->result.output);
}

int pipeline_options_read(const cli_options *options, pipeline_options *out)
{
    memset(out, 0, sizeof *out);
    pipeline_read_engine(options, &out->engine);
    int failed = read_result(options, &out->result);
    if (!failed) failed = read_case(options, &out->work);
    if (!failed) failed = label_values_read(cli_text(options, "labelValues"), &out->labels);
    out->result.labels = &out->labels;
    if (!failed) failed = check_convert(options, &out->work);
    return failed ? failed : check_reference(out);
}

void pipeline_options_clear(pipeline_options *options)
{
    free(options->work.given);
    free(options->work.prompts.items);
    label_values_clear(&options->labels);
    memset(options, 0, sizeof *options);
}
