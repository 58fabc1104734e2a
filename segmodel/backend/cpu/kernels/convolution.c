#include "backend/cpu/kernels/convolution.h"

#include <stdlib.h>

#include "backend/cpu/kernels/convolution_internal.h"

int64_t sgm_conv_out_height(const sgm_conv_shape *s)
{
    return (s->height + 2 * s->pad - s->kernel_h) / s->stride + 1;
}

int64_t sgm_conv_out_width(const sgm_conv_shape *s)
{
    return (s->width + 2 * s->pad - s->kernel_w) / s->stride + 1;
}

sgm_status sgm_conv_check(const sgm_conv_shape *s)
{
    if (s->stride < 1 || s->pad < 0 || s->kernel_h < 1 || s->kernel_w < 1 || s->channels < 1 ||
        s->outputs < 1 || s->height + 2 * s->pad < s->kernel_h ||
        s->width + 2 * s->pad < s->kernel_w)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "convolution: kernel %d x %d, stride %d, padding %d does not fit an image "
                        "of %lld x %lld x %lld",
                        s->kernel_h, s->kernel_w, s->stride, s->pad, (long long)s->height,
                        (long long)s->width, (long long)s->channels);
    return SGM_OK;
}

void sgm_conv_reorder(const float *w, int64_t outputs, int64_t channels, int64_t taps, float *to)
{
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t t = 0; t < taps; t++)
                to[(o * taps + t) * channels + c] = w[(o * channels + c) * taps + t];
}

sgm_status sgm_conv_pack(const sgm_conv_shape *s, const float *w, sgm_dtype dtype, void *buffer,
                         sgm_packed **out)
{
    SGM_TRY(sgm_conv_check(s));
    int64_t taps = (int64_t)s->kernel_h * s->kernel_w, k = taps * s->channels;
    if (taps == 1) return sgm_packed_create(w, s->outputs, k, k, false, dtype, buffer, out);
    float *ordered = malloc(sizeof(float) * (size_t)(s->outputs * k));
    if (!ordered)
        return sgm_fail(SGM_OUT_OF_MEMORY, "convolution: no memory to pack %lld x %lld weights",
                        (long long)s->outputs, (long long)k);
    sgm_conv_reorder(w, s->outputs, s->channels, taps, ordered);
    sgm_status status = sgm_packed_create(ordered, s->outputs, k, k, false, dtype, buffer, out);
    free(ordered);
    return status;
}

sgm_patches sgm_patches_of(const sgm_conv_shape *s, const void *x, sgm_dtype dtype)
{
    return (sgm_patches){*s, x, dtype, sgm_conv_out_height(s), sgm_conv_out_width(s)};
}

sgm_status sgm_conv2d_forward(sgm_threads *pool, const sgm_conv_shape *s, const sgm_packed *w,
                              const void *x, sgm_dtype x_dtype, const sgm_epilogue *epilogue)
{
    SGM_TRY(sgm_conv_check(s));
    if (w->n != s->outputs || w->k != s->channels * s->kernel_h * s->kernel_w)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "convolution: packed weight is %lld x %lld, wanted %lld x %lld",
                        (long long)w->n, (long long)w->k, (long long)s->outputs,
                        (long long)(s->channels * s->kernel_h * s->kernel_w));
    int64_t m = s->batch * sgm_conv_out_height(s) * sgm_conv_out_width(s);
    if (s->kernel_h == 1 && s->kernel_w == 1 && s->stride == 1 && s->pad == 0) {
        sgm_rows rows = {x, x_dtype, s->channels, NULL};
        return sgm_gemm(pool, w, &rows, m, epilogue);
    }
    if (sgm_conv_in_place(s, w, x_dtype)) return sgm_conv2d_in_place(pool, s, w, x, epilogue);
    sgm_patches patches = sgm_patches_of(s, x, x_dtype);
    return sgm_gemm_run(pool, w, sgm_loops()->pack_patches, &patches, m, epilogue);
}

/* ------------------------------------------------------------------------ transposed convolution
 */

size_t sgm_conv_transpose_pack_size(int64_t channels, int64_t outputs, sgm_dtype dtype)
{
    return sgm_pack_bytes(outputs, channels, SGM_MAX_SEGMENTS, dtype);
}

sgm_status sgm_conv_transpose_pack(int64_t channels, int64_t outputs, const float *w,
                                   sgm_dtype dtype, void *buffer, sgm_packed **out)
{
    float *tap = malloc(sizeof(float) * (size_t)(channels * outputs));
    if (!tap) return sgm_fail(SGM_OUT_OF_MEMORY, "transposed convolution: no memory to pack");
    sgm_status status =
        sgm_packed_allocate(outputs, channels, SGM_MAX_SEGMENTS, dtype, buffer, out);
    for (int t = 0; status == SGM_OK && t < SGM_MAX_SEGMENTS; t++) {
        for (int64_t i = 0; i < channels * outputs; i++)
            tap[i] = w[i * 4 + t];
        sgm_packed_fill(*out, t, tap, outputs, true);
    }
    free(tap);
    return status;
}

static void *advance(const void *p, sgm_dtype dtype, int64_t elements)
{
    return p ? (char *)p + elements * (dtype == SGM_F32 ? 4 : 2) : NULL;
}

sgm_status sgm_conv_transpose_forward(sgm_threads *pool, const sgm_conv_shape *s,
                                      const sgm_packed *w, const void *x, sgm_dtype x_dtype,
                                      const sgm_epilogue *epilogue)
{
    if (epilogue->residual && epilogue->residual_ld != epilogue->out_ld)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "transposed convolution: residual stride %lld, output stride %lld",
                        (long long)epilogue->residual_ld, (long long)epilogue->out_ld);
    sgm_epilogue taps[SGM_MAX_SEGMENTS];
    int64_t pixel = epilogue->out_ld;
    for (int t = 0; t < SGM_MAX_SEGMENTS; t++) {
        int64_t shift = (t / 2 * 2 * s->width + t % 2) * pixel;
        taps[t] = *epilogue;
        taps[t].out = advance(epilogue->out, epilogue->out_dtype, shift);
        taps[t].residual = advance(epilogue->residual, epilogue->residual_dtype, shift);
        if (epilogue->slope) taps[t].slope = epilogue->slope + shift;
        taps[t].out_ld = taps[t].residual_ld = 2 * pixel;
        taps[t].group = s->width;
        taps[t].group_ld = 4 * s->width * pixel;
    }
    sgm_rows_source rows = {{x, x_dtype, s->channels, NULL}, s->channels};
    return sgm_gemm_run(pool, w, sgm_loops()->pack_rows, &rows, s->batch * s->height * s->width,
                        taps);
}
