/* A NIfTI-1 or -2 header. */
#include "fuzz_result.h"

#include "nifti_header.h"
#include "volume_formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_nifti_header header;
    size_t most = size < SGIO_NIFTI_2_BYTES ? size : SGIO_NIFTI_2_BYTES;
    fuzz_refused = sgio_nifti_parse("fuzz.nii", data, most, &header) != SGIO_OK ||
                   sgio_check_geometry("fuzz.nii", &header.geometry) != SGIO_OK;
    return 0;
}
