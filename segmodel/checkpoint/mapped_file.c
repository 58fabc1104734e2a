#define _POSIX_C_SOURCE 200809L

#include "checkpoint/mapped_file.h"

#include "core/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static sgm_status map(int fd, const char *path, sgm_status code, sgm_mapped_file *out)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return sgm_fail(code, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) return sgm_fail(code, "%s: not a regular file", path);
    if ((uint64_t)info.st_size > SIZE_MAX / 2) return sgm_fail(code, "%s: too large to map", path);
    *out = (sgm_mapped_file){.size = (size_t)info.st_size};
    if (out->size == 0) return SGM_OK;
    void *bytes = mmap(NULL, out->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: cannot be mapped: %s", path, strerror(errno));
    out->bytes = bytes;
    return SGM_OK;
}

static sgm_status open_and_map(const char *path, sgm_status code, bool keep, sgm_mapped_file *out)
{
    *out = (sgm_mapped_file){0};
    /* O_NONBLOCK: opening a named pipe must fail the regular-file test, not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return sgm_fail(code, "%s: cannot be opened: %s", path, strerror(errno));
    sgm_status status = map(fd, path, code, out);
    if (keep && status == SGM_OK) {
        out->descriptor = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* never 0, which says closed */
        if (out->descriptor < 0) {
            out->descriptor = 0;
            status = sgm_fail(code, "%s: cannot be opened: %s", path, strerror(errno));
            sgm_mapped_file_close(out);
        }
    }
    close(fd);
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
    char *to = out;
    errno = 0;
    while (size > 0) {
        ssize_t got = pread(file->descriptor, to, size, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        to += got;
        offset += (size_t)got;
        size -= (size_t)got;
    }
    return true;
}

void sgm_mapped_file_close(sgm_mapped_file *file)
{
    if (file->bytes) munmap((void *)(uintptr_t)file->bytes, file->size);
    if (file->descriptor) close(file->descriptor);
    *file = (sgm_mapped_file){0};
}
