/* Where the slices of a DICOM file lie, with the very digits that it has: what is written beside it
 * repeats them. */
#ifndef SGIO_DICOM_PLACES_H
#define SGIO_DICOM_PLACES_H

#include "dicom_set.h"
#include "sgio/geometry.h"

/* Characters of one value of VR DS, and bytes of `count` of them as a text. */
#define SGIO_DICOM_DECIMAL 16
#define SGIO_DICOM_DECIMALS(count) ((SGIO_DICOM_DECIMAL + 1) * (count))

typedef struct sgio_dicom_place {
    int has_position;
    double position[3];
    char text[SGIO_DICOM_DECIMALS(3)];
} sgio_dicom_place;

typedef struct sgio_dicom_places {
    sgio_dicom_place *items; /* of the file's only slice, or of each of its frames */
    size_t count;
} sgio_dicom_places;

/* ImagePositionPatient. Release with sgio_dicom_places_clear, also after a failure. */
sgio_status sgio_dicom_read_places(const sgio_dicom_set *set, sgio_dicom_places *out);
void sgio_dicom_places_clear(sgio_dicom_places *places);

/* The plane of a slice: PixelSpacing (else ImagerPixelSpacing, else 1 mm) and
 * ImageOrientationPatient. */
typedef struct sgio_dicom_plane {
    int has_directions;
    double cosines[6], spacing[2]; /* spacing between rows, between columns */
    char orientation_text[SGIO_DICOM_DECIMALS(6)], spacing_text[SGIO_DICOM_DECIMALS(2)];
} sgio_dicom_plane;

/* `frame` counts from 0. */
sgio_status sgio_dicom_read_plane(const sgio_dicom_set *set, int frame, sgio_dicom_plane *out);

/* The plane of the volume that was made of the slice: readers of volumes know more of where spacing
 * and directions may stand (regions of ultrasound). Numbers that say the same keep their digits;
 * three decimals of a cosine are enough for that. */
void sgio_dicom_use_grid(const sgio_geometry *grid, sgio_dicom_plane *plane);

/* `count` numbers; 0 where there are not so many. */
int sgio_dicom_numbers(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int count, double *out);

/* Values of an element as they are in the file; written anew where they are no DS, which of a text
 * with more digits than a DS may have is true. `out` has room for SGIO_DICOM_DECIMALS(count). */
void sgio_dicom_number_text(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int count,
                            const double *values, char *out);

#endif
