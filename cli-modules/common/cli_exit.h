/* Exit codes of all programs, and the message of the last failure. */
#ifndef PROMPTSEG_CLI_EXIT_H
#define PROMPTSEG_CLI_EXIT_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cli_exit {
    CLI_EXIT_DONE = 0,
    CLI_EXIT_USAGE = 1,
    CLI_EXIT_INPUT = 2,   /* cannot be read or is not supported */
    CLI_EXIT_PROMPT = 3,  /* a prompt is invalid */
    CLI_EXIT_MODEL = 4,   /* model or checkpoint */
    CLI_EXIT_MEMORY = 5,  /* out of memory, or the device failed */
    CLI_EXIT_OUTPUT = 6,  /* an output cannot be written */
    CLI_EXIT_PARTIAL = 7, /* a batch is done, with failures */
    CLI_EXIT_CANCELLED = 130
} cli_exit;

/* Exit code of a status of the model library (sgm_status) or of the io library (sgio_status). The
 * arguments are plain integers so that this library needs neither of the two. */
int cli_exit_from_model_status(int sgm_status_value);
int cli_exit_from_io_status(int sgio_status_value);

/* Stores the calling thread's message and returns `code`, so that `return cli_fail(...)` is one
 * line. Cut at 8191 bytes; line breaks are kept. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The calling thread's message of its last cli_fail(); "" before the first. */
const char *cli_last_message(void);

/* Prints "program: message" on stderr, the only line a failing program writes there, and returns
 * `code` for main() to return. */
int cli_report_failure(const char *program, int code, const char *message);

#ifdef __cplusplus
}
#endif
#endif
