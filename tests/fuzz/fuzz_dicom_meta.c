/* The meta header of a DICOM file: what is found lies within the bytes. */
#include "dicom_meta.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_dicom_meta meta;
    if (sgio_dicom_find_meta((const char *)data, size, &meta) != 0) return 0;
    if (meta.end > size || meta.syntax + meta.syntax_bytes > meta.end) abort();
    return 0;
}
