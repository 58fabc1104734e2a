/* Frames in space of an enhanced DICOM image, as slices. */
#ifndef SGIO_DICOM_ENHANCED_H
#define SGIO_DICOM_ENHANCED_H

#include "dicom_set.h"
#include "dicom_slice.h"

/* Appends a slice for each frame of the image `common`, which holds what its data set says of all;
 * what functional groups say goes before it. SGIO_UNREADABLE: a frame without a place among others
 * that have one, groups that are fewer or more than frames, values that make no sense. After a
 * failure some may have been appended. */
sgio_status sgio_dicom_add_frames(const sgio_dicom_set *set, const sgio_dicom_slice *common,
                                  sgio_dicom_slices *slices);

#endif
