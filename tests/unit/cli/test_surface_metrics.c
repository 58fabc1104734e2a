/* Mask metrics against cases computed by hand, and against an all-pairs search. */
#include "cli_test.h"

#include <math.h>

#include "nearest_point.h"
#include "surface_metrics.h"

static const double unit[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};

enum { N = 12, VOXELS = N * N * N };

static const int64_t cube[3] = {N, N, N};

/* Sets the voxels low..high (inclusive) of a zeroed N^3 mask. */
static void fill(uint8_t *mask, int i0, int i1, int j0, int j1, int k0, int k1)
{
    for (int k = k0; k <= k1; k++)
        for (int j = j0; j <= j1; j++)
            memset(mask + (k * N + j) * N + i0, 1, (size_t)(i1 - i0 + 1));
}

static cli_mask_metrics compare(const uint8_t *r, const uint8_t *p, const double axes[3][3],
                                double tolerance)
{
    cli_mask_metrics m;
    assert_int_equal(cli_compare_masks(r, p, cube, axes, tolerance, &m), 0);
    return m;
}

static void a_mask_equals_itself(void **state)
{
    (void)state;
    uint8_t r[VOXELS] = {0};
    fill(r, 2, 5, 3, 7, 4, 9);
    const cli_mask_metrics m = compare(r, r, unit, 0);
    assert_true(m.dice == 1 && m.iou == 1 && m.surface_dice == 1);
    assert_true(m.hd_mm == 0 && m.hd95_mm == 0 && m.assd_mm == 0);
    assert_int_equal(m.common_voxels, 4 * 5 * 6);
    assert_near(m.reference_ml, 0.12, 1e-12);
}

/* Two single voxels, 3 steps of 0.5 mm along i and 2 of 5 mm along k apart. */
static void distances_are_millimetres(void **state)
{
    (void)state;
    static const double axes[3][3] = {{0.5, 0, 0}, {0, 0.5, 0}, {0, 0, 5}};
    uint8_t r[VOXELS] = {0}, p[VOXELS] = {0};
    fill(r, 2, 2, 4, 4, 3, 3);
    fill(p, 5, 5, 4, 4, 5, 5);
    const cli_mask_metrics m = compare(r, p, axes, 10);
    const double d = sqrt(1.5 * 1.5 + 10 * 10);
    assert_near(m.hd_mm, d, 1e-12);
    assert_near(m.hd95_mm, d, 1e-12);
    assert_near(m.assd_mm, d, 1e-12);
    assert_true(m.dice == 0 && m.surface_dice == 0);
    assert_near(m.prediction_ml, 0.00125, 1e-15);
    assert_true(compare(r, p, axes, d).surface_dice == 1);
}

/* A 4x4x4 cube moved by one voxel along i. Surfaces: 64 - 8 = 56 points each. The moved cube's end
 * face (16 points) is 1 mm away. Of its other faces' points, those at the i where the reference is
 * hollow within lie on the reference's surface, except the 4 inner points of the face at i = 3,
 * which lie inside the reference, 1 mm below its surface (the reference's hollow is i = 3, 4). */
static void a_moved_cube(void **state)
{
    (void)state;
    uint8_t r[VOXELS] = {0}, p[VOXELS] = {0};
    fill(r, 2, 5, 4, 7, 4, 7);
    fill(p, 3, 6, 4, 7, 4, 7);
    const cli_mask_metrics m = compare(r, p, unit, 0.5);
    assert_near(m.dice, 0.75, 1e-15);
    assert_near(m.iou, 0.6, 1e-15);
    assert_near(m.hd_mm, 1, 1e-12);
    assert_near(m.hd95_mm, 1, 1e-12);
    assert_near(m.assd_mm, 20.0 / 56, 1e-12);
    assert_near(m.surface_dice, 36.0 / 56, 1e-12);
    assert_true(compare(r, p, unit, 1).surface_dice == 1);
}

/* HD and HD95 differ when a few points are far off: a row of 40 points along i against the same row
 * with one more voxel 10 away. Directed distances of the prediction: 40 times 0 and once 10, its
 * 95th percentile is rank 0.95 * 40 = 38 -> 0. */
static void percentile_forgives_the_outlier(void **state)
{
    (void)state;
    static const int64_t size[3] = {60, 1, 1};
    uint8_t r[60] = {0}, p[60] = {0};
    cli_mask_metrics m;
    /* On a line every second voxel alone is surface and figure at once. */
    for (int i = 0; i < 20; i++)
        r[2 * i] = p[2 * i] = 1;
    p[48] = 1;
    assert_int_equal(cli_compare_masks(r, p, size, unit, 0, &m), 0);
    assert_true(m.hd_mm == 10);
    /* 21 distances: 20 zeros and a 10; rank 0.95 * 20 = 19 -> the last zero. */
    assert_near(m.hd95_mm, 0, 1e-9);
    assert_near(m.assd_mm, 10.0 / 41, 1e-12);
    assert_near(m.surface_dice, 40.0 / 41, 1e-12);
    p[50] = 1; /* 22 distances: ..., 0, 10, 12; rank 19.95 -> 0.95 of the way from 0 to 10 */
    assert_int_equal(cli_compare_masks(r, p, size, unit, 0, &m), 0);
    assert_near(m.hd95_mm, 9.5, 1e-9);
}

/* A slice is a plane figure: the inside of a filled square is not surface. */
static void slices_are_plane_figures(void **state)
{
    (void)state;
    static const int64_t size[3] = {9, 9, 1};
    uint8_t r[81] = {0}, p[81] = {0};
    cli_mask_metrics m;
    for (int j = 2; j <= 6; j++)
        memset(r + 9 * j + 2, 1, 5); /* 5 x 5, outline 16 points */
    p[9 * 4 + 4] = 1;                /* its centre: 1 point, 2 mm inside the outline */
    assert_int_equal(cli_compare_masks(r, p, size, unit, 0, &m), 0);
    assert_near(m.hd_mm, sqrt(8), 1e-12); /* from the corners to the centre */
    const double outline = 4 * sqrt(8) + 4 * 2 + 8 * sqrt(5);
    assert_near(m.assd_mm, (outline + 2) / 17, 1e-12);
}

static void masks_touching_the_edge_have_a_surface_there(void **state)
{
    (void)state;
    uint8_t r[VOXELS], p[VOXELS] = {0};
    memset(r, 1, sizeof r);
    fill(p, 0, N - 1, 0, N - 1, 0, 0);
    const cli_mask_metrics m = compare(r, p, unit, 0);
    assert_near(m.hd_mm, N - 1, 1e-12); /* from the far face; the near one is common */
    assert_near(m.dice, 2.0 / (N + 1), 1e-12);
}

static void empty_masks_are_told_apart(void **state)
{
    (void)state;
    uint8_t r[VOXELS] = {0}, p[VOXELS] = {0};
    cli_mask_metrics m = compare(r, p, unit, 1);
    assert_true(isnan(m.dice) && isnan(m.iou) && isnan(m.hd_mm) && isnan(m.surface_dice));
    fill(p, 1, 2, 1, 2, 1, 2);
    m = compare(r, p, unit, 1);
    assert_true(m.dice == 0 && m.iou == 0 && m.surface_dice == 0);
    assert_true(isinf(m.hd_mm) && isinf(m.hd95_mm) && isinf(m.assd_mm));
}

/* ---------------------------------------------------------------- against an all-pairs search */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* A few random boxes: masks with corners, holes and several parts. */
static void random_mask(uint8_t *mask, uint32_t *seed)
{
    memset(mask, 0, VOXELS);
    for (int b = 0; b < 4; b++) {
        int e[6];
        for (int a = 0; a < 3; a++) {
            e[2 * a] = (int)(next_random(seed) % N);
            const int end = e[2 * a] + (int)(next_random(seed) % 5);
            e[2 * a + 1] = end < N ? end : N - 1;
        }
        fill(mask, e[0], e[1], e[2], e[3], e[4], e[5]);
    }
    mask[next_random(seed) % VOXELS] ^= 1;
}

static int inside(const uint8_t *m, int i, int j, int k)
{
    return i >= 0 && i < N && j >= 0 && j < N && k >= 0 && k < N && m[(k * N + j) * N + i];
}

static int on_surface(const uint8_t *m, int v)
{
    const int i = v % N, j = v / N % N, k = v / N / N;
    if (!m[v]) return 0;
    return !(inside(m, i - 1, j, k) && inside(m, i + 1, j, k) && inside(m, i, j - 1, k) &&
             inside(m, i, j + 1, k) && inside(m, i, j, k - 1) && inside(m, i, j, k + 1));
}

static double apart(const double a[3][3], int v, int w)
{
    const int d[3] = {v % N - w % N, v / N % N - w / N % N, v / N / N - w / N / N};
    double sum = 0;
    for (int r = 0; r < 3; r++) {
        const double x = a[r][0] * d[0] + a[r][1] * d[1] + a[r][2] * d[2];
        sum += x * x;
    }
    return sqrt(sum);
}

/* Largest and total distance from one surface to the other. */
static int directed(const uint8_t *from, const uint8_t *to, const double axes[3][3],
                    double *largest, double *total)
{
    int points = 0;
    for (int v = 0; v < VOXELS; v++) {
        if (!on_surface(from, v)) continue;
        double nearest = INFINITY;
        for (int w = 0; w < VOXELS; w++)
            if (on_surface(to, w)) nearest = fmin(nearest, apart(axes, v, w));
        *largest = fmax(*largest, nearest);
        *total += nearest;
        points++;
    }
    return points;
}

static void check_against_all_pairs(const double axes[3][3], uint32_t seed)
{
    uint8_t r[VOXELS], p[VOXELS];
    random_mask(r, &seed);
    random_mask(p, &seed);
    double largest = 0, total = 0;
    int points = directed(r, p, axes, &largest, &total);
    points += directed(p, r, axes, &largest, &total);
    const cli_mask_metrics m = compare(r, p, axes, 1);
    assert_near(m.hd_mm, largest, 1e-9);
    assert_near(m.assd_mm, total / points, 1e-9);
}

static void every_grid_is_measured_exactly(void **state)
{
    (void)state;
    static const double grids[][3][3] = {
        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
        {{0.7, 0, 0}, {0, 0.7, 0}, {0, 0, 5}},
        {{-0.9, 0, 0}, {0, -0.9, 0}, {0, 0, 3}},                 /* flipped */
        {{0, 0, 2.5}, {0.8, 0, 0}, {0, -0.8, 0}},                /* permuted, left-handed */
        {{0.64, 0.48, 0}, {-0.48, 0.64, 0}, {0, 0, 2}},          /* oblique */
        {{0.5, 0, 0}, {0, 0.5, 1.1}, {0, 0, 2}},                 /* gantry tilt */
        {{0.6, 0.2, -0.3}, {-0.1, 0.9, 0.4}, {0.2, -0.3, 1.5}}}; /* all of it */
    for (uint32_t g = 0; g < sizeof grids / sizeof grids[0]; g++)
        for (uint32_t seed = 1; seed <= 3; seed++)
            check_against_all_pairs(grids[g], 17 * g + seed);
}

/* Points on few planes, many of them equal: what a voxel grid gives the tree. */
static void nearest_points_are_the_nearest(void **state)
{
    (void)state;
    enum { POINTS = 700, QUERIES = 300 };
    static cli_point3 points[POINTS];
    uint32_t seed = 5;
    size_t hint = 12345; /* out of range: ignored */
    for (int i = 0; i < POINTS; i++)
        for (int a = 0; a < 3; a++)
            points[i].x[a] = (double)(next_random(&seed) % (a == 2 ? 2 : 9));
    cli_nearest_build(points, POINTS);
    for (int q = 0; q < QUERIES; q++) {
        double query[3], wanted = INFINITY;
        for (int a = 0; a < 3; a++)
            query[a] = (double)(next_random(&seed) % 1000) / 50 - 5;
        for (int i = 0; i < POINTS; i++) {
            const double *x = points[i].x;
            wanted = fmin(wanted, sqrt((query[0] - x[0]) * (query[0] - x[0]) +
                                       (query[1] - x[1]) * (query[1] - x[1]) +
                                       (query[2] - x[2]) * (query[2] - x[2])));
        }
        assert_near(cli_nearest_distance(points, POINTS, query, q % 2 ? &hint : NULL), wanted,
                    1e-12);
    }
    for (size_t count = 1; count <= 9; count++) {
        static const double origin[3] = {0, 0, 0};
        for (size_t i = 0; i < count; i++)
            points[i] = (cli_point3){{(double)(count - i), 3, 4}};
        cli_nearest_build(points, count);
        assert_near(cli_nearest_distance(points, count, origin, NULL), sqrt(26), 1e-12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mask_equals_itself),
        cmocka_unit_test(distances_are_millimetres),
        cmocka_unit_test(a_moved_cube),
        cmocka_unit_test(percentile_forgives_the_outlier),
        cmocka_unit_test(slices_are_plane_figures),
        cmocka_unit_test(masks_touching_the_edge_have_a_surface_there),
        cmocka_unit_test(empty_masks_are_told_apart),
        cmocka_unit_test(every_grid_is_measured_exactly),
        cmocka_unit_test(nearest_points_are_the_nearest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
