/* Optimisers and learning-rate schedules. Plain loops in a fixed order: the same inputs give the
 * same bits. The arithmetic follows PyTorch's single-tensor Adam, AdamW and SGD. */
#ifndef SEGMODEL_TRAIN_OPTIM_H
#define SEGMODEL_TRAIN_OPTIM_H

#include <stdbool.h>

#include "core/status.h"

typedef enum sgm_optimizer {
    SGM_OPTIMIZER_SGD,
    SGM_OPTIMIZER_ADAM,
    SGM_OPTIMIZER_ADAMW
} sgm_optimizer;

typedef struct sgm_optim_options {
    sgm_optimizer kind;
    double beta1, beta2, epsilon; /* Adam, AdamW; beta1 is SGD's momentum */
    double weight_decay;          /* Adam, SGD: added to the gradient; AdamW: decoupled */
    bool decay_vectors;           /* also biases and norms, as PyTorch does by default */
} sgm_optim_options;

/* One trained tensor; all arrays have `count` values in host memory. */
typedef struct sgm_trained {
    const char *name;
    int64_t count;
    bool matrix; /* more than one dimension */
    float *value, *gradient;
    float *first, *second; /* moments, zero at the start; SGD uses `first` */
    float *average;        /* exponential moving average of value, or NULL */
} sgm_trained;

/* Adds `scale` times what is in `gradients[i]` to the parameters' gradients: accumulation. */
void sgm_optim_accumulate(sgm_trained *params, int count, const float *const gradients[],
                          double scale);

/* Root of the sum of squares over all gradients; NaN when any is. */
double sgm_optim_norm(const sgm_trained *params, int count);

/* Scales all gradients so that their norm is at most `limit`. */
void sgm_optim_clip(sgm_trained *params, int count, double norm, double limit);

/* Update number `step` (from 1) with learning rate `rate`; leaves gradients as they are. */
void sgm_optim_step(const sgm_optim_options *options, double rate, int64_t step,
                    sgm_trained *params, int count);

/* average = d average + (1 - d) value with d = min(decay, (1 + step) / (10 + step)), so that the
 * first steps do not hold the random start. */
void sgm_optim_average(double decay, int64_t step, sgm_trained *params, int count);

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
} sgm_schedule;

/* The rate of update `step` (from 1). `progress` in [0, 1] is how much of the time after the
 * warm-up has passed: by steps, or by the clock when a run is limited by time. */
double sgm_schedule_rate(const sgm_schedule *schedule, int64_t step, double progress);

#endif
