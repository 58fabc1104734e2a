#include "everything_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"

void everything_table_clear(everything_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->pairs[i].image);
        free(table->pairs[i].labels);
    }
    free(table->pairs);
    cli_table_clear(&table->table);
    memset(table, 0, sizeof *table);
}

/* A path of the table at `path`, from where this program runs; malloc'ed. */
static char *beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    const int folder = *name == '/' || !slash ? 0 : (int)(slash - path) + 1;
    const size_t size = (size_t)folder + strlen(name) + 1;
    char *full = malloc(size);
    if (full) snprintf(full, size, "%.*s%s", folder, path, name);
    return full;
}

static const char *cell_of(const cli_table_row *row, int column)
{
    return column >= 0 && (size_t)column < row->count ? row->cells[column] : "";
}

static int read_pair(const char *path, const cli_table_row *row, const int columns[3],
                     everything_pair *pair)
{
    const char *id = cell_of(row, columns[2]);
    if (!*cell_of(row, columns[0]) || !*cell_of(row, columns[1]))
        return cli_fail(CLI_EXIT_INPUT, "%s, line %zu: wanted an image and its label map", path,
                        row->line);
    *pair = (everything_pair){.image = beside(path, cell_of(row, columns[0])),
                              .labels = beside(path, cell_of(row, columns[1])),
                              .image_id = *id ? id : NULL,
                              .line = row->line};
    return pair->image && pair->labels ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for %s", path);
}

static int read_pairs(const char *path, everything_table *out)
{
    const cli_table *table = &out->table;
    const int columns[3] = {cli_table_column(table, "image"), cli_table_column(table, "labels"),
                            cli_table_column(table, "imageId")};
    if (columns[0] < 0 || columns[1] < 0)
        return cli_fail(CLI_EXIT_INPUT, "%s: wanted the columns image and labels", path);
    out->pairs = calloc(table->row_count + 1, sizeof *out->pairs);
    if (!out->pairs) return cli_fail(CLI_EXIT_MEMORY, "no memory for %s", path);
    int failed = 0;
    for (size_t i = 0; i < table->row_count && !failed; i++) {
        failed = read_pair(path, &table->rows[i], columns, &out->pairs[i]);
        out->count++;
    }
    return failed;
}

int everything_table_read(const char *path, everything_table *out)
{
    memset(out, 0, sizeof *out);
    int failed = cli_table_read(path, &out->table);
    if (!failed) failed = read_pairs(path, out);
    if (failed) everything_table_clear(out);
    return failed;
}
