/* --help, written from the description. */
#ifndef PROMPTSEG_CLI_HELP_H
#define PROMPTSEG_CLI_HELP_H

#include <stdio.h>

#include "cli_description.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Usage line, description, then the options group by group, wrapped to `width` columns (at least
 * 40). Words longer than a line stick out rather than being cut. */
void cli_help_print(const cli_tool *tool, const char *program, int width, FILE *stream);

/* Width of the terminal behind `stream`, between 60 and 100; 80 when it is not a terminal. */
int cli_help_width(FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
