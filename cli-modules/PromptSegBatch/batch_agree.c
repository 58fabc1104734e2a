#include "batch_agree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "batch_label_table.h"
#include "batch_outputs.h"
#include "cli_exit.h"
#include "cli_reads.h"

enum { IDS_SHOWN = 5 };

/* What one row was the first to say. */
typedef struct claim {
    char *name;
    int value;
    size_t row;
} claim;

typedef struct comparison {
    const batch_plan *plan;
    label_values table; /* of the batch */
    int is_table_read, has_table;
    claim *claims;
    size_t count, capacity;
    char first[1024], first_unknown[1024], first_elsewhere[1024]; /* differences; "": none */
    size_t differences;
    char elsewhere[600];            /* ids of the first rows elsewhere that differ */
    size_t elsewhere_count, latest; /* of such rows; behind the latest one */
    cli_warnings *warnings;
} comparison;

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "no memory for the values of labels");
}

/* One that is not there any more is none. */
static int is_structure_set(const char *path)
{
    sgio_segmentation s = {0};
    if (!path || !cli_is_dicom(path)) return 0;
    const int is_read = sgio_segmentation_read(path, NULL, &s) == SGIO_OK;
    sgio_segmentation_clear(&s);
    return !is_read; /* it needs its row's volume */
}

static int begins_with_structure_set(const batch_plan *plan, const batch_row *row)
{
    batch_command command;
    const int failed = batch_command_make(plan, row, &command);
    const case_options *work = &command.typed.work;
    const int is_one =
        !failed && (is_structure_set(work->initial) || is_structure_set(work->boxes));
    batch_command_clear(&command);
    return is_one;
}

/* Names in RT structure sets are not in the table; others that are not were taken out of it. */
static int is_unknown(const comparison *c, const claim *own)
{
    return c->has_table && !label_values_find(&c->table, own->name, 0) &&
           begins_with_structure_set(c->plan, &c->plan->rows[own->row]);
}

static int is_elsewhere(const comparison *c, size_t row)
{
    return c->plan->rows[row].state == BATCH_ELSEWHERE;
}

static void note_elsewhere(comparison *c, size_t row)
{
    const size_t used = strlen(c->elsewhere);
    if (c->latest == row + 1) return;
    c->latest = row + 1;
    if (c->elsewhere_count++ < IDS_SHOWN)
        snprintf(c->elsewhere + used, sizeof c->elsewhere - used, "%s%.100s", used ? ", " : "",
                 c->plan->rows[row].id);
}

static char *place_of(comparison *c, const claim *a, const claim *b)
{
    if (is_unknown(c, a) || is_unknown(c, b)) return c->first_unknown;
    if (is_elsewhere(c, b->row)) note_elsewhere(c, b->row);
    if (is_elsewhere(c, b->row)) return c->first_elsewhere;
    c->differences++;
    return c->first;
}

/* `b` is of the later row. */
static void note_difference(comparison *c, const claim *a, const claim *b)
{
    char *out = place_of(c, a, b);
    if (*out) return;
    snprintf(out, sizeof c->first,
             "'%.200s' is %d in the label map of %.200s, '%.200s' is %d in that of %.200s", a->name,
             a->value, c->plan->rows[a->row].id, b->name, b->value, c->plan->rows[b->row].id);
}

static int add_claim(comparison *c, const claim *own)
{
    if (c->count == c->capacity) {
        const size_t capacity = c->capacity * 2 + 64;
        claim *grown = realloc(c->claims, capacity * sizeof *grown);
        if (!grown) return no_memory();
        c->claims = grown;
        c->capacity = capacity;
    }
    c->claims[c->count] = *own;
    c->claims[c->count].name = strdup(own->name);
    return c->claims[c->count++].name ? 0 : no_memory();
}

/* Of several segments of one name in a file each has a value of its own. */
static int compare(comparison *c, const label_value *said, size_t row)
{
    const claim own = {said->name, said->value, row};
    for (size_t i = 0; i < c->count; i++) {
        const claim *other = &c->claims[i];
        const int same_name = strcmp(other->name, own.name) == 0;
        if (same_name && other->value == own.value) return 0;
        if (other->value == own.value || (same_name && said->rank == 0 && other->row != row)) {
            note_difference(c, other, &own);
            return 0;
        }
    }
    return add_claim(c, &own);
}

/* What cannot be read at the end is no failure of a batch that is done. */
static int pass_over(const comparison *c, const char *advice)
{
    char sentence[2048];
    snprintf(sentence, sizeof sentence, "%.1900s%s", cli_last_message(), advice);
    cli_warn(c->warnings, sentence);
    return 0;
}

static int compare_row(comparison *c, size_t row)
{
    char path[4096];
    struct stat info;
    label_values own = {0};
    batch_output_labels(c->plan->rows[row].output, path, sizeof path);
    if (stat(path, &info) != 0) return 0; /* made by a version that wrote none */
    int failed = batch_label_table_read(path, &own);
    if (failed == CLI_EXIT_INPUT && is_elsewhere(c, row))
        failed = 0;
    else if (failed == CLI_EXIT_INPUT)
        failed = pass_over(c, "; without that file the row is made anew, with another one");
    for (size_t i = 0; i < own.count && !failed; i++)
        failed = compare(c, &own.items[i], row);
    label_values_clear(&own);
    return failed;
}

/* A run that leaves rows to others cannot make them agree. */
static void warn_of_elsewhere(const comparison *c)
{
    char sentence[4096], more[64] = "";
    if (!c->first_elsewhere[0]) return;
    if (c->elsewhere_count > IDS_SHOWN)
        snprintf(more, sizeof more, " and %zu more", c->elsewhere_count - IDS_SHOWN);
    snprintf(sentence, sizeof sentence,
             "values of plain label maps differ in rows that are not of this run (%s%s): %s; the "
             "same command without --participantLabel or --shard makes rows anew that do not have "
             "the values of %.900s",
             c->elsewhere, more, c->first_elsewhere, c->plan->labels_path);
    cli_warn(c->warnings, sentence);
}

static int conclude(const comparison *c)
{
    char sentence[1400];
    snprintf(sentence, sizeof sentence,
             "%s: names in RT structure sets have the values that a case has left",
             c->first_unknown);
    if (c->first_unknown[0]) cli_warn(c->warnings, sentence);
    warn_of_elsewhere(c);
    if (!c->first[0]) return 0;
    return cli_fail(CLI_EXIT_PARTIAL,
                    "values of plain label maps differ from case to case (%zu times): %s; the same "
                    "command without --collect makes rows anew that do not have the values of "
                    "%.900s",
                    c->differences, c->first, c->plan->labels_path);
}

static int read_table(comparison *c)
{
    const int failed = batch_label_table_read_all(c->plan, &c->table);
    c->is_table_read = 1;
    c->has_table = !failed && batch_label_table_is_there(c->plan);
    return failed == CLI_EXIT_INPUT ? pass_over(c, "") : failed;
}

/* Its label map is there. */
static int has_map(const comparison *c, const batch_journal *journal, size_t row)
{
    const batch_entry *entry = batch_journal_entry(journal, row);
    const char *output = c->plan->rows[row].output;
    return entry->known && entry->done && output && sgio_segmentation_is_plain(output);
}

static int compare_rows(comparison *c, const batch_journal *journal, int elsewhere)
{
    int failed = 0;
    for (size_t i = 0; i < c->plan->count && !failed; i++) {
        if (is_elsewhere(c, i) != elsewhere || !has_map(c, journal, i)) continue;
        if (!c->is_table_read) failed = read_table(c);
        if (!failed) failed = compare_row(c, i);
    }
    return failed;
}

int batch_agree(const batch_plan *plan, const batch_journal *journal, cli_warnings *warnings)
{
    comparison c = {.plan = plan, .warnings = warnings};
    int failed = compare_rows(&c, journal, 0); /* the run's own rows first: theirs is the say */
    if (!failed) failed = compare_rows(&c, journal, 1);
    if (!failed) failed = conclude(&c);
    for (size_t i = 0; i < c.count; i++)
        free(c.claims[i].name);
    free(c.claims);
    label_values_clear(&c.table);
    return failed;
}
