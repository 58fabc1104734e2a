/* Bytes of a file from an offset on, inflated on the way when they are gzip or zlib. */
#ifndef SGIO_BYTE_SOURCE_H
#define SGIO_BYTE_SOURCE_H

#include "sgio/status.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Deflate's best case: 258 bytes from a 2-bit code (zlib's technical notes: 1032:1). */
enum { SGIO_DEFLATE_MAX_RATIO = 1032 };

typedef struct sgio_source sgio_source;

typedef enum sgio_source_kind {
    SGIO_SOURCE_PLAIN,
    SGIO_SOURCE_COMPRESSED, /* gzip (also several members) or zlib */
    SGIO_SOURCE_DEFLATED,   /* deflate without a header around it */
    SGIO_SOURCE_BY_MAGIC    /* gzip when the bytes begin like gzip, else plain */
} sgio_source_kind;

/* Opens `path` at `offset`. *out is to be closed with sgio_source_close. */
sgio_status sgio_source_open(const char *path, uint64_t offset, sgio_source_kind kind,
                             sgio_source **out);

/* Reads exactly `size` bytes; SGIO_UNREADABLE when the file ends before or its compression is
 * corrupt. */
sgio_status sgio_source_read(sgio_source *source, void *buffer, size_t size);

/* Reads up to `size` bytes and says how many in *got: fewer only at the end. */
sgio_status sgio_source_read_some(sgio_source *source, void *buffer, size_t size, size_t *got);

sgio_status sgio_source_skip(sgio_source *source, uint64_t size);

/* After the last wanted byte of compressed data: the stream has to end here, its checksum right.
 * SGIO_UNREADABLE when it goes on or is cut. Plain data may go on. */
sgio_status sgio_source_finish(sgio_source *source);

/* Reads compressed data to their end, for the checksum; SGIO_UNREADABLE when that is more than
 * about `limit` bytes away. */
sgio_status sgio_source_drain(sgio_source *source, uint64_t limit);

/* SGIO_UNREADABLE when the rest of the file cannot possibly hold `size` bytes. To be asked before
 * memory is allocated for a size that only a header claims. */
sgio_status sgio_source_expect(sgio_source *source, uint64_t size);

/* NULL is fine. */
void sgio_source_close(sgio_source *source);

/* Opens a regular file for reading, and nothing that could block: the caller closes it. */
sgio_status sgio_open_input(const char *path, FILE **file);

sgio_status sgio_file_bytes(const char *path, uint64_t *size);

/* The first bytes of a file, at most `limit`: *buffer is malloc'ed and ends in an extra NUL,
 * *size does not count it. */
sgio_status sgio_read_prefix(const char *path, size_t limit, char **buffer, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
