/* realpath belongs to X/Open, flock to BSD. */
#define _GNU_SOURCE

#include "output_set.h"

#include "io_status.h"
#include "output_guard.h"
#include "output_recovery.h"
#include "output_target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So many files of a set stay open, nameless and locked; further ones are closed under their
 * temporary names, so that the frames of a long film do not use up the process's descriptors. */
enum { MOST_OPEN = 64 };

struct sgio_outputs {
    sgio_atomic_file *files;
    size_t count, capacity;
    sgio_guards guards; /* of the folders of closed files; journals */
};

sgio_status sgio_outputs_create(sgio_outputs **outputs)
{
    *outputs = calloc(1, sizeof **outputs);
    return *outputs ? SGIO_OK : sgio_fail_memory(sizeof **outputs, "outputs");
}

static sgio_status make_room(sgio_outputs *outputs)
{
    if (outputs->count < outputs->capacity) return SGIO_OK;
    size_t capacity = 2 * outputs->capacity + 4;
    sgio_atomic_file *more = realloc(outputs->files, capacity * sizeof *more);
    if (!more) return sgio_fail_memory(capacity * sizeof *more, "outputs");
    outputs->files = more;
    outputs->capacity = capacity;
    return SGIO_OK;
}

/* The guard is there before the lock goes. */
static sgio_status close_file(sgio_outputs *outputs, sgio_atomic_file *file)
{
    int failed = sgio_atomic_give_name(file);
    if (!failed) failed = sgio_guard_folder(&outputs->guards, file->temporary) ? 0 : -1;
    if (!failed) failed = sgio_atomic_close(file);
    return failed ? sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s", file->target, strerror(errno))
                  : SGIO_OK;
}

sgio_status sgio_outputs_join(sgio_outputs *outputs, sgio_atomic_file *file)
{
    sgio_status status = make_room(outputs);
    if (status == SGIO_OK && outputs->count >= MOST_OPEN) status = close_file(outputs, file);
    if (status != SGIO_OK) {
        sgio_atomic_discard(file);
        return status;
    }
    outputs->files[outputs->count++] = *file;
    memset(file, 0, sizeof *file);
    return SGIO_OK;
}

static void drop_files(sgio_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        sgio_atomic_discard(&outputs->files[i]);
    sgio_guards_remove(&outputs->guards);
    outputs->count = 0;
}

void sgio_outputs_destroy(sgio_outputs *outputs)
{
    if (!outputs) return;
    drop_files(outputs);
    free(outputs->files);
    free(outputs);
}

/* ------------------------------------------------------------------------------------- journal */

/* The journal of a set lies in each of its folders, so that whoever comes first finds it. */
typedef struct commit {
    sgio_outputs *outputs;
    char **names; /* absolute: two per file, temporary and target */
    char *text;
    size_t bytes;
} commit;

static char *absolute(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = sgio_folder_of(path);
    char *real = folder ? realpath(folder, NULL) : NULL;
    size_t bytes = real ? strlen(real) + strlen(path) + 2 : 0;
    char *full = real ? malloc(bytes) : NULL;
    if (full)
        snprintf(full, bytes, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
                 slash ? slash + 1 : path);
    free(real);
    free(folder);
    return full;
}

static int format_journal(commit *c)
{
    size_t count = c->outputs->count;
    sgio_journal_entry *entries = calloc(count, sizeof *entries);
    c->names = calloc(2 * count, sizeof *c->names);
    int failed = entries && c->names ? 0 : -1;
    for (size_t i = 0; !failed && i < count; i++) {
        char **names = c->names + 2 * i;
        names[0] = absolute(c->outputs->files[i].temporary);
        names[1] = absolute(c->outputs->files[i].target);
        failed = names[0] && names[1] ? sgio_journal_describe(names[0], names[1], &entries[i]) : -1;
    }
    if (!failed) c->text = sgio_journal_format(entries, count, &c->bytes);
    free(entries);
    return c->text ? 0 : -1;
}

static int write_all(int descriptor, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(descriptor, text, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -1;
        text += n;
        bytes -= (size_t)n;
    }
    return 0;
}

static int write_journal(const commit *c, const sgio_guard *guard)
{
    if (write_all(guard->descriptor, c->text, c->bytes) != 0) return -1;
    if (fsync(guard->descriptor) != 0) return -1;
    sgio_sync_folder_of(guard->path);
    return 0;
}

static int write_journals(commit *c)
{
    sgio_guards *guards = &c->outputs->guards;
    for (size_t i = 0; i < c->outputs->count; i++)
        if (!sgio_guard_folder(guards, c->outputs->files[i].temporary)) return -1;
    for (size_t i = 0; i < guards->count; i++)
        if (write_journal(c, &guards->items[i]) != 0) return -1;
    return 0;
}

static void forget_journals(commit *c)
{
    sgio_guards_remove(&c->outputs->guards);
    for (size_t i = 0; c->names && i < 2 * c->outputs->count; i++)
        free(c->names[i]);
    free(c->names);
    free(c->text);
}

/* -------------------------------------------------------------------------------------- commit */

/* The order among the others stays. */
static sgio_status put_segmentations_last(sgio_outputs *outputs)
{
    const size_t bytes = (outputs->count + 1) * sizeof *outputs->files;
    sgio_atomic_file *sorted = malloc(bytes);
    size_t placed = 0;
    if (!sorted) return sgio_fail_memory(bytes, "outputs");
    for (int last = 0; last < 2; last++)
        for (size_t i = 0; i < outputs->count; i++)
            if (!outputs->files[i].is_segmentation == !last) sorted[placed++] = outputs->files[i];
    free(outputs->files);
    outputs->files = sorted;
    outputs->capacity = outputs->count + 1;
    return SGIO_OK;
}

static sgio_status give_names(sgio_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        if (sgio_atomic_give_name(&outputs->files[i]) != 0)
            return sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s", outputs->files[i].target,
                             strerror(errno));
    return SGIO_OK;
}

static sgio_status announce(commit *c)
{
    if (c->outputs->count < 2) return SGIO_OK;
    if (format_journal(c) == 0 && write_journals(c) == 0) return SGIO_OK;
    return sgio_fail(SGIO_UNWRITABLE, "cannot write %s: the journal beside it failed: %s",
                     c->outputs->files[c->outputs->count - 1].target, strerror(errno));
}

sgio_status sgio_outputs_commit(sgio_outputs *outputs)
{
    commit c = {.outputs = outputs};
    sgio_status status = put_segmentations_last(outputs);
    if (status == SGIO_OK) status = give_names(outputs);
    if (status == SGIO_OK) status = announce(&c);
    for (size_t i = 0; status == SGIO_OK && i < outputs->count; i++)
        status = sgio_atomic_publish(&outputs->files[i]);
    /* Before the journal goes: it would otherwise protect files that nobody completes. */
    for (size_t i = 0; i < outputs->count; i++)
        sgio_atomic_discard(&outputs->files[i]);
    forget_journals(&c);
    outputs->count = 0;
    return status;
}

sgio_status sgio_output_check(const char *path)
{
    sgio_atomic_file file;
    sgio_status status = sgio_atomic_open(&file, path, NULL);
    if (status == SGIO_OK) sgio_atomic_discard(&file);
    return status;
}

sgio_status sgio_output_write(sgio_outputs *outputs, const char *path, const void *bytes,
                              size_t size)
{
    sgio_atomic_file file;
    sgio_status status = sgio_atomic_open(&file, path, outputs);
    if (status == SGIO_OK) status = sgio_atomic_write(&file, bytes, size);
    return status == SGIO_OK ? sgio_atomic_commit(&file) : status;
}
