/* Further pictures of a comparison: a table with the columns image, labels and imageId. */
#ifndef PROMPTSEG_EVERYTHING_TABLE_H
#define PROMPTSEG_EVERYTHING_TABLE_H

#include "cli_table.h"

typedef struct everything_pair {
    char *image, *labels; /* owned; from where the program runs */
    const char *image_id; /* borrowed from the table; NULL: none */
    size_t line;
} everything_pair;

typedef struct everything_table {
    cli_table table;
    everything_pair *pairs; /* owned */
    size_t count;
} everything_table;

/* 0, CLI_EXIT_INPUT with a message, or CLI_EXIT_MEMORY; *out is empty after a failure. */
int everything_table_read(const char *path, everything_table *out);
void everything_table_clear(everything_table *table);

#endif
