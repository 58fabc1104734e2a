#define _XOPEN_SOURCE 700
#include "cli_output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_cancel.h"
#include "cli_exit.h"

static int cannot_write(const char *path, int reason)
{
    return cli_fail(CLI_EXIT_OUTPUT, "cannot write %s: %s", path, strerror(reason));
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(fd, text, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -1;
        text += written;
        size -= (size_t)written;
    }
    return 0;
}

static int write_directly(const char *path, const char *text, size_t size)
{
    FILE *stream = fopen(path, "w");
    if (!stream) return cannot_write(path, errno);
    int failed = fwrite(text, 1, size, stream) != size;
    failed |= fclose(stream) != 0;
    return failed ? cannot_write(path, errno) : 0;
}

/* mkstemp makes files only the owner can read; outputs have the usual mode. */
static void set_usual_mode(int fd)
{
    const mode_t mask = umask(0);
    umask(mask);
    if (fchmod(fd, 0666 & ~mask) != 0) return; /* file systems without modes are fine */
}

static int fill_temporary(char *temporary, const char *text, size_t size)
{
    const int fd = mkstemp(temporary);
    if (fd < 0) return -1;
    cli_temporary_add(temporary);
    set_usual_mode(fd);
    const int failed = write_all(fd, text, size);
    const int reason = errno;
    if (close(fd) == 0 && !failed) return 0;
    if (failed) errno = reason;
    const int kept = errno;
    unlink(temporary);
    cli_temporary_forget(temporary);
    errno = kept;
    return -1;
}

static int write_beside(const char *path, const char *target, const char *text, size_t size)
{
    static const char suffix[] = ".XXXXXX";
    char *temporary = malloc(strlen(target) + sizeof suffix);
    if (!temporary) return cannot_write(path, ENOMEM);
    strcpy(temporary, target);
    strcat(temporary, suffix);
    int failed = fill_temporary(temporary, text, size);
    if (failed) {
        failed = cannot_write(path, errno);
    } else if (rename(temporary, target) != 0) {
        failed = cannot_write(path, errno);
        unlink(temporary);
    }
    cli_temporary_forget(temporary);
    free(temporary);
    return failed;
}

int cli_write_file(const char *path, const char *text, size_t size)
{
    struct stat found;
    const int exists = stat(path, &found) == 0;
    if (exists && S_ISDIR(found.st_mode)) return cannot_write(path, EISDIR);
    if (exists && !S_ISREG(found.st_mode)) return write_directly(path, text, size);
    char *resolved = exists ? realpath(path, NULL) : NULL;
    const int failed = write_beside(path, resolved ? resolved : path, text, size);
    free(resolved);
    return failed;
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
    const size_t start = returns->size;
    cli_buffer_printf(returns, "%s = %s", name, value);
    for (size_t i = start; i < returns->size; i++)
        if (returns->text[i] == '\n' || returns->text[i] == '\r') returns->text[i] = ' ';
    cli_buffer_printf(returns, "\n");
}

void cli_return_integer(cli_buffer *returns, const char *name, long long value)
{
    cli_buffer_printf(returns, "%s = %lld\n", name, value);
}

void cli_return_real(cli_buffer *returns, const char *name, double value)
{
    cli_buffer_printf(returns, "%s = %.6g\n", name, value);
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
    return cli_write_file(path, returns->text ? returns->text : "", returns->size);
}
