/* Optimisers as users set them, and learning-rate schedules. */
#ifndef SEGMODEL_TRAIN_OPTIM_H
#define SEGMODEL_TRAIN_OPTIM_H

#include "backend/update.h"

typedef struct sgm_optim_options {
    sgm_optimizer kind;
    double beta1, beta2, epsilon; /* Adam, AdamW; beta1 is SGD's momentum, not Muon's */
    double weight_decay;          /* Adam, SGD: added to the gradient; AdamW, Muon: decoupled */
    bool decay_vectors;           /* also biases and norms, as PyTorch does by default */
} sgm_optim_options;

/* Update number `step` (from 1) with learning rate `rate`. average = d average + (1 - d) value with
 * d = min(ema, (1 + step) / (10 + step)), so that the first steps do not hold the random start. */
sgm_optim_numbers sgm_optim_numbers_of(const sgm_optim_options *options, double rate, int64_t step,
                                       double clip, double ema);

typedef enum sgm_schedule_kind {
    SGM_SCHEDULE_CONSTANT,
    SGM_SCHEDULE_STEP,      /* times gamma every step_size steps */
    SGM_SCHEDULE_COSINE,    /* half a cosine down to floor * rate */
    SGM_SCHEDULE_POLYNOMIAL /* (1 - t)^power, at least floor * rate */
} sgm_schedule_kind;

typedef struct sgm_schedule {
    sgm_schedule_kind kind;
    double rate;
    int64_t warmup;    /* steps of linear rise from rate / warmup */
    int64_t step_size; /* SGM_SCHEDULE_STEP */
    double gamma, power, floor;
    int64_t span; /* updates after the warm-up in which cosine and polynomial run down; 0: all */
    double times; /* `span` in updates of the run, where it is 0 (train_config.c) */
    bool late;    /* the rate of an update is that of the one before it: it is set after a step */
} sgm_schedule;

/* How much of the time after the warm-up has passed at update `step` of `steps`, by steps. */
double sgm_schedule_progress(const sgm_schedule *schedule, int64_t step, int64_t steps);

/* The rate of update `step` (from 1). `progress` in [0, 1] is how much of the time after the
 * warm-up has passed: by steps, or by the clock when a run is limited by time. */
double sgm_schedule_rate(const sgm_schedule *schedule, int64_t step, double progress);

#endif
