#include "checkpoint/mapped_file.h"

#include "core/files.h"
#include "core/status.h"

#include <errno.h>
#include <string.h>

static sgm_status map(int fd, const char *path, sgm_status code, sgm_mapped_file *out)
{
    sgm_file_info info;
    if (!sgm_descriptor_info(fd, &info)) return sgm_fail(code, "%s: %s", path, strerror(errno));
    if (!info.regular) return sgm_fail(code, "%s: not a regular file", path);
    if (info.size > SIZE_MAX / 2) return sgm_fail(code, "%s: too large to map", path);
    *out = (sgm_mapped_file){.size = (size_t)info.size};
    if (out->size == 0) return SGM_OK;
    out->bytes = sgm_map_file(fd, out->size);
    if (!out->bytes)
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: cannot be mapped: %s", path, strerror(errno));
    return SGM_OK;
}

static sgm_status open_and_map(const char *path, sgm_status code, bool keep, sgm_mapped_file *out)
{
    *out = (sgm_mapped_file){0};
    int fd = sgm_open_read(path);
    if (fd < 0) return sgm_fail(code, "%s: cannot be opened: %s", path, strerror(errno));
    sgm_status status = map(fd, path, code, out);
    if (keep && status == SGM_OK) {
        out->descriptor = sgm_duplicate(fd); /* never 0, which says closed */
        if (out->descriptor < 0) {
            out->descriptor = 0;
            status = sgm_fail(code, "%s: cannot be opened: %s", path, strerror(errno));
            sgm_mapped_file_close(out);
        }
    }
    sgm_close(fd);
    return status;
}

sgm_status sgm_mapped_file_open(const char *path, sgm_status code, sgm_mapped_file *out)
{
    return open_and_map(path, code, false, out);
}

sgm_status sgm_mapped_file_open_kept(const char *path, sgm_status code, sgm_mapped_file *out)
{
    return open_and_map(path, code, true, out);
}

bool sgm_mapped_file_read(const sgm_mapped_file *file, size_t offset, size_t size, void *out)
{
    return sgm_read_at(file->descriptor, offset, out, size);
}

void sgm_mapped_file_close(sgm_mapped_file *file)
{
    if (file->bytes) sgm_unmap_file(file->bytes, file->size);
    if (file->descriptor) sgm_close(file->descriptor);
    *file = (sgm_mapped_file){0};
}
