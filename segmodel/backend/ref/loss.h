/* The losses on the host (graph/loss.h): plain loops with double accumulation, each one function
 * that gives value and gradient. */
#ifndef SEGMODEL_BACKEND_REF_LOSS_H
#define SEGMODEL_BACKEND_REF_LOSS_H

#include "backend/backend.h"
#include "graph/loss.h"

/* All inputs F32 in host memory, shapes as checked. */
sgm_status sgm_loss_forward(int kind, const float value[4], int count, const sgm_tensor in[],
                            float *loss);

/* Adds grad_loss * d loss / d in[i] to grad_in[i], or overwrites where accumulate[i] is false;
 * grad_in[i].data == NULL: not wanted. Inputs without a gradient receive zeros. */
sgm_status sgm_loss_backward(int kind, const float value[4], int count, const sgm_tensor in[],
                             float grad_loss, const sgm_tensor grad_in[], const bool accumulate[]);

#endif
