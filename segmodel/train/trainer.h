/* A run of the trainer, for the three files it is made of: what it needs (trainer_setup.c), its
 * updates and their loop (trainer.c), what it tells, measures and saves (trainer_report.c). */
#ifndef SEGMODEL_TRAIN_TRAINER_H
#define SEGMODEL_TRAIN_TRAINER_H

#include "segmodel/train.h"
#include "train/asked_graph.h"
#include "train/bank.h"
#include "train/feature_store.h"
#include "train/interact.h"
#include "train/loader.h"
#include "train/rounds.h"
#include "train/step_numbers.h"
#include "train/train_log.h"
#include "train/train_state.h"

/* Validation draws from two sources: images kept aside to choose a snapshot by, and what is held
 * out, which is reported and chooses nothing. */
enum { SPLIT, ASIDE, SOURCES };

typedef struct sgm_trainer {
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
    int64_t first_step; /* that this part began at */
    double validating;  /* seconds of this part */
    int validations;    /* of this part */
    double told;        /* clock when a validation was last spoken of */
    bool resumes;       /* the state in the folder */
    bool stopped_early;
} sgm_trainer;

/* Reads the settings, opens what they name, makes network, samplers and loader, and takes up the
 * state of a run that goes on. sgm_trainer_tear_down also after a failure. */
sgm_status sgm_trainer_set_up(sgm_trainer *t);
void sgm_trainer_tear_down(sgm_trainer *t);

/* Seconds of the run, those before it was resumed included. */
double sgm_trainer_elapsed(const sgm_trainer *t);

/* Waits for the device: nothing is reported, validated or saved before all of it is known to be
 * good. */
sgm_status sgm_trainer_settle(sgm_trainer *t);

/* What is assumed, what trains, and whether there is a validation, before hours are spent. */
void sgm_trainer_tell_start(sgm_trainer *t);

/* The mean loss since the last report. */
sgm_status sgm_trainer_report(sgm_trainer *t);

/* Dice on what is kept aside; the best model so far is saved. SGM_CANCELLED: as if it had not been
 * begun. */
sgm_status sgm_trainer_validate(sgm_trainer *t);

/* Whether an earlier part of the run has validated this step. */
bool sgm_trainer_has_validated(const sgm_trainer *t);

/* State, model, log and curves. */
sgm_status sgm_trainer_save(sgm_trainer *t);

/* A file of the run's folder. */
void sgm_trainer_path(const sgm_trainer *t, const char *name, char path[4096]);

#endif
