#include "predict/picture/slice.h"

#include "core/status.h"
#include "predict/picture/voxel.h"
#include "predict/picture/window.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_SIZE = 65536 };

/* ------------------------------------------------------------------------------- resampling */

static void resampling_clear(sgm_axis_taps *resampling)
{
    free(resampling->first);
    free(resampling->weights);
    *resampling = (sgm_axis_taps){0};
}

/* Triangle around `centre` (input samples), clamped to the input; the weights' sum is 1. */
static void set_triangle(sgm_axis_taps *resampling, int n, double centre, double reach, int64_t in)
{
    float *weights = resampling->weights + (size_t)n * (size_t)resampling->taps;
    int64_t first = (int64_t)floor(centre - reach) + 1;
    int64_t start = first < 0 ? 0 : first;
    if (start + resampling->taps > in) start = in - resampling->taps;
    double sum = 0;
    for (int tap = 0; tap < resampling->taps; tap++)
        weights[tap] = 0;
    for (int64_t i = first; i < centre + reach; i++) {
        double weight = 1 - fabs((double)i - centre) / reach;
        int64_t inside = i < 0 ? 0 : i >= in ? in - 1 : i;
        if (weight <= 0) continue;
        weights[inside - start] += (float)weight;
        sum += weight;
    }
    for (int tap = 0; tap < resampling->taps; tap++)
        weights[tap] /= (float)sum;
    resampling->first[n] = (int)start;
}

/* Linear interpolation; with a wider triangle where pixels are coarser than voxels. */
static sgm_status resampling_init(sgm_axis_taps *resampling, int64_t in, int out)
{
    *resampling = (sgm_axis_taps){0};
    if (in == out) return SGM_OK;
    double scale = (double)out / (double)in, reach = fmax(1, 1 / scale);
    int64_t taps = (int64_t)ceil(2 * reach) + 1;
    resampling->taps = (int)(taps < in ? taps : in);
    resampling->first = calloc((size_t)out, sizeof *resampling->first);
    resampling->weights = calloc((size_t)out * (size_t)resampling->taps, sizeof(float));
    if (!resampling->first || !resampling->weights)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for resampling");
    for (int n = 0; n < out; n++)
        set_triangle(resampling, n, (n + 0.5) / scale - 0.5, reach, in);
    return SGM_OK;
}

/* `in` and `out` are `step` apart per sample. */
static void resample(const sgm_axis_taps *resampling, const float *in, size_t in_step, float *out,
                     size_t out_step, int count)
{
    size_t taps = (size_t)resampling->taps;
    for (int n = 0; n < count; n++) {
        const float *weights = resampling->weights + (size_t)n * taps;
        const float *from = in + (size_t)resampling->first[n] * in_step;
        float sum = 0;
        for (size_t tap = 0; tap < taps; tap++)
            sum += weights[tap] * from[tap * in_step];
        out[(size_t)n * out_step] = sum;
    }
}

/* ----------------------------------------------------------------------------------- slices */

static float limited(double shade)
{
    return shade >= 255 ? 255 : shade > 0 ? (float)shade : 0;
}

/* 0..255, before rounding; 0 where the window is too narrow to divide by. */
static float shade(const sgm_slicer *slicer, double value)
{
    if (sgm_window_is_padding(slicer->volume, value)) return 0;
    if (slicer->volume->channels == 3) return limited(value);
    /* halves, because the width of a window over nearly all doubles is not one */
    return limited(255 * ((value / 2 - slicer->low / 2) / (slicer->high / 2 - slicer->low / 2)));
}

static uint8_t to_byte(float shade)
{
    return (uint8_t)(shade >= 255 ? 255 : shade > 0 ? shade + 0.5f : 0);
}

/* Whether a table of all values that the voxels' type has is worth its memory. */
static int wants_table(const sgm_slicer *slicer)
{
    const sgm_volume *volume = slicer->volume;
    const sgm_plane *plane = &slicer->plane;
    if (volume->channels != 1 || plane->columns * plane->rows * plane->slices < 4 * TABLE_SIZE)
        return 0;
    return volume->type == SGM_VOXEL_I16 || volume->type == SGM_VOXEL_U16;
}

/* Without memory for it, slices take longer. */
static void make_table(sgm_slicer *slicer)
{
    bool is_signed = slicer->volume->type == SGM_VOXEL_I16;
    slicer->table = malloc(sizeof(float) * TABLE_SIZE);
    slicer->bytes = malloc(TABLE_SIZE);
    for (int code = 0; slicer->table && slicer->bytes && code < TABLE_SIZE; code++) {
        double value = is_signed ? (double)(int16_t)(uint16_t)code : (double)code;
        slicer->table[code] = shade(slicer, value);
        slicer->bytes[code] = to_byte(slicer->table[code]);
    }
}

sgm_status sgm_slicer_init(sgm_slicer *slicer, const sgm_volume *volume, const sgm_plane *plane,
                           double low, double high)
{
    size_t columns = (size_t)plane->columns, rows = (size_t)plane->rows;
    *slicer = (sgm_slicer){.volume = volume, .plane = *plane, .low = low, .high = high};
    slicer->line = malloc(sizeof(double) * columns);
    slicer->voxels = malloc(sizeof(float) * columns * rows);
    slicer->widened = malloc(sizeof(float) * (size_t)plane->width * rows);
    if (wants_table(slicer)) make_table(slicer);
    sgm_status status = resampling_init(&slicer->across, plane->columns, plane->width);
    if (status == SGM_OK) status = resampling_init(&slicer->down, plane->rows, plane->height);
    if (status == SGM_OK && !(slicer->line && slicer->voxels && slicer->widened))
        status =
            sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a slice of %zu x %zu voxels", columns, rows);
    if (status != SGM_OK) sgm_slicer_clear(slicer);
    return status;
}

void sgm_slicer_clear(sgm_slicer *slicer)
{
    resampling_clear(&slicer->across);
    resampling_clear(&slicer->down);
    free(slicer->table);
    free(slicer->bytes);
    free(slicer->line);
    free(slicer->voxels);
    free(slicer->widened);
    *slicer = (sgm_slicer){0};
}

/* `count` shades, `step` voxels apart, from the first voxel on. */
static void read_shades(sgm_slicer *slicer, int64_t start, int64_t step, int64_t count,
                        float *shades)
{
    if (slicer->table && slicer->bytes) {
        const uint16_t *from = (const uint16_t *)slicer->volume->data + start;
        for (int64_t u = 0; u < count; u++)
            shades[u] = slicer->table[from[u * step]];
        return;
    }
    sgm_voxel_read(slicer->volume, start, step, count, slicer->line);
    for (int64_t u = 0; u < count; u++)
        shades[u] = shade(slicer, slicer->line[u]);
}

/* One channel of a slice, oriented, not yet resampled. */
static void read_voxels(sgm_slicer *slicer, int64_t slice, int channel)
{
    const sgm_plane *plane = &slicer->plane;
    const int64_t *size = slicer->volume->size;
    int channels = slicer->volume->channels;
    int64_t step = sgm_plane_offset(plane, size, 0, 1, 0) * channels;
    for (int64_t row = 0; row < plane->rows; row++) {
        int64_t v = plane->flip_v ? plane->rows - 1 - row : row;
        int64_t start = sgm_plane_offset(plane, size, slice, 0, v) * channels + channel;
        if (plane->flip_u) start += step * (plane->columns - 1);
        read_shades(slicer, start, plane->flip_u ? -step : step, plane->columns,
                    slicer->voxels + row * plane->columns);
    }
}

/* slicer->voxels to rows of the picture's width. */
static const float *widen(sgm_slicer *slicer)
{
    const sgm_plane *plane = &slicer->plane;
    if (!slicer->across.taps) return slicer->voxels;
    for (int64_t row = 0; row < plane->rows; row++)
        resample(&slicer->across, slicer->voxels + row * plane->columns, 1,
                 slicer->widened + row * plane->width, 1, plane->width);
    return slicer->widened;
}

static float heightened(const sgm_axis_taps *down, const float *column, size_t width, int y)
{
    if (!down->taps) return column[(size_t)y * width];
    const float *weights = down->weights + (size_t)y * (size_t)down->taps;
    const float *from = column + (size_t)down->first[y] * width;
    float sum = 0;
    for (int tap = 0; tap < down->taps; tap++)
        sum += weights[tap] * from[(size_t)tap * width];
    return sum;
}

/* Voxel by voxel, by the table. */
static void look_up(const sgm_slicer *slicer, int64_t slice, uint8_t *picture)
{
    const sgm_plane *plane = &slicer->plane;
    const int64_t *size = slicer->volume->size;
    int64_t step = sgm_plane_offset(plane, size, 0, 1, 0);
    for (int64_t row = 0; row < plane->rows; row++) {
        int64_t v = plane->flip_v ? plane->rows - 1 - row : row;
        const uint16_t *from =
            (const uint16_t *)slicer->volume->data + sgm_plane_offset(plane, size, slice, 0, v);
        uint8_t *to = picture + row * plane->columns;
        for (int64_t u = 0; u < plane->columns; u++)
            to[plane->flip_u ? plane->columns - 1 - u : u] = slicer->bytes[from[u * step]];
    }
}

void sgm_slicer_extract(sgm_slicer *slicer, int64_t slice, uint8_t *picture)
{
    const sgm_plane *plane = &slicer->plane;
    if (slicer->table && slicer->bytes && !slicer->across.taps && !slicer->down.taps) {
        look_up(slicer, slice, picture);
        return;
    }
    size_t width = (size_t)plane->width, channels = (size_t)slicer->volume->channels;
    for (size_t channel = 0; channel < channels; channel++) {
        read_voxels(slicer, slice, (int)channel);
        const float *rows = widen(slicer);
        for (int y = 0; y < plane->height; y++)
            for (size_t x = 0; x < width; x++)
                picture[((size_t)y * width + x) * channels + channel] =
                    to_byte(heightened(&slicer->down, rows + x, width, y));
    }
}

/* ------------------------------------------------------------------------------------ masks */

/* The pixel at the centre of voxel `index`, which counts against the picture when flipped. */
static int pixel_of(int64_t index, int64_t voxels, int flip, double scale, int pixels)
{
    int64_t seen = flip ? voxels - 1 - index : index;
    if (voxels == pixels) return (int)seen;
    int pixel = (int)floor(((double)seen + 0.5) * scale);
    return pixel < pixels ? pixel : pixels - 1;
}

static int64_t voxel_of(int pixel, int64_t voxels, int flip, double scale, int pixels)
{
    int64_t seen = voxels == pixels ? pixel : (int64_t)floor((pixel + 0.5) / scale);
    if (seen >= voxels) seen = voxels - 1;
    return flip ? voxels - 1 - seen : seen;
}

/* Pixels are voxels in each row, in the same order or the other way round. */
static void copy_row(const uint8_t *from, uint8_t *to, int64_t count, int flip)
{
    if (!flip)
        memcpy(to, from, (size_t)count);
    else
        for (int64_t i = 0; i < count; i++)
            to[i] = from[count - 1 - i];
}

/* Sets the voxel that holds a coordinate of the picture; returns the pixel at its centre. */
static int place_on(double at, int64_t voxels, int flip, double scale, int pixels, int64_t *voxel)
{
    double seen = voxels == pixels ? rint(at) : floor((at + 0.5) / scale);
    seen = fmin(fmax(seen, 0), (double)voxels - 1);
    *voxel = flip ? voxels - 1 - (int64_t)seen : (int64_t)seen;
    return pixel_of(*voxel, voxels, flip, scale, pixels);
}

sgm_slice_place sgm_slice_place_of(const sgm_plane *plane, double x, double y)
{
    sgm_slice_place place;
    place.x = place_on(x, plane->columns, plane->flip_u, plane->scale_x, plane->width, &place.u);
    place.y = place_on(y, plane->rows, plane->flip_v, plane->scale_y, plane->height, &place.v);
    return place;
}

/* The pixels of a voxel along one axis: first and last. */
static void pixels_of(int64_t voxel, int64_t voxels, int flip, double scale, int pixels,
                      int span[2])
{
    span[0] = span[1] = pixel_of(voxel, voxels, flip, scale, pixels);
    while (span[0] > 0 && voxel_of(span[0] - 1, voxels, flip, scale, pixels) == voxel)
        span[0]--;
    while (span[1] < pixels - 1 && voxel_of(span[1] + 1, voxels, flip, scale, pixels) == voxel)
        span[1]++;
}

void sgm_slice_set_voxel(const sgm_plane *plane, int64_t u, int64_t v, uint8_t value,
                         uint8_t *picture)
{
    int x[2], y[2];
    pixels_of(u, plane->columns, plane->flip_u, plane->scale_x, plane->width, x);
    pixels_of(v, plane->rows, plane->flip_v, plane->scale_y, plane->height, y);
    for (int row = y[0]; row <= y[1]; row++)
        memset(picture + (size_t)row * (size_t)plane->width + (size_t)x[0], value,
               (size_t)(x[1] - x[0] + 1));
}

int64_t sgm_slice_store(const sgm_plane *plane, const uint8_t *picture, uint8_t *slice)
{
    int64_t set = 0, columns = plane->columns;
    for (int64_t v = 0; v < plane->rows; v++, slice += columns) {
        int y = pixel_of(v, plane->rows, plane->flip_v, plane->scale_y, plane->height);
        const uint8_t *row = picture + (size_t)y * (size_t)plane->width;
        if (columns == plane->width)
            copy_row(row, slice, columns, plane->flip_u);
        else
            for (int64_t u = 0; u < columns; u++)
                slice[u] = row[pixel_of(u, columns, plane->flip_u, plane->scale_x, plane->width)];
        int64_t in_row = 0;
        for (int64_t u = 0; u < columns; u++)
            in_row += slice[u];
        set += in_row;
    }
    return set;
}

/* Pixels of all voxels that are set, for a picture in which nothing is. */
static void load_voxels(const sgm_plane *plane, const uint8_t *slice, uint8_t *picture)
{
    for (int64_t v = 0; v < plane->rows; v++, slice += plane->columns)
        for (int64_t u = 0; u < plane->columns; u++)
            if (slice[u]) sgm_slice_set_voxel(plane, u, v, 1, picture);
}

static void load_pixels(const sgm_plane *plane, const uint8_t *slice, uint8_t *picture)
{
    int64_t before = -1;
    for (int y = 0; y < plane->height; y++, picture += plane->width) {
        int64_t v = voxel_of(y, plane->rows, plane->flip_v, plane->scale_y, plane->height);
        const uint8_t *row = slice + v * plane->columns;
        if (plane->columns == plane->width)
            copy_row(row, picture, plane->columns, plane->flip_u);
        else if (v == before)
            memcpy(picture, picture - plane->width, (size_t)plane->width);
        else
            for (int x = 0; x < plane->width; x++)
                picture[x] =
                    row[voxel_of(x, plane->columns, plane->flip_u, plane->scale_x, plane->width)];
        before = v;
    }
}

void sgm_slice_load(const sgm_plane *plane, const uint8_t *slice, uint8_t *picture)
{
    int is_coarse = plane->width < plane->columns || plane->height < plane->rows;
    load_pixels(plane, slice, picture);
    if (is_coarse && !memchr(picture, 1, (size_t)plane->width * (size_t)plane->height))
        load_voxels(plane, slice, picture);
}

void sgm_slice_voxels(const sgm_plane *plane, const int64_t size[3], int64_t slice, int64_t *voxels)
{
    int64_t step = sgm_plane_offset(plane, size, 0, 1, 0);
    for (int y = 0; y < plane->height; y++) {
        int64_t v = voxel_of(y, plane->rows, plane->flip_v, plane->scale_y, plane->height);
        int64_t row = sgm_plane_offset(plane, size, slice, 0, v);
        for (int x = 0; x < plane->width; x++)
            *voxels++ = row + step * voxel_of(x, plane->columns, plane->flip_u, plane->scale_x,
                                              plane->width);
    }
}
