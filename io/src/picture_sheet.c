/* Contact sheets: many small pictures on one page. */
#include "picture_canvas.h"
#include "sgio/picture.h"

#include <math.h>
#include <string.h>

enum { GAP = 6, CAPTION = 12, LONGEST_CAPTION = 1024 };

static const sgio_rgb PAPER = {24, 24, 24}, EMPTY = {60, 60, 60}, INK = {230, 230, 230},
                      ALARM = {255, 120, 90};

/* The page is about as wide as it is high. */
static int columns_for(size_t count)
{
    int columns = (int)ceil(sqrt((double)count));
    return columns < 1 ? 1 : columns;
}

/* Mean of the pixels [first, end) along both axes of a picture of 8 bits, grey or RGB. */
static sgio_rgb mean(const sgio_volume *picture, const int64_t first[2], const int64_t end[2])
{
    const int channels = picture->channels;
    int64_t sum[3] = {0}, count = (end[0] - first[0]) * (end[1] - first[1]);
    for (int64_t y = first[1]; y < end[1]; y++) {
        for (int64_t x = first[0]; x < end[0]; x++) {
            const uint8_t *p =
                (const uint8_t *)picture->data + (y * picture->geometry.size[0] + x) * channels;
            for (int c = 0; c < 3; c++)
                sum[c] += p[channels == 3 ? c : 0];
        }
    }
    return (sgio_rgb){(uint8_t)((sum[0] + count / 2) / count),
                      (uint8_t)((sum[1] + count / 2) / count),
                      (uint8_t)((sum[2] + count / 2) / count)};
}

/* The pixels of the picture that lie under pixel `at` of `shown`: one at least. */
static void span(int at, int shown, int64_t size, int64_t *first, int64_t *end)
{
    *first = (int64_t)at * size / shown;
    *end = (int64_t)(at + 1) * size / shown;
    if (*end <= *first) *end = *first + 1;
}

/* Keeps the picture's proportions, in the middle of the tile. A smaller picture of it shows means,
 * so that thin lines stay. */
static void paste(sgio_canvas *canvas, int left, int top, int side, const sgio_volume *picture)
{
    const int64_t *size = picture->geometry.size;
    const double scale = (double)side / (double)(size[0] > size[1] ? size[0] : size[1]);
    const int width = (int)fmax(1, floor((double)size[0] * scale));
    const int height = (int)fmax(1, floor((double)size[1] * scale));
    const int x0 = left + (side - width) / 2, y0 = top + (side - height) / 2;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            int64_t first[2], end[2];
            span(x, width, size[0], &first[0], &end[0]);
            span(y, height, size[1], &first[1], &end[1]);
            sgio_canvas_blend(canvas, x0 + x, y0 + y, mean(picture, first, end), 1);
        }
    }
}

/* What does not fit is left out in the middle: names of one study begin alike and end apart. */
static void write_line(sgio_canvas *canvas, int left, int top, int side, const char *text,
                       sgio_rgb colour)
{
    char line[LONGEST_CAPTION];
    size_t length = 0;
    while (*text && length + 4 < sizeof line)
        length += sgio_letters(&text, line + length);
    line[length] = '\0';
    const size_t room = side > 0 ? (size_t)(side / sgio_text_width("A", 1)) : 0;
    if (length > room && room > 4) {
        const size_t head = (room - 1) / 2, tail = room - 2 - head;
        memmove(line + head + 2, line + length - tail, tail + 1);
        memcpy(line + head, "..", 2);
    } else if (length > room) {
        line[room] = '\0';
    }
    sgio_canvas_text(canvas, left, top, line, 1, colour);
}

/* A picture that cannot be read leaves its place empty: the sheet is an overview. */
static void draw_tile(sgio_canvas *canvas, int left, int top, int side, const sgio_sheet_tile *tile)
{
    sgio_volume picture = {0};
    sgio_canvas_fill(canvas, left, top, side, side, EMPTY);
    const int there = tile->picture && sgio_volume_read(tile->picture, NULL, &picture) == SGIO_OK &&
                      picture.type == SGIO_U8;
    if (there)
        paste(canvas, left, top, side, &picture);
    else
        write_line(canvas, left + GAP, top + side / 2, side - 2 * GAP, tile->instead, ALARM);
    write_line(canvas, left, top + side + 2, side, tile->caption, INK);
    sgio_volume_clear(&picture);
}

sgio_status sgio_picture_sheet(sgio_outputs *outputs, const char *path,
                               const sgio_sheet_tile *tiles, size_t count, int tile_pixels)
{
    const int columns = columns_for(count);
    const int64_t rows = ((int64_t)count + columns - 1) / columns;
    const int across = tile_pixels + GAP, down = tile_pixels + CAPTION + GAP;
    sgio_canvas canvas = {0};
    sgio_status status =
        sgio_canvas_create(&canvas, (int64_t)columns * across + GAP, rows * down + GAP, PAPER);
    for (size_t i = 0; status == SGIO_OK && i < count; i++)
        draw_tile(&canvas, GAP + (int)(i % (size_t)columns) * across,
                  GAP + (int)(i / (size_t)columns) * down, tile_pixels, &tiles[i]);
    if (status == SGIO_OK)
        status = sgio_png_write_rgb(outputs, path, canvas.rgb, canvas.width, canvas.height);
    sgio_canvas_clear(&canvas);
    return status;
}
