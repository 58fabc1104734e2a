#include "study/strategies.h"

#include <math.h>
#include <stdlib.h>

#include "core/status.h"
#include "metrics/distance_map.h"
#include "metrics/draw.h"

sgm_status sgm_point_centre(const uint8_t *mask, int width, int height, int64_t *place)
{
    const int64_t size[3] = {width, height, 1}, count = (int64_t)width * height;
    double *squared = malloc((size_t)count * sizeof *squared);
    if (!squared) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a distance map");
    sgm_status status = sgm_distance_map(mask, size, 1, squared, NULL);
    *place = 0;
    for (int64_t i = 1; i < count && status == SGM_OK; i++)
        if (squared[i] > squared[*place]) *place = i;
    free(squared);
    return status;
}

/* Pixel number `wanted` of the mask without `except` (-1: none is left out). */
static int64_t pixel_at(const uint8_t *mask, int64_t count, int64_t except, uint64_t wanted)
{
    for (int64_t i = 0; i < count; i++)
        if (mask[i] && i != except && wanted-- == 0) return i;
    return except;
}

static uint64_t pixels_of(const uint8_t *mask, int64_t count, int64_t except)
{
    uint64_t pixels = 0;
    for (int64_t i = 0; i < count; i++)
        pixels += mask[i] && i != except;
    return pixels;
}

int64_t sgm_point_random(const uint8_t *mask, int64_t count, uint64_t key, uint64_t index)
{
    uint64_t pixels = pixels_of(mask, count, -1);
    return pixels ? pixel_at(mask, count, -1, sgm_draw_pick(key, index, pixels)) : -1;
}

int64_t sgm_second_random(const uint8_t *mask, int64_t count, int64_t first, uint64_t key)
{
    uint64_t pixels = pixels_of(mask, count, first);
    return pixels ? pixel_at(mask, count, first, sgm_draw_pick(key, 1, pixels)) : first;
}

int64_t sgm_second_doubt(const uint8_t *mask, int64_t count, int64_t first, const float *doubt)
{
    int64_t best = first;
    for (int64_t i = 0; i < count; i++)
        if (mask[i] && i != first && (best == first || doubt[i] < doubt[best])) best = i;
    return best;
}

int64_t sgm_second_farthest(const uint8_t *mask, int width, int height, int64_t first)
{
    int64_t best = first, farthest = 0;
    for (int64_t i = 0; i < (int64_t)width * height; i++) {
        int64_t dx = i % width - first % width, dy = i / width - first / width;
        if (!mask[i] || dx * dx + dy * dy <= farthest) continue;
        farthest = dx * dx + dy * dy;
        best = i;
    }
    return best;
}

static double moved(double value, double side, double share, uint64_t key, uint64_t index,
                    double limit)
{
    double noise = sgm_draw_normal(key, index) * share * side;
    noise = fmin(fmax(noise, -SGM_BOX_NOISE_LIMIT), SGM_BOX_NOISE_LIMIT);
    return fmin(fmax(value + noise, 0), limit);
}

sgm_box sgm_noisy_box(sgm_box box, double share, uint64_t key, int width, int height)
{
    double across = box.x1 - box.x0, down = box.y1 - box.y0;
    sgm_box noisy = {moved(box.x0, across, share, key, 0, width - 1),
                     moved(box.y0, down, share, key, 1, height - 1),
                     moved(box.x1, across, share, key, 2, width - 1),
                     moved(box.y1, down, share, key, 3, height - 1)};
    /* Noise of thin boxes may swap their sides. */
    return (sgm_box){fmin(noisy.x0, noisy.x1), fmin(noisy.y0, noisy.y1), fmax(noisy.x0, noisy.x1),
                     fmax(noisy.y0, noisy.y1)};
}
