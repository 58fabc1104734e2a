/* PromptSegEverything: masks of all that can be told apart on the slices of a volume, without
 * prompts; or of the boxes that a detector found.
 *
 * command line -> options; engine (device, model); case (volume); slice by slice: picture, masks,
 * comparison, further pictures; result (files). */
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_clock.h"
#include "cli_embed.h"
#include "cli_files.h"
#include "cli_program.h"
#include "cli_text.h"
#include "everything_ask.h"
#include "everything_labels.h"
#include "everything_prior.h"
#include "everything_report.h"
#include "everything_table.h"
#include "result.h"
#include "sgio/picture.h"

CLI_DECLARE_EMBEDDED(PromptSegEverything_xml);

enum { PICTURE_PIXELS = 1024, TILE_PIXELS = 480 };

/* One run, from the command line to written files. */
typedef struct everything_run {
    cli_program *program;
    double started;
    everything_options options;
    pipeline_engine engine;
    pipeline_case work;
    detections boxes;
    sgm_slices *slices;
    sgm_slices_info info;
    int64_t first, last;   /* slices asked */
    everything_table more; /* further pictures to compare */
    everything_labels labels;
    everything_score score;
    everything_figures figures;
    json_t *records;
    uint8_t *edges, *priors; /* of all slices, one after the other; NULL: not wanted */
    pipeline_result result;
    size_t masks;
    cli_progress progress;
    double done, share; /* of the progress: before the present step, and that step's */
} everything_run;

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

/* -------------------------------------------------------------------------- files and slices */

/* Before anything is read: what would be destroyed, and what can never be written. */
static int check_files(const everything_run *run)
{
    cli_files files = {0};
    cli_files_add_options(&files, run->program->options, "");
    const int failed = cli_files_check(&files);
    cli_files_clear(&files);
    return failed;
}

/* The files of single slices have names that are known only now. */
static int add_slice_files(const everything_run *run, const char *role, const char *pattern,
                           cli_files *files)
{
    if (pattern && run->first != run->last && !everything_has_number(pattern))
        return cli_fail(CLI_EXIT_USAGE,
                        "%s %s: there are %lld slices; give the name a place for their number, "
                        "such as slice_%%03d.png",
                        role, pattern, (long long)(run->last - run->first + 1));
    for (int64_t slice = run->first; pattern && slice <= run->last; slice++) {
        char *path = everything_slice_path(pattern, slice);
        if (!path) return cli_fail(CLI_EXIT_MEMORY, "no memory for names of files");
        cli_files_add(files, role, path, CLI_FILE_WRITTEN);
        free(path);
    }
    return 0;
}

static int check_slice_files(const everything_run *run)
{
    const everything_options *o = &run->options;
    cli_files files = {0};
    cli_files_add(&files, "<input>", o->work.input, CLI_FILE_READ);
    if (o->work.labels) cli_files_add(&files, "--labels", o->work.labels, CLI_FILE_READ);
    if (o->detections) cli_files_add(&files, "--detections", o->detections, CLI_FILE_READ);
    for (size_t i = 0; i < run->more.count; i++) {
        cli_files_add(&files, "--more", run->more.pairs[i].image, CLI_FILE_READ);
        cli_files_add(&files, "--more", run->more.pairs[i].labels, CLI_FILE_READ);
    }
    cli_files_add(&files, "the model", run->engine.model_path, CLI_FILE_READ);
    cli_files_add(&files, "<output>", o->result.output, CLI_FILE_WRITTEN);
    if (o->result.report) cli_files_add(&files, "--report", o->result.report, CLI_FILE_WRITTEN);
    if (o->result.picture) cli_files_add(&files, "--picture", o->result.picture, CLI_FILE_WRITTEN);
    int failed = add_slice_files(run, "--edges", o->edges, &files);
    if (!failed) failed = add_slice_files(run, "--augment", o->augment, &files);
    if (!failed) failed = cli_files_check(&files);
    cli_files_clear(&files);
    return failed;
}

static int choose_slices(everything_run *run)
{
    const int64_t count = run->info.count;
    run->first = run->options.first_slice;
    run->last = run->options.last_slice < 0 ? count - 1 : run->options.last_slice;
    if (run->first < count && run->last < count) return 0;
    return cli_fail(CLI_EXIT_INPUT, "slices %lld to %lld: %s has %lld slices, 0 to %lld",
                    (long long)run->first, (long long)run->last, run->options.work.input,
                    (long long)count, (long long)count - 1);
}

static int cut_volume(const everything_run *run, const sgio_volume *volume, sgm_slices **slices,
                      sgm_slices_info *info)
{
    const sgm_volume view = bridge_volume(volume);
    sgm_call call = sgm_call_init();
    call.cancel = cli_cancelled;
    call.warning = cli_warn;
    call.warning_user = &run->program->warnings;
    info->size = sizeof *info;
    const int failed =
        bridge_from_model(sgm_slices_create(&view, &run->options.work.volume, &call, slices));
    return failed ? failed : bridge_from_model(sgm_slices_get_info(*slices, info));
}

/* A detector's boxes are those of one picture: several slices would all be asked the same. */
static int read_boxes(everything_run *run)
{
    const everything_options *o = &run->options;
    if (!o->detections) return 0;
    if (run->first != run->last)
        return cli_fail(CLI_EXIT_USAGE,
                        "--detections holds boxes of one picture, but %lld slices are meant; "
                        "choose one with --firstSlice and --lastSlice",
                        (long long)(run->last - run->first + 1));
    int failed = detections_read(o->detections, &run->boxes);
    return failed ? failed : detections_keep(&run->boxes, o->detections, o->image_id);
}

static int read_labels(everything_run *run)
{
    const everything_options *o = &run->options;
    if (!o->work.labels) return 0;
    run->score.whole_labels = o->whole_labels;
    return everything_score_read(&run->score, o->work.labels, &run->work.volume,
                                 &run->program->warnings);
}

static int make_room(everything_run *run)
{
    const size_t pixels = (size_t)run->info.width * (size_t)run->info.height;
    const size_t slices = (size_t)(run->last - run->first + 1);
    run->records = json_array();
    if (run->options.edges) run->edges = calloc(slices, pixels);
    if (run->options.augment) run->priors = calloc(slices, 3 * pixels);
    if (!run->records || (run->options.edges && !run->edges) ||
        (run->options.augment && !run->priors))
        return cli_fail(CLI_EXIT_MEMORY, "no memory for %zu pictures of %d x %d pixels", slices,
                        run->info.width, run->info.height);
    return everything_labels_open(&run->labels, &run->work.volume, run->options.layers);
}

static int open_engine(everything_run *run)
{
    const int failed =
        pipeline_engine_open(&run->options.engine, &run->program->warnings, &run->engine);
    if (failed) return failed;
    const int unsuited =
        everything_options_suit(run->program->options, run->engine.model, &run->options);
    run->options.find.store = run->engine.store;
    return unsuited;
}

static int read_all(everything_run *run)
{
    const everything_options *o = &run->options;
    cli_warnings *warnings = &run->program->warnings;
    int failed = open_engine(run);
    if (!failed) failed = pipeline_case_read_volume(&o->work, warnings, &run->work);
    if (!failed) failed = pipeline_result_check(&run->work, &o->result);
    if (!failed) failed = cut_volume(run, &run->work.volume, &run->slices, &run->info);
    if (!failed) failed = choose_slices(run);
    if (!failed && o->more) failed = everything_table_read(o->more, &run->more);
    if (!failed) failed = check_slice_files(run);
    if (!failed) failed = read_boxes(run);
    if (!failed) failed = read_labels(run);
    return failed ? failed : make_room(run);
}

/* -------------------------------------------------------------------------------- slice by slice
 */

static void on_progress(void *user, double fraction, const char *message)
{
    everything_run *run = user;
    cli_progress_update(&run->progress, run->done + run->share * fraction, message);
}

static sgm_call make_call(everything_run *run)
{
    sgm_call call = sgm_call_init();
    call.cancel = cli_cancelled;
    call.progress = on_progress;
    call.progress_user = run;
    call.warning = cli_warn;
    call.warning_user = &run->program->warnings;
    return call;
}

/* A picture's edges, 0..255, into `to`. */
static int draw_edges(everything_run *run, const sgm_image *picture, const sgm_call *call,
                      uint8_t *to)
{
    const size_t pixels = (size_t)picture->width * (size_t)picture->height;
    float *strength = malloc(pixels * sizeof *strength);
    if (!strength) return cli_fail(CLI_EXIT_MEMORY, "no memory for edges");
    sgm_everything_options how = sgm_everything_options_init();
    how.points_per_side = run->options.edge_points;
    how.mask_threshold = run->options.find.mask_threshold;
    how.store = run->engine.store;
    const int failed =
        bridge_from_model(sgm_edge_map(run->engine.model, picture, &how, call, strength));
    for (size_t i = 0; i < pixels && !failed; i++)
        to[i] = (uint8_t)(255 * strength[i] + 0.5f);
    free(strength);
    return failed;
}

static int ask(everything_run *run, const sgm_image *picture, int64_t slice,
               const detections *boxes, const sgm_call *call, slice_masks *masks)
{
    const everything_options *o = &run->options;
    if (o->detections)
        return everything_ask_boxes(&run->engine, picture, slice, boxes, o->detections, call,
                                    masks);
    return everything_ask_grid(&run->engine, picture, slice, &o->find, call, masks);
}

/* All that is made of a slice's masks. */
static int use_masks(everything_run *run, const sgm_image *picture, slice_masks *masks)
{
    const size_t pixels = (size_t)picture->width * (size_t)picture->height;
    const size_t place = (size_t)(masks->slice - run->first);
    int failed = 0;
    run->masks += masks->count;
    if (run->options.result.report)
        json_array_append_new(run->records,
                              everything_report_slice(masks, run->options.report_masks));
    if (run->options.work.labels) failed = everything_score_masks(&run->score, run->slices, masks);
    if (!failed && run->priors)
        failed = everything_prior(picture, masks, run->priors + 3 * pixels * place);
    return failed ? failed : everything_labels_add(&run->labels, run->slices, masks);
}

static int work_on_edges(everything_run *run, const sgm_image *picture, int64_t slice,
                         const sgm_call *call)
{
    const size_t pixels = (size_t)picture->width * (size_t)picture->height;
    uint8_t *strength = run->edges + pixels * (size_t)(slice - run->first);
    int failed = draw_edges(run, picture, call, strength);
    if (failed || !run->options.work.labels) return failed;
    return everything_score_edges(&run->score, run->slices, slice, strength);
}

static int work_on(everything_run *run, int64_t slice)
{
    const sgm_call call = make_call(run);
    sgm_image picture;
    slice_masks masks = {0};
    int failed = bridge_from_model(sgm_slices_picture(run->slices, slice, &picture));
    if (!failed) failed = ask(run, &picture, slice, &run->boxes, &call, &masks);
    run->done += run->share;
    if (!failed) failed = use_masks(run, &picture, &masks);
    slice_masks_clear(&masks);
    if (failed || !run->edges) return failed;
    failed = work_on_edges(run, &picture, slice, &call);
    run->done += run->share;
    return failed;
}

/* ------------------------------------------------------------------------ further comparisons */

static int compare_slice(everything_run *run, sgm_slices *slices, int64_t slice,
                         const detections *boxes)
{
    sgm_call call = make_call(run);
    sgm_image picture;
    slice_masks masks = {0};
    uint8_t *strength = NULL;
    call.progress = NULL; /* such a volume is one step of the whole */
    int failed = bridge_from_model(sgm_slices_picture(slices, slice, &picture));
    if (!failed) failed = ask(run, &picture, slice, boxes, &call, &masks);
    if (!failed) failed = everything_score_masks(&run->score, slices, &masks);
    slice_masks_clear(&masks);
    if (failed || !run->edges) return failed;
    strength = malloc((size_t)picture.width * (size_t)picture.height);
    failed = strength ? draw_edges(run, &picture, &call, strength)
                      : cli_fail(CLI_EXIT_MEMORY, "no memory for edges");
    if (!failed) failed = everything_score_edges(&run->score, slices, slice, strength);
    free(strength);
    return failed;
}

/* A detector's file is read again for each picture: that is nothing beside the network. */
static int read_boxes_of(const everything_run *run, const everything_pair *pair,
                         const sgm_slices_info *info, detections *boxes)
{
    const everything_options *o = &run->options;
    if (!o->detections) return 0;
    if (info->count != 1 || !pair->image_id)
        return cli_fail(CLI_EXIT_INPUT,
                        "%s, line %zu: with --detections an image is one picture with an imageId",
                        o->more, pair->line);
    int failed = detections_read(o->detections, boxes);
    return failed ? failed : detections_keep(boxes, o->detections, pair->image_id);
}

static int compare_more(everything_run *run, const everything_pair *pair)
{
    const case_options options = {.input = pair->image, .allow_gaps = run->options.work.allow_gaps};
    cli_warnings *warnings = &run->program->warnings;
    pipeline_case work;
    sgm_slices *slices = NULL;
    sgm_slices_info info = {0};
    detections boxes = {0};
    int failed = pipeline_case_read_volume(&options, warnings, &work);
    if (!failed) failed = cut_volume(run, &work.volume, &slices, &info);
    if (!failed) failed = read_boxes_of(run, pair, &info, &boxes);
    if (!failed) failed = everything_score_read(&run->score, pair->labels, &work.volume, warnings);
    for (int64_t slice = 0; slice < info.count && !failed; slice++)
        failed = cli_cancelled(NULL) ? cli_fail(CLI_EXIT_CANCELLED, "cancelled")
                                     : compare_slice(run, slices, slice, &boxes);
    run->done += run->share * (run->edges ? 2 : 1);
    cli_progress_update(&run->progress, run->done, "Comparing");
    detections_clear(&boxes);
    sgm_slices_destroy(slices);
    pipeline_case_clear(&work);
    return failed;
}

static int work_on_all(everything_run *run)
{
    const cli_progress_mode mode = cli_progress_choose(run->program->slicer);
    int failed = 0;
    cli_progress_start(&run->progress, mode, mode == CLI_PROGRESS_SLICER ? stdout : stderr,
                       "PromptSegEverything", "Looking for masks");
    run->share = 1.0 / (double)(run->last - run->first + 1 + (int64_t)run->more.count) /
                 (run->edges ? 2 : 1);
    for (int64_t slice = run->first; slice <= run->last && !failed; slice++)
        failed =
            cli_cancelled(NULL) ? cli_fail(CLI_EXIT_CANCELLED, "cancelled") : work_on(run, slice);
    for (size_t i = 0; i < run->more.count && !failed; i++)
        failed = compare_more(run, &run->more.pairs[i]);
    cli_progress_end(&run->progress);
    if (!failed && run->options.work.labels)
        failed = everything_score_sum(&run->score, &run->figures);
    if (!failed)
        failed = everything_labels_finish(&run->labels, run->slices, run->options.result.output,
                                          &run->result.segmentation);
    return failed;
}

/* --------------------------------------------------------------------------------------- files */

static int write_slices(const everything_run *run, const char *pattern, const uint8_t *pixels,
                        int channels, sgio_outputs *outputs)
{
    const int width = run->info.width, height = run->info.height;
    const size_t step = (size_t)width * (size_t)height * (size_t)channels;
    int failed = 0;
    for (int64_t slice = run->first; pixels && slice <= run->last && !failed; slice++) {
        const uint8_t *from = pixels + step * (size_t)(slice - run->first);
        char *path = everything_slice_path(pattern, slice);
        if (!path) return cli_fail(CLI_EXIT_MEMORY, "no memory for names of files");
        failed =
            bridge_from_io(channels == 1 ? sgio_png_write_grey(outputs, path, from, width, height)
                                         : sgio_png_write_rgb(outputs, path, from, width, height));
        free(path);
    }
    return failed;
}

static int write_picture(const everything_run *run, sgio_outputs *outputs)
{
    const sgio_picture_options how = {.axis = run->info.axis,
                                      .window = {run->info.window[0], run->info.window[1]},
                                      .tile_pixels =
                                          run->first == run->last ? PICTURE_PIXELS : TILE_PIXELS,
                                      .slices = run->first == run->last ? &run->first : NULL,
                                      .slice_count = run->first == run->last,
                                      .without_legend = 1}; /* numbers mean nothing across slices */
    return bridge_from_io(sgio_picture_write(outputs, run->options.result.picture,
                                             &run->work.volume, &run->result.segmentation, NULL,
                                             &how));
}

static int write_more(void *user, sgio_outputs *outputs)
{
    const everything_run *run = user;
    const everything_options *o = &run->options;
    const everything_report report = {.version = run->program->tool->version,
                                      .options = o,
                                      .engine = &run->engine,
                                      .slices = &run->info,
                                      .figures = o->work.labels ? &run->figures : NULL,
                                      .score = &run->score,
                                      .warnings = &run->program->warnings,
                                      .records = run->records,
                                      .seconds = cli_clock() - run->started};
    int failed = o->result.picture ? write_picture(run, outputs) : 0;
    if (!failed) failed = write_slices(run, o->edges, run->edges, 1, outputs);
    if (!failed) failed = write_slices(run, o->augment, run->priors, 3, outputs);
    if (!failed && o->result.report) failed = everything_report_write(&report, outputs);
    return failed;
}

static int write_all(everything_run *run)
{
    const result_options alone = {.output = run->options.result.output};
    const result_maker maker = {.program = "PromptSegEverything",
                                .version = run->program->tool->version,
                                .started = run->started,
                                .write_more = write_more,
                                .user = run};
    return pipeline_result_write(&run->result, &run->engine, &run->work, &alone, &maker);
}

/* Errors are looked for in this order: usage, outputs, device, model, input, boxes, labels. */
static int find_everything(everything_run *run)
{
    int failed = everything_options_read(run->program->options, &run->options);
    if (!failed) failed = check_files(run);
    if (failed) return failed;
    cli_cancel_at_once(run->program->name);
    failed = read_all(run);
    cli_cancel_at_once(NULL);
    if (!failed) failed = work_on_all(run);
    return failed ? failed : write_all(run);
}

/* ------------------------------------------------------------------------------ what is said */

static void say_figures(const everything_run *run)
{
    const everything_figures *f = &run->figures;
    if (!run->options.work.labels) return;
    printf("%zu objects: average recall %.3f at 1, %.3f at 10, %.3f at 100, %.3f at 1000 masks\n",
           run->score.objects, f->recall[0], f->recall[1], f->recall[2], f->recall[3]);
    if (run->options.detections)
        printf("average precision %.3f; at IoU 0.50 %.3f, at 0.75 %.3f\n", f->precision,
               f->precision_50, f->precision_75);
    if (run->score.edge_count)
        printf("edges: ODS %.3f, OIS %.3f, AP %.3f, R50 %.3f\n", f->edges.ods, f->edges.ois,
               f->edges.ap, f->edges.r50);
}

static void say(const everything_run *run)
{
    char output[1024];
    cli_clean_copy(output, sizeof output, run->options.result.output, CLI_CLEAN_LINES);
    printf("%zu masks on %lld slices\n", run->masks, (long long)(run->last - run->first + 1));
    say_figures(run);
    printf("%s: %.2f s on %s\n", output, cli_clock() - run->started,
           sgm_context_device(run->engine.context));
}

static void set_returns(everything_run *run)
{
    cli_buffer *returns = &run->program->returns;
    char *warnings = cli_warnings_join(&run->program->warnings);
    cli_return_integer(returns, "masks", (long long)run->masks);
    cli_return_integer(returns, "slices", (long long)(run->last - run->first + 1));
    cli_return_real(returns, "seconds", cli_clock() - run->started);
    cli_return_text(returns, "deviceUsed", sgm_context_device(run->engine.context));
    cli_return_text(returns, "warnings", warnings ? warnings : "");
    free(warnings);
}

static void release(everything_run *run)
{
    pipeline_result_clear(&run->result);
    json_decref(run->records);
    free(run->edges);
    free(run->priors);
    everything_score_clear(&run->score);
    everything_labels_clear(&run->labels);
    sgm_slices_destroy(run->slices);
    everything_table_clear(&run->more);
    detections_clear(&run->boxes);
    pipeline_case_clear(&run->work);
    pipeline_engine_close(&run->engine);
}

int main(int argc, char **argv)
{
    cli_program program;
    everything_run run = {.program = &program, .started = cli_clock()};
    int code;
    if (!cli_program_begin(&program, "PromptSegEverything", PromptSegEverything_xml,
                           PromptSegEverything_xml_size, argc, argv, "listSeries", &code))
        return code;
    if (cli_switch(program.options, "listSeries")) {
        code = list_series(&program);
    } else {
        code = find_everything(&run);
        if (!code) say(&run);
        if (!code) set_returns(&run);
    }
    release(&run);
    return cli_program_end(&program, code, NULL);
}
