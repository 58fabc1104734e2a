#include "sgio/geometry.h"

#include "vectors.h"

#include <math.h>
#include <string.h>

/* Directions in float files deviate by about 1e-7, written with six digits by 1e-6. */
static const double MOST_SKEW = 1e-5;

static double column_length(const sgio_geometry *geometry, int axis)
{
    double sum = 0;
    for (int r = 0; r < 3; r++)
        sum += geometry->matrix[r][axis] * geometry->matrix[r][axis];
    return sqrt(sum);
}

void sgio_geometry_spacing(const sgio_geometry *geometry, double spacing[3])
{
    for (int axis = 0; axis < 3; axis++)
        spacing[axis] = column_length(geometry, axis);
}

void sgio_geometry_direction(const sgio_geometry *geometry, double direction[3][3])
{
    for (int axis = 0; axis < 3; axis++) {
        double length = column_length(geometry, axis);
        for (int r = 0; r < 3; r++)
            direction[r][axis] = geometry->matrix[r][axis] / length;
    }
}

void sgio_geometry_index_to_lps(const sgio_geometry *geometry, const double index[3], double lps[3])
{
    double p[3]; /* `index` and `lps` may be the same array */
    for (int r = 0; r < 3; r++) {
        const double *row = geometry->matrix[r];
        p[r] = row[0] * index[0] + row[1] * index[1] + row[2] * index[2] + row[3];
    }
    memcpy(lps, p, sizeof p);
}

/* Cramer's rule on the columns: index_i = dot(p - origin, normal_i) / det, where normal_i is the
 * cross product of the other two columns. */
int sgio_geometry_lps_to_index(const sgio_geometry *geometry, const double lps[3], double index[3])
{
    double column[3][3], normal[3][3], offset[3];
    for (int axis = 0; axis < 3; axis++)
        for (int r = 0; r < 3; r++)
            column[axis][r] = geometry->matrix[r][axis];
    for (int r = 0; r < 3; r++)
        offset[r] = lps[r] - geometry->matrix[r][3];
    for (int axis = 0; axis < 3; axis++)
        sgio_cross(column[(axis + 1) % 3], column[(axis + 2) % 3], normal[axis]);
    double det = sgio_dot(column[0], normal[0]);
    double volume =
        column_length(geometry, 0) * column_length(geometry, 1) * column_length(geometry, 2);
    /* Relative: spacings of micrometres and of metres are both legal. NaN fails too. */
    if (!(fabs(det) > 1e-9 * volume)) return -1;
    for (int axis = 0; axis < 3; axis++)
        index[axis] = sgio_dot(offset, normal[axis]) / det;
    return 0;
}

int sgio_geometry_is_orthogonal(const sgio_geometry *geometry)
{
    double d[3][3];
    sgio_geometry_direction(geometry, d);
    for (int a = 0; a < 3; a++) {
        int b = (a + 1) % 3;
        double cosine = d[0][a] * d[0][b] + d[1][a] * d[1][b] + d[2][a] * d[2][b];
        if (!(fabs(cosine) <= MOST_SKEW)) return 0;
    }
    return 1;
}

double sgio_geometry_distance(const sgio_geometry *a, const sgio_geometry *b)
{
    double most = 0;
    if (memcmp(a->size, b->size, sizeof a->size) != 0) return HUGE_VAL;
    for (int corner = 0; corner < 8; corner++) {
        double index[3], pa[3], pb[3], squares = 0;
        for (int axis = 0; axis < 3; axis++)
            index[axis] = (corner >> axis & 1) ? (double)(a->size[axis] - 1) : 0;
        sgio_geometry_index_to_lps(a, index, pa);
        sgio_geometry_index_to_lps(b, index, pb);
        for (int r = 0; r < 3; r++)
            squares += (pa[r] - pb[r]) * (pa[r] - pb[r]);
        if (!(sqrt(squares) <= most)) most = sqrt(squares);
    }
    return isnan(most) ? HUGE_VAL : most;
}

int sgio_geometry_equal(const sgio_geometry *a, const sgio_geometry *b, double tolerance_mm)
{
    return sgio_geometry_distance(a, b) <= tolerance_mm;
}

int sgio_geometry_offset(const sgio_geometry *from, const sgio_geometry *grid, double tolerance_mm,
                         int64_t offset[3])
{
    sgio_geometry moved = *grid;
    const double origin[3] = {from->matrix[0][3], from->matrix[1][3], from->matrix[2][3]};
    double index[3], lps[3];
    if (sgio_geometry_lps_to_index(grid, origin, index) != 0) return -1;
    for (int a = 0; a < 3; a++) {
        if (!(fabs(index[a]) < 1e9)) return -1;
        index[a] = round(index[a]);
        offset[a] = (int64_t)index[a];
    }
    sgio_geometry_index_to_lps(grid, index, lps);
    for (int r = 0; r < 3; r++)
        moved.matrix[r][3] = lps[r];
    memcpy(moved.size, from->size, sizeof moved.size);
    return sgio_geometry_equal(from, &moved, tolerance_mm) ? 0 : -1;
}

double sgio_geometry_rounding(const sgio_geometry *grid)
{
    double spacing[3];
    sgio_geometry_spacing(grid, spacing);
    return 0.05 * fmin(spacing[0], fmin(spacing[1], spacing[2]));
}
