/* A NIfTI-1 or -2 header. */
#include "nifti_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_nifti_header header;
    sgio_nifti_parse("fuzz.nii", data, size < SGIO_NIFTI_2_BYTES ? size : SGIO_NIFTI_2_BYTES,
                     &header);
    return 0;
}
