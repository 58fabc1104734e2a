#include "models/config.h"

#include "core/names.h"
#include "models/family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_CROPPED_INPUT = 512 };

sgm_status sgm_config_refuse(const char *key, int value)
{
    return sgm_fail(SGM_BAD_MODEL, "architecture: %s cannot be %d", key, value);
}

sgm_status sgm_config_within(const char *key, int value, int low, int high)
{
    return value >= low && value <= high ? SGM_OK : sgm_config_refuse(key, value);
}

/* SAM has two rows of one name; the size of the input tells them apart. */
static const sgm_protocol *row_of_size(const sgm_model_config *config)
{
    const sgm_protocol *row = config->protocol;
    if (row != &sgm_protocol_sam && row != &sgm_protocol_sam_crops) return row;
    return config->image_size <= LARGEST_CROPPED_INPUT ? &sgm_protocol_sam_crops
                                                       : &sgm_protocol_sam;
}

sgm_status sgm_config_check(sgm_model_config *config)
{
    config->protocol = row_of_size(config);
    SGM_TRY(sgm_config_within("image", config->image_size, 16, 4096));
    SGM_TRY(sgm_config_within("classes", config->classes, 0, 4096));
    SGM_TRY(config->family->check(config));
    return sgm_config_within("grid", config->grid, 2, config->image_size / 4);
}

bool sgm_config_listens(const sgm_model_config *config)
{
    return !config->classes && !config->protocol->unprompted;
}

static const sgm_family *find_family(const char *name)
{
    for (int i = 0; sgm_families[i]; i++)
        if (!strcmp(sgm_families[i]->name, name)) return sgm_families[i];
    return NULL;
}

/* The numbers that every network has, then the family's. */
static int list_fields(sgm_model_config *c, sgm_field f[SGM_MAX_FIELDS])
{
    int n = 0;
    f[n++] = (sgm_field){.key = "image", .value = &c->image_size, .count = 1};
    f[n++] = (sgm_field){.key = "decoder_dim", .value = &c->decoder.dim, .count = 1};
    f[n++] = (sgm_field){.key = "decoder_heads", .value = &c->decoder.heads, .count = 1};
    f[n++] = (sgm_field){.key = "decoder_depth", .value = &c->decoder.depth, .count = 1};
    f[n++] = (sgm_field){.key = "decoder_mlp", .value = &c->decoder.mlp_dim, .count = 1};
    f[n++] = (sgm_field){.key = "mask_tokens", .value = &c->decoder.mask_tokens, .count = 1};
    f[n++] = (sgm_field){.key = "high_res", .value = &c->decoder.high_res, .count = 1};
    return c->family->fields ? n + c->family->fields(c, f + n) : n;
}

static sgm_status bad_word(const char *word)
{
    return sgm_fail(SGM_BAD_MODEL, "architecture: '%.60s' is not understood", word);
}

/* "48,96,128,192" into exactly f->count numbers. */
static sgm_status parse_numbers(const char *text, const sgm_field *f)
{
    const char *at = text;
    for (int i = 0; i < f->count; i++) {
        char *end;
        long value = strtol(at, &end, 10);
        if (end == at || value < -1000000 || value > 1000000 ||
            *end != (i + 1 < f->count ? ',' : '\0'))
            return bad_word(text);
        f->value[i] = (int)value;
        at = end + 1;
    }
    return SGM_OK;
}

/* "global=2,5,8,11" sets bits. */
static sgm_status parse_bits(const char *text, uint64_t *bits)
{
    *bits = 0;
    for (const char *at = text; *at;) {
        char *end;
        long bit = strtol(at, &end, 10);
        if (end == at || bit < 0 || bit > 63 || (*end && *end != ',')) return bad_word(text);
        *bits |= UINT64_C(1) << bit;
        at = *end ? end + 1 : end;
    }
    return SGM_OK;
}

/* Which of the words; -1: none. */
static int find_word(const char *const *words, const char *text, size_t length)
{
    for (int i = 0; words[i]; i++)
        if (strlen(words[i]) == length && !memcmp(words[i], text, length)) return i;
    return -1;
}

static sgm_status parse_word(const char *text, const sgm_field *f)
{
    int word = find_word(f->words, text, strlen(text));
    if (word < 0) return bad_word(text);
    *f->value = word;
    return SGM_OK;
}

/* "without=cnn_branch,feature_adapters" sets bits. */
static sgm_status parse_words(const char *text, const sgm_field *f)
{
    *f->bits = 0;
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ",");
        int word = find_word(f->words, at, length);
        if (word < 0) return bad_word(text);
        *f->bits |= UINT64_C(1) << word;
        at += length + (at[length] == ',');
    }
    return SGM_OK;
}

static sgm_status parse_pair(sgm_model_config *config, const char *key, const char *value)
{
    if (!strcmp(key, "protocol")) {
        config->protocol = sgm_protocol_find(value);
        return config->protocol ? SGM_OK : bad_word(value);
    }
    sgm_field fields[SGM_MAX_FIELDS];
    int count = list_fields(config, fields);
    for (int i = 0; i < count; i++) {
        if (strcmp(fields[i].key, key) != 0) continue;
        if (fields[i].words && fields[i].bits) return parse_words(value, &fields[i]);
        if (fields[i].words) return parse_word(value, &fields[i]);
        if (fields[i].bits) return parse_bits(value, fields[i].bits);
        return parse_numbers(value, &fields[i]);
    }
    return bad_word(key);
}

sgm_status sgm_config_parse(const char *text, sgm_model_config *config)
{
    char copy[1024], *rest = copy, *word;
    if (strlen(text) >= sizeof copy)
        return sgm_fail(SGM_BAD_MODEL, "architecture: the description is too long");
    strcpy(copy, text);
    memset(config, 0, sizeof *config);
    word = strtok_r(rest, " ", &rest);
    config->family = word ? find_family(word) : NULL;
    if (!config->family) return bad_word(word ? word : "");
    config->protocol = &sgm_protocol_sam;
    config->decoder = sgm_sam_decoder_numbers;
    while ((word = strtok_r(rest, " ", &rest))) {
        char *equals = strchr(word, '=');
        if (!equals) return bad_word(word);
        *equals = 0;
        SGM_TRY(parse_pair(config, word, equals + 1));
    }
    return sgm_config_check(config);
}

/* Of a network's protocol and its other form, the one of that name; NULL: neither. */
static const sgm_protocol *form_of(const sgm_protocol *protocol, const char *name)
{
    const sgm_protocol *p = sgm_protocol_find(name);
    return p && (p == protocol || p->other == protocol || protocol->other == p) ? p : NULL;
}

sgm_status sgm_config_set(sgm_model_config *config, const char *word)
{
    const char *unsaid = config->family->unsaid ? config->family->unsaid : "";
    const char *equals = strchr(word, '=');
    const sgm_protocol *other = config->protocol->other, *form = NULL;
    char key[32] = "";
    if (equals && equals - word < (int)sizeof key) memcpy(key, word, (size_t)(equals - word));
    if (!strcmp(key, "protocol")) form = form_of(config->protocol, equals + 1);
    if (form) config->protocol = form;
    if (form || (key[0] && sgm_name_matches(unsaid, key))) {
        if (!form) SGM_TRY(parse_pair(config, key, equals + 1));
        return sgm_config_check(config);
    }
    return sgm_fail(SGM_INVALID_ARGUMENT,
                    "'%.60s' cannot be set: what the file of %s does not say: %s%s%s%s", word,
                    config->variant, unsaid, *unsaid && other ? ", " : "", other ? "protocol=" : "",
                    other     ? other->name
                    : *unsaid ? ""
                              : "nothing");
}

bool sgm_config_differs(const sgm_model_config *a, const sgm_model_config *b, char of_a[64],
                        char of_b[64])
{
    sgm_model_config copies[2] = {*a, *b};
    sgm_field x[SGM_MAX_FIELDS], y[SGM_MAX_FIELDS];
    if (a->family != b->family) return false;
    if (sgm_protocol_is_other(a->protocol, b->protocol)) {
        snprintf(of_a, 64, "protocol=%s", a->protocol->name);
        snprintf(of_b, 64, "protocol=%s", b->protocol->name);
        return true;
    }
    int count = list_fields(&copies[0], x);
    list_fields(&copies[1], y);
    for (int i = 0; a->family->unsaid && i < count; i++) {
        if (!sgm_name_matches(a->family->unsaid, x[i].key) || *x[i].value == *y[i].value) continue;
        snprintf(of_a, 64, "%s=%d", x[i].key, *x[i].value);
        snprintf(of_b, 64, "%s=%d", y[i].key, *y[i].value);
        return true;
    }
    return false;
}

int sgm_count_class_names(const char *names)
{
    int count = 1;
    for (const char *c = names; *c; c++)
        count += *c == ',';
    return count;
}

sgm_status sgm_config_class_names(const sgm_model_config *config, const char *key,
                                  const char *names, char *out, size_t size)
{
    int count = sgm_count_class_names(names);
    size_t used = 0;
    if (count != config->classes)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s has %d names; %s has %d classes", key, count,
                        config->variant, config->classes);
    for (int i = 1; i <= count; i++) {
        names += strspn(names, " \t");
        size_t whole = strcspn(names, ","), length = whole;
        while (length && (names[length - 1] == ' ' || names[length - 1] == '\t'))
            length--;
        if (!length) return sgm_fail(SGM_INVALID_ARGUMENT, "%s: name %d is empty", key, i);
        if (used + length + 2 > size)
            return sgm_fail(SGM_INVALID_ARGUMENT, "%s: the names are too long", key);
        used += (size_t)snprintf(out + used, size - used, "%s%.*s", i > 1 ? "," : "", (int)length,
                                 names);
        names += whole + (names[whole] == ',');
    }
    return SGM_OK;
}

enum { TEXT_SIZE = 512 };

static size_t append_numbers(char *text, size_t used, const char *key, const int *value, int count)
{
    used += (size_t)snprintf(text + used, TEXT_SIZE - used, " %s=", key);
    for (int i = 0; i < count && used < TEXT_SIZE - 12; i++)
        used += (size_t)snprintf(text + used, TEXT_SIZE - used, "%s%d", i ? "," : "", value[i]);
    return used < TEXT_SIZE - 1 ? used : TEXT_SIZE - 1;
}

static size_t append_words(char *text, size_t used, const sgm_field *f)
{
    const char *before = "";
    if (*f->bits) used += (size_t)snprintf(text + used, TEXT_SIZE - used, " %s=", f->key);
    for (int i = 0; f->words[i] && used < TEXT_SIZE - 1; i++) {
        if (!(*f->bits >> i & 1)) continue;
        used += (size_t)snprintf(text + used, TEXT_SIZE - used, "%s%s", before, f->words[i]);
        before = ",";
    }
    return used < TEXT_SIZE - 1 ? used : TEXT_SIZE - 1;
}

static size_t append_bits(char *text, size_t used, const sgm_field *f)
{
    int set[64], count = 0;
    for (int i = 0; i < 64; i++)
        if (*f->bits >> i & 1) set[count++] = i;
    return count ? append_numbers(text, used, f->key, set, count) : used;
}

void sgm_config_text(const sgm_model_config *config, char text[512])
{
    sgm_model_config copy = *config;
    sgm_field fields[SGM_MAX_FIELDS];
    int count = list_fields(&copy, fields);
    size_t used = (size_t)snprintf(text, TEXT_SIZE, "%s protocol=%s", config->family->name,
                                   config->protocol->name);
    for (int i = 0; i < count; i++)
        if (fields[i].words && !fields[i].bits)
            used += (size_t)snprintf(text + used, TEXT_SIZE - used, " %s=%s", fields[i].key,
                                     fields[i].words[*fields[i].value]);
    for (int i = 0; i < count; i++)
        if (!fields[i].words && !fields[i].bits)
            used = append_numbers(text, used, fields[i].key, fields[i].value, fields[i].count);
    for (int i = 0; i < count; i++)
        if (fields[i].bits)
            used = fields[i].words ? append_words(text, used, &fields[i])
                                   : append_bits(text, used, &fields[i]);
}

/* The family's parts that can be left out; NULL: none. */
static const sgm_field *find_parts(const sgm_field *fields, int count)
{
    for (int i = 0; i < count; i++)
        if (fields[i].words && fields[i].bits) return &fields[i];
    return NULL;
}

static sgm_status no_such_part(const sgm_model_config *config, const char *const *words,
                               const char *name, int length)
{
    char list[256] = "";
    for (int i = 0; words[i]; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", words[i]);
    }
    return sgm_fail(SGM_BAD_MODEL, "'%.*s' cannot be left out of %s; there are: %s",
                    length < 60 ? length : 60, name, config->family->name, list);
}

sgm_status sgm_config_leave_out(sgm_model_config *config, const char *names)
{
    if (!names[strspn(names, ", ")]) return SGM_OK;
    sgm_field fields[SGM_MAX_FIELDS];
    const sgm_field *parts = find_parts(fields, list_fields(config, fields));
    if (!parts)
        return sgm_fail(SGM_BAD_MODEL, "nothing can be left out of %s", config->family->name);
    for (const char *at = names; *at;) {
        size_t length = strcspn(at, ", ");
        int word = length ? find_word(parts->words, at, length) : -1;
        if (length && word < 0) return no_such_part(config, parts->words, at, (int)length);
        if (length) *parts->bits |= UINT64_C(1) << word;
        at += length + (at[length] != 0);
    }
    return SGM_OK;
}
