/* DICOM Segmentations: written beside a series, read back, refused. The series are written byte by
 * byte by tests/unit/io/io_test_dicom. */
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
#include <sys/stat.h>

#include <cmocka.h>

enum { ROWS = 4, COLUMNS = 5, SLICES = 6, SLICE = ROWS * COLUMNS, VOXELS = SLICE * SLICES };

static sgio_volume volume;
static sgio_segmentation written, found;
static sgio_segmentation_write_options how;
static char warnings[4096];

static void keep(void *user, const char *sentence)
{
    (void)user;
    size_t used = strlen(warnings);
    snprintf(warnings + used, sizeof warnings - used, "%s\n", sentence);
}

static void save_series(int with_gap)
{
    char name[16];
    for (int k = 0; k < SLICES; k++) {
        dicom_slice slice = dicom_slice_at(2 * k);
        snprintf(name, sizeof name, "s/%d.dcm", k);
        if (!with_gap || k != 2) dicom_save_slice(name, &slice);
    }
}

static int begin(void **state)
{
    (void)state;
    scratch_open();
    make_folder("s");
    warnings[0] = 0;
    memset(&how, 0, sizeof how);
    how.source = &volume;
    how.warn = keep;
    return 0;
}

static int end(void **state)
{
    (void)state;
    sgio_segmentation_clear(&written);
    sgio_segmentation_clear(&found);
    sgio_volume_clear(&volume);
    scratch_close();
    return 0;
}

static void read_series(int allow_gaps)
{
    const sgio_read_options options = {.allow_gaps = allow_gaps};
    assert_int_equal(sgio_volume_read(scratch_path("s"), &options, &volume), SGIO_OK);
    assert_int_equal(sgio_segmentation_init(&written, &volume.geometry), SGIO_OK);
}

/* Voxel n is in the segment where n is a multiple of `every` on slices `first` to `last`. */
static void add(const char *name, int every, int first, int last)
{
    const double colour[3] = {0.2, 0.4, 0.6};
    uint8_t mask[VOXELS] = {0};
    size_t index;
    for (int n = first * SLICE; n < (last + 1) * SLICE; n++)
        mask[n] = n % every == 0;
    assert_int_equal(sgio_segmentation_add(&written, name, colour, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&written, index, mask), SGIO_OK);
}

static void write_seg(void)
{
    if (sgio_segmentation_write(&written, scratch_path("out.dcm"), &how, NULL) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
}

static void read_seg(const sgio_geometry *grid)
{
    const sgio_segmentation_read_options options = {.grid = grid};
    if (sgio_segmentation_read(scratch_path("out.dcm"), &options, &found) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
}

static void expect_same_mask(size_t s)
{
    uint8_t wanted[VOXELS], got[VOXELS];
    sgio_segmentation_get_mask(&written, s, wanted);
    sgio_segmentation_get_mask(&found, s, got);
    assert_memory_equal(wanted, got, VOXELS);
}

static void test_overlapping_and_empty_segments_come_back(void **state)
{
    (void)state;
    save_series(0);
    read_series(0);
    add("Liver", 3, 1, 4);
    add("Tum\xc3\xb6r", 2, 2, 3);
    add("nothing", 1, 0, -1);
    write_seg();
    read_seg(&volume.geometry);
    assert_true(sgio_geometry_equal(&found.geometry, &volume.geometry, 1e-9));
    assert_int_equal(found.segment_count, 3);
    assert_string_equal(found.segments[0].name, "Liver");
    assert_string_equal(found.segments[1].name, "Tum\xc3\xb6r");
    assert_int_equal(found.segments[2].voxels, 0);
    for (size_t s = 0; s < 3; s++)
        expect_same_mask(s);
    for (int c = 0; c < 3; c++)
        assert_true(found.segments[0].colour[c] - written.segments[0].colour[c] < 1e-3 &&
                    written.segments[0].colour[c] - found.segments[0].colour[c] < 1e-3);
    assert_true(holds(found.segments[0].terminology, "SCT^10200004^Liver"));
}

/* A series of that character set (NULL: none) and that name of its patient. */
static void save_named_series(const char *characters, const char *name)
{
    char file[16];
    for (int k = 0; k < SLICES; k++) {
        dicom_slice slice = dicom_slice_at(2 * k);
        snprintf(file, sizeof file, "s/%d.dcm", k);
        dicom_begin(SYNTAX_PLAIN);
        dicom_text(0x00080005, "CS", characters);
        dicom_text(0x00100010, "PN", name);
        dicom_identity(&slice);
        dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
        dicom_text(0x00280030, "DS", slice.spacing);
        dicom_pixels(&slice);
        dicom_save(file);
    }
}

/* How often the text stands in the file. */
static int count_in(const char *name, const char *text)
{
    static char bytes[1 << 16];
    int count = 0;
    FILE *file = fopen(scratch_path(name), "rb");
    assert_non_null(file);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t at = 0; at + strlen(text) <= size; at++)
        count += memcmp(bytes + at, text, strlen(text)) == 0;
    return count;
}

/* A name that is not of its character set stays as it is, with what is declared. */
static void test_names_keep_their_characters(void **state)
{
    static const struct {
        const char *characters, *name, *written_name, *written_characters;
    } cases[] = {{NULL, "M\xfcller^J", "M\xfcller^J", NULL},
                 {"ISO_IR 192", "M\xfcller^J", "M\xfcller^J", "ISO_IR 192"},
                 {"ISO_IR 100", "\x93M\xfcller\x94", "\x93M\xfcller\x94", "ISO_IR 100"},
                 {NULL, "Yamada=\x1b$B;3ED", "Yamada=\x1b$B;3ED", NULL},
                 {"ISO_IR 100", "M\xfcller^J", "M\xc3\xbcller^J", "ISO_IR 192"},
                 {"ISO_IR 144", "\xbb\xee\xda", "\xbb\xee\xda", "ISO_IR 144"},
                 {NULL, "Miller^J", "Miller^J", "ISO_IR 192"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int rt = 0; rt < 2; rt++) {
            const char *out = rt ? "out.rtstruct.dcm" : "out.dcm";
            save_named_series(cases[i].characters, cases[i].name);
            read_series(0);
            add("Tum\xc3\xb6r", 2, 2, 3);
            if (sgio_segmentation_write(&written, scratch_path(out), &how, NULL) != SGIO_OK)
                fail_msg("%s", sgio_last_message());
            assert_int_equal(count_in(out, cases[i].written_name), 1);
            assert_int_equal(count_in(out, "ISO_IR"), cases[i].written_characters != NULL);
            if (cases[i].written_characters)
                assert_int_equal(count_in(out, cases[i].written_characters), 1);
            sgio_segmentation_clear(&written);
            sgio_volume_clear(&volume);
        }
}

/* Frames exist only where something is, and yet the stack between them is whole. */
static void test_without_a_grid_the_frames_make_their_own(void **state)
{
    (void)state;
    save_series(0);
    read_series(0);
    add("low", 3, 1, 1);
    add("high", 3, 4, 4);
    write_seg();
    read_seg(NULL);
    assert_int_equal(found.geometry.size[2], 4);
    assert_true(found.geometry.matrix[2][3] == 2 && found.geometry.matrix[2][2] == 2);
    assert_int_equal(found.segments[0].extent[4], 0);
    assert_int_equal(found.segments[1].extent[4], 3);
}

static size_t read_whole(const char *name, unsigned char *bytes, size_t most)
{
    FILE *file = fopen(scratch_path(name), "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, most, file);
    fclose(file);
    return size;
}

/* 20 voxels a frame end within a byte: the next frame begins there. */
static void test_bits_of_frames_follow_without_padding(void **state)
{
    (void)state;
    static unsigned char bytes[1 << 16];
    save_series(0);
    read_series(0);
    add("all", 1, 0, 0);
    add("first", SLICE, 1, 2);
    write_seg();
    size_t size = read_whole("out.dcm", bytes, sizeof bytes);
    const unsigned char wanted[] = {
        0xe0, 0x7f, 0x10, 0, 'O', 'B', 0, 0, 8, 0, 0, 0, 0xff, 0xff, 0xff >> 4 | 0x10,
        0,    0,    0x01, 0, 0};
    assert_true(size > sizeof wanted);
    assert_memory_equal(bytes + size - sizeof wanted, wanted, sizeof wanted);
}

static void test_interpolated_slices_have_no_frame(void **state)
{
    (void)state;
    save_series(1);
    read_series(1);
    add("Liver", 3, 1, 4);
    write_seg();
    assert_true(holds(warnings, "1 slices between those of the series are interpolated"));
    read_seg(&volume.geometry);
    assert_int_equal(found.segments[0].voxels, written.segments[0].voxels - 6); /* 42, 45, ... 57 */
}

static void test_what_cannot_refer_to_slices_is_refused_before_the_work(void **state)
{
    (void)state;
    save_series(0);
    read_series(0);
    const char *path = scratch_path("out.dcm");
    how.source = NULL;
    assert_int_equal(sgio_segmentation_check_write(path, &volume.geometry, &how), SGIO_USAGE);
    assert_true(holds(sgio_last_message(), "the input is no DICOM series"));
    assert_false(holds(sgio_last_message(), "--"));
    how.reference_option = "--series-of";
    assert_int_equal(sgio_segmentation_check_write(path, &volume.geometry, &how), SGIO_USAGE);
    assert_true(holds(sgio_last_message(), "(--series-of names the one it was made of)"));
    sgio_geometry other = volume.geometry;
    other.matrix[0][3] += 1;
    how.source = &volume;
    assert_int_equal(sgio_segmentation_check_write(path, &other, &how), SGIO_USAGE);
    assert_int_equal(sgio_segmentation_check_write(path, &volume.geometry, &how), SGIO_OK);
}

/* A file made of the series counts its voxels as it likes: here along k, j backwards, i backwards.
 */
static sgio_geometry other_order(const sgio_geometry *g)
{
    static const int axis[3] = {2, 1, 0}, backwards[3] = {0, 1, 1};
    sgio_geometry out = *g;
    for (int a = 0; a < 3; a++) {
        out.size[a] = g->size[axis[a]];
        for (int r = 0; r < 3; r++) {
            out.matrix[r][a] = g->matrix[r][axis[a]] * (backwards[a] ? -1 : 1);
            if (backwards[a]) out.matrix[r][3] += g->matrix[r][axis[a]] * (double)(out.size[a] - 1);
        }
    }
    return out;
}

static void read_reference(void)
{
    const sgio_read_options options = {.without_voxels = 1};
    assert_int_equal(sgio_volume_read(scratch_path("s"), &options, &volume), SGIO_OK);
    assert_null(volume.data);
    how.source = NULL;
    how.reference = &volume;
    how.reference_path = "series";
}

/* `got` is a mask on other_order of the series. */
static void expect_turned(const uint8_t *wanted, const uint8_t *got)
{
    for (int k = 0; k < SLICES; k++)
        for (int j = 0; j < ROWS; j++)
            for (int i = 0; i < COLUMNS; i++) {
                const int there = (COLUMNS - 1 - i) * SLICES * ROWS + (ROWS - 1 - j) * SLICES + k;
                assert_int_equal(wanted[k * SLICE + j * COLUMNS + i], got[there]);
            }
}

/* On two slices with others between them: alone the frames would make a grid of their own. */
static void test_frames_on_few_slices_are_read_onto_a_file_of_the_series(void **state)
{
    (void)state;
    uint8_t wanted[VOXELS], got[VOXELS];
    save_series(0);
    read_series(0);
    add("low", 3, 1, 1);
    add("high", 7, 4, 4);
    write_seg();
    const sgio_geometry turned = other_order(&volume.geometry);
    read_seg(&turned);
    assert_memory_equal(&found.geometry, &turned, sizeof turned);
    for (size_t s = 0; s < 2; s++) {
        sgio_segmentation_get_mask(&written, s, wanted);
        sgio_segmentation_get_mask(&found, s, got);
        expect_turned(wanted, got);
    }
}

static void save_series_at(const double *heights)
{
    char name[16];
    for (int k = 0; k < SLICES; k++) {
        dicom_slice slice = dicom_slice_at(heights[k]);
        snprintf(name, sizeof name, "s/%d.dcm", k);
        dicom_save_slice(name, &slice);
    }
}

static sgio_status read_back(const sgio_volume *of)
{
    const sgio_segmentation_read_options options = {
        .grid = &volume.geometry, .volume = of, .warn = keep};
    sgio_segmentation_clear(&found);
    warnings[0] = 0;
    return sgio_segmentation_read(scratch_path("out.dcm"), &options, &found);
}

/* Heights with one decimal: up to 8 % of a slice from an even stack. What was written comes back to
 * the slices, and without them is seen to be near enough. */
static void test_frames_of_uneven_slices_come_back(void **state)
{
    static const double heights[SLICES] = {0, 0.6, 1.3, 1.9, 2.5, 3.1};
    (void)state;
    save_series_at(heights);
    read_series(0);
    add("Liver", 3, 1, 4);
    write_seg();
    for (int known = 0; known < 2; known++) {
        if (read_back(known ? &volume : NULL) != SGIO_OK) fail_msg("%s", sgio_last_message());
        assert_memory_equal(&found.geometry, &volume.geometry, sizeof found.geometry);
        expect_same_mask(0);
        assert_int_equal(holds(warnings, "out.dcm: its frames lie up to 0.0"), !known);
    }
}

/* Resampled: frames have the mask of the nearest slice of the grid, up to half a slice away, and
 * come back to that one. */
static void test_frames_of_a_resampled_series_come_back(void **state)
{
    static const double heights[SLICES] = {0, 2, 4, 7, 9, 11};
    uint8_t wanted[7 * SLICE], got[7 * SLICE];
    size_t index;
    (void)state;
    save_series_at(heights);
    read_series(1);
    assert_int_equal(volume.geometry.size[2], 7);
    for (int n = 0; n < 7 * SLICE; n++)
        wanted[n] = n % 3 == 0;
    assert_int_equal(sgio_segmentation_add(&written, "all", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&written, index, wanted), SGIO_OK);
    write_seg();
    assert_int_equal(read_back(NULL), SGIO_UNREADABLE);
    assert_true(holds(sgio_last_message(), "unevenly"));
    if (read_back(&volume) != SGIO_OK) fail_msg("%s", sgio_last_message());
    sgio_segmentation_get_mask(&found, 0, got);
    for (int k = 0; k < 7; k++) {
        int at = -1; /* the slice nearest to it; none is nearest to the one that was made up */
        for (int s = 0; s < SLICES; s++)
            if (rint(heights[s] / volume.geometry.matrix[2][2]) == k) at = s;
        for (int n = 0; n < SLICE; n++)
            assert_int_equal(got[k * SLICE + n], at >= 0 && wanted[k * SLICE + n]);
    }
}

static void test_an_input_that_counts_the_voxels_otherwise_refers_to_its_series(void **state)
{
    (void)state;
    uint8_t got[VOXELS];
    save_series(0);
    read_reference();
    sgio_geometry turned = other_order(&volume.geometry);
    turned.matrix[0][3] += 0.004; /* as floats and decimals make of it */
    assert_int_equal(sgio_segmentation_init(&written, &turned), SGIO_OK);
    add("Liver", 7, 1, 3);
    write_seg();
    read_seg(&volume.geometry);
    sgio_segmentation_get_mask(&found, 0, got);
    uint8_t wanted[VOXELS];
    sgio_segmentation_get_mask(&written, 0, wanted);
    expect_turned(got, wanted);
    assert_int_equal(sgio_segmentation_check_write(scratch_path("x.rtstruct.dcm"), &turned, &how),
                     SGIO_OK);
}

static void test_another_grid_than_the_reference_is_told_with_both(void **state)
{
    (void)state;
    save_series(0);
    read_reference();
    sgio_geometry other = volume.geometry;
    other.matrix[0][3] += 0.5;
    other.size[2] = 7;
    assert_int_equal(sgio_segmentation_check_write(scratch_path("out.dcm"), &other, &how),
                     SGIO_USAGE);
    assert_true(holds(sgio_last_message(), "the input has 5 x 4 x 7 voxels"));
    assert_true(holds(sgio_last_message(), "the reference series has 5 x 4 x 6 voxels"));
    other = volume.geometry;
    other.matrix[0][3] += 0.1;
    assert_int_equal(sgio_segmentation_check_write(scratch_path("out.dcm"), &other, &how),
                     SGIO_USAGE);
}

static void test_without_a_frame_the_file_that_is_there_stays(void **state)
{
    (void)state;
    unsigned char bytes[16];
    save_series(0);
    read_series(0);
    add("nothing", 1, 0, -1);
    write_file("out.dcm", "before", 6);
    assert_int_equal(sgio_segmentation_write(&written, scratch_path("out.dcm"), &how, NULL),
                     SGIO_UNWRITABLE);
    assert_true(holds(sgio_last_message(), "nothing was segmented"));
    assert_int_equal(read_whole("out.dcm", bytes, sizeof bytes), 6);
    assert_memory_equal(bytes, "before", 6);
}

static void test_cut_segmentations_are_refused(void **state)
{
    (void)state;
    static unsigned char bytes[1 << 16];
    save_series(0);
    read_series(0);
    add("Liver", 3, 1, 4);
    write_seg();
    size_t size = read_whole("out.dcm", bytes, sizeof bytes);
    for (size_t cut = 4; cut < size; cut += 37) {
        write_file("out.dcm", bytes, size - cut);
        assert_int_equal(sgio_segmentation_read(scratch_path("out.dcm"), NULL, &found),
                         SGIO_UNREADABLE);
    }
}

static void test_a_series_without_study_or_frame_is_told(void **state)
{
    (void)state;
    save_series(0);
    read_series(0);
    add("Liver", 3, 1, 4);
    write_seg();
    assert_true(holds(warnings, "no FrameOfReferenceUID"));
}

/* The text of the first element of VR DS with that tag in out.dcm. */
static void find_decimals(uint32_t tag, char *text, size_t most)
{
    static unsigned char bytes[1 << 16];
    const unsigned char head[6] = {(unsigned char)(tag >> 16),
                                   (unsigned char)(tag >> 24),
                                   (unsigned char)tag,
                                   (unsigned char)(tag >> 8),
                                   'D',
                                   'S'};
    size_t size = read_whole("out.dcm", bytes, sizeof bytes), at = 0;
    while (at + 8 < size && memcmp(bytes + at, head, sizeof head) != 0)
        at++;
    assert_true(at + 8 < size);
    size_t length = bytes[at + 6] | (size_t)bytes[at + 7] << 8;
    assert_true(length < most && at + 8 + length <= size);
    memcpy(text, bytes + at + 8, length);
    text[length] = 0;
}

/* Values parted by backslashes, each of 16 characters at most and near what is wanted. */
static void expect_decimals(uint32_t tag, const double *wanted, int count)
{
    char text[256];
    find_decimals(tag, text, sizeof text);
    char *at = text;
    for (int i = 0; i < count; i++) {
        char *end;
        double value = strtod(at, &end);
        if (end - at > 16 || !(value - wanted[i] < 1e-9 && wanted[i] - value < 1e-9))
            fail_msg("value %d of %s is not %.17g", i, text, wanted[i]);
        assert_int_equal(*end == '\\', i + 1 < count);
        at = end + 1;
    }
}

/* As programs write that print doubles in full: 128 and 68 characters, 16 a value are allowed. */
static void test_numbers_too_long_for_dicom_are_shortened_not_cut(void **state)
{
    (void)state;
    const double orientation[6] = {0.9999999999767574,     6.666666666610482e-06,
                                   1.4285714285709426e-06, -6.666671428485009e-06,
                                   0.9999999999722222,     3.3333333333237597e-06};
    const double position[3] = {-158.13580322265625001, -179.03579711914062501,
                                2.1234567890123456789};
    const double spacing[2] = {0.74999999999999, 0.50000000000001}, weight = 72.123456789012345;
    char texts[SLICES][80], name[16];
    for (int k = 0; k < SLICES; k++) {
        dicom_slice slice = dicom_slice_at(2 * k);
        snprintf(texts[k], sizeof texts[k],
                 "-158.13580322265625001\\-179.03579711914062501\\%d.1234567890123456789", 2 * k);
        slice.position = texts[k];
        slice.orientation = "0.9999999999767574\\6.666666666610482e-06\\1.4285714285709426e-06\\"
                            "-6.666671428485009e-06\\0.9999999999722222\\3.3333333333237597e-06";
        slice.spacing = "0.7499999999999900\\0.5000000000000100";
        snprintf(name, sizeof name, "s/%d.dcm", k);
        dicom_begin(SYNTAX_PLAIN);
        dicom_identity(&slice);
        dicom_text(0x00101030, "DS", "72.123456789012345");
        dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
        dicom_text(0x00280030, "DS", slice.spacing);
        dicom_pixels(&slice);
        dicom_save(name);
    }
    read_series(0);
    add("Liver", 3, 1, 4);
    write_seg();
    expect_decimals(0x00200037, orientation, 6);
    expect_decimals(0x00200032, position, 3);
    expect_decimals(0x00280030, spacing, 2);
    expect_decimals(0x00101030, &weight, 1);
}

/* What the source has is kept to the letter where it is as DICOM has it. */
static void test_numbers_as_dicom_has_them_stay_as_they_are(void **state)
{
    (void)state;
    char text[64], name[16], texts[SLICES][40];
    for (int k = 0; k < SLICES; k++) {
        dicom_slice slice = dicom_slice_at(2 * k);
        snprintf(texts[k], sizeof texts[k], "-10.000\\+20\\%d.0", 2 * k);
        slice.position = texts[k];
        slice.spacing = "0.750000000\\.5";
        snprintf(name, sizeof name, "s/%d.dcm", k);
        dicom_save_slice(name, &slice);
    }
    read_series(0);
    add("Liver", 3, 1, 4);
    write_seg();
    find_decimals(0x00200032, text, sizeof text);
    assert_string_equal(text, "-10.000\\+20\\2.0 "); /* even length */
    find_decimals(0x00280030, text, sizeof text);
    assert_string_equal(text, "0.750000000\\.5");
}

/* The slices of save_series as frames of one file, the last slice first. */
static void save_enhanced(void)
{
    static const char *const axial = "1\\0\\0\\0\\1\\0";
    char position[40];
    uint16_t pixels[VOXELS];
    dicom_slice slice = dicom_slice_at(0);
    slice.position = NULL;
    dicom_begin(SYNTAX_PLAIN);
    dicom_identity(&slice);
    dicom_text(0x00280008, "IS", "6");
    dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
    dicom_open_sequence(0x52009229);
    dicom_open_item();
    dicom_open_sequence(0x00209116);
    dicom_open_item();
    dicom_text(0x00200037, "DS", axial);
    dicom_close_item();
    dicom_close_sequence();
    dicom_open_sequence(0x00289110);
    dicom_open_item();
    dicom_text(0x00280030, "DS", "0.7500\\.5");
    dicom_close_item();
    dicom_close_sequence();
    dicom_close_item();
    dicom_close_sequence();
    dicom_open_sequence(0x52009230);
    for (int k = SLICES - 1; k >= 0; k--) {
        snprintf(position, sizeof position, "-10.0\\20\\%d", 2 * k);
        dicom_open_item();
        dicom_open_sequence(0x00209113);
        dicom_open_item();
        dicom_text(0x00200032, "DS", position);
        dicom_close_item();
        dicom_close_sequence();
        dicom_close_item();
    }
    dicom_close_sequence();
    for (int n = 0; n < VOXELS; n++)
        pixels[n] = (uint16_t)n;
    dicom_bytes(0x7fe00010, "OW", pixels, sizeof pixels);
    dicom_save("s/all.dcm");
}

/* How often a file refers to that frame of the series, with VRs or without. */
static size_t count_references(const char *name, char frame)
{
    static uint8_t bytes[1 << 16];
    const uint8_t with_vr[] = {0x08, 0x00, 0x60, 0x11, 'I', 'S', 2, 0, (uint8_t)frame, ' '};
    const uint8_t without[] = {0x08, 0x00, 0x60, 0x11, 2, 0, 0, 0, (uint8_t)frame, ' '};
    size_t size = read_whole(name, bytes, sizeof bytes), found = 0;
    for (size_t i = 0; i + sizeof with_vr <= size; i++)
        found += memcmp(bytes + i, with_vr, sizeof with_vr) == 0 ||
                 memcmp(bytes + i, without, sizeof without) == 0;
    return found;
}

static void test_frames_of_an_enhanced_image_are_referred_to(void **state)
{
    (void)state;
    char text[64];
    save_enhanced();
    read_series(0);
    add("Liver", 3, 1, 4);
    write_seg();
    for (int k = 0; k < SLICES; k++) /* slice k is frame 6 - k */
        assert_int_equal(count_references("out.dcm", (char)('6' - k)), k >= 1 && k <= 4);
    find_decimals(0x00200032, text, sizeof text);
    assert_string_equal(text, "-10.0\\20\\2");
    find_decimals(0x00280030, text, sizeof text);
    assert_string_equal(text, "0.7500\\.5 ");
    read_seg(&volume.geometry);
    expect_same_mask(0);
    if (sgio_segmentation_write(&written, scratch_path("out.rtstruct.dcm"), &how, NULL) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
    for (int k = 0; k < SLICES; k++) { /* once in the list of the series, once for each contour */
        size_t references = count_references("out.rtstruct.dcm", (char)('6' - k));
        assert_true(k >= 1 && k <= 4 ? references > 1 : references == 1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_overlapping_and_empty_segments_come_back),
        TEST(test_names_keep_their_characters),
        TEST(test_without_a_grid_the_frames_make_their_own),
        TEST(test_bits_of_frames_follow_without_padding),
        TEST(test_interpolated_slices_have_no_frame),
        TEST(test_what_cannot_refer_to_slices_is_refused_before_the_work),
        TEST(test_frames_on_few_slices_are_read_onto_a_file_of_the_series),
        TEST(test_frames_of_uneven_slices_come_back),
        TEST(test_frames_of_a_resampled_series_come_back),
        TEST(test_an_input_that_counts_the_voxels_otherwise_refers_to_its_series),
        TEST(test_another_grid_than_the_reference_is_told_with_both),
        TEST(test_without_a_frame_the_file_that_is_there_stays),
        TEST(test_cut_segmentations_are_refused),
        TEST(test_a_series_without_study_or_frame_is_told),
        TEST(test_numbers_too_long_for_dicom_are_shortened_not_cut),
        TEST(test_numbers_as_dicom_has_them_stay_as_they_are),
        TEST(test_frames_of_an_enhanced_image_are_referred_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
