/* What a run needs before its first update, and the end of all that. */
#include "train/trainer.h"

#include <stdio.h>
#include <string.h>

#include "backend/context.h"
#include "core/files.h"
#include "models/registry.h"
#include "train/asked_sample.h"
#include "train/network_names.h"
#include "train/run_folder.h"

void sgm_trainer_path(const sgm_trainer *t, const char *name, char path[4096])
{
    snprintf(path, 4096, "%s/%s", t->options->out, name);
}

/* What `init` is read as; NULL: what it says or looks like. `variant` is also the name of the model
 * that is written, which may be any where the file says what it is; elsewhere a word that is no
 * network's is a mistake. */
static const char *variant_of_init(const sgm_trainer *t)
{
    const char *variant = t->config.variant;
    sgm_model_config known;
    if (sgm_variant_config(variant, &known)) return variant;
    bool says = sgm_checkpoint_metadata(t->init, SGM_METADATA_VARIANT) ||
                sgm_checkpoint_metadata(t->init, SGM_METADATA_ARCHITECTURE);
    bool given = variant[0] && strcmp(variant, "custom") != 0;
    return given && !says ? variant : NULL;
}

/* A file that is not there from the current folder may lie beside the settings, as in an installed
 * tree. */
static void look_beside(const char *settings, char path[SGM_CONFIG_TEXT])
{
    char beside[SGM_CONFIG_TEXT];
    sgm_file_info info;
    int folder = (int)(sgm_file_name(settings) - settings);
    if (!path[0] || sgm_path_info(path, &info)) return;
    int size = snprintf(beside, sizeof beside, "%.*s%s", folder, settings, path);
    if (size < (int)sizeof beside && sgm_path_info(beside, &info))
        memcpy(path, beside, sizeof beside);
}

/* Which form of its protocol the network is of, where the settings say so. */
static void choose_form(sgm_train_config *c)
{
    if (c->clip_levels != SGM_CLIP_AS_NETWORK)
        c->model.protocol = sgm_protocol_clipping(c->model.protocol, c->clip_levels);
}

static sgm_status open_init(sgm_trainer *t)
{
    sgm_train_config *c = &t->config;
    t->first.seed = c->seed;
    if (c->architecture[0]) choose_form(c);
    if (!c->init[0]) return SGM_OK;
    look_beside(c->path, c->init);
    look_beside(c->path, c->base);
    SGM_TRY(sgm_registry_open(c->init, c->base[0] ? c->base : NULL, &t->init));
    t->first.checkpoint = t->init;
    if (c->architecture[0]) {
        SGM_TRY(sgm_layout_check(&c->model, t->init));
        return sgm_said_check(c, t->init);
    }
    const char *variant = variant_of_init(t);
    sgm_status status = sgm_registry_detect(t->init, variant, &c->model, t->assumption);
    if (status != SGM_OK) return sgm_fail_in(status, c->path);
    choose_form(c);
    return sgm_config_leave_out(&c->model, c->without);
}

/* Settings that only make sense for a network that is known. */
static sgm_status check_names(sgm_train_config *c)
{
    char names[SGM_CONFIG_TEXT];
    if (!c->classes[0]) return SGM_OK;
    sgm_status status =
        sgm_config_class_names(&c->model, "classes", c->classes, names, sizeof names);
    if (status != SGM_OK) return sgm_fail_in(status, c->path);
    strcpy(c->classes, names);
    return SGM_OK;
}

/* What samples of a family's own way of training need to know of the network. */
static sgm_status describe_asked(sgm_trainer *t)
{
    sgm_train_config *c = &t->config;
    sgm_sampler_options *o = &c->sampler;
    o->model = &c->model;
    if (o->asked != SGM_ASKED_MIXED) SGM_TRY(sgm_asked_check(c));
    o->class_map = c->loss == SGM_TRAIN_LOSS_SAMED;
    /* Where the mask is stretched between its extremes, something is found on every picture; of
     * pictures without an object no features are kept. */
    o->empty = o->window == SGM_VIEW_WHOLE && o->asked == SGM_ASKED_NOTHING && !c->given[0] &&
               !c->features[0] && !c->model.protocol->range;
    SGM_TRY(sgm_target_grid_parse(c->target, c->path, &c->model, &o->grid));
    if (c->given[0]) {
        if (!t->pack) return sgm_fail(SGM_INVALID_ARGUMENT, "given prompts need a pack");
        SGM_TRY(sgm_given_prompts_read(c->given, t->pack, &t->given));
        o->given = t->given;
    }
    o->tokens = sgm_asked_tokens(o->asked, o->given);
    if (o->window == SGM_VIEW_WHOLE && (!t->pack || o->synthetic_share > 0))
        return sgm_fail(SGM_INVALID_ARGUMENT, "window = whole needs a pack and synthetic = 0");
    if (c->features[0] && (o->augmentation > 0 || o->window != SGM_VIEW_WHOLE))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "features = FILE needs window = whole and augmentation = 0");
    return SGM_OK;
}

static sgm_status make_bank(sgm_trainer *t)
{
    const sgm_train_config *c = &t->config;
    if (!t->pack || c->sampler.asked == SGM_ASKED_MIXED)
        return sgm_fail(SGM_INVALID_ARGUMENT, "bank = %d is not for prompts = mixed", c->bank);
    size_t objects = sgm_sampler_object_count(t->sampler);
    if ((size_t)c->bank > objects)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "bank = %d: so many cannot join a batch, the pack has %zu objects to draw",
                        c->bank, objects);
    SGM_TRY(sgm_sampler_scratch_create(&c->sampler, &t->bank_scratch));
    return sgm_bank_create(sgm_sampler_largest_label(t->sampler), sgm_pack_item_count(t->pack),
                           &t->bank);
}

static sgm_status make_samplers(sgm_trainer *t)
{
    sgm_train_config *c = &t->config;
    c->sampler.seed = c->seed;
    c->sampler.size = c->model.image_size;
    c->sampler.target_side = 4 * c->model.grid;
    c->sampler.protocol = c->model.protocol;
    SGM_TRY(describe_asked(t));
    SGM_TRY(sgm_sampler_create(t->pack, &c->sampler, &t->sampler));
    for (int i = 0; i < c->weight_count; i++)
        if (!sgm_sampler_weight(t->sampler, c->weights[i].set, c->weights[i].factor))
            return sgm_fail(SGM_UNREADABLE, "%s: weight.%s: the pack has no such data set", c->path,
                            c->weights[i].set);
    sgm_status weights = sgm_sampler_check_weights(t->sampler);
    if (weights != SGM_OK) return sgm_fail_in(weights, c->path);
    if (c->bank) SGM_TRY(make_bank(t));
    sgm_sampler_options v = c->sampler;
    v.augmentation = 0;
    v.synthetic_share = 0;
    v.limit = 0;
    v.seed = 7;
    v.split = SGM_SPLIT_VALIDATION;
    if (v.asked == SGM_ASKED_EITHER) v.asked = SGM_ASKED_POINT;
    t->validation_options = v;
    for (int s = 0; s < SOURCES && t->pack && c->validate_objects; s++) {
        v.held_out = s == ASIDE;
        SGM_TRY(sgm_sampler_create_if_any(t->pack, &v, &t->validation[s]));
    }
    return SGM_OK;
}

/* A pattern with a mistake in it would freeze nothing, or train nothing, without a word. */
static sgm_status check_patterns(const sgm_trainer *t)
{
    const sgm_train_config *c = &t->config;
    sgm_status status = sgm_patterns_check("freeze", c->freeze, &c->model, t->params);
    if (status == SGM_OK && strcmp(c->train_only, "family") != 0)
        status = sgm_patterns_check("train_only", c->train_only, &c->model, t->params);
    return status == SGM_OK ? SGM_OK : sgm_fail_in(status, c->path);
}

static sgm_status finish_network(sgm_trainer *t)
{
    const sgm_train_config *c = &t->config;
    if (c->init[0] && !t->first.loaded)
        return sgm_fail(SGM_BAD_MODEL, "%s: no tensor of it is part of the network", c->init);
    if (c->layer_decay < 1 && !c->model.vit.depth)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s: layer_decay needs an encoder of ViT blocks",
                        c->path);
    SGM_TRY(check_patterns(t));
    SGM_TRY(sgm_master_create(t->backend, t->params, c->ema > 0, c, &t->master));
    if (!t->master.trained_count)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s: freeze and train_only leave nothing to train",
                        c->path);
    return SGM_OK;
}

static sgm_status make_asked_network(sgm_trainer *t)
{
    const sgm_train_config *c = &t->config;
    sgm_node *outputs[SGM_ASKED_OUTPUTS];
    bool batch = c->norms == SGM_NORMS_BATCH, rounds = c->sampler.rounds > 1;
    SGM_TRY(sgm_asked_graph_build(c, batch, !rounds, &t->graph));
    int count = sgm_asked_graph_outputs(&t->graph, outputs);
    SGM_TRY(sgm_train_plan_create(t->graph.graph, t->params, t->graph.loss, count, outputs, c->bf16,
                                  &t->plan));
    if (rounds) SGM_TRY(sgm_rounds_create(c, t->backend, t->params, &t->rounds));
    if (batch) {
        SGM_TRY(sgm_asked_graph_build(c, false, false, &t->gathered));
        count = sgm_asked_graph_outputs(&t->gathered, outputs);
        SGM_TRY(sgm_train_plan_create(t->gathered.graph, t->params, NULL, count, outputs, c->bf16,
                                      &t->gathered_plan));
    }
    if (c->features[0])
        SGM_TRY(sgm_feature_store_open(c, t->pack, &t->first, t->params, t->context, &t->features));
    return finish_network(t);
}

static sgm_status make_network(sgm_trainer *t)
{
    const sgm_train_config *c = &t->config;
    t->first.family = c->model.family;
    SGM_TRY(sgm_params_create(t->backend, sgm_first_values_read, &t->first, sgm_is_trainable,
                              &t->config, &t->params));
    if (c->sampler.asked != SGM_ASKED_MIXED) return make_asked_network(t);
    SGM_TRY(sgm_train_graph_build(&c->model, c->loss, c->point_weight, c->batch, &c->sampler.sim,
                                  &t->graph));
    sgm_node *outputs[2 * SGM_GROUPS];
    int groups = sgm_group_count(t->graph.walks);
    for (int g = 0; g < groups; g++) {
        outputs[2 * g] = t->graph.low_res[g];
        outputs[2 * g + 1] = t->graph.iou[g];
    }
    sgm_node *prompts[SGM_PROMPT_INPUTS];
    const sgm_train_request request = {.loss = t->graph.loss,
                                       .output_count = 2 * groups,
                                       .outputs = outputs,
                                       .late_count = sgm_train_graph_prompts(&t->graph, prompts),
                                       .late = prompts,
                                       .bf16 = c->bf16};
    SGM_TRY(sgm_train_plan_make(t->graph.graph, t->params, &request, &t->plan));
    SGM_TRY(sgm_interaction_create(&t->graph, c->loader_threads, &t->interaction));
    return finish_network(t);
}

static sgm_status resume(sgm_trainer *t)
{
    char path[4096];
    t->state = (sgm_train_progress_state){
        .best = -1, .validated = -1, .bank = t->config.bank ? &t->bank : NULL};
    SGM_TRY(sgm_run_identity_make(&t->config, t->pack, t->sampler, t->init, &t->identity));
    if (t->resumes) {
        sgm_trainer_path(t, SGM_RUN_STATE, path);
        SGM_TRY(sgm_train_state_load(path, &t->config, &t->identity, &t->master, &t->state));
    }
    sgm_trainer_path(t, SGM_RUN_LOG, path);
    return sgm_train_log_open(path, t->state.step, &t->log);
}

sgm_status sgm_trainer_set_up(sgm_trainer *t)
{
    sgm_train_config *c = &t->config;
    SGM_TRY(sgm_train_config_read(t->options->config, c));
    SGM_TRY(sgm_step_numbers_create(t->backend, c->accumulate, &t->numbers));
    if (t->options->data)
        SGM_TRY(sgm_pack_open(t->options->data, &t->pack));
    else if (c->sampler.synthetic_share < 1)
        return sgm_fail(SGM_INVALID_ARGUMENT, "without a pack only synthetic = 1 can be trained");
    SGM_TRY(open_init(t));
    SGM_TRY(check_names(c));
    SGM_TRY(sgm_run_folder_open(t->options, c, &t->resumes));
    SGM_TRY(make_samplers(t));
    SGM_TRY(make_network(t));
    SGM_TRY(resume(t));
    return sgm_loader_create(t->sampler, &c->sampler, c->batch, c->bank,
                             (uint64_t)(t->state.step * c->accumulate), c->loader_threads,
                             &t->loader);
}

void sgm_trainer_tear_down(sgm_trainer *t)
{
    sgm_loader_destroy(t->loader);
    sgm_bank_clear(&t->bank);
    sgm_sampler_scratch_clear(&t->bank_scratch);
    sgm_sampler_destroy(t->sampler);
    for (int s = 0; s < SOURCES; s++)
        sgm_sampler_destroy(t->validation[s]);
    sgm_interaction_clear(&t->interaction);
    sgm_step_numbers_clear(&t->numbers);
    sgm_master_clear(&t->master);
    sgm_rounds_destroy(t->rounds);
    sgm_feature_store_close(t->features);
    sgm_train_plan_destroy(t->gathered_plan);
    sgm_train_graph_clear(&t->gathered);
    sgm_train_plan_destroy(t->plan);
    sgm_train_graph_clear(&t->graph);
    sgm_params_destroy(t->params);
    sgm_checkpoint_close(t->init);
    sgm_given_prompts_destroy(t->given);
    sgm_pack_close(t->pack);
    sgm_train_log_clear(&t->log);
}
