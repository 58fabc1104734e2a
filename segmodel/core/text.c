#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and a zero behind what is there. */
static bool reserve(sgm_text *text, size_t more)
{
    if (text->failed) return false;
    if (more < text->room - text->size) return true;
    size_t room = 2 * (text->room + more) + 64;
    char *bytes = room > text->room ? realloc(text->bytes, room) : NULL;
    text->failed = !bytes;
    if (!bytes) return false;
    text->bytes = bytes;
    text->room = room;
    return true;
}

void sgm_text_char(sgm_text *text, char c)
{
    if (!reserve(text, 1)) return;
    text->bytes[text->size++] = c;
    text->bytes[text->size] = 0;
}

void sgm_text_print(sgm_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) text->failed = true;
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->bytes + text->size, (size_t)length + 1, format, again);
        text->size += (size_t)length;
    }
    va_end(again);
}

const char *sgm_text_start(const char *text)
{
    return text + (strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
}

void sgm_text_cut_comment(char *line)
{
    for (char *c = strchr(line, '#'); c; c = strchr(c + 1, '#')) {
        if (c > line && c[-1] != ' ' && c[-1] != '\t') continue;
        *c = 0;
        return;
    }
}
