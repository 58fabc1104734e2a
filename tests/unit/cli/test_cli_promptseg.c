/* PromptSeg's description: the contract that scripts and Slicer rely on. argv[1]: PromptSeg.xml */
#include "cli_test.h"

#include "cli_options.h"

static const char *xml_path;
static cli_tool *tool;

static int load(void **state)
{
    (void)state;
    size_t size;
    char *xml = read_text(xml_path, &size);
    const int failed = cli_tool_parse(xml, size, &tool);
    free(xml);
    return failed;
}

static int unload(void **state)
{
    (void)state;
    cli_tool_free(tool);
    return 0;
}

static void every_promised_option_is_there(void **state)
{
    (void)state;
    static const char *const flags[] = {
        "foreground",  "background",  "roi",        "prompts",      "segmentName", "initial",
        "model",       "variant",     "class",      "device",       "precision",   "threads",
        "axis",        "window",      "listSeries", "series",       "allowGaps",   "propagate",
        "maxSlices",   "keepLargest", "fillHoles",  "segmentColor", "cache",       "cacheLimit",
        "maskPrompts", "sequence",    "report",     "picture",      "reportPaths", "boxes",
        "reference",   "base",        "convert",    "labelValues"};
    size_t found = 0, options = 0;
    for (size_t i = 0; i < tool->parameter_count; i++) {
        const cli_parameter *p = &tool->parameters[i];
        options += p->long_flag != NULL;
        for (size_t k = 0; k < sizeof flags / sizeof flags[0] && p->long_flag; k++)
            found += strcmp(p->long_flag, flags[k]) == 0;
    }
    assert_int_equal(found, sizeof flags / sizeof flags[0]);
    assert_int_equal(options, found);
}

static void defaults_are_the_documented_ones(void **state)
{
    (void)state;
    char *argv[] = {(char *)"PromptSeg", (char *)"in.nrrd", (char *)"out.seg.nrrd"};
    cli_options *o;
    double color[3];
    assert_int_equal(cli_options_parse(tool, 3, argv, &o), 0);
    assert_string_equal(cli_text(o, "input"), "in.nrrd");
    assert_string_equal(cli_text(o, "output"), "out.seg.nrrd");
    assert_string_equal(cli_text(o, "segmentName"), "Segment_1");
    static const char *const automatic[] = {"device",    "precision", "axis",
                                            "propagate", "window",    "variant"};
    for (size_t i = 0; i < sizeof automatic / sizeof automatic[0]; i++)
        assert_string_equal(cli_text(o, automatic[i]), "auto");
    assert_string_equal(cli_text(o, "className"), "");
    assert_int_equal(cli_integer(o, "maxSlices"), 0);
    assert_int_equal(cli_numbers_at(o, "segmentColor", 0, color, 3), 0);
    cli_options_free(o);
}

/* The command line that Slicer's CLI logic makes: every number and enumeration at its value, points
 * with six digits, files in its temporary folder, positional arguments last. */
static void slicers_command_line_is_understood(void **state)
{
    (void)state;
    char *argv[] = {(char *)"PromptSeg",
                    (char *)"--processinformationaddress",
                    (char *)"0",
                    (char *)"--returnparameterfile",
                    (char *)"/tmp/r.params",
                    (char *)"--initial",
                    (char *)"/tmp/A_vtkMRMLSegmentationNodeB.seg.nrrd",
                    (char *)"--foreground",
                    (char *)"-12.3457,1e-05,300",
                    (char *)"--foreground",
                    (char *)"10,20,30",
                    (char *)"--background",
                    (char *)"-1,-2,-3",
                    (char *)"--roi",
                    (char *)"1,2,3,4,5,6,1,0,0,0,1,0,0,0,1",
                    (char *)"--segmentName",
                    (char *)"Left kidney",
                    (char *)"--class",
                    (char *)"-1",
                    (char *)"--device",
                    (char *)"auto",
                    (char *)"--threads",
                    (char *)"0",
                    (char *)"--cacheLimit",
                    (char *)"4096",
                    (char *)"--fillHoles",
                    (char *)"/tmp/A.nrrd",
                    (char *)"/tmp/A_vtkMRMLSegmentationNodeB.seg.nrrd"};
    cli_options *o;
    double v[15];
    if (cli_options_parse(tool, (int)(sizeof argv / sizeof argv[0]), argv, &o)) fail();
    assert_int_equal(cli_options_check_positional(o, 0), 0);
    assert_int_equal(cli_given(o, "foreground"), 2);
    assert_int_equal(cli_numbers_at(o, "foreground", 0, v, 15), 3);
    assert_true(v[0] == -12.3457 && v[1] == 1e-05 && v[2] == 300);
    assert_int_equal(cli_numbers_at(o, "roi", 0, v, 15), 15);
    assert_string_equal(cli_text(o, "segmentName"), "Left kidney");
    cli_options_free(o);
}

static void listing_series_needs_no_output(void **state)
{
    (void)state;
    char *argv[] = {(char *)"PromptSeg", (char *)"--listSeries", (char *)"dicom"};
    cli_options *o;
    assert_int_equal(cli_options_parse(tool, 3, argv, &o), 0);
    assert_int_equal(cli_options_check_positional(o, cli_switch(o, "listSeries")), 0);
    assert_int_not_equal(cli_options_check_positional(o, 0), 0);
    cli_options_free(o);
}

static void return_values_are_declared(void **state)
{
    (void)state;
    static const char *const names[] = {"segments", "volumeInMl", "seconds", "deviceUsed",
                                        "warnings"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const cli_parameter *p = cli_tool_find(tool, names[i]);
        assert_non_null(p);
        assert_true(p->is_return);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_promised_option_is_there),
                                       cmocka_unit_test(defaults_are_the_documented_ones),
                                       cmocka_unit_test(slicers_command_line_is_understood),
                                       cmocka_unit_test(listing_series_needs_no_output),
                                       cmocka_unit_test(return_values_are_declared)};
    if (argc != 2) return 1;
    xml_path = argv[1];
    return cmocka_run_group_tests(tests, load, unload);
}
