/* The JSON report: parameters and records under the official generator's names. */
#ifndef PROMPTSEG_EVERYTHING_REPORT_H
#define PROMPTSEG_EVERYTHING_REPORT_H

#include <jansson.h>

#include "engine.h"
#include "everything_options.h"
#include "everything_score.h"
#include "sgio/outputs.h"

typedef struct everything_report {
    const char *version;
    const everything_options *options;
    const pipeline_engine *engine;
    const sgm_slices_info *slices;
    const everything_figures *figures; /* NULL: nothing was compared */
    const everything_score *score;     /* likewise */
    const cli_warnings *warnings;
    json_t *records; /* everything_report_slice's, an array; borrowed */
    double seconds;
} everything_report;

/* A slice's masks as JSON: label (its value in the output), area, bbox [x, y, width, height],
 * predicted_iou, point_coords, stability_score, crop_box, or of a detector's boxes prompt_box,
 * score, category_id; with `runs` also segmentation, COCO's uncompressed runs. NULL: no memory. */
json_t *everything_report_slice(const slice_masks *masks, int runs);

/* 0, or an exit code with a message. */
int everything_report_write(const everything_report *report, sgio_outputs *outputs);

#endif
