#include "train/png_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic_file.h"

static void put_be32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t crc32_of(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* `chunk` has room for 8 bytes before and 4 bytes after the data. */
static void close_chunk(uint8_t *chunk, const char *type, size_t data_size)
{
    put_be32(chunk, (uint32_t)data_size);
    memcpy(chunk + 4, type, 4);
    put_be32(chunk + 8 + data_size, crc32_of(chunk + 4, data_size + 4));
}

enum { BLOCK = 65535, SIGNATURE = 8, CHUNK = 12, HEADER_DATA = 13 };

/* zlib stream of stored blocks around the filtered rows (filter 0); returns its size. */
static size_t store_rows(const uint8_t *rgb, int width, int height, uint8_t *out)
{
    size_t row = 3 * (size_t)width, total = (row + 1) * (size_t)height, at = 0;
    uint32_t a = 1, b = 0;
    uint8_t *start = out;
    *out++ = 0x78;
    *out++ = 0x01;
    while (at < total) {
        size_t size = total - at < BLOCK ? total - at : BLOCK;
        *out++ = at + size == total;
        *out++ = (uint8_t)size;
        *out++ = (uint8_t)(size >> 8);
        *out++ = (uint8_t)~size;
        *out++ = (uint8_t)(~size >> 8);
        for (size_t end = at + size; at < end; at++) {
            size_t column = at % (row + 1);
            *out = column ? rgb[at / (row + 1) * row + column - 1] : 0;
            a = (a + *out++) % 65521;
            b = (b + a) % 65521;
        }
    }
    put_be32(out, b << 16 | a);
    return (size_t)(out + 4 - start);
}

static size_t encode(const uint8_t *rgb, int width, int height, uint8_t *file)
{
    static const uint8_t signature[SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    memcpy(file, signature, SIGNATURE);
    uint8_t *chunk = file + SIGNATURE;
    memset(chunk, 0, CHUNK + HEADER_DATA);
    put_be32(chunk + 8, (uint32_t)width);
    put_be32(chunk + 12, (uint32_t)height);
    chunk[16] = 8; /* bits */
    chunk[17] = 2; /* RGB */
    close_chunk(chunk, "IHDR", HEADER_DATA);
    chunk += CHUNK + HEADER_DATA;
    size_t size = store_rows(rgb, width, height, chunk + 8);
    close_chunk(chunk, "IDAT", size);
    chunk += CHUNK + size;
    close_chunk(chunk, "IEND", 0);
    return (size_t)(chunk + CHUNK - file);
}

sgm_status sgm_png_write(const char *path, const uint8_t *rgb, int width, int height)
{
    if (width < 1 || height < 1 || width > 16384 || height > 16384)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s: a picture cannot be %d x %d", path, width,
                        height);
    size_t raw = (3 * (size_t)width + 1) * (size_t)height;
    uint8_t *file = malloc(raw + 5 * (raw / BLOCK + 2) + 128);
    if (!file) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory for the picture", path);
    size_t size = encode(rgb, width, height, file);
    sgm_atomic_file out;
    sgm_status status = sgm_atomic_file_create(path, &out);
    if (status == SGM_OK) {
        if (fwrite(file, 1, size, out.stream) != size) {
            status = sgm_fail(SGM_UNWRITABLE, "%s: %s", path, strerror(errno));
            sgm_atomic_file_abandon(&out);
        } else {
            status = sgm_atomic_file_commit(&out);
        }
    }
    free(file);
    return status;
}
