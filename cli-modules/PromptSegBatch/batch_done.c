#include "batch_done.h"

#include <string.h>
#include <sys/stat.h>

#include "batch_hash.h"
#include "batch_outputs.h"
#include "sgio/labelmap.h"

static int is_there(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* Of what may lie beside a scene its segmentation always does. */
static void count_missing(void *missing, const char *path)
{
    const char ending[] = ".seg.nrrd";
    const size_t length = strlen(path), size = sizeof ending - 1;
    if (length > size && strcmp(path + length - size, ending) == 0)
        *(int *)missing += !is_there(path);
}

static int files_are_there(const batch_plan *plan, const batch_row *row, int has_labels)
{
    char labels[4096];
    int missing = !is_there(row->output) + (row->report && !is_there(row->report)) +
                  (row->picture && !is_there(row->picture));
    sgio_segmentation_beside(row->output, NULL, count_missing, &missing);
    const int is_plain = batch_output_labels(row->output, labels, sizeof labels);
    if (cli_switch(plan->options, "bids") || (is_plain && has_labels)) missing += !is_there(labels);
    return missing == 0;
}

/* `said` is 0 where the line says nothing. */
static int is_same(const batch_plan *plan, const char *path, uint64_t said)
{
    return !path || !said || batch_hash_text(batch_output_name(plan->folder, path)) == said;
}

int batch_is_done(const batch_plan *plan, const batch_journal *journal, size_t i)
{
    const batch_row *row = &plan->rows[i];
    const batch_entry *entry = batch_journal_entry(journal, i);
    if (!entry->known || !entry->done || entry->key != row->key) return 0;
    return is_same(plan, row->output, entry->output) && is_same(plan, row->report, entry->report) &&
           is_same(plan, row->picture, entry->picture) && entry->finished > entry->overwritten &&
           files_are_there(plan, row, entry->has_labels);
}
