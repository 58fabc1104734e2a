/* Pillow's 8-bit bilinear resize, exactly (libImaging/Resample.c describes the arithmetic): SAM was
 * trained on its results, and masks near the threshold feel a difference of one grey level. */
#include "predict/picture/resample.h"

#include <math.h>
#include <stdlib.h>

enum { WEIGHT_BITS = 32 - 8 - 2 };

/* For every output position of one axis: the first input position and `taps` integer weights. */
typedef struct filter {
    int *first;
    int *count;
    int32_t *weight; /* [out][taps] */
    int taps;
} filter;

static void free_filter(filter *f)
{
    free(f->first);
    free(f->count);
    free(f->weight);
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* The weights of output position `at`, normalised in double and then rounded to integers. */
static void fill_position(filter *f, int at, int in, double scale, double *work)
{
    double stretch = scale < 1 ? 1 : scale, centre = (at + 0.5) * scale, total = 0;
    int first = (int)(centre - stretch + 0.5), last = (int)(centre + stretch + 0.5);
    if (first < 0) first = 0;
    if (last > in) last = in;
    int count = last - first;
    for (int i = 0; i < count; i++) {
        work[i] = triangle((i + first - centre + 0.5) / stretch);
        total += work[i];
    }
    for (int i = 0; i < count; i++) {
        double w = total != 0 ? work[i] / total : work[i];
        f->weight[(size_t)at * (size_t)f->taps + (size_t)i] =
            (int32_t)(w * (1 << WEIGHT_BITS) + 0.5);
    }
    f->first[at] = first;
    f->count[at] = count;
}

static sgm_status make_filter(int in, int out, filter *f)
{
    double scale = (double)in / out;
    f->taps = (int)ceil(scale < 1 ? 1 : scale) * 2 + 1;
    f->first = malloc((size_t)out * sizeof *f->first);
    f->count = malloc((size_t)out * sizeof *f->count);
    f->weight = calloc((size_t)out * (size_t)f->taps, sizeof *f->weight);
    double *work = malloc((size_t)f->taps * sizeof *work);
    if (!f->first || !f->count || !f->weight || !work) {
        free(work);
        free_filter(f);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
    }
    for (int at = 0; at < out; at++)
        fill_position(f, at, in, scale, work);
    free(work);
    return SGM_OK;
}

sgm_status sgm_pillow_taps(int in, int out, sgm_taps *taps)
{
    filter f;
    *taps = (sgm_taps){.in = in, .out = out};
    if (in == out) return SGM_OK;
    SGM_TRY(make_filter(in, out, &f));
    taps->taps = f.taps;
    taps->first = f.first;
    taps->count = f.count;
    taps->weight = f.weight;
    return SGM_OK;
}

void sgm_taps_clear(sgm_taps *taps)
{
    free(taps->first);
    free(taps->count);
    free(taps->weight);
    free(taps->kernel);
    *taps = (sgm_taps){0};
}

static uint8_t clip(int32_t sum)
{
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void resize_row(const uint8_t *from, int channels, uint8_t *to, int out, const filter *f)
{
    for (int x = 0; x < out; x++) {
        const int32_t *w = f->weight + (size_t)x * (size_t)f->taps;
        const uint8_t *p = from + (size_t)f->first[x] * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            int32_t sum = 1 << (WEIGHT_BITS - 1);
            for (int i = 0; i < f->count[x]; i++)
                sum += p[i * channels + c] * w[i];
            to[x * channels + c] = clip(sum);
        }
    }
}

/* One output row from `count` input rows of `length` bytes. */
static void resize_column(const uint8_t *from, size_t length, uint8_t *to, const int32_t *weight,
                          int count, int32_t *sums)
{
    for (size_t x = 0; x < length; x++)
        sums[x] = 1 << (WEIGHT_BITS - 1);
    for (int i = 0; i < count; i++)
        for (size_t x = 0; x < length; x++)
            sums[x] += from[(size_t)i * length + x] * weight[i];
    for (size_t x = 0; x < length; x++)
        to[x] = clip(sums[x]);
}

static sgm_status resize_rows(const uint8_t *from, sgm_size size, int channels, uint8_t *to,
                              int width)
{
    filter f = {0};
    SGM_TRY(make_filter(size.width, width, &f));
    for (int y = 0; y < size.height; y++)
        resize_row(from + (size_t)y * (size_t)(size.width * channels), channels,
                   to + (size_t)y * (size_t)(width * channels), width, &f);
    free_filter(&f);
    return SGM_OK;
}

static sgm_status resize_columns(const uint8_t *from, sgm_size size, int channels, uint8_t *to,
                                 int height)
{
    filter f = {0};
    size_t length = (size_t)size.width * (size_t)channels;
    SGM_TRY(make_filter(size.height, height, &f));
    int32_t *sums = malloc(length * sizeof *sums);
    for (int y = 0; sums && y < height; y++)
        resize_column(from + (size_t)f.first[y] * length, length, to + (size_t)y * length,
                      f.weight + (size_t)y * (size_t)f.taps, f.count[y], sums);
    free_filter(&f);
    free(sums);
    return sums ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
}

static void copy(const uint8_t *from, sgm_size size, int channels, uint8_t *to)
{
    size_t count = (size_t)size.width * (size_t)size.height * (size_t)channels;
    for (size_t i = 0; i < count; i++)
        to[i] = from[i];
}

sgm_status sgm_resample_pillow(const uint8_t *from, sgm_size from_size, int channels, uint8_t *to,
                               sgm_size to_size)
{
    bool rows = from_size.width != to_size.width, columns = from_size.height != to_size.height;
    if (!rows && !columns) copy(from, from_size, channels, to);
    if (rows && !columns) return resize_rows(from, from_size, channels, to, to_size.width);
    if (columns && !rows) return resize_columns(from, from_size, channels, to, to_size.height);
    if (!rows) return SGM_OK;
    sgm_size between = {to_size.width, from_size.height};
    uint8_t *middle = malloc((size_t)between.width * (size_t)between.height * (size_t)channels);
    if (!middle) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
    sgm_status status = resize_rows(from, from_size, channels, middle, to_size.width);
    if (status == SGM_OK) status = resize_columns(middle, between, channels, to, to_size.height);
    free(middle);
    return status;
}
