/* Numbers of files, settings and networks: a decimal point is a point, whatever the locale of the
 * process. */
#ifndef SEGMODEL_CORE_NUMBER_H
#define SEGMODEL_CORE_NUMBER_H

#include <stddef.h>

/* As strtod in the "C" locale. Any number of threads. */
double sgm_read_number(const char *text, char **end);

/* The same, and whether there was a number: *at goes behind it. */
int sgm_take_number(const char **at, double *value);

enum { SGM_NUMBER_TEXT = 48 };

/* A number as printf's `format` writes it (%f or %g of one double, with nothing around), with a
 * point. Returns `out`. Any number of threads. */
const char *sgm_number_text(char out[SGM_NUMBER_TEXT], const char *format, double value);

/* Whether all of them are numbers, and finite ones. */
int sgm_are_finite(const float *values, size_t count);

#endif
