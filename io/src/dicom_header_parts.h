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

/* What an element says takes the place of what is there already; where it is absent or empty, all
 * stays as it is, for a frame's group may lack what its image says. Anything but numbers, and too
 * few of them, are refused where they decide places or intensities. */

/* `count` numbers, at most 6; *has becomes 1. */
sgio_status sgio_header_vector(const sgio_dicom_header *header, enum sgio_dicom_tag tag, int count,
                               double *out, int *has);

/* Distances between rows and between columns, mm, and the slice's has_spacing. */
sgio_status sgio_header_spacing(const sgio_dicom_header *header, enum sgio_dicom_tag tag);

/* Unit vectors along a row and down a column; *has becomes 1. */
sgio_status sgio_header_directions(const sgio_dicom_header *header, enum sgio_dicom_tag tag,
                                   int *has);

/* Slope, intercept and their unit; of one alone the other is 1 or 0, which they also are where
 * nothing was said before. One that cannot be read would be wrong intensities without a word, and
 * is refused. */
sgio_status sgio_header_rescale(const sgio_dicom_header *header);

void sgio_header_thickness(const sgio_dicom_header *header);

/* What a text is as one of the slice's attributes. */
double sgio_header_checksum(const char *text);

/* The direction of diffusion. */
void sgio_header_gradient(const sgio_dicom_header *header);

/* The slice's attributes but image type and stack. */
void sgio_header_attributes(const sgio_dicom_header *header);

#endif
