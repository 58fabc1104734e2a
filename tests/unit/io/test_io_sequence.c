/* Sequences: frames in time, as pydicom writes them (tests/fuzz/corpus/dicom_frames) and as folders
 * of numbered pictures. */
#include "io_test_files.h"
#include "io_test_volume.h"

#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sgio/labelmap.h"

static const char *samples;

static sgio_status load_sample(const char *name)
{
    char path[4096];
    sgio_volume_clear(&volume);
    snprintf(path, sizeof path, "%s/%s", samples, name);
    return sgio_volume_read(path, NULL, &volume);
}

/* Grey samples count 3 i % 251, coloured ones 5 i % 253, over all frames. */
static void check_values(int64_t frames, int64_t rows, int64_t columns, int channels)
{
    const int step = channels == 1 ? 3 : 5, modulus = channels == 1 ? 251 : 253;
    assert_int_equal(volume.geometry.size[0], columns);
    assert_int_equal(volume.geometry.size[1], rows);
    assert_int_equal(volume.geometry.size[2], frames);
    assert_int_equal(volume.channels, channels);
    assert_int_equal(volume.type, SGIO_U8);
    for (int64_t i = 0; i < frames * rows * columns * channels; i++)
        assert_int_equal(((const uint8_t *)volume.data)[i], i * step % modulus);
    assert_true(volume.is_sequence);
    assert_int_equal(volume.file_count, 0);
}

static void ultrasound_frames_are_a_sequence(void **state)
{
    static const char *const grey[] = {"grey.dcm", "implicit.dcm", "rle_no_table.dcm",
                                       "pieces.dcm"};
    (void)state;
    for (size_t i = 0; i < sizeof grey / sizeof *grey; i++) {
        assert_int_equal(load_sample(grey[i]), SGIO_OK);
        check_values(3, 3, 5, 1);
    }
    /* Regions have centimetres; time has none. */
    assert_true(volume.geometry.matrix[0][0] == 0.2 && volume.geometry.matrix[1][1] == 0.3);
    assert_true(volume.geometry.matrix[2][2] == 1);
}

static void coloured_frames_are_a_sequence(void **state)
{
    static const char *const coloured[] = {"rgb.dcm", "planar.dcm", "rle.dcm"};
    (void)state;
    for (size_t i = 0; i < sizeof coloured / sizeof *coloured; i++) {
        assert_int_equal(load_sample(coloured[i]), SGIO_OK);
        check_values(4, 3, 5, 3);
    }
}

static void other_frames_are_refused(void **state)
{
    (void)state;
    assert_int_equal(load_sample("reject_space.dcm"), SGIO_UNREADABLE);
    assert_non_null(strstr(sgio_last_message(), "multi-frame DICOM"));
    assert_int_equal(load_sample("reject_cut.dcm"), SGIO_UNREADABLE);
    assert_non_null(strstr(sgio_last_message(), "truncated"));
    assert_int_equal(load_sample("reject_pieces_without_table.dcm"), SGIO_UNREADABLE);
    assert_non_null(strstr(sgio_last_message(), "which of its fragments belong to which of 3"));
}

static void the_list_says_frames(void **state)
{
    char path[4096], *text = NULL;
    (void)state;
    snprintf(path, sizeof path, "%s/rgb.dcm", samples);
    assert_int_equal(sgio_list_series(path, &text), SGIO_OK);
    assert_non_null(strstr(text, "US  5x3, 4 frames in time  0.2x0.3 mm"));
    free(text);
}

/* ------------------------------------------------------------------------- numbered pictures */

static void save_frame(const char *name, int width, int height, int value)
{
    unsigned char bytes[64];
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = PNG_FORMAT_GRAY};
    memset(bytes, value, sizeof bytes);
    bytes[0] = 0;
    assert_true(png_image_write_to_file(&image, scratch_path(name), 0, bytes, 0, NULL));
}

static char warned[2048];

static void keep_warning(void *user, const char *sentence)
{
    (void)user;
    strncat(warned, sentence, sizeof warned - strlen(warned) - 1);
}

/* A clip of three frames, into `volume`. */
static void load_clip(const char *folder)
{
    static const int numbers[3] = {10, 2, 9};
    const sgio_read_options how = {.warn = keep_warning};
    make_folder(folder);
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/frame%d.png", folder, numbers[i]);
        save_frame(name, 4, 3, numbers[i]);
    }
    warned[0] = 0;
    sgio_volume_clear(&volume);
    assert_int_equal(sgio_volume_read(scratch_path(folder), &how, &volume), SGIO_OK);
}

static void frames_come_in_natural_order(void **state)
{
    (void)state;
    load_clip("clip");
    static const int order[3] = {2, 9, 10};
    assert_true(volume.is_sequence);
    for (int64_t k = 0; k < 3; k++) {
        assert_int_equal(((const uint8_t *)volume.data)[12 * k + 5], order[k]);
        assert_int_equal(sgio_volume_frame_number(&volume, k), order[k]);
    }
    assert_string_equal(volume.frame_names[2], "frame10");
    assert_non_null(strstr(warned, "3 pictures for the numbers 2 to 10; the missing ones"));
}

static void frames_of_another_size_are_refused(void **state)
{
    (void)state;
    make_folder("sizes");
    save_frame("sizes/1.png", 4, 3, 1);
    save_frame("sizes/2.png", 5, 3, 1);
    expect_file_refused("sizes", "2.png: 5 x 3 with 1 channel(s), but the first picture is 4 x 3");
}

/* ------------------------------------------------------------------------- masks frame by frame */

static void masks_appear_beside_their_table(void **state)
{
    sgio_segmentation masks;
    size_t index;
    uint8_t mask[36] = {0};
    char table[256] = "";
    (void)state;
    load_clip("segmented");
    make_folder("masks");
    mask[12 + 5] = mask[24 + 6] = mask[24 + 7] = 1;
    assert_int_equal(sgio_segmentation_init(&masks, &volume.geometry), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&masks, "polyp", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&masks, index, mask), SGIO_OK);
    const sgio_segmentation_write_options how = {.source = &volume, .source_path = "clip"};
    assert_int_equal(sgio_segmentation_write(&masks, scratch_path("masks/frames.csv"), &how, NULL),
                     SGIO_OK);
    sgio_segmentation_clear(&masks);
    FILE *file = fopen(scratch_path("masks/frames.csv"), "rb");
    assert_non_null(file);
    assert_true(fread(table, 1, sizeof table - 1, file) > 0);
    fclose(file);
    assert_string_equal(table, "frame,file,\"polyp (pixels)\"\n1,\"frame2.png\",0\n"
                               "2,\"frame9.png\",1\n3,\"frame10.png\",2\n");
    sgio_volume_clear(&volume);
    assert_int_equal(sgio_volume_read(scratch_path("masks"), NULL, &volume), SGIO_OK);
    assert_memory_equal(volume.data, mask, sizeof mask);
}

/* In the folder one is in, where the ending is the whole name. */
static void masks_appear_in_the_current_folder(void **state)
{
    sgio_segmentation masks;
    size_t index;
    uint8_t mask[36] = {0};
    char *before = getcwd(NULL, 0);
    (void)state;
    load_clip("current");
    make_folder("here");
    mask[5] = 1;
    assert_int_equal(sgio_segmentation_init(&masks, &volume.geometry), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&masks, "polyp", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&masks, index, mask), SGIO_OK);
    const sgio_segmentation_write_options how = {.source = &volume, .source_path = "clip"};
    assert_non_null(before);
    assert_int_equal(chdir(scratch_path("here")), 0);
    const sgio_status checked = sgio_segmentation_check_write("frames.csv", &volume.geometry, &how);
    const sgio_status written = sgio_segmentation_write(&masks, "frames.csv", &how, NULL);
    const sgio_status nameless = sgio_segmentation_check_write(".nrrd", &volume.geometry, &how);
    assert_int_equal(chdir(before), 0);
    free(before);
    sgio_segmentation_clear(&masks);
    assert_int_equal(checked, SGIO_OK);
    assert_int_equal(written, SGIO_OK);
    assert_int_equal(nameless, SGIO_USAGE);
    assert_int_equal(access(scratch_path("here/frames.csv"), F_OK), 0);
    assert_int_equal(access(scratch_path("here/frame10.png"), F_OK), 0);
}

/* Of frames 2, 9, 10 there are labels for 9 alone, and for a picture 7 that is no frame. */
static void labels_belong_to_frames_of_their_number(void **state)
{
    sgio_segmentation labels;
    (void)state;
    load_clip("labelled");
    make_folder("some_labels");
    save_frame("some_labels/label9.png", 4, 3, 100);
    save_frame("some_labels/label7.png", 4, 3, 200);
    const sgio_segmentation_read_options how = {
        .grid = &volume.geometry, .volume = &volume, .warn = keep_warning};
    assert_int_equal(sgio_segmentation_read(scratch_path("some_labels"), &how, &labels), SGIO_OK);
    assert_int_equal(labels.geometry.size[2], 3);
    assert_true(labels.frame_numbers[0] == 2 && labels.frame_numbers[1] == 9);
    for (size_t s = 0; s < labels.segment_count; s++)
        if (labels.segments[s].voxels > 0) {
            assert_in_range(labels.segments[s].label, 100, 111);
            assert_int_equal(labels.segments[s].extent[4], 1);
            assert_int_equal(labels.segments[s].extent[5], 1);
        }
    sgio_segmentation_clear(&labels);
    assert_non_null(strstr(warned, "some_labels: 2 of 3 frames have no picture of their number"));
    assert_non_null(strstr(warned, "1 pictures have the number of no frame and are left out"));
    make_folder("no_labels");
    save_frame("no_labels/label7.png", 4, 3, 100);
    save_frame("no_labels/label8.png", 4, 3, 100);
    save_frame("no_labels/label11.png", 4, 3, 100);
    assert_int_equal(sgio_segmentation_read(scratch_path("no_labels"), &how, &labels),
                     SGIO_UNREADABLE);
    assert_non_null(
        strstr(sgio_last_message(),
               "its pictures are numbered 7 to 11, and no frame of the volume (2 to 10)"));
}

static int clear(void **state)
{
    (void)state;
    sgio_volume_clear(&volume);
    return 0;
}

int main(int argc, char **argv)
{
    samples = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(ultrasound_frames_are_a_sequence, clear),
        cmocka_unit_test_teardown(coloured_frames_are_a_sequence, clear),
        cmocka_unit_test_teardown(other_frames_are_refused, clear),
        cmocka_unit_test_teardown(the_list_says_frames, clear),
        cmocka_unit_test_teardown(frames_come_in_natural_order, clear),
        cmocka_unit_test_teardown(frames_of_another_size_are_refused, clear),
        cmocka_unit_test_teardown(masks_appear_beside_their_table, clear),
        cmocka_unit_test_teardown(masks_appear_in_the_current_folder, clear),
        cmocka_unit_test_teardown(labels_belong_to_frames_of_their_number, clear)};
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
