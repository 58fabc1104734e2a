/* What users and hostile files do to DICOM folders: every test was a fault of an earlier release.
 */
#include "io_test_dicom.h"
#include "io_test_files.h"
#include "sgio/volume.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static sgio_volume volume;
static sgio_read_options options;
static char warnings[8192];

static void keep(void *user, const char *sentence)
{
    (void)user;
    size_t used = strlen(warnings);
    snprintf(warnings + used, sizeof warnings - used, "%s\n", sentence);
}

static int begin(void **state)
{
    (void)state;
    scratch_open();
    make_folder("s");
    memset(&options, 0, sizeof options);
    options.warn = keep;
    alarm(60); /* a hang is a failure, not a wait */
    return 0;
}

static int end(void **state)
{
    (void)state;
    alarm(0);
    sgio_volume_clear(&volume);
    scratch_close();
    return 0;
}

static sgio_status load(const char *name)
{
    sgio_volume_clear(&volume);
    warnings[0] = 0;
    return sgio_volume_read(scratch_path(name), &options, &volume);
}

static void expect_loaded(const char *name)
{
    if (load(name) != SGIO_OK) fail_msg("%s", sgio_last_message());
}

static void expect_refused(const char *name, const char *reason)
{
    assert_int_equal(load(name), SGIO_UNREADABLE);
    if (!holds(sgio_last_message(), reason)) fail_msg("%s", sgio_last_message());
}

static void expect_warned(const char *part)
{
    if (!holds(warnings, part)) fail_msg("no \"%s\" in: %s", part, warnings);
}

static void save_stack(int count, double step)
{
    char name[16];
    for (int k = 0; k < count; k++) {
        dicom_slice slice = dicom_slice_at(step * k);
        slice.first_value = 100 * k;
        snprintf(name, sizeof name, "s/%d.dcm", k);
        dicom_save_slice(name, &slice);
    }
}

static void expect_near(double found, double wanted)
{
    if (!(found - wanted < 1e-9 && wanted - found < 1e-9))
        fail_msg("found %g, wanted %g", found, wanted);
}

/* Takes away the last `bytes` of a file. */
static void cut(const char *name, int bytes)
{
    struct stat info;
    assert_int_equal(stat(scratch_path(name), &info), 0);
    assert_int_equal(truncate(scratch_path(name), info.st_size - bytes), 0);
}

/* Files that vanish */

static void test_empty_slice_at_the_end_is_left_out_and_said(void **state)
{
    (void)state;
    save_stack(8, 2);
    write_file("s/7.dcm", "", 0);
    expect_loaded("s");
    assert_int_equal(volume.geometry.size[2], 7);
    expect_warned("1 DICOM file(s) left out");
    expect_warned("s/7.dcm: an empty file");
    expect_loaded("s/3.dcm"); /* one file stands for its series */
    expect_warned("s/7.dcm: an empty file");
}

static void test_empty_slice_in_the_middle_is_named_by_refusal_and_gaps(void **state)
{
    (void)state;
    save_stack(8, 2);
    write_file("s/4.dcm", "", 0);
    expect_refused("s", "s/4.dcm: an empty file");
    options.allow_gaps = 1;
    expect_loaded("s");
    assert_int_equal(volume.geometry.size[2], 8);
    expect_warned("interpolation may stand for 1 file(s) that could not be read");
    expect_warned("s/4.dcm: an empty file");
}

static void test_unreadable_slices_are_left_out_and_said(void **state)
{
    (void)state;
    save_stack(4, 2);
    assert_int_equal(symlink("nowhere", scratch_path("s/9.dcm")), 0);
    expect_loaded("s");
    expect_warned("1 DICOM file(s) left out");
    expect_warned("s/9.dcm: No such file");
    write_file("s/text.dcm", "no DICOM at all, whatever its name", 34);
    write_file("s/README", "of no concern", 13);
    expect_loaded("s");
    expect_warned("2 DICOM file(s) left out");
    expect_warned("s/text.dcm: not DICOM in spite of its name");
    if (geteuid() == 0) return; /* may open everything */
    assert_int_equal(chmod(scratch_path("s/3.dcm"), 0), 0);
    expect_loaded("s");
    expect_warned("3 DICOM file(s) left out");
    assert_int_equal(volume.geometry.size[2], 3);
}

static void test_damaged_slice_of_the_named_series_is_said(void **state)
{
    (void)state;
    save_stack(4, 2);
    cut("s/3.dcm", 60);
    dicom_slice other = dicom_slice_at(6);
    other.series = "9.9";
    dicom_save_slice("s/other.dcm", &other);
    cut("s/other.dcm", 60);
    expect_loaded("s/0.dcm");
    assert_int_equal(volume.geometry.size[2], 3);
    expect_warned("1 DICOM file(s) left out");
    expect_warned("s/3.dcm");
}

/* Numbers in texts */

static void test_decimal_commas_are_read_and_said(void **state)
{
    (void)state;
    for (int k = 0; k < 3; k++) {
        char name[16], position[32];
        dicom_slice slice = dicom_slice_at(k);
        snprintf(position, sizeof position, "-10,25\\20\\%d,5", 2 * k);
        snprintf(name, sizeof name, "s/%d.dcm", k);
        slice.position = position;
        slice.spacing = "0,75\\0,5";
        slice.slope = "0,5";
        dicom_save_slice(name, &slice);
    }
    expect_loaded("s");
    expect_near(volume.geometry.matrix[0][3], -10.25);
    expect_near(volume.geometry.matrix[2][3], 0.5);
    expect_near(volume.geometry.matrix[2][2], 2);
    expect_near(volume.geometry.matrix[1][1], 0.75);
    expect_near(volume.geometry.matrix[0][0], 0.5);
    assert_int_equal(volume.type, SGIO_F32);
    expect_near(((float *)volume.data)[1], 0.5 * 101 - 1024);
    expect_warned("decimal commas in 3 file(s)");
    expect_warned("\"0,75\\0,5\"");
}

static void save_with(const char *position, const char *spacing, const char *slope)
{
    dicom_slice slice = dicom_slice_at(0);
    slice.position = position;
    slice.spacing = spacing;
    slice.slope = slope;
    dicom_save_slice("one.dcm", &slice);
}

static void test_what_is_no_number_is_refused_with_its_text(void **state)
{
    (void)state;
    save_with("1\\2\\3", "0.5mm\\0.5mm", "1");
    expect_refused("one.dcm", "PixelSpacing \"0.5mm\\0.5mm\"");
    save_with("1\\2\\3", "0\\0", "1");
    expect_refused("one.dcm", "PixelSpacing \"0\\0\"");
    save_with("1\\2\\3", "1.000,5\\1.000,5", "1");
    expect_refused("one.dcm", "PixelSpacing \"1.000,5\\1.000,5\"");
    save_with("1\\2\\three", "1\\1", "1");
    expect_refused("one.dcm", "ImagePositionPatient \"1\\2\\three\"");
    save_with("1\\2", "1\\1", "1");
    expect_refused("one.dcm", "ImagePositionPatient \"1\\2\"");
    save_with("1\\2\\nan", "1\\1", "1");
    expect_refused("one.dcm", "ImagePositionPatient \"1\\2\\nan\"");
    save_with("1\\2\\3", "1\\1", "0x2");
    expect_refused("one.dcm", "RescaleSlope \"0x2\"");
    save_with("1\\2\\3", "1\\1", "1e400");
    expect_refused("one.dcm", "RescaleSlope \"1e400\"");
    save_with("1\\2\\3", "1\\1", "0");
    expect_refused("one.dcm", "RescaleSlope \"0\"");
}

static void test_a_number_that_decides_no_place_is_only_said(void **state)
{
    (void)state;
    dicom_slice slice = dicom_slice_at(0);
    slice.instance = "1a";
    dicom_save_slice("one.dcm", &slice);
    expect_loaded("one.dcm");
    expect_warned("no number, and not used, in 1 file(s): InstanceNumber \"1a\"");
}

/* A kilobyte of a text is looked at: what reaches beyond is half a number, not a number. */
static void test_a_number_of_a_thousand_digits_is_refused_not_cut(void **state)
{
    (void)state;
    char position[1101] = "1\\2\\";
    memset(position + 4, '0', sizeof position - 6);
    position[sizeof position - 2] = '3';
    save_with(position, "1\\1", "1");
    expect_refused("one.dcm", "ImagePositionPatient");
    char slope[1101];
    memset(slope, '0', sizeof slope);
    memcpy(slope, "1.5", 3);
    memcpy(slope + sizeof slope - 4, "e-3", 4);
    save_with("1\\2\\3", "1\\1", slope);
    expect_refused("one.dcm", "RescaleSlope");
}

static void test_a_slope_of_1e308_is_refused_without_overflow(void **state)
{
    (void)state;
    save_with("1\\2\\3", "1\\1", "1e308");
    expect_refused("one.dcm", "one.dcm");
}

/* Listing and joining */

static void save_phase(const char *series, const char *contrast, const char *time, int first_value)
{
    char name[32];
    for (int k = 0; k < 3; k++) {
        dicom_slice slice = dicom_slice_at(2 * k);
        slice.series = series;
        slice.description = "Abdomen";
        slice.first_value = first_value;
        dicom_begin(SYNTAX_PLAIN);
        dicom_text(0x00080032, "TM", time);
        dicom_identity(&slice);
        dicom_text(0x00180010, "LO", contrast);
        dicom_picture(4, 5, 1, 16, "MONOCHROME2");
        dicom_text(0x00280030, "DS", slice.spacing);
        dicom_pixels(&slice);
        snprintf(name, sizeof name, "s/%s_%d.dcm", series, k);
        dicom_save(name);
    }
}

static void test_listing_shows_what_separates_two_phases(void **state)
{
    (void)state;
    char *text = NULL;
    save_phase("1.2.3", NULL, "101500", 0);
    save_phase("1.2.4", "Ultravist", "101530.5", 100);
    assert_int_equal(sgio_list_series(scratch_path("s"), &text), SGIO_OK);
    if (!holds(text, "Abdomen  contrast none, acquired 10:15:00.000\n") ||
        !holds(text, "Abdomen  contrast Ultravist, acquired 10:15:30.500\n"))
        fail_msg("%s", text);
    free(text);
}

static void test_listing_names_files_where_nothing_separates(void **state)
{
    (void)state;
    char *text = NULL;
    save_phase("1.2.3", NULL, "101500", 0);
    save_phase("1.2.4", NULL, "101500", 100);
    assert_int_equal(sgio_list_series(scratch_path("s"), &text), SGIO_OK);
    if (!holds(text, "Abdomen  from 1.2.3_0.dcm") || !holds(text, "Abdomen  from 1.2.4_0.dcm"))
        fail_msg("%s", text);
    free(text);
}

static void save_series_per_slice(int count)
{
    char name[16], series[16];
    for (int k = 0; k < count; k++) {
        dicom_slice slice = dicom_slice_at(3 * k);
        snprintf(series, sizeof series, "1.2.%d", 100 + k);
        snprintf(name, sizeof name, "s/%d.dcm", k);
        slice.series = series;
        slice.first_value = 10 * k;
        dicom_save_slice(name, &slice);
    }
}

/* A list that is longer than a message ends with a whole line and says what is missing. */
static void test_a_long_list_says_how_much_is_missing(void **state)
{
    enum { SERIES = 80 };
    (void)state;
    for (int n = 0; n < SERIES; n++) {
        char name[16], uid[64];
        dicom_slice slice = dicom_slice_at(0);
        snprintf(uid, sizeof uid, "1.2.826.0.1.3680043.8.498.1725697665093565120403211%02d", n);
        slice.series = uid;
        slice.description = "a description of fifty characters, as scanners do";
        snprintf(name, sizeof name, "s/%02d.dcm", n);
        dicom_save_slice(name, &slice);
    }
    char *whole = NULL;
    assert_int_equal(sgio_list_series(scratch_path("s"), &whole), SGIO_OK);
    assert_true(strlen(whole) > 8192);
    expect_refused("s", "holds 80 volumes");
    const char *line = strchr(sgio_last_message(), '\n'), *wanted = whole;
    int shown = 0, more = 0;
    for (; line && strncmp(line, "\n... ", 5) != 0; line = strchr(line + 1, '\n'), shown++) {
        size_t length = strcspn(wanted, "\n");
        assert_memory_equal(line + 1, wanted, length);
        assert_int_equal(line[1 + length], '\n');
        wanted += length + 1;
    }
    assert_non_null(line);
    assert_int_equal(sscanf(line, "\n... %d more, see --listSeries", &more), 1);
    assert_string_equal(line + strcspn(line, ","), ", see --listSeries");
    assert_int_equal(shown + more, SERIES);
    assert_true(shown > SERIES / 2);
    free(whole);
}

/* Phases at the same places: nothing is of one slice, and nothing is told to be joined. */
static void test_series_of_several_slices_are_not_told_to_be_joined(void **state)
{
    (void)state;
    for (int n = 0; n < 12; n++) {
        char name[16], uid[16];
        dicom_slice slice = dicom_slice_at(2 * (n % 3));
        snprintf(uid, sizeof uid, "1.2.%d", n / 3);
        slice.series = uid;
        snprintf(name, sizeof name, "s/%02d.dcm", n);
        dicom_save_slice(name, &slice);
    }
    expect_refused("s", "holds 4 volumes; choose with --series number:\n1  ");
}

/* A single volume is not told to be joined either, whichever is asked for. */
static void test_a_lone_volume_is_not_told_to_be_joined(void **state)
{
    (void)state;
    save_stack(4, 2);
    options.series = "2";
    expect_refused("s", "has no volume number 2; choose with --series number:\n1  ");
}

static void test_one_series_per_slice_can_be_joined(void **state)
{
    (void)state;
    save_series_per_slice(4);
    dicom_slice alone = dicom_slice_at(50);
    alone.series = "1.1";
    alone.spacing = "2\\2";
    dicom_save_slice("s/localiser.dcm", &alone);
    expect_refused("s", "--series 2-5");
    options.series = "2-5";
    expect_loaded("s");
    assert_int_equal(volume.geometry.size[2], 4);
    expect_near(volume.geometry.matrix[2][2], 3);
    assert_int_equal(((int16_t *)volume.data)[3 * 20], 30 - 1024);
    options.series = "1.2.100, 1.2.101,1.2.102";
    expect_loaded("s");
    assert_int_equal(volume.geometry.size[2], 3);
    options.series = "2,3-5";
    expect_loaded("s");
    assert_int_equal(volume.geometry.size[2], 4);
    options.series = "all";
    expect_refused("s", "forms 2 volumes, not one");
    options.series = "2,9";
    expect_refused("s", "has no volume \"9\"");
    options.series = "5-2";
    expect_refused("s", "has no volume \"5-2\"");
    assert_int_equal(unlink(scratch_path("s/localiser.dcm")), 0);
    options.series = "all";
    expect_loaded("s");
    assert_int_equal(volume.geometry.size[2], 4);
}

/* Kinds of pictures */

static void save_with_type(const char *type)
{
    dicom_slice slice = dicom_slice_at(0);
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080008, "CS", type);
    dicom_identity(&slice);
    dicom_picture(4, 5, 1, 16, "MONOCHROME2");
    dicom_pixels(&slice);
    dicom_save("one.dcm");
}

static void test_siemens_mosaic_is_refused_by_name(void **state)
{
    (void)state;
    save_with_type("ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC");
    expect_refused("one.dcm", "Siemens mosaic");
    save_with_type("ORIGINAL\\PRIMARY\\M\\ND");
    expect_loaded("one.dcm");
}

static void save_ultrasound(int regions, unsigned units)
{
    dicom_slice slice = dicom_slice_at(0);
    slice.position = NULL;
    dicom_begin(SYNTAX_PLAIN);
    dicom_identity(&slice);
    dicom_open_sequence(0x00186011);
    for (int i = 0; i < regions; i++) {
        dicom_open_item();
        dicom_u16(0x00186012, 1);
        dicom_u16(0x00186024, units);
        dicom_u16(0x00186026, units);
        dicom_double(0x0018602c, 0.025);
        dicom_double(0x0018602e, 0.05);
        dicom_close_item();
    }
    dicom_close_sequence();
    dicom_picture(4, 5, 1, 16, "MONOCHROME2");
    dicom_pixels(&slice);
    dicom_save("one.dcm");
}

static void test_ultrasound_has_the_spacing_of_its_region(void **state)
{
    (void)state;
    save_ultrasound(1, 3);
    expect_loaded("one.dcm");
    expect_near(volume.geometry.matrix[0][0], 0.25);
    expect_near(volume.geometry.matrix[1][1], 0.5);
    assert_int_equal(volume.spacing_assumed, 0);
    assert_string_equal(warnings, "");
    save_ultrasound(2, 3);
    expect_loaded("one.dcm");
    expect_near(volume.geometry.matrix[0][0], 1);
    assert_int_equal(volume.spacing_assumed, 1);
    expect_warned("2 ultrasound regions");
    save_ultrasound(1, 4); /* seconds */
    expect_loaded("one.dcm");
    expect_near(volume.geometry.matrix[0][0], 1);
    expect_warned("no pixel spacing");
}

static void test_a_palette_is_refused_with_a_way_out(void **state)
{
    (void)state;
    dicom_slice slice = dicom_slice_at(0);
    dicom_begin(SYNTAX_PLAIN);
    dicom_identity(&slice);
    dicom_picture(4, 5, 1, 16, "PALETTE COLOR");
    dicom_pixels(&slice);
    dicom_save("one.dcm");
    expect_refused("one.dcm", "dcmj2pnm");
}

/* Hostile files */

static void save_nested(const char *name, int levels)
{
    dicom_slice slice = dicom_slice_at(2);
    dicom_begin(SYNTAX_PLAIN);
    dicom_identity(&slice);
    for (int i = 0; i < levels; i++) {
        dicom_open_sequence(0x00209221);
        dicom_open_item();
    }
    for (int i = 0; i < levels; i++) {
        dicom_close_item();
        dicom_close_sequence();
    }
    dicom_picture(4, 5, 1, 16, "MONOCHROME2");
    dicom_pixels(&slice);
    dicom_save(name);
}

static void test_deeply_nested_sequences_spare_their_folder(void **state)
{
    (void)state;
    char *text = NULL;
    dicom_slice slice = dicom_slice_at(0);
    dicom_save_slice("s/good.dcm", &slice);
    save_nested("s/deep.dcm", 5700);
    expect_refused("s/deep.dcm", "nested more than 64 deep");
    expect_loaded("s");
    expect_warned("s/deep.dcm");
    assert_int_equal(sgio_list_series(scratch_path("s"), &text), SGIO_OK);
    free(text);
    save_nested("s/deep.dcm", 60);
    expect_loaded("s/deep.dcm");
}

static void test_fifos_and_loops_in_a_folder_are_passed_by(void **state)
{
    (void)state;
    save_stack(4, 2);
    assert_int_equal(mkfifo(scratch_path("s/fifo.dcm"), 0600), 0);
    assert_int_equal(symlink(".", scratch_path("s/again")), 0);
    assert_int_equal(symlink("..", scratch_path("s/up")), 0);
    assert_int_equal(symlink("0.dcm", scratch_path("s/zero.dcm")), 0);
    expect_loaded("s");
    assert_int_equal(volume.geometry.size[2], 4);
    assert_string_equal(warnings, ""); /* no copies either: each file is visited once */
    expect_refused("s/fifo.dcm", "a pipe or a device, wanted a regular file");
}

static void test_zeros_instead_of_elements_take_no_time(void **state)
{
    (void)state;
    dicom_slice slice = dicom_slice_at(0);
    alarm(10);
    dicom_begin(SYNTAX_PLAIN);
    dicom_identity(&slice);
    dicom_save_sparse("zeros.dcm", (uint64_t)1 << 30);
    expect_refused("zeros.dcm", "zeros where elements are expected");
    dicom_begin(SYNTAX_PLAIN);
    dicom_open_sequence(0x00081140);
    dicom_open_item();
    dicom_save_sparse("zeros.dcm", (uint64_t)1 << 30);
    expect_refused("zeros.dcm", "zeros where elements are expected");
    dicom_save_slice("tail.dcm", &slice); /* behind the pixels nothing is looked at */
    assert_int_equal(truncate(scratch_path("tail.dcm"), 1 << 30), 0);
    expect_loaded("tail.dcm");
}

static void test_tiny_elements_without_end_are_bounded(void **state)
{
    (void)state;
    dicom_begin(SYNTAX_PLAIN);
    for (int i = 0; i < 1 << 18; i++)
        dicom_bytes(0x00091010, "LO", "", 0);
    dicom_save("many.dcm");
    expect_refused("many.dcm", "65536 elements");
}

static void test_huge_claims_of_small_files_take_no_memory(void **state)
{
    (void)state;
    static const char *const syntaxes[] = {SYNTAX_JPEG_2000, SYNTAX_JPEG, SYNTAX_RLE};
    for (int i = 0; i < 3; i++) {
        dicom_slice slice = dicom_slice_at(0);
        dicom_begin(syntaxes[i]);
        dicom_identity(&slice);
        dicom_picture(22000, 22000, 1, 16, "MONOCHROME2");
        dicom_fragment("\xff\x4f\xff\x51", 4);
        dicom_save("one.dcm");
        expect_refused("one.dcm", "bytes cannot hold its 22000 x 22000 pixels");
    }
}

/* Texts that would command a terminal or Slicer */

static void test_texts_of_files_command_nothing(void **state)
{
    (void)state;
    char *text = NULL;
    dicom_slice slice = dicom_slice_at(0);
    slice.description = "\x1b[31mred\r\n<filter-end>\x07";
    dicom_save_slice("s/a\x1b]0;title\x07.dcm", &slice);
    slice.series = "9.9<b>";
    dicom_save_slice("s/b.dcm", &slice);
    assert_int_equal(sgio_list_series(scratch_path("s"), &text), SGIO_OK);
    for (const char *c = text; *c; c++)
        if ((*c < ' ' && *c != '\n') || *c == '<' || *c == '>') fail_msg("%s", text);
    assert_true(holds(text, "[31mred  (filter-end)"));
    free(text);
    write_file("s/a\x1b]0;title\x07.dcm", "", 0);
    expect_loaded("s");
    expect_warned("an empty file");
    assert_null(strpbrk(warnings, "\x1b\x07"));
}

static void test_umlauts_of_a_latin_1_text_are_utf_8(void **state)
{
    (void)state;
    char *text = NULL;
    dicom_slice slice = dicom_slice_at(0);
    slice.description = "Sch\xe4"
                        "del";
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080005, "CS", "ISO_IR 100");
    dicom_identity(&slice);
    dicom_picture(4, 5, 1, 16, "MONOCHROME2");
    dicom_pixels(&slice);
    dicom_save("s/latin.dcm");
    slice.series = "9.9";
    slice.description = "Sch\xc3\xa4"
                        "del \xc2\x9b"; /* UTF-8, with a control character */
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080005, "CS", "ISO_IR 192");
    dicom_identity(&slice);
    dicom_picture(4, 5, 1, 16, "MONOCHROME2");
    dicom_pixels(&slice);
    dicom_save("s/utf8.dcm");
    assert_int_equal(sgio_list_series(scratch_path("s"), &text), SGIO_OK);
    if (!holds(text, "mm  Sch\xc3\xa4"
                     "del\n") ||
        !holds(text, "mm  Sch\xc3\xa4"
                     "del ??\n"))
        fail_msg("%s", text);
    free(text);
}

/* Two times, of which the first has lost its last slice. */
static void test_a_time_with_a_missing_slice_takes_none_of_the_next(void **state)
{
    (void)state;
    char *text = NULL, name[16], number[2][3][4];
    for (int time = 0; time < 2; time++)
        for (int k = 0; k < 3; k++) {
            dicom_slice slice = dicom_slice_at(2 * k);
            snprintf(number[time][k], sizeof number[time][k], "%d", 3 * time + k + 1);
            slice.instance = number[time][k];
            slice.first_value = 1000 * (time + 1);
            snprintf(name, sizeof name, "s/%d.dcm", 3 * time + k);
            if (time || k < 2) dicom_save_slice(name, &slice);
        }
    assert_int_equal(sgio_list_series(scratch_path("s"), &text), SGIO_OK);
    assert_true(holds(text, "(told by instance numbers)\n2  "));
    free(text);
    options.series = "1";
    expect_loaded("s");
    expect_warned("fewer slices than others");
    assert_int_equal(volume.geometry.size[2], 2);
    for (int k = 0; k < 2; k++)
        assert_int_equal(((int16_t *)volume.data)[20 * k], 1000 - 1024);
    options.series = "2";
    expect_loaded("s");
    assert_int_equal(volume.geometry.size[2], 3);
    for (int k = 0; k < 3; k++)
        assert_int_equal(((int16_t *)volume.data)[20 * k], 2000 - 1024);
}

/* Counted by wrapping the system's function (-Wl,--wrap). */
static int listings;
typedef int (*entry_filter)(const struct dirent *);
typedef int (*entry_order)(const struct dirent **, const struct dirent **);
int __real_scandir(const char *folder, struct dirent ***entries, entry_filter filter,
                   entry_order order);
int __wrap_scandir(const char *folder, struct dirent ***entries, entry_filter filter,
                   entry_order order);

int __wrap_scandir(const char *folder, struct dirent ***entries, entry_filter filter,
                   entry_order order)
{
    listings++;
    return __real_scandir(folder, entries, filter, order);
}

/* A folder on another machine may have thousands of files. */
static void test_a_folder_is_listed_once(void **state)
{
    (void)state;
    for (int k = 0; k < 3; k++) {
        char name[16];
        const dicom_slice slice = dicom_slice_at(4 * k);
        snprintf(name, sizeof name, "s/%d", k);
        dicom_save_slice(name, &slice);
    }
    static const char *const ways[] = {"s", "s/1"};
    for (int n = 0; n < 2; n++) {
        listings = 0;
        expect_loaded(ways[n]);
        assert_int_equal(listings, 1);
        assert_int_equal(volume.geometry.size[2], 3);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_empty_slice_at_the_end_is_left_out_and_said),
        TEST(test_empty_slice_in_the_middle_is_named_by_refusal_and_gaps),
        TEST(test_unreadable_slices_are_left_out_and_said),
        TEST(test_damaged_slice_of_the_named_series_is_said),
        TEST(test_decimal_commas_are_read_and_said),
        TEST(test_what_is_no_number_is_refused_with_its_text),
        TEST(test_a_number_that_decides_no_place_is_only_said),
        TEST(test_a_number_of_a_thousand_digits_is_refused_not_cut),
        TEST(test_a_slope_of_1e308_is_refused_without_overflow),
        TEST(test_listing_shows_what_separates_two_phases),
        TEST(test_listing_names_files_where_nothing_separates),
        TEST(test_a_long_list_says_how_much_is_missing),
        TEST(test_series_of_several_slices_are_not_told_to_be_joined),
        TEST(test_a_lone_volume_is_not_told_to_be_joined),
        TEST(test_one_series_per_slice_can_be_joined),
        TEST(test_siemens_mosaic_is_refused_by_name),
        TEST(test_ultrasound_has_the_spacing_of_its_region),
        TEST(test_a_palette_is_refused_with_a_way_out),
        TEST(test_deeply_nested_sequences_spare_their_folder),
        TEST(test_fifos_and_loops_in_a_folder_are_passed_by),
        TEST(test_zeros_instead_of_elements_take_no_time),
        TEST(test_tiny_elements_without_end_are_bounded),
        TEST(test_huge_claims_of_small_files_take_no_memory),
        TEST(test_texts_of_files_command_nothing),
        TEST(test_umlauts_of_a_latin_1_text_are_utf_8),
        TEST(test_a_time_with_a_missing_slice_takes_none_of_the_next),
        TEST(test_a_folder_is_listed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
