#include "protocols.h"

#include "rivals.h"
#include "strip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const volume_case *c)
{
    fprintf(stderr, "quality_volumes: %s/%s: %s\n", c->row->dataset, c->row->id,
            sgm_last_message());
    return -1;
}

int protocol_ask(const bench *b, const volume_case *c, const prompt_list *prompts, sgm_axis axis,
                 int use_store, answer *out)
{
    sgm_object object = prompt_object(prompts);
    sgm_volume_options options = {.axis = axis, .is_sequence = c->image.is_sequence};
    sgm_volume_result result;
    if (use_store) options.store = memory_store_view(b->store);
    double start = cpu_now();
    if (sgm_volume_predict(b->model, &c->volume, &object, 1, &options, NULL, &result) != SGM_OK)
        return fail(c);
    out->cpu = cpu_now() - start;
    memcpy(out->mask, result.objects[0].mask, grid_count(&c->grid));
    out->stopped[0] = result.objects[0].stopped[0];
    out->stopped[1] = result.objects[0].stopped[1];
    out->slices = result.objects[0].slice_count;
    sgm_volume_result_clear(&result);
    return 0;
}

row protocol_row(const volume_case *c, const truth *object, const char *name, const uint8_t *mask,
                 const answer *walk)
{
    row r = {.object = object->number,
             .label = object->label,
             .voxels = object->voxels,
             .slices = object->box.last[c->grid.axis] - object->box.first[c->grid.axis] + 1,
             .m = measure(c, object, mask),
             .cpu = walk ? walk->cpu : NAN,
             .walked = walk ? (double)walk->slices : NAN,
             .obeyed = NAN,
             .worse = NAN,
             .elsewhere = NAN};
    snprintf(r.dataset, sizeof r.dataset, "%s", c->row->dataset);
    snprintf(r.id, sizeof r.id, "%s", c->row->id);
    snprintf(r.role, sizeof r.role, "%s", c->row->role);
    snprintf(r.protocol, sizeof r.protocol, "%s", name);
    const char *down = walk ? sgm_stop_name(walk->stopped[0]) : NULL;
    const char *up = walk ? sgm_stop_name(walk->stopped[1]) : NULL;
    snprintf(r.stop_down, sizeof r.stop_down, "%s", down ? down : "");
    snprintf(r.stop_up, sizeof r.stop_up, "%s", up ? up : "");
    return r;
}

void protocol_report(const bench *b, const volume_case *c, const truth *object, const char *name,
                     const uint8_t *mask, const answer *walk)
{
    row r = protocol_row(c, object, name, mask, walk);
    row_write(b->rows, &r);
    if (b->strips && walk) strip_write(b->strips, c, object, &r, mask);
}

/* ------------------------------------------------------------------------------------- rivals */

typedef void (*rival_fn)(const volume_case *c, const prompt_list *prompts, uint8_t *mask);

static void ellipsoid_of(const volume_case *c, const prompt_list *prompts, uint8_t *mask)
{
    rival_ellipsoid(c, &prompts->roi, mask);
}

static void run_rival(const bench *b, const volume_case *c, const truth *object, const char *name,
                      const prompt_list *prompts, rival_fn rival, uint8_t *mask)
{
    if (!b->rivals) return;
    rival(c, prompts, mask);
    protocol_report(b, c, object, name, mask, NULL);
}

/* ------------------------------------------------------------------------------------ protocols */

static int wanted(const bench *b, const char *name)
{
    return !b->only || !strcmp(b->only, name);
}

/* Asks with the program's own choice of axis, reports, and leaves the mask for the caller. */
static int ask_and_report(const bench *b, const volume_case *c, const truth *object,
                          const char *name, const prompt_list *prompts, uint8_t *mask)
{
    answer out = {.mask = mask};
    if (protocol_ask(b, c, prompts, SGM_AXIS_AUTO, 1, &out)) return -1;
    protocol_report(b, c, object, name, mask, &out);
    return 0;
}

static int run_a(const bench *b, const volume_case *c, const truth *object, uint8_t *mask)
{
    prompt_list prompts = {.seed_count = 0};
    if (!wanted(b, "a") && !wanted(b, "clicks")) return 0;
    prompt_add_middle(c, object, &prompts);
    run_rival(b, c, object, "a:region growing", &prompts, rival_grow, mask);
    run_rival(b, c, object, "a:watershed", &prompts, rival_watershed, mask);
    if (ask_and_report(b, c, object, "a", &prompts, mask)) return -1;
    return wanted(b, "clicks") ? clicks_run(b, c, object, "clicks", &prompts, mask) : 0;
}

static int run_b(const bench *b, const volume_case *c, const truth *object, uint8_t *mask)
{
    prompt_list prompts = {.seed_count = 0};
    if (!wanted(b, "b")) return 0;
    for (int quarter = 1; quarter <= 3; quarter++)
        prompt_add_inside(c, object, 0.25 * quarter, &prompts);
    run_rival(b, c, object, "b:region growing", &prompts, rival_grow, mask);
    run_rival(b, c, object, "b:watershed", &prompts, rival_watershed, mask);
    return ask_and_report(b, c, object, "b", &prompts, mask);
}

static int run_c(const bench *b, const volume_case *c, const truth *object, uint8_t *mask)
{
    prompt_list prompts = {.seed_count = 0};
    if (!wanted(b, "c") && !wanted(b, "clicks from a box")) return 0;
    prompt_set_box(c, object, &prompts);
    run_rival(b, c, object, "c:ellipsoid", &prompts, ellipsoid_of, mask);
    run_rival(b, c, object, "c:watershed", &prompts, rival_watershed, mask);
    if (ask_and_report(b, c, object, "c", &prompts, mask)) return -1;
    return wanted(b, "clicks from a box")
               ? clicks_run(b, c, object, "clicks from a box", &prompts, mask)
               : 0;
}

static int run_d(const bench *b, const volume_case *c, const truth *object, uint8_t *mask)
{
    prompt_list prompts = {.seed_count = 0};
    if (!wanted(b, "d")) return 0;
    prompt_set_box(c, object, &prompts);
    prompt_add_two_outside(c, object, &prompts);
    run_rival(b, c, object, "d:watershed", &prompts, rival_watershed, mask);
    return ask_and_report(b, c, object, "d", &prompts, mask);
}

static int run_e(const bench *b, const volume_case *c, const truth *object, uint8_t *mask)
{
    prompt_list prompts = {.seed_count = 0};
    if (!wanted(b, "e")) return 0;
    for (int i = 0; i < 5; i++)
        prompt_add_inside(c, object, 0.1 + 0.2 * i, &prompts);
    for (int quarter = 1; quarter <= 3; quarter++)
        prompt_add_outside(c, object, prompt_slice(c, object, 0.25 * quarter), &prompts);
    run_rival(b, c, object, "e:region growing", &prompts, rival_grow, mask);
    run_rival(b, c, object, "e:watershed", &prompts, rival_watershed, mask);
    return ask_and_report(b, c, object, "e", &prompts, mask);
}

static sgm_axis axis_option(const volume_case *c)
{
    return (sgm_axis)(SGM_AXIS_I + c->grid.axis);
}

/* Nothing is taken from the store: its CPU seconds are a user's. */
static int run_walk(const bench *b, const volume_case *c, const truth *object, uint8_t *mask)
{
    const grid *g = &c->grid;
    if (!wanted(b, "walk")) return 0;
    uint8_t *start = must_alloc(grid_count(g), 1);
    int64_t at[3];
    at[g->axis] = object->largest;
    for (at[g->v] = 0; at[g->v] < g->size[g->v]; at[g->v]++)
        for (at[g->u] = 0; at[g->u] < g->size[g->u]; at[g->u]++)
            start[grid_at(g, at)] = object->mask[grid_at(g, at)];
    prompt_list prompts = {.mask = start};
    answer out = {.mask = mask};
    int failed = protocol_ask(b, c, &prompts, axis_option(c), 0, &out);
    if (!failed) protocol_report(b, c, object, "walk", mask, &out);
    free(start);
    return failed;
}

/* Box of the object on one slice, through the centres of its outermost voxels. */
static int box_of_slice(const grid *g, const truth *object, int64_t slice, sgm_roi *box)
{
    int64_t at[3], low[3], high[3], count = 0;
    for (int a = 0; a < 3; a++) {
        low[a] = g->size[a];
        high[a] = -1;
    }
    at[g->axis] = slice;
    for (at[g->v] = object->box.first[g->v]; at[g->v] <= object->box.last[g->v]; at[g->v]++)
        for (at[g->u] = object->box.first[g->u]; at[g->u] <= object->box.last[g->u]; at[g->u]++) {
            if (!object->mask[grid_at(g, at)]) continue;
            count++;
            for (int a = 0; a < 3; a++) {
                if (at[a] < low[a]) low[a] = at[a];
                if (at[a] > high[a]) high[a] = at[a];
            }
        }
    if (!count) return 0;
    *box = (sgm_roi){{0}, {{0}}};
    for (int a = 0; a < 3; a++) {
        box->center[a] = (double)(low[a] + high[a]) / 2;
        box->half_axis[a][a] = a == g->axis ? 0 : fmax(0.25, (double)(high[a] - low[a]) / 2);
    }
    return 1;
}

static int run_ceiling(const bench *b, const volume_case *c, const truth *object, uint8_t *mask)
{
    const grid *g = &c->grid;
    if (!wanted(b, "ceiling")) return 0;
    uint8_t *slice_mask = must_alloc(grid_count(g), 1), *ellipses = must_alloc(grid_count(g), 1);
    answer one = {.mask = slice_mask}, all = {.mask = mask};
    int failed = 0;
    memset(mask, 0, grid_count(g));
    for (int64_t s = object->box.first[g->axis]; s <= object->box.last[g->axis] && !failed; s++) {
        prompt_list prompts = {.has_roi = 1};
        if (!box_of_slice(g, object, s, &prompts.roi)) continue;
        failed = protocol_ask(b, c, &prompts, axis_option(c), 1, &one);
        all.slices++;
        all.cpu += one.cpu;
        for (size_t i = 0; i < grid_count(g) && !failed; i++)
            mask[i] |= slice_mask[i];
        if (!b->rivals) continue;
        rival_ellipsoid(c, &prompts.roi, slice_mask);
        for (size_t i = 0; i < grid_count(g); i++)
            ellipses[i] |= slice_mask[i];
    }
    if (!failed) protocol_report(b, c, object, "ceiling", mask, &all);
    if (!failed && b->rivals) protocol_report(b, c, object, "ceiling:ellipses", ellipses, NULL);
    free(slice_mask);
    free(ellipses);
    return failed;
}

int protocols_run(const bench *b, const volume_case *c, const truth *object)
{
    static int (*const all[])(const bench *, const volume_case *, const truth *, uint8_t *) = {
        run_ceiling, run_walk, run_a, run_b, run_c, run_d, run_e};
    uint8_t *mask = must_alloc(grid_count(&c->grid), 1);
    int failed = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all && !failed; i++)
        failed = all[i](b, c, object, mask);
    free(mask);
    return failed;
}
