/* Elementwise and resampling kernels: memory-bound, vectorised, parallel. Independent of the number
 * of threads unless said. */
#ifndef SEGMODEL_CPU_KERNELS_ELEMENTWISE_H
#define SEGMODEL_CPU_KERNELS_ELEMENTWISE_H

#include "core/threads.h"
#include "graph/graph.h"

/* out[n] = convert(x[n]); BF16 rounds to nearest even, NaN stays NaN. May not overlap. */
void sgm_convert(sgm_threads *pool, const void *x, sgm_dtype x_dtype, void *out,
                 sgm_dtype out_dtype, int64_t n);

/* out[m, c] = x[m, c] + y[m % y_rows, c]: y_rows = m adds alike shapes, 1 adds a row, anything
 * between repeats (position embeddings over a batch). out may be x. */
void sgm_add_rows(sgm_threads *pool, const void *x, sgm_dtype x_dtype, const void *y,
                  sgm_dtype y_dtype, int64_t y_rows, void *out, sgm_dtype out_dtype, int64_t m,
                  int64_t c);
/* The same with *. */
void sgm_mul_rows(sgm_threads *pool, const void *x, sgm_dtype x_dtype, const void *y,
                  sgm_dtype y_dtype, int64_t y_rows, void *out, sgm_dtype out_dtype, int64_t m,
                  int64_t c);
/* out = scale * x + shift */
void sgm_affine_rows(sgm_threads *pool, const void *x, sgm_dtype x_dtype, float scale, float shift,
                     void *out, sgm_dtype out_dtype, int64_t n);

/* out[n] = act(x[n]) for every sgm_act; out may be x when the dtypes agree. */
void sgm_act_forward(sgm_threads *pool, sgm_act act, const void *x, sgm_dtype x_dtype, void *out,
                     sgm_dtype out_dtype, int64_t n);
/* out[n] = act(x[n]), slope[n] = act'(x[n]); either may be x. */
void sgm_act_slopes(sgm_threads *pool, sgm_act act, const float *x, float *out, float *slope,
                    int64_t n);
/* out[n] = x[n] * y[n], alike shapes. */
void sgm_mul_alike(sgm_threads *pool, const float *x, const float *y, float *out, int64_t n);
/* dx[n] (+)= dout[n] * act'(x[n]), x the input of the forward pass. */
void sgm_act_backward(sgm_threads *pool, sgm_act act, const void *x, sgm_dtype x_dtype,
                      const float *dout, float *dx, bool accumulate, int64_t n);

/* out[c] (+)= sum over the m rows of x[m, c] in a fixed order: the gradient of a bias. */
sgm_status sgm_column_sum(sgm_threads *pool, const void *x, sgm_dtype x_dtype, int64_t m, int64_t c,
                          float *out, bool accumulate);

/* Softmax over the last axis of x[m, c]. */
void sgm_softmax_rows(sgm_threads *pool, const void *x, sgm_dtype x_dtype, void *out,
                      sgm_dtype out_dtype, int64_t m, int64_t c);

/* Bilinear, PyTorch's interpolate without antialias: x[B, H, W, C] -> out[B, OH, OW, C]. Planar
 * images are C = 1 with B planes. */
sgm_status sgm_resize_bilinear(sgm_threads *pool, const void *x, sgm_dtype x_dtype, int64_t batch,
                               int64_t height, int64_t width, int64_t channels, int64_t out_height,
                               int64_t out_width, bool align_corners, void *out,
                               sgm_dtype out_dtype);
/* dx[B, H, W, C] (+)= transpose of the above on dout[B, OH, OW, C]. */
sgm_status sgm_resize_bilinear_backward(sgm_threads *pool, const float *dout, int64_t batch,
                                        int64_t height, int64_t width, int64_t channels,
                                        int64_t out_height, int64_t out_width, bool align_corners,
                                        float *dx, bool accumulate);

/* 2 x 2, stride 2, odd last rows and columns dropped: x[B, H, W, C] -> [B, H/2, W/2, C]. */
void sgm_maxpool2(sgm_threads *pool, const void *x, sgm_dtype x_dtype, int64_t batch,
                  int64_t height, int64_t width, int64_t channels, void *out, sgm_dtype out_dtype);
/* The gradient goes to the first maximum in row order, as in PyTorch. */
void sgm_maxpool2_backward(sgm_threads *pool, const void *x, sgm_dtype x_dtype, const float *dout,
                           int64_t batch, int64_t height, int64_t width, int64_t channels,
                           float *dx, bool accumulate);

#endif
