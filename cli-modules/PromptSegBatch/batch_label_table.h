/* Tables of names and values: labels.tsv of the batch, <id>.tsv of a row. */
#ifndef PROMPTSEG_BATCH_LABEL_TABLE_H
#define PROMPTSEG_BATCH_LABEL_TABLE_H

#include "batch_plan.h"

/* The name as tables show it: without line breaks, cut at 255 bytes. */
enum { BATCH_SHOWN_NAME = 256 };
const char *batch_label_shown(const char *name, char out[BATCH_SHOWN_NAME]);

/* Reads a table; of a name that is there several times the first line is rank 0. Release with
 * label_values_clear, also after a failure. 0; CLI_EXIT_INPUT with a message for anything but such
 * a table; CLI_EXIT_MEMORY. */
int batch_label_table_read(const char *path, label_values *out);

/* 1 when the output folder has a table of a run before. */
int batch_label_table_is_there(const batch_plan *plan);

/* Reads it. */
int batch_label_table_read_all(const batch_plan *plan, label_values *out);

/* Writes plan->labels to plan->labels_path, unless that holds them already. 0, CLI_EXIT_MEMORY or
 * CLI_EXIT_OUTPUT with a message. */
int batch_label_table_write(const batch_plan *plan);

#endif
