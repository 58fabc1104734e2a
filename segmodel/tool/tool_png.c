#include "tool_png.h"

#ifdef SEGMODEL_HAVE_PNG

#include "core/files.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* What libpng's way out of an error must find again. */
typedef struct reader {
    FILE *file;
    png_structp png;
    png_infop info;
    png_bytep *rows;
    png_pixels pixels;
    int64_t most;
    char problem[160];
} reader;

static void keep_error(png_structp png, png_const_charp message)
{
    reader *r = png_get_error_ptr(png);
    snprintf(r->problem, sizeof r->problem, "%s", message);
    longjmp(png_jmpbuf(png), 1);
}

static void drop_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void set_transforms(const reader *r)
{
    const uint16_t one = 1;
    png_set_expand(r->png); /* palettes to RGB, greys of few bits to 8 */
    png_set_strip_alpha(r->png);
    if (*(const uint8_t *)&one && png_get_bit_depth(r->png, r->info) == 16) png_set_swap(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
}

static void check_size(reader *r)
{
    png_pixels *p = &r->pixels;
    char problem[160];
    p->width = png_get_image_width(r->png, r->info);
    p->height = png_get_image_height(r->png, r->info);
    if (p->width <= r->most && p->height <= r->most) return;
    snprintf(problem, sizeof problem, "an image is 1 to %lld pixels wide and high, not %lld x %lld",
             (long long)r->most, (long long)p->width, (long long)p->height);
    png_error(r->png, problem);
}

/* Leaves through longjmp on errors: what is allocated is found in *r. */
static bool read_all(reader *r)
{
    png_pixels *p = &r->pixels;
    if (setjmp(png_jmpbuf(r->png))) return false;
    png_init_io(r->png, r->file);
    png_read_info(r->png, r->info);
    check_size(r);
    set_transforms(r);
    p->channels = png_get_channels(r->png, r->info);
    p->wide = png_get_bit_depth(r->png, r->info) == 16;
    size_t row_bytes = png_get_rowbytes(r->png, r->info);
    p->data = malloc(row_bytes * (size_t)p->height);
    r->rows = malloc((size_t)p->height * sizeof *r->rows);
    if (!p->data || !r->rows) png_error(r->png, "no memory for it");
    for (int64_t y = 0; y < p->height; y++)
        r->rows[y] = (png_bytep)p->data + (size_t)y * row_bytes;
    png_read_image(r->png, r->rows);
    png_read_end(r->png, NULL);
    return true;
}

static bool read_open_file(reader *r)
{
    strcpy(r->problem, "no memory for it");
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, keep_error, drop_warning);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    bool done = r->info && read_all(r);
    free(r->rows);
    png_destroy_read_struct(&r->png, &r->info, NULL);
    return done;
}

sgm_status png_pixels_read(const char *path, int64_t most, png_pixels *out)
{
    reader r = {.file = sgm_fopen(path, "rb"), .most = most};
    *out = (png_pixels){0};
    if (!r.file) return sgm_fail(SGM_UNREADABLE, "%s: %s", path, strerror(errno));
    bool done = read_open_file(&r);
    fclose(r.file);
    if (done) {
        *out = r.pixels;
        return SGM_OK;
    }
    free(r.pixels.data);
    return sgm_fail(SGM_UNREADABLE, "%s: %s", path, r.problem);
}

#else

sgm_status png_pixels_read(const char *path, int64_t most, png_pixels *out)
{
    (void)most;
    *out = (png_pixels){0};
    return sgm_fail(SGM_UNREADABLE, "%s: this build has no libpng; give the image as .npy", path);
}

#endif
