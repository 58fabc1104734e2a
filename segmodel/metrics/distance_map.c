#include "metrics/distance_map.h"

#include <math.h>
#include <stdlib.h>

/* One line of the array, and the envelope over it. Parabola n has its top at `at[n]`. */
typedef struct line {
    double *height, *from; /* heights read in; where parabola n begins to be the lowest */
    int64_t *at, *nearest;
} line;

static double crossing(const line *l, int64_t a, int64_t b, const double *height)
{
    double u = (double)l->at[a], v = (double)b;
    double ha = height[l->at[a] + 1], hb = height[b + 1];
    return (hb + v * v - ha - u * u) / (2 * (v - u));
}

/* Envelope of the parabolas with a finite height among places -1..count (those at the ends are the
 * border's); returns how many. height[n + 1] belongs to place n. */
static int64_t envelope(line *l, int64_t count)
{
    int64_t top = -1;
    for (int64_t place = -1; place <= count; place++) {
        if (isinf(l->height[place + 1])) continue;
        double begins = -INFINITY;
        while (top >= 0) {
            begins = crossing(l, top, place, l->height);
            if (begins > l->from[top]) break;
            top--;
        }
        if (top < 0) begins = -INFINITY;
        top++;
        l->at[top] = place;
        l->from[top] = begins;
    }
    return top + 1;
}

static void read_line(line *l, const double *squared, const int64_t *nearest, int64_t count,
                      int64_t step, int border)
{
    l->height[0] = l->height[count + 1] = border ? 0 : INFINITY;
    for (int64_t i = 0; i < count; i++) {
        l->height[i + 1] = squared[i * step];
        if (nearest) l->nearest[i] = nearest[i * step];
    }
}

static void write_line(const line *l, int64_t parabolas, double *squared, int64_t *nearest,
                       int64_t count, int64_t step)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count && parabolas; i++) {
        while (n + 1 < parabolas && l->from[n + 1] <= (double)i)
            n++;
        double d = (double)(i - l->at[n]);
        squared[i * step] = d * d + l->height[l->at[n] + 1];
        if (!nearest) continue;
        int is_inside = l->at[n] >= 0 && l->at[n] < count;
        nearest[i * step] = is_inside ? l->nearest[l->at[n]] : -1;
    }
}

static void pass(line *l, double *squared, int64_t *nearest, int64_t count, int64_t step,
                 int border)
{
    read_line(l, squared, nearest, count, step, border);
    write_line(l, envelope(l, count), squared, nearest, count, step);
}

static void pass_along(line *l, const int64_t size[3], int axis, int border, double *squared,
                       int64_t *nearest)
{
    int64_t step = 1, total = size[0] * size[1] * size[2];
    for (int a = 0; a < axis; a++)
        step *= size[a];
    for (int64_t first = 0; first < total; first += step * size[axis])
        for (int64_t i = first; i < first + step; i++)
            pass(l, squared + i, nearest ? nearest + i : NULL, size[axis], step, border);
}

static int line_make(line *l, int64_t longest)
{
    size_t room = (size_t)longest + 2;
    *l = (line){malloc(room * sizeof *l->height), malloc(room * sizeof *l->from),
                malloc(room * sizeof *l->at), malloc(room * sizeof *l->nearest)};
    return l->height && l->from && l->at && l->nearest;
}

static void line_clear(line *l)
{
    free(l->height);
    free(l->from);
    free(l->at);
    free(l->nearest);
}

sgm_status sgm_distance_map(const uint8_t *mask, const int64_t size[3], int border, double *squared,
                            int64_t *nearest)
{
    line l;
    int64_t longest = size[0] > size[1] ? size[0] : size[1];
    if (size[2] > longest) longest = size[2];
    int made = line_make(&l, longest);
    for (int64_t i = 0; made && i < size[0] * size[1] * size[2]; i++) {
        squared[i] = mask[i] ? INFINITY : 0;
        if (nearest) nearest[i] = mask[i] ? -1 : i;
    }
    for (int axis = 0; made && axis < 3; axis++)
        if (size[axis] > 1) pass_along(&l, size, axis, border, squared, nearest);
    line_clear(&l);
    return made ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a distance map");
}
