/* Edges of masks, and ridges of edge maps. */
#ifndef SEGMODEL_PREDICT_EVERYTHING_RIDGES_H
#define SEGMODEL_PREDICT_EVERYTHING_RIDGES_H

#include "core/status.h"

#include <stdint.h>

/* Raises `edges` to the length of Sobel's gradient of `values` wherever a pixel outside of the mask
 * (values above `level`) touches it, at a side or a corner. All of width * height. */
void sgm_edges_raise(const float *values, float level, int width, int height, float *edges);

/* Keeps what is not below its two neighbours across the ridge (by more than a hundredth), and sets
 * the rest to 0. The direction of the ridge is that of the smoothed map's curvature. */
sgm_status sgm_ridges_thin(float *edges, int width, int height);

/* Divides by the largest value, if there is one above 0. */
void sgm_edges_stretch(float *edges, int width, int height);

#endif
