#include "batch_drawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch_hash.h"
#include "batch_identity.h"
#include "bridge.h"
#include "cli_exit.h"
#include "cli_reads.h"
#include "label_values.h"
#include "mask_prompts.h"
#include "sgio/labelmap.h"

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "no memory for the values of labels");
}

/* What contours cover depends on the grid that they are read onto. */
static int may_be_structure_set(const char *path, int failed)
{
    return failed == CLI_EXIT_INPUT && cli_is_dicom(path);
}

/* A file that could not be read, or not in the memory there is, is its row's failure, not the
 * batch's. */
static int note_failure(batch_drawn *d, int failed)
{
    if (failed == CLI_EXIT_CANCELLED) return cli_fail(failed, "cancelled");
    if (may_be_structure_set(d->path, failed)) return 0;
    d->reason = strdup(cli_last_message());
    return d->reason ? 0 : no_memory();
}

static int make_room(batch_drawn *d, size_t count)
{
    d->segments = calloc(count + 1, sizeof *d->segments);
    return d->segments ? 0 : no_memory();
}

static int add(batch_drawn *d, const char *name, size_t rank, int value, int is_empty)
{
    batch_drawn_segment *segment = &d->segments[d->count++];
    *segment = (batch_drawn_segment){name ? strdup(name) : NULL, rank, value, is_empty};
    return name && !segment->name ? no_memory() : 0;
}

static int take_segments(batch_drawn *d, const sgio_segmentation *s)
{
    int *labels = calloc(s->segment_count + 1, sizeof *labels);
    int failed = labels ? make_room(d, s->segment_count) : no_memory();
    if (!failed) sgio_segmentation_flat_labels(s, labels);
    for (size_t i = 0; i < s->segment_count && !failed; i++)
        failed = add(d, s->segments[i].name, label_values_rank(s, i), labels[i],
                     s->segments[i].voxels == 0);
    free(labels);
    return failed;
}

static int read_segmentation(batch_drawn *d)
{
    const sgio_segmentation_read_options how = {.progress = bridge_stop};
    sgio_segmentation s = {0};
    int failed = bridge_from_io(sgio_segmentation_read(d->path, &how, &s));
    d->is_known = !failed;
    failed = failed ? note_failure(d, failed) : take_segments(d, &s);
    sgio_segmentation_clear(&s);
    return failed;
}

static int read_masks(batch_drawn *d)
{
    int values[MASK_PROMPTS_MOST_LABELS];
    size_t count = 0;
    cli_warnings unheard = {.quiet = 1};
    int failed = mask_prompts_values(d->path, &unheard, values, &count);
    cli_warnings_clear(&unheard);
    d->is_known = !failed;
    if (failed) return note_failure(d, failed);
    failed = make_room(d, count);
    for (size_t i = 0; i < count && !failed; i++) {
        char name[32];
        snprintf(name, sizeof name, "Segment_%d", values[i]);
        failed = add(d, count > 1 ? name : NULL, 0, values[i], 0);
    }
    return failed;
}

static void free_drawn(batch_drawn *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->segments[i].name);
    free(d->segments);
    free(d->path);
    free(d->reason);
    free(d);
}

int batch_drawn_find(batch_drawn_set *set, const char *path, int are_masks, const char *outputs,
                     batch_drawn **found)
{
    const size_t buckets = sizeof set->buckets / sizeof set->buckets[0];
    batch_drawn **bucket = &set->buckets[batch_hash_text(path) % buckets];
    uint64_t identity = 0; /* stays for a pattern of names: its path tells */
    batch_identity(path, outputs, &identity);
    for (batch_drawn *d = *bucket; d; d = d->next) {
        if (d->identity != identity || d->are_masks != are_masks || strcmp(d->path, path) != 0)
            continue;
        *found = d;
        return 0;
    }
    batch_drawn *d = calloc(1, sizeof *d);
    if (!d) return no_memory();
    *d = (batch_drawn){.path = strdup(path), .identity = identity, .are_masks = are_masks};
    int failed = d->path ? 0 : no_memory();
    if (!failed) failed = are_masks ? read_masks(d) : read_segmentation(d);
    if (failed) {
        free_drawn(d);
        return failed;
    }
    d->next = *bucket;
    *found = *bucket = d;
    if (set->last)
        set->last->later = d;
    else
        set->first = d;
    set->last = d;
    return 0;
}

void batch_drawn_clear(batch_drawn_set *set)
{
    for (size_t i = 0; i < sizeof set->buckets / sizeof set->buckets[0]; i++)
        while (set->buckets[i]) {
            batch_drawn *d = set->buckets[i];
            set->buckets[i] = d->next;
            free_drawn(d);
        }
    set->first = set->last = NULL;
}
