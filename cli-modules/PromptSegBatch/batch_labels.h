/* Values of the segments in plain label maps: one for each name of the whole manifest, so that an
 * organ has the same one in every case. They follow from the manifest, what it names, and
 * --labelValues; a shard, or a run that goes on, finds the same ones. */
#ifndef PROMPTSEG_BATCH_LABELS_H
#define PROMPTSEG_BATCH_LABELS_H

#include "batch_plan.h"
#include "engine.h"

/* Numbers the names of all rows with plain outputs: those of --labelValues as it says; those of
 * segmentations that rows begin with (initial, boxes, maskPrompts) as there, where the value is
 * free; all others in the manifest's order. What cannot be read is left to its row. Nothing where
 * no output is plain. 0, or an exit code with a message; CLI_EXIT_CANCELLED once a signal came. */
int batch_labels_make(batch_plan *plan, const pipeline_engine *engine);

/* The table of all names, <folder>/labels.tsv. 0, or an exit code with a message. */
int batch_labels_write(const batch_plan *plan);

/* Adds the values of the row's names to its key, unless they are those that a run by itself has;
 * where not all its names are known (RT structure sets), the values of all names. */
void batch_labels_mix(const batch_plan *plan, const batch_row *row, uint64_t *key);

#endif
