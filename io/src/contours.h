/* Outlines of a mask as polygons: what RT structure sets hold. */
#ifndef SGIO_CONTOURS_H
#define SGIO_CONTOURS_H

#include "sgio/status.h"

/* Polygons in halves of a pixel: (2x, 2y) is the centre of pixel (x, y). */
typedef struct sgio_contours {
    int32_t (*points)[2];
    size_t point_count;
    size_t *starts; /* count + 1: where each polygon begins, and the end */
    size_t count;
} sgio_contours;

/* Outlines through the middles of the edges between pixels inside and outside (not 0) of a slice of
 * width x height pixels. Pixels that touch at a corner are apart; holes are joined to the outline
 * around them by a channel without width, so that each polygon is closed and may be filled by any
 * rule. To be released with sgio_contours_clear, also after a failure: SGIO_OUT_OF_MEMORY. */
sgio_status sgio_trace_contours(const uint8_t *mask, int width, int height, sgio_contours *out);
void sgio_contours_clear(sgio_contours *contours);

#endif
