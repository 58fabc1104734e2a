#include "dicom_codecs.h"

#include "io_status.h"

#include <string.h>

enum { MOST_SEGMENTS = 15, HEADER = 64 };

static uint32_t little(const unsigned char *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* PackBits: exactly `count` bytes, `stride` apart. -1 when the segment does not hold them. */
static int unpack(const unsigned char *from, size_t size, unsigned char *to, size_t count,
                  size_t stride)
{
    size_t at = 0, done = 0;
    while (done < count) {
        if (at >= size) return -1;
        int code = from[at] < 128 ? from[at] : from[at] - 256;
        at++;
        if (code == -128) continue;
        size_t run = (size_t)(code < 0 ? 1 - code : 1 + code), taken = code < 0 ? 1 : run;
        if (taken > size - at || run > count - done) return -1;
        for (size_t i = 0; i < run; i++)
            to[(done++) * stride] = from[at + (code < 0 ? 0 : i)];
        at += taken;
    }
    return 0;
}

static int is_little_machine(void)
{
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 1;
}

/* One segment per sample and byte, the most significant byte first. */
static int decode(const sgio_dicom_slice *slice, const unsigned char *data, size_t size,
                  unsigned char *pixels)
{
    size_t bytes = (size_t)slice->bits_allocated / 8, samples = (size_t)slice->samples;
    size_t segments = bytes * samples, count = (size_t)slice->rows * (size_t)slice->columns;
    if (size < HEADER || segments > MOST_SEGMENTS || little(data) != segments) return -1;
    for (size_t s = 0; s < segments; s++) {
        size_t start = little(data + 4 + 4 * s);
        size_t end = s + 1 < segments ? little(data + 8 + 4 * s) : size;
        size_t sample = s / bytes, byte = s % bytes;
        if (is_little_machine()) byte = bytes - 1 - byte;
        if (start < HEADER || start > end || end > size) return -1;
        if (unpack(data + start, end - start, pixels + sample * bytes + byte, count, segments) != 0)
            return -1;
    }
    return 0;
}

sgio_status sgio_rle_decode(const sgio_dicom_slice *slice, const unsigned char *data, size_t size,
                            void *pixels)
{
    if (decode(slice, data, size, pixels) == 0) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: its RLE pixels are damaged, cut, or not of its size",
                     slice->path);
}
