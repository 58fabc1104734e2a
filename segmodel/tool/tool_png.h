/* PNG pictures as they are stored: no gamma, no colour profile, alpha dropped. Programs that show
 * pictures bend them to the screen; PromptSeg gives networks the numbers of the file. */
#ifndef SEGMODEL_TOOL_PNG_H
#define SEGMODEL_TOOL_PNG_H

#include "core/status.h"

#include <stdbool.h>

typedef struct png_pixels {
    void *data; /* width * height * channels, malloc'ed: uint8_t, or uint16_t where `wide` */
    int64_t width, height;
    int channels; /* 1 (grey) or 3 (RGB); palettes are RGB */
    bool wide;    /* 16 bits a value, in the machine's byte order */
} png_pixels;

/* Neither side may be longer than `most`. SGM_UNREADABLE names the file; nothing is kept then. */
sgm_status png_pixels_read(const char *path, int64_t most, png_pixels *out);

#endif
