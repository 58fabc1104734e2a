/* What killed writers leave in a folder, and the journal that makes the renames of a set one step.
 *
 * Everything left behind is told from what is in use by a lock (flock) that its process holds as
 * long as it lives; where the file system has no locks nothing is touched. Locks of other machines
 * are not visible on every shared file system: their files count as left behind only when a day
 * old, and names tell the machine. */
#ifndef SGIO_OUTPUT_RECOVERY_H
#define SGIO_OUTPUT_RECOVERY_H

#include "sgio/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ".sgio-<machine>-<process>-<number>.partial" */
#define SGIO_TEMPORARY_PREFIX ".sgio-"
#define SGIO_PARTIAL_SUFFIX ".partial"
#define SGIO_JOURNAL_SUFFIX ".journal"

/* Of a journal: bytes, and files in it. Larger sets are refused. */
enum { SGIO_JOURNAL_LIMIT = 1 << 28, SGIO_JOURNAL_FILES = 1 << 20 };

/* One rename that a journal announces. Inodes say whether it was done, can still be done, or
 * whether somebody changed the file since: then nothing of the set is touched any more. */
typedef struct sgio_journal_entry {
    const char *temporary, *target; /* absolute */
    int64_t inode;                  /* of the temporary file */
    int replaces;                   /* there is a file to replace: its inode, size, time */
    int64_t old_inode, old_size, old_seconds, old_nanoseconds;
} sgio_journal_entry;

typedef struct sgio_journal {
    char *text; /* the entries point into it */
    sgio_journal_entry *entries;
    size_t count;
} sgio_journal;

/* Fills in inode and the file that is replaced from the file system, where the temporary file is.
 * 0, or -1 and errno. */
int sgio_journal_describe(const char *temporary, const char *target, sgio_journal_entry *entry);

/* The journal's bytes, malloc'ed; NULL and errno when there are too many or memory is out. */
char *sgio_journal_format(const sgio_journal_entry *entries, size_t count, size_t *bytes);

/* Takes a copy of the bytes. 0, or -1 when they are no journal; release with sgio_journal_clear. */
int sgio_journal_parse(const char *bytes, size_t size, sgio_journal *journal);
void sgio_journal_clear(sgio_journal *journal);

/* This machine's name as it stands in names: at most 32 letters and digits. */
const char *sgio_machine_name(void);

/* Locks a temporary file just created. -1 when it has been removed meanwhile. */
int sgio_lock_output(int descriptor);

/* Completes interrupted sets of the folder that `path` lies in and removes what else was left
 * there; in a folder of many files not each time, so that a batch's outputs do not cost the square
 * of their number. Whatever fails is left as it is. */
void sgio_output_recover(const char *path);

#ifdef __cplusplus
}
#endif
#endif
