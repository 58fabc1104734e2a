#include "batch_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "class_segments.h"
#include "cli_cancel.h"
#include "cli_clock.h"
#include "cli_exit.h"
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

static int add_once(batch_names *names, const char *name, size_t rank, int wanted)
{
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i].rank == rank && strcmp(names->items[i].name, name) == 0) return 0;
    if (names->count == names->capacity) {
        const size_t capacity = names->capacity * 2 + 16;
        batch_name *grown = realloc(names->items, capacity * sizeof *grown);
        if (!grown) return no_memory();
        names->items = grown;
        names->capacity = capacity;
    }
    names->items[names->count++] = (batch_name){name, rank, wanted};
    return 0;
}

/* ------------------------------------------------------------------ segmentations that rows name
 */

/* All rows on their way. */
typedef struct gatherer {
    batch_plan *plan;
    const pipeline_engine *engine;
    batch_names *names;
    double said; /* when, on cli_clock */
} gatherer;

static const batch_drawn nothing = {.is_known = 1};

static int find_drawn(gatherer *g, batch_row *row, const char *path, int are_masks,
                      const batch_drawn **found)
{
    batch_drawn *d = NULL;
    *found = &nothing;
    if (!path) return 0;
    const int failed = batch_drawn_find(&g->names->drawn, path, are_masks, g->plan->folder, &d);
    if (failed) return failed;
    d->is_own |= row->state != BATCH_ELSEWHERE;
    if (!d->is_known) row->has_unknown_names = g->names->is_partial = 1;
    *found = d;
    return 0;
}

static int add_all_drawn(batch_names *names)
{
    int failed = 0;
    for (const batch_drawn *d = names->drawn.first; d; d = d->later)
        for (size_t i = 0; i < d->count && !failed; i++)
            if (d->segments[i].name)
                failed =
                    add_once(names, d->segments[i].name, d->segments[i].rank, d->segments[i].value);
    return failed;
}

/* ---------------------------------------------------------------------------------- prompted names
 */

/* What a row cannot do, also for want of memory, is its own failure: it says so when it runs. */
static int only_cancelled(int failed)
{
    return failed == CLI_EXIT_CANCELLED ? failed : 0;
}

/* Only segments that hold something are prompts. */
static int add_drawn(pipeline_case *work, const batch_drawn *d)
{
    int failed = 0;
    for (size_t i = 0; i < d->count && !failed; i++) {
        const char *name = d->segments[i].name ? d->segments[i].name : work->options->segment_name;
        if (!d->segments[i].is_empty)
            failed = only_cancelled(bridge_from_io(sgio_prompts_add_segment(&work->prompts, name)));
    }
    return failed;
}

/* In the order in which the case has them: points, boxes and files of prompts, --boxes, masks. Of a
 * row that will fail what could be read counts. */
static int take_prompted(const gatherer *g, batch_row *row, const case_options *options,
                         const batch_drawn *boxes, const batch_drawn *masks)
{
    cli_warnings unheard = {.quiet = 1};
    pipeline_case work;
    int failed = only_cancelled(pipeline_case_read_given(options, &unheard, &work));
    if (!failed) failed = add_drawn(&work, boxes);
    if (!failed) failed = add_drawn(&work, masks);
    if (!failed && !options->mask_prompts)
        failed = only_cancelled(class_segments_make(g->engine, &work));
    for (size_t i = 0; i < work.prompts.segment_count && !failed; i++)
        failed = note_name(row, work.prompts.segments[i].name);
    pipeline_case_clear(&work);
    cli_warnings_clear(&unheard);
    return failed;
}

static int take_initial(batch_row *row, const batch_drawn *initial)
{
    int failed = 0;
    for (size_t i = 0; !failed && i < initial->count; i++) {
        failed = note_name(row, initial->segments[i].name);
        row->repeats_names |= initial->segments[i].rank > 0;
    }
    return failed;
}

static int take_case(gatherer *g, batch_row *row, const case_options *work)
{
    const batch_drawn *boxes, *masks, *initial;
    row->keeps_values = work->mask_prompts || work->initial;
    int failed = find_drawn(g, row, work->boxes, 0, &boxes);
    if (!failed) failed = find_drawn(g, row, work->mask_prompts, 1, &masks);
    if (!failed)
        failed = find_drawn(g, row, work->mask_prompts ? NULL : work->initial, 0, &initial);
    if (!failed) failed = take_prompted(g, row, work, boxes, masks);
    return failed ? failed : take_initial(row, initial);
}

static int take_row(gatherer *g, batch_row *row)
{
    batch_command command;
    if (cli_cancelled(NULL)) return cli_fail(CLI_EXIT_CANCELLED, "cancelled");
    int failed = batch_command_make(g->plan, row, &command);
    if (!failed) failed = take_case(g, row, &command.typed.work);
    batch_command_clear(&command);
    return failed;
}

int batch_names_is_plain(const batch_row *row)
{
    return !row->problem && sgio_segmentation_is_plain(row->output);
}

/* Reading may take minutes, before the first row. */
static void say_where(gatherer *g, size_t row)
{
    enum { OFTEN = 10 };
    if (cli_clock() - g->said < OFTEN) return;
    g->said = cli_clock();
    printf("reading names of segments: row %zu of %zu\n", row + 1, g->plan->count);
    fflush(stdout);
}

static int is_left_out(const batch_row *row, int all)
{
    return row->problem || (!all && row->state == BATCH_ELSEWHERE);
}

int batch_names_gather(batch_plan *plan, const pipeline_engine *engine, int all, batch_names *out)
{
    gatherer g = {.plan = plan, .engine = engine, .names = out, .said = cli_clock()};
    int failed = 0;
    for (size_t i = 0; i < plan->count && !failed; i++) {
        out->is_partial |= is_left_out(&plan->rows[i], all);
        if (is_left_out(&plan->rows[i], all) || !batch_names_is_plain(&plan->rows[i])) continue;
        say_where(&g, i);
        failed = take_row(&g, &plan->rows[i]);
    }
    if (!failed) failed = add_all_drawn(out);
    for (size_t i = 0; i < plan->count; i++)
        for (size_t k = 0; k < plan->rows[i].name_count && !failed; k++)
            failed = add_once(out, plan->rows[i].names[k], 0, 0);
    return failed;
}

void batch_names_warn(const batch_names *names, cli_warnings *warnings)
{
    const batch_drawn *first = NULL;
    char sentence[2048], more[64] = "";
    size_t count = 0;
    for (const batch_drawn *d = names->drawn.first; d; d = d->later) {
        if (!d->reason || !d->is_own) continue;
        count++;
        if (!first) first = d;
    }
    if (!first) return;
    if (count > 1) snprintf(more, sizeof more, " (and %zu more files)", count - 1);
    snprintf(sentence, sizeof sentence,
             "names of segments cannot be read, and have no values in plain label maps yet: "
             "%.1500s%s",
             first->reason, more);
    cli_warn(warnings, sentence);
}

void batch_names_clear(batch_names *names)
{
    batch_drawn_clear(&names->drawn);
    free(names->items);
    memset(names, 0, sizeof *names);
}
