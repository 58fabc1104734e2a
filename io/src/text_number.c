/* strtod_l is a GNU function. */
#define _GNU_SOURCE

#include "text_number.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static locale_t c_locale;

/* Never freed: one per process. */
static void make_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static locale_t get_locale(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_locale);
    return c_locale;
}

static const char *skip_blanks(const char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

int sgio_text_ends(const char *text)
{
    return *skip_blanks(text) == '\0';
}

/* Sign, digits with or without a point: strtod also takes "nan", "inf" and hexadecimal. */
static int begins_number(const char *text)
{
    text += *text == '-' || *text == '+';
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) return 0;
    return isdigit((unsigned char)text[text[0] == '.']);
}

int sgio_take_double(const char **text, double *value)
{
    const char *start = skip_blanks(*text);
    char *end;
    locale_t locale = get_locale();
    if (!locale || !begins_number(start)) return 0;
    double found = strtod_l(start, &end, locale);
    if (end == start || !isfinite(found)) return 0;
    *value = found;
    *text = end;
    return 1;
}

int sgio_take_integer(const char **text, int64_t low, int64_t high, int64_t *value)
{
    const char *start = skip_blanks(*text);
    char *end;
    if (!isdigit((unsigned char)start[*start == '-' || *start == '+'])) return 0;
    errno = 0;
    long long found = strtoll(start, &end, 10);
    if (errno || found < low || found > high) return 0;
    *value = found;
    *text = end;
    return 1;
}

int sgio_whole_integer(const char *text, int64_t low, int64_t high, int64_t *value)
{
    return sgio_take_integer(&text, low, high, value) && sgio_text_ends(text);
}

int sgio_vprint(char *out, size_t bytes, const char *format, va_list arguments)
{
    locale_t locale = get_locale();
    locale_t before = locale ? uselocale(locale) : (locale_t)0;
    int length = vsnprintf(out, bytes, format, arguments);
    if (before) uselocale(before);
    return length;
}

int sgio_print(char *out, size_t bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = sgio_vprint(out, bytes, format, arguments);
    va_end(arguments);
    return length;
}
