/* A MetaImage header. */
#include "fuzz_result.h"

#include "meta_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_meta_header header;
    fuzz_refused = sgio_meta_parse("fuzz.mha", (const char *)data, size, &header) != SGIO_OK;
    return 0;
}
