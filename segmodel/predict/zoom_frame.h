/* Frames: the part of a picture that the network looks at, in whole pixels. */
#ifndef SEGMODEL_PREDICT_ZOOM_FRAME_H
#define SEGMODEL_PREDICT_ZOOM_FRAME_H

#include "segmodel/segmodel.h"

/* width 0: no frame. */
typedef struct sgm_frame {
    int x, y, width, height;
} sgm_frame;

/* A frame's side is at least this many times the extent it is made for. The trainer crops with
 * margins around it (default model: 1.3, what a first trial found best). */
#define SGM_FRAME_MARGIN 1.3
/* Nothing smaller: a few pixels enlarged to the whole input hold no texture to go by. */
#define SGM_FRAME_MIN_SIDE 32

sgm_frame sgm_frame_whole(int width, int height);
int sgm_frame_equal(sgm_frame a, sgm_frame b);

/* Square of at least `side` around (x, y), snapped to a coarse grid: sides go in steps of a quarter
 * octave, origins in steps of a sixteenth of the side, so that neighbouring prompts and slices ask
 * for the same frame. It is shifted inside the picture and cut where the picture is smaller. */
sgm_frame sgm_frame_at(double x, double y, double side, int width, int height);

/* Frame for an object of this extent. */
sgm_frame sgm_frame_around(const sgm_box *extent, int width, int height);

/* Whether a frame still serves this extent: it lies well inside (or the frame ends with the
 * picture), and the frame is not more than twice as large as needed. */
int sgm_frame_serves(sgm_frame frame, const sgm_box *extent, int width, int height);

/* Whether a mask of this extent reaches a side of the frame that is not the picture's. */
int sgm_frame_is_touched(sgm_frame frame, const sgm_box *extent, int width, int height);

sgm_box sgm_box_union(const sgm_box *a, const sgm_box *b);

#endif
