/* Label maps on disk, checked against bytes read back without the library. */
#include "io_out_support.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VOXELS = 5 * 4 * 3 };

/* Two segments: columns 0-2, and columns 2-4 of the last slice when they shall overlap, else
 * columns 3-4. */
static void make(sgio_segmentation *s, const sgio_geometry *grid, int overlapping)
{
    uint8_t a[VOXELS] = {0}, b[VOXELS] = {0};
    const double colour[3] = {0.25, 0.5, 1};
    size_t index;
    for (int v = 0; v < VOXELS; v++) {
        a[v] = v % 5 <= 2;
        b[v] = v % 5 >= (overlapping ? 2 : 3) && v >= 40;
    }
    assert_int_equal(sgio_segmentation_init(s, grid), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(s, "liver", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(s, index, a), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(s, "a\\b\nc", colour, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(s, index, b), SGIO_OK);
}

static void write_segmentation(int which, int overlapping, const char *name, sgio_overlap *overlap)
{
    sgio_geometry grid = make_grid(which);
    sgio_segmentation s;
    make(&s, &grid, overlapping);
    assert_int_equal(sgio_segmentation_write(&s, scratch(name), NULL, overlap), SGIO_OK);
    assert_int_equal(scratch_count(), 1); /* no temporary is left */
    sgio_segmentation_clear(&s);
}

/* The value of a NRRD field or key, as text in `value`. */
static void header_value(const char *header, const char *key, char value[512])
{
    char line[128];
    snprintf(line, sizeof line, "\n%s", key);
    const char *at = strstr(header, line);
    if (!at) fail_msg("no '%s' in the header", key);
    at += strlen(line);
    size_t n = strcspn(at, "\n");
    assert_true(n < 512);
    memcpy(value, at, n);
    value[n] = '\0';
}

static void assert_header(const char *header, const char *key, const char *wanted)
{
    char value[512];
    header_value(header, key, value);
    assert_string_equal(value, wanted);
}

static const char *nrrd_data(const char *file)
{
    const char *blank = strstr(file, "\n\n");
    assert_non_null(blank);
    return blank + 2;
}

static void seg_nrrd_has_every_key_slicer_reads(void **state)
{
    (void)state;
    write_segmentation(1, 0, "a.seg.nrrd", NULL);
    size_t bytes;
    char *file = read_file(scratch("a.seg.nrrd"), &bytes), value[512];
    assert_memory_equal(file, "NRRD0004\n", 9);
    assert_header(file, "type: ", "unsigned char");
    assert_header(file, "dimension: ", "3");
    assert_header(file, "space: ", "left-posterior-superior");
    assert_header(file, "sizes: ", "5 4 3");
    assert_header(file, "kinds: ", "domain domain domain");
    assert_header(file, "encoding: ", "gzip");
    assert_header(file, "space origin: ", "(-12.5,33.25,-101.125)");
    assert_header(file, "Segmentation_ReferenceImageExtentOffset:=", "0 0 0");
    assert_header(file, "Segmentation_MasterRepresentation:=", "Binary labelmap");
    assert_header(file, "Segmentation_ContainedRepresentationNames:=", "Binary labelmap|");
    header_value(file, "Segmentation_ConversionParameters:=", value);
    const char *geometry = "Reference image geometry|-0.69999999999999996;0;0;12.5;"
                           "0;-0.69999999999999996;0;-33.25;0;0;5;-101.125;0;0;0;1;0;4;0;3;0;2;|";
    assert_memory_equal(value, geometry, strlen(geometry)); /* RAS */
    assert_int_equal(value[strlen(value) - 1], '&');
    assert_header(file, "Segment0_ID:=", "Segment_1");
    assert_header(file, "Segment0_Name:=", "liver");
    assert_header(file, "Segment0_Color:=", "0.866667 0.509804 0.396078");
    assert_header(file, "Segment0_Layer:=", "0");
    assert_header(file, "Segment0_LabelValue:=", "1");
    assert_header(file, "Segment0_Extent:=", "0 2 0 3 0 2");
    header_value(file, "Segment0_Tags:=", value);
    assert_string_equal(value,
                        "TerminologyEntry:Segmentation category and type - 3D Slicer General "
                        "Anatomy list~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~"
                        "^^~Anatomic codes - DICOM master list~^^~^^|");
    assert_header(file, "Segment1_Name:=", "a\\\\b\\nc");
    assert_header(file, "Segment1_Color:=", "0.25 0.5 1");
    assert_header(file, "Segment1_Layer:=", "0");
    assert_header(file, "Segment1_LabelValue:=", "2");
    assert_header(file, "Segment1_Extent:=", "3 4 0 3 2 2");
    assert_null(strstr(file, "Segmentation_Extent:=")); /* the legacy path */
    assert_true(strstr(file, "Segmentation_") - file < 800);
    uint8_t voxels[VOXELS];
    const char *data = nrrd_data(file);
    inflate_exactly(data, bytes - (size_t)(data - file), voxels, VOXELS);
    for (int v = 0; v < VOXELS; v++)
        assert_int_equal(voxels[v], v % 5 <= 2 ? 1 : v >= 40 ? 2 : 0);
    free(file);
    remove_scratch("a.seg.nrrd");
}

static void overlapping_segments_become_a_list_axis(void **state)
{
    (void)state;
    write_segmentation(1, 1, "a.seg.nrrd", NULL);
    size_t bytes;
    char *file = read_file(scratch("a.seg.nrrd"), &bytes), value[512];
    assert_header(file, "dimension: ", "4");
    assert_header(file, "sizes: ", "2 5 4 3");
    assert_header(file, "kinds: ", "list domain domain domain");
    header_value(file, "space directions: ", value);
    assert_memory_equal(value, "none (", 6);
    assert_header(file, "Segment1_Layer:=", "1");
    uint8_t voxels[2 * VOXELS];
    const char *data = nrrd_data(file);
    inflate_exactly(data, bytes - (size_t)(data - file), voxels, 2 * VOXELS);
    for (int v = 0; v < VOXELS; v++) {
        assert_int_equal(voxels[2 * v], v % 5 <= 2);
        assert_int_equal(voxels[2 * v + 1], v % 5 >= 2 && v >= 40 ? 2 : 0);
    }
    free(file);
    remove_scratch("a.seg.nrrd");
}

/* The grid comes back bit by bit, whatever it is, with and without overlap. */
static void nrrd_files_come_back_as_they_were(void **state)
{
    static const char *const names[2] = {"a.seg.nrrd", "a.nrrd"};
    (void)state;
    for (int n = 0; n < 2 * 2 * GRID_COUNT; n++) {
        int plain = n & 1, overlapping = n >> 1 & 1;
        sgio_geometry grid = make_grid(n >> 2);
        sgio_segmentation s, back;
        uint8_t wanted[VOXELS], found[VOXELS];
        if (plain && overlapping) continue; /* cannot come back */
        write_segmentation(n >> 2, overlapping, names[plain], NULL);
        make(&s, &grid, overlapping);
        sgio_segmentation_read_options options = {.grid = &grid};
        assert_int_equal(sgio_segmentation_read(scratch(names[plain]), NULL, &back), SGIO_OK);
        assert_memory_equal(&back.geometry, &grid, sizeof grid);
        sgio_segmentation_clear(&back);
        assert_int_equal(sgio_segmentation_read(scratch(names[plain]), &options, &back), SGIO_OK);
        assert_int_equal(back.segment_count, 2);
        assert_int_equal(back.layer_count, overlapping ? 2 : 1);
        for (size_t i = 0; i < 2; i++) {
            sgio_segmentation_get_mask(&s, i, wanted);
            sgio_segmentation_get_mask(&back, i, found);
            assert_memory_equal(wanted, found, VOXELS);
            assert_memory_equal(s.segments[i].extent, back.segments[i].extent, 6 * sizeof(int64_t));
            if (plain) continue;
            assert_string_equal(s.segments[i].name, back.segments[i].name);
            assert_string_equal(s.segments[i].terminology, back.segments[i].terminology);
        }
        assert_string_equal(back.segments[0].name, plain ? "Segment_1" : "liver");
        sgio_segmentation_clear(&s);
        sgio_segmentation_clear(&back);
        remove_scratch(names[plain]);
    }
}

/* Voxels of `grid` counted along k backwards, i, j backwards. */
static sgio_geometry other_order(const sgio_geometry *grid)
{
    static const int axis[3] = {2, 0, 1}, backwards[3] = {1, 0, 1};
    sgio_geometry out = *grid;
    for (int a = 0; a < 3; a++) {
        out.size[a] = grid->size[axis[a]];
        for (int r = 0; r < 3; r++) {
            double step = grid->matrix[r][axis[a]];
            out.matrix[r][a] = backwards[a] ? -step : step;
            if (backwards[a]) out.matrix[r][3] += step * (double)(out.size[a] - 1);
        }
    }
    return out;
}

static void expect_turned(const sgio_segmentation *from, const sgio_segmentation *to, size_t s)
{
    const int64_t *n = to->geometry.size, *m = from->geometry.size;
    uint8_t *wanted = malloc(60), *got = malloc(60);
    assert_true(wanted && got && n[0] * n[1] * n[2] == 60);
    sgio_segmentation_get_mask(from, s, wanted);
    sgio_segmentation_get_mask(to, s, got);
    for (int64_t v = 0; v < 60; v++) {
        double index[3] = {(double)(v % n[0]), (double)(v / n[0] % n[1]),
                           (double)(v / n[0] / n[1])};
        sgio_geometry_index_to_lps(&to->geometry, index, index);
        assert_int_equal(sgio_geometry_lps_to_index(&from->geometry, index, index), 0);
        int64_t at = (int64_t)(index[0] + 0.5) + m[0] * (int64_t)(index[1] + 0.5) +
                     m[0] * m[1] * (int64_t)(index[2] + 0.5);
        assert_int_equal(got[v], wanted[at]);
    }
    assert_int_equal(to->segments[s].voxels, from->segments[s].voxels);
    free(wanted);
    free(got);
}

static void a_file_that_counts_the_voxels_otherwise_is_turned(void **state)
{
    (void)state;
    for (int which = 0; which < GRID_COUNT; which++) {
        sgio_geometry grid = make_grid(which), wanted = other_order(&grid);
        sgio_segmentation s, back;
        const sgio_segmentation_read_options options = {.grid = &wanted};
        make(&s, &grid, 1);
        assert_int_equal(sgio_segmentation_write(&s, scratch("t.seg.nrrd"), NULL, NULL), SGIO_OK);
        if (sgio_segmentation_read(scratch("t.seg.nrrd"), &options, &back) != SGIO_OK)
            fail_msg("%s", sgio_last_message());
        assert_memory_equal(&back.geometry, &wanted, sizeof wanted);
        for (size_t i = 0; i < s.segment_count; i++)
            expect_turned(&s, &back, i);
        sgio_segmentation_clear(&back);
        wanted.matrix[0][3] += 0.3;
        assert_int_equal(sgio_segmentation_read(scratch("t.seg.nrrd"), &options, &back),
                         SGIO_UNREADABLE);
        sgio_segmentation_clear(&s);
        remove_scratch("t.seg.nrrd");
    }
}

static float float_at(const char *file, int offset)
{
    float value;
    memcpy(&value, file + offset, sizeof value);
    return value;
}

static int short_at(const char *file, int offset)
{
    int16_t value;
    memcpy(&value, file + offset, sizeof value);
    return value;
}

/* Rotation of the header's quaternion, times pixdim, third axis times qfac: method 2 of nifti1.h.
 */
static void matrix_of_quaternion(const char *file, double m[3][4])
{
    double b = float_at(file, 256), c = float_at(file, 260), d = float_at(file, 264);
    double a = sqrt(fmax(0, 1 - b * b - c * c - d * d)), qfac = float_at(file, 76) < 0 ? -1 : 1;
    const double r[3][3] = {
        {a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
        {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
        {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}};
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            m[i][j] = r[i][j] * float_at(file, 80 + 4 * j) * (j == 2 ? qfac : 1);
        m[i][3] = float_at(file, 268 + 4 * i);
    }
}

static void nifti_holds_both_transforms_unless_sheared(void **state)
{
    (void)state;
    for (int which = 0; which < GRID_COUNT; which++) {
        sgio_geometry grid = make_grid(which);
        write_segmentation(which, 0, "a.nii", NULL);
        size_t bytes;
        char *file = read_file(scratch("a.nii"), &bytes);
        assert_int_equal(bytes, 352 + VOXELS);
        assert_memory_equal(file + 344, "n+1", 4);
        assert_int_equal(short_at(file, 40), 3);
        assert_int_equal(short_at(file, 42), 5);
        assert_int_equal(short_at(file, 70), 2); /* unsigned char */
        assert_int_equal(short_at(file, 68), 1002);
        assert_int_equal(short_at(file, 254), 1);
        assert_int_equal(short_at(file, 252), which != GRID_SHEARED);
        double quaternion[3][4];
        matrix_of_quaternion(file, quaternion);
        for (int r = 0; r < 3; r++) {
            for (int c = 0; c < 4; c++) {
                double ras = (r < 2 ? -1 : 1) * grid.matrix[r][c];
                assert_near(float_at(file, 280 + 16 * r + 4 * c), ras, 1e-5);
                if (which != GRID_SHEARED) assert_near(quaternion[r][c], ras, 1e-5);
            }
        }
        for (int v = 0; v < VOXELS; v++)
            assert_int_equal(file[352 + v], v % 5 <= 2 ? 1 : v >= 40 ? 2 : 0);
        free(file);
        remove_scratch("a.nii");
    }
}

static int warnings_of_writing(int which, const char *name)
{
    sgio_geometry grid = make_grid(which);
    warnings seen = {0};
    const sgio_segmentation_write_options options = {.warn = count_warning, .warn_user = &seen};
    sgio_segmentation s;
    make(&s, &grid, 0);
    assert_int_equal(sgio_segmentation_write(&s, scratch(name), &options, NULL), SGIO_OK);
    if (seen.count) assert_non_null(strstr(seen.last, "sheared"));
    sgio_segmentation_clear(&s);
    remove_scratch(name);
    return seen.count;
}

static void only_a_sheared_nifti_is_warned_about(void **state)
{
    (void)state;
    for (int which = 0; which < GRID_COUNT; which++) {
        assert_int_equal(warnings_of_writing(which, "a.nii"), which == GRID_SHEARED);
        assert_int_equal(warnings_of_writing(which, "a.NII.gz"), which == GRID_SHEARED);
        assert_int_equal(warnings_of_writing(which, "a.seg.nrrd"), 0);
    }
}

static void compressed_nifti_is_the_plain_one(void **state)
{
    (void)state;
    size_t plain_bytes, coded_bytes;
    write_segmentation(4, 0, "a.nii", NULL);
    char *plain = read_file(scratch("a.nii"), &plain_bytes);
    remove_scratch("a.nii");
    write_segmentation(4, 0, "a.nii.gz", NULL);
    char *coded = read_file(scratch("a.nii.gz"), &coded_bytes);
    remove_scratch("a.nii.gz");
    char *inflated = malloc(plain_bytes);
    inflate_exactly(coded, coded_bytes, inflated, plain_bytes);
    assert_memory_equal(inflated, plain, plain_bytes);
    free(inflated);
    free(coded);
    free(plain);
}

static void metaimage_lists_one_axis_after_the_other(void **state)
{
    (void)state;
    for (int which = 0; which < GRID_COUNT; which++) {
        sgio_geometry grid = make_grid(which);
        double m[9], spacing[3], offset[3];
        long long coded;
        size_t bytes;
        write_segmentation(which, 0, "a.mha", NULL);
        char *file = read_file(scratch("a.mha"), &bytes), value[512];
        header_value(file, "TransformMatrix = ", value);
        assert_int_equal(sscanf(value, "%lf %lf %lf %lf %lf %lf %lf %lf %lf", m, m + 1, m + 2,
                                m + 3, m + 4, m + 5, m + 6, m + 7, m + 8),
                         9);
        header_value(file, "ElementSpacing = ", value);
        assert_int_equal(sscanf(value, "%lf %lf %lf", spacing, spacing + 1, spacing + 2), 3);
        header_value(file, "Offset = ", value);
        assert_int_equal(sscanf(value, "%lf %lf %lf", offset, offset + 1, offset + 2), 3);
        header_value(file, "CompressedDataSize = ", value);
        assert_int_equal(sscanf(value, "%lld", &coded), 1);
        assert_header(file, "DimSize = ", "5 4 3");
        assert_header(file, "ElementType = ", "MET_UCHAR");
        for (int r = 0; r < 3; r++) {
            assert_near(offset[r], grid.matrix[r][3], 0);
            for (int c = 0; c < 3; c++)
                assert_near(m[3 * c + r] * spacing[c], grid.matrix[r][c], 1e-14);
        }
        const char *data = strstr(file, "ElementDataFile = LOCAL\n");
        assert_non_null(data);
        data += strlen("ElementDataFile = LOCAL\n");
        assert_int_equal(bytes - (size_t)(data - file), coded);
        uint8_t voxels[VOXELS];
        inflate_exactly(data, (size_t)coded, voxels, VOXELS);
        for (int v = 0; v < VOXELS; v++)
            assert_int_equal(voxels[v], v % 5 <= 2 ? 1 : v >= 40 ? 2 : 0);
        free(file);
        remove_scratch("a.mha");
    }
}

static void in_a_plain_map_the_later_segment_wins(void **state)
{
    static const char *const names[] = {"a.nii", "a.nrrd"};
    (void)state;
    for (int n = 0; n < 2; n++) {
        sgio_overlap overlap;
        write_segmentation(0, 1, names[n], &overlap);
        assert_int_equal(overlap.voxels, 4); /* column 2 of the last slice */
        assert_int_equal(overlap.first, 0);
        assert_int_equal(overlap.second, 1);
        size_t bytes;
        char *file = read_file(scratch(names[n]), &bytes);
        uint8_t voxels[VOXELS];
        if (n == 0)
            memcpy(voxels, file + 352, VOXELS);
        else
            inflate_exactly(nrrd_data(file), bytes - (size_t)(nrrd_data(file) - file), voxels,
                            VOXELS);
        for (int v = 0; v < VOXELS; v++)
            assert_int_equal(voxels[v], v % 5 >= 2 && v >= 40 ? 2 : v % 5 <= 2 ? 1 : 0);
        free(file);
        remove_scratch(names[n]);
    }
}

/* Blocks of zeros take a path of their own: their edges, and data in between, must survive. */
static void long_runs_of_zeros_inflate_to_the_same(void **state)
{
    static const char *const names[] = {"z.nii.gz", "z.mha", "z.seg.nrrd"};
    enum { N = 1 << 20 };
    sgio_geometry grid = {.size = {1024, 1024, 2},
                          .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    sgio_segmentation s;
    size_t index, total = 2 * N;
    (void)state;
    uint8_t *mask = calloc(total, 1), *back = malloc(total + 352);
    for (size_t v = 0; v < 1000; v++)
        mask[300000 + v * 7] = 1; /* noise */
    mask[0] = mask[(1 << 18) - 1] = mask[3 << 18] = mask[total - 1] = 1;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&s, "a", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&s, index, mask), SGIO_OK);
    for (int n = 0; n < 3; n++) {
        size_t bytes;
        assert_int_equal(sgio_segmentation_write(&s, scratch(names[n]), NULL, NULL), SGIO_OK);
        char *file = read_file(scratch(names[n]), &bytes);
        const char *data = n == 0 ? file : n == 1 ? strstr(file, "LOCAL\n") + 6 : nrrd_data(file);
        size_t header = n == 0 ? 352 : 0;
        inflate_exactly(data, bytes - (size_t)(data - file), back, total + header);
        assert_memory_equal(back + header, mask, total);
        free(file);
        remove_scratch(names[n]);
    }
    sgio_segmentation_clear(&s);
    free(back);
    free(mask);
}

static void labels_above_255_are_written_in_two_bytes(void **state)
{
    static const char *const names[] = {"w.seg.nrrd", "w.nrrd"};
    sgio_geometry grid = make_grid(0);
    sgio_segmentation s, back;
    uint8_t mask[VOXELS] = {0, 1};
    size_t index;
    (void)state;
    for (int n = 0; n < 2; n++) {
        assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
        assert_int_equal(sgio_segmentation_add(&s, "a", NULL, &index), SGIO_OK);
        s.segments[0].label = 1000;
        assert_int_equal(sgio_segmentation_set_mask(&s, index, mask), SGIO_OK);
        assert_int_equal(sgio_segmentation_write(&s, scratch(names[n]), NULL, NULL), SGIO_OK);
        assert_int_equal(sgio_segmentation_read(scratch(names[n]), NULL, &back), SGIO_OK);
        assert_int_equal(back.segments[0].label, 1000);
        assert_int_equal(back.segments[0].voxels, 1);
        sgio_segmentation_clear(&back);
        sgio_segmentation_clear(&s);
        remove_scratch(names[n]);
    }
}

static void a_segmentation_without_voxels_is_a_valid_file(void **state)
{
    static const char *const names[] = {"e.seg.nrrd", "e.nrrd", "e.nii.gz", "e.mha", "e.nii"};
    sgio_geometry grid = make_grid(1);
    (void)state;
    for (int n = 0; n < 5; n++) {
        sgio_segmentation s, back;
        size_t index;
        assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
        assert_int_equal(sgio_segmentation_add(&s, "nothing", NULL, &index), SGIO_OK);
        assert_int_equal(sgio_segmentation_write(&s, scratch(names[n]), NULL, NULL), SGIO_OK);
        if (n < 2) {
            assert_int_equal(sgio_segmentation_read(scratch(names[n]), NULL, &back), SGIO_OK);
            assert_int_equal(back.segment_count, n == 0);
            assert_memory_equal(&back.geometry, &grid, sizeof grid);
            sgio_segmentation_clear(&back);
        }
        sgio_segmentation_clear(&s);
        remove_scratch(names[n]);
    }
}

static void assert_unwritable(const char *path, const char *reason)
{
    sgio_geometry grid = make_grid(0);
    sgio_segmentation s;
    make(&s, &grid, 0);
    assert_int_equal(sgio_segmentation_write(&s, path, NULL, NULL), SGIO_UNWRITABLE);
    assert_message(path);
    assert_message(reason);
    sgio_segmentation_clear(&s);
}

static void outputs_that_cannot_be_written_leave_nothing(void **state)
{
    (void)state;
    assert_unwritable(scratch("no/such/folder/a.nii.gz"), "there is no folder");
    assert_int_equal(mkdir(scratch("d.nrrd"), 0700), 0);
    assert_unwritable(scratch("d.nrrd"), "is a folder");
    assert_int_equal(rmdir(scratch("d.nrrd")), 0);
    assert_int_equal(scratch_count(), 0);
    sgio_geometry grid = make_grid(0);
    sgio_segmentation s;
    make(&s, &grid, 0);
    assert_int_equal(sgio_segmentation_write(&s, scratch("a.jpg"), NULL, NULL), SGIO_USAGE);
    assert_message(".seg.nrrd");
    assert_int_equal(sgio_segmentation_can_write("x/a.SEG.NRRD"), 1);
    assert_int_equal(sgio_segmentation_can_write(".nrrd"), 0);
    sgio_segmentation_clear(&s);
}

/* A file size limit behaves as a full disk does: the write fails in the middle. */
static void a_full_disk_keeps_the_old_file(void **state)
{
    static const char *const names[] = {"f.nii", "f.nii.gz", "f.mha", "f.seg.nrrd"};
    struct rlimit old;
    (void)state;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    for (int n = 0; n < 4; n++) {
        struct rlimit small = {100, old.rlim_max};
        size_t bytes;
        write_text(scratch(names[n]), "the old one");
        setrlimit(RLIMIT_FSIZE, &small);
        assert_unwritable(scratch(names[n]), "File too large");
        setrlimit(RLIMIT_FSIZE, &old);
        assert_int_equal(scratch_count(), 1);
        char *file = read_file(scratch(names[n]), &bytes);
        assert_string_equal(file, "the old one");
        free(file);
        remove_scratch(names[n]);
    }
}

static void write_again_and_again(const char *path)
{
    sgio_geometry grid = {.size = {128, 128, 8},
                          .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    sgio_segmentation s;
    size_t index;
    uint8_t *mask = malloc(128 * 128 * 8);
    for (size_t v = 0; mask && v < 128 * 128 * 8; v++)
        mask[v] = v * 2654435761u >> 20 & 1;
    if (!mask || sgio_segmentation_init(&s, &grid) != SGIO_OK ||
        sgio_segmentation_add(&s, "noise", NULL, &index) != SGIO_OK ||
        sgio_segmentation_set_mask(&s, index, mask) != SGIO_OK)
        _exit(1);
    for (;;)
        sgio_segmentation_write(&s, path, NULL, NULL);
}

/* Whatever the moment, the output is the old one or a whole new one. */
static void a_killed_process_leaves_no_half_file(void **state)
{
    (void)state;
    write_segmentation(0, 0, "k.seg.nrrd", NULL);
    for (int n = 0; n < 12; n++) {
        sgio_segmentation s;
        char path[512];
        snprintf(path, sizeof path, "%s", scratch("k.seg.nrrd"));
        pid_t child = fork();
        if (child == 0) write_again_and_again(path);
        usleep(20000 + 3000 * n);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        assert_int_equal(sgio_segmentation_read(path, NULL, &s), SGIO_OK);
        assert_true(s.segment_count == (s.geometry.size[0] == 128 ? 1 : 2));
        sgio_segmentation_clear(&s);
    }
    scratch_remove_partial();
    assert_int_equal(scratch_count(), 1);
    remove_scratch("k.seg.nrrd");
}

static void writing_through_a_link_keeps_the_link(void **state)
{
    struct stat info;
    (void)state;
    write_text(scratch("target.nii"), "old");
    assert_int_equal(symlink("target.nii", scratch("link.nii")), 0);
    sgio_geometry grid = make_grid(0);
    sgio_segmentation s;
    make(&s, &grid, 0);
    assert_int_equal(sgio_segmentation_write(&s, scratch("link.nii"), NULL, NULL), SGIO_OK);
    assert_int_equal(lstat(scratch("link.nii"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(scratch("target.nii"), &info), 0);
    assert_int_equal(info.st_size, 352 + VOXELS);
    sgio_segmentation_clear(&s);
    remove_scratch("link.nii");
    remove_scratch("target.nii");
}

static void nifti_refuses_sizes_it_cannot_hold(void **state)
{
    sgio_geometry grid = {.size = {32768, 1, 1},
                          .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    sgio_segmentation s;
    (void)state;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    assert_int_equal(sgio_segmentation_write(&s, scratch("big.nii.gz"), NULL, NULL),
                     SGIO_UNWRITABLE);
    assert_message("32768");
    assert_int_equal(sgio_segmentation_check_write(scratch("big.nii.gz"), &grid, NULL),
                     SGIO_UNWRITABLE);
    assert_int_equal(sgio_segmentation_check_write(scratch("big.mha"), &grid, NULL), SGIO_OK);
    assert_int_equal(scratch_count(), 0);
    sgio_segmentation_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seg_nrrd_has_every_key_slicer_reads),
        cmocka_unit_test(overlapping_segments_become_a_list_axis),
        cmocka_unit_test(nrrd_files_come_back_as_they_were),
        cmocka_unit_test(a_file_that_counts_the_voxels_otherwise_is_turned),
        cmocka_unit_test(nifti_holds_both_transforms_unless_sheared),
        cmocka_unit_test(only_a_sheared_nifti_is_warned_about),
        cmocka_unit_test(compressed_nifti_is_the_plain_one),
        cmocka_unit_test(metaimage_lists_one_axis_after_the_other),
        cmocka_unit_test(in_a_plain_map_the_later_segment_wins),
        cmocka_unit_test(long_runs_of_zeros_inflate_to_the_same),
        cmocka_unit_test(labels_above_255_are_written_in_two_bytes),
        cmocka_unit_test(a_segmentation_without_voxels_is_a_valid_file),
        cmocka_unit_test(outputs_that_cannot_be_written_leave_nothing),
        cmocka_unit_test(a_full_disk_keeps_the_old_file),
        cmocka_unit_test(a_killed_process_leaves_no_half_file),
        cmocka_unit_test(writing_through_a_link_keeps_the_link),
        cmocka_unit_test(nifti_refuses_sizes_it_cannot_hold)};
    return cmocka_run_group_tests(tests, scratch_group_setup, scratch_group_teardown);
}
