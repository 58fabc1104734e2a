/* Scenes: written by 3D Slicer's code and read here (tests/unit/io_out/scene, where each expected
 * place is what Slicer says of the world), refused, written here and read back. */
#include "io_out_support.h"

#include "prompts_parse.h"
#include "scene.h"
#include "volume_formats.h"

#include <math.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static sgio_prompts prompts;
static warnings said;

static int clean(void **state)
{
    (void)state;
    sgio_prompts_clear(&prompts);
    memset(&said, 0, sizeof said);
    return 0;
}

static sgio_status read_scene(const char *path)
{
    const sgio_prompts_options how = {.warn = count_warning, .warn_user = &said};
    return sgio_prompts_read(path, &how, &prompts);
}

static void expect_point(const char *segment, size_t i, double x, double y, double z,
                         int foreground)
{
    const sgio_prompt_segment *s = sgio_prompts_find(&prompts, segment);
    assert_non_null(s);
    assert_true(i < s->point_count);
    assert_near(s->points[i].lps[0], x, 1e-9);
    assert_near(s->points[i].lps[1], y, 1e-9);
    assert_near(s->points[i].lps[2], z, 1e-9);
    assert_int_equal(s->points[i].foreground, foreground);
}

static void expect_vector(const double *v, double x, double y, double z)
{
    assert_near(v[0], x, 1e-9);
    assert_near(v[1], y, 1e-9);
    assert_near(v[2], z, 1e-9);
}

static void test_slicers_markups_lie_where_its_transforms_carry_them(void **state)
{
    (void)state;
    if (read_scene(SCENE_FOLDER "/slicer.mrml") != SGIO_OK) fail_msg("%s", sgio_last_message());
    assert_int_equal(prompts.segment_count, 3);
    expect_point("Leber & \xc3\xbc", 0, -11, -22, 35, 1);
    expect_point("Leber & \xc3\xbc", 1, -14, -25, 38, 0);
    expect_point("plain", 0, -7, -8, 9, 1);
    const sgio_prompt_segment *box = sgio_prompts_find(&prompts, "box");
    assert_non_null(box);
    assert_int_equal(box->box_count, 1);
    expect_vector(box->boxes[0].centre, -8, -21, 33);
    assert_near(fabs(box->boxes[0].half_axis[0][1]), 2, 1e-9);
    assert_near(fabs(box->boxes[0].half_axis[1][0]), 2.5, 1e-9);
    assert_near(fabs(box->boxes[0].half_axis[2][2]), 3, 1e-9);
    assert_int_equal(said.count, 1);
    assert_non_null(strstr(said.last, "'a line' is a MarkupsLine"));
}

static int told;
static void count_path(void *last, const char *path)
{
    told++;
    snprintf(last, 512, "%s", path);
}

static void test_the_files_of_a_scene_are_named(void **state)
{
    char last[512] = "";
    (void)state;
    told = 0;
    sgio_prompts_files(SCENE_FOLDER "/slicer.mrml", count_path, last);
    assert_int_equal(told, 3);
    assert_string_equal(last, SCENE_FOLDER "/box.mrk.json");
    sgio_prompts_files(SCENE_FOLDER "/box.mrk.json", count_path, last);
    assert_int_equal(told, 3);
}

/* ------------------------------------------------------------------------------------ refusals */

#define LIST(frame)                                                                                \
    "<MarkupsJsonStorage id=\"S\" fileName=\"list.mrk.json\"/>"                                    \
    "<MarkupsFiducial id=\"F\" name=\"liver\" references=\"storage:S;transform:" frame ";\"/>"
#define UNIT "1 0 0 0  0 1 0 0  0 0 1 0  0 0 0 1"

static void write_list_as(const char *name)
{
    write_text(
        scratch(name),
        "{\"markups\":[{\"type\":\"Fiducial\",\"controlPoints\":[{\"position\":[1,2,3]}]}]}");
}

static void write_list(void)
{
    write_list_as("list.mrk.json");
}

/* A scene of those nodes. */
static sgio_status read_nodes(const char *nodes)
{
    char text[4096];
    snprintf(text, sizeof text, "<?xml version=\"1.0\"?><MRML>%s</MRML>", nodes);
    write_text(scratch("s.mrml"), text);
    return read_scene(scratch("s.mrml"));
}

static void refuse(const char *nodes, const char *why)
{
    assert_int_equal(read_nodes(nodes), SGIO_BAD_PROMPT);
    assert_message(why);
    sgio_prompts_clear(&prompts);
}

static void test_transforms_that_cannot_be_followed_are_refused(void **state)
{
    (void)state;
    write_list();
    assert_int_equal(read_nodes(LIST("")), SGIO_OK);
    expect_point("liver", 0, 1, 2, 3, 1);
    sgio_prompts_clear(&prompts);
    refuse(LIST("T"), "the transform 'T', which is not in the scene");
    refuse(LIST("S"), "which is not in the scene");
    refuse(LIST("T") "<BSplineTransform id=\"T\" name=\"bend\"/>", "'bend', which is not linear");
    refuse(LIST("T") "<LinearTransform id=\"T\" matrixTransformToParent=\"1 0 0\"/>",
           "which is not linear");
    refuse(LIST("T") "<LinearTransform id=\"T\" matrixTransformToParent=\""
                     "1 0 0 0 0 1 0 0 0 0 0 0 0 0 0 1\"/>",
           "flattens");
    refuse(LIST("T") "<LinearTransform id=\"T\" matrixTransformToParent=\""
                     "1 0 0 0 0 1 0 0 0 0 1 0 0 0 1 1\"/>",
           "flattens or distorts");
    refuse(LIST("T") "<LinearTransform id=\"T\" name=\"loop\" matrixTransformToParent=\"" UNIT
                     "\" references=\"transform:T;\"/>",
           "'loop', which lies under itself");
    assert_int_equal(
        read_nodes(LIST("T") "<LinearTransform id=\"T\" matrixTransformToParent=\"" UNIT "\"/>"),
        SGIO_OK);
}

static void test_scenes_of_old_versions_name_their_references_one_by_one(void **state)
{
    (void)state;
    write_list();
    assert_int_equal(
        read_nodes("<MarkupsFiducialStorage id=\"S\" fileName=\"list.mrk.json\"></"
                   "MarkupsFiducialStorage><MarkupsFiducial id=\"F\" name=\"liver\" "
                   "storageNodeRef=\"S\" transformNodeRef=\"T\"></MarkupsFiducial><LinearTransform "
                   "id=\"T\" matrixTransformToParent=\"1 0 0 5 0 1 0 0 0 0 1 0 0 0 0 1\"/>"),
        SGIO_OK);
    expect_point("liver", 0, -4, 2, 3, 1); /* the matrix is RAS */
}

/* Slicer encodes six characters, the percent sign first; %2F and %c3 are parts of a name. */
static void test_names_of_files_are_decoded_as_slicer_encodes_them(void **state)
{
    (void)state;
    write_list_as("a 'b'<\"c\">%27%2F%c3%00.json");
    assert_int_equal(read_nodes("<MarkupsJsonStorage id=\"S\" "
                                "fileName=\"a%20%27b%27%3C%22c%22%3E%2527%2F%c3%00.json\"/>"
                                "<MarkupsFiducial id=\"F\" name=\"x\" references=\"storage:S;\"/>"),
                     SGIO_OK);
    expect_point("x", 0, 1, 2, 3, 1);
    unlink(scratch("a 'b'<\"c\">%27%2F%c3%00.json"));
}

static void test_what_is_no_scene_is_refused(void **state)
{
    (void)state;
    write_list();
    refuse("", "no point list and no ROI");
    refuse("<View id=\"a\"/>", "no point list and no ROI");
    refuse(LIST("") "<MRML", "line ");
    refuse(LIST("") "</MRML><MRML>", "line 1");
    refuse(LIST("") "<a b=\"&foo;\"/>", "foo");
    refuse(LIST("") "<LinearTransform id=\"F\"/>", "two nodes have the id 'F'");
    refuse("<MarkupsFiducial id=\"F\" references=\"storage:S;\"/><MarkupsJsonStorage id=\"S\" "
           "fileName=\"none.mrk.json\"/>",
           "none.mrk.json");
    refuse("<MarkupsFiducial id=\"F\" references=\"storage:S;\"/><MarkupsJsonStorage id=\"S\" "
           "fileName=\"s.mrml\"/>",
           "prompt files are");
    write_text(scratch("s.mrml"), "<svg></svg>");
    assert_int_equal(read_scene(scratch("s.mrml")), SGIO_BAD_PROMPT);
    assert_message("begins with <svg>");
    write_text(scratch("s.mrml"), "<!DOCTYPE MRML [<!ENTITY x SYSTEM \"/etc/passwd\">]><MRML>" LIST(
                                      "") "<a b=\"&x;\"/></MRML>");
    assert_int_equal(read_scene(scratch("s.mrml")), SGIO_BAD_PROMPT);
    assert_message("a document type");
    write_file(scratch("s.mrml"), "<\0M\0", 4);
    assert_int_equal(read_scene(scratch("s.mrml")), SGIO_BAD_PROMPT);
    assert_message("not UTF-8");
    write_text(scratch("s.mrml"), "");
    assert_int_equal(read_scene(scratch("s.mrml")), SGIO_BAD_PROMPT);
}

static void test_views_hold_copies_and_lists_without_files_are_skipped(void **state)
{
    (void)state;
    write_list();
    assert_int_equal(read_nodes(LIST("") "<SceneView id=\"V\"><MRML>" LIST(
                         "gone") "</MRML></"
                                 "SceneView><MarkupsROI id=\"R\" name=\"box\"/>"
                                 "<Volume id=\"v\" references=\"transform:T;\"/>"),
                     SGIO_OK);
    assert_int_equal(prompts.segment_count, 1);
    assert_int_equal(said.count, 2); /* the ROI without a file, the volume under a transform */
}

/* ------------------------------------------------------------------------------------- writing */

static sgio_volume volume;
static sgio_segmentation segmentation;

static void make_case(int grid)
{
    static int16_t values[5 * 4 * 3];
    uint8_t mask[5 * 4 * 3];
    size_t index;
    memset(&volume, 0, sizeof volume);
    volume.geometry = make_grid(grid);
    volume.type = SGIO_I16;
    volume.channels = 1;
    volume.data = values;
    for (int i = 0; i < 60; i++) {
        values[i] = (int16_t)(100 * i - 1000);
        mask[i] = i % 7 == 0;
    }
    assert_int_equal(sgio_segmentation_init(&segmentation, &volume.geometry), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&segmentation, "liver", NULL, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&segmentation, index, mask), SGIO_OK);
}

static void ask_as_users_do(void)
{
    const double inside[3] = {1.5, -2, 1.0 / 3}, outside[3] = {0, 1, 2};
    const sgio_box turned = {{1, 2, 3}, {{0.6, 0.8, 0}, {-1.6, 1.2, 0}, {0, 0, 3}}};
    const sgio_box flat = {{4, 5, 6}, {{2, 0, 0}, {0, 3, 0}, {0, 0, 0}}};
    /* a flag's text is its label; one that begins with a sign is no background */
    assert_int_equal(sgio_prompts_add_point(&prompts, "a \"b\" & <c>%", inside, 1, "-1,2,3"),
                     SGIO_OK);
    assert_int_equal(sgio_prompts_add_point(&prompts, "a \"b\" & <c>%", outside, 0, "edge"),
                     SGIO_OK);
    assert_int_equal(sgio_prompts_add_point(&prompts, "a \"b\" & <c>%", outside, 0, ""), SGIO_OK);
    assert_int_equal(sgio_prompts_add_box(&prompts, "a \"b\" & <c>%", &turned), SGIO_OK);
    assert_int_equal(sgio_prompts_add_box(&prompts, "box", &flat), SGIO_OK);
}

static void forget_case(void)
{
    sgio_segmentation_clear(&segmentation);
    unlink(scratch("a %20&\xc3\xbc.mrml"));
    unlink(scratch("a %20&\xc3\xbc.seg.nrrd"));
    unlink(scratch("a %20&\xc3\xbc-volume.nrrd"));
    unlink(scratch("a %20&\xc3\xbc-points-1.mrk.json"));
    unlink(scratch("a %20&\xc3\xbc-box-1.mrk.json"));
    unlink(scratch("a %20&\xc3\xbc-box-2.mrk.json"));
}

static void expect_same_prompts(const sgio_prompts *wanted)
{
    const sgio_prompt_segment *a = &wanted->segments[0];
    const sgio_prompt_segment *b = sgio_prompts_find(&prompts, a->name);
    assert_non_null(b);
    assert_int_equal(prompts.segment_count, 2);
    assert_int_equal(b->point_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_memory_equal(a->points[i].lps, b->points[i].lps, sizeof a->points[i].lps);
        assert_int_equal(a->points[i].foreground, b->points[i].foreground);
    }
    for (int axis = 0; axis < 3; axis++)
        expect_vector(b->boxes[0].half_axis[axis], a->boxes[0].half_axis[axis][0],
                      a->boxes[0].half_axis[axis][1], a->boxes[0].half_axis[axis][2]);
    const sgio_prompt_segment *flat = sgio_prompts_find(&prompts, "box");
    assert_non_null(flat);
    expect_vector(flat->boxes[0].half_axis[1], 0, 3, 0);
    expect_vector(flat->boxes[0].half_axis[2], 0, 0, 0);
}

/* A volume that Slicer cannot read lies beside the scene, sheared or left-handed as it is. */
static void test_a_written_scene_is_read_back(void **state)
{
    (void)state;
    for (int grid = 0; grid < GRID_COUNT; grid++) {
        const char *path = scratch("a %20&\xc3\xbc.mrml");
        sgio_volume copy;
        make_case(grid);
        ask_as_users_do();
        const sgio_segmentation_write_options how = {
            .source = &volume, .source_path = "/data/series", .prompts = &prompts};
        char last[512] = "";
        told = 0;
        assert_int_equal(sgio_segmentation_beside(path, &how, count_path, last), SGIO_OK);
        if (sgio_segmentation_write(&segmentation, path, &how, NULL) != SGIO_OK)
            fail_msg("%s", sgio_last_message());
        assert_int_equal(scratch_count(), told + 1);
        sgio_prompts asked = prompts;
        memset(&prompts, 0, sizeof prompts);
        if (read_scene(path) != SGIO_OK) fail_msg("%s", sgio_last_message());
        expect_same_prompts(&asked);
        sgio_prompts_clear(&asked);
        sgio_prompts_clear(&prompts);
        assert_int_equal(sgio_volume_read(scratch("a %20&\xc3\xbc-volume.nrrd"), NULL, &copy),
                         SGIO_OK);
        assert_int_equal(copy.type, SGIO_I16);
        assert_memory_equal(copy.data, volume.data, 60 * sizeof(int16_t));
        assert_true(sgio_geometry_equal(&copy.geometry, &volume.geometry, 1e-12));
        sgio_volume_clear(&copy);
        forget_case();
    }
}

static void test_a_volume_that_slicer_reads_is_named_relative_to_the_scene(void **state)
{
    (void)state;
    char *text, volume_path[600];
    size_t bytes;
    make_case(0);
    snprintf(volume_path, sizeof volume_path, "%s", scratch("x 1%.nrrd"));
    write_text(volume_path, "as if");
    const sgio_segmentation_write_options how = {.source = &volume, .source_path = volume_path};
    assert_int_equal(
        sgio_segmentation_write(&segmentation, scratch("a %20&\xc3\xbc.mrml"), &how, NULL),
        SGIO_OK);
    text = read_file(scratch("a %20&\xc3\xbc.mrml"), &bytes);
    assert_non_null(strstr(text, "fileName=\"x%201%25.nrrd\""));
    assert_non_null(strstr(text, "fileName=\"a%20%2520&amp;\xc3\xbc.seg.nrrd\""));
    assert_null(strstr(text, "Markups"));
    free(text);
    volume.file_volume = 2; /* Slicer would show the first one, or a sequence: a copy is written */
    assert_int_equal(
        sgio_segmentation_write(&segmentation, scratch("a %20&\xc3\xbc.mrml"), &how, NULL),
        SGIO_OK);
    text = read_file(scratch("a %20&\xc3\xbc.mrml"), &bytes);
    assert_null(strstr(text, "fileName=\"x%201%25.nrrd\""));
    free(text);
    unlink(scratch("x 1%.nrrd"));
    forget_case();
}

/* A scene of "itk.nrrd" with these fields: whether the volume lies beside it, where it was. */
static int is_copied(const char *fields)
{
    char text[512], path[600];
    sgio_volume read, copy;
    const int header =
        snprintf(text, sizeof text, "NRRD0004\ntype: uchar\nencoding: raw\n%s\n", fields);
    memset(text + header, 'v', sizeof text - (size_t)header);
    snprintf(path, sizeof path, "%s", scratch("itk.nrrd"));
    write_file(path, text, (size_t)header + 60);
    if (sgio_volume_read(path, NULL, &read) != SGIO_OK) fail_msg("%s", sgio_last_message());
    make_case(0);
    const sgio_segmentation_write_options how = {.source = &read, .source_path = path};
    assert_int_equal(sgio_segmentation_write(&segmentation, scratch("itk.mrml"), &how, NULL),
                     SGIO_OK);
    const int found = sgio_volume_read(scratch("itk-volume.nrrd"), NULL, &copy) == SGIO_OK;
    if (found) assert_true(sgio_geometry_equal(&copy.geometry, &read.geometry, 1e-12));
    if (found) assert_false(copy.itk_differs);
    sgio_volume_clear(&copy);
    sgio_volume_clear(&read);
    forget_case();
    return found;
}

/* ITK leaves RAST and LAST unturned, turns but the origin of a space without directions, and
 * refuses spacings there: the mask would lie beside the volume, or no volume show. */
static void test_a_volume_that_slicer_puts_elsewhere_is_copied(void **state)
{
    static const struct {
        const char *fields;
        int is_copied;
    } files[] = {
        {"dimension: 4\nsizes: 5 4 3 1\nspace: RAST\nspace directions: (1,0,0,0) (0,1,0,0) "
         "(0,0,2,0) (0,0,0,1)\nspace origin: (10,20,30,0)\n",
         1},
        {"dimension: 4\nsizes: 5 4 3 1\nspace: left-anterior-superior-time\nspace directions: "
         "(1,0,0,0) (0,1,0,0) (0,0,2,0) none\n",
         1},
        {"dimension: 3\nsizes: 5 4 3\nspace: RAS\nspace origin: (10,20,30)\n", 1},
        {"dimension: 3\nsizes: 5 4 3\nspace: LPS\nspacings: 1 1 2\n", 1},
        {"dimension: 4\nsizes: 5 4 3 1\nspace: LPST\nspace directions: (1,0,0,0) (0,1,0,0) "
         "(0,0,2,0) (0,0,0,1)\n",
         0},
        {"dimension: 3\nsizes: 5 4 3\nspace: RAS\nspace directions: (1,0,0) (0,1,0) (0,0,2)\n", 0},
        {"dimension: 3\nsizes: 5 4 3\nspacings: 1 1 2\n", 0},
        {"dimension: 3\nsizes: 5 4 3\nspace: LPS\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (is_copied(files[i].fields) != files[i].is_copied)
            fail_msg("%scopied: %s", files[i].is_copied ? "not " : "", files[i].fields);
        unlink(scratch("itk-volume.nrrd"));
    }
    unlink(scratch("itk.seg.nrrd"));
    unlink(scratch("itk.nrrd"));
    unlink(scratch("itk.mrml"));
}

static void test_paths_are_seen_from_the_scenes_folder(void **state)
{
    (void)state;
    char scene[700], data[700];
    const char *folders[] = {"d", "d/e", "dd"};
    for (int i = 0; i < 3; i++)
        mkdir(scratch(folders[i]), 0777);
    snprintf(scene, sizeof scene, "%s", scratch("d/e/s.mrml"));
    snprintf(data, sizeof data, "%s", scratch("dd/v.nrrd"));
    write_text(data, "x");
    char *path = sgio_path_relative(scene, data);
    assert_string_equal(path, "../../dd/v.nrrd");
    free(path);
    path = sgio_path_relative(scratch("dd/s.mrml"), data);
    assert_string_equal(path, "v.nrrd");
    free(path);
    path = sgio_path_relative(scratch("s.mrml"), data);
    assert_string_equal(path, "dd/v.nrrd");
    free(path);
    unlink(scratch("dd/v.nrrd"));
    for (int i = 2; i >= 0; i--)
        rmdir(scratch(folders[i]));
}

static void test_a_scene_without_its_volume_is_refused(void **state)
{
    (void)state;
    make_case(0);
    const sgio_segmentation_write_options how = {.source = &volume, .source_path = "a\xff.nrrd"};
    assert_int_equal(sgio_segmentation_write(&segmentation, scratch("s.mrml"), NULL, NULL),
                     SGIO_USAGE);
    assert_message("refers to the volume");
    assert_int_equal(sgio_segmentation_write(&segmentation, scratch("s.mrml"), &how, NULL),
                     SGIO_USAGE);
    assert_message("UTF-8");
    forget_case();
}

static int leave(void **state)
{
    unlink(scratch("s.mrml"));
    unlink(scratch("list.mrk.json"));
    return clean(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, clean, leave)
    const struct CMUnitTest tests[] = {
        TEST(test_slicers_markups_lie_where_its_transforms_carry_them),
        TEST(test_the_files_of_a_scene_are_named),
        TEST(test_transforms_that_cannot_be_followed_are_refused),
        TEST(test_scenes_of_old_versions_name_their_references_one_by_one),
        TEST(test_names_of_files_are_decoded_as_slicer_encodes_them),
        TEST(test_what_is_no_scene_is_refused),
        TEST(test_views_hold_copies_and_lists_without_files_are_skipped),
        TEST(test_a_written_scene_is_read_back),
        TEST(test_a_volume_that_slicer_reads_is_named_relative_to_the_scene),
        TEST(test_a_volume_that_slicer_puts_elsewhere_is_copied),
        TEST(test_paths_are_seen_from_the_scenes_folder),
        TEST(test_a_scene_without_its_volume_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_group_setup, scratch_group_teardown);
}
