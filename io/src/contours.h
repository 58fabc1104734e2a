/* Outlines of a mask as polygons: what RT structure sets hold. */
#ifndef SGIO_CONTOURS_H
#define SGIO_CONTOURS_H

#include "sgio/status.h"

enum { SGIO_CONTOUR_UNITS = 100 }; /* per pixel: (100 x, 100 y) is the centre of pixel (x, y) */

/* Polygons. */
typedef struct sgio_contours {
    int32_t (*points)[2];
    size_t point_count;
    size_t *starts; /* count + 1: where each polygon begins, and the end */
    size_t count;
} sgio_contours;

/* Outlines through the middles of the edges between pixels inside (not 0) and outside of a slice of
 * width x height pixels, a hundredth of a pixel on the inner side: a reader that rounds places to
 * pixels then meets those inside, and one that looks at the centres of pixels sees no difference.
 * Pixels that touch at a corner are apart; holes are joined to the outline
 * around them by a channel without width, so that each polygon is closed and may be filled by any
 * rule. To be released with sgio_contours_clear, also after a failure: SGIO_OUT_OF_MEMORY. */
sgio_status sgio_trace_contours(const uint8_t *mask, int width, int height, sgio_contours *out);
void sgio_contours_clear(sgio_contours *contours);

#endif
