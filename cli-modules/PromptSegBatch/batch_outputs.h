/* Where the outputs of a batch lie.
 *
 *   <folder>/<id>.seg.nrrd             the segmentation, or what the row's column `output` says
 *   <folder>/<id>.json                 its report, beside it and named like it
 *   <folder>/<id>.tsv                  names of its values, where it is a plain label map
 *   <folder>/results.csv, summary.json, contact_sheet*.png    of the whole batch
 *   <folder>/labels.tsv                names and values of all plain label maps; in promptseg where
 *                                      the names of the id "labels" lie there
 *   <folder>/promptseg/status-1-of-4.jsonl    what a shard has finished (batch_journal.h)
 *   <folder>/promptseg/thumbnails/<id>.png    for the contact sheet */
#ifndef PROMPTSEG_BATCH_OUTPUTS_H
#define PROMPTSEG_BATCH_OUTPUTS_H

#include <stddef.h>

#include "cli_output.h"

#define BATCH_LABELS_FILE "labels.tsv"

/* Length of the path without the ending of a segmentation's format. */
size_t batch_output_stem(const char *path);

/* The path below the folder that `cell` names, malloc'ed: CLI_EXIT_USAGE when it lies outside. */
int batch_output_inside(const char *folder, const char *cell, char **path);

/* A path below the folder as status files name it: without the folder. */
const char *batch_output_name(const char *folder, const char *path);
/* The table of labels beside a segmentation, as BIDS names it. 1 where a file of that ending needs
 * one: it holds no names. */
int batch_output_labels(const char *output, char *path, size_t size);

/* Makes the folder and those above it. 0, or CLI_EXIT_OUTPUT. */
int batch_make_folder(const char *folder);
/* Makes the folder of a file. */
int batch_make_folder_of(const char *path);

#endif
