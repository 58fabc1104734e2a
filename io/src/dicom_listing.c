#include "dicom_listing.h"

#include "dicom_scan.h"
#include "io_status.h"
#include "text_number.h"
#include "volume_formats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 768, VALUE_BYTES = 64 };

/* What may separate volumes that look alike, in the order in which it is shown. */
enum kind {
    SERIES_NUMBER,
    PROTOCOL,
    CONTRAST,
    KERNEL,
    THICKNESS,
    IMAGE_TYPE,
    STACK,
    ECHO,
    INVERSION,
    FLIP_ANGLE,
    TIME_POINT,
    B_VALUE,
    GRADIENT,
    TRIGGER,
    CARDIAC_PHASE,
    RESPIRATORY_PHASE,
    ACQUISITION,
    ACQUIRED_AT,
    SERIES_AT,
    FIRST_FRAME,
    KINDS
};

/* One volume of the listing. */
typedef struct entry {
    size_t number; /* from 1 */
    char look[LINE_BYTES / 2];
    char values[KINDS][VALUE_BYTES]; /* "" where absent or not the same in all slices */
    char shown[KINDS];
} entry;

static void write_number(const char *label, double value, const char *unit, char out[VALUE_BYTES])
{
    if (!isnan(value)) sgio_print(out, VALUE_BYTES, "%s %g%s", label, value, unit);
}

/* hhmmss */
static void write_time(const char *label, double value, char out[VALUE_BYTES])
{
    if (!(value >= 0 && value < 240000)) return;
    int whole = (int)value;
    sgio_print(out, VALUE_BYTES, "%s %02d:%02d:%06.3f", label, whole / 10000, whole / 100 % 100,
               fmod(value, 100));
}

static void write_text(const char *label, const char *value, char out[VALUE_BYTES])
{
    if (value[0]) snprintf(out, VALUE_BYTES, "%s %.*s", label, VALUE_BYTES - 16, value);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* "from a.dcm", "from frame 3 of a.dcm". The names of files may hold anything. */
static void write_first_frame(const sgio_dicom_slice *slice, char out[VALUE_BYTES])
{
    char label[32] = "from";
    if (slice->stored_frames > 1 && slice->frames == 1)
        snprintf(label, sizeof label, "from frame %d of", slice->frame + 1);
    write_text(label, last_part(slice->path), out);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127 || *c == '<' || *c == '>') *c = '?';
}

static void write_value(const sgio_dicom_slice *slice, enum kind kind, char out[VALUE_BYTES])
{
    const double *a = slice->attributes;
    out[0] = 0;
    switch (kind) {
    case SERIES_NUMBER:
        return write_number("series", slice->series_number, "", out);
    case PROTOCOL:
        return write_text("protocol", slice->protocol, out);
    case CONTRAST:
        return write_text("contrast", slice->contrast[0] ? slice->contrast : "none", out);
    case KERNEL:
        return write_text("kernel", slice->kernel, out);
    case THICKNESS:
        return write_number("thickness", slice->thickness, " mm", out);
    case IMAGE_TYPE:
        return write_text("type", slice->image_type, out);
    case STACK:
        return write_text("stack", slice->stack, out);
    case ECHO:
        return write_number("echo", a[SGIO_DICOM_ECHO_TIME], " ms", out);
    case INVERSION:
        return write_number("inversion", a[SGIO_DICOM_INVERSION_TIME], " ms", out);
    case FLIP_ANGLE:
        return write_number("flip angle", a[SGIO_DICOM_FLIP_ANGLE], "", out);
    case TIME_POINT:
        return write_number("time point", a[SGIO_DICOM_TEMPORAL_POSITION], "", out);
    case B_VALUE:
        return write_number("b", a[SGIO_DICOM_B_VALUE], "", out);
    case GRADIENT:
        return write_text("gradient", slice->gradient, out);
    case TRIGGER:
        return write_number("trigger", a[SGIO_DICOM_TRIGGER_TIME], " ms", out);
    case CARDIAC_PHASE:
        return write_number("cardiac phase", a[SGIO_DICOM_CARDIAC_PHASE], " %", out);
    case RESPIRATORY_PHASE:
        return write_number("respiratory phase", a[SGIO_DICOM_RESPIRATORY_PHASE], " %", out);
    case ACQUISITION:
        return write_number("acquisition", a[SGIO_DICOM_ACQUISITION_NUMBER], "", out);
    case ACQUIRED_AT:
        return write_time("acquired", a[SGIO_DICOM_ACQUISITION_TIME], out);
    case SERIES_AT:
        return write_time("series time", slice->series_time, out);
    default:
        return write_first_frame(slice, out);
    }
}

static const sgio_dicom_slice *slice_of(const sgio_dicom_slices *slices,
                                        const sgio_dicom_volume *volume, size_t k)
{
    return &slices->items[volume->slices[k]];
}

static void write_common_value(const sgio_dicom_slices *slices, const sgio_dicom_volume *volume,
                               enum kind kind, char out[VALUE_BYTES])
{
    char other[VALUE_BYTES];
    write_value(slice_of(slices, volume, 0), kind, out);
    for (size_t k = 1; k < volume->count && kind != FIRST_FRAME; k++) {
        write_value(slice_of(slices, volume, k), kind, other);
        if (strcmp(out, other) != 0) {
            out[0] = 0;
            return;
        }
    }
}

/* "CT  512x512x120  0.7x0.7x5 mm  Abdomen", "US  640x480, 30 frames in time  0.2x0.2 mm  Heart" */
static void write_look(const sgio_dicom_slices *slices, const sgio_dicom_volume *volume, char *out,
                       size_t size)
{
    const sgio_dicom_slice *first = slice_of(slices, volume, 0);
    double spacing = first->thickness, deviation = 0;
    if (first->frames > 1) {
        sgio_print(out, size, "%s  %dx%d, %d frames in time  %gx%g mm  %s",
                   first->modality[0] ? first->modality : "??", first->columns, first->rows,
                   first->frames, first->column_spacing, first->row_spacing, first->description);
        return;
    }
    if (first->has_plane && volume->count > 1)
        deviation = sgio_dicom_unevenness(slices, volume->slices, volume->count, &spacing);
    sgio_print(out, size, "%s  %dx%dx%zu  %gx%gx%.4g mm  %s%s%s",
               first->modality[0] ? first->modality : "??", first->columns, first->rows,
               volume->count, first->column_spacing, first->row_spacing, spacing,
               first->description,
               sgio_dicom_is_even(deviation, spacing) ? "" : " (uneven spacing)",
               volume->is_dealt       ? " (told by instance numbers)"
               : volume->is_irregular ? " (told by order alone)"
                                      : "");
}

static void fill_entry(const sgio_dicom_slices *slices, const sgio_dicom_volume *volume,
                       size_t number, entry *out)
{
    memset(out, 0, sizeof *out);
    out->number = number;
    write_look(slices, volume, out->look, sizeof out->look);
    for (int kind = 0; kind < KINDS; kind++)
        write_common_value(slices, volume, (enum kind)kind, out->values[kind]);
}

static int by_look(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = strcmp(x->look, y->look);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static int by_number(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static int differs(const entry *entries, size_t count, enum kind kind)
{
    for (size_t i = 1; i < count; i++)
        if (strcmp(entries[0].values[kind], entries[i].values[kind]) != 0) return 1;
    return 0;
}

static int compare_values(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = 0;
    for (int kind = 0; kind < FIRST_FRAME && order == 0; kind++)
        order = strcmp(x->values[kind], y->values[kind]);
    return order;
}

/* But for where they come from. Changes the order of the entries. */
static int some_are_alike(entry *entries, size_t count)
{
    qsort(entries, count, sizeof *entries, compare_values);
    for (size_t i = 1; i < count; i++)
        if (compare_values(&entries[i - 1], &entries[i]) == 0) return 1;
    return 0;
}

/* Entries that look alike: shows what is not the same in all of them; the first file or frame only
 * where some are still alike then. */
static void show_differences(entry *entries, size_t count)
{
    const int alike = some_are_alike(entries, count);
    for (int kind = 0; kind < KINDS; kind++) {
        if ((kind == FIRST_FRAME && !alike) || !differs(entries, count, (enum kind)kind)) continue;
        for (size_t i = 0; i < count; i++)
            entries[i].shown[kind] = 1;
    }
}

static void compare_entries(entry *entries, size_t count)
{
    qsort(entries, count, sizeof *entries, by_look);
    for (size_t start = 0, end; start < count; start = end) {
        for (end = start + 1; end < count && !strcmp(entries[start].look, entries[end].look);)
            end++;
        show_differences(entries + start, end - start);
    }
    qsort(entries, count, sizeof *entries, by_number);
}

static size_t write_line(const entry *entry, const char *uid, char *line, size_t size)
{
    size_t used = (size_t)snprintf(line, size, "%zu  %s  %s", entry->number,
                                   uid[0] ? uid : "(no UID)", entry->look);
    for (int kind = 0, first = 1; kind < KINDS; kind++) {
        if (!entry->shown[kind] || !entry->values[kind][0] || used >= size) continue;
        used += (size_t)snprintf(line + used, size - used, "%s%s", first ? "  " : ", ",
                                 entry->values[kind]);
        first = 0;
    }
    if (used > size - 2) used = size - 2;
    line[used] = '\n';
    line[used + 1] = 0;
    return used + 1;
}

char *sgio_dicom_list(const sgio_dicom_slices *slices, const sgio_dicom_volumes *volumes)
{
    size_t count = volumes->count, used = 0;
    entry *entries = malloc((count + 1) * sizeof *entries);
    char *text = entries ? malloc(count * LINE_BYTES + 1) : NULL;
    if (text) {
        text[0] = 0;
        for (size_t i = 0; i < count; i++)
            fill_entry(slices, &volumes->items[i], i + 1, &entries[i]);
        compare_entries(entries, count);
        for (size_t i = 0; i < count; i++)
            used += write_line(&entries[i], slice_of(slices, &volumes->items[i], 0)->series_uid,
                               text + used, LINE_BYTES);
    }
    free(entries);
    return text;
}

sgio_status sgio_list_dicom_series(const char *path, char **text)
{
    static const sgio_read_options no_options;
    sgio_dicom_slices slices;
    sgio_dicom_volumes volumes;
    *text = NULL;
    sgio_status status = sgio_dicom_scan(path, &no_options, &slices);
    if (status != SGIO_OK) return status;
    status = sgio_dicom_sort(&slices, 0, &volumes);
    if (status == SGIO_OK) *text = sgio_dicom_list(&slices, &volumes);
    if (status == SGIO_OK && !*text) status = sgio_fail_memory(LINE_BYTES, path);
    sgio_dicom_volumes_clear(&volumes);
    sgio_dicom_slices_clear(&slices);
    return status;
}
