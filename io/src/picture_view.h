/* How a slice lies on the page. */
#ifndef SGIO_PICTURE_VIEW_H
#define SGIO_PICTURE_VIEW_H

#include "picture_canvas.h"
#include "sgio/picture.h"

typedef struct sgio_view {
    const sgio_geometry *geometry;
    int axis;         /* of the slices */
    int across, down; /* grid axes along x and y of the page */
    int flip_across, flip_down;
    int width, height; /* of a tile in pixels; square in millimetres */
} sgio_view;

/* Patient left at the right and anterior or superior up, as radiologists look at images; sagittal
 * slices have anterior at the left. */
void sgio_view_make(sgio_view *view, const sgio_geometry *geometry, int axis, int pixels);

/* Continuous grid index of the centre of tile pixel (x, y) in that slice. */
void sgio_view_index(const sgio_view *view, double x, double y, int64_t slice, double index[3]);

/* Tile pixel of a continuous grid index. */
void sgio_view_pixel(const sgio_view *view, const double index[3], double *x, double *y);

/* The slices to show, ascending, at most `most`: prompted ones first, then an even choice over the
 * segments' extent; of one, that with most segmented voxels among the prompted ones, or where these
 * have none among all. Returns their number. */
size_t sgio_choose_slices(const sgio_segmentation *segmentation, const sgio_prompts *prompts,
                          const sgio_picture_options *options, size_t most, int64_t *slices);

/* Draws the voxels of a slice at (left, top), window[0] black and window[1] white. */
void sgio_draw_slice(sgio_canvas *canvas, int left, int top, const sgio_view *view,
                     const sgio_volume *volume, int64_t slice, const double window[2]);

/* 0.5 and 99.5 percentiles of the given slices, without padding. */
void sgio_slices_window(const sgio_volume *volume, int axis, const int64_t *slices, size_t count,
                        double window[2]);

#endif
