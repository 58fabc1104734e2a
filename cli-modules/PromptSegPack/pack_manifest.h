/* The manifest of a training pack: a CSV file with a header line and the columns
 *   image, label, dataset, modality, anatomy, kind, split
 * in any order. `kind` is class or instance, with "-thin" behind it for trees such as vessels;
 * `split` is train, val or heldout (the whole data set is kept aside). modality and anatomy may be
 * left out. Paths are relative to the root the caller gives. */
#ifndef PROMPTSEG_PACK_MANIFEST_H
#define PROMPTSEG_PACK_MANIFEST_H

#include <stddef.h>

#include "cli_table.h"

typedef struct pack_row {
    char *image, *label, *dataset, *modality, *anatomy;
    int instances, thin, validation, held_out;
    int line; /* in the file, for messages */
} pack_row;

typedef struct pack_manifest {
    pack_row *rows;
    size_t count;
    cli_table table; /* what the rows point into */
} pack_manifest;

/* 0, or an exit code (cli_exit.h) with cli_last_message() naming file and line. An empty manifest
 * is an error, and so is a row that would train on data reserved for validation, demos or tests. */
int pack_manifest_read(const char *path, pack_manifest *out);
void pack_manifest_clear(pack_manifest *manifest);

#endif
