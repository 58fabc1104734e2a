/* Damaged, foreign and hostile files under the names of volumes and label maps. */
#define _GNU_SOURCE
#include "io_test_files.h"
#include "io_test_volume.h"

#include "memory_available.h"
#include "sgio/labelmap.h"
#include "sgio/prompts.h"

#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

enum { SIDE = 24, VOXELS = SIDE * SIDE * SIDE, MOST_BYTES = 1 << 18 };

/* ---------------------------------------------------------------------------------- damaged gzip
 */

static uint8_t voxels[VOXELS];

static void make_voxels(void)
{
    uint32_t state = 1;
    for (int v = 0; v < VOXELS; v++) {
        state = state * 1664525 + 1013904223;
        voxels[v] = (v / 7 % 11 == 0) ? (uint8_t)(state >> 30) : 0;
    }
}

/* A single-file NIfTI-1 header of SIDE^3 uint8 voxels and its 4 empty bytes. */
static size_t nifti_header(uint8_t *bytes, int single_file)
{
    const int32_t size = 348;
    const int16_t dim[4] = {3, SIDE, SIDE, SIDE}, type = 2, code = 1;
    const float offset = single_file ? 352 : 0, spacing[4] = {1, 1, 1, 1};
    memset(bytes, 0, 352);
    memcpy(bytes, &size, 4);
    memcpy(bytes + 40, dim, sizeof dim);
    memcpy(bytes + 70, &type, 2);
    memcpy(bytes + 76, spacing, sizeof spacing);
    memcpy(bytes + 108, &offset, 4);
    memcpy(bytes + 252, &code, 2);
    memcpy(bytes + 344, single_file ? "n+1" : "ni1", 4);
    return 352;
}

/* Deflated as gzip or zlib, behind `prefix`; the size of all. */
static size_t pack(const char *prefix, int window, const void *plain, size_t size, uint8_t *out)
{
    z_stream z = {0};
    size_t n = strlen(prefix);
    memcpy(out, prefix, n);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)plain;
    z.avail_in = (uInt)size;
    z.next_out = out + n;
    z.avail_out = (uInt)(MOST_BYTES - n);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    n += z.total_out;
    deflateEnd(&z);
    return n;
}

typedef struct packed {
    const char *name;
    uint8_t bytes[MOST_BYTES];
    size_t size, data; /* the compressed data begin there */
} packed;

static void make_packed(packed *p, const char *name, const char *prefix, int window,
                        const void *plain, size_t size)
{
    p->name = name;
    p->data = strlen(prefix);
    p->size = pack(prefix, window, plain, size, p->bytes);
}

static packed *make_all(void)
{
    static packed all[3];
    static uint8_t nifti[352 + VOXELS];
    char header[256];
    make_voxels();
    memcpy(nifti + nifti_header(nifti, 1), voxels, VOXELS);
    make_packed(&all[0], "flip.nii.gz", "", 15 + 16, nifti, sizeof nifti);
    snprintf(header, sizeof header,
             "NRRD0004\ntype: uint8\ndimension: 3\nsizes: %d %d %d\nencoding: gzip\n"
             "spacings: 1 1 1\n\n",
             SIDE, SIDE, SIDE);
    make_packed(&all[1], "flip.nrrd", header, 15 + 16, voxels, VOXELS);
    snprintf(header, sizeof header,
             "NDims = 3\nDimSize = %d %d %d\nElementType = MET_UCHAR\nElementSpacing = 1 1 1\n"
             "CompressedData = True\nElementDataFile = LOCAL\n",
             SIDE, SIDE, SIDE);
    make_packed(&all[2], "flip.mha", header, 15, voxels, VOXELS);
    return all;
}

static int same_voxels(const void *data, const char *name)
{
    (void)name;
    return memcmp(data, voxels, VOXELS) == 0;
}

/* Reading as a volume: 1 when refused or right. */
static int volume_is_safe(const char *name)
{
    if (load(name) != SGIO_OK) return 1;
    return volume.geometry.size[0] == SIDE && volume.type == SGIO_U8 &&
           same_voxels(volume.data, name);
}

/* The same as a label map. */
static int labels_are_safe(const char *name)
{
    sgio_segmentation s;
    if (sgio_segmentation_read(scratch_path(name), NULL, &s) != SGIO_OK) return 1;
    int same = s.geometry.size[0] == SIDE && s.layer_count == 1 && s.layers[0].bytes == 1 &&
               same_voxels(s.layers[0].data, name);
    sgio_segmentation_clear(&s);
    return same;
}

/* Every flipped bit is refused, or changes nothing (the time in gzip's header). */
static void a_flipped_bit_never_changes_a_voxel(void **state)
{
    packed *all = make_all();
    (void)state;
    for (int f = 0; f < 3; f++) {
        packed *p = &all[f];
        int wrong = 0, tried = 0;
        write_file(p->name, p->bytes, p->size);
        assert_int_equal(load(p->name), SGIO_OK);
        assert_true(labels_are_safe(p->name));
        size_t step = (p->size - p->data) / 400 + 1;
        for (size_t at = p->data; at < p->size; at += step, tried++) {
            uint8_t bit = (uint8_t)(1 << at % 8);
            p->bytes[at] ^= bit;
            write_file(p->name, p->bytes, p->size);
            wrong += !volume_is_safe(p->name) || !labels_are_safe(p->name);
            p->bytes[at] ^= bit;
        }
        assert_true(tried > 100);
        assert_int_equal(wrong, 0);
    }
}

static void a_cut_end_is_refused(void **state)
{
    packed *all = make_all();
    (void)state;
    for (int f = 0; f < 3; f++)
        for (size_t lost = 1; lost <= 8; lost++) {
            write_file("cut", "", 0);
            write_file(all[f].name, all[f].bytes, all[f].size - lost);
            expect_file_refused(all[f].name, "");
            if (f != 2 || lost <= 4) expect_file_refused(all[f].name, "truncated");
        }
}

static void data_that_go_on_are_refused(void **state)
{
    uint8_t nifti[352 + VOXELS + 1], out[MOST_BYTES];
    (void)state;
    make_voxels();
    memcpy(nifti + nifti_header(nifti, 1), voxels, VOXELS);
    nifti[352 + VOXELS] = 0;
    write_file("more.nii.gz", out, pack("", 31, nifti, sizeof nifti, out));
    expect_file_refused("more.nii.gz", "go on behind the last voxel");
    write_file("same.nii.gz", out, pack("", 31, nifti, sizeof nifti - 1, out));
    assert_int_equal(load("same.nii.gz"), SGIO_OK);
}

/* The header of a pair is a stream of its own. */
static void a_damaged_header_of_a_pair_is_refused(void **state)
{
    uint8_t header[352 + 4096] = {0}, out[MOST_BYTES];
    int wrong = 0, refused = 0;
    (void)state;
    make_voxels();
    nifti_header(header, 0);
    header[348] = 1; /* an extension follows, and the stream's end is far behind the header */
    for (size_t at = 352; at < sizeof header; at++)
        header[at] = (uint8_t)(at * at >> 4);
    write_gzip("p.img.gz", voxels, VOXELS);
    size_t size = pack("", 31, header, sizeof header, out);
    write_file("p.hdr.gz", out, size);
    assert_int_equal(load("p.hdr.gz"), SGIO_OK);
    const sgio_geometry whole = volume.geometry;
    for (size_t at = 10; at < size; at += 3) {
        out[at] ^= 4;
        write_file("p.hdr.gz", out, size);
        int read = load("p.hdr.gz") == SGIO_OK;
        wrong += read && memcmp(&volume.geometry, &whole, sizeof whole) != 0;
        refused += !read;
        out[at] ^= 4;
    }
    assert_int_equal(wrong, 0);
    assert_true(refused > 20);
}

static void several_members_are_one_stream(void **state)
{
    uint8_t nifti[352 + VOXELS], out[2 * MOST_BYTES];
    (void)state;
    make_voxels();
    memcpy(nifti + nifti_header(nifti, 1), voxels, VOXELS);
    size_t first = pack("", 31, nifti, 1000, out);
    size_t size = first + pack("", 31, nifti + 1000, sizeof nifti - 1000, out + first);
    write_file("bgzip.nii.gz", out, size);
    assert_int_equal(load("bgzip.nii.gz"), SGIO_OK);
    assert_memory_equal(volume.data, voxels, VOXELS);
    out[size - 3] ^= 1;
    write_file("bgzip.nii.gz", out, size);
    expect_file_refused("bgzip.nii.gz", "corrupt");
}

/* --------------------------------------------------------------------------------- foreign files
 */

static void other_content_is_named_with_a_remedy(void **state)
{
    static const struct {
        const char *content, *reason;
    } cases[] = {
        {"version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 99\n", "git lfs pull"},
        {"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "web page"},
        {"\n <HTML>", "web page"},
        {"PK\3\4rest", "unpack it first"},
        {"BZh91AY&SY", "bzip2"},
        {"\xFD"
         "7zXZ",
         "xz"},
        {"\x89HDF\r\n\x1A\n", "HDF5"},
        {"", "empty"},
    };
    static const char *const names[] = {"a.nii", "a.nii.gz", "a.nrrd", "a.seg.nrrd", "a.mha",
                                        "a.png", "a.jpg",    "a.dcm",  "without"};
    sgio_segmentation s;
    sgio_prompts prompts = {0};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        /* the xz magic has a NUL inside */
        size_t size = strlen(cases[c].content) + (strcmp(cases[c].reason, "xz") == 0);
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            write_file(names[n], cases[c].content, size);
            expect_file_refused(names[n], cases[c].reason);
            assert_int_equal(sgio_segmentation_read(scratch_path(names[n]), NULL, &s),
                             SGIO_UNREADABLE);
            assert_true(holds(sgio_last_message(), cases[c].reason));
        }
        write_file("a.mrk.json", cases[c].content, size);
        assert_int_equal(sgio_prompts_read(scratch_path("a.mrk.json"), NULL, &prompts),
                         SGIO_BAD_PROMPT);
        assert_true(holds(sgio_last_message(), cases[c].reason));
    }
    sgio_prompts_clear(&prompts);
}

static void a_name_that_contradicts_the_content_is_said(void **state)
{
    (void)state;
    write_file("a.nii.gz", "NRRD0004\ntype: uint8\n", 21);
    expect_file_refused("a.nii.gz", "its content is NRRD; rename it to end in .nrrd");
    write_file("a.nrrd", "\x89PNG\r\n\x1a\n", 8);
    expect_file_refused("a.nrrd", "its content is PNG");
    write_gzip("a.nrrd", "NRRD0004\n", 9);
    expect_file_refused("a.nrrd", "compressed with gzip");
}

/* Opening a pipe would wait for a writer for ever. */
static void a_pipe_in_place_of_a_file_is_refused(void **state)
{
    static const char *const names[] = {"p.nii", "p.nrrd", "p.seg.nrrd", "p.mha",
                                        "p.png", "p.dcm",  "pipe"};
    sgio_segmentation s;
    sgio_prompts prompts = {0};
    (void)state;
    alarm(20);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        assert_int_equal(mkfifo(scratch_path(names[n]), 0600), 0);
        expect_file_refused(names[n], "wanted a regular file");
        assert_int_equal(sgio_segmentation_read(scratch_path(names[n]), NULL, &s), SGIO_UNREADABLE);
    }
    write_file("d.nhdr",
               "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 1 1 1\nencoding: raw\n"
               "data file: pipe\n",
               77);
    assert_int_equal(load("d.nhdr"), SGIO_UNREADABLE);
    assert_int_equal(mkfifo(scratch_path("p.mrk.json"), 0600), 0);
    assert_int_equal(sgio_prompts_read(scratch_path("p.mrk.json"), NULL, &prompts),
                     SGIO_BAD_PROMPT);
    assert_int_equal(sgio_volume_read("/dev/zero", NULL, &volume), SGIO_UNREADABLE);
    alarm(0);
    sgio_prompts_clear(&prompts);
}

/* --------------------------------------------------------------------------------------- memory */

static int stop(void *user, double done)
{
    (void)user;
    (void)done;
    return 1;
}

/* A header and a sparse file of the claimed length: malloc would promise the memory and filling it
 * would end the process. */
static void a_volume_larger_than_the_memory_is_refused_at_once(void **state)
{
    char header[256];
    const sgio_read_options options = {.progress = stop};
    uint64_t available = sgio_memory_available();
    (void)state;
    if (available == UINT64_MAX) skip();
    uint64_t slices = available / (8192 * 8192) + 8;
    int n = snprintf(header, sizeof header,
                     "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 8192 8192 %llu\n"
                     "encoding: raw\nspacings: 1 1 1\n\n",
                     (unsigned long long)slices);
    write_file("large.nrrd", header, (size_t)n);
    if (truncate(scratch_path("large.nrrd"), (off_t)((uint64_t)n + slices * 8192 * 8192)) != 0)
        skip();
    sgio_volume_clear(&volume);
    assert_int_equal(sgio_volume_read(scratch_path("large.nrrd"), &options, &volume),
                     SGIO_OUT_OF_MEMORY);
    assert_true(holds(sgio_last_message(), "GiB are available"));
}

static void a_cancelled_read_leaves_nothing(void **state)
{
    const sgio_read_options options = {.progress = stop};
    const sgio_segmentation_read_options labels = {.progress = stop};
    sgio_segmentation s;
    packed *all = make_all();
    (void)state;
    for (int f = 0; f < 3; f++) {
        write_file(all[f].name, all[f].bytes, all[f].size);
        sgio_volume_clear(&volume);
        assert_int_equal(sgio_volume_read(scratch_path(all[f].name), &options, &volume),
                         SGIO_CANCELLED);
        assert_null(volume.data);
        assert_int_equal(sgio_segmentation_read(scratch_path(all[f].name), &labels, &s),
                         SGIO_CANCELLED);
        assert_int_equal(s.layer_count, 0);
    }
}

/* ------------------------------------------------------------------------------ nothing to find */

static void keep_sentence(void *user, const char *sentence)
{
    snprintf(user, 512, "%s", sentence);
}

static void save_floats(const char *name, const float *values)
{
    uint8_t bytes[352 + 8 * sizeof *values];
    const int16_t dim[4] = {3, 2, 2, 2}, type = 16;
    nifti_header(bytes, 1);
    memcpy(bytes + 40, dim, sizeof dim);
    memcpy(bytes + 70, &type, 2);
    memcpy(bytes + 352, values, 8 * sizeof *values);
    write_file(name, bytes, sizeof bytes);
}

static void a_volume_without_a_number_is_refused_and_a_constant_one_is_said(void **state)
{
    float values[8];
    char said[512] = "";
    const sgio_read_options options = {.warn = keep_sentence, .warn_user = said};
    sgio_segmentation s;
    (void)state;
    for (int v = 0; v < 8; v++)
        values[v] = v % 2 ? NAN : INFINITY;
    save_floats("nan.nii", values);
    expect_file_refused("nan.nii", "every voxel is NaN or infinite");
    values[5] = 1;
    save_floats("nan.nii", values);
    assert_int_equal(load("nan.nii"), SGIO_OK);
    for (int v = 0; v < 8; v++)
        values[v] = 7;
    save_floats("same.nii", values);
    sgio_volume_clear(&volume);
    assert_int_equal(sgio_volume_read(scratch_path("same.nii"), &options, &volume), SGIO_OK);
    assert_true(holds(said, "same value"));
    memset(values, 0, sizeof values); /* an empty label map is none of that */
    save_floats("none.nii", values);
    said[0] = '\0';
    const sgio_segmentation_read_options labels = {.warn = keep_sentence, .warn_user = said};
    assert_int_equal(sgio_segmentation_read(scratch_path("none.nii"), &labels, &s), SGIO_OK);
    assert_int_equal(s.segment_count, 0);
    assert_string_equal(said, "");
    sgio_segmentation_clear(&s);
}

/* --------------------------------------------------------------------------------------- locales
 */

static void a_decimal_comma_of_the_host_changes_nothing(void **state)
{
    static const char nrrd[] =
        "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 1 1\nencoding: raw\n"
        "space: left-posterior-superior\nspace directions: (0.5,0,0) (0,0.25,0) (0,0,1.5)\n"
        "space origin: (-1.5,0,0)\n\n\1\2";
    static const char fcsv[] = "# Markups fiducial file version = 4.3\n# CoordinateSystem = LPS\n"
                               "1,0.5,1.5,2.5,0,0,0,1,1,1,0,F-1,,\n";
    static const char mha[] = "NDims = 3\nDimSize = 2 1 1\nElementType = MET_UCHAR\n"
                              "ElementSpacing = 0.5 0.25 1.5\nElementDataFile = LOCAL\n\1\2";
    sgio_prompts prompts = {0};
    sgio_segmentation s;
    (void)state;
    write_file("l.nrrd", nrrd, sizeof nrrd - 1);
    write_file("l.mha", mha, sizeof mha - 1);
    write_file("l.fcsv", fcsv, sizeof fcsv - 1);
    if (!use_comma_locale()) {
        print_message("skipped: this C library takes no locale of a test\n");
        skip();
    }
    sgio_status read = load("l.nrrd");
    double first = volume.geometry.matrix[0][0], origin = volume.geometry.matrix[0][3];
    sgio_status meta = load("l.mha");
    double second = volume.geometry.matrix[2][2];
    sgio_status points = sgio_prompts_read(scratch_path("l.fcsv"), NULL, &prompts);
    sgio_status colour = sgio_prompts_add_point_text(&prompts, "other", "0.5,1,2", 1);
    sgio_status labels = sgio_segmentation_read(scratch_path("l.nrrd"), NULL, &s);
    sgio_status written = sgio_segmentation_write(&s, scratch_path("w.seg.nrrd"), NULL, NULL);
    sgio_segmentation_clear(&s);
    setlocale(LC_NUMERIC, "C");
    assert_int_equal(read, SGIO_OK);
    assert_true(first == 0.5 && origin == -1.5);
    assert_int_equal(meta, SGIO_OK);
    assert_true(second == 1.5);
    assert_int_equal(points, SGIO_OK);
    assert_true(prompts.segments[0].points[0].lps[2] == 2.5);
    assert_int_equal(colour, SGIO_OK);
    assert_int_equal(labels, SGIO_OK);
    assert_int_equal(written, SGIO_OK);
    assert_int_equal(sgio_segmentation_read(scratch_path("w.seg.nrrd"), NULL, &s), SGIO_OK);
    assert_true(s.geometry.matrix[0][0] == 0.5 && s.geometry.matrix[0][3] == -1.5);
    sgio_segmentation_clear(&s);
    sgio_prompts_clear(&prompts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_never_changes_a_voxel),
        cmocka_unit_test(a_cut_end_is_refused),
        cmocka_unit_test(data_that_go_on_are_refused),
        cmocka_unit_test(a_damaged_header_of_a_pair_is_refused),
        cmocka_unit_test(several_members_are_one_stream),
        cmocka_unit_test(other_content_is_named_with_a_remedy),
        cmocka_unit_test(a_name_that_contradicts_the_content_is_said),
        cmocka_unit_test(a_pipe_in_place_of_a_file_is_refused),
        cmocka_unit_test(a_volume_larger_than_the_memory_is_refused_at_once),
        cmocka_unit_test(a_cancelled_read_leaves_nothing),
        cmocka_unit_test(a_volume_without_a_number_is_refused_and_a_constant_one_is_said),
        cmocka_unit_test(a_decimal_comma_of_the_host_changes_nothing),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
