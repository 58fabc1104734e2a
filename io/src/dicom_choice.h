/* Choosing among DICOM volumes by what the user says of them (--series). */
#ifndef SGIO_DICOM_CHOICE_H
#define SGIO_DICOM_CHOICE_H

#include "dicom_sort.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sorts all slices, and finds the volume that `series` names:
 *  - NULL or "": the only one, or the one that the named file belongs to;
 *  - a number in the listing, or a series UID;
 *  - several of either, with ranges of numbers ("1,4-7"), or "all": these are joined, as if they
 *    had one series UID, and must then form one volume. Slices of other volumes leave *slices.
 * `allow_gaps` joins stacks of different spacing. SGIO_UNREADABLE with the listing when the choice
 * is not unique; `path` is for messages. *volumes is to be released with
 * sgio_dicom_volumes_clear, also after a failure. */
sgio_status sgio_dicom_choose(const char *path, sgio_dicom_slices *slices, const char *series,
                              int allow_gaps, sgio_dicom_volumes *volumes, size_t *chosen);

#ifdef __cplusplus
}
#endif
#endif
