/* The journal of a set: a first line, then per file six fields that end in NUL: inode; inode, size,
 * seconds and nanoseconds of what is replaced ("-" when nothing is); temporary name; target. */
#define _GNU_SOURCE

#include "output_recovery.h"

#include "text_number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char FIRST_LINE[] = "promptseg outputs 1\n";

enum { FIELDS = 4, SHORT_FIELD = 128 };

int sgio_journal_describe(const char *temporary, const char *target, sgio_journal_entry *entry)
{
    struct stat info;
    memset(entry, 0, sizeof *entry);
    if (lstat(temporary, &info) != 0) return -1;
    entry->temporary = temporary;
    entry->target = target;
    entry->inode = (int64_t)info.st_ino;
    if (lstat(target, &info) != 0) return errno == ENOENT ? 0 : -1;
    entry->replaces = 1;
    entry->old_inode = (int64_t)info.st_ino;
    entry->old_size = info.st_size;
    entry->old_seconds = info.st_mtim.tv_sec;
    entry->old_nanoseconds = info.st_mtim.tv_nsec;
    return 0;
}

static size_t put_entry(const sgio_journal_entry *entry, char *at, size_t room)
{
    int n;
    if (entry->replaces)
        n = snprintf(at, room,
                     "%" PRId64 "%c%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "%c%s%c%s%c",
                     entry->inode, 0, entry->old_inode, entry->old_size, entry->old_seconds,
                     entry->old_nanoseconds, 0, entry->temporary, 0, entry->target, 0);
    else
        n = snprintf(at, room, "%" PRId64 "%c-%c%s%c%s%c", entry->inode, 0, 0, entry->temporary, 0,
                     entry->target, 0);
    return (size_t)n;
}

char *sgio_journal_format(const sgio_journal_entry *entries, size_t count, size_t *bytes)
{
    size_t room = sizeof FIRST_LINE;
    for (size_t i = 0; i < count; i++)
        room += 2 * SHORT_FIELD + strlen(entries[i].temporary) + strlen(entries[i].target);
    errno = EFBIG;
    char *text = count <= SGIO_JOURNAL_FILES && room <= SGIO_JOURNAL_LIMIT ? malloc(room) : NULL;
    if (!text) return NULL;
    *bytes = sizeof FIRST_LINE - 1;
    memcpy(text, FIRST_LINE, *bytes);
    for (size_t i = 0; i < count; i++)
        *bytes += put_entry(&entries[i], text + *bytes, room - *bytes);
    return text;
}

static int take_numbers(const char *inode, const char *old, sgio_journal_entry *entry)
{
    int64_t *const numbers[] = {&entry->old_inode, &entry->old_size, &entry->old_seconds,
                                &entry->old_nanoseconds};
    if (!sgio_whole_integer(inode, INT64_MIN, INT64_MAX, &entry->inode)) return -1;
    if (strcmp(old, "-") == 0) return 0;
    entry->replaces = 1;
    for (int i = 0; i < 4; i++)
        if (!sgio_take_integer(&old, INT64_MIN, INT64_MAX, numbers[i])) return -1;
    return sgio_text_ends(old) ? 0 : -1;
}

/* The next four fields from *at on; 0 at the end, -1 when something is amiss. */
static int take_entry(char **at, char *end, sgio_journal_entry *entry)
{
    const char *fields[FIELDS];
    if (*at == end) return 0;
    for (int f = 0; f < FIELDS; f++) {
        char *stop = memchr(*at, 0, (size_t)(end - *at));
        if (!stop) return -1;
        fields[f] = *at;
        *at = stop + 1;
    }
    memset(entry, 0, sizeof *entry);
    entry->temporary = fields[2];
    entry->target = fields[3];
    if (fields[2][0] != '/' || fields[3][0] != '/') return -1;
    return take_numbers(fields[0], fields[1], entry) == 0 ? 1 : -1;
}

static int take_entries(char *text, char *end, sgio_journal *journal)
{
    sgio_journal_entry entry;
    for (;;) {
        int found = take_entry(&text, end, &entry);
        if (found <= 0) return found;
        if (journal->count == SGIO_JOURNAL_FILES) return -1;
        sgio_journal_entry *more =
            realloc(journal->entries, (journal->count + 1) * sizeof *journal->entries);
        if (!more) return -1;
        journal->entries = more;
        journal->entries[journal->count++] = entry;
    }
}

int sgio_journal_parse(const char *bytes, size_t size, sgio_journal *journal)
{
    size_t first = sizeof FIRST_LINE - 1;
    memset(journal, 0, sizeof *journal);
    if (size < first || size > SGIO_JOURNAL_LIMIT || memcmp(bytes, FIRST_LINE, first) != 0)
        return -1;
    journal->text = malloc(size);
    if (!journal->text) return -1;
    memcpy(journal->text, bytes, size);
    if (take_entries(journal->text + first, journal->text + size, journal) == 0) return 0;
    sgio_journal_clear(journal);
    return -1;
}

void sgio_journal_clear(sgio_journal *journal)
{
    free(journal->text);
    free(journal->entries);
    memset(journal, 0, sizeof *journal);
}
