/* Values of the segments in plain label maps: one for each name in the whole folder, so that an
 * organ has the same one in every case, in every shard and in a run that goes on. */
#ifndef PROMPTSEG_BATCH_LABELS_H
#define PROMPTSEG_BATCH_LABELS_H

#include "batch_journal.h"
#include "batch_plan.h"
#include "cli_warnings.h"
#include "engine.h"

/* Numbers the names of all rows with plain outputs: those of --labelValues as it says; those of the
 * folder's table as there; those of segmentations that rows begin with (initial, boxes,
 * maskPrompts) as there, where the value is free; then others by the lowest value that is left, in
 * the manifest's order. Writes the table, <folder>/labels.tsv, where it has changed.
 *
 * Of several processes one numbers at a time; only the first one reads what rows in state
 * BATCH_ELSEWHERE begin with. Nothing where no output is plain. `is_shard`: a table that cannot be
 * written is a warning. 0, or an exit code with a message; CLI_EXIT_CANCELLED once a signal came.
 */
int batch_labels_make(batch_plan *plan, batch_journal *journal, const pipeline_engine *engine,
                      int is_shard, cli_warnings *warnings);

/* Adds the values of the row's names to its key, unless they are those that a run by itself has;
 * where not all its names are known (RT structure sets), the values of all names. */
void batch_labels_mix(const batch_plan *plan, const batch_row *row, uint64_t *key);

#endif
