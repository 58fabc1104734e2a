/* What a batch as a whole leaves: results.csv, summary.json, contact_sheet.png. */
#ifndef PROMPTSEG_BATCH_COLLECT_H
#define PROMPTSEG_BATCH_COLLECT_H

#include "batch_journal.h"
#include "batch_plan.h"

/* Who ran it, for the summary. */
typedef struct batch_about {
    const char *version;
    const char *model, *variant, *device; /* NULL: nothing was run */
} batch_about;

/* Writes them from the status files of all shards, row by row: memory does not grow with their
 * number. Rows that no status file knows are "missing" in results.csv. 0, or an exit code. */
int batch_collect(const batch_plan *plan, const batch_journal *journal, const batch_about *about);

/* Tells the files that it writes. */
int batch_collect_files(const batch_plan *plan, sgio_path_fn found, void *user);

#endif
