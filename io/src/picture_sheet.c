/* Contact sheets: many small pictures on one page. */
#include "picture_canvas.h"
#include "sgio/picture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GAP = 6, CAPTION = 12, LONGEST_CAPTION = 64 };

static const sgio_rgb PAPER = {24, 24, 24}, EMPTY = {60, 60, 60}, INK = {230, 230, 230},
                      ALARM = {255, 120, 90};

/* The page is about as wide as it is high. */
static int columns_for(size_t count)
{
    int columns = (int)ceil(sqrt((double)count));
    return columns < 1 ? 1 : columns;
}

/* One pixel of a picture of 8 bits, grey or RGB. */
static sgio_rgb pixel(const sgio_volume *picture, int64_t x, int64_t y)
{
    const uint8_t *p =
        (const uint8_t *)picture->data + (y * picture->geometry.size[0] + x) * picture->channels;
    sgio_rgb grey = {p[0], p[0], p[0]}, colour = {p[0], 0, 0};
    if (picture->channels != 3) return grey;
    colour.g = p[1];
    colour.b = p[2];
    return colour;
}

/* Keeps the picture's proportions, in the middle of the tile; nearest pixels. */
static void paste(sgio_canvas *canvas, int left, int top, int side, const sgio_volume *picture)
{
    const int64_t *size = picture->geometry.size;
    const double scale = (double)side / (double)(size[0] > size[1] ? size[0] : size[1]);
    const int width = (int)fmax(1, floor((double)size[0] * scale));
    const int height = (int)fmax(1, floor((double)size[1] * scale));
    const int x0 = left + (side - width) / 2, y0 = top + (side - height) / 2;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            sgio_canvas_blend(
                canvas, x0 + x, y0 + y,
                pixel(picture, (int64_t)x * size[0] / width, (int64_t)y * size[1] / height), 1);
}

static void write_line(sgio_canvas *canvas, int left, int top, int side, const char *text,
                       sgio_rgb colour)
{
    char line[LONGEST_CAPTION];
    snprintf(line, sizeof line, "%s", text);
    for (size_t length = strlen(line); length > 1 && sgio_text_width(line, 1) > side; length--)
        line[length - 1] = '\0';
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
