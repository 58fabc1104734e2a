/* Markups files: coordinates, polarity, grouping, and what is refused. */
#include "io_out_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sgio_status read_text(const char *name, const char *text, sgio_prompts *prompts)
{
    sgio_prompts_options options = {.unnamed = NULL};
    memset(prompts, 0, sizeof *prompts);
    write_text(scratch(name), text);
    sgio_status status = sgio_prompts_read(scratch(name), &options, prompts);
    remove_scratch(name);
    return status;
}

static void assert_point(const sgio_prompt_segment *segment, size_t p, double x, double y, double z,
                         int foreground)
{
    assert_true(p < segment->point_count);
    assert_near(segment->points[p].lps[0], x, 1e-12);
    assert_near(segment->points[p].lps[1], y, 1e-12);
    assert_near(segment->points[p].lps[2], z, 1e-12);
    assert_int_equal(segment->points[p].foreground, foreground);
}

#define MARKUP(head, points)                                                                       \
    "{\"@schema\": \"x\", \"markups\": [{\"type\": \"Fiducial\", " head                            \
    "\"controlPoints\": [" points "]}]}"
#define POINT(label, xyz) "{\"label\": \"" label "\", \"position\": [" xyz "]}"

static void lps_is_the_default_and_ras_flips_x_and_y(void **state)
{
    static const struct {
        const char *head;
        double sign;
    } cases[] = {
        {"", 1}, {"\"coordinateSystem\": \"LPS\", ", 1}, {"\"coordinateSystem\": \"RAS\", ", -1}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        char text[512];
        sgio_prompts prompts;
        snprintf(text, sizeof text, MARKUP("%s", POINT("a-1", "1.5,-2,3e1")), cases[i].head);
        assert_int_equal(read_text("liver.mrk.json", text, &prompts), SGIO_OK);
        assert_int_equal(prompts.segment_count, 1);
        assert_string_equal(prompts.segments[0].name, "liver"); /* Slicer writes no name */
        assert_point(&prompts.segments[0], 0, cases[i].sign * 1.5, cases[i].sign * -2, 30, 1);
        sgio_prompts_clear(&prompts);
    }
}

static void labels_and_descriptions_decide_polarity(void **state)
{
    static const struct {
        const char *label, *description;
        int foreground;
    } cases[] = {{"F-1", "", 1},    {"-", "", 0},    {"-1", "", 0},  {"bg", "", 0},
                 {"bg:1", "", 0},   {"bg-1", "", 1}, {"bgx", "", 1}, {"BG", "", 1},
                 {" -", "", 1},     {"x", "-", 0},   {"x", "bg", 0}, {"x", "bg: fat", 0},
                 {"x", "- fat", 0}, {"x", "big", 1}, {"x", "a -", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        sgio_prompts prompts;
        snprintf(text, sizeof text,
                 MARKUP("", "{\"label\": \"%s\", \"description\": \"%s\", \"position\": [1,2,3]}"),
                 cases[i].label, cases[i].description);
        assert_int_equal(read_text("p.json", text, &prompts), SGIO_OK);
        if (prompts.segments[0].points[0].foreground != cases[i].foreground)
            fail_msg("label '%s', description '%s'", cases[i].label, cases[i].description);
        sgio_prompts_clear(&prompts);
    }
}

static void points_not_selected_or_not_placed_are_skipped(void **state)
{
    sgio_prompts prompts;
    (void)state;
    const char *text =
        MARKUP("", "{\"label\": \"a\", \"position\": [1,1,1], \"selected\": false},"
                   "{\"label\": \"b\", \"position\": \"\", \"positionStatus\": \"undefined\"},"
                   "{\"label\": \"c\", \"position\": \"\"},"
                   "{\"label\": \"d\", \"position\": [0,0,0], \"positionStatus\": \"preview\"},"
                   "{\"label\": \"e\", \"position\": [4,5,6], \"positionStatus\": \"defined\"}");
    assert_int_equal(read_text("p.mrk.json", text, &prompts), SGIO_OK);
    assert_int_equal(prompts.segments[0].point_count, 1);
    assert_string_equal(prompts.segments[0].points[0].label, "e");
    sgio_prompts_clear(&prompts);
}

static void same_names_merge_and_an_roi_joins_its_fiducials(void **state)
{
    sgio_prompts prompts;
    (void)state;
    const char *text =
        "{\"markups\": ["
        "{\"type\": \"Fiducial\", \"name\": \"A\", \"controlPoints\": [" POINT(
            "",
            "1,2,3") "]},"
                     "{\"type\": \"ROI\", \"name\": \"B\", \"center\": [0,0,0], \"size\": [2,4,6]},"
                     "{\"type\": \"ROI\", \"name\": \"A\", \"center\": [0,0,0], \"size\": [2,2,2]},"
                     "{\"type\": \"Fiducial\", \"name\": \"A\", \"controlPoints\": [" POINT(
                         "-", "7,8,9") "]}]}";
    assert_int_equal(read_text("p.mrk.json", text, &prompts), SGIO_OK);
    assert_int_equal(prompts.segment_count, 2);
    const sgio_prompt_segment *a = sgio_prompts_find(&prompts, "A");
    assert_int_equal(a->point_count, 2);
    assert_int_equal(a->box_count, 1);
    assert_point(a, 1, 7, 8, 9, 0);
    const sgio_prompt_segment *b = sgio_prompts_find(&prompts, "B");
    assert_int_equal(b->point_count, 0);
    assert_near(b->boxes[0].half_axis[2][2], 3, 0); /* size holds full lengths */
    sgio_prompts_clear(&prompts);
}

/* Axes are the columns of the matrix; the same box in RAS negates the first two rows. */
static void a_rotated_roi_is_the_same_box_in_both_systems(void **state)
{
    static const char *const systems[2] = {
        "\"coordinateSystem\": \"LPS\", \"center\": [10,20,30], "
        "\"orientation\": [0.6,-0.8,0, 0.8,0.6,0, 0,0,1]",
        "\"coordinateSystem\": \"RAS\", \"center\": [-10,-20,30], "
        "\"orientation\": [-0.6,0.8,0, -0.8,-0.6,0, 0,0,1]"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char text[512];
        sgio_prompts prompts;
        snprintf(text, sizeof text,
                 "{\"markups\": [{\"type\": \"ROI\", \"roiType\": \"Box\", %s, "
                 "\"size\": [20,10,4]}]}",
                 systems[i]);
        assert_int_equal(read_text("box.mrk.json", text, &prompts), SGIO_OK);
        const sgio_box *box = &prompts.segments[0].boxes[0];
        const double wanted[3][3] = {{6, 8, 0}, {-4, 3, 0}, {0, 0, 2}};
        for (int a = 0; a < 3; a++)
            for (int r = 0; r < 3; r++)
                assert_near(box->half_axis[a][r], wanted[a][r], 1e-12);
        assert_near(box->centre[1], 20, 0);
        sgio_prompts_clear(&prompts);
    }
}

static void micrometres_are_converted(void **state)
{
    static const char *const units[2] = {"\"um\"", "[\"um\", \"UCUM\", \"micrometer\"]"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char text[512];
        sgio_prompts prompts;
        snprintf(text, sizeof text, MARKUP("\"coordinateUnits\": %s, ", POINT("a", "1500,0,-2000")),
                 units[i]);
        assert_int_equal(read_text("p.mrk.json", text, &prompts), SGIO_OK);
        assert_point(&prompts.segments[0], 0, 1.5, 0, -2, 1);
        sgio_prompts_clear(&prompts);
    }
}

static void other_markups_are_ignored_with_a_warning(void **state)
{
    warnings seen = {0};
    sgio_prompts prompts = {0};
    sgio_prompts_options options = {.warn = count_warning, .warn_user = &seen};
    (void)state;
    write_text(scratch("l.mrk.json"),
               "{\"markups\": [{\"type\": \"Line\", \"name\": \"ruler\", \"controlPoints\": []},"
               "{\"type\": \"ROI\", \"name\": \"new\", \"controlPoints\": [], \"center\": "
               "[0,0,0], \"size\": [0,0,0]}]}");
    assert_int_equal(sgio_prompts_read(scratch("l.mrk.json"), &options, &prompts), SGIO_OK);
    assert_int_equal(prompts.segment_count, 0);
    assert_int_equal(seen.count, 2);
    assert_non_null(strstr(seen.last, "new"));
    remove_scratch("l.mrk.json");
}

/* A list as Slicer 5 writes it: the node's name is in no field, only in the points' labels. */
static const char slicer_list[] =
    "{\"@schema\": "
    "\"https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    "Resources/Schema/markups-schema-v1.0.3.json#\",\n"
    "\"markups\": [{\"type\": \"Fiducial\", \"coordinateSystem\": \"LPS\", \"coordinateUnits\": "
    "\"mm\", \"locked\": false, \"fixedNumberOfControlPoints\": false, \"labelFormat\": "
    "\"%N-%d\", \"lastUsedControlPointNumber\": 1, \"controlPoints\": [{\"id\": \"1\", \"label\": "
    "\"F-1\", \"description\": \"\", \"associatedNodeID\": \"vtkMRMLScalarVolumeNode1\", "
    "\"position\": [1.5, 2.5, 3.5], \"orientation\": [-1.0, -0.0, -0.0, -0.0, -1.0, -0.0, 0.0, "
    "0.0, 1.0], \"selected\": true, \"locked\": false, \"visibility\": true, "
    "\"positionStatus\": \"defined\"}], \"measurements\": [], \"display\": {\"visibility\": "
    "false, \"opacity\": 1.0, \"color\": [0.4, 1.0, 1.0]}}]}\n";

static void a_list_of_slicer_is_named_by_its_file(void **state)
{
    static const struct {
        const char *file, *segment;
    } cases[] = {
        {"kidney.mrk.json", "kidney"},
        {"left kidney.mrk.json", "left kidney"},
        {"kidney.json", "kidney"},
        {"v1.2.mrk.json", "v1.2"},
        {"kidney.MRK.JSON", "kidney"},
        /* Slicer's own temporary files say nothing; the option does. */
        {"BHIA_vtkMRMLMarkupsFiducialNodeB.mrk.json", "from the option"},
        {"JJ_vtkMRMLMarkupsROINodeBA.mrk.json", "from the option"},
        {"BCD_vtkMRMLMarkupsFiducialNodeB.json", "from the option"},
        /* Names that only look a little like them. */
        {"vtkMRMLMarkupsFiducialNodeB.mrk.json", "vtkMRMLMarkupsFiducialNodeB"},
        {"BHIA_vtkMRMLMarkupsFiducialNode.mrk.json", "BHIA_vtkMRMLMarkupsFiducialNode"},
        {"BHIA_vtkMRMLMarkupsFiducialNodeX.mrk.json", "BHIA_vtkMRMLMarkupsFiducialNodeX"},
        {"123_vtkMRMLMarkupsFiducialNodeB.mrk.json", "123_vtkMRMLMarkupsFiducialNodeB"},
        {"ABC.mrk.json", "ABC"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const sgio_prompts_options options = {.unnamed = "from the option"};
        sgio_prompts prompts = {0};
        write_text(scratch(cases[i].file), slicer_list);
        assert_int_equal(sgio_prompts_read(scratch(cases[i].file), &options, &prompts), SGIO_OK);
        remove_scratch(cases[i].file);
        assert_string_equal(prompts.segments[0].name, cases[i].segment);
        assert_point(&prompts.segments[0], 0, 1.5, 2.5, 3.5, 1);
        sgio_prompts_clear(&prompts);
    }
}

static void two_lists_of_slicer_are_two_segments(void **state)
{
    const sgio_prompts_options options = {.unnamed = "Segment_1"};
    sgio_prompts prompts = {0};
    (void)state;
    write_text(scratch("liver.mrk.json"), slicer_list);
    write_text(scratch("kidney.fcsv"), "# Markups fiducial file version = 4.11\n"
                                       "# CoordinateSystem = LPS\n1,7,8,9,0,0,0,1,1,1,0,F-1,,\n");
    assert_int_equal(sgio_prompts_read(scratch("liver.mrk.json"), &options, &prompts), SGIO_OK);
    assert_int_equal(sgio_prompts_read(scratch("kidney.fcsv"), &options, &prompts), SGIO_OK);
    assert_int_equal(prompts.segment_count, 2);
    assert_non_null(sgio_prompts_find(&prompts, "liver"));
    assert_non_null(sgio_prompts_find(&prompts, "kidney"));
    remove_scratch("liver.mrk.json");
    remove_scratch("kidney.fcsv");
    sgio_prompts_clear(&prompts);
}

static void a_roi_that_was_never_drawn_is_skipped_and_said(void **state)
{
    static const char *const undrawn[] = {"-0,-0,0,0,0,0", "0,0,0,0,0,0,1,0,0,0,1,0,0,0,1"};
    warnings seen = {0};
    const sgio_prompts_options options = {.warn = count_warning, .warn_user = &seen};
    sgio_prompts prompts = {0};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sgio_prompts_add_roi_text(&prompts, "S", undrawn[i], &options), SGIO_OK);
        assert_int_equal(seen.count, i + 1);
        assert_non_null(strstr(seen.last, "never drawn"));
        assert_int_equal(sgio_prompts_add_roi_text(&prompts, "S", undrawn[i], NULL), SGIO_OK);
    }
    assert_int_equal(prompts.segment_count, 0);
    assert_int_equal(sgio_prompts_add_roi_text(&prompts, "S", "1,0,0,0,0,0", &options),
                     SGIO_BAD_PROMPT);
    sgio_prompts_clear(&prompts);
}

static void bad_markups_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "empty"},
        {"[]", "markups"},
        {"{\"markups\": 3}", "markups"},
        {"{\"markups\": [], \"markups\": []}", "duplicate"},
        {"{\"markups\": [7]}", "object"},
        {"{\"markups\": [{}]}", "type"},
        {MARKUP("", POINT("F-7", "1,2")), "F-7"},
        {MARKUP("", POINT("F-7", "1,2,\\\"3\\\"")), "line"},
        {MARKUP("", POINT("F-7", "1,2,\"3\"")), "F-7"},
        {MARKUP("", POINT("F-7", "1,2,null")), "F-7"},
        {MARKUP("", POINT("F-7", "1,2,NaN")), "line"},
        {MARKUP("", POINT("F-7", "1,2,1e999")), "line"},
        {MARKUP("", "{\"label\": \"F-8\"}"), "F-8"},
        {MARKUP("\"coordinateSystem\": \"IJK\", ", ""), "LPS or RAS"},
        {MARKUP("\"coordinateSystem\": 7, ", ""), "LPS or RAS"},
        {MARKUP("\"coordinateUnits\": \"inch\", ", ""), "inch"},
        {MARKUP("\"coordinateUnits\": 1, ", ""), "mm or um"},
        {"{\"markups\": [{\"type\": \"ROI\", \"center\": [0,0,0], \"size\": [1,-1,1]}]}",
         "negative"},
        {"{\"markups\": [{\"type\": \"ROI\", \"center\": [0,0,0], \"size\": [1,0,0]}]}", "zero"},
        {"{\"markups\": [{\"type\": \"ROI\", \"center\": [0,0,0]}]}", "size"},
        {"{\"markups\": [{\"type\": \"ROI\", \"center\": [0,0,0], \"size\": [1,1,1], "
         "\"insideOut\": true}]}",
         "inside-out"},
        {"{\"markups\": [{\"type\": \"ROI\", \"center\": [0,0,0], \"size\": [1,1,1], "
         "\"roiType\": \"Sphere\"}]}",
         "roiType"},
        {"{\"markups\": [{\"type\": \"ROI\", \"center\": [0,0,0], \"size\": [1,1,1], "
         "\"orientation\": [1,1,0, 0,0,0, 0,0,1]}]}",
         "plane"},
        {"{\"markups\": [{\"type\": \"ROI\", \"center\": [0,0,0], \"size\": [1,1,1], "
         "\"orientation\": [2,0,0, 0,1,0, 0,0,1]}]}",
         "unit vector"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sgio_prompts prompts;
        if (read_text("bad.mrk.json", cases[i].text, &prompts) != SGIO_BAD_PROMPT)
            fail_msg("accepted: %s", cases[i].text);
        assert_message("bad.mrk.json");
        assert_message(cases[i].reason);
        sgio_prompts_clear(&prompts);
    }
}

#define FCSV_4 "# Markups fiducial file version = 4.11\n"
#define COLUMNS "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
#define ROW "vtkMRMLMarkupsFiducialNode_0,"

static void every_fcsv_version_gives_the_same_points(void **state)
{
    static const char *const files[] = {
        /* Slicer 3: no version, RAS */
        "# Fiducial List file x.fcsv\nF-1,-1,-2,3,1,1\n-,-4,-5,6,1,1\nF-3,9,9,9,0,1\n",
        "# columns = label,x,y,z,sel,vis\nF-1,-1,-2,3,1,1\n-,-4,-5,6,1,1\nF-3,9,9,9,0,1\n",
        "# Markups fiducial file version = 4.3\n# CoordinateSystem = 0\n" COLUMNS ROW
        "-1,-2,3,0,0,0,1,1,1,0,F-1,,\n" ROW "-4,-5,6,0,0,0,1,1,1,0,-,,\n" ROW
        "9,9,9,0,0,0,1,1,0,0,F-3,,\n",
        FCSV_4 "# CoordinateSystem = RAS\n" COLUMNS ROW "-1,-2,3,0,0,0,1,1,1,0,F-1,,\n" ROW
               "-4,-5,6,0,0,0,1,1,1,0,x,bg,\n",
        FCSV_4 "# CoordinateSystem = 1\n" ROW "1,2,3,0,0,0,1,1,1,0,F-1,,\n" ROW
               "4,5,6,0,0,0,1,1,1,0,-,,\n",
        /* newest: LPS, two values more than names, quotes, carriage returns */
        FCSV_4 "# CoordinateSystem = LPS\r\n" COLUMNS ROW
               "1,2,3,0,0,0,1,1,1,0,\"F, \"\"1\"\"\",,,2,0\r\n" ROW
               "4,5,6,0,0,0,1,1,1,0,-,,,2,0\r\n" ROW "7,7,7,0,0,0,1,1,1,0,F-3,,,0,0\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        sgio_prompts prompts;
        assert_int_equal(read_text("seeds.fcsv", files[i], &prompts), SGIO_OK);
        assert_int_equal(prompts.segment_count, 1);
        assert_string_equal(prompts.segments[0].name, "seeds");
        assert_int_equal(prompts.segments[0].point_count, 2);
        assert_point(&prompts.segments[0], 0, 1, 2, 3, 1);
        assert_point(&prompts.segments[0], 1, 4, 5, 6, 0);
        if (i == 5) assert_string_equal(prompts.segments[0].points[0].label, "F, \"1\"");
        sgio_prompts_clear(&prompts);
    }
}

static void markups_csv_is_read(void **state)
{
    static const char *const files[] = {
        "label,l,p,s,defined,selected,visible,locked,description\n"
        "F-1,1,2,3,1,1,1,0,\nF-2,4,5,6,1,1,1,0,bg\nF-3,7,8,9,0,1,1,0,\n",
        "label,r,a,s,defined,selected,visible,locked,description\n"
        "F-1,-1,-2,3,1,1,1,0,\nF-2,-4,-5,6,1,1,1,0,bg\nF-3,7,8,9,1,0,1,0,\n"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        sgio_prompts prompts;
        assert_int_equal(read_text("seeds.csv", files[i], &prompts), SGIO_OK);
        assert_int_equal(prompts.segments[0].point_count, 2);
        assert_point(&prompts.segments[0], 0, 1, 2, 3, 1);
        assert_point(&prompts.segments[0], 1, 4, 5, 6, 0);
        sgio_prompts_clear(&prompts);
    }
}

static void bad_point_lists_are_refused_with_the_line(void **state)
{
    static const struct {
        const char *name, *text, *reason;
    } cases[] = {{"b.fcsv", FCSV_4 ROW "1,2\n", "line 2"},
                 {"b.fcsv", FCSV_4 ROW "1,x,3,0,0,0,1,1,1,0,F-1,,\n", "F-1"},
                 {"b.fcsv", FCSV_4 ROW "1,nan,3,0,0,0,1,1,1,0,F-1,,\n", "nan"},
                 {"b.fcsv", FCSV_4 ROW "1,1e400,3,0,0,0,1,1,1,0,F-1,,\n", "1e400"},
                 {"b.fcsv", FCSV_4 ROW "1,0x10,3,0,0,0,1,1,1,0,F-1,,\n", "0x10"},
                 {"b.fcsv", FCSV_4 ROW "1,2,3,0,0,0,1,1,1,0,\"open,,\n", "quotes"},
                 {"b.fcsv", "# CoordinateSystem = XYZ\n", "XYZ"},
                 {"b.fcsv", "# columns = id,a,b\n", "columns"},
                 {"b.csv", "", "empty"},
                 {"b.csv", "a,b,c\n1,2,3\n", "columns"},
                 {"b.txt", "1,2,3", ".mrk.json"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sgio_prompts prompts;
        if (read_text(cases[i].name, cases[i].text, &prompts) != SGIO_BAD_PROMPT)
            fail_msg("accepted: %s", cases[i].text);
        assert_message(cases[i].reason);
        sgio_prompts_clear(&prompts);
    }
    sgio_prompts none = {0};
    assert_int_equal(sgio_prompts_read(scratch("absent.fcsv"), NULL, &none), SGIO_BAD_PROMPT);
    assert_message("absent.fcsv");
}

static void more_points_than_allowed_are_refused(void **state)
{
    sgio_prompts prompts;
    (void)state;
    char *text = malloc(SGIO_MAX_PROMPT_POINTS * 8 + 64), *end = text;
    assert_non_null(text);
    for (int i = 0; i <= SGIO_MAX_PROMPT_POINTS; i++)
        end += sprintf(end, "a,1,2,3\n");
    assert_int_equal(read_text("many.fcsv", text, &prompts), SGIO_BAD_PROMPT);
    assert_message("100000");
    free(text);
    sgio_prompts_clear(&prompts);
}

static void flags_give_the_same_prompts_as_files(void **state)
{
    sgio_prompts flags = {0}, file;
    (void)state;
    assert_int_equal(sgio_prompts_add_point_text(&flags, "S", "1.5,-2,3", 1), SGIO_OK);
    assert_int_equal(sgio_prompts_add_point_text(&flags, "S", "-4, 5 ,6e0", 0), SGIO_OK);
    assert_int_equal(
        sgio_prompts_add_roi_text(&flags, "S", "10,20,30,10,5,2,.6,-.8,0,.8,.6,0,0,0,1", NULL),
        SGIO_OK);
    const char *text =
        "{\"markups\": [{\"type\": \"Fiducial\", \"name\": \"S\", \"coordinateSystem\": \"RAS\", "
        "\"controlPoints\": [" POINT("a", "-1.5,2,3") "," POINT(
            "-", "4,-5,6") "]},"
                           "{\"type\": \"ROI\", \"name\": \"S\", \"center\": [10,20,30], \"size\": "
                           "[20,10,4], "
                           "\"orientation\": [0.6,-0.8,0,0.8,0.6,0,0,0,1]}]}";
    assert_int_equal(read_text("s.mrk.json", text, &file), SGIO_OK);
    assert_int_equal(file.segment_count, flags.segment_count);
    for (int p = 0; p < 2; p++) {
        const double *x = flags.segments[0].points[p].lps;
        assert_point(&file.segments[0], (size_t)p, x[0], x[1], x[2],
                     flags.segments[0].points[p].foreground);
    }
    assert_memory_equal(file.segments[0].boxes, flags.segments[0].boxes, sizeof(sgio_box));
    sgio_prompts_clear(&flags);
    sgio_prompts_clear(&file);
}

static void bad_flags_are_usage_errors(void **state)
{
    static const char *const points[] = {"",       "1,2",     "1,2,3,4", "1,2,x",
                                         "1,,3",   "nan,1,1", "inf,1,1", "1,2,3 4",
                                         "1,2,3,", "0x1,2,3", "1;2;3"};
    static const char *const rois[] = {"1,2,3,4,5", "1,2,3,4,5,6,7", ""};
    static const char *const senseless[] = {"0,0,0,-1,1,1", "0,0,0,0,0,1",
                                            "0,0,0,1,1,1,1,0,0,1,0,0,0,0,1"};
    sgio_prompts prompts = {0};
    (void)state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        assert_int_equal(sgio_prompts_add_point_text(&prompts, "S", points[i], 1), SGIO_USAGE);
    for (size_t i = 0; i < sizeof rois / sizeof *rois; i++)
        assert_int_equal(sgio_prompts_add_roi_text(&prompts, "S", rois[i], NULL), SGIO_USAGE);
    for (size_t i = 0; i < sizeof senseless / sizeof *senseless; i++)
        assert_int_equal(sgio_prompts_add_roi_text(&prompts, "S", senseless[i], NULL),
                         SGIO_BAD_PROMPT);
    assert_int_equal(prompts.segment_count, 0);
}

static void long_labels_are_cut_at_a_character(void **state)
{
    sgio_prompts prompts = {0};
    const double lps[3] = {0, 0, 0};
    char label[80];
    (void)state;
    for (int i = 0; i < 39; i++)
        memcpy(label + 2 * i, "\xC3\xA4", 3);
    assert_int_equal(sgio_prompts_add_point(&prompts, "S", lps, 1, label), SGIO_OK);
    assert_int_equal(strlen(prompts.segments[0].points[0].label), 46);
    sgio_prompts_clear(&prompts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lps_is_the_default_and_ras_flips_x_and_y),
        cmocka_unit_test(labels_and_descriptions_decide_polarity),
        cmocka_unit_test(points_not_selected_or_not_placed_are_skipped),
        cmocka_unit_test(same_names_merge_and_an_roi_joins_its_fiducials),
        cmocka_unit_test(a_rotated_roi_is_the_same_box_in_both_systems),
        cmocka_unit_test(micrometres_are_converted),
        cmocka_unit_test(other_markups_are_ignored_with_a_warning),
        cmocka_unit_test(a_list_of_slicer_is_named_by_its_file),
        cmocka_unit_test(two_lists_of_slicer_are_two_segments),
        cmocka_unit_test(a_roi_that_was_never_drawn_is_skipped_and_said),
        cmocka_unit_test(bad_markups_are_refused_with_the_reason),
        cmocka_unit_test(every_fcsv_version_gives_the_same_points),
        cmocka_unit_test(markups_csv_is_read),
        cmocka_unit_test(bad_point_lists_are_refused_with_the_line),
        cmocka_unit_test(more_points_than_allowed_are_refused),
        cmocka_unit_test(flags_give_the_same_prompts_as_files),
        cmocka_unit_test(bad_flags_are_usage_errors),
        cmocka_unit_test(long_labels_are_cut_at_a_character)};
    return cmocka_run_group_tests(tests, scratch_group_setup, scratch_group_teardown);
}
