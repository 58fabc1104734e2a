/* How far the work is, told in the way the caller can use.
 *
 * Slicer (--returnparameterfile was given): its filter-* tags on stdout, flushed group by group. At
 * each piece of output Slicer searches everything it has received so far, hence at most
 * CLI_PROGRESS_UPDATES groups per run. Terminal: a bar on stderr. Otherwise nothing. */
#ifndef PROMPTSEG_CLI_PROGRESS_H
#define PROMPTSEG_CLI_PROGRESS_H

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CLI_PROGRESS_UPDATES = 200 };

typedef enum cli_progress_mode {
    CLI_PROGRESS_SILENT,
    CLI_PROGRESS_SLICER,
    CLI_PROGRESS_BAR
} cli_progress_mode;

/* Lives on the caller's stack; one thread at a time. */
typedef struct cli_progress {
    cli_progress_mode mode;
    FILE *stream; /* borrowed */
    char name[64];
    char comment[256];
    double shown; /* last fraction written, -1 before the first */
    int updates;  /* groups written */
    int bar_open; /* a bar is on the current line */
    double started;
} cli_progress;

/* SLICER when `slicer` is nonzero, else BAR when stderr is a terminal, else SILENT. */
cli_progress_mode cli_progress_choose(int slicer);

/* Announces the work. `stream` is stdout for SLICER and stderr for BAR; both texts are copied. */
void cli_progress_start(cli_progress *progress, cli_progress_mode mode, FILE *stream,
                        const char *name, const char *comment);

/* `fraction` is clamped to 0..1 and never goes back; NaN is ignored. `comment` (NULL: as before) is
 * the sentence a user sees. Cheap enough to be called for every slice. */
void cli_progress_update(cli_progress *progress, double fraction, const char *comment);

/* Ends the announcement, or removes the bar. Also right after a failure. */
void cli_progress_end(cli_progress *progress);

#ifdef __cplusplus
}
#endif
#endif
