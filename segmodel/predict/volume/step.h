/* Steps: what a walk asks about one slice, and the answer.
 *
 * A step holds everything that its answer may depend on. Answers are kept by the exact step
 * (answers.h), so that a step asked again is not computed again, and a live volume gives what a run
 * from nothing would: whoever computes an answer (decode.c, propagate.c) must read nothing but the
 * step, the volume, the options and the network. */
#ifndef SEGMODEL_PREDICT_VOLUME_STEP_H
#define SEGMODEL_PREDICT_VOLUME_STEP_H

#include "predict/look/view.h"
#include "predict/picture/packed_mask.h"
#include "predict/volume/prompts.h"
#include "predict/volume/stop.h"

typedef struct sgm_answer sgm_answer;

typedef enum sgm_step_kind {
    SGM_STEP_PROMPTED, /* decoded from the object's own prompts */
    SGM_STEP_ALONE,    /* the next slice of a walk */
    SGM_STEP_MEETING,  /* the slice in the middle of two walks */
    SGM_STEP_KEPT,     /* the object's initial mask as it is */
    SGM_STEP_CLICKED,  /* a slice whose last point says that its mask is wrong there */
    SGM_STEP_FOLLOWED, /* the neighbour of a slice that a click has changed */
    SGM_STEP_ENDED,    /* a slice that the object does not reach, as a click on it says or, by its
                          neighbour, one on a slice before */
    SGM_STEP_CLASS     /* asked for class `label` without any prompt: classes.c */
} sgm_step_kind;

typedef struct sgm_volume_step {
    sgm_step_kind kind;
    int axis;
    int64_t slice;
    int has_rois;                   /* the object has some, on this slice or others */
    int rois_are_deep;              /* they cross more than one slice */
    int is_outer;                   /* no prompted slice lies ahead */
    sgm_slice_prompt own;           /* what lies on the slice */
    const sgm_packed_mask *initial; /* of the slice; NULL: none */
    int by_mask;                    /* the neighbour's mask alone is asked */
    int label; /* of CLICKED and FOLLOWED: what the click calls its place; of CLASS the class */
    int64_t largest; /* of FOLLOWED: voxels up to which the change may be wider than the last one */
    /* Of ALONE the neighbour, of MEETING those below and above. Of CLICKED the slice whose logits
     * are asked with (this or a neighbour), of FOLLOWED the changed neighbour, of ENDED nothing;
     * then what stood on the slice before (NULL: nothing). */
    const sgm_answer *from[2];
    /* The prompted slices these walks left; of FOLLOWED what stood on the neighbour before; of
     * ENDED what stood there and what stands now (NULL: the click lies on the slice itself). */
    const sgm_answer *start[2];
} sgm_volume_step;

struct sgm_answer {
    sgm_stop stop;  /* NONE: the slice is taken, with this mask */
    int has_parted; /* of MEETING: the neighbours share nothing; nothing was asked */
    int is_hole;    /* of CLICKED: what lies at the click looks unlike what stood around it */
    float quality;  /* predicted IoU */
    sgm_packed_mask mask;
    sgm_shades shades; /* where the mask is not empty */
    sgm_view view;
    float *likeness; /* what a walk from here leans to (alike.c): 1 and weights, or 0; NULL: not
                        asked */
    int8_t *logits;  /* of the chosen mask in `view`, packed; NULL: given up, see answers.h */
};

#endif
