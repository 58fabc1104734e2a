#include "everything_options.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "cli_number.h"
#include "sgio/labelmap.h"

static const char *text_or_null(const cli_options *options, const char *name)
{
    return cli_given(options, name) && *cli_text(options, name) ? cli_text(options, name) : NULL;
}

/* ------------------------------------------------------------------------------ files of slices */

/* The place of the number: bytes start to end of the pattern, and its digits. */
static int find_number(const char *pattern, size_t *start, size_t *end, int *digits)
{
    for (const char *p = strchr(pattern, '%'); p; p = strchr(p + 1, '%')) {
        const char *q = p + 1;
        *digits = 0;
        if (*q == '0' && isdigit((unsigned char)q[1])) *digits = *++q - '0', q++;
        if (*q != 'd') continue;
        *start = (size_t)(p - pattern);
        *end = (size_t)(q - pattern) + 1;
        return 1;
    }
    return 0;
}

int everything_has_number(const char *pattern)
{
    size_t start, end;
    int digits;
    return find_number(pattern, &start, &end, &digits);
}

char *everything_slice_path(const char *pattern, int64_t slice)
{
    size_t start, end;
    int digits;
    if (!find_number(pattern, &start, &end, &digits)) return strdup(pattern);
    const size_t size = strlen(pattern) + 32;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%.*s%0*lld%s", (int)start, pattern, digits, (long long)slice,
                 pattern + end);
    return path;
}

/* --------------------------------------------------------------------------------------- numbers
 */

static int read_threshold(const cli_options *options, double *threshold)
{
    const char *text = cli_text(options, "maskThreshold");
    *threshold = NAN;
    if (!strcmp(text, "auto")) return 0;
    if (cli_parse_real(text, threshold) == 0 && fabs(*threshold) <= 1e6) return 0;
    return cli_fail(CLI_EXIT_USAGE, "--maskThreshold %s: wanted auto or a logit", text);
}

/* A preset's own number gives way only to one that was given. The panel of 3D Slicer gives every
 * option: there a number counts that is not the option's default. */
static int counts(const cli_options *options, const char *name, int differs)
{
    return cli_given(options, name) && (differs || !cli_options_return_file(options));
}

static void take_real(const cli_options *options, const char *name, double usual, double *value)
{
    const double given = cli_real(options, name);
    if (counts(options, name, given != usual)) *value = given;
}

static void take_whole(const cli_options *options, const char *name, int usual, int *value)
{
    const int given = (int)cli_integer(options, name);
    if (counts(options, name, given != usual)) *value = given;
}

/* `usual`: where an option is left out and there is no preset. */
static int read_find(const cli_options *options, const sgm_everything_options *usual,
                     sgm_everything_options *find)
{
    const sgm_everything_options panel = sgm_everything_options_init();
    *find = cli_switch(options, "proposals") ? sgm_everything_proposals_init() : *usual;
    int most = (int)find->most;
    take_whole(options, "pointsPerSide", panel.points_per_side, &find->points_per_side);
    take_real(options, "predIouThresh", panel.pred_iou_thresh, &find->pred_iou_thresh);
    take_real(options, "stabilityScoreThresh", panel.stability_score_thresh,
              &find->stability_score_thresh);
    take_real(options, "boxNmsThresh", panel.box_nms_thresh, &find->box_nms_thresh);
    take_whole(options, "cropNLayers", panel.crop_n_layers, &find->crop_n_layers);
    take_whole(options, "most", (int)panel.most, &most);
    find->most = (size_t)most;
    find->stability_score_offset = cli_real(options, "stabilityScoreOffset");
    find->crop_nms_thresh = cli_real(options, "cropNmsThresh");
    find->crop_overlap_ratio = cli_real(options, "cropOverlapRatio");
    find->crop_n_points_downscale_factor = (int)cli_integer(options, "cropNPointsDownscaleFactor");
    find->min_mask_region_area = cli_integer(options, "minMaskRegionArea");
    return read_threshold(options, &find->mask_threshold);
}

int everything_options_suit(const cli_options *options, const sgm_model *model,
                            everything_options *out)
{
    const sgm_everything_options usual = sgm_everything_options_of(model);
    return read_find(options, &usual, &out->find);
}

/* ----------------------------------------------------------------------------------------- parts
 */

static int read_result(const cli_options *options, everything_options *out)
{
    out->result.output = cli_text(options, "output");
    out->result.report = text_or_null(options, "report");
    out->result.picture = text_or_null(options, "picture");
    out->edges = text_or_null(options, "edges");
    out->augment = text_or_null(options, "augment");
    out->layers = cli_switch(options, "layers");
    out->report_masks = cli_switch(options, "reportMasks");
    pipeline_read_paths(options, &out->result);
    if (sgio_segmentation_can_write(out->result.output)) return 0;
    return cli_fail(CLI_EXIT_USAGE, "%s: the output's name must end in %s", out->result.output,
                    sgio_segmentation_endings());
}

static int read_range(const cli_options *options, everything_options *out)
{
    out->first_slice = cli_integer(options, "firstSlice");
    out->last_slice = cli_integer(options, "lastSlice");
    if (out->last_slice < 0 || out->first_slice <= out->last_slice) return 0;
    return cli_fail(CLI_EXIT_USAGE, "--firstSlice %lld lies behind --lastSlice %lld",
                    (long long)out->first_slice, (long long)out->last_slice);
}

int everything_options_read(const cli_options *options, everything_options *out)
{
    const sgm_everything_options official = sgm_everything_options_init();
    memset(out, 0, sizeof *out);
    pipeline_read_engine(options, &out->engine);
    out->work.input = cli_text(options, "input");
    out->work.series = text_or_null(options, "series");
    out->work.allow_gaps = cli_switch(options, "allowGaps");
    out->detections = text_or_null(options, "detections");
    out->image_id = text_or_null(options, "imageId");
    out->work.labels = text_or_null(options, "labels");
    out->more = text_or_null(options, "more");
    out->whole_labels = !strcmp(cli_text(options, "labelObjects"), "values");
    out->edge_points = 16; /* as the paper */
    int failed = pipeline_read_cut(options, &out->work.volume);
    if (!failed) failed = read_find(options, &official, &out->find);
    take_whole(options, "pointsPerSide", official.points_per_side, &out->edge_points);
    if (!failed) failed = read_range(options, out);
    if (!failed) failed = read_result(options, out);
    if (!failed && out->image_id && !out->detections)
        failed = cli_fail(CLI_EXIT_USAGE, "--imageId says which of the boxes of --detections are "
                                          "meant; there is no --detections");
    if (!failed && out->more && !out->work.labels)
        failed = cli_fail(CLI_EXIT_USAGE, "--more adds pictures to the comparison with --labels; "
                                          "there is no --labels");
    return failed;
}
