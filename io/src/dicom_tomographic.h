/* Slices that nuclear medicine reconstructs (SPECT): frames of one file, whose first place and step
 * alone are told (PS3.3 C.8.4.15, C.8.4.8). */
#ifndef SGIO_DICOM_TOMOGRAPHIC_H
#define SGIO_DICOM_TOMOGRAPHIC_H

#include "dicom_set.h"
#include "dicom_slice.h"

typedef struct sgio_dicom_tomographic {
    double position[3], cosines[6]; /* of the first slice, LPS mm; along a row, down a column */
    double step;                    /* mm along row x column; negative: against it */
} sgio_dicom_tomographic;

/* Whether the frames are such slices. */
int sgio_dicom_is_tomographic(const sgio_dicom_set *set);

/* SGIO_UNREADABLE where position, orientation or the distance of slices is missing or no number. */
sgio_status sgio_dicom_read_tomographic(const sgio_dicom_set *set, sgio_dicom_tomographic *out);

/* Where frame `frame` (from 0) lies. */
void sgio_dicom_tomographic_place(const sgio_dicom_set *set, const sgio_dicom_tomographic *slices,
                                  int frame, double position[3]);

/* Appends a slice for each frame of the image `common`; time slots (gated) and energy windows part
 * them. After a failure some may have been appended. */
sgio_status sgio_dicom_add_tomographic(const sgio_dicom_set *set, const sgio_dicom_slice *common,
                                       sgio_dicom_slices *slices);

#endif
