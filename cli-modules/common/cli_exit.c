#include "cli_exit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli_text.h"

enum { MESSAGE_BYTES = 8192 }; /* as the io library's: a message may be a listing */

static _Thread_local char last_message[MESSAGE_BYTES];

int cli_exit_from_model_status(int sgm_status_value)
{
    /* Order of sgm_status: ok, argument, unreadable, prompt, model, memory, device, unwritable,
     * cancelled, internal. */
    static const int codes[] = {
        CLI_EXIT_DONE,   CLI_EXIT_USAGE,  CLI_EXIT_INPUT,  CLI_EXIT_PROMPT,    CLI_EXIT_MODEL,
        CLI_EXIT_MEMORY, CLI_EXIT_MEMORY, CLI_EXIT_OUTPUT, CLI_EXIT_CANCELLED, CLI_EXIT_MEMORY};
    const int count = (int)(sizeof(codes) / sizeof(codes[0]));
    if (sgm_status_value < 0 || sgm_status_value >= count) return CLI_EXIT_MEMORY;
    return codes[sgm_status_value];
}

int cli_exit_from_io_status(int sgio_status_value)
{
    return sgio_status_value; /* sgio_status is numbered like the exit codes */
}

int cli_fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_message, sizeof last_message, format, arguments);
    va_end(arguments);
    return code;
}

const char *cli_last_message(void)
{
    return last_message;
}

int cli_report_failure(const char *program, int code, const char *message)
{
    fflush(stdout);
    char shown[MESSAGE_BYTES];
    cli_clean_copy(shown, sizeof shown, message, 0);
    const size_t length = strlen(shown);
    const int ends_in_newline = length > 0 && shown[length - 1] == '\n';
    fprintf(stderr, "%s: %s%s", program, shown, ends_in_newline ? "" : "\n");
    return code;
}
