#include "sgio/picture.h"

#include "atomic_file.h"
#include "io_status.h"

#include <errno.h>
#include <png.h>
#include <string.h>

sgio_status sgio_png_write_rgb(sgio_outputs *outputs, const char *path, const uint8_t *rgb,
                               int width, int height)
{
    sgio_atomic_file file;
    png_image image;
    sgio_status status = sgio_atomic_open(&file, path, outputs);
    if (status != SGIO_OK) return status;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.format = PNG_FORMAT_RGB;
    image.width = (png_uint_32)width;
    image.height = (png_uint_32)height;
    image.flags = PNG_IMAGE_FLAG_FAST;
    errno = 0;
    if (!png_image_write_to_stdio(&image, file.stream, 0, rgb, 0, NULL)) {
        /* libpng says no more than "Write Error" */
        const char *reason = ferror(file.stream) && errno ? strerror(errno) : image.message;
        status = sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s", path, reason);
        sgio_atomic_discard(&file);
        return status;
    }
    return sgio_atomic_commit(&file);
}
