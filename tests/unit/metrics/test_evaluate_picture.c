/* PromptSegEvaluate --picture: which slices it shows, and whose outlines are whose. */
#include "evaluate_picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

enum { SIDE = 16, SLICES = 9, VOXELS = SIDE * SIDE * SLICES, TILE = 320, GAP = 6 };

static const char *folder;
static char path[1024];

static const sgio_geometry VOLUME = {.size = {SIDE, SIDE, SLICES},
                                     .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 3, 0}}};
static sgio_geometry grid;

/* One segment: in every slice a square of 6 x 6 from (4, 4), shifted along i by shift[k]. */
static void make(sgio_segmentation *s, const int shift[SLICES])
{
    static uint8_t mask[VOXELS];
    size_t index;
    memset(mask, 0, sizeof mask);
    for (int k = 0; k < grid.size[2]; k++)
        for (int j = 4; j < 10; j++)
            for (int i = 4; i < 10; i++)
                mask[(k * SIDE + j) * SIDE + i + shift[k]] = 1;
    assert_int_equal(sgio_segmentation_init(s, &grid), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(s, "liver", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(s, index, mask), SGIO_OK);
}

/* The picture of two segmentations, read back. */
static void draw(const int shift[SLICES], const char *image, sgio_volume *picture)
{
    static const int none[SLICES] = {0};
    const evaluate_how how = {0};
    sgio_segmentation reference, prediction;
    sgio_outputs *outputs;
    evaluate_pairs pairs;
    make(&reference, none);
    make(&prediction, shift);
    assert_int_equal(evaluate_match(&reference, &prediction, 0, &pairs), 0);
    assert_int_equal(pairs.count, 1);
    assert_int_equal(evaluate_compare(&reference, &prediction, &how, &pairs.items[0]), 0);
    assert_int_equal(sgio_outputs_create(&outputs), SGIO_OK);
    assert_int_equal(evaluate_write_picture(&reference, &prediction, &pairs, image, path, outputs),
                     0);
    assert_int_equal(sgio_outputs_commit(outputs), SGIO_OK);
    sgio_outputs_destroy(outputs);
    assert_int_equal(sgio_volume_read(path, NULL, picture), SGIO_OK);
    free(pairs.items);
    sgio_segmentation_clear(&reference);
    sgio_segmentation_clear(&prediction);
}

/* The pixel at the centre of voxel (i, j) of a tile. */
static const uint8_t *pixel(const sgio_volume *picture, int tile, int i, int j)
{
    const int side = TILE / SIDE, columns = (int)(picture->geometry.size[0] - GAP) / (TILE + GAP);
    const int64_t x = GAP + tile % columns * (TILE + GAP) + i * side + side / 2;
    const int64_t y = GAP + tile / columns * (TILE + GAP) + j * side + side / 2;
    return (const uint8_t *)picture->data + (y * picture->geometry.size[0] + x) * 3;
}

static void test_worst_slices_come_alone(void **state)
{
    static const int shift[SLICES] = {0, 0, 2, 0, 0, 0, 1, 0, 0};
    sgio_volume picture;
    (void)state;
    draw(shift, NULL, &picture);
    assert_int_equal(picture.geometry.size[0], GAP + 2 * (TILE + GAP)); /* slices 2 and 6 */
    const uint8_t *reference = pixel(&picture, 0, 5, 6), *both = pixel(&picture, 0, 7, 6),
                  *prediction = pixel(&picture, 0, 11, 6), *neither = pixel(&picture, 0, 1, 6);
    assert_true(reference[1] > reference[0] && reference[1] > 20);    /* green */
    assert_true(prediction[0] > prediction[1] && prediction[0] > 20); /* red */
    assert_true(both[0] > 20 && both[1] > 20);
    assert_true(neither[0] == 0 && neither[1] == 0 && neither[2] == 0);
    assert_true(pixel(&picture, 1, 10, 6)[0] > 20 && pixel(&picture, 1, 11, 6)[0] == 0);
    sgio_volume_clear(&picture);
}

static void test_six_of_many_that_differ(void **state)
{
    static const int shift[SLICES] = {1, 2, 1, 2, 2, 2, 2, 2, 1};
    sgio_volume picture;
    (void)state;
    draw(shift, NULL, &picture);
    const int64_t columns = (picture.geometry.size[0] - GAP) / (TILE + GAP);
    const int64_t rows = (picture.geometry.size[1] - GAP) / (TILE + GAP);
    assert_int_equal(columns * rows, 6);
    for (int tile = 0; tile < 6; tile++) /* slices 1, 3, 4, 5, 6, 7 */
        assert_true(pixel(&picture, tile, 11, 6)[0] > 20);
    sgio_volume_clear(&picture);
}

static void test_the_middle_where_all_is_equal(void **state)
{
    static const int shift[SLICES] = {0};
    sgio_volume picture;
    (void)state;
    draw(shift, NULL, &picture);
    assert_int_equal(picture.geometry.size[0], GAP + TILE + GAP);
    sgio_volume_clear(&picture);
}

/* A slice is thinner than its pixels are wide, whichever axis lies across it. */
static void test_a_single_slice_is_seen_from_above(void **state)
{
    static const int shift[SLICES] = {2};
    sgio_volume picture;
    (void)state;
    grid = (sgio_geometry){.size = {SIDE, SIDE, 1},
                           .matrix = {{1.5, 0, 0, 0}, {0, 1.5, 0, 0}, {0, 0, 1, 0}}};
    draw(shift, NULL, &picture);
    grid = VOLUME;
    assert_int_equal(picture.geometry.size[0], GAP + TILE + GAP);
    assert_true(picture.geometry.size[1] >= GAP + TILE + GAP);
    assert_true(pixel(&picture, 0, 11, 6)[0] > 20);
    assert_true(pixel(&picture, 0, 11, 12)[0] == 0);
    sgio_volume_clear(&picture);
}

/* A larger grid whose first voxel lies 4 to the side: what is nearest is shown, and black outside.
 */
static void test_an_image_on_another_grid(void **state)
{
    static const int shift[SLICES] = {0, 0, 2, 0, 0, 0, 0, 0, 0};
    char image[1024];
    sgio_volume picture;
    (void)state;
    snprintf(image, sizeof image, "%s/evaluate_behind.nrrd", folder);
    FILE *file = fopen(image, "wb");
    fprintf(file, "NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\nsizes: 32 "
                  "32 9\nspace directions: (1,0,0) (0,1,0) (0,0,3)\nspace origin: (4,0,0)\n"
                  "encoding: raw\n\n");
    for (int k = 0; k < SLICES; k++)
        for (int j = 0; j < 32; j++)
            for (int i = 0; i < 32; i++)
                fputc(k == 2 ? 40 + 12 * i : 255, file);
    fclose(file);
    draw(shift, image, &picture);
    assert_int_equal(pixel(&picture, 0, 2, 13)[0], 0);
    const int dark = pixel(&picture, 0, 5, 13)[0], bright = pixel(&picture, 0, 13, 13)[0];
    assert_true(dark > 0 && bright > dark + 50);
    assert_int_equal(pixel(&picture, 0, 13, 13)[1], bright);
    sgio_volume_clear(&picture);
}

enum { LONG = 1000, WIDE = 256 };

static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void write_long_set(const char *set)
{
    static uint8_t grey[WIDE * WIDE];
    char name[1200];
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = WIDE, .height = WIDE, .format = PNG_FORMAT_GRAY};
    mkdir(set, 0777);
    for (int k = 0; k < LONG; k++) {
        memset(grey, k % 200 + 20, sizeof grey);
        snprintf(name, sizeof name, "%s/p%d.png", set, k + 1);
        assert_true(png_image_write_to_file(&image, name, 0, grey, 0, NULL));
    }
}

/* One segment, in the picture numbered LONG alone; the set lacks the first one of the image's. */
static void make_long(sgio_segmentation *s, int at)
{
    const sgio_geometry wide = {.size = {WIDE, WIDE, LONG - 1},
                                .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    const size_t plane = WIDE * WIDE;
    uint8_t *mask = calloc(LONG - 1, plane);
    size_t index;
    assert_non_null(mask);
    memset(mask + (LONG - 2) * plane + at, 1, WIDE);
    assert_int_equal(sgio_segmentation_init(s, &wide), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(s, "polyp", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(s, index, mask), SGIO_OK);
    s->frame_numbers = calloc(LONG - 1, sizeof *s->frame_numbers);
    for (long k = 0; k < LONG - 1; k++)
        s->frame_numbers[k] = k + 2;
    free(mask);
}

/* The picture behind a slice is looked for once, not for each of its pixels, and is the one of its
 * number. */
static void test_a_long_set(void **state)
{
    char set[1024];
    const evaluate_how how = {0};
    sgio_segmentation reference, prediction;
    sgio_outputs *outputs;
    evaluate_pairs pairs;
    sgio_volume read;
    (void)state;
    snprintf(set, sizeof set, "%s/evaluate_long", folder);
    write_long_set(set);
    make_long(&reference, 20 * WIDE);
    make_long(&prediction, 40 * WIDE);
    double start = seconds();
    assert_int_equal(sgio_volume_read(set, NULL, &read), SGIO_OK);
    const double to_read = seconds() - start;
    sgio_volume_clear(&read);
    assert_int_equal(evaluate_match(&reference, &prediction, 0, &pairs), 0);
    assert_int_equal(evaluate_compare(&reference, &prediction, &how, &pairs.items[0]), 0);
    assert_int_equal(sgio_outputs_create(&outputs), SGIO_OK);
    start = seconds();
    assert_int_equal(evaluate_write_picture(&reference, &prediction, &pairs, set, path, outputs),
                     0);
    const double to_draw = seconds() - start;
    print_message("%.3f s to read the set, %.3f s to read and draw\n", to_read, to_draw);
    assert_true(to_draw < 2 * to_read + 0.5);
    assert_int_equal(sgio_outputs_commit(outputs), SGIO_OK);
    sgio_outputs_destroy(outputs);
    free(pairs.items);
    sgio_segmentation_clear(&reference);
    sgio_segmentation_clear(&prediction);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worst_slices_come_alone),
        cmocka_unit_test(test_six_of_many_that_differ),
        cmocka_unit_test(test_the_middle_where_all_is_equal),
        cmocka_unit_test(test_a_single_slice_is_seen_from_above),
        cmocka_unit_test(test_an_image_on_another_grid),
        cmocka_unit_test(test_a_long_set),
    };
    if (argc != 2) return 2;
    folder = argv[1];
    grid = VOLUME;
    snprintf(path, sizeof path, "%s/evaluate_picture.png", folder);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
