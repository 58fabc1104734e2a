/* Where an NRRD's voxels are stored: behind the header or in a file of their own, behind skips. */
#include "nrrd_header.h"

#include "io_status.h"
#include "volume_formats.h"

#include <stdlib.h>
#include <string.h>

static sgio_status skip_lines(const char *path, int64_t lines, uint64_t *offset)
{
    sgio_source *source;
    if (lines == 0) return SGIO_OK;
    sgio_status status = sgio_source_open(path, *offset, SGIO_SOURCE_PLAIN, &source);
    while (lines > 0 && status == SGIO_OK) {
        char byte = 0;
        status = sgio_source_read(source, &byte, 1);
        ++*offset;
        lines -= byte == '\n';
    }
    sgio_source_close(source);
    return status;
}

static sgio_status last_bytes(const char *path, const sgio_nrrd *header, uint64_t *offset)
{
    uint64_t bytes = sgio_raw_bytes(header->raw), size;
    if (header->encoding != SGIO_NRRD_RAW)
        return sgio_fail(SGIO_UNREADABLE, "%s: byte skip -1 needs encoding raw", path);
    for (int axis = 0; axis < header->dimension; axis++) {
        if ((uint64_t)header->axes[axis].size > (UINT64_MAX >> 1) / bytes)
            return sgio_fail(SGIO_UNREADABLE, "%s: its sizes are not credible", path);
        bytes *= (uint64_t)header->axes[axis].size;
    }
    sgio_status status = sgio_file_bytes(path, &size);
    if (status != SGIO_OK) return status;
    if (bytes > size)
        return sgio_fail(SGIO_UNREADABLE, "%s: truncated: wanted %llu bytes of voxels", path,
                         (unsigned long long)bytes);
    *offset = size - bytes;
    return SGIO_OK;
}

static sgio_status open_at(const char *path, const sgio_nrrd *header, uint64_t offset,
                           sgio_source **source)
{
    sgio_source_kind kind = SGIO_SOURCE_PLAIN;
    if (header->encoding == SGIO_NRRD_GZIP) kind = SGIO_SOURCE_COMPRESSED;
    sgio_status status = skip_lines(path, header->line_skip, &offset);
    if (status == SGIO_OK && header->byte_skip < 0) status = last_bytes(path, header, &offset);
    if (status == SGIO_OK) status = sgio_source_open(path, offset, kind, source);
    if (status == SGIO_OK && header->byte_skip > 0)
        status = sgio_source_skip(*source, (uint64_t)header->byte_skip);
    return status;
}

sgio_status sgio_nrrd_open_data(const char *path, const sgio_nrrd *header, sgio_source **source)
{
    *source = NULL;
    if (!header->data_file) return open_at(path, header, header->header_bytes, source);
    char *data_path = sgio_path_beside(path, header->data_file);
    if (!data_path) return sgio_fail_memory(strlen(path), path);
    sgio_status status = open_at(data_path, header, 0, source);
    free(data_path);
    return status;
}
