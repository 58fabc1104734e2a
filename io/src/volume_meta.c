#include "io_status.h"
#include "meta_header.h"
#include "volume_formats.h"
#include "volume_share.h"

#include <stdlib.h>
#include <string.h>

static sgio_status read_header(const char *path, sgio_meta_header *header)
{
    char *bytes;
    size_t size = 0;
    sgio_status status = sgio_read_prefix(path, SGIO_META_HEADER_LIMIT, &bytes, &size);
    if (status != SGIO_OK) return status;
    status = sgio_meta_parse(path, bytes, size, header);
    free(bytes);
    return status;
}

static sgio_status data_offset(const char *path, const sgio_meta_header *header, uint64_t *offset)
{
    uint64_t bytes, file_bytes;
    *offset = header->header_size > 0 ? (uint64_t)header->header_size : 0;
    if (header->header_size != -1) return SGIO_OK;
    sgio_status status = sgio_voxels_bytes(path, header->geometry.size, header->channels,
                                           header->format.raw, &bytes);
    if (status == SGIO_OK) status = sgio_file_bytes(path, &file_bytes);
    if (status != SGIO_OK) return status;
    if (bytes > file_bytes / (uint64_t)header->volumes)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: truncated: wanted %llu bytes of voxels for each of %lld volume(s)",
                         path, (unsigned long long)bytes, (long long)header->volumes);
    *offset = file_bytes - bytes * (uint64_t)header->volumes;
    return SGIO_OK;
}

static sgio_status read_voxels(const char *path, const sgio_meta_header *header, uint64_t offset,
                               const sgio_read_options *options, sgio_volume *out)
{
    const sgio_voxel_share share = {header->volumes, out->file_volume - (header->volumes > 1), 0};
    sgio_source *source;
    sgio_status status = sgio_source_open(
        path, offset, header->compressed ? SGIO_SOURCE_COMPRESSED : SGIO_SOURCE_PLAIN, &source);
    if (status == SGIO_OK)
        status = sgio_voxels_read(source, path, &header->format, &share, options, out);
    sgio_source_close(source);
    return status;
}

static sgio_status read_detached(const char *path, const sgio_meta_header *header,
                                 const sgio_read_options *options, sgio_volume *out)
{
    uint64_t offset = 0;
    char *data_path = sgio_path_beside(path, header->data_file);
    if (!data_path) return sgio_fail_memory(strlen(path), path);
    sgio_status status = data_offset(data_path, header, &offset);
    if (status == SGIO_OK) status = read_voxels(data_path, header, offset, options, out);
    free(data_path);
    return status;
}

sgio_status sgio_read_meta(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    sgio_meta_header header;
    sgio_voxel_share share = {1, 0, 0};
    sgio_status status = read_header(path, &header);
    if (status != SGIO_OK) return status;
    share.count = header.volumes;
    status = sgio_choose_volume(path, &header.geometry, options, &share);
    if (status != SGIO_OK) return status;
    if (share.count > 1) out->file_volume = share.number + 1;
    out->geometry = header.geometry;
    out->channels = header.channels;
    sgio_say_assumed(path, header.spacing_assumed, options, out);
    sgio_say_unit(path, header.unit, options, out);
    if (strcmp(header.data_file, "LOCAL") == 0 || strcmp(header.data_file, "Local") == 0)
        return read_voxels(path, &header, header.header_bytes, options, out);
    return read_detached(path, &header, options, out);
}

sgio_status sgio_list_meta(const char *path, char **text)
{
    sgio_meta_header header;
    sgio_status status = read_header(path, &header);
    if (status != SGIO_OK) return status;
    return sgio_list_volumes(path, "MetaImage", &header.geometry, header.volumes, text);
}
