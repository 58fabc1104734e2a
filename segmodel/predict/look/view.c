#include "predict/look/view.h"

#include "predict/picture/touching.h"

#include <math.h>

sgm_view sgm_view_whole(int width, int height)
{
    return (sgm_view){0, 0, width, height};
}

int sgm_view_equal(sgm_view a, sgm_view b)
{
    return a.x == b.x && a.y == b.y && a.width == b.width && a.height == b.height;
}

/* The next rung that is not smaller: the longest side over powers of the square root of two, and
 * the least side. */
static int ladder_side(double side, int longest)
{
    if (!(side < longest)) return longest;
    if (!(side > SGM_VIEW_MIN_SIDE + SGM_TOUCHING)) return SGM_VIEW_MIN_SIDE;
    double halves = floor(2 * log2(longest / (side - SGM_TOUCHING)) + 1e-9);
    int rung = (int)ceil(longest * exp2(-halves / 2) - 1e-9);
    return rung < longest ? rung : longest;
}

/* One axis: where a span of `side` around `centre` begins on the grid, inside 0..length. */
static void place(double centre, int side, int length, int *start, int *span)
{
    if (side >= length) {
        *start = 0;
        *span = length;
        return;
    }
    int step = side / 8 > 1 ? side / 8 : 1;
    double origin = sgm_nearest((centre + 0.5 - side / 2.0) / step) * step;
    if (!(origin > 0)) origin = 0;
    if (origin > length - side) origin = length - side;
    *start = (int)origin;
    *span = side;
}

sgm_view sgm_view_at(double x, double y, double side, int width, int height)
{
    int rung = ladder_side(side, width > height ? width : height);
    sgm_view view;
    place(x, rung, width, &view.x, &view.width);
    place(y, rung, height, &view.y, &view.height);
    return view;
}

static double wanted_side(const sgm_box *extent)
{
    double size = fmax(extent->x1 - extent->x0, extent->y1 - extent->y0) + 1;
    return fmax(SGM_VIEW_MARGIN * size, SGM_VIEW_MIN_SIDE);
}

sgm_view sgm_view_around(const sgm_box *extent, int width, int height)
{
    return sgm_view_at((extent->x0 + extent->x1) / 2, (extent->y0 + extent->y1) / 2,
                       wanted_side(extent), width, height);
}

/* Whether low..high keeps `gap` pixels from both ends of the span, where those are not the
 * picture's. */
static int is_inside(double low, double high, int start, int span, int length, double gap)
{
    return (start == 0 || low >= start + gap - SGM_TOUCHING) &&
           (start + span == length || high <= start + span - 1 - gap + SGM_TOUCHING);
}

int sgm_view_serves(sgm_view view, const sgm_box *extent, int width, int height)
{
    if (view.width <= 0) return 0;
    int side = view.width > view.height ? view.width : view.height;
    sgm_view fresh = sgm_view_around(extent, width, height);
    int fresh_side = fresh.width > fresh.height ? fresh.width : fresh.height;
    return 2 * side <= 3 * fresh_side &&
           is_inside(extent->x0, extent->x1, view.x, view.width, width, side / 16.0) &&
           is_inside(extent->y0, extent->y1, view.y, view.height, height, side / 16.0);
}

int sgm_view_is_touched(sgm_view view, const sgm_box *extent, int width, int height)
{
    return !is_inside(extent->x0, extent->x1, view.x, view.width, width, 1) ||
           !is_inside(extent->y0, extent->y1, view.y, view.height, height, 1);
}

sgm_box sgm_box_union(const sgm_box *a, const sgm_box *b)
{
    return (sgm_box){fmin(a->x0, b->x0), fmin(a->y0, b->y0), fmax(a->x1, b->x1),
                     fmax(a->y1, b->y1)};
}
