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

#define ACROSS 4 /* output pixels made together: they share input columns and weights */

/* What becomes of a sum: a constant after inlining. */
typedef enum depthwise_kind { PREDICTS, KEEPS_SLOPE, HAS_FACTOR, TRAINS_ANY } depthwise_kind;

/* Sums of `pixels` neighbouring pixels, channels [.., + n) of each. */
INLINE void depthwise_stores(const int pixels, const sgm_depthwise_job *j, const sgm_dtype to,
                             const sgm_act act, const depthwise_kind kind, int64_t at,
                             const vf *sum, int64_t n)
{
    int64_t c = j->shape.channels;
    vf y[ACROSS], slope[ACROSS];
    if (kind == HAS_FACTOR || (kind == TRAINS_ANY && j->factor)) {
        EACH(p, pixels) y[p] = sum[p] * v_load_upto(j->factor, at + p * c, SGM_F32, n);
    } else if (kind == KEEPS_SLOPE || (kind == TRAINS_ANY && j->slope)) {
        v_act_each(pixels, act, sum, y, slope);
        EACH(p, pixels) v_store_upto(j->slope, at + p * c, SGM_F32, slope[p], n);
    } else {
        v_act_each(pixels, act, sum, y, NULL);
    }
    EACH(p, pixels) v_store_upto(j->out, at + p * c, to, y[p], n);
}

/* One output pixel, any kernel, borders included. */
static void depthwise_pixel(const sgm_depthwise_job *j, int64_t b, int64_t oy, int64_t ox,
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
        depthwise_stores(1, j, j->out_dtype, j->act, TRAINS_ANY, out_at + i, &sum, n);
    }
}

/* ACROSS output pixels of a 3 x 3 kernel whose columns lie inside the image; rows [ky0, ky1). The
 * dtypes, stride, act and kind are constants after inlining. */
INLINE void depthwise_four(const sgm_depthwise_job *j, const int stride, const sgm_dtype from,
                           const sgm_dtype to, const sgm_act act, const depthwise_kind kind,
                           tap_range ys, int64_t in_at, int64_t out_at)
{
    int64_t c = j->shape.channels, line = j->shape.width * c;
    for (int64_t i = 0; i < c; i += VL) {
        int64_t n = c - i;
        vf bias = j->bias ? v_load_upto(j->bias, i, SGM_F32, n) : v_set(0.0f), sum[ACROSS];
        UNROLL for (int p = 0; p < ACROSS; p++) sum[p] = bias;
        for (int64_t ky = ys.begin; ky < ys.end; ky++) {
            vf w[3];
            int64_t at = in_at + ky * line + i;
            UNROLL for (int t = 0; t < 3; t++) w[t] =
                v_load_upto(j->w, (ky * 3 + t) * c + i, SGM_F32, n);
            UNROLL for (int column = 0; column < (ACROSS - 1) * stride + 3; column++)
            {
                vf x = v_load_upto(j->x, at + column * c, from, n);
                UNROLL for (int p = 0; p < ACROSS;
                            p++) if (column >= p * stride && column < p * stride + 3) sum[p] =
                    v_fma(x, w[column - p * stride], sum[p]);
            }
        }
        depthwise_stores(ACROSS, j, to, act, kind, out_at + i, sum, n);
    }
}

INLINE void depthwise_run(const sgm_depthwise_job *j, const sgm_act act, tap_range ys,
                          int64_t in_at, int64_t out_at)
{
    bool one = j->shape.stride == 1, wide = j->x_dtype == SGM_F32,
         wide_out = j->out_dtype == SGM_F32;
    if (one && wide && wide_out)
        depthwise_four(j, 1, SGM_F32, SGM_F32, act, PREDICTS, ys, in_at, out_at);
    else if (one && !wide && !wide_out)
        depthwise_four(j, 1, SGM_BF16, SGM_BF16, act, PREDICTS, ys, in_at, out_at);
    else if (!one && wide && wide_out)
        depthwise_four(j, 2, SGM_F32, SGM_F32, act, PREDICTS, ys, in_at, out_at);
    else if (!one && !wide && !wide_out)
        depthwise_four(j, 2, SGM_BF16, SGM_BF16, act, PREDICTS, ys, in_at, out_at);
    else
        depthwise_four(j, one ? 1 : 2, j->x_dtype, j->out_dtype, act, PREDICTS, ys, in_at, out_at);
}

/* The same where training asks for slopes or factors, all of it FP32. */
static void depthwise_run_training(const sgm_depthwise_job *j, tap_range ys, int64_t in_at,
                                   int64_t out_at)
{
    bool one = j->shape.stride == 1, gelu = j->act == SGM_ACT_GELU;
    if (j->factor && one)
        depthwise_four(j, 1, SGM_F32, SGM_F32, SGM_ACT_NONE, HAS_FACTOR, ys, in_at, out_at);
    else if (j->slope && gelu && one)
        depthwise_four(j, 1, SGM_F32, SGM_F32, SGM_ACT_GELU, KEEPS_SLOPE, ys, in_at, out_at);
    else if (j->slope && gelu)
        depthwise_four(j, 2, SGM_F32, SGM_F32, SGM_ACT_GELU, KEEPS_SLOPE, ys, in_at, out_at);
    else
        depthwise_four(j, one ? 1 : 2, SGM_F32, SGM_F32, j->act, TRAINS_ANY, ys, in_at, out_at);
}

static void depthwise_row(const sgm_depthwise_job *j, int64_t row, int64_t begin, int64_t end)
{
    const sgm_conv_shape *s = &j->shape;
    int64_t height = sgm_conv_out_height(s), width = sgm_conv_out_width(s), c = s->channels;
    int64_t y0 = row % height * s->stride - s->pad, ox = begin;
    tap_range ys = taps_inside(y0, s->height, s->kernel_h);
    bool fast = s->kernel_h == 3 && s->kernel_w == 3 && s->stride <= 2;
    while (ox < end) {
        int64_t x0 = ox * s->stride - s->pad;
        int64_t in_at = ((row / height * s->height + y0) * s->width + x0) * c;
        int64_t out_at = (row * width + ox) * c;
        bool inside = x0 >= 0 && x0 + (ACROSS - 1) * s->stride + 3 <= s->width;
        if (!fast || !inside || ox + ACROSS > end) {
            depthwise_pixel(j, row / height, row % height, ox++, out_at);
            continue;
        }
        if (j->slope || j->factor)
            depthwise_run_training(j, ys, in_at, out_at);
        else if (j->act == SGM_ACT_GELU)
            depthwise_run(j, SGM_ACT_GELU, ys, in_at, out_at);
        else if (j->act == SGM_ACT_NONE)
            depthwise_run(j, SGM_ACT_NONE, ys, in_at, out_at);
        else
            depthwise_run(j, j->act, ys, in_at, out_at);
        ox += ACROSS;
    }
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
        if (j->factor) sum *= v_load_upto(j->factor, at + i, SGM_F32, n);
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

/* 3 x 3: nine sums of a vector of channels stay in registers along a row. */
INLINE void weight_grad_row(const sgm_depthwise_grad *j, const sgm_dtype from, int64_t row,
                            int64_t y0, tap_range ys, int64_t i, float *dw)
{
    const sgm_conv_shape *s = &j->shape;
    int64_t width = sgm_conv_out_width(s), c = s->channels, n = c - i;
    int64_t image = row / sgm_conv_out_height(s) * s->height, line = s->width * c;
    vf sum[9];
    UNROLL for (int t = 0; t < 9; t++) sum[t] = v_load_upto(dw, t * c + i, SGM_F32, n);
    for (int64_t ox = 0; ox < width; ox++) {
        int64_t x0 = ox * s->stride - s->pad, at = ((image + y0) * s->width + x0) * c + i;
        vf g = v_load_upto(j->dout, (row * width + ox) * c + i, SGM_F32, n);
        UNROLL for (int t = 0; t < 9; t++)
        {
            int64_t x = x0 + t % 3;
            if (t / 3 < ys.begin || t / 3 >= ys.end || x < 0 || x >= s->width) continue;
            sum[t] = v_fma(g, v_load_upto(j->x, at + t / 3 * line + t % 3 * c, from, n), sum[t]);
        }
    }
    UNROLL for (int t = 0; t < 9; t++) v_store_upto(dw, t * c + i, SGM_F32, sum[t], n);
}

static void weight_grad_3x3(const sgm_depthwise_grad *j, int64_t row, float *dw)
{
    int64_t y0 = row % sgm_conv_out_height(&j->shape) * j->shape.stride - j->shape.pad;
    tap_range ys = taps_inside(y0, j->shape.height, 3);
    for (int64_t i = 0; i < j->shape.channels; i += VL) {
        if (j->x_dtype == SGM_F32)
            weight_grad_row(j, SGM_F32, row, y0, ys, i, dw);
        else
            weight_grad_row(j, SGM_BF16, row, y0, ys, i, dw);
    }
}

static void weight_grad_any(const sgm_depthwise_grad *j, int64_t row, float *dw)
{
    const sgm_conv_shape *s = &j->shape;
    int64_t height = sgm_conv_out_height(s), width = sgm_conv_out_width(s), c = s->channels;
    int64_t y0 = row % height * s->stride - s->pad;
    tap_range ys = taps_inside(y0, s->height, s->kernel_h);
    for (int64_t ox = 0; ox < width; ox++) {
        int64_t x0 = ox * s->stride - s->pad;
        tap_range xs = taps_inside(x0, s->width, s->kernel_w);
        for (int64_t ky = ys.begin; ky < ys.end; ky++)
            for (int64_t kx = xs.begin; kx < xs.end; kx++)
                add_product(dw + (ky * s->kernel_w + kx) * c, j->dout, (row * width + ox) * c, j->x,
                            ((row / height * s->height + y0 + ky) * s->width + x0 + kx) * c,
                            j->x_dtype, c);
    }
}

static void depthwise_weight_grad(const sgm_depthwise_grad *j, int64_t begin, int64_t end,
                                  float *dw)
{
    bool square = j->shape.kernel_h == 3 && j->shape.kernel_w == 3;
    for (int64_t row = begin; row < end; row++) {
        if (square)
            weight_grad_3x3(j, row, dw);
        else
            weight_grad_any(j, row, dw);
    }
}

/* -------------------------------------------------------------------------------------- resize */

#if VL == 16
INLINE vf v_gather(const float *p, const int32_t *index)
{
    return (vf)_mm512_i32gather_ps(_mm512_loadu_si512(index), p, 4);
}
#else
INLINE vf v_gather(const float *p, const int32_t *index)
{
    float lane[VL];
    for (int i = 0; i < VL; i++)
        lane[i] = p[index[i]];
    return v_load(lane);
}
#endif

/* Between two rows, into temp. */
INLINE void interpolate_rows(const sgm_resize_plan *p, int64_t top, int64_t bottom, float fraction,
                             float *temp)
{
    int64_t run = p->width * p->channels;
    for (int64_t i = 0; i < run; i += VL) {
        vf t = v_load_upto(p->x, top + i, p->x_dtype, run - i);
        vf d = v_load_upto(p->x, bottom + i, p->x_dtype, run - i);
        v_store(temp + i, v_fma(v_set(fraction), d, v_set(1.0f - fraction) * t));
    }
}

static void resize_one_channel(const sgm_resize_plan *p, const float *temp, int64_t out)
{
    vf one = v_set(1.0f);
    int64_t x = 0;
    for (; x + VL <= p->out_width; x += VL) {
        vf f = v_load(p->fraction + x);
        vf y = v_fma(f, v_gather(temp, p->high + x), (one - f) * v_gather(temp, p->low + x));
        v_store_as(p->out, out + x, p->out_dtype, y);
    }
    for (; x < p->out_width; x++) {
        float f = p->fraction[x];
        store_as(p->out, out + x, p->out_dtype,
                 f * temp[p->high[x]] + (1.0f - f) * temp[p->low[x]]);
    }
}

static void resize_channels(const sgm_resize_plan *p, const float *temp, int64_t out)
{
    int64_t c = p->channels;
    for (int64_t x = 0; x < p->out_width; x++, out += c) {
        vf f = v_set(p->fraction[x]), rest = v_set(1.0f - p->fraction[x]);
        const float *left = temp + p->low[x], *right = temp + p->high[x];
        for (int64_t i = 0; i < c; i += VL)
            v_store_upto(p->out, out + i, p->out_dtype,
                         v_fma(f, v_load(right + i), rest * v_load(left + i)), c - i);
    }
}

static void resize_row(const sgm_resize_plan *p, int64_t row, int64_t low, int64_t high,
                       float fraction, float *temp)
{
    int64_t run = p->width * p->channels, first = row / p->out_height * p->height;
    interpolate_rows(p, (first + low) * run, (first + high) * run, fraction, temp);
    int64_t out = row * p->out_width * p->channels;
    if (p->channels == 1)
        resize_one_channel(p, temp, out);
    else
        resize_channels(p, temp, out);
}
