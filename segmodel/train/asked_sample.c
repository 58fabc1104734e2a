#include "train/asked_sample.h"

#include <math.h>

#include "predict/session/prompt_tokens.h"

int sgm_asked_tokens(sgm_asked asked, const sgm_given_prompts *given)
{
    if (given) return sgm_given_tokens(given);
    return asked == SGM_ASKED_POINT || asked == SGM_ASKED_BOX || asked == SGM_ASKED_EITHER ? 2 : 0;
}

static void put(const sgm_sampler_options *options, double x, double y, int label, int *at,
                float *coordinates, int32_t *labels)
{
    sgm_token_place(options->size, x, y, coordinates + 2 * *at);
    labels[(*at)++] = label;
}

static void put_padding(int tokens, int *at, float *coordinates, int32_t *labels)
{
    for (; *at < tokens; (*at)++) {
        coordinates[2 * *at] = coordinates[2 * *at + 1] = 0;
        labels[*at] = SGM_TOKEN_PADDING;
    }
}

/* One side of a box: Gaussian noise in shares of the side, no further than the limit (SAM), or a
 * shift outwards by whole pixels (MedSAM); within the square. */
static double noisy_side(const sgm_sampler_options *o, double at, double side, int outwards,
                         sgm_rng *rng)
{
    double noise = o->sim.box_noise > 0 ? o->sim.box_noise * side * sgm_rng_normal(rng) : 0;
    if (o->box_limit > 0) noise = fmin(fmax(noise, -o->box_limit), o->box_limit);
    if (o->box_shift > 0) noise += outwards * (double)sgm_rng_below(rng, (int64_t)o->box_shift + 1);
    return fmin(fmax(at + noise, 0), o->size - 1);
}

static void ask_box(const sgm_sampler_options *o, const uint8_t *mask, sgm_rng *rng, int *at,
                    float *coordinates, int32_t *labels)
{
    sgm_mask_box b = sgm_mask_bounds(mask, o->size, o->size);
    double w = b.x1 - b.x0 + 1, h = b.y1 - b.y0 + 1;
    double x0 = noisy_side(o, b.x0, w, -1, rng), y0 = noisy_side(o, b.y0, h, -1, rng);
    double x1 = noisy_side(o, b.x1, w, 1, rng), y1 = noisy_side(o, b.y1, h, 1, rng);
    if (x1 < x0 + 1) x1 = x0 + 1;
    if (y1 < y0 + 1) y1 = y0 + 1;
    put(o, x0, y0, SGM_TOKEN_BOX_FIRST, at, coordinates, labels);
    put(o, x1, y1, SGM_TOKEN_BOX_SECOND, at, coordinates, labels);
}

static void ask_point(const sgm_sampler_options *o, const uint8_t *mask, sgm_rng *rng,
                      int32_t *distance, int *at, float *coordinates, int32_t *labels)
{
    int x = 0, y = 0;
    sgm_mask_distance(mask, o->size, o->size, distance);
    if (sgm_rng_chance(rng, o->sim.deepest_chance))
        sgm_mask_deepest_pixel(distance, o->size, o->size, &x, &y);
    else
        sgm_mask_random_pixel(distance, o->size, o->size, rng, &x, &y);
    put(o, x, y, SGM_TOKEN_FOREGROUND, at, coordinates, labels);
}

void sgm_asked_prompt(const sgm_sampler_options *options, const uint8_t *mask, sgm_rng *rng,
                      int32_t *distance, float *coordinates, int32_t *labels)
{
    int at = 0;
    sgm_asked asked = options->asked;
    if (asked == SGM_ASKED_EITHER)
        asked = sgm_rng_chance(rng, 0.5) ? SGM_ASKED_BOX : SGM_ASKED_POINT;
    if (asked == SGM_ASKED_POINT) ask_point(options, mask, rng, distance, &at, coordinates, labels);
    if (asked == SGM_ASKED_BOX) ask_box(options, mask, rng, &at, coordinates, labels);
    put_padding(options->tokens, &at, coordinates, labels);
}

static double mirrored(double at, int extent, bool flip)
{
    return flip ? extent - 1 - at : at;
}

void sgm_asked_given(const sgm_sampler_options *options, const sgm_given_prompt *given,
                     const sgm_frame *frame, const sgm_look_change *change, float *coordinates,
                     int32_t *labels)
{
    sgm_given_prompt g = *given;
    int w = frame->original.width, h = frame->original.height;
    for (int i = 0; i < g.point_count; i++) {
        g.points[i].x = mirrored(g.points[i].x, w, change->flip_x);
        g.points[i].y = mirrored(g.points[i].y, h, change->flip_y);
    }
    if (change->flip_x) g.box.x0 = w - 1 - given->box.x1, g.box.x1 = w - 1 - given->box.x0;
    if (change->flip_y) g.box.y0 = h - 1 - given->box.y1, g.box.y1 = h - 1 - given->box.y0;
    sgm_prompt prompt = sgm_given_as_prompt(&g);
    int at = sgm_prompt_token_count(&prompt);
    sgm_prompt_tokens(options->model, frame, &prompt, coordinates, labels);
    put_padding(options->tokens, &at, coordinates, labels);
}

/* A Feistel network over the next power of four, walked until the result is an item. */
int64_t sgm_epoch_item(uint64_t seed, uint64_t epoch, int64_t at, int64_t count)
{
    int half = 1;
    while (((int64_t)1 << (2 * half)) < count)
        half++;
    uint64_t mask = ((uint64_t)1 << half) - 1, value = (uint64_t)at;
    do {
        uint64_t left = value >> half, right = value & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t mixed = sgm_rng_mix(sgm_rng_mix(seed + epoch * 0x9E3779B97F4A7C15u) ^
                                         sgm_rng_mix(right * 4 + round));
            uint64_t next = left ^ (mixed & mask);
            left = right;
            right = next;
        }
        value = left << half | right;
    } while (value >= (uint64_t)count);
    return (int64_t)value;
}
