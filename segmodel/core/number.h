/* Numbers of files and settings: a decimal point is a point, whatever the locale of the process. */
#ifndef SEGMODEL_CORE_NUMBER_H
#define SEGMODEL_CORE_NUMBER_H

/* As strtod in the "C" locale. Any number of threads. */
double sgm_read_number(const char *text, char **end);

#endif
