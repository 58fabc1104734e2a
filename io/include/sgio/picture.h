/* Pictures of a result: a PNG montage of slices with outlines, prompts and boxes; contact sheets.
 */
#ifndef SGIO_PICTURE_H
#define SGIO_PICTURE_H

#include "sgio/labelmap.h"
#include "sgio/prompts.h"
#include "sgio/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes interleaved 8-bit RGB, top row first. `outputs` as in sgio/outputs.h. */
sgio_status sgio_png_write_rgb(sgio_outputs *outputs, const char *path, const uint8_t *rgb,
                               int width, int height);

/* The same for 8-bit greys. */
sgio_status sgio_png_write_grey(sgio_outputs *outputs, const char *path, const uint8_t *grey,
                                int width, int height);

typedef struct sgio_picture_options {
    int axis;              /* of the slices: 0, 1 or 2 = i, j, k */
    double window[2];      /* intensities shown black and white; equal: the slices' own range */
    int max_tiles;         /* 0: 12 */
    int tile_pixels;       /* longer side of a slice, 0: 320 */
    const int64_t *slices; /* those to show; NULL: prompted slices and an even choice between; of
                              one tile the prompted slice with most of the segments */
    size_t slice_count;
    int without_legend; /* no names and millilitres below */
    /* The slices in which the prompts were asked; NULL: those in which they lie, which for a box is
     * its middle. */
    const int64_t *prompted;
    size_t prompted_count;
} sgio_picture_options;

/* Shows the volume with the segments' outlines, points (+ foreground, x background) and box
 * outlines. Pixels are square in millimetres; patient left is at the viewer's right, anterior or
 * superior is up. `outputs`, `prompts` and `options` may be NULL. The grids must be the same.
 * Errors: SGIO_USAGE, SGIO_UNWRITABLE, SGIO_OUT_OF_MEMORY. */
sgio_status sgio_picture_write(sgio_outputs *outputs, const char *path, const sgio_volume *volume,
                               const sgio_segmentation *segmentation, const sgio_prompts *prompts,
                               const sgio_picture_options *options);

/* One place on a contact sheet. */
typedef struct sgio_sheet_tile {
    const char *picture; /* a PNG or JPEG file, or NULL */
    const char *caption; /* below it */
    const char *instead; /* written where the picture would be when it is not there */
} sgio_sheet_tile;

/* Writes many pictures, each into a square of tile_pixels, onto one page that is about as wide as
 * it is high. Errors: SGIO_UNWRITABLE, SGIO_OUT_OF_MEMORY. */
sgio_status sgio_picture_sheet(sgio_outputs *outputs, const char *path,
                               const sgio_sheet_tile *tiles, size_t count, int tile_pixels);

#ifdef __cplusplus
}
#endif
#endif
