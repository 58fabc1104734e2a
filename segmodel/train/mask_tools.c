#include "train/mask_tools.h"

sgm_mask_box sgm_mask_bounds(const uint8_t *mask, int width, int height)
{
    sgm_mask_box box = {width, height, -1, -1, 0};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            if (!mask[y * width + x]) continue;
            box.area++;
            if (x < box.x0) box.x0 = x;
            if (x > box.x1) box.x1 = x;
            if (y < box.y0) box.y0 = y;
            if (y > box.y1) box.y1 = y;
        }
    return box;
}

static int32_t neighbour(const int32_t *d, int width, int height, int x, int y, int step)
{
    return (x < 0 || y < 0 || x >= width || y >= height ? 0 : d[y * width + x]) + step;
}

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* One pass of the chamfer; dir 1 goes down and right, -1 up and left. */
static void chamfer_pass(int32_t *d, int width, int height, int dir)
{
    int n = width * height;
    for (int i = 0; i < n; i++) {
        int at = dir > 0 ? i : n - 1 - i, x = at % width, y = at / width;
        if (!d[at]) continue;
        int32_t best = least(d[at], neighbour(d, width, height, x - dir, y, 3));
        best = least(best, neighbour(d, width, height, x, y - dir, 3));
        best = least(best, neighbour(d, width, height, x - dir, y - dir, 4));
        d[at] = least(best, neighbour(d, width, height, x + dir, y - dir, 4));
    }
}

void sgm_mask_distance(const uint8_t *mask, int width, int height, int32_t *distance)
{
    for (int i = 0; i < width * height; i++)
        distance[i] = mask[i] ? 1 << 28 : 0;
    chamfer_pass(distance, width, height, 1);
    chamfer_pass(distance, width, height, -1);
}

bool sgm_mask_random_pixel(const int32_t *distance, int width, int height, sgm_rng *rng, int *x,
                           int *y)
{
    int count = 0;
    for (int i = 0; i < width * height; i++)
        count += distance[i] > 0;
    if (!count) return false;
    int64_t wanted = sgm_rng_below(rng, count);
    for (int i = 0; i < width * height; i++)
        if (distance[i] > 0 && wanted-- == 0) {
            *x = i % width;
            *y = i / width;
            break;
        }
    return true;
}

bool sgm_mask_deepest_pixel(const int32_t *distance, int width, int height, int *x, int *y)
{
    int32_t most = 0;
    for (int i = 0; i < width * height; i++)
        if (distance[i] > most) {
            most = distance[i];
            *x = i % width;
            *y = i / width;
        }
    return most > 0;
}

void sgm_mask_minus(const uint8_t *a, const uint8_t *b, int count, uint8_t *out)
{
    for (int i = 0; i < count; i++)
        out[i] = a[i] && !b[i];
}
