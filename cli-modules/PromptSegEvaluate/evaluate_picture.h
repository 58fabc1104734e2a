/* --picture: the slices on which the two differ most, with the outlines of both. */
#ifndef PROMPTSEG_EVALUATE_PICTURE_H
#define PROMPTSEG_EVALUATE_PICTURE_H

#include "evaluate_pairs.h"

/* Of each pair the slices with most voxels that only one side marks (six at most, fewer of several
 * pairs), the middle one where there are none; of more pairs than twelve those of lowest Dice.
 * Reference green, prediction red. Slices lie across the longest step of the grid; those of a set
 * are its pictures. `image`: the file of what is shown behind, its nearest voxels on whatever grid;
 * NULL: black. 0, or an exit code with cli_last_message(). */
int evaluate_write_picture(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                           const evaluate_pairs *pairs, const char *image, const char *path,
                           sgio_outputs *outputs);

#endif
