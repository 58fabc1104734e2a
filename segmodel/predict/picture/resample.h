/* Resampling of 8-bit images as the official pipelines of the families do it, to the pixel. Images
 * are interleaved, without padding between rows. */
#ifndef SEGMODEL_PREDICT_PICTURE_RESAMPLE_H
#define SEGMODEL_PREDICT_PICTURE_RESAMPLE_H

#include "backend/picture.h"
#include "core/status.h"

#include <stdbool.h>

typedef struct sgm_size {
    int width, height;
} sgm_size;

/* Pillow's Image.resize(BILINEAR): triangle filter widened by the reduction, 22-bit integer
 * weights, rows first, 8 bits between the passes. */
sgm_status sgm_resample_pillow(const uint8_t *from, sgm_size from_size, int channels, uint8_t *to,
                               sgm_size to_size);

/* OpenCV's resize(INTER_AREA): means over the covered area when shrinking; its variant of linear
 * interpolation when enlarging. */
sgm_status sgm_resample_area(const uint8_t *from, sgm_size from_size, int channels, uint8_t *to,
                             sgm_size to_size);

/* scikit-image's resize(order=3, anti_aliasing=True, preserve_range=True).astype(uint8): Gaussian
 * against aliasing, interpolating cubic B-spline, mirrored borders, clipped to the input's range,
 * decimals cut off. */
sgm_status sgm_resample_cubic(const uint8_t *from, sgm_size from_size, int channels, uint8_t *to,
                              sgm_size to_size);

/* torch's interpolate(mode="bilinear", align_corners=False) without antialiasing, on floats. */
sgm_status sgm_resample_linear(const float *from, sgm_size from_size, int channels, float *to,
                               sgm_size to_size);

/* Their tables, for devices that resample by themselves (backend/picture.h); only the fields the
 * rule reads are set. Release with sgm_taps_clear. */
sgm_status sgm_pillow_taps(int in, int out, sgm_taps *taps); /* none if in == out */
sgm_status sgm_linear_taps(int in, int out, sgm_taps *taps);
sgm_status sgm_cubic_taps(int in, int out, sgm_taps *taps);
/* Of sgm_resample_area: which rule it is depends on both axes. */
sgm_resample_rule sgm_area_rule(sgm_size in, sgm_size out);
sgm_status sgm_area_taps(sgm_resample_rule rule, int in, int out, sgm_taps *taps);
void sgm_taps_clear(sgm_taps *taps);

#endif
