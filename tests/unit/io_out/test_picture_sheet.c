/* Contact sheets and the pictures on them: which slice is shown, that lines stay, and captions. */
#include "io_out_support.h"

#include "sgio/picture.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

typedef struct picture {
    int width, height;
    size_t bytes;
    uint8_t *rgb;
} picture;

static picture load_png(const char *path)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, path));
    image.format = PNG_FORMAT_RGB;
    picture p = {(int)image.width, (int)image.height, PNG_IMAGE_SIZE(image), NULL};
    p.rgb = malloc(p.bytes);
    assert_non_null(p.rgb);
    assert_true(png_image_finish_read(&image, NULL, p.rgb, 0, NULL));
    return p;
}

enum { SIDE = 8, SLICES = 5, PLANE = SIDE * SIDE, TILE = 80, GAP = 6, GREY = 50 };

/* A mask of 4 voxels in slice 2 and 9 in slice 3; returns the slice that a picture of one tile
 * shows: they are grey by their number. */
static int shown_slice(double box_centre, const int64_t *prompted, size_t prompted_count)
{
    sgio_geometry grid = {.size = {SIDE, SIDE, SLICES},
                          .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    static uint8_t data[PLANE * SLICES], mask[PLANE * SLICES];
    sgio_box box = {.centre = {1, 1, box_centre}, .half_axis = {{1, 0, 0}, {0, 1, 0}, {0, 0, 2}}};
    sgio_prompts prompts = {0};
    sgio_segmentation s;
    size_t index;
    for (int v = 0; v < PLANE * SLICES; v++) {
        const int k = v / PLANE, i = v % SIDE, j = v / SIDE % SIDE, side = k == 2 ? 2 : 3;
        data[v] = (uint8_t)(k * GREY);
        mask[v] = (k == 2 || k == 3) && i < side && j < side;
    }
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&s, "x", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&s, index, mask), SGIO_OK);
    assert_int_equal(sgio_prompts_add_box(&prompts, "x", &box), SGIO_OK);
    sgio_volume volume = {.geometry = grid, .type = SGIO_U8, .channels = 1, .data = data};
    sgio_picture_options options = {.axis = 2,
                                    .window = {0, 255},
                                    .max_tiles = 1,
                                    .tile_pixels = TILE,
                                    .prompted = prompted,
                                    .prompted_count = prompted_count};
    assert_int_equal(sgio_picture_write(NULL, scratch("p.png"), &volume, &s, &prompts, &options),
                     SGIO_OK);
    picture p = load_png(scratch("p.png"));
    const uint8_t *corner = p.rgb + 3 * ((GAP + TILE - 3) * p.width + GAP + TILE - 3);
    const int slice = corner[0] / GREY;
    free(p.rgb);
    sgio_prompts_clear(&prompts);
    sgio_segmentation_clear(&s);
    remove_scratch("p.png");
    return slice;
}

static void one_tile_shows_a_slice_with_its_mask(void **state)
{
    const int64_t asked[] = {0, 2, 4}, empty[] = {0, 1};
    (void)state;
    assert_int_equal(shown_slice(4, NULL, 0), 3); /* the box's middle has no mask */
    assert_int_equal(shown_slice(2, NULL, 0), 2); /* it has, if less than another slice */
    assert_int_equal(shown_slice(4, asked, 3), 2);
    assert_int_equal(shown_slice(2, empty, 2), 3);
}

static picture sheet_of(const char *png, const char *caption)
{
    const sgio_sheet_tile tile = {.picture = png, .caption = caption, .instead = "NONE"};
    assert_int_equal(sgio_picture_sheet(NULL, scratch("s.png"), &tile, 1, 128), SGIO_OK);
    picture p = load_png(scratch("s.png"));
    remove_scratch("s.png");
    return p;
}

/* A line of one pixel, wherever it lies, in a picture three times as large as its tile. */
static void thin_lines_stay_in_small_pictures(void **state)
{
    enum { WIDE = 384 };
    static uint8_t rgb[3 * WIDE * WIDE];
    (void)state;
    for (int line = 120; line < 126; line++) {
        memset(rgb, 0, sizeof rgb);
        for (int y = 0; y < WIDE; y++)
            memset(rgb + 3 * (y * WIDE + line), 255, 3);
        assert_int_equal(sgio_png_write_rgb(NULL, scratch("p.png"), rgb, WIDE, WIDE), SGIO_OK);
        picture p = sheet_of(scratch("p.png"), "");
        int brightest = 0;
        for (int x = 30; x < 60; x++) {
            const int value = p.rgb[3 * ((GAP + 64) * p.width + GAP + x)];
            brightest = value > brightest ? value : brightest;
        }
        assert_int_equal(brightest, 85);
        free(p.rgb);
    }
    remove_scratch("p.png");
}

static int captions_look_alike(const char *first, const char *second)
{
    picture a = sheet_of(NULL, first), b = sheet_of(NULL, second);
    const int alike = a.bytes == b.bytes && memcmp(a.rgb, b.rgb, a.bytes) == 0;
    free(a.rgb);
    free(b.rgb);
    return alike;
}

static void captions_have_letters_for_accents(void **state)
{
    (void)state;
    assert_true(captions_look_alike("Gr\xc3\xb6\xc3\x9f"
                                    "e",
                                    "GROESSE"));
    assert_true(captions_look_alike("\xc5\x81\xc3\xb3"
                                    "d\xc5\xba",
                                    "LODZ"));
    assert_true(captions_look_alike("e\xcc\x81t\xc3\xa9", "ETE")); /* composed or not */
    assert_true(captions_look_alike("\xe8\x82\x9d", "?"));
    assert_true(captions_look_alike("a\xff"
                                    "b\xc3",
                                    "A?B?"));
    assert_false(captions_look_alike("a", "b"));
}

/* Beginning and end are there of a name that is too long. */
static void long_captions_are_cut_in_the_middle(void **state)
{
    (void)state;
    assert_false(captions_look_alike("study_of_many_patients_at_baseline_001",
                                     "study_of_many_patients_at_baseline_002"));
    assert_true(captions_look_alike("study_of_patients_MANY_at_baseline_001",
                                    "study_of_patients_some_at_baseline_001"));
    assert_false(captions_look_alike("a_study_of_many_patients_at_baseline_1",
                                     "b_study_of_many_patients_at_baseline_1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_tile_shows_a_slice_with_its_mask),
                                       cmocka_unit_test(thin_lines_stay_in_small_pictures),
                                       cmocka_unit_test(captions_have_letters_for_accents),
                                       cmocka_unit_test(long_captions_are_cut_in_the_middle)};
    return cmocka_run_group_tests(tests, scratch_group_setup, scratch_group_teardown);
}
