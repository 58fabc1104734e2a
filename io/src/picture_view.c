#include "picture_view.h"

#include "segmentation_parts.h"

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

static void mark_asked(const sgio_picture_options *options, int64_t size, uint8_t *marks)
{
    for (size_t i = 0; i < options->prompted_count; i++)
        if (options->prompted[i] >= 0 && options->prompted[i] < size)
            marks[options->prompted[i]] = 1;
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

/* Voxels of the segment in one slice. */
static int64_t count_in_slice(const sgio_segmentation *s, const sgio_segment *segment, int axis,
                              int64_t slice)
{
    const int64_t *e = segment->extent;
    const sgio_layer *layer = &s->layers[segment->layer];
    int64_t low[3] = {e[0], e[2], e[4]}, high[3] = {e[1], e[3], e[5]}, at[3], count = 0;
    low[axis] = high[axis] = slice;
    for (at[2] = low[2]; at[2] <= high[2]; at[2]++)
        for (at[1] = low[1]; at[1] <= high[1]; at[1]++)
            for (at[0] = low[0]; at[0] <= high[0]; at[0]++)
                count += sgio_layer_value(layer, voxel_at(&s->geometry, at)) == segment->label;
    return count;
}

static int64_t count_all(const sgio_segmentation *s, int axis, int64_t slice)
{
    int64_t count = 0;
    for (size_t i = 0; i < s->segment_count; i++) {
        const sgio_segment *segment = &s->segments[i];
        const int64_t *range = segment->extent + 2 * axis;
        if (segment->voxels && slice >= range[0] && slice <= range[1])
            count += count_in_slice(s, segment, axis, slice);
    }
    return count;
}

/* The slice with most of the segments, of the marked ones or of all; -1: none has any. */
static int64_t fullest(const sgio_segmentation *s, int axis, const uint8_t *marks)
{
    int64_t best = -1, most = 0;
    for (int64_t k = 0; k < s->geometry.size[axis]; k++) {
        const int64_t count = !marks || marks[k] ? count_all(s, axis, k) : 0;
        if (count > most) {
            most = count;
            best = k;
        }
    }
    return best;
}

static size_t choose_one(const sgio_segmentation *s, int axis, const uint8_t *marks, int64_t *slice)
{
    int64_t found = fullest(s, axis, marks);
    if (found < 0) found = fullest(s, axis, NULL);
    *slice = found;
    return found >= 0;
}

size_t sgio_choose_slices(const sgio_segmentation *segmentation, const sgio_prompts *prompts,
                          const sgio_picture_options *options, size_t most, int64_t *slices)
{
    const int axis = options->axis;
    int64_t size = segmentation->geometry.size[axis], range[2];
    uint8_t *marks = calloc((size_t)size, 1);
    if (!marks) return 0;
    if (options->prompted)
        mark_asked(options, size, marks);
    else
        mark_prompted(prompts, &segmentation->geometry, axis, marks);
    if (most == 1 && choose_one(segmentation, axis, marks, slices)) {
        free(marks);
        return 1;
    }
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
