#include "quality/quality_rival.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MULTIPLIER 2.5
enum { ITERATIONS = 3, SEED_RADIUS = 2 };

static double grey(const sgm_pack_item *item, int at)
{
    const uint8_t *p = item->image + (size_t)at * (size_t)item->channels;
    return item->channels == 1 ? p[0] : 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
}

typedef struct grow_area {
    int x0, y0, x1, y1; /* inclusive */
} grow_area;

static grow_area clip_area(const sgm_pack_item *item, double x0, double y0, double x1, double y1)
{
    grow_area a = {(int)fmax(0, ceil(x0)), (int)fmax(0, ceil(y0)), (int)fmin(item->width - 1, x1),
                   (int)fmin(item->height - 1, y1)};
    return a;
}

static void add_area(const sgm_pack_item *item, grow_area a, double sums[3])
{
    for (int y = a.y0; y <= a.y1; y++)
        for (int x = a.x0; x <= a.x1; x++) {
            double value = grey(item, y * item->width + x);
            sums[0] += 1;
            sums[1] += value;
            sums[2] += value * value;
        }
}

/* Pixels around the seeds, or the box's central third: where growth begins and is measured. */
static int starts(const sgm_pack_item *item, const sgm_point *seeds, size_t seed_count,
                  const sgm_box *box, double sums[3], int *stack)
{
    int top = 0;
    for (size_t i = 0; i < seed_count; i++) {
        double x = seeds[i].x, y = seeds[i].y;
        if (seeds[i].label == SGM_BACKGROUND) continue;
        add_area(
            item,
            clip_area(item, x - SEED_RADIUS, y - SEED_RADIUS, x + SEED_RADIUS, y + SEED_RADIUS),
            sums);
        stack[top++] = (int)(y + 0.5) * item->width + (int)(x + 0.5);
    }
    if (!box) return top;
    double cx = (box->x0 + box->x1) / 2, cy = (box->y0 + box->y1) / 2;
    double rx = (box->x1 - box->x0) / 6, ry = (box->y1 - box->y0) / 6;
    grow_area centre = clip_area(item, cx - rx - 0.5, cy - ry - 0.5, cx + rx + 0.5, cy + ry + 0.5);
    add_area(item, centre, sums);
    for (int y = centre.y0; y <= centre.y1; y++)
        for (int x = centre.x0; x <= centre.x1; x++)
            stack[top++] = y * item->width + x;
    return top;
}

static void flood(const sgm_pack_item *item, grow_area limits, double low, double high, int top,
                  int *stack, uint8_t *mask)
{
    static const int STEP[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
    for (int i = 0; i < top; i++)
        mask[stack[i]] = 1;
    while (top) {
        int at = stack[--top];
        for (int k = 0; k < 4; k++) {
            int x = at % item->width + STEP[k][0], y = at / item->width + STEP[k][1];
            if (x < limits.x0 || y < limits.y0 || x > limits.x1 || y > limits.y1) continue;
            int next = y * item->width + x;
            double value = grey(item, next);
            if (mask[next] || value < low || value > high) continue;
            mask[next] = 1;
            stack[top++] = next;
        }
    }
}

static void measure(const sgm_pack_item *item, const uint8_t *mask, double sums[3])
{
    sums[0] = sums[1] = sums[2] = 0;
    for (int i = 0; i < item->width * item->height; i++)
        if (mask[i]) {
            double value = grey(item, i);
            sums[0] += 1;
            sums[1] += value;
            sums[2] += value * value;
        }
}

sgm_status sgm_rival_grow(const sgm_pack_item *item, const sgm_point *seeds, size_t seed_count,
                          const sgm_box *box, uint8_t *mask)
{
    size_t pixels = (size_t)item->width * (size_t)item->height;
    int *stack = malloc((2 * pixels + seed_count) * sizeof *stack), top = 0;
    if (!stack) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for region growing");
    grow_area limits = box ? clip_area(item, box->x0, box->y0, box->x1, box->y1)
                           : (grow_area){0, 0, item->width - 1, item->height - 1};
    double sums[3] = {0}, again[3] = {0};
    starts(item, seeds, seed_count, box, sums, stack);
    for (int i = 0; i < ITERATIONS && sums[0] > 0; i++) {
        double mean = sums[1] / sums[0];
        double deviation = sqrt(fmax(sums[2] / sums[0] - mean * mean, 1));
        memset(mask, 0, pixels);
        top = starts(item, seeds, seed_count, box, again, stack);
        flood(item, limits, mean - MULTIPLIER * deviation, mean + MULTIPLIER * deviation, top,
              stack, mask);
        measure(item, mask, sums);
    }
    free(stack);
    return SGM_OK;
}

void sgm_rival_ellipse(const sgm_pack_item *item, const sgm_box *box, uint8_t *mask)
{
    double cx = (box->x0 + box->x1) / 2, cy = (box->y0 + box->y1) / 2;
    double rx = (box->x1 - box->x0 + 1) / 2, ry = (box->y1 - box->y0 + 1) / 2;
    for (int i = 0; i < item->width * item->height; i++) {
        double dx = (i % item->width - cx) / rx, dy = (i / item->width - cy) / ry;
        mask[i] = dx * dx + dy * dy <= 1;
    }
}
