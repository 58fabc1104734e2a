#include "metrics/nearest.h"

#include <math.h>

/* Layout: the middle element of a range is its node, the halves beside it are its subtrees. Which
 * axis a node splits depends on its depth alone (x, y, z in turn): points on surfaces spread over
 * all axes, and nothing has to be stored. */

typedef struct search {
    const sgm_point3 *first; /* of all points */
    const double *query;
    double offset[3]; /* from the query to the current cell, per axis */
    double best;      /* squared distance */
    size_t nearest;
} search;

static void swap(sgm_point3 *a, sgm_point3 *b)
{
    const sgm_point3 kept = *a;
    *a = *b;
    *b = kept;
}

static double middle_of_three(double a, double b, double c)
{
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* Hoare's FIND. Its partition stops at equal keys and so stays balanced when many coordinates are
 * equal, as they are on a voxel grid. */
static void select_middle(sgm_point3 *points, ptrdiff_t middle, ptrdiff_t high, int axis)
{
    ptrdiff_t low = 0;
    while (low < high) {
        const double pivot =
            middle_of_three(points[low].x[axis], points[middle].x[axis], points[high].x[axis]);
        ptrdiff_t i = low, j = high;
        while (i <= j) {
            while (points[i].x[axis] < pivot)
                i++;
            while (points[j].x[axis] > pivot)
                j--;
            if (i <= j) swap(&points[i++], &points[j--]);
        }
        if (j < middle) low = i;
        if (middle < i) high = j;
    }
}

static void build(sgm_point3 *points, size_t count, int axis)
{
    while (count > 1) {
        const size_t middle = count / 2;
        select_middle(points, (ptrdiff_t)middle, (ptrdiff_t)count - 1, axis);
        axis = (axis + 1) % 3;
        build(points, middle, axis);
        points += middle + 1;
        count -= middle + 1;
    }
}

void sgm_nearest_build(sgm_point3 *points, size_t count)
{
    build(points, count, 0);
}

static double squared_distance(const double a[3], const double b[3])
{
    const double x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
    return x * x + y * y + z * z;
}

static void look_at(search *s, const sgm_point3 *point)
{
    const double distance = squared_distance(point->x, s->query);
    if (distance >= s->best) return;
    s->best = distance;
    s->nearest = (size_t)(point - s->first);
}

/* `cell` is the squared distance from the query to the cell that holds these points. */
static void visit(search *s, const sgm_point3 *points, size_t count, int axis, double cell)
{
    if (count == 0 || cell >= s->best) return;
    const size_t middle = count / 2;
    const sgm_point3 *left = points, *right = points + middle + 1;
    const size_t left_count = middle, right_count = count - middle - 1;
    const double beyond = s->query[axis] - points[middle].x[axis];
    const double kept = s->offset[axis];
    const int next = (axis + 1) % 3;
    look_at(s, &points[middle]);
    visit(s, beyond < 0 ? left : right, beyond < 0 ? left_count : right_count, next, cell);
    s->offset[axis] = beyond;
    visit(s, beyond < 0 ? right : left, beyond < 0 ? right_count : left_count, next,
          cell - kept * kept + beyond * beyond);
    s->offset[axis] = kept;
}

double sgm_nearest_distance(const sgm_point3 *points, size_t count, const double query[3],
                            size_t *hint)
{
    search s = {.first = points, .query = query, .best = INFINITY};
    if (hint && *hint < count) look_at(&s, &points[*hint]);
    visit(&s, points, count, 0, 0);
    if (hint) *hint = s.nearest;
    return sqrt(s.best);
}
