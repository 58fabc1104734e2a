#include "sgio/picture.h"

#include "atomic_file.h"
#include "io_status.h"

#include <errno.h>
#include <png.h>
#include <string.h>

static sgio_status write_png(sgio_outputs *outputs, const char *path, const uint8_t *pixels,
                             int width, int height, png_uint_32 format)
{
    sgio_atomic_file file;
    sgio_status status = sgio_atomic_open(&file, path, outputs);
    if (status != SGIO_OK) return status;
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .format = format,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .flags = PNG_IMAGE_FLAG_FAST};
    errno = 0;
    if (!png_image_write_to_stdio(&image, file.stream, 0, pixels, 0, NULL)) {
        /* libpng says no more than "Write Error" */
        const char *reason = ferror(file.stream) && errno ? strerror(errno) : image.message;
        status = sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s", path, reason);
        sgio_atomic_discard(&file);
        return status;
    }
    return sgio_atomic_commit(&file);
}

sgio_status sgio_png_write_rgb(sgio_outputs *outputs, const char *path, const uint8_t *rgb,
                               int width, int height)
{
    return write_png(outputs, path, rgb, width, height, PNG_FORMAT_RGB);
}

sgio_status sgio_png_write_grey(sgio_outputs *outputs, const char *path, const uint8_t *grey,
                                int width, int height)
{
    return write_png(outputs, path, grey, width, height, PNG_FORMAT_GRAY);
}
