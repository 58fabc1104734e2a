/* Depthwise convolution and bilinear resampling, one output row at a time. */
#include "backend/cpu/kernels/vec_math.h"

/* ----------------------------------------------------------------------------------- depthwise */

typedef struct tap_range {
    int64_t begin, end;
} tap_range;

INLINE tap_range taps_inside(int64_t first, int64_t size, int kernel)
{
    int64_t begin = first < 0 ? -first : 0, end = size - first < kernel ? size - first : kernel;
    return (tap_range){begin, end};
}

INLINE void depthwise_pixel(const sgm_depthwise_job *j, int64_t b, int64_t oy, int64_t ox,
                            int64_t out_at)
{
    const sgm_conv_shape *s = &j->shape;
    int64_t y0 = oy * s->stride - s->pad, x0 = ox * s->stride - s->pad, c = s->channels;
    tap_range ys = taps_inside(y0, s->height, s->kernel_h);
    tap_range xs = taps_inside(x0, s->width, s->kernel_w);
    for (int64_t i = 0; i < c; i += VL) {
        int64_t n = c - i;
        vf sum = j->bias ? v_load_upto(j->bias, i, SGM_F32, n) : v_set(0.0f);
        for (int64_t ky = ys.begin; ky < ys.end; ky++) {
            int64_t at = ((b * s->height + y0 + ky) * s->width + x0) * c + i;
            for (int64_t kx = xs.begin; kx < xs.end; kx++)
                sum = v_fma(v_load_upto(j->x, at + kx * c, j->x_dtype, n),
                            v_load_upto(j->w, (ky * s->kernel_w + kx) * c + i, SGM_F32, n), sum);
        }
        v_store_upto(j->out, out_at + i, j->out_dtype, v_act(j->act, sum), n);
    }
}

static void depthwise_row(const sgm_depthwise_job *j, int64_t row)
{
    int64_t height = sgm_conv_out_height(&j->shape), width = sgm_conv_out_width(&j->shape);
    for (int64_t ox = 0; ox < width; ox++)
        depthwise_pixel(j, row / height, row % height, ox, (row * width + ox) * j->shape.channels);
}

/* Input pixel (y, x) was read by output (y + pad - ky) / stride wherever that divides. */
INLINE void depthwise_grad_pixel(const sgm_depthwise_grad *j, int64_t b, int64_t y, int64_t x,
                                 int64_t at)
{
    const sgm_conv_shape *s = &j->shape;
    int64_t height = sgm_conv_out_height(s), width = sgm_conv_out_width(s), c = s->channels;
    for (int64_t i = 0; i < c; i += VL) {
        int64_t n = c - i;
        vf sum = j->accumulate ? v_load_upto(j->dx, at + i, SGM_F32, n) : v_set(0.0f);
        for (int64_t ky = 0; ky < s->kernel_h; ky++) {
            int64_t oy = y + s->pad - ky;
            if (oy < 0 || oy % s->stride || oy / s->stride >= height) continue;
            for (int64_t kx = 0; kx < s->kernel_w; kx++) {
                int64_t ox = x + s->pad - kx;
                if (ox < 0 || ox % s->stride || ox / s->stride >= width) continue;
                int64_t from = ((b * height + oy / s->stride) * width + ox / s->stride) * c + i;
                sum = v_fma(v_load_upto(j->dout, from, SGM_F32, n),
                            v_load_upto(j->w, (ky * s->kernel_w + kx) * c + i, SGM_F32, n), sum);
            }
        }
        v_store_upto(j->dx, at + i, SGM_F32, sum, n);
    }
}

static void depthwise_grad_row(const sgm_depthwise_grad *j, int64_t row)
{
    const sgm_conv_shape *s = &j->shape;
    for (int64_t x = 0; x < s->width; x++)
        depthwise_grad_pixel(j, row / s->height, row % s->height, x,
                             (row * s->width + x) * s->channels);
}

INLINE void add_product(float *sum, const float *a, int64_t a_at, const void *x, int64_t x_at,
                        sgm_dtype dtype, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL)
        v_store_upto(sum, i, SGM_F32,
                     v_fma(v_load_upto(a, a_at + i, SGM_F32, n - i),
                           v_load_upto(x, x_at + i, dtype, n - i),
                           v_load_upto(sum, i, SGM_F32, n - i)),
                     n - i);
}

static void depthwise_weight_grad(const sgm_depthwise_grad *j, int64_t begin, int64_t end,
                                  float *dw)
{
    const sgm_conv_shape *s = &j->shape;
    int64_t height = sgm_conv_out_height(s), width = sgm_conv_out_width(s), c = s->channels;
    for (int64_t row = begin; row < end; row++) {
        int64_t y0 = row % height * s->stride - s->pad;
        tap_range ys = taps_inside(y0, s->height, s->kernel_h);
        for (int64_t ox = 0; ox < width; ox++) {
            int64_t x0 = ox * s->stride - s->pad;
            tap_range xs = taps_inside(x0, s->width, s->kernel_w);
            for (int64_t ky = ys.begin; ky < ys.end; ky++)
                for (int64_t kx = xs.begin; kx < xs.end; kx++)
                    add_product(dw + (ky * s->kernel_w + kx) * c, j->dout, (row * width + ox) * c,
                                j->x,
                                ((row / height * s->height + y0 + ky) * s->width + x0 + kx) * c,
                                j->x_dtype, c);
        }
    }
}

/* -------------------------------------------------------------------------------------- resize */

typedef struct source_point {
    int64_t low, high;
    float fraction; /* of high */
} source_point;

/* Where output index i of `out` samples an axis of `in`, as PyTorch computes it in FP32. */
INLINE source_point source_of(int64_t i, int64_t in, int64_t out, bool align_corners)
{
    float at;
    if (align_corners)
        at = out > 1 ? (float)i * ((float)(in - 1) / (float)(out - 1)) : 0.0f;
    else
        at = ((float)i + 0.5f) * ((float)in / (float)out) - 0.5f;
    if (at < 0) at = 0;
    int64_t low = (int64_t)at;
    if (low > in - 1) low = in - 1;
    return (source_point){low, low < in - 1 ? low + 1 : low, at - (float)low};
}

/* Interpolates two input rows into temp, then along the row. */
static void resize_row(const sgm_resize_plan *p, int64_t row, float *temp)
{
    int64_t c = p->channels, b = row / p->out_height, run = p->width * c;
    source_point y = source_of(row % p->out_height, p->height, p->out_height, p->align_corners);
    int64_t top = (b * p->height + y.low) * run, bottom = (b * p->height + y.high) * run;
    for (int64_t i = 0; i < run; i += VL) {
        vf t = v_load_upto(p->x, top + i, p->x_dtype, run - i);
        vf d = v_load_upto(p->x, bottom + i, p->x_dtype, run - i);
        v_store(temp + i, v_fma(v_set(y.fraction), d, v_set(1.0f - y.fraction) * t));
    }
    for (int64_t ox = 0; ox < p->out_width; ox++) {
        source_point x = source_of(ox, p->width, p->out_width, p->align_corners);
        const float *left = temp + x.low * c, *right = temp + x.high * c;
        int64_t out = (row * p->out_width + ox) * c, i = 0;
        for (; i + VL <= c; i += VL)
            v_store_as(p->out, out + i, p->out_dtype,
                       v_fma(v_set(x.fraction), v_load(right + i),
                             v_set(1.0f - x.fraction) * v_load(left + i)));
        for (; i < c; i++)
            store_as(p->out, out + i, p->out_dtype,
                     (1.0f - x.fraction) * left[i] + x.fraction * right[i]);
    }
}
