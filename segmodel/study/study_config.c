#include "study/study_config.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/number.h"
#include "core/status.h"

typedef enum field_type { WHOLE, SEED, TEXT, CHOICE, COUNTS, SHARES, GROUPS } field_type;

typedef struct field {
    const char *key;
    field_type type;
    size_t offset;
    double low, high; /* of numbers; of texts: room */
    const char *const *choices;
} field;

static const char *const OBJECTS[] = {"component", "class", "foreground", NULL};
static const char *const SPLITS[] = {"validation", "train", "all", NULL};
static const char *const FEEDBACKS[] = {"auto", "logits", "none", NULL};
static const char *const ZOOMS[] = {"auto", "off", "on", NULL};
static const char *const GROUP_NAMES[] = {"set", "modality", "size", NULL};

#define AT(member) offsetof(sgm_study_config, member)

static const field FIELDS[] = {
    {"model", TEXT, AT(model), 0, SGM_STUDY_TEXT, NULL},
    {"base", TEXT, AT(base), 0, SGM_STUDY_TEXT, NULL},
    {"variant", TEXT, AT(variant), 0, 64, NULL},
    {"data", TEXT, AT(data), 0, SGM_STUDY_TEXT, NULL},
    {"sets", TEXT, AT(sets), 0, SGM_STUDY_TEXT, NULL},
    {"split", CHOICE, AT(split), 0, 0, SPLITS},
    {"objects", CHOICE, AT(objects), 0, 0, OBJECTS},
    {"per_set", WHOLE, AT(per_set), 0, 1e6, NULL},
    {"min_area", WHOLE, AT(min_area), 1, 1e6, NULL},
    {"repeats", WHOLE, AT(repeats), 1, 1000, NULL},
    {"seed", SEED, AT(seed), 0, 9e15, NULL},
    {"feedback", CHOICE, AT(feedback), 0, 0, FEEDBACKS},
    {"zoom", CHOICE, AT(zoom), 0, 0, ZOOMS},
    {"counts", COUNTS, AT(counts), 1, SGM_STUDY_MOST_POINTS, NULL},
    {"noise", SHARES, AT(noises), 0, 1, NULL},
    {"positive", WHOLE, AT(positive), 1, SGM_STUDY_MOST_POINTS, NULL},
    {"negative", WHOLE, AT(negative), 1, SGM_STUDY_MOST_POINTS, NULL},
    {"groups", GROUPS, 0, 0, 0, NULL},
};
enum { FIELD_COUNT = sizeof FIELDS / sizeof *FIELDS };

typedef struct place {
    const char *path;
    int line;
} place;

static sgm_status bad(const place *at, const char *key, const char *what, const char *value)
{
    return sgm_fail(SGM_UNREADABLE, "%s:%d: %s %s, found \"%.60s\"", at->path, at->line, key, what,
                    value);
}

static sgm_status read_number(const place *at, const field *f, const char *value, double *out)
{
    char *end, range[96];
    *out = sgm_read_number(value, &end);
    snprintf(range, sizeof range, "must be a number from %g to %g", f->low, f->high);
    if (end == value || *end || !(*out >= f->low && *out <= f->high))
        return bad(at, f->key, range, value);
    if (f->type != SHARES && *out != floor(*out))
        return bad(at, f->key, "must be a whole number", value);
    return SGM_OK;
}

static sgm_status read_choice(const place *at, const char *key, const char *const *choices,
                              const char *value, int *out)
{
    char list[128] = "must be one of";
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], value) == 0) {
            *out = i;
            return SGM_OK;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : " ", choices[i]);
    }
    return bad(at, key, list, value);
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (size_t n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = 0;
    return text;
}

/* One element of a list. Numbers of a list rise, so that tables and plots do. */
static sgm_status add_element(const place *at, const field *f, const char *word,
                              sgm_study_config *c)
{
    int group, *count = f->type == COUNTS ? &c->count_count : &c->noise_count;
    double number;
    if (f->type == GROUPS) {
        SGM_TRY(read_choice(at, f->key, GROUP_NAMES, word, &group));
        *(group == 0 ? &c->by_set : group == 1 ? &c->by_modality : &c->by_size) = true;
        return SGM_OK;
    }
    SGM_TRY(read_number(at, f, word, &number));
    double last = *count == 0         ? -1
                  : f->type == COUNTS ? c->counts[*count - 1]
                                      : c->noises[*count - 1];
    if (*count == SGM_STUDY_LIST) return bad(at, f->key, "must be at most 12 numbers", word);
    if (number <= last) return bad(at, f->key, "must be rising numbers", word);
    if (f->type == COUNTS)
        c->counts[(*count)++] = (int)number;
    else
        c->noises[(*count)++] = number;
    return SGM_OK;
}

static sgm_status read_list(const place *at, const field *f, char *value, sgm_study_config *c)
{
    if (f->type == COUNTS) c->count_count = 0;
    if (f->type == SHARES) c->noise_count = 0;
    if (f->type == GROUPS) c->by_set = c->by_modality = c->by_size = false;
    while (value) {
        char *comma = strchr(value, ',');
        if (comma) *comma = 0;
        SGM_TRY(add_element(at, f, trim(value), c));
        value = comma ? comma + 1 : NULL;
    }
    return SGM_OK;
}

static sgm_status set_field(const place *at, const field *f, char *value, sgm_study_config *config)
{
    char *to = (char *)config + f->offset;
    double number = 0;
    switch (f->type) {
    case TEXT:
        if (strlen(value) >= (size_t)f->high) return bad(at, f->key, "is too long", value);
        strcpy(to, value);
        return SGM_OK;
    case CHOICE:
        return read_choice(at, f->key, f->choices, value, (int *)to);
    case WHOLE:
        SGM_TRY(read_number(at, f, value, &number));
        *(int *)to = (int)number;
        return SGM_OK;
    case SEED:
        SGM_TRY(read_number(at, f, value, &number));
        *(uint64_t *)to = (uint64_t)number;
        return SGM_OK;
    default:
        return read_list(at, f, value, config);
    }
}

static sgm_status parse_line(const place *at, char *line, bool seen[FIELD_COUNT],
                             sgm_study_config *config)
{
    line[strcspn(line, "#")] = 0;
    char *key = trim(line);
    if (!*key) return SGM_OK;
    char *equals = strchr(key, '=');
    if (!equals) return bad(at, "a line", "must read key = value", key);
    *equals = 0;
    char *value = trim(equals + 1);
    key = trim(key);
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(FIELDS[i].key, key) != 0) continue;
        if (seen[i]) return bad(at, key, "is given twice", value);
        seen[i] = true;
        return set_field(at, &FIELDS[i], value, config);
    }
    return bad(at, "a key", "must be one of segmodel/study/README.md", key);
}

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
    bool seen[FIELD_COUNT] = {false};
    place at = {path, 0};
    char line[2 * SGM_STUDY_TEXT];
    sgm_study_config_defaults(config);
    snprintf(config->path, sizeof config->path, "%s", path);
    while (*text) {
        size_t size = strcspn(text, "\n");
        at.line++;
        if (size >= sizeof line) return bad(&at, "a line", "is too long", "...");
        memcpy(line, text, size);
        line[size] = 0;
        text += size + (text[size] == '\n');
        SGM_TRY(parse_line(&at, line, seen, config));
    }
    return SGM_OK;
}

sgm_status sgm_study_config_read(const char *path, sgm_study_config *config)
{
    char text[65536];
    FILE *stream = sgm_fopen(path, "rb");
    if (!stream) return sgm_fail(SGM_UNREADABLE, "%s: %s", path, strerror(errno));
    size_t size = fread(text, 1, sizeof text, stream);
    int failed = ferror(stream);
    fclose(stream);
    if (failed || size == sizeof text || memchr(text, 0, size))
        return sgm_fail(SGM_UNREADABLE, "%s: not a readable text of at most 64 KiB", path);
    text[size] = 0;
    return sgm_study_config_parse(text, path, config);
}
