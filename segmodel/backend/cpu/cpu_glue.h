/* From steps to kernels: the CPU backend's own types. */
#ifndef SEGMODEL_BACKEND_CPU_CPU_GLUE_H
#define SEGMODEL_BACKEND_CPU_CPU_GLUE_H

#include "backend/backend.h"
#include "backend/cpu/kernels/convolution.h"
#include "backend/cpu/kernels/gemm.h"
#include "core/threads.h"

typedef struct sgm_cpu_backend {
    sgm_backend base; /* first: a sgm_backend is cast to this */
    sgm_threads *pool;
} sgm_cpu_backend;

/* One function per op and direction; an op without one runs the reference loops. */
typedef sgm_status (*sgm_cpu_fn)(sgm_threads *pool, const sgm_step *step);

sgm_status sgm_cpu_linear(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_linear_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_conv2d(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_conv2d_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_conv_transpose(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_conv_transpose_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_layernorm(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_layernorm_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_attention(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_attention_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_attention_grid(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_attention_grid_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_matmul(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_matmul_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_add(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_add_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_mul(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_affine(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_act(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_act_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_softmax(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_resize(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_resize_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_maxpool(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_maxpool_backward(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_loss(sgm_threads *pool, const sgm_step *step);
sgm_status sgm_cpu_loss_backward(sgm_threads *pool, const sgm_step *step);

/* Packing of a weight: how many bytes, and the packed form in `buffer` (NULL: allocated). A size of
 * 0 means that the op takes its weight as it is. */
size_t sgm_cpu_pack_size(const sgm_step *step, bool bf16);
sgm_status sgm_cpu_pack(const sgm_step *step, bool bf16, void *buffer, sgm_packed **out);

/* A convolution with one filter per channel. */
bool sgm_cpu_is_depthwise(const sgm_step *step);
sgm_conv_shape sgm_cpu_conv_shape(const sgm_step *step);

#endif
