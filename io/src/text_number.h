/* Numbers in text, the same in every locale: a host such as 3D Slicer or Python may have set one
 * with a decimal comma. */
#ifndef SGIO_TEXT_NUMBER_H
#define SGIO_TEXT_NUMBER_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Takes a decimal number such as "-1.5e3" off the front of *text, blanks before it included: 1,
 * with *text behind it, or 0 when there is none or it is too large for a double. No "inf", "nan" or
 * hexadecimal. What may follow is the caller's business. */
int sgio_take_double(const char **text, double *value);

/* The same for a whole number in [low, high]. */
int sgio_take_integer(const char **text, int64_t low, int64_t high, int64_t *value);

/* 1 when only blanks follow. */
int sgio_text_ends(const char *text);

/* 1 when the whole text is one whole number in [low, high], blanks around it aside. */
int sgio_whole_integer(const char *text, int64_t low, int64_t high, int64_t *value);

/* vsnprintf and snprintf with a decimal point. */
int sgio_vprint(char *out, size_t bytes, const char *format, va_list arguments);
int sgio_print(char *out, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif
