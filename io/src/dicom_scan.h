/* The DICOM image headers found at a path. */
#ifndef SGIO_DICOM_SCAN_H
#define SGIO_DICOM_SCAN_H

#include "dicom_slice.h"
#include "sgio/file_tree.h"
#include "sgio/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A directory: all images in it and in its subdirectories (what a DICOMDIR lies beside), whatever
 * their names. What could not be read, or is no image, is left out with one warning: also files
 * that are empty or may not be opened. A file: the images of its series in its directory, files
 * that may be of its series and cannot be read being left out likewise. A DICOMDIR: as its
 * directory. SGIO_UNREADABLE when there is none. */
sgio_status sgio_dicom_scan(const char *path, const sgio_read_options *options,
                            sgio_dicom_slices *slices);

/* Of a directory whose files are listed already. */
sgio_status sgio_dicom_scan_tree(const char *directory, const sgio_file_tree *tree,
                                 const sgio_read_options *options, sgio_dicom_slices *slices);

#ifdef __cplusplus
}
#endif
#endif
