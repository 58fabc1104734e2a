/* Index to LPS and back, for every axis order and flip, left-handed, oblique, sheared, anisotropic
 * grids. */
#include "sgio/geometry.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Double rounding over coordinates of some hundred mm. */
#define NEAR 1e-9

static int is_near(double a, double b)
{
    return fabs(a - b) <= NEAR;
}

static sgio_geometry axis_aligned(const int order[3], int flips)
{
    static const double spacing[3] = {0.5, 0.75, 3};
    sgio_geometry g = {{7, 5, 4}, {{0}}};
    for (int axis = 0; axis < 3; axis++) {
        g.matrix[order[axis]][axis] = flips >> axis & 1 ? -spacing[axis] : spacing[axis];
        g.matrix[axis][3] = -100.25 + 30 * axis;
    }
    return g;
}

static void check_round_trip(const sgio_geometry *g)
{
    static const double indices[][3] = {{0, 0, 0}, {6, 4, 3}, {2.25, -1.5, 3.75}};
    for (size_t i = 0; i < 3; i++) {
        double p[3], back[3];
        sgio_geometry_index_to_lps(g, indices[i], p);
        assert_int_equal(sgio_geometry_lps_to_index(g, p, back), 0);
        for (int axis = 0; axis < 3; axis++)
            assert_true(is_near(back[axis], indices[i][axis]));
    }
}

static void test_every_axis_order_and_flip(void **state)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    (void)state;
    for (int o = 0; o < 6; o++)
        for (int flips = 0; flips < 8; flips++) {
            sgio_geometry g = axis_aligned(orders[o], flips);
            const double step[3] = {0, 0, 2};
            double p[3], spacing[3], direction[3][3];
            sgio_geometry_index_to_lps(&g, step, p);
            /* two steps of 3 mm along the patient axis that k runs along, and nowhere else */
            for (int r = 0; r < 3; r++) {
                double moved = p[r] - g.matrix[r][3];
                double wanted = r == orders[o][2] ? (flips & 4 ? -6 : 6) : 0;
                assert_true(is_near(moved, wanted));
            }
            sgio_geometry_spacing(&g, spacing);
            sgio_geometry_direction(&g, direction);
            assert_true(is_near(spacing[0], 0.5) && is_near(spacing[1], 0.75));
            assert_true(is_near(direction[orders[o][1]][1], flips & 2 ? -1 : 1));
            check_round_trip(&g);
        }
}

/* Columns: 19 degrees about x, spacing 0.8 x 0.9 x 2.5. */
static sgio_geometry oblique(void)
{
    double c = cos(19 * acos(-1) / 180), s = sin(19 * acos(-1) / 180);
    sgio_geometry g = {{7, 5, 4},
                       {{0.8, 0, 0, -12}, {0, 0.9 * c, -2.5 * s, 34}, {0, 0.9 * s, 2.5 * c, -56}}};
    return g;
}

static void test_oblique(void **state)
{
    (void)state;
    sgio_geometry g = oblique();
    double spacing[3];
    sgio_geometry_spacing(&g, spacing);
    assert_true(is_near(spacing[1], 0.9) && is_near(spacing[2], 2.5));
    check_round_trip(&g);
}

/* A gantry tilt: slices step along z while their rows lie in an inclined plane. */
static void test_sheared(void **state)
{
    (void)state;
    sgio_geometry g = oblique();
    g.matrix[1][2] = 0;
    g.matrix[2][2] = 2.5;
    check_round_trip(&g);
    const double top[3] = {0, 0, 3};
    double p[3];
    sgio_geometry_index_to_lps(&g, top, p);
    assert_true(is_near(p[1], 34) && is_near(p[2], -56 + 7.5));
}

static void test_left_handed(void **state)
{
    (void)state;
    sgio_geometry g = oblique();
    for (int r = 0; r < 3; r++)
        g.matrix[r][2] = -g.matrix[r][2];
    check_round_trip(&g);
}

static void test_in_place_conversion(void **state)
{
    (void)state;
    sgio_geometry g = oblique();
    double p[3] = {1, 2, 3};
    sgio_geometry_index_to_lps(&g, p, p);
    assert_int_equal(sgio_geometry_lps_to_index(&g, p, p), 0);
    assert_true(is_near(p[0], 1) && is_near(p[1], 2) && is_near(p[2], 3));
}

static void test_singular_is_refused(void **state)
{
    (void)state;
    const double p[3] = {1, 2, 3};
    double index[3];
    sgio_geometry g = oblique();
    for (int r = 0; r < 3; r++)
        g.matrix[r][2] = 2 * g.matrix[r][0]; /* parallel columns */
    assert_int_equal(sgio_geometry_lps_to_index(&g, p, index), -1);
    g = oblique();
    g.matrix[1][1] = NAN;
    assert_int_equal(sgio_geometry_lps_to_index(&g, p, index), -1);
    g = oblique();
    for (int r = 0; r < 3; r++)
        g.matrix[r][0] = 0;
    assert_int_equal(sgio_geometry_lps_to_index(&g, p, index), -1);
}

/* Microscopy and radiotherapy: tiny and huge spacings are no reason to refuse. */
static void test_scale_does_not_matter(void **state)
{
    (void)state;
    for (double scale = 1e-6; scale < 1e7; scale *= 1e6) {
        sgio_geometry g = oblique();
        const double lps[3] = {0, 0, 0};
        double index[3];
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 3; c++)
                g.matrix[r][c] *= scale;
        assert_int_equal(sgio_geometry_lps_to_index(&g, lps, index), 0);
    }
}

static void test_equal(void **state)
{
    (void)state;
    sgio_geometry a = oblique(), b = oblique();
    assert_true(sgio_geometry_equal(&a, &b, 0));
    b.matrix[0][0] += 0.001; /* 6 voxels away: 0.006 mm */
    assert_true(sgio_geometry_equal(&a, &b, 0.007));
    assert_false(sgio_geometry_equal(&a, &b, 0.005));
    b = oblique();
    b.size[2]++;
    assert_false(sgio_geometry_equal(&a, &b, 1e6));
    b = oblique();
    b.matrix[2][3] = NAN;
    assert_false(sgio_geometry_equal(&a, &b, 1e6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_axis_order_and_flip),
        cmocka_unit_test(test_oblique),
        cmocka_unit_test(test_sheared),
        cmocka_unit_test(test_left_handed),
        cmocka_unit_test(test_in_place_conversion),
        cmocka_unit_test(test_singular_is_refused),
        cmocka_unit_test(test_scale_does_not_matter),
        cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
