#include "predict/everything/crops.h"

#include "core/status.h"

#include <math.h>
#include <stdlib.h>

enum { NEAR = 20 /* pixels */ };

/* Length of one of `n` pieces that overlap and cover `length` together. */
static int piece(int length, int n, int overlap)
{
    return (int)ceil(((double)overlap * (n - 1) + length) / n);
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static size_t add_layer(int width, int height, int layer, double overlap_ratio, sgm_part *to)
{
    int n = 1 << layer, count = 0;
    int overlap = (int)(overlap_ratio * smaller(width, height) * (2.0 / n));
    int across = piece(width, n, overlap), down = piece(height, n, overlap);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            int x0 = (across - overlap) * i, y0 = (down - overlap) * j;
            int x1 = smaller(x0 + across, width), y1 = smaller(y0 + down, height);
            if (x0 < x1 && y0 < y1) to[count++] = (sgm_part){x0, y0, x1, y1, layer};
        }
    return (size_t)count;
}

sgm_status sgm_crops_make(int width, int height, int layers, double overlap_ratio, sgm_part **out,
                          size_t *count)
{
    size_t most = 0;
    for (int layer = 0; layer <= layers; layer++)
        most += (size_t)1 << 2 * layer;
    *out = malloc(most * sizeof **out);
    if (!*out) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu crops", most);
    (*out)[0] = (sgm_part){0, 0, width, height, 0};
    *count = 1;
    for (int layer = 1; layer <= layers; layer++)
        *count += add_layer(width, height, layer, overlap_ratio, *out + *count);
    return SGM_OK;
}

int sgm_grid_points(int points_per_side, int layer, int downscale_factor)
{
    return (int)(points_per_side / pow(downscale_factor, layer));
}

double sgm_grid_place(int index, int count)
{
    double first = 1 / (2.0 * count), last = 1 - first;
    if (count == 1) return first;
    return index == count - 1 ? last : first + index * ((last - first) / (count - 1));
}

int sgm_crop_cuts(const sgm_part *crop, int width, int height, const int box[4])
{
    const int side[4] = {crop->x0, crop->y0, crop->x1, crop->y1};
    const int whole[4] = {0, 0, width, height};
    for (int i = 0; i < 4; i++)
        if (abs(box[i] - side[i]) <= NEAR && abs(box[i] - whole[i]) > NEAR) return 1;
    return 0;
}
