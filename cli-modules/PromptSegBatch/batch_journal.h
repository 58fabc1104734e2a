/* Status files: what each shard has finished, one line of JSON per row and attempt, appended and
 * synced after the row's files are there. A shard appends to its own file only and reads those of
 * all; of the lines about an id the one that finished last counts, whatever file it is in. The
 * kernel's locks keep two processes off one file and off one row; they end with the process, so
 * that none is ever stale. */
#ifndef PROMPTSEG_BATCH_JOURNAL_H
#define PROMPTSEG_BATCH_JOURNAL_H

#include <stdint.h>
#include <stdio.h>

#include "batch_plan.h"

typedef struct batch_journal batch_journal;

/* What the latest line about a row says. */
typedef struct batch_entry {
    int known;        /* there is a line */
    int done;         /* else it failed */
    int code;         /* exit code of a failure */
    int64_t finished; /* seconds since 1970 */
    uint64_t key;
    uint64_t output, report, picture; /* hashes of their names; 0: the line does not say */
    int has_labels;      /* its segments have values, which lie in a table beside the output */
    int64_t overwritten; /* when another row was done into the row's output; 0: never */
    int file;            /* where the line is: index of the status file, and offset */
    long offset;
} batch_entry;

/* Opens <folder>/promptseg, makes it if need be, and reads its status files. With shard > 0 opens
 * the shard's own file to append to: CLI_EXIT_USAGE when another process works on this shard. With
 * shard 0 only reads. Lines about ids that the plan does not have are passed over, and so is a last
 * line that was cut off. Release with batch_journal_close. */
int batch_journal_open(const batch_plan *plan, int shard, int shards, batch_journal **out);
void batch_journal_close(batch_journal *journal);

/* What is known about row `i`. */
const batch_entry *batch_journal_entry(const batch_journal *journal, size_t i);
/* When the latest of the lines finished that a new one about row `i` must outdate; 0: none. */
int64_t batch_journal_before(const batch_journal *journal, size_t i);

/* Tries to reserve the row for this process. 1: it is ours, and what others have finished meanwhile
 * has been read. 0: another process works on it. */
int batch_journal_claim(batch_journal *journal, size_t i);
void batch_journal_release(batch_journal *journal, size_t i);

/* Waits until no other process numbers names (batch_labels.h), and keeps others from it. Where the
 * file system has no locks nothing is waited for. */
void batch_journal_lock_labels(batch_journal *journal);
void batch_journal_unlock_labels(batch_journal *journal);

/* Appends a line (no line break). 0, or CLI_EXIT_OUTPUT. One thread at a time. */
int batch_journal_append(batch_journal *journal, const char *line, size_t size);

/* The line an entry points at, malloc'ed with a zero behind it; NULL when it is gone. */
char *batch_journal_line(const batch_journal *journal, const batch_entry *entry);

#endif
