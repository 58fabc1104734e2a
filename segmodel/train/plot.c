#include "train/plot.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"

sgm_status sgm_canvas_create(int width, int height, sgm_canvas *canvas)
{
    *canvas = (sgm_canvas){width, height, malloc((size_t)width * (size_t)height * 3)};
    if (!canvas->rgb) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a picture");
    memset(canvas->rgb, 255, (size_t)width * (size_t)height * 3);
    return SGM_OK;
}

void sgm_canvas_clear(sgm_canvas *canvas)
{
    free(canvas->rgb);
    memset(canvas, 0, sizeof *canvas);
}

static void dot(sgm_canvas *canvas, int x, int y, uint32_t colour)
{
    if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height) return;
    uint8_t *p = canvas->rgb + 3 * ((size_t)y * (size_t)canvas->width + (size_t)x);
    p[0] = (uint8_t)(colour >> 16);
    p[1] = (uint8_t)(colour >> 8);
    p[2] = (uint8_t)colour;
}

/* Rows of three bits from the top, five octal digits. */
static unsigned glyph(char c)
{
    static const unsigned DIGITS[] = {075557, 026227, 071747, 071717, 055711,
                                      074717, 074757, 071122, 075757, 075717};
    static const unsigned LETTERS[] = {025755, 065656, 034443, 065556, 074747, 074744, 034553,
                                       055755, 072227, 011157, 055655, 044447, 057755, 065555,
                                       025552, 065644, 025573, 065655, 034216, 072222, 055557,
                                       055552, 055775, 055255, 055222, 071247};
    if (c >= '0' && c <= '9') return DIGITS[c - '0'];
    c = (char)toupper((unsigned char)c);
    if (c >= 'A' && c <= 'Z') return LETTERS[c - 'A'];
    return c == '.' ? 000002 : c == '-' ? 000700 : c == '%' ? 051245 : c == '+' ? 002720 : 0;
}

void sgm_canvas_text(sgm_canvas *canvas, int x, int y, const char *text, uint32_t colour)
{
    for (; *text; text++, x += 8) {
        unsigned bits = glyph(*text);
        for (int i = 0; i < 15; i++)
            if (bits >> (14 - i) & 1)
                for (int k = 0; k < 4; k++)
                    dot(canvas, x + 2 * (i % 3) + k % 2, y + 2 * (i / 3) + k / 2, colour);
    }
}

static void line(sgm_canvas *canvas, double x0, double y0, double x1, double y1, uint32_t colour)
{
    double longest = fmax(fabs(x1 - x0), fabs(y1 - y0));
    int steps = (int)fmin(fmax(longest * 2, 1), 20000);
    for (int i = 0; i <= steps; i++) {
        double t = (double)i / steps;
        dot(canvas, (int)(x0 + t * (x1 - x0) + 0.5), (int)(y0 + t * (y1 - y0) + 0.5), colour);
    }
}

static double place(double value, double low, double high)
{
    double t = (value - low) / fmax(high - low, 1e-12);
    return fmin(fmax(t, 0), 1);
}

void sgm_plot_axes(sgm_canvas *canvas, const sgm_plot_area *a, const char *title)
{
    char number[SGM_NUMBER_TEXT];
    int right = a->x + a->width, bottom = a->y + a->height;
    for (int i = 0; i <= 4; i++) {
        int x = a->x + a->width * i / 4, y = bottom - a->height * i / 4;
        line(canvas, a->x, y, right, y, 0xE0E0E0);
        line(canvas, x, a->y, x, bottom, 0xE0E0E0);
        sgm_number_text(number, "%.3g", a->y_low + (a->y_high - a->y_low) * i / 4);
        sgm_canvas_text(canvas, a->x - 8 * (int)strlen(number) - 4, y - 5, number, 0x404040);
        sgm_number_text(number, "%.0f", a->x_low + (a->x_high - a->x_low) * i / 4);
        sgm_canvas_text(canvas, x - 4 * (int)strlen(number), bottom + 6, number, 0x404040);
    }
    line(canvas, a->x, a->y, a->x, bottom, 0x404040);
    line(canvas, a->x, bottom, right, bottom, 0x404040);
    sgm_canvas_text(canvas, a->x, a->y - 16, title, 0x000000);
}

void sgm_plot_line(sgm_canvas *canvas, const sgm_plot_area *a, const double *x, const double *y,
                   int count, uint32_t colour)
{
    double last_x = NAN, last_y = NAN;
    for (int i = 0; i < count; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) continue;
        double px = a->x + a->width * place(x[i], a->x_low, a->x_high);
        double py = a->y + a->height * (1 - place(y[i], a->y_low, a->y_high));
        if (isfinite(last_x)) {
            line(canvas, last_x, last_y, px, py, colour);
            line(canvas, last_x, last_y + 1, px, py + 1, colour);
        }
        last_x = px;
        last_y = py;
    }
}
