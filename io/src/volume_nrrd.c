#include "io_status.h"
#include "nrrd_header.h"
#include "volume_formats.h"
#include "volume_share.h"

#include <string.h>

static sgio_status refuse_axis(const char *path, const sgio_nrrd *header, int axis, const char *why)
{
    const char *kind = header->axes[axis].kind;
    return sgio_fail(
        SGIO_UNREADABLE,
        "%s: its axis %d (%s) holds %lld volumes or values per voxel%s, wanted one 3-D "
        "volume; extract the wanted one first",
        path, axis, *kind ? kind : "no direction in space", (long long)header->axes[axis].size,
        why);
}

static int is_colour(const sgio_nrrd *header)
{
    const char *kind = header->axes[0].kind;
    return header->axes[0].size == 3 && (!strcmp(kind, "rgb-color") || !strcmp(kind, "3-color"));
}

/* Axes that do not lie in space: three colours of a picture, or volumes, as the first axis (a
 * sequence of 3D Slicer) or the last one. */
static sgio_status read_channels(const char *path, const sgio_nrrd *header, int *channels,
                                 sgio_voxel_share *share)
{
    *channels = 1;
    *share = (sgio_voxel_share){1, 0, 0};
    for (int axis = 0; axis < header->dimension; axis++) {
        if (sgio_nrrd_is_spatial(header, axis) || header->axes[axis].size == 1) continue;
        if (axis == 0 && is_colour(header))
            *channels = 3;
        else if (share->count > 1)
            return refuse_axis(path, header, axis, " beside others");
        else if ((axis > 0 && axis + 1 < header->dimension) ||
                 header->axes[axis].size > SGIO_MOST_VOLUMES)
            return refuse_axis(path, header, axis, "");
        else
            *share = (sgio_voxel_share){header->axes[axis].size, 0, axis == 0};
    }
    return SGIO_OK;
}

/* Four axes that nothing tells apart (pynrrd): volumes along the last one, as a rule. */
static void name_volumes(sgio_nrrd *header)
{
    const int odd = sgio_nrrd_odd_axis(header, 3);
    for (int axis = 0; axis < header->dimension; axis++)
        if (strcmp(header->axes[axis].kind, "space") == 0) return;
    if (odd >= 0) strcpy(header->axes[odd].kind, "list"); /* sgio_nrrd_geometry leaves it out */
}

static sgio_status read_grid(const char *path, sgio_nrrd *header, sgio_volume *out, int *assumed,
                             sgio_voxel_share *share)
{
    name_volumes(header);
    sgio_status status = read_channels(path, header, &out->channels, share);
    return status == SGIO_OK ? sgio_nrrd_geometry(path, header, &out->geometry, assumed) : status;
}

static sgio_status read_volume(const char *path, sgio_nrrd *header,
                               const sgio_read_options *options, sgio_volume *out)
{
    sgio_source *source = NULL;
    sgio_voxel_share share;
    int assumed = 0;
    const sgio_voxel_format format = {header->raw, header->swap, 1, 0};
    sgio_status status = read_grid(path, header, out, &assumed, &share);
    if (status == SGIO_OK) status = sgio_choose_volume(path, &out->geometry, options, &share);
    if (status != SGIO_OK) return status;
    if (share.count > 1) out->file_volume = share.number + 1;
    out->itk_differs = sgio_nrrd_itk_differs(header);
    sgio_say_assumed(path, assumed, options, out);
    sgio_nrrd_say_space(path, header, options->warn, options->warn_user);
    sgio_say_unit(path, header->unit, options, out);
    status = sgio_nrrd_open_data(path, header, &source);
    if (status == SGIO_OK) status = sgio_voxels_read(source, path, &format, &share, options, out);
    sgio_source_close(source);
    return status;
}

sgio_status sgio_list_nrrd(const char *path, char **text)
{
    sgio_nrrd header;
    sgio_volume volume = {0};
    sgio_voxel_share share;
    int assumed;
    sgio_status status = sgio_nrrd_read(path, &header);
    if (status != SGIO_OK) return status;
    status = read_grid(path, &header, &volume, &assumed, &share);
    if (status == SGIO_OK)
        status = sgio_list_volumes(path, "NRRD", &volume.geometry, share.count, text);
    sgio_nrrd_clear(&header);
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
