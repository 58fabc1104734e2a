#define _POSIX_C_SOURCE 200809L

#include "checkpoint/atomic_file.h"

#include "core/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 1 << 20, MAX_SUFFIX = 48, ATTEMPTS = 100 };

static sgm_status fail(const sgm_atomic_file *f, const char *what)
{
    return sgm_fail(SGM_UNWRITABLE, "%s: %s: %s", f->path, what, strerror(errno));
}

static void release(sgm_atomic_file *f)
{
    free(f->path);
    free(f->temporary);
    free(f->buffer);
    *f = (sgm_atomic_file){.fd = -1};
}

static bool open_temporary(sgm_atomic_file *f)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        snprintf(f->temporary, strlen(f->path) + MAX_SUFFIX, "%s.%ld-%d.tmp", f->path,
                 (long)getpid(), i);
        f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd >= 0 || errno != EEXIST) break;
    }
    return f->fd >= 0;
}

/* Renaming would otherwise put a plain file in the place of a directory's or device's name. */
static bool is_replaceable(const char *path)
{
    struct stat info;
    return stat(path, &info) != 0 || S_ISREG(info.st_mode);
}

sgm_status sgm_atomic_file_create(const char *path, sgm_atomic_file *out)
{
    sgm_atomic_file f = {.fd = -1};
    if (!is_replaceable(path))
        return sgm_fail(SGM_UNWRITABLE, "%s: exists and is not a regular file", path);
    f.path = malloc(strlen(path) + 1);
    f.temporary = malloc(strlen(path) + MAX_SUFFIX);
    f.buffer = malloc(BUFFER_SIZE);
    if (!f.path || !f.temporary || !f.buffer) {
        release(&f);
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: out of memory", path);
    }
    memcpy(f.path, path, strlen(path) + 1);
    if (!open_temporary(&f)) {
        sgm_status status = fail(&f, "cannot be created");
        release(&f);
        return status;
    }
    *out = f;
    return SGM_OK;
}

static sgm_status write_through(sgm_atomic_file *f, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(f->fd, bytes, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail(f, "cannot be written");
        bytes += n;
        size -= (size_t)n;
    }
    return SGM_OK;
}

static sgm_status flush(sgm_atomic_file *f)
{
    size_t n = f->buffered;
    f->buffered = 0;
    return write_through(f, f->buffer, n);
}

sgm_status sgm_atomic_file_write(sgm_atomic_file *f, const void *bytes, size_t size)
{
    if (size > BUFFER_SIZE - f->buffered) SGM_TRY(flush(f));
    if (size >= BUFFER_SIZE) return write_through(f, bytes, size);
    if (size > 0) memcpy(f->buffer + f->buffered, bytes, size);
    f->buffered += size;
    return SGM_OK;
}

/* Makes the rename itself durable; a file system that cannot is not an error. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[4096] = ".";
    if (slash) snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path);
    int fd = open(folder, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

static sgm_status finish(sgm_atomic_file *f)
{
    SGM_TRY(flush(f));
    if (fsync(f->fd) != 0 && errno != EINVAL && errno != EROFS) return fail(f, "cannot be flushed");
    int closed = close(f->fd);
    f->fd = -1;
    if (closed != 0) return fail(f, "cannot be written");
    if (rename(f->temporary, f->path) != 0) return fail(f, "cannot be renamed into place");
    sync_folder(f->path);
    return SGM_OK;
}

sgm_status sgm_atomic_file_commit(sgm_atomic_file *f)
{
    sgm_status status = finish(f);
    if (status != SGM_OK)
        sgm_atomic_file_abandon(f);
    else
        release(f);
    return status;
}

void sgm_atomic_file_abandon(sgm_atomic_file *f)
{
    if (f->fd >= 0) close(f->fd);
    if (f->temporary) unlink(f->temporary);
    release(f);
}
