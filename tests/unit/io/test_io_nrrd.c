/* NRRD files as text: spaces, encodings, detached data, and what is refused. */
#include "io_test_files.h"
#include "io_test_volume.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum { VOXELS = 3 * 4 * 2 };

#define SIZES "dimension: 3\nsizes: 3 4 2\ntype: uint8\n"
#define GRID "space directions: (0.5,0,0) (0,0.75,0) (0.2,0,3)\nspace origin: (10,20,30)\n"

/* Header, empty line, and 24 bytes 0..23. */
static void save(const char *name, const char *header, const void *voxels, size_t size)
{
    unsigned char bytes[4096];
    int n = snprintf((char *)bytes, sizeof bytes, "NRRD0004\n%s\n", header);
    memcpy(bytes + n, voxels, size);
    write_file(name, bytes, (size_t)n + size);
}

static void save_ramp(const char *name, const char *header)
{
    unsigned char ramp[VOXELS];
    for (int n = 0; n < VOXELS; n++)
        ramp[n] = (unsigned char)n;
    save(name, header, ramp, sizeof ramp);
}

static void expect_ramp(const char *name)
{
    assert_int_equal(load(name), SGIO_OK);
    assert_int_equal(volume.type, SGIO_U8);
    for (int n = 0; n < VOXELS; n++)
        assert_int_equal(((uint8_t *)volume.data)[n], n);
}

static void expect_refused(const char *header, const char *reason)
{
    save_ramp("bad.nrrd", header);
    expect_file_refused("bad.nrrd", reason);
}

static void expect_element(int row, int column, double wanted)
{
    assert_true(fabs(volume.geometry.matrix[row][column] - wanted) <= 1e-12);
}

/* The same numbers mean other places in each space; shear stays. */
static void test_spaces(void **state)
{
    static const struct {
        const char *name;
        double x, y;
    } spaces[] = {{"left-posterior-superior", 1, 1},
                  {"right-anterior-superior", -1, -1},
                  {"RAS", -1, -1},
                  {"left-anterior-superior", 1, -1}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char header[512];
        snprintf(header, sizeof header, SIZES "encoding: raw\nspace: %s\n" GRID, spaces[i].name);
        save_ramp("a.nrrd", header);
        expect_ramp("a.nrrd");
        expect_element(0, 0, 0.5 * spaces[i].x);
        expect_element(1, 1, 0.75 * spaces[i].y);
        expect_element(0, 2, 0.2 * spaces[i].x);
        expect_element(2, 2, 3);
        expect_element(0, 3, 10 * spaces[i].x);
        expect_element(1, 3, 20 * spaces[i].y);
        expect_element(2, 3, 30);
    }
}

static void test_without_space(void **state)
{
    (void)state;
    save_ramp("a.nrrd", SIZES "encoding: raw\nspacings: 0.5 1.5 2\n");
    expect_ramp("a.nrrd");
    expect_element(1, 1, 1.5);
    expect_element(2, 2, 2);
    expect_element(0, 3, 0);
}

static void count_said(void *count, const char *sentence)
{
    *(int *)count += holds(sentence, "no space directions");
}

/* pynrrd writes spacings beside a space: origin and axes are of the same space. */
static void test_spacings_in_a_space(void **state)
{
    static const struct {
        const char *space;
        double x, y;
        int warned;
    } spaces[] = {{"RAS", -1, -1, 1}, {"LAS", 1, -1, 1}, {"LPS", 1, 1, 0}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char header[512];
        snprintf(header, sizeof header,
                 SIZES "encoding: raw\nspace: %s\nspacings: 0.5 1.5 2\nspace origin: (10,20,30)\n",
                 spaces[i].space);
        int said = 0;
        const sgio_read_options options = {.warn = count_said, .warn_user = &said};
        save_ramp("a.nrrd", header);
        sgio_volume_clear(&volume);
        assert_int_equal(sgio_volume_read(scratch_path("a.nrrd"), &options, &volume), SGIO_OK);
        expect_element(0, 0, 0.5 * spaces[i].x);
        expect_element(1, 1, 1.5 * spaces[i].y);
        expect_element(2, 2, 2);
        expect_element(0, 3, 10 * spaces[i].x);
        expect_element(1, 3, 20 * spaces[i].y);
        assert_int_equal(said, spaces[i].warned);
    }
    save_ramp("a.nrrd", SIZES "encoding: raw\nspace: RAS\nspacings: 2 1 1\naxis mins: 10 20 30\n");
    expect_ramp("a.nrrd");
    expect_element(0, 3, -11);
    expect_element(2, 3, 30.5);
}

static void test_big_endian(void **state)
{
    static const unsigned char bytes[] = {0x01, 0x02, 0xff, 0xfe};
    (void)state;
    save("a.nrrd", "dimension: 2\nsizes: 2 1\ntype: short\nendian: big\nencoding: raw\n", bytes, 4);
    assert_int_equal(load("a.nrrd"), SGIO_OK);
    assert_int_equal(((int16_t *)volume.data)[0], 0x102);
    assert_int_equal(((int16_t *)volume.data)[1], -2);
    assert_int_equal(volume.geometry.size[2], 1);
}

static void test_gzip(void **state)
{
    unsigned char ramp[VOXELS], packed[256];
    z_stream z = {0};
    (void)state;
    for (int n = 0; n < VOXELS; n++)
        ramp[n] = (unsigned char)n;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = ramp;
    z.avail_in = sizeof ramp;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    save("a.nrrd", SIZES "encoding: gzip\n", packed, z.total_out);
    expect_ramp("a.nrrd");
    save("b.nrrd", SIZES "encoding: gzip\n", packed, z.total_out / 2);
    assert_int_equal(load("b.nrrd"), SGIO_UNREADABLE);
    deflateEnd(&z);
}

static void test_detached_with_skips(void **state)
{
    unsigned char data[10 + VOXELS];
    (void)state;
    memcpy(data, "one line\nx", 10);
    for (int n = 0; n < VOXELS; n++)
        data[10 + n] = (unsigned char)n;
    write_file("a.raw", data, sizeof data);
    save("a.nhdr", SIZES "encoding: raw\ndata file: a.raw\nline skip: 1\nbyte skip: 1\n", "", 0);
    expect_ramp("a.nhdr");
    save("b.nhdr", SIZES "encoding: raw\nbyte skip: -1\ndata file: a.raw\n", "", 0);
    expect_ramp("b.nhdr");
    save("c.nhdr", SIZES "encoding: raw\ndata file: absent.raw\n", "", 0);
    assert_int_equal(load("c.nhdr"), SGIO_UNREADABLE);
    assert_true(holds(sgio_last_message(), "absent.raw"));
}

/* One component or one list entry is still one value per voxel. */
static void test_axis_of_one(void **state)
{
    (void)state;
    save_ramp("a.nrrd", "dimension: 4\nsizes: 1 3 4 2\ntype: uint8\nencoding: raw\n"
                        "space: left-posterior-superior\n"
                        "space directions: none (0.5,0,0) (0,0.75,0) (0,0,3)\n"
                        "kinds: list domain domain domain\nspace origin: (0,0,0)\n");
    expect_ramp("a.nrrd");
    assert_int_equal(volume.geometry.size[0], 3);
}

/* Teem, and so ITK and Slicer, refuse it; here the last one won without a word. */
static void a_field_that_comes_twice_is_refused(void **state)
{
    (void)state;
    expect_refused(SIZES "encoding: raw\nspace: left-posterior-superior\n"
                         "space: right-anterior-superior\n" GRID,
                   "\"space\" comes twice");
    expect_refused(SIZES "encoding: raw\nspace: LPS\n" GRID "space origin: (0,0,0)\n", "twice");
    expect_refused(SIZES "encoding: raw\nspacings: 1 1 1\naxis mins: 0 0 0\naxismins: 1 1 1\n",
                   "\"axismins\" comes twice");
    save_ramp("once.nrrd", SIZES "encoding: raw\nunits: \"mm\" \"mm\" \"mm\"\nspace: RAS\n"
                                 "space units: \"mm\" \"mm\" \"mm\"\nspace dimension: 3\n" GRID);
    expect_ramp("once.nrrd");
    expect_element(0, 3, -10); /* still RAS */
}

/* Volumes voxel by voxel, as sequences of 3D Slicer, or one behind the other: more values than are
 * read at once. Value n of volume v is (7 n + v) % 251. */
static void one_of_several_volumes_is_chosen(void **state)
{
    enum { COUNT = 3, SIZE = 17 * 19 * 23 };
    static unsigned char first[256 + SIZE * COUNT], last[sizeof first];
    static const char grid[] = "space: left-posterior-superior\ntype: uint8\nencoding: raw\n"
                               "dimension: 4\n";
    char number[8];
    (void)state;
    int at = snprintf((char *)first, 256,
                      "NRRD0004\n%ssizes: 3 17 19 23\nkinds: list domain domain "
                      "domain\nspace directions: none (1,0,0) (0,1,0) (0,0,1)\n\n",
                      grid);
    int behind = snprintf((char *)last, 256,
                          "NRRD0004\n%ssizes: 17 19 23 3\nkinds: domain domain "
                          "domain list\nspace directions: (1,0,0) (0,1,0) (0,0,1) none\n\n",
                          grid);
    for (int v = 0; v < COUNT; v++)
        for (int n = 0; n < SIZE; n++)
            first[at + n * COUNT + v] = last[behind + v * SIZE + n] =
                (unsigned char)((7 * n + v) % 251);
    write_file("first.nrrd", first, (size_t)at + SIZE * COUNT);
    write_file("last.nrrd", last, (size_t)behind + SIZE * COUNT);
    for (int v = 0; v < 2 * COUNT; v++) {
        const char *name = v % 2 ? "first.nrrd" : "last.nrrd";
        const sgio_read_options options = {.series = number};
        snprintf(number, sizeof number, "%d", v / 2 + 1);
        sgio_volume_clear(&volume);
        if (sgio_volume_read(scratch_path(name), &options, &volume) != SGIO_OK)
            fail_msg("%s", sgio_last_message());
        assert_int_equal(volume.file_volume, v / 2 + 1);
        for (int n = 0; n < SIZE; n++)
            assert_int_equal(((uint8_t *)volume.data)[n], (7 * n + v / 2) % 251);
    }
}

/* Six values in two volumes of three, as SimpleITK and pynrrd write them. */
static void expect_volumes(const char *header)
{
    const unsigned char values[6] = {0, 1, 2, 10, 11, 12};
    save("four.nrrd", header, values, sizeof values);
    expect_file_refused("four.nrrd", "holds 2 volumes of 3 x 1 x 1 voxels");
    for (int v = 0; v < 2; v++) {
        const sgio_read_options options = {.series = v ? "2" : "1"};
        sgio_volume_clear(&volume);
        if (sgio_volume_read(scratch_path("four.nrrd"), &options, &volume) != SGIO_OK)
            fail_msg("%s", sgio_last_message());
        assert_memory_equal(volume.data, values + 3 * v, 3);
    }
}

#define FOUR "type: uint8\nencoding: raw\ndimension: 4\nsizes: 3 1 1 2\n"

static void a_fourth_dimension_is_volumes(void **state)
{
    (void)state;
    expect_volumes(FOUR "space dimension: 4\nkinds: domain domain domain domain\n"
                        "space directions: (0.6,0.8,0,0) (-1.6,1.2,0,0) (0,0,3,0) (0,0,0,5)\n"
                        "space origin: (10,20,30,40)\n");
    expect_element(0, 0, 0.6);
    expect_element(1, 0, 0.8);
    expect_element(2, 2, 3);
    expect_element(0, 3, 10);
    expect_element(2, 3, 30);
    expect_volumes(FOUR);
    expect_volumes(FOUR "spacings: 0.5 2 3 nan\n");
    expect_element(1, 1, 2);
    expect_volumes(FOUR "kinds: domain domain domain domain\n");
    expect_refused(FOUR "kinds: space space space space\n", "4 spatial axes");
    expect_refused(FOUR "space dimension: 4\n"
                        "space directions: (1,0,0,0) (0,1,0,0) (0,0,1,0) (0,0,1,5)\n",
                   "its axis 3 reaches into the fourth dimension");
    expect_refused(FOUR "space dimension: 4\n"
                        "space directions: (1,0,0,0) (0,1,0,0) (0,0,0,1) (0,0,0,5)\n",
                   "its axis 3 reaches into the fourth dimension");
    expect_refused(FOUR "space dimension: 4\n"
                        "space directions: (1,0,0,0) (0,1,0,0) (0,0,1,0) (0,0,0,0)\n",
                   "4 spatial axes");
    expect_refused(FOUR "space dimension: 5\n", "2, 3 or 4");
}

/* A lone volume in front, which was taken for two volumes of 1 x 3 x 4 voxels. */
static void of_axes_alike_the_one_of_one_voxel_is_odd(void **state)
{
    (void)state;
    save_ramp("a.nrrd", "type: uint8\nencoding: raw\ndimension: 4\nsizes: 1 3 4 2\n"
                        "spacings: 1 0.5 0.75 3\n");
    expect_ramp("a.nrrd");
    expect_element(0, 0, 0.5);
    expect_element(2, 2, 3);
    save_ramp("a.nrrd", "type: uint8\nencoding: raw\ndimension: 4\nsizes: 3 4 2 1\n");
    expect_ramp("a.nrrd");
    save_ramp("a.nrrd", "type: uint8\nencoding: raw\ndimension: 4\nsizes: 1 24 1 1\n");
    expect_ramp("a.nrrd");
    assert_int_equal(volume.geometry.size[1], 24); /* the last one still */
}

static void count_time(void *count, const char *sentence)
{
    *(int *)count += holds(sentence, "a patient's with time");
}

/* The fourth axis of the space is time; ITK turns none of these. */
static void spaces_with_time_are_those_without(void **state)
{
    static const struct {
        const char *space;
        double x, y;
    } spaces[] = {
        {"left-posterior-superior-time", 1, 1},
        {"LPST", 1, 1},
        {"right-anterior-superior-time", -1, -1},
        {"RAST", -1, -1},
        {"left-anterior-superior-time", 1, -1},
        {"LAST", 1, -1},
        {"scanner-xyz-time", 1, 1},
        {"3D-right-handed-time", 1, 1},
    };
    char header[512];
    (void)state;
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        int said = 0;
        const sgio_read_options options = {.series = "2", .warn = count_time, .warn_user = &said};
        snprintf(header, sizeof header,
                 FOUR "space: %s\nspace directions: (2,0,0,0) (0,3,0,0) (0,0,4,0) (0,0,0,5)\n"
                      "space origin: (10,20,30,40)\n",
                 spaces[i].space);
        expect_volumes(header);
        expect_element(0, 0, 2 * spaces[i].x);
        expect_element(1, 1, 3 * spaces[i].y);
        expect_element(2, 2, 4);
        expect_element(0, 3, 10 * spaces[i].x);
        expect_element(1, 3, 20 * spaces[i].y);
        expect_element(2, 3, 30);
        sgio_volume_clear(&volume);
        assert_int_equal(sgio_volume_read(scratch_path("four.nrrd"), &options, &volume), SGIO_OK);
        assert_int_equal(said, spaces[i].y < 0);
    }
    save_ramp("a.nrrd", "type: uint8\nencoding: raw\ndimension: 4\nsizes: 3 4 2 1\n"
                        "space: LPST\nspace directions: (2,0,0,0) (0,3,0,0) (0,0,4,0) none\n");
    expect_ramp("a.nrrd");
    expect_refused(SIZES "encoding: raw\nspace: LPST\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n",
                   "space directions");
    expect_refused(FOUR "space: LPST\nspace dimension: 3\n", "the 4 of the space");
    expect_refused(FOUR "space: superior-time\n", "with time or without");
}

static void the_only_volume_is_number_1(void **state)
{
    (void)state;
    save_ramp("a.nrrd", SIZES "encoding: raw\nspacings: 0.5 1.5 2\n");
    expect_only_volume("a.nrrd", "1  (no UID)  NRRD  3x4x2  0.5x1.5x2 mm\n");
}

static void test_refuses(void **state)
{
    (void)state;
    expect_refused("dimension: 4\nsizes: 2 3 4 1\ntype: uint8\nencoding: raw\n"
                   "space: left-posterior-superior\n"
                   "space directions: none (1,0,0) (0,1,0) (0,0,1)\n",
                   "holds 2 volumes of 3 x 4 x 1 voxels");
    expect_refused("dimension: 5\nsizes: 2 3 2 1 2\ntype: uint8\nencoding: raw\n"
                   "kinds: vector domain domain domain list\n",
                   "axis 4 (list) holds 2 volumes or values per voxel beside others");
    expect_refused("dimension: 4\nsizes: 3 4 2 1\ntype: uint8\nencoding: raw\n"
                   "kinds: domain domain list domain\n",
                   "extract the wanted one first");
    expect_refused(SIZES "encoding: bzip2\n", "bzip2");
    expect_refused(SIZES "encoding: raw\nspace: left-posterior-superior-time\n", "space");
    expect_refused("dimension: 3\nsizes: 3 4 3\ntype: uint8\nencoding: raw\n", "truncated");
    expect_refused("dimension: 3\nsizes: 3 4 -2\ntype: uint8\nencoding: raw\n", "sizes");
    expect_refused("dimension: 3\nsizes: 4000000000 4000000000 4000000000\ntype: uint8\n"
                   "encoding: raw\n",
                   "not credible");
    expect_refused("dimension: 3\nsizes: 3 4 2\ntype: uint16\nencoding: raw\n", "endian");
    expect_refused("dimension: 3\nsizes: 3 4 2\ntype: block\nencoding: raw\n", "block");
    expect_refused("sizes: 3 4 2\ndimension: 3\ntype: uint8\nencoding: raw\n", "before");
    expect_refused("dimension: 99\n", "dimension");
    expect_refused(SIZES, "encoding");
    expect_refused("no colon here\n", "colon");
    expect_refused(SIZES "encoding: raw\nspace: LPS\n"
                         "space directions: (nan,0,0) (0,1,0) (0,0,1)\n",
                   "(nan,0,0)");
    expect_refused(SIZES "encoding: raw\nspacings: 0,5 0,5 2\n", "0,5 0,5 2");
    expect_refused("dimension: 3x\n", "dimension");
    expect_refused("dimension: 3\nsizes: 3 4 99999999999999999999\n", "sizes");
    expect_refused(SIZES "encoding: raw\nspacings: 0x1 1 1\n", "0x1");
    expect_refused(SIZES "encoding: raw\nbyte skip: 1e3\n", "byte skip");
    expect_refused(SIZES "encoding: raw\nspace: LPS\nspace directions: (0,0,0) (0,1,0) (0,0,1)\n",
                   "zero");
}

static void test_refuses_other_files(void **state)
{
    (void)state;
    write_file("text.nrrd", "just text", 9);
    expect_file_refused("text.nrrd", "not an NRRD");
    write_file("open.nrrd", "NRRD0004\n" SIZES, 9 + strlen(SIZES));
    assert_int_equal(load("open.nrrd"), SGIO_UNREADABLE);
    write_file("note.txt", "just text", 9);
    expect_file_refused("note.txt", "not a volume");
}

static void keep_sentence(void *user, const char *sentence)
{
    snprintf(user, 512, "%s", sentence);
}

static void expect_said(const char *name, int assumed, const char *part)
{
    char said[512] = "";
    const sgio_read_options options = {.warn = keep_sentence, .warn_user = said};
    sgio_volume_clear(&volume);
    assert_int_equal(sgio_volume_read(scratch_path(name), &options, &volume), SGIO_OK);
    assert_int_equal(volume.spacing_assumed, assumed);
    assert_true(*part ? holds(said, part) : said[0] == '\0');
}

static void test_a_missing_spacing_is_said(void **state)
{
    (void)state;
    save_ramp("a.nrrd", SIZES "encoding: raw\n");
    expect_said("a.nrrd", 1, "gives no spacing: 1 mm is assumed");
    save_ramp("a.nrrd", SIZES "encoding: raw\nspacings: 0.5 nan 2\n");
    expect_said("a.nrrd", 1, "gives no spacing along j: 1 mm");
    save_ramp("a.nrrd", SIZES "encoding: raw\nspacings: 0.5 0.5 2\n");
    expect_said("a.nrrd", 0, "");
    save_ramp("a.nrrd", SIZES "encoding: raw\nspace: left-posterior-superior\n" GRID);
    expect_said("a.nrrd", 0, "");
    save_ramp("flat.nrrd", "dimension: 2\nsizes: 6 4\ntype: uint8\nencoding: raw\nspacings: 2 2\n");
    expect_said("flat.nrrd", 1, "gives no spacing along k");
}

static void test_other_units_are_said(void **state)
{
    (void)state;
    save_ramp("a.nrrd", SIZES "encoding: raw\nspace: left-posterior-superior\n" GRID
                              "space units: \"um\" \"um\" \"um\"\n");
    expect_said("a.nrrd", 1, "\"um\"; they are read as millimetres");
    save_ramp("a.nrrd", SIZES "encoding: raw\nspacings: 1 1 1\nunits: \"mm\" \"mm\" \"cm\"\n");
    expect_said("a.nrrd", 1, "\"cm\"");
    save_ramp("a.nrrd", SIZES "encoding: raw\nspace: left-posterior-superior\n" GRID
                              "space units: \"mm\" \"mm\" \"mm\"\n");
    expect_said("a.nrrd", 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_that_comes_twice_is_refused),
        cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_without_space),
        cmocka_unit_test(test_spacings_in_a_space),
        cmocka_unit_test(test_big_endian),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_detached_with_skips),
        cmocka_unit_test(test_axis_of_one),
        cmocka_unit_test(test_a_missing_spacing_is_said),
        cmocka_unit_test(test_other_units_are_said),
        cmocka_unit_test(one_of_several_volumes_is_chosen),
        cmocka_unit_test(a_fourth_dimension_is_volumes),
        cmocka_unit_test(of_axes_alike_the_one_of_one_voxel_is_odd),
        cmocka_unit_test(spaces_with_time_are_those_without),
        cmocka_unit_test(the_only_volume_is_number_1),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_other_files),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
