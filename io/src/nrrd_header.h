/* The part of NRRD that label maps use: attached data, gzip or raw, three axes in space and
 * optionally a list axis in front, key/value pairs. http://teem.sourceforge.net/nrrd/format.html */
#ifndef SGIO_NRRD_HEADER_H
#define SGIO_NRRD_HEADER_H

#include "sgio/labelmap.h"

#include <stdio.h>

enum { SGIO_NRRD_MAX_HEADER = 16 << 20, SGIO_NRRD_MAX_KEYS = 65536 };

typedef struct sgio_nrrd_key {
    char *name, *value; /* into the header's text; value unescaped */
} sgio_nrrd_key;

typedef struct sgio_nrrd {
    char *text; /* owned copy of the header that the keys point into */
    char kind;  /* of the values: 'u'nsigned, 'i'nteger, 'f'loat */
    int bytes;  /* per value: 1, 2, 4 or 8 */
    int big_endian, gzip;
    int64_t layers; /* length of the list axis, 1 without */
    sgio_geometry geometry;
    sgio_nrrd_key *keys;
    size_t key_count;
} sgio_nrrd;

/* Parses the header, from "NRRD" to the blank line that ends it or the end of the text. Release
 * with sgio_nrrd_clear. SGIO_UNREADABLE names `file` and the field. */
sgio_status sgio_nrrd_parse_header(const char *text, size_t bytes, const char *file,
                                   sgio_nrrd *out);
void sgio_nrrd_clear(sgio_nrrd *nrrd);

/* Reads a whole file from a seekable stream: header, data and segments. `file` is for messages. */
sgio_status sgio_nrrd_read_segmentation(FILE *stream, const char *file, sgio_warning_fn warn,
                                        void *user, sgio_segmentation *out);

/* Decodes the data that starts at the stream's position into out's layers, which are created; out
 * is initialised on the header's grid. */
sgio_status sgio_nrrd_read_layers(FILE *stream, const char *file, const sgio_nrrd *nrrd,
                                  sgio_segmentation *out);

/* Appends the segments that the keys describe, their layers and labels as in the file. */
sgio_status sgio_nrrd_read_segments(const sgio_nrrd *nrrd, const char *file,
                                    sgio_segmentation *out);

/* Labels from `count` values in this machine's byte order; -1 when one is no whole number between
 * 0 and 65535. `bytes` and `kind` as above. */
int sgio_values_to_labels(const void *values, char kind, int bytes, size_t count, uint16_t *labels);

#endif
