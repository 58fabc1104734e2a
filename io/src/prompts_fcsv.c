/* Slicer's comma-separated point lists: .fcsv of every version, and the newer .csv. */
#include "prompts_parse.h"

#include "io_status.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 32, MAX_LINE = 65536 };

/* Where each value stands in a line; -1: the column does not exist. */
typedef struct columns {
    int label, x, y, z, selected, description, status;
    int status_is_flag; /* .csv: "defined" is 0 or 1; .fcsv: 0 undefined, 1 preview, 2 defined */
} columns;

typedef struct table {
    const sgio_prompt_source *source;
    sgio_prompts *prompts;
    columns at;
    int ras;
    size_t line; /* from 1 */
} table;

/* Splits a line in place. Quoted fields may hold commas and doubled quotes; blanks around fields
 * do not count. Returns the number of fields, or -1 for an open quote or too many. */
static int split(char *line, char *fields[MAX_FIELDS])
{
    int count = 0;
    char *in = line;
    for (;;) {
        if (count == MAX_FIELDS) return -1;
        while (*in == ' ' || *in == '\t')
            in++;
        int quoted = *in == '"';
        char *out = quoted ? ++in : in;
        fields[count++] = out;
        while (*in && (quoted || *in != ',')) {
            if (quoted && *in == '"') {
                if (in[1] != '"') break;
                in++;
            }
            *out++ = *in++;
        }
        if (quoted && *in++ != '"') return -1;
        while (quoted && (*in == ' ' || *in == '\t'))
            in++;
        if (*in && *in != ',') return -1;
        int last = *in == '\0';
        in += !last;
        while (!quoted && out > fields[count - 1] && (out[-1] == ' ' || out[-1] == '\t'))
            out--;
        *out = '\0';
        if (last) return count;
    }
}

static sgio_status bad_line(const table *t, const char *wrong, const char *found)
{
    return sgio_fail(SGIO_BAD_PROMPT, "%s: line %zu: %s '%.60s'", t->source->file, t->line, wrong,
                     found);
}

static const char *field(char *const fields[], int count, int column)
{
    return column >= 0 && column < count ? fields[column] : NULL;
}

static int is_skipped(const table *t, char *const fields[], int count)
{
    const char *selected = field(fields, count, t->at.selected);
    const char *status = field(fields, count, t->at.status);
    if (selected && strcmp(selected, "0") == 0) return 1;
    return status && *status && strcmp(status, t->at.status_is_flag ? "1" : "2") != 0;
}

static sgio_status read_row(const table *t, char *const fields[], int count)
{
    const char *label = field(fields, count, t->at.label);
    const int xyz[3] = {t->at.x, t->at.y, t->at.z};
    double lps[3];
    if (is_skipped(t, fields, count)) return SGIO_OK;
    for (int r = 0; r < 3; r++) {
        const char *text = field(fields, count, xyz[r]);
        if (!text) return bad_line(t, "no coordinates for control point", label ? label : "");
        if (sgio_parse_numbers(text, &lps[r], 1) != 1)
            return sgio_fail(SGIO_BAD_PROMPT,
                             "%s: line %zu: '%.60s' is not a finite coordinate of control point "
                             "'%.60s'",
                             t->source->file, t->line, text, label ? label : "");
    }
    if (t->ras) sgio_flip_lps_ras(lps);
    int background = sgio_prompts_background(label, field(fields, count, t->at.description));
    return sgio_prompts_add_point(t->prompts, t->source->segment, lps, !background, label);
}

/* Calls `handle` on each line, without its end, in a buffer it may write to. */
static sgio_status each_line(table *t, sgio_status (*handle)(table *t, char *line))
{
    const char *next = t->source->text, *end = next + t->source->bytes;
    sgio_status status = SGIO_OK;
    char *line = malloc(MAX_LINE + 1);
    if (!line) return sgio_fail_memory(MAX_LINE, t->source->file);
    if (end - next >= 3 && memcmp(next, "\xEF\xBB\xBF", 3) == 0) next += 3;
    for (t->line = 1; next < end && status == SGIO_OK; t->line++) {
        size_t n = strcspn(next, "\r\n");
        if (n > MAX_LINE || (n == 0 && *next == '\0')) {
            status = bad_line(t, "not a text file, or a line that is too long", "");
            break;
        }
        memcpy(line, next, n);
        line[n] = '\0';
        next += n;
        next += next < end && *next == '\r';
        next += next < end && *next == '\n';
        status = handle(t, line);
    }
    free(line);
    return status;
}

static int column_of(char *const names[], int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

/* After "# CoordinateSystem =": a name, or a number in old files. */
static sgio_status set_system(table *t, const char *value)
{
    if (strcmp(value, "RAS") == 0 || strcmp(value, "0") == 0)
        t->ras = 1;
    else if (strcmp(value, "LPS") == 0 || strcmp(value, "1") == 0)
        t->ras = 0;
    else
        return bad_line(t, "coordinate system must be LPS or RAS, not", value);
    return SGIO_OK;
}

static sgio_status set_fcsv_columns(table *t, char *text)
{
    char *names[MAX_FIELDS];
    int count = split(text, names);
    columns at = {column_of(names, count, "label"),
                  column_of(names, count, "x"),
                  column_of(names, count, "y"),
                  column_of(names, count, "z"),
                  column_of(names, count, "sel"),
                  column_of(names, count, "desc"),
                  column_of(names, count, "positionStatus"),
                  0};
    if (at.x < 0 || at.y < 0 || at.z < 0) return bad_line(t, "no columns x, y and z among", text);
    /* Files with 14 names in the header and 16 values in the rows exist. */
    if (at.status < 0 && count == 14) at.status = 14;
    t->at = at;
    return SGIO_OK;
}

/* "# key = value" sets something, every other comment is free text. */
static sgio_status read_comment(table *t, char *line)
{
    static const columns version_4 = {11, 1, 2, 3, 9, 12, 14, 0};
    char *value = strchr(line, '=');
    if (!value) return SGIO_OK;
    char *key = line + strspn(line, "# \t");
    size_t n = strcspn(key, " \t=");
    value += 1 + strspn(value + 1, " \t");
    value[strcspn(value, "\r\n")] = '\0';
    size_t length = strlen(value);
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        value[--length] = '\0';
    if (n == 16 && strncmp(key, "CoordinateSystem", n) == 0) return set_system(t, value);
    if (n == 7 && strncmp(key, "columns", n) == 0) return set_fcsv_columns(t, value);
    if (strncmp(key, "Markups fiducial file version", 29) == 0) t->at = version_4;
    return SGIO_OK;
}

static sgio_status read_fcsv_line(table *t, char *line)
{
    char *fields[MAX_FIELDS];
    if (line[0] == '#') return read_comment(t, line);
    if (line[strspn(line, " \t")] == '\0') return SGIO_OK;
    int count = split(line, fields);
    if (count < 0) return bad_line(t, "unfinished quotes or too many fields in", line);
    return read_row(t, fields, count);
}

/* Slicer 3 wrote neither version nor columns: label,x,y,z,sel,vis in RAS, which was the default of
 * all versions until files named their system. */
sgio_status sgio_prompts_parse_fcsv(const sgio_prompt_source *source, sgio_prompts *prompts)
{
    table t = {source, prompts, {0, 1, 2, 3, 4, -1, -1, 0}, 1, 1};
    return each_line(&t, read_fcsv_line);
}

static sgio_status set_csv_columns(table *t, char *line)
{
    char *names[MAX_FIELDS];
    int count = split(line, names);
    columns at = {column_of(names, count, "label"),    column_of(names, count, "l"),
                  column_of(names, count, "p"),        column_of(names, count, "s"),
                  column_of(names, count, "selected"), column_of(names, count, "description"),
                  column_of(names, count, "defined"),  1};
    t->ras = at.x < 0;
    if (t->ras) {
        at.x = column_of(names, count, "r");
        at.y = column_of(names, count, "a");
    }
    if (at.x < 0 || at.y < 0 || at.z < 0)
        return bad_line(t, "the first line must name the columns l,p,s or r,a,s, not", line);
    t->at = at;
    return SGIO_OK;
}

static sgio_status read_csv_line(table *t, char *line)
{
    char *fields[MAX_FIELDS];
    if (line[strspn(line, " \t")] == '\0') return SGIO_OK;
    if (t->at.x < 0) return set_csv_columns(t, line);
    int count = split(line, fields);
    if (count < 0) return bad_line(t, "unfinished quotes or too many fields in", line);
    return read_row(t, fields, count);
}

sgio_status sgio_prompts_parse_csv(const sgio_prompt_source *source, sgio_prompts *prompts)
{
    table t = {source, prompts, {-1, -1, -1, -1, -1, -1, -1, 1}, 0, 1};
    sgio_status status = each_line(&t, read_csv_line);
    if (status == SGIO_OK && t.at.x < 0)
        return sgio_fail(SGIO_BAD_PROMPT, "%s: empty, no column names found", source->file);
    return status;
}
