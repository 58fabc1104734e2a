#include "labelmap_sink.h"

#include "io_status.h"
#include "segmentation_parts.h"

#include <stdlib.h>
#include <string.h>

/* Level 1: on label maps higher levels save a few per cent and cost several times the time. */
enum { LEVEL = 1, RAW_WINDOW = -15, OUTPUT_BYTES = 1 << 16 };

static sgio_status emit(sgio_sink *sink, const void *bytes, size_t count)
{
    sink->coded_bytes += count;
    return sgio_atomic_write(sink->file, bytes, count);
}

static sgio_status deflate_all(sgio_sink *sink, const uint8_t *bytes, size_t count, int flush)
{
    sink->deflater.next_in = (Bytef *)bytes;
    sink->deflater.avail_in = (uInt)count;
    do {
        sink->deflater.next_out = sink->output;
        sink->deflater.avail_out = OUTPUT_BYTES;
        deflate(&sink->deflater, flush);
        sgio_status status = emit(sink, sink->output, OUTPUT_BYTES - sink->deflater.avail_out);
        if (status != SGIO_OK) return status;
    } while (sink->deflater.avail_out == 0);
    return SGIO_OK;
}

static uLong checksum(const sgio_sink *sink, uLong sum, const uint8_t *bytes, size_t count)
{
    return sink->encoding == SGIO_GZIP ? crc32(sum, bytes, (uInt)count)
                                       : adler32(sum, bytes, (uInt)count);
}

static uLong combined(const sgio_sink *sink, uLong first, uLong second, size_t second_bytes)
{
    return sink->encoding == SGIO_GZIP ? crc32_combine(first, second, (z_off_t)second_bytes)
                                       : adler32_combine(first, second, (z_off_t)second_bytes);
}

/* Deflates a block of zeros between two full flushes: it then refers to nothing before it and can
 * be placed at any byte boundary of the stream. */
static sgio_status prepare_zero_block(sgio_sink *sink)
{
    uint8_t *zeros = calloc(1, SGIO_SINK_BLOCK);
    sink->zero_block = malloc(OUTPUT_BYTES);
    if (!zeros || !sink->zero_block) {
        free(zeros);
        return sgio_fail_memory(SGIO_SINK_BLOCK, "compressing the output");
    }
    sink->zero_checksum = checksum(sink, checksum(sink, 0, NULL, 0), zeros, SGIO_SINK_BLOCK);
    sink->deflater.next_in = zeros;
    sink->deflater.avail_in = SGIO_SINK_BLOCK;
    sink->deflater.next_out = sink->zero_block;
    sink->deflater.avail_out = OUTPUT_BYTES;
    deflate(&sink->deflater, Z_FULL_FLUSH);
    sink->zero_bytes = OUTPUT_BYTES - sink->deflater.avail_out;
    free(zeros);
    deflateReset(&sink->deflater);
    return SGIO_OK;
}

static sgio_status write_member_header(sgio_sink *sink)
{
    static const uint8_t gzip[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255}; /* no time, no name */
    static const uint8_t zlib[2] = {0x78, 0x01};
    return sink->encoding == SGIO_GZIP ? emit(sink, gzip, sizeof gzip)
                                       : emit(sink, zlib, sizeof zlib);
}

sgio_status sgio_sink_open(sgio_sink *sink, sgio_atomic_file *file, sgio_encoding encoding)
{
    memset(sink, 0, sizeof *sink);
    sink->file = file;
    sink->encoding = encoding;
    if (encoding == SGIO_RAW) return SGIO_OK;
    sink->output = malloc(OUTPUT_BYTES);
    if (!sink->output || deflateInit2(&sink->deflater, LEVEL, Z_DEFLATED, RAW_WINDOW, 8,
                                      Z_DEFAULT_STRATEGY) != Z_OK) {
        free(sink->output);
        memset(sink, 0, sizeof *sink); /* raw: nothing to close */
        return sgio_fail_memory(OUTPUT_BYTES, "compressing the output");
    }
    sink->checksum = checksum(sink, 0, NULL, 0);
    sink->at_boundary = 1;
    sgio_status status = prepare_zero_block(sink);
    return status == SGIO_OK ? write_member_header(sink) : status;
}

static sgio_status write_zero_block(sgio_sink *sink)
{
    sgio_status status = SGIO_OK;
    if (!sink->at_boundary) status = deflate_all(sink, NULL, 0, Z_FULL_FLUSH);
    sink->at_boundary = 1;
    sink->checksum = combined(sink, sink->checksum, sink->zero_checksum, SGIO_SINK_BLOCK);
    return status == SGIO_OK ? emit(sink, sink->zero_block, sink->zero_bytes) : status;
}

static sgio_status write_block(sgio_sink *sink, const uint8_t *bytes, size_t count)
{
    if (count == SGIO_SINK_BLOCK && sgio_all_zero(bytes, count)) return write_zero_block(sink);
    sink->at_boundary = 0;
    sink->checksum = checksum(sink, sink->checksum, bytes, count);
    return deflate_all(sink, bytes, count, Z_NO_FLUSH);
}

sgio_status sgio_sink_write(sgio_sink *sink, const void *bytes, size_t count)
{
    const uint8_t *next = bytes;
    sink->plain_bytes += count;
    if (sink->encoding == SGIO_RAW) return emit(sink, bytes, count);
    while (count > 0) {
        size_t part = count < SGIO_SINK_BLOCK ? count : SGIO_SINK_BLOCK;
        sgio_status status = write_block(sink, next, part);
        if (status != SGIO_OK) return status;
        next += part;
        count -= part;
    }
    return SGIO_OK;
}

sgio_status sgio_sink_write_zeros(sgio_sink *sink, size_t count)
{
    static const uint8_t zeros[1 << 14];
    sgio_status status = SGIO_OK;
    while (count > 0 && status == SGIO_OK) {
        size_t part = count < sizeof zeros ? count : sizeof zeros;
        if (sink->encoding != SGIO_RAW && count >= SGIO_SINK_BLOCK) {
            part = SGIO_SINK_BLOCK;
            sink->plain_bytes += part;
            status = write_zero_block(sink);
        } else {
            status = sgio_sink_write(sink, zeros, part);
        }
        count -= part;
    }
    return status;
}

sgio_status sgio_sink_finish(sgio_sink *sink)
{
    if (sink->encoding == SGIO_RAW) return SGIO_OK;
    sgio_status status = deflate_all(sink, NULL, 0, Z_FINISH);
    if (status != SGIO_OK) return status;
    uint32_t sum = (uint32_t)sink->checksum, size = (uint32_t)sink->plain_bytes;
    if (sink->encoding == SGIO_ZLIB) {
        uint8_t trailer[4] = {sum >> 24, sum >> 16, sum >> 8, sum};
        return emit(sink, trailer, sizeof trailer);
    }
    uint8_t trailer[8] = {sum,  sum >> 8,  sum >> 16,  sum >> 24,
                          size, size >> 8, size >> 16, size >> 24};
    return emit(sink, trailer, sizeof trailer);
}

void sgio_sink_close(sgio_sink *sink)
{
    if (sink->encoding != SGIO_RAW) deflateEnd(&sink->deflater);
    free(sink->output);
    free(sink->zero_block);
    memset(sink, 0, sizeof *sink);
}
