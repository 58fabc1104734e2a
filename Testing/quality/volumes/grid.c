#include "grid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must_alloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (memory) return memory;
    fprintf(stderr, "quality_volumes: no memory for %zu x %zu bytes\n", count, size);
    exit(5);
}

size_t grid_count(const grid *g)
{
    return (size_t)(g->size[0] * g->size[1] * g->size[2]);
}

size_t grid_at(const grid *g, const int64_t index[3])
{
    return (size_t)(index[0] + g->size[0] * (index[1] + g->size[1] * index[2]));
}

void grid_index(const grid *g, size_t at, int64_t index[3])
{
    index[0] = (int64_t)at % g->size[0];
    index[1] = (int64_t)at / g->size[0] % g->size[1];
    index[2] = (int64_t)at / (g->size[0] * g->size[1]);
}

/* ------------------------------------------------------------------------------------- parts */

/* Puts the unnumbered neighbours of `at` with its value on the stack. */
static size_t push_neighbours(const grid *g, const int32_t *values, int corners, size_t at,
                              int32_t number, int32_t *part, size_t *stack, size_t count)
{
    int64_t here[3];
    grid_index(g, at, here);
    for (int code = 0; code < 27; code++) {
        int64_t next[3] = {here[0] + code % 3 - 1, here[1] + code / 3 % 3 - 1,
                           here[2] + code / 9 - 1};
        int steps = (next[0] != here[0]) + (next[1] != here[1]) + (next[2] != here[2]);
        if (!steps || (!corners && steps > 1)) continue;
        int outside = 0;
        for (int a = 0; a < 3; a++)
            outside |= next[a] < 0 || next[a] >= g->size[a];
        if (outside) continue;
        size_t to = grid_at(g, next);
        if (part[to] || values[to] != values[at]) continue;
        part[to] = number;
        stack[count++] = to;
    }
    return count;
}

int32_t grid_parts(const grid *g, const int32_t *values, int corners, int32_t *part)
{
    size_t total = grid_count(g), count = 0;
    size_t *stack = must_alloc(total, sizeof *stack);
    int32_t number = 0;
    memset(part, 0, total * sizeof *part);
    for (size_t i = 0; i < total; i++) {
        if (!values[i] || part[i]) continue;
        part[i] = ++number;
        stack[count++] = i;
        while (count) {
            size_t at = stack[--count];
            count = push_neighbours(g, values, corners, at, number, part, stack, count);
        }
    }
    free(stack);
    return number;
}

int64_t grid_measure(const grid *g, const int32_t *mask, int32_t value, span *box)
{
    int64_t voxels = 0, at[3];
    size_t i = 0;
    for (int a = 0; a < 3; a++) {
        box->first[a] = g->size[a];
        box->last[a] = -1;
    }
    for (at[2] = 0; at[2] < g->size[2]; at[2]++)
        for (at[1] = 0; at[1] < g->size[1]; at[1]++)
            for (at[0] = 0; at[0] < g->size[0]; at[0]++) {
                if (mask[i++] != value) continue;
                voxels++;
                for (int a = 0; a < 3; a++) {
                    if (at[a] < box->first[a]) box->first[a] = at[a];
                    if (at[a] > box->last[a]) box->last[a] = at[a];
                }
            }
    return voxels;
}

/* ----------------------------------------------------------------------------------- distances */

/* Lower envelope of parabolas (Felzenszwalb and Huttenlocher 2012): squared distances along one
 * line, `step` values apart. */
static void pass_line(float *values, size_t stride, int64_t count, double step, double *f,
                      int64_t *place, double *edge)
{
    int64_t top = -1;
    for (int64_t q = 0; q < count; q++)
        f[q] = values[(size_t)q * stride];
    for (int64_t q = 0; q < count; q++) {
        double cut = -INFINITY;
        if (isinf(f[q])) continue;
        while (top >= 0) {
            int64_t p = place[top];
            double x = (double)q * step, y = (double)p * step;
            cut = ((f[q] + x * x) - (f[p] + y * y)) / (2 * (x - y));
            if (cut > edge[top]) break;
            top--;
        }
        top++;
        place[top] = q;
        edge[top] = top ? cut : -INFINITY;
    }
    if (top < 0) return;
    int64_t k = 0;
    for (int64_t q = 0; q < count; q++) {
        while (k < top && edge[k + 1] < (double)q * step)
            k++;
        double d = (double)(q - place[k]) * step;
        values[(size_t)q * stride] = (float)(d * d + f[place[k]]);
    }
}

static void pass_axis(float *values, const int64_t size[3], int axis, double step)
{
    int64_t n = size[axis];
    double *f = must_alloc((size_t)n, sizeof *f), *edge = must_alloc((size_t)n + 1, sizeof *edge);
    int64_t *place = must_alloc((size_t)n, sizeof *place);
    size_t strides[3] = {1, (size_t)size[0], (size_t)(size[0] * size[1])};
    int u = (axis + 1) % 3, v = (axis + 2) % 3;
    for (int64_t i = 0; i < size[u]; i++)
        for (int64_t j = 0; j < size[v]; j++)
            pass_line(values + (size_t)i * strides[u] + (size_t)j * strides[v], strides[axis], n,
                      step, f, place, edge);
    free(f);
    free(edge);
    free(place);
}

/* The box, wider by one voxel where that counts as outside. */
static float *seeded(const grid *g, const uint8_t *mask, int inside, const span *box, int rim,
                     int64_t size[3])
{
    for (int a = 0; a < 3; a++)
        size[a] = box->last[a] - box->first[a] + 1 + 2 * rim;
    float *values = must_alloc((size_t)(size[0] * size[1] * size[2]), sizeof *values);
    size_t n = 0;
    int64_t at[3];
    for (at[2] = box->first[2] - rim; at[2] <= box->last[2] + rim; at[2]++)
        for (at[1] = box->first[1] - rim; at[1] <= box->last[1] + rim; at[1]++)
            for (at[0] = box->first[0] - rim; at[0] <= box->last[0] + rim; at[0]++) {
                int within = 1;
                for (int a = 0; a < 3; a++)
                    within &= at[a] >= box->first[a] && at[a] <= box->last[a];
                values[n++] = within && mask[grid_at(g, at)] == inside ? INFINITY : 0;
            }
    return values;
}

float *grid_depth(const grid *g, const uint8_t *mask, int inside, const span *box, int closed)
{
    int64_t size[3], wide[3];
    int rim = closed ? 1 : 0;
    float *values = seeded(g, mask, inside, box, rim, wide);
    for (int axis = 0; axis < 3; axis++)
        pass_axis(values, wide, axis, g->spacing[axis]);
    for (int a = 0; a < 3; a++)
        size[a] = wide[a] - 2 * rim;
    float *depth = must_alloc((size_t)(size[0] * size[1] * size[2]), sizeof *depth);
    size_t n = 0;
    for (int64_t k = 0; k < size[2]; k++)
        for (int64_t j = 0; j < size[1]; j++)
            for (int64_t i = 0; i < size[0]; i++)
                depth[n++] =
                    sqrtf(values[(size_t)(i + rim + wide[0] * (j + rim + wide[1] * (k + rim)))]);
    free(values);
    return depth;
}

/* ------------------------------------------------------------------------------------- slices */

static int64_t slice_box(const grid *g, const uint8_t *mask, int64_t slice, span *box)
{
    int64_t count = 0, at[3];
    for (int a = 0; a < 3; a++) {
        box->first[a] = g->size[a];
        box->last[a] = -1;
    }
    at[g->axis] = slice;
    for (at[g->v] = 0; at[g->v] < g->size[g->v]; at[g->v]++)
        for (at[g->u] = 0; at[g->u] < g->size[g->u]; at[g->u]++) {
            if (!mask[grid_at(g, at)]) continue;
            count++;
            for (int a = 0; a < 3; a++) {
                if (at[a] < box->first[a]) box->first[a] = at[a];
                if (at[a] > box->last[a]) box->last[a] = at[a];
            }
        }
    return count;
}

int64_t grid_slice_area(const grid *g, const uint8_t *mask, int64_t slice)
{
    span box;
    return slice_box(g, mask, slice, &box);
}

int64_t grid_deepest(const grid *g, const uint8_t *mask, int64_t slice, int64_t point[3])
{
    span box;
    int64_t area = slice_box(g, mask, slice, &box);
    if (!area) return 0;
    grid flat = *g;
    flat.spacing[g->axis] = 1e6; /* within the slice only */
    float *depth = grid_depth(&flat, mask, 1, &box, 1);
    float best = -1;
    size_t n = 0;
    int64_t at[3];
    for (at[2] = box.first[2]; at[2] <= box.last[2]; at[2]++)
        for (at[1] = box.first[1]; at[1] <= box.last[1]; at[1]++)
            for (at[0] = box.first[0]; at[0] <= box.last[0]; at[0]++, n++)
                if (depth[n] > best) {
                    best = depth[n];
                    memcpy(point, at, sizeof at);
                }
    free(depth);
    return area;
}
