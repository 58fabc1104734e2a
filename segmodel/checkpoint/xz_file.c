#include "checkpoint/xz_file.h"

#include "checkpoint/lzma2.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 12, FOOTER = 12, LZMA2_FILTER = 0x21, CHECK_CRC32 = 1, CHECK_CRC64 = 4 };

typedef struct xz {
    const uint8_t *bytes;
    size_t size, at;
    const char *label;
    size_t block_limit;
    sgm_xz_sink sink;
    void *user;
    int check; /* kind, 0 to 15 */
} xz;

static sgm_status damaged(const xz *x, const char *what)
{
    return sgm_fail(SGM_UNREADABLE, "%s: not a whole .xz file: %s at byte %zu", x->label, what,
                    x->at);
}

/* Reflected CRC of 32 or 64 bits, bit by bit over a table made here. */
static uint64_t crc(const uint8_t *bytes, size_t size, uint64_t polynomial, uint64_t all)
{
    uint64_t table[256], value = all;
    for (unsigned i = 0; i < 256; i++) {
        table[i] = i;
        for (int k = 0; k < 8; k++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? polynomial : 0);
    }
    for (size_t i = 0; i < size; i++)
        value = value >> 8 ^ table[(value ^ bytes[i]) & 0xFF];
    return value ^ all;
}

static uint32_t crc32_of(const uint8_t *bytes, size_t size)
{
    return (uint32_t)crc(bytes, size, 0xEDB88320u, 0xFFFFFFFFu);
}

static uint64_t little_endian(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static bool has(const xz *x, size_t count)
{
    return count <= x->size - x->at;
}

static sgm_status read_header(xz *x)
{
    const uint8_t *h = x->bytes + x->at;
    if (!has(x, HEADER) || memcmp(h,
                                  "\xFD"
                                  "7zXZ",
                                  6) != 0)
        return damaged(x, "no header");
    if (h[6] != 0 || h[7] > 15 || crc32_of(h + 6, 2) != little_endian(h + 8, 4))
        return damaged(x, "the header");
    x->check = h[7];
    x->at += HEADER;
    return SGM_OK;
}

/* A number in groups of 7 bits, the lowest first; false when cut off or too long. */
static bool number(const uint8_t *bytes, size_t size, size_t *at, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < 9 && *at < size; i++) {
        uint8_t byte = bytes[(*at)++];
        *value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (!(byte & 0x80)) return true;
    }
    return false;
}

/* Only what decides whether the block can be read; sizes are found out by reading. */
static sgm_status read_block_header(xz *x)
{
    const uint8_t *h = x->bytes + x->at;
    size_t length = ((size_t)h[0] + 1) * 4, at = 2;
    uint64_t ignored, filter, properties;
    if (!has(x, length) || crc32_of(h, length - 4) != little_endian(h + length - 4, 4))
        return damaged(x, "a block's header");
    if (h[1] & 0x3C) return damaged(x, "a block of an unknown kind");
    for (int bit = 0x40; bit <= 0x80; bit *= 2) /* packed size, size */
        if (h[1] & bit && !number(h, length - 4, &at, &ignored))
            return damaged(x, "a block's size");
    if (h[1] & 3 || !number(h, length - 4, &at, &filter) || filter != LZMA2_FILTER ||
        !number(h, length - 4, &at, &properties) || properties != 1)
        return damaged(x, "a filter other than LZMA2");
    x->at += length;
    return SGM_OK;
}

/* Zeros up to a multiple of four bytes since `start`. */
static bool skip_padding(xz *x, size_t start)
{
    for (; (x->at - start) % 4; x->at++)
        if (!has(x, 1) || x->bytes[x->at] != 0) return false;
    return true;
}

static size_t check_size(int check)
{
    static const uint8_t sizes[16] = {0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64};
    return sizes[check];
}

static bool checks(const xz *x, const sgm_lzma2_output *out)
{
    const uint8_t *wanted = x->bytes + x->at;
    if (x->check == CHECK_CRC32) return crc32_of(out->bytes, out->size) == little_endian(wanted, 4);
    if (x->check == CHECK_CRC64)
        return crc(out->bytes, out->size, 0xC96C5795D7870F42u, UINT64_MAX) ==
               little_endian(wanted, 8);
    return true;
}

static sgm_status read_block(xz *x)
{
    size_t start = x->at, count = check_size(x->check);
    sgm_lzma2_output out = {.limit = x->block_limit};
    sgm_status status = read_block_header(x);
    if (status == SGM_OK) status = sgm_lzma2_decode(x->bytes, x->size, &x->at, x->label, &out);
    if (status == SGM_OK && (!skip_padding(x, start) || !has(x, count)))
        status = damaged(x, "a block's end");
    if (status == SGM_OK && !checks(x, &out)) status = damaged(x, "a wrong checksum");
    if (status == SGM_OK) {
        x->at += count;
        if (out.size) status = x->sink(x->user, out.bytes, out.size);
    }
    free(out.bytes);
    return status;
}

/* Index and footer repeat what was seen: their checksums are looked at, not their numbers. */
static sgm_status skip_index(xz *x)
{
    size_t start = x->at++;
    uint64_t records, ignored;
    if (!number(x->bytes, x->size, &x->at, &records)) return damaged(x, "the index");
    for (uint64_t i = 0; i < 2 * records; i++)
        if (!number(x->bytes, x->size, &x->at, &ignored)) return damaged(x, "the index");
    if (!skip_padding(x, start) || !has(x, 4 + FOOTER)) return damaged(x, "the index's end");
    if (crc32_of(x->bytes + start, x->at - start) != little_endian(x->bytes + x->at, 4))
        return damaged(x, "the index's checksum");
    const uint8_t *footer = x->bytes + x->at + 4;
    if (crc32_of(footer + 4, 6) != little_endian(footer, 4) ||
        (little_endian(footer + 4, 4) + 1) * 4 != x->at + 4 - start || footer[8] != 0 ||
        footer[9] != x->check || memcmp(footer + 10, "YZ", 2) != 0)
        return damaged(x, "the footer");
    x->at += 4 + FOOTER;
    return SGM_OK;
}

static sgm_status read_stream(xz *x)
{
    SGM_TRY(read_header(x));
    while (has(x, 1) && x->bytes[x->at] != 0)
        SGM_TRY(read_block(x));
    return has(x, 1) ? skip_index(x) : damaged(x, "cut off");
}

sgm_status sgm_xz_unpack(const uint8_t *bytes, size_t size, const char *label, size_t block_limit,
                         sgm_xz_sink sink, void *user)
{
    xz x = {.bytes = bytes,
            .size = size,
            .label = label,
            .block_limit = block_limit,
            .sink = sink,
            .user = user};
    do {
        SGM_TRY(read_stream(&x));
        while (has(&x, 4) && little_endian(bytes + x.at, 4) == 0) /* padding between streams */
            x.at += 4;
    } while (has(&x, 1));
    return SGM_OK;
}
