/* O_TMPFILE belongs to Linux, flock to BSD. */
#define _GNU_SOURCE

#include "atomic_file.h"

#include "io_status.h"
#include "output_recovery.h"
#include "output_set.h"
#include "output_target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAME_ATTEMPTS = 100, STREAM_BUFFER = 1 << 16, NAME_BYTES = 128 };
enum { PERMISSIONS = 0777, GROUP_PERMISSIONS = 0070, NEW_FILE = 0666 };

static sgio_status cannot_write(const char *path, const char *reason)
{
    return sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s", path, reason);
}

/* Two threads of a process, and processes of equal number on two machines, may write into one
 * folder: names differ by a count and by when the file was named. */
static unsigned long long unique_number(void)
{
    static atomic_uint count;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (unsigned long long)now.tv_nsec << 16 | (atomic_fetch_add(&count, 1) & 0xFFFF);
}

/* Hidden, and with no extension that another program would pick up half-written. */
static void name_temporary(sgio_atomic_file *file, size_t bytes)
{
    const char *slash = strrchr(file->target, '/');
    int folder = slash ? (int)(slash - file->target) + 1 : 0;
    snprintf(file->temporary, bytes, "%.*s" SGIO_TEMPORARY_PREFIX "%s-%ld-%llx" SGIO_PARTIAL_SUFFIX,
             folder, file->target, sgio_machine_name(), (long)getpid(), unique_number());
}

/* Linux can keep the file nameless until it is complete: then a killed process leaves nothing
 * behind. It gets its name through /proc. Not every file system offers this. */
static int create_nameless(const sgio_atomic_file *file, mode_t mode)
{
#ifdef O_TMPFILE
    if (access("/proc/self/fd", X_OK) != 0) return -1;
    char *folder = sgio_folder_of(file->target);
    int descriptor = folder ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode) : -1;
    free(folder);
    if (descriptor >= 0) sgio_lock_output(descriptor);
    return descriptor;
#else
    (void)file;
    (void)mode;
    return -1;
#endif
}

static int create_named(sgio_atomic_file *file, size_t bytes, mode_t mode)
{
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        name_temporary(file, bytes);
        int descriptor = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (descriptor < 0 && errno != EEXIST) return -1;
        if (descriptor < 0) continue;
        if (sgio_lock_output(descriptor) == 0) return descriptor;
        close(descriptor); /* taken for left behind, and removed, in the moment before the lock */
    }
    return -1;
}

/* What is replaced keeps its permissions, and its group where the user belongs to it; otherwise
 * those of the group would go to another one. */
static void keep_permissions(int descriptor, const sgio_target *target)
{
    struct stat own;
    mode_t mode = target->info.st_mode & PERMISSIONS;
    if (!target->exists || fstat(descriptor, &own) != 0) return;
    if (own.st_gid != target->info.st_gid &&
        fchown(descriptor, (uid_t)-1, target->info.st_gid) != 0)
        mode &= (mode_t)~GROUP_PERMISSIONS;
    if (fchmod(descriptor, mode) != 0) return; /* file systems without permissions are fine */
}

static int create_beside(sgio_atomic_file *file, const sgio_target *target)
{
    size_t bytes = strlen(file->target) + NAME_BYTES;
    mode_t mode = target->exists ? target->info.st_mode & NEW_FILE : NEW_FILE;
    file->temporary = malloc(bytes);
    if (!file->temporary) return -1;
    int descriptor = create_nameless(file, mode);
    file->nameless = descriptor >= 0;
    if (descriptor < 0) descriptor = create_named(file, bytes, mode);
    if (descriptor >= 0) keep_permissions(descriptor, target);
    return descriptor;
}

/* A link cannot replace a file, a rename can: so a complete nameless file takes the temporary name
 * for a moment. */
int sgio_atomic_give_name(sgio_atomic_file *file)
{
    char link[40];
    if (!file->nameless) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fileno(file->stream));
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        name_temporary(file, strlen(file->target) + NAME_BYTES);
        if (linkat(AT_FDCWD, link, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) == 0) {
            file->nameless = 0;
            return 0;
        }
        if (errno != EEXIST) break;
    }
    return -1;
}

int sgio_atomic_close(sgio_atomic_file *file)
{
    FILE *stream = file->stream;
    file->stream = NULL;
    return fclose(stream) == 0 ? 0 : -1;
}

static void forget(sgio_atomic_file *file)
{
    free(file->target);
    free(file->temporary);
    memset(file, 0, sizeof *file);
}

static sgio_status open_stream(sgio_atomic_file *file, const char *path, const sgio_target *target)
{
    int descriptor = create_beside(file, target);
    if (descriptor < 0) return cannot_write(path, strerror(errno));
    file->stream = fdopen(descriptor, "w+b");
    if (file->stream) {
        setvbuf(file->stream, NULL, _IOFBF, STREAM_BUFFER);
        return SGIO_OK;
    }
    sgio_status status = cannot_write(path, strerror(errno));
    close(descriptor);
    if (!file->nameless) unlink(file->temporary);
    return status;
}

sgio_status sgio_atomic_open(sgio_atomic_file *file, const char *path, sgio_outputs *outputs)
{
    sgio_target target;
    memset(file, 0, sizeof *file);
    sgio_status status = sgio_target_find(path, &target);
    if (status != SGIO_OK) return status;
    sgio_output_recover(target.path);
    file->target = target.path;
    file->outputs = outputs;
    status = open_stream(file, path, &target);
    if (status != SGIO_OK) forget(file);
    return status;
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

/* The stream is closed last, where it is still open: its lock tells others that the temporary name
 * is in use. */
sgio_status sgio_atomic_publish(sgio_atomic_file *file)
{
    if (rename(file->temporary, file->target) != 0) return abandon(file);
    if (file->stream) fclose(file->stream);
    sgio_sync_folder_of(file->target);
    forget(file);
    return SGIO_OK;
}

sgio_status sgio_atomic_commit(sgio_atomic_file *file)
{
    if (!file->stream) return SGIO_UNWRITABLE;
    if (fflush(file->stream) != 0 || fsync(fileno(file->stream)) != 0) return abandon(file);
    if (file->outputs) return sgio_outputs_join(file->outputs, file);
    return sgio_atomic_give_name(file) == 0 ? sgio_atomic_publish(file) : abandon(file);
}

void sgio_atomic_discard(sgio_atomic_file *file)
{
    if (file->temporary && !file->nameless) unlink(file->temporary);
    if (file->stream) fclose(file->stream);
    forget(file);
}
