#include "case.h"

#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_clock.h"
#include "cli_exit.h"
#include "mask_prompts.h"

static int read_volume(pipeline_case *work)
{
    const sgio_read_options how = {.series = work->options->series,
                                   .series_may_be_others = work->options->reference != NULL,
                                   .allow_gaps = work->options->allow_gaps,
                                   .warn = cli_warn,
                                   .warn_user = work->warnings,
                                   .progress = bridge_stop};
    const double start = cli_clock();
    int failed = bridge_from_io(sgio_volume_read(work->options->input, &how, &work->volume));
    work->seconds_read = cli_clock() - start;
    if (!failed && work->options->is_sequence) work->volume.is_sequence = 1;
    if (failed || !work->options->mask_prompts || work->volume.is_sequence) return failed;
    return cli_fail(CLI_EXIT_PROMPT,
                    "--maskPrompts is for frames in time, and %s is a volume (--sequence says that "
                    "its slices along k are frames)",
                    work->options->input);
}

/* --series means the input where that is DICOM or holds several volumes, else the reference. */
static int read_reference(pipeline_case *work)
{
    const case_options *o = work->options;
    const int is_chosen = work->volume.file_count > 0 || work->volume.file_volume > 0;
    const sgio_read_options how = {.series = is_chosen ? NULL : o->series,
                                   .allow_gaps = o->allow_gaps,
                                   .warn = cli_warn,
                                   .warn_user = work->warnings,
                                   .progress = bridge_stop,
                                   .without_voxels = 1};
    return o->reference ? bridge_from_io(sgio_volume_read(o->reference, &how, &work->reference))
                        : 0;
}

/* --------------------------------------------------------------------------- reading prompts */

static int add_file(pipeline_case *work, const char *path)
{
    const sgio_prompts_options how = {
        .unnamed = work->options->segment_name, .warn = cli_warn, .warn_user = work->warnings};
    return bridge_from_io(sgio_prompts_read(path, &how, &work->prompts));
}

static int add_prompt(pipeline_case *work, const option_prompt *given)
{
    const sgio_prompts_options how = {.warn = cli_warn, .warn_user = work->warnings};
    const char *segment = work->options->segment_name;
    switch (given->kind) {
    case PROMPT_FILE:
        return add_file(work, given->text);
    case PROMPT_ROI:
        return bridge_from_io(
            sgio_prompts_add_roi_text(&work->prompts, segment, given->text, &how));
    default:
        return bridge_from_io(sgio_prompts_add_point_text(&work->prompts, segment, given->text,
                                                          given->kind == PROMPT_FOREGROUND));
    }
}

static int add_given(pipeline_case *work)
{
    int failed = 0;
    for (size_t i = 0; i < work->options->given_count && !failed; i++)
        failed = add_prompt(work, &work->options->given[i]);
    return failed;
}

static void box_of_segment(const sgio_segmentation *s, size_t i, sgio_box *box)
{
    const int64_t *extent = s->segments[i].extent;
    double middle[3];
    for (int axis = 0; axis < 3; axis++) {
        const double first = (double)extent[2 * axis], last = (double)extent[2 * axis + 1];
        middle[axis] = 0.5 * (first + last);
        for (int c = 0; c < 3; c++)
            box->half_axis[axis][c] = s->geometry.matrix[c][axis] * 0.5 * (last - first + 1);
    }
    sgio_geometry_index_to_lps(&s->geometry, middle, box->centre);
}

/* Each segment's bounding box, to the outer faces of its voxels. */
static int add_boxes(pipeline_case *work)
{
    const sgio_segmentation_read_options how = {.grid = &work->volume.geometry,
                                                .volume = &work->volume,
                                                .warn = cli_warn,
                                                .warn_user = work->warnings,
                                                .progress = bridge_stop};
    sgio_segmentation drawn;
    int failed = bridge_from_io(sgio_segmentation_read(work->options->boxes, &how, &drawn));
    if (failed) return failed;
    for (size_t i = 0; i < drawn.segment_count && !failed; i++) {
        sgio_box box;
        if (drawn.segments[i].voxels == 0) continue;
        box_of_segment(&drawn, i, &box);
        failed = bridge_from_io(sgio_prompts_add_box(&work->prompts, drawn.segments[i].name, &box));
    }
    sgio_segmentation_clear(&drawn);
    return failed;
}

int pipeline_case_without_prompts(void)
{
    return cli_fail(CLI_EXIT_PROMPT, "nothing to look for: give a point inside the object "
                                     "(--foreground x,y,z), a box (--roi), a prompt file "
                                     "(--prompts) or a label map (--boxes)");
}

/* The masks become the initial segmentation, and each of its segments is prompted. */
static int add_masks(pipeline_case *work)
{
    const case_options *o = work->options;
    int failed = mask_prompts_read(o->mask_prompts, o->segment_name, &work->volume, work->warnings,
                                   &work->initial);
    for (size_t i = 0; !failed && i < work->initial.segment_count; i++)
        failed = bridge_from_io(
            sgio_prompts_add_segment(&work->prompts, work->initial.segments[i].name));
    return failed;
}

static int read_prompts(pipeline_case *work)
{
    const case_options *o = work->options;
    int failed = add_given(work);
    if (!failed && o->boxes) failed = add_boxes(work);
    if (!failed && o->mask_prompts) failed = add_masks(work);
    if (failed) return failed;
    if (work->prompts.segment_count == 0 && !o->convert && (o->prompts.count || o->boxes))
        return pipeline_case_without_prompts();
    if (o->has_colour) sgio_prompts_set_colour(&work->prompts, o->segment_name, o->colour);
    return 0;
}

/* -------------------------------------------------------------------------------- initial mask */

/* Index of the segment of that name that holds voxels, -1: there is none. */
static int find_initial(const pipeline_case *work, const char *name)
{
    int index = sgio_segmentation_find(&work->initial, name);
    return index >= 0 && work->initial.segments[index].voxels > 0 ? index : -1;
}

static int has_initial(void *work, const char *name)
{
    return find_initial(work, name) >= 0;
}

static int read_initial(pipeline_case *work)
{
    const sgio_segmentation_read_options how = {.grid = &work->volume.geometry,
                                                .volume = &work->volume,
                                                .warn = cli_warn,
                                                .warn_user = work->warnings,
                                                .progress = bridge_stop};
    if (work->options->mask_prompts) return 0;
    if (!work->options->initial)
        return bridge_from_io(sgio_segmentation_init(&work->initial, &work->volume.geometry));
    int failed =
        bridge_from_io(sgio_segmentation_read(work->options->initial, &how, &work->initial));
    /* The output carries exactly the input's geometry, not a copy rounded by another format. */
    if (!failed) work->initial.geometry = work->volume.geometry;
    return failed;
}

/* The initial segment as the object's label: the layer itself, not a copy. */
static void take_initial(const pipeline_case *work, sgm_object *object)
{
    const int index = find_initial(work, object->name);
    if (index < 0) return;
    const sgio_segment *segment = &work->initial.segments[index];
    const sgio_layer *layer = &work->initial.layers[segment->layer];
    object->labels = layer->data;
    object->label_type = layer->bytes == 1 ? SGM_VOXEL_U8 : SGM_VOXEL_U16;
    object->label_value = segment->label;
}

/* -------------------------------------------------------------------------------------- objects */

static int make_object(const pipeline_case *work, const sgio_prompt_segment *segment,
                       sgm_object *object)
{
    const sgio_geometry *grid = &work->volume.geometry;
    sgm_seed *seeds = calloc(segment->point_count + 1, sizeof *seeds);
    sgm_roi *rois = calloc(segment->box_count + 1, sizeof *rois);
    object->name = segment->name;
    object->seeds = seeds;
    object->rois = rois;
    if (!seeds || !rois) return cli_fail(CLI_EXIT_MEMORY, "no memory for prompts");
    object->seed_count = segment->point_count;
    object->roi_count = segment->box_count;
    for (size_t i = 0; i < segment->point_count; i++)
        bridge_seed(grid, &segment->points[i], &seeds[i]);
    for (size_t i = 0; i < segment->box_count; i++)
        bridge_roi(grid, &segment->boxes[i], &rois[i]);
    take_initial(work, object);
    return 0;
}

static int make_objects(pipeline_case *work)
{
    const size_t count = work->prompts.segment_count;
    const sgio_prompts_check_options how = {
        .has_mask = has_initial, .user = work, .warn = cli_warn, .warn_user = work->warnings};
    int failed = 0;
    if (!count) return 0; /* for the engine to judge: class_segments.h */
    if (!work->options->convert)
        failed = bridge_from_io(sgio_prompts_check(&work->prompts, &work->volume.geometry, &how));
    if (failed) return failed;
    work->objects = calloc(count + 1, sizeof *work->objects);
    if (!work->objects) return cli_fail(CLI_EXIT_MEMORY, "no memory for prompts");
    for (size_t i = 0; !failed && i < count; i++)
        failed = make_object(work, &work->prompts.segments[i], &work->objects[i]);
    return failed;
}

int pipeline_case_read_volume(const case_options *options, cli_warnings *warnings,
                              pipeline_case *out)
{
    memset(out, 0, sizeof *out);
    out->options = options;
    out->warnings = warnings;
    return read_volume(out);
}

int pipeline_case_read_given(const case_options *options, cli_warnings *warnings,
                             pipeline_case *out)
{
    memset(out, 0, sizeof *out);
    out->options = options;
    out->warnings = warnings;
    return add_given(out);
}

int pipeline_case_read(const case_options *options, cli_warnings *warnings, pipeline_case *out)
{
    int failed = pipeline_case_read_volume(options, warnings, out);
    if (!failed) failed = read_reference(out);
    if (!failed) failed = read_prompts(out);
    if (!failed) failed = read_initial(out);
    if (!failed) failed = make_objects(out);
    return failed;
}

void pipeline_case_clear(pipeline_case *work)
{
    for (size_t i = 0; work->objects && i < work->prompts.segment_count; i++) {
        free((void *)work->objects[i].seeds);
        free((void *)work->objects[i].rois);
    }
    free(work->objects);
    free(work->classes);
    sgio_segmentation_clear(&work->initial);
    sgio_prompts_clear(&work->prompts);
    sgio_volume_clear(&work->volume);
    sgio_volume_clear(&work->reference);
    memset(work, 0, sizeof *work);
}
