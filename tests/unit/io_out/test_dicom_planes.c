/* Slices whose plane is not said by PixelSpacing and ImageOrientationPatient beside each other:
 * DICOM SEG and RTSTRUCT have the plane that the volume was read with. */
#include "io_test_dicom.h"
#include "io_test_files.h"
#include "sgio/labelmap.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 4, COLUMNS = 5, SLICES = 3, SLICE = ROWS * COLUMNS, VOXELS = SLICE * SLICES };

static sgio_volume volume;

static int begin(void **state)
{
    (void)state;
    scratch_open();
    make_folder("s");
    return 0;
}

static int end(void **state)
{
    (void)state;
    sgio_volume_clear(&volume);
    scratch_close();
    return 0;
}

static void open_group(uint32_t tag)
{
    dicom_open_sequence(tag);
    dicom_open_item();
}

static void close_group(void)
{
    dicom_close_item();
    dicom_close_sequence();
}

static void text_group(uint32_t group, uint32_t tag, const char *text)
{
    open_group(group);
    dicom_text(tag, "DS", text);
    close_group();
}

static void write_frames(void)
{
    uint16_t pixels[VOXELS];
    for (int n = 0; n < VOXELS; n++)
        pixels[n] = (uint16_t)n;
    dicom_bytes(0x7fe00010, "OW", pixels, sizeof pixels);
}

static void read_series(void)
{
    sgio_volume_clear(&volume);
    if (sgio_volume_read(scratch_path("s"), NULL, &volume) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
    assert_int_equal(volume.geometry.size[2], SLICES);
    assert_false(volume.spacing_assumed);
}

static void expect_column(int column, double x, double y, double z)
{
    const double wanted[3] = {x, y, z};
    for (int r = 0; r < 3; r++)
        assert_true(fabs(volume.geometry.matrix[r][column] - wanted[r]) < 1e-9);
}

/* A mask that no turn leaves as it is, through that file and back onto the volume's grid. */
static void expect_mask_comes_back(const char *name)
{
    uint8_t wanted[VOXELS] = {0}, got[VOXELS];
    const sgio_segmentation_write_options how = {.source = &volume};
    const sgio_segmentation_read_options back = {.grid = &volume.geometry};
    sgio_segmentation written, found;
    size_t index;
    for (int n = 0; n < 4; n++)
        wanted[SLICE + n] = wanted[SLICE + COLUMNS + n / 2] = 1;
    assert_int_equal(sgio_segmentation_init(&written, &volume.geometry), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&written, "Liver", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&written, index, wanted), SGIO_OK);
    if (sgio_segmentation_write(&written, scratch_path(name), &how, NULL) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
    if (sgio_segmentation_read(scratch_path(name), &back, &found) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
    sgio_segmentation_get_mask(&found, 0, got);
    assert_memory_equal(wanted, got, VOXELS);
    sgio_segmentation_clear(&written);
    sgio_segmentation_clear(&found);
}

/* An element of VR DS is in the DICOM SEG. */
static void expect_decimals(uint32_t tag, const char *text)
{
    static uint8_t bytes[1 << 16];
    const size_t length = strlen(text) + (strlen(text) & 1);
    const uint8_t head[8] = {(uint8_t)(tag >> 16),
                             (uint8_t)(tag >> 24),
                             (uint8_t)tag,
                             (uint8_t)(tag >> 8),
                             'D',
                             'S',
                             (uint8_t)length,
                             0};
    int found = 0;
    FILE *file = fopen(scratch_path("out.dcm"), "rb");
    assert_non_null(file);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t at = 0; at + sizeof head + length <= size; at++)
        found += !memcmp(bytes + at, head, sizeof head) &&
                 !memcmp(bytes + at + sizeof head, text, strlen(text));
    if (!found) fail_msg("no \"%s\"", text);
}

static void expect_written(const char *spacing, const char *orientation)
{
    expect_mask_comes_back("out.dcm");
    expect_decimals(0x00280030, spacing);
    expect_decimals(0x00200037, orientation);
    expect_mask_comes_back("out.rtstruct.dcm");
}

/* Ultrasound has its scale in a region, in centimetres. */
static void save_ultrasound(int k)
{
    char name[16];
    dicom_slice slice = dicom_slice_at(2 * k);
    dicom_begin(SYNTAX_PLAIN);
    dicom_identity_of("1.2.840.10008.5.1.4.1.1.6.1", "US", &slice);
    open_group(0x00186011);
    dicom_u16(0x00186024, 3);
    dicom_u16(0x00186026, 3);
    dicom_double(0x0018602c, 0.03);
    dicom_double(0x0018602e, 0.025);
    close_group();
    dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
    dicom_pixels(&slice);
    snprintf(name, sizeof name, "s/%d.dcm", k);
    dicom_save(name);
}

static void test_slices_with_a_scale_in_a_region(void **state)
{
    (void)state;
    for (int k = 0; k < SLICES; k++)
        save_ultrasound(k);
    read_series();
    expect_column(0, 0.3, 0, 0);
    expect_column(1, 0, 0.25, 0);
    expect_written("0.25\\0.3", "1\\0\\0\\0\\1\\0");
}

/* Each detector has a place of its own; that of the first one counts. NULL: it says no directions.
 */
static void save_spect(const char *second)
{
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080008, "CS", "ORIGINAL\\PRIMARY\\RECON TOMO\\EMISSION");
    dicom_text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.20");
    dicom_text(0x00080018, "UI", "1.2.3.9.1");
    dicom_text(0x00080060, "CS", "NM");
    dicom_text(0x00180088, "DS", "2.5");
    dicom_text(0x0020000e, "UI", "1.2.3");
    dicom_text(0x00280008, "IS", "3");
    dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
    dicom_text(0x00280030, "DS", "4\\5.0");
    dicom_open_sequence(0x00540022);
    for (int n = 0; n < 2; n++) {
        dicom_open_item();
        dicom_text(0x00200032, "DS", n ? "30\\30\\100" : "-30\\-30\\100");
        dicom_text(0x00200037, "DS", n ? second : "1.0\\0\\0\\0\\1\\0");
        dicom_close_item();
    }
    dicom_close_sequence();
    write_frames();
    dicom_save("s/nm.dcm");
}

static void test_slices_of_two_detectors(void **state)
{
    static const char *const second[] = {"-1\\0\\0\\0\\-1\\0", NULL};
    (void)state;
    for (int i = 0; i < 2; i++) {
        save_spect(second[i]);
        read_series();
        expect_column(0, 5, 0, 0);
        expect_column(3, -30, -30, 100);
        expect_written("4\\5.0", "1.0\\0\\0\\0\\1\\0");
    }
}

/* What a frame's groups lack is said by the image: spacing, slope and intercept. */
static void save_enhanced(void)
{
    char position[40];
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.4.1");
    dicom_text(0x00080018, "UI", "1.2.3.9.1");
    dicom_text(0x00080060, "CS", "MR");
    dicom_text(0x0020000e, "UI", "1.2.3");
    dicom_text(0x00280008, "IS", "3");
    dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
    dicom_text(0x00280030, "DS", "0.75\\.50");
    dicom_text(0x00281052, "DS", "-5");
    dicom_text(0x00281053, "DS", "2");
    open_group(0x52009229);
    text_group(0x00209116, 0x00200037, "1\\0\\0\\0\\1\\0");
    text_group(0x00289110, 0x00180050, "3"); /* measures of pixels without a spacing */
    text_group(0x00289145, 0x00280120, NULL);
    close_group();
    dicom_open_sequence(0x52009230);
    for (int k = 0; k < SLICES; k++) {
        snprintf(position, sizeof position, "0\\0\\%d", 3 * k);
        dicom_open_item();
        text_group(0x00209113, 0x00200032, position);
        dicom_close_item();
    }
    dicom_close_sequence();
    write_frames();
    dicom_save("s/a.dcm");
}

static void test_frames_whose_groups_lack_what_the_image_says(void **state)
{
    (void)state;
    save_enhanced();
    read_series();
    expect_column(0, 0.5, 0, 0);
    expect_column(1, 0, 0.75, 0);
    assert_true(volume.rescaled);
    assert_true(sgio_volume_value(&volume, 7) == 2 * 7 - 5);
    expect_written("0.75\\.50", "1\\0\\0\\0\\1\\0");
}

/* Cosines of three decimals, 1.0003 long: .15 mm at the end of a row of these wide pixels. */
static void test_cosines_of_few_decimals_are_directions(void **state)
{
    static const char *const positions[] = {"0\\0\\0", "0\\-2.12132\\2.12132",
                                            "0\\-4.24264\\4.24264"};
    static const char orientation[] = "0.866\\0.354\\0.354\\-0.5\\0.612\\0.612";
    char name[16];
    (void)state;
    for (int k = 0; k < SLICES; k++) {
        dicom_slice slice = dicom_slice_at(3 * k);
        slice.position = positions[k];
        slice.orientation = orientation;
        slice.spacing = "100\\100";
        snprintf(name, sizeof name, "s/%d.dcm", k);
        dicom_save_slice(name, &slice);
    }
    read_series();
    expect_written("100\\100", orientation);
}

/* One slice that says its position, and of its orientation what is given; NULL: nothing. */
static void save_without_orientation(const char *orientation)
{
    const dicom_slice slice = dicom_slice_at(2);
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2");
    dicom_text(0x00080018, "UI", "1.2.3.9.1");
    dicom_text(0x00080060, "CS", "CT");
    dicom_text(0x0020000e, "UI", "1.2.3");
    dicom_text(0x00200032, "DS", slice.position);
    dicom_text(0x00200037, "DS", orientation);
    dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
    dicom_text(0x00280030, "DS", "0.75\\0.5");
    dicom_pixels(&slice);
    dicom_save("s/a.dcm");
}

static void save_frame_without_orientation(void)
{
    const dicom_slice slice = dicom_slice_at(2);
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.4.1");
    dicom_text(0x00080018, "UI", "1.2.3.9.1");
    dicom_text(0x00080060, "CS", "MR");
    dicom_text(0x0020000e, "UI", "1.2.3");
    dicom_text(0x00280008, "IS", "1");
    dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
    open_group(0x52009229);
    text_group(0x00289110, 0x00280030, "0.75\\0.5");
    close_group();
    open_group(0x52009230);
    text_group(0x00209113, 0x00200032, slice.position);
    close_group();
    dicom_pixels(&slice);
    dicom_save("s/a.dcm");
}

static void expect_refused_before_the_work(void)
{
    static const char *const names[] = {"out.dcm", "out.rtstruct.dcm"};
    const sgio_segmentation_write_options as_source = {.source = &volume};
    const sgio_segmentation_write_options as_reference = {.reference = &volume};
    sgio_volume_clear(&volume);
    assert_int_equal(sgio_volume_read(scratch_path("s"), NULL, &volume), SGIO_OK);
    for (int i = 0; i < 2; i++) {
        const char *path = scratch_path(names[i]);
        assert_int_equal(sgio_segmentation_check_write(path, &volume.geometry, &as_source),
                         SGIO_USAGE);
        assert_true(holds(sgio_last_message(), "but they have no ImageOrientationPatient"));
        assert_int_equal(sgio_segmentation_check_write(path, &volume.geometry, &as_reference),
                         SGIO_USAGE);
        assert_true(holds(sgio_last_message(),
                          "but those of the reference have no ImageOrientationPatient"));
    }
}

static void test_a_slice_without_orientation_is_refused_before_the_work(void **state)
{
    (void)state;
    save_without_orientation(NULL);
    expect_refused_before_the_work();
    save_without_orientation("");
    expect_refused_before_the_work();
    save_frame_without_orientation();
    expect_refused_before_the_work();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_slices_with_a_scale_in_a_region),
        TEST(test_slices_of_two_detectors),
        TEST(test_frames_whose_groups_lack_what_the_image_says),
        TEST(test_cosines_of_few_decimals_are_directions),
        TEST(test_a_slice_without_orientation_is_refused_before_the_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
