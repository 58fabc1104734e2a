#include "pack_manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "pack_sets.h"

enum { IMAGE, LABEL, DATASET, KIND, SPLIT, MODALITY, ANATOMY, SERIES, VOLUME, AXIS, COLUMNS };
enum { NEEDED = MODALITY };
static const char *const NAMES[COLUMNS] = {"image",    "label",   "dataset", "kind",   "split",
                                           "modality", "anatomy", "series",  "volume", "axis"};

static int find_columns(const char *path, const cli_table *table, int column[COLUMNS])
{
    for (int c = 0; c < COLUMNS; c++) {
        column[c] = cli_table_column(table, NAMES[c]);
        if (column[c] < 0 && c < NEEDED)
            return cli_fail(CLI_EXIT_INPUT, "%s: the first line has no column \"%s\"", path,
                            NAMES[c]);
    }
    return 0;
}

/* Share-alike sets are for validation only. */
static const char *why_refused(const pack_row *row)
{
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

static const char *const AXES[] = {"auto", "axial", "coronal", "sagittal", "i", "j", "k"};

const char *pack_axis_name(sgm_axis axis)
{
    return AXES[axis];
}

static int set_axis(pack_row *row, const char *name)
{
    for (int i = 0; i < (int)(sizeof AXES / sizeof *AXES); i++)
        if (strcmp(name, AXES[i]) == 0) {
            row->axis = (sgm_axis)i;
            return 1;
        }
    return !name[0]; /* left open */
}

/* A folder of slices may be written with a slash behind it; its name is what counts. */
static char *without_slash(char *path)
{
    for (size_t size = strlen(path); size > 1 && path[size - 1] == '/'; size--)
        path[size - 1] = 0;
    return path;
}

static int fill_row(const char *path, char *const cells[], const int column[], pack_row *row)
{
    static char nothing[1];
    row->image = without_slash(cells[column[IMAGE]]);
    row->label = without_slash(cells[column[LABEL]]);
    row->dataset = cells[column[DATASET]];
    row->modality = column[MODALITY] < 0 ? nothing : cells[column[MODALITY]];
    row->anatomy = column[ANATOMY] < 0 ? nothing : cells[column[ANATOMY]];
    row->series = column[SERIES] < 0 ? nothing : cells[column[SERIES]];
    row->volume = column[VOLUME] < 0 ? nothing : cells[column[VOLUME]];
    row->axis = SGM_AXIS_AUTO;
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
    if (column[AXIS] >= 0 && !set_axis(row, cells[column[AXIS]]))
        return cli_fail(CLI_EXIT_INPUT,
                        "%s:%d: axis must be auto, axial, coronal, sagittal, i, j or k, found "
                        "\"%s\"",
                        path, row->line, cells[column[AXIS]]);
    const char *reason = why_refused(row);
    if (reason)
        return cli_fail(CLI_EXIT_INPUT, "%s:%d: %s (%s) is refused: %s", path, row->line,
                        row->image, row->dataset, reason);
    return 0;
}

static int read_rows(const char *path, pack_manifest *manifest)
{
    const cli_table *table = &manifest->table;
    int column[COLUMNS];
    int code = find_columns(path, table, column);
    if (code != 0) return code;
    manifest->rows = calloc(table->row_count + 1, sizeof *manifest->rows);
    if (!manifest->rows) return cli_fail(CLI_EXIT_MEMORY, "%s: no memory", path);
    for (size_t i = 0; i < table->row_count && code == 0; i++) {
        const cli_table_row *row = &table->rows[i];
        if (row->count != table->header.count)
            return cli_fail(CLI_EXIT_INPUT, "%s:%zu: wanted %zu cells, found %zu", path, row->line,
                            table->header.count, row->count);
        pack_row *filled = &manifest->rows[manifest->count];
        filled->line = (int)row->line;
        code = fill_row(path, row->cells, column, filled);
        manifest->count += code == 0;
    }
    if (code == 0 && !manifest->count)
        code = cli_fail(CLI_EXIT_INPUT, "%s: the manifest lists nothing", path);
    return code;
}

int pack_manifest_read(const char *path, pack_manifest *out)
{
    memset(out, 0, sizeof *out);
    int code = cli_table_read(path, &out->table);
    if (code == 0) code = read_rows(path, out);
    if (code == 0) code = pack_sets_check(path, out);
    if (code != 0) pack_manifest_clear(out);
    return code;
}

int pack_manifest_path(const char *root, const char *path, char full[PACK_PATH])
{
    int size = snprintf(full, PACK_PATH, "%s%s%s", path[0] == '/' ? "" : root,
                        path[0] == '/' ? "" : "/", path);
    return size >= 0 && size < PACK_PATH
               ? 0
               : cli_fail(CLI_EXIT_INPUT, "%s: the path is too long", path);
}

void pack_manifest_clear(pack_manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++)
        free(manifest->rows[i].stem);
    cli_table_clear(&manifest->table);
    free(manifest->rows);
    memset(manifest, 0, sizeof *manifest);
}
