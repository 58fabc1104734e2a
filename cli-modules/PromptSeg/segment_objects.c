/* From prompts in LPS millimetres to objects in voxel coordinates. */
#include <stdlib.h>
#include <string.h>

#include "segment_run.h"

/* --------------------------------------------------------------------------- reading prompts */

static int add_flags(segment_run *run)
{
    const cli_options *options = run->program->options;
    const char *name = cli_text(options, "segmentName");
    sgio_prompts *prompts = &run->prompts;
    sgio_status status = SGIO_OK;
    for (size_t i = 0; status == SGIO_OK && i < cli_given(options, "foreground"); i++)
        status =
            sgio_prompts_add_point_text(prompts, name, cli_text_at(options, "foreground", i), 1);
    for (size_t i = 0; status == SGIO_OK && i < cli_given(options, "background"); i++)
        status =
            sgio_prompts_add_point_text(prompts, name, cli_text_at(options, "background", i), 0);
    for (size_t i = 0; status == SGIO_OK && i < cli_given(options, "roi"); i++)
        status = sgio_prompts_add_roi_text(prompts, name, cli_text_at(options, "roi", i));
    return segment_from_io(status);
}

static int add_files(segment_run *run)
{
    const cli_options *options = run->program->options;
    const sgio_prompts_options how = {.unnamed = cli_text(options, "segmentName"),
                                      .warn = cli_warn,
                                      .warn_user = &run->program->warnings};
    for (size_t i = 0; i < cli_given(options, "prompts"); i++) {
        int failed = segment_from_io(
            sgio_prompts_read(cli_text_at(options, "prompts", i), &how, &run->prompts));
        if (failed) return failed;
    }
    return 0;
}

int segment_read_prompts(segment_run *run)
{
    const cli_options *options = run->program->options;
    double colour[3];
    int failed = add_flags(run);
    if (!failed) failed = add_files(run);
    if (failed) return failed;
    if (run->prompts.segment_count == 0)
        return cli_fail(CLI_EXIT_PROMPT, "nothing to look for: give a point inside the object "
                                         "(--foreground x,y,z), a box (--roi) or a prompt file "
                                         "(--prompts)");
    if (cli_given(options, "segmentColor")) {
        cli_numbers_at(options, "segmentColor", 0, colour, 3);
        sgio_prompts_set_colour(&run->prompts, cli_text(options, "segmentName"), colour);
    }
    return 0;
}

/* -------------------------------------------------------------------------------- initial mask */

static int has_initial(void *user, const char *name)
{
    const segment_run *run = user;
    int index = sgio_segmentation_find(&run->segmentation, name);
    return index >= 0 && run->segmentation.segments[index].voxels > 0;
}

static int read_initial(segment_run *run)
{
    const cli_options *options = run->program->options;
    const sgio_segmentation_read_options how = {.grid = &run->volume.geometry,
                                                .warn = cli_warn,
                                                .warn_user = &run->program->warnings,
                                                .progress = segment_stop};
    if (!cli_given(options, "initial"))
        return segment_from_io(sgio_segmentation_init(&run->segmentation, &run->volume.geometry));
    int failed = segment_from_io(
        sgio_segmentation_read(cli_text(options, "initial"), &how, &run->segmentation));
    /* The output carries exactly the input's geometry, not a copy rounded by another format. */
    if (!failed) run->segmentation.geometry = run->volume.geometry;
    return failed;
}

static size_t voxel_count(const sgio_geometry *g)
{
    return (size_t)g->size[0] * (size_t)g->size[1] * (size_t)g->size[2];
}

static int take_mask(segment_run *run, sgm_object *object)
{
    int index = sgio_segmentation_find(&run->segmentation, object->name);
    if (index < 0 || run->segmentation.segments[index].voxels == 0) return 0;
    uint8_t *mask = malloc(voxel_count(&run->volume.geometry));
    if (!mask)
        return cli_fail(CLI_EXIT_MEMORY, "no memory for the initial mask of %s", object->name);
    sgio_segmentation_get_mask(&run->segmentation, (size_t)index, mask);
    object->mask = mask;
    return 0;
}

/* -------------------------------------------------------------------------------------- objects */

static void to_seed(const sgio_geometry *g, const sgio_point *point, sgm_seed *seed)
{
    sgio_geometry_lps_to_index(g, point->lps, seed->index);
    seed->label = point->foreground ? SGM_FOREGROUND : SGM_BACKGROUND;
}

/* Half axes are differences of points, so that the origin cancels. */
static void to_roi(const sgio_geometry *g, const sgio_box *box, sgm_roi *roi)
{
    sgio_geometry_lps_to_index(g, box->centre, roi->center);
    for (int axis = 0; axis < 3; axis++) {
        double tip[3], index[3];
        for (int c = 0; c < 3; c++)
            tip[c] = box->centre[c] + box->half_axis[axis][c];
        sgio_geometry_lps_to_index(g, tip, index);
        for (int c = 0; c < 3; c++)
            roi->half_axis[axis][c] = index[c] - roi->center[c];
    }
}

static int make_object(segment_run *run, const sgio_prompt_segment *segment, sgm_object *object)
{
    const sgio_geometry *g = &run->volume.geometry;
    sgm_seed *seeds = calloc(segment->point_count + 1, sizeof *seeds);
    sgm_roi *rois = calloc(segment->box_count + 1, sizeof *rois);
    object->name = segment->name;
    object->seeds = seeds;
    object->rois = rois;
    if (!seeds || !rois) return cli_fail(CLI_EXIT_MEMORY, "no memory for prompts");
    object->seed_count = segment->point_count;
    object->roi_count = segment->box_count;
    for (size_t i = 0; i < segment->point_count; i++)
        to_seed(g, &segment->points[i], &seeds[i]);
    for (size_t i = 0; i < segment->box_count; i++)
        to_roi(g, &segment->boxes[i], &rois[i]);
    return take_mask(run, object);
}

int segment_make_objects(segment_run *run)
{
    int failed = read_initial(run);
    if (!failed)
        failed = segment_from_io(
            sgio_prompts_check(&run->prompts, &run->volume.geometry, has_initial, run));
    run->objects = calloc(run->prompts.segment_count + 1, sizeof *run->objects);
    if (!failed && !run->objects) failed = cli_fail(CLI_EXIT_MEMORY, "no memory for prompts");
    for (size_t i = 0; !failed && i < run->prompts.segment_count; i++)
        failed = make_object(run, &run->prompts.segments[i], &run->objects[i]);
    return failed;
}

void segment_free_objects(segment_run *run)
{
    for (size_t i = 0; run->objects && i < run->prompts.segment_count; i++) {
        free((void *)run->objects[i].seeds);
        free((void *)run->objects[i].rois);
        free((void *)run->objects[i].mask);
    }
    free(run->objects);
}
