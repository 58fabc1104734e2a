/* Reading voxels of any type. */
#ifndef SEGMODEL_PREDICT_PICTURE_VOXEL_H
#define SEGMODEL_PREDICT_PICTURE_VOXEL_H

#include "segmodel/volume.h"

/* `count` values from element `start` on (channels counted), `stride` elements apart; NaN stays. */
void sgm_voxel_read(const sgm_volume *volume, int64_t start, int64_t stride, int64_t count,
                    double *values);

#endif
