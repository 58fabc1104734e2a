/* A label map of one slice as a PNG picture: with a palette of the segments' colours, whose indices
 * are the labels; 16-bit greys where a label exceeds 255. */
#include "labelmap_formats.h"
#include "labelmap_rows.h"

#include "io_status.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

enum { PALETTE = 256, LARGEST_SIDE = 65535 };

sgio_status sgio_check_png(const char *path, const sgio_geometry *grid,
                           const sgio_segmentation_write_options *options)
{
    (void)options;
    if (grid->size[2] == 1 && grid->size[0] <= LARGEST_SIDE && grid->size[1] <= LARGEST_SIDE)
        return SGIO_OK;
    return sgio_fail(SGIO_USAGE,
                     "%s: a picture holds one slice of at most %d x %d voxels, this grid is %lld x "
                     "%lld x %lld",
                     path, LARGEST_SIDE, LARGEST_SIDE, (long long)grid->size[0],
                     (long long)grid->size[1], (long long)grid->size[2]);
}

static void count_written(const sgio_label_job *job, const int *labels, const uint16_t *pixels,
                          size_t count)
{
    int64_t *written = job->options->written;
    for (size_t s = 0; s < job->segmentation->segment_count && written; s++) {
        written[s] = 0;
        for (size_t i = 0; i < count; i++)
            written[s] += pixels[i] == labels[s];
    }
}

/* Later segments win. */
static void paint(const sgio_label_job *job, const int *labels, uint8_t *mask, uint16_t *pixels)
{
    const sgio_segmentation *from = job->segmentation;
    const size_t count = (size_t)from->geometry.size[0] * (size_t)from->geometry.size[1];
    uint16_t *owner =
        calloc(count, sizeof *owner); /* 1 + index of the segment; NULL: not counted */
    for (size_t s = 0; s < from->segment_count; s++) {
        sgio_segmentation_get_mask(from, s, mask);
        for (size_t i = 0; i < count; i++) {
            if (!mask[i]) continue;
            if (owner && owner[i]) {
                job->overlap->voxels++;
                job->overlap->first = (size_t)owner[i] - 1;
                job->overlap->second = s;
            }
            if (owner) owner[i] = (uint16_t)(s + 1);
            pixels[i] = (uint16_t)labels[s];
        }
    }
    count_written(job, labels, pixels, count);
    free(owner);
}

static sgio_status send(const sgio_label_job *job, sgio_atomic_file *file, const void *pixels,
                        png_uint_32 format, const void *palette)
{
    const int64_t *size = job->segmentation->geometry.size;
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .format = format,
                       .width = (png_uint_32)size[0],
                       .height = (png_uint_32)size[1],
                       .colormap_entries = palette ? PALETTE : 0};
    errno = 0;
    if (png_image_write_to_stdio(&image, file->stream, 0, pixels, 0, palette)) return SGIO_OK;
    return sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s", job->path,
                     ferror(file->stream) && errno ? strerror(errno) : image.message);
}

/* One byte per pixel, in place, and the segments' colours by their labels. */
static sgio_status send_palette(const sgio_label_job *job, sgio_atomic_file *file,
                                const int *labels, uint16_t *pixels)
{
    const sgio_segmentation *from = job->segmentation;
    const size_t count = (size_t)from->geometry.size[0] * (size_t)from->geometry.size[1];
    uint8_t palette[PALETTE][3] = {{0}}, *bytes = (uint8_t *)pixels;
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)pixels[i];
    for (size_t s = 0; s < from->segment_count; s++)
        for (int c = 0; c < 3; c++)
            palette[labels[s]][c] = (uint8_t)(255 * from->segments[s].colour[c] + 0.5);
    return send(job, file, bytes, PNG_FORMAT_RGB_COLORMAP, palette);
}

sgio_status sgio_write_png(const sgio_label_job *job, sgio_atomic_file *file)
{
    const sgio_segmentation *from = job->segmentation;
    const size_t count = (size_t)from->geometry.size[0] * (size_t)from->geometry.size[1];
    int *labels = calloc(from->segment_count + 1, sizeof *labels);
    uint16_t *pixels = calloc(count, sizeof *pixels);
    uint8_t *mask = malloc(count);
    sgio_status status = SGIO_OK;
    if (labels && pixels && mask) {
        sgio_job_labels(job, labels);
        paint(job, labels, mask, pixels);
        status = sgio_flat_bytes(job) == 1 ? send_palette(job, file, labels, pixels)
                                           : send(job, file, pixels, PNG_FORMAT_LINEAR_Y, NULL);
    } else {
        status = sgio_fail_memory(3 * count, job->path);
    }
    free(labels);
    free(pixels);
    free(mask);
    return status;
}
