#include "cli_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli_exit.h"

static const size_t LARGEST = (size_t)256 << 20;

static int no_memory(const char *path)
{
    return cli_fail(CLI_EXIT_MEMORY, "%s: no memory for the table", path);
}

static int read_stream(const char *path, FILE *stream, size_t size, char **out)
{
    char *text = malloc(size + 1);
    if (!text) return no_memory(path);
    const size_t got = fread(text, 1, size, stream);
    text[got] = '\0';
    if (ferror(stream) || memchr(text, '\0', got)) {
        free(text);
        return cli_fail(CLI_EXIT_INPUT, "%s: not a readable text file", path);
    }
    *out = text;
    return 0;
}

static int read_text(const char *path, char **out)
{
    struct stat info;
    if (stat(path, &info) != 0) return cli_fail(CLI_EXIT_INPUT, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) return cli_fail(CLI_EXIT_INPUT, "%s: not a file", path);
    if ((size_t)info.st_size > LARGEST)
        return cli_fail(CLI_EXIT_INPUT, "%s: larger than 256 MiB, which no manifest is", path);
    FILE *stream = fopen(path, "rb");
    if (!stream) return cli_fail(CLI_EXIT_INPUT, "%s: %s", path, strerror(errno));
    const int failed = read_stream(path, stream, (size_t)info.st_size, out);
    fclose(stream);
    return failed;
}

static char separator_of(const char *text)
{
    const size_t line = strcspn(text, "\r\n");
    if (memchr(text, '\t', line)) return '\t';
    return !memchr(text, ',', line) && memchr(text, ';', line) ? ';' : ',';
}

/* A table being read. */
typedef struct reader {
    const char *path;
    cli_table *table;
    char *at;
    char separator;
    size_t line;
    size_t cell_count, cell_capacity, row_capacity;
} reader;

/* Unquotes one cell in place. 1: the row goes on, 0: it ends here, -1: a quote is never closed. */
static int take_cell(reader *r, char **cell)
{
    char *write = r->at, *read = r->at;
    int quoted = *read == '"';
    *cell = write;
    if (quoted) read++;
    while (*read && (quoted || (*read != r->separator && *read != '\n'))) {
        if (quoted && *read == '"' && read[1] != '"') {
            quoted = 0;
            read++;
            continue;
        }
        if (quoted && *read == '"') read++;
        r->line += *read == '\n';
        *write++ = *read++;
    }
    if (quoted) return -1;
    const int more = *read == r->separator;
    r->line += *read == '\n';
    r->at = *read ? read + 1 : read;
    if (!more && write > *cell && write[-1] == '\r') write--;
    *write = '\0';
    return more;
}

static int keep_cell(reader *r, char *cell)
{
    if (r->cell_count == r->cell_capacity) {
        const size_t capacity = r->cell_capacity * 2 + 1024;
        char **grown = realloc(r->table->cells, capacity * sizeof *grown);
        if (!grown) return no_memory(r->path);
        r->table->cells = grown;
        r->cell_capacity = capacity;
    }
    r->table->cells[r->cell_count++] = cell;
    return 0;
}

static int keep_row(reader *r, cli_table_row row)
{
    if (r->table->row_count == r->row_capacity) {
        const size_t capacity = r->row_capacity * 2 + 256;
        cli_table_row *grown = realloc(r->table->rows, capacity * sizeof *grown);
        if (!grown) return no_memory(r->path);
        r->table->rows = grown;
        r->row_capacity = capacity;
    }
    r->table->rows[r->table->row_count++] = row;
    return 0;
}

static int take_row(reader *r, cli_table_row *row)
{
    const size_t first = r->cell_count;
    *row = (cli_table_row){.line = r->line};
    for (int more = 1; more;) {
        char *cell;
        more = take_cell(r, &cell);
        if (more < 0)
            return cli_fail(CLI_EXIT_INPUT, "%s:%zu: a quote that is never closed", r->path,
                            row->line);
        if (keep_cell(r, cell)) return CLI_EXIT_MEMORY;
    }
    row->count = r->cell_count - first;
    return 0;
}

/* Cells are in one array that moves while it grows: rows find their part at the end. */
static void place_rows(cli_table *table)
{
    char **cells = table->cells;
    table->header.cells = cells;
    cells += table->header.count;
    for (size_t i = 0; i < table->row_count; i++) {
        table->rows[i].cells = cells;
        cells += table->rows[i].count;
    }
}

static int read_rows(reader *r)
{
    int failed = take_row(r, &r->table->header);
    while (!failed && *r->at) {
        cli_table_row row;
        failed = take_row(r, &row);
        if (failed) break;
        if (row.count == 1 && !*r->table->cells[r->cell_count - 1])
            r->cell_count--;
        else
            failed = keep_row(r, row);
    }
    if (!failed) place_rows(r->table);
    return failed;
}

int cli_table_parse(const char *name, char *text, cli_table *out)
{
    char *start = text + (strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
    reader r = {
        .path = name, .table = out, .at = start, .separator = separator_of(start), .line = 1};
    memset(out, 0, sizeof *out);
    out->text = text;
    const int failed = read_rows(&r);
    if (failed) cli_table_clear(out);
    return failed;
}

int cli_table_read(const char *path, cli_table *out)
{
    char *text = NULL;
    memset(out, 0, sizeof *out);
    const int failed = read_text(path, &text);
    return failed ? failed : cli_table_parse(path, text, out);
}

void cli_table_clear(cli_table *table)
{
    free(table->text);
    free(table->cells);
    free(table->rows);
    memset(table, 0, sizeof *table);
}

int cli_table_column(const cli_table *table, const char *name)
{
    for (size_t i = 0; i < table->header.count; i++)
        if (strcmp(table->header.cells[i], name) == 0) return (int)i;
    return -1;
}

void cli_table_write_cell(cli_buffer *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        cli_buffer_printf(out, "%s", text);
        return;
    }
    cli_buffer_printf(out, "\"");
    for (; *text; text++)
        cli_buffer_printf(out, *text == '"' ? "\"%c" : "%c", *text);
    cli_buffer_printf(out, "\"");
}
