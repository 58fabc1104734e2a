/* Numbers in a process whose locale writes a decimal comma, as Slicer or Python may have it. */
#include <math.h>

#include "check.h"
#include "core/number.h"

#include "../comma_locale.h"

/* One number after another, and where they end. */
static void check_taken(void)
{
    const char *at = "0.25 -1e3;";
    double value;
    CHECK(sgm_take_number(&at, &value) && value == 0.25);
    CHECK(sgm_take_number(&at, &value) && value == -1000);
    CHECK(!sgm_take_number(&at, &value) && *at == ';');
}

static void check_written(void)
{
    const struct { /* not static: copysign is no constant to every compiler */
        const char *format, *wanted;
        double value;
    } cases[] = {{"%g", "0.5", 0.5},      {"%.3f", "-12.250", -12.25},
                 {"%g", "1e-07", 1e-7},   {"%.4g", "1.5e+300", 1.5e300},
                 {"%g", "-3", -3},        {"%.0f", "12346", 12345.6},
                 {"%g", "inf", HUGE_VAL}, {"%.1f", "nan", NAN},
                 {"%g", "nan", -NAN},     {"%.4f", "nan", copysign(NAN, -1)},
                 {"%+.1f", "+0.1", 0.1}};
    char text[SGM_NUMBER_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!CHECK(
                !strcmp(sgm_number_text(text, cases[i].format, cases[i].value), cases[i].wanted)))
            fprintf(stderr, "    %s, wanted %s\n", text, cases[i].wanted);
}

int main(void)
{
    char *end;
    CHECK(sgm_read_number("-0.3x", &end) == -0.3 && *end == 'x');
    check_taken();
    check_written();
    if (!use_comma_locale()) {
        printf("skipped: this C library takes no locale of a test\n");
        return check_failures ? 1 : 77;
    }
    CHECK(strtod("-0.3", NULL) == 0); /* what the model's threshold was read as */
    CHECK(sgm_read_number("-0.3", &end) == -0.3 && *end == 0);
    CHECK(sgm_read_number("1e-3,5", &end) == 1e-3 && *end == ',');
    check_taken();
    check_written();
    return check_report();
}
