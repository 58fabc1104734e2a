#include "bench_model.h"
#include "tool.h"

#include "predict/session/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu_features.h"

/* Noise: preprocessing has work, values are ordinary. */
uint8_t *bench_picture(int picture)
{
    size_t count = (size_t)BENCH_SIDE * BENCH_SIDE * 3;
    uint8_t *pixels = malloc(count);
    uint32_t state = 1 + (uint32_t)picture;
    for (size_t i = 0; pixels && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(state >> 24);
    }
    return pixels;
}

sgm_status bench_predict(sgm_session *session, bool want_logits, sgm_mask *mask)
{
    sgm_point point = {400, 500, SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    sgm_predict_options options = {.want_logits = want_logits};
    return sgm_session_predict(session, &prompt, &options, mask);
}

/* What the wanted device is and can, without keeping it open. */
static sgm_status ask_device(const bench *b)
{
    sgm_context *context;
    sgm_context_options options = b->options;
    options.precision = SGM_PRECISION_FP32;
    SGM_TRY(sgm_context_create(&options, &context));
    b->reference->on_cpu = sgm_context_backend(context)->ops->host_memory;
    sgm_context_destroy(context);
    options.precision = SGM_PRECISION_BF16;
    b->reference->has_bf16 = sgm_context_create(&options, &context) == SGM_OK;
    if (b->reference->has_bf16) sgm_context_destroy(context);
    return SGM_OK;
}

static sgm_status keep(const bench *b, sgm_session *session, const sgm_model_config *config,
                       int picture)
{
    bench_reference *r = b->reference;
    sgm_mask mask;
    r->embedding_count = sgm_config_embedding_count(config);
    r->logits_count =
        16 * (size_t)config->grid * (size_t)config->grid * (size_t)config->decoder.mask_tokens;
    if (r->embedding_count > BENCH_ROOM || r->logits_count > BENCH_ROOM)
        return sgm_fail(SGM_OUT_OF_MEMORY, "the embedding is larger than a benchmark expects");
    uint8_t *pixels = bench_picture(picture);
    if (!pixels) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an image");
    sgm_image image = {.data = pixels, .width = BENCH_SIDE, .height = BENCH_SIDE, .channels = 3};
    sgm_status status = sgm_session_set_image(session, &image);
    free(pixels);
    SGM_TRY(status);
    SGM_TRY(sgm_session_get_embedding(session, r->embedding[picture]));
    SGM_TRY(bench_predict(session, true, &mask));
    memcpy(r->logits[picture], mask.low_res, r->logits_count * sizeof(float));
    r->pictures = picture + 1;
    return SGM_OK;
}

sgm_isa bench_other_isa(sgm_isa isa)
{
    return isa > SGM_ISA_AVX2 ? SGM_ISA_AVX2 : SGM_ISA_BASE;
}

static int largest_batch(const bench *b)
{
    int largest = b->batch_count ? 1 : b->reference->on_cpu ? 1 : BENCH_PICTURES;
    for (int i = 0; i < b->batch_count; i++)
        if (b->batches[i] > largest) largest = b->batches[i];
    return largest;
}

sgm_status bench_make_reference(const bench *b)
{
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_session *session = NULL;
    SGM_TRY(ask_device(b));
    if (b->reference->on_cpu) sgm_cpu_limit(bench_other_isa(sgm_cpu()->isa), SGM_BF16_NONE);
    snprintf(b->reference->kernels, sizeof b->reference->kernels, "%s", sgm_cpu_summary());
    sgm_context_options options = {
        .device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32, .threads = b->options.threads};
    sgm_status status = sgm_context_create(&options, &context);
    if (status == SGM_OK) status = sgm_model_load(context, b->path, b->variant, &model);
    if (status == SGM_OK) tool_say_assumption(model); /* once: others load it silently */
    if (status == SGM_OK) status = sgm_session_create(model, &session);
    for (int i = 0; status == SGM_OK && i < BENCH_PICTURES && i < largest_batch(b); i++)
        status = keep(b, session, sgm_model_get_config(model), i);
    sgm_session_destroy(session);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return status;
}

/* Root of the mean squared difference over that of `wanted`. NaN stays NaN. */
static double nrmse(const float *found, const float *wanted, size_t places, size_t dim)
{
    double error = 0, norm = 0;
    for (size_t c = 0; c < dim; c++)
        for (size_t i = 0; i < places; i++) {
            double w = wanted[c * places + i], d = (double)found[i * dim + c] - w;
            error += d * d;
            norm += w * w;
        }
    return sqrt(error / norm);
}

/* The limits of fp32 are those of the goldens. Those of bf16 are wider than the goldens', which are
 * for pictures, not noise: here a wrong kernel is to be found, and it is off by much more. */
static sgm_status judge(const char *what, int picture, double error, double limit)
{
    if (error <= limit) return SGM_OK;
    return sgm_fail(SGM_INTERNAL,
                    "%s of picture %d is off by %.3g (normalised RMS) from FP32 on the CPU, at "
                    "most %.3g is right; nothing was timed",
                    what, picture + 1, error, limit);
}

sgm_status bench_check_feature(const bench *b, int picture, size_t first,
                               const sgm_feature *feature, const float *values, bool bf16,
                               double *error)
{
    double found = nrmse(values, b->reference->embedding[picture] + first,
                         (size_t)(feature->rows * feature->columns), (size_t)feature->channels);
    if (!(found <= *error)) *error = found;
    return judge("the embedding", picture, found, bf16 ? 3e-2 : 1e-4);
}

sgm_status bench_check_logits(const bench *b, int picture, const float *logits, bool bf16,
                              double *error)
{
    const bench_reference *r = b->reference;
    *error = nrmse(logits, r->logits[picture], r->logits_count, 1);
    return judge("the low-resolution logits", picture, *error, bf16 ? 6e-2 : 5e-4);
}
