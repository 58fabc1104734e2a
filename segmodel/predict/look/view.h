/* Views: the part of a picture that the network looks at, in whole pixels. */
#ifndef SEGMODEL_PREDICT_LOOK_VIEW_H
#define SEGMODEL_PREDICT_LOOK_VIEW_H

#include "segmodel/segmodel.h"

/* width 0: no view. */
typedef struct sgm_view {
    int x, y, width, height;
} sgm_view;

/* A view's side is at least this many times the extent it is made for (1.45 to 2.05 times with the
 * grid): what train/sampler.c draws tight windows from. */
#define SGM_VIEW_MARGIN 1.45
/* Nothing smaller: a few pixels enlarged to the whole input hold no texture to go by. */
#define SGM_VIEW_MIN_SIDE 32

sgm_view sgm_view_whole(int width, int height);
int sgm_view_equal(sgm_view a, sgm_view b);

/* Square of at least `side` around (x, y), snapped to a coarse grid: sides go in steps of half an
 * octave down from the picture's, origins in steps of an eighth of the side, so that neighbouring
 * prompts and slices ask for the same view and share its embedding. It is shifted inside the picture
 * and cut where the picture is smaller. */
sgm_view sgm_view_at(double x, double y, double side, int width, int height);

/* View for an object of this extent. */
sgm_view sgm_view_around(const sgm_box *extent, int width, int height);

/* Whether a view still serves this extent: it lies well inside (or the view ends with the
 * picture), and the view is not more than one and a half times as large as needed. */
int sgm_view_serves(sgm_view view, const sgm_box *extent, int width, int height);

/* Whether a mask of this extent reaches a side of the view that is not the picture's. */
int sgm_view_is_touched(sgm_view view, const sgm_box *extent, int width, int height);

sgm_box sgm_box_union(const sgm_box *a, const sgm_box *b);

#endif
