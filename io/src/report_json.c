#include "sgio/report.h"

#include "atomic_file.h"
#include "io_status.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

int64_t sgio_peak_memory(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return -1;
    return (int64_t)usage.ru_maxrss * 1024; /* Linux counts KiB */
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(int64_t value)
{
    return value >= 0 ? json_integer(value) : json_null();
}

/* A file name need not be UTF-8, a JSON string has to be: other bytes become '?'. */
static json_t *text(const char *value)
{
    if (!value) return json_null();
    json_t *string = json_string(value);
    if (string) return string;
    char *copy = strdup(value);
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c > 127) *c = '?';
    string = copy ? json_string(copy) : NULL;
    free(copy);
    return string;
}

/* The json_*_new calls take NULL items for a failure and pass it on, so one check at the end of
 * the report is enough. */
static json_t *slice_object(const sgio_report_slice *slice)
{
    return json_pack("{s:o, s:o, s:o, s:b}", "index", count(slice->index), "predicted_quality",
                     number(slice->quality), "voxels", count(slice->voxels), "prompted",
                     slice->prompted);
}

/* [[i, j, k], [i, j, k]] */
static json_t *bounding_box(const sgio_report_segment *segment)
{
    const int64_t *a = segment->first, *b = segment->last;
    if (segment->voxels <= 0) return json_null();
    return json_pack("[[o,o,o],[o,o,o]]", count(a[0]), count(a[1]), count(a[2]), count(b[0]),
                     count(b[1]), count(b[2]));
}

static json_t *segment_object(const sgio_report_segment *segment, int ml_is_guess)
{
    json_t *slices = json_array();
    for (size_t i = 0; i < segment->slice_count; i++)
        if (json_array_append_new(slices, slice_object(&segment->slices[i])) != 0) {
            json_decref(slices);
            return NULL;
        }
    return json_pack("{s:o, s:i, s:o, s:o, s:o, s:b, s:I, s:o, s:{s:o, s:o}, s:o}", "name",
                     text(segment->name), "label", segment->label, "voxels", count(segment->voxels),
                     "bounding_box", bounding_box(segment), "ml", number(segment->ml),
                     "ml_is_guess", ml_is_guess, "slice_count", (json_int_t)segment->slice_count,
                     "predicted_quality", number(segment->quality), "stopped", "below",
                     text(segment->stopped_below), "above", text(segment->stopped_above), "slices",
                     slices);
}

static json_t *segments_array(const sgio_report *report)
{
    json_t *array = json_array();
    for (size_t s = 0; s < report->segment_count; s++)
        if (json_array_append_new(
                array, segment_object(&report->segments[s], report->spacing_assumed)) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *warnings_array(const sgio_report *report)
{
    json_t *array = json_array();
    for (size_t w = 0; w < report->warning_count; w++)
        if (json_array_append_new(array, text(report->warnings[w])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *volume_object(const sgio_report *report)
{
    return json_pack("{s:[o,o,o], s:[o,o,o], s:b, s:o, s:b, s:o, s:[o,o]}", "size",
                     count(report->size[0]), count(report->size[1]), count(report->size[2]),
                     "spacing_mm", number(report->spacing[0]), number(report->spacing[1]),
                     number(report->spacing[2]), "spacing_assumed", report->spacing_assumed,
                     "modality", text(report->modality), "hounsfield", report->hounsfield,
                     "slice_axis", text(report->axis), "window", number(report->window[0]),
                     number(report->window[1]));
}

static json_t *seconds_object(const sgio_report *report)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "total", number(report->seconds_total), "read",
                     number(report->seconds_read), "load_model", number(report->seconds_load),
                     "predict", number(report->seconds_predict), "write",
                     number(report->seconds_write));
}

static json_t *model_object(const sgio_report *report)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "file", text(report->model), "variant",
                     text(report->variant), "device", text(report->device), "precision",
                     text(report->precision), "threads", count(report->threads));
}

static json_t *report_object(const sgio_report *report)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:o}", "program",
                     text(report->program), "version", text(report->version), "input",
                     text(report->input), "output", text(report->output), "volume",
                     volume_object(report), "model", model_object(report), "seconds",
                     seconds_object(report), "peak_memory_bytes", count(report->peak_memory),
                     "embeddings", "encoded", count(report->embeddings_encoded), "from_cache",
                     count(report->embeddings_cached), "segments", segments_array(report),
                     "warnings", warnings_array(report));
}

sgio_status sgio_report_write(sgio_outputs *outputs, const char *path, const sgio_report *report)
{
    sgio_atomic_file file;
    json_t *root = report_object(report);
    char *dump = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    if (!dump) return sgio_fail_memory(sizeof *report, "the report");
    sgio_status status = sgio_atomic_open(&file, path, outputs);
    if (status == SGIO_OK) status = sgio_atomic_write(&file, dump, strlen(dump));
    if (status == SGIO_OK) status = sgio_atomic_write(&file, "\n", 1);
    if (status == SGIO_OK) status = sgio_atomic_commit(&file);
    free(dump);
    return status;
}
