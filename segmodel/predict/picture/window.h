/* From intensities to the 8 bits that networks are fed. */
#ifndef SEGMODEL_PREDICT_PICTURE_WINDOW_H
#define SEGMODEL_PREDICT_PICTURE_WINDOW_H

#include "segmodel/volume.h"

/* What the options ask for, looking at the voxels only where it must (percentiles, whole range):
 * at their values, not at their type. `hounsfield` of the volume is ON or OFF. low < high always.
 * SGM_INVALID_ARGUMENT for a manual window that is none; SGM_CANCELLED. */
sgm_status sgm_window_choose(const sgm_volume *volume, const sgm_volume_options *options,
                             double *low, double *high);

/* SGM_INVALID_ARGUMENT for a manual window that is none. */
sgm_status sgm_window_check(const sgm_volume_options *options);

/* The values of two quantiles (0 <= q[0] <= q[1] <= 1) among the finite voxels that are not
 * padding: exact for whole numbers, else to 1/4096 of the distance between both; from at most about
 * 32 million voxels, in rows at even steps. low = high = 0 if there are none. */
sgm_status sgm_window_quantiles(const sgm_volume *volume, const double q[2], double *low,
                                double *high);

/* Whether a value is no data: NaN or padding. */
int sgm_window_is_padding(const sgm_volume *volume, double value);

#endif
