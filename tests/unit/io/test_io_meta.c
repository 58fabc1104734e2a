/* MetaImage files: local, compressed and detached data, directions, and what is refused. */
#include "io_test_files.h"
#include "io_test_volume.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum { VOXELS = 3 * 4 * 2 };

#define HEAD                                                                                       \
    "ObjectType = Image\nNDims = 3\nDimSize = 3 4 2\nElementType = MET_UCHAR\n"                    \
    "TransformMatrix = 0 1 0 -1 0 0 0.1 0 0.9\nOffset = 5 6 7\nElementSpacing = 0.5 0.75 3\n"

static unsigned char ramp[VOXELS];

static void save(const char *name, const char *header, const void *voxels, size_t size)
{
    unsigned char bytes[4096];
    int n = snprintf((char *)bytes, sizeof bytes, "%s", header);
    memcpy(bytes + n, voxels, size);
    write_file(name, bytes, (size_t)n + size);
}

static void expect_ramp(const char *name)
{
    assert_int_equal(load(name), SGIO_OK);
    for (int n = 0; n < VOXELS; n++)
        assert_int_equal(((uint8_t *)volume.data)[n], n);
}

static void expect_refused(const char *header, const char *reason)
{
    save("bad.mha", header, ramp, sizeof ramp);
    expect_file_refused("bad.mha", reason);
}

static void test_local(void **state)
{
    static const double wanted[3][4] = {{0, -0.75, 0.3, 5}, {0.5, 0, 0, 6}, {0, 0, 2.7, 7}};
    (void)state;
    save("a.mha", HEAD "ElementDataFile = LOCAL\n", ramp, sizeof ramp);
    expect_ramp("a.mha");
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            assert_true(fabs(volume.geometry.matrix[r][c] - wanted[r][c]) <= 1e-12);
}

static void the_only_volume_is_number_1(void **state)
{
    char *text = NULL;
    (void)state;
    save("a.mha", HEAD "ElementDataFile = LOCAL\n", ramp, sizeof ramp);
    expect_only_volume("a.mha", "1  (no UID)  MetaImage  3x4x2  0.5x0.75x2.717 mm\n");
    write_file("a.raw", ramp, sizeof ramp);
    save("a.mhd", HEAD "ElementDataFile = a.raw\n", ramp, 0);
    expect_only_volume("a.mhd", "1  (no UID)  MetaImage  3x4x2  0.5x0.75x2.717 mm\n");
    save("b.mha", "NDims = 5\n", ramp, 0); /* refused for what it is */
    assert_int_equal(sgio_list_series(scratch_path("b.mha"), &text), SGIO_UNREADABLE);
    assert_true(holds(sgio_last_message(), "MetaImage"));
    assert_null(text);
}

#define FOUR                                                                                       \
    "NDims = 4\nElementType = MET_UCHAR\nElementSpacing = 0.5 2 3 7\nOffset = 10 20 30 40\n"       \
    "TransformMatrix = 0.8 0.6 0 0 -0.6 0.8 0 0 0 0 1 0 0 0 0 1\n"

/* The ramp in volumes one behind the other, as SimpleITK writes them. */
static void expect_volumes(const char *name, int count)
{
    const int size = VOXELS / count;
    char number[8], reason[32];
    snprintf(reason, sizeof reason, "holds %d volumes of", count);
    expect_file_refused(name, reason);
    for (int v = 0; v < count; v++) {
        const sgio_read_options options = {.series = number};
        snprintf(number, sizeof number, "%d", v + 1);
        sgio_volume_clear(&volume);
        if (sgio_volume_read(scratch_path(name), &options, &volume) != SGIO_OK)
            fail_msg("%s", sgio_last_message());
        assert_int_equal(volume.file_volume, v + 1);
        assert_memory_equal(volume.data, ramp + v * size, (size_t)size);
        assert_true(fabs(volume.geometry.matrix[1][0] - 0.3) < 1e-12);
        assert_true(volume.geometry.matrix[2][2] == 3 && volume.geometry.matrix[2][3] == 30);
    }
}

static void a_fourth_dimension_is_volumes(void **state)
{
    static const char colours[] = FOUR "DimSize = 2 2 1 2\nElementNumberOfChannels = 3\n"
                                       "ElementDataFile = LOCAL\n";
    unsigned char packed[256];
    uLongf size = sizeof packed;
    char *text = NULL;
    (void)state;
    save("a.mha", FOUR "DimSize = 3 2 1 4\nElementDataFile = LOCAL\n", ramp, sizeof ramp);
    expect_volumes("a.mha", 4);
    assert_int_equal(sgio_list_series(scratch_path("a.mha"), &text), SGIO_OK);
    assert_true(holds(text, "4  (no UID)  MetaImage  3x2x1  0.5x2x3 mm\n"));
    free(text);
    assert_int_equal(compress(packed, &size, ramp, sizeof ramp), Z_OK);
    save("a.mha", FOUR "DimSize = 3 2 2 2\nCompressedData = True\nElementDataFile = LOCAL\n",
         packed, size);
    expect_volumes("a.mha", 2);
    write_file("a.raw", "padding", 7);
    save("a.raw", "padding", ramp, sizeof ramp);
    save("a.mhd", FOUR "DimSize = 3 2 2 2\nHeaderSize = -1\nElementDataFile = a.raw\n", "", 0);
    expect_volumes("a.mhd", 2);
    save("a.mha", colours, ramp, sizeof ramp);
    expect_volumes("a.mha", 2);
    assert_int_equal(volume.channels, 3);
    save("a.mha", FOUR "DimSize = 3 4 2 1\nElementDataFile = LOCAL\n", ramp, sizeof ramp);
    expect_ramp("a.mha");
    assert_int_equal(volume.file_volume, 0);
    save("a.mhd", FOUR "DimSize = 3 2 2 3\nHeaderSize = -1\nElementDataFile = a.raw\n", "", 0);
    const sgio_read_options first = {.series = "1"};
    assert_int_equal(sgio_volume_read(scratch_path("a.mhd"), &first, &volume), SGIO_UNREADABLE);
    assert_true(holds(sgio_last_message(), "truncated"));
    expect_refused("NDims = 4\nElementType = MET_UCHAR\nDimSize = 3 2 2 2\n"
                   "TransformMatrix = 1 0 0 0 0 1 0 0 0 0 1 1 0 0 0 1\nElementDataFile = LOCAL\n",
                   "turns axis 2 into the fourth dimension");
}

static void a_field_that_comes_twice_is_refused(void **state)
{
    (void)state;
    expect_refused(HEAD "Offset = 0 0 0\nElementDataFile = LOCAL\n", "Offset comes twice");
    expect_refused(HEAD "DimSize = 3 4 1\nElementDataFile = LOCAL\n", "DimSize comes twice");
}

static void test_compressed(void **state)
{
    unsigned char packed[256];
    uLongf size = sizeof packed;
    (void)state;
    assert_int_equal(compress(packed, &size, ramp, sizeof ramp), Z_OK);
    save("a.mha", HEAD "CompressedData = True\nElementDataFile = LOCAL\n", packed, size);
    expect_ramp("a.mha");
}

static void test_detached(void **state)
{
    (void)state;
    unsigned char padded[16 + VOXELS] = {0};
    memcpy(padded + 16, ramp, sizeof ramp);
    write_file("a.raw", padded, sizeof padded);
    save("a.mhd", HEAD "HeaderSize = -1\nElementDataFile = a.raw\n", "", 0);
    expect_ramp("a.mhd");
    save("b.mhd", HEAD "HeaderSize = 16\nElementDataFile = a.raw\n", "", 0);
    expect_ramp("b.mhd");
}

static void test_big_endian(void **state)
{
    static const unsigned char bytes[] = {0x01, 0x02, 0xff, 0xfe};
    (void)state;
    save("a.mha",
         "NDims = 2\nDimSize = 2 1\nElementType = MET_SHORT\nBinaryDataByteOrderMSB = True\n"
         "ElementDataFile = LOCAL\n",
         bytes, 4);
    assert_int_equal(load("a.mha"), SGIO_OK);
    assert_int_equal(((int16_t *)volume.data)[0], 0x102);
    assert_int_equal(((int16_t *)volume.data)[1], -2);
}

static void test_refuses(void **state)
{
    (void)state;
    expect_refused("hello\n", "not a MetaImage");
    save("open.mha", HEAD, "", 0);
    expect_file_refused("open.mha", "without ElementDataFile");
    expect_refused(HEAD "BinaryData = False\nElementDataFile = LOCAL\n", "text voxels");
    expect_refused(HEAD "ElementDataFile = LIST\n", "several files");
    expect_refused(HEAD "ElementNumberOfChannels = 2\nElementDataFile = LOCAL\n", "2 values");
    expect_refused("NDims = 4\nDimSize = 3 4 1 2\nElementType = MET_UCHAR\n"
                   "ElementDataFile = LOCAL\n",
                   "2 volumes");
    expect_refused("NDims = 3\nDimSize = 3 4 3\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
                   "truncated");
    expect_refused("NDims = 3\nDimSize = 3 4 2\nElementType = MET_STRING\n"
                   "ElementDataFile = LOCAL\n",
                   "MET_STRING");
    expect_refused("NDims = 3\nDimSize = 3 4 2\nElementType = MET_UCHAR\nElementSpacing = 1 nan 1\n"
                   "ElementDataFile = LOCAL\n",
                   "1 nan 1");
    expect_refused(
        "NDims = 3\nDimSize = 3 4 2\nElementType = MET_UCHAR\nElementSpacing = 1,5 1,5 1\n"
        "ElementDataFile = LOCAL\n",
        "1,5 1,5 1");
    expect_refused("NDims = 3D\n", "3D dimensions");
    expect_refused(HEAD "HeaderSize = 12bytes\nElementDataFile = LOCAL\n", "12bytes");
    expect_refused("NDims = 3\nDimSize = 3 4 2\nElementType = MET_UCHAR\nElementSpacing = 1 0 1\n"
                   "ElementDataFile = LOCAL\n",
                   "zero");
}

static void test_spacing_is_element_size_or_assumed(void **state)
{
    (void)state;
    save("a.mha", "NDims = 3\nDimSize = 3 4 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
         ramp, VOXELS);
    assert_int_equal(load("a.mha"), SGIO_OK);
    assert_true(volume.geometry.matrix[2][2] == 1);
    assert_int_equal(volume.spacing_assumed, 1);
    save("a.mha",
         "NDims = 3\nDimSize = 3 4 2\nElementType = MET_UCHAR\nElementSize = 2 3 4\n"
         "ElementDataFile = LOCAL\n",
         ramp, VOXELS);
    assert_int_equal(load("a.mha"), SGIO_OK);
    assert_true(volume.geometry.matrix[2][2] == 4);
    assert_int_equal(volume.spacing_assumed, 0);
    save("a.mha",
         "NDims = 3\nDimSize = 3 4 2\nElementType = MET_UCHAR\nElementSpacing = 5 6 7\n"
         "ElementSize = 2 3 4\nDistanceUnits = um\nElementDataFile = LOCAL\n",
         ramp, VOXELS);
    assert_int_equal(load("a.mha"), SGIO_OK);
    assert_true(volume.geometry.matrix[2][2] == 7);
    assert_int_equal(volume.spacing_assumed, 1);
}

static int open_ramp(void **state)
{
    for (int n = 0; n < VOXELS; n++)
        ramp[n] = (unsigned char)n;
    return open_scratch(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_only_volume_is_number_1),
        cmocka_unit_test(a_fourth_dimension_is_volumes),
        cmocka_unit_test(a_field_that_comes_twice_is_refused),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_detached),
        cmocka_unit_test(test_big_endian),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_spacing_is_element_size_or_assumed),
    };
    return cmocka_run_group_tests(tests, open_ramp, close_scratch);
}
