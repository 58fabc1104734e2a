/* An NRRD volume's header, and the grid it describes. */
#include "nrrd_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_nhdr header;
    sgio_geometry geometry;
    if (sgio_nhdr_parse("fuzz.nrrd", (const char *)data, size, &header) != SGIO_OK) return 0;
    sgio_nhdr_geometry("fuzz.nrrd", &header, &geometry);
    sgio_nhdr_clear(&header);
    return 0;
}
