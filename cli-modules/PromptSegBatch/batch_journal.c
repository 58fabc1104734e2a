#define _GNU_SOURCE /* open file description locks */
#include "batch_journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch_hash.h"
#include "batch_outputs.h"
#include "batch_text.h"
#include "cli_exit.h"

enum { LONGEST_LINE = 1 << 24 };

typedef struct status_file {
    char *path;
    long read_to; /* whole lines up to here are known */
} status_file;

struct batch_journal {
    const batch_plan *plan;
    char *folder; /* .../promptseg */
    status_file *files;
    size_t file_count;
    int own; /* descriptor of the shard's own file, -1: none */
    int own_index;
    int locks; /* descriptor of rows.lock */
    batch_entry *entries;
    size_t *by_id, *by_output; /* rows in order of these */
};

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "no memory for the status files");
}

/* ---------------------------------------------------------------------------------------- rows */

static const batch_plan *sorting; /* qsort has no argument for it; set by the main thread only */

static const char *id_of(const batch_plan *plan, size_t row)
{
    return plan->rows[row].id;
}

static const char *output_of(const batch_plan *plan, size_t row)
{
    const char *path = plan->rows[row].output;
    return path ? batch_output_name(plan->folder, path) : "";
}

static int compare_ids(const void *left, const void *right)
{
    return strcmp(id_of(sorting, *(const size_t *)left), id_of(sorting, *(const size_t *)right));
}

static int compare_outputs(const void *left, const void *right)
{
    return strcmp(output_of(sorting, *(const size_t *)left),
                  output_of(sorting, *(const size_t *)right));
}

static size_t *sort_rows(const batch_plan *plan, int (*compare)(const void *, const void *))
{
    size_t *rows = calloc(plan->count + 1, sizeof *rows);
    for (size_t i = 0; rows && i < plan->count; i++)
        rows[i] = i;
    sorting = plan;
    if (rows) qsort(rows, plan->count, sizeof *rows, compare);
    return rows;
}

static int know_rows(batch_journal *j)
{
    j->entries = calloc(j->plan->count + 1, sizeof *j->entries);
    j->by_id = sort_rows(j->plan, compare_ids);
    j->by_output = sort_rows(j->plan, compare_outputs);
    return j->entries && j->by_id && j->by_output ? 0 : no_memory();
}

/* The row of that text among those sorted by it; the number of rows: none. */
static size_t find_row(const batch_journal *j, const size_t *sorted,
                       const char *(*text_of)(const batch_plan *, size_t), const char *text)
{
    size_t low = 0, high = j->plan->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const int order = strcmp(text, text_of(j->plan, sorted[middle]));
        if (order == 0) return sorted[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return j->plan->count;
}

/* --------------------------------------------------------------------------------------- lines */

static uint64_t hash_of(const json_t *object, const char *name)
{
    char *text = batch_text_take(object, name);
    const uint64_t hash = text ? batch_hash_text(text) : 0;
    free(text);
    return hash;
}

/* A file's lines are in their order. Files are not: what finished later counts. */
static void take_entry(batch_entry *entry, batch_entry found)
{
    if (entry->known && entry->file != found.file && entry->finished > found.finished) return;
    found.overwritten = entry->overwritten;
    *entry = found;
}

/* A row was done into a file: if that is another row's now, its own result is no longer there. */
static void note_output(batch_journal *j, size_t row, const json_t *object, int64_t finished)
{
    char *output = batch_text_take(object, "output");
    const size_t owner = output ? find_row(j, j->by_output, output_of, output) : j->plan->count;
    free(output);
    if (owner == j->plan->count || owner == row) return;
    if (j->entries[owner].overwritten < finished) j->entries[owner].overwritten = finished;
}

/* Lines of versions that wrote no table beside a label map have no values. */
static int has_labels(const json_t *object)
{
    const json_t *first = json_array_get(json_object_get(object, "segments"), 0);
    return json_object_get(first, "label") != NULL;
}

static void take_line(batch_journal *j, int file, long offset, const char *line, size_t size)
{
    json_t *object = json_loadb(line, size, 0, NULL);
    char *id = object ? batch_text_take(object, "id") : NULL;
    const char *key = NULL, *state = NULL;
    int code = 0;
    if (id && json_unpack(object, "{s:s,s:s,s:i}", "key", &key, "state", &state, "exit_code",
                          &code) == 0) {
        const size_t row = find_row(j, j->by_id, id_of, id);
        const batch_entry found = {.known = 1,
                                   .done = strcmp(state, "done") == 0,
                                   .code = code,
                                   .finished =
                                       json_integer_value(json_object_get(object, "finished")),
                                   .key = strtoull(key, NULL, 16),
                                   .output = hash_of(object, "output"),
                                   .report = hash_of(object, "report"),
                                   .picture = hash_of(object, "picture"),
                                   .has_labels = has_labels(object),
                                   .file = file,
                                   .offset = offset};
        if (row < j->plan->count) take_entry(&j->entries[row], found);
        if (found.done) note_output(j, row, object, found.finished);
    }
    free(id);
    json_decref(object);
}

/* Takes the whole lines that were appended since the last time. */
static int read_on(batch_journal *j, int index)
{
    status_file *file = &j->files[index];
    char *line = NULL;
    size_t capacity = 0;
    FILE *stream = fopen(file->path, "rb");
    if (!stream) return 0; /* somebody removed it */
    if (fseek(stream, file->read_to, SEEK_SET) == 0) {
        ssize_t size;
        while ((size = getline(&line, &capacity, stream)) > 0 && line[size - 1] == '\n') {
            take_line(j, index, file->read_to, line, (size_t)size);
            file->read_to += size;
        }
    }
    free(line);
    fclose(stream);
    return 0;
}

static int is_known(const batch_journal *j, const char *path)
{
    for (size_t i = 0; i < j->file_count; i++)
        if (strcmp(j->files[i].path, path) == 0) return 1;
    return 0;
}

static int add_file(batch_journal *j, const char *name)
{
    cli_buffer path = {0};
    cli_buffer_printf(&path, "%s/%s", j->folder, name);
    if (!path.failed && is_known(j, path.text)) {
        cli_buffer_clear(&path);
        return 0;
    }
    status_file *grown = realloc(j->files, (j->file_count + 1) * sizeof *grown);
    if (grown) j->files = grown;
    if (!grown || path.failed) {
        cli_buffer_clear(&path);
        return no_memory();
    }
    grown[j->file_count++] = (status_file){.path = path.text};
    return 0;
}

static int is_status(const char *name)
{
    const size_t length = strlen(name);
    return strncmp(name, "status-", 7) == 0 && length > 6 &&
           strcmp(name + length - 6, ".jsonl") == 0;
}

/* Files of shards that began after this one are found too. */
static int read_all(batch_journal *j)
{
    int failed = 0;
    DIR *stream = opendir(j->folder);
    if (!stream) return cli_fail(CLI_EXIT_OUTPUT, "%s: %s", j->folder, strerror(errno));
    for (struct dirent *e = readdir(stream); e && !failed; e = readdir(stream))
        if (is_status(e->d_name)) failed = add_file(j, e->d_name);
    closedir(stream);
    for (size_t i = 0; i < j->file_count && !failed; i++)
        failed = read_on(j, (int)i);
    return failed;
}

/* ------------------------------------------------------------------------------------- opening */

/* A line that a killed process left unfinished is ended, so that the next one stands alone. */
static int end_last_line(int fd)
{
    struct stat info;
    char last = '\n';
    if (fstat(fd, &info) != 0) return -1;
    if (info.st_size > 0 && pread(fd, &last, 1, info.st_size - 1) != 1) return -1;
    return last == '\n' || write(fd, "\n", 1) == 1 ? 0 : -1;
}

static int open_own(batch_journal *j, int shard, int shards)
{
    char name[64];
    snprintf(name, sizeof name, "status-%d-of-%d.jsonl", shard, shards);
    int failed = add_file(j, name);
    if (failed) return failed;
    for (size_t i = 0; i < j->file_count; i++)
        if (strcmp(strrchr(j->files[i].path, '/') + 1, name) == 0) j->own_index = (int)i;
    const char *path = j->files[j->own_index].path;
    j->own = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (j->own < 0) return cli_fail(CLI_EXIT_OUTPUT, "cannot write %s: %s", path, strerror(errno));
    if (flock(j->own, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return cli_fail(CLI_EXIT_USAGE,
                        "another process works on shard %d/%d of %s: wait for it, or choose "
                        "another --shard",
                        shard, shards, j->plan->folder);
    if (end_last_line(j->own) != 0)
        return cli_fail(CLI_EXIT_OUTPUT, "cannot write %s: %s", path, strerror(errno));
    return 0;
}

static int open_locks(batch_journal *j)
{
    cli_buffer path = {0};
    cli_buffer_printf(&path, "%s/rows.lock", j->folder);
    if (path.failed) return no_memory();
    j->locks = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    const int failed =
        j->locks < 0 ? cli_fail(CLI_EXIT_OUTPUT, "cannot write %s: %s", path.text, strerror(errno))
                     : 0;
    cli_buffer_clear(&path);
    return failed;
}

int batch_journal_open(const batch_plan *plan, int shard, int shards, batch_journal **out)
{
    cli_buffer folder = {0};
    batch_journal *j = *out = calloc(1, sizeof *j);
    if (!j) return no_memory();
    *j = (batch_journal){.plan = plan, .own = -1, .own_index = -1, .locks = -1};
    cli_buffer_printf(&folder, "%s/promptseg", plan->folder);
    j->folder = folder.text;
    int failed = folder.failed ? no_memory() : 0;
    if (!failed && shard > 0) failed = batch_make_folder(j->folder);
    if (!failed) failed = know_rows(j);
    if (!failed && shard > 0) failed = open_own(j, shard, shards);
    if (!failed && shard > 0) failed = open_locks(j);
    return failed ? failed : read_all(j);
}

void batch_journal_close(batch_journal *journal)
{
    if (!journal) return;
    if (journal->own >= 0) close(journal->own);
    if (journal->locks >= 0) close(journal->locks);
    for (size_t i = 0; i < journal->file_count; i++)
        free(journal->files[i].path);
    free(journal->files);
    free(journal->folder);
    free(journal->entries);
    free(journal->by_id);
    free(journal->by_output);
    free(journal);
}

/* --------------------------------------------------------------------------------------- using */

const batch_entry *batch_journal_entry(const batch_journal *journal, size_t i)
{
    return &journal->entries[i];
}

int64_t batch_journal_before(const batch_journal *journal, size_t i)
{
    const batch_entry *entry = &journal->entries[i];
    return entry->finished > entry->overwritten ? entry->finished : entry->overwritten;
}

static int lock_byte(const batch_journal *journal, off_t byte, short kind, int how)
{
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(journal->locks, how, &lock);
}

/* One byte of a file without content stands for a row; which one follows from its id, so that the
 * shards of a changed manifest agree. */
static int lock_row(batch_journal *journal, size_t i, short kind)
{
    const uint64_t hash = batch_hash_text(journal->plan->rows[i].id);
    return lock_byte(journal, (off_t)(hash >> 2), kind, F_OFD_SETLK);
}

int batch_journal_claim(batch_journal *journal, size_t i)
{
    if (lock_row(journal, i, F_WRLCK) != 0 && (errno == EAGAIN || errno == EACCES)) return 0;
    read_all(journal);
    return 1;
}

void batch_journal_release(batch_journal *journal, size_t i)
{
    lock_row(journal, i, F_UNLCK);
}

/* Behind the bytes of all rows. */
static const off_t OF_LABELS = (off_t)1 << 62;

void batch_journal_lock_labels(batch_journal *journal)
{
    lock_byte(journal, OF_LABELS, F_WRLCK, F_OFD_SETLKW);
}

void batch_journal_unlock_labels(batch_journal *journal)
{
    lock_byte(journal, OF_LABELS, F_UNLCK, F_OFD_SETLK);
}

int batch_journal_append(batch_journal *journal, const char *line, size_t size)
{
    const char *path = journal->files[journal->own_index].path;
    cli_buffer whole = {0};
    cli_buffer_printf(&whole, "%.*s\n", (int)size, line);
    if (whole.failed || size > LONGEST_LINE) {
        cli_buffer_clear(&whole);
        return no_memory();
    }
    const ssize_t written = write(journal->own, whole.text, whole.size);
    int failed = written == (ssize_t)whole.size && fdatasync(journal->own) == 0
                     ? 0
                     : cli_fail(CLI_EXIT_OUTPUT, "cannot write %s: %s", path,
                                written < 0 ? strerror(errno) : "No space left on device");
    /* half a line must not become the beginning of the next one */
    if (failed && written > 0 && end_last_line(journal->own) != 0) failed = CLI_EXIT_OUTPUT;
    cli_buffer_clear(&whole);
    if (!failed) read_on(journal, journal->own_index);

    return failed;
}

char *batch_journal_line(const batch_journal *journal, const batch_entry *entry)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *stream = entry->known ? fopen(journal->files[entry->file].path, "rb") : NULL;
    if (!stream) return NULL;
    if (fseek(stream, entry->offset, SEEK_SET) != 0 || getline(&line, &capacity, stream) <= 0) {
        free(line);
        line = NULL;
    }
    fclose(stream);
    return line;
}
