#include "train/train_config.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/files.h"
#include "core/number.h"
#include "models/registry.h"
#include "predict/session/postprocess.h"

typedef enum field_type { INTEGER32, INTEGER64, REAL, FLAG, TEXT, CHOICE } field_type;

typedef struct field {
    const char *key;
    field_type type;
    size_t offset;
    double low, high;
    const char *const *choices;
} field;

static const char *const OPTIMIZERS[] = {"sgd", "adam", "adamw", NULL};
static const char *const SCHEDULES[] = {"constant", "step", "cosine", "polynomial", NULL};
static const char *const LOSSES[] = {"sam",      "samus",        "samihs", "medsam",
                                     "balanced", "samihs_paper", "msa",    "samed",
                                     "autosam",  "surgicalsam",  NULL};
static const char *const NORMS[] = {"gathered", "batch", NULL};
static const char *const WINDOWS[] = {"random", "whole", NULL};
static const char *const PROMPTS[] = {"mixed", "point", "box", "none", "class", "either", NULL};
static const char *const OBJECTS[] = {"any", "class", "foreground", NULL};
static const char *const DRAWS[] = {"weighted", "epochs", NULL};

#define AT(member) offsetof(sgm_train_config, member)

static const field FIELDS[] = {
    {"architecture", TEXT, AT(architecture), 0, SGM_CONFIG_TEXT, NULL},
    {"init", TEXT, AT(init), 0, SGM_CONFIG_TEXT, NULL},
    {"base", TEXT, AT(base), 0, SGM_CONFIG_TEXT, NULL},
    {"variant", TEXT, AT(variant), 0, 32, NULL},
    {"seed", INTEGER64, AT(seed), 0, 9e15, NULL},
    {"steps", INTEGER64, AT(steps), 1, 1e9, NULL},
    {"minutes", REAL, AT(minutes), 0, 1e6, NULL},
    {"batch", INTEGER32, AT(batch), 1, 4096, NULL},
    {"accumulate", INTEGER32, AT(accumulate), 1, 4096, NULL},
    {"accumulate_sum", FLAG, AT(accumulate_sum), 0, 1, NULL},
    {"loader_threads", INTEGER32, AT(loader_threads), 1, 64, NULL},
    {"bf16", FLAG, AT(bf16), 0, 1, NULL},
    {"optimizer", CHOICE, AT(optim.kind), 0, 0, OPTIMIZERS},
    {"rate", REAL, AT(schedule.rate), 1e-12, 10, NULL},
    {"beta1", REAL, AT(optim.beta1), 0, 0.99999, NULL},
    {"beta2", REAL, AT(optim.beta2), 0, 0.9999999, NULL},
    {"epsilon", REAL, AT(optim.epsilon), 0, 1, NULL},
    {"weight_decay", REAL, AT(optim.weight_decay), 0, 10, NULL},
    {"decay_vectors", FLAG, AT(optim.decay_vectors), 0, 1, NULL},
    {"schedule", CHOICE, AT(schedule.kind), 0, 0, SCHEDULES},
    {"warmup", INTEGER64, AT(schedule.warmup), 0, 1e9, NULL},
    {"schedule_steps", INTEGER64, AT(schedule.span), 0, 1e9, NULL},
    {"schedule_late", FLAG, AT(schedule.late), 0, 1, NULL},
    {"step_size", INTEGER64, AT(schedule.step_size), 1, 1e9, NULL},
    {"gamma", REAL, AT(schedule.gamma), 0, 1, NULL},
    {"power", REAL, AT(schedule.power), 0, 10, NULL},
    {"rate_floor", REAL, AT(schedule.floor), 0, 1, NULL},
    {"clip", REAL, AT(clip), 0, 1e9, NULL},
    {"ema", REAL, AT(ema), 0, 0.999999, NULL},
    {"freeze", TEXT, AT(freeze), 0, SGM_CONFIG_TEXT, NULL},
    {"train_only", TEXT, AT(train_only), 0, SGM_CONFIG_TEXT, NULL},
    {"classes", TEXT, AT(classes), 0, SGM_CONFIG_TEXT, NULL},
    {"bank", INTEGER32, AT(bank), 0, 4096, NULL},
    {"norms", CHOICE, AT(norms), 0, 0, NORMS},
    {"loss", CHOICE, AT(loss), 0, 0, LOSSES},
    {"target", TEXT, AT(target), 0, 32, NULL},
    {"given", TEXT, AT(given), 0, SGM_CONFIG_TEXT, NULL},
    {"clip_levels", FLAG, AT(clip_levels), 0, 1, NULL},
    {"features", TEXT, AT(features), 0, SGM_CONFIG_TEXT, NULL},
    {"window", CHOICE, AT(sampler.window), 0, 0, WINDOWS},
    {"rounds", INTEGER32, AT(sampler.rounds), 1, 32, NULL},
    {"layer_decay", REAL, AT(layer_decay), 0.01, 1, NULL},
    {"drop_path", REAL, AT(drop_path), 0, 0.9, NULL},
    {"prompts", CHOICE, AT(sampler.asked), 0, 0, PROMPTS},
    {"objects", CHOICE, AT(sampler.kinds), 0, 0, OBJECTS},
    {"draw", CHOICE, AT(sampler.draws), 0, 0, DRAWS},
    {"synthetic", REAL, AT(sampler.synthetic_share), 0, 1, NULL},
    {"tight", REAL, AT(sampler.tight_share), 0, 1, NULL},
    {"augmentation", REAL, AT(sampler.augmentation), 0, 2, NULL},
    {"held_out", FLAG, AT(sampler.held_out), 0, 1, NULL},
    {"limit", INTEGER32, AT(sampler.limit), 0, 1e9, NULL},
    {"box_noise", REAL, AT(sampler.sim.box_noise), 0, 1, NULL},
    {"box_limit", REAL, AT(sampler.box_limit), 0, 4096, NULL},
    {"box_shift", REAL, AT(sampler.box_shift), 0, 4096, NULL},
    {"deepest", REAL, AT(sampler.sim.deepest_chance), 0, 1, NULL},
    {"mask_threshold", REAL, AT(mask_threshold), -SGM_LARGEST_MASK_THRESHOLD,
     SGM_LARGEST_MASK_THRESHOLD, NULL},
    {"interaction", REAL, AT(interaction), 0, 1, NULL},
    {"point_weight", REAL, AT(point_weight), 0, 100, NULL},
    {"prior", FLAG, AT(sampler.sim.prior), 0, 1, NULL},
    {"walks", FLAG, AT(sampler.sim.walks), 0, 1, NULL},
    {"validate_every", INTEGER64, AT(validate_every), 0, 1e9, NULL},
    {"report_every", INTEGER64, AT(report_every), 1, 1e9, NULL},
    {"save_every", INTEGER64, AT(save_every), 0, 1e9, NULL},
    {"validate_objects", INTEGER32, AT(validate_objects), 0, 100000, NULL},
    {"patience", INTEGER32, AT(patience), 0, 1000000, NULL},
};
enum { FIELD_COUNT = sizeof FIELDS / sizeof *FIELDS };

typedef struct parse_place {
    const char *path;
    int line;
} parse_place;

static sgm_status bad(const parse_place *at, const char *key, const char *what, const char *value)
{
    return sgm_fail(SGM_UNREADABLE, "%s:%d: %s %s, found \"%.60s\"", at->path, at->line, key, what,
                    value);
}

static sgm_status parse_number(const parse_place *at, const field *f, const char *value,
                               double *out)
{
    char *end, range[96];
    *out = sgm_read_number(value, &end);
    snprintf(range, sizeof range, "must be a number from %g to %g", f->low, f->high);
    if (end == value || *end || !(*out >= f->low && *out <= f->high))
        return bad(at, f->key, range, value);
    if (f->type != REAL && *out != floor(*out))
        return bad(at, f->key, "must be a whole number", value);
    return SGM_OK;
}

static sgm_status parse_choice(const parse_place *at, const field *f, const char *value, int *out)
{
    char list[128] = "must be one of";
    for (int i = 0; f->choices[i]; i++) {
        if (strcmp(f->choices[i], value) == 0) {
            *out = i;
            return SGM_OK;
        }
        strcat(strcat(list, i ? ", " : " "), f->choices[i]);
    }
    return bad(at, f->key, list, value);
}

static sgm_status set_field(const parse_place *at, const field *f, const char *value,
                            sgm_train_config *config)
{
    char *to = (char *)config + f->offset;
    double number = 0;
    if (f->type == TEXT) {
        if (strlen(value) >= (size_t)f->high) return bad(at, f->key, "is too long", value);
        strcpy(to, value);
        return SGM_OK;
    }
    if (f->type == CHOICE) return parse_choice(at, f, value, (int *)to);
    SGM_TRY(parse_number(at, f, value, &number));
    if (f->type == INTEGER32) *(int *)to = (int)number;
    if (f->type == INTEGER64) *(int64_t *)to = (int64_t)number;
    if (f->type == REAL) *(double *)to = number;
    if (f->type == FLAG) *(bool *)to = number != 0;
    return SGM_OK;
}

/* weight.<data set> = factor */
static sgm_status set_weight(const parse_place *at, const char *key, const char *value,
                             sgm_train_config *config)
{
    static const field f = {"weight", REAL, 0, 0, 1000, NULL};
    int n = config->weight_count;
    const char *set = key + strlen("weight.");
    if (n == SGM_CONFIG_WEIGHTS || !*set || strlen(set) >= SGM_PACK_TEXT)
        return bad(at, key, "is one weight too many or has no usable name", value);
    SGM_TRY(parse_number(at, &f, value, &config->weights[n].factor));
    strcpy(config->weights[n].set, set);
    config->weight_count++;
    return SGM_OK;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (size_t n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = 0;
    return text;
}

static sgm_status parse_line(const parse_place *at, char *line, bool seen[FIELD_COUNT],
                             sgm_train_config *config)
{
    line[strcspn(line, "#")] = 0;
    char *key = trim(line);
    if (!*key) return SGM_OK;
    char *equals = strchr(key, '=');
    if (!equals) return bad(at, "a line", "must read key = value", key);
    *equals = 0;
    char *value = trim(equals + 1);
    key = trim(key);
    if (strncmp(key, "weight.", 7) == 0) return set_weight(at, key, value, config);
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(FIELDS[i].key, key) != 0) continue;
        if (seen[i]) return bad(at, key, "is given twice", value);
        seen[i] = true;
        return set_field(at, &FIELDS[i], value, config);
    }
    return bad(at, "a key", "must be one of resources/train/README.md", key);
}

static void set_defaults(const char *path, sgm_train_config *c)
{
    memset(c, 0, sizeof *c);
    snprintf(c->path, sizeof c->path, "%s", path);
    strcpy(c->variant, "custom");
    c->seed = 1;
    c->steps = 10000;
    c->batch = 8;
    c->accumulate = 1;
    c->loader_threads = 1;
    c->optim = (sgm_optim_options){SGM_OPTIMIZER_ADAMW, 0.9, 0.999, 1e-8, 0.01, false};
    c->schedule = (sgm_schedule){.kind = SGM_SCHEDULE_COSINE,
                                 .rate = 1e-3,
                                 .warmup = 100,
                                 .step_size = 1000,
                                 .gamma = 0.5,
                                 .power = 0.9,
                                 .floor = 0.01};
    c->clip = 1;
    c->layer_decay = 1;
    c->sampler.rounds = 1;
    c->sampler.synthetic_share = 0.2;
    c->sampler.tight_share = 0.5;
    c->sampler.augmentation = 1;
    c->sampler.sim = (sgm_sim_options){0.04, 0.6, true, false};
    c->point_weight = 1;
    c->interaction = 0.25;
    c->report_every = 20;
    c->validate_every = 500;
    c->save_every = 500;
    c->validate_objects = 120;
    strcpy(c->target, "low");
    c->clip_levels = true;
}

static sgm_status finish(sgm_train_config *c)
{
    if (c->sampler.asked != SGM_ASKED_MIXED) /* what only our own rounds know */
        c->sampler.sim.prior = c->sampler.sim.walks = false;
    if (c->sampler.asked == SGM_ASKED_MIXED && (c->sampler.rounds > 1 || c->drop_path > 0))
        return sgm_fail(SGM_UNREADABLE, "%s: rounds and drop_path are not for prompts = mixed",
                        c->path);
    if (!c->architecture[0] && !c->init[0])
        return sgm_fail(SGM_UNREADABLE, "%s: either architecture or init must be given", c->path);
    if (!c->architecture[0]) return SGM_OK; /* the checkpoint says it */
    if (sgm_variant_config(c->architecture, &c->model)) return SGM_OK;
    sgm_status status = sgm_config_parse(c->architecture, &c->model);
    if (status != SGM_OK) {
        sgm_fail_in(status, c->path);
        return SGM_UNREADABLE;
    }
    snprintf(c->model.variant, sizeof c->model.variant, "%s", c->variant);
    return SGM_OK;
}

sgm_status sgm_train_config_parse(const char *text, const char *path, sgm_train_config *config)
{
    bool seen[FIELD_COUNT] = {false};
    parse_place at = {path, 0};
    char line[2 * SGM_CONFIG_TEXT];
    set_defaults(path, config);
    while (*text) {
        size_t size = strcspn(text, "\n");
        at.line++;
        if (size >= sizeof line) return bad(&at, "a line", "is too long", "...");
        memcpy(line, text, size);
        line[size] = 0;
        text += size + (text[size] == '\n');
        SGM_TRY(parse_line(&at, line, seen, config));
    }
    return finish(config);
}

sgm_status sgm_train_config_read(const char *path, sgm_train_config *config)
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
    return sgm_train_config_parse(text, path, config);
}
