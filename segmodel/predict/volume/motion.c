#include "predict/volume/motion.h"

#include "predict/picture/grey.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    ACROSS = 24,        /* blocks along the object's longer side */
    RIM = 2,            /* blocks around it that are compared too */
    REACH = ACROSS / 2, /* largest shift, in blocks */
    KERNEL = ACROSS + 2 * RIM + 2,
    WINDOW = KERNEL + 2 * REACH
};

/* A shift is taken where the object looks the same again, and clearly more so than where it was. */
static const double least_likeness = 0.7;
static const double least_gain = 0.15;
static const double least_blocks = 9;

/* Grey means of square blocks, around the object and beyond. NaN: outside of the picture. */
typedef struct blocks {
    int x, y, step; /* first pixel of block 0, 0; side of a block */
    float value[WINDOW][WINDOW];
} blocks;

/* Of a large block few pixels say as much as all. */
enum { SAMPLES = 8 };

static float block_mean(const sgm_image *image, int x0, int y0, int side)
{
    int step = (side - 1) / SAMPLES + 1, count = 0;
    float sum = 0;
    for (int y = y0; y < y0 + side; y += step)
        for (int x = x0; x < x0 + side; x += step, count++)
            sum += (float)sgm_grey_at(image, x, y);
    return sum / (float)count;
}

static void fill(blocks *b, const sgm_image *image)
{
    for (int v = 0; v < WINDOW; v++)
        for (int u = 0; u < WINDOW; u++) {
            int x0 = b->x + u * b->step, y0 = b->y + v * b->step;
            bool is_inside =
                x0 >= 0 && y0 >= 0 && x0 + b->step <= image->width && y0 + b->step <= image->height;
            b->value[v][u] = is_inside ? block_mean(image, x0, y0, b->step) : NAN;
        }
}

/* Which blocks of the kernel the object or its rim reaches. */
static void weigh(const blocks *b, const uint8_t *mask, int width, int height,
                  bool weight[KERNEL][KERNEL])
{
    memset(weight, 0, sizeof(bool) * KERNEL * KERNEL);
    for (int v = 0; v < KERNEL; v++)
        for (int u = 0; u < KERNEL; u++) {
            int x = b->x + (u + REACH) * b->step + b->step / 2;
            int y = b->y + (v + REACH) * b->step + b->step / 2;
            if (x < 0 || y < 0 || x >= width || y >= height) continue;
            if (!mask[(size_t)y * (size_t)width + (size_t)x]) continue;
            for (int dv = -RIM; dv <= RIM; dv++)
                for (int du = -RIM; du <= RIM; du++)
                    if (u + du >= 0 && v + dv >= 0 && u + du < KERNEL && v + dv < KERNEL)
                        weight[v + dv][u + du] = true;
        }
}

/* Of the weighted blocks with those shifted by (du, dv), as far as both lie in the picture: -1 to
 * 1; -1 too where they are too few, or do not differ. */
static double correlation(const blocks *before, const blocks *now, bool weight[KERNEL][KERNEL],
                          int du, int dv)
{
    double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (int v = 0; v < KERNEL; v++)
        for (int u = 0; u < KERNEL; u++) {
            double a = before->value[v + REACH][u + REACH];
            double b = now->value[v + REACH + dv][u + REACH + du];
            if (!weight[v][u] || isnan(a) || isnan(b)) continue;
            n++;
            x += a;
            y += b;
            xx += a * a;
            yy += b * b;
            xy += a * b;
        }
    double spread = (xx - x * x / fmax(1, n)) * (yy - y * y / fmax(1, n));
    return n >= least_blocks && spread > 0 ? (xy - x * y / n) / sqrt(spread) : -1;
}

sgm_motion sgm_motion_of(const sgm_image *before, const uint8_t *mask, const sgm_box *extent,
                         const sgm_image *now)
{
    bool weight[KERNEL][KERNEL];
    double side = fmax(extent->x1 - extent->x0, extent->y1 - extent->y0) + 1;
    int step = (int)ceil(side / ACROSS);
    blocks from = {.x = (int)((extent->x0 + extent->x1) / 2) - WINDOW * step / 2,
                   .y = (int)((extent->y0 + extent->y1) / 2) - WINDOW * step / 2,
                   .step = step};
    blocks to = from;
    fill(&from, before);
    fill(&to, now);
    weigh(&from, mask, before->width, before->height, weight);
    double still = correlation(&from, &to, weight, 0, 0), best = still;
    sgm_motion motion = {0, 0};
    int reach = (int)fmin(REACH, side / 2 / step);
    for (int dv = -reach; dv <= reach; dv++)
        for (int du = -reach; du <= reach; du++) {
            double c = correlation(&from, &to, weight, du, dv);
            if (c > best) best = c, motion = (sgm_motion){du * step, dv * step};
        }
    return best >= least_likeness && best >= still + least_gain ? motion : (sgm_motion){0, 0};
}
