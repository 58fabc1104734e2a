/* Which slices are copies of others. */
#ifndef SGIO_DICOM_COPIES_H
#define SGIO_DICOM_COPIES_H

#include "dicom_slice.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgio_dicom_copies {
    size_t copies;  /* files that are left out because another one holds the same instance */
    size_t repeats; /* files with another one's instance UID that are no copies of it */
} sgio_dicom_copies;

/* All slices but copies (of equal ones the first in the order of `slices` stays) into `index`,
 * which has room for all. Copies agree in instance UID and frame, and in series, instance number
 * and position: anonymisers exist that give all slices one UID, and workstations that keep it in
 * the series they derive. SGIO_OUT_OF_MEMORY. */
sgio_status sgio_dicom_list_distinct(const sgio_dicom_slices *slices, size_t *index, size_t *count,
                                     sgio_dicom_copies *found);

#ifdef __cplusplus
}
#endif
#endif
