#include "cli_test.h"

#include <locale.h>

#include "cli_number.h"

static void reals_are_read_whole(void **state)
{
    (void)state;
    double value;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},        {"-12.5", -12.5},    {"+3", 3},     {".5", 0.5},
                {"5.", 5},       {"3e-05", 3e-05},    {"1E3", 1000}, {"-0.1", -0.1},
                {"1e-400", 0.0}, {"179e306", 179e306}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(cli_parse_real(good[i].text, &value), 0);
        assert_true(value == good[i].value);
    }
}

static void other_texts_are_not_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     " 1",    "1 ",    "1x", "nan",   "inf", "-inf",
                                      "0x10", "1e",    "1e+",   ".",  "-",     "+-1", "--1",
                                      "1,5",  "1e999", "1.2.3", "e5", "1e5.0", "\t1", "1\n"};
    double value = 7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (cli_parse_real(bad[i], &value) != -1) fail_msg("'%s' was taken", bad[i]);
    assert_true(value == 7);
}

static void integers_are_exact(void **state)
{
    (void)state;
    long long value;
    assert_int_equal(cli_parse_integer("-9223372036854775808", &value), 0);
    assert_true(value == INT64_MIN);
    assert_int_equal(cli_parse_integer("+12", &value), 0);
    assert_int_equal(value, 12);
    static const char *const bad[] = {"", "3.0", "1e3", "0x1", " 1", "1 ", "9223372036854775808",
                                      "-"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (cli_parse_integer(bad[i], &value) != -1) fail_msg("'%s' was taken", bad[i]);
}

static void lists_have_no_holes(void **state)
{
    (void)state;
    double v[3];
    assert_int_equal(cli_parse_reals("-1,2.5,3e1", v, 3), 3);
    assert_true(v[0] == -1 && v[1] == 2.5 && v[2] == 30);
    assert_int_equal(cli_parse_reals("", v, 3), -1);
    assert_int_equal(cli_parse_reals("1,,2", v, 3), -1);
    assert_int_equal(cli_parse_reals("1,2,", v, 3), -1);
    assert_int_equal(cli_parse_reals("1, 2", v, 3), -1);
    assert_int_equal(cli_parse_reals("1,2,3,4", v, 3), -1);
}

/* A decimal comma in the user's locale must not change what a command line means. */
static void locale_does_not_matter(void **state)
{
    (void)state;
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "nl_NL.UTF-8"};
    int set = 0;
    for (size_t i = 0; i < 4 && !set; i++)
        set = setlocale(LC_ALL, commas[i]) != NULL;
    if (!set) print_message("no locale with a decimal comma is installed: tested in C only\n");
    double value = 0;
    assert_int_equal(cli_parse_real("2.5", &value), 0);
    assert_true(value == 2.5);
    assert_int_equal(cli_parse_real("2,5", &value), -1);
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reals_are_read_whole), cmocka_unit_test(other_texts_are_not_numbers),
        cmocka_unit_test(integers_are_exact), cmocka_unit_test(lists_have_no_holes),
        cmocka_unit_test(locale_does_not_matter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
