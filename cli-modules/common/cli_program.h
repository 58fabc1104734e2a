/* The first lines of every main(): description, command line, --help and its like.
 *
 *     cli_program program;
 *     int code;
 *     if (!cli_program_begin(&program, "PromptSeg", PromptSeg_xml, PromptSeg_xml_size, argc, argv,
 *                            "listSeries", &code))
 *         return code;
 *     ... cli_real(program.options, "tolerance") ...
 *     return cli_program_end(&program, code, NULL);
 */
#ifndef PROMPTSEG_CLI_PROGRAM_H
#define PROMPTSEG_CLI_PROGRAM_H

#include "cli_cancel.h"
#include "cli_exit.h"
#include "cli_options.h"
#include "cli_output.h"
#include "cli_progress.h"
#include "cli_warnings.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cli_program {
    const char *name;
    cli_tool *tool;
    cli_options *options;
    cli_warnings warnings; /* hand &program.warnings to cli_warn */
    cli_buffer returns;    /* fill with cli_return_*; written by cli_program_end */
    int slicer;            /* --returnparameterfile was given */
    int stdout_is_result;  /* set it when what is asked for goes to standard output */
} cli_program;

/* Reads the description and the command line and answers --help, --xml and --version. When the
 * switch called `inputs_only` (NULL: none) is given, positional outputs may be missing. Returns 1
 * when there is work to do; 0 when the program is to return *code at once (everything is released
 * and, for errors, said on stderr). Installs the signal handlers. */
int cli_program_begin(cli_program *program, const char *name, const void *xml, size_t xml_size,
                      int argc, char *const argv[], const char *inputs_only, int *code);

/* Ends the program: writes the return values if `code` is DONE or PARTIAL, says cli_last_message()
 * on stderr unless it is DONE, releases everything. Lines that standard
 * output did not take (a full disk, a closed one) make the run fail with CLI_EXIT_OUTPUT only when
 * they are its result: else the files are, and they are there. `message` replaces
 * cli_last_message() when not NULL (messages of other libraries). Returns the exit code. */
int cli_program_end(cli_program *program, int code, const char *message);

#ifdef __cplusplus
}
#endif
#endif
