#define _XOPEN_SOURCE 700 /* realpath */

#include "core/atomic_file.h"

#include "core/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 1 << 20, MAX_SUFFIX = 48, ATTEMPTS = 100 };

static sgm_status fail(const sgm_atomic_file *f, const char *what)
{
    return sgm_fail(SGM_UNWRITABLE, "%s: %s: %s", f->path, what, strerror(errno));
}

static int open_temporary(sgm_atomic_file *f)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        snprintf(f->temporary, strlen(f->path) + MAX_SUFFIX, "%s.%ld-%d.tmp", f->path,
                 (long)getpid(), i);
        int fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) return fd;
        if (errno != EEXIST) break;
    }
    f->temporary[0] = 0; /* not ours to remove */
    return -1;
}

/* Renaming would put a plain file in the place of a folder's or device's name, and asks nobody
 * whether the old file may be written. */
static sgm_status check_old(const char *path, struct stat *old, bool *exists)
{
    *exists = stat(path, old) == 0;
    if (!*exists) return SGM_OK;
    if (!S_ISREG(old->st_mode))
        return sgm_fail(SGM_UNWRITABLE, "%s: exists and is not a regular file", path);
    if (access(path, W_OK) != 0)
        return sgm_fail(SGM_UNWRITABLE, "%s: exists and may not be written: %s", path,
                        strerror(errno));
    return SGM_OK;
}

static sgm_status open_stream(sgm_atomic_file *f, const struct stat *old)
{
    int fd = open_temporary(f);
    if (fd < 0) return fail(f, "cannot be created");
    if (old) (void)fchmod(fd, old->st_mode & 07777); /* a file system without modes is no error */
    f->stream = fdopen(fd, "wb");
    if (!f->stream) {
        close(fd);
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: out of memory", f->path);
    }
    setvbuf(f->stream, f->buffer, _IOFBF, BUFFER_SIZE);
    return SGM_OK;
}

sgm_status sgm_atomic_file_create(const char *path, sgm_atomic_file *out)
{
    sgm_atomic_file f = {0};
    struct stat old;
    bool exists;
    *out = f;
    SGM_TRY(check_old(path, &old, &exists));
    f.path = exists ? realpath(path, NULL) : NULL;
    if (!f.path) f.path = strdup(path);
    if (f.path) f.temporary = calloc(1, strlen(f.path) + MAX_SUFFIX);
    f.buffer = malloc(BUFFER_SIZE);
    sgm_status status = SGM_OK;
    if (!f.path || !f.temporary || !f.buffer)
        status = sgm_fail(SGM_OUT_OF_MEMORY, "%s: out of memory", path);
    if (status == SGM_OK) status = open_stream(&f, exists ? &old : NULL);
    if (status == SGM_OK)
        *out = f;
    else
        sgm_atomic_file_abandon(&f);
    return status;
}

sgm_status sgm_atomic_file_write(sgm_atomic_file *f, const void *bytes, size_t size)
{
    if (size > 0 && fwrite(bytes, 1, size, f->stream) != size) return fail(f, "cannot be written");
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
    errno = 0;
    if (fflush(f->stream) != 0 || ferror(f->stream)) {
        if (errno == 0) errno = EIO; /* an earlier write failed and its reason is lost */
        return fail(f, "cannot be written");
    }
    if (fsync(fileno(f->stream)) != 0 && errno != EINVAL && errno != EROFS)
        return fail(f, "cannot be flushed");
    int closed = fclose(f->stream);
    f->stream = NULL;
    if (closed != 0) return fail(f, "cannot be written");
    if (rename(f->temporary, f->path) != 0) return fail(f, "cannot be renamed into place");
    f->temporary[0] = 0;
    sync_folder(f->path);
    return SGM_OK;
}

sgm_status sgm_atomic_file_commit(sgm_atomic_file *f)
{
    sgm_status status = finish(f);
    sgm_atomic_file_abandon(f);
    return status;
}

void sgm_atomic_file_abandon(sgm_atomic_file *f)
{
    if (f->stream) fclose(f->stream);
    if (f->temporary && f->temporary[0]) unlink(f->temporary);
    free(f->path);
    free(f->temporary);
    free(f->buffer);
    *f = (sgm_atomic_file){0};
}
