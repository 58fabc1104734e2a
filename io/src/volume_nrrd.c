#include "io_status.h"
#include "nrrd_header.h"
#include "volume_formats.h"

#include <string.h>

/* Components and lists: one value per voxel, or three colours in a picture. */
static sgio_status read_channels(const char *path, const sgio_nrrd *header, int *channels)
{
    *channels = 1;
    for (int axis = 0; axis < header->dimension; axis++) {
        int64_t size = header->axes[axis].size;
        const char *kind = header->axes[axis].kind;
        if (sgio_nrrd_is_spatial(header, axis) || size == 1) continue;
        if (axis == 0 && size == 3 && (!strcmp(kind, "rgb-color") || !strcmp(kind, "3-color")))
            *channels = 3;
        else
            return sgio_fail(SGIO_UNREADABLE,
                             "%s: its axis %d (%s) holds %lld volumes or values per voxel, wanted "
                             "one 3-D volume; extract the wanted one first",
                             path, axis, *kind ? kind : "no direction in space", (long long)size);
    }
    return SGIO_OK;
}

static sgio_status read_volume(const char *path, const sgio_nrrd *header,
                               const sgio_read_options *options, sgio_volume *out)
{
    sgio_source *source = NULL;
    int assumed = 0;
    const sgio_voxel_format format = {header->raw, header->swap, 1, 0};
    sgio_status status = read_channels(path, header, &out->channels);
    if (status == SGIO_OK) status = sgio_nrrd_geometry(path, header, &out->geometry, &assumed);
    if (status != SGIO_OK) return status;
    sgio_say_assumed(path, assumed, options, out);
    sgio_nrrd_say_space(path, header, options->warn, options->warn_user);
    sgio_say_unit(path, header->unit, options, out);
    status = sgio_nrrd_open_data(path, header, &source);
    if (status == SGIO_OK) status = sgio_voxels_read(source, path, &format, options, out);
    sgio_source_close(source);
    return status;
}

sgio_status sgio_read_nrrd(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    sgio_nrrd header;
    sgio_status status = sgio_nrrd_read(path, &header);
    if (status != SGIO_OK) return status;
    status = read_volume(path, &header, options, out);
    sgio_nrrd_clear(&header);
    return status;
}
