#include "core/settings.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/number.h"
#include "core/text.h"

sgm_status sgm_settings_bad(const sgm_settings_place *at, const char *key, const char *what,
                            const char *value)
{
    return sgm_fail(SGM_UNREADABLE, "%s:%d: %s %s, found \"%.60s\"", at->path, at->line, key, what,
                    value);
}

static bool is_whole(sgm_setting_type type)
{
    return type == SGM_SETTING_INT || type == SGM_SETTING_INT64 || type == SGM_SETTING_FLAG;
}

sgm_status sgm_settings_number(const sgm_settings_place *at, const sgm_setting *setting,
                               const char *value, double *out)
{
    char *end, range[96];
    *out = sgm_read_number(value, &end);
    snprintf(range, sizeof range, "must be a number from %g to %g", setting->low, setting->high);
    if (end == value || *end || !(*out >= setting->low && *out <= setting->high))
        return sgm_settings_bad(at, setting->key, range, value);
    if (is_whole(setting->type) && *out != floor(*out))
        return sgm_settings_bad(at, setting->key, "must be a whole number", value);
    return SGM_OK;
}

sgm_status sgm_settings_choice(const sgm_settings_place *at, const char *key,
                               const char *const *choices, const char *value, int *out)
{
    char list[192] = "must be one of";
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], value) == 0) {
            *out = i;
            return SGM_OK;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : " ", choices[i]);
    }
    return sgm_settings_bad(at, key, list, value);
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (size_t n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = 0;
    return text;
}

char *sgm_settings_word(char **rest)
{
    char *word = *rest, *comma = strchr(word, ',');
    if (comma) *comma = 0;
    *rest = comma ? comma + 1 : NULL;
    return trim(word);
}

static sgm_status set_number(const sgm_settings_place *at, const sgm_setting *setting,
                             const char *value, void *to)
{
    double number = 0;
    SGM_TRY(sgm_settings_number(at, setting, value, &number));
    switch (setting->type) {
    case SGM_SETTING_INT:
        *(int *)to = (int)number;
        break;
    case SGM_SETTING_INT64:
        *(int64_t *)to = (int64_t)number;
        break;
    case SGM_SETTING_FLAG:
        *(bool *)to = number != 0;
        break;
    default:
        *(double *)to = number;
    }
    return SGM_OK;
}

static sgm_status set(const sgm_settings_form *form, const sgm_settings_place *at,
                      const sgm_setting *setting, const char *key, char *value, void *all)
{
    char *to = (char *)all + setting->offset;
    switch (setting->type) {
    case SGM_SETTING_TEXT:
        if (strlen(value) >= (size_t)setting->high)
            return sgm_settings_bad(at, key, "is too long", value);
        strcpy(to, value);
        return SGM_OK;
    case SGM_SETTING_CHOICE:
        return sgm_settings_choice(at, key, setting->choices, value, (int *)to);
    case SGM_SETTING_OWN:
        return form->own(at, setting, key, value, all);
    default:
        return set_number(at, setting, value, to);
    }
}

/* "name.*" */
static bool is_many(const sgm_setting *setting)
{
    return setting->key[strlen(setting->key) - 1] == '*';
}

static bool is_named(const sgm_setting *setting, const char *key)
{
    if (is_many(setting)) return !strncmp(setting->key, key, strlen(setting->key) - 1);
    return !strcmp(setting->key, key);
}

static sgm_status parse_line(const sgm_settings_form *form, const sgm_settings_place *at,
                             char *line, bool seen[SGM_SETTINGS_MOST], void *to)
{
    sgm_text_cut_comment(line);
    char *key = trim(line), wanted[96];
    if (!*key) return SGM_OK;
    char *equals = strchr(key, '=');
    if (!equals) return sgm_settings_bad(at, "a line", "must read key = value", key);
    *equals = 0;
    char *value = trim(equals + 1);
    key = trim(key);
    for (int i = 0; i < form->count; i++) {
        if (!is_named(&form->settings[i], key)) continue;
        if (seen[i]) return sgm_settings_bad(at, key, "is given twice", value);
        seen[i] = !is_many(&form->settings[i]);
        return set(form, at, &form->settings[i], key, value, to);
    }
    snprintf(wanted, sizeof wanted, "must be one of %s", form->manual);
    return sgm_settings_bad(at, "a key", wanted, key);
}

sgm_status sgm_settings_parse(const sgm_settings_form *form, const char *text, const char *path,
                              void *to)
{
    bool seen[SGM_SETTINGS_MOST] = {false};
    sgm_settings_place at = {path, 0};
    char line[SGM_SETTINGS_LINE];
    if (form->count > SGM_SETTINGS_MOST)
        return sgm_fail(SGM_INTERNAL, "%d kinds of settings", form->count);
    text = sgm_text_start(text);
    while (*text) {
        size_t size = strcspn(text, "\n");
        at.line++;
        if (size >= sizeof line) return sgm_settings_bad(&at, "a line", "is too long", "...");
        memcpy(line, text, size);
        line[size] = 0;
        text += size + (text[size] == '\n');
        SGM_TRY(parse_line(form, &at, line, seen, to));
    }
    return SGM_OK;
}

static int print_value(const sgm_setting *setting, const void *from, char *text, size_t size)
{
    char number[SGM_NUMBER_TEXT];
    const char *at = (const char *)from + setting->offset;
    switch (setting->type) {
    case SGM_SETTING_INT:
        return snprintf(text, size, "%d", *(const int *)at);
    case SGM_SETTING_INT64:
        return snprintf(text, size, "%" PRId64, *(const int64_t *)at);
    case SGM_SETTING_REAL:
        return snprintf(text, size, "%s", sgm_number_text(number, "%.17g", *(const double *)at));
    case SGM_SETTING_FLAG:
        return snprintf(text, size, "%d", *(const bool *)at);
    case SGM_SETTING_TEXT:
        return snprintf(text, size, "%s", at);
    case SGM_SETTING_CHOICE:
        return snprintf(text, size, "%s", setting->choices[*(const int *)at]);
    default:
        return -1;
    }
}

bool sgm_settings_text(const sgm_settings_form *form, const char *key, const void *from, char *text,
                       size_t size)
{
    for (int i = 0; i < form->count; i++) {
        if (strcmp(form->settings[i].key, key) != 0) continue;
        int used = print_value(&form->settings[i], from, text, size);
        return used >= 0 && (size_t)used < size;
    }
    return false;
}

sgm_status sgm_settings_load(const char *path, char text[SGM_SETTINGS_FILE])
{
    FILE *stream = sgm_fopen(path, "rb");
    if (!stream) return sgm_fail(SGM_UNREADABLE, "%s: %s", path, strerror(errno));
    size_t size = fread(text, 1, SGM_SETTINGS_FILE, stream);
    int failed = ferror(stream);
    fclose(stream);
    if (failed || size == SGM_SETTINGS_FILE || memchr(text, 0, size))
        return sgm_fail(SGM_UNREADABLE, "%s: not a readable text of at most 64 KiB", path);
    text[size] = 0;
    return SGM_OK;
}
