/* What a header says in its data set, and an enhanced one for each of its frames: numbers, and the
 * parts of a slice that are made of them. */
#ifndef SGIO_DICOM_HEADER_PARTS_H
#define SGIO_DICOM_HEADER_PARTS_H

#include "dicom_set.h"
#include "dicom_slice.h"

/* The data set or item being read, and what is read from it. */
typedef struct sgio_dicom_header {
    const sgio_dicom_set *set;
    sgio_dicom_slice *slice;
} sgio_dicom_header;

/* What is not written as a number is noted in the slice; *value is `fallback` then. 1 when there is
 * a value. */
int sgio_header_number(const sgio_dicom_header *header, enum sgio_dicom_tag tag, int index,
                       double fallback, double *value);
int sgio_header_whole(const sgio_dicom_header *header, enum sgio_dicom_tag tag, int fallback);

/* SGIO_UNREADABLE: "FILE: PixelSpacing "0\0" makes no sense". */
sgio_status sgio_header_refuse_number(const sgio_dicom_header *header, enum sgio_dicom_tag tag);

/* `count` numbers. *has is 0 when the element is absent or empty; anything but numbers, and too few
 * of them, are refused, for they decide where voxels are. */
sgio_status sgio_header_vector(const sgio_dicom_header *header, enum sgio_dicom_tag tag, int count,
                               double *out, int *has);

/* Distances between rows and between columns, mm; the slice's has_spacing is 0 and they stay as
 * they are where there is no such element. */
sgio_status sgio_header_spacing(const sgio_dicom_header *header, enum sgio_dicom_tag tag);

/* Unit vectors along a row and down a column; *has as above. */
sgio_status sgio_header_directions(const sgio_dicom_header *header, enum sgio_dicom_tag tag,
                                   int *has);

/* Slope, intercept and their unit: 1, 0 and "" where there are none. One that cannot be read would
 * be wrong intensities without a word, and is refused. */
sgio_status sgio_header_rescale(const sgio_dicom_header *header);

/* 0 when there is none. */
void sgio_header_thickness(const sgio_dicom_header *header);

#endif
