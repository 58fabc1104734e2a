#include "evaluate_report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "cli_table.h"
#include "cli_text.h"

typedef struct average {
    double sum;
    size_t count;
} average;

static void add(average *a, double value)
{
    if (isnan(value)) return;
    a->sum += value;
    a->count++;
}

static double mean(average a)
{
    return a.count ? a.sum / (double)a.count : NAN;
}

size_t evaluate_missing(const evaluate_pairs *pairs)
{
    size_t missing = 0;
    for (size_t i = 0; i < pairs->count; i++)
        missing += pairs->items[i].reference < 0 || pairs->items[i].prediction < 0;
    return missing;
}

evaluate_means evaluate_average(const evaluate_pairs *pairs)
{
    average all[6] = {{0, 0}};
    for (size_t i = 0; i < pairs->count; i++) {
        const cli_mask_metrics *m = &pairs->items[i].metrics;
        const double values[6] = {m->dice,    m->iou,     m->hd_mm,
                                  m->hd95_mm, m->assd_mm, m->surface_dice};
        for (int k = 0; k < 6; k++)
            add(&all[k], values[k]);
    }
    return (evaluate_means){mean(all[0]), mean(all[1]), mean(all[2]),
                            mean(all[3]), mean(all[4]), mean(all[5])};
}

static const char *shown_name(const evaluate_pair *pair, char name[64])
{
    return cli_clean_copy(name, 64, pair->name, CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS);
}

void evaluate_print_table(const evaluate_report *report, FILE *stream)
{
    fprintf(stream, "%6s  %-20s %10s %8s %7s %9s %9s %9s %9s\n", "label", "name", "ml", "Dice",
            "IoU", "HD mm", "HD95 mm", "ASSD mm", "sDice");
    char name[64];
    for (size_t i = 0; i < report->pairs->count; i++) {
        const evaluate_pair *p = &report->pairs->items[i];
        const cli_mask_metrics *m = &p->metrics;
        fprintf(stream, "%6d  %-20.60s %10.3f %8.4f %7.4f %9.3f %9.3f %9.3f %9.4f\n", p->label,
                shown_name(p, name), m->reference_ml, m->dice, m->iou, m->hd_mm, m->hd95_mm,
                m->assd_mm, m->surface_dice);
    }
    const evaluate_means *m = &report->means;
    fprintf(stream, "%6s  %-20s %10s %8.4f %7.4f %9.3f %9.3f %9.3f %9.4f\n", "mean", "", "",
            m->dice, m->iou, m->hd_mm, m->hd95_mm, m->assd_mm, m->surface_dice);
}

static void csv_row(cli_buffer *out, const evaluate_pair *p)
{
    const cli_mask_metrics *m = &p->metrics;
    cli_buffer_printf(out, "%d,", p->label);
    cli_table_write_cell(out, p->name);
    cli_buffer_printf(out, ",%lld,%lld,%lld,%.9g,%.9g", (long long)m->reference_voxels,
                      (long long)m->prediction_voxels, (long long)m->common_voxels, m->reference_ml,
                      m->prediction_ml);
    cli_buffer_printf(out, ",%.9g,%.9g,%.9g,%.9g,%.9g,%.9g\n", m->dice, m->iou, m->hd_mm,
                      m->hd95_mm, m->assd_mm, m->surface_dice);
}

int evaluate_write_csv(const evaluate_report *report, const char *path, sgio_outputs *outputs)
{
    cli_buffer out = {0};
    cli_buffer_printf(&out, "label,name,reference_voxels,prediction_voxels,common_voxels,"
                            "reference_ml,prediction_ml,dice,iou,hd_mm,hd95_mm,assd_mm,"
                            "surface_dice\n");
    for (size_t i = 0; i < report->pairs->count; i++)
        csv_row(&out, &report->pairs->items[i]);
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

static json_t *json_means(const evaluate_means *m)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "dice", json_number(m->dice), "iou",
                     json_number(m->iou), "hd_mm", json_number(m->hd_mm), "hd95_mm",
                     json_number(m->hd95_mm), "assd_mm", json_number(m->assd_mm), "surface_dice",
                     json_number(m->surface_dice));
}

static json_t *json_pair(const evaluate_pair *p)
{
    const cli_mask_metrics *m = &p->metrics;
    const evaluate_means values = {m->dice,    m->iou,     m->hd_mm,
                                   m->hd95_mm, m->assd_mm, m->surface_dice};
    json_t *object =
        json_pack("{s:i,s:o,s:I,s:I,s:I,s:o,s:o}", "label", p->label, "name", json_text(p->name),
                  "reference_voxels", (json_int_t)m->reference_voxels, "prediction_voxels",
                  (json_int_t)m->prediction_voxels, "common_voxels", (json_int_t)m->common_voxels,
                  "reference_ml", json_number(m->reference_ml), "prediction_ml",
                  json_number(m->prediction_ml));
    json_t *measures = json_means(&values);
    if (object) json_object_update(object, measures);
    json_decref(measures);
    return object;
}

static json_t *json_document(const evaluate_report *report)
{
    json_t *labels = json_array(), *warnings = json_array();
    for (size_t i = 0; i < report->pairs->count; i++)
        json_array_append_new(labels, json_pair(&report->pairs->items[i]));
    for (size_t i = 0; i < report->warnings->count; i++)
        json_array_append_new(warnings, json_text(report->warnings->sentences[i]));
    return json_pack("{s:s,s:s,s:o,s:o,s:f,s:o,s:I,s:o,s:o}", "program", "PromptSegEvaluate",
                     "version", report->version, "reference", json_text(report->reference),
                     "prediction", json_text(report->prediction), "tolerance_mm",
                     report->tolerance_mm, "labels", labels, "missing",
                     (json_int_t)evaluate_missing(report->pairs), "mean",
                     json_means(&report->means), "warnings", warnings);
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
