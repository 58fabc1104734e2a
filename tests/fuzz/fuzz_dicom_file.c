/* Any bytes as a DICOM file through the volume reader and the listing: read or refused. */
#include "sgio/volume.h"

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

/* A volume that is read has all its voxels, and a text for every refusal. */
static void read_volume(const char *name)
{
    sgio_volume volume;
    if (sgio_volume_read(name, NULL, &volume) == SGIO_OK) {
        if (!volume.data || volume.file_count != (size_t)volume.geometry.size[2]) abort();
        sgio_volume_clear(&volume);
    } else if (!sgio_last_message()[0] || volume.data) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = NULL;
    if (!write_input(data, size)) return 0;
    read_volume(path);
    if (sgio_list_series(folder, &text) == SGIO_OK)
        for (const char *c = text; *c; c++)
            if ((*c < ' ' && *c >= 0 && *c != '\n') || *c == '<') abort();
    free(text);
    return 0;
}
