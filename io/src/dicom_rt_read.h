/* RT structure sets as segmentations. */
#ifndef SGIO_DICOM_RT_READ_H
#define SGIO_DICOM_RT_READ_H

#include "dicom_set.h"
#include "sgio/labelmap.h"

#define SGIO_DICOM_RTSTRUCT_CLASS "1.2.840.10008.5.1.4.1.1.481.3"

/* Fills the contours of `path` on the slices of options->grid. Without one SGIO_UNREADABLE: a
 * structure set has no grid. */
sgio_status sgio_read_rtstruct(const char *path, const sgio_segmentation_read_options *options,
                               sgio_segmentation *out);

#endif
