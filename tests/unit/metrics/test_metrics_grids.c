/* Distances and surfaces on any grid, against cases computed by hand and an all-pairs search. */
#include "metrics_golden.h"

#include "metrics/nearest.h"

#define assert_near(value, wanted, tolerance)                                                      \
    check_near(__func__, #value, (value), (wanted), (tolerance))

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

static sgm_surface_metrics compare_in(const uint8_t *r, const uint8_t *p, const int64_t size[3],
                                      const double axes[3][3], double tolerance)
{
    sgm_surface_metrics m;
    assert_int_equal(sgm_surface_compare(r, p, size, axes, &tolerance, 1, &m), SGM_OK);
    return m;
}

static sgm_surface_metrics compare(const uint8_t *r, const uint8_t *p, const double axes[3][3],
                                   double tolerance)
{
    return compare_in(r, p, cube, axes, tolerance);
}

static void a_mask_equals_itself(void **state)
{
    (void)state;
    uint8_t r[VOXELS] = {0};
    fill(r, 2, 5, 3, 7, 4, 9);
    const sgm_surface_metrics m = compare(r, r, unit, 0);
    assert_true(m.surface_dice[0] == 1);
    assert_true(m.hd == 0 && m.hd95 == 0 && m.assd == 0 && m.element_hd95 == 0);
}

/* Two single voxels, 3 steps of 0.5 mm along i and 2 of 5 mm along k apart. */
static void distances_are_millimetres(void **state)
{
    (void)state;
    static const double axes[3][3] = {{0.5, 0, 0}, {0, 0.5, 0}, {0, 0, 5}};
    uint8_t r[VOXELS] = {0}, p[VOXELS] = {0};
    fill(r, 2, 2, 4, 4, 3, 3);
    fill(p, 5, 5, 4, 4, 5, 5);
    const sgm_surface_metrics m = compare(r, p, axes, 11);
    const double d = sqrt(1.5 * 1.5 + 10 * 10);
    assert_near(m.hd, d, 1e-12);
    assert_near(m.hd95, d, 1e-12);
    assert_near(m.assd, d, 1e-12);
    assert_true(m.surface_dice[0] == 1);
    /* The elements at the voxels' facing corners are 2 steps along i and 1 along k apart. */
    assert_true(compare(r, p, axes, sqrt(1 * 1 + 5 * 5) - 0.01).surface_dice[0] == 0);
}

/* Surface elements of a 4x4x4 cube: between its voxels and the outside lie 6 * 9 faces of area
 * b c, 12 * 3 edges and 8 corners, for voxels of a x b x c. */
static double face(double b, double c)
{
    return b * c;
}

static double edge(double along, double b, double c)
{
    return along * sqrt(b * b + c * c) / 2;
}

static double corner(double a, double b, double c)
{
    return sqrt(a * a * b * b + b * b * c * c + c * c * a * a) / 8;
}

static double area_of_cube(double a, double b, double c)
{
    return 18 * (face(a, b) + face(b, c) + face(c, a)) +
           12 * (edge(a, b, c) + edge(b, c, a) + edge(c, a, b)) + 8 * corner(a, b, c);
}

/* Moved by one voxel along i: of the trailing end the rim still lies on the other cube, of the
 * leading end nothing does, between them all of the three rings of sides. */
static double area_kept(double a, double b, double c)
{
    const double rim = 4 * corner(a, b, c) + 6 * edge(b, c, a) + 6 * edge(c, a, b);
    const double ring = 4 * edge(a, b, c) + 6 * face(a, b) + 6 * face(a, c);
    return rim + 3 * ring;
}

/* Voxel surfaces: 64 - 8 = 56 points each. The moved cube's end face (16 points) is 1 mm away. Of
 * its other faces' points, those at the i where the reference is hollow within lie on the
 * reference's surface, except the 4 inner points of the face at i = 3, which lie inside the
 * reference, 1 mm below its surface (the reference's hollow is i = 3, 4). */
static void a_moved_cube(void **state)
{
    (void)state;
    static const double flat[3][3] = {{0.5, 0, 0}, {0, 0.5, 0}, {0, 0, 2}};
    uint8_t r[VOXELS] = {0}, p[VOXELS] = {0};
    fill(r, 2, 5, 4, 7, 4, 7);
    fill(p, 3, 6, 4, 7, 4, 7);
    const sgm_surface_metrics m = compare(r, p, unit, 0.5);
    assert_near(m.hd, 1, 1e-12);
    assert_near(m.hd95, 1, 1e-12);
    assert_near(m.assd, 20.0 / 56, 1e-12);
    assert_near(m.area[0], area_of_cube(1, 1, 1), 1e-12);
    assert_near(m.surface_dice[0], area_kept(1, 1, 1) / area_of_cube(1, 1, 1), 1e-12);
    assert_near(compare(r, p, flat, 0.4).surface_dice[0],
                area_kept(0.5, 0.5, 2) / area_of_cube(0.5, 0.5, 2), 1e-12);
    assert_near(compare(r, p, unit, 1).surface_dice[0], 1, 1e-12);
}

/* HD95 forgives a few points that are far off. A row of every second voxel (each alone is surface
 * and figure at once) against the same row with one more voxel 10 away: both directions' 41
 * distances together are 40 zeros and a 10, the 95th percentile is rank 0.95 * 40 = 38. By area and
 * per direction it is one of 21 voxels: less than 5 % of the area, too. */
static void percentile_forgives_the_outlier(void **state)
{
    (void)state;
    static const int64_t size[3] = {60, 1, 1};
    uint8_t r[60] = {0}, p[60] = {0};
    for (int i = 0; i < 20; i++)
        r[2 * i] = p[2 * i] = 1;
    p[48] = 1;
    sgm_surface_metrics m = compare_in(r, p, size, unit, 0);
    assert_true(m.hd == 10);
    assert_near(m.hd95, 0, 1e-9);
    assert_near(m.assd, 10.0 / 41, 1e-12);
    assert_near(m.surface_dice[0], 40.0 / 41, 1e-12);
    assert_near(m.element_hd95, 0, 1e-9);
    /* 43 distances: 40 zeros, 10, 12, 14; rank 39.9 -> 0.9 of the way from 0 to 10. Of the 23
     * voxels the last but one holds the 95th percentile by area. */
    p[50] = p[52] = 1;
    m = compare_in(r, p, size, unit, 0);
    assert_near(m.hd95, 9, 1e-9);
    assert_near(m.element_hd95, 12, 1e-9);
}

/* A slice is a plane figure: the inside of a filled square is not surface. */
static void slices_are_plane_figures(void **state)
{
    (void)state;
    static const int64_t size[3] = {9, 9, 1};
    uint8_t r[81] = {0}, p[81] = {0};
    for (int j = 2; j <= 6; j++)
        memset(r + 9 * j + 2, 1, 5); /* 5 x 5, outline 16 points */
    p[9 * 4 + 4] = 1;                /* its centre: 1 point, 2 mm inside the outline */
    const sgm_surface_metrics m = compare_in(r, p, size, unit, 0);
    assert_near(m.hd, sqrt(8), 1e-12); /* from the corners to the centre */
    const double outline = 4 * sqrt(8) + 4 * 2 + 8 * sqrt(5);
    assert_near(m.assd, (outline + 2) / 17, 1e-12);
}

static void masks_touching_the_edge_have_a_surface_there(void **state)
{
    (void)state;
    uint8_t r[VOXELS], p[VOXELS] = {0};
    memset(r, 1, sizeof r);
    fill(p, 0, N - 1, 0, N - 1, 0, 0);
    const sgm_surface_metrics m = compare(r, p, unit, 0);
    assert_near(m.hd, N - 1, 1e-12); /* from the far face; the near one is common */
}

static void empty_masks_are_told_apart(void **state)
{
    (void)state;
    uint8_t r[VOXELS] = {0}, p[VOXELS] = {0};
    sgm_surface_metrics m = compare(r, p, unit, 1);
    assert_true(isnan(m.hd) && isnan(m.hd95) && isnan(m.assd) && isnan(m.surface_dice[0]));
    fill(p, 1, 2, 1, 2, 1, 2);
    m = compare(r, p, unit, 1);
    assert_true(m.surface_dice[0] == 0);
    assert_true(isinf(m.hd) && isinf(m.hd95) && isinf(m.assd) && isinf(m.element_hd95));
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
    const sgm_surface_metrics m = compare(r, p, axes, 1);
    assert_near(m.hd, largest, 1e-9);
    assert_near(m.assd, total / points, 1e-9);
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
    static sgm_point3 points[POINTS];
    uint32_t seed = 5;
    size_t hint = 12345; /* out of range: ignored */
    for (int i = 0; i < POINTS; i++)
        for (int a = 0; a < 3; a++)
            points[i].x[a] = (double)(next_random(&seed) % (a == 2 ? 2 : 9));
    sgm_nearest_build(points, POINTS);
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
        assert_near(sgm_nearest_distance(points, POINTS, query, q % 2 ? &hint : NULL), wanted,
                    1e-12);
    }
    for (size_t count = 1; count <= 9; count++) {
        static const double origin[3] = {0, 0, 0};
        for (size_t i = 0; i < count; i++)
            points[i] = (sgm_point3){{(double)(count - i), 3, 4}};
        sgm_nearest_build(points, count);
        assert_near(sgm_nearest_distance(points, count, origin, NULL), sqrt(26), 1e-12);
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
