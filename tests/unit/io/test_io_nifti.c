/* NIfTI files written here byte by byte: transforms, types, byte orders, and what is refused. */
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

#include <cmocka.h>

enum { VOXELS = 3 * 4 * 2, OFFSET = 352 };

/* A 3 x 4 x 2 int16 file; voxel n holds n - 5. */
typedef struct nifti {
    unsigned char bytes[OFFSET + VOXELS * 2];
    int big;
} nifti;

static void put(nifti *file, size_t at, const void *value, size_t width)
{
    const unsigned char *from = value;
    for (size_t i = 0; i < width; i++)
        file->bytes[at + i] = from[file->big ? width - 1 - i : i];
}

static void put16(nifti *file, size_t at, int16_t value)
{
    put(file, at, &value, 2);
}
static void put32(nifti *file, size_t at, int32_t value)
{
    put(file, at, &value, 4);
}
static void put_float(nifti *file, size_t at, float value)
{
    put(file, at, &value, 4);
}

static void set_sform(nifti *file, const float rows[12])
{
    put16(file, 254, 1);
    for (size_t i = 0; i < 12; i++)
        put_float(file, 280 + 4 * i, rows[i]);
}

static nifti make(int big)
{
    static const int16_t dim[8] = {3, 3, 4, 2, 1, 1, 1, 1};
    static const float pixdim[8] = {1, 0.5f, 0.75f, 3, 0, 0, 0, 0};
    nifti file = {{0}, big};
    put32(&file, 0, 348);
    for (size_t i = 0; i < 8; i++) {
        put16(&file, 40 + 2 * i, dim[i]);
        put_float(&file, 76 + 4 * i, pixdim[i]);
    }
    put16(&file, 70, 4);
    put16(&file, 72, 16);
    put_float(&file, 108, OFFSET);
    memcpy(file.bytes + 344, "n+1", 4);
    for (int n = 0; n < VOXELS; n++)
        put16(&file, OFFSET + 2 * (size_t)n, (int16_t)(n - 5));
    return file;
}

static void save(const char *name, const nifti *file)
{
    write_file(name, file->bytes, sizeof file->bytes);
}

static void expect_matrix(const double wanted[3][4])
{
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            /* float32 in the file */
            assert_true(fabs(volume.geometry.matrix[r][c] - wanted[r][c]) <= 1e-5);
}

static void expect_ramp(void)
{
    assert_int_equal(volume.type, SGIO_I16);
    for (int n = 0; n < VOXELS; n++)
        assert_int_equal(((int16_t *)volume.data)[n], n - 5);
}

/* A sheared sform without a qform is used as it stands. */
static void test_sheared_sform(void **state)
{
    static const float rows[12] = {0.5f, 0.1f, 0, -10, 0, 0.75f, 0.3f, 20, 0, 0, 3, 30};
    static const double lps[3][4] = {{-0.5, -0.1, 0, 10}, {0, -0.75, -0.3, -20}, {0, 0, 3, 30}};
    (void)state;
    nifti file = make(0);
    set_sform(&file, rows);
    save("a.nii", &file);
    assert_int_equal(load("a.nii"), SGIO_OK);
    expect_matrix(lps);
    expect_ramp();
    assert_int_equal(volume.geometry.size[1], 4);
    assert_int_equal(volume.rescaled, 0);
}

/* Quaternion of a half turn about z with pixdim[0] = -1: x and y reversed in RAS, k mirrored. */
static void test_qform(void **state)
{
    static const double lps[3][4] = {{0.5, 0, 0, -1}, {0, 0.75, 0, -2}, {0, 0, -3, 3}};
    (void)state;
    nifti file = make(0);
    put16(&file, 252, 1);
    put_float(&file, 76, -1);
    put_float(&file, 264, 1); /* quatern_d */
    put_float(&file, 268, 1);
    put_float(&file, 272, 2);
    put_float(&file, 276, 3);
    save("a.nii", &file);
    assert_int_equal(load("a.nii"), SGIO_OK);
    expect_matrix(lps);
}

static void count_warning(void *user, const char *sentence)
{
    *(int *)user += holds(sentence, "no sform, no qform");
}

static void count_two_forms(void *user, const char *sentence)
{
    *(int *)user += holds(sentence, "different places");
}

static sgio_status load_told(const char *name, const sgio_read_options *options)
{
    sgio_volume_clear(&volume);
    return sgio_volume_read(scratch_path(name), options, &volume);
}

/* Of that sform and a qform with origin 500, -500, 500: 's' or 'q', whichever is read. */
static char form_read(const float rows[12], int16_t sform_code, int16_t qform_code, int *warnings)
{
    const sgio_read_options options = {.warn = count_two_forms, .warn_user = warnings};
    nifti file = make(0);
    set_sform(&file, rows);
    put16(&file, 252, qform_code);
    put16(&file, 254, sform_code);
    for (size_t i = 0; i < 3; i++)
        put_float(&file, 268 + 4 * i, i == 1 ? 500 : -500);
    save("forms.nii", &file);
    *warnings = 0;
    assert_int_equal(load_told("forms.nii", &options), SGIO_OK);
    double x = volume.geometry.matrix[0][3];
    return (char)(fabs(x - 500) < 1e-3 ? 'q' : fabs(x - 10) < 1e-3 ? 's' : '?');
}

/* As ITK 5.2.1 and 5.4 read such files, and 3D Slicer with them. */
static void the_form_that_slicer_shows_is_taken(void **state)
{
    static const float plain[12] = {0.5f, 0, 0, -10, 0, 0.75f, 0, 20, 0, 0, 3, 30};
    static const float sheared[12] = {0.5f, 0.1f, 0, -10, 0, 0.75f, 0.3f, 20, 0, 0, 3, 30};
    static const float longer[12] = {0.5f, 0, 0, -10, 0, 0.76f, 0, 20, 0, 0, 3, 30};
    static const char *const read[4] = {"?sss", "qsqq", "qsqq", "qsqq"}; /* [qform][sform] */
    int warnings;
    (void)state;
    for (int16_t q = 0; q < 4; q++)
        for (int16_t s = q == 0; s < 4; s++) {
            assert_int_equal(form_read(plain, s, q, &warnings), read[q][s]);
            assert_int_equal(warnings, s > 0 && q > 0);
        }
    assert_int_equal(form_read(sheared, 1, 0, &warnings), 's');
    assert_int_equal(form_read(sheared, 1, 1, &warnings), 'q');
    assert_int_equal(warnings, 1);
    assert_int_equal(form_read(longer, 1, 1, &warnings), 'q');
}

/* Two forms that agree but for rounding are nothing to speak of. */
static void forms_that_agree_are_not_warned_about(void **state)
{
    static const float rows[12] = {0.5f, 0, 0, -500.01f, 0, 0.75f, 0, 500, 0, 0, 3, -500};
    int warnings;
    (void)state;
    form_read(rows, 4, 1, &warnings);
    assert_int_equal(warnings, 0);
    assert_true(fabs(volume.geometry.matrix[0][3] - 500.01) < 1e-4); /* the exact one */
}

static void test_no_transform_is_told(void **state)
{
    int warnings = 0;
    const sgio_read_options options = {.warn = count_warning, .warn_user = &warnings};
    /* ITK 5.4's reading of such a file (SimpleITK 2.5): unit directions in LPS, origin 0; a
     * negative pixdim turns its axis round. */
    static const double lps[3][4] = {{0.5, 0, 0, 0}, {0, 0.75, 0, 0}, {0, 0, 3, 0}};
    static const double turned[3][4] = {{0.5, 0, 0, 0}, {0, -0.75, 0, 0}, {0, 0, 3, 0}};
    (void)state;
    nifti file = make(0);
    put_float(&file, 268, 10); /* without a code these mean nothing */
    put_float(&file, 280, 7);
    save("a.nii", &file);
    sgio_volume_clear(&volume);
    assert_int_equal(sgio_volume_read(scratch_path("a.nii"), &options, &volume), SGIO_OK);
    expect_matrix(lps);
    assert_int_equal(volume.spacing_assumed, 0);
    assert_int_equal(warnings, 1);
    put_float(&file, 84, -0.75f);
    save("a.nii", &file);
    assert_int_equal(load("a.nii"), SGIO_OK);
    expect_matrix(turned);
}

/* xyzt_units: metre, micrometre; the bits of time do not matter, unknown values mean millimetres.
 */
static void test_lengths_become_millimetres(void **state)
{
    static const struct {
        unsigned char units;
        double mm;
    } cases[] = {{0, 1},        {1, 1000},  {2, 1},         {3, 1e-3},
                 {8 + 1, 1000}, {8 + 2, 1}, {16 + 3, 1e-3}, {5, 1}};
    static const float rows[12] = {0.5f, 0, 0, -10, 0, 0.75f, 0, 20, 0, 0, 3, 30};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int form = 0; form < 3; form++) {
            nifti file = make(0);
            file.bytes[123] = cases[i].units;
            if (form == 1) set_sform(&file, rows);
            if (form == 2) put16(&file, 252, 1);
            if (form == 2) put_float(&file, 276, 30);
            save("a.nii", &file);
            assert_int_equal(load("a.nii"), SGIO_OK);
            const double(*m)[4] = volume.geometry.matrix;
            assert_true(fabs(fabs(m[0][0]) / (0.5 * cases[i].mm) - 1) < 1e-6);
            assert_true(fabs(m[2][2] / (3 * cases[i].mm) - 1) < 1e-6);
            assert_true(fabs(m[2][3] - (form ? 30 * cases[i].mm : 0)) < 1e-6);
        }
}

static void test_a_missing_spacing_is_said(void **state)
{
    static const float flat[12] = {0.5f, 0, 0, 0, 0, 0.75f, 0, 0, 0, 0, 0, 0};
    static const float zero[12] = {0.5f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0};
    (void)state;
    for (int form = 0; form < 2; form++) {
        nifti file = make(0);
        if (form) put16(&file, 252, 1);
        put_float(&file, 84, 0);
        save("a.nii", &file);
        assert_int_equal(load("a.nii"), SGIO_OK);
        assert_true(fabs(volume.geometry.matrix[1][1]) == 1);
        assert_int_equal(volume.spacing_assumed, 1);
    }
    nifti file = make(0); /* one slice without a thickness */
    put16(&file, 46, 1);
    set_sform(&file, flat);
    save("a.nii", &file);
    assert_int_equal(load("a.nii"), SGIO_OK);
    assert_true(fabs(volume.geometry.matrix[2][2]) == 1);
    assert_int_equal(volume.spacing_assumed, 1);
    file = make(0); /* a bad sform beside a good qform */
    set_sform(&file, zero);
    put16(&file, 252, 1);
    save("a.nii", &file);
    assert_int_equal(load("a.nii"), SGIO_OK);
    assert_true(fabs(volume.geometry.matrix[1][1] + 0.75) < 1e-6);
    assert_int_equal(volume.spacing_assumed, 0);
}

static void test_rgb_colour(void **state)
{
    (void)state;
    nifti file = make(0);
    put16(&file, 70, 128);
    put16(&file, 42, 2); /* 2 x 4 x 2 voxels of 3 bytes are the ramp's 48 bytes */
    save("rgb.nii", &file);
    assert_int_equal(load("rgb.nii"), SGIO_OK);
    assert_int_equal(volume.channels, 3);
    assert_int_equal(volume.type, SGIO_U8);
    assert_memory_equal(volume.data, file.bytes + OFFSET, VOXELS * 2);
}

static void test_byte_orders_and_gzip(void **state)
{
    static const float rows[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
    (void)state;
    for (int big = 0; big < 2; big++) {
        nifti file = make(big);
        set_sform(&file, rows);
        write_gzip("a.nii.gz", file.bytes, sizeof file.bytes);
        assert_int_equal(load("a.nii.gz"), SGIO_OK);
        expect_ramp();
    }
}

static void test_pair(void **state)
{
    (void)state;
    nifti file = make(0);
    memcpy(file.bytes + 344, "ni1", 4);
    put_float(&file, 108, 0);
    write_file("p.hdr", file.bytes, 348);
    write_file("p.img", file.bytes + OFFSET, VOXELS * 2);
    assert_int_equal(load("p.hdr"), SGIO_OK);
    expect_ramp();
    assert_int_equal(load("p.img"), SGIO_OK);
    expect_ramp();
    write_file("q.hdr", file.bytes, 348);
    assert_int_equal(load("q.hdr"), SGIO_UNREADABLE);
    assert_true(holds(sgio_last_message(), "q.img"));
}

static void test_scaling(void **state)
{
    (void)state;
    nifti file = make(0);
    put_float(&file, 112, 2);
    put_float(&file, 116, -1000);
    save("a.nii", &file);
    assert_int_equal(load("a.nii"), SGIO_OK);
    assert_int_equal(volume.rescaled, 1);
    assert_int_equal(volume.type, SGIO_I32); /* 2 * 32767 does not fit into 16 bits */
    assert_int_equal(((int32_t *)volume.data)[7], 2 * 2 - 1000);
    put_float(&file, 112, 0.5f);
    save("a.nii", &file);
    assert_int_equal(load("a.nii"), SGIO_OK);
    assert_int_equal(volume.type, SGIO_F32);
    assert_true(((float *)volume.data)[6] == 0.5f - 1000);
    put_float(&file, 112, NAN);
    save("a.nii", &file);
    assert_int_equal(load("a.nii"), SGIO_OK);
    expect_ramp();
}

/* NIfTI-2: the same grid with 64-bit fields. */
static void test_nifti2(void **state)
{
    unsigned char bytes[544 + VOXELS * 2] = {0};
    static const int64_t dim[8] = {3, 3, 4, 2, 1, 1, 1, 1}, offset = 544;
    static const double rows[12] = {-1, 0, 0, 5, 0, -2, 0, 6, 0, 0, 3, 7};
    static const double lps[3][4] = {{1, 0, 0, -5}, {0, 2, 0, -6}, {0, 0, 3, 7}};
    const int32_t size = 540, code = 1;
    const int16_t type = 4;
    (void)state;
    memcpy(bytes, &size, 4);
    memcpy(bytes + 4, "n+2", 4);
    memcpy(bytes + 12, &type, 2);
    memcpy(bytes + 16, dim, sizeof dim);
    memcpy(bytes + 168, &offset, 8);
    memcpy(bytes + 348, &code, 4);
    memcpy(bytes + 400, rows, sizeof rows);
    nifti ramp = make(0);
    memcpy(bytes + 544, ramp.bytes + OFFSET, VOXELS * 2);
    write_file("a.nii", bytes, sizeof bytes);
    assert_int_equal(load("a.nii"), SGIO_OK);
    expect_matrix(lps);
    expect_ramp();
}

/* The two slices as `count` volumes along dimension 4 (time), or 5 (components). */
static nifti make_several(int dimension, int16_t count)
{
    nifti file = make(0);
    put16(&file, 40, (int16_t)dimension);
    put16(&file, 46, (int16_t)(2 / count));
    put16(&file, 40 + 2 * (size_t)dimension, count);
    return file;
}

static void expect_volume(const char *name, const char *number, int first, int count, double slope)
{
    const sgio_read_options options = {.series = number};
    sgio_volume_clear(&volume);
    if (sgio_volume_read(scratch_path(name), &options, &volume) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
    assert_int_equal(volume.file_volume, number[0] - '0');
    for (int n = 0; n < count; n++)
        assert_true(sgio_volume_value(&volume, (size_t)n) == slope * (first + n - 5));
}

static void one_of_several_volumes_is_chosen(void **state)
{
    char *text = NULL;
    (void)state;
    for (int dimension = 4; dimension <= 5; dimension++) {
        nifti file = make_several(dimension, 2);
        save("several.nii", &file);
        write_gzip("several.nii.gz", file.bytes, sizeof file.bytes);
        expect_volume("several.nii", "1", 0, VOXELS / 2, 1);
        expect_volume("several.nii", "2", VOXELS / 2, VOXELS / 2, 1);
        expect_volume("several.nii.gz", "1", 0, VOXELS / 2, 1);
        expect_volume("several.nii.gz", "2", VOXELS / 2, VOXELS / 2, 1);
        assert_int_equal(volume.geometry.size[2], 1);
        put_float(&file, 112, 0.5f);
        save("scaled.nii", &file);
        expect_volume("scaled.nii", "2", VOXELS / 2, VOXELS / 2, 0.5);
    }
    expect_file_refused("several.nii",
                        "holds 2 volumes of 3 x 4 x 1 voxels, wanted one; of an input "
                        "--series number chooses it (1 to 2)");
    assert_int_equal(sgio_list_series(scratch_path("several.nii"), &text), SGIO_OK);
    assert_string_equal(text, "1  (no UID)  NIfTI  3x4x1  0.5x0.75x3 mm\n"
                              "2  (no UID)  NIfTI  3x4x1  0.5x0.75x3 mm\n");
    free(text);
}

static void a_volume_that_is_not_there_is_refused(void **state)
{
    static const char *const numbers[] = {"0", "3", "1-2", "all", "1.2.3", ""};
    const nifti file = make_several(4, 2);
    (void)state;
    save("several.nii", &file);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const sgio_read_options options = {.series = numbers[i]};
        sgio_volume_clear(&volume);
        assert_int_equal(sgio_volume_read(scratch_path("several.nii"), &options, &volume),
                         SGIO_UNREADABLE);
        assert_true(holds(sgio_last_message(), "holds 2 volumes"));
        assert_true(holds(sgio_last_message(), numbers[i]));
    }
}

static void the_only_volume_is_number_1(void **state)
{
    const nifti file = make(0);
    (void)state;
    save("one.nii", &file);
    expect_only_volume("one.nii", "1  (no UID)  NIfTI  3x4x2  0.5x0.75x3 mm\n");
}

/* The end of the file is looked at, whichever volume is wanted. */
static void a_cut_file_of_several_volumes_is_refused(void **state)
{
    const nifti file = make_several(4, 2);
    const sgio_read_options first = {.series = "1"};
    unsigned char bytes[512];
    (void)state;
    write_file("cut.nii", file.bytes, sizeof file.bytes - 2);
    sgio_volume_clear(&volume);
    assert_int_equal(sgio_volume_read(scratch_path("cut.nii"), &first, &volume), SGIO_UNREADABLE);
    assert_true(holds(sgio_last_message(), "truncated"));
    write_gzip("whole.nii.gz", file.bytes, sizeof file.bytes);
    FILE *whole = fopen(scratch_path("whole.nii.gz"), "rb");
    assert_non_null(whole);
    size_t size = fread(bytes, 1, sizeof bytes, whole);
    fclose(whole);
    write_file("cut.nii.gz", bytes, size - 9); /* checksum, length, and a byte of data */
    assert_int_equal(sgio_volume_read(scratch_path("cut.nii.gz"), &first, &volume),
                     SGIO_UNREADABLE);
}

static void test_refuses_contents(void **state)
{
    (void)state;
    nifti file = make(0);
    put16(&file, 40, 4);
    put16(&file, 48, 20);
    save("four.nii", &file);
    expect_file_refused("four.nii", "20 volumes");
    file = make(0);
    put16(&file, 70, 32);
    save("complex.nii", &file);
    expect_file_refused("complex.nii", "complex64");
    file = make(0);
    put16(&file, 70, 2304);
    save("rgba.nii", &file);
    expect_file_refused("rgba.nii", "convert it to one number per voxel");
    file = make(0);
    memset(file.bytes + 344, 0, 4);
    save("analyze.nii", &file);
    expect_file_refused("analyze.nii", "ANALYZE");
}

static void test_refuses_geometry(void **state)
{
    static const float zero[12] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
    static const float flat[12] = {1, 2, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0};
    float broken[12] = {1, 0, 0, 0, 0, NAN, 0, 0, 0, 0, 1, 0};
    (void)state;
    nifti file = make(0);
    set_sform(&file, zero);
    save("zero.nii", &file);
    expect_file_refused("zero.nii", "zero");
    set_sform(&file, flat);
    save("flat.nii", &file);
    expect_file_refused("flat.nii", "one plane");
    set_sform(&file, broken);
    save("nan.nii", &file);
    expect_file_refused("nan.nii", "not a number");
}

static void test_refuses_damage(void **state)
{
    (void)state;
    nifti file = make(0);
    write_file("empty.nii", "", 0);
    expect_file_refused("empty.nii", "empty");
    write_file("text.nii.gz", "hello", 5);
    expect_file_refused("text.nii.gz", "too short");
    write_file("short.nii", file.bytes, sizeof file.bytes - 1);
    expect_file_refused("short.nii", "truncated");
    put16(&file, 42, 32767);
    put16(&file, 44, 32767);
    put16(&file, 46, 32767); /* 70 TB announced */
    save("huge.nii", &file);
    expect_file_refused("huge.nii", "truncated");
    put16(&file, 42, -3);
    save("negative.nii", &file);
    expect_file_refused("negative.nii", "size -3");
}

static void test_refuses_corrupt_gzip(void **state)
{
    unsigned char bytes[4096];
    (void)state;
    nifti file = make(0);
    write_gzip("a.nii.gz", file.bytes, sizeof file.bytes);
    FILE *stream = fopen(scratch_path("a.nii.gz"), "rb");
    size_t size = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    bytes[size - 6] ^= 1; /* the checksum */
    write_file("crc.nii.gz", bytes, size);
    expect_file_refused("crc.nii.gz", "corrupt");
    write_file("cut.nii.gz", bytes, size / 2);
    expect_file_refused("cut.nii.gz", "cut.nii.gz");
}

static void test_missing_file(void **state)
{
    (void)state;
    expect_file_refused("absent.nii", "no such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sheared_sform),
        cmocka_unit_test(test_qform),
        cmocka_unit_test(the_form_that_slicer_shows_is_taken),
        cmocka_unit_test(forms_that_agree_are_not_warned_about),
        cmocka_unit_test(test_no_transform_is_told),
        cmocka_unit_test(test_lengths_become_millimetres),
        cmocka_unit_test(test_a_missing_spacing_is_said),
        cmocka_unit_test(test_rgb_colour),
        cmocka_unit_test(test_byte_orders_and_gzip),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_nifti2),
        cmocka_unit_test(one_of_several_volumes_is_chosen),
        cmocka_unit_test(a_volume_that_is_not_there_is_refused),
        cmocka_unit_test(the_only_volume_is_number_1),
        cmocka_unit_test(a_cut_file_of_several_volumes_is_refused),
        cmocka_unit_test(test_refuses_contents),
        cmocka_unit_test(test_refuses_geometry),
        cmocka_unit_test(test_refuses_damage),
        cmocka_unit_test(test_refuses_corrupt_gzip),
        cmocka_unit_test(test_missing_file),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
