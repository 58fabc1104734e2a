#include "cli_test.h"

#include "cli_exit.h"
#include "cli_help.h"
#include "cli_options.h"

static const char xml[] =
    "<?xml version=\"1.0\"?><executable><title>T</title><description>Does things.</description>"
    "<version>1.2.3</version>"
    "<parameters><label>Main</label><description>d</description>"
    "<image><name>in</name><index>0</index><description>d</description><label>Input</label></image>"
    "<image><name>out</name><index>1</index><description>d</description><label>Output</label>"
    "<channel>output</channel></image>"
    "<integer><name>threads</name><flag>t</flag><longflag alias=\"cores\">threads</longflag>"
    "<description>Threads.</description><label>l</label><default>2</default>"
    "<constraints><minimum>0</minimum><maximum>64</maximum></constraints></integer>"
    "<double><name>tolerance</name><longflag>tolerance</longflag><description>d</description>"
    "<label>l</label><default>1.5</default></double>"
    "<string-enumeration><name>device</name><longflag>device</longflag><description>d</description>"
    "<label>l</label><default>auto</default><element>auto</element><element>cpu</element>"
    "</string-enumeration>"
    "<boolean><name>fill</name><longflag>fillHoles</longflag><description>d</description>"
    "<label>l</label></boolean>"
    "<point multiple=\"true\"><name>pos</name><longflag>foreground</longflag>"
    "<description>d</description><label>l</label></point>"
    "<region multiple=\"true\"><name>roi</name><longflag>roi</longflag>"
    "<description>d</description><label>l</label></region>"
    "<string><name>word</name><longflag>word</longflag><description>d</description><label>l</label>"
    "</string>"
    "<double-vector><name>color</name><longflag>color</longflag><description>d</description>"
    "<label>l</label></double-vector>"
    "<integer><name>count</name><description>d</description><label>l</label>"
    "<channel>output</channel></integer>"
    "</parameters></executable>";

static cli_tool *tool;

static int load(void **state)
{
    (void)state;
    return cli_tool_parse(xml, sizeof xml - 1, &tool);
}

static int unload(void **state)
{
    (void)state;
    cli_tool_free(tool);
    return 0;
}

enum { MAX_ARGUMENTS = 32 };

/* Splits at blanks; options are the caller's, NULL on failure. `line` must outlive them. */
static cli_options *parse(char *line)
{
    char *argv[MAX_ARGUMENTS] = {(char *)"tool"};
    int argc = 1;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    cli_options *options;
    cli_options_parse(tool, argc, argv, &options);
    return options;
}

static void refused(const char *text, const char *reason)
{
    char line[512];
    snprintf(line, sizeof line, "%s", text);
    cli_options *options = parse(line);
    if (options) fail_msg("'%s' was accepted", text);
    assert_contains(cli_last_message(), reason);
}

static void every_form_is_read(void **state)
{
    (void)state;
    char line[] = "-t 4 --tolerance=0.25 --device cpu --fillHoles --foreground -12.5,3,4 "
                  "--foreground=1,2,3e-05 --roi 1,2,3,4,5,6 --word=--fillHoles a.nrrd -- --b.nrrd";
    cli_options *o = parse(line);
    double v[3];
    assert_non_null(o);
    assert_int_equal(cli_integer(o, "threads"), 4);
    assert_true(cli_real(o, "tolerance") == 0.25);
    assert_string_equal(cli_text(o, "device"), "cpu");
    assert_true(cli_switch(o, "fill"));
    assert_int_equal(cli_given(o, "pos"), 2);
    assert_int_equal(cli_numbers_at(o, "pos", 0, v, 3), 3);
    assert_true(v[0] == -12.5 && v[1] == 3 && v[2] == 4);
    assert_int_equal(cli_numbers_at(o, "pos", 1, v, 3), 3);
    assert_true(v[2] == 3e-05);
    assert_int_equal(cli_numbers_at(o, "roi", 0, v, 3), 6);
    assert_string_equal(cli_text(o, "word"), "--fillHoles");
    assert_string_equal(cli_text(o, "in"), "a.nrrd");
    assert_string_equal(cli_text(o, "out"), "--b.nrrd");
    assert_int_equal(cli_options_check_positional(o, 0), 0);
    cli_options_free(o);
}

static void defaults_hold(void **state)
{
    (void)state;
    char line[] = "a b";
    double v[3];
    cli_options *o = parse(line);
    assert_non_null(o);
    assert_int_equal(cli_integer(o, "threads"), 2);
    assert_true(cli_real(o, "tolerance") == 1.5);
    assert_string_equal(cli_text(o, "device"), "auto");
    assert_false(cli_switch(o, "fill"));
    assert_string_equal(cli_text(o, "word"), "");
    assert_int_equal(cli_numbers_at(o, "color", 0, v, 3), 0);
    assert_int_equal(cli_given(o, "threads"), 0);
    assert_null(cli_options_return_file(o));
    cli_options_free(o);
}

static void aliases_and_slicers_options_work(void **state)
{
    (void)state;
    char line[] = "--echo --returnparameterfile r.txt --processinformationaddress 0 --cores 8 a b";
    cli_options *o = parse(line);
    assert_non_null(o);
    assert_int_equal(cli_integer(o, "threads"), 8);
    assert_true(cli_options_echo(o));
    assert_string_equal(cli_options_return_file(o), "r.txt");
    cli_options_free(o);
}

static void wrong_lines_are_explained(void **state)
{
    (void)state;
    refused("--foregrund 1,2,3 a b", "unknown option --foregrund; did you mean --foreground?");
    refused("--fill-holes a b", "did you mean --fillHoles?");
    refused("--zzzzzz=4 a b", "unknown option --zzzzzz; --help");
    refused("-z a b", "unknown option -z");
    refused("-dash.nii.gz b", "write ./-dash.nii.gz, or -- before it");
    refused("--zzzzzz=a/b.c a b", "unknown option --zzzzzz; --help");
    refused("--t 3 a b", "unknown option --t");
    refused("-threads 3 a b", "did you mean --threads?");
    refused("--fillHoles=true a b", "takes no value");
    refused("--fillHoles --fillHoles a b", "more than once");
    refused("--tolerance 1 --tolerance 2 a b", "--tolerance is given more than once");
    refused("-t 1 --cores 2 a b", "more than once");
    refused("a b --tolerance", "--tolerance wants a value");
    refused("a b --word --fillHoles", "--word wants a value");
    refused("--threads 1.5 a b", "--threads wants a whole number, found '1.5'");
    refused("--threads 65 a b", "from 0 to 64, found '65'");
    refused("--tolerance nan a b", "--tolerance wants a number, found 'nan'");
    refused("--tolerance 1x a b", "found '1x'");
    refused("--device gpu a b", "one of auto, cpu, found 'gpu'");
    refused("--foreground 1,2 a b", "a point x,y,z");
    refused("--foreground 1,2,3,4 a b", "a point x,y,z");
    refused("--foreground 1,2,inf a b", "a point x,y,z");
    refused("--roi 1,2,3,4,5 a b", "a box cx,cy,cz,rx,ry,rz");
    refused("--color 1,red a b", "numbers separated by commas");
    refused("a b c", "unexpected argument 'c'");
    refused("--count 3 a b", "unknown option --count"); /* a return value is not an option */
}

static void missing_files_are_named(void **state)
{
    (void)state;
    char one[] = "a", none[] = "--fillHoles";
    cli_options *o = parse(one);
    assert_non_null(o);
    assert_int_equal(cli_options_check_positional(o, 0), CLI_EXIT_USAGE);
    assert_contains(cli_last_message(), "<out> is missing (Output)");
    assert_int_equal(cli_options_check_positional(o, 1), 0);
    cli_options_free(o);
    o = parse(none);
    assert_non_null(o);
    assert_int_equal(cli_options_check_positional(o, 1), CLI_EXIT_USAGE);
    assert_contains(cli_last_message(), "<in> is missing");
    cli_options_free(o);
}

static void help_wins_over_what_follows(void **state)
{
    (void)state;
    char line[] = "a --help --nonsense";
    cli_options *o = parse(line);
    assert_non_null(o);
    assert_int_equal(cli_options_request(o), CLI_SHOW_HELP);
    cli_options_free(o);
}

static void a_thousand_points_are_fine(void **state)
{
    (void)state;
    enum { POINTS = 1000 };
    static char *argv[1 + 2 * POINTS + 2];
    int argc = 1;
    for (int i = 0; i < POINTS; i++) {
        argv[argc++] = (char *)"--foreground";
        argv[argc++] = (char *)"1,2,3";
    }
    argv[argc++] = (char *)"a";
    cli_options *o;
    assert_int_equal(cli_options_parse(tool, argc, argv, &o), 0);
    assert_int_equal(cli_given(o, "pos"), POINTS);
    cli_options_free(o);
}

static char *help_text(int width)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    cli_help_print(tool, "tool", width, stream);
    fclose(stream);
    return text;
}

static void help_names_every_option_within_its_width(void **state)
{
    (void)state;
    char *text = help_text(72);
    static const char *const parts[] = {"Usage: tool [options] <in> <out>",
                                        "-t, --threads <n>",
                                        "Default: 1.5.",
                                        "One of: auto, cpu.",
                                        "May be repeated.",
                                        "--fillHoles",
                                        "--returnparameterfile <file>",
                                        "Return values",
                                        "Exit codes"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        assert_contains(text, parts[i]);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        const size_t length = strcspn(line, "\n");
        if (length > 79) fail_msg("a line of %zu characters: %.*s", length, (int)length, line);
        if (length > 0) assert_int_not_equal(line[length - 1], ' ');
        if (line[length] == '\0') break;
    }
    free(text);
}

static void echo_prints_what_was_understood(void **state)
{
    (void)state;
    char line[] = "--foreground 1,2,3 --foreground 4,5,6 --fillHoles a b", *text = NULL;
    size_t size;
    cli_options *o = parse(line);
    FILE *stream = open_memstream(&text, &size);
    cli_options_print(o, stream);
    fclose(stream);
    assert_contains(text, "pos = 1,2,3\npos = 4,5,6\n");
    assert_contains(text, "fill = true\n");
    assert_contains(text, "threads = 2\n");
    assert_null(strstr(text, "count"));
    free(text);
    cli_options_free(o);
}

static void kinds_keep_their_order_between_each_other(void **state)
{
    (void)state;
    char line[] = "--roi 1,1,1,2,2,2 --foreground 1,2,3 a --fillHoles --roi 3,3,3,1,1,1 b";
    static const char *const wanted[][2] = {
        {"roi", "1,1,1,2,2,2"}, {"pos", "1,2,3"},       {"in", "a"},
        {"fill", NULL},         {"roi", "3,3,3,1,1,1"}, {"out", "b"}};
    cli_options *o = parse(line);
    const char *name, *text;
    size_t place = 0;
    for (; (name = cli_at_place(o, place, &text)) != NULL; place++) {
        assert_in_range(place, 0, 5);
        assert_string_equal(name, wanted[place][0]);
        if (wanted[place][1])
            assert_string_equal(text, wanted[place][1]);
        else
            assert_null(text);
    }
    assert_int_equal(place, 6);
    cli_options_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_form_is_read),
                                       cmocka_unit_test(defaults_hold),
                                       cmocka_unit_test(aliases_and_slicers_options_work),
                                       cmocka_unit_test(wrong_lines_are_explained),
                                       cmocka_unit_test(missing_files_are_named),
                                       cmocka_unit_test(help_wins_over_what_follows),
                                       cmocka_unit_test(a_thousand_points_are_fine),
                                       cmocka_unit_test(help_names_every_option_within_its_width),
                                       cmocka_unit_test(echo_prints_what_was_understood),
                                       cmocka_unit_test(kinds_keep_their_order_between_each_other)};
    return cmocka_run_group_tests(tests, load, unload);
}
