#include "io_status.h"

#include "text_number.h"

#include <stdarg.h>

static _Thread_local char message[SGIO_MESSAGE_BYTES];

const char *sgio_last_message(void)
{
    return message;
}

/* Names of files and texts in them may hold commands for a terminal: control characters, also those
 * that UTF-8 writes as C2 80 to C2 9F. Line ends stay where a message may have several lines. */
static void make_harmless(char *text, int keep_lines)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
            c[0] = c[1] = '?';
        else if ((*c < ' ' || *c == 127) && !(keep_lines && *c == '\n'))
            *c = '?';
    }
}

sgio_status sgio_fail(sgio_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sgio_vprint(message, sizeof message, format, arguments);
    va_end(arguments);
    make_harmless(message, 1);
    return status;
}

sgio_status sgio_fail_memory(size_t bytes, const char *what)
{
    return sgio_fail(SGIO_OUT_OF_MEMORY, "out of memory: %.1f MiB for %s", bytes / 1048576.0, what);
}

sgio_status sgio_tell(sgio_progress_fn progress, void *user, uint64_t done, uint64_t all)
{
    if (!progress || !progress(user, all ? (double)done / (double)all : 1)) return SGIO_OK;
    return sgio_fail(SGIO_CANCELLED, "cancelled");
}

void sgio_warn(sgio_warning_fn warn, void *user, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    if (!warn) return;
    va_start(arguments, format);
    sgio_vprint(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    make_harmless(sentence, 0);
    warn(user, sentence);
}
