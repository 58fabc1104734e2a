/* Decoders of compressed DICOM pixels: one frame's bytes in, samples out. */
#ifndef SGIO_DICOM_CODECS_H
#define SGIO_DICOM_CODECS_H

#include "dicom_slice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All decode `size` bytes into a buffer of sgio_dicom_pixel_bytes, in this machine's byte order.
 * SGIO_UNREADABLE when the data are damaged, do not match the header, or are short: what is missing
 * is never made up. */

/* PS3.5 annex G. Colours come interleaved. */
sgio_status sgio_rle_decode(const sgio_dicom_slice *slice, const unsigned char *data, size_t size,
                            void *pixels);

/* How a JPEG's colours were left. */
typedef struct sgio_jpeg_colours {
    int are_ybr, are_planar;
    int said_rgb; /* the header said RGB; the stream says that it has YCbCr (JFIF, Adobe) */
} sgio_jpeg_colours;

/* JPEG (baseline, extended, lossless) and JPEG-LS through DCMTK. */
sgio_status sgio_jpeg_decode(const sgio_dicom_slice *slice, const unsigned char *data, size_t size,
                             void *pixels, sgio_jpeg_colours *colours);

/* JPEG 2000, a code stream or a JP2 file, through OpenJPEG. Colours come interleaved. */
sgio_status sgio_jpeg2000_decode(const sgio_dicom_slice *slice, const unsigned char *data,
                                 size_t size, void *pixels);

#ifdef __cplusplus
}
#endif
#endif
