/* Post-processing of a mask that was asked for by a tight box.
 *
 * A box drawn around an object touches it on all four sides, but networks under-fill boxes and
 * leave holes in textured objects. Where a model's metadata say `tight_box = 1` (or the caller says
 * so), the threshold is lowered until the mask spans 94 % of the box, and holes are filled. The
 * raw mask is what sgm_predict_options.tight_box = SGM_TIGHT_BOX_OFF gives. */
#ifndef SEGMODEL_PREDICT_SESSION_TIGHT_BOX_H
#define SEGMODEL_PREDICT_SESSION_TIGHT_BOX_H

#include "segmodel/segmodel.h"

/* The metadata key of checkpoints that want it; the value is "1". */
#define SGM_METADATA_TIGHT_BOX "tight_box"

/* The threshold in [-SGM_TIGHT_BOX_DEEPEST, usual], the highest at which {logits > threshold}
 * inside the box spans SGM_TIGHT_BOX_SPAN of its width and height; `usual`, the model's own, when
 * none does, for then the object is not what the box says. low: side x side logits, box in the
 * pixels of this map with the centre of the first pixel at 0. */
float sgm_tight_box_threshold(const float *low, int side, const sgm_box *box, float usual);

#define SGM_TIGHT_BOX_SPAN 0.94
#define SGM_TIGHT_BOX_DEEPEST 2.0

#endif
