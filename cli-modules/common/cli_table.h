/* Tables of text: CSV as RFC 4180 has it, or with tabs or semicolons. */
#ifndef PROMPTSEG_CLI_TABLE_H
#define PROMPTSEG_CLI_TABLE_H

#include <stddef.h>

#include "cli_output.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cli_table_row {
    size_t line;  /* of the file, 1-based */
    char **cells; /* borrowed from the table */
    size_t count;
} cli_table_row;

typedef struct cli_table {
    char *text;   /* owned; the cells point into it */
    char **cells; /* owned; of all rows */
    cli_table_row header;
    cli_table_row *rows; /* owned; empty lines are left out */
    size_t row_count;
} cli_table;

/* Reads a file of at most 256 MiB. What separates cells follows from the first line: a tab, else a
 * semicolon where there is no comma, else a comma. Cells may be quoted; a byte-order mark and
 * carriage returns are dropped. Rows may have any number of cells: that is the caller's to judge.
 * 0, CLI_EXIT_INPUT with a message, or CLI_EXIT_MEMORY; after a failure *out is empty. */
int cli_table_read(const char *path, cli_table *out);

/* The same from memory: `text` is malloc'ed, ends in a zero and becomes the table's, also when this
 * fails; `name` is used in messages. */
int cli_table_parse(const char *name, char *text, cli_table *out);
void cli_table_clear(cli_table *table);

/* The column of that name in the header, -1: there is none. */
int cli_table_column(const cli_table *table, const char *name);

/* Appends a cell for a comma-separated table, in quotes where they are needed. */
void cli_table_write_cell(cli_buffer *out, const char *text);

#ifdef __cplusplus
}
#endif
#endif
