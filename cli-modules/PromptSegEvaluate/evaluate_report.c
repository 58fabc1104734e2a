#include "evaluate_report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "cli_number.h"
#include "cli_table.h"
#include "cli_text.h"

size_t evaluate_missing(const evaluate_pairs *pairs)
{
    size_t missing = 0;
    for (size_t i = 0; i < pairs->count; i++)
        missing += pairs->items[i].reference < 0 || pairs->items[i].prediction < 0;
    return missing;
}

void evaluate_average(evaluate_report *report)
{
    for (int m = 0; m < EVALUATE_METRIC_COUNT; m++) {
        double sum = 0;
        size_t count = 0;
        for (size_t i = 0; i < report->pairs->count; i++) {
            const double value = report->pairs->items[i].values.value[m];
            if (isnan(value)) continue;
            sum += value;
            count++;
        }
        report->means[m] = count ? sum / (double)count : NAN;
        report->averaged[m] = count;
    }
}

static const char *shown_name(const evaluate_pair *pair, char name[64])
{
    return cli_clean_copy(name, 64, pair->name, CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS);
}

static int is_shown(const evaluate_report *report, int metric)
{
    return evaluate_set_has(report->how->metrics, (evaluate_metric)metric);
}

static void print_values(const evaluate_report *report, const double *values, FILE *stream)
{
    for (int m = 0; m < EVALUATE_METRIC_COUNT; m++)
        if (is_shown(report, m))
            fprintf(stream, " %9.*f", evaluate_metric_rows[m].decimals,
                    cli_unsigned_nan(values[m]));
    fputc('\n', stream);
}

/* A mean of fewer labels than there are rows says so. */
static void print_averaged(const evaluate_report *report, FILE *stream)
{
    const size_t all = report->pairs->count;
    for (int m = 0; m < EVALUATE_METRIC_COUNT; m++)
        if (is_shown(report, m) && report->averaged[m] < all)
            fprintf(stream, "%s: mean of %zu of %zu labels, the others have none\n",
                    evaluate_metric_rows[m].heading, report->averaged[m], all);
}

static void print_classes(const evaluate_report *report, FILE *stream)
{
    const evaluate_class_means *c = &report->classes;
    if (is_shown(report, EVALUATE_FRAME_IOU))
        fprintf(stream, "challenge IoU %.4f, IoU %.4f, mc IoU %.4f, mIoU %.4f\n",
                cli_unsigned_nan(c->challenge), cli_unsigned_nan(c->frames),
                cli_unsigned_nan(c->classes), cli_unsigned_nan(c->total));
}

static void print_conventions(const evaluate_report *report, FILE *stream)
{
    if (evaluate_set_needs(report->how->metrics, EVALUATE_SURFACE))
        fprintf(stream,
                "HD, HD95, ASSD: surface voxels, as MedPy; sDice, eHD95: surface area, as "
                "DeepMind's surface-distance; tolerance %.6g mm\n",
                report->how->tolerance_mm);
    if (report->is_set && evaluate_set_needs(report->how->metrics, EVALUATE_SURFACE))
        fprintf(stream,
                "these are means over the pictures that show the label in either; where one "
                "shows none, distances are inf and sDice is 0\n");
    if (evaluate_set_needs(report->how->metrics, EVALUATE_FRAMES))
        fprintf(stream, "S, wF, E, MAE: means over pictures (slices along k), as PySODMetrics and "
                        "VPS; none is left out\n");
}

void evaluate_print_table(const evaluate_report *report, FILE *stream)
{
    char name[64];
    fprintf(stream, "%6s  %-20s %10s", "label", "name", "ml");
    for (int m = 0; m < EVALUATE_METRIC_COUNT; m++)
        if (is_shown(report, m)) fprintf(stream, " %9s", evaluate_metric_rows[m].heading);
    fputc('\n', stream);
    for (size_t i = 0; i < report->pairs->count; i++) {
        const evaluate_pair *p = &report->pairs->items[i];
        fprintf(stream, "%6d  %-20.60s %10.3f", p->label, shown_name(p, name),
                p->values.reference_ml);
        print_values(report, p->values.value, stream);
    }
    fprintf(stream, "%6s  %-20s %10s", "mean", "", "");
    print_values(report, report->means, stream);
    print_averaged(report, stream);
    print_classes(report, stream);
    print_conventions(report, stream);
}

static void csv_row(cli_buffer *out, const evaluate_report *report, const evaluate_pair *p)
{
    const evaluate_values *v = &p->values;
    cli_buffer_printf(out, "%d,", p->label);
    cli_table_write_cell(out, p->name);
    cli_buffer_printf(out, ",%lld,%lld,%lld,%.9g,%.9g", (long long)v->reference_voxels,
                      (long long)v->prediction_voxels, (long long)v->common_voxels, v->reference_ml,
                      v->prediction_ml);
    for (int m = 0; m < EVALUATE_METRIC_COUNT; m++)
        if (is_shown(report, m)) cli_buffer_printf(out, ",%.9g", cli_unsigned_nan(v->value[m]));
    cli_buffer_printf(out, "\n");
}

int evaluate_write_csv(const evaluate_report *report, const char *path, sgio_outputs *outputs)
{
    cli_buffer out = {0};
    cli_buffer_printf(&out, "label,name,reference_voxels,prediction_voxels,common_voxels,"
                            "reference_ml,prediction_ml");
    for (int m = 0; m < EVALUATE_METRIC_COUNT; m++)
        if (is_shown(report, m)) cli_buffer_printf(&out, ",%s", evaluate_metric_rows[m].column);
    cli_buffer_printf(&out, "\n");
    for (size_t i = 0; i < report->pairs->count; i++)
        csv_row(&out, report, &report->pairs->items[i]);
    const int failed = out.failed
                           ? cli_fail(CLI_EXIT_MEMORY, "out of memory while writing %s", path)
                           : cli_write_file(outputs, path, out.text, out.size);
    cli_buffer_clear(&out);
    return failed;
}

/* JSON must be UTF-8, names and paths need not be: other bytes become '?'. */
static json_t *json_text(const char *text)
{
    json_t *value = json_string(text);
    char *copy = value ? NULL : strdup(text);
    if (!copy) return value;
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c >= 0x80) *c = '?';
    value = json_string(copy);
    free(copy);
    return value;
}

/* JSON has neither: an infinite distance is the text "inf", an undefined value null. */
static json_t *json_number(double value)
{
    if (isinf(value)) return json_string("inf");
    return isfinite(value) ? json_real(value) : json_null();
}

/* Adds what was asked for, by the columns' names. */
static void json_values(const evaluate_report *report, const double *values, json_t *object)
{
    for (int m = 0; m < EVALUATE_METRIC_COUNT && object; m++)
        if (is_shown(report, m))
            json_object_set_new(object, evaluate_metric_rows[m].column, json_number(values[m]));
}

static json_t *json_pair(const evaluate_report *report, const evaluate_pair *p)
{
    const evaluate_values *v = &p->values;
    json_t *object =
        json_pack("{s:i,s:o,s:I,s:I,s:I,s:o,s:o}", "label", p->label, "name", json_text(p->name),
                  "reference_voxels", (json_int_t)v->reference_voxels, "prediction_voxels",
                  (json_int_t)v->prediction_voxels, "common_voxels", (json_int_t)v->common_voxels,
                  "reference_ml", json_number(v->reference_ml), "prediction_ml",
                  json_number(v->prediction_ml));
    json_values(report, v->value, object);
    return object;
}

/* Of a set, distances are each picture's. */
static json_t *json_convention(const evaluate_report *report, const evaluate_metric_row *row)
{
    char text[320];
    snprintf(text, sizeof text, "%s%s", row->convention,
             report->is_set && row->source == EVALUATE_SURFACE
                 ? "; of a set: mean over the pictures that show the label in either"
                 : "");
    return json_string(text);
}

static json_t *json_conventions(const evaluate_report *report)
{
    json_t *object = json_object();
    for (int m = 0; m < EVALUATE_METRIC_COUNT && object; m++)
        if (is_shown(report, m))
            json_object_set_new(object, evaluate_metric_rows[m].column,
                                json_convention(report, &evaluate_metric_rows[m]));
    return object;
}

static json_t *json_means(const evaluate_report *report)
{
    const evaluate_class_means *c = &report->classes;
    json_t *object = json_object();
    json_values(report, report->means, object);
    if (!object || !is_shown(report, EVALUATE_FRAME_IOU)) return object;
    json_object_set_new(object, "challenge_iou", json_number(c->challenge));
    json_object_set_new(object, "class_frames_iou", json_number(c->frames));
    json_object_set_new(object, "mc_iou", json_number(c->classes));
    json_object_set_new(object, "total_iou", json_number(c->total));
    return object;
}

/* Of how many labels each mean is. */
static json_t *json_averaged(const evaluate_report *report)
{
    json_t *object = json_object();
    for (int m = 0; m < EVALUATE_METRIC_COUNT && object; m++)
        if (is_shown(report, m))
            json_object_set_new(object, evaluate_metric_rows[m].column,
                                json_integer((json_int_t)report->averaged[m]));
    return object;
}

static json_t *json_document(const evaluate_report *report)
{
    json_t *labels = json_array(), *warnings = json_array();
    for (size_t i = 0; i < report->pairs->count; i++)
        json_array_append_new(labels, json_pair(report, &report->pairs->items[i]));
    for (size_t i = 0; i < report->warnings->count; i++)
        json_array_append_new(warnings, json_text(report->warnings->sentences[i]));
    return json_pack("{s:s,s:s,s:o,s:o,s:f,s:o,s:I,s:o,s:o,s:o,s:o}", "program",
                     "PromptSegEvaluate", "version", report->version, "reference",
                     json_text(report->reference), "prediction", json_text(report->prediction),
                     "tolerance_mm", report->how->tolerance_mm, "labels", labels, "missing",
                     (json_int_t)evaluate_missing(report->pairs), "mean", json_means(report),
                     "mean_of_labels", json_averaged(report), "conventions",
                     json_conventions(report), "warnings", warnings);
}

int evaluate_write_json(const evaluate_report *report, const char *path, sgio_outputs *outputs)
{
    json_t *document = json_document(report);
    char *text = document ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(document);
    if (!text) return cli_fail(CLI_EXIT_MEMORY, "out of memory while writing %s", path);
    cli_buffer out = {0};
    cli_buffer_printf(&out, "%s\n", text);
    free(text);
    const int failed = out.failed
                           ? cli_fail(CLI_EXIT_MEMORY, "out of memory while writing %s", path)
                           : cli_write_file(outputs, path, out.text, out.size);
    cli_buffer_clear(&out);
    return failed;
}
