/* How an object has moved from one moment to the next, by what it looks like: in a sequence it
 * leaves the place that its mask had. */
#ifndef SEGMODEL_PREDICT_VOLUME_MOTION_H
#define SEGMODEL_PREDICT_VOLUME_MOTION_H

#include "segmodel/segmodel.h"

/* Whole pixels; 0, 0 where it stays, or where it cannot be told. */
typedef struct sgm_motion {
    int x, y;
} sgm_motion;

/* Of the object under `mask` (of the pictures' size, 0 or 1; `extent` is its bounding box) of
 * picture `before` in picture `now`, which has the same size: the shift, of up to half of the
 * object's longer side, at which both correlate best over the object and its rim, if that is
 * clearly more than where it was. Blocks of pixels are compared, a twenty-fourth of the longer side
 * wide. Any number of threads. */
sgm_motion sgm_motion_of(const sgm_image *before, const uint8_t *mask, const sgm_box *extent,
                         const sgm_image *now);

#endif
