/* OpenCV's INTER_AREA, which LiteMedSAM was trained on, and torch's bilinear interpolation for
 * SAMIHS. Both as separable sums in float. */
#include "predict/picture/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One axis: output i is the sum of weight[i][0..count) * input[first[i]..]. */
typedef struct axis {
    int *first, *count;
    float *weight;
    int taps;
} axis;

static void free_axis(axis *a)
{
    free(a->first);
    free(a->count);
    free(a->weight);
}

static sgm_status make_axis(int out, int taps, axis *a)
{
    a->taps = taps;
    a->first = malloc((size_t)out * sizeof *a->first);
    a->count = malloc((size_t)out * sizeof *a->count);
    a->weight = calloc((size_t)out * (size_t)taps, sizeof *a->weight);
    if (a->first && a->count && a->weight) return SGM_OK;
    free_axis(a);
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
}

static void two_taps(axis *a, int i, int in, int low, double fraction)
{
    int high = low + 1;
    if (low < 0) low = high = 0, fraction = 0;
    if (high >= in) high = in - 1;
    if (low >= in - 1) low = in - 1, fraction = 0;
    a->first[i] = low;
    a->count[i] = high > low ? 2 : 1;
    a->weight[2 * i] = (float)(1 - (high > low ? fraction : 0));
    if (high > low) a->weight[2 * i + 1] = (float)fraction;
}

/* Shrinking: how much of each input cell the output cell covers. */
static void cover(axis *a, int i, int in, double scale)
{
    double from = i * scale, to = from + scale < in ? from + scale : in;
    int first = (int)floor(from + 1e-9), last = (int)ceil(to - 1e-9);
    a->first[i] = first;
    a->count[i] = last - first;
    for (int k = first; k < last; k++) {
        double low = k > from ? k : from, high = k + 1 < to ? k + 1 : to;
        a->weight[(size_t)i * (size_t)a->taps + (size_t)(k - first)] =
            (float)((high - low) / (to - from));
    }
}

static sgm_status shrinking_axis(int in, int out, axis *a)
{
    double scale = (double)in / out;
    SGM_TRY(make_axis(out, (int)ceil(scale) + 2, a));
    for (int i = 0; i < out; i++)
        cover(a, i, in, scale);
    return SGM_OK;
}

static sgm_status enlarging_axis(int in, int out, axis *a)
{
    double scale = (double)in / out;
    SGM_TRY(make_axis(out, 2, a));
    for (int i = 0; i < out; i++) {
        int low = (int)floor(i * scale);
        double fraction = (i + 1) - (low + 1) / scale;
        two_taps(a, i, in, low, fraction <= 0 ? 0 : fraction - floor(fraction));
    }
    return SGM_OK;
}

static sgm_status linear_axis(int in, int out, axis *a)
{
    double scale = (double)in / out;
    SGM_TRY(make_axis(out, 2, a));
    for (int i = 0; i < out; i++) {
        double at = (i + 0.5) * scale - 0.5;
        if (at < 0) at = 0;
        two_taps(a, i, in, (int)at, at - (int)at);
    }
    return SGM_OK;
}

/* Rows first, then columns. */
static sgm_status apply(const float *from, sgm_size in, int channels, float *to, sgm_size out,
                        const axis *horizontal, const axis *vertical)
{
    size_t length = (size_t)out.width * (size_t)channels;
    float *middle = malloc((size_t)in.height * length * sizeof *middle);
    if (!middle) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
    for (int y = 0; y < in.height; y++)
        for (int x = 0; x < out.width; x++)
            for (int c = 0; c < channels; c++) {
                const float *w = horizontal->weight + (size_t)x * (size_t)horizontal->taps;
                const float *p =
                    from + ((size_t)y * (size_t)in.width + (size_t)horizontal->first[x]) *
                               (size_t)channels;
                float sum = 0;
                for (int i = 0; i < horizontal->count[x]; i++)
                    sum += w[i] * p[i * channels + c];
                middle[(size_t)y * length + (size_t)(x * channels + c)] = sum;
            }
    for (int y = 0; y < out.height; y++) {
        const float *w = vertical->weight + (size_t)y * (size_t)vertical->taps;
        const float *rows = middle + (size_t)vertical->first[y] * length;
        for (size_t x = 0; x < length; x++) {
            float sum = 0;
            for (int i = 0; i < vertical->count[y]; i++)
                sum += w[i] * rows[(size_t)i * length + x];
            to[(size_t)y * length + x] = sum;
        }
    }
    free(middle);
    return SGM_OK;
}

typedef sgm_status (*axis_fn)(int in, int out, axis *a);

static sgm_status resample(const float *from, sgm_size in, int channels, float *to, sgm_size out,
                           axis_fn make)
{
    axis horizontal = {0}, vertical = {0};
    SGM_TRY(make(in.width, out.width, &horizontal));
    sgm_status status = make(in.height, out.height, &vertical);
    if (status == SGM_OK) {
        status = apply(from, in, channels, to, out, &horizontal, &vertical);
        free_axis(&vertical);
    }
    free_axis(&horizontal);
    return status;
}

sgm_status sgm_resample_linear(const float *from, sgm_size from_size, int channels, float *to,
                               sgm_size to_size)
{
    return resample(from, from_size, channels, to, to_size, linear_axis);
}

static sgm_status shrink(const uint8_t *from, sgm_size in, int channels, uint8_t *to, sgm_size out)
{
    size_t in_count = (size_t)in.width * (size_t)in.height * (size_t)channels;
    size_t out_count = (size_t)out.width * (size_t)out.height * (size_t)channels;
    float *values = malloc((in_count + out_count) * sizeof *values);
    if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
    for (size_t i = 0; i < in_count; i++)
        values[i] = from[i];
    sgm_status status = resample(values, in, channels, values + in_count, out, shrinking_axis);
    for (size_t i = 0; status == SGM_OK && i < out_count; i++)
        to[i] = (uint8_t)lrintf(fminf(fmaxf(values[in_count + i], 0), 255));
    free(values);
    return status;
}

/* Weights of output i in 1/2048, as OpenCV's linear interpolation of bytes has them. */
static void fixed_weights(const axis *a, int i, int weight[2])
{
    weight[0] = (int)lrintf(a->weight[2 * i] * 2048);
    weight[1] = (int)lrintf(a->weight[2 * i + 1] * 2048);
}

/* One row widened, in 1/2048. */
static void enlarge_row(const uint8_t *from, int channels, const axis *a, int width, int *to)
{
    int w[2];
    for (int x = 0; x < width; x++) {
        const uint8_t *p = from + a->first[x] * channels;
        fixed_weights(a, x, w);
        for (int c = 0; c < channels; c++)
            to[x * channels + c] = p[c] * w[0] + (a->count[x] > 1 ? p[channels + c] * w[1] : 0);
    }
}

static void enlarge_rows(const uint8_t *from, sgm_size in, int channels, uint8_t *to, sgm_size out,
                         const axis axes[2], int *rows)
{
    size_t length = (size_t)out.width * (size_t)channels;
    for (int y = 0; y < out.height; y++) {
        int w[2], first = axes[1].first[y], next = first + (axes[1].count[y] > 1);
        size_t stride = (size_t)in.width * (size_t)channels;
        fixed_weights(&axes[1], y, w);
        enlarge_row(from + (size_t)first * stride, channels, &axes[0], out.width, rows);
        enlarge_row(from + (size_t)next * stride, channels, &axes[0], out.width, rows + length);
        for (size_t x = 0; x < length; x++)
            to[(size_t)y * length + x] = (uint8_t)(((w[0] * (rows[x] >> 4) >> 16) +
                                                    (w[1] * (rows[length + x] >> 4) >> 16) + 2) >>
                                                   2);
    }
}

static sgm_status enlarge(const uint8_t *from, sgm_size in, int channels, uint8_t *to, sgm_size out)
{
    axis axes[2] = {0};
    int *rows = malloc(2 * (size_t)out.width * (size_t)channels * sizeof *rows);
    sgm_status status = rows ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
    if (status == SGM_OK) status = enlarging_axis(in.width, out.width, &axes[0]);
    if (status == SGM_OK) {
        status = enlarging_axis(in.height, out.height, &axes[1]);
        if (status == SGM_OK) {
            enlarge_rows(from, in, channels, to, out, axes, rows);
            free_axis(&axes[1]);
        }
        free_axis(&axes[0]);
    }
    free(rows);
    return status;
}

static sgm_taps as_taps(const axis *a, int in, int out)
{
    return (sgm_taps){.in = in,
                      .out = out,
                      .taps = a->taps,
                      .first = a->first,
                      .count = a->count,
                      .weight = a->weight};
}

sgm_status sgm_linear_taps(int in, int out, sgm_taps *taps)
{
    axis a;
    *taps = (sgm_taps){0};
    SGM_TRY(linear_axis(in, out, &a));
    *taps = as_taps(&a, in, out);
    return SGM_OK;
}

sgm_resample_rule sgm_area_rule(sgm_size in, sgm_size out)
{
    bool shrinks = out.width <= in.width && out.height <= in.height;
    return shrinks ? SGM_RESAMPLE_FLOATS : SGM_RESAMPLE_FIXED;
}

sgm_status sgm_area_taps(sgm_resample_rule rule, int in, int out, sgm_taps *taps)
{
    axis a;
    *taps = (sgm_taps){0};
    SGM_TRY((rule == SGM_RESAMPLE_FIXED ? enlarging_axis : shrinking_axis)(in, out, &a));
    for (int i = 0; rule == SGM_RESAMPLE_FIXED && i < out; i++) {
        int weight[2];
        fixed_weights(&a, i, weight);
        memcpy(a.weight + 2 * i, weight, sizeof weight);
    }
    *taps = as_taps(&a, in, out);
    return SGM_OK;
}

sgm_status sgm_resample_area(const uint8_t *from, sgm_size from_size, int channels, uint8_t *to,
                             sgm_size to_size)
{
    bool shrinks = sgm_area_rule(from_size, to_size) == SGM_RESAMPLE_FLOATS;
    return (shrinks ? shrink : enlarge)(from, from_size, channels, to, to_size);
}
