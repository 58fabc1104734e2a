/* The losses on the host (graph/loss.h): plain loops with double accumulation, each one function
 * that gives value and gradient. */
#ifndef SEGMODEL_BACKEND_REF_LOSS_H
#define SEGMODEL_BACKEND_REF_LOSS_H

#include "backend/backend.h"
#include "graph/loss.h"

/* The loops over pixels of SAM's loss, logits x and targets t. */
typedef struct sgm_loss_loops {
    /* sums += alpha-weighted focal terms, p t, p + t, pixels with logit > 0 and target > 0.5, with
     * one of the two. */
    void (*sam_sums)(const float *x, const float *t, int64_t n, float alpha, double sums[5]);
    /* grad += w_focal * slope of the focal term + (w_num - w_den t) p (1 - p) */
    void (*sam_grad)(const float *x, const float *t, int64_t n, float alpha, float w_focal,
                     float w_num, float w_den, float *grad);
} sgm_loss_loops;

/* All inputs F32 in host memory, shapes as checked. */
sgm_status sgm_loss_forward(int kind, const float value[4], int count, const sgm_tensor in[],
                            float *loss);

/* Adds grad_loss * d loss / d in[i] to grad_in[i], or overwrites where accumulate[i] is false;
 * grad_in[i].data == NULL: not wanted. Inputs without a gradient receive zeros. */
sgm_status sgm_loss_backward(int kind, const float value[4], int count, const sgm_tensor in[],
                             float grad_loss, const sgm_tensor grad_in[], const bool accumulate[]);

/* The same with a processor's own loops. */
sgm_status sgm_loss_forward_by(const sgm_loss_loops *loops, int kind, const float value[4],
                               int count, const sgm_tensor in[], float *loss);
sgm_status sgm_loss_backward_by(const sgm_loss_loops *loops, int kind, const float value[4],
                                int count, const sgm_tensor in[], float grad_loss,
                                const sgm_tensor grad_in[], const bool accumulate[]);

#endif
