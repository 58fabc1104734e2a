/* The meta header (group 2) at the start of a DICOM file, PS3.10 section 7.1. */
#ifndef SGIO_DICOM_META_H
#define SGIO_DICOM_META_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgio_dicom_meta {
    size_t syntax, syntax_bytes; /* where the transfer syntax's UID is stored */
    size_t end;                  /* where the data set begins */
} sgio_dicom_meta;

/* Finds both in the first `size` bytes of a file; -1 when they do not hold a complete meta header
 * with a transfer syntax. */
int sgio_dicom_find_meta(const char *bytes, size_t size, sgio_dicom_meta *meta);

#ifdef __cplusplus
}
#endif
#endif
