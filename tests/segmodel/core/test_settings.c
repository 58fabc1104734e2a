/* Settings files: what every kind of them has in common, and the lists of a study's. */
#include "../check.h"

#include "core/settings.h"
#include "study/study_config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct things {
    int count, kind, most;
    int64_t large;
    double share;
    bool on;
    char name[8], seen[64];
} things;

static const char *const KINDS[] = {"round", "square", NULL};

#define AT(member) offsetof(things, member)

static const sgm_setting SETTINGS[] = {
    {"count", SGM_SETTING_INT, AT(count), 1, 9, NULL},
    {"large", SGM_SETTING_INT64, AT(large), 0, 9e15, NULL},
    {"share", SGM_SETTING_REAL, AT(share), 0, 1, NULL},
    {"on", SGM_SETTING_FLAG, AT(on), 0, 1, NULL},
    {"name", SGM_SETTING_TEXT, AT(name), 0, 8, NULL},
    {"kind", SGM_SETTING_CHOICE, AT(kind), 0, 0, KINDS},
    {"of.*", SGM_SETTING_OWN, 0, 0, 5, NULL},
};

/* "of.NAME = number": every name and number, one behind the other. */
static sgm_status note(const sgm_settings_place *at, const sgm_setting *setting, const char *key,
                       char *value, void *to)
{
    things *t = to;
    double number;
    SGM_TRY(sgm_settings_number(at, setting, value, &number));
    if (number > t->most) t->most = (int)number;
    strncat(t->seen, key + 3, sizeof t->seen - strlen(t->seen) - 1);
    return SGM_OK;
}

static const sgm_settings_form FORM = {SETTINGS, sizeof SETTINGS / sizeof *SETTINGS, "the manual",
                                       note};

static void check_values(void)
{
    things t = {.share = 0.5};
    CHECK_OK(sgm_settings_parse(&FORM,
                                "# nothing\r\n\n count=3 # three\nlarge = 9007199254\non = 1\n"
                                "name = a = b\nkind = square\nof.x = 2\nof.y = 4.5",
                                "file", &t));
    CHECK(t.count == 3 && t.large == 9007199254 && t.share == 0.5 && t.on && t.kind == 1);
    CHECK(!strcmp(t.name, "a = b") && !strcmp(t.seen, "xy") && t.most == 4);
}

/* What people do not see or do not mean: an editor's mark, a '#' in a name. */
static void check_marks(void)
{
    things t = {0};
    CHECK_OK(sgm_settings_parse(&FORM,
                                "\xef\xbb\xbf"
                                "count = 3\nname = a#b/#c# # d#e\n#on = 1\n\t#x\n",
                                "file", &t));
    CHECK(t.count == 3 && !strcmp(t.name, "a#b/#c#") && !t.on);
    CHECK_OK(sgm_settings_parse(&FORM, "\xef\xbb\xbf# a comment\nname =\t#none\n", "file", &t));
    CHECK(!strcmp(t.name, ""));
    CHECK_STATUS(sgm_settings_parse(&FORM, "count = 3#\n", "file", &t), SGM_UNREADABLE,
                 "found \"3#\"");
    CHECK_STATUS(sgm_settings_parse(&FORM,
                                    "\n\xef\xbb\xbf"
                                    "on = 1\n",
                                    "file", &t),
                 SGM_UNREADABLE, "file:2: a key");
}

/* A value as a text reads back as itself. */
static void check_texts(void)
{
    static const char *const WANTED[][2] = {{"count", "3"},    {"large", "9007199254"},
                                            {"share", "0.1"},  {"on", "1"},
                                            {"name", "a = b"}, {"kind", "square"}};
    things t = {0}, again = {0};
    char text[32], lines[256] = "";
    CHECK_OK(sgm_settings_parse(&FORM,
                                "count=3\nlarge = 9007199254\non = 1\nname = a = b\n"
                                "kind = square\nshare = .1\n",
                                "file", &t));
    for (size_t i = 0; i < sizeof WANTED / sizeof *WANTED; i++) {
        CHECK(sgm_settings_text(&FORM, WANTED[i][0], &t, text, sizeof text));
        if (i != 2) CHECK(!strcmp(text, WANTED[i][1])); /* .1 has more digits */
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%s = %s\n", WANTED[i][0],
                 text);
    }
    CHECK_OK(sgm_settings_parse(&FORM, lines, "file", &again));
    CHECK(!memcmp(&t, &again, sizeof t));
    CHECK(!sgm_settings_text(&FORM, "name", &t, text, 5)); /* does not fit */
    CHECK(!sgm_settings_text(&FORM, "of.*", &t, text, sizeof text));
    CHECK(!sgm_settings_text(&FORM, "other", &t, text, sizeof text));
}

static void check_refused(void)
{
    static const char *const CASES[][2] = {
        {"count = 3\ncount = 3\n", "file:2: count is given twice, found \"3\""},
        {"\nother = 3\n", "file:2: a key must be one of the manual, found \"other\""},
        {"count\n", "file:1: a line must read key = value, found \"count\""},
        {"count = 10\n", "count must be a number from 1 to 9, found \"10\""},
        {"count = nan\n", "from 1 to 9"},
        {"count = 2.5\n", "count must be a whole number, found \"2.5\""},
        {"count = 2 x\n", "found \"2 x\""},
        {"on = 0.5\n", "whole"},
        {"share = 1.1\n", "from 0 to 1"},
        {"name = 12345678\n", "name is too long"},
        {"kind = long\n", "kind must be one of round, square, found \"long\""},
        {"of.x = 6\n", "from 0 to 5"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        things t = {0};
        CHECK_STATUS(sgm_settings_parse(&FORM, CASES[i][0], "file", &t), SGM_UNREADABLE,
                     CASES[i][1]);
    }
    static char longest[SGM_SETTINGS_LINE + 2], text[SGM_SETTINGS_FILE];
    things t;
    memset(longest, 'x', SGM_SETTINGS_LINE);
    CHECK_STATUS(sgm_settings_parse(&FORM, longest, "file", &t), SGM_UNREADABLE, "too long");
    CHECK_STATUS(sgm_settings_load("no such file", text), SGM_UNREADABLE, "no such file");
}

static void check_study(void)
{
    static const char *const CASES[][2] = {
        {"counts = 3, 2\n", "rising"},
        {"counts = 1, 2.5\n", "whole"},
        {"counts = 65\n", "from 1 to 64"},
        {"counts =\n", "from 1 to 64"},
        {"counts = 1,2,3,4,5,6,7,8,9,10,11,12,13\n", "at most 12"},
        {"noise = 0.1, 0.1\n", "rising"},
        {"groups = set, colour\n", "set, modality, size"},
        {"split = aside\n", "validation, train, all"},
        {"steps = 3\n", "study/README.md"},
    };
    sgm_study_config c;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        CHECK_STATUS(sgm_study_config_parse(CASES[i][0], "s", &c), SGM_UNREADABLE, CASES[i][1]);
    CHECK_OK(sgm_study_config_parse("counts = 1 ,4\nnoise = 0, 0.25\ngroups = size\nseed = 7\n",
                                    "s", &c));
    CHECK(c.count_count == 2 && c.counts[1] == 4 && c.noise_count == 2 && c.noises[1] == 0.25);
    CHECK(c.by_size && !c.by_set && !c.by_modality && c.seed == 7 && !strcmp(c.path, "s"));
}

int main(void)
{
    check_values();
    check_marks();
    check_texts();
    check_refused();
    check_study();
    return check_report();
}
