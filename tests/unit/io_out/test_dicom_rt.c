/* Contours of masks, and RT structure sets. */
#include "contours.h"
#include "io_test_dicom.h"
#include "io_test_files.h"
#include "sgio/labelmap.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 23, HEIGHT = 17, PIXELS = WIDTH * HEIGHT };

static sgio_contours contours;

/* How often a ray to the right of a point crosses a polygon (even-odd), and how often it winds. The
 * point lies a little beside the pixel's centre, where channels to holes run. */
static void cross(const sgio_contours *c, size_t polygon, double x, double y, int *odd, int *wound)
{
    size_t first = c->starts[polygon], end = c->starts[polygon + 1];
    *odd = *wound = 0;
    for (size_t i = first; i < end; i++) {
        const int32_t *a = c->points[i], *b = c->points[i + 1 < end ? i + 1 : first];
        const double px = x * SGIO_CONTOUR_UNITS, py = y * SGIO_CONTOUR_UNITS;
        if ((a[1] > py) == (b[1] > py)) continue;
        double at = a[0] + (py - a[1]) * (b[0] - a[0]) / (double)(b[1] - a[1]);
        if (at <= px) continue;
        *odd ^= 1;
        *wound += b[1] > a[1] ? 1 : -1;
    }
}

/* Whichever rule fills the polygons, they are the mask; no two of them overlap. */
static void expect_mask(const uint8_t *mask, int width, int height)
{
    assert_int_equal(sgio_trace_contours(mask, width, height, &contours), SGIO_OK);
    for (int n = 0; n < width * height; n++) {
        int by_odd = 0, by_winding = 0;
        for (size_t p = 0; p < contours.count; p++) {
            int odd, wound;
            cross(&contours, p, n % width + 0.013, n / width + 0.007, &odd, &wound);
            by_odd += odd;
            by_winding += wound != 0;
        }
        assert_int_equal(by_odd, mask[n] != 0);
        assert_int_equal(by_winding, mask[n] != 0);
    }
    for (size_t p = 0; p < contours.count; p++)
        assert_true(contours.starts[p + 1] - contours.starts[p] >= 3);
    sgio_contours_clear(&contours);
}

/* As rt-utils and others read: places are rounded to pixels, a polygon's border belongs to it. Only
 * pixels inside are met, all of them are, and steps go to neighbours along lines that these readers
 * paint exactly. */
static void expect_rounded(const uint8_t *mask, int width, int height)
{
    uint8_t met[PIXELS] = {0};
    assert_int_equal(sgio_trace_contours(mask, width, height, &contours), SGIO_OK);
    for (size_t p = 0; p < contours.count; p++)
        for (size_t i = contours.starts[p]; i < contours.starts[p + 1]; i++) {
            const size_t next = i + 1 < contours.starts[p + 1] ? i + 1 : contours.starts[p];
            long a[2], b[2];
            for (int axis = 0; axis < 2; axis++) {
                a[axis] = lround(contours.points[i][axis] / (double)SGIO_CONTOUR_UNITS);
                b[axis] = lround(contours.points[next][axis] / (double)SGIO_CONTOUR_UNITS);
            }
            const long dx = b[0] - a[0], dy = b[1] - a[1];
            const long steps = labs(dx) > labs(dy) ? labs(dx) : labs(dy);
            assert_true(dx == 0 || dy == 0 || labs(dx) == labs(dy));
            for (long n = 0; n <= steps; n++) {
                const long x = a[0] + (steps ? n * dx / steps : 0);
                const long y = a[1] + (steps ? n * dy / steps : 0);
                assert_true(x >= 0 && y >= 0 && x < width && y < height);
                assert_true(mask[y * width + x]);
                met[y * width + x] = 1;
            }
        }
    sgio_contours_clear(&contours);
    for (int n = 0; n < width * height; n++) {
        const int x = n % width, y = n / width;
        const int border =
            mask[n] && (x == 0 || y == 0 || x + 1 == width || y + 1 == height || !mask[n - 1] ||
                        !mask[n + 1] || !mask[n - width] || !mask[n + width]);
        if (border) assert_true(met[n]);
    }
}

static void test_random_masks_of_every_density(void **state)
{
    (void)state;
    uint8_t mask[PIXELS];
    uint32_t chance = 12345;
    for (int round = 0; round < 600; round++) {
        for (int n = 0; n < PIXELS; n++) {
            chance = chance * 1664525 + 1013904223;
            mask[n] = (chance >> 24) < (uint32_t)(round % 100) * 256 / 100 ? 255 : 0;
        }
        expect_mask(mask, WIDTH, HEIGHT);
        expect_rounded(mask, WIDTH, HEIGHT);
    }
}

static void test_a_ring_with_an_island_is_two_polygons(void **state)
{
    (void)state;
    uint8_t mask[81] = {0};
    for (int n = 0; n < 81; n++) {
        int x = abs(n % 9 - 4), y = abs(n / 9 - 4), far = x > y ? x : y;
        mask[n] = far == 4 || far == 3 || far == 0;
    }
    assert_int_equal(sgio_trace_contours(mask, 9, 9, &contours), SGIO_OK);
    assert_int_equal(contours.count, 2);
    sgio_contours_clear(&contours);
    expect_mask(mask, 9, 9);
}

static void test_pixels_at_a_corner_are_apart(void **state)
{
    (void)state;
    const uint8_t mask[4] = {1, 0, 0, 1};
    assert_int_equal(sgio_trace_contours(mask, 2, 2, &contours), SGIO_OK);
    assert_int_equal(contours.count, 2);
    assert_int_equal(contours.point_count, 8);
    sgio_contours_clear(&contours);
}

static void test_nothing_has_no_contour(void **state)
{
    (void)state;
    const uint8_t mask[6] = {0};
    assert_int_equal(sgio_trace_contours(mask, 3, 2, &contours), SGIO_OK);
    assert_int_equal(contours.count, 0);
    sgio_contours_clear(&contours);
}

static size_t count_of(const char *bytes, size_t size, const char *part)
{
    size_t found = 0, length = strlen(part);
    for (size_t i = 0; i + length <= size; i++)
        found += memcmp(bytes + i, part, length) == 0;
    return found;
}

/* One pixel in one slice: its place in the file, in millimetres. */
static void expect_diamond(void)
{
    static char bytes[1 << 16];
    sgio_volume volume;
    sgio_segmentation segmentation, again;
    uint8_t mask[3 * 20] = {0};
    size_t index;
    make_folder("s");
    for (int k = 0; k < 3; k++) {
        char name[16];
        dicom_slice slice = dicom_slice_at(4 * k);
        snprintf(name, sizeof name, "s/%d.dcm", k);
        dicom_save_slice(name, &slice);
    }
    assert_int_equal(sgio_volume_read(scratch_path("s"), NULL, &volume), SGIO_OK);
    assert_int_equal(sgio_segmentation_init(&segmentation, &volume.geometry), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&segmentation, "dot", NULL, &index), SGIO_OK);
    mask[20 + 5 + 2] = 1; /* i 2, j 1, k 1: -10 + 2 * 0.5, 20 + 0.75, 4 */
    assert_int_equal(sgio_segmentation_set_mask(&segmentation, index, mask), SGIO_OK);
    const sgio_segmentation_write_options how = {.source = &volume};
    if (sgio_segmentation_write(&segmentation, scratch_path("o.rtstruct.dcm"), &how, NULL))
        fail_msg("%s", sgio_last_message());
    FILE *file = fopen(scratch_path("o.rtstruct.dcm"), "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_int_equal(count_of(bytes, size, "CLOSED_PLANAR"), 1);
    assert_int_equal(count_of(bytes, size, "-9.2450\\20.7500\\4.0000"), 1);
    assert_int_equal(count_of(bytes, size, "-8.7550\\20.7500\\4.0000"), 1);
    assert_int_equal(count_of(bytes, size, "-9.0000\\20.3825\\4.0000"), 1);
    assert_int_equal(count_of(bytes, size, "-9.0000\\21.1175\\4.0000"), 1);
    assert_int_equal(count_of(bytes, size, "1.2.840.10008.1.2.1"), 0); /* implicit VR */
    assert_int_equal(sgio_segmentation_read(scratch_path("o.rtstruct.dcm"), NULL, &again),
                     SGIO_UNREADABLE);
    sgio_segmentation_clear(&segmentation);
    sgio_volume_clear(&volume);
}

static void test_a_pixel_is_a_diamond_around_its_place(void **state)
{
    (void)state;
    scratch_open();
    expect_diamond();
    scratch_close();
}

/* A host that writes 0,5 gets no such numbers into its DICOM files, and reads those of others. */
static void test_a_decimal_comma_of_the_host_changes_nothing(void **state)
{
    (void)state;
    scratch_open();
    if (!use_comma_locale()) {
        print_message("skipped: this C library takes no locale of a test\n");
        skip();
    }
    expect_diamond();
    setlocale(LC_NUMERIC, "C");
    scratch_close();
}

/* ------------------------------------------------------------------------------------- reading */

static sgio_volume series;
static sgio_segmentation drawn, found;
static char warned[1024];

static void keep(void *user, const char *sentence)
{
    (void)user;
    snprintf(warned, sizeof warned, "%s", sentence);
}

/* Two segments by chance on three slices of 5 x 4 pixels, written; the second one is empty. */
static void write_chance(uint32_t chance, int density)
{
    uint8_t mask[60];
    const double colour[3] = {0.2, 0.4, 0.6};
    size_t index;
    for (int n = 0; n < 60; n++) {
        chance = chance * 1664525 + 1013904223;
        mask[n] = (int)(chance >> 24) < density;
    }
    assert_int_equal(sgio_segmentation_init(&drawn, &series.geometry), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&drawn, "Leber \xc3\xbc", colour, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&drawn, index, mask), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&drawn, "nothing", NULL, &index), SGIO_OK);
    const sgio_segmentation_write_options how = {.source = &series};
    if (sgio_segmentation_write(&drawn, scratch_path("o.rtstruct.dcm"), &how, NULL))
        fail_msg("%s", sgio_last_message());
}

static sgio_status read_onto(const sgio_geometry *grid)
{
    const sgio_segmentation_read_options how = {.grid = grid, .warn = keep};
    warned[0] = 0;
    return sgio_segmentation_read(scratch_path("o.rtstruct.dcm"), &how, &found);
}

static void open_series(void)
{
    scratch_open();
    make_folder("s");
    for (int k = 0; k < 3; k++) {
        char name[16];
        dicom_slice slice = dicom_slice_at(4 * k);
        snprintf(name, sizeof name, "s/%d.dcm", k);
        dicom_save_slice(name, &slice);
    }
    assert_int_equal(sgio_volume_read(scratch_path("s"), NULL, &series), SGIO_OK);
}

static void close_series(void)
{
    sgio_volume_clear(&series);
    scratch_close();
}

static void expect_same(void)
{
    uint8_t wanted[60], got[60];
    assert_int_equal(found.segment_count, 2);
    assert_string_equal(found.segments[0].name, "Leber \xc3\xbc");
    assert_int_equal((int)(found.segments[0].colour[1] * 255 + 0.5), 102);
    assert_int_equal(found.segments[1].voxels, 0);
    sgio_segmentation_get_mask(&drawn, 0, wanted);
    sgio_segmentation_get_mask(&found, 0, got);
    assert_memory_equal(wanted, got, sizeof wanted);
}

static void test_masks_come_back_from_their_contours(void **state)
{
    (void)state;
    open_series();
    for (int round = 0; round < 60; round++) {
        write_chance((uint32_t)round, 4 * round);
        if (read_onto(&series.geometry) != SGIO_OK) fail_msg("%s", sgio_last_message());
        expect_same();
        assert_string_equal(warned, "");
        sgio_segmentation_clear(&drawn);
        sgio_segmentation_clear(&found);
    }
    close_series();
}

static void test_contours_beside_the_slices_are_told_or_refused(void **state)
{
    (void)state;
    open_series();
    write_chance(7, 128);
    sgio_geometry other = series.geometry;
    other.matrix[2][3] += 0.8; /* a fifth of a slice */
    assert_int_equal(read_onto(&other), SGIO_OK);
    expect_same();
    assert_true(strstr(warned, "0.20 of a slice") != NULL);
    sgio_segmentation_clear(&found);
    other.matrix[2][3] += 100;
    assert_int_equal(read_onto(&other), SGIO_OK);
    assert_int_equal(found.segments[0].voxels, 0);
    assert_true(strstr(warned, "beside the volume") != NULL);
    sgio_segmentation_clear(&found);
    other = series.geometry;
    for (int r = 0; r < 3; r++) { /* slices along i */
        other.matrix[r][2] = series.geometry.matrix[r][0];
        other.matrix[r][0] = series.geometry.matrix[r][2];
    }
    assert_int_equal(read_onto(&other), SGIO_UNREADABLE);
    assert_true(strstr(sgio_last_message(), "do not lie in the slices") != NULL);
    assert_int_equal(read_onto(NULL), SGIO_UNREADABLE);
    assert_true(strstr(sgio_last_message(), "no grid of its own") != NULL);
    sgio_segmentation_clear(&drawn);
    close_series();
}

/* Every byte turned, every length: read or refused, and never more than is there. */
static void test_hostile_structure_sets(void **state)
{
    (void)state;
    static char bytes[1 << 16];
    size_t refused = 0;
    open_series();
    write_chance(7, 128);
    FILE *file = fopen(scratch_path("o.rtstruct.dcm"), "rb");
    assert_non_null(file);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t at = 132; at < size; at += 3) {
        const char kept = bytes[at];
        bytes[at] = (char)(kept ^ (1 << at % 8));
        write_file("o.rtstruct.dcm", bytes, size);
        bytes[at] = kept;
        if (read_onto(&series.geometry) == SGIO_OK) sgio_segmentation_clear(&found);
        write_file("o.rtstruct.dcm", bytes, at);
        if (read_onto(&series.geometry) == SGIO_OK) { /* cut behind the contours */
            expect_same();
            sgio_segmentation_clear(&found);
        } else {
            refused++;
        }
    }
    assert_true(refused > size / 4);
    sgio_segmentation_clear(&drawn);
    close_series();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_masks_of_every_density),
        cmocka_unit_test(test_a_ring_with_an_island_is_two_polygons),
        cmocka_unit_test(test_pixels_at_a_corner_are_apart),
        cmocka_unit_test(test_nothing_has_no_contour),
        cmocka_unit_test(test_a_pixel_is_a_diamond_around_its_place),
        cmocka_unit_test(test_a_decimal_comma_of_the_host_changes_nothing),
        cmocka_unit_test(test_masks_come_back_from_their_contours),
        cmocka_unit_test(test_contours_beside_the_slices_are_told_or_refused),
        cmocka_unit_test(test_hostile_structure_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
