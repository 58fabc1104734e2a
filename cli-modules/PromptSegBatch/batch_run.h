/* Running the rows that wait: one thread reads cases ahead, one per engine segments, and one per
 * engine writes what was made. */
#ifndef PROMPTSEG_BATCH_RUN_H
#define PROMPTSEG_BATCH_RUN_H

#include "batch_journal.h"
#include "batch_plan.h"
#include "cli_progress.h"
#include "engine.h"

typedef struct batch_job {
    batch_plan *plan;
    batch_journal *journal;
    pipeline_engine *engines;
    int engine_count;
    const char *version;
    const cli_warnings *warnings; /* about the engine: they belong to every case */
    cli_progress *progress;
    int slicer; /* no lines on standard output, which is Slicer's */
} batch_job;

/* Runs every row in state BATCH_WAITING and sets its state; a row that fails does not stop the
 * others. At most 3 * engine_count volumes are in memory. Rows without `problem` only. 0 when
 * all were tried, CLI_EXIT_CANCELLED after a signal (rows under way are dropped and stay waiting,
 * but for those whose files are being written), CLI_EXIT_OUTPUT when a status file cannot be
 * written, CLI_EXIT_MEMORY. */
int batch_run(const batch_job *job);

/* Notes a row that cannot run in the status file, unless it is there already. */
int batch_note_problem(batch_plan *plan, batch_journal *journal, size_t i);

#endif
