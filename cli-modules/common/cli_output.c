#include "cli_output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli_exit.h"
#include "cli_number.h"
#include "cli_text.h"

static int cannot_write(const char *path, int reason)
{
    return cli_fail(CLI_EXIT_OUTPUT, "cannot write %s: %s", path, strerror(reason));
}

/* A device or a pipe: nothing to replace. */
static int write_directly(const char *path, const char *text, size_t size)
{
    FILE *stream = fopen(path, "w");
    if (!stream) return cannot_write(path, errno);
    int failed = fwrite(text, 1, size, stream) != size;
    failed |= fclose(stream) != 0;
    return failed ? cannot_write(path, errno) : 0;
}

int cli_is_device(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode);
}

int cli_write_file(sgio_outputs *outputs, const char *path, const char *text, size_t size)
{
    if (cli_is_device(path)) return write_directly(path, text, size);
    const sgio_status status = sgio_output_write(outputs, path, text, size);
    if (status == SGIO_OK) return 0;
    return cli_fail(cli_exit_from_io_status(status), "%s", sgio_last_message());
}

static int reserve(cli_buffer *buffer, size_t extra)
{
    if (buffer->size + extra <= buffer->capacity) return 0;
    const size_t capacity = (buffer->size + extra) * 2;
    char *grown = realloc(buffer->text, capacity);
    if (!grown) return -1;
    buffer->text = grown;
    buffer->capacity = capacity;
    return 0;
}

void cli_buffer_printf(cli_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (buffer->failed || length < 0 || reserve(buffer, (size_t)length + 1)) {
        buffer->failed = 1;
        return;
    }
    va_start(arguments, format);
    vsnprintf(buffer->text + buffer->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
}

void cli_buffer_clear(cli_buffer *buffer)
{
    free(buffer->text);
    memset(buffer, 0, sizeof *buffer);
}

void cli_return_text(cli_buffer *returns, const char *name, const char *value)
{
    char *clean = strdup(value);
    if (clean) cli_clean_text(clean, CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS);
    returns->failed |= !clean;
    cli_buffer_printf(returns, "%s = %s\n", name, clean ? clean : "");
    free(clean);
}

void cli_return_integer(cli_buffer *returns, const char *name, long long value)
{
    cli_buffer_printf(returns, "%s = %lld\n", name, value);
}

void cli_return_real(cli_buffer *returns, const char *name, double value)
{
    cli_buffer_printf(returns, "%s = %.6g\n", name, cli_unsigned_nan(value));
}

static int check_names(const cli_buffer *returns, const cli_tool *tool)
{
    char name[128];
    for (const char *line = returns->text; line && *line;) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, " "), line);
        const cli_parameter *p = cli_tool_find(tool, name);
        if (!p || !p->is_return)
            return cli_fail(CLI_EXIT_USAGE, "'%s' is not a return value of this program", name);
        line = strchr(line, '\n');
        line += line != NULL;
    }
    return 0;
}

int cli_returns_write(const cli_buffer *returns, const cli_tool *tool, const cli_options *options)
{
    const char *path = cli_options_return_file(options);
    if (!path) return 0;
    if (returns->failed) return cannot_write(path, ENOMEM);
    if (check_names(returns, tool)) return CLI_EXIT_USAGE;
    return cli_write_file(NULL, path, returns->text ? returns->text : "", returns->size);
}
