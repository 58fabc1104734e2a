/* Updates of trained tensors: what one needs, and the loops on the host. Plain loops in a fixed
 * order: the same inputs give the same bits. The arithmetic follows PyTorch's single-tensor Adam,
 * AdamW and SGD; Muon is Jordan's (2024), with steps as large as AdamW's (Liu 2025) and FP32
 * products. train/optim.h makes the numbers. */
#ifndef SEGMODEL_BACKEND_UPDATE_H
#define SEGMODEL_BACKEND_UPDATE_H

#include <math.h>
#include <stdbool.h>

#include "core/status.h"

typedef enum sgm_optimizer {
    SGM_OPTIMIZER_SGD,
    SGM_OPTIMIZER_ADAM,
    SGM_OPTIMIZER_ADAMW,
    SGM_OPTIMIZER_MUON /* of matrices; all other tensors by AdamW */
} sgm_optimizer;

/* One trained tensor; all arrays have `count` values in memory of the backend that updates them. */
typedef struct sgm_trained {
    const char *name;
    int64_t count;
    bool matrix; /* more than one dimension */
    float *value, *gradient;
    float *first, *second; /* moments, zero at the start; `second` is NULL for Muon's matrices */
    float *average;        /* exponential moving average of value, or NULL */
    void *bf16;            /* copy of value as BF16, or NULL; host memory has none */
    float rate;            /* share of the learning rate */
    int64_t rows;          /* of a matrix [rows, count / rows] that Muon updates; 0: none */
} sgm_trained;

/* What one update needs, computed once in double: the same numbers go into the loops below and into
 * a device's kernels. Decay concerns the tensors of sgm_optim_decays. */
typedef struct sgm_optim_numbers {
    sgm_optimizer kind;
    bool decay_vectors;
    bool start;                /* the first update: SGD's momentum has no past */
    float rate;                /* SGD, Muon */
    float b1, c1;              /* beta1 (SGD's momentum) and 1 - beta1 */
    float b2, c2;              /* beta2 and 1 - beta2 */
    float epsilon, size, root; /* size: rate / (1 - beta1^step); root: sqrt(1 - beta2^step) */
    float decay;               /* joins the gradient; 0 for AdamW */
    float keep;                /* AdamW, Muon: what decay leaves of a value; 1 for the others */
    float shrink;              /* and what it takes */
    double clip;               /* largest norm of the gradient; 0: none */
    float average;             /* weight of the old moving average */
} sgm_optim_numbers;

/* AdamW, Muon: what decay leaves of a value of a tensor with this share of the rate. */
static inline float sgm_optim_keep(const sgm_optim_numbers *numbers, float rate)
{
    return rate == 1 ? numbers->keep : 1 - rate * numbers->shrink;
}

/* Does weight decay concern this tensor? */
static inline bool sgm_optim_decays(const sgm_optim_numbers *numbers, bool matrix)
{
    return matrix || numbers->decay_vectors;
}

/* Muon: how far a turned momentum moves a matrix, as a multiple of the learning rate. The values of
 * an orthogonal matrix are about 1 / the root of its longer side; .2 is what AdamW moves a value
 * by, about. */
static inline float sgm_muon_reach(const sgm_trained *matrix)
{
    int64_t columns = matrix->count / matrix->rows;
    int64_t longer = matrix->rows > columns ? matrix->rows : columns;
    return 0.2f * sqrtf((float)longer) * matrix->rate;
}

struct sgm_backend;

/* One whole update in host memory: *norm becomes the gradients' norm; unless it is finite nothing
 * else changes. Then clipping (gradients are scaled in place), the step, moving averages. `backend`
 * (borrowed; NULL where no tensor is Muon's) turns matrices: SGM_DEVICE where it cannot. */
sgm_status sgm_optim_update(struct sgm_backend *backend, const sgm_optim_numbers *numbers,
                            sgm_trained *params, int count, double *norm);

/* Its parts. Root of the sum of squares over all gradients; NaN when any is. */
double sgm_optim_norm(const sgm_trained *params, int count);
/* Scales all gradients so that their norm is at most `limit`. */
void sgm_optim_clip(sgm_trained *params, int count, double norm, double limit);
/* Leaves gradients as they are. */
sgm_status sgm_optim_step(struct sgm_backend *backend, const sgm_optim_numbers *numbers,
                          sgm_trained *params, int count);
void sgm_optim_average(const sgm_optim_numbers *numbers, sgm_trained *params, int count);

#endif
