/* An RGB image to draw on. Coordinates are pixels, y down; what falls outside is clipped. */
#ifndef SGIO_PICTURE_CANVAS_H
#define SGIO_PICTURE_CANVAS_H

#include "sgio/status.h"

typedef struct sgio_canvas {
    int width, height;
    uint8_t *rgb; /* owned */
} sgio_canvas;

typedef struct sgio_rgb {
    uint8_t r, g, b;
} sgio_rgb;

sgio_status sgio_canvas_create(sgio_canvas *canvas, int64_t width, int64_t height,
                               sgio_rgb background);
void sgio_canvas_clear(sgio_canvas *canvas);
/* alpha 0 leaves the pixel as it is, 1 replaces it. */
void sgio_canvas_blend(sgio_canvas *canvas, int x, int y, sgio_rgb colour, double alpha);
void sgio_canvas_fill(sgio_canvas *canvas, int x, int y, int width, int height, sgio_rgb colour);
/* The next character in ASCII: moves *text behind it and returns how many of the letters in `out`
 * it is, "SS" for a sharp s, none for an accent by itself; what has no Latin letters is '?'. */
size_t sgio_letters(const char **text, char out[3]);
/* Capital letters of a 5 x 7 font, each font pixel `scale` wide, with a dark shadow so that it
 * reads on any image. Letters with accents lose them (sgio_letters). */
void sgio_canvas_text(sgio_canvas *canvas, int x, int y, const char *text, int scale,
                      sgio_rgb colour);
/* Width of such a text in pixels. */
int sgio_text_width(const char *text, int scale);

#endif
