/* Correcting clicks: each at the deepest point of the largest error. */
#include "protocols.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLICKS = 5 };
static const double near = 5;       /* voxels within the slice */
static const int64_t far_away = 10; /* slices outside the error */
static const double noticeable = 0.01;

/* The largest connected error and where a person would click. */
typedef struct error_part {
    uint8_t *mask;
    span box;
    int64_t click[3];
    int missing; /* 1: object left out; 0: too much */
} error_part;

/* 0: there is no error at all. */
static int largest_error(const volume_case *c, const truth *object, const uint8_t *mask,
                         error_part *out)
{
    const grid *g = &c->grid;
    size_t count = grid_count(g), best = 0;
    int32_t *signs = must_alloc(count, sizeof *signs), *parts = must_alloc(count, sizeof *parts);
    for (size_t i = 0; i < count; i++)
        signs[i] = object->mask[i] == mask[i] ? 0 : object->mask[i] ? 1 : 2;
    size_t found = (size_t)grid_parts(g, signs, 0, parts);
    size_t *sizes = must_alloc(found + 1, sizeof *sizes);
    for (size_t i = 0; i < count; i++)
        sizes[parts[i]] += parts[i] != 0;
    for (size_t p = 1; p <= found; p++)
        if (sizes[p] > sizes[best]) best = p;
    if (best) {
        grid_measure(g, parts, (int32_t)best, &out->box);
        for (size_t i = 0; i < count; i++) {
            out->mask[i] = parts[i] == (int32_t)best;
            if (out->mask[i]) out->missing = signs[i] == 1;
        }
    }
    free(signs);
    free(parts);
    free(sizes);
    return best != 0;
}

static void place_click(const volume_case *c, error_part *error)
{
    const grid *g = &c->grid;
    int64_t most = 0, slice = error->box.first[g->axis];
    for (int64_t s = slice; s <= error->box.last[g->axis]; s++) {
        int64_t area = grid_slice_area(g, error->mask, s);
        if (area <= most) continue;
        most = area;
        slice = s;
    }
    grid_deepest(g, error->mask, slice, error->click);
}

/* Share of the error's cross-section near the click that is right now. */
static double obeyed(const volume_case *c, const truth *object, const error_part *error,
                     const uint8_t *mask)
{
    const grid *g = &c->grid;
    int64_t at[3], all = 0, right = 0;
    at[g->axis] = error->click[g->axis];
    for (at[g->v] = 0; at[g->v] < g->size[g->v]; at[g->v]++)
        for (at[g->u] = 0; at[g->u] < g->size[g->u]; at[g->u]++) {
            size_t i = grid_at(g, at);
            double du = (double)(at[g->u] - error->click[g->u]);
            double dv = (double)(at[g->v] - error->click[g->v]);
            if (!error->mask[i] || hypot(du, dv) > near) continue;
            all++;
            right += mask[i] == object->mask[i];
        }
    return all ? (double)right / (double)all : 1;
}

/* Share of the masks' voxels on far slices that changed; NaN when there are none. */
static double changed_elsewhere(const volume_case *c, const error_part *error,
                                const uint8_t *before, const uint8_t *after)
{
    const grid *g = &c->grid;
    int64_t either = 0, changed = 0, at[3];
    for (size_t i = 0; i < grid_count(g); i++) {
        if (!before[i] && !after[i]) continue;
        grid_index(g, i, at);
        if (at[g->axis] >= error->box.first[g->axis] - far_away &&
            at[g->axis] <= error->box.last[g->axis] + far_away)
            continue;
        either++;
        changed += before[i] != after[i];
    }
    return either ? (double)changed / (double)either : NAN;
}

static void add_click(prompt_list *prompts, const error_part *error)
{
    sgm_seed *seed = &prompts->seeds[prompts->seed_count++];
    for (int a = 0; a < 3; a++)
        seed->index[a] = (double)error->click[a];
    seed->label = error->missing ? SGM_FOREGROUND : SGM_BACKGROUND;
}

static int click(const bench *b, const volume_case *c, const truth *object, const char *name,
                 prompt_list *prompts, const error_part *error, uint8_t *mask, answer *out)
{
    double before = measure_dice(c, object, mask);
    add_click(prompts, error);
    if (protocol_ask(b, c, prompts, SGM_AXIS_AUTO, 1, out)) return -1;
    row r = protocol_row(c, object, name, out->mask, out);
    r.obeyed = obeyed(c, object, error, out->mask) > 0.5;
    r.worse = r.m.dice < before - noticeable;
    r.elsewhere = changed_elsewhere(c, error, mask, out->mask);
    row_write(b->rows, &r);
    memcpy(mask, out->mask, grid_count(&c->grid));
    return 0;
}

int clicks_run(const bench *b, const volume_case *c, const truth *object, const char *name,
               prompt_list *prompts, uint8_t *mask)
{
    size_t count = grid_count(&c->grid);
    error_part error = {.mask = must_alloc(count, 1)};
    answer out = {.mask = must_alloc(count, 1)};
    int failed = 0;
    for (int i = 1; i <= CLICKS && !failed; i++) {
        char numbered[NAME_ROOM];
        snprintf(numbered, sizeof numbered, "%s %d", name, i);
        if (!largest_error(c, object, mask, &error)) {
            row r = protocol_row(c, object, numbered, mask, NULL);
            row_write(b->rows, &r);
            continue;
        }
        place_click(c, &error);
        failed = click(b, c, object, numbered, prompts, &error, mask, &out);
    }
    free(error.mask);
    free(out.mask);
    return failed;
}
