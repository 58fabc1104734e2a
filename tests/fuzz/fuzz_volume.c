/* A whole file through the volume reader, under every ending that is not DICOM's. */
#define _GNU_SOURCE
#include "fuzz_file.h"
#include "fuzz_result.h"

#include "sgio/volume.h"

static const char *const endings[] = {".nii", ".nii.gz", ".hdr", ".img", ".nrrd", ".nhdr",
                                      ".mha", ".mhd",    ".png", ".jpg", "",      NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_refused = 1;
    if (fuzz_write_file(data, size, endings) != 0) return 0;
    for (const char *const *e = endings; *e; e++) {
        sgio_volume volume;
        if (sgio_volume_read(fuzz_path(*e), NULL, &volume) == SGIO_OK) fuzz_refused = 0;
        sgio_volume_clear(&volume);
    }
    return 0;
}
