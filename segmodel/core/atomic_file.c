#define _XOPEN_SOURCE 700 /* strdup */

#include "core/atomic_file.h"

#include "core/files.h"
#include "core/hash.h"
#include "core/status.h"
#include "core/system.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BUFFER_SIZE = 1 << 20,
    MAX_SUFFIX = 48, /* ".<process>-<number>.tmp" */
    SHORT_NAME = 24,
    ATTEMPTS = 100,
    STILL_SECONDS = 60, /* unchanged for so long: not being written on another machine */
    OWN_SECONDS = 3600  /* the same of a process that had this one's number */
};

static sgm_status fail(const sgm_atomic_file *f, const char *what)
{
    return sgm_fail(SGM_UNWRITABLE, "%s: %s: %s", f->path, what, strerror(errno));
}

/* Stands for a name that has no room for a suffix. */
static void shorten(const char *name, char text[SHORT_NAME])
{
    snprintf(text, SHORT_NAME, "half-%016" PRIx64, sgm_hash(name, strlen(name)));
}

/* Beside the file, as "`name`.<process>-<number>.tmp". */
static int open_named(sgm_atomic_file *f, const char *name, unsigned mode)
{
    int folder = (int)(sgm_file_name(f->path) - f->path);
    for (int i = 0; i < ATTEMPTS; i++) {
        snprintf(f->temporary, strlen(f->path) + SHORT_NAME + MAX_SUFFIX, "%.*s%s.%ld-%d.tmp",
                 folder, f->path, name, sgm_process_id(), i);
        int fd = f->folder ? sgm_folder_create(f->folder, f->temporary)
                           : sgm_open_new(f->temporary, mode);
        if (fd >= 0) return fd;
        if (errno != EEXIST) break;
    }
    f->temporary[0] = 0; /* not ours to remove */
    return -1;
}

static int open_temporary(sgm_atomic_file *f, unsigned mode)
{
    char text[SHORT_NAME];
    int fd = open_named(f, sgm_file_name(f->path), mode);
    if (fd >= 0 || errno != ENAMETOOLONG) return fd;
    shorten(sgm_file_name(f->path), text);
    return open_named(f, text, mode);
}

/* Renaming would put a plain file in the place of a folder's or device's name, and asks nobody
 * whether the old file may be written. */
static sgm_status check_old(const char *path, sgm_file_info *old, bool *exists)
{
    *exists = sgm_path_info(path, old);
    if (!*exists) return SGM_OK;
    if (!old->regular)
        return sgm_fail(SGM_UNWRITABLE, "%s: exists and is not a regular file", path);
    if (!old->writable) return sgm_fail(SGM_UNWRITABLE, "%s: exists and may not be written", path);
    return SGM_OK;
}

static sgm_status open_stream(sgm_atomic_file *f, unsigned mode)
{
    int fd = open_temporary(f, mode);
    if (fd < 0) return fail(f, "cannot be created");
    f->stream = sgm_descriptor_stream(fd);
    if (!f->stream) {
        sgm_close(fd);
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: out of memory", f->path);
    }
    setvbuf(f->stream, f->buffer, _IOFBF, BUFFER_SIZE);
    return SGM_OK;
}

/* `f` has its path, or NULL where there is no memory for it. */
static sgm_status begin(sgm_atomic_file *f, const char *path, unsigned mode, sgm_atomic_file *out)
{
    if (f->path) f->temporary = calloc(1, strlen(f->path) + SHORT_NAME + MAX_SUFFIX);
    f->buffer = malloc(BUFFER_SIZE);
    sgm_status status = SGM_OK;
    if (!f->path || !f->temporary || !f->buffer)
        status = sgm_fail(SGM_OUT_OF_MEMORY, "%s: out of memory", path);
    if (status == SGM_OK) status = open_stream(f, mode);
    if (status == SGM_OK)
        *out = *f;
    else
        sgm_atomic_file_abandon(f);
    return status;
}

sgm_status sgm_atomic_file_create(const char *path, sgm_atomic_file *out)
{
    sgm_atomic_file f = {0};
    sgm_file_info old;
    bool exists;
    *out = (sgm_atomic_file){0};
    SGM_TRY(check_old(path, &old, &exists));
    f.path = exists ? sgm_real_path(path) : NULL;
    if (!f.path) f.path = strdup(path);
    return begin(&f, path, exists ? old.mode : 0, out);
}

sgm_status sgm_atomic_file_create_entry(const sgm_folder *folder, const char *name,
                                        sgm_atomic_file *out)
{
    sgm_atomic_file f = {.folder = folder, .path = strdup(name)};
    *out = (sgm_atomic_file){0};
    return begin(&f, name, 0, out);
}

sgm_status sgm_atomic_file_write(sgm_atomic_file *f, const void *bytes, size_t size)
{
    if (size > 0 && fwrite(bytes, 1, size, f->stream) != size) return fail(f, "cannot be written");
    return SGM_OK;
}

static bool rename_into_place(const sgm_atomic_file *f)
{
    return f->folder ? sgm_folder_rename(f->folder, f->temporary, f->path)
                     : sgm_replace_file(f->temporary, f->path);
}

static void remove_temporary(const sgm_atomic_file *f)
{
    if (f->folder)
        sgm_folder_remove(f->folder, f->temporary);
    else
        sgm_remove_file(f->temporary);
}

static sgm_status finish(sgm_atomic_file *f)
{
    errno = 0;
    if (fflush(f->stream) != 0 || ferror(f->stream)) {
        if (errno == 0) errno = EIO; /* an earlier write failed and its reason is lost */
        return fail(f, "cannot be written");
    }
    if (!f->folder && !sgm_flush_to_disk(f->stream)) return fail(f, "cannot be flushed");
    int closed = fclose(f->stream);
    f->stream = NULL;
    if (closed != 0) return fail(f, "cannot be written");
    if (!rename_into_place(f)) return fail(f, "cannot be renamed into place");
    f->temporary[0] = 0;
    if (!f->folder) sgm_flush_folder(f->path);
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
    if (f->temporary && f->temporary[0]) remove_temporary(f);
    free(f->path);
    free(f->temporary);
    free(f->buffer);
    *f = (sgm_atomic_file){0};
}

/* ----------------------------------------------------------------------------- what is left */

static const char *skip_digits(const char *text)
{
    return text + strspn(text, "0123456789");
}

static bool is_half_of(const char *entry, const char *name, long *process)
{
    size_t length = strlen(name);
    if (strncmp(entry, name, length) != 0 || entry[length] != '.') return false;
    const char *number = entry + length + 1, *dash = skip_digits(number);
    if (dash == number || dash - number > 18 || *dash != '-') return false;
    const char *end = skip_digits(dash + 1);
    if (end == dash + 1 || strcmp(end, ".tmp") != 0) return false;
    errno = 0;
    *process = strtol(number, NULL, 10);
    return errno == 0;
}

bool sgm_atomic_file_is_half(const char *entry, const char *name, long *process)
{
    char text[SHORT_NAME];
    if (is_half_of(entry, name, process)) return true;
    shorten(name, text);
    return is_half_of(entry, text, process);
}

/* A container's processes have the same few numbers every time: this one's own says nothing. */
static bool is_left(long process, const sgm_file_info *info)
{
    int64_t still = (int64_t)time(NULL) - info->changed;
    if (process == sgm_process_id()) return still > OWN_SECONDS;
    return still > STILL_SECONDS && !sgm_process_exists(process);
}

typedef struct sweep {
    const sgm_folder *folder;
    const char *const *names;
    int count;
} sweep;

static bool sweep_entry(void *user, const char *entry, const sgm_file_info *info)
{
    const sweep *s = user;
    long process;
    for (int i = 0; i < s->count; i++)
        if (sgm_atomic_file_is_half(entry, s->names[i], &process) && is_left(process, info))
            sgm_folder_remove(s->folder, entry);
    return true;
}

void sgm_atomic_file_sweep(const char *folder, const char *const *names, int count)
{
    sgm_folder *opened = sgm_folder_open(folder);
    sweep s = {opened, names, count};
    if (!opened) return;
    sgm_folder_list(opened, sweep_entry, &s);
    sgm_folder_close(opened);
}

void sgm_atomic_file_sweep_beside(const char *path)
{
    char *folder = strdup(path);
    if (!folder) return;
    const char *const names[1] = {sgm_file_name(path)};
    size_t length = (size_t)(names[0] - path);    /* its separator with it */
    folder[length > 1 ? length - 1 : length] = 0; /* of "/x" the folder is "/" */
    sgm_atomic_file_sweep(length ? folder : ".", names, 1);
    free(folder);
}
