/* The same values stored in another type are the same volume: window, contrast and mask. */
#include "check.h"
#include "synthetic_network.h"

#include "predict/picture/labels.h"
#include "predict/picture/window.h"
#include "predict/volume/segment.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 28, SLICES = 9, COUNT = SIDE * SIDE * SLICES, SEEDS = 48, TYPES = 4 };

static int16_t shorts[COUNT];
static int32_t longs[COUNT];
static float floats[COUNT];
static double doubles[COUNT];

static const void *const copies[TYPES] = {shorts, longs, floats, doubles};
static const sgm_voxel types[TYPES] = {SGM_VOXEL_I16, SGM_VOXEL_I32, SGM_VOXEL_F32, SGM_VOXEL_F64};

static unsigned chance(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* A body on noise: like a picture of 8 bits, an MR, a CT, or with one far-off voxel. */
static void draw(unsigned seed)
{
    static const int lows[] = {0, 3, -1024, 10}, reach[] = {180, 900, 2600, 60};
    unsigned state = seed, kind = seed % 4;
    for (int i = 0; i < COUNT; i++) {
        int x = i % SIDE - 13, y = i / SIDE % SIDE - 14, z = i / SIDE / SIDE - 4;
        int inside = x * x + y * y + 9 * z * z < 70;
        shorts[i] = (int16_t)(lows[kind] + (int)(chance(&state) % (unsigned)(reach[kind] / 3)) +
                              inside * (2 * reach[kind] / 3));
    }
    if (kind == 3) shorts[seed % COUNT] = seed % 8 == 3 ? 32767 : -32768;
    for (int i = 0; i < COUNT; i++)
        doubles[i] = floats[i] = (float)(longs[i] = shorts[i]);
}

static sgm_volume copy(int type)
{
    return (sgm_volume){.data = copies[type],
                        .type = types[type],
                        .channels = 1,
                        .size = {SIDE, SIDE, SLICES},
                        .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 3, 0}},
                        .hounsfield = SGM_HOUNSFIELD_AUTO};
}

static void check_windows(unsigned seed, sgm_window window)
{
    double low[TYPES], high[TYPES];
    for (int t = 0; t < TYPES; t++) {
        sgm_volume volume = copy(t);
        CHECK_OK(sgm_window_choose(&volume, window, NULL, &low[t], &high[t]));
        if (!CHECK(low[t] == low[0] && high[t] == high[0]))
            fprintf(stderr, "    seed %u, window %d, type %d: %g to %g, as int16 %g to %g\n", seed,
                    (int)window, (int)types[t], low[t], high[t], low[0], high[0]);
    }
}

static void check_masks(unsigned seed)
{
    static synthetic_network network;
    sgm_volume_result result[TYPES];
    sgm_seed point = {.index = {13, 14, 4}, .label = SGM_FOREGROUND};
    sgm_object object = {.name = "body", .seeds = &point, .seed_count = 1};
    sgm_volume_options options = sgm_volume_options_init();
    for (int t = 0; t < TYPES; t++) {
        sgm_volume volume = copy(t);
        synthetic_clear(&network);
        synthetic_init(&network, 32);
        network.tolerance = 60;
        CHECK_OK(
            sgm_volume_segment(&network.predictor, 0, &volume, &object, 1, &options, &result[t]));
        CHECK(result[t].objects[0].voxels > 0);
        if (!CHECK(!memcmp(result[t].objects[0].mask, result[0].objects[0].mask, COUNT)))
            fprintf(stderr, "    seed %u, type %d: %lld voxels, as int16 %lld\n", seed,
                    (int)types[t], (long long)result[t].objects[0].voxels,
                    (long long)result[0].objects[0].voxels);
    }
    for (int t = 0; t < TYPES; t++)
        sgm_volume_result_clear(&result[t]);
    synthetic_clear(&network);
}

/* In a label map of real numbers NaN is no label. */
static void check_labels(void)
{
    const float narrow[] = {0, 1, NAN, -2, -0.0f, INFINITY, -NAN};
    const uint8_t all[] = {0, 1, 0, 1, 0, 1, 0}, ones[] = {0, 1, 0, 0, 0, 0, 0};
    double wide[7];
    uint8_t match[7];
    for (int i = 0; i < 7; i++)
        wide[i] = narrow[i];
    CHECK(sgm_labels_match(narrow, SGM_VOXEL_F32, 0, 0, 1, 7, match) == 3);
    CHECK(!memcmp(match, all, sizeof match));
    CHECK(sgm_labels_match(wide, SGM_VOXEL_F64, 0, 0, 1, 7, match) == 3);
    CHECK(!memcmp(match, all, sizeof match));
    CHECK(sgm_labels_match(narrow, SGM_VOXEL_F32, 1, 0, 1, 7, match) == 1);
    CHECK(!memcmp(match, ones, sizeof match));
}

int main(void)
{
    check_labels();
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        draw(seed);
        check_windows(seed, SGM_WINDOW_AUTO);
        check_windows(seed, SGM_WINDOW_PERCENTILE);
        check_windows(seed, SGM_WINDOW_NONE);
        check_masks(seed);
    }
    return check_report();
}
