/* Tables of the results, and which of them are worst. */
#ifndef QUALITY_VOLUMES_TABLE_H
#define QUALITY_VOLUMES_TABLE_H

#include "rows.h"

/* Markdown: every protocol and its rivals for one role, data sets weighing the same; the clicks;
 * why walks ended; Dice by data set. Nothing when there are no rows of the role. */
void table_write(FILE *file, const row *rows, size_t count, const char *role);

/* The results (walk, a, c; one per case) farthest below their ceiling; returns how many. */
size_t table_worst(const row *rows, size_t count, const char *role, const row **worst, size_t most);

#endif
