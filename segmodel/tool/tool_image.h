/* Pictures in and masks out: .npy always, PNG where libpng is there. */
#ifndef SEGMODEL_TOOL_IMAGE_FILE_H
#define SEGMODEL_TOOL_IMAGE_FILE_H

#include "core/status.h"

typedef struct image_file {
    sgm_image image;
    uint8_t *pixels; /* owned by the file */
} image_file;

/* uint8 (H, W) or (H, W, 3) .npy as it is, or PNG as PromptSeg reads and shows it: neither gamma
 * nor alpha, greys of 16 bits (and dark ones of 8) windowed, RGB of 16 bits refused. SGM_UNREADABLE
 * names the file and what it is instead. */
sgm_status image_file_read(const char *path, image_file *out);
void image_file_clear(image_file *file);

/* True when PNG can be read and written. */
int image_file_has_png(void);

/* Writes a mask of 0 and 1 as black and white, beside the name and renamed. */
sgm_status image_file_write_mask(const char *path, const uint8_t *mask, int width, int height);

#endif
