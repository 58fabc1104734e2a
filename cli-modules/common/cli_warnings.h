/* Things a user should know although the run succeeds: said on stdout at once, kept for the report.
 * Never on stderr, where Slicer takes every line for an error. */
#ifndef PROMPTSEG_CLI_WARNINGS_H
#define PROMPTSEG_CLI_WARNINGS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Start with {0}; one thread at a time. */
typedef struct cli_warnings {
    char **sentences; /* owned, in the order they came, each once */
    size_t count;
    int quiet; /* nonzero: keep, do not print */
} cli_warnings;

/* Prints "warning: sentence" and keeps it; the shape of sgio_warning_fn, `warnings` being a
 * cli_warnings. A sentence that was said before is dropped. What came from files is made harmless
 * first (cli_text.h). */
void cli_warn(void *warnings, const char *sentence);

/* All sentences joined by "; ", or "none": the return value. malloc'ed, NULL when out of memory. */
char *cli_warnings_join(const cli_warnings *warnings);

void cli_warnings_clear(cli_warnings *warnings);

#ifdef __cplusplus
}
#endif
#endif
