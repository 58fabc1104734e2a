/* The training loop. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/context.h"
#include "core/clock.h"
#include "models/registry.h"
#include "segmodel/train.h"
#include "train/asked_sample.h"
#include "train/asked_validate.h"
#include "train/drop_path.h"
#include "train/interact.h"
#include "train/loader.h"
#include "train/network_names.h"
#include "train/rounds.h"
#include "train/run_folder.h"
#include "train/step_numbers.h"
#include "train/train_log.h"
#include "train/train_state.h"

/* Validation draws from two sources: images kept aside to choose a snapshot by, and what is held
 * out, which is reported and chooses nothing. */
enum { SPLIT, ASIDE, SOURCES };

typedef struct trainer {
    sgm_context *context;
    sgm_backend *backend;
    const sgm_train_options *options;
    sgm_train_config config;
    sgm_pack *pack;
    sgm_checkpoint *init;
    sgm_first_values first;
    char assumption[256]; /* about `init`, "": none */
    sgm_sampler *sampler, *validation[SOURCES];
    sgm_sampler_options validation_options;
    sgm_given_prompts *given;
    sgm_loader *loader;
    sgm_params *params;
    sgm_train_graph graph;
    sgm_train_plan *plan;
    sgm_train_graph gathered; /* norms = batch: the network with what the norms have gathered */
    sgm_train_plan *gathered_plan;
    sgm_rounds *rounds;          /* rounds > 1: they train, and the plan only answers */
    sgm_feature_store *features; /* features = FILE */
    sgm_bank bank;
    sgm_sampler_scratch bank_scratch;
    sgm_interaction interaction;
    sgm_master master;
    sgm_train_progress_state state;
    sgm_run_identity identity;
    sgm_train_log log;
    sgm_step_numbers numbers; /* sums since the last report */
    double started, earlier;  /* clock at the start of this part, seconds of earlier parts */
    double loss_started, rate;
    bool resumes; /* the state in the folder */
    bool stopped_early;
} trainer;

static void out_path(const trainer *t, const char *name, char path[4096])
{
    snprintf(path, 4096, "%s/%s", t->options->out, name);
}

/* ---------------------------------------------------------------------------------- setting up */

/* What `init` is read as; NULL: what it says or looks like. `variant` is also the name of the model
 * that is written, which may be any where the file says what it is; elsewhere a word that is no
 * network's is a mistake. */
static const char *variant_of_init(const trainer *t)
{
    const char *variant = t->config.variant;
    sgm_model_config known;
    if (sgm_variant_config(variant, &known)) return variant;
    bool says = sgm_checkpoint_metadata(t->init, SGM_METADATA_VARIANT) ||
                sgm_checkpoint_metadata(t->init, SGM_METADATA_ARCHITECTURE);
    bool given = variant[0] && strcmp(variant, "custom") != 0;
    return given && !says ? variant : NULL;
}

static sgm_status open_init(trainer *t)
{
    sgm_train_config *c = &t->config;
    t->first.seed = c->seed;
    if (!c->init[0]) return SGM_OK;
    SGM_TRY(sgm_registry_open(c->init, c->base[0] ? c->base : NULL, &t->init));
    t->first.checkpoint = t->init;
    if (c->architecture[0]) return SGM_OK;
    const char *variant = variant_of_init(t);
    sgm_status status = sgm_registry_detect(t->init, variant, &c->model, t->assumption);
    if (status != SGM_OK) return sgm_fail_in(status, c->path);
    return sgm_config_leave_out(&c->model, c->without);
}

/* What samples of a family's own way of training need to know of the network. */
static sgm_status describe_asked(trainer *t)
{
    sgm_train_config *c = &t->config;
    sgm_sampler_options *o = &c->sampler;
    o->model = &c->model;
    if (o->asked != SGM_ASKED_MIXED) SGM_TRY(sgm_asked_check(c));
    o->class_map = c->loss == SGM_TRAIN_LOSS_SAMED;
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

static sgm_status make_bank(trainer *t)
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

static sgm_status make_samplers(trainer *t)
{
    sgm_train_config *c = &t->config;
    c->sampler.seed = c->seed;
    c->sampler.size = c->model.image_size;
    c->sampler.target_side = 4 * c->model.grid;
    if (!c->clip_levels) {
        c->unclipped = *c->model.protocol;
        c->unclipped.clip[0] = c->unclipped.clip[1] = 0;
        c->model.protocol = &c->unclipped;
    }
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
static sgm_status check_patterns(const trainer *t)
{
    const sgm_train_config *c = &t->config;
    sgm_status status = sgm_patterns_check("freeze", c->freeze, &c->model, t->params);
    if (status == SGM_OK && strcmp(c->train_only, "family") != 0)
        status = sgm_patterns_check("train_only", c->train_only, &c->model, t->params);
    return status == SGM_OK ? SGM_OK : sgm_fail_in(status, c->path);
}

static sgm_status finish_network(trainer *t)
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

static sgm_status make_asked_network(trainer *t)
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

static sgm_status make_network(trainer *t)
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

static sgm_status resume(trainer *t)
{
    char path[4096];
    t->state = (sgm_train_progress_state){.best = -1, .bank = t->config.bank ? &t->bank : NULL};
    SGM_TRY(sgm_run_identity_make(&t->config, t->pack, t->init, &t->identity));
    if (t->resumes) {
        out_path(t, SGM_RUN_STATE, path);
        SGM_TRY(sgm_train_state_load(path, &t->config, &t->identity, &t->master, &t->state));
    }
    out_path(t, SGM_RUN_LOG, path);
    return sgm_train_log_open(path, t->state.step, &t->log);
}

static sgm_status set_up(trainer *t)
{
    sgm_train_config *c = &t->config;
    SGM_TRY(sgm_train_config_read(t->options->config, c));
    SGM_TRY(sgm_step_numbers_create(t->backend, c->accumulate, &t->numbers));
    if (t->options->data)
        SGM_TRY(sgm_pack_open(t->options->data, &t->pack));
    else if (c->sampler.synthetic_share < 1)
        return sgm_fail(SGM_INVALID_ARGUMENT, "without a pack only synthetic = 1 can be trained");
    SGM_TRY(open_init(t));
    SGM_TRY(sgm_run_folder_open(t->options, c, &t->resumes));
    SGM_TRY(make_samplers(t));
    SGM_TRY(make_network(t));
    SGM_TRY(resume(t));
    return sgm_loader_create(t->sampler, &c->sampler, c->batch, c->bank,
                             (uint64_t)(t->state.step * c->accumulate), c->loader_threads,
                             &t->loader);
}

static void tear_down(trainer *t)
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

/* --------------------------------------------------------------------------------- one update */

static double elapsed(const trainer *t)
{
    return t->earlier + sgm_clock() - t->started;
}

/* How far the run is, 0 to 1: by steps, or by the clock if that ends it sooner. */
static double progress(const trainer *t, int64_t step)
{
    const sgm_train_config *c = &t->config;
    double by_steps = sgm_schedule_progress(&c->schedule, step, c->steps);
    double by_time = c->minutes > 0 ? elapsed(t) / (60 * c->minutes) : 0;
    return by_steps > by_time ? by_steps : by_time;
}

/* The images of a batch, for the message about a loss that is no number. */
static void name_items(const trainer *t, const sgm_batch *batch, char *text, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < batch->count && used + 80 < size; i++) {
        const sgm_pack_item *item =
            batch->item[i] < 0 ? NULL : sgm_pack_item_at(t->pack, batch->item[i]);
        int n = item ? snprintf(text + used, size - used, "%s%s/%.40s", i ? ", " : "",
                                sgm_pack_set_at(t->pack, item->set)->name, item->id)
                     : snprintf(text + used, size - used, "%ssynthetic %" PRIu64, i ? ", " : "",
                                batch->first + (uint64_t)i);
        used += (size_t)n;
    }
}

/* The device works on a step while the host reads the numbers of the step before and prepares the
 * next. Where the caller's own processor computes there is nothing to run ahead of. */
static bool runs_ahead(const trainer *t)
{
    return t->backend->ops->download_begin != NULL;
}

static sgm_status settle(trainer *t, int64_t step)
{
    int64_t failed = t->state.step + 1;
    sgm_status status = sgm_step_numbers_settle(&t->numbers, step, &failed);
    if (status != SGM_OK) t->state.step = failed - 1;
    return status;
}

/* Nothing is reported, validated or saved before all of it is known to be good. */
static sgm_status settle_all(trainer *t)
{
    SGM_TRY(settle(t, INT64_MAX));
    return t->backend->ops->synchronize(t->backend);
}

/* Objects of the bank join a batch, whose own objects it takes first. */
static sgm_status join_bank(trainer *t, sgm_batch *batch)
{
    const sgm_train_config *c = &t->config;
    uint64_t number = batch->first / (uint64_t)c->batch;
    for (int i = 0; i < c->batch && c->bank; i++)
        sgm_bank_put(&t->bank, batch->item[i], batch->label[i]);
    for (int i = 0; i < c->bank; i++) {
        uint64_t draw = number * (uint64_t)c->bank + (uint64_t)i;
        int label = sgm_bank_pick(&t->bank, c->seed ^ 0x42414E4Bu, draw);
        if (!label) return sgm_fail(SGM_INTERNAL, "the image bank is empty");
        sgm_bank_slot *slot = &t->bank.slots[label - 1];
        slot->joined++;
        SGM_TRY(sgm_sampler_draw_object(t->sampler, slot->item, label, ~draw, c->batch + i,
                                        &t->bank_scratch, batch));
    }
    return SGM_OK;
}

/* Forward and backward on a batch; *loss is where the backend leaves the loss. `shown`: the plan
 * has run forward on its pictures; what is not of its prompts need not be computed again. */
static sgm_status learn(trainer *t, const sgm_batch *batch, bool shown, sgm_rng rng,
                        const void **loss)
{
    const sgm_train_config *c = &t->config;
    float scale = c->accumulate_sum ? 1 : 1.0f / (float)c->accumulate;
    if (t->rounds) {
        *loss = sgm_rounds_loss(t->rounds);
        return sgm_rounds_run(t->rounds, batch, rng, scale);
    }
    *loss = sgm_train_plan_memory(t->plan, t->graph.loss);
    SGM_TRY(
        (shown ? sgm_train_graph_feed_prompts : sgm_train_graph_feed)(&t->graph, t->plan, batch));
    if (t->graph.asked != SGM_ASKED_MIXED)
        SGM_TRY(sgm_asked_feed_features(&t->graph, t->plan, t->features, batch));
    SGM_TRY(sgm_drop_feed(t->plan, t->graph.drop, c->drop_path, &rng));
    SGM_TRY((shown ? sgm_train_plan_submit_late : sgm_train_plan_submit)(t->plan, scale));
    return sgm_batch_norms_gather(&t->graph, t->plan, t->backend, t->params);
}

static sgm_status micro_batch(trainer *t, int64_t step, int part, char items[SGM_STEP_ITEMS])
{
    sgm_batch *batch;
    const sgm_train_config *c = &t->config;
    SGM_TRY(sgm_loader_next(t->loader, &batch));
    sgm_rng rng = sgm_rng_at(c->seed ^ 0x494E544552u, batch->first);
    bool mixed = t->graph.asked == SGM_ASKED_MIXED;
    SGM_TRY(join_bank(t, batch));
    bool interacts = mixed && sgm_rng_chance(&rng, c->interaction);
    if (interacts) SGM_TRY(sgm_interact(&t->graph, t->plan, rng, &t->interaction, batch));
    const void *loss;
    SGM_TRY(learn(t, batch, interacts, rng, &loss));
    name_items(t, batch, items, SGM_STEP_ITEMS);
    SGM_TRY(sgm_step_numbers_loss(&t->numbers, step, part, items, loss));
    return runs_ahead(t) ? SGM_OK : settle(t, step);
}

static sgm_status update(trainer *t, int64_t step)
{
    const sgm_train_config *c = &t->config;
    char items[SGM_STEP_ITEMS] = "";
    SGM_TRY(sgm_master_clear_gradients(&t->master));
    for (int part = 0; part < c->accumulate; part++)
        SGM_TRY(micro_batch(t, step, part, items));
    int64_t at = c->schedule.late && step > 1 ? step - 1 : step;
    t->rate = sgm_schedule_rate(&c->schedule, at, progress(t, at));
    sgm_optim_numbers numbers = sgm_optim_numbers_of(&c->optim, t->rate, step, c->clip, c->ema);
    SGM_TRY(sgm_master_update(&t->master, &numbers));
    SGM_TRY(sgm_step_numbers_norm(&t->numbers, step, items, t->master.norm));
    t->state.step = step;
    return settle(t, runs_ahead(t) ? step - 1 : step);
}

/* ------------------------------------------------------------------- reports, validation, files */

/* By the mean time of a step so far; the clock may end the run sooner. */
static double time_left(const trainer *t)
{
    const sgm_train_config *c = &t->config;
    double spent = elapsed(t), step = (double)t->state.step;
    double left = step > 0 ? spent * ((double)c->steps - step) / step : 0;
    double by_clock = 60 * c->minutes - spent;
    if (c->minutes > 0 && (step == 0 || by_clock < left)) left = by_clock;
    return left > 0 ? left : 0;
}

static void tell(trainer *t, const char *event, double loss)
{
    if (!t->options->report) return;
    const sgm_train_config *c = &t->config;
    double since = sgm_clock() - t->loss_started;
    sgm_train_report report = {
        .step = t->state.step,
        .steps = c->steps,
        .seconds = elapsed(t),
        .seconds_left = time_left(t),
        .loss = loss,
        .rate = t->rate,
        .samples_per_second =
            since > 0 ? (double)(t->numbers.loss_count * c->accumulate * sgm_asked_batch(c)) / since
                      : 0,
        .event = event};
    t->options->report(t->options->report_user, &report);
}

static sgm_log_row row_now(const trainer *t)
{
    return (sgm_log_row){
        .step = t->state.step,
        .seconds = elapsed(t),
        .rate = t->rate,
        .loss = t->numbers.loss_count ? t->numbers.loss_sum / (double)t->numbers.loss_count : NAN,
        .norm = t->numbers.norm};
}

static sgm_status report(trainer *t)
{
    SGM_TRY(settle_all(t));
    sgm_log_row row = row_now(t);
    SGM_TRY(sgm_train_log_add(&t->log, &row));
    tell(t, NULL, row.loss);
    t->numbers.loss_sum = 0;
    t->numbers.loss_count = 0;
    t->loss_started = sgm_clock();
    return SGM_OK;
}

static sgm_status save_files(trainer *t, const char *model)
{
    char path[4096], note[160];
    snprintf(note, sizeof note, "segmodel train, step %" PRId64 ", %.0f s, seed %" PRIu64,
             t->state.step, elapsed(t), t->config.seed);
    out_path(t, model, path);
    return sgm_train_export(path, &t->config, &t->master, t->init, note);
}

static double score_of(const sgm_validation *v)
{
    return (v->dice[0] + v->dice[1]) / 2;
}

static void keep_score(trainer *t, const sgm_validation *v, bool *better)
{
    *better = score_of(v) > t->state.best;
    if (*better) {
        t->state.best = score_of(v);
        t->state.best_step = t->state.step;
        t->state.without_progress = 0;
    } else {
        t->state.without_progress++;
    }
}

static sgm_status validate_on(trainer *t, const sgm_sampler *sampler, sgm_validation *out)
{
    const sgm_train_config *c = &t->config;
    bool gathered = t->gathered_plan != NULL;
    if (t->graph.asked != SGM_ASKED_MIXED)
        return sgm_asked_validate(
            gathered ? &t->gathered : &t->graph, gathered ? t->gathered_plan : t->plan, t->features,
            sampler, &t->validation_options, sgm_asked_batch(c), c->validate_objects, out);
    return sgm_validate(&t->graph, t->plan, sampler, &t->validation_options, c->batch,
                        c->validate_objects, out);
}

static sgm_status run_validation(trainer *t, sgm_log_row *row)
{
    sgm_validation *to[SOURCES] = {&row->split, &row->held_out};
    SGM_TRY(sgm_master_show(&t->master, true));
    for (int s = 0; s < SOURCES; s++)
        if (t->validation[s]) SGM_TRY(validate_on(t, t->validation[s], to[s]));
    return sgm_master_show(&t->master, false);
}

static void tell_validation(trainer *t, const sgm_log_row *row, bool better)
{
    char event[480];
    const sgm_validation *v = row->split.samples ? &row->split : &row->held_out;
    const char *what = row->split.samples ? "validation" : "held out";
    const char *best = better ? " (best so far)" : "";
    if (!v->samples) {
        tell(t, "validation: no image that was drawn shows a class", row->loss);
        return;
    }
    if (t->graph.asked != SGM_ASKED_MIXED) {
        snprintf(event, sizeof event, "%s: Dice %.3f%s", what, v->dice[0], best);
        tell(t, event, row->loss);
        return;
    }
    int used = snprintf(event, sizeof event,
                        "%s: point %.3f box %.3f several %.3f corrected %.3f ellipse %.3f", what,
                        v->dice[0], v->dice[1], v->dice[2], v->dice[3], v->ellipse);
    if (t->graph.walks)
        used += snprintf(event + used, sizeof event - (size_t)used,
                         " neighbour %.3f (larger by %.1f %%, ended seen %.2f) loose box %.3f",
                         v->dice[4], 100 * v->growth, v->ended_seen, v->dice[5]);
    if (row->held_out.samples && row->split.samples)
        used += snprintf(event + used, sizeof event - (size_t)used,
                         "; sets aside: point %.3f box %.3f ellipse %.3f", row->held_out.dice[0],
                         row->held_out.dice[1], row->held_out.ellipse);
    snprintf(event + used, sizeof event - (size_t)used, "%s", best);
    tell(t, event, row->loss);
}

static sgm_status validate(trainer *t)
{
    SGM_TRY(settle_all(t));
    sgm_log_row row = row_now(t);
    if (!t->validation[SPLIT] && !t->validation[ASIDE]) return SGM_OK;
    SGM_TRY(run_validation(t, &row));
    row.validated = true;
    SGM_TRY(sgm_train_log_add(&t->log, &row));
    bool better = false;
    if (row.split.samples) keep_score(t, &row.split, &better);
    if (better) SGM_TRY(save_files(t, SGM_RUN_BEST));
    tell_validation(t, &row, better);
    return SGM_OK;
}

static sgm_status save(trainer *t)
{
    char path[4096];
    SGM_TRY(settle_all(t));
    t->state.seconds = elapsed(t);
    out_path(t, SGM_RUN_STATE, path);
    SGM_TRY(sgm_train_state_save(path, &t->config, &t->identity, &t->master, &t->state));
    SGM_TRY(save_files(t, SGM_RUN_LAST));
    if (t->config.bank) {
        out_path(t, SGM_RUN_CLASSES, path);
        SGM_TRY(sgm_bank_save(&t->bank, t->config.classes, path));
    }
    SGM_TRY(sgm_train_log_save(&t->log));
    out_path(t, SGM_RUN_CURVES, path);
    return sgm_train_log_plot(&t->log, path);
}

/* ------------------------------------------------------------------------------------ the loop */

static bool due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

static bool finished(trainer *t)
{
    const sgm_train_config *c = &t->config;
    if (c->patience > 0 && t->state.without_progress >= c->patience) t->stopped_early = true;
    return t->stopped_early || t->state.step >= c->steps ||
           (c->minutes > 0 && elapsed(t) >= 60 * c->minutes);
}

/* Why no snapshot will be the best one, before hours are spent. */
static void tell_no_validation(trainer *t)
{
    const sgm_train_config *c = &t->config;
    char text[320];
    if (t->validation[SPLIT]) return;
    const char *why = !t->pack               ? "there is no pack"
                      : !c->validate_objects ? "validate_objects is 0"
                      : c->given[0] ? "no image of the split val has an object and a prompt"
                                    : "no image of the split val has an object";
    snprintf(text, sizeof text,
             "no validation (%s): there will be no " SGM_RUN_BEST ", the model is " SGM_RUN_LAST
             "%s%s",
             why, t->validation[ASIDE] ? "; what is held out is reported and chooses nothing" : "",
             c->patience > 0 ? "; patience does not end the run" : "");
    tell(t, text, 0);
}

static void tell_trained(trainer *t)
{
    char text[160];
    int64_t values = 0;
    int count = t->master.trained_count;
    for (int i = 0; i < count; i++)
        values += t->master.trained[i].count;
    snprintf(text, sizeof text, "tensors that train: %d (%.3g million values); that stay: %d",
             count, 1e-6 * (double)values, sgm_params_count(t->params) - count);
    tell(t, text, 0);
}

static void tell_start(trainer *t)
{
    char text[640];
    if (t->options->resume && !t->resumes) {
        snprintf(text, sizeof text, "%.500s has no state to resume: the run begins",
                 t->options->out);
        tell(t, text, 0);
    }
    if (t->assumption[0]) tell(t, t->assumption, 0);
    if (t->init && t->state.step == 0) { /* a resumed run has its weights from its state */
        sgm_first_values_tell(&t->first, text);
        tell(t, text, 0);
    }
    tell_trained(t);
}

static sgm_status loop(trainer *t)
{
    const sgm_train_config *c = &t->config;
    int64_t saved = t->state.step, validated = -1;
    tell_start(t);
    tell_no_validation(t);
    while (!finished(t)) {
        if (sgm_context_cancelled(t->context) != SGM_OK) {
            SGM_TRY(save(t));
            return sgm_context_cancelled(t->context);
        }
        SGM_TRY(update(t, t->state.step + 1));
        if (due(t->state.step, c->report_every)) SGM_TRY(report(t));
        if (due(t->state.step, c->validate_every)) {
            SGM_TRY(validate(t));
            validated = t->state.step;
        }
        if (due(t->state.step, c->save_every)) {
            SGM_TRY(save(t));
            saved = t->state.step;
        }
    }
    if (validated != t->state.step) SGM_TRY(validate(t));
    return saved == t->state.step && validated == t->state.step ? SGM_OK : save(t);
}

sgm_status sgm_train(sgm_context *context, const sgm_train_options *options,
                     sgm_train_result *result)
{
    if (!context || !options || !options->config || !options->out)
        return sgm_fail(SGM_INVALID_ARGUMENT, "training needs a context, settings and a folder");
    trainer *t = calloc(1, sizeof *t);
    if (!t) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to train");
    t->context = context;
    t->backend = sgm_context_backend(context);
    t->options = options;
    sgm_status status = set_up(t);
    t->earlier = t->state.seconds;
    t->started = t->loss_started = sgm_clock();
    if (status == SGM_OK) status = loop(t);
    if (result)
        *result = (sgm_train_result){t->state.step, status == SGM_OK ? elapsed(t) : 0,
                                     t->state.best, t->state.best_step, t->stopped_early};
    tear_down(t);
    free(t);
    return status;
}
