/* Small text outputs: complete or not there at all. */
#ifndef PROMPTSEG_CLI_OUTPUT_H
#define PROMPTSEG_CLI_OUTPUT_H

#include <stdio.h>

#include "cli_options.h"
#include "sgio/outputs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a file as sgio/outputs.h does, into that set or by itself (NULL); a device or a pipe is
 * written directly. Returns 0, or CLI_EXIT_OUTPUT with a message that names the path and the
 * reason. */
int cli_write_file(sgio_outputs *outputs, const char *path, const char *text, size_t size);

/* 1 for what exists and is neither a file nor a folder. */
int cli_is_device(const char *path);

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
