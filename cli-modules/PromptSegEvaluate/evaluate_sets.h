/* Two folders of numbered pictures: those of one number belong together. */
#ifndef PROMPTSEG_EVALUATE_SETS_H
#define PROMPTSEG_EVALUATE_SETS_H

#include "cli_warnings.h"
#include "sgio/labelmap.h"

/* One of them, with its path for messages. */
typedef struct evaluate_side {
    const char *path;
    sgio_segmentation *segmentation;
} evaluate_side;

/* Both get a picture for every number that either has, in rising order; one that a side lacks is
 * empty there, and warned about. Nothing happens to folders with pictures of different sizes, nor
 * where neither is one. Beside a single file of slices a folder's order counts, with a warning: the
 * file gets the folder's grid; but one that lies among the pictures, elsewhere than from the first
 * one's corner on, stays there. 0, CLI_EXIT_INPUT when they have no number in common or the file
 * not as many slices, or CLI_EXIT_MEMORY. */
int evaluate_align_sets(evaluate_side reference, evaluate_side prediction, cli_warnings *warnings);

#endif
