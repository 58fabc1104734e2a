#include "pack_slices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"

static double value_at(const sgio_volume *v, int64_t at)
{
    switch (v->type) {
    case SGIO_U8:
        return ((const uint8_t *)v->data)[at];
    case SGIO_I8:
        return ((const int8_t *)v->data)[at];
    case SGIO_U16:
        return ((const uint16_t *)v->data)[at];
    case SGIO_I16:
        return ((const int16_t *)v->data)[at];
    case SGIO_U32:
        return ((const uint32_t *)v->data)[at];
    case SGIO_I32:
        return ((const int32_t *)v->data)[at];
    case SGIO_F32:
        return (double)((const float *)v->data)[at];
    case SGIO_F64:
        return ((const double *)v->data)[at];
    }
    return 0;
}

/* Voxel (u, v) of a slice: the two other axes in their order. */
static int64_t voxel(const pack_slicing *s, int64_t slice, int64_t u, int64_t v)
{
    const int64_t *size = s->image->geometry.size;
    int64_t at[3];
    at[s->axis] = slice;
    at[s->axis == 0 ? 1 : 0] = u;
    at[s->axis == 2 ? 1 : 2] = v;
    return (at[2] * size[1] + at[1]) * size[0] + at[0];
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Percentiles of at most 100,000 evenly spread voxels: enough for a window. */
static int percentile_window(const sgio_volume *v, double *low, double *high)
{
    const int64_t *size = v->geometry.size;
    int64_t count = size[0] * size[1] * size[2] * v->channels, wanted = 100000, n = 0;
    int64_t step = count > wanted ? count / wanted : 1;
    float *values = malloc((size_t)(count / step + 1) * sizeof *values);
    if (!values) return cli_fail(CLI_EXIT_MEMORY, "no memory for an intensity histogram");
    for (int64_t i = 0; i < count; i += step) {
        double value = value_at(v, i);
        if (isfinite(value) && !(v->has_padding && value == v->padding)) values[n++] = (float)value;
    }
    qsort(values, (size_t)n, sizeof *values, compare);
    *low = n ? (double)values[(int64_t)(0.005 * (double)(n - 1))] : 0;
    *high = n ? (double)values[(int64_t)(0.995 * (double)(n - 1))] : 1;
    if (*high <= *low) *high = *low + 1;
    free(values);
    return 0;
}

int pack_slicing_begin(const sgio_volume *image, const sgio_volume *label, const char *modality,
                       int max_side, pack_slicing *out)
{
    const int64_t *a = image->geometry.size, *b = label->geometry.size;
    if (a[0] != b[0] || a[1] != b[1] || a[2] != b[2])
        return cli_fail(
            CLI_EXIT_INPUT,
            "the label (%lld x %lld x %lld) does not fit its image (%lld x %lld x %lld)",
            (long long)b[0], (long long)b[1], (long long)b[2], (long long)a[0], (long long)a[1],
            (long long)a[2]);
    *out = (pack_slicing){.image = image,
                          .label = label,
                          .modality = modality,
                          .axis = 2,
                          .low = 0,
                          .high = 255,
                          .max_side = max_side};
    double spacing[3];
    sgio_geometry_spacing(&image->geometry, spacing);
    if (a[2] > 1)
        for (int i = 1; i >= 0; i--)
            if (spacing[i] > 1.001 * spacing[out->axis]) out->axis = i;
    if (image->type == SGIO_U8) return 0;
    if (a[2] > 1 && strncmp(modality, "CT", 2) == 0) {
        out->low = -160;
        out->high = 240;
        return 0;
    }
    return percentile_window(image, &out->low, &out->high);
}

int64_t pack_slicing_count(const pack_slicing *s)
{
    return s->image->geometry.size[s->axis];
}

static void plane_size(const pack_slicing *s, int64_t *width, int64_t *height)
{
    const int64_t *size = s->image->geometry.size;
    *width = size[s->axis == 0 ? 1 : 0];
    *height = size[s->axis == 2 ? 1 : 2];
}

/* Label maps may come as RGB pictures with equal channels. */
static double label_at(const pack_slicing *s, int64_t voxel_index)
{
    return value_at(s->label, voxel_index * s->label->channels);
}

int pack_slicing_has_label(const pack_slicing *s, int64_t index)
{
    int64_t width, height;
    plane_size(s, &width, &height);
    for (int64_t v = 0; v < height; v++)
        for (int64_t u = 0; u < width; u++)
            if (label_at(s, voxel(s, index, u, v)) != 0) return 1;
    return 0;
}

/* The picture's size: square pixels of the finer spacing, at most max_side. */
static void picture_size(const pack_slicing *s, int *width, int *height)
{
    double spacing[3];
    int64_t columns, rows;
    sgio_geometry_spacing(&s->image->geometry, spacing);
    plane_size(s, &columns, &rows);
    double x = (double)columns * spacing[s->axis == 0 ? 1 : 0];
    double y = (double)rows * spacing[s->axis == 2 ? 1 : 2];
    double pixel = fmin(x / (double)columns, y / (double)rows);
    pixel = fmax(pixel, fmax(x, y) / s->max_side);
    *width = (int)fmin(fmax(1, floor(x / pixel + 0.5)), s->max_side);
    *height = (int)fmin(fmax(1, floor(y / pixel + 0.5)), s->max_side);
}

/* Mean of the voxels under a pixel: right for making smaller, nearest for making larger. */
static double mean_over(const pack_slicing *s, int64_t index, const int64_t range[4], int channel)
{
    double sum = 0;
    for (int64_t v = range[2]; v < range[3]; v++)
        for (int64_t u = range[0]; u < range[1]; u++)
            sum += value_at(s->image, voxel(s, index, u, v) * s->image->channels + channel);
    return sum / (double)((range[1] - range[0]) * (range[3] - range[2]));
}

static void source_range(int at, int count, int64_t size, int64_t range[2])
{
    range[0] = (int64_t)at * size / count;
    range[1] = (int64_t)(at + 1) * size / count;
    if (range[1] <= range[0]) range[1] = range[0] + 1;
}

static int fill(const pack_slicing *s, pack_slice *out)
{
    int64_t columns, rows, range[4];
    plane_size(s, &columns, &rows);
    for (int y = 0; y < out->height; y++) {
        source_range(y, out->height, rows, range + 2);
        for (int x = 0; x < out->width; x++) {
            source_range(x, out->width, columns, range);
            int64_t pixel = (int64_t)y * out->width + x;
            for (int c = 0; c < out->channels; c++) {
                double value = (mean_over(s, out->index, range, c) - s->low) / (s->high - s->low);
                out->image[pixel * out->channels + c] =
                    (uint8_t)(255 * (value > 0 ? fmin(value, 1) : 0) + 0.5);
            }
            double label = label_at(
                s, voxel(s, out->index, (range[0] + range[1]) / 2, (range[2] + range[3]) / 2));
            if (!(label >= 0 && label <= 65535) || label != floor(label))
                return cli_fail(CLI_EXIT_INPUT,
                                "label values must be whole numbers from 0 to "
                                "65535, found %g",
                                label);
            out->label[pixel] = (uint16_t)label;
            if (label > out->most) out->most = (int)label;
        }
    }
    return 0;
}

int pack_slicing_make(const pack_slicing *s, int64_t index, pack_slice *out)
{
    *out = (pack_slice){.index = index, .channels = s->image->channels};
    if (out->channels != 1 && out->channels != 3)
        return cli_fail(CLI_EXIT_INPUT, "images must have 1 or 3 channels, found %d",
                        out->channels);
    picture_size(s, &out->width, &out->height);
    size_t pixels = (size_t)out->width * (size_t)out->height;
    out->image = malloc(pixels * (size_t)out->channels);
    out->label = malloc(pixels * sizeof *out->label);
    int code = out->image && out->label ? fill(s, out) : cli_fail(CLI_EXIT_MEMORY, "no memory");
    if (code != 0) pack_slice_clear(out);
    return code;
}

void pack_slice_clear(pack_slice *slice)
{
    free(slice->image);
    free(slice->label);
    memset(slice, 0, sizeof *slice);
}
