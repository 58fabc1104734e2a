/* From intensities to the 8 bits that networks are fed. */
#ifndef SEGMODEL_PREDICT_PICTURE_WINDOW_H
#define SEGMODEL_PREDICT_PICTURE_WINDOW_H

#include "segmodel/volume.h"

/* The window that is meant, looking at the voxels only where it must (percentiles, whole range):
 * at their values, not at their type. `manual`: low and high of SGM_WINDOW_MANUAL, not read for
 * others. `hounsfield` of the volume is ON or OFF. low < high always. SGM_INVALID_ARGUMENT for a
 * manual window that is none; SGM_CANCELLED. */
sgm_status sgm_window_choose(const sgm_volume *volume, sgm_window window, const double manual[2],
                             double *low, double *high);

/* The same for a volume that may not say what its values are: their looks decide then, and
 * `hounsfield` is set. *doubt: a sentence that warns of it, in static storage, or NULL. */
sgm_status sgm_window_settle(sgm_volume *volume, sgm_window window, const double manual[2],
                             double *low, double *high, const char **doubt);

/* sgm_volume_looks_hounsfield, with what kept it from an answer: SGM_CANCELLED. It takes no memory.
 */
sgm_status sgm_window_looks_hounsfield(const sgm_volume *volume, int *looks);

/* SGM_INVALID_ARGUMENT for a manual window that is none. */
sgm_status sgm_window_check(sgm_window window, const double manual[2]);

/* The values of two quantiles (0 <= q[0] <= q[1] <= 1) among the finite voxels that are not
 * padding: exact for whole numbers, else to 1/4096 of the distance between both; from at most about
 * 32 million voxels, in rows at even steps. low = high = 0 if there are none. */
sgm_status sgm_window_quantiles(const sgm_volume *volume, const double q[2], double *low,
                                double *high);

/* Whether a value is no data: NaN or padding. */
int sgm_window_is_padding(const sgm_volume *volume, double value);

#endif
