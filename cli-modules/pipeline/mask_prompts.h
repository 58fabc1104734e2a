/* Masks that another network made of a sequence's frames, as prompts. */
#ifndef PROMPTSEG_PIPELINE_MASK_PROMPTS_H
#define PROMPTSEG_PIPELINE_MASK_PROMPTS_H

#include "cli_warnings.h"
#include "sgio/labelmap.h"

enum { MASK_PROMPTS_MOST_LABELS = 16 };

/* Reads masks for the frames of `sequence` into *out, on its grid: a folder of numbered pictures
 * (or a pattern), matched by the numbers in the names where frames have names and in order where
 * not; or a file of as many slices. Frames may lack a mask, but not all of them. Values: one beside
 * 0 becomes the segment `name`; up to 16 are labels, "Segment_<value>" each; more are a grey map,
 * inside from the middle of its range on, with a warning. 0; CLI_EXIT_INPUT for what cannot be
 * read; CLI_EXIT_PROMPT for what does not fit; CLI_EXIT_MEMORY. */
int mask_prompts_read(const char *path, const char *name, const sgio_volume *sequence,
                      cli_warnings *warnings, sgio_segmentation *out);

/* The values alone of the segments that mask_prompts_read makes, ascending, whatever the frames: a
 * value by itself is the segment `name`, several are "Segment_<value>" each. Fails as it does. */
int mask_prompts_values(const char *path, cli_warnings *warnings,
                        int values[MASK_PROMPTS_MOST_LABELS], size_t *count);

#endif
