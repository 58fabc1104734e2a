/* Command lines, read according to a tool's description.
 *
 * Forms: --name value, --name=value, -n value, switches without value, positional arguments; after
 * "--" everything is positional. The argument after an option is its value even if it begins with a
 * dash (a negative coordinate), unless it is itself one of the tool's options. An option may be
 * repeated only if the description says multiple="true". Every value is checked here, so that the
 * getters cannot fail.
 *
 * Besides the tool's own: --help -h, --xml, --version [--verbose], --echo, --returnparameterfile
 * FILE and
 * --processinformationaddress ADDRESS (which only means something to Slicer's shared objects). */
#ifndef PROMPTSEG_CLI_OPTIONS_H
#define PROMPTSEG_CLI_OPTIONS_H

#include <stdio.h>

#include "cli_description.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cli_options cli_options;

typedef enum cli_request { CLI_RUN, CLI_SHOW_HELP, CLI_SHOW_XML, CLI_SHOW_VERSION } cli_request;

/* Reads argv[1..argc-1]. `tool` and argv are borrowed until cli_options_free(). Stops at --help,
 * --xml or --version. Returns 0, or CLI_EXIT_USAGE / CLI_EXIT_MEMORY with cli_last_message().
 * Whether positional arguments are missing is asked separately. */
int cli_options_parse(const cli_tool *tool, int argc, char *const argv[], cli_options **out);

void cli_options_free(cli_options *options);

/* 0 when every positional argument is there, else CLI_EXIT_USAGE. With inputs_only, positional
 * outputs may be missing. */
int cli_options_check_positional(const cli_options *options, int inputs_only);

/* The description that the command line was read with; borrowed. */
const cli_tool *cli_options_tool(const cli_options *options);

cli_request cli_options_request(const cli_options *options);
/* --version was followed by --verbose: with the versions of the libraries. */
int cli_options_verbose(const cli_options *options);
int cli_options_echo(const cli_options *options);
/* NULL when the option was not given. */
const char *cli_options_return_file(const cli_options *options);

/* How often the parameter was given (Slicer passes many at their default value). */
size_t cli_given(const cli_options *options, const char *name);

/* Values. `name` is the parameter's name; an unknown one reads as not given and without default. A
 * parameter not given has its default: 0, "" or no numbers when there is none. */
int cli_switch(const cli_options *options, const char *name);
long long cli_integer(const cli_options *options, const char *name);
double cli_real(const cli_options *options, const char *name);
const char *cli_text(const cli_options *options, const char *name);

/* The which-th occurrence, in the order of the command line. */
const char *cli_text_at(const cli_options *options, const char *name, size_t which);

/* The name of what stands at place `place` of the command line, counted from 0 without regard to
 * kinds, and its text (NULL for a switch); NULL after the last one. For options whose order between
 * each other matters. */
const char *cli_at_place(const cli_options *options, size_t place, const char **text);

/* Numbers of the which-th occurrence of a vector, point or region: at most `capacity` are stored,
 * the number there are is returned. Without occurrence: the default's, for which == 0. */
size_t cli_numbers_at(const cli_options *options, const char *name, size_t which, double *values,
                      size_t capacity);

/* One "name = value" line per value, in the description's order: --echo. */
void cli_options_print(const cli_options *options, FILE *stream);

/* 0 when `text` is a legal value of `parameter`, else CLI_EXIT_USAGE with a message that calls the
 * parameter `shown_as`. */
int cli_check_value(const cli_parameter *parameter, const char *shown_as, const char *text);

#ifdef __cplusplus
}
#endif
#endif
