/* Gradients of dense convolutions as products (Chellapilla et al. 2006 for the lowering):
 *   dw[O, taps C] = transpose(dout[M, O]) * patches(x)[M, taps C]
 *   dx, stride 1: the convolution of dout with the kernel turned by 180 degrees
 *   dx, otherwise: dout * w = patches' gradients, summed where patches overlap. */
#include <stdlib.h>

#include "backend/cpu/kernels/convolution_internal.h"
#include "backend/cpu/kernels/elementwise.h"

/* ------------------------------------------------------------------------------ weight gradient */

typedef struct transposed_rows {
    const void *x;
    sgm_dtype dtype;
    int64_t columns;
} transposed_rows;

static void pack_patch_panel(const void *source, int64_t panel, int64_t k0, int64_t k, sgm_dtype to,
                             void *packed)
{
    sgm_loops()->pack_patch_panel(source, panel * SGM_PANEL, k0, k, to, packed);
}

static void pack_transposed_rows(const void *source, int64_t row, int rows, int64_t k0, int64_t k,
                                 sgm_dtype to, int strip, void *packed)
{
    const transposed_rows *a = source;
    sgm_loops()->pack_turned(a->x, a->dtype, k0 * a->columns + row, a->columns, rows, k, to, strip,
                             packed);
}

/* from[outputs, taps, channels] -> dw[outputs, channels, taps] */
static void store_ordered(const float *from, int64_t outputs, int64_t channels, int64_t taps,
                          float *dw, bool accumulate)
{
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t t = 0; t < taps; t++) {
                float *to = &dw[(o * channels + c) * taps + t];
                float g = from[(o * taps + t) * channels + c];
                *to = accumulate ? *to + g : g;
            }
}

/* Rows of `rows` [M, outputs] go with the patches of the image x. */
static sgm_status weight_grad(sgm_threads *pool, const sgm_conv_shape *s, const void *rows,
                              sgm_dtype rows_dtype, const void *x, sgm_dtype x_dtype, float *dw,
                              bool accumulate, sgm_dtype compute)
{
    int64_t taps = (int64_t)s->kernel_h * s->kernel_w, n = taps * s->channels;
    float *ordered = malloc(sizeof(float) * (size_t)(s->outputs * n));
    if (!ordered) return sgm_fail(SGM_OUT_OF_MEMORY, "convolution: no memory for gradients");
    sgm_patches patches = sgm_patches_of(s, x, x_dtype);
    transposed_rows a = {rows, rows_dtype, s->outputs};
    sgm_cpu_product product = {.m = s->outputs,
                               .n = n,
                               .k = s->batch * patches.out_height * patches.out_width,
                               .plain_a = rows_dtype == SGM_F32 ? rows : NULL,
                               .lda = s->outputs,
                               .turned_a = true,
                               .pack_a = pack_transposed_rows,
                               .pack_b = pack_patch_panel,
                               .a = &a,
                               .b = &patches,
                               .compute = compute,
                               .alpha = 1,
                               .c = ordered,
                               .c_dtype = SGM_F32,
                               .ldc = n};
    sgm_status status = sgm_product_run(pool, &product);
    if (status == SGM_OK) store_ordered(ordered, s->outputs, s->channels, taps, dw, accumulate);
    free(ordered);
    return status;
}

/* -------------------------------------------------------------------------------- data gradient */

/* Packs w[O, C, k, k] turned by 180 degrees with inputs and outputs exchanged. */
static sgm_status pack_turned(const sgm_conv_shape *turned, const float *w, sgm_dtype dtype,
                              sgm_packed **out)
{
    int64_t o_count = turned->channels, c_count = turned->outputs;
    int64_t taps = (int64_t)turned->kernel_h * turned->kernel_w;
    float *t = malloc(sizeof(float) * (size_t)(o_count * c_count * taps));
    if (!t) return sgm_fail(SGM_OUT_OF_MEMORY, "convolution: no memory for gradients");
    for (int64_t o = 0; o < o_count; o++)
        for (int64_t c = 0; c < c_count; c++)
            for (int64_t i = 0; i < taps; i++)
                t[(c * o_count + o) * taps + taps - 1 - i] = w[(o * c_count + c) * taps + i];
    sgm_status status = sgm_conv_pack(turned, t, dtype, NULL, out);
    free(t);
    return status;
}

static sgm_epilogue plain_output(float *out, int64_t ld, bool accumulate)
{
    return (sgm_epilogue){
        .out = out, .out_ld = ld, .residual = accumulate ? out : NULL, .residual_ld = ld};
}

static sgm_status data_grad_turned(sgm_threads *pool, const sgm_conv_shape *s,
                                   const sgm_conv_grads *g)
{
    sgm_conv_shape turned = {s->batch,
                             sgm_conv_out_height(s),
                             sgm_conv_out_width(s),
                             s->outputs,
                             s->channels,
                             s->kernel_h,
                             s->kernel_w,
                             1,
                             s->kernel_h - 1 - s->pad};
    sgm_packed *pack;
    SGM_TRY(pack_turned(&turned, g->w, g->compute, &pack));
    sgm_epilogue out = plain_output(g->dx, s->channels, g->accumulate_dx);
    out.factor = g->factor;
    sgm_status status = sgm_conv2d_forward(pool, &turned, pack, g->dout, SGM_F32, &out);
    sgm_packed_destroy(pack);
    return status;
}

typedef struct fold_job {
    const sgm_conv_shape *s;
    const float *patches; /* [H' W', taps C] of one image */
    float *dx;
    bool accumulate;
} fold_job;

static void fold_pixel(const fold_job *j, int64_t y, int64_t x, float *to)
{
    const sgm_conv_shape *s = j->s;
    int64_t height = sgm_conv_out_height(s), width = sgm_conv_out_width(s), c = s->channels;
    if (!j->accumulate) memset(to, 0, sizeof(float) * (size_t)c);
    for (int64_t ky = 0; ky < s->kernel_h; ky++) {
        int64_t oy = y + s->pad - ky;
        if (oy < 0 || oy % s->stride || oy / s->stride >= height) continue;
        for (int64_t kx = 0; kx < s->kernel_w; kx++) {
            int64_t ox = x + s->pad - kx;
            if (ox < 0 || ox % s->stride || ox / s->stride >= width) continue;
            int64_t row = oy / s->stride * width + ox / s->stride;
            int64_t at = ((row * s->kernel_h + ky) * s->kernel_w + kx) * c;
            sgm_loops()->add_to(to, j->patches, at, SGM_F32, c);
        }
    }
}

static void fold_items(void *context, int64_t begin, int64_t end, int thread)
{
    const fold_job *j = context;
    (void)thread;
    for (int64_t y = begin; y < end; y++)
        for (int64_t x = 0; x < j->s->width; x++)
            fold_pixel(j, y, x, j->dx + (y * j->s->width + x) * j->s->channels);
}

static sgm_status fold_images(sgm_threads *pool, const sgm_conv_shape *s, const sgm_conv_grads *g,
                              const float *w, float *patches)
{
    int64_t m = sgm_conv_out_height(s) * sgm_conv_out_width(s);
    int64_t n = s->channels * s->kernel_h * s->kernel_w;
    for (int64_t b = 0; b < s->batch; b++) {
        sgm_matmul_args product = {.m = m,
                                   .n = n,
                                   .k = s->outputs,
                                   .a = g->dout + b * m * s->outputs,
                                   .lda = s->outputs,
                                   .b = w,
                                   .ldb = n,
                                   .c = patches,
                                   .ldc = n,
                                   .alpha = 1,
                                   .compute = g->compute};
        SGM_TRY(sgm_matmul_run(pool, &product));
        fold_job fold = {s, patches, g->dx + b * s->height * s->width * s->channels,
                         g->accumulate_dx};
        sgm_parallel_for(pool, s->height, 0, fold_items, &fold);
    }
    return SGM_OK;
}

static sgm_status data_grad_folded(sgm_threads *pool, const sgm_conv_shape *s,
                                   const sgm_conv_grads *g)
{
    int64_t m = sgm_conv_out_height(s) * sgm_conv_out_width(s);
    int64_t taps = (int64_t)s->kernel_h * s->kernel_w, n = taps * s->channels;
    float *memory = malloc(sizeof(float) * (size_t)(n * (m + s->outputs)));
    if (!memory) return sgm_fail(SGM_OUT_OF_MEMORY, "convolution: no memory for gradients");
    sgm_conv_reorder(g->w, s->outputs, s->channels, taps, memory);
    sgm_status status = fold_images(pool, s, g, memory, memory + n * s->outputs);
    free(memory);
    return status;
}

sgm_status sgm_conv2d_backward(sgm_threads *pool, const sgm_conv_shape *s, const sgm_conv_grads *g)
{
    SGM_TRY(sgm_conv_check(s));
    int64_t m = s->batch * sgm_conv_out_height(s) * sgm_conv_out_width(s);
    bool turned = s->stride == 1 && s->kernel_h == s->kernel_w && s->pad < s->kernel_h;
    if (g->dx) SGM_TRY(turned ? data_grad_turned(pool, s, g) : data_grad_folded(pool, s, g));
    if (g->dw)
        SGM_TRY(weight_grad(pool, s, g->dout, SGM_F32, g->x, g->x_dtype, g->dw, g->accumulate_dw,
                            g->compute));
    if (g->dbias)
        SGM_TRY(
            sgm_column_sum(pool, g->dout, SGM_F32, m, s->outputs, g->dbias, g->accumulate_dbias));
    return SGM_OK;
}

/* A transposed convolution's gradients are a convolution (kernel 2, stride 2) of dout. */
sgm_status sgm_conv_transpose_backward(sgm_threads *pool, const sgm_conv_shape *s,
                                       const sgm_conv_grads *g)
{
    sgm_conv_shape down = {s->batch, 2 * s->height, 2 * s->width, s->outputs, s->channels, 2, 2, 2,
                           0};
    SGM_TRY(sgm_conv_check(&down));
    if (g->dx) {
        sgm_packed *pack;
        SGM_TRY(sgm_conv_pack(&down, g->w, g->compute, NULL, &pack));
        sgm_epilogue out = plain_output(g->dx, s->channels, g->accumulate_dx);
        sgm_status status = sgm_conv2d_forward(pool, &down, pack, g->dout, SGM_F32, &out);
        sgm_packed_destroy(pack);
        SGM_TRY(status);
    }
    if (g->dw)
        SGM_TRY(weight_grad(pool, &down, g->x, g->x_dtype, g->dout, SGM_F32, g->dw,
                            g->accumulate_dw, g->compute));
    if (g->dbias)
        SGM_TRY(sgm_column_sum(pool, g->dout, SGM_F32, 4 * s->batch * s->height * s->width,
                               s->outputs, g->dbias, g->accumulate_dbias));
    return SGM_OK;
}
