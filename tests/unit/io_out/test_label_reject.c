/* Label maps of others: Slicer's layouts and grids, and files that must be refused. */
#include "io_out_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "NRRD0004\nspace: left-posterior-superior\nencoding: raw\n"
#define U8_3D HEAD "type: uchar\ndimension: 3\n"
#define DIRECTIONS "space directions: (1,0,0) (0,1,0) (0,0,2)\nspace origin: (10,20,30)\n"

static sgio_status read_bytes(const char *header, const void *data, size_t bytes,
                              const sgio_segmentation_read_options *options, sgio_segmentation *out)
{
    size_t n = strlen(header);
    char *file = malloc(n + 1 + bytes);
    assert_non_null(file);
    memcpy(file, header, n);
    file[n] = '\n';
    memcpy(file + n + 1, data, bytes);
    write_file(scratch("x.nrrd"), file, n + 1 + bytes);
    free(file);
    sgio_status status = sgio_segmentation_read(scratch("x.nrrd"), options, out);
    remove_scratch("x.nrrd");
    return status;
}

/* ITK's images of four dimensions, and axes that nothing tells apart (pynrrd). */
static void a_lone_volume_of_four_axes_is_one_layer(void **state)
{
    static const char *const fields[] = {
        "sizes: 3 2 2 1\nspace: left-posterior-superior\n"
        "space directions: (1,0,0) (0,1,0) (0,0,2) none\n",
        "sizes: 3 2 2 1\nspace dimension: 4\nkinds: domain domain domain domain\n"
        "space directions: (1,0,0,0) (0,1,0,0) (0,0,2,0) (0,0,0,7)\n",
        "sizes: 3 2 2 1\nspacings: 1 1 2 1\n",
        "sizes: 1 3 2 2\nspacings: 1 1 1 2\n",
        "sizes: 3 2 2 1\nkinds: domain domain domain list\nspacings: 1 1 2 1\n",
    };
    static const uint8_t data[12] = {0, 3, 3, 0, 0, 0, 7, 0, 0, 0, 0, 3};
    char header[512];
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        sgio_segmentation s;
        uint8_t mask[12];
        snprintf(header, sizeof header, "NRRD0004\nencoding: raw\ntype: uchar\ndimension: 4\n%s",
                 fields[i]);
        if (read_bytes(header, data, sizeof data, NULL, &s) != SGIO_OK)
            fail_msg("%s", sgio_last_message());
        assert_memory_equal(s.geometry.size, ((int64_t[]){3, 2, 2}), sizeof s.geometry.size);
        assert_near(s.geometry.matrix[2][2], 2, 0);
        assert_int_equal(s.layer_count, 1);
        assert_int_equal(s.segment_count, 2);
        assert_int_equal(s.segments[0].label, 3);
        sgio_segmentation_get_mask(&s, 0, mask);
        for (int n = 0; n < 12; n++)
            assert_int_equal(mask[n], data[n] == 3);
        sgio_segmentation_clear(&s);
    }
}

/* As Slicer writes overlapping segments: labels count from 1 in each layer, tags of its own, and
 * an extent that need not be tight. */
static void slicers_layers_are_read(void **state)
{
    static const char header[] = HEAD
        "type: unsigned char\ndimension: 4\nsizes: 2 2 1 2\n"
        "space directions: none (1,0,0) (0,1,0) (0,0,2)\nkinds: list domain domain domain\n"
        "space origin: (10,20,30)\nSegment0_ID:=Segment_7\nSegment0_Name:=two\\nlines\\\\\n"
        "Segment0_Color:=1 0.5 0.25\nSegment0_Layer:=0\nSegment0_LabelValue:=1\n"
        "Segment0_Extent:=0 1 0 0 0 1\n"
        "Segment0_Tags:=Segmentation.Status:completed|TerminologyEntry:C~SCT^1^x~SCT^2^y~^^~R~^^~^^"
        "|\n"
        "Segment1_ID:=Segment_8\nSegment1_Layer:=1\nSegment1_LabelValue:=1\n"
        "Segment2_ID:=Segment_9\nSegment2_Name:=none\nSegment2_Layer:=1\nSegment2_LabelValue:=9\n";
    static const uint8_t data[] = {1, 1, 1, 0, 0, 1, 0, 0};
    sgio_segmentation s;
    uint8_t mask[4];
    (void)state;
    assert_int_equal(read_bytes(header, data, sizeof data, NULL, &s), SGIO_OK);
    assert_int_equal(s.segment_count, 3);
    assert_int_equal(s.layer_count, 2);
    assert_string_equal(s.segments[0].name, "two\nlines\\");
    assert_string_equal(s.segments[0].tags, "Segmentation.Status:completed|");
    assert_string_equal(s.segments[0].terminology, "C~SCT^1^x~SCT^2^y~^^~R~^^~^^");
    assert_near(s.segments[0].colour[2], 0.25, 0);
    assert_string_equal(s.segments[1].name, "Segment_8"); /* no name: the id */
    sgio_segmentation_get_mask(&s, 0, mask);
    assert_memory_equal(mask, ((uint8_t[]){1, 1, 0, 0}), 4);
    sgio_segmentation_get_mask(&s, 1, mask);
    assert_memory_equal(mask, ((uint8_t[]){1, 0, 1, 0}), 4);
    assert_int_equal(s.segments[2].voxels, 0);
    int labels[3];
    sgio_segmentation_flat_labels(&s, labels); /* 1, 1, 9 are not unique */
    assert_int_equal(labels[0], 1);
    assert_int_equal(labels[1], 2);
    assert_int_equal(labels[2], 3);
    sgio_segmentation_clear(&s);
}

/* A segment that moves to another layer must not take on the label of one that lives there. */
static void a_replaced_segment_stays_apart_from_its_neighbours(void **state)
{
    static const char header[] = HEAD "type: uchar\ndimension: 4\nsizes: 2 4 1 1\n"
                                      "Segment0_ID:=a\nSegment0_Layer:=0\nSegment0_LabelValue:=1\n"
                                      "Segment1_ID:=b\nSegment1_Layer:=1\nSegment1_LabelValue:=1\n";
    static const uint8_t data[] = {1, 1, 0, 0, 1, 0, 0, 0}, moved[] = {0, 1, 0, 1};
    sgio_segmentation s;
    uint8_t mask[4];
    (void)state;
    assert_int_equal(read_bytes(header, data, sizeof data, NULL, &s), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&s, 1, moved), SGIO_OK);
    sgio_segmentation_get_mask(&s, 0, mask);
    assert_memory_equal(mask, ((uint8_t[]){1, 0, 1, 0}), 4);
    sgio_segmentation_get_mask(&s, 1, mask);
    assert_memory_equal(mask, moved, 4);
    sgio_segmentation_clear(&s);
}

/* Slicer crops to the segments; the origin says where. */
static void a_cropped_file_is_put_back(void **state)
{
    sgio_geometry grid = {.size = {5, 4, 3},
                          .matrix = {{1, 0, 0, 8}, {0, 1, 0, 19}, {0, 0, 2, 30}}};
    sgio_segmentation_read_options options = {.grid = &grid};
    static const uint8_t data[] = {0, 7, 7, 7};
    sgio_segmentation s;
    uint8_t mask[60], wanted[60] = {0};
    (void)state;
    assert_int_equal(read_bytes(U8_3D DIRECTIONS "sizes: 2 2 1\n", data, 4, &options, &s), SGIO_OK);
    wanted[5 + 3] = wanted[10 + 2] = wanted[10 + 3] = 1; /* 2 columns and 1 row further */
    sgio_segmentation_get_mask(&s, 0, mask);
    assert_memory_equal(mask, wanted, sizeof mask);
    assert_string_equal(s.segments[0].name, "Segment_7");
    assert_memory_equal(&s.geometry, &grid, sizeof grid);
    sgio_segmentation_clear(&s);
}

static void voxels_outside_the_volume_are_dropped_with_a_warning(void **state)
{
    sgio_geometry grid = {.size = {2, 2, 1},
                          .matrix = {{1, 0, 0, 11}, {0, 1, 0, 20}, {0, 0, 2, 30}}};
    warnings seen = {0};
    sgio_segmentation_read_options options = {&grid, count_warning, &seen};
    static const uint8_t data[] = {1, 1, 1, 1};
    sgio_segmentation s;
    (void)state;
    assert_int_equal(read_bytes(U8_3D DIRECTIONS "sizes: 2 2 1\n", data, 4, &options, &s), SGIO_OK);
    assert_int_equal(s.segments[0].voxels, 2);
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.last, "2 voxels"));
    sgio_segmentation_clear(&s);
}

static void another_grid_is_refused(void **state)
{
    static const double changes[][3] = {{1.1, 0, 0}, {1, 0.3, 0}, {1, 0, 0.5}};
    static const uint8_t data[] = {1, 1, 1, 1};
    (void)state;
    for (int n = 0; n < 3; n++) { /* spacing, direction, half a voxel of offset */
        sgio_geometry grid = {.size = {2, 2, 1},
                              .matrix = {{changes[n][0], changes[n][1], 0, 10 + changes[n][2]},
                                         {0, 1, 0, 20},
                                         {0, 0, 2, 30}}};
        sgio_segmentation_read_options options = {.grid = &grid};
        sgio_segmentation s;
        assert_int_equal(read_bytes(U8_3D DIRECTIONS "sizes: 2 2 1\n", data, 4, &options, &s),
                         SGIO_UNREADABLE);
        assert_message("grid");
    }
}

/* Programs make the grid of a series of other slices than we do: a few hundredths of a voxel. */
static void a_grid_that_is_computed_otherwise_is_the_same(void **state)
{
    static const uint8_t data[] = {1, 1, 1, 1};
    (void)state;
    for (int n = 0; n < 2; n++) {
        sgio_geometry grid = {
            .size = {2, 2, 1},
            .matrix = {{1, 0, 0, n ? 10.06 : 10.04}, {0, 1, 0, 20}, {0, 0, 2, 30}}};
        sgio_segmentation_read_options options = {.grid = &grid};
        sgio_segmentation s;
        const sgio_status status =
            read_bytes(U8_3D DIRECTIONS "sizes: 2 2 1\n", data, 4, &options, &s);
        assert_int_equal(status, n ? SGIO_UNREADABLE : SGIO_OK);
        if (n)
            assert_message("up to 0.06 mm from those of the volume");
        else
            assert_memory_equal(&s.geometry, &grid, sizeof grid);
        sgio_segmentation_clear(&s);
    }
}

/* Cropped on a DICOM series, read onto a NIfTI file of it, whose rows lie upside down. */
static void a_cropped_file_is_turned_and_put_back(void **state)
{
    sgio_geometry grid = {.size = {3, 4, 5}, /* along k, j backwards, i */
                          .matrix = {{0, 0, 1, 8}, {0, -1, 0, 22}, {2, 0, 0, 30}}};
    sgio_segmentation_read_options options = {.grid = &grid};
    static const uint8_t data[] = {0, 7, 7, 7};
    sgio_segmentation s;
    uint8_t mask[60], wanted[60] = {0};
    (void)state;
    assert_int_equal(read_bytes(U8_3D DIRECTIONS "sizes: 2 2 1\n", data, 4, &options, &s), SGIO_OK);
    wanted[2 * 3 + 3 * 12] = wanted[3 + 2 * 12] = wanted[3 + 3 * 12] = 1;
    sgio_segmentation_get_mask(&s, 0, mask);
    assert_memory_equal(mask, wanted, sizeof mask);
    assert_memory_equal(&s.geometry, &grid, sizeof grid);
    sgio_segmentation_clear(&s);
}

/* An image of 2 micrometres: a hundredth of a millimetre is five voxels. */
static void a_grid_is_another_one_by_its_own_measure(void **state)
{
    static const uint8_t data[] = {1, 1, 1, 1};
    (void)state;
    for (int n = 0; n < 2; n++) { /* half a voxel of offset, three voxels */
        sgio_geometry grid = {
            .size = {2, 2, 1},
            .matrix = {{0.002, 0, 0, n ? 0.006 : 0.001}, {0, 0.002, 0, 0}, {0, 0, 0.002, 0}}};
        sgio_segmentation_read_options options = {.grid = &grid};
        sgio_segmentation s;
        const sgio_status status = read_bytes(
            U8_3D "space directions: (0.002,0,0) (0,0.002,0) (0,0,0.002)\nspace origin: (0,0,0)\n"
                  "sizes: 2 2 1\n",
            data, 4, &options, &s);
        assert_int_equal(status, n ? SGIO_OK : SGIO_UNREADABLE);
        if (n) assert_int_equal(s.segments[0].voxels, 0);
        sgio_segmentation_clear(&s);
    }
}

static void an_empty_map_of_another_grid_is_refused(void **state)
{
    static const uint8_t data[4];
    sgio_geometry grid = {.size = {2, 2, 1},
                          .matrix = {{1.1, 0, 0, 10}, {0, 1, 0, 20}, {0, 0, 2, 30}}};
    sgio_segmentation_read_options options = {.grid = &grid};
    sgio_segmentation s;
    (void)state;
    assert_int_equal(read_bytes(U8_3D DIRECTIONS "sizes: 2 2 1\n", data, 4, &options, &s),
                     SGIO_UNREADABLE);
    assert_message("grid");
}

/* 1 x 1 x 1 without a label is how Slicer says "no data"; it fits every volume. */
static void an_empty_segmentation_fits_every_volume(void **state)
{
    sgio_geometry grid = make_grid(4);
    sgio_segmentation_read_options options = {.grid = &grid};
    sgio_segmentation s;
    (void)state;
    assert_int_equal(read_bytes(U8_3D DIRECTIONS "sizes: 1 1 1\nSegment0_ID:=Segment_1\n"
                                                 "Segment0_Layer:=0\nSegment0_LabelValue:=1\n",
                                "", 1, &options, &s),
                     SGIO_OK);
    assert_int_equal(s.segment_count, 1);
    assert_int_equal(s.segments[0].voxels, 0);
    assert_memory_equal(s.geometry.size, grid.size, sizeof grid.size);
    sgio_segmentation_clear(&s);
}

static void value_types_and_spaces_are_understood(void **state)
{
    static const float floats[] = {0, 300, 5};
    static const double doubles[] = {0, 300, 5};
    static const int64_t longs[] = {0, 300, 5};
    static const uint16_t swapped[] = {0, 0x2C01, 0x0500};
    const struct {
        const char *fields;
        const void *data;
        size_t bytes;
    } cases[] = {{"type: float\nendian: little\n", floats, sizeof floats},
                 {"type: double\nendian: little\n", doubles, sizeof doubles},
                 {"type: int64\nendian: little\n", longs, sizeof longs},
                 {"type: short\nendian: big\n", swapped, sizeof swapped}};
    (void)state;
    for (int n = 0; n < 4; n++) {
        char header[512];
        sgio_segmentation s;
        snprintf(header, sizeof header,
                 "NRRD0005\r\n# comment\r\n%sdimension: 3\r\nsizes: 3 1 1\nencoding: raw\n"
                 "space: RAS\nspace directions: (-1,0,0) (0,0,2) (0,3,0)\nspace origin: (1,2,3)\n"
                 "unknown field: x\n",
                 cases[n].fields);
        assert_int_equal(read_bytes(header, cases[n].data, cases[n].bytes, NULL, &s), SGIO_OK);
        assert_int_equal(s.segment_count, 2);
        assert_int_equal(s.segments[0].label, 5);
        assert_int_equal(s.segments[1].label, 300);
        const double wanted[3][4] = {{1, 0, 0, -1}, {0, 0, -3, -2}, {0, 2, 0, 3}};
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 4; c++)
                assert_near(s.geometry.matrix[r][c], wanted[r][c], 0);
        sgio_segmentation_clear(&s);
    }
}

static void bad_files_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *header, *reason;
    } cases[] = {
        {"", "NRRD"},
        {"P5 2 2 255", "NRRD"},
        {"NRRD0004\nno colon here\n", "colon"},
        {U8_3D "sizes: 2 2\n", "sizes"},
        {U8_3D "sizes: 2 2 0\n", "sizes"},
        {U8_3D "sizes: 2 2 -1\n", "sizes"},
        {U8_3D "sizes: 2 2 1.5\n", "sizes"},
        {U8_3D "sizes: 2 2 99\n", "truncated"},
        {U8_3D "sizes: 4000000000 4000000000 4000000000\n", "not credible"},
        {U8_3D "sizes: 2 2 1\nspace directions: (1,0,0) (2,0,0) (0,0,1)\n", "plane"},
        {U8_3D "sizes: 2 2 1\nspace directions: (0,0,0) (0,1,0) (0,0,1)\n", "zero"},
        {U8_3D "sizes: 2 2 1\nspace directions: (nan,0,0) (0,1,0) (0,0,1)\n", "(nan,0,0)"},
        {U8_3D "sizes: 2 2 1\nspace directions: (1,0,0) none (0,0,1)\n", "direction"},
        {U8_3D "sizes: 2 2 1\nspace origin: (1,2)\n", "origin"},
        {"NRRD0004\nspace: sideways\n", "sideways"},
        {U8_3D "sizes: 2 2 1\nspace: left-posterior-superior\n", "comes twice"},
        {"NRRD0004\nencoding: bzip2\n", "bzip2"},
        {U8_3D "sizes: 2 2 1\nbyte skip: 7\n", "truncated"},
        {U8_3D "sizes: 2 2 1 9\n", "sizes"},
        {U8_3D "sizes: 2 2 1\nspacings: 1 1\n", "spacings"},
        {HEAD "type: block\n", "block"},
        {HEAD "type: short\ndimension: 3\nsizes: 2 1 1\n", "endian"},
        {HEAD "type: uchar\ndimension: 5\nsizes: 1 1 1 1 1\n", "5 spatial axes"},
        {HEAD "type: uchar\ndimension: 17\n", "dimension"},
        {HEAD "sizes: 2 2 1\n", "sizes"},
        {HEAD "type: uchar\ndimension: 3\n", "sizes"},
        {HEAD "type: uchar\ndimension: 4\nsizes: 2 1 1 2\n"
              "space directions: (1,0,0) (0,1,0) (0,0,1) none\n",
         "list"},
        {HEAD "type: uchar\ndimension: 4\nsizes: 2 2 1 1\n"
              "space directions: none (1,0,0) (0,1,0) (0,0,1)\n",
         "no segments"},
        {U8_3D "sizes: 2 2 1\nSegment0_ID:=a\nSegment0_Layer:=1\n", "layer"},
        {U8_3D "sizes: 2 2 1\nSegment0_ID:=a\nSegment0_LabelValue:=0\n", "label"},
        {U8_3D "sizes: 2 2 1\nSegment0_ID:=a\nSegment0_LabelValue:=70000\n", "label"},
        {HEAD "type: float\nendian: little\ndimension: 3\nsizes: 1 1 1\n", "not a label map"},
        {HEAD "type: char\ndimension: 3\nsizes: 2 1 1\n", "type"},
        {HEAD "type: int8\ndimension: 3\nsizes: 1 1 1\n", "not a label map"}};
    static const uint8_t data[4] = {255, 255, 255, 127};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sgio_segmentation s;
        if (read_bytes(cases[i].header, data, sizeof data, NULL, &s) != SGIO_UNREADABLE)
            fail_msg("accepted: %s", cases[i].header);
        assert_message("x.nrrd");
        assert_message(cases[i].reason);
    }
}

static void damaged_gzip_data_are_refused(void **state)
{
    static const uint8_t noise[64] = {0x1f, 0x8b, 8, 0, 1, 2, 3};
    sgio_segmentation s;
    (void)state;
    assert_int_equal(
        read_bytes("NRRD0004\ntype: uchar\ndimension: 3\nsizes: 9 9 9\nencoding: gzip\n", noise,
                   sizeof noise, NULL, &s),
        SGIO_UNREADABLE);
    assert_message("corrupt");
}

static void data_in_another_file_behind_skips_are_read(void **state)
{
    static const char header[] = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 1 1\n"
                                 "encoding: raw\nline skip: 1\nbyte skip: 2\n"
                                 "data file: x.raw\nSegment0_ID:=a\nSegment0_Layer:=0\n";
    sgio_segmentation s;
    (void)state;
    write_file(scratch("x.raw"), "a line\n99\0\1", 11);
    assert_int_equal(read_bytes(header, "", 0, NULL, &s), SGIO_OK);
    remove_scratch("x.raw");
    assert_int_equal(s.segment_count, 1);
    assert_string_equal(s.segments[0].id, "a");
    assert_int_equal(s.segments[0].voxels, 1);
    sgio_segmentation_clear(&s);
    assert_int_equal(read_bytes(header, "", 0, NULL, &s), SGIO_UNREADABLE);
    assert_message("x.raw");
}

static void values_without_a_segment_are_dropped_with_a_warning(void **state)
{
    warnings seen = {0};
    sgio_segmentation_read_options options = {NULL, count_warning, &seen};
    sgio_segmentation s;
    (void)state;
    assert_int_equal(read_bytes(U8_3D DIRECTIONS "sizes: 2 2 1\nSegment0_ID:=a\nSegment0_Layer:=0\n"
                                                 "Segment0_LabelValue:=2\n",
                                "\2\3\0\2", 4, &options, &s),
                     SGIO_OK);
    assert_int_equal(s.segments[0].voxels, 2);
    assert_int_equal(seen.count, 1);
    sgio_segmentation_clear(&s);
}

static void a_volume_of_labels_becomes_segments(void **state)
{
    static int32_t labels[] = {0, 3, 3, 52};
    static float fractions[] = {0, 0.5f, 1, 2};
    sgio_volume volume = {
        .geometry = {.size = {4, 1, 1}, .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}},
        .type = SGIO_I32,
        .channels = 1,
        .data = labels};
    sgio_segmentation s;
    (void)state;
    assert_int_equal(sgio_segmentation_from_volume(&volume, "l.nii", NULL, &s), SGIO_OK);
    assert_int_equal(s.segment_count, 2);
    assert_string_equal(s.segments[1].name, "Segment_52");
    assert_int_equal(s.segments[1].label, 52);
    assert_int_equal(s.layers[0].bytes, 1);
    sgio_segmentation_clear(&s);
    labels[0] = -1;
    assert_int_equal(sgio_segmentation_from_volume(&volume, "l.nii", NULL, &s), SGIO_UNREADABLE);
    volume.type = SGIO_F32;
    volume.data = fractions;
    assert_int_equal(sgio_segmentation_from_volume(&volume, "l.nii", NULL, &s), SGIO_UNREADABLE);
    assert_message("l.nii");
    volume.channels = 3;
    assert_int_equal(sgio_segmentation_from_volume(&volume, "l.nii", NULL, &s), SGIO_UNREADABLE);
    assert_message("colour");
}

/* Rows of `run` voxels of one value each, as cells of a microscope; and as grey values scattered.
 */
static void fill_cells(uint16_t *voxels, int count, int values, int run)
{
    for (int v = 0; v < count; v++)
        voxels[v] = (uint16_t)(run ? 1 + v / run % values : 1 + v * 7 % values);
}

/* A collimated radiograph: half of it is white, but that is one value of many. */
static void whiten_half(uint16_t *voxels, int count)
{
    for (int v = 0; v < count / 2; v++)
        voxels[v] = 4000;
}

static void many_labels_are_told_from_an_image(void **state)
{
    enum { SIDE = 160, COUNT = SIDE * SIDE };
    static uint16_t voxels[COUNT];
    sgio_volume volume = {
        .geometry = {.size = {SIDE, SIDE, 1}, .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}},
        .type = SGIO_U16,
        .channels = 1,
        .data = voxels};
    const sgio_segmentation_read_options known = {.are_labels = 1};
    sgio_segmentation s;
    (void)state;
    fill_cells(voxels, COUNT, 1296, 4);
    assert_int_equal(sgio_segmentation_from_volume(&volume, "cells", NULL, &s), SGIO_OK);
    assert_int_equal(s.segment_count, 1296);
    sgio_segmentation_clear(&s);
    fill_cells(voxels, COUNT, 1296, 0);
    assert_int_equal(sgio_segmentation_from_volume(&volume, "image", &known, &s), SGIO_OK);
    assert_int_equal(s.segment_count, 1296);
    sgio_segmentation_clear(&s);
    for (int white = 0; white < 2; white++) {
        if (white) whiten_half(voxels, COUNT);
        assert_int_equal(sgio_segmentation_from_volume(&volume, "image", NULL, &s),
                         SGIO_UNREADABLE);
        assert_message("an image");
    }
    fill_cells(voxels, COUNT, 5000, 4);
    assert_int_equal(sgio_segmentation_from_volume(&volume, "cells", &known, &s), SGIO_UNREADABLE);
    assert_message("at most 4096");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_volume_of_four_axes_is_one_layer),
        cmocka_unit_test(slicers_layers_are_read),
        cmocka_unit_test(a_replaced_segment_stays_apart_from_its_neighbours),
        cmocka_unit_test(a_cropped_file_is_put_back),
        cmocka_unit_test(voxels_outside_the_volume_are_dropped_with_a_warning),
        cmocka_unit_test(another_grid_is_refused),
        cmocka_unit_test(a_grid_that_is_computed_otherwise_is_the_same),
        cmocka_unit_test(a_cropped_file_is_turned_and_put_back),
        cmocka_unit_test(a_grid_is_another_one_by_its_own_measure),
        cmocka_unit_test(an_empty_map_of_another_grid_is_refused),
        cmocka_unit_test(an_empty_segmentation_fits_every_volume),
        cmocka_unit_test(value_types_and_spaces_are_understood),
        cmocka_unit_test(bad_files_are_refused_with_the_reason),
        cmocka_unit_test(damaged_gzip_data_are_refused),
        cmocka_unit_test(data_in_another_file_behind_skips_are_read),
        cmocka_unit_test(values_without_a_segment_are_dropped_with_a_warning),
        cmocka_unit_test(a_volume_of_labels_becomes_segments),
        cmocka_unit_test(many_labels_are_told_from_an_image)};
    return cmocka_run_group_tests(tests, scratch_group_setup, scratch_group_teardown);
}
