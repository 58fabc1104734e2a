#include "jpeg2000_tiles.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SOC = 0xff4f, SIZ = 0xff51, SOT = 0xff90, EOC = 0xffd9, MOST_TILES = 65535 };

static uint32_t big(const unsigned char *b, int count)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | b[i];
    return value;
}

static uint64_t tiles_along(uint32_t end, uint32_t offset, uint32_t tile)
{
    if (tile == 0 || offset >= end) return 0;
    return ((uint64_t)end - offset + tile - 1) / tile;
}

/* From the SIZ marker's segment; 0 when it makes no sense. */
static size_t count_tiles(const unsigned char *siz)
{
    uint64_t across = tiles_along(big(siz + 6, 4), big(siz + 30, 4), big(siz + 22, 4));
    uint64_t down = tiles_along(big(siz + 10, 4), big(siz + 34, 4), big(siz + 26, 4));
    uint64_t tiles = across * down;
    return across <= MOST_TILES && down <= MOST_TILES && tiles <= MOST_TILES ? (size_t)tiles : 0;
}

/* The code stream in a JP2 file: its jp2c box. Returns 0 when there is none. */
static int find_code_stream(const unsigned char **data, size_t *size)
{
    size_t at = 0;
    while (*size - at >= 8) {
        const unsigned char *box = *data + at;
        uint64_t length = big(box, 4), head = 8;
        if (length == 1 && *size - at >= 16) {
            length = (uint64_t)big(box + 8, 4) << 32 | big(box + 12, 4);
            head = 16;
        }
        if (length == 0) length = *size - at; /* up to the end */
        if (length < head || length > *size - at) return 0;
        if (memcmp(box + 4, "jp2c", 4) == 0) {
            *data = box + head;
            *size = (size_t)(length - head);
            return 1;
        }
        at += (size_t)length;
    }
    return 0;
}

/* Moves *at from SOC to the first SOT; *tiles from SIZ on the way. */
static int pass_main_header(const unsigned char *data, size_t size, size_t *at, size_t *tiles)
{
    *at = 2;
    *tiles = 0;
    while (size - *at >= 4) {
        uint32_t marker = big(data + *at, 2), length = big(data + *at + 2, 2);
        if (marker == SOT) return *tiles > 0;
        if (marker < 0xff00 || length < 2 || length + 2 > size - *at) return 0;
        if (marker == SIZ && length >= 38) *tiles = count_tiles(data + *at);
        *at += length + 2;
    }
    return 0;
}

/* Parts of tiles, one behind the other; `seen` has a byte per tile. */
static int pass_tile_parts(const unsigned char *data, size_t size, size_t at, size_t tiles,
                           unsigned char *seen)
{
    while (size - at >= 12 && big(data + at, 2) == SOT) {
        uint32_t tile = big(data + at + 4, 2), length = big(data + at + 6, 4);
        if (tile >= tiles) return 0;
        seen[tile] = 1;
        if (length == 0) { /* up to the end; writers pad it */
            while (size > at + 2 && data[size - 1] == 0)
                size--;
            return big(data + size - 2, 2) == EOC || big(data + size - 3, 2) == EOC;
        }
        if (length < 12 || length > size - at) return 0;
        at += length;
    }
    return size - at >= 2 && big(data + at, 2) == EOC;
}

int sgio_jpeg2000_is_whole(const unsigned char *data, size_t size)
{
    size_t at, tiles;
    if (size < 4) return 0;
    if (big(data, 2) != SOC && !find_code_stream(&data, &size)) return 0;
    if (size < 4 || big(data, 2) != SOC || !pass_main_header(data, size, &at, &tiles)) return 0;
    unsigned char *seen = calloc(tiles, 1);
    int whole = seen && pass_tile_parts(data, size, at, tiles, seen);
    for (size_t i = 0; i < tiles && whole; i++)
        whole = seen[i];
    free(seen);
    return whole;
}
