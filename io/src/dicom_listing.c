#include "dicom_listing.h"

#include "dicom_scan.h"
#include "io_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 512 };

static void write_line(const sgio_dicom_slices *slices, const sgio_dicom_volume *volume,
                       size_t number, char line[LINE_BYTES])
{
    const sgio_dicom_slice *first = &slices->items[volume->slices[0]];
    double spacing = first->thickness, deviation = 0;
    if (first->has_plane && volume->count > 1)
        deviation = sgio_dicom_unevenness(slices, volume->slices, volume->count, &spacing);
    snprintf(line, LINE_BYTES, "%zu  %s  %s  %dx%dx%zu  %gx%gx%.4g mm  %s%s\n", number,
             first->series_uid[0] ? first->series_uid : "(no UID)",
             first->modality[0] ? first->modality : "??", first->columns, first->rows,
             volume->count, first->column_spacing, first->row_spacing, spacing, first->description,
             sgio_dicom_is_even(deviation, spacing) ? "" : " (uneven spacing)");
}

char *sgio_dicom_list(const sgio_dicom_slices *slices, const sgio_dicom_volumes *volumes)
{
    char *text = malloc(volumes->count * LINE_BYTES + 1);
    size_t used = 0;
    if (!text) return NULL;
    text[0] = 0;
    for (size_t i = 0; i < volumes->count; i++) {
        write_line(slices, &volumes->items[i], i + 1, text + used);
        used += strlen(text + used);
    }
    return text;
}

/* Whether filling gaps would make one volume of all slices. */
static int gaps_would_join(const sgio_dicom_slices *slices)
{
    sgio_dicom_volumes joined;
    int one = sgio_dicom_sort(slices, 1, &joined) == SGIO_OK && joined.count == 1;
    sgio_dicom_volumes_clear(&joined);
    return one;
}

static sgio_status refuse_choice(const char *path, const char *problem,
                                 const sgio_dicom_slices *slices, const sgio_dicom_volumes *volumes)
{
    char *text = sgio_dicom_list(slices, volumes);
    if (!text) return sgio_fail_memory(volumes->count * LINE_BYTES, path);
    size_t length = strlen(text);
    if (length > 0) text[length - 1] = 0;
    const char *hint = gaps_would_join(slices) ? " or join them with --allowGaps" : "";
    sgio_status status = sgio_fail(SGIO_UNREADABLE, "%s: %s; choose with --series number%s:\n%s",
                                   path, problem, hint, text);
    free(text);
    return status;
}

static int contains_first(const sgio_dicom_volume *volume)
{
    for (size_t i = 0; i < volume->count; i++)
        if (volume->slices[i] == 0) return 1;
    return 0;
}

static sgio_status choose_by_path(const char *path, const sgio_dicom_slices *slices,
                                  const sgio_dicom_volumes *volumes, size_t *chosen)
{
    char problem[64];
    *chosen = 0;
    if (volumes->count == 1) return SGIO_OK;
    for (size_t i = 0; i < volumes->count && slices->named; i++)
        if (contains_first(&volumes->items[i])) {
            *chosen = i;
            return SGIO_OK;
        }
    snprintf(problem, sizeof problem, "holds %zu volumes", volumes->count);
    return refuse_choice(path, problem, slices, volumes);
}

static sgio_status choose_by_uid(const char *path, const sgio_dicom_slices *slices,
                                 const sgio_dicom_volumes *volumes, const char *uid, size_t *chosen)
{
    size_t found = 0;
    char problem[160];
    for (size_t i = 0; i < volumes->count; i++) {
        if (strcmp(slices->items[volumes->items[i].slices[0]].series_uid, uid) != 0) continue;
        *chosen = i;
        found++;
    }
    if (found == 1) return SGIO_OK;
    snprintf(problem, sizeof problem, "series %.80s has %zu volumes", uid, found);
    return refuse_choice(path, problem, slices, volumes);
}

int sgio_is_volume_number(const char *series)
{
    return series && *series && series[strspn(series, "0123456789")] == 0;
}

sgio_status sgio_dicom_choose(const char *path, const sgio_dicom_slices *slices,
                              const sgio_dicom_volumes *volumes, const char *series, size_t *chosen)
{
    char problem[64];
    if (!series || !*series) return choose_by_path(path, slices, volumes, chosen);
    if (!sgio_is_volume_number(series)) return choose_by_uid(path, slices, volumes, series, chosen);
    long number = strtol(series, NULL, 10);
    if (number >= 1 && (size_t)number <= volumes->count) {
        *chosen = (size_t)number - 1;
        return SGIO_OK;
    }
    snprintf(problem, sizeof problem, "has no volume number %ld", number);
    return refuse_choice(path, problem, slices, volumes);
}

sgio_status sgio_list_series(const char *path, char **text)
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
