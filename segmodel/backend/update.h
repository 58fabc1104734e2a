/* Updates of trained tensors: what one needs, and the loops on the host. Plain loops in a fixed
 * order: the same inputs give the same bits. The arithmetic follows PyTorch's single-tensor Adam,
 * AdamW and SGD; train/optim.h makes the numbers. */
#ifndef SEGMODEL_BACKEND_UPDATE_H
#define SEGMODEL_BACKEND_UPDATE_H

#include <stdbool.h>

#include "core/status.h"

typedef enum sgm_optimizer {
    SGM_OPTIMIZER_SGD,
    SGM_OPTIMIZER_ADAM,
    SGM_OPTIMIZER_ADAMW
} sgm_optimizer;

/* One trained tensor; all arrays have `count` values in memory of the backend that updates them. */
typedef struct sgm_trained {
    const char *name;
    int64_t count;
    bool matrix; /* more than one dimension */
    float *value, *gradient;
    float *first, *second; /* moments, zero at the start; SGD uses `first` */
    float *average;        /* exponential moving average of value, or NULL */
    void *bf16;            /* copy of value as BF16, or NULL; host memory has none */
    float rate;            /* share of the learning rate */
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
    float shrink;              /* and what it takes */
    double clip;               /* largest norm of the gradient; 0: none */
    float average;             /* weight of the old moving average */
} sgm_optim_numbers;

/* AdamW: what decay leaves of a value of a tensor with this share of the rate. */
static inline float sgm_optim_keep(const sgm_optim_numbers *numbers, float rate)
{
    return rate == 1 ? numbers->keep : 1 - rate * numbers->shrink;
}

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

#endif
