/* Numbers on the command line and in descriptions: the whole text must be the number, with a
 * decimal point whatever the locale says. */
#ifndef PROMPTSEG_CLI_NUMBER_H
#define PROMPTSEG_CLI_NUMBER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A finite decimal number such as -12, .5, 3e-05. Returns 0, or -1 for anything else: empty,
 * blanks, trailing characters, NaN, infinity, hexadecimal, out of double's range. */
int cli_parse_real(const char *text, double *value);

/* A decimal integer that fits; "3.0" is not one. Returns 0 or -1. */
int cli_parse_integer(const char *text, long long *value);

/* Comma-separated numbers, at most `capacity`. Returns how many, or -1. */
long cli_parse_reals(const char *text, double *values, size_t capacity);

/* The value; of a NaN one that printf writes as "nan": it would write "-nan" for some of them, and
 * the sign means nothing. */
double cli_unsigned_nan(double value);

#ifdef __cplusplus
}
#endif
#endif
