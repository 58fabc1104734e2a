/* Windows and percentiles, against sorting. */
#include "check.h"

#include "predict/picture/window.h"

#include <stdlib.h>

enum { COUNT = 20 * 30 * 40 };

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static sgm_volume make(const void *data, sgm_voxel type)
{
    return (sgm_volume){.data = data, .type = type, .channels = 1, .size = {20, 30, 40}};
}

static double random_value(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    double a = (double)(*seed >> 8) / (1 << 24);
    *seed = *seed * 1664525u + 1013904223u;
    return a * (double)(*seed >> 8) / (1 << 24);
}

static void check_integers(void)
{
    static int16_t voxels[COUNT];
    static double sorted[COUNT];
    unsigned seed = 1;
    size_t valid = 0;
    for (int i = 0; i < COUNT; i++) {
        voxels[i] = i % 5 ? (int16_t)(3000 * random_value(&seed) - 1000) : -2000;
        if (voxels[i] != -2000) sorted[valid++] = voxels[i];
    }
    qsort(sorted, valid, sizeof *sorted, compare_doubles);
    sgm_volume volume = make(voxels, SGM_VOXEL_I16);
    volume.has_padding = 1;
    volume.padding = -2000;
    double q[2] = {0.005, 0.995}, low, high;
    CHECK_OK(sgm_window_quantiles(&volume, q, &low, &high));
    CHECK(low == sorted[(size_t)(0.005 * (double)(valid - 1) + 0.5)]);
    CHECK(high == sorted[(size_t)(0.995 * (double)(valid - 1) + 0.5)]);
    CHECK_OK(sgm_window_choose(&volume, SGM_WINDOW_NONE, NULL, &low, &high));
    CHECK(low == sorted[0] && high == sorted[valid - 1]);
}

/* One far-off voxel (a bright implant, a reader's artefact) must not spoil the percentiles. */
static void check_floats(float outlier)
{
    static float voxels[COUNT];
    static double sorted[COUNT];
    unsigned seed = 2;
    for (int i = 0; i < COUNT; i++)
        voxels[i] = (float)random_value(&seed);
    voxels[77] = outlier;
    voxels[78] = NAN;
    voxels[79] = -INFINITY;
    size_t valid = 0;
    for (int i = 0; i < COUNT; i++)
        if (isfinite(voxels[i])) sorted[valid++] = voxels[i];
    qsort(sorted, valid, sizeof *sorted, compare_doubles);
    sgm_volume volume = make(voxels, SGM_VOXEL_F32);
    double low, high;
    CHECK_OK(sgm_window_choose(&volume, SGM_WINDOW_AUTO, NULL, &low, &high));
    CHECK_NEAR(low, sorted[(size_t)(0.005 * (double)valid)], 1e-3);
    CHECK_NEAR(high, sorted[(size_t)(0.995 * (double)valid)], 1e-3);
}

/* Padding of floats that is no float itself. */
static void check_rounded_padding(void)
{
    static float voxels[COUNT];
    for (int i = 0; i < COUNT; i++)
        voxels[i] = i % 3 ? (float)(i % 100) : -1462.4f;
    sgm_volume volume = make(voxels, SGM_VOXEL_F32);
    volume.has_padding = 1;
    volume.padding = -1462.4;
    double low, high;
    CHECK_OK(sgm_window_choose(&volume, SGM_WINDOW_NONE, NULL, &low, &high));
    CHECK(low == 0 && high == 99);
}

static void check_constant(void)
{
    static double voxels[COUNT];
    sgm_volume volume = make(voxels, SGM_VOXEL_F64);
    double low, high;
    CHECK_OK(sgm_window_choose(&volume, SGM_WINDOW_PERCENTILE, NULL, &low, &high));
    CHECK(low == 0 && high > low);
    for (int i = 0; i < COUNT; i++)
        voxels[i] = NAN;
    CHECK_OK(sgm_window_choose(&volume, SGM_WINDOW_PERCENTILE, NULL, &low, &high));
    CHECK(low < high);
    volume.has_padding = 1;
    CHECK_OK(sgm_window_choose(&volume, SGM_WINDOW_PERCENTILE, NULL, &low, &high));
    CHECK(low < high);
}

static void check_window(sgm_volume *volume, sgm_window window, double want_low, double want_high)
{
    double low = 0, high = 0;
    CHECK_OK(sgm_window_choose(volume, window, NULL, &low, &high));
    CHECK_NEAR(low, want_low, 0);
    CHECK_NEAR(high, want_high, 0);
}

static void check_presets(void)
{
    static uint8_t voxels[COUNT];
    sgm_volume volume = make(voxels, SGM_VOXEL_U8);
    voxels[3] = 250; /* a picture of 8 bits */
    check_window(&volume, SGM_WINDOW_AUTO, 0, 255);
    volume.hounsfield = SGM_HOUNSFIELD_ON;
    check_window(&volume, SGM_WINDOW_AUTO, -160, 240);
    check_window(&volume, SGM_WINDOW_BRAIN, 0, 80);
    check_window(&volume, SGM_WINDOW_LUNG, -1350, 150);
    check_window(&volume, SGM_WINDOW_ABDOMEN, -160, 240);
    check_window(&volume, SGM_WINDOW_BONE, -500, 1300);
    check_window(&volume, SGM_WINDOW_MEDIASTINUM, -125, 225);
    double low, high;
    double manual[2] = {5, 5};
    CHECK_STATUS(sgm_window_choose(&volume, SGM_WINDOW_MANUAL, manual, &low, &high),
                 SGM_INVALID_ARGUMENT, "5");
    manual[1] = NAN;
    CHECK_STATUS(sgm_window_choose(&volume, SGM_WINDOW_MANUAL, manual, &low, &high),
                 SGM_INVALID_ARGUMENT, "low");
    manual[1] = 9;
    CHECK_OK(sgm_window_choose(&volume, SGM_WINDOW_MANUAL, manual, &low, &high));
    CHECK(low == 5 && high == 9);
}

/* Air and water in the shares of a CT, whatever else there is; the same shape shifted, as an MR has
 * it, is none. */
static void check_hounsfield(void)
{
    static int16_t voxels[COUNT];
    for (int shift = 0; shift < 2; shift++) {
        for (int i = 0; i < COUNT; i++)
            voxels[i] = (int16_t)((i % 10 < 2   ? -1000 + i % 7
                                   : i % 10 < 5 ? 40 + i % 30
                                                : 300) +
                                  1024 * shift);
        sgm_volume volume = make(voxels, SGM_VOXEL_I16);
        CHECK(sgm_volume_looks_hounsfield(&volume) == !shift);
    }
    for (int i = 0; i < COUNT; i++)
        voxels[i] = (int16_t)(i % 100 < 2 ? -1000 : 40); /* two per cent of air */
    sgm_volume volume = make(voxels, SGM_VOXEL_I16);
    CHECK(!sgm_volume_looks_hounsfield(&volume));
}

int main(void)
{
    check_integers();
    check_floats(1);
    check_floats(1e30f);
    check_rounded_padding();
    check_constant();
    check_presets();
    check_hounsfield();
    return check_report();
}
