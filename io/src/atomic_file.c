/* realpath belongs to X/Open, O_TMPFILE to Linux. */
#define _GNU_SOURCE

#include "atomic_file.h"

#include "io_status.h"
#include "sgio/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_ATTEMPTS = 100, STREAM_BUFFER = 1 << 16, GROUP_FILES = 16 };

/* Files that wait for sgio_outputs_commit. */
static _Thread_local struct {
    int open;
    size_t count;
    sgio_atomic_file files[GROUP_FILES];
} group;

static sgio_status cannot_write(const char *path, const char *reason)
{
    return sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s", path, reason);
}

/* A link is followed so that it stays a link; a target that does not exist yet is taken as is. */
static sgio_status resolve_target(sgio_atomic_file *file, const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0) {
        if (!S_ISREG(info.st_mode)) {
            return cannot_write(path, S_ISDIR(info.st_mode) ? "it is a directory"
                                                            : "it is not a regular file");
        }
        file->target = realpath(path, NULL);
        if (!file->target) return cannot_write(path, strerror(errno));
        return SGIO_OK;
    }
    file->target = strdup(path);
    return file->target ? SGIO_OK : sgio_fail_memory(strlen(path) + 1, "a file name");
}

/* Hidden, and with no extension that another program would pick up half-written. */
static void name_temporary(sgio_atomic_file *file, size_t bytes, int attempt)
{
    const char *slash = strrchr(file->target, '/');
    int folder = slash ? (int)(slash - file->target) + 1 : 0;
    snprintf(file->temporary, bytes, "%.*s.sgio-%ld-%d.partial", folder, file->target,
             (long)getpid(), attempt);
}

/* Linux can keep the file nameless until it is complete: then a killed process leaves nothing
 * behind. It gets its name through /proc. Not every file system offers this. */
static int create_nameless(const sgio_atomic_file *file)
{
#ifdef O_TMPFILE
    const char *slash = strrchr(file->target, '/');
    if (access("/proc/self/fd", X_OK) != 0) return -1;
    char *folder = slash ? strndup(file->target, (size_t)(slash - file->target) + 1) : strdup(".");
    int descriptor = folder ? open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666) : -1;
    free(folder);
    return descriptor;
#else
    (void)file;
    return -1;
#endif
}

static int create_beside(sgio_atomic_file *file)
{
    size_t bytes = strlen(file->target) + 48;
    file->temporary = malloc(bytes);
    if (!file->temporary) return -1;
    int descriptor = create_nameless(file);
    file->nameless = descriptor >= 0;
    for (int attempt = 0; descriptor < 0 && attempt < NAME_ATTEMPTS; attempt++) {
        name_temporary(file, bytes, attempt);
        descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST) break;
    }
    return descriptor;
}

/* A link cannot replace a file, a rename can: so a complete nameless file takes the temporary name
 * for a moment. */
static int give_name(sgio_atomic_file *file)
{
    char link[40];
    size_t bytes = strlen(file->target) + 48;
    if (!file->nameless) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fileno(file->stream));
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        name_temporary(file, bytes, attempt);
        if (linkat(AT_FDCWD, link, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) == 0) {
            file->nameless = 0;
            return 0;
        }
        if (errno != EEXIST) break;
    }
    return -1;
}

static void forget(sgio_atomic_file *file)
{
    free(file->target);
    free(file->temporary);
    memset(file, 0, sizeof *file);
}

sgio_status sgio_atomic_open(sgio_atomic_file *file, const char *path)
{
    memset(file, 0, sizeof *file);
    sgio_status status = resolve_target(file, path);
    if (status != SGIO_OK) return status;
    int descriptor = create_beside(file);
    if (descriptor < 0) {
        status = cannot_write(path, strerror(errno));
        forget(file);
        return status;
    }
    file->stream = fdopen(descriptor, "wb");
    if (!file->stream) {
        status = cannot_write(path, strerror(errno));
        close(descriptor);
        if (!file->nameless) unlink(file->temporary);
        forget(file);
        return status;
    }
    setvbuf(file->stream, NULL, _IOFBF, STREAM_BUFFER);
    return SGIO_OK;
}

static sgio_status abandon(sgio_atomic_file *file)
{
    sgio_status status = cannot_write(file->target, strerror(errno));
    sgio_atomic_discard(file);
    return status;
}

sgio_status sgio_atomic_write(sgio_atomic_file *file, const void *bytes, size_t count)
{
    if (!file->stream) return SGIO_UNWRITABLE;
    if (fwrite(bytes, 1, count, file->stream) != count) return abandon(file);
    return SGIO_OK;
}

/* The rename itself must reach the disk too; a directory that cannot be synced is no error. */
static void sync_folder(const char *path)
{
    char *folder = strdup(path);
    if (!folder) return;
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    int descriptor = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
    free(folder);
}

/* A file that is complete and synced takes its name. */
static sgio_status publish(sgio_atomic_file *file)
{
    if (give_name(file) != 0) return abandon(file);
    int closed = fclose(file->stream);
    file->stream = NULL;
    if (closed != 0 || rename(file->temporary, file->target) != 0) return abandon(file);
    sync_folder(file->target);
    forget(file);
    return SGIO_OK;
}

sgio_status sgio_atomic_commit(sgio_atomic_file *file)
{
    if (!file->stream) return SGIO_UNWRITABLE;
    if (fflush(file->stream) != 0 || fsync(fileno(file->stream)) != 0) return abandon(file);
    if (!group.open || group.count == GROUP_FILES) return publish(file);
    group.files[group.count++] = *file;
    memset(file, 0, sizeof *file);
    return SGIO_OK;
}

void sgio_atomic_discard(sgio_atomic_file *file)
{
    if (file->stream) fclose(file->stream);
    if (file->temporary && !file->nameless) unlink(file->temporary);
    forget(file);
}

void sgio_outputs_begin(void)
{
    sgio_outputs_discard();
    group.open = 1;
}

sgio_status sgio_outputs_commit(void)
{
    sgio_status status = SGIO_OK;
    for (size_t i = 0; status == SGIO_OK && i < group.count; i++)
        status = publish(&group.files[i]);
    sgio_outputs_discard();
    return status;
}

void sgio_outputs_discard(void)
{
    for (size_t i = 0; i < group.count; i++)
        sgio_atomic_discard(&group.files[i]);
    group.count = 0;
    group.open = 0;
}
