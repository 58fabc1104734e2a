#include "dicom_copies.h"

#include "io_status.h"

#include <stdlib.h>
#include <string.h>

/* qsort has no user pointer. */
typedef struct instance {
    const sgio_dicom_slice *slice;
    size_t index;
} instance;

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_names(const sgio_dicom_slice *a, const sgio_dicom_slice *b)
{
    const int order = strcmp(a->instance_uid, b->instance_uid);
    return order ? order : (a->frame > b->frame) - (a->frame < b->frame);
}

static int compare_slices(const sgio_dicom_slice *a, const sgio_dicom_slice *b)
{
    int order = compare_names(a, b);
    if (!order) order = strcmp(a->series_uid, b->series_uid);
    if (!order) order = compare_numbers(a->instance_number, b->instance_number);
    if (!order) order = compare_numbers(a->has_plane, b->has_plane);
    for (int r = 0; r < 3 && !order && a->has_plane; r++)
        order = compare_numbers(a->position[r], b->position[r]);
    return order;
}

static int compare_instances(const void *left, const void *right)
{
    const instance *a = left, *b = right;
    const int order = compare_slices(a->slice, b->slice);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* Marks copies, and counts what they are; `all` is sorted. */
static void mark(const instance *all, size_t count, char *is_copy, sgio_dicom_copies *found)
{
    *found = (sgio_dicom_copies){0, 0};
    for (size_t i = 1; i < count; i++) {
        const sgio_dicom_slice *slice = all[i].slice, *before = all[i - 1].slice;
        if (!slice->instance_uid[0] || compare_names(before, slice) != 0) continue;
        const int copy = compare_slices(before, slice) == 0;
        is_copy[all[i].index] = (char)copy;
        if (slice->frame > 0) continue; /* files are counted */
        found->copies += copy;
        found->repeats += !copy;
    }
}

sgio_status sgio_dicom_list_distinct(const sgio_dicom_slices *slices, size_t *index, size_t *count,
                                     sgio_dicom_copies *found)
{
    instance *all = malloc((slices->count + 1) * sizeof *all);
    char *is_copy = calloc(slices->count + 1, 1);
    const int enough = all && is_copy;
    for (size_t i = 0; i < slices->count && enough; i++)
        all[i] = (instance){&slices->items[i], i};
    if (enough) {
        qsort(all, slices->count, sizeof *all, compare_instances);
        mark(all, slices->count, is_copy, found);
    }
    *count = 0;
    for (size_t i = 0; i < slices->count && enough; i++)
        if (!is_copy[i]) index[(*count)++] = i;
    free(all);
    free(is_copy);
    return enough ? SGIO_OK : sgio_fail_memory(slices->count * sizeof *all, "sorting DICOM slices");
}
