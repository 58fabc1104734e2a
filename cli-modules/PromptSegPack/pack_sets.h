/* What rows of a manifest must agree in. */
#ifndef PROMPTSEG_PACK_SETS_H
#define PROMPTSEG_PACK_SETS_H

#include "cli_warnings.h"
#include "pack_manifest.h"

/* Rows of one data set agree in modality, anatomy and kind, and the pictures of one sequence in
 * their split; `path` is the manifest. 0, or CLI_EXIT_INPUT naming both lines. */
int pack_sets_check(const char *path, const pack_manifest *manifest);

/* No file is on two sides of the split: an image twice in one data set is refused with both lines;
 * an image of two data sets, or a label map, is warned of. Files are compared, not names. `root` is
 * where paths begin. 0, or CLI_EXIT_INPUT. */
int pack_sets_check_files(const char *root, const pack_manifest *manifest, cli_warnings *warnings);

#endif
