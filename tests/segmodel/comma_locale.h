/* A locale whose decimal point is a comma, whatever the machine has installed. */
#ifndef SEGMODEL_TESTS_COMMA_LOCALE_H
#define SEGMODEL_TESTS_COMMA_LOCALE_H

#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "portable.h"

/* LC_NUMERIC as glibc's locale files hold it: magic, six offsets, strings and wide characters, in a
 * folder of the current one. 0: this C library takes no locale of a test. */
static inline int use_comma_locale(void)
{
#ifdef _WIN32
    return 0;
#else
    uint32_t file[16] = {0x20031115 ^ LC_NUMERIC, 6, 32, 34, 35, 36, 40, 44};
    char text[16] = "";
    memcpy((char *)file + 32, ",\0\0\0,\0\0\0\0\0\0\0C\0", 14);
    mkdir("comma", 0700);
    FILE *stream = fopen("comma/LC_NUMERIC", "wb");
    if (!stream) return 0;
    int whole = fwrite(file, 1, 46, stream) == 46;
    if (fclose(stream) != 0 || !whole) return 0;
    setenv("LOCPATH", ".", 1);
    if (!setlocale(LC_NUMERIC, "comma")) return 0;
    snprintf(text, sizeof text, "%g", 0.5);
    return strcmp(text, "0,5") == 0;
#endif
}

#endif
