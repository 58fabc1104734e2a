/* PNG through libpng, with errors as status: rows are decoded straight into the caller's buffer. */
#include "byte_source.h"
#include "io_status.h"
#include "picture_file.h"
#include "voxels.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *path;
    int indices; /* of a palette instead of its colours */
    FILE *file;
    png_structp png;
    png_infop info;
    png_bytep *rows;
    char problem[128];
} reader;

static void keep_error(png_structp png, png_const_charp message)
{
    reader *reader = png_get_error_ptr(png);
    snprintf(reader->problem, sizeof reader->problem, "%s", message);
    longjmp(png_jmpbuf(png), 1);
}

static void drop_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* Palettes and few-bit greys become 8 bits per value; alpha is dropped; 16-bit words are native. */
static void set_transforms(const reader *reader)
{
    if (reader->indices &&
        png_get_color_type(reader->png, reader->info) == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(reader->png);
    } else {
        png_set_expand(reader->png);
        png_set_strip_alpha(reader->png);
    }
    if (sgio_little_endian() && png_get_bit_depth(reader->png, reader->info) == 16)
        png_set_swap(reader->png);
    png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
}

static void describe(const reader *reader, sgio_picture *picture)
{
    picture->size[0] = png_get_image_width(reader->png, reader->info);
    picture->size[1] = png_get_image_height(reader->png, reader->info);
    picture->channels = png_get_channels(reader->png, reader->info);
    picture->type = png_get_bit_depth(reader->png, reader->info) == 16 ? SGIO_U16 : SGIO_U8;
}

/* Both calls may leave through longjmp: nothing is allocated here that sgio_png_read cannot find.
 */
static int read_all(reader *reader, sgio_picture *picture, void *pixels)
{
    if (setjmp(png_jmpbuf(reader->png))) return -1;
    png_set_user_limits(reader->png, 65535, 65535);
    png_init_io(reader->png, reader->file);
    png_read_info(reader->png, reader->info);
    set_transforms(reader);
    describe(reader, picture);
    if (!pixels) return 0;
    size_t row_bytes = png_get_rowbytes(reader->png, reader->info);
    reader->rows = malloc((size_t)picture->size[1] * sizeof *reader->rows);
    if (!reader->rows) png_error(reader->png, "out of memory");
    for (int64_t y = 0; y < picture->size[1]; y++)
        reader->rows[y] = (png_bytep)pixels + (size_t)y * row_bytes;
    png_read_image(reader->png, reader->rows);
    png_read_end(reader->png, NULL);
    return 0;
}

static sgio_status read_open_file(reader *reader, sgio_picture *picture, void *pixels)
{
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, keep_error, drop_warning);
    reader->info = reader->png ? png_create_info_struct(reader->png) : NULL;
    if (!reader->info) {
        png_destroy_read_struct(&reader->png, NULL, NULL);
        return sgio_fail_memory(0, reader->path);
    }
    int failed = read_all(reader, picture, pixels);
    free(reader->rows);
    png_destroy_read_struct(&reader->png, &reader->info, NULL);
    if (!failed) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: damaged PNG picture: %s", reader->path, reader->problem);
}

sgio_status sgio_png_read(const char *path, int indices, sgio_picture *picture, void *pixels)
{
    reader reader = {.path = path, .indices = indices};
    sgio_status status = sgio_open_input(path, &reader.file);
    if (status != SGIO_OK) return status;
    status = read_open_file(&reader, picture, pixels);
    fclose(reader.file);
    return status;
}
