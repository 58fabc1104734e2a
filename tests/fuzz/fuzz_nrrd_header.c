/* A whole .nrrd or .seg.nrrd: header, keys and data. */
#include "nrrd_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_segmentation segmentation;
    if (size == 0) return 0;
    FILE *stream = fmemopen((void *)data, size, "rb");
    if (!stream) return 0;
    if (sgio_nrrd_read_segmentation(stream, "fuzz.nrrd", NULL, NULL, &segmentation) == SGIO_OK)
        sgio_segmentation_clear(&segmentation);
    fclose(stream);
    return 0;
}
