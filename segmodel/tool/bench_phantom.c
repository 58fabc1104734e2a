#include "bench_phantom.h"

#include "checkpoint/npy.h"

#include <stdbool.h>
#include <stdlib.h>

enum { AIR = -1000, BODY = 40, ORGAN = 120, NOISE = 20 };

/* Inside the ellipse of half-axes a, b around the middle? x and y from -1 to 1. */
static bool inside(double x, double y, double a, double b)
{
    return x * x / (a * a) + y * y / (b * b) < 1;
}

static void fill_slice(int16_t *to, const int64_t shape[3], int64_t k, uint32_t *state)
{
    double z = (2 * (double)k + 1) / (double)shape[0] - 1, organ = 0.2 + 0.25 * (1 - z * z);
    for (int64_t j = 0; j < shape[1]; j++)
        for (int64_t i = 0; i < shape[2]; i++) {
            double x = (2 * (double)i + 1) / (double)shape[2] - 1;
            double y = (2 * (double)j + 1) / (double)shape[1] - 1;
            int value = inside(x, y, organ, 0.8 * organ) ? ORGAN
                        : inside(x, y, 0.85, 0.65)       ? BODY
                                                         : AIR;
            *state = *state * 1664525u + 1013904223u;
            *to++ = (int16_t)(value + (int)(*state >> 24) * 2 * NOISE / 255 - NOISE);
        }
}

sgm_status bench_write_phantom(const char *path, const double size[3])
{
    const int64_t shape[3] = {(int64_t)size[2], (int64_t)size[1], (int64_t)size[0]};
    size_t slice = (size_t)(shape[1] * shape[2]);
    int16_t *voxels = malloc((size_t)shape[0] * slice * sizeof *voxels);
    uint32_t state = 1;
    if (!voxels) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a phantom");
    for (int64_t k = 0; k < shape[0]; k++)
        fill_slice(voxels + (size_t)k * slice, shape, k, &state);
    sgm_status status = sgm_npy_write(path, SGM_STORED_I16, 3, shape, voxels);
    free(voxels);
    return status;
}
