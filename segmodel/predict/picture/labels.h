/* Label volumes of any voxel type. */
#ifndef SEGMODEL_PREDICT_PICTURE_LABELS_H
#define SEGMODEL_PREDICT_PICTURE_LABELS_H

#include "segmodel/volume.h"

/* match[n] = 1 where element start + n * stride is `value` (0: is not 0), else 0. A value that the
 * type cannot hold matches nothing. Returns how many match. */
int64_t sgm_labels_match(const void *labels, sgm_voxel type, int64_t value, int64_t start,
                         int64_t stride, int64_t count, uint8_t *match);

/* Whether an integer type holds a value; 0 for floating-point types. */
int sgm_labels_fit(sgm_voxel type, int64_t value);

/* Sets `count` elements; the type is an integer type that holds the value. */
void sgm_labels_fill(void *labels, sgm_voxel type, int64_t value, int64_t start, int64_t stride,
                     int64_t count);

#endif
