/* Line plots for training curves, on a plain RGB canvas. */
#ifndef SEGMODEL_TRAIN_PLOT_H
#define SEGMODEL_TRAIN_PLOT_H

#include "core/status.h"

typedef struct sgm_canvas {
    int width, height;
    uint8_t *rgb;
} sgm_canvas;

typedef struct sgm_plot_area {
    int x, y, width, height; /* of the axes' box */
    double x_low, x_high, y_low, y_high;
} sgm_plot_area;

/* White. SGM_OUT_OF_MEMORY. */
sgm_status sgm_canvas_create(int width, int height, sgm_canvas *canvas);
void sgm_canvas_clear(sgm_canvas *canvas);

/* Upper-case letters, digits and . - % in a 3 x 5 font, twice enlarged. */
void sgm_canvas_text(sgm_canvas *canvas, int x, int y, const char *text, uint32_t colour);

/* Box, five ticks per axis with numbers, a title. */
void sgm_plot_axes(sgm_canvas *canvas, const sgm_plot_area *area, const char *title);
/* Joins the points; those that are not numbers are left out. */
void sgm_plot_line(sgm_canvas *canvas, const sgm_plot_area *area, const double *x, const double *y,
                   int count, uint32_t colour);

#endif
