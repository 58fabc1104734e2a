/* What a run tells, measures and saves. */
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "backend/context.h"
#include "core/clock.h"
#include "train/asked_validate.h"
#include "train/run_folder.h"

/* Prompts are drawn, so that a picture is worth more than one question, but not any number: samples
 * of a source with few objects would be the same ones again and again. */
static int samples_of(const sgm_trainer *t, const sgm_sampler *sampler)
{
    enum { QUESTIONS = 8 };
    const size_t most = QUESTIONS * sgm_sampler_object_count(sampler);
    return most < (size_t)t->config.validate_objects ? (int)most : t->config.validate_objects;
}

static int batch_size(const sgm_trainer *t)
{
    return t->graph.asked != SGM_ASKED_MIXED ? sgm_asked_batch(&t->config) : t->config.batch;
}

/* Of one validation. */
static int batches_of(const sgm_trainer *t)
{
    int batches = 0;
    for (int s = 0; s < SOURCES; s++)
        if (t->validation[s])
            batches += sgm_validation_batches(samples_of(t, t->validation[s]), batch_size(t));
    return batches;
}

/* As they took so far; before the first one, a third of the updates that are as many batches:
 * nothing goes backward. */
static double validation_seconds(const sgm_trainer *t, double step)
{
    if (t->validations) return t->validating / t->validations;
    return step / t->config.accumulate / 3 * batches_of(t);
}

/* With the one that may follow this step: reports come before it. */
static int64_t validations_left(const sgm_trainer *t)
{
    const sgm_train_config *c = &t->config;
    int64_t every = c->validate_every, before = t->state.step - 1;
    bool ends_with_one = every > 0 && c->steps % every == 0;
    return (every > 0 ? c->steps / every - before / every : 0) + !ends_with_one;
}

/* By the mean time of a step of this part, and with the validations; the clock may end the run
 * sooner, which then validates once more. */
static double time_left(const sgm_trainer *t)
{
    const sgm_train_config *c = &t->config;
    double steps = (double)(t->state.step - t->first_step);
    double spent = sgm_clock() - t->started - t->validating;
    double step = steps > 0 ? spent / steps : 0;
    double validation = validation_seconds(t, step);
    double left =
        step * (double)(c->steps - t->state.step) + validation * (double)validations_left(t);
    double by_clock = 60 * c->minutes - sgm_trainer_elapsed(t);
    by_clock = (by_clock > 0 ? by_clock : 0) + validation;
    if (c->minutes > 0 && (steps == 0 || by_clock < left)) left = by_clock;
    return left > 0 ? left : 0;
}

static void tell(sgm_trainer *t, const char *event, double loss)
{
    if (!t->options->report) return;
    const sgm_train_config *c = &t->config;
    double since = sgm_clock() - t->loss_started;
    sgm_train_report report = {
        .step = t->state.step,
        .steps = c->steps,
        .seconds = sgm_trainer_elapsed(t),
        .seconds_left = time_left(t),
        .loss = loss,
        .rate = t->rate,
        .samples_per_second =
            since > 0 ? (double)(t->numbers.loss_count * c->accumulate * sgm_asked_batch(c)) / since
                      : 0,
        .event = event};
    t->options->report(t->options->report_user, &report);
}

static sgm_log_row row_now(const sgm_trainer *t)
{
    return (sgm_log_row){
        .step = t->state.step,
        .seconds = sgm_trainer_elapsed(t),
        .rate = t->rate,
        .loss = t->numbers.loss_count ? t->numbers.loss_sum / (double)t->numbers.loss_count : NAN,
        .norm = t->numbers.norm};
}

sgm_status sgm_trainer_report(sgm_trainer *t)
{
    SGM_TRY(sgm_trainer_settle(t));
    sgm_log_row row = row_now(t);
    SGM_TRY(sgm_train_log_add(&t->log, &row));
    tell(t, NULL, row.loss);
    t->numbers.loss_sum = 0;
    t->numbers.loss_count = 0;
    t->loss_started = sgm_clock();
    return SGM_OK;
}

static sgm_status save_files(sgm_trainer *t, const char *model)
{
    char path[4096], note[160];
    snprintf(note, sizeof note, "segmodel train, step %" PRId64 ", %.0f s, seed %" PRIu64,
             t->state.step, sgm_trainer_elapsed(t), t->config.seed);
    sgm_trainer_path(t, model, path);
    return sgm_train_export(path, &t->config, &t->master, t->init, note);
}

static double score_of(const sgm_validation *v)
{
    return (v->dice[0] + v->dice[1]) / 2;
}

static void keep_score(sgm_trainer *t, const sgm_validation *v, bool *better)
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

/* A user who asks the run to stop is heard, and sees that it goes on. */
static sgm_status watch(void *user, int batch, int batches)
{
    enum { QUIET_SECONDS = 5 };
    sgm_trainer *t = user;
    double now = sgm_clock();
    SGM_TRY(sgm_context_cancelled(t->context));
    if (now - t->told < QUIET_SECONDS) return SGM_OK;
    char event[64];
    snprintf(event, sizeof event, "validating, batch %d of %d", batch + 1, batches);
    tell(t, event, 0);
    t->told = now;
    return SGM_OK;
}

static sgm_status validate_on(sgm_trainer *t, const sgm_sampler *sampler, sgm_validation *out)
{
    sgm_validation_watch watched = {watch, t};
    int batch = batch_size(t), count = samples_of(t, sampler);
    bool gathered = t->gathered_plan != NULL;
    if (t->graph.asked != SGM_ASKED_MIXED)
        return sgm_asked_validate(gathered ? &t->gathered : &t->graph,
                                  gathered ? t->gathered_plan : t->plan, t->features, sampler,
                                  &t->validation_options, batch, count, watched, out);
    return sgm_validate(&t->graph, t->plan, sampler, &t->validation_options, batch, count, watched,
                        out);
}

static sgm_status run_validation(sgm_trainer *t, sgm_log_row *row)
{
    sgm_validation *to[SOURCES] = {&row->split, &row->held_out};
    double started = sgm_clock();
    SGM_TRY(sgm_master_show(&t->master, true));
    sgm_status status = SGM_OK;
    t->told = started;
    for (int s = 0; s < SOURCES && status == SGM_OK; s++)
        if (t->validation[s]) status = validate_on(t, t->validation[s], to[s]);
    SGM_TRY(status == SGM_OK || status == SGM_CANCELLED ? sgm_master_show(&t->master, false)
                                                        : status);
    t->validating += sgm_clock() - started;
    t->validations += status == SGM_OK;
    return status;
}

static void tell_validation(sgm_trainer *t, const sgm_log_row *row, bool better)
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

sgm_status sgm_trainer_validate(sgm_trainer *t)
{
    SGM_TRY(sgm_trainer_settle(t));
    sgm_log_row row = row_now(t);
    if (!t->validation[SPLIT] && !t->validation[ASIDE]) return SGM_OK;
    SGM_TRY(run_validation(t, &row));
    row.validated = true;
    t->state.validated = t->state.step;
    SGM_TRY(sgm_train_log_add(&t->log, &row));
    bool better = false;
    if (row.split.samples) keep_score(t, &row.split, &better);
    if (better) SGM_TRY(save_files(t, SGM_RUN_BEST));
    tell_validation(t, &row, better);
    return SGM_OK;
}

/* The log shows it where a state does not say, unless the validation drew nothing to judge by. */
bool sgm_trainer_has_validated(const sgm_trainer *t)
{
    if (t->state.step > 0 && t->state.validated == t->state.step) return true;
    if (t->state.step > 0 && t->state.best_step == t->state.step) return true;
    for (size_t i = 0; i < t->log.count; i++)
        if (t->log.rows[i].validated && t->log.rows[i].step == t->state.step) return true;
    return false;
}

sgm_status sgm_trainer_save(sgm_trainer *t)
{
    char path[4096];
    SGM_TRY(sgm_trainer_settle(t));
    t->state.seconds = sgm_trainer_elapsed(t);
    sgm_trainer_path(t, SGM_RUN_STATE, path);
    SGM_TRY(sgm_train_state_save(path, &t->config, &t->identity, &t->master, &t->state));
    SGM_TRY(save_files(t, SGM_RUN_LAST));
    if (t->config.bank) {
        sgm_trainer_path(t, SGM_RUN_CLASSES, path);
        SGM_TRY(sgm_bank_save(&t->bank, t->config.classes, path));
    }
    SGM_TRY(sgm_train_log_save(&t->log));
    sgm_trainer_path(t, SGM_RUN_CURVES, path);
    return sgm_train_log_plot(&t->log, path);
}

/* Why no snapshot will be the best one, before hours are spent. */
static void tell_no_validation(sgm_trainer *t)
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

static void tell_trained(sgm_trainer *t)
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

void sgm_trainer_tell_start(sgm_trainer *t)
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
    tell_no_validation(t);
}
