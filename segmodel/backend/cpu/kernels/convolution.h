/* Convolutions on channels-last images. Dense ones are implicit matrix products: the patches of a
 * block of output pixels are gathered into the packed form of gemm.h, or read where they lie
 * (convolution_in_place.c), and never stored for the whole image. Weights come in PyTorch's
 * layouts. */
#ifndef SEGMODEL_CPU_KERNELS_CONVOLUTION_H
#define SEGMODEL_CPU_KERNELS_CONVOLUTION_H

#include "backend/cpu/kernels/gemm.h"

/* x[B, H, W, C]; output side (H + 2 pad - kernel_h) / stride + 1, likewise for W. */
typedef struct sgm_conv_shape {
    int64_t batch, height, width, channels, outputs;
    int kernel_h, kernel_w, stride, pad;
} sgm_conv_shape;

int64_t sgm_conv_out_height(const sgm_conv_shape *shape);
int64_t sgm_conv_out_width(const sgm_conv_shape *shape);

/* Packs w[outputs, channels, kernel_h, kernel_w] for sgm_conv2d; size by sgm_packed_size(outputs,
 * channels * kernel_h * kernel_w, dtype); buffer as in sgm_packed_create. */
sgm_status sgm_conv_pack(const sgm_conv_shape *shape, const float *w, sgm_dtype dtype, void *buffer,
                         sgm_packed **out);

/* epilogue over M = B * H' * W' rows and N = outputs columns. */
sgm_status sgm_conv2d_forward(sgm_threads *pool, const sgm_conv_shape *shape, const sgm_packed *w,
                              const void *x, sgm_dtype x_dtype, const sgm_epilogue *epilogue);

/* Gradients from dout[B, H', W', outputs]: dx[B, H, W, C] needs w, dw[outputs, C, kh, kw] needs x,
 * dbias[outputs]; NULL where not wanted. Weights unpacked. compute as in sgm_matmul_args. */
typedef struct sgm_conv_grads {
    const float *dout;
    const float *w;
    const void *x;
    sgm_dtype x_dtype;
    float *dx, *dw, *dbias;
    bool accumulate_dx, accumulate_dw, accumulate_dbias;
    const float *factor; /* NULL, or what dx is multiplied by, as large as dx; stride 1 only where
                            it is dense, not with accumulate_dx */
    sgm_dtype compute;
} sgm_conv_grads;

sgm_status sgm_conv2d_backward(sgm_threads *pool, const sgm_conv_shape *shape,
                               const sgm_conv_grads *grads);

/* Kernel 2, stride 2, no padding: x[B, H, W, C] -> [B, 2H, 2W, outputs]; w[C, outputs, 2, 2].
 * The pack holds the four taps; size by sgm_conv_transpose_pack_size. epilogue->out_ld and
 * residual_ld are the distances between output pixels (normally `outputs`); its group fields are
 * ignored. */
size_t sgm_conv_transpose_pack_size(int64_t channels, int64_t outputs, sgm_dtype dtype);
sgm_status sgm_conv_transpose_pack(int64_t channels, int64_t outputs, const float *w,
                                   sgm_dtype dtype, void *buffer, sgm_packed **out);
sgm_status sgm_conv_transpose_forward(sgm_threads *pool, const sgm_conv_shape *shape,
                                      const sgm_packed *w, const void *x, sgm_dtype x_dtype,
                                      const sgm_epilogue *epilogue);
/* shape: channels and outputs of the transposed convolution, height and width of its input. */
sgm_status sgm_conv_transpose_backward(sgm_threads *pool, const sgm_conv_shape *shape,
                                       const sgm_conv_grads *grads);

/* One filter per channel (channels == outputs), any kernel up to 7, any stride: w[C, 1, kh, kw]
 * unpacked. act and residual-free epilogue: bias [C] or NULL. slope: NULL, or receives the slopes
 * of act (out is FP32). */
sgm_status sgm_depthwise_forward(sgm_threads *pool, const sgm_conv_shape *shape, const float *w,
                                 const float *bias, sgm_act act, const void *x, sgm_dtype x_dtype,
                                 void *out, sgm_dtype out_dtype, float *slope);
sgm_status sgm_depthwise_backward(sgm_threads *pool, const sgm_conv_shape *shape,
                                  const sgm_conv_grads *grads);

#endif
