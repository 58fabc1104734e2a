#include "predict/picture/roi.h"

#include <math.h>

/* Sections of an ellipsoid are taken up to this share of the way to its tips. */
static const double furthest = 0.98;

static void corner(const sgm_roi *roi, int number, double point[3])
{
    for (int a = 0; a < 3; a++) {
        point[a] = roi->center[a];
        for (int axis = 0; axis < 3; axis++)
            point[a] += (number >> axis & 1 ? 1 : -1) * roi->half_axis[axis][a];
    }
}

void sgm_roi_span(const sgm_roi *roi, int axis, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int number = 0; number < 8; number++) {
        double point[3];
        corner(roi, number, point);
        *low = fmin(*low, point[axis]);
        *high = fmax(*high, point[axis]);
    }
}

void sgm_roi_slices(const sgm_roi *roi, int axis, int64_t size, int64_t *first, int64_t *last)
{
    double low, high;
    sgm_roi_span(roi, axis, &low, &high);
    double start = ceil(low - SGM_TOUCHING), end = floor(high + SGM_TOUCHING);
    if (start > end) start = end = sgm_nearest(roi->center[axis]);
    if (!(start > 0)) start = 0;
    if (!(end < (double)size)) end = (double)size - 1;
    *first = 0;
    *last = -1;
    if (!(start <= end)) return;
    *first = (int64_t)start;
    *last = (int64_t)end;
}

static void include(const double point[3], double low[3], double high[3])
{
    for (int a = 0; a < 3; a++) {
        low[a] = fmin(low[a], point[a]);
        high[a] = fmax(high[a], point[a]);
    }
}

/* Adds where the edge from p to q meets the plane. */
static void cut_edge(const double p[3], const double q[3], int axis, double index, double low[3],
                     double high[3])
{
    double from = p[axis] - index, to = q[axis] - index, point[3];
    if ((from > 0 && to > 0) || (from < 0 && to < 0)) return;
    if (from == to) {
        include(p, low, high);
        include(q, low, high);
        return;
    }
    double t = from / (from - to);
    for (int a = 0; a < 3; a++)
        point[a] = p[a] + t * (q[a] - p[a]);
    include(point, low, high);
}

void sgm_roi_section(const sgm_roi *roi, int axis, double index, double low[3], double high[3])
{
    double corners[8][3], bottom, top;
    sgm_roi_span(roi, axis, &bottom, &top);
    index = fmax(bottom, fmin(top, index));
    for (int a = 0; a < 3; a++) {
        low[a] = INFINITY;
        high[a] = -INFINITY;
    }
    for (int number = 0; number < 8; number++)
        corner(roi, number, corners[number]);
    for (int number = 0; number < 8; number++)
        for (int bit = 1; bit < 8; bit <<= 1)
            if (!(number & bit))
                cut_edge(corners[number], corners[number | bit], axis, index, low, high);
}

/* Sum over the half-axes of their coordinates a and b: the ellipsoid is where, for any direction,
 * the square of the offset along it is at most this form of the direction. */
static double form(const sgm_roi *roi, int a, int b)
{
    double sum = 0;
    for (int axis = 0; axis < 3; axis++)
        sum += roi->half_axis[axis][a] * roi->half_axis[axis][b];
    return sum;
}

void sgm_roi_core(const sgm_roi *roi, int axis, double index, double low[3], double high[3])
{
    double deep = form(roi, axis, axis), most = furthest * sqrt(deep);
    double off = fmax(-most, fmin(most, index - roi->center[axis]));
    if (!(deep > 0 && isfinite(deep))) {
        sgm_roi_section(roi, axis, index, low, high);
        return;
    }
    for (int a = 0; a < 3; a++) {
        double lean = form(roi, a, axis) / deep;
        double widest = fmax(0, form(roi, a, a) - lean * form(roi, a, axis));
        double half = sqrt(widest * (1 - off * off / deep));
        low[a] = roi->center[a] + lean * off - half;
        high[a] = roi->center[a] + lean * off + half;
    }
}
