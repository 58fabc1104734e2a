/* Segments in layers: packing, replacing, labels. */
#include "io_out_support.h"
#include "terminology_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VOXELS = 5 * 4 * 3 };

static void fill(uint8_t mask[VOXELS], int i0, int i1, int j0, int j1, int k0, int k1)
{
    memset(mask, 0, VOXELS);
    for (int k = k0; k <= k1; k++)
        for (int j = j0; j <= j1; j++)
            for (int i = i0; i <= i1; i++)
                mask[(k * 4 + j) * 5 + i] = 255; /* any value but 0 */
}

static size_t add(sgio_segmentation *s, const char *name, const uint8_t mask[VOXELS])
{
    size_t index;
    assert_int_equal(sgio_segmentation_add(s, name, NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(s, index, mask), SGIO_OK);
    return index;
}

static void assert_mask(const sgio_segmentation *s, size_t index, const uint8_t mask[VOXELS])
{
    uint8_t found[VOXELS];
    sgio_segmentation_get_mask(s, index, found);
    for (int v = 0; v < VOXELS; v++)
        assert_int_equal(found[v], mask[v] != 0);
}

static void only_overlapping_segments_take_a_layer_more(void **state)
{
    sgio_geometry grid = make_grid(1);
    sgio_segmentation s;
    uint8_t a[VOXELS], b[VOXELS], c[VOXELS], none[VOXELS] = {0};
    (void)state;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    fill(a, 0, 1, 0, 3, 0, 2);
    fill(b, 2, 4, 0, 3, 0, 2);
    fill(c, 1, 2, 1, 2, 1, 2);
    add(&s, "a", a);
    add(&s, "b", b);
    assert_int_equal(s.layer_count, 1);
    add(&s, "c", c);
    assert_int_equal(s.layer_count, 2);
    add(&s, "empty", none);
    assert_int_equal(s.layer_count, 2);
    assert_int_equal(s.segments[3].layer, -1);
    assert_mask(&s, 0, a);
    assert_mask(&s, 1, b);
    assert_mask(&s, 2, c);
    assert_mask(&s, 3, none);
    const int64_t extent[6] = {1, 2, 1, 2, 1, 2};
    assert_memory_equal(s.segments[2].extent, extent, sizeof extent);
    assert_int_equal(s.segments[2].voxels, 8);
    assert_near(sgio_segmentation_ml(&s, 2), 8 * 0.7 * 0.7 * 5 / 1000, 1e-12);
    assert_int_equal(sgio_segmentation_find(&s, "c"), 2);
    assert_int_equal(sgio_segmentation_find(&s, "d"), -1);
    sgio_segmentation_clear(&s);
}

static void replacing_a_mask_leaves_the_others_alone(void **state)
{
    sgio_geometry grid = make_grid(0);
    sgio_segmentation s;
    uint8_t a[VOXELS], b[VOXELS], wide[VOXELS], none[VOXELS] = {0};
    (void)state;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    fill(a, 0, 1, 0, 3, 0, 2);
    fill(b, 3, 4, 0, 3, 0, 2);
    fill(wide, 0, 3, 0, 3, 0, 0);
    add(&s, "a", a);
    add(&s, "b", b);
    assert_int_equal(sgio_segmentation_set_mask(&s, 0, wide), SGIO_OK); /* now covers b */
    assert_int_equal(s.layer_count, 2);
    assert_mask(&s, 0, wide);
    assert_mask(&s, 1, b);
    assert_int_equal(sgio_segmentation_set_mask(&s, 0, a), SGIO_OK); /* and back: no layer left */
    assert_int_equal(s.layer_count, 1);
    assert_mask(&s, 0, a);
    assert_mask(&s, 1, b);
    assert_int_equal(sgio_segmentation_set_mask(&s, 1, none), SGIO_OK);
    assert_int_equal(s.segments[1].voxels, 0);
    assert_int_equal(s.segments[1].extent[1], -1);
    assert_mask(&s, 0, a);
    sgio_segmentation_clear(&s);
}

static void more_than_255_segments_use_two_bytes(void **state)
{
    sgio_geometry grid = {.size = {300, 1, 1},
                          .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    sgio_segmentation s;
    uint8_t mask[300] = {0};
    (void)state;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    for (int n = 0; n < 300; n++) {
        size_t index;
        mask[n] = 1;
        if (n > 0) mask[n - 1] = 0;
        assert_int_equal(sgio_segmentation_add(&s, "x", NULL, &index), SGIO_OK);
        assert_int_equal(sgio_segmentation_set_mask(&s, index, mask), SGIO_OK);
    }
    assert_int_equal(s.segments[299].label, 300);
    for (size_t n = 0; n < 300; n++) {
        sgio_segmentation_get_mask(&s, n, mask);
        for (size_t v = 0; v < 300; v++)
            assert_int_equal(mask[v], v == n);
    }
    sgio_segmentation_clear(&s);
}

static void ids_and_labels_of_new_segments_are_unused(void **state)
{
    sgio_geometry grid = make_grid(0);
    sgio_segmentation s;
    size_t index;
    (void)state;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&s, "a", NULL, &index), SGIO_OK);
    free(s.segments[0].id);
    s.segments[0].id = strdup("Segment_2");
    s.segments[0].label = 2;
    assert_int_equal(sgio_segmentation_add(&s, "b", NULL, &index), SGIO_OK);
    assert_int_equal(s.segments[1].label, 1);
    assert_string_not_equal(s.segments[1].id, "Segment_2");
    sgio_segmentation_clear(&s);
}

static void known_names_bring_their_code_and_colour(void **state)
{
    sgio_geometry grid = make_grid(0);
    sgio_segmentation s;
    sgio_terminology t;
    size_t index;
    (void)state;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&s, "Left_Kidney", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_terminology_parse(s.segments[0].terminology, &t), 0);
    assert_string_equal(t.category.value, "123037004");
    assert_string_equal(t.type.value, "64033007");
    assert_string_equal(t.type_modifier.meaning, "Left");
    assert_near(s.segments[0].colour[0], 185 / 255.0, 1e-12);
    assert_int_equal(sgio_segmentation_add(&s, "Segment_1", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_terminology_parse(s.segments[1].terminology, &t), 0);
    assert_string_equal(t.type.scheme, "SCT");
    assert_string_equal(t.type.value, "85756007");
    assert_string_equal(t.type_modifier.value, "");
    assert_int_equal(sgio_terminology_parse("a~b", &t), -1);
    assert_int_equal(sgio_terminology_parse("", &t), -1);
    sgio_segmentation_clear(&s);
}

static void colours_are_parsed_and_differ(void **state)
{
    static const char *const bad[] = {"", "1,0", "1,0,2", "-1,0,0", "a,b,c", "0,0,0,0", "nan,0,0"};
    double colour[3], other[3];
    (void)state;
    assert_int_equal(sgio_colour_parse("0.25,1,0", colour), SGIO_OK);
    assert_near(colour[0], 0.25, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sgio_colour_parse(bad[i], colour), SGIO_USAGE);
    for (size_t a = 0; a < 24; a++) {
        for (size_t b = 0; b < a; b++) {
            sgio_colour_palette(a, colour);
            sgio_colour_palette(b, other);
            double d = 0;
            for (int c = 0; c < 3; c++)
                d += (colour[c] - other[c]) * (colour[c] - other[c]);
            if (!(d > 0.01)) fail_msg("colours %zu and %zu look the same", a, b);
        }
    }
}

/* "list~category~type~sides" of a TerminologyEntry; the side must be one that the list has. */
static int is_in_slicers_lists(const char *entry, const char *side)
{
    size_t n = 0;
    for (int parts = 0; parts < 3; parts++)
        n += strcspn(entry + n, "~") + 1;
    const char *modifier = entry + n;
    int has_side = strncmp(modifier, "^^~", 3) != 0;
    if (has_side && !strstr(modifier, side)) return 0;
    for (size_t r = 0; r < sizeof terminology_rows / sizeof *terminology_rows; r++) {
        const char *row = terminology_rows[r];
        if (strncmp(row, entry, n) == 0 && (row[n] == '1' || !has_side)) return 1;
    }
    return 0;
}

static void codes_come_from_the_list_that_has_them(void **state)
{
    static const char *const names[] = {"adrenal gland",
                                        "aorta",
                                        "artery",
                                        "bladder",
                                        "bone",
                                        "brain",
                                        "colon",
                                        "cyst",
                                        "duodenum",
                                        "edema",
                                        "esophagus",
                                        "femur",
                                        "gallbladder",
                                        "heart",
                                        "hemorrhage",
                                        "hippocampus",
                                        "kidney",
                                        "liver",
                                        "lung",
                                        "lymph node",
                                        "mass",
                                        "muscle",
                                        "necrosis",
                                        "neoplasm",
                                        "nodule",
                                        "oesophagus",
                                        "pancreas",
                                        "prostate",
                                        "sacrum",
                                        "skin",
                                        "skull",
                                        "small bowel",
                                        "spinal cord",
                                        "small intestine",
                                        "spleen",
                                        "sternum",
                                        "stomach",
                                        "thyroid",
                                        "thyroid gland",
                                        "trachea",
                                        "tumor",
                                        "tumour",
                                        "vein",
                                        "vertebra",
                                        "urinary bladder",
                                        "no such thing"};
    sgio_geometry grid = make_grid(0);
    sgio_segmentation s;
    size_t index;
    (void)state;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char left[64];
        snprintf(left, sizeof left, "Left_%s", names[i]);
        assert_int_equal(sgio_segmentation_add(&s, names[i], NULL, &index), SGIO_OK);
        if (!is_in_slicers_lists(s.segments[index].terminology, "^^"))
            fail_msg("%s: %s", names[i], s.segments[index].terminology);
        assert_int_equal(sgio_segmentation_add(&s, left, NULL, &index), SGIO_OK);
        if (!is_in_slicers_lists(s.segments[index].terminology, "SCT^7771000^Left"))
            fail_msg("%s: %s", left, s.segments[index].terminology);
    }
    int known = sgio_segmentation_find(&s, "Left_femur");
    assert_non_null(strstr(s.segments[known].terminology, "DICOM master list~"));
    assert_non_null(strstr(s.segments[known].terminology, "Femur~SCT^7771000^Left~"));
    sgio_segmentation_clear(&s);
}

static int64_t voxels_named(const sgio_segmentation *s, const char *name)
{
    int index = sgio_segmentation_find(s, name);
    return index < 0 ? -1 : s->segments[index].voxels;
}

/* Two segments that overlap in 4 voxels, with values of the caller's. What is told of the file is
 * what is in it. */
static void plain_files_have_the_values_asked_for(void **state)
{
    static const char *const names[] = {"t.nrrd", "t.nii", "t.nii.gz", "t.mha", "frames.csv"};
    static uint8_t data[VOXELS];
    sgio_geometry grid = make_grid(0);
    sgio_volume volume = {.geometry = grid, .type = SGIO_U8, .channels = 1, .data = data};
    uint8_t a[VOXELS], b[VOXELS];
    sgio_segmentation s;
    (void)state;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    fill(a, 0, 2, 0, 3, 0, 2);
    fill(b, 2, 4, 0, 3, 2, 2);
    add(&s, "a", a);
    add(&s, "b", b);
    for (int n = 0; n < 5; n++) {
        const int is_frames = n == 4, labels[2] = {7, is_frames ? 9 : 300};
        int64_t written[2] = {-5, -5};
        const sgio_segmentation_write_options how = {
            .source = &volume, .labels = labels, .written = written};
        sgio_segmentation back;
        assert_true(sgio_segmentation_is_plain(scratch(names[n])));
        assert_int_equal(sgio_segmentation_write(&s, scratch(names[n]), &how, NULL), SGIO_OK);
        assert_int_equal(written[0], 32);
        assert_int_equal(written[1], 12);
        if (is_frames) continue;
        assert_int_equal(sgio_segmentation_read(scratch(names[n]), NULL, &back), SGIO_OK);
        assert_int_equal(voxels_named(&back, "Segment_7"), 32);
        assert_int_equal(voxels_named(&back, "Segment_300"), 12);
        assert_int_equal(back.segment_count, 2);
        sgio_segmentation_clear(&back);
        remove_scratch(names[n]);
    }
    size_t size;
    char *table = read_file(scratch("frames.csv"), &size);
    assert_non_null(strstr(table, "3,\"000003.png\",8,12\n")); /* pixels of the picture */
    free(table);
    remove_scratch("000001.png");
    remove_scratch("000002.png");
    remove_scratch("000003.png");
    remove_scratch("frames.csv");
    assert_false(sgio_segmentation_is_plain("t.seg.nrrd"));
    assert_false(sgio_segmentation_is_plain("t.dcm"));
    assert_false(sgio_segmentation_is_plain("t.mrml"));
    sgio_segmentation_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_come_from_the_list_that_has_them),
        cmocka_unit_test(plain_files_have_the_values_asked_for),
        cmocka_unit_test(only_overlapping_segments_take_a_layer_more),
        cmocka_unit_test(replacing_a_mask_leaves_the_others_alone),
        cmocka_unit_test(more_than_255_segments_use_two_bytes),
        cmocka_unit_test(ids_and_labels_of_new_segments_are_unused),
        cmocka_unit_test(known_names_bring_their_code_and_colour),
        cmocka_unit_test(colours_are_parsed_and_differ)};
    return cmocka_run_group_tests(tests, scratch_group_setup, scratch_group_teardown);
}
