/* PNG and JPEG pictures, alone and as numbered series. */
#include "io_test_files.h"
#include "io_test_volume.h"

#include "sgio/labelmap.h"

#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <jpeglib.h>

/* A 4 x 3 picture whose bytes count up from `first`. */
static void save_png(const char *name, png_uint_32 format, int first)
{
    unsigned char bytes[4 * 3 * 4];
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 4, .height = 3, .format = format};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)((size_t)first + i);
    assert_true(png_image_write_to_file(&image, scratch_path(name), 0, bytes, 0, NULL));
}

/* A grey 64 x 64 JPEG whose rows brighten downwards. */
static void save_jpeg(const char *name)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char line[64];
    JSAMPROW row = line;
    FILE *file = fopen(scratch_path(name), "wb");
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = 64;
    jpeg.input_components = 1;
    jpeg.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < 64; y++) {
        memset(line, 3 * y, sizeof line);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
}

static size_t read_back(const char *name, unsigned char *bytes, size_t room)
{
    FILE *file = fopen(scratch_path(name), "rb");
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

static void test_grey_and_colour(void **state)
{
    double spacing[3];
    (void)state;
    save_png("grey.png", PNG_FORMAT_GRAY, 10);
    assert_int_equal(load("grey.png"), SGIO_OK);
    assert_int_equal(volume.channels, 1);
    assert_int_equal(volume.geometry.size[0], 4);
    assert_int_equal(volume.geometry.size[1], 3);
    assert_int_equal(volume.geometry.size[2], 1);
    assert_int_equal(((uint8_t *)volume.data)[11], 21);
    sgio_geometry_spacing(&volume.geometry, spacing);
    assert_true(spacing[0] == 1 && spacing[2] == 1);
    save_png("rgb.png", PNG_FORMAT_RGB, 0);
    assert_int_equal(load("rgb.png"), SGIO_OK);
    assert_int_equal(volume.channels, 3);
    assert_int_equal(((uint8_t *)volume.data)[35], 35);
}

static void test_alpha_is_dropped(void **state)
{
    (void)state;
    save_png("rgba.png", PNG_FORMAT_RGBA, 0);
    assert_int_equal(load("rgba.png"), SGIO_OK);
    assert_int_equal(volume.channels, 3);
    assert_int_equal(((uint8_t *)volume.data)[3], 4); /* red of the second pixel */
}

/* A 4 x 3 picture of palette indices 0..11; up to 16 colours are packed into few bits. */
static void save_palette_png(const char *name, int colours)
{
    unsigned char indices[4 * 3], palette[256 * 3];
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = 4,
                       .height = 3,
                       .format = PNG_FORMAT_RGB_COLORMAP,
                       .colormap_entries = (png_uint_32)colours};
    for (size_t i = 0; i < sizeof indices; i++)
        indices[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof palette; i++)
        palette[i] = (unsigned char)(37 * i + 11);
    assert_true(png_image_write_to_file(&image, scratch_path(name), 0, indices, 0, palette));
}

/* A palette means its colours in a picture, and its indices in a label map. */
static void test_palette(void **state)
{
    const sgio_read_options as_labels = {.palette_indices = 1};
    (void)state;
    for (int colours = 12; colours <= 200; colours += 188) {
        save_palette_png("palette.png", colours);
        assert_int_equal(load("palette.png"), SGIO_OK);
        assert_int_equal(volume.channels, 3);
        assert_int_equal(((uint8_t *)volume.data)[3], (3 * 37 + 11) & 255);
        sgio_volume_clear(&volume);
        assert_int_equal(sgio_volume_read(scratch_path("palette.png"), &as_labels, &volume),
                         SGIO_OK);
        assert_int_equal(volume.channels, 1);
        for (int i = 0; i < 12; i++)
            assert_int_equal(((uint8_t *)volume.data)[i], i);
    }
}

/* What is written as a picture is read as the same labels. */
static void test_label_picture(void **state)
{
    sgio_segmentation labels, back;
    (void)state;
    save_palette_png("labels.png", 12);
    assert_int_equal(sgio_segmentation_read(scratch_path("labels.png"), NULL, &labels), SGIO_OK);
    assert_int_equal(labels.segment_count, 11);
    assert_int_equal(sgio_segmentation_write(&labels, scratch_path("again.png"), NULL, NULL),
                     SGIO_OK);
    assert_int_equal(sgio_segmentation_read(scratch_path("again.png"), NULL, &back), SGIO_OK);
    assert_int_equal(back.segment_count, 11);
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(back.segments[i].label, (int)i + 1);
        assert_int_equal(back.segments[i].voxels, 1);
        assert_memory_equal(back.segments[i].extent, labels.segments[i].extent,
                            sizeof back.segments[i].extent);
    }
    sgio_segmentation_clear(&back);
    labels.geometry.size[2] = 2;
    assert_int_equal(sgio_segmentation_check_write(scratch_path("two.png"), &labels.geometry, NULL),
                     SGIO_USAGE);
    labels.geometry.size[2] = 1;
    sgio_segmentation_clear(&labels);
}

/* libjpeg would fill the missing rows with grey and succeed. */
static void test_jpeg(void **state)
{
    unsigned char bytes[8192];
    (void)state;
    save_jpeg("a.jpg");
    assert_int_equal(load("a.jpg"), SGIO_OK);
    assert_int_equal(volume.channels, 1);
    assert_in_range(((uint8_t *)volume.data)[64 * 40], 119, 121); /* quality 100 rounds by one */
    size_t size = read_back("a.jpg", bytes, sizeof bytes);
    write_file("cut.jpg", bytes, size - size / 4);
    expect_file_refused("cut.jpg", "cut.jpg");
}

/* By number, not by name: 2 before 10. */
static void test_series(void **state)
{
    (void)state;
    make_folder("series");
    save_png("series/s10.png", PNG_FORMAT_GRAY, 100);
    save_png("series/s2.png", PNG_FORMAT_GRAY, 20);
    save_png("series/s1.png", PNG_FORMAT_GRAY, 10);
    assert_int_equal(load("series"), SGIO_OK);
    assert_int_equal(volume.geometry.size[2], 3);
    assert_int_equal(((uint8_t *)volume.data)[0], 10);
    assert_int_equal(((uint8_t *)volume.data)[12], 20);
    assert_int_equal(((uint8_t *)volume.data)[24], 100);
}

static void test_several_series_need_a_pattern(void **state)
{
    (void)state;
    make_folder("two");
    save_png("two/frame_000.png", PNG_FORMAT_GRAY, 1);
    save_png("two/frame_001.png", PNG_FORMAT_GRAY, 2);
    save_png("two/mask_000.png", PNG_FORMAT_GRAY, 3);
    expect_file_refused("two", "frame_%d.png");
    assert_int_equal(load("two/frame_%03d.png"), SGIO_OK);
    assert_int_equal(volume.geometry.size[2], 2);
    assert_int_equal(((uint8_t *)volume.data)[12], 2);
}

static void test_refuses(void **state)
{
    unsigned char bytes[4096];
    (void)state;
    write_file("text.png", "hello", 5);
    expect_file_refused("text.png", "neither a PNG nor a JPEG");
    save_png("whole.png", PNG_FORMAT_GRAY, 1);
    size_t size = read_back("whole.png", bytes, sizeof bytes);
    write_file("cut.png", bytes, size / 2);
    assert_int_equal(load("cut.png"), SGIO_UNREADABLE);
    make_folder("empty");
    expect_file_refused("empty", "neither DICOM files nor numbered pictures");
    make_folder("sizes");
    save_png("sizes/a1.png", PNG_FORMAT_GRAY, 1);
    save_png("sizes/a2.png", PNG_FORMAT_RGB, 1);
    expect_file_refused("sizes", "a2.png");
}

static void the_only_volume_is_number_1(void **state)
{
    (void)state;
    save_png("one.png", PNG_FORMAT_GRAY, 10);
    make_folder("several");
    save_png("several/s1.png", PNG_FORMAT_GRAY, 10);
    save_png("several/s2.png", PNG_FORMAT_GRAY, 20);
    expect_only_volume("one.png", "1  (no UID)  picture  4x3x1  1x1x1 mm\n");
    expect_only_volume("several", "1  (no UID)  pictures  4x3, 2 frames in time  1x1 mm\n");
    expect_only_volume("several/s%d.png", "1  (no UID)  pictures  4x3, 2 frames in time  1x1 mm\n");
}

/* Which volume is meant is asked of what holds one. */
static void what_holds_no_volume_is_refused_for_that(void **state)
{
    static const char *const reasons[][2] = {
        {"nothing", "nothing: holds neither DICOM files nor numbered pictures"},
        {"nothing/s%d.png", "s%d.png: holds neither DICOM files nor numbered pictures"},
        {"absent/s%d.png", "absent: cannot open"},
        {"torn.png", "torn.png"},
        {"mixed", "holds several series of pictures"},
    };
    const sgio_read_options third = {.series = "3"};
    unsigned char bytes[4096];
    (void)state;
    make_folder("nothing");
    make_folder("mixed");
    save_png("mixed/a1.png", PNG_FORMAT_GRAY, 10);
    save_png("mixed/b1.png", PNG_FORMAT_GRAY, 10);
    write_file("torn.png", bytes, read_back("mixed/a1.png", bytes, sizeof bytes) / 8);
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char *text = NULL;
        const char *path = scratch_path(reasons[i][0]);
        sgio_volume_clear(&volume);
        assert_int_equal(sgio_volume_read(path, &third, &volume), SGIO_UNREADABLE);
        assert_true(holds(sgio_last_message(), reasons[i][1]));
        assert_false(holds(sgio_last_message(), "holds one volume"));
        assert_int_equal(sgio_list_series(path, &text), SGIO_UNREADABLE);
        assert_true(holds(sgio_last_message(), reasons[i][1]));
        assert_null(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grey_and_colour),
        cmocka_unit_test(test_alpha_is_dropped),
        cmocka_unit_test(test_palette),
        cmocka_unit_test(test_label_picture),
        cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_several_series_need_a_pattern),
        cmocka_unit_test(the_only_volume_is_number_1),
        cmocka_unit_test(what_holds_no_volume_is_refused_for_that),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
