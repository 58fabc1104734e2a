/* DICOM elements into memory: data sets as explicit or implicit VR, little endian (PS3.5). */
#ifndef SGIO_DICOM_WRITER_H
#define SGIO_DICOM_WRITER_H

#include "sgio/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SGIO_DICOM_NESTING = 16, SGIO_DICOM_UID_BYTES = 65 };

/* Zero-initialise; `failed` is set when memory runs out or a value is too long for its element, and
 * everything after that is ignored. Elements are written in the order of calls, which is to be that
 * of their tags. */
typedef struct sgio_dicom_writer {
    unsigned char *data;
    size_t size, room;
    size_t open[SGIO_DICOM_NESTING]; /* where the lengths of open sequences and items are */
    int depth, implicit, failed;
} sgio_dicom_writer;

/* Preamble and meta header of a file. */
void sgio_dicom_write_meta(sgio_dicom_writer *writer, const char *sop_class, const char *instance,
                           const char *transfer_syntax);

/* Padded to an even length; NULL is an empty value. */
void sgio_dicom_write_text(sgio_dicom_writer *writer, uint32_t tag, const char *vr,
                           const char *text);
void sgio_dicom_write_u16(sgio_dicom_writer *writer, uint32_t tag, int count,
                          const uint16_t *values);
void sgio_dicom_write_u32(sgio_dicom_writer *writer, uint32_t tag, int count,
                          const uint32_t *values);
/* A value that is a tag (AT). */
void sgio_dicom_write_tag(sgio_dicom_writer *writer, uint32_t tag, uint32_t value);

/* The head of an element of bytes (OB); the caller sends the value after all this. */
void sgio_dicom_write_bytes_head(sgio_dicom_writer *writer, uint32_t tag, uint32_t length);

void sgio_dicom_open_sequence(sgio_dicom_writer *writer, uint32_t tag);
void sgio_dicom_open_item(sgio_dicom_writer *writer);
void sgio_dicom_close_item(sgio_dicom_writer *writer);
void sgio_dicom_close_sequence(sgio_dicom_writer *writer);

/* A sequence of one item that is a code. */
void sgio_dicom_write_code(sgio_dicom_writer *writer, uint32_t tag, const char *scheme,
                           const char *value, const char *meaning);

/* A new UID below 2.25 (from a random UUID). */
void sgio_dicom_new_uid(char uid[SGIO_DICOM_UID_BYTES]);

void sgio_dicom_writer_clear(sgio_dicom_writer *writer);

#ifdef __cplusplus
}
#endif
#endif
