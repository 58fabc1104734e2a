/* The training loop. */
#include "train/trainer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/context.h"
#include "core/clock.h"
#include "train/asked_validate.h"
#include "train/drop_path.h"

double sgm_trainer_elapsed(const sgm_trainer *t)
{
    return t->earlier + sgm_clock() - t->started;
}

/* How far the run is, 0 to 1: by steps, or by the clock if that ends it sooner. */
static double progress(const sgm_trainer *t, int64_t step)
{
    const sgm_train_config *c = &t->config;
    double by_steps = sgm_schedule_progress(&c->schedule, step, c->steps);
    double by_time = c->minutes > 0 ? sgm_trainer_elapsed(t) / (60 * c->minutes) : 0;
    return by_steps > by_time ? by_steps : by_time;
}

/* The images of a batch, for the message about a loss that is no number. */
static void name_items(const sgm_trainer *t, const sgm_batch *batch, char *text, size_t size)
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
static bool runs_ahead(const sgm_trainer *t)
{
    return t->backend->ops->download_begin != NULL;
}

static sgm_status settle(sgm_trainer *t, int64_t step)
{
    int64_t failed = t->state.step + 1;
    sgm_status status = sgm_step_numbers_settle(&t->numbers, step, &failed);
    if (status != SGM_OK) t->state.step = failed - 1;
    return status;
}

/* Nothing is reported, validated or saved before all of it is known to be good. */
sgm_status sgm_trainer_settle(sgm_trainer *t)
{
    SGM_TRY(settle(t, INT64_MAX));
    return t->backend->ops->synchronize(t->backend);
}

/* Objects of the bank join a batch, whose own objects it takes first. */
static sgm_status join_bank(sgm_trainer *t, sgm_batch *batch)
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
static sgm_status learn(sgm_trainer *t, const sgm_batch *batch, bool shown, sgm_rng rng,
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

static sgm_status micro_batch(sgm_trainer *t, int64_t step, int part, char items[SGM_STEP_ITEMS])
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

static sgm_status update(sgm_trainer *t, int64_t step)
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

static bool due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

static bool finished(sgm_trainer *t)
{
    const sgm_train_config *c = &t->config;
    if (c->patience > 0 && t->state.without_progress >= c->patience) t->stopped_early = true;
    return t->stopped_early || t->state.step >= c->steps ||
           (c->minutes > 0 && sgm_trainer_elapsed(t) >= 60 * c->minutes);
}

static sgm_status save_and_stop(sgm_trainer *t)
{
    SGM_TRY(sgm_trainer_save(t));
    return sgm_context_cancelled(t->context);
}

static bool can_validate(const sgm_trainer *t)
{
    return t->validation[SPLIT] || t->validation[ASIDE];
}

/* A validation may take longer than the updates before it, which are safe first. A run that ends in
 * the midst of it begins it anew when it goes on. */
static sgm_status keep(sgm_trainer *t, bool save_before, bool validate, bool save_after)
{
    if (save_before) SGM_TRY(sgm_trainer_save(t));
    if (!validate) return SGM_OK;
    sgm_status status = sgm_trainer_validate(t);
    if (status == SGM_CANCELLED && !save_before) return save_and_stop(t);
    SGM_TRY(status);
    return save_after ? sgm_trainer_save(t) : SGM_OK;
}

static sgm_status loop(sgm_trainer *t)
{
    const sgm_train_config *c = &t->config;
    int64_t saved = t->state.step, validated = sgm_trainer_has_validated(t) ? t->state.step : -1;
    sgm_trainer_tell_start(t);
    if (t->state.step > 0 && validated < 0 && due(t->state.step, c->validate_every)) {
        SGM_TRY(keep(t, false, can_validate(t), true)); /* the run may end here */
        validated = t->state.step;
    }
    while (!finished(t)) {
        if (sgm_context_cancelled(t->context) != SGM_OK) return save_and_stop(t);
        SGM_TRY(update(t, t->state.step + 1));
        bool save = due(t->state.step, c->save_every);
        bool validate = due(t->state.step, c->validate_every);
        if (due(t->state.step, c->report_every)) SGM_TRY(sgm_trainer_report(t));
        SGM_TRY(keep(t, save, validate && can_validate(t), save));
        if (save) saved = t->state.step;
        if (validate) validated = t->state.step;
    }
    bool validate = validated != t->state.step && can_validate(t);
    return keep(t, saved != t->state.step, validate, true);
}

sgm_status sgm_train(sgm_context *context, const sgm_train_options *options,
                     sgm_train_result *result)
{
    if (!context || !options || !options->config || !options->out)
        return sgm_fail(SGM_INVALID_ARGUMENT, "training needs a context, settings and a folder");
    sgm_trainer *t = calloc(1, sizeof *t);
    if (!t) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to train");
    t->context = context;
    t->backend = sgm_context_backend(context);
    t->options = options;
    sgm_status status = sgm_trainer_set_up(t);
    t->earlier = t->state.seconds;
    t->first_step = t->state.step;
    t->started = t->loss_started = sgm_clock();
    if (status == SGM_OK) status = loop(t);
    if (result)
        *result = (sgm_train_result){t->state.step, status == SGM_OK ? sgm_trainer_elapsed(t) : 0,
                                     t->state.best, t->state.best_step, t->stopped_early};
    sgm_trainer_tear_down(t);
    free(t);
    return status;
}
