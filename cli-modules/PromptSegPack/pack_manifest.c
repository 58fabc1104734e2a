#include "pack_manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"

enum { IMAGE, LABEL, DATASET, MODALITY, ANATOMY, KIND, SPLIT, COLUMNS, MAX_CELLS = 64 };
static const char *const NAMES[COLUMNS] = {"image",   "label", "dataset", "modality",
                                           "anatomy", "kind",  "split"};
static const size_t MANIFEST_LIMIT = (size_t)256 << 20;

static int read_text(const char *path, char **out)
{
    FILE *stream = fopen(path, "rb");
    if (!stream) return cli_fail(CLI_EXIT_INPUT, "%s: %s", path, strerror(errno));
    char *text = NULL;
    size_t size = 0, capacity = 0;
    for (;;) {
        if (capacity - size < 65536) {
            char *grown = capacity < MANIFEST_LIMIT ? realloc(text, capacity * 2 + 131072) : NULL;
            if (!grown) break;
            text = grown;
            capacity = capacity * 2 + 131072;
        }
        size_t got = fread(text + size, 1, capacity - size - 1, stream);
        size += got;
        if (!got) break;
    }
    int complete = feof(stream);
    fclose(stream);
    if (!complete || !text || memchr(text, 0, size)) {
        free(text);
        return cli_fail(CLI_EXIT_INPUT, "%s: not a readable text file", path);
    }
    text[size] = 0;
    *out = text;
    return 0;
}

/* Ends one cell at a comma or line end and unquotes it in place; returns what follows. */
static char *next_cell(char *at, char **cell, int *last)
{
    char *write = at, *read = at;
    int quoted = *read == '"';
    *cell = at;
    if (quoted) read++;
    while (*read) {
        if (quoted && *read == '"') {
            if (read[1] == '"') {
                read++;
            } else {
                quoted = 0;
                read++;
                continue;
            }
        } else if (!quoted && (*read == ',' || *read == '\n')) {
            break;
        }
        *write++ = *read++;
    }
    char *next = *read ? read + 1 : read;
    *last = *read != ',';
    if (write > at && write[-1] == '\r') write--;
    *write = 0;
    return next;
}

static char *read_line(char *at, char *cells[MAX_CELLS], int *count)
{
    int last = 0;
    *count = 0;
    while (!last) {
        char *cell;
        at = next_cell(at, &cell, &last);
        if (*count < MAX_CELLS) cells[(*count)++] = cell;
    }
    return at;
}

static int find_columns(const char *path, char *const cells[], int count, int column[COLUMNS])
{
    for (int c = 0; c < COLUMNS; c++) {
        column[c] = -1;
        for (int i = 0; i < count; i++)
            if (strcmp(cells[i], NAMES[c]) == 0) column[c] = i;
        if (column[c] < 0 && c != MODALITY && c != ANATOMY)
            return cli_fail(CLI_EXIT_INPUT, "%s: the first line has no column \"%s\"", path,
                            NAMES[c]);
    }
    return 0;
}

/* Share-alike sets are for validation only; some cases are kept for demos and tests altogether. */
static const char *why_refused(const pack_row *row)
{
    static const char *const RESERVED[] = {"brain1", "ct-3slice", "t2s"};
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++)
        if (strstr(row->image, RESERVED[i]) || strstr(row->label, RESERVED[i]))
            return "this case is reserved for demos and tests";
    if (strncmp(row->dataset, "msd_", 4) == 0 && !row->validation)
        return "msd_* sets are share-alike and may only be used for validation";
    return NULL;
}

static int set_kind(pack_row *row, const char *kind)
{
    const char *dash = strchr(kind, '-');
    size_t size = dash ? (size_t)(dash - kind) : strlen(kind);
    if (dash && strcmp(dash, "-thin") != 0) return 0;
    row->thin = dash != NULL;
    row->instances = size == 8 && strncmp(kind, "instance", 8) == 0;
    return row->instances || (size == 5 && strncmp(kind, "class", 5) == 0);
}

static int set_split(pack_row *row, const char *split)
{
    row->held_out = strcmp(split, "heldout") == 0;
    row->validation = row->held_out || strcmp(split, "val") == 0;
    return row->validation || strcmp(split, "train") == 0;
}

static int fill_row(const char *path, char *const cells[], const int column[], pack_row *row)
{
    static char nothing[1];
    row->image = cells[column[IMAGE]];
    row->label = cells[column[LABEL]];
    row->dataset = cells[column[DATASET]];
    row->modality = column[MODALITY] < 0 ? nothing : cells[column[MODALITY]];
    row->anatomy = column[ANATOMY] < 0 ? nothing : cells[column[ANATOMY]];
    if (!row->image[0] || !row->label[0] || !row->dataset[0])
        return cli_fail(CLI_EXIT_INPUT, "%s:%d: image, label and dataset must not be empty", path,
                        row->line);
    if (!set_kind(row, cells[column[KIND]]))
        return cli_fail(CLI_EXIT_INPUT,
                        "%s:%d: kind must be class, instance, class-thin or "
                        "instance-thin, found \"%s\"",
                        path, row->line, cells[column[KIND]]);
    if (!set_split(row, cells[column[SPLIT]]))
        return cli_fail(CLI_EXIT_INPUT, "%s:%d: split must be train, val or heldout, found \"%s\"",
                        path, row->line, cells[column[SPLIT]]);
    const char *reason = why_refused(row);
    if (reason)
        return cli_fail(CLI_EXIT_INPUT, "%s:%d: %s (%s) is refused: %s", path, row->line,
                        row->image, row->dataset, reason);
    return 0;
}

static int read_rows(const char *path, pack_manifest *manifest)
{
    char *cells[MAX_CELLS];
    int count, column[COLUMNS], line = 1, code;
    char *at = read_line(manifest->text, cells, &count);
    if ((code = find_columns(path, cells, count, column)) != 0) return code;
    int wanted = count;
    size_t capacity = 0;
    while (*at) {
        at = read_line(at, cells, &count);
        line++;
        if (count == 1 && !cells[0][0]) continue;
        if (count != wanted)
            return cli_fail(CLI_EXIT_INPUT, "%s:%d: wanted %d cells, found %d", path, line, wanted,
                            count);
        if (manifest->count == capacity) {
            capacity = capacity * 2 + 256;
            pack_row *grown = realloc(manifest->rows, capacity * sizeof *grown);
            if (!grown) return cli_fail(CLI_EXIT_MEMORY, "%s: no memory", path);
            manifest->rows = grown;
        }
        pack_row row = {.line = line};
        if ((code = fill_row(path, cells, column, &row)) != 0) return code;
        manifest->rows[manifest->count++] = row;
    }
    if (!manifest->count) return cli_fail(CLI_EXIT_INPUT, "%s: the manifest lists nothing", path);
    return 0;
}

int pack_manifest_read(const char *path, pack_manifest *out)
{
    memset(out, 0, sizeof *out);
    int code = read_text(path, &out->text);
    if (code == 0) code = read_rows(path, out);
    if (code != 0) pack_manifest_clear(out);
    return code;
}

void pack_manifest_clear(pack_manifest *manifest)
{
    free(manifest->rows);
    free(manifest->text);
    memset(manifest, 0, sizeof *manifest);
}
