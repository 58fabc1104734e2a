/* realpath belongs to X/Open, flock to BSD. */
#define _GNU_SOURCE

#include "output_set.h"

#include "io_status.h"
#include "output_recovery.h"
#include "output_target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { JOURNAL_ATTEMPTS = 100 };

struct sgio_outputs {
    sgio_atomic_file *files;
    size_t count, capacity;
};

sgio_status sgio_outputs_create(sgio_outputs **outputs)
{
    *outputs = calloc(1, sizeof **outputs);
    return *outputs ? SGIO_OK : sgio_fail_memory(sizeof **outputs, "outputs");
}

sgio_status sgio_outputs_join(sgio_outputs *outputs, sgio_atomic_file *file)
{
    if (outputs->count == outputs->capacity) {
        size_t capacity = 2 * outputs->capacity + 4;
        sgio_atomic_file *more = realloc(outputs->files, capacity * sizeof *more);
        if (!more) {
            sgio_atomic_discard(file);
            return sgio_fail_memory(capacity * sizeof *more, "outputs");
        }
        outputs->files = more;
        outputs->capacity = capacity;
    }
    outputs->files[outputs->count++] = *file;
    memset(file, 0, sizeof *file);
    return SGIO_OK;
}

static void drop_files(sgio_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        sgio_atomic_discard(&outputs->files[i]);
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
typedef struct written_journal {
    char *path;
    int descriptor; /* holds the lock */
} written_journal;

typedef struct commit {
    sgio_outputs *outputs;
    char **names; /* absolute: two per file, temporary and target */
    char *text;
    size_t bytes;
    written_journal *journals;
    size_t journal_count;
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

/* In the moment before the lock another program may take the journal for left behind, and remove
 * it: then once more. */
static int open_locked(const char *path)
{
    for (int attempt = 0; attempt < JOURNAL_ATTEMPTS; attempt++) {
        int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor < 0 && errno != EEXIST) return -1;
        if (descriptor >= 0 && sgio_lock_output(descriptor) == 0) return descriptor;
        if (descriptor >= 0) close(descriptor);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    errno = EBUSY;
    return -1;
}

/* Beside that temporary file, named after it. */
static int write_journal(commit *c, const char *temporary)
{
    written_journal *journal = &c->journals[c->journal_count];
    size_t stem = strlen(temporary) - strlen(SGIO_PARTIAL_SUFFIX);
    journal->path = malloc(stem + sizeof SGIO_JOURNAL_SUFFIX);
    if (!journal->path) return -1;
    memcpy(journal->path, temporary, stem);
    strcpy(journal->path + stem, SGIO_JOURNAL_SUFFIX);
    journal->descriptor = open_locked(journal->path);
    if (journal->descriptor < 0) {
        free(journal->path);
        return -1;
    }
    c->journal_count++;
    if (write_all(journal->descriptor, c->text, c->bytes) != 0) return -1;
    if (fsync(journal->descriptor) != 0) return -1;
    sgio_sync_folder_of(journal->path);
    return 0;
}

static int same_folder(const char *a, const char *b)
{
    size_t n = (size_t)(strrchr(a, '/') - a);
    return n == (size_t)(strrchr(b, '/') - b) && memcmp(a, b, n) == 0;
}

static int write_journals(commit *c)
{
    size_t count = c->outputs->count;
    c->journals = calloc(count, sizeof *c->journals);
    if (!c->journals) return -1;
    for (size_t i = 0; i < count; i++) {
        int seen = 0;
        for (size_t j = 0; j < i; j++)
            seen = seen || same_folder(c->names[2 * i], c->names[2 * j]);
        if (!seen && write_journal(c, c->names[2 * i]) != 0) return -1;
    }
    return 0;
}

static void remove_journals(commit *c)
{
    for (size_t i = 0; i < c->journal_count; i++) {
        unlink(c->journals[i].path);
        close(c->journals[i].descriptor);
        free(c->journals[i].path);
    }
    for (size_t i = 0; c->names && i < 2 * c->outputs->count; i++)
        free(c->names[i]);
    free(c->journals);
    free(c->names);
    free(c->text);
}

/* -------------------------------------------------------------------------------------- commit */

/* The order among the others stays. */
static void put_segmentations_last(sgio_outputs *outputs)
{
    for (size_t end = outputs->count; end > 1; end--)
        for (size_t i = 0; i + 1 < end; i++) {
            sgio_atomic_file *pair = outputs->files + i, swapped = pair[0];
            if (!pair[0].is_segmentation || pair[1].is_segmentation) continue;
            pair[0] = pair[1];
            pair[1] = swapped;
        }
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
    put_segmentations_last(outputs);
    sgio_status status = give_names(outputs);
    if (status == SGIO_OK) status = announce(&c);
    for (size_t i = 0; status == SGIO_OK && i < outputs->count; i++)
        status = sgio_atomic_publish(&outputs->files[i]);
    /* Before the journal goes: it would otherwise protect files that nobody completes. */
    for (size_t i = 0; i < outputs->count; i++)
        sgio_atomic_discard(&outputs->files[i]);
    remove_journals(&c);
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
