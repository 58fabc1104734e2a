/* A MetaImage header. */
#include "meta_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_meta_header header;
    sgio_meta_parse("fuzz.mha", (const char *)data, size, &header);
    return 0;
}
