/* What a legal value is, per kind of parameter. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli_exit.h"
#include "cli_number.h"
#include "cli_options.h"

enum { MAX_VECTOR = 4096 };

static int refuse(const char *shown_as, const char *wanted, const char *text)
{
    return cli_fail(CLI_EXIT_USAGE, "%s wants %s, found '%.200s'", shown_as, wanted, text);
}

static int check_range(const cli_parameter *p, const char *shown_as, double value, const char *text)
{
    if ((!p->has_minimum || value >= p->minimum) && (!p->has_maximum || value <= p->maximum))
        return 0;
    if (p->has_minimum && p->has_maximum)
        return cli_fail(CLI_EXIT_USAGE, "%s wants a number from %g to %g, found '%.200s'", shown_as,
                        p->minimum, p->maximum, text);
    if (p->has_minimum)
        return cli_fail(CLI_EXIT_USAGE, "%s wants a number of at least %g, found '%.200s'",
                        shown_as, p->minimum, text);
    return cli_fail(CLI_EXIT_USAGE, "%s wants a number of at most %g, found '%.200s'", shown_as,
                    p->maximum, text);
}

static int check_choice(const cli_parameter *p, const char *shown_as, const char *text)
{
    char list[512] = "";
    for (size_t i = 0; i < p->choice_count; i++) {
        if (strcmp(p->choices[i], text) == 0) return 0;
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "one of ", p->choices[i]);
    }
    return refuse(shown_as, list, text);
}

static int check_integer(const cli_parameter *p, const char *shown_as, const char *text)
{
    long long value;
    if (cli_parse_integer(text, &value)) return refuse(shown_as, "a whole number", text);
    return check_range(p, shown_as, (double)value, text);
}

static int check_real(const cli_parameter *p, const char *shown_as, const char *text)
{
    double value;
    if (cli_parse_real(text, &value)) return refuse(shown_as, "a number", text);
    return check_range(p, shown_as, value, text);
}

static int check_vector(const cli_parameter *p, const char *shown_as, const char *text)
{
    double values[MAX_VECTOR];
    const long count = cli_parse_reals(text, values, MAX_VECTOR);
    if (count < 0) return refuse(shown_as, "numbers separated by commas", text);
    for (long i = 0; i < count; i++) {
        if (p->kind == CLI_INTEGER_VECTOR && values[i] != trunc(values[i]))
            return refuse(shown_as, "whole numbers separated by commas", text);
        if (check_range(p, shown_as, values[i], text)) return CLI_EXIT_USAGE;
    }
    return 0;
}

static int check_point(const char *shown_as, const char *text)
{
    double values[3];
    if (cli_parse_reals(text, values, 3) == 3) return 0;
    return refuse(shown_as, "a point x,y,z in LPS millimetres (no blanks)", text);
}

static int check_region(const char *shown_as, const char *text)
{
    double values[15];
    const long count = cli_parse_reals(text, values, 15);
    if (count == 6 || count == 15) return 0;
    return refuse(
        shown_as,
        "a box cx,cy,cz,rx,ry,rz (centre and half sizes, LPS millimetres), with nine more "
        "numbers when it is rotated",
        text);
}

static int check_path(const cli_parameter *p, const char *shown_as, const char *text)
{
    if (text[0]) return 0;
    return refuse(shown_as, strcmp(p->element, "directory") == 0 ? "a folder" : "a file", text);
}

int cli_check_value(const cli_parameter *parameter, const char *shown_as, const char *text)
{
    if (parameter->choice_count > 0) return check_choice(parameter, shown_as, text);
    switch (parameter->kind) {
    case CLI_INTEGER:
        return check_integer(parameter, shown_as, text);
    case CLI_REAL:
        return check_real(parameter, shown_as, text);
    case CLI_INTEGER_VECTOR:
    case CLI_REAL_VECTOR:
        return check_vector(parameter, shown_as, text);
    case CLI_POINT:
        return check_point(shown_as, text);
    case CLI_REGION:
        return check_region(shown_as, text);
    case CLI_PATH:
        return check_path(parameter, shown_as, text);
    case CLI_STRING:
    case CLI_STRING_VECTOR:
        return 0;
    case CLI_BOOLEAN:
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) return 0;
        return refuse(shown_as, "true or false", text);
    }
    return 0;
}
