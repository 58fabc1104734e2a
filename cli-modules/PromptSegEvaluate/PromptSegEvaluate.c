/* PromptSegEvaluate: how well a segmentation agrees with a reference, label by label. */
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_embed.h"
#include "cli_files.h"
#include "cli_program.h"
#include "cli_reads.h"
#include "evaluate_contours.h"
#include "evaluate_grid.h"
#include "evaluate_map.h"
#include "evaluate_pairs.h"
#include "evaluate_picture.h"
#include "evaluate_report.h"
#include "evaluate_sets.h"
#include "grids.h"

CLI_DECLARE_EMBEDDED(PromptSegEvaluate_xml);

typedef struct inputs {
    const char *reference_path, *prediction_path;
    sgio_segmentation reference, prediction;
    sgio_geometry own[2]; /* their grids as they were read; contours have the other file's */
} inputs;

/* grid: NULL, the file's own. */
static int read_segmentation(cli_program *program, const char *path, const sgio_geometry *grid,
                             sgio_segmentation *out)
{
    const sgio_segmentation_read_options options = {
        .grid = grid, .warn = cli_warn, .warn_user = &program->warnings};
    return bridge_from_io(sgio_segmentation_read(path, &options, out));
}

static int same_grid(const sgio_geometry *a, const sgio_geometry *b)
{
    return sgio_geometry_equal(a, b, sgio_geometry_rounding(a));
}

static int different_grids(const inputs *in)
{
    char reference[256], prediction[256];
    pipeline_grid_describe(&in->reference.geometry, reference, sizeof reference);
    pipeline_grid_describe(&in->prediction.geometry, prediction, sizeof prediction);
    return cli_fail(
        CLI_EXIT_INPUT,
        "the grids differ: %s has %s; %s has %s. Resample one of them to the other first",
        in->reference_path, reference, in->prediction_path, prediction);
}

/* The grid that both are compared on: nothing that either marks lies outside it. */
static int find_common_grid(const inputs *in, sgio_geometry *grid)
{
    const sgio_geometry *reference = &in->reference.geometry,
                        *prediction = &in->prediction.geometry;
    *grid = *reference;
    if (evaluate_has_no_place(&in->prediction)) return 0;
    if (evaluate_has_no_place(&in->reference)) {
        *grid = *prediction;
        return 0;
    }
    if (evaluate_box_around(reference, prediction, grid) != 0)
        *grid = *reference; /* refused when the prediction is put there */
    else if (evaluate_box_is_vast(grid, reference, prediction))
        return evaluate_far_apart(in->reference_path, in->prediction_path, grid);
    return 0;
}

/* Reads a file again, onto the common grid; 0 when every voxel it marks is there. */
static int put_on_grid(const char *path, const sgio_geometry *grid, sgio_segmentation *s)
{
    const sgio_segmentation_read_options quiet = {.grid = grid};
    sgio_segmentation placed;
    const int failed = bridge_from_io(sgio_segmentation_read(path, &quiet, &placed));
    if (failed) return failed;
    const int lost = evaluate_voxels(&placed) != evaluate_voxels(s);
    sgio_segmentation_clear(s);
    *s = placed;
    return lost ? cli_fail(CLI_EXIT_INPUT, "%s: voxels would be lost", path) : 0;
}

/* Slicer crops the segmentations it saves. What one file marks outside the other's cut-out counts:
 * both are put into the box around the two. */
static int bring_to_one_grid(inputs *in)
{
    sgio_geometry grid;
    if (same_grid(&in->reference.geometry, &in->prediction.geometry)) return 0;
    char message[1024];
    const int mismatch = different_grids(in);
    if (in->reference.frame_numbers && in->prediction.frame_numbers) return mismatch;
    snprintf(message, sizeof message, "%s", cli_last_message());
    int failed = find_common_grid(in, &grid);
    if (failed) return failed;
    failed = put_on_grid(in->prediction_path, &grid, &in->prediction);
    if (!failed) failed = put_on_grid(in->reference_path, &grid, &in->reference);
    if (!failed || failed == CLI_EXIT_MEMORY) return failed;
    return cli_fail(mismatch, "%s", message);
}

/* Contours (an RT structure set) are filled on the grid of the other file, and around it as far as
 * they reach. Others fail again, with the same sentence. */
static int read_contours(cli_program *program, const evaluate_contours *contours,
                         sgio_segmentation *out)
{
    sgio_geometry grid;
    const int failed = evaluate_contours_grid(contours, &grid);
    return failed ? failed : read_segmentation(program, contours->path, &grid, out);
}

static int read_both(cli_program *program, inputs *in)
{
    const int label = (int)cli_integer(program->options, "label");
    int failed = read_segmentation(program, in->reference_path, NULL, &in->reference);
    const int later = failed == CLI_EXIT_INPUT && cli_is_dicom(in->reference_path);
    if (failed && !later) return failed;
    failed = read_segmentation(program, in->prediction_path, NULL, &in->prediction);
    if (failed && !later && cli_is_dicom(in->prediction_path)) {
        in->own[0] = in->own[1] = in->reference.geometry;
        return read_contours(
            program,
            &(evaluate_contours){in->prediction_path, in->reference_path, &in->reference, 0, label},
            &in->prediction);
    }
    if (failed) return failed;
    in->own[0] = later ? in->prediction.geometry : in->reference.geometry;
    in->own[1] = in->prediction.geometry;
    if (!later) return 0;
    return read_contours(
        program,
        &(evaluate_contours){in->reference_path, in->prediction_path, &in->prediction, 1, label},
        &in->reference);
}

static int read_inputs(cli_program *program, inputs *in)
{
    memset(in, 0, sizeof *in);
    in->reference_path = cli_text(program->options, "reference");
    in->prediction_path = cli_text(program->options, "prediction");
    int failed = read_both(program, in);
    if (!failed)
        failed = evaluate_align_sets((evaluate_side){in->reference_path, &in->reference},
                                     (evaluate_side){in->prediction_path, &in->prediction},
                                     &program->warnings);
    if (!failed) failed = bring_to_one_grid(in);
    return failed;
}

/* Two files with one object each are compared whatever these are called, and it is said. */
static void warn_about_only_ones(cli_program *program, const inputs *in, const evaluate_pair *p)
{
    char sentence[1200];
    if (!p->are_only_ones) return;
    const sgio_segment *found = &in->prediction.segments[p->prediction];
    snprintf(
        sentence, sizeof sentence,
        "label %d (%.200s) of %.300s is compared with label %d (%.200s) of %.300s: each has but "
        "one",
        p->label, p->name, in->reference_path, p->prediction_label, found->name,
        in->prediction_path);
    cli_warn(&program->warnings, sentence);
}

static void warn_about_labels(cli_program *program, const inputs *in, const evaluate_pairs *pairs)
{
    char sentence[1024];
    for (size_t i = 0; i < pairs->count; i++) {
        const evaluate_pair *p = &pairs->items[i];
        warn_about_only_ones(program, in, p);
        if (p->reference >= 0 && p->prediction >= 0) continue;
        snprintf(sentence, sizeof sentence, "label %d (%.200s) is missing in %.600s", p->label,
                 p->name, p->reference < 0 ? in->reference_path : in->prediction_path);
        cli_warn(&program->warnings, sentence);
    }
    if (pairs->count == 0) cli_warn(&program->warnings, "neither file has a label");
}

static int compare_all(cli_program *program, const inputs *in, const evaluate_how *how,
                       evaluate_pairs *pairs)
{
    const cli_progress_mode mode = cli_progress_choose(program->slicer);
    cli_progress progress;
    int failed = 0;
    cli_progress_start(&progress, mode, mode == CLI_PROGRESS_SLICER ? stdout : stderr,
                       "PromptSegEvaluate", "Comparing labels");
    for (size_t i = 0; i < pairs->count && !failed; i++) {
        cli_progress_update(&progress, (double)i / (double)pairs->count, pairs->items[i].name);
        failed = cli_cancelled(NULL)
                     ? cli_fail(CLI_EXIT_CANCELLED, "cancelled")
                     : evaluate_compare(&in->reference, &in->prediction, how, &pairs->items[i]);
    }
    cli_progress_end(&progress);
    return failed;
}

static void set_returns(cli_program *program, const evaluate_report *report)
{
    char *warnings = cli_warnings_join(&program->warnings);
    cli_return_integer(&program->returns, "labels", (long long)report->pairs->count);
    cli_return_real(&program->returns, "meanDice", report->means[EVALUATE_DICE]);
    cli_return_real(&program->returns, "meanHD95", report->means[EVALUATE_HD95]);
    cli_return_real(&program->returns, "meanSurfaceDice", report->means[EVALUATE_SURFACE_DICE]);
    cli_return_integer(&program->returns, "missing", (long long)evaluate_missing(report->pairs));
    cli_return_text(&program->returns, "warnings", warnings ? warnings : "");
    free(warnings);
}

static int write_picture(const cli_options *options, const inputs *in, const evaluate_pairs *pairs,
                         sgio_outputs *outputs)
{
    const char *image = cli_given(options, "image") ? cli_text(options, "image") : NULL;
    return evaluate_write_picture(&in->reference, &in->prediction, pairs, image,
                                  cli_text(options, "picture"), outputs);
}

/* Tables appear together. */
static int write_tables(const cli_options *options, const evaluate_report *report)
{
    sgio_outputs *outputs = NULL;
    int failed = bridge_from_io(sgio_outputs_create(&outputs));
    if (!failed && cli_given(options, "csv"))
        failed = evaluate_write_csv(report, cli_text(options, "csv"), outputs);
    if (!failed && cli_given(options, "json"))
        failed = evaluate_write_json(report, cli_text(options, "json"), outputs);
    if (!failed) failed = bridge_from_io(sgio_outputs_commit(outputs));
    sgio_outputs_destroy(outputs);
    return failed;
}

/* After the tables, which are the work's result and do not need it. */
static int write_files(const cli_options *options, const inputs *in, const evaluate_report *report)
{
    sgio_outputs *outputs = NULL;
    int failed = write_tables(options, report);
    if (failed || !cli_given(options, "picture")) return failed;
    failed = bridge_from_io(sgio_outputs_create(&outputs));
    if (!failed) failed = write_picture(options, in, report->pairs, outputs);
    if (!failed) failed = bridge_from_io(sgio_outputs_commit(outputs));
    sgio_outputs_destroy(outputs);
    return failed;
}

static int publish(cli_program *program, const inputs *in, const evaluate_how *how,
                   evaluate_pairs *pairs)
{
    evaluate_report report = {.version = program->tool->version,
                              .reference = in->reference_path,
                              .prediction = in->prediction_path,
                              .how = how,
                              .is_set = evaluate_is_set(&in->reference, &in->prediction),
                              .pairs = pairs,
                              .warnings = &program->warnings};
    int failed = 0;
    if (evaluate_set_needs(how->metrics, EVALUATE_CLASSES)) {
        failed = evaluate_classes(&in->reference, &in->prediction, pairs, &report.classes);
        if (pairs->count > EVALUATE_MOST_CLASSES)
            cli_warn(&program->warnings, "more than 64 labels: there is no IoU of classes");
    }
    evaluate_average(&report);
    cli_cancel_at_once(NULL);
    if (failed) return failed;
    evaluate_print_table(&report, stdout);
    failed = write_files(program->options, in, &report);
    set_returns(program, &report);
    return failed;
}

/* The reader's message names options of other programs; here a file is all there is to choose by.
 */
static int without_options(int code)
{
    static const char *const choices[] = {"; choose with --series", "; of an input --series"};
    char message[4096];
    snprintf(message, sizeof message, "%s", cli_last_message());
    char *gaps = strstr(message, "; --allowGaps");
    if (gaps) *gaps = 0;
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        char *choice = strstr(message, choices[i]);
        if (!choice) continue;
        *choice = 0;
        return cli_fail(code, "%s; name a file that belongs to one of them alone", message);
    }
    return gaps ? cli_fail(code, "%s", message) : code;
}

static int read_volume(cli_program *program, const char *option, int without_voxels,
                       sgio_volume *out)
{
    const sgio_read_options how = {
        .warn = cli_warn, .warn_user = &program->warnings, .without_voxels = without_voxels};
    const int failed =
        bridge_from_io(sgio_volume_read(cli_text(program->options, option), &how, out));
    return failed ? without_options(failed) : 0;
}

/* Before the work: what the picture is to show can be read. */
static int check_image(cli_program *program)
{
    sgio_volume image = {0};
    if (!cli_given(program->options, "image")) return 0;
    const int failed = read_volume(program, "image", 1, &image);
    sgio_volume_clear(&image);
    return failed;
}

/* --map is what a network was sure of: of one object, on the grid. */
static int check_map(cli_program *program, const inputs *in, const evaluate_pairs *pairs,
                     sgio_volume *map)
{
    const int failed = evaluate_fit_map(cli_text(program->options, "map"), in->reference_path,
                                        &in->reference, in->own, &program->warnings, map);
    if (failed) return failed;
    if (pairs->count != 1)
        return cli_fail(CLI_EXIT_INPUT,
                        "--map is of one object, and there are %zu labels; choose "
                        "one by --label",
                        pairs->count);
    return 0;
}

/* 0, or an exit code; *map is empty unless --map was given. */
static int read_map(cli_program *program, const inputs *in, const evaluate_pairs *pairs,
                    sgio_volume *map)
{
    if (!cli_given(program->options, "map")) return 0;
    const int failed = read_volume(program, "map", 0, map);
    return failed ? failed : check_map(program, in, pairs, map);
}

static int evaluate(cli_program *program, const inputs *in, evaluate_set metrics)
{
    evaluate_pairs pairs;
    sgio_volume map = {0};
    const int label = (int)cli_integer(program->options, "label");
    int failed = evaluate_match(&in->reference, &in->prediction, label, &pairs);
    if (!failed && label > 0 && pairs.count == 0)
        failed = cli_fail(CLI_EXIT_INPUT, "neither %s nor %s has label %d", in->reference_path,
                          in->prediction_path, label);
    if (!failed) warn_about_labels(program, in, &pairs);
    if (!failed) failed = read_map(program, in, &pairs, &map);
    const evaluate_how how = {metrics, cli_real(program->options, "tolerance"), map.data};
    if (!failed) failed = compare_all(program, in, &how, &pairs);
    if (!failed) failed = publish(program, in, &how, &pairs);
    free(pairs.items);
    sgio_volume_clear(&map);
    return failed;
}

/* Before anything is read. The table on standard output is the result when no other is asked for.
 */
static int check_files(cli_program *program)
{
    cli_files files = {0};
    cli_files_add_options(&files, program->options, "");
    const int failed = cli_files_check(&files);
    cli_files_clear(&files);
    program->stdout_is_result =
        !cli_given(program->options, "csv") && !cli_given(program->options, "json");
    return failed;
}

static int check_required(const cli_options *options)
{
    static const char *const required[] = {"reference", "prediction"};
    for (size_t i = 0; i < 2; i++)
        if (!cli_given(options, required[i]))
            return cli_fail(CLI_EXIT_USAGE, "--%s is missing; --help shows the usage", required[i]);
    return 0;
}

int main(int argc, char **argv)
{
    cli_program program;
    evaluate_set metrics;
    inputs in = {0};
    int code;
    if (!cli_program_begin(&program, "PromptSegEvaluate", PromptSegEvaluate_xml,
                           PromptSegEvaluate_xml_size, argc, argv, NULL, &code))
        return code;
    code = check_required(program.options);
    if (!code) code = evaluate_set_parse(cli_text(program.options, "metrics"), &metrics);
    if (!code && cli_given(program.options, "map") && !evaluate_set_needs(metrics, EVALUATE_FRAMES))
        code = cli_fail(CLI_EXIT_USAGE, "--map is for smeasure, weightedf, emeasure and mae: name "
                                        "them in --metrics");
    if (!code && cli_given(program.options, "image") && !cli_given(program.options, "picture"))
        code = cli_fail(CLI_EXIT_USAGE, "--image is what --picture shows: name that file too");
    if (!code) code = check_files(&program);
    cli_cancel_at_once(program.name);
    if (!code) code = check_image(&program);
    if (!code) code = read_inputs(&program, &in);
    if (!code) code = evaluate(&program, &in, metrics);
    sgio_segmentation_clear(&in.reference);
    sgio_segmentation_clear(&in.prediction);
    return cli_program_end(&program, code, NULL);
}
