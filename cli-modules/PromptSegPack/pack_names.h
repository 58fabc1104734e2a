/* Names of items: what CSV tables, prompt files and feature files call a slice. Within a data set
 * no two are the same. */
#ifndef PROMPTSEG_PACK_NAMES_H
#define PROMPTSEG_PACK_NAMES_H

#include <stdint.h>

#include "pack_manifest.h"
#include "train/pack.h"

/* Gives each row its stem: the image's file name without a known ending, and before it as many of
 * its folders as tell it from the other rows of its data set (all of a folder alike); of an image
 * that several rows have, the volume, the axis and the label map's name behind it. It depends on
 * the manifest alone. 0, or an exit code with a message: a row is there twice, or memory is short.
 */
int pack_names_make(pack_manifest *manifest);

/* The stem, cut at its beginning where it is too long; of a volume with its slice behind it. */
void pack_names_item(const pack_row *row, int is_stack, int64_t slice, char name[SGM_PACK_TEXT]);

#endif
