/* Sorting slices into volumes, on headers made up here. */
#include "dicom_sort.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 64 };

static sgio_dicom_slice items[MOST];
static char paths[MOST][16];
static sgio_dicom_slices slices;
static sgio_dicom_volumes volumes;

/* An axial slice at height z; the instance number is the order of adding. */
static sgio_dicom_slice *add(double z)
{
    sgio_dicom_slice *slice = &items[slices.count];
    memset(slice, 0, sizeof *slice);
    snprintf(paths[slices.count], sizeof paths[0], "%02zu.dcm", slices.count);
    slice->path = paths[slices.count];
    slice->instance_number = (int)++slices.count;
    slices.items = items;
    snprintf(slice->series_uid, sizeof slice->series_uid, "1.2.3");
    snprintf(slice->instance_uid, sizeof slice->instance_uid, "1.2.3.%zu", slices.count);
    slice->rows = slice->columns = 16;
    slice->samples = 1;
    slice->bits_allocated = 16;
    slice->has_plane = slice->has_spacing = 1;
    slice->row_spacing = slice->column_spacing = 1;
    slice->row[0] = slice->column[1] = 1;
    slice->position[2] = z;
    for (int i = 0; i < SGIO_DICOM_ATTRIBUTES; i++)
        slice->attributes[i] = NAN;
    return slice;
}

static void sort(int join)
{
    sgio_dicom_volumes_clear(&volumes);
    assert_int_equal(sgio_dicom_sort(&slices, join, &volumes), SGIO_OK);
}

static double z_of(size_t volume, size_t k)
{
    return items[volumes.items[volume].slices[k]].position[2];
}

static void expect_counts(size_t count, size_t first, size_t second)
{
    assert_int_equal(volumes.count, count);
    assert_int_equal(volumes.items[0].count, first);
    if (count > 1) assert_int_equal(volumes.items[1].count, second);
}

static int start(void **state)
{
    (void)state;
    slices.count = 0;
    return 0;
}

static void test_order_is_by_position(void **state)
{
    static const double z[] = {4, -2, 0, 2, 6};
    (void)state;
    for (int i = 0; i < 5; i++)
        add(z[i]);
    sort(0);
    expect_counts(1, 5, 0);
    for (size_t k = 0; k < 5; k++)
        assert_true(z_of(0, k) == -2 + 2.0 * (double)k);
}

/* GE numbers acquisitions per slice: still one volume. */
static void test_acquisition_per_slice_stays_together(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++)
        add(i * 3)->attributes[SGIO_DICOM_ACQUISITION_NUMBER] = i;
    sort(0);
    expect_counts(1, 6, 0);
}

/* The same with a missing slice: no split into single slices. */
static void test_gap_with_acquisition_per_slice(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++)
        if (i != 3) add(i * 3)->attributes[SGIO_DICOM_ACQUISITION_NUMBER] = i;
    sort(0);
    expect_counts(1, 6, 0);
}

static void test_two_echoes(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++)
        add(i / 2)->attributes[SGIO_DICOM_ECHO_TIME] = i % 2 ? 80 : 20;
    sort(0);
    expect_counts(2, 4, 4);
    for (size_t k = 0; k < 4; k++)
        assert_true(items[volumes.items[0].slices[k]].attributes[SGIO_DICOM_ECHO_TIME] == 20);
}

/* Time points that nothing names: dealt out by instance number. */
static void test_repeats_without_attribute(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++)
        add(i % 3);
    sort(0);
    expect_counts(3, 3, 3);
    for (size_t v = 0; v < 3; v++)
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(items[volumes.items[v].slices[k]].instance_number, 3 * v + k + 1);
}

/* Of four times the slice at one place is missing: how slices are numbered tells which time it is.
 */
enum numbering { TIME_BY_TIME, INTERLEAVED, PLACE_BY_PLACE, FROM_1000, DOWNWARDS };

static int number_of(enum numbering how, int time, int place)
{
    static const int interleaved[] = {0, 3, 1, 4, 2, 5};
    switch (how) {
    case INTERLEAVED:
        return 6 * time + interleaved[place] + 1;
    case PLACE_BY_PLACE:
        return 4 * place + time + 1;
    case FROM_1000:
        return 1000 + 6 * time + place;
    case DOWNWARDS:
        return 6 * time + 6 - place;
    default:
        return 6 * time + place + 1;
    }
}

/* Two slices at each of four places, numbered as listed: the order says something where the volumes
 * come one after another, however slices are ordered within. Where the places do, the second at one
 * may be the first at another. */
static void test_an_order_that_says_nothing_is_noted(void **state)
{
    static const struct {
        int numbers[8]; /* of both slices at a place, place by place */
        int is_irregular;
    } cases[] = {
        {{1, 5, 2, 6, 3, 7, 4, 8}, 0}, {{1, 2, 3, 4, 5, 6, 7, 8}, 1}, {{1, 5, 3, 7, 2, 6, 4, 8}, 0},
        {{7, 8, 5, 6, 3, 4, 1, 2}, 1}, {{1, 4, 2, 6, 3, 7, 5, 8}, 1}, {{3, 8, 1, 4, 2, 7, 5, 6}, 1},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        slices.count = 0;
        for (int i = 0; i < 8; i++)
            add(0);
        for (int i = 0; i < 8; i++) { /* read in an order of its own */
            sgio_dicom_slice *slice = &items[i * 3 % 8];
            slice->position[2] = i / 2;
            slice->instance_number = cases[c].numbers[i];
        }
        sort(0);
        expect_counts(2, 4, 4);
        for (size_t v = 0; v < 2; v++)
            assert_int_equal(volumes.items[v].is_irregular, cases[c].is_irregular);
    }
}

static void expect_time(const sgio_dicom_volume *volume, int missing_time)
{
    const double time = items[volume->slices[0]].thickness;
    assert_int_equal(volume->count, time == missing_time ? 5 : 6);
    assert_true(volume->is_dealt);
    for (size_t k = 0; k < volume->count; k++)
        assert_true(items[volume->slices[k]].thickness == time);
}

static void test_times_are_told_by_numbers_where_a_slice_is_missing(void **state)
{
    (void)state;
    for (enum numbering how = TIME_BY_TIME; how <= DOWNWARDS; how++)
        for (int missing = 0; missing < 24; missing++) {
            slices.count = 0;
            for (int n = 0; n < 24; n++) {
                if (n == missing) continue;
                sgio_dicom_slice *slice = add(2 * (n % 6));
                slice->instance_number = number_of(how, n / 6, n % 6);
                slice->thickness = n / 6;
            }
            sort(0);
            assert_int_equal(volumes.count, 4);
            for (size_t v = 0; v < 4; v++)
                expect_time(&volumes.items[v], missing / 6);
        }
}

/* One slice was taken twice, in the middle: the volume stays whole. */
static void test_a_repeated_slice_does_not_part_a_volume(void **state)
{
    static const int z[] = {0, 2, 4, 4, 6, 8};
    (void)state;
    for (int i = 0; i < 6; i++)
        add(z[i]);
    sort(0);
    expect_counts(2, 5, 1);
    assert_int_equal(items[volumes.items[0].slices[2]].instance_number, 3);
    assert_true(volumes.items[0].is_dealt);
}

/* Head CT: 4 mm below, 7 mm above; apart in the listing, together for a caller who fills gaps. */
static void test_two_spacings(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        add(i * 4)->attributes[SGIO_DICOM_IMAGE_TYPE] = 1;
    for (int i = 0; i < 4; i++)
        add(13 + i * 7)->attributes[SGIO_DICOM_IMAGE_TYPE] = 2;
    sort(0);
    expect_counts(2, 4, 4);
    sort(1);
    expect_counts(1, 8, 0);
}

static void test_localiser_and_other_sizes_are_apart(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        add(i);
    sgio_dicom_slice *localiser = add(0);
    localiser->column[1] = 0;
    localiser->column[2] = -1;
    add(4)->rows = 32;
    snprintf(add(5)->series_uid, 65, "9.9");
    sort(0);
    expect_counts(4, 4, 1);
}

static void copy_instance(sgio_dicom_slice *to, const sgio_dicom_slice *from)
{
    memcpy(to->instance_uid, from->instance_uid, sizeof to->instance_uid);
    to->instance_number = from->instance_number;
}

static void test_copies_of_one_instance(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        add(i);
    copy_instance(add(1), &items[1]);
    sort(0);
    expect_counts(1, 3, 0);
    assert_int_equal(volumes.alike.copies, 1);
    assert_int_equal(volumes.alike.repeats, 0);
}

/* An anonymiser gave all slices one UID; only one of them is there twice. */
static void test_slices_that_repeat_a_uid_are_kept(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        snprintf(add(i)->instance_uid, sizeof items[0].instance_uid, "1.2");
    copy_instance(add(2), &items[2]);
    items[4].instance_number = 4; /* numbers repeat too: places tell them apart */
    sort(0);
    expect_counts(1, 5, 0);
    assert_int_equal(volumes.alike.copies, 1);
    assert_int_equal(volumes.alike.repeats, 4);
}

/* A workstation kept the UIDs of the slices it filtered. */
static void test_a_series_that_repeats_the_uids_of_another_is_kept(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        add(i);
    for (int i = 0; i < 3; i++) {
        sgio_dicom_slice *filtered = add(i);
        copy_instance(filtered, &items[i]);
        snprintf(filtered->series_uid, sizeof filtered->series_uid, "1.2.3.77");
    }
    sort(0);
    expect_counts(2, 3, 3);
    assert_int_equal(volumes.alike.repeats, 3);
}

static void test_without_position(void **state)
{
    (void)state;
    add(0)->has_plane = 0;
    add(0)->has_plane = 0;
    sort(0);
    expect_counts(2, 1, 1);
}

/* Positions rounded to a tenth of a millimetre at 0.625 mm spacing are even; a missing slice is
 * not. */
static void test_evenness(void **state)
{
    double spacing;
    size_t order[40];
    (void)state;
    for (size_t i = 0; i < 40; i++) {
        add(rint((double)i * 6.25) / 10);
        order[i] = i;
    }
    double deviation = sgio_dicom_unevenness(&slices, order, 40, &spacing);
    assert_true(sgio_dicom_is_even(deviation, spacing));
    items[39].position[2] += 0.625;
    deviation = sgio_dicom_unevenness(&slices, order, 40, &spacing);
    assert_false(sgio_dicom_is_even(deviation, spacing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order_is_by_position, start),
        cmocka_unit_test_setup(test_acquisition_per_slice_stays_together, start),
        cmocka_unit_test_setup(test_gap_with_acquisition_per_slice, start),
        cmocka_unit_test_setup(test_two_echoes, start),
        cmocka_unit_test_setup(test_repeats_without_attribute, start),
        cmocka_unit_test_setup(test_an_order_that_says_nothing_is_noted, start),
        cmocka_unit_test_setup(test_times_are_told_by_numbers_where_a_slice_is_missing, start),
        cmocka_unit_test_setup(test_a_repeated_slice_does_not_part_a_volume, start),
        cmocka_unit_test_setup(test_two_spacings, start),
        cmocka_unit_test_setup(test_localiser_and_other_sizes_are_apart, start),
        cmocka_unit_test_setup(test_copies_of_one_instance, start),
        cmocka_unit_test_setup(test_slices_that_repeat_a_uid_are_kept, start),
        cmocka_unit_test_setup(test_a_series_that_repeats_the_uids_of_another_is_kept, start),
        cmocka_unit_test_setup(test_without_position, start),
        cmocka_unit_test_setup(test_evenness, start),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sgio_dicom_volumes_clear(&volumes);
    return failed;
}
