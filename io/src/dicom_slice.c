#include "dicom_slice.h"

#include <stdlib.h>
#include <string.h>

void sgio_dicom_slice_clear(sgio_dicom_slice *slice)
{
    free(slice->path);
    memset(slice, 0, sizeof *slice);
}

void sgio_dicom_slices_clear(sgio_dicom_slices *slices)
{
    for (size_t i = 0; i < slices->count; i++)
        sgio_dicom_slice_clear(&slices->items[i]);
    free(slices->items);
    memset(slices, 0, sizeof *slices);
}
