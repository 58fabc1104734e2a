/* A PNG writer without libraries (stored deflate blocks, ISO/IEC 15948): training curves must come
 * out on machines that have nothing. */
#ifndef SEGMODEL_TRAIN_PNG_WRITE_H
#define SEGMODEL_TRAIN_PNG_WRITE_H

#include "core/status.h"

/* rgb: height * width * 3. Written beside the path and renamed; SGM_UNWRITABLE names it. */
sgm_status sgm_png_write(const char *path, const uint8_t *rgb, int width, int height);

#endif
