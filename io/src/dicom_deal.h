/* Slices of several volumes at the same places, with some missing: which of them belong together is
 * told by their numbers. */
#ifndef SGIO_DICOM_DEAL_H
#define SGIO_DICOM_DEAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgio_dealt_slice {
    size_t index;   /* the caller's */
    size_t order;   /* of slices with the same number */
    int64_t number; /* its instance number, or that of a frame */
    size_t place;   /* of its position along the normal, from 0 */
    size_t part;    /* found: its volume, from 0; not every part need have slices */
} sgio_dealt_slice;

/* Gives each of `count` slices its part; they have `places` places, at most `layers` are at one. No
 * part gets two of one place. The slices are then in the order of their numbers. 0, or -1 when out
 * of memory. */
int sgio_dicom_deal(sgio_dealt_slice *slices, size_t count, size_t places, size_t layers);

/* Whether the parts of slices follow from their numbers, or from the order in which they were read:
 * all of a part come together. Where all of a place do, nothing says in which order they are.
 * Changes the order of the slices. */
int sgio_dicom_is_regular(sgio_dealt_slice *slices, size_t count);

#ifdef __cplusplus
}
#endif
#endif
