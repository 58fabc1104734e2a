#include "batch_labels.h"

#include <stdlib.h>
#include <string.h>

#include "batch_hash.h"
#include "batch_label_table.h"
#include "batch_names.h"
#include "cli_exit.h"

/* A name that only the table has, and whose value is that of another one now. */
enum { DISPLACED = 2 };

/* One numbering on its way; values so far are plan->labels, and the first `given` of them those of
 * --labelValues. */
typedef struct numbering {
    label_values *values;
    size_t given;
    const batch_names *names;
    label_values before; /* of the table; names as they are shown */
    char *is_claimed;    /* of `before`: a name of now is that one, or DISPLACED */
    cli_warnings *warnings;
} numbering;

static const label_value *value_of(const numbering *n, const batch_name *name)
{
    return label_values_find(n->values, name->name, name->rank);
}

/* --------------------------------------------------------------------------- values of runs before
 */

static void warn_of_move(const numbering *n, const label_value *old)
{
    char sentence[1024];
    snprintf(sentence, sizeof sentence,
             "the value %d, which '%.300s' had in plain label maps, is that of '%.300s' now, by "
             "--labelValues",
             old->value, old->name, label_values_with(n->values, old->value)->name);
    cli_warn(n->warnings, sentence);
}

static int keep(numbering *n, size_t old, const char *name, size_t rank)
{
    const label_value *before = &n->before.items[old];
    n->is_claimed[old] = 1;
    if (label_values_find(n->values, name, rank)) return 0; /* --labelValues says another one */
    if (label_values_with(n->values, before->value)) {
        warn_of_move(n, before);
        return 0;
    }
    return label_values_add(n->values, name, rank, before->value);
}

/* Tables show names without line breaks: names that are as they are shown come first. */
static int claim(numbering *n, int exact)
{
    int failed = 0;
    for (size_t i = 0; i < n->names->count && !failed; i++) {
        const batch_name *name = &n->names->items[i];
        char shown[BATCH_SHOWN_NAME];
        batch_label_shown(name->name, shown);
        if ((strcmp(shown, name->name) == 0) != exact) continue;
        for (size_t k = 0; k < n->before.count; k++)
            if (!n->is_claimed[k] && strcmp(n->before.items[k].name, shown) == 0) {
                failed = keep(n, k, name->name, name->rank);
                break;
            }
    }
    return failed;
}

/* Files of rows that the manifest no longer has, and those of other shards. */
static int keep_rest(numbering *n)
{
    int failed = 0;
    for (size_t k = 0; k < n->before.count && !failed; k++) {
        const label_value *before = &n->before.items[k];
        size_t rank = before->rank;
        if (n->is_claimed[k]) continue;
        while (rank > 0 && label_values_find(n->values, before->name, rank))
            rank++;
        failed = keep(n, k, before->name, rank);
        if (!label_values_find(n->values, before->name, rank)) n->is_claimed[k] = DISPLACED;
    }
    return failed;
}

static int keep_before(numbering *n)
{
    n->is_claimed = calloc(n->before.count + 1, 1);
    int failed = n->is_claimed ? claim(n, 1)
                               : cli_fail(CLI_EXIT_MEMORY, "no memory for the values of labels");
    if (!failed) failed = claim(n, 0);
    return failed ? failed : keep_rest(n);
}

/* -------------------------------------------------------------------------------------- new values
 */

/* Their rows may be another shard's, which knows by the new value that it has to make them anew. */
static int number_displaced(numbering *n)
{
    int failed = 0;
    for (size_t k = 0; k < n->before.count && !failed; k++) {
        const char *name = n->before.items[k].name;
        size_t rank = n->before.items[k].rank;
        if (n->is_claimed[k] != DISPLACED) continue;
        while (label_values_find(n->values, name, rank))
            rank++;
        failed = label_values_add(n->values, name, rank, label_values_free(n->values));
    }
    return failed;
}

/* First all that can have what they want, so that nobody takes it from them. */
static int number_names(numbering *n)
{
    int failed = 0;
    for (size_t i = 0; i < n->names->count && !failed; i++) {
        const batch_name *name = &n->names->items[i];
        if (name->wanted > 0 && !value_of(n, name) && !label_values_with(n->values, name->wanted))
            failed = label_values_add(n->values, name->name, name->rank, name->wanted);
    }
    for (size_t i = 0; i < n->names->count && !failed; i++) {
        const batch_name *name = &n->names->items[i];
        if (!value_of(n, name))
            failed =
                label_values_add(n->values, name->name, name->rank, label_values_free(n->values));
    }
    return failed;
}

/* ------------------------------------------------------------------------------------ what is said
 */

static int is_given(const numbering *n, const char *name)
{
    for (size_t i = 0; i < n->given; i++)
        if (strcmp(n->values->items[i].name, name) == 0) return 1;
    return 0;
}

static int has_lost(const numbering *n, const batch_drawn_segment *segment)
{
    if (!segment->name || is_given(n, segment->name)) return 0;
    return label_values_find(n->values, segment->name, segment->rank)->value != segment->value;
}

static void warn_of_losses(const numbering *n)
{
    const batch_drawn_segment *first = NULL;
    const char *path = NULL;
    char sentence[2048], more[64] = "";
    size_t count = 0;
    for (const batch_drawn *d = n->names->drawn.first; d; d = d->later)
        for (size_t i = 0; i < d->count; i++) {
            if (!has_lost(n, &d->segments[i])) continue;
            if (count++ > 0) continue;
            first = &d->segments[i];
            path = d->path;
        }
    if (!first) return;
    if (count > 1) snprintf(more, sizeof more, ", as %zu more segments of such files", count - 1);
    snprintf(sentence, sizeof sentence,
             "the value of '%.300s' in plain label maps is %d, and not %d as in %.900s%s",
             first->name, label_values_find(n->values, first->name, first->rank)->value,
             first->value, path, more);
    cli_warn(n->warnings, sentence);
}

static int is_named(const batch_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i].name, name) == 0) return 1;
    return 0;
}

/* A slip of the pen, most likely; where not all names are known nobody can tell. */
static void warn_of_strangers(const numbering *n)
{
    char sentence[512];
    for (size_t i = 0; i < n->given && !n->names->is_partial; i++) {
        if (is_named(n->names, n->values->items[i].name)) continue;
        snprintf(sentence, sizeof sentence,
                 "--labelValues: no plain label map of the manifest has a segment '%.300s'",
                 n->values->items[i].name);
        cli_warn(n->warnings, sentence);
    }
}

/* --------------------------------------------------------------------------------------- numbering
 */

static int number(batch_plan *plan, const batch_names *names, cli_warnings *warnings)
{
    numbering n = {
        .values = &plan->labels, .given = plan->labels.count, .names = names, .warnings = warnings};
    int failed = batch_label_table_read_all(plan, &n.before);
    if (!failed) failed = keep_before(&n);
    if (!failed) failed = number_names(&n);
    if (!failed) failed = number_displaced(&n);
    if (!failed) {
        batch_names_warn(names, warnings);
        warn_of_losses(&n);
        warn_of_strangers(&n);
    }
    label_values_clear(&n.before);
    free(n.is_claimed);
    return failed;
}

/* What this process made of the names is good for its own rows, at least. */
static int write_table(const batch_plan *plan, int is_shard, cli_warnings *warnings)
{
    char sentence[2048];
    const int failed = batch_label_table_write(plan);
    if (!failed || !is_shard || failed == CLI_EXIT_MEMORY) return failed;
    snprintf(sentence, sizeof sentence,
             "%.1500s: other shards may number names otherwise, which --collect finds",
             cli_last_message());
    cli_warn(warnings, sentence);
    return 0;
}

/* The first process keeps others waiting while it reads, so that what rows begin with is read by
 * one alone; later ones need only what they have themselves. */
static int gather(batch_plan *plan, batch_journal *journal, const pipeline_engine *engine,
                  batch_names *names)
{
    batch_journal_lock_labels(journal);
    if (!batch_label_table_is_there(plan)) return batch_names_gather(plan, engine, 1, names);
    batch_journal_unlock_labels(journal);
    const int failed = batch_names_gather(plan, engine, 0, names);
    batch_journal_lock_labels(journal);
    return failed;
}

static int has_plain_rows(const batch_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (batch_names_is_plain(&plan->rows[i])) return 1;
    return 0;
}

int batch_labels_make(batch_plan *plan, batch_journal *journal, const pipeline_engine *engine,
                      int is_shard, cli_warnings *warnings)
{
    batch_names names = {0};
    int failed = label_values_read(cli_text(plan->options, "labelValues"), &plan->labels);
    if (failed || !has_plain_rows(plan)) return failed;
    failed = gather(plan, journal, engine, &names);
    if (!failed) failed = number(plan, &names, warnings);
    if (!failed) failed = write_table(plan, is_shard, warnings);
    batch_journal_unlock_labels(journal);
    batch_names_clear(&names);
    return failed;
}

/* ------------------------------------------------------------------------------------------- using
 */

/* Before names were numbered for the whole manifest, each case did so by itself: 1, 2, ... in the
 * order of its prompts, beside the values of a segmentation that it began with. */
static int is_as_alone(const batch_plan *plan, const batch_row *row)
{
    if (row->keeps_values || row->has_unknown_names) return 0;
    for (size_t i = 0; i < row->name_count; i++)
        if (label_values_find(&plan->labels, row->names[i], 0)->value != (int)i + 1) return 0;
    return 1;
}

static void mix_value(uint64_t *key, const label_value *own)
{
    batch_hash_mix_text(key, own->name);
    batch_hash_mix(key, &own->value, sizeof own->value);
}

/* Whichever of all names the row has, and which values they leave; in any order. */
static void mix_all(const label_values *values, uint64_t *key)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < values->count; i++) {
        uint64_t one = BATCH_HASH_START;
        mix_value(&one, &values->items[i]);
        sum += one;
    }
    batch_hash_mix(key, &sum, sizeof sum);
}

void batch_labels_mix(const batch_plan *plan, const batch_row *row, uint64_t *key)
{
    if (!batch_names_is_plain(row) || is_as_alone(plan, row)) return;
    for (size_t i = 0; i < row->name_count; i++) {
        const label_value *own = label_values_find(&plan->labels, row->names[i], 0);
        for (size_t rank = 1; own; rank++) {
            mix_value(key, own);
            own = row->repeats_names ? label_values_find(&plan->labels, row->names[i], rank) : NULL;
        }
    }
    if (row->has_unknown_names) mix_all(&plan->labels, key);
}
