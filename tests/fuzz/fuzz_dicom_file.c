/* Any bytes as a DICOM file through the readers of volumes and of segmentations, and the listing:
 * read or refused. */
#include "fuzz_result.h"

#include "sgio/labelmap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/fuzz_dicom.XXXXXX";
static char path[64];

static void clean_up(void)
{
    unlink(path);
    rmdir(folder);
}

static int write_input(const uint8_t *data, size_t size)
{
    if (!path[0]) {
        if (!mkdtemp(folder)) return 0;
        snprintf(path, sizeof path, "%s/one.dcm", folder);
        atexit(clean_up);
    }
    FILE *file = fopen(path, "wb");
    if (!file) return 0;
    size_t written = fwrite(data, 1, size, file);
    return fclose(file) == 0 && written == size;
}

/* A volume that is read has all its voxels, and a text for every refusal. 0: refused. */
static int read_volume(const char *name)
{
    sgio_volume volume;
    if (sgio_volume_read(name, NULL, &volume) == SGIO_OK) {
        if (!volume.data || volume.file_count != (size_t)volume.geometry.size[2]) abort();
        sgio_volume_clear(&volume);
        return 1;
    }
    if (!sgio_last_message()[0] || volume.data) abort();
    return 0;
}

/* Every voxel of a segment lies within its extent. 0: refused. */
static int read_segmentation(const char *name)
{
    sgio_segmentation segmentation;
    if (sgio_segmentation_read(name, NULL, &segmentation) != SGIO_OK) return 0;
    for (size_t s = 0; s < segmentation.segment_count; s++) {
        const sgio_segment *segment = &segmentation.segments[s];
        if (segment->voxels > 0 && segment->extent[5] >= segmentation.geometry.size[2]) abort();
    }
    sgio_segmentation_clear(&segmentation);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = NULL;
    if (!write_input(data, size)) return 0;
    fuzz_refused = !read_volume(path);
    fuzz_refused &= !read_segmentation(path);
    if (sgio_list_series(folder, &text) == SGIO_OK)
        for (const char *c = text; *c; c++)
            if ((*c < ' ' && *c >= 0 && *c != '\n') || *c == '<') abort();
    free(text);
    return 0;
}
