#include "train/network_names.h"

#include <stdio.h>
#include <string.h>

#include "core/names.h"
#include "models/family.h"
#include "models/registry.h"
#include "predict/session/program.h"

sgm_status sgm_network_visit(const sgm_model_config *model, sgm_param_check_fn see, void *user)
{
    bool listens = sgm_config_listens(model), classes = model->classes > 0;
    const sgm_program_key encode = {.stage = SGM_STAGE_ENCODE, .batch = 1},
                          decode = {.stage = SGM_STAGE_DECODE,
                                    .batch = 1,
                                    .tokens = listens ? 2 : 0,
                                    .classes = classes};
    sgm_program_key keys[] = {encode, decode, decode};
    keys[2].mask = listens;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        sgm_program *program;
        SGM_TRY(sgm_program_build(model, keys[i], see, user, NULL, &program));
        sgm_program_destroy(program);
    }
    return SGM_OK;
}

typedef struct search {
    const char *pattern;
    bool found;
} search;

/* sgm_param_check_fn */
static sgm_status look(void *user, const char *name, sgm_shape wanted)
{
    search *s = user;
    (void)wanted;
    s->found |= sgm_name_matches(s->pattern, name);
    return SGM_OK;
}

static sgm_status check_one(const char *key, const char *pattern, const sgm_model_config *model,
                            sgm_params *params)
{
    search s = {pattern, false};
    for (int i = 0; i < sgm_params_count(params) && !s.found; i++)
        look(&s, sgm_params_get(params, i)->name, (sgm_shape){0});
    if (!s.found) SGM_TRY(sgm_network_visit(model, look, &s));
    if (s.found) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "%s: no tensor of the network matches \"%s\"", key,
                    pattern);
}

sgm_status sgm_patterns_check(const char *key, const char *patterns, const sgm_model_config *model,
                              sgm_params *params)
{
    char pattern[1024];
    for (const char *at = patterns; *at;) {
        size_t size = strcspn(at, ", ");
        snprintf(pattern, sizeof pattern, "%.*s", (int)size, at);
        if (size) SGM_TRY(check_one(key, pattern, model, params));
        at += size + (at[size] != 0);
    }
    return SGM_OK;
}

sgm_status sgm_layout_check(const sgm_model_config *model, const sgm_checkpoint *init)
{
    const char *const marks[] = {model->family->mark, model->family->other_mark};
    for (int i = 0; marks[1] && i < 2; i++) {
        search s = {marks[i], false};
        if (!sgm_checkpoint_find(init, marks[i])) continue;
        SGM_TRY(sgm_network_visit(model, look, &s));
        if (!s.found)
            return sgm_fail(SGM_BAD_MODEL,
                            "%s: has %s, and the network of `architecture` is of the family's "
                            "other layout, which would not find its weights: leave `architecture` "
                            "out, and the network is the file's",
                            sgm_checkpoint_path(init), marks[i]);
    }
    return SGM_OK;
}

sgm_status sgm_said_check(const sgm_train_config *config, const sgm_checkpoint *init)
{
    const char *text = sgm_checkpoint_metadata(init, SGM_METADATA_ARCHITECTURE);
    sgm_model_config of_file;
    char found[64], wanted[64];
    if (!text) return SGM_OK;
    sgm_status status = sgm_config_parse(text, &of_file);
    if (status != SGM_OK) return sgm_fail_in(status, sgm_checkpoint_path(init));
    if (config->clip_levels != SGM_CLIP_AS_NETWORK)
        of_file.protocol = sgm_protocol_clipping(of_file.protocol, config->clip_levels);
    if (!sgm_config_differs(&of_file, &config->model, found, wanted)) return SGM_OK;
    return sgm_fail(SGM_BAD_MODEL,
                    "%s: says %s, and the network of `architecture` has %s: leave `architecture` "
                    "out, and the network is the file's, or let segmodel convert --set %s write it "
                    "into the file",
                    sgm_checkpoint_path(init), found, wanted, wanted);
}
