#include "predict/session/tight_box.h"

#include <math.h>

/* Whole pixels of the map that the box covers, clipped; 0 when there are none. */
static int covered(const sgm_box *box, int side, int first[2], int last[2])
{
    const double low[2] = {fmin(box->x0, box->x1), fmin(box->y0, box->y1)};
    const double high[2] = {fmax(box->x0, box->x1), fmax(box->y0, box->y1)};
    for (int a = 0; a < 2; a++) {
        first[a] = (int)fmax(0, ceil(low[a] - 0.5));
        last[a] = (int)fmin(side - 1, floor(high[a] + 0.5));
        if (first[a] > last[a]) return 0;
    }
    return 1;
}

/* Width and height of the part of {logits > threshold} inside first..last, in pixels. */
static void span(const float *low, int side, const int first[2], const int last[2], float threshold,
                 double extent[2])
{
    double begin[2] = {INFINITY, INFINITY}, end[2] = {-INFINITY, -INFINITY};
    for (int y = first[1]; y <= last[1]; y++)
        for (int x = first[0]; x <= last[0]; x++) {
            if (!(low[y * side + x] > threshold)) continue;
            begin[0] = fmin(begin[0], x - 0.5);
            begin[1] = fmin(begin[1], y - 0.5);
            end[0] = fmax(end[0], x + 0.5);
            end[1] = fmax(end[1], y + 0.5);
        }
    for (int a = 0; a < 2; a++)
        extent[a] = end[a] > begin[a] ? end[a] - begin[a] : 0;
}

float sgm_tight_box_threshold(const float *low, int side, const sgm_box *box, float usual)
{
    const float step = 0.125f;
    const double wanted[2] = {SGM_TIGHT_BOX_SPAN * fabs(box->x1 - box->x0),
                              SGM_TIGHT_BOX_SPAN * fabs(box->y1 - box->y0)};
    int first[2], last[2];
    if (!covered(box, side, first, last)) return usual;
    for (float threshold = usual; threshold >= -(float)SGM_TIGHT_BOX_DEEPEST; threshold -= step) {
        double extent[2];
        span(low, side, first, last, threshold, extent);
        if (extent[0] >= wanted[0] && extent[1] >= wanted[1]) return threshold;
    }
    return usual;
}
