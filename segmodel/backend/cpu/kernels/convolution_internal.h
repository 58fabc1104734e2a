#ifndef SEGMODEL_CPU_KERNELS_CONVOLUTION_INTERNAL_H
#define SEGMODEL_CPU_KERNELS_CONVOLUTION_INTERNAL_H

#include "backend/cpu/kernels/gemm_internal.h"

sgm_status sgm_conv_check(const sgm_conv_shape *shape);

/* w[outputs, channels, taps] -> to[outputs, taps, channels] */
void sgm_conv_reorder(const float *w, int64_t outputs, int64_t channels, int64_t taps, float *to);

sgm_patches sgm_patches_of(const sgm_conv_shape *shape, const void *x, sgm_dtype dtype);

/* Whether sgm_conv2d_in_place can do it. */
bool sgm_conv_in_place(const sgm_conv_shape *s, const sgm_packed *w, sgm_dtype x_dtype);
sgm_status sgm_conv2d_in_place(sgm_threads *pool, const sgm_conv_shape *s, const sgm_packed *w,
                               const float *x, const sgm_epilogue *epilogue);

#endif
