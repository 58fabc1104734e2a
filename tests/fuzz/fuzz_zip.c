/* Any bytes as a ZIP archive; every entry that resolves is read to its last byte. */
#include "fuzz_result.h"

#include "checkpoint/zip_directory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgm_zip zip;
    fuzz_refused = sgm_zip_open(data, size, &zip) != SGM_OK;
    if (fuzz_refused) return 0;
    for (size_t i = 0; i < zip.count; i++) {
        const sgm_zip_entry *e = &zip.entries[i];
        const unsigned char *bytes;
        if (sgm_zip_find(&zip, e->name, e->name_length) != e) abort();
        if (sgm_zip_data(&zip, e, &bytes) != SGM_OK || e->size == 0) continue;
        volatile unsigned char touched = (unsigned char)(bytes[0] ^ bytes[e->size - 1]);
        (void)touched;
    }
    sgm_zip_close(&zip);
    return 0;
}
