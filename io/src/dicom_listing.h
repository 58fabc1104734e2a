/* Naming and choosing among DICOM volumes. */
#ifndef SGIO_DICOM_LISTING_H
#define SGIO_DICOM_LISTING_H

#include "dicom_sort.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One line per volume: number, series UID, modality, size, spacing, description. malloc'ed, NULL
 * when memory is out. */
char *sgio_dicom_list(const sgio_dicom_slices *slices, const sgio_dicom_volumes *volumes);

/* The volume that `series` names, by series UID or 1-based number. NULL: the only one, or the one
 * that the file `path` belongs to. SGIO_UNREADABLE with the listing when that is not unique. */
sgio_status sgio_dicom_choose(const char *path, const sgio_dicom_slices *slices,
                              const sgio_dicom_volumes *volumes, const char *series,
                              size_t *chosen);

/* 1 for a string of digits, as opposed to a UID. */
int sgio_is_volume_number(const char *series);

#ifdef __cplusplus
}
#endif
#endif
