#include "study/study_config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/settings.h"

static const char *const OBJECTS[] = {"component", "class", "foreground", NULL};
static const char *const SPLITS[] = {"validation", "train", "all", NULL};
static const char *const FEEDBACKS[] = {"auto", "logits", "none", NULL};
static const char *const ZOOMS[] = {"auto", "off", "on", NULL};
static const char *const GROUP_NAMES[] = {"set", "modality", "size", NULL};

#define AT(member) offsetof(sgm_study_config, member)

static const sgm_setting SETTINGS[] = {
    {"model", SGM_SETTING_TEXT, AT(model), 0, SGM_STUDY_TEXT, NULL},
    {"base", SGM_SETTING_TEXT, AT(base), 0, SGM_STUDY_TEXT, NULL},
    {"variant", SGM_SETTING_TEXT, AT(variant), 0, 64, NULL},
    {"data", SGM_SETTING_TEXT, AT(data), 0, SGM_STUDY_TEXT, NULL},
    {"sets", SGM_SETTING_TEXT, AT(sets), 0, SGM_STUDY_TEXT, NULL},
    {"split", SGM_SETTING_CHOICE, AT(split), 0, 0, SPLITS},
    {"objects", SGM_SETTING_CHOICE, AT(objects), 0, 0, OBJECTS},
    {"per_set", SGM_SETTING_INT, AT(per_set), 0, 1e6, NULL},
    {"min_area", SGM_SETTING_INT, AT(min_area), 1, 1e6, NULL},
    {"repeats", SGM_SETTING_INT, AT(repeats), 1, 1000, NULL},
    {"seed", SGM_SETTING_INT64, AT(seed), 0, 9e15, NULL},
    {"feedback", SGM_SETTING_CHOICE, AT(feedback), 0, 0, FEEDBACKS},
    {"zoom", SGM_SETTING_CHOICE, AT(zoom), 0, 0, ZOOMS},
    {"counts", SGM_SETTING_OWN, AT(counts), 1, SGM_STUDY_MOST_POINTS, NULL},
    {"noise", SGM_SETTING_OWN, AT(noises), 0, 1, NULL},
    {"positive", SGM_SETTING_INT, AT(positive), 1, SGM_STUDY_MOST_POINTS, NULL},
    {"negative", SGM_SETTING_INT, AT(negative), 1, SGM_STUDY_MOST_POINTS, NULL},
    {"groups", SGM_SETTING_OWN, AT(by_set), 0, 0, NULL},
};
/* Lists of numbers rise, so that tables and plots do. */
static sgm_status take_place(const sgm_settings_place *at, const char *key, const char *word,
                             bool rises, int *count)
{
    if (*count == SGM_STUDY_LIST)
        return sgm_settings_bad(at, key, "must be at most 12 numbers", word);
    if (!rises) return sgm_settings_bad(at, key, "must be rising numbers", word);
    (*count)++;
    return SGM_OK;
}

static sgm_status read_counts(const sgm_settings_place *at, const sgm_setting *setting, char *rest,
                              sgm_study_config *c)
{
    const sgm_setting whole = {setting->key, SGM_SETTING_INT, 0, setting->low, setting->high, NULL};
    double number;
    for (c->count_count = 0; rest;) {
        const char *word = sgm_settings_word(&rest);
        int n = c->count_count;
        SGM_TRY(sgm_settings_number(at, &whole, word, &number));
        SGM_TRY(
            take_place(at, setting->key, word, !n || number > c->counts[n - 1], &c->count_count));
        c->counts[n] = (int)number;
    }
    return SGM_OK;
}

static sgm_status read_noises(const sgm_settings_place *at, const sgm_setting *setting, char *rest,
                              sgm_study_config *c)
{
    double number;
    for (c->noise_count = 0; rest;) {
        const char *word = sgm_settings_word(&rest);
        int n = c->noise_count;
        SGM_TRY(sgm_settings_number(at, setting, word, &number));
        SGM_TRY(
            take_place(at, setting->key, word, !n || number > c->noises[n - 1], &c->noise_count));
        c->noises[n] = number;
    }
    return SGM_OK;
}

static sgm_status read_groups(const sgm_settings_place *at, const sgm_setting *setting, char *rest,
                              sgm_study_config *c)
{
    bool *const groups[] = {&c->by_set, &c->by_modality, &c->by_size}; /* as GROUP_NAMES */
    int group;
    c->by_set = c->by_modality = c->by_size = false;
    while (rest) {
        const char *word = sgm_settings_word(&rest);
        SGM_TRY(sgm_settings_choice(at, setting->key, GROUP_NAMES, word, &group));
        *groups[group] = true;
    }
    return SGM_OK;
}

static sgm_status read_list(const sgm_settings_place *at, const sgm_setting *setting,
                            const char *key, char *value, void *to)
{
    (void)key;
    if (setting->offset == AT(counts)) return read_counts(at, setting, value, to);
    if (setting->offset == AT(noises)) return read_noises(at, setting, value, to);
    return read_groups(at, setting, value, to);
}

static const sgm_settings_form FORM = {SETTINGS, sizeof SETTINGS / sizeof *SETTINGS,
                                       "segmodel/study/README.md", read_list};

void sgm_study_config_defaults(sgm_study_config *config)
{
    static const int counts[] = {1, 2, 3, 5, 9};
    static const double noises[] = {0, 0.05, 0.1, 0.2};
    *config = (sgm_study_config){.seed = 1,
                                 .per_set = 50,
                                 .min_area = 64,
                                 .repeats = 1,
                                 .count_count = 5,
                                 .noise_count = 4,
                                 .positive = 10,
                                 .negative = 10,
                                 .by_set = true,
                                 .by_modality = true,
                                 .by_size = true};
    memcpy(config->counts, counts, sizeof counts);
    memcpy(config->noises, noises, sizeof noises);
}

sgm_status sgm_study_config_parse(const char *text, const char *path, sgm_study_config *config)
{
    sgm_study_config_defaults(config);
    snprintf(config->path, sizeof config->path, "%s", path);
    return sgm_settings_parse(&FORM, text, path, config);
}

sgm_status sgm_study_config_read(const char *path, sgm_study_config *config)
{
    char text[SGM_SETTINGS_FILE];
    SGM_TRY(sgm_settings_load(path, text));
    return sgm_study_config_parse(text, path, config);
}
