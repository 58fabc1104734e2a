#include "detections.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli_exit.h"
#include "cli_number.h"
#include "cli_table.h"
#include "cli_text.h"

enum { LARGEST_FILE = 256 << 20, SHOWN = 64 };

void detections_clear(detections *found)
{
    for (size_t i = 0; i < found->count; i++)
        free(found->items[i].image);
    free(found->items);
    *found = (detections){0};
}

static int has_ending(const char *name, const char *ending)
{
    const size_t length = strlen(name), tail = strlen(ending);
    return length > tail && strcasecmp(name + length - tail, ending) == 0;
}

/* Room for all that may come. */
static int reserve(const char *name, size_t count, detections *out)
{
    if (count > MOST_DETECTIONS)
        return cli_fail(CLI_EXIT_INPUT, "%s: %zu boxes; at most %d are read", name, count,
                        MOST_DETECTIONS);
    out->items = calloc(count + 1, sizeof *out->items);
    return out->items ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for %zu boxes", count);
}

/* What every box must be, wherever it comes from. */
static int check(const char *name, const char *what, size_t number, const detection *d)
{
    const double values[5] = {d->x0, d->y0, d->x1, d->y1, d->score};
    for (int i = 0; i < 5; i++)
        if (!isfinite(values[i]) || fabs(values[i]) > 1e9)
            return cli_fail(CLI_EXIT_INPUT, "%s, %s %zu: %g is no %s", name, what, number,
                            values[i], i < 4 ? "coordinate of a picture" : "score");
    if (d->x0 < d->x1 && d->y0 < d->y1) return 0;
    return cli_fail(CLI_EXIT_INPUT, "%s, %s %zu: the box (%g, %g) to (%g, %g) is empty", name, what,
                    number, d->x0, d->y0, d->x1, d->y1);
}

/* ----------------------------------------------------------------------------------------- JSON */

static int read_bbox(const char *name, size_t number, const json_t *entry, detection *d)
{
    const json_t *bbox = json_object_get(entry, "bbox");
    double values[4];
    if (!json_is_array(bbox) || json_array_size(bbox) != 4)
        return cli_fail(CLI_EXIT_INPUT, "%s, entry %zu: \"bbox\" must be [x, y, width, height]",
                        name, number);
    for (size_t i = 0; i < 4; i++) {
        const json_t *value = json_array_get(bbox, i);
        if (!json_is_number(value))
            return cli_fail(CLI_EXIT_INPUT, "%s, entry %zu: \"bbox\" holds what is no number", name,
                            number);
        values[i] = json_number_value(value);
    }
    d->x0 = values[0];
    d->y0 = values[1];
    d->x1 = values[0] + values[2];
    d->y1 = values[1] + values[3];
    return 0;
}

/* Images are called by whole numbers or texts. */
static int read_image(const char *name, size_t number, const json_t *entry, detection *d)
{
    const json_t *image = json_object_get(entry, "image_id");
    char text[32] = "";
    if (image && !json_is_string(image) && !json_is_integer(image))
        return cli_fail(CLI_EXIT_INPUT, "%s, entry %zu: \"image_id\" must be a number or a text",
                        name, number);
    if (json_is_integer(image))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(image));
    d->image = strdup(json_is_string(image) ? json_string_value(image) : text);
    return d->image ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for boxes");
}

static int read_entry(const char *name, size_t number, const json_t *entry, detection *d)
{
    const json_t *score = json_object_get(entry, "score");
    const json_t *category = json_object_get(entry, "category_id");
    if (!json_is_object(entry))
        return cli_fail(CLI_EXIT_INPUT, "%s, entry %zu is no object", name, number);
    int failed = read_bbox(name, number, entry, d);
    if (failed) return failed;
    if (score && !json_is_number(score))
        return cli_fail(CLI_EXIT_INPUT, "%s, entry %zu: \"score\" is no number", name, number);
    if (category && !json_is_integer(category))
        return cli_fail(CLI_EXIT_INPUT, "%s, entry %zu: \"category_id\" is no whole number", name,
                        number);
    d->score = score ? json_number_value(score) : 1;
    d->category = category ? (long long)json_integer_value(category) : 0;
    failed = check(name, "entry", number, d);
    return failed ? failed : read_image(name, number, entry, d);
}

static int read_results(const char *name, const json_t *document, detections *out)
{
    if (!json_is_array(document))
        return cli_fail(CLI_EXIT_INPUT,
                        "%s: wanted COCO results: an array of {\"image_id\", \"bbox\", \"score\"}",
                        name);
    int failed = reserve(name, json_array_size(document), out);
    for (size_t i = 0; i < json_array_size(document) && !failed; i++) {
        failed = read_entry(name, i + 1, json_array_get(document, i), &out->items[i]);
        if (!failed) out->count++;
    }
    return failed;
}

static int parse_json(const char *name, const char *text, size_t size, detections *out)
{
    json_error_t error;
    json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    char reason[160];
    if (!document)
        return cli_fail(CLI_EXIT_INPUT, "%s, line %d: %s", name, error.line,
                        cli_clean_copy(reason, sizeof reason, error.text, CLI_CLEAN_LINES));
    const int failed = read_results(name, document, out);
    json_decref(document);
    return failed;
}

/* ---------------------------------------------------------------------------------------- table */

enum { X0, Y0, X1, Y1, SCORE, CATEGORY, IMAGE, COLUMNS };

static const char *const column_names[COLUMNS] = {"x0",    "y0",       "x1",   "y1",
                                                  "score", "category", "image"};

static const char *cell_of(const cli_table_row *row, int column)
{
    return column >= 0 && (size_t)column < row->count ? row->cells[column] : "";
}

static int read_cell(const char *name, const cli_table_row *row, const int columns[COLUMNS],
                     int which, double *value)
{
    const char *text = cell_of(row, columns[which]);
    char shown[SHOWN];
    if (cli_parse_real(text, value) == 0) return 0;
    return cli_fail(CLI_EXIT_INPUT, "%s, line %zu: %s is no number, but '%s'", name, row->line,
                    column_names[which],
                    cli_clean_copy(shown, sizeof shown, text, CLI_CLEAN_LINES));
}

static int read_row(const char *name, const cli_table_row *row, const int columns[COLUMNS],
                    detection *d)
{
    double category = 0;
    double *const places[6] = {&d->x0, &d->y0, &d->x1, &d->y1, &d->score, &category};
    int failed = 0;
    d->score = 1;
    for (int c = 0; c < 6 && !failed; c++)
        if (columns[c] >= 0) failed = read_cell(name, row, columns, c, places[c]);
    if (!failed && (category != floor(category) || fabs(category) > 1e15))
        failed = cli_fail(CLI_EXIT_INPUT, "%s, line %zu: category %g is no whole number", name,
                          row->line, category);
    if (!failed) failed = check(name, "line", row->line, d);
    if (failed) return failed;
    d->category = (long long)category;
    d->image = strdup(cell_of(row, columns[IMAGE]));
    return d->image ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for boxes");
}

static int find_columns(const char *name, const cli_table *table, int columns[COLUMNS])
{
    for (int c = 0; c < COLUMNS; c++)
        columns[c] = cli_table_column(table, column_names[c]);
    for (int c = X0; c <= Y1; c++)
        if (columns[c] < 0)
            return cli_fail(CLI_EXIT_INPUT,
                            "%s: there is no column %s; wanted x0, y0, x1, y1 and, if known, "
                            "score, category, image",
                            name, column_names[c]);
    return 0;
}

static int read_table(const char *name, const cli_table *table, detections *out)
{
    int columns[COLUMNS];
    int failed = find_columns(name, table, columns);
    if (!failed) failed = reserve(name, table->row_count, out);
    for (size_t i = 0; i < table->row_count && !failed; i++) {
        failed = read_row(name, &table->rows[i], columns, &out->items[i]);
        if (!failed) out->count++;
    }
    return failed;
}

/* `text` becomes the table's. */
static int parse_table(const char *name, char *text, detections *out)
{
    cli_table table;
    int failed = cli_table_parse(name, text, &table);
    if (failed) return failed;
    failed = read_table(name, &table, out);
    cli_table_clear(&table);
    return failed;
}

/* ----------------------------------------------------------------------------------------- both */

int detections_parse(const char *name, char *text, size_t size, detections *out)
{
    const int is_json = has_ending(name, ".json");
    int failed;
    *out = (detections){0};
    if (!is_json && !has_ending(name, ".csv") && !has_ending(name, ".tsv")) {
        free(text);
        return cli_fail(CLI_EXIT_INPUT,
                        "%s: boxes are read from .json (COCO results), .csv or .tsv", name);
    }
    failed = is_json ? parse_json(name, text, size, out) : parse_table(name, text, out);
    if (is_json) free(text);
    if (failed) detections_clear(out);
    return failed;
}

static int read_text(const char *path, char **text, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) return cli_fail(CLI_EXIT_INPUT, "%s: %s", path, strerror(errno));
    int failed = 0;
    long length = -1;
    if (fseek(file, 0, SEEK_END) == 0) length = ftell(file);
    if (length < 0 || length > LARGEST_FILE || fseek(file, 0, SEEK_SET) != 0)
        failed =
            cli_fail(CLI_EXIT_INPUT, "%s: no file of at most %d MiB", path, LARGEST_FILE >> 20);
    *text = failed ? NULL : malloc((size_t)length + 1);
    if (!failed && !*text) failed = cli_fail(CLI_EXIT_MEMORY, "no memory for %s", path);
    if (!failed) {
        *size = fread(*text, 1, (size_t)length, file);
        (*text)[*size] = 0;
        if (ferror(file)) failed = cli_fail(CLI_EXIT_INPUT, "%s: cannot be read", path);
        if (failed) free(*text);
    }
    fclose(file);
    return failed;
}

int detections_read(const char *path, detections *out)
{
    char *text;
    size_t size = 0;
    *out = (detections){0};
    const int failed = read_text(path, &text, &size);
    return failed ? failed : detections_parse(path, text, size, out);
}

static int several_images(const char *name, const detections *found, const char *other)
{
    char one[SHOWN], two[SHOWN];
    return cli_fail(CLI_EXIT_INPUT,
                    "%s holds boxes of several images ('%s', '%s'); say which is meant with "
                    "--imageId",
                    name, cli_clean_copy(one, sizeof one, found->items[0].image, CLI_CLEAN_LINES),
                    cli_clean_copy(two, sizeof two, other, CLI_CLEAN_LINES));
}

int detections_keep(detections *found, const char *name, const char *image)
{
    size_t kept = 0, all = found->count;
    char shown[SHOWN];
    for (size_t i = 0; i < all; i++) {
        detection *d = &found->items[i];
        if (!image && strcmp(d->image, found->items[0].image) != 0)
            return several_images(name, found, d->image);
        if (!image || !strcmp(d->image, image))
            found->items[kept++] = *d;
        else
            free(d->image);
    }
    found->count = kept;
    if (kept || !image || !all) return 0;
    return cli_fail(CLI_EXIT_INPUT, "%s holds no box of an image '%s'", name,
                    cli_clean_copy(shown, sizeof shown, image, CLI_CLEAN_LINES));
}
