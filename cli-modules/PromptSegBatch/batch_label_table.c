#include "batch_label_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "batch_outputs.h"
#include "cli_exit.h"
#include "cli_output.h"
#include "cli_text.h"

static const char HEADER[] = "index\tname\n";

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "no memory for the values of labels");
}

const char *batch_label_shown(const char *name, char out[BATCH_SHOWN_NAME])
{
    return cli_clean_copy(out, BATCH_SHOWN_NAME, name, CLI_CLEAN_LINES);
}

/* ----------------------------------------------------------------------------------------- reading
 */

static int refuse(const char *path, size_t line, const char *found)
{
    return cli_fail(CLI_EXIT_INPUT,
                    "%s:%zu: wanted a value from 1 to %d that no line before has, a tab and a "
                    "name, found '%.100s'",
                    path, line, SGIO_MAX_LABEL, found);
}

static size_t free_rank(const label_values *values, const char *name)
{
    size_t rank = 0;
    while (label_values_find(values, name, rank))
        rank++;
    return rank;
}

static int take_line(const char *path, size_t number, const char *line, label_values *out)
{
    char *end;
    const long value = strtol(line, &end, 10);
    if (end == line || *end != '\t' || !end[1] || value < 1 || value > SGIO_MAX_LABEL ||
        label_values_with(out, (int)value))
        return refuse(path, number, line);
    return label_values_add(out, end + 1, free_rank(out, end + 1), (int)value);
}

/* In place. */
static void end_line(char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
}

static int read_lines(const char *path, FILE *stream, label_values *out)
{
    char *line = NULL;
    size_t capacity = 0, number = 0;
    int failed = 0;
    while (!failed && getline(&line, &capacity, stream) > 0) {
        end_line(line);
        if (number++ == 0)
            failed = strncmp(line, HEADER, sizeof HEADER - 2) == 0 && !line[sizeof HEADER - 2]
                         ? 0
                         : refuse(path, number, line);
        else if (*line)
            failed = take_line(path, number, line, out);
    }
    free(line);
    return failed || number ? failed : refuse(path, 1, "");
}

int batch_label_table_read(const char *path, label_values *out)
{
    FILE *stream = fopen(path, "rb");
    if (!stream) return cli_fail(CLI_EXIT_INPUT, "%s: %s", path, strerror(errno));
    const int failed = read_lines(path, stream, out);
    fclose(stream);
    return failed;
}

/* Its usual place, and that beside a row of the id "labels". */
static int in_places(const batch_plan *plan, int (*use)(const char *path, label_values *), int some,
                     label_values *values)
{
    static const char *const places[] = {"", "promptseg/"};
    int failed = 0;
    for (size_t i = 0; i < 2 && !failed; i++) {
        cli_buffer path = {0};
        cli_buffer_printf(&path, "%s/%s" BATCH_LABELS_FILE, plan->folder, places[i]);
        if (path.failed)
            failed = no_memory();
        else if ((strcmp(path.text, plan->labels_path) == 0) == some)
            failed = use(path.text, values);
        cli_buffer_clear(&path);
    }
    return failed;
}

static int note_file(const char *path, label_values *unused)
{
    struct stat info;
    (void)unused;
    return stat(path, &info) == 0;
}

int batch_label_table_is_there(const batch_plan *plan)
{
    return in_places(plan, note_file, 1, NULL) || in_places(plan, note_file, 0, NULL);
}

static int read_if_there(const char *path, label_values *out)
{
    char why[2048];
    const int failed = note_file(path, NULL) ? batch_label_table_read(path, out) : 0;
    if (failed != CLI_EXIT_INPUT) return failed;
    snprintf(why, sizeof why, "%.1800s", cli_last_message());
    return cli_fail(
        failed, "%s; put it right, or take the file away: then all names are numbered anew", why);
}

/* What the table does not have. */
static int read_more(const char *path, label_values *out)
{
    label_values found = {0};
    int failed = read_if_there(path, &found);
    for (size_t i = 0; i < found.count && !failed; i++) {
        const label_value *one = &found.items[i];
        if (!label_values_find(out, one->name, 0) && !label_values_with(out, one->value))
            failed = label_values_add(out, one->name, 0, one->value);
    }
    label_values_clear(&found);
    return failed;
}

int batch_label_table_read_all(const batch_plan *plan, label_values *out)
{
    const int failed = in_places(plan, read_if_there, 1, out);
    return failed ? failed : in_places(plan, read_more, 0, out);
}

/* ----------------------------------------------------------------------------------------- writing
 */

/* Lines of one name stand in the order of their ranks, for reading knows them by it. */
typedef struct table_line {
    const label_value *own;
    int first; /* value of the name's first rank */
} table_line;

static int compare_lines(const void *left, const void *right)
{
    const table_line *a = left, *b = right;
    if (a->first != b->first) return (a->first > b->first) - (a->first < b->first);
    return (a->own->rank > b->own->rank) - (a->own->rank < b->own->rank);
}

static int format(const label_values *labels, cli_buffer *text)
{
    table_line *lines = calloc(labels->count + 1, sizeof *lines);
    if (!lines) return no_memory();
    for (size_t i = 0; i < labels->count; i++) {
        const label_value *own = &labels->items[i];
        const label_value *first = label_values_find(labels, own->name, 0);
        lines[i] = (table_line){own, first ? first->value : own->value};
    }
    qsort(lines, labels->count, sizeof *lines, compare_lines);
    cli_buffer_printf(text, "%s", HEADER);
    for (size_t i = 0; i < labels->count; i++) {
        char shown[BATCH_SHOWN_NAME];
        cli_buffer_printf(text, "%d\t%s\n", lines[i].own->value,
                          batch_label_shown(lines[i].own->name, shown));
    }
    free(lines);
    return text->failed ? no_memory() : 0;
}

static int holds(const char *path, const cli_buffer *text)
{
    FILE *stream = fopen(path, "rb");
    char *found = stream ? malloc(text->size + 1) : NULL;
    const int same = found && fread(found, 1, text->size + 1, stream) == text->size &&
                     memcmp(found, text->text, text->size) == 0;
    if (stream) fclose(stream);
    free(found);
    return same;
}

int batch_label_table_write(const batch_plan *plan)
{
    cli_buffer text = {0};
    int failed = format(&plan->labels, &text);
    if (!failed && !holds(plan->labels_path, &text))
        failed = cli_write_file(NULL, plan->labels_path, text.text, text.size);
    cli_buffer_clear(&text);
    return failed;
}
