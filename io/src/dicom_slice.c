#include "dicom_slice.h"

#include "io_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sgio_dicom_slice_clear(sgio_dicom_slice *slice)
{
    free(slice->path);
    memset(slice, 0, sizeof *slice);
}

const char *sgio_dicom_slice_name(const sgio_dicom_slice *slice)
{
    static _Thread_local char names[4][512];
    static _Thread_local unsigned next;
    if (slice->stored_frames <= 1) return slice->path;
    char *name = names[next++ % 4];
    snprintf(name, sizeof names[0], "frame %d of %s", slice->frame + 1, slice->path);
    return name;
}

static sgio_status make_room(sgio_dicom_slices *slices, const char *path)
{
    if ((slices->count & (slices->count - 1)) != 0) return SGIO_OK; /* grows at powers of two */
    size_t room = slices->count ? 2 * slices->count : 1;
    sgio_dicom_slice *grown = realloc(slices->items, room * sizeof *grown);
    if (!grown) return sgio_fail_memory(room * sizeof *grown, path);
    slices->items = grown;
    return SGIO_OK;
}

sgio_status sgio_dicom_slices_add(sgio_dicom_slices *slices, const sgio_dicom_slice *slice)
{
    sgio_status status = make_room(slices, slice->path);
    char *path = status == SGIO_OK ? strdup(slice->path) : NULL;
    if (status != SGIO_OK) return status;
    if (!path) return sgio_fail_memory(strlen(slice->path), slice->path);
    slices->items[slices->count] = *slice;
    slices->items[slices->count++].path = path;
    return SGIO_OK;
}

void sgio_dicom_slices_cut(sgio_dicom_slices *slices, size_t count)
{
    while (slices->count > count)
        sgio_dicom_slice_clear(&slices->items[--slices->count]);
}

void sgio_dicom_slices_clear(sgio_dicom_slices *slices)
{
    sgio_dicom_slices_cut(slices, 0);
    free(slices->items);
    memset(slices, 0, sizeof *slices);
}
