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

/* One trained tensor; all arrays have `count` values in memory of the backend that updates them. */
typedef struct sgm_trained {
    const char *name;
    int64_t count;
    bool matrix; /* more than one dimension */
    float *value, *gradient;
    float *first, *second; /* moments, zero at the start; SGD uses `first` */
    float *average;        /* exponential moving average of value, or NULL */
    void *bf16;            /* copy of value as BF16, or NULL; host memory has none */
} sgm_trained;

/* What one update needs, computed once in double: the same numbers go into the loops below and into
 * a device's kernels. Decay concerns the tensors of sgm_optim_decays. */
typedef struct sgm_optim_numbers {
    sgm_optimizer kind;
    bool decay_vectors;
    bool start;                /* the first update: SGD's momentum has no past */
    float rate;                /* SGD */
    float b1, c1;              /* beta1 (SGD's momentum) and 1 - beta1 */
    float b2, c2;              /* beta2 and 1 - beta2 */
    float epsilon, size, root; /* size: rate / (1 - beta1^step); root: sqrt(1 - beta2^step) */
    float decay;               /* joins the gradient; 0 for AdamW */
    float keep;                /* AdamW: what decay leaves of a value; 1 for the others */
    double clip;               /* largest norm of the gradient; 0: none */
    float average;             /* weight of the old moving average */
} sgm_optim_numbers;

/* Update number `step` (from 1) with learning rate `rate`. average = d average + (1 - d) value with
 * d = min(ema, (1 + step) / (10 + step)), so that the first steps do not hold the random start. */
sgm_optim_numbers sgm_optim_numbers_of(const sgm_optim_options *options, double rate, int64_t step,
                                       double clip, double ema);

/* Does weight decay concern this tensor? */
static inline bool sgm_optim_decays(const sgm_optim_numbers *numbers, bool matrix)
{
    return matrix || numbers->decay_vectors;
}

/* One whole update in host memory: *norm becomes the gradients' norm; unless it is finite nothing
 * else changes. Then clipping (gradients are scaled in place), the step, moving averages. */
void sgm_optim_update(const sgm_optim_numbers *numbers, sgm_trained *params, int count,
                      double *norm);

/* Its parts. Root of the sum of squares over all gradients; NaN when any is. */
double sgm_optim_norm(const sgm_trained *params, int count);
/* Scales all gradients so that their norm is at most `limit`. */
void sgm_optim_clip(sgm_trained *params, int count, double norm, double limit);
/* Leaves gradients as they are. */
void sgm_optim_step(const sgm_optim_numbers *numbers, sgm_trained *params, int count);
void sgm_optim_average(const sgm_optim_numbers *numbers, sgm_trained *params, int count);

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
    bool late;    /* the rate of an update is that of the one before it: it is set after a step */
} sgm_schedule;

/* How much of the time after the warm-up has passed at update `step` of `steps`, by steps. */
double sgm_schedule_progress(const sgm_schedule *schedule, int64_t step, int64_t steps);

/* The rate of update `step` (from 1). `progress` in [0, 1] is how much of the time after the
 * warm-up has passed: by steps, or by the clock when a run is limited by time. */
double sgm_schedule_rate(const sgm_schedule *schedule, int64_t step, double progress);

#endif
