/* Every allocation fails once while a CT that does not say so is cut into slices, and while a
 * mask is measured: an answer is the one with all the memory, or SGM_OUT_OF_MEMORY, and never
 * another. Linked with --wrap for the allocators. */
#include "check.h"
#include "predict/session/mask.h"
#include "segmodel/slices.h"

#include <stdlib.h>

enum { SIDE = 40, SLICES = 4, COUNT = SIDE * SIDE * SLICES };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static long until_failure = -1; /* allocations that still succeed; -1: all */

static int fails(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

static int16_t voxels[COUNT];

static sgm_status window_of(sgm_window window, double shown[2])
{
    sgm_volume volume = {.data = voxels, .type = SGM_VOXEL_I16, .channels = 1};
    sgm_volume_options options = sgm_volume_options_init();
    sgm_slices_info info = {.size = sizeof info};
    sgm_slices *slices = NULL;
    options.window = window;
    for (int a = 0; a < 3; a++) {
        volume.size[a] = a == 2 ? SLICES : SIDE;
        volume.matrix[a][a] = 1;
    }
    sgm_status status = sgm_slices_create(&volume, &options, NULL, &slices);
    if (status == SGM_OK) status = sgm_slices_get_info(slices, &info);
    shown[0] = info.window[0];
    shown[1] = info.window[1];
    sgm_slices_destroy(slices);
    return status;
}

/* Half of it air, half of it within 30 of water. */
static void fill(void)
{
    for (int i = 0; i < COUNT; i++)
        voxels[i] = (int16_t)(i % SIDE < SIDE / 2 ? -1000 : i * 7919 % 61 - 30);
}

static void check_failures_of(sgm_window window, const double want[2])
{
    double shown[2];
    long failures = 0;
    for (;; failures++) {
        until_failure = failures;
        sgm_status status = window_of(window, shown);
        const int all = until_failure >= 0; /* there was no such allocation */
        until_failure = -1;
        if (status != SGM_OK) CHECK_STATUS(status, SGM_OUT_OF_MEMORY, "memory");
        if (status == SGM_OK) CHECK(shown[0] == want[0] && shown[1] == want[1]);
        if (status == SGM_OK && all) break;
        if (!CHECK(failures < 1000)) break;
    }
    CHECK(failures > 2);
}

/* What decides where a walk asks next, what a lone point means and where an object ends. */
static void check_measures_of_a_mask(void)
{
    static uint8_t mask[SIDE * SIDE];
    sgm_point points[2];
    for (int y = 4; y < 15; y++)
        memset(mask + y * SIDE + 4, 1, 11);
    for (long failures = 0; failures < 4; failures++) {
        double depth = -1;
        size_t count = 99;
        until_failure = failures;
        sgm_status measured = sgm_mask_depth(mask, SIDE, SIDE, 9, 9, &depth);
        until_failure = failures;
        sgm_status found = sgm_mask_inner_points(mask, SIDE, SIDE, 2, points, &count);
        until_failure = -1;
        if (measured == SGM_OK) CHECK(depth == 1);
        if (found == SGM_OK) CHECK(count == 1 && points[0].x == 9 && points[0].y == 9);
        CHECK(measured == (failures < 2 ? SGM_OUT_OF_MEMORY : SGM_OK));
        CHECK(found == (failures < 3 ? SGM_OUT_OF_MEMORY : SGM_OK));
    }
}

int main(void)
{
    static const double soft_tissue[2] = {-160, 240};
    double shown[2];
    fill();
    CHECK_OK(window_of(SGM_WINDOW_AUTO, shown));
    CHECK(shown[0] == soft_tissue[0] && shown[1] == soft_tissue[1]);
    check_failures_of(SGM_WINDOW_AUTO, soft_tissue);
    CHECK_OK(window_of(SGM_WINDOW_PERCENTILE, shown));
    check_failures_of(SGM_WINDOW_PERCENTILE, (const double[2]){shown[0], shown[1]});
    check_measures_of_a_mask();
    return check_report();
}
