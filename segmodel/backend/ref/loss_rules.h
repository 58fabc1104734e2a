/* The single losses behind loss.c. Each returns the loss and, where call->grad[i] is not NULL, adds
 * call->scale * gradient to it. */
#ifndef SEGMODEL_BACKEND_REF_LOSS_RULES_H
#define SEGMODEL_BACKEND_REF_LOSS_RULES_H

#include "backend/ref/loss.h"

typedef struct sgm_loss_call {
    const sgm_loss_loops *loops;
    const float *value;
    const float *in[SGM_MAX_INPUTS];
    sgm_shape shape[SGM_MAX_INPUTS];
    float *grad[SGM_MAX_INPUTS];
    double scale;
} sgm_loss_call;

extern const sgm_loss_loops sgm_ref_loss_loops;

double sgm_rule_bce(const sgm_loss_call *call);
double sgm_rule_dice(const sgm_loss_call *call);
double sgm_rule_focal(const sgm_loss_call *call);
double sgm_rule_boundary(const sgm_loss_call *call);
double sgm_rule_cross_entropy(const sgm_loss_call *call);
double sgm_rule_dice_softmax(const sgm_loss_call *call);
double sgm_rule_mse(const sgm_loss_call *call);
double sgm_rule_sam(const sgm_loss_call *call);
double sgm_rule_prototype(const sgm_loss_call *call);
double sgm_rule_range(const sgm_loss_call *call);

static inline double sgm_sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + __builtin_exp(-x)) : 1 - 1 / (1 + __builtin_exp(x));
}

/* log(1 + exp(-x)) without overflow. */
static inline double sgm_softplus_neg(double x)
{
    return (x < 0 ? -x : 0) + __builtin_log1p(__builtin_exp(x < 0 ? x : -x));
}

#endif
