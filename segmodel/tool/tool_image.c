#include "tool_image.h"

#include "tool_png.h"

#include "checkpoint/npy.h"
#include "core/atomic_file.h"
#include "segmodel/slices.h"

#include <stdlib.h>
#include <string.h>

#ifdef SEGMODEL_HAVE_PNG
#include <png.h>
#endif

enum { MAX_SIDE = 32768 };

static sgm_status check_size(const char *path, int64_t width, int64_t height)
{
    if (width >= 1 && height >= 1 && width <= MAX_SIDE && height <= MAX_SIDE) return SGM_OK;
    return sgm_fail(SGM_UNREADABLE, "%s: an image is 1 to %d pixels wide and high, not %lld x %lld",
                    path, MAX_SIDE, (long long)width, (long long)height);
}

static sgm_status read_npy(const char *path, image_file *out)
{
    sgm_npy npy;
    char shape[96];
    SGM_TRY(sgm_npy_open(path, &npy));
    const sgm_stored_tensor *a = &npy.array;
    sgm_status status = SGM_OK;
    bool image = a->rank == 2 || (a->rank == 3 && a->shape[2] == 3);
    if (a->type != SGM_STORED_U8 || !image)
        status = sgm_fail(SGM_UNREADABLE,
                          "%s: an image is uint8 of shape (H, W) or (H, W, 3), this is %s %s", path,
                          sgm_stored_type_name(a->type), sgm_stored_tensor_shape_text(a, shape));
    if (status == SGM_OK) status = check_size(path, a->shape[1], a->shape[0]);
    if (status == SGM_OK) {
        out->pixels = malloc(a->byte_size);
        if (!out->pixels) status = sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory for it", path);
    }
    if (status == SGM_OK) {
        memcpy(out->pixels, a->data, a->byte_size);
        out->image = (sgm_image){.data = out->pixels,
                                 .width = (int)a->shape[1],
                                 .height = (int)a->shape[0],
                                 .channels = a->rank == 3 ? 3 : 1};
    }
    sgm_npy_close(&npy);
    return status;
}

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && !strcmp(path + n - m, end);
}

/* Greys as PromptSeg shows them to the network: windowed, unless they are those of a picture of 8
 * bits already. */
static sgm_status show(const png_pixels *png, image_file *out)
{
    const sgm_volume volume = {.data = png->data,
                               .type = png->wide ? SGM_VOXEL_U16 : SGM_VOXEL_U8,
                               .channels = png->channels,
                               .size = {png->width, png->height, 1},
                               .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    const sgm_volume_options options = {.size = sizeof options, .axis = SGM_AXIS_K};
    size_t count = (size_t)png->width * (size_t)png->height * (size_t)png->channels;
    sgm_slices *slices;
    SGM_TRY(sgm_slices_create(&volume, &options, NULL, &slices));
    sgm_status status = sgm_slices_picture(slices, 0, &out->image);
    if (status == SGM_OK && !(out->pixels = malloc(count)))
        status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a picture");
    if (status == SGM_OK) {
        memcpy(out->pixels, out->image.data, count);
        out->image.data = out->pixels;
    }
    sgm_slices_destroy(slices);
    return status;
}

static sgm_status read_png(const char *path, image_file *out)
{
    png_pixels png;
    SGM_TRY(png_pixels_read(path, MAX_SIDE, &png));
    sgm_status status = show(&png, out);
    free(png.data);
    if (status == SGM_OK) return SGM_OK;
    image_file_clear(out);
    return sgm_fail_in(status, path);
}

#ifdef SEGMODEL_HAVE_PNG

int image_file_has_png(void)
{
    return 1;
}

static sgm_status write_bytes(const char *path, const void *bytes, size_t size)
{
    sgm_atomic_file file;
    SGM_TRY(sgm_atomic_file_create(path, &file));
    sgm_status status = sgm_atomic_file_write(&file, bytes, size);
    if (status == SGM_OK) return sgm_atomic_file_commit(&file);
    sgm_atomic_file_abandon(&file);
    return status;
}

sgm_status image_file_write_mask(const char *path, const uint8_t *mask, int width, int height)
{
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)width,
                     .height = (png_uint_32)height,
                     .format = PNG_FORMAT_GRAY};
    size_t count = (size_t)width * (size_t)height;
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
    uint8_t *grey = malloc(count), *encoded = malloc(size);
    sgm_status status = sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory for it", path);
    if (grey && encoded) {
        for (size_t i = 0; i < count; i++)
            grey[i] = mask[i] ? 255 : 0;
        status = png_image_write_to_memory(&png, encoded, &size, 0, grey, 0, NULL)
                     ? write_bytes(path, encoded, size)
                     : sgm_fail(SGM_UNWRITABLE, "%s: %s", path, png.message);
    }
    free(grey);
    free(encoded);
    return status;
}

#else

int image_file_has_png(void)
{
    return 0;
}

sgm_status image_file_write_mask(const char *path, const uint8_t *mask, int width, int height)
{
    (void)mask, (void)width, (void)height;
    return sgm_fail(SGM_UNWRITABLE, "%s: this build has no libpng", path);
}

#endif

sgm_status image_file_read(const char *path, image_file *out)
{
    *out = (image_file){0};
    return ends_with(path, ".png") || ends_with(path, ".PNG") ? read_png(path, out)
                                                              : read_npy(path, out);
}

void image_file_clear(image_file *file)
{
    free(file->pixels);
    *file = (image_file){0};
}
