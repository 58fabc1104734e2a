#define _GNU_SOURCE /* strtod_l */
#include "cli_number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* strtod also takes blanks, "nan", "inf" and hexadecimal; the grammar is therefore checked first:
 * [sign] digits [. digits] [e [sign] digits], with a digit somewhere before the exponent. */
static int is_decimal(const char *text)
{
    text += strspn(text, "+-") == 1;
    const size_t whole = digits(text);
    text += whole;
    size_t fraction = 0;
    if (*text == '.') {
        fraction = digits(++text);
        text += fraction;
    }
    if (whole + fraction == 0) return 0;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += strspn(text, "+-") == 1;
        if (digits(text) == 0) return 0;
        text += digits(text);
    }
    return *text == '\0';
}

int cli_parse_real(const char *text, double *value)
{
    if (!is_decimal(text)) return -1;
    pthread_once(&c_locale_once, make_c_locale);
    const double parsed = c_locale ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
    if (!isfinite(parsed)) return -1;
    *value = parsed;
    return 0;
}

int cli_parse_integer(const char *text, long long *value)
{
    const char *number = text + (strspn(text, "+-") == 1);
    const size_t length = digits(number);
    if (length == 0 || number[length] != '\0') return -1;
    errno = 0;
    const long long parsed = strtoll(text, NULL, 10);
    if (errno == ERANGE) return -1;
    *value = parsed;
    return 0;
}

long cli_parse_reals(const char *text, double *values, size_t capacity)
{
    char item[64]; /* longer than any sensible number; longer items are refused */
    size_t count = 0;
    for (;;) {
        const size_t length = strcspn(text, ",");
        if (length >= sizeof item || count == capacity) return -1;
        memcpy(item, text, length);
        item[length] = '\0';
        if (cli_parse_real(item, &values[count])) return -1;
        count++;
        if (text[length] == '\0') return (long)count;
        text += length + 1;
    }
}

double cli_unsigned_nan(double value)
{
    return isnan(value) ? fabs(value) : value;
}
