#include "predict/session/prompt_prior.h"

#include <math.h>

/* Inside the ellipse up to 4, zero on its edge, falling to -8 outside; without a box there is no
 * knowledge of extent and the field is a flat -1. */
static void draw_box(const sgm_box *box, int side, float *logits)
{
    double cx = (box->x0 + box->x1) / 2, cy = (box->y0 + box->y1) / 2;
    double rx = fmax(fabs(box->x1 - box->x0) / 2, 0.5);
    double ry = fmax(fabs(box->y1 - box->y0) / 2, 0.5);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            double dx = (x - cx) / rx, dy = (y - cy) / ry;
            double value = 4 * (1 - (dx * dx + dy * dy));
            logits[y * side + x] = (float)fmax(value, -8);
        }
}

static void draw_loose_box(const sgm_box *box, int side, float *logits)
{
    double cx = (box->x0 + box->x1) / 2, cy = (box->y0 + box->y1) / 2;
    double rx = fmax(fabs(box->x1 - box->x0) / 2, 0.5);
    double ry = fmax(fabs(box->y1 - box->y0) / 2, 0.5);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            double m = fmax(fabs(x - cx) / rx, fabs(y - cy) / ry);
            logits[y * side + x] = (float)(m <= 1 ? 1 - 2 * m * m : fmax(-1 - 8 * (m - 1), -8));
        }
}

static void draw_point(const sgm_point *point, int side, float *logits)
{
    double radius = side * 0.04, reach = 3 * radius;
    int x0 = (int)fmin(side, fmax(0, ceil(point->x - reach))),
        x1 = (int)fmax(-1, fmin(side - 1, point->x + reach));
    int y0 = (int)fmin(side, fmax(0, ceil(point->y - reach))),
        y1 = (int)fmax(-1, fmin(side - 1, point->y + reach));
    double height = point->label == SGM_FOREGROUND ? 8 : -8;
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++) {
            double dx = (x - point->x) / radius, dy = (y - point->y) / radius;
            logits[y * side + x] += (float)(height * exp(-0.5 * (dx * dx + dy * dy)));
        }
}

void sgm_prompt_prior(const sgm_point *points, size_t point_count, const sgm_box *box, int side,
                      float *logits)
{
    if (box)
        draw_box(box, side, logits);
    else
        for (int i = 0; i < side * side; i++)
            logits[i] = -1;
    for (size_t i = 0; i < point_count; i++)
        draw_point(&points[i], side, logits);
}

void sgm_prompt_prior_loose(const sgm_point *points, size_t point_count, const sgm_box *box,
                            int side, float *logits)
{
    draw_loose_box(box, side, logits);
    for (size_t i = 0; i < point_count; i++)
        draw_point(&points[i], side, logits);
}
