#include "picture_canvas.h"

#include "io_status.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { GLYPH_WIDTH = 5, GLYPH_HEIGHT = 7, ADVANCE = 6 };

static const int64_t MOST_PIXELS = (int64_t)1 << 28;

/* Rows from the top; bit 4 is the left column. */
static const struct glyph {
    char character;
    uint8_t rows[GLYPH_HEIGHT];
} glyphs[] = {
    {' ', {0, 0, 0, 0, 0, 0, 0}},        {'#', {10, 10, 31, 10, 31, 10, 10}},
    {'%', {24, 25, 2, 4, 8, 19, 3}},     {'\'', {4, 4, 8, 0, 0, 0, 0}},
    {'(', {2, 4, 8, 8, 8, 4, 2}},        {')', {8, 4, 2, 2, 2, 4, 8}},
    {'*', {0, 4, 21, 14, 21, 4, 0}},     {'+', {0, 4, 4, 31, 4, 4, 0}},
    {',', {0, 0, 0, 0, 12, 4, 8}},       {'-', {0, 0, 0, 31, 0, 0, 0}},
    {'.', {0, 0, 0, 0, 0, 12, 12}},      {'/', {1, 1, 2, 4, 8, 16, 16}},
    {'0', {14, 17, 19, 21, 25, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},
    {'2', {14, 17, 1, 2, 4, 8, 31}},     {'3', {30, 1, 1, 14, 1, 1, 30}},
    {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {6, 8, 16, 30, 17, 17, 14}},   {'7', {31, 1, 2, 4, 8, 8, 8}},
    {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 2, 12}},
    {':', {0, 12, 12, 0, 12, 12, 0}},    {'=', {0, 0, 31, 0, 31, 0, 0}},
    {'?', {14, 17, 1, 2, 4, 0, 4}},      {'A', {14, 17, 17, 31, 17, 17, 17}},
    {'B', {30, 17, 17, 30, 17, 17, 30}}, {'C', {14, 17, 16, 16, 16, 17, 14}},
    {'D', {30, 17, 17, 17, 17, 17, 30}}, {'E', {31, 16, 16, 30, 16, 16, 31}},
    {'F', {31, 16, 16, 30, 16, 16, 16}}, {'G', {14, 17, 16, 23, 17, 17, 14}},
    {'H', {17, 17, 17, 31, 17, 17, 17}}, {'I', {14, 4, 4, 4, 4, 4, 14}},
    {'J', {7, 2, 2, 2, 2, 18, 12}},      {'K', {17, 18, 20, 24, 20, 18, 17}},
    {'L', {16, 16, 16, 16, 16, 16, 31}}, {'M', {17, 27, 21, 21, 17, 17, 17}},
    {'N', {17, 25, 25, 21, 19, 19, 17}}, {'O', {14, 17, 17, 17, 17, 17, 14}},
    {'P', {30, 17, 17, 30, 16, 16, 16}}, {'Q', {14, 17, 17, 17, 21, 18, 13}},
    {'R', {30, 17, 17, 30, 20, 18, 17}}, {'S', {15, 16, 16, 14, 1, 1, 30}},
    {'T', {31, 4, 4, 4, 4, 4, 4}},       {'U', {17, 17, 17, 17, 17, 17, 14}},
    {'V', {17, 17, 17, 17, 17, 10, 4}},  {'W', {17, 17, 17, 21, 21, 27, 17}},
    {'X', {17, 17, 10, 4, 10, 17, 17}},  {'Y', {17, 17, 10, 4, 4, 4, 4}},
    {'Z', {31, 1, 2, 4, 8, 16, 31}},     {'_', {0, 0, 0, 0, 0, 0, 31}},
};

sgio_status sgio_canvas_create(sgio_canvas *canvas, int64_t width, int64_t height,
                               sgio_rgb background)
{
    memset(canvas, 0, sizeof *canvas);
    if (width < 1 || height < 1 || width > MOST_PIXELS / height)
        return sgio_fail(SGIO_USAGE, "a picture of %lld x %lld pixels is not possible",
                         (long long)width, (long long)height);
    canvas->rgb = calloc((size_t)(width * height), 3);
    if (!canvas->rgb) return sgio_fail_memory((size_t)(width * height * 3), "a picture");
    canvas->width = (int)width;
    canvas->height = (int)height;
    sgio_canvas_fill(canvas, 0, 0, canvas->width, canvas->height, background);
    return SGIO_OK;
}

void sgio_canvas_clear(sgio_canvas *canvas)
{
    free(canvas->rgb);
    memset(canvas, 0, sizeof *canvas);
}

static uint8_t mix(uint8_t under, uint8_t over, double alpha)
{
    return (uint8_t)(under + (over - under) * alpha + 0.5);
}

void sgio_canvas_blend(sgio_canvas *canvas, int x, int y, sgio_rgb colour, double alpha)
{
    if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height) return;
    uint8_t *pixel = canvas->rgb + 3 * ((size_t)y * (size_t)canvas->width + (size_t)x);
    pixel[0] = mix(pixel[0], colour.r, alpha);
    pixel[1] = mix(pixel[1], colour.g, alpha);
    pixel[2] = mix(pixel[2], colour.b, alpha);
}

void sgio_canvas_fill(sgio_canvas *canvas, int x, int y, int width, int height, sgio_rgb colour)
{
    for (int row = y; row < y + height; row++)
        for (int column = x; column < x + width; column++)
            sgio_canvas_blend(canvas, column, row, colour, 1);
}

static const uint8_t *find_glyph(char character)
{
    const uint8_t *unknown = NULL;
    for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++) {
        if (glyphs[i].character == toupper((unsigned char)character)) return glyphs[i].rows;
        if (glyphs[i].character == '?') unknown = glyphs[i].rows;
    }
    return unknown;
}

static void draw_glyph(sgio_canvas *canvas, int x, int y, char character, int scale,
                       sgio_rgb colour)
{
    const uint8_t *rows = find_glyph(character);
    for (int row = 0; row < GLYPH_HEIGHT; row++)
        for (int column = 0; column < GLYPH_WIDTH; column++)
            if (rows[row] >> (GLYPH_WIDTH - 1 - column) & 1)
                sgio_canvas_fill(canvas, x + column * scale, y + row * scale, scale, scale, colour);
}

void sgio_canvas_text(sgio_canvas *canvas, int x, int y, const char *text, int scale,
                      sgio_rgb colour)
{
    static const sgio_rgb shadow = {0, 0, 0};
    while (*text) {
        char letters[3];
        const size_t count = sgio_letters(&text, letters);
        for (size_t i = 0; i < count; i++) {
            draw_glyph(canvas, x + 1, y + 1, letters[i], scale, shadow);
            draw_glyph(canvas, x, y, letters[i], scale, colour);
            x += ADVANCE * scale;
        }
    }
}

int sgio_text_width(const char *text, int scale)
{
    int count = 0;
    while (*text) {
        char letters[3];
        count += (int)sgio_letters(&text, letters);
    }
    return count * ADVANCE * scale;
}
