#include "batch_labels.h"

#include <stdlib.h>
#include <string.h>

#include "batch_drawn.h"
#include "batch_hash.h"
#include "bridge.h"
#include "class_segments.h"
#include "cli_cancel.h"
#include "cli_exit.h"
#include "cli_output.h"
#include "cli_text.h"

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "no memory for the values of labels");
}

static int note_name(batch_row *row, const char *name)
{
    for (size_t i = 0; i < row->name_count; i++)
        if (strcmp(row->names[i], name) == 0) return 0;
    char *copy = strdup(name);
    char **grown = copy ? realloc(row->names, (row->name_count + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(copy);
        return no_memory();
    }
    row->names = grown;
    grown[row->name_count++] = copy;
    return 0;
}

/* ------------------------------------------------------------------ segmentations that rows name
 */

/* All rows on their way. */
typedef struct label_maker {
    batch_plan *plan;
    const pipeline_engine *engine;
    batch_drawn_set drawn;
} label_maker;

static const batch_drawn nothing = {.is_known = 1};

static int find_drawn(label_maker *maker, batch_row *row, const char *path, int are_masks,
                      const batch_drawn **found)
{
    *found = &nothing;
    if (!path) return 0;
    const int failed = batch_drawn_find(&maker->drawn, path, are_masks, maker->plan->folder, found);
    if (!failed && !(*found)->is_known) row->has_unknown_names = 1;
    return failed;
}

/* The values there become those of the names, where they are free. */
static int take_values(label_values *values, const batch_drawn *d)
{
    int failed = 0;
    for (size_t i = 0; i < d->count && !failed; i++) {
        const char *name = d->segments[i].name;
        if (name && !label_values_find(values, name))
            failed =
                label_values_add(values, name, label_values_choose(values, d->segments[i].value));
    }
    return failed;
}

/* ---------------------------------------------------------------------------------- prompted names
 */

static int is_memory(int failed)
{
    return failed == CLI_EXIT_MEMORY ? failed : 0;
}

/* Only segments that hold something are prompts. */
static int add_drawn(pipeline_case *work, const batch_drawn *d)
{
    int failed = 0;
    for (size_t i = 0; i < d->count && !failed; i++) {
        const char *name = d->segments[i].name ? d->segments[i].name : work->options->segment_name;
        if (!d->segments[i].is_empty)
            failed = is_memory(bridge_from_io(sgio_prompts_add_segment(&work->prompts, name)));
    }
    return failed;
}

/* In the order in which the case has them: points, boxes and files of prompts, --boxes, masks. Of a
 * row that will fail what could be read counts. */
static int take_prompted(const label_maker *maker, batch_row *row, const case_options *options,
                         const batch_drawn *boxes, const batch_drawn *masks)
{
    cli_warnings unheard = {.quiet = 1};
    pipeline_case work;
    int failed = is_memory(pipeline_case_read_given(options, &unheard, &work));
    if (!failed) failed = add_drawn(&work, boxes);
    if (!failed) failed = add_drawn(&work, masks);
    if (!failed && !options->mask_prompts)
        failed = is_memory(class_segments_make(maker->engine, &work));
    for (size_t i = 0; i < work.prompts.segment_count && !failed; i++)
        failed = note_name(row, work.prompts.segments[i].name);
    pipeline_case_clear(&work);
    cli_warnings_clear(&unheard);
    return failed;
}

static int is_plain(const batch_row *row)
{
    return !row->problem && sgio_segmentation_is_plain(row->output);
}

static int take_case(label_maker *maker, batch_row *row, const case_options *work)
{
    const batch_drawn *boxes, *masks, *initial;
    label_values *values = &maker->plan->labels;
    row->keeps_values = work->mask_prompts || work->initial;
    int failed = find_drawn(maker, row, work->boxes, 0, &boxes);
    if (!failed) failed = find_drawn(maker, row, work->mask_prompts, 1, &masks);
    if (!failed)
        failed = find_drawn(maker, row, work->mask_prompts ? NULL : work->initial, 0, &initial);
    if (!failed) failed = take_values(values, boxes);
    if (!failed) failed = take_values(values, masks);
    if (!failed) failed = take_values(values, initial);
    if (!failed) failed = take_prompted(maker, row, work, boxes, masks);
    for (size_t i = 0; !failed && i < initial->count; i++)
        failed = note_name(row, initial->segments[i].name);
    return failed;
}

static int take_row(label_maker *maker, batch_row *row)
{
    batch_command command;
    if (cli_cancelled(NULL)) return cli_fail(CLI_EXIT_CANCELLED, "cancelled");
    int failed = batch_command_make(maker->plan, row, &command);
    if (!failed) failed = take_case(maker, row, &command.typed.work);
    batch_command_clear(&command);
    return failed;
}

/* Names that no segmentation gave a value, in the manifest's order. */
static int number_rest(batch_plan *plan)
{
    int failed = 0;
    for (size_t i = 0; i < plan->count; i++)
        for (size_t k = 0; k < plan->rows[i].name_count && !failed; k++)
            if (!label_values_find(&plan->labels, plan->rows[i].names[k]))
                failed = label_values_add(&plan->labels, plan->rows[i].names[k],
                                          label_values_choose(&plan->labels, 0));
    return failed;
}

int batch_labels_make(batch_plan *plan, const pipeline_engine *engine)
{
    label_maker maker = {.plan = plan, .engine = engine};
    int failed = label_values_read(cli_text(plan->options, "labelValues"), &plan->labels);
    for (size_t i = 0; i < plan->count && !failed; i++)
        if (is_plain(&plan->rows[i])) failed = take_row(&maker, &plan->rows[i]);
    if (!failed) failed = number_rest(plan);
    batch_drawn_clear(&maker.drawn);
    return failed;
}

/* ------------------------------------------------------------------------------------------- using
 */

static int compare_values(const void *left, const void *right)
{
    const label_value *a = left, *b = right;
    return (a->value > b->value) - (a->value < b->value);
}

int batch_labels_write(const batch_plan *plan)
{
    const size_t count = plan->labels.count;
    cli_buffer path = {0}, text = {0};
    label_value *sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted) return no_memory();
    memcpy(sorted, plan->labels.items, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_values);
    cli_buffer_printf(&path, "%s/%s", plan->folder, BATCH_LABELS_FILE);
    cli_buffer_printf(&text, "index\tname\n");
    for (size_t i = 0; i < count; i++) {
        char name[256];
        cli_clean_copy(name, sizeof name, sorted[i].name, CLI_CLEAN_LINES);
        cli_buffer_printf(&text, "%d\t%s\n", sorted[i].value, name);
    }
    free(sorted);
    const int failed = path.failed || text.failed
                           ? no_memory()
                           : cli_write_file(NULL, path.text, text.text, text.size);
    cli_buffer_clear(&path);
    cli_buffer_clear(&text);
    return failed;
}

/* Before names were numbered for the whole manifest, each case did so by itself: 1, 2, ... in the
 * order of its prompts, beside the values of a segmentation that it began with. */
static int is_as_alone(const batch_plan *plan, const batch_row *row)
{
    if (row->keeps_values || row->has_unknown_names) return 0;
    for (size_t i = 0; i < row->name_count; i++)
        if (label_values_find(&plan->labels, row->names[i])->value != (int)i + 1) return 0;
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
    if (!is_plain(row) || is_as_alone(plan, row)) return;
    for (size_t i = 0; i < row->name_count; i++)
        mix_value(key, label_values_find(&plan->labels, row->names[i]));
    if (row->has_unknown_names) mix_all(&plan->labels, key);
}
