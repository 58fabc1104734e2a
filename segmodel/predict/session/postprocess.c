/* The official code upsamples low-res logits bilinearly to the encoder's square, crops the padding
 * and upsamples again to the image (align_corners false both times). Bilinear interpolation is
 * separable and linear, so both steps are composed here into one sparse matrix per axis and no
 * intermediate image exists. MedSAM applies the sigmoid first and goes straight to the image's
 * size. */
#include "predict/session/postprocess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bilinear twice reaches at most 2 + 2 neighbours when enlarging; shrinking can spread them over
 * two separate pairs, which stay within this many consecutive samples only while the first step
 * enlarges by at most 4 (it does: low-res is a quarter of the square or more). */
enum { TAPS = 4 };

typedef struct axis_map {
    int out;
    int *first;    /* [out] */
    float *weight; /* [out][TAPS]; beyond the border they are 0 */
} axis_map;

struct sgm_upscaler {
    sgm_size size;
    int low_side;
    bool sigmoid, range; /* what values go through first */
    float threshold;
    axis_map horizontal, vertical;
    float *probabilities; /* [low_side][low_side], where values go through something */
    float *wide;          /* [low_side][width]: after the horizontal pass */
    float *row;           /* [width] */
    float *highest;       /* [low_side]: of a row, for sgm_upscaler_levels */
    bool *widened;        /* [low_side], likewise */
};

/* torch: source = max((i + 0.5) * in / out - 0.5, 0), in float; with corners on corners
 * i * (in - 1) / (out - 1). */
static void bilinear_source(int i, int in, int out, bool corners, int *low, int *high,
                            float *fraction)
{
    float scale = (float)in / (float)out;
    float at = ((float)i + 0.5f) * scale - 0.5f;
    if (corners) at = out > 1 ? (float)i * ((float)(in - 1) / (float)(out - 1)) : 0;
    if (at < 0) at = 0;
    *low = (int)at;
    if (*low > in - 1) *low = in - 1;
    *high = *low < in - 1 ? *low + 1 : *low;
    *fraction = at - (float)*low;
}

/* Weights of output i over low-res samples: low_side -> side, cropped to `cropped`, -> out. */
static void compose(int i, int low_side, int side, int cropped, int out, bool corners, int *first,
                    float weight[TAPS])
{
    int middle[2], source[2][2];
    float fraction, inner[2];
    bilinear_source(i, cropped, out, corners, &middle[0], &middle[1], &fraction);
    for (int k = 0; k < 2; k++)
        bilinear_source(middle[k], low_side, side, corners, &source[k][0], &source[k][1],
                        &inner[k]);
    *first = source[0][0] < low_side - TAPS ? source[0][0] : low_side - TAPS;
    if (*first < 0) *first = 0;
    memset(weight, 0, TAPS * sizeof *weight);
    for (int k = 0; k < 2; k++) {
        float outer = k ? fraction : 1 - fraction;
        weight[source[k][0] - *first] += outer * (1 - inner[k]);
        weight[source[k][1] - *first] += outer * inner[k];
    }
}

static sgm_status make_axis(int low_side, int side, int cropped, int out, bool corners,
                            axis_map *map)
{
    map->out = out;
    map->first = malloc((size_t)out * sizeof *map->first);
    map->weight = malloc((size_t)out * TAPS * sizeof *map->weight);
    if (!map->first || !map->weight)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a mask of the image's size");
    for (int i = 0; i < out; i++)
        compose(i, low_side, side, cropped, out, corners, &map->first[i],
                map->weight + (size_t)i * TAPS);
    return SGM_OK;
}

static sgm_status make_maps(sgm_upscaler *u, const sgm_model_config *config, const sgm_frame *frame)
{
    bool direct = config->protocol->probabilities;
    int side = direct ? u->low_side : config->image_size;
    sgm_size cropped = direct ? (sgm_size){side, side} : frame->resized;
    SGM_TRY(make_axis(u->low_side, side, cropped.width, u->size.width, u->range, &u->horizontal));
    return make_axis(u->low_side, side, cropped.height, u->size.height, u->range, &u->vertical);
}

sgm_status sgm_upscaler_create(const sgm_model_config *config, const sgm_frame *frame,
                               sgm_upscaler **out)
{
    *out = NULL;
    sgm_upscaler *u = calloc(1, sizeof *u);
    if (!u) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a mask of the image's size");
    u->size = frame->original;
    u->low_side = 4 * config->grid;
    u->sigmoid = config->protocol->probabilities;
    u->range = config->protocol->range;
    u->threshold = u->sigmoid || u->range ? 0.5f : 0;
    size_t low = (size_t)u->low_side, width = (size_t)u->size.width;
    u->wide = malloc(low * width * sizeof *u->wide);
    u->row = malloc(width * sizeof *u->row);
    u->highest = malloc((size_t)u->low_side * sizeof *u->highest);
    u->widened = malloc((size_t)u->low_side * sizeof *u->widened);
    u->probabilities = malloc(low * low * sizeof *u->probabilities);
    sgm_status status = u->wide && u->row && u->probabilities && u->highest && u->widened
                            ? make_maps(u, config, frame)
                            : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a mask");
    if (status != SGM_OK) {
        sgm_upscaler_destroy(u);
        return status;
    }
    *out = u;
    return SGM_OK;
}

void sgm_upscaler_destroy(sgm_upscaler *u)
{
    if (!u) return;
    free(u->horizontal.first);
    free(u->horizontal.weight);
    free(u->vertical.first);
    free(u->vertical.weight);
    free(u->probabilities);
    free(u->wide);
    free(u->row);
    free(u->highest);
    free(u->widened);
    free(u);
}

static void stretch_range(const float *low, size_t count, float *out)
{
    float least = low[0], most = low[0];
    for (size_t i = 1; i < count; i++) {
        least = fminf(least, low[i]);
        most = fmaxf(most, low[i]);
    }
    for (size_t i = 0; i < count; i++)
        out[i] = most > least ? (low[i] - least) / (most - least) : 0;
}

/* The map as it is enlarged. */
static const float *prepare(sgm_upscaler *u, const float *low)
{
    size_t count = (size_t)u->low_side * (size_t)u->low_side;
    if (u->range) stretch_range(low, count, u->probabilities);
    if (u->range || !u->sigmoid) return u->range ? u->probabilities : low;
    for (size_t i = 0; i < count; i++)
        u->probabilities[i] = 1 / (1 + expf(-low[i]));
    return u->probabilities;
}

/* Row y of the map, widened. low_side is at least 8 (grid >= 2), so TAPS samples always exist. */
static void widen_row(sgm_upscaler *u, const float *low, int y)
{
    int width = u->size.width;
    const float *from = low + (size_t)y * (size_t)u->low_side;
    float *to = u->wide + (size_t)y * (size_t)width;
    for (int x = 0; x < width; x++) {
        const float *p = from + u->horizontal.first[x];
        const float *w = u->horizontal.weight + (size_t)x * TAPS;
        to[x] = w[0] * p[0] + w[1] * p[1] + w[2] * p[2] + w[3] * p[3];
    }
}

static void widen(sgm_upscaler *u, const float *low)
{
    for (int y = 0; y < u->low_side; y++)
        widen_row(u, low, y);
}

/* Row y of the result into `to`. */
static void mix_rows(const sgm_upscaler *u, int y, float *restrict to)
{
    size_t width = (size_t)u->size.width;
    const float *w = u->vertical.weight + (size_t)y * TAPS;
    const float *r = u->wide + (size_t)u->vertical.first[y] * width;
    float w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
    if (w2 == 0 && w3 == 0)
        for (size_t x = 0; x < width; x++)
            to[x] = w0 * r[x] + w1 * r[width + x];
    else
        for (size_t x = 0; x < width; x++)
            to[x] = w0 * r[x] + w1 * r[width + x] + w2 * r[2 * width + x] + w3 * r[3 * width + x];
}

void sgm_upscaler_values(sgm_upscaler *u, const float *low, float *values)
{
    widen(u, prepare(u, low));
    for (int y = 0; y < u->size.height; y++)
        mix_rows(u, y, values + (size_t)y * (size_t)u->size.width);
}

/* Bytes may alias anything: without restrict this is one pixel at a time. */
static void mark_above(const float *restrict row, float threshold, size_t count,
                       uint8_t *restrict mask)
{
    for (size_t x = 0; x < count; x++)
        mask[x] = row[x] > threshold;
}

void sgm_upscaler_mask(sgm_upscaler *u, const float *low, float above, uint8_t *mask)
{
    float threshold = sgm_upscaler_threshold(u, above);
    size_t width = (size_t)u->size.width;
    widen(u, prepare(u, low));
    for (int y = 0; y < u->size.height; y++) {
        mix_rows(u, y, u->row);
        mark_above(u->row, threshold, width, mask + (size_t)y * width);
    }
}

/* Values are means of the map's: where no row of the map reaches the level, none does. The margin
 * is above what rounding adds. */
static bool reaches(const sgm_upscaler *u, int y, float level)
{
    const float *w = u->vertical.weight + (size_t)y * TAPS;
    for (int k = 0; k < TAPS; k++)
        if (w[k] != 0 && !(u->highest[u->vertical.first[y] + k] < level - 1e-3f)) return true;
    return false;
}

static void measure_rows(sgm_upscaler *u, const float *map)
{
    for (int y = 0; y < u->low_side; y++) {
        const float *row = map + (size_t)y * (size_t)u->low_side;
        float highest = row[0];
        for (int x = 1; x < u->low_side; x++)
            highest = row[x] > highest ? row[x] : highest;
        u->highest[y] = highest;
        u->widened[y] = false;
    }
}

static void count_row(const float *row, int width, const float levels[3], uint8_t *mask,
                      int64_t counts[2])
{
    int low = 0, high = 0;
    for (int x = 0; x < width; x++) {
        mask[x] = row[x] > levels[1];
        low += row[x] > levels[0];
        high += row[x] > levels[2];
    }
    counts[0] += low;
    counts[1] += high;
}

void sgm_upscaler_levels(sgm_upscaler *u, const float *low, const float levels[3], uint8_t *mask,
                         int64_t counts[2])
{
    const float *map = prepare(u, low);
    size_t width = (size_t)u->size.width;
    counts[0] = counts[1] = 0;
    measure_rows(u, map);
    for (int y = 0; y < u->size.height; y++) {
        if (!reaches(u, y, levels[0])) {
            memset(mask + (size_t)y * width, 0, width);
            continue;
        }
        for (int k = u->vertical.first[y]; k < u->vertical.first[y] + TAPS; k++) {
            if (!u->widened[k]) widen_row(u, map, k);
            u->widened[k] = true;
        }
        mix_rows(u, y, u->row);
        count_row(u->row, u->size.width, levels, mask + (size_t)y * width, counts);
    }
}

sgm_status sgm_upscaler_largest(sgm_upscaler *u, const float *low, int count, uint16_t *largest)
{
    size_t pixels = (size_t)u->size.width * (size_t)u->size.height;
    size_t map = (size_t)u->low_side * (size_t)u->low_side;
    float *best = malloc(2 * pixels * sizeof *best), *other = best + pixels;
    if (!best) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for masks of all classes");
    sgm_upscaler_values(u, low, best);
    memset(largest, 0, pixels * sizeof *largest);
    for (int k = 1; k < count; k++) {
        sgm_upscaler_values(u, low + (size_t)k * map, other);
        for (size_t i = 0; i < pixels; i++) {
            if (!(other[i] > best[i])) continue;
            best[i] = other[i];
            largest[i] = (uint16_t)k;
        }
    }
    free(best);
    return SGM_OK;
}

void sgm_upscaler_rule(const sgm_upscaler *u, sgm_mask_rule *rule)
{
    *rule = (sgm_mask_rule){.low_side = u->low_side,
                            .width = u->size.width,
                            .height = u->size.height,
                            .sigmoid = u->sigmoid,
                            .across = u->horizontal.first,
                            .down = u->vertical.first,
                            .across_weight = u->horizontal.weight,
                            .down_weight = u->vertical.weight};
}

float sgm_upscaler_threshold(const sgm_upscaler *u, float above)
{
    return u->threshold + above;
}
