/* A whole NRRD, header, keys and data: as a volume and as a segmentation. */
#define _GNU_SOURCE
#include "fuzz_result.h"

#include "segmentation_parts.h"
#include "volume_formats.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The readers take paths, and a file in memory has one. */
static void read_both(const char *path)
{
    static const sgio_read_options reading;
    static const sgio_segmentation_read_options labels;
    sgio_volume volume;
    sgio_segmentation segmentation;
    memset(&volume, 0, sizeof volume);
    memset(&segmentation, 0, sizeof segmentation);
    fuzz_refused = sgio_read_nrrd(path, &reading, &volume) != SGIO_OK;
    sgio_volume_clear(&volume);
    fuzz_refused &= sgio_segmentation_read_nrrd(path, &labels, &segmentation) != SGIO_OK;
    sgio_segmentation_clear(&segmentation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int file = memfd_create("fuzz.nrrd", MFD_CLOEXEC);
    if (file < 0) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (write(file, data, size) == (ssize_t)size) read_both(path);
    close(file);
    return 0;
}
