/* What one slice is asked, and what it answers. */
#ifndef PROMPTSEG_EVERYTHING_ASK_H
#define PROMPTSEG_EVERYTHING_ASK_H

#include "detections.h"
#include "engine.h"
#include "slice_masks.h"

/* Masks of everything, from a grid of points. 0, or an exit code with a message; *out is to be
 * cleared after success. */
int everything_ask_grid(const pipeline_engine *engine, const sgm_image *picture, int64_t slice,
                        const sgm_everything_options *options, const sgm_call *call,
                        slice_masks *out);

/* A mask for each box, in the file's order. Boxes are clipped to the picture; one that lies outside
 * of it altogether is CLI_EXIT_PROMPT. `name` is the file's in messages. */
int everything_ask_boxes(const pipeline_engine *engine, const sgm_image *picture, int64_t slice,
                         const detections *boxes, const char *name, const sgm_call *call,
                         slice_masks *out);

#endif
