/* A picture's pixel as one number. */
#ifndef SEGMODEL_PREDICT_PICTURE_GREY_H
#define SEGMODEL_PREDICT_PICTURE_GREY_H

#include "segmodel/segmodel.h"

#include <stddef.h>

static inline const uint8_t *sgm_picture_row(const sgm_image *picture, int y)
{
    ptrdiff_t packed = (ptrdiff_t)picture->width * picture->channels;
    return picture->data + (picture->stride ? picture->stride : packed) * y;
}

/* 0 to 255; of colours their mean. */
static inline double sgm_grey_at(const sgm_image *picture, int x, int y)
{
    const uint8_t *pixel = sgm_picture_row(picture, y) + (ptrdiff_t)x * picture->channels;
    return picture->channels == 3 ? (pixel[0] + pixel[1] + pixel[2]) / 3.0 : pixel[0];
}

#endif
