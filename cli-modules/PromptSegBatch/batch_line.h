/* The line of a status file about one row: written after the run, read for the results. */
#ifndef PROMPTSEG_BATCH_LINE_H
#define PROMPTSEG_BATCH_LINE_H

#include "batch_plan.h"
#include "report_paths.h"
#include "result.h"

/* What happened to a row. */
typedef struct batch_outcome {
    int code; /* 0: done */
    const char *message;
    double seconds;
    int64_t before;                /* it is dated after this (batch_journal_before) */
    const pipeline_case *work;     /* NULL when it failed before */
    const pipeline_result *result; /* NULL when it failed */
    const cli_warnings *warnings;  /* NULL: none */
    size_t first_warning;          /* the first of the row itself */
    const known_paths *paths;      /* what sentences show of them (batch_line_paths) */
} batch_outcome;

/* Fills *out with the paths of a row, as results.csv shows them (--reportPaths: relative to the
 * output folder, wherever the row's report lies; of a row that is no command line, as the batch
 * does). 0, or CLI_EXIT_MEMORY. Release with known_paths_clear. */
int batch_line_paths(const batch_plan *plan, const batch_command *command, const char *model,
                     known_paths *out);

/* JSON without a line break, malloc'ed; NULL when out of memory. */
char *batch_line_make(const batch_plan *plan, const batch_row *row, const batch_outcome *outcome);

#endif
