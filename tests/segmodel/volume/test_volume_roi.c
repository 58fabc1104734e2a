/* Cross-sections of rotated boxes against sampling. */
#include "check.h"

#include "predict/picture/roi.h"

#include <string.h>

/* A rotation about an arbitrary axis (Rodrigues), then anisotropic voxels: sheared half-axes. */
static sgm_roi random_roi(unsigned *seed)
{
    double axis[3], m[3][3], angle, norm = 0;
    sgm_roi roi;
    for (int a = 0; a < 3; a++) {
        *seed = *seed * 1664525u + 1013904223u;
        axis[a] = (double)(*seed >> 8) / (1 << 24) - 0.5;
        norm += axis[a] * axis[a];
    }
    angle = 3 * axis[0] + 7 * axis[1];
    for (int a = 0; a < 3; a++)
        axis[a] /= sqrt(norm);
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) {
            double cross = r == c ? 0 : (c == (r + 1) % 3 ? -1 : 1) * axis[3 - r - c];
            m[r][c] =
                (r == c) * cos(angle) + sin(angle) * cross + (1 - cos(angle)) * axis[r] * axis[c];
        }
    for (int a = 0; a < 3; a++) {
        *seed = *seed * 1664525u + 1013904223u;
        roi.center[a] = 10 + (double)(*seed >> 8) / (1 << 24);
        for (int v = 0; v < 3; v++)
            roi.half_axis[a][v] = m[v][a] * (2 + a) / (v == 2 ? 1.7 : 1);
    }
    return roi;
}

/* Is a point inside the ROI, or the ellipsoid in it? Solves for its coordinates along the half-axes
 * (Cramer's rule). */
static double det(const double a[3], const double b[3], const double c[3])
{
    return a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) +
           a[2] * (b[0] * c[1] - b[1] * c[0]);
}

static int is_inside(const sgm_roi *roi, int ellipsoid, const double p[3])
{
    const double(*h)[3] = roi->half_axis;
    double d[3], whole = det(h[0], h[1], h[2]);
    for (int a = 0; a < 3; a++)
        d[a] = p[a] - roi->center[a];
    double x = det(d, h[1], h[2]) / whole, y = det(h[0], d, h[2]) / whole;
    double z = det(h[0], h[1], d) / whole;
    return ellipsoid ? x * x + y * y + z * z <= 1 : fabs(x) <= 1 && fabs(y) <= 1 && fabs(z) <= 1;
}

/* Bounding box of the points of a fine grid in the plane that lie inside. */
static void sample(const sgm_roi *roi, int ellipsoid, int axis, double index, double low[3],
                   double high[3])
{
    double p[3];
    int u = (axis + 1) % 3, v = (axis + 2) % 3;
    for (int a = 0; a < 3; a++) {
        low[a] = INFINITY;
        high[a] = -INFINITY;
    }
    p[axis] = index;
    for (p[u] = 0; p[u] < 22; p[u] += 0.02)
        for (p[v] = 0; p[v] < 22; p[v] += 0.02) {
            if (!is_inside(roi, ellipsoid, p)) continue;
            for (int a = 0; a < 3; a++) {
                low[a] = fmin(low[a], p[a]);
                high[a] = fmax(high[a], p[a]);
            }
        }
}

static void check_against_samples(void)
{
    unsigned seed = 7;
    for (int n = 0; n < 6; n++) {
        sgm_roi roi = random_roi(&seed);
        int axis = n % 3;
        int64_t first, last;
        sgm_roi_slices(&roi, axis, 30, &first, &last);
        CHECK(last > first);
        for (int64_t slice = first; slice <= last; slice += 3) {
            double low[3], high[3], want_low[3], want_high[3];
            sgm_roi_section(&roi, axis, (double)slice, low, high);
            sample(&roi, 0, axis, (double)slice, want_low, want_high);
            for (int a = 0; a < 3; a++) {
                if (a == axis) continue;
                /* the grid's step, a few times over at a sharp corner */
                CHECK_NEAR(low[a], want_low[a], 0.1);
                CHECK_NEAR(high[a], want_high[a], 0.1);
            }
        }
    }
}

static void check_core_against_samples(void)
{
    unsigned seed = 19;
    for (int n = 0; n < 3; n++) {
        sgm_roi roi = random_roi(&seed);
        double low[3], high[3], want_low[3], want_high[3], index = roi.center[n] + 0.6 * (n - 1);
        sgm_roi_core(&roi, n, index, low, high);
        sample(&roi, 1, n, index, want_low, want_high);
        for (int a = 0; a < 3; a++) {
            if (a == n) continue;
            CHECK_NEAR(low[a], want_low[a], 0.03);
            CHECK_NEAR(high[a], want_high[a], 0.03);
        }
    }
}

/* The sections of a ball, never wider than the box and smallest at the tips, also beyond them. */
static void check_ball(void)
{
    sgm_roi roi = {{10, 11, 12}, {{5, 0, 0}, {0, 5, 0}, {0, 0, 5}}};
    double low[3], high[3];
    sgm_roi_core(&roi, 2, 16, low, high);
    CHECK_NEAR(low[0], 7, 1e-9);
    CHECK_NEAR(high[1], 14, 1e-9);
    for (double index = 17; index < 30; index += 6) {
        sgm_roi_core(&roi, 2, index, low, high);
        CHECK(high[0] > 10 && high[0] < 11.1 && low[1] < 11 && low[1] > 9.9);
    }
    memset(roi.half_axis[2], 0, sizeof roi.half_axis[2]); /* flat: all of it */
    sgm_roi_core(&roi, 2, 12, low, high);
    CHECK(low[0] == 5 && high[0] == 15 && low[1] == 6 && high[1] == 16);
}

/* A box turned by 45 degrees about k, cut across i: the section narrows linearly to the edge. */
static void check_turned_square(void)
{
    const double h = 3 * 0.70710678118654752;
    sgm_roi roi = {{10, 10, 10}, {{h, h, 0}, {-h, h, 0}, {0, 0, 4}}};
    double low[3], high[3], reach = 2 * h;
    for (int64_t i = 6; i <= 14; i++) {
        sgm_roi_section(&roi, 0, (double)i, low, high);
        double half = reach - fabs((double)i - 10);
        CHECK_NEAR(low[1], 10 - half, 1e-9);
        CHECK_NEAR(high[1], 10 + half, 1e-9);
        CHECK_NEAR(low[2], 6, 1e-9);
        CHECK_NEAR(high[2], 14, 1e-9);
    }
}

static void check_slices(void)
{
    int64_t first, last;
    sgm_roi roi = {{0, 0, 12}, {{1, 0, 0}, {0, 1, 0}, {0, 0, 2.5}}};
    sgm_roi_slices(&roi, 2, 30, &first, &last);
    CHECK(first == 10 && last == 14);
    roi.half_axis[2][2] = 2; /* faces on slice centres belong to it */
    sgm_roi_slices(&roi, 2, 30, &first, &last);
    CHECK(first == 10 && last == 14);
    roi.half_axis[2][2] = 0.1;
    roi.center[2] = 12.4; /* between two slices: the nearer one */
    sgm_roi_slices(&roi, 2, 30, &first, &last);
    CHECK(first == 12 && last == 12);
    roi.half_axis[2][2] = 100;
    sgm_roi_slices(&roi, 2, 30, &first, &last);
    CHECK(first == 0 && last == 29);
    roi.center[2] = -200;
    sgm_roi_slices(&roi, 2, 30, &first, &last);
    CHECK(last < first);
}

int main(void)
{
    check_against_samples();
    check_core_against_samples();
    check_ball();
    check_turned_square();
    check_slices();
    return check_report();
}
