/* RT structure sets (PS3.3 A.19): segments as contours on the slices of the series. */
#ifndef SGIO_DICOM_RT_WRITE_H
#define SGIO_DICOM_RT_WRITE_H

#include "formats.h"

/* For the row of formats.c. */
sgio_status sgio_check_rtstruct(const char *path, const sgio_geometry *grid,
                                const sgio_segmentation_write_options *options);
sgio_status sgio_write_rtstruct(const sgio_label_job *job, sgio_atomic_file *file);

#endif
