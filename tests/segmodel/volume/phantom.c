#include "phantom.h"

#include <math.h>
#include <stdlib.h>

void phantom_position(const phantom *p, const double index[3], double mm[3])
{
    for (int row = 0; row < 3; row++) {
        mm[row] = p->volume.matrix[row][3];
        for (int a = 0; a < 3; a++)
            mm[row] += p->volume.matrix[row][a] * index[a];
    }
}

void phantom_index(const phantom *p, const double mm[3], double index[3])
{
    for (int a = 0; a < 3; a++) {
        double along = 0, square = 0;
        for (int row = 0; row < 3; row++) {
            along += p->volume.matrix[row][a] * (mm[row] - p->volume.matrix[row][3]);
            square += p->volume.matrix[row][a] * p->volume.matrix[row][a];
        }
        index[a] = along / square;
    }
}

static void set_matrix(phantom *p, const int64_t extent[3], const double spacing[3],
                       const int order[3], int signs)
{
    for (int n = 0; n < 3; n++) {
        int axis = order[n];
        double step = signs >> n & 1 ? -spacing[axis] : spacing[axis];
        p->volume.size[n] = extent[axis];
        p->volume.matrix[axis][n] = step;
        p->volume.matrix[axis][3] = -step * (double)(extent[axis] - 1) / 2;
    }
}

void phantom_make(phantom *p, phantom_fn scene, const int64_t extent[3], const double spacing[3],
                  const int order[3], int signs)
{
    *p = (phantom){.volume = {.type = SGM_VOXEL_U8, .channels = 1}};
    set_matrix(p, extent, spacing, order, signs);
    const int64_t *size = p->volume.size;
    p->voxels = malloc((size_t)(size[0] * size[1] * size[2]));
    p->volume.data = p->voxels;
    if (!p->voxels) abort();
    uint8_t *voxel = p->voxels;
    for (int64_t k = 0; k < size[2]; k++)
        for (int64_t j = 0; j < size[1]; j++)
            for (int64_t i = 0; i < size[0]; i++) {
                double index[3] = {(double)i, (double)j, (double)k}, mm[3];
                phantom_position(p, index, mm);
                *voxel++ = (uint8_t)scene(mm);
            }
}

void phantom_clear(phantom *p)
{
    free(p->voxels);
    *p = (phantom){0};
}

void phantom_orientation(int number, int order[3], int *signs)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int a = 0; a < 3; a++)
        order[a] = orders[number % 6][a];
    *signs = number / 6;
}

double phantom_dice(const phantom *p, const uint8_t *mask, int low, int high)
{
    const int64_t *size = p->volume.size;
    double both = 0, either = 0;
    for (int64_t i = 0; i < size[0] * size[1] * size[2]; i++) {
        int inside = p->voxels[i] >= low && p->voxels[i] <= high;
        both += inside && mask[i];
        either += inside + mask[i];
    }
    return 2 * both / either;
}
