#include "batch_labels.h"

#include <stdlib.h>
#include <string.h>

#include "batch_hash.h"
#include "bridge.h"
#include "class_segments.h"
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

/* One that many rows name is read once. */
typedef struct drawn {
    char *path;
    sgio_segmentation segmentation;
} drawn;

static int read_drawn(drawn *d, const char *path)
{
    if (d->path && strcmp(d->path, path) == 0) return 0;
    sgio_segmentation_clear(&d->segmentation);
    free(d->path);
    d->path = strdup(path);
    if (!d->path) return no_memory();
    if (sgio_segmentation_read(path, NULL, &d->segmentation) == SGIO_OK) return 0;
    sgio_segmentation_clear(&d->segmentation); /* the row will say why */
    return 0;
}

static int take_drawn(batch_plan *plan, batch_row *row, drawn *d, const char *path)
{
    int failed = path ? read_drawn(d, path) : 0;
    const sgio_segmentation *s = &d->segmentation;
    if (!path || failed || !s->segment_count) return failed;
    int *labels = calloc(s->segment_count, sizeof *labels);
    if (!labels) return no_memory();
    sgio_segmentation_flat_labels(s, labels);
    for (size_t i = 0; i < s->segment_count && !failed; i++) {
        const char *name = s->segments[i].name;
        failed = note_name(row, name);
        if (!failed && !label_values_find(&plan->labels, name))
            failed = label_values_add(&plan->labels, name,
                                      label_values_choose(&plan->labels, labels[i]));
    }
    free(labels);
    return failed;
}

/* ---------------------------------------------------------------------------------- prompted names
 */

static int is_memory(int failed)
{
    return failed == CLI_EXIT_MEMORY ? failed : 0;
}

/* In the order in which the case has them. Of a row that will fail what could be read counts. */
static int take_prompted(batch_row *row, const case_options *options, const pipeline_engine *engine)
{
    cli_warnings unheard = {.quiet = 1};
    pipeline_case work;
    int failed = is_memory(pipeline_case_read_given(options, &unheard, &work));
    for (size_t i = 0; i < row->name_count && options->boxes && !failed; i++)
        failed = is_memory(bridge_from_io(sgio_prompts_add_segment(&work.prompts, row->names[i])));
    if (!failed && !options->mask_prompts) failed = is_memory(class_segments_make(engine, &work));
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

static int take_row(batch_plan *plan, batch_row *row, const pipeline_engine *engine, drawn *d)
{
    batch_command command;
    int failed = batch_command_make(plan, row, &command);
    const case_options *work = &command.typed.work;
    if (!failed) failed = take_drawn(plan, row, d, work->boxes);
    if (!failed) failed = take_prompted(row, work, engine);
    if (!failed) failed = take_drawn(plan, row, d, work->initial);
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
    drawn d = {0};
    int failed = label_values_read(cli_text(plan->options, "labelValues"), &plan->labels);
    for (size_t i = 0; i < plan->count && !failed; i++) {
        if (!is_plain(&plan->rows[i])) continue;
        failed = take_row(plan, &plan->rows[i], engine, &d);
    }
    if (!failed) failed = number_rest(plan);
    sgio_segmentation_clear(&d.segmentation);
    free(d.path);
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

/* Before names were numbered for the whole manifest, each case did so by itself. */
static int is_as_alone(const batch_plan *plan, const batch_row *row)
{
    for (size_t i = 0; i < row->name_count; i++)
        if (label_values_find(&plan->labels, row->names[i])->value != (int)i + 1) return 0;
    return 1;
}

void batch_labels_mix(const batch_plan *plan, const batch_row *row, uint64_t *key)
{
    if (is_as_alone(plan, row)) return;
    for (size_t i = 0; i < row->name_count; i++) {
        const label_value *own = label_values_find(&plan->labels, row->names[i]);
        batch_hash_mix_text(key, own->name);
        batch_hash_mix(key, &own->value, sizeof own->value);
    }
}
