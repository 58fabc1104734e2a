#include "labelmap_formats.h"

#include "io_status.h"
#include "text_number.h"

#include <stdlib.h>
#include <string.h>

static int reserve(sgio_text *text, size_t more)
{
    if (text->length + more <= text->capacity) return 0;
    size_t capacity = (text->length + more) * 2;
    char *data = realloc(text->data, capacity);
    if (!data) return -1;
    text->data = data;
    text->capacity = capacity;
    return 0;
}

void sgio_text_add(sgio_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = sgio_vprint(NULL, 0, format, arguments);
    if (length < 0 || reserve(text, (size_t)length + 1) != 0) {
        text->failed = 1;
    } else {
        sgio_vprint(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

sgio_status sgio_text_send(sgio_text *text, sgio_atomic_file *file)
{
    sgio_status status = text->failed ? sgio_fail_memory(text->length, "a header")
                                      : sgio_atomic_write(file, text->data, text->length);
    free(text->data);
    memset(text, 0, sizeof *text);
    return status;
}
