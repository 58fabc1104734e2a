/* DICOM volumes as lines of text. */
#ifndef SGIO_DICOM_LISTING_H
#define SGIO_DICOM_LISTING_H

#include "dicom_sort.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One line per volume: number, series UID, modality, size, spacing, description, and, of volumes
 * that are alike in these, what separates them (contrast agent, kernel, echo, times, ...).
 * malloc'ed, NULL when memory is out. */
char *sgio_dicom_list(const sgio_dicom_slices *slices, const sgio_dicom_volumes *volumes);

#ifdef __cplusplus
}
#endif
#endif
