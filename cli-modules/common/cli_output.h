/* Small text outputs: complete or not there at all. */
#ifndef PROMPTSEG_CLI_OUTPUT_H
#define PROMPTSEG_CLI_OUTPUT_H

#include <stdio.h>

#include "cli_options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes into a file beside `path` and renames it; a path that is not a regular file (/dev/stdout,
 * a pipe) is written directly, a symbolic link's target is replaced and not the link. Returns 0, or
 * CLI_EXIT_OUTPUT with a message that names the path and the reason. */
int cli_write_file(const char *path, const char *text, size_t size);

/* A text that grows. Start with {0}; after a failed allocation it stays empty and `failed` is set,
 * so that callers check once at the end. */
typedef struct cli_buffer {
    char *text;
    size_t size, capacity;
    int failed;
} cli_buffer;

void cli_buffer_printf(cli_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cli_buffer_clear(cli_buffer *buffer);

/* Values for --returnparameterfile, as "name = value" lines. Line breaks in a value become blanks;
 * doubles have six significant digits and a decimal point. */
void cli_return_text(cli_buffer *returns, const char *name, const char *value);
void cli_return_integer(cli_buffer *returns, const char *name, long long value);
void cli_return_real(cli_buffer *returns, const char *name, double value);

/* Writes them to where --returnparameterfile says; does nothing when it was not given. Refuses with
 * CLI_EXIT_USAGE if a line's name is not a return value of the description. */
int cli_returns_write(const cli_buffer *returns, const cli_tool *tool, const cli_options *options);

#ifdef __cplusplus
}
#endif
#endif
