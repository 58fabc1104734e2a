/* PromptSeg: segments one volume from seeds, boxes or an initial segmentation.
 *
 * file -> volume -> (segmodel: slices, embeddings, masks) -> segmentation -> file */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli_embed.h"
#include "segment_run.h"

CLI_DECLARE_EMBEDDED(PromptSeg_xml);

double segment_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int segment_from_io(sgio_status status)
{
    return status == SGIO_OK ? 0
                             : cli_fail(cli_exit_from_io_status(status), "%s", sgio_last_message());
}

int segment_from_model(sgm_status status)
{
    return status == SGM_OK
               ? 0
               : cli_fail(cli_exit_from_model_status(status), "%s", sgm_last_message());
}

int segment_stop(void *unused, double done)
{
    (void)done;
    return cli_cancelled(unused);
}

static int list_series(const cli_program *program)
{
    char *text = NULL;
    int failed = segment_from_io(sgio_list_series(cli_text(program->options, "input"), &text));
    if (!failed) fputs(text, stdout);
    free(text);
    return failed;
}

static int read_volume(segment_run *run)
{
    const cli_options *options = run->program->options;
    const sgio_read_options how = {
        .series = cli_given(options, "series") ? cli_text(options, "series") : NULL,
        .allow_gaps = cli_switch(options, "allowGaps"),
        .warn = cli_warn,
        .warn_user = &run->program->warnings,
        .progress = segment_stop};
    double start = segment_clock();
    int failed = segment_from_io(sgio_volume_read(run->input, &how, &run->volume));
    run->times.read = segment_clock() - start;
    return failed;
}

static sgm_voxel voxel_type(sgio_type type)
{
    switch (type) {
    case SGIO_U8:
        return SGM_VOXEL_U8;
    case SGIO_I8:
        return SGM_VOXEL_I8;
    case SGIO_U16:
        return SGM_VOXEL_U16;
    case SGIO_I16:
        return SGM_VOXEL_I16;
    case SGIO_U32:
        return SGM_VOXEL_U32;
    case SGIO_I32:
        return SGM_VOXEL_I32;
    case SGIO_F32:
        return SGM_VOXEL_F32;
    case SGIO_F64:
        return SGM_VOXEL_F64;
    }
    return SGM_VOXEL_U8;
}

static const char *const taken_for_ct =
    "The file does not say its modality; its values look like CT in Hounsfield units and are shown "
    "to "
    "the model as such (--window percentile for the whole range).";

/* The same memory, as the model library sees it. */
static sgm_volume view_volume(const sgio_volume *volume)
{
    sgm_volume view = {.data = volume->data,
                       .type = voxel_type(volume->type),
                       .channels = volume->channels,
                       .is_hounsfield = !strcmp(volume->modality, "CT") && volume->rescaled,
                       .has_padding = volume->has_padding,
                       .padding = volume->padding};
    memcpy(view.size, volume->geometry.size, sizeof view.size);
    memcpy(view.matrix, volume->geometry.matrix, sizeof view.matrix);
    if (!volume->modality[0]) view.is_hounsfield = sgm_volume_looks_hounsfield(&view);
    return view;
}

static int predict(segment_run *run)
{
    const cli_progress_mode mode = cli_progress_choose(run->program->slicer);
    const sgm_volume view = view_volume(&run->volume);
    if (view.is_hounsfield && !run->volume.modality[0])
        cli_warn(&run->program->warnings, taken_for_ct);
    double start = segment_clock();
    cli_progress_start(&run->progress, mode, mode == CLI_PROGRESS_SLICER ? stdout : stderr,
                       "PromptSeg", "Segmenting");
    int failed = segment_from_model(sgm_volume_predict(run->model, &view, run->objects,
                                                       run->prompts.segment_count,
                                                       &run->volume_options, &run->result));
    cli_progress_end(&run->progress);
    run->times.predict = segment_clock() - start;
    return failed;
}

/* Errors are looked for in this order: usage, device, model, input, prompts. */
static int segment(segment_run *run)
{
    int failed = segment_read_options(run);
    if (!failed) failed = segment_open_model(run);
    if (!failed) failed = read_volume(run);
    if (!failed) failed = segment_read_prompts(run);
    if (!failed) failed = segment_make_objects(run);
    if (!failed) failed = segment_check_outputs(run);
    if (!failed) failed = predict(run);
    if (!failed) failed = segment_collect(run);
    if (!failed) failed = segment_write(run);
    return failed;
}

static void release(segment_run *run)
{
    sgm_volume_result_clear(&run->result);
    segment_free_objects(run);
    sgio_segmentation_clear(&run->segmentation);
    sgio_prompts_clear(&run->prompts);
    sgio_volume_clear(&run->volume);
    sgm_store_close(&run->store);
    sgm_model_destroy(run->model);
    sgm_context_destroy(run->context);
    free(run->model_path);
}

int main(int argc, char **argv)
{
    cli_program program;
    segment_run run = {.program = &program, .times = {.start = segment_clock()}};
    int code;
    if (!cli_program_begin(&program, "PromptSeg", PromptSeg_xml, PromptSeg_xml_size, argc, argv,
                           "listSeries", &code))
        return code;
    code = cli_switch(program.options, "listSeries") ? list_series(&program) : segment(&run);
    release(&run);
    return cli_program_end(&program, code, NULL);
}
