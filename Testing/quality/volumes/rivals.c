#include "rivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------ ellipsoid */

void rival_ellipsoid(const volume_case *c, const sgm_roi *box, uint8_t *mask)
{
    const grid *g = &c->grid;
    for (size_t i = 0; i < grid_count(g); i++) {
        int64_t at[3];
        double sum = 0;
        grid_index(g, i, at);
        for (int a = 0; a < 3; a++) {
            double off = (double)at[a] - box->center[a], half = fabs(box->half_axis[a][a]);
            sum += half > 0 ? off * off / (half * half) : fabs(off) < 0.5 ? 0 : 2;
        }
        mask[i] = sum <= 1;
    }
}

/* ----------------------------------------------------------------------------------------- grey */

static double value_at(const sgm_volume *volume, size_t at)
{
    at *= (size_t)volume->channels;
    switch (volume->type) {
    case SGM_VOXEL_U8:
        return ((const uint8_t *)volume->data)[at];
    case SGM_VOXEL_I8:
        return ((const int8_t *)volume->data)[at];
    case SGM_VOXEL_U16:
        return ((const uint16_t *)volume->data)[at];
    case SGM_VOXEL_I16:
        return ((const int16_t *)volume->data)[at];
    case SGM_VOXEL_U32:
        return ((const uint32_t *)volume->data)[at];
    case SGM_VOXEL_I32:
        return ((const int32_t *)volume->data)[at];
    case SGM_VOXEL_F32:
        return ((const float *)volume->data)[at];
    default:
        return ((const double *)volume->data)[at];
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

uint8_t *rival_grey(const volume_case *c)
{
    size_t count = grid_count(&c->grid), step = count / 100000 + 1, n = 0;
    double *sample = must_alloc(count / step + 1, sizeof *sample);
    uint8_t *grey = must_alloc(count, 1);
    for (size_t i = 0; i < count; i += step)
        sample[n++] = value_at(&c->volume, i);
    qsort(sample, n, sizeof *sample, ascending);
    double low = sample[n / 200], high = sample[n - 1 - n / 200];
    double scale = high > low ? 255 / (high - low) : 0;
    for (size_t i = 0; i < count; i++)
        grey[i] = (uint8_t)fmin(255, fmax(0, (value_at(&c->volume, i) - low) * scale));
    free(sample);
    return grey;
}

/* ------------------------------------------------------------------------------ region growing */

static const double deviations = 2.5;
enum { SEED_RADIUS = 2, GROWTH_ROUNDS = 3 };

static int neighbour(const grid *g, const int64_t at[3], int side, size_t *to)
{
    int64_t next[3] = {at[0], at[1], at[2]};
    next[side / 2] += side % 2 ? 1 : -1;
    if (next[side / 2] < 0 || next[side / 2] >= g->size[side / 2]) return 0;
    *to = grid_at(g, next);
    return 1;
}

static void statistics_of(const uint8_t *grey, const uint8_t *mask, size_t count, double *mean,
                          double *deviation)
{
    double n = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        if (mask[i]) {
            n++;
            sum += grey[i];
            squares += (double)grey[i] * grey[i];
        }
    *mean = n > 0 ? sum / n : 0;
    *deviation = n > 1 ? sqrt(fmax(0, squares / n - *mean * *mean)) : 0;
    if (*deviation < 1) *deviation = 1; /* of 255: a flat neighbourhood */
}

static void seed_index(const grid *g, const sgm_seed *seed, int64_t at[3])
{
    for (int a = 0; a < 3; a++) {
        at[a] = llrint(seed->index[a]);
        if (at[a] < 0) at[a] = 0;
        if (at[a] >= g->size[a]) at[a] = g->size[a] - 1;
    }
}

static void mark_around_seeds(const grid *g, const prompt_list *prompts, uint8_t *mask)
{
    for (size_t s = 0; s < prompts->seed_count; s++) {
        int64_t at[3], near[3];
        if (prompts->seeds[s].label == SGM_BACKGROUND) continue;
        seed_index(g, &prompts->seeds[s], at);
        for (int code = 0; code < 125; code++) {
            int inside = 1;
            int off[3] = {code % 5, code / 5 % 5, code / 25};
            for (int a = 0; a < 3; a++) {
                near[a] = at[a] + off[a] - SEED_RADIUS;
                inside &= near[a] >= 0 && near[a] < g->size[a];
            }
            if (inside) mask[grid_at(g, near)] = 1;
        }
    }
}

static void flood(const grid *g, const uint8_t *grey, const prompt_list *prompts, double low,
                  double high, uint8_t *mask)
{
    size_t *stack = must_alloc(grid_count(g), sizeof *stack), count = 0;
    memset(mask, 0, grid_count(g));
    for (size_t s = 0; s < prompts->seed_count; s++) {
        int64_t at[3];
        if (prompts->seeds[s].label == SGM_BACKGROUND) continue;
        seed_index(g, &prompts->seeds[s], at);
        size_t start = grid_at(g, at);
        if (!mask[start]) stack[count++] = start;
        mask[start] = 1;
    }
    while (count) {
        int64_t at[3];
        size_t to;
        grid_index(g, stack[--count], at);
        for (int side = 0; side < 6; side++) {
            if (!neighbour(g, at, side, &to) || mask[to]) continue;
            if (grey[to] < low || grey[to] > high) continue;
            mask[to] = 1;
            stack[count++] = to;
        }
    }
    free(stack);
}

void rival_grow(const volume_case *c, const prompt_list *prompts, uint8_t *mask)
{
    const grid *g = &c->grid;
    uint8_t *grey = rival_grey(c);
    double mean, deviation;
    memset(mask, 0, grid_count(g));
    mark_around_seeds(g, prompts, mask);
    for (int round = 0; round < GROWTH_ROUNDS; round++) {
        statistics_of(grey, mask, grid_count(g), &mean, &deviation);
        flood(g, grey, prompts, mean - deviations * deviation, mean + deviations * deviation, mask);
    }
    free(grey);
}

/* ----------------------------------------------------------------------------------- watershed */

enum { NO_BASIN, OBJECT, GROUND };

/* A queue per level; entries are linked by `next`. */
typedef struct levels {
    size_t first[256], last[256];
    size_t *next;
} levels;

static const size_t none = (size_t)-1;

static void push(levels *queue, int level, size_t at)
{
    queue->next[at] = none;
    if (queue->first[level] == none)
        queue->first[level] = at;
    else
        queue->next[queue->last[level]] = at;
    queue->last[level] = at;
}

static int is_outside_box(const sgm_roi *box, const int64_t at[3], double shrink)
{
    for (int a = 0; a < 3; a++)
        if (fabs((double)at[a] - box->center[a]) > shrink * fabs(box->half_axis[a][a]) + 1e-6)
            return 1;
    return 0;
}

static void mark_basins(const grid *g, const prompt_list *prompts, uint8_t *basin)
{
    size_t foreground = 0;
    int64_t at[3];
    for (size_t s = 0; s < prompts->seed_count; s++)
        foreground += prompts->seeds[s].label != SGM_BACKGROUND;
    for (size_t i = 0; i < grid_count(g); i++) {
        grid_index(g, i, at);
        int on_face = 0;
        for (int a = 0; a < 3; a++)
            on_face |= at[a] == 0 || at[a] == g->size[a] - 1;
        if (prompts->has_roi ? is_outside_box(&prompts->roi, at, 1) : on_face) basin[i] = GROUND;
        if (prompts->has_roi && !foreground && !is_outside_box(&prompts->roi, at, 1.0 / 3))
            basin[i] = OBJECT;
    }
    for (size_t s = 0; s < prompts->seed_count; s++) {
        seed_index(g, &prompts->seeds[s], at);
        basin[grid_at(g, at)] = prompts->seeds[s].label == SGM_BACKGROUND ? GROUND : OBJECT;
    }
}

void rival_watershed(const volume_case *c, const prompt_list *prompts, uint8_t *mask)
{
    const grid *g = &c->grid;
    size_t count = grid_count(g), to;
    uint8_t *grey = rival_grey(c);
    levels queue = {.next = must_alloc(count, sizeof *queue.next)};
    memset(queue.first, 0xff, sizeof queue.first);
    memset(mask, NO_BASIN, count);
    mark_basins(g, prompts, mask);
    for (size_t i = 0; i < count; i++)
        if (mask[i]) push(&queue, 0, i);
    for (int level = 0; level < 256;) {
        size_t from = queue.first[level];
        int64_t at[3];
        if (from == none) {
            level++;
            continue;
        }
        queue.first[level] = queue.next[from];
        grid_index(g, from, at);
        for (int side = 0; side < 6; side++) {
            if (!neighbour(g, at, side, &to) || mask[to]) continue;
            int step = abs((int)grey[to] - (int)grey[from]);
            mask[to] = mask[from];
            push(&queue, step > level ? step : level, to);
        }
    }
    for (size_t i = 0; i < count; i++)
        mask[i] = mask[i] == OBJECT;
    free(queue.next);
    free(grey);
}
