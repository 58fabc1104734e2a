/* Text from files, tables of text, and paths. */
#include "cli_test.h"

#include "cli_exit.h"
#include "cli_path.h"
#include "cli_table.h"
#include "cli_text.h"

static void check_clean(const char *text, int what, const char *wanted)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", text);
    cli_clean_text(copy, what);
    assert_string_equal(copy, wanted);
}

static void control_characters_are_shown_as_question_marks(void **state)
{
    (void)state;
    check_clean("a\x1b[31mb\x07\x7f", 0, "a?[31mb??");
    check_clean("C1: \xc2\x9b end", 0, "C1: ? end");
    check_clean("raw \x9b, cut \xc3", 0, "raw ?, cut ?");
    check_clean("turned \xe2\x80\xae text \xe2\x81\xa6", 0, "turned ? text ?");
    check_clean("overlong \xc0\xaf, surrogate \xed\xa0\x80", 0, "overlong ??, surrogate ???");
    check_clean("Gro\xc3\x9f \xe8\x82\x9d \xf0\x9f\xab\x80", 0,
                "Gro\xc3\x9f \xe8\x82\x9d \xf0\x9f\xab\x80");
}

static void lines_stay_where_they_are_wanted(void **state)
{
    (void)state;
    check_clean("a\r\nb\tc", 0, "a \nb\tc");
    check_clean("a\r\nb\tc", CLI_CLEAN_LINES, "a  b c");
}

static void tags_of_slicer_are_broken(void **state)
{
    (void)state;
    check_clean("<input> and <Filter-progress>1</filter-progress>", 0,
                "<input> and (Filter-progress>1(/filter-progress>");
    check_clean("<b>x</b>", CLI_CLEAN_BRACKETS, "(b)x(/b)");
}

static void copies_are_cut_between_characters(void **state)
{
    (void)state;
    char out[4];
    assert_string_equal(cli_clean_copy(out, sizeof out, "ab\xc3\xa9", 0), "ab");
    assert_string_equal(cli_clean_copy(out, sizeof out, "abc", 0), "abc");
}

/* The caller clears it. */
static cli_table parse(const char *text)
{
    cli_table table;
    assert_int_equal(cli_table_parse("t.csv", strdup(text), &table), 0);
    return table;
}

static void tables_are_read_as_spreadsheets_write_them(void **state)
{
    (void)state;
    cli_table t = parse("\xef\xbb\xbfid,image\r\n\"a \"\"b\"\"\",\"c,d\ne\"\r\n\r\nx,y\r\n");
    assert_int_equal(t.row_count, 2);
    assert_string_equal(t.header.cells[0], "id");
    assert_string_equal(t.rows[0].cells[0], "a \"b\"");
    assert_string_equal(t.rows[0].cells[1], "c,d\ne");
    assert_int_equal(t.rows[0].line, 2);
    assert_int_equal(t.rows[1].line, 5);
    assert_string_equal(t.rows[1].cells[1], "y");
    assert_int_equal(cli_table_column(&t, "image"), 1);
    assert_int_equal(cli_table_column(&t, "Image"), -1);
    cli_table_clear(&t);
    t = parse("id\timage;x\n1\t2,3\n");
    assert_string_equal(t.rows[0].cells[1], "2,3");
    cli_table_clear(&t);
    t = parse("id;image\n1;2");
    assert_string_equal(t.rows[0].cells[1], "2");
    cli_table_clear(&t);
}

static void open_quotes_are_refused_with_their_line(void **state)
{
    (void)state;
    cli_table t;
    assert_int_equal(cli_table_parse("t.csv", strdup("a,b\n1,\"2\n3,4\n"), &t), CLI_EXIT_INPUT);
    assert_string_equal(cli_last_message(), "t.csv:2: a quote that is never closed");
}

static void cells_are_quoted_where_needed(void **state)
{
    (void)state;
    cli_buffer out = {0};
    cli_table_write_cell(&out, "plain");
    cli_table_write_cell(&out, "a,\"b\"");
    assert_string_equal(out.text, "plain\"a,\"\"b\"\"\"");
    cli_buffer_clear(&out);
}

static void paths_are_seen_from_a_folder(void **state)
{
    (void)state;
    static const char *const cases[][3] = {{"/tmp/a/m.csv", "/tmp/a/x.nii", "x.nii"},
                                           {"/tmp/m.csv", "/tmp/a", "a"},
                                           {"/tmp/m.csv", "/x.nii", "../x.nii"},
                                           {"/m.csv", "/tmp/x", "tmp/x"},
                                           {"/tmp/out/m.csv", "/tmp/none/such/x", "../none/such/x"},
                                           {"/tmp/none/such/m.csv", "/tmp//x", "../../x"},
                                           {"none/such/m.csv", "x", "../../x"},
                                           {"/none/such/m.csv", "/none/x", "../x"},
                                           {"/tmp/a/m.csv", "/tmp/a", "."},
                                           {"/tmp/a/b/c/m.csv", "/tmp/a", "../.."}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *found = cli_path_relative(cases[i][0], cases[i][1]);
        assert_string_equal(found, cases[i][2]);
        free(found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_shown_as_question_marks),
        cmocka_unit_test(lines_stay_where_they_are_wanted),
        cmocka_unit_test(tags_of_slicer_are_broken),
        cmocka_unit_test(copies_are_cut_between_characters),
        cmocka_unit_test(tables_are_read_as_spreadsheets_write_them),
        cmocka_unit_test(open_quotes_are_refused_with_their_line),
        cmocka_unit_test(cells_are_quoted_where_needed),
        cmocka_unit_test(paths_are_seen_from_a_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
