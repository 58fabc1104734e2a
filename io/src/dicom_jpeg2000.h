/* JPEG 2000, the one compression of DICOM that DCMTK has no decoder for, through OpenJPEG. */
#ifndef SGIO_DICOM_JPEG2000_H
#define SGIO_DICOM_JPEG2000_H

#include "dicom_slice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Decodes a code stream (or JP2 file) of `size` bytes into a buffer of sgio_dicom_pixel_bytes,
 * components interleaved; the inverse colour transform of the code stream is applied. Size and
 * components must be the header's. */
sgio_status sgio_jpeg2000_decode(const sgio_dicom_slice *slice, const unsigned char *data,
                                 size_t size, void *pixels);

#ifdef __cplusplus
}
#endif
#endif
