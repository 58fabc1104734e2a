#include "train/prompt_sim.h"

#include <string.h>

#include "models/models.h"
#include "predict/session/prompt_prior.h"

const sgm_round_group sgm_round_groups[SGM_GROUPS] = {{0, 2, 2}, {2, 2, 4}, {4, 1, 0}, {5, 1, 4}};

int sgm_group_of(int round, int *part)
{
    int group = 0;
    while (round >= sgm_round_groups[group].first + sgm_round_groups[group].rounds)
        group++;
    *part = round - sgm_round_groups[group].first;
    return group;
}

typedef struct sim {
    const uint8_t *mask;
    int size;
    const sgm_sim_options *options;
    sgm_rng *rng;
    const sgm_sim_scratch *scratch;
    sgm_point points[SGM_ROUND_TOKENS];
    int point_count;
    sgm_box box;
    bool has_box;
} sim;

/* The box a hand would draw: every side off by some per cent, never inside out. */
static sgm_box noisy_box(const sim *s)
{
    sgm_mask_box tight = sgm_mask_bounds(s->mask, s->size, s->size);
    double w = tight.x1 - tight.x0 + 1, h = tight.y1 - tight.y0 + 1, k = s->options->box_noise;
    sgm_box box = {
        tight.x0 + w * k * sgm_rng_normal(s->rng), tight.y0 + h * k * sgm_rng_normal(s->rng),
        tight.x1 + w * k * sgm_rng_normal(s->rng), tight.y1 + h * k * sgm_rng_normal(s->rng)};
    if (box.x1 < box.x0 + 1) box.x1 = box.x0 + 1;
    if (box.y1 < box.y0 + 1) box.y1 = box.y0 + 1;
    return box;
}

static void add_point(sim *s, int x, int y, int label)
{
    s->points[s->point_count++] = (sgm_point){x, y, label};
}

/* A point inside the object. */
static void add_inside(sim *s, bool deepest)
{
    int x = 0, y = 0;
    sgm_mask_distance(s->mask, s->size, s->size, s->scratch->distance);
    if (deepest)
        sgm_mask_deepest_pixel(s->scratch->distance, s->size, s->size, &x, &y);
    else
        sgm_mask_random_pixel(s->scratch->distance, s->size, s->size, s->rng, &x, &y);
    add_point(s, x, y, SGM_FOREGROUND);
}

/* A background point near the object: where a user corrects a leak. */
static void add_outside(sim *s)
{
    sgm_mask_box b = sgm_mask_bounds(s->mask, s->size, s->size);
    double w = b.x1 - b.x0 + 1, h = b.y1 - b.y0 + 1;
    for (int attempt = 0; attempt < 20; attempt++) {
        int x = (int)sgm_rng_range(s->rng, b.x0 - 0.3 * w, b.x1 + 0.3 * w);
        int y = (int)sgm_rng_range(s->rng, b.y0 - 0.3 * h, b.y1 + 0.3 * h);
        if (x < 0 || y < 0 || x >= s->size || y >= s->size || s->mask[y * s->size + x]) continue;
        add_point(s, x, y, SGM_BACKGROUND);
        return;
    }
    add_inside(s, false);
}

static void put_token(sgm_round *round, int *at, int size, double x, double y, int label)
{
    round->coords[*at][0] = (float)(2 * (x + 0.5) / size - 1);
    round->coords[*at][1] = (float)(2 * (y + 0.5) / size - 1);
    round->labels[(*at)++] = label;
}

static void write_round(const sim *s, int tokens, sgm_round *round)
{
    int at = 0, boxes = s->has_box ? 2 : 0;
    round->tokens = tokens;
    for (int i = 0; i < s->point_count && at < tokens - boxes; i++)
        put_token(round, &at, s->size, s->points[i].x, s->points[i].y,
                  s->points[i].label == SGM_FOREGROUND ? SGM_TOKEN_FOREGROUND
                                                       : SGM_TOKEN_BACKGROUND);
    while (at < tokens - boxes)
        put_token(round, &at, s->size, 0, 0, SGM_TOKEN_PADDING);
    if (s->has_box) {
        put_token(round, &at, s->size, s->box.x0, s->box.y0, SGM_TOKEN_BOX_FIRST);
        put_token(round, &at, s->size, s->box.x1, s->box.y1, SGM_TOKEN_BOX_SECOND);
    }
}

static void write_prior(const sim *s, float *logits)
{
    if (s->options->prior)
        sgm_prompt_prior(s->points, (size_t)s->point_count, s->has_box ? &s->box : NULL, s->size,
                         logits);
    else
        memset(logits, 0, (size_t)s->size * (size_t)s->size * sizeof *logits);
}

/* Three points (the third may say no), or a box with one or two points. */
static void second_round(sim *s)
{
    s->point_count = 0;
    s->has_box = sgm_rng_chance(s->rng, s->options->walks ? 0.35 : 0.5);
    add_inside(s, sgm_rng_chance(s->rng, 0.5));
    if (s->has_box) {
        s->box = noisy_box(s);
        if (sgm_rng_chance(s->rng, 0.4)) add_outside(s);
        return;
    }
    add_inside(s, false);
    if (sgm_rng_chance(s->rng, 0.7)) add_inside(s, false);
    if (sgm_rng_chance(s->rng, 0.4)) {
        s->point_count--;
        add_outside(s);
    }
}

/* A mask as an earlier round might have left it, or as it might be on the next slice: the object
 * with a smooth displacement, moved by `slip` of its size, cut or grown at one place. It is larger
 * as often as smaller. */
static void worse_mask(const sim *s, double slip, uint8_t *guess)
{
    int n = s->size;
    sgm_mask_box b = sgm_mask_bounds(s->mask, n, n);
    double w = b.x1 - b.x0 + 1, h = b.y1 - b.y0 + 1, reach = 0.06 * (w + h) / 2;
    double move_x = slip > 0 ? slip * w * sgm_rng_normal(s->rng) : 0;
    double move_y = slip > 0 ? slip * h * sgm_rng_normal(s->rng) : 0;
    double px = sgm_rng_range(s->rng, 0, 6.28), py = sgm_rng_range(s->rng, 0, 6.28);
    double fx = sgm_rng_range(s->rng, 1, 2.5) * 6.28 / (w + 4), sx = sgm_rng_normal(s->rng) * reach;
    double fy = sgm_rng_range(s->rng, 1, 2.5) * 6.28 / (h + 4), sy = sgm_rng_normal(s->rng) * reach;
    double grow = exp(0.12 * sgm_rng_normal(s->rng));
    double cx = (b.x0 + b.x1) / 2.0, cy = (b.y0 + b.y1) / 2.0;
    double hole_x = sgm_rng_range(s->rng, b.x0, b.x1 + 1);
    double hole_y = sgm_rng_range(s->rng, b.y0, b.y1 + 1);
    double hole = sgm_rng_chance(s->rng, slip > 0 ? 0.3 : 0.7)
                      ? sgm_rng_range(s->rng, 0.1, 0.4) * (w + h) / 2
                      : 0;
    int fill = sgm_rng_chance(s->rng, 0.5);
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            double u = cx + (x - move_x - cx) / grow + sx * sin(fy * (y - cy) + px);
            double v = cy + (y - move_y - cy) / grow + sy * sin(fx * (x - cx) + py);
            int iu = (int)floor(u + 0.5), iv = (int)floor(v + 0.5);
            uint8_t in = iu >= 0 && iv >= 0 && iu < n && iv < n && s->mask[iv * n + iu];
            if ((x - hole_x) * (x - hole_x) + (y - hole_y) * (y - hole_y) < hole * hole)
                in = (uint8_t)fill;
            guess[y * n + x] = in;
        }
}

/* Logits that fit a mask: steep at its edge as a network's are, not the same everywhere. */
static void mask_logits(const sim *s, const uint8_t *guess, float *logits)
{
    int n = s->size, count = n * n;
    float slope = (float)sgm_rng_range(s->rng, 0.3, 1.2), top = (float)sgm_rng_range(s->rng, 3, 9);
    int32_t *d = s->scratch->distance;
    uint8_t *outside = s->scratch->mask[2];
    sgm_mask_distance(guess, n, n, d);
    for (int i = 0; i < count; i++) {
        logits[i] = fminf(slope * (float)d[i], top);
        outside[i] = !guess[i];
    }
    sgm_mask_distance(outside, n, n, d);
    for (int i = 0; i < count; i++)
        if (outside[i]) logits[i] = -fminf(slope * (float)d[i], top);
}

bool sgm_correction(const uint8_t *mask, const uint8_t *guess, int size, bool deepest, sgm_rng *rng,
                    const sgm_sim_scratch *scratch, int *x, int *y, int *label)
{
    uint8_t *error = scratch->mask[1];
    int count = size * size;
    sgm_mask_minus(mask, guess, count, error);
    int missed = sgm_mask_bounds(error, size, size).area;
    sgm_mask_minus(guess, mask, count, error);
    int leaked = sgm_mask_bounds(error, size, size).area;
    if (!missed && !leaked) return false;
    *label = missed >= leaked ? SGM_FOREGROUND : SGM_BACKGROUND;
    if (missed >= leaked) sgm_mask_minus(mask, guess, count, error);
    sgm_mask_distance(error, size, size, scratch->distance);
    return deepest ? sgm_mask_deepest_pixel(scratch->distance, size, size, x, y)
                   : sgm_mask_random_pixel(scratch->distance, size, size, rng, x, y);
}

void sgm_weaken_logits(float *logits, int side, double x, double y)
{
    double radius = 0.06 * side, reach = 3 * radius;
    int x0 = (int)fmax(0, ceil(x - reach)), x1 = (int)fmin(side - 1, x + reach);
    int y0 = (int)fmax(0, ceil(y - reach)), y1 = (int)fmin(side - 1, y + reach);
    for (int v = y0; v <= y1; v++)
        for (int u = x0; u <= x1; u++) {
            double dx = (u - x) / radius, dy = (v - y) / radius;
            logits[v * side + u] *= (float)(1 - exp(-0.5 * (dx * dx + dy * dy)));
        }
}

/* Earlier clicks that the mask already obeys, of both kinds. */
static void add_earlier_clicks(sim *s)
{
    int count = (int)sgm_rng_below(s->rng, 3);
    s->point_count = 0;
    s->has_box = false;
    for (int i = 0; i < count; i++)
        if (sgm_rng_chance(s->rng, 0.6))
            add_inside(s, sgm_rng_chance(s->rng, 0.5));
        else
            add_outside(s);
}

static void third_round(sim *s, const uint8_t *neighbour, float *logits)
{
    const uint8_t *guess = s->scratch->mask[0];
    int x, y, label;
    bool afresh = s->options->walks && sgm_rng_chance(s->rng, 0.75);
    if (afresh) add_earlier_clicks(s);
    if (afresh && neighbour && sgm_rng_chance(s->rng, 0.5))
        guess = neighbour;
    else
        worse_mask(s, 0, s->scratch->mask[0]);
    mask_logits(s, guess, logits);
    if (!sgm_correction(s->mask, guess, s->size, sgm_rng_chance(s->rng, 0.6), s->rng, s->scratch,
                        &x, &y, &label))
        return;
    int room = SGM_ROUND_TOKENS - (s->has_box ? 2 : s->options->walks ? 1 : 0);
    if (s->point_count >= room) s->point_count = room - 1;
    add_point(s, x, y, label);
    if (afresh && sgm_rng_chance(s->rng, 0.5)) sgm_weaken_logits(logits, s->size, x, y);
}

/* The mask of a neighbouring slice alone. */
static void neighbour_round(sim *s, const uint8_t *neighbour, float *logits)
{
    s->point_count = 0;
    s->has_box = false;
    if (!neighbour) worse_mask(s, 0.05, s->scratch->mask[0]);
    mask_logits(s, neighbour ? neighbour : s->scratch->mask[0], logits);
}

/* Up to 40 % of the object's size away from it, on each side by itself. */
static double slack(sim *s, double size)
{
    double share = sgm_rng_chance(s->rng, 0.15) ? 0.02 : sgm_rng_range(s->rng, 0.03, 0.4);
    return share * size;
}

/* As prompt_tokens.c writes it: points, corners, padding up to four. */
static void loose_box_round(sim *s, sgm_round *round, float *logits)
{
    sgm_mask_box b = sgm_mask_bounds(s->mask, s->size, s->size);
    double w = b.x1 - b.x0 + 1, h = b.y1 - b.y0 + 1, last = s->size - 1;
    s->point_count = 0;
    s->has_box = true;
    s->box.x0 = fmax(0, b.x0 - slack(s, w));
    s->box.y0 = fmax(0, b.y0 - slack(s, h));
    s->box.x1 = fmin(last, b.x1 + slack(s, w));
    s->box.y1 = fmin(last, b.y1 + slack(s, h));
    if (sgm_rng_chance(s->rng, 0.5)) {
        if (sgm_rng_chance(s->rng, 0.7))
            add_inside(s, sgm_rng_chance(s->rng, 0.5));
        else
            add_outside(s);
    }
    write_round(s, s->point_count + 2, round);
    int at = s->point_count + 2;
    while (at < 4)
        put_token(round, &at, s->size, 0, 0, SGM_TOKEN_PADDING);
    round->tokens = 4;
    sgm_prompt_prior_loose(s->points, (size_t)s->point_count, &s->box, s->size, logits);
}

static void blank_rounds(int count, int size, sgm_round rounds[SGM_ROUNDS],
                         float *const masks[SGM_ROUNDS])
{
    for (int r = 0; r < count; r++) {
        int part, group = sgm_group_of(r, &part), at = 0;
        rounds[r].tokens = sgm_round_groups[group].tokens;
        while (at < rounds[r].tokens)
            put_token(&rounds[r], &at, size, 0, 0, SGM_TOKEN_PADDING);
        memset(masks[r], 0, (size_t)size * (size_t)size * sizeof **masks);
    }
}

void sgm_simulate(const uint8_t *mask, const uint8_t *neighbour, int size,
                  const sgm_sim_options *options, sgm_rng *rng, const sgm_sim_scratch *scratch,
                  sgm_round rounds[SGM_ROUNDS], float *const masks[SGM_ROUNDS])
{
    sim s = {.mask = mask, .size = size, .options = options, .rng = rng, .scratch = scratch};
    if (!sgm_mask_bounds(mask, size, size).area) {
        blank_rounds(sgm_round_count(options->walks), size, rounds, masks);
        if (neighbour && options->walks) neighbour_round(&s, neighbour, masks[SGM_NEIGHBOUR_ROUND]);
        return;
    }
    add_inside(&s, sgm_rng_chance(rng, options->deepest_chance));
    write_round(&s, 2, &rounds[0]);
    write_prior(&s, masks[0]);

    s.point_count = 0;
    s.has_box = true;
    s.box = noisy_box(&s);
    write_round(&s, 2, &rounds[1]);
    write_prior(&s, masks[1]);

    second_round(&s);
    write_round(&s, 4, &rounds[2]);
    write_prior(&s, masks[2]);

    third_round(&s, neighbour, masks[3]);
    write_round(&s, 4, &rounds[3]);
    if (!options->walks) return;
    neighbour_round(&s, neighbour, masks[4]);
    write_round(&s, 0, &rounds[4]);
    loose_box_round(&s, &rounds[5], masks[5]);
}
