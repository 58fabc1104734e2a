/* Where the next click goes in evaluations of interactive segmentation. */
#include "core/status.h"
#include "metrics/distance_map.h"
#include "segmodel/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t voxels_of(const int64_t size[3])
{
    return size[0] * size[1] * size[2];
}

static sgm_status check_size(const int64_t size[3])
{
    if (size[0] > 0 && size[1] > 0 && size[2] > 0) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "clicks in %lld x %lld x %lld voxels", (long long)size[0],
                    (long long)size[1], (long long)size[2]);
}

/* The first deepest place of a mask; depth 0: it is empty or all taken. */
static sgm_status deepest(const uint8_t *mask, const int64_t size[3], const int64_t *taken,
                          size_t taken_count, double *squared, int64_t *place, double *depth)
{
    SGM_TRY(sgm_distance_map(mask, size, 1, squared, NULL));
    for (size_t i = 0; i < taken_count; i++)
        if (taken[i] >= 0 && taken[i] < voxels_of(size)) squared[taken[i]] = 0;
    *place = 0;
    for (int64_t i = 1; i < voxels_of(size); i++)
        if (squared[i] > squared[*place]) *place = i;
    *depth = squared[*place];
    return SGM_OK;
}

static void set_click(const int64_t size[3], int64_t place, int label, double squared,
                      sgm_click *out)
{
    *out = (sgm_click){.label = squared > 0 ? label : -1, .distance = sqrt(squared)};
    if (!(squared > 0)) return;
    out->index[0] = place % size[0];
    out->index[1] = place / size[0] % size[1];
    out->index[2] = place / (size[0] * size[1]);
}

/* wanted 1: what is missing, 0: what is too much. */
static void mark_errors(const uint8_t *reference, const uint8_t *prediction, int64_t count,
                        int wanted, uint8_t *error)
{
    for (int64_t i = 0; i < count; i++)
        error[i] = (reference[i] != 0) == wanted && (prediction[i] != 0) != wanted;
}

sgm_status sgm_click_deepest(const uint8_t *reference, const uint8_t *prediction,
                             const int64_t size[3], const int64_t *taken, size_t taken_count,
                             sgm_click *out)
{
    int64_t place[2];
    double depth[2];
    SGM_TRY(check_size(size));
    size_t count = (size_t)voxels_of(size);
    uint8_t *error = malloc(count);
    double *squared = malloc(count * sizeof *squared);
    sgm_status status =
        error && squared ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a click");
    for (int wanted = 0; wanted < 2 && status == SGM_OK; wanted++) {
        mark_errors(reference, prediction, (int64_t)count, wanted, error);
        status = deepest(error, size, taken, taken_count, squared, &place[wanted], &depth[wanted]);
    }
    if (status == SGM_OK) {
        int label = depth[1] > depth[0] ? SGM_FOREGROUND : SGM_BACKGROUND;
        set_click(size, place[label], label, depth[label], out);
    }
    free(error);
    free(squared);
    return status;
}

/* -------------------------------------------------------------------------------- components */

/* Marks (with `name`) the component that holds `start` and returns its size; voxels that share a
 * corner are connected. `stack` has room for all voxels. */
static int64_t flood(uint8_t *error, const int64_t size[3], int64_t start, uint8_t name,
                     int64_t *stack)
{
    int64_t found = 1, waiting = 1;
    stack[0] = start;
    error[start] = name;
    while (waiting) {
        int64_t at = stack[--waiting];
        int64_t x = at % size[0], y = at / size[0] % size[1], z = at / (size[0] * size[1]);
        for (int n = 0; n < 27; n++) {
            int64_t i = x + n % 3 - 1, j = y + n / 3 % 3 - 1, k = z + n / 9 - 1;
            if (i < 0 || j < 0 || k < 0 || i >= size[0] || j >= size[1] || k >= size[2]) continue;
            int64_t to = (k * size[1] + j) * size[0] + i;
            if (error[to] != 1) continue;
            error[to] = name;
            stack[waiting++] = to;
            found++;
        }
    }
    return found;
}

/* Leaves the largest component of an error mask (the first among equal ones). */
static void keep_largest(uint8_t *error, const int64_t size[3], int64_t *stack)
{
    int64_t best = -1, most = 0, count = voxels_of(size);
    for (int64_t i = 0; i < count; i++) {
        if (error[i] != 1) continue;
        int64_t found = flood(error, size, i, 2, stack);
        if (found > most) most = found, best = i;
    }
    for (int64_t i = 0; i < count; i++)
        error[i] = error[i] != 0;
    if (best >= 0) flood(error, size, best, 2, stack);
    for (int64_t i = 0; i < count; i++)
        error[i] = error[i] == 2;
}

sgm_status sgm_click_component(const uint8_t *reference, const uint8_t *prediction,
                               const int64_t size[3], sgm_click *out)
{
    int64_t place;
    double depth;
    SGM_TRY(check_size(size));
    size_t count = (size_t)voxels_of(size);
    uint8_t *error = malloc(count);
    double *squared = malloc(count * sizeof *squared);
    int64_t *stack = malloc(count * sizeof *stack);
    sgm_status status =
        error && squared && stack ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a click");
    if (status == SGM_OK) {
        for (size_t i = 0; i < count; i++)
            error[i] = (reference[i] != 0) != (prediction[i] != 0);
        keep_largest(error, size, stack);
        status = deepest(error, size, NULL, 0, squared, &place, &depth);
    }
    if (status == SGM_OK)
        set_click(size, place, reference[place] ? SGM_FOREGROUND : SGM_BACKGROUND, depth, out);
    free(error);
    free(squared);
    free(stack);
    return status;
}

double sgm_interaction_area(const double values[6])
{
    double area = 0;
    for (int i = 1; i < 5; i++)
        area += (values[i] + values[i + 1]) / 2;
    return area;
}
