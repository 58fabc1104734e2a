/* flock belongs to BSD. */
#define _GNU_SOURCE

#include "output_recovery.h"

#include "output_target.h"
#include "volume_formats.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ONE_DAY = 86400, KNOWN_FOLDERS = 4, ENTRIES_PER_OPENING = 64, MOST_TAKEN = 32 };

int sgio_lock_output(int descriptor)
{
    struct stat info;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return -1;
    if (fstat(descriptor, &info) != 0) return 0;
    /* A nameless file has no link either, but nobody can have found it. */
    return S_ISREG(info.st_mode) && info.st_nlink == 0 ? -1 : 0;
}

const char *sgio_machine_name(void)
{
    static _Thread_local char name[33];
    char full[256] = "";
    size_t n = 0;
    gethostname(full, sizeof full - 1);
    for (const char *c = full; *c && n < sizeof name - 1; c++)
        if (isalnum((unsigned char)*c)) name[n++] = *c;
    name[n] = '\0';
    return name;
}

/* Of this machine, or so old that no program can be at it. */
static int may_be_judged(const char *path, const struct stat *info)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *machine = name + strlen(SGIO_TEMPORARY_PREFIX), *own = sgio_machine_name();
    size_t n = strlen(own);
    if (strncmp(machine, own, n) == 0 && machine[n] == '-') return 1;
    return time(NULL) - info->st_mtime > ONE_DAY;
}

typedef enum found { NOTHING, IN_USE, LEFT_BEHIND } found;

/* Opens and locks what lies at `path`; the descriptor is the caller's when it was left behind. */
static found take(const char *path, int *descriptor)
{
    struct stat info;
    *descriptor = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*descriptor < 0) return NOTHING;
    found what = LEFT_BEHIND;
    if (fstat(*descriptor, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid())
        what = NOTHING;
    else if (!may_be_judged(path, &info))
        what = IN_USE;
    else if (flock(*descriptor, LOCK_EX | LOCK_NB) != 0)
        what = errno == EWOULDBLOCK ? IN_USE : NOTHING;
    if (what != LEFT_BEHIND) close(*descriptor);
    return what;
}

/* ------------------------------------------------------------------------------------ journals */

typedef enum step { DONE, POSSIBLE, LOST } step;

static int is_temporary_name(const char *name, const char *suffix)
{
    return strncmp(name, SGIO_TEMPORARY_PREFIX, strlen(SGIO_TEMPORARY_PREFIX)) == 0 &&
           sgio_has_suffix(name, suffix);
}

/* A journal may rename our temporary files within their folder and nothing else. */
static int is_ours(const sgio_journal_entry *entry)
{
    const char *from = strrchr(entry->temporary, '/') + 1, *to = strrchr(entry->target, '/') + 1;
    size_t folder = (size_t)(from - entry->temporary);
    return *to && folder == (size_t)(to - entry->target) &&
           memcmp(entry->temporary, entry->target, folder) == 0 &&
           is_temporary_name(from, SGIO_PARTIAL_SUFFIX);
}

static int is_unchanged(const sgio_journal_entry *entry)
{
    sgio_journal_entry now;
    if (sgio_journal_describe(entry->temporary, entry->target, &now) != 0) return 0;
    if (now.inode != entry->inode || now.replaces != entry->replaces) return 0;
    return now.old_inode == entry->old_inode && now.old_size == entry->old_size &&
           now.old_seconds == entry->old_seconds && now.old_nanoseconds == entry->old_nanoseconds;
}

static step look(const sgio_journal_entry *entry)
{
    struct stat info;
    if (!is_ours(entry)) return LOST;
    if (is_unchanged(entry)) return POSSIBLE;
    int there = lstat(entry->target, &info) == 0 && S_ISREG(info.st_mode);
    return there && (int64_t)info.st_ino == entry->inode ? DONE : LOST;
}

/* Every rename is done or possible: then the rest is done. Else the temporary files go. */
static void finish_set(const sgio_journal *journal)
{
    int complete = 1;
    for (size_t i = 0; i < journal->count; i++)
        complete = complete && look(&journal->entries[i]) != LOST;
    for (size_t i = 0; i < journal->count; i++) {
        const sgio_journal_entry *entry = &journal->entries[i];
        if (look(entry) != POSSIBLE) continue;
        if (complete && rename(entry->temporary, entry->target) == 0)
            sgio_sync_folder_of(entry->target);
        else
            unlink(entry->temporary);
    }
}

/* What is there of the journal, malloc'ed; NULL when it is empty, too large or cannot be read. */
static char *read_journal(int descriptor, size_t *size)
{
    struct stat info;
    *size = 0;
    if (fstat(descriptor, &info) != 0 || info.st_size < 1 || info.st_size > SGIO_JOURNAL_LIMIT)
        return NULL;
    const size_t wanted = (size_t)info.st_size;
    char *bytes = malloc(wanted);
    for (ssize_t n = 1; bytes && n > 0 && *size < wanted; *size += (size_t)(n > 0 ? n : 0))
        n = read(descriptor, bytes + *size, wanted - *size);
    return bytes;
}

static void replay(int descriptor)
{
    sgio_journal journal;
    size_t size;
    char *bytes = read_journal(descriptor, &size);
    if (bytes && sgio_journal_parse(bytes, size, &journal) == 0) {
        finish_set(&journal);
        sgio_journal_clear(&journal);
    }
    free(bytes);
}

/* ------------------------------------------------------------------------------------- folders */

/* Folders of batches have tens of thousands of files. One that was read through is read again only
 * after as many openings that each has paid for some of its entries; a small one at each. */
typedef struct known_folder {
    dev_t device;
    ino_t inode;
    size_t openings; /* until it is read again */
} known_folder;

static known_folder *know(const char *path)
{
    static _Thread_local known_folder known[KNOWN_FOLDERS];
    static _Thread_local size_t oldest;
    struct stat info;
    if (stat(path, &info) != 0) return NULL;
    for (size_t i = 0; i < KNOWN_FOLDERS; i++)
        if (known[i].device == info.st_dev && known[i].inode == info.st_ino) return &known[i];
    known_folder *folder = &known[oldest++ % KNOWN_FOLDERS];
    *folder = (known_folder){.device = info.st_dev, .inode = info.st_ino};
    return folder;
}

/* What was seen in a folder: whether there are temporary files of ours, and how much there is. */
typedef struct seen_folder {
    int any;
    size_t entries;
} seen_folder;

/* Calls `act` on each of our temporary files with that suffix that was left behind; 1 when another
 * one is in use. */
static int each_left_behind(const char *folder, const char *suffix,
                            void (*act)(void *user, const char *path, int descriptor), void *user,
                            seen_folder *seen)
{
    int any_in_use = 0;
    memset(seen, 0, sizeof *seen);
    DIR *directory = opendir(folder);
    if (!directory) return 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[4096];
        int descriptor;
        seen->entries++;
        seen->any |= is_temporary_name(entry->d_name, "");
        if (!is_temporary_name(entry->d_name, suffix)) continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (n < 0 || (size_t)n >= sizeof path) continue;
        found what = take(path, &descriptor);
        any_in_use |= what == IN_USE;
        if (what != LEFT_BEHIND) continue;
        act(user, path, descriptor);
    }
    closedir(directory);
    return any_in_use;
}

static void finish_journal(void *unused, const char *path, int descriptor)
{
    (void)unused;
    replay(descriptor);
    unlink(path);
    close(descriptor);
}

/* Files that were found unlocked, and are locked now. */
typedef struct taken_files {
    const char *folder;
    char paths[MOST_TAKEN][4096];
    int descriptors[MOST_TAKEN];
    int count;
} taken_files;

/* Large sets close their files, which then have no lock but the guard's (output_guard.h), made
 * before. So whoever has found files without one asks for guards once more before they go. */
static void remove_taken(taken_files *taken)
{
    seen_folder seen;
    const int in_use = taken->count && each_left_behind(taken->folder, SGIO_JOURNAL_SUFFIX,
                                                        finish_journal, NULL, &seen);
    for (int i = 0; i < taken->count; i++) {
        if (!in_use) unlink(taken->paths[i]);
        close(taken->descriptors[i]);
    }
    taken->count = 0;
}

static void take_partial(void *user, const char *path, int descriptor)
{
    taken_files *taken = user;
    snprintf(taken->paths[taken->count], sizeof taken->paths[0], "%s", path);
    taken->descriptors[taken->count++] = descriptor;
    if (taken->count == MOST_TAKEN) remove_taken(taken);
}

static void remove_partial_files(const char *folder)
{
    seen_folder seen;
    taken_files *taken = calloc(1, sizeof *taken);
    if (!taken) return;
    taken->folder = folder;
    each_left_behind(folder, SGIO_PARTIAL_SUFFIX, take_partial, taken, &seen);
    remove_taken(taken);
    free(taken);
}

void sgio_output_recover(const char *path)
{
    char *folder = sgio_folder_of(path);
    known_folder *known = folder ? know(folder) : NULL;
    if (known && known->openings > 0) {
        known->openings--;
    } else if (known) {
        seen_folder seen;
        int in_use = each_left_behind(folder, SGIO_JOURNAL_SUFFIX, finish_journal, NULL, &seen);
        known->openings = seen.entries / ENTRIES_PER_OPENING;
        if (seen.any && !in_use) remove_partial_files(folder);
    }
    free(folder);
}
