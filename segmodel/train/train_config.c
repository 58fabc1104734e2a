#include "train/train_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/settings.h"
#include "models/registry.h"
#include "predict/session/postprocess.h"

static const char *const OPTIMIZERS[] = {"sgd", "adam", "adamw", "muon", NULL};
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

static const sgm_setting SETTINGS[] = {
    {"architecture", SGM_SETTING_TEXT, AT(architecture), 0, SGM_CONFIG_TEXT, NULL},
    {"init", SGM_SETTING_TEXT, AT(init), 0, SGM_CONFIG_TEXT, NULL},
    {"base", SGM_SETTING_TEXT, AT(base), 0, SGM_CONFIG_TEXT, NULL},
    {"variant", SGM_SETTING_TEXT, AT(variant), 0, 32, NULL},
    {"without", SGM_SETTING_TEXT, AT(without), 0, SGM_CONFIG_TEXT, NULL},
    {"seed", SGM_SETTING_INT64, AT(seed), 0, 9e15, NULL},
    {"steps", SGM_SETTING_INT64, AT(steps), 1, 1e9, NULL},
    {"minutes", SGM_SETTING_REAL, AT(minutes), 0, 1e6, NULL},
    {"batch", SGM_SETTING_INT, AT(batch), 1, 4096, NULL},
    {"accumulate", SGM_SETTING_INT, AT(accumulate), 1, 4096, NULL},
    {"accumulate_sum", SGM_SETTING_FLAG, AT(accumulate_sum), 0, 1, NULL},
    {"loader_threads", SGM_SETTING_INT, AT(loader_threads), 1, 64, NULL},
    {"bf16", SGM_SETTING_FLAG, AT(bf16), 0, 1, NULL},
    {"optimizer", SGM_SETTING_CHOICE, AT(optim.kind), 0, 0, OPTIMIZERS},
    {"rate", SGM_SETTING_REAL, AT(schedule.rate), 1e-12, 10, NULL},
    {"beta1", SGM_SETTING_REAL, AT(optim.beta1), 0, 0.99999, NULL},
    {"beta2", SGM_SETTING_REAL, AT(optim.beta2), 0, 0.9999999, NULL},
    {"epsilon", SGM_SETTING_REAL, AT(optim.epsilon), 0, 1, NULL},
    {"weight_decay", SGM_SETTING_REAL, AT(optim.weight_decay), 0, 10, NULL},
    {"decay_vectors", SGM_SETTING_FLAG, AT(optim.decay_vectors), 0, 1, NULL},
    {"schedule", SGM_SETTING_CHOICE, AT(schedule.kind), 0, 0, SCHEDULES},
    {"warmup", SGM_SETTING_INT64, AT(schedule.warmup), 0, 1e9, NULL},
    {"schedule_steps", SGM_SETTING_INT64, AT(schedule.span), 0, 1e9, NULL},
    {"schedule_times", SGM_SETTING_REAL, AT(schedule.times), 0, 1000, NULL},
    {"schedule_late", SGM_SETTING_FLAG, AT(schedule.late), 0, 1, NULL},
    {"step_size", SGM_SETTING_INT64, AT(schedule.step_size), 1, 1e9, NULL},
    {"gamma", SGM_SETTING_REAL, AT(schedule.gamma), 0, 1, NULL},
    {"power", SGM_SETTING_REAL, AT(schedule.power), 0, 10, NULL},
    {"rate_floor", SGM_SETTING_REAL, AT(schedule.floor), 0, 1, NULL},
    {"clip", SGM_SETTING_REAL, AT(clip), 0, 1e9, NULL},
    {"ema", SGM_SETTING_REAL, AT(ema), 0, 0.999999, NULL},
    {"freeze", SGM_SETTING_TEXT, AT(freeze), 0, SGM_CONFIG_TEXT, NULL},
    {"train_only", SGM_SETTING_TEXT, AT(train_only), 0, SGM_CONFIG_TEXT, NULL},
    {"classes", SGM_SETTING_TEXT, AT(classes), 0, SGM_CONFIG_TEXT, NULL},
    {"bank", SGM_SETTING_INT, AT(bank), 0, 4096, NULL},
    {"norms", SGM_SETTING_CHOICE, AT(norms), 0, 0, NORMS},
    {"loss", SGM_SETTING_CHOICE, AT(loss), 0, 0, LOSSES},
    {"target", SGM_SETTING_TEXT, AT(target), 0, 32, NULL},
    {"given", SGM_SETTING_TEXT, AT(given), 0, SGM_CONFIG_TEXT, NULL},
    {"clip_levels", SGM_SETTING_INT, AT(clip_levels), 0, 1, NULL},
    {"features", SGM_SETTING_TEXT, AT(features), 0, SGM_CONFIG_TEXT, NULL},
    {"window", SGM_SETTING_CHOICE, AT(sampler.window), 0, 0, WINDOWS},
    {"rounds", SGM_SETTING_INT, AT(sampler.rounds), 1, 32, NULL},
    {"layer_decay", SGM_SETTING_REAL, AT(layer_decay), 0.01, 1, NULL},
    {"drop_path", SGM_SETTING_REAL, AT(drop_path), 0, 0.9, NULL},
    {"prompts", SGM_SETTING_CHOICE, AT(sampler.asked), 0, 0, PROMPTS},
    {"objects", SGM_SETTING_CHOICE, AT(sampler.kinds), 0, 0, OBJECTS},
    {"draw", SGM_SETTING_CHOICE, AT(sampler.draws), 0, 0, DRAWS},
    {"synthetic", SGM_SETTING_REAL, AT(sampler.synthetic_share), 0, 1, NULL},
    {"tight", SGM_SETTING_REAL, AT(sampler.tight_share), 0, 1, NULL},
    {"augmentation", SGM_SETTING_REAL, AT(sampler.augmentation), 0, 2, NULL},
    {"held_out", SGM_SETTING_FLAG, AT(sampler.held_out), 0, 1, NULL},
    {"limit", SGM_SETTING_INT, AT(sampler.limit), 0, 1e9, NULL},
    {"box_noise", SGM_SETTING_REAL, AT(sampler.sim.box_noise), 0, 1, NULL},
    {"box_limit", SGM_SETTING_REAL, AT(sampler.box_limit), 0, 4096, NULL},
    {"box_shift", SGM_SETTING_REAL, AT(sampler.box_shift), 0, 4096, NULL},
    {"deepest", SGM_SETTING_REAL, AT(sampler.sim.deepest_chance), 0, 1, NULL},
    {"mask_threshold", SGM_SETTING_REAL, AT(mask_threshold), -SGM_LARGEST_MASK_THRESHOLD,
     SGM_LARGEST_MASK_THRESHOLD, NULL},
    {"interaction", SGM_SETTING_REAL, AT(interaction), 0, 1, NULL},
    {"point_weight", SGM_SETTING_REAL, AT(point_weight), 0, 100, NULL},
    {"prior", SGM_SETTING_FLAG, AT(sampler.sim.prior), 0, 1, NULL},
    {"walks", SGM_SETTING_FLAG, AT(sampler.sim.walks), 0, 1, NULL},
    {"validate_every", SGM_SETTING_INT64, AT(validate_every), 0, 1e9, NULL},
    {"report_every", SGM_SETTING_INT64, AT(report_every), 1, 1e9, NULL},
    {"save_every", SGM_SETTING_INT64, AT(save_every), 0, 1e9, NULL},
    {"validate_objects", SGM_SETTING_INT, AT(validate_objects), 0, 100000, NULL},
    {"patience", SGM_SETTING_INT, AT(patience), 0, 1000000, NULL},
    {"weight.*", SGM_SETTING_OWN, 0, 0, 1000, NULL},
};
/* weight.<data set> = factor */
static sgm_status set_weight(const sgm_settings_place *at, const sgm_setting *setting,
                             const char *key, char *value, void *to)
{
    sgm_train_config *config = to;
    int n = config->weight_count;
    const char *set = key + strlen("weight.");
    if (n == SGM_CONFIG_WEIGHTS || !*set || strlen(set) >= SGM_PACK_TEXT)
        return sgm_settings_bad(at, key, "is one weight too many or has no usable name", value);
    for (int i = 0; i < n; i++)
        if (!strcmp(config->weights[i].set, set))
            return sgm_settings_bad(at, key, "is given twice", value);
    SGM_TRY(sgm_settings_number(at, setting, value, &config->weights[n].factor));
    strcpy(config->weights[n].set, set);
    config->weight_count++;
    return SGM_OK;
}

static const sgm_settings_form FORM = {SETTINGS, sizeof SETTINGS / sizeof *SETTINGS,
                                       "resources/train/README.md", set_weight};

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
    c->mask_threshold = NAN;
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
    c->clip_levels = SGM_CLIP_AS_NETWORK;
}

static sgm_status parse_network(sgm_train_config *c)
{
    if (!sgm_variant_config(c->architecture, &c->model)) {
        SGM_TRY(sgm_config_parse(c->architecture, &c->model));
        snprintf(c->model.variant, sizeof c->model.variant, "%s", c->variant);
    }
    return sgm_config_leave_out(&c->model, c->without);
}

/* Settings that one way of asking has no use for: a run would learn something else than they say.
 */
static sgm_status check_asked(const sgm_train_config *c)
{
    const sgm_sampler_options *o = &c->sampler;
    const struct {
        const char *key;
        bool is_set;
    } of_asked[] = {{"rounds", o->rounds > 1},
                    {"drop_path", c->drop_path > 0},
                    {"norms = batch", c->norms != SGM_NORMS_GATHERED},
                    {"target", strcmp(c->target, "low") != 0},
                    {"given", c->given[0] != 0},
                    {"features", c->features[0] != 0},
                    {"box_shift", o->box_shift > 0},
                    {"box_limit", o->box_limit > 0}},
      of_mixed[] = {{"walks", o->sim.walks}, {"point_weight", c->point_weight != 1}};
    bool mixed = o->asked == SGM_ASKED_MIXED;
    size_t count = mixed ? sizeof of_asked / sizeof *of_asked : sizeof of_mixed / sizeof *of_mixed;
    for (size_t i = 0; i < count; i++)
        if ((mixed ? of_asked : of_mixed)[i].is_set)
            return sgm_fail(SGM_UNREADABLE, "%s: %s is %s prompts = mixed", c->path,
                            (mixed ? of_asked : of_mixed)[i].key, mixed ? "not for" : "for");
    return SGM_OK;
}

/* An epoch shows every picture once. */
static sgm_status check_epoch_weights(const sgm_train_config *c)
{
    for (int i = 0; c->sampler.draws == SGM_DRAWS_EPOCHS && i < c->weight_count; i++)
        if (c->weights[i].factor != 0 && c->weights[i].factor != 1)
            return sgm_fail(SGM_UNREADABLE,
                            "%s: weight.%s = %g: draw = epochs shows every picture once; only the "
                            "weight 0 leaves a data set out",
                            c->path, c->weights[i].set, c->weights[i].factor);
    return SGM_OK;
}

static sgm_status finish(sgm_train_config *c)
{
    SGM_TRY(check_asked(c));
    SGM_TRY(check_epoch_weights(c));
    if (!c->schedule.span) c->schedule.span = llround(c->schedule.times * (double)c->steps);
    if (c->sampler.asked != SGM_ASKED_MIXED) c->sampler.sim.prior = false; /* of our own rounds */
    if (!c->architecture[0] && !c->init[0])
        return sgm_fail(SGM_UNREADABLE, "%s: either architecture or init must be given", c->path);
    if (!c->architecture[0]) return SGM_OK; /* the checkpoint says it */
    sgm_status status = parse_network(c);
    if (status == SGM_OK) return SGM_OK;
    sgm_fail_in(status, c->path);
    return SGM_UNREADABLE;
}

sgm_status sgm_train_config_parse(const char *text, const char *path, sgm_train_config *config)
{
    set_defaults(path, config);
    SGM_TRY(sgm_settings_parse(&FORM, text, path, config));
    return finish(config);
}

sgm_status sgm_train_config_read(const char *path, sgm_train_config *config)
{
    char text[SGM_SETTINGS_FILE];
    SGM_TRY(sgm_settings_load(path, text));
    return sgm_train_config_parse(text, path, config);
}

bool sgm_train_config_value(const sgm_train_config *config, const char *key, char *text,
                            size_t size)
{
    return sgm_settings_text(&FORM, key, config, text, size);
}
