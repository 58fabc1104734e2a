/* Colours of pixels that are numbers into a palette (PS3.3 C.7.6.3.1.5), as older ultrasound
 * machines store them. */
#ifndef SGIO_DICOM_PALETTE_H
#define SGIO_DICOM_PALETTE_H

#include "dicom_slice.h"

typedef struct sgio_dicom_palette {
    uint8_t (*colours)[3]; /* RGB; owned */
    int64_t first;         /* the stored value that colours[0] stands for */
    int64_t count;
} sgio_dicom_palette;

/* Of the file `slice` lies in. SGIO_UNREADABLE: no palette, one in segments, one that is shorter than
 * it says, or of a size that makes no sense. To be released with sgio_dicom_palette_clear, also after a failure. */
sgio_status sgio_dicom_read_palette(const sgio_dicom_slice *slice, sgio_dicom_palette *out);
void sgio_dicom_palette_clear(sgio_dicom_palette *palette);

/* `count` stored pixels, as sgio_dicom_pixels_read gives them, to RGB. Numbers below the palette
 * have its first colour, those above it its last one. */
void sgio_dicom_palette_apply(const sgio_dicom_palette *palette, const sgio_dicom_slice *slice,
                              const void *stored, size_t count, uint8_t *rgb);

/* Whether the slice's pixels are such numbers. */
int sgio_dicom_has_palette(const sgio_dicom_slice *slice);

#endif
