/* The manifest of a training pack: a CSV file with a header line and the columns
 *   image, label, dataset, modality, anatomy, kind, split
 * in any order, and if wanted `series`, `volume` and `axis`. `series` is what --series of PromptSeg
 * takes for the image: the number of a volume of a four-dimensional file, or a DICOM series. `kind`
 * is class or instance, with "-thin" behind it for trees such as vessels; `split` is train, val
 * (kept aside to choose a snapshot by) or heldout (kept aside from that too), row by row. Rows of
 * one data set agree in kind, modality and anatomy; the last two may be left out. `volume` names
 * the stack or sequence that pictures of a data set belong to, row by row in its order; a file of
 * several slices is one by itself. `axis` is what --axis of PromptSeg takes. Paths are relative to
 * the root the caller gives. */
#ifndef PROMPTSEG_PACK_MANIFEST_H
#define PROMPTSEG_PACK_MANIFEST_H

#include <stddef.h>

#include "cli_table.h"
#include "segmodel/volume.h"

typedef struct pack_row {
    char *image, *label, *dataset, *modality, *anatomy;
    char *series, *volume; /* "": none */
    sgm_axis axis;
    int instances, thin, validation, held_out;
    int line;   /* in the file, for messages */
    char *stem; /* owned; NULL before pack_names_make */
} pack_row;

enum { PACK_PATH = 4096 };

typedef struct pack_manifest {
    pack_row *rows;
    size_t count;
    cli_table table; /* what the rows point into */
} pack_manifest;

/* 0, or an exit code (cli_exit.h) with cli_last_message() naming file and line. An empty manifest
 * is an error, and so are a row that would train on data reserved for validation and rows that do
 * not go together (pack_sets.h). */
int pack_manifest_read(const char *path, pack_manifest *out);
/* A path of the manifest, from where this program runs: `root` is where its paths begin. 0, or
 * CLI_EXIT_INPUT: it is too long. */
int pack_manifest_path(const char *root, const char *path, char full[PACK_PATH]);

/* As the column `axis` has it. */
const char *pack_axis_name(sgm_axis axis);

void pack_manifest_clear(pack_manifest *manifest);

#endif
