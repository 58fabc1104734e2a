/* Where a writer's voxels go: straight or deflated into an atomic file. Label maps are mostly
 * zeros, so whole blocks of zeros are emitted as a block deflated once. */
#ifndef SGIO_LABELMAP_SINK_H
#define SGIO_LABELMAP_SINK_H

#include "atomic_file.h"

#include <zlib.h>

typedef enum sgio_encoding { SGIO_RAW, SGIO_GZIP, SGIO_ZLIB } sgio_encoding;

typedef struct sgio_sink {
    sgio_atomic_file *file; /* borrowed */
    sgio_encoding encoding;
    z_stream deflater;    /* raw deflate: header and trailer are the sink's own */
    int at_boundary;      /* nothing pending since the last full flush */
    uLong checksum;       /* of what was written: CRC-32 or Adler-32 */
    uint64_t plain_bytes; /* given to the sink */
    uint64_t coded_bytes; /* written, header and trailer included */
    uint8_t *zero_block;  /* SGIO_SINK_BLOCK zeros, deflated */
    size_t zero_bytes;
    uLong zero_checksum;
    uint8_t *output;
} sgio_sink;

enum { SGIO_SINK_BLOCK = 1 << 18 };

/* Starts a compressed (or raw) member at the file's present end. */
sgio_status sgio_sink_open(sgio_sink *sink, sgio_atomic_file *file, sgio_encoding encoding);
sgio_status sgio_sink_write(sgio_sink *sink, const void *bytes, size_t count);
/* The same as writing so many zeros, without looking at any. */
sgio_status sgio_sink_write_zeros(sgio_sink *sink, size_t count);
/* Writes the end of the member; sgio_sink_close still has to follow. */
sgio_status sgio_sink_finish(sgio_sink *sink);
void sgio_sink_close(sgio_sink *sink);

#endif
