#include "picture_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEFT, POSTERIOR, SUPERIOR };

static int dominant(double direction[3][3], int axis)
{
    int best = 0;
    for (int r = 1; r < 3; r++)
        if (fabs(direction[r][axis]) > fabs(direction[best][axis])) best = r;
    return best;
}

void sgio_view_make(sgio_view *view, const sgio_geometry *geometry, int axis, int pixels)
{
    double d[3][3], spacing[3];
    int a = (axis + 1) % 3, b = (axis + 2) % 3;
    sgio_geometry_direction(geometry, d);
    sgio_geometry_spacing(geometry, spacing);
    int normal = dominant(d, axis);
    int right = normal == LEFT ? POSTERIOR : LEFT;
    int vertical = normal == SUPERIOR ? POSTERIOR : SUPERIOR;
    view->geometry = geometry;
    view->axis = axis;
    view->across = fabs(d[right][a]) >= fabs(d[right][b]) ? a : b;
    view->down = view->across == a ? b : a;
    view->flip_across = d[right][view->across] < 0;
    view->flip_down =
        vertical == SUPERIOR ? d[SUPERIOR][view->down] > 0 : d[POSTERIOR][view->down] < 0;
    double width = spacing[view->across] * (double)geometry->size[view->across];
    double height = spacing[view->down] * (double)geometry->size[view->down];
    double scale = pixels / fmax(width, height);
    view->width = (int)fmax(1, round(width * scale));
    view->height = (int)fmax(1, round(height * scale));
}

static double flipped(double index, int64_t size, int flip)
{
    return flip ? (double)(size - 1) - index : index;
}

void sgio_view_index(const sgio_view *view, double x, double y, int64_t slice, double index[3])
{
    const int64_t *size = view->geometry->size;
    double across = (x + 0.5) / view->width * (double)size[view->across] - 0.5;
    double down = (y + 0.5) / view->height * (double)size[view->down] - 0.5;
    index[view->axis] = (double)slice;
    index[view->across] = flipped(across, size[view->across], view->flip_across);
    index[view->down] = flipped(down, size[view->down], view->flip_down);
}

void sgio_view_pixel(const sgio_view *view, const double index[3], double *x, double *y)
{
    const int64_t *size = view->geometry->size;
    double across = flipped(index[view->across], size[view->across], view->flip_across);
    double down = flipped(index[view->down], size[view->down], view->flip_down);
    *x = (across + 0.5) / (double)size[view->across] * view->width - 0.5;
    *y = (down + 0.5) / (double)size[view->down] * view->height - 0.5;
}

static size_t voxel_at(const sgio_geometry *g, const int64_t index[3])
{
    return (size_t)((index[2] * g->size[1] + index[1]) * g->size[0] + index[0]);
}

static int64_t clamp(int64_t value, int64_t size)
{
    return value < 0 ? 0 : value >= size ? size - 1 : value;
}

/* Bilinear within the slice. */
static double sample(const sgio_volume *volume, const sgio_view *view, const double index[3],
                     int channel)
{
    const sgio_geometry *g = &volume->geometry;
    int a = view->across, d = view->down;
    int64_t first[3] = {(int64_t)index[0], (int64_t)index[1], (int64_t)index[2]};
    first[a] = (int64_t)floor(index[a]);
    first[d] = (int64_t)floor(index[d]);
    double fa = index[a] - (double)first[a], fd = index[d] - (double)first[d], sum = 0;
    for (int corner = 0; corner < 4; corner++) {
        int64_t at[3] = {first[0], first[1], first[2]};
        at[a] = clamp(first[a] + (corner & 1), g->size[a]);
        at[d] = clamp(first[d] + (corner >> 1), g->size[d]);
        double weight = (corner & 1 ? fa : 1 - fa) * (corner >> 1 ? fd : 1 - fd);
        sum += weight * sgio_volume_value(volume, voxel_at(g, at) * (size_t)volume->channels +
                                                      (size_t)channel);
    }
    return sum;
}

static uint8_t grey(double value, const double window[2])
{
    /* Halves, because the difference of two large values need not be a number. */
    double width = window[1] > window[0] ? window[1] / 2 - window[0] / 2 : 0.5;
    double level = (value / 2 - window[0] / 2) / width * 255;
    return !(level > 0) ? 0 : level > 255 ? 255 : (uint8_t)(level + 0.5);
}

void sgio_draw_slice(sgio_canvas *canvas, int left, int top, const sgio_view *view,
                     const sgio_volume *volume, int64_t slice, const double window[2])
{
    for (int y = 0; y < view->height; y++) {
        for (int x = 0; x < view->width; x++) {
            double index[3];
            uint8_t level[3];
            sgio_view_index(view, x, y, slice, index);
            for (int c = 0; c < 3; c++) {
                level[c] =
                    c < volume->channels ? grey(sample(volume, view, index, c), window) : level[0];
            }
            sgio_canvas_blend(canvas, left + x, top + y, (sgio_rgb){level[0], level[1], level[2]},
                              1);
        }
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Every step-th voxel of the slices; returns how many. */
static size_t collect(const sgio_volume *volume, int axis, const int64_t *slices, size_t count,
                      size_t most, double *values)
{
    const sgio_geometry *g = &volume->geometry;
    int a = (axis + 1) % 3, b = (axis + 2) % 3;
    int64_t total = g->size[a] * g->size[b] * (int64_t)count;
    int64_t step = total / (int64_t)most + 1;
    size_t found = 0;
    for (int64_t n = 0; n < total && found < most; n += step) {
        int64_t index[3];
        index[axis] = slices[n / (g->size[a] * g->size[b])];
        index[a] = n % g->size[a];
        index[b] = n / g->size[a] % g->size[b];
        double value = sgio_volume_value(volume, voxel_at(g, index) * (size_t)volume->channels);
        if (isfinite(value) && !(volume->has_padding && value == volume->padding))
            values[found++] = value;
    }
    return found;
}

void sgio_slices_window(const sgio_volume *volume, int axis, const int64_t *slices, size_t count,
                        double window[2])
{
    enum { SAMPLES = 1 << 16 };
    double *values = volume->channels == 1 ? malloc(SAMPLES * sizeof *values) : NULL;
    window[0] = 0;
    window[1] = 255;
    if (!values) return; /* colour pictures are shown as they are */
    size_t found = collect(volume, axis, slices, count, SAMPLES, values);
    if (found > 0) {
        qsort(values, found, sizeof *values, ascending);
        window[0] = values[found / 200];
        window[1] = values[found - 1 - found / 200];
    }
    free(values);
}

static void mark_prompted(const sgio_prompts *prompts, const sgio_geometry *g, int axis,
                          uint8_t *marks)
{
    for (size_t s = 0; prompts && s < prompts->segment_count; s++) {
        const sgio_prompt_segment *segment = &prompts->segments[s];
        for (size_t p = 0; p < segment->point_count + segment->box_count; p++) {
            double index[3];
            const double *lps = p < segment->point_count
                                    ? segment->points[p].lps
                                    : segment->boxes[p - segment->point_count].centre;
            if (sgio_geometry_lps_to_index(g, lps, index) != 0) continue;
            double slice = round(index[axis]);
            if (slice >= 0 && slice < (double)g->size[axis]) marks[(int64_t)slice] = 1;
        }
    }
}

/* First and last slice that holds a segment; the middle slice when none does. */
static void find_range(const sgio_segmentation *segmentation, int axis, int64_t range[2])
{
    int64_t size = segmentation->geometry.size[axis];
    range[0] = size;
    range[1] = -1;
    for (size_t s = 0; s < segmentation->segment_count; s++) {
        const int64_t *e = segmentation->segments[s].extent + 2 * axis;
        if (segmentation->segments[s].voxels == 0) continue;
        if (e[0] < range[0]) range[0] = e[0];
        if (e[1] > range[1]) range[1] = e[1];
    }
    if (range[1] < range[0]) range[0] = range[1] = size / 2;
}

/* Keeps `most` of the marked slices, evenly. */
static size_t thin_out(const uint8_t *marks, int64_t size, size_t most, int64_t *slices)
{
    size_t total = 0, seen = 0, kept = 0;
    for (int64_t k = 0; k < size; k++)
        total += marks[k];
    for (int64_t k = 0; k < size; k++) {
        if (!marks[k]) continue;
        if (total <= most || seen * most / total == kept) slices[kept++] = k;
        seen++;
        if (kept == most) break;
    }
    return kept;
}

size_t sgio_choose_slices(const sgio_segmentation *segmentation, const sgio_prompts *prompts,
                          int axis, size_t most, int64_t *slices)
{
    int64_t size = segmentation->geometry.size[axis], range[2];
    uint8_t *marks = calloc((size_t)size, 1);
    if (!marks) return 0;
    mark_prompted(prompts, &segmentation->geometry, axis, marks);
    size_t prompted = 0;
    for (int64_t k = 0; k < size; k++)
        prompted += marks[k];
    find_range(segmentation, axis, range);
    size_t free_tiles = prompted < most ? most - prompted : 0;
    for (size_t t = 0; t < free_tiles; t++) {
        double part = free_tiles > 1 ? (double)t / (double)(free_tiles - 1) : 0.5;
        marks[range[0] + (int64_t)((double)(range[1] - range[0]) * part + 0.5)] = 1;
    }
    size_t count = thin_out(marks, size, most, slices);
    free(marks);
    return count;
}
