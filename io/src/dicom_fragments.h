/* The fragments of compressed pixels (PS3.5 A.4), and which of them are whose frame. */
#ifndef SGIO_DICOM_FRAGMENTS_H
#define SGIO_DICOM_FRAGMENTS_H

#include "dicom_file.h"

typedef struct sgio_dicom_fragments {
    sgio_dicom_file *file;             /* borrowed */
    const sgio_dicom_element *element; /* the pixels; borrowed */
    size_t frames;
    uint64_t *starts; /* where each frame's first item begins; one more: where the last one ends */
} sgio_dicom_fragments;

/* Passes once over all items; 8 bytes a frame are kept. Frames are told apart by the offset table
 * where it names them one behind the other, else each must be one fragment. SGIO_UNREADABLE names
 * the file. To be released with sgio_dicom_fragments_clear, also after a failure. */
sgio_status sgio_dicom_find_fragments(sgio_dicom_file *file, const sgio_dicom_element *element,
                                      size_t frames, sgio_dicom_fragments *out);
void sgio_dicom_fragments_clear(sgio_dicom_fragments *fragments);

/* The code stream of a frame, from 0, joined; *stream is malloc'ed, also after a failure, or NULL.
 */
sgio_status sgio_dicom_join_fragments(const sgio_dicom_fragments *fragments, size_t frame,
                                      unsigned char **stream, size_t *size);

#endif
