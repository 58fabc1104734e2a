/* A DICOM file as bytes and data elements (PS3.5, PS3.10 section 7.1). Knows encodings, not
 * meanings; every bound of the file is checked here, so that nothing else has to. */
#ifndef SGIO_DICOM_FILE_H
#define SGIO_DICOM_FILE_H

#include "sgio/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgio_dicom_file sgio_dicom_file;

/* How the elements of a data set or item are written. */
typedef struct sgio_dicom_encoding {
    int implicit, big_endian;
} sgio_dicom_encoding;

typedef struct sgio_dicom_element {
    uint32_t tag;    /* group << 16 | element */
    char vr[3];      /* "" where the file has none (implicit VR) */
    uint64_t at;     /* where its value begins */
    uint64_t length; /* of its value; where the file leaves it open: up to the delimiter */
    int open_length; /* pixels in fragments, or a sequence with a delimiter */
    sgio_dicom_encoding encoding; /* of the items in it */
    int depth;
} sgio_dicom_element;

/* A stretch of elements, of items, or of fragments. */
typedef struct sgio_dicom_cursor {
    uint64_t at, end;
    sgio_dicom_encoding encoding;
    int depth; /* 0: the data set itself */
} sgio_dicom_cursor;

/* Opens a regular file (a FIFO is refused, not waited for) and reads its meta header. Of a deflated
 * data set as much is inflated into memory as 16 MiB of header and `pixel_bytes` take. *out is to
 * be closed with sgio_dicom_close. SGIO_UNREADABLE names the file. */
sgio_status sgio_dicom_open(const char *path, uint64_t pixel_bytes, sgio_dicom_file **out);

/* NULL is fine. */
void sgio_dicom_close(sgio_dicom_file *file);

const char *sgio_dicom_path(const sgio_dicom_file *file);
uint64_t sgio_dicom_bytes_on_disk(const sgio_dicom_file *file);

/* The UID in the meta header; without one, that of what the first element looks like. */
const char *sgio_dicom_transfer_syntax(const sgio_dicom_file *file);

/* The whole data set. */
void sgio_dicom_begin(sgio_dicom_file *file, sgio_dicom_cursor *cursor);

/* Advances to the next element: 1, and 0 at the end. -1 with a message where the bytes are none:
 * an element that reaches beyond its surroundings, sequences nested more than 64 deep, 20 million
 * elements. Pixel data of the data set itself is the last element seen; its length is as claimed
 * and may lie. */
int sgio_dicom_next(sgio_dicom_file *file, sgio_dicom_cursor *cursor, sgio_dicom_element *element);

/* The items of a sequence, one after the other, as sgio_dicom_next. */
void sgio_dicom_enter(const sgio_dicom_element *sequence, sgio_dicom_cursor *items);
int sgio_dicom_next_item(sgio_dicom_file *file, sgio_dicom_cursor *items, sgio_dicom_cursor *item);

/* Copies bytes; -1 without a message where the file has not that many. */
int sgio_dicom_copy(sgio_dicom_file *file, uint64_t at, size_t count, void *to);

/* How many of `count` bytes at `at` the file has. */
uint64_t sgio_dicom_available(const sgio_dicom_file *file, uint64_t at, uint64_t count);

#ifdef __cplusplus
}
#endif
#endif
