/* Any bytes as a DICOM image: its header, the slices of an enhanced one sorted into volumes, and
 * the pixels of up to four of its frames. The corpus is as pydicom and highdicom write such files.
 */
#define _GNU_SOURCE
#include "fuzz_result.h"

#include "dicom_palette.h"
#include "dicom_slice.h"
#include "dicom_sort.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_BYTES = 1 << 22, MOST_READ = 4 };

static void find_colours(const sgio_dicom_slice *slice, const void *stored)
{
    const size_t count = (size_t)slice->rows * (size_t)slice->columns;
    sgio_dicom_palette palette = {0};
    uint8_t *rgb = malloc(3 * count);
    if (rgb && sgio_dicom_read_palette(slice, &palette) == SGIO_OK)
        sgio_dicom_palette_apply(&palette, slice, stored, count, rgb);
    else
        fuzz_refused = 1;
    sgio_dicom_palette_clear(&palette);
    free(rgb);
}

static void read_frames(const sgio_dicom_slice *slice)
{
    const size_t bytes = sgio_dicom_pixel_bytes(slice);
    void *to = bytes <= MOST_BYTES ? malloc(bytes) : NULL; /* exact, for the sanitizer */
    sgio_dicom_pixels *pixels = NULL;
    if (to && sgio_dicom_pixels_open(slice, &pixels) == SGIO_OK) fuzz_refused = 0;
    for (int frame = 0; pixels && frame < slice->stored_frames && frame < MOST_READ; frame++)
        if (sgio_dicom_pixels_read(pixels, frame, to) != SGIO_OK)
            fuzz_refused = 1;
        else if (sgio_dicom_has_palette(slice))
            find_colours(slice, to);
    sgio_dicom_pixels_close(pixels);
    free(to);
}

/* Frames in space say where they lie: what sorts them is given numbers, not what was in memory. */
static void sort_slices(const sgio_dicom_slices *slices)
{
    sgio_dicom_volumes volumes;
    for (size_t i = 0; i < slices->count; i++)
        if (slices->items[i].frame >= slices->items[i].stored_frames) abort();
    if (sgio_dicom_sort(slices, 0, &volumes) == SGIO_OK && volumes.count == 0) abort();
    sgio_dicom_volumes_clear(&volumes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[40];
    sgio_dicom_slices slices = {0};
    sgio_dicom_about about;
    fuzz_refused = 1;
    const int file = memfd_create("fuzz", MFD_CLOEXEC);
    if (file < 0) abort();
    if (write(file, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (sgio_dicom_read_header(path, &slices, &about) == SGIO_OK) {
        read_frames(&slices.items[0]);
        sort_slices(&slices);
    }
    sgio_dicom_slices_clear(&slices);
    close(file);
    return 0;
}
