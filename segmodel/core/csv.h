/* What the tables of CSV files have in common. */
#ifndef SEGMODEL_CORE_CSV_H
#define SEGMODEL_CORE_CSV_H

#include <stdio.h>

/* A name as a field, in quotes, which are doubled within: it may hold commas, quotes and ends of
 * lines. Numbers need no such care. */
void sgm_csv_name(FILE *out, const char *name);

#endif
