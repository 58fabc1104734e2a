#include "everything_report.h"

#include <math.h>
#include <stdlib.h>

#include "cli_exit.h"
#include "cli_output.h"
#include "cli_text.h"
#include "report_paths.h"

/* Adding zero turns -0 into 0. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value + 0.0) : json_null();
}

/* Text from files may be no UTF-8. */
static json_t *text(const char *value)
{
    char clean[4096];
    if (!value) return json_null();
    return json_string(cli_clean_copy(clean, sizeof clean, value, CLI_CLEAN_LINES));
}

/* First corner, then lengths: COCO's way. */
static json_t *corner_and_size(const int box[4])
{
    return json_pack("[i,i,i,i]", box[0], box[1], box[2] - box[0], box[3] - box[1]);
}

static json_t *runs_of(const slice_masks *masks, const slice_mask *m)
{
    json_t *counts = json_array();
    for (size_t r = 0; r < m->run_count; r++)
        json_array_append_new(counts, json_integer(m->runs[r]));
    return json_pack("{s:[i,i],s:o}", "size", masks->height, masks->width, "counts", counts);
}

static json_t *record(const slice_masks *masks, size_t index, int runs)
{
    const slice_mask *m = &masks->items[index];
    const sgm_found *f = &m->found;
    json_t *out =
        json_pack("{s:I,s:I,s:o,s:o}", "label", (json_int_t)index + 1, "area", (json_int_t)f->area,
                  "bbox", corner_and_size(f->box), "predicted_iou", number(f->predicted_iou));
    if (masks->from_boxes) {
        json_object_set_new(
            out, "prompt_box",
            json_pack("[f,f,f,f]", m->prompt[0], m->prompt[1], m->prompt[2], m->prompt[3]));
        json_object_set_new(out, "score", number(m->score));
        json_object_set_new(out, "category_id", json_integer(m->category));
    } else {
        json_object_set_new(out, "point_coords", json_pack("[[f,f]]", f->point[0], f->point[1]));
        json_object_set_new(out, "stability_score", number(f->stability_score));
        json_object_set_new(out, "crop_box", corner_and_size(f->crop_box));
    }
    if (runs) json_object_set_new(out, "segmentation", runs_of(masks, m));
    return out;
}

json_t *everything_report_slice(const slice_masks *masks, int runs)
{
    json_t *records = json_array();
    for (size_t i = 0; records && i < masks->count; i++)
        json_array_append_new(records, record(masks, i, runs));
    return json_pack("{s:I,s:i,s:i,s:o}", "slice", (json_int_t)masks->slice, "width", masks->width,
                     "height", masks->height, "masks", records);
}

/* --------------------------------------------------------------------------------- the document */

static json_t *parameters(const sgm_everything_options *o)
{
    return json_pack("{s:i,s:f,s:f,s:f,s:f,s:i,s:f,s:f,s:i,s:I,s:o,s:I}", "points_per_side",
                     o->points_per_side, "pred_iou_thresh", o->pred_iou_thresh,
                     "stability_score_thresh", o->stability_score_thresh, "stability_score_offset",
                     o->stability_score_offset, "box_nms_thresh", o->box_nms_thresh,
                     "crop_n_layers", o->crop_n_layers, "crop_nms_thresh", o->crop_nms_thresh,
                     "crop_overlap_ratio", o->crop_overlap_ratio, "crop_n_points_downscale_factor",
                     o->crop_n_points_downscale_factor, "min_mask_region_area",
                     (json_int_t)o->min_mask_region_area, "mask_threshold",
                     number(o->mask_threshold), "most", (json_int_t)o->most);
}

static void add_recall(json_t *out, const everything_figures *f)
{
    char name[32];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "AR@%zu", everything_proposals[i]);
        json_object_set_new(out, name, number(f->recall[i]));
    }
    json_object_set_new(out, "AR@1000_small", number(f->recall_small));
    json_object_set_new(out, "AR@1000_medium", number(f->recall_medium));
    json_object_set_new(out, "AR@1000_large", number(f->recall_large));
}

static json_t *comparison(const everything_report *r)
{
    const everything_figures *f = r->figures;
    json_t *out = json_pack("{s:I}", "objects", (json_int_t)r->score->objects);
    add_recall(out, f);
    if (r->options->detections) {
        json_object_set_new(out, "AP", number(f->precision));
        json_object_set_new(out, "AP50", number(f->precision_50));
        json_object_set_new(out, "AP75", number(f->precision_75));
    }
    if (r->score->edge_count)
        json_object_set_new(out, "edges",
                            json_pack("{s:f,s:f,s:f,s:f,s:o}", "ODS", f->edges.ods, "ODS_threshold",
                                      f->edges.ods_threshold, "OIS", f->edges.ois, "AP",
                                      f->edges.ap, "R50", number(f->edges.r50)));
    return out;
}

static json_t *sentences(const cli_warnings *warnings, const known_paths *paths)
{
    json_t *out = json_array();
    for (size_t i = 0; i < warnings->count; i++) {
        char *shown = known_paths_replace(paths, warnings->sentences[i]);
        json_array_append_new(out, text(shown));
        free(shown);
    }
    return out;
}

static json_t *document(const everything_report *r, const known_paths *paths)
{
    static const char *const axes[] = {"i", "j", "k"};
    const result_options *result = &r->options->result;
    json_t *out = json_pack(
        "{s:s,s:s,s:o,s:o,s:o,s:s,s:s,s:s,s:s,s:[o,o],s:o}", "program", "PromptSegEverything",
        "version", r->version, "input", text(known_paths_show(paths, r->options->work.input)),
        "output", text(known_paths_show(paths, result->output)), "model",
        text(known_paths_show(paths, r->engine->model_path)), "variant", r->engine->info.variant,
        "device", sgm_context_device(r->engine->context), "precision",
        r->engine->info.precision == SGM_PRECISION_BF16 ? "bf16" : "fp32", "axis",
        axes[r->slices->axis], "window", number(r->slices->window[0]), number(r->slices->window[1]),
        "parameters", parameters(&r->options->find));
    json_object_set(out, "slices", r->records);
    if (r->figures) json_object_set_new(out, "comparison", comparison(r));
    json_object_set_new(out, "warnings", sentences(r->warnings, paths));
    json_object_set_new(out, "seconds", number(r->seconds));
    return out;
}

static int write_document(const json_t *out, const char *path, sgio_outputs *outputs)
{
    char *written = out ? json_dumps(out, JSON_INDENT(1) | JSON_REAL_PRECISION(12)) : NULL;
    cli_buffer buffer = {0};
    if (!written) return cli_fail(CLI_EXIT_MEMORY, "no memory for the report");
    cli_buffer_printf(&buffer, "%s\n", written);
    free(written);
    const int failed = buffer.failed ? cli_fail(CLI_EXIT_MEMORY, "no memory for the report")
                                     : cli_write_file(outputs, path, buffer.text, buffer.size);
    cli_buffer_clear(&buffer);
    return failed;
}

int everything_report_write(const everything_report *report, sgio_outputs *outputs)
{
    const everything_options *o = report->options;
    known_paths paths;
    int failed = known_paths_make(&o->work, &o->result, report->engine->model_path, &paths);
    if (!failed) {
        json_t *out = document(report, &paths);
        failed = write_document(out, o->result.report, outputs);
        json_decref(out);
    }
    known_paths_clear(&paths);
    return failed;
}
