/* A first guess at the mask, from the prompt's geometry alone, for models that ask for it.
 *
 * A small network that must read a box out of two position encodings needs long training; shown as
 * a picture, it knows at once where to look. Models trained here with `prompt_prior = 1` therefore
 * take these logits as their mask prompt whenever the user gives none: the ellipse inscribed in the
 * box, and a small bump at every point (up for foreground, down for background). */
#ifndef SEGMODEL_PREDICT_SESSION_PROMPT_PRIOR_H
#define SEGMODEL_PREDICT_SESSION_PROMPT_PRIOR_H

#include "segmodel/segmodel.h"

/* The metadata key of checkpoints that want it; the value is "1". */
#define SGM_METADATA_PROMPT_PRIOR "prompt_prior"

/* Of those that understand sgm_prompt.loose_box; the value is "1". */
#define SGM_METADATA_LOOSE_BOX "loose_box"

/* Fills logits[side * side]. Coordinates are pixels of the low-res grid with the centre of the
 * first pixel at 0; box may be NULL. */
void sgm_prompt_prior(const sgm_point *points, size_t point_count, const sgm_box *box, int side,
                      float *logits);

/* The same for a box that only bounds its object: a user's 3D box cut by a slice, or a sloppy
 * frame. Nothing is claimed about the outline: from 1 in the middle to -1 at the box's sides,
 * falling to -8 outside. */
void sgm_prompt_prior_loose(const sgm_point *points, size_t point_count, const sgm_box *box,
                            int side, float *logits);

#endif
