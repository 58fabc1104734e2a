#include "predict/everything/ridges.h"

#include <math.h>
#include <stdlib.h>

/* A map that goes on with its outermost pixels beyond its sides. */
typedef struct plain_map {
    const float *values;
    int width, height;
} plain_map;

static int within(int x, int size)
{
    return x < 0 ? 0 : x >= size ? size - 1 : x;
}

static float at(const plain_map *m, int x, int y)
{
    return m->values[(size_t)within(y, m->height) * (size_t)m->width + (size_t)within(x, m->width)];
}

static float sobel(const plain_map *m, int x, int y)
{
    float right = at(m, x + 1, y - 1) + 2 * at(m, x + 1, y) + at(m, x + 1, y + 1);
    float left = at(m, x - 1, y - 1) + 2 * at(m, x - 1, y) + at(m, x - 1, y + 1);
    float below = at(m, x - 1, y + 1) + 2 * at(m, x, y + 1) + at(m, x + 1, y + 1);
    float above = at(m, x - 1, y - 1) + 2 * at(m, x, y - 1) + at(m, x + 1, y - 1);
    return hypotf(right - left, below - above);
}

static int touches(const plain_map *m, int x, int y, float level)
{
    if (at(m, x, y) > level) return 0;
    for (int v = -1; v <= 1; v++)
        for (int u = -1; u <= 1; u++)
            if (at(m, x + u, y + v) > level) return 1;
    return 0;
}

void sgm_edges_raise(const float *values, float level, int width, int height, float *edges)
{
    const plain_map m = {values, width, height};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            float *edge = &edges[(size_t)y * (size_t)width + (size_t)x];
            if (touches(&m, x, y, level)) *edge = fmaxf(*edge, sobel(&m, x, y));
        }
}

void sgm_edges_stretch(float *edges, int width, int height)
{
    size_t count = (size_t)width * (size_t)height;
    float most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmaxf(most, edges[i]);
    for (size_t i = 0; i < count && most > 0; i++)
        edges[i] /= most;
}

/* --------------------------------------------------------------------------------------- ridges */

enum { SMOOTH = 4 }; /* half the base of the triangle that smooths, pixels */

/* One pass along x (step 1, 0) or y of a triangle filter. */
static void smooth(const plain_map *from, int along_x, float *to)
{
    for (int y = 0; y < from->height; y++)
        for (int x = 0; x < from->width; x++) {
            float sum = 0;
            for (int k = -SMOOTH; k <= SMOOTH; k++)
                sum += (float)(SMOOTH + 1 - abs(k)) *
                       (along_x ? at(from, x + k, y) : at(from, x, y + k));
            to[(size_t)y * (size_t)from->width + (size_t)x] = sum / ((SMOOTH + 1) * (SMOOTH + 1));
        }
}

static float between(const plain_map *m, double x, double y)
{
    int left = (int)floor(x), top = (int)floor(y);
    float u = (float)(x - left), v = (float)(y - top);
    return (1 - v) * ((1 - u) * at(m, left, top) + u * at(m, left + 1, top)) +
           v * ((1 - u) * at(m, left, top + 1) + u * at(m, left + 1, top + 1));
}

/* The angle across a ridge: along the direction of the strongest downward curvature. */
static double across(const plain_map *m, int x, int y)
{
    double xx = at(m, x + 1, y) - 2.0 * at(m, x, y) + at(m, x - 1, y);
    double yy = at(m, x, y + 1) - 2.0 * at(m, x, y) + at(m, x, y - 1);
    double xy = 0.25 * (at(m, x + 1, y + 1) - at(m, x + 1, y - 1) - at(m, x - 1, y + 1) +
                        at(m, x - 1, y - 1));
    return 0.5 * atan2(2 * xy, xx - yy) + 1.5707963267948966;
}

static int is_ridge(const plain_map *map, const plain_map *smoothed, int x, int y)
{
    double angle = across(smoothed, x, y), dx = cos(angle), dy = sin(angle);
    float here = 1.01f * at(map, x, y);
    return here >= between(map, x + dx, y + dy) && here >= between(map, x - dx, y - dy);
}

sgm_status sgm_ridges_thin(float *edges, int width, int height)
{
    size_t count = (size_t)width * (size_t)height;
    float *once = malloc(3 * count * sizeof *once), *twice = once + count, *kept = twice + count;
    const plain_map map = {edges, width, height}, half = {once, width, height},
                    smoothed = {twice, width, height};
    if (!once)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for edges of %d x %d pixels", width, height);
    smooth(&map, 1, once);
    smooth(&half, 0, twice);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            size_t i = (size_t)y * (size_t)width + (size_t)x;
            kept[i] = edges[i] > 0 && is_ridge(&map, &smoothed, x, y) ? edges[i] : 0;
        }
    for (size_t i = 0; i < count; i++)
        edges[i] = kept[i];
    free(once);
    return SGM_OK;
}
