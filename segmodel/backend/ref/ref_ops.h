/* The reference loops, one function per op and direction. They read and write F32 (I32 for indices)
 * and accumulate in double. Plain on purpose: every fast version is compared with these.
 *
 * Forward functions write step->out. Backward functions fill step->grad_in[i] where its data is not
 * NULL, adding to what is there when step->accumulate[i]. */
#ifndef SEGMODEL_BACKEND_REF_REF_OPS_H
#define SEGMODEL_BACKEND_REF_REF_OPS_H

#include "backend/backend.h"

typedef sgm_status (*sgm_ref_fn)(const sgm_step *step);

sgm_status sgm_ref_linear(const sgm_step *step);
sgm_status sgm_ref_linear_backward(const sgm_step *step);
sgm_status sgm_ref_conv2d(const sgm_step *step);
sgm_status sgm_ref_conv2d_backward(const sgm_step *step);
sgm_status sgm_ref_conv_transpose(const sgm_step *step);
sgm_status sgm_ref_conv_transpose_backward(const sgm_step *step);
sgm_status sgm_ref_layernorm(const sgm_step *step);
sgm_status sgm_ref_layernorm_backward(const sgm_step *step);
sgm_status sgm_ref_attention(const sgm_step *step);
sgm_status sgm_ref_attention_backward(const sgm_step *step);
sgm_status sgm_ref_attention_grid(const sgm_step *step);
sgm_status sgm_ref_attention_grid_backward(const sgm_step *step);
sgm_status sgm_ref_matmul(const sgm_step *step);
sgm_status sgm_ref_matmul_backward(const sgm_step *step);
sgm_status sgm_ref_add(const sgm_step *step);
sgm_status sgm_ref_add_backward(const sgm_step *step);
sgm_status sgm_ref_mul(const sgm_step *step);
sgm_status sgm_ref_mul_backward(const sgm_step *step);
sgm_status sgm_ref_affine(const sgm_step *step);
sgm_status sgm_ref_affine_backward(const sgm_step *step);
sgm_status sgm_ref_act(const sgm_step *step);
sgm_status sgm_ref_act_backward(const sgm_step *step);
sgm_status sgm_ref_concat(const sgm_step *step);
sgm_status sgm_ref_concat_backward(const sgm_step *step);
sgm_status sgm_ref_slice(const sgm_step *step);
sgm_status sgm_ref_slice_backward(const sgm_step *step);
sgm_status sgm_ref_permute(const sgm_step *step);
sgm_status sgm_ref_permute_backward(const sgm_step *step);
sgm_status sgm_ref_gather(const sgm_step *step);
sgm_status sgm_ref_gather_backward(const sgm_step *step);
sgm_status sgm_ref_resize(const sgm_step *step);
sgm_status sgm_ref_resize_backward(const sgm_step *step);
sgm_status sgm_ref_maxpool(const sgm_step *step);
sgm_status sgm_ref_maxpool_backward(const sgm_step *step);
sgm_status sgm_ref_fourier(const sgm_step *step);
sgm_status sgm_ref_softmax(const sgm_step *step);
sgm_status sgm_ref_softmax_backward(const sgm_step *step);
sgm_status sgm_ref_sum(const sgm_step *step);
sgm_status sgm_ref_sum_backward(const sgm_step *step);

/* Any op, by step->node->op; SGM_INTERNAL for an op that has no such direction. Other host backends
 * use these for what is not worth a fast version. */
sgm_status sgm_ref_forward(const sgm_step *step);
sgm_status sgm_ref_backward(const sgm_step *step);
/* Bytes of scratch the reference wants. */
size_t sgm_ref_scratch(const sgm_step *step, bool backward);

/* value of an activation and its derivative, given input x and output y. */
double sgm_ref_act_value(sgm_act act, double x);
double sgm_ref_act_slope(sgm_act act, double x, double y);

/* Convenience for the loops. */
static inline const float *sgm_f(const sgm_tensor *t)
{
    return (const float *)t->data;
}
static inline float *sgm_fm(const sgm_tensor *t)
{
    return (float *)t->data;
}
static inline void sgm_put(float *to, double value, bool accumulate)
{
    *to = (float)(accumulate ? *to + value : value);
}
/* Fills a gradient with zeros unless it is to be added to. */
void sgm_ref_clear_grad(const sgm_step *step, int input);
int64_t sgm_row_count(sgm_shape shape); /* product of all axes but the last */
int64_t sgm_last_dim(sgm_shape shape);  /* size of the last axis */

#endif
