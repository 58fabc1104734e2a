#include "bench_volume_check.h"

#include "bench_model.h"
#include "predict/session/model.h"

#include <stdint.h>

enum { SLICES = 2 };

/* Each slice the box crosses is prompted by its own cross-section, so that the middle ones come out
 * the same without the others. */
static sgm_status predict_middle(const bench_volume_check *check, sgm_model *model,
                                 sgm_volume_result *result)
{
    sgm_roi roi = check->roi;
    sgm_volume_options options = *check->options;
    sgm_object object = {.rois = &roi, .roi_count = 1};
    roi.half_axis[2][2] = SLICES / 2.0 - 0.01;
    options.store = (sgm_embedding_store){0};
    return sgm_volume_predict(model, check->volume, &object, 1, &options, NULL, result);
}

static sgm_status predict_on_cpu(const bench_volume_check *check, sgm_volume_result *result)
{
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_context_options options = {
        .device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32, .threads = check->threads};
    sgm_status status = sgm_context_create(&options, &context);
    if (status == SGM_OK) status = sgm_model_load(context, check->path, check->variant, &model);
    if (status == SGM_OK) status = predict_middle(check, model, result);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return status;
}

/* Masks are logits above a threshold: of pixels whose logits lie near it, rounding moves some. Hash
 * weights put many there. */
static sgm_status compare(const bench_volume_check *check, const sgm_volume_result *found,
                          const sgm_volume_result *wanted, bool bf16)
{
    const int64_t *size = check->volume->size;
    size_t count = (size_t)(size[0] * size[1] * size[2]), differ = 0;
    for (size_t i = 0; i < count; i++)
        differ += found->objects[0].mask[i] != wanted->objects[0].mask[i];
    double box = 1;
    for (int a = 0; a < 2; a++)
        box *= 2 * check->roi.half_axis[a][a];
    double share = (double)differ / (box * SLICES);
    bench_line("voxels unlike FP32 on the CPU", 100 * share, "%");
    if (wanted->objects[0].slice_count > 0 && share <= (bf16 ? 0.05 : 0.002)) return SGM_OK;
    return sgm_fail(SGM_INTERNAL,
                    "%.3g %% of the voxels of %d slices differ from FP32 on the CPU; nothing was "
                    "timed",
                    100 * share, SLICES);
}

sgm_status bench_check_volume(const bench_volume_check *check, sgm_model *model)
{
    sgm_volume_result wanted, found;
    bool bf16 = sgm_context_precision(sgm_model_context(model)) == SGM_PRECISION_BF16;
    SGM_TRY(predict_on_cpu(check, &wanted));
    sgm_status status = predict_middle(check, model, &found);
    if (status == SGM_OK) {
        status = compare(check, &found, &wanted, bf16);
        sgm_volume_result_clear(&found);
    }
    sgm_volume_result_clear(&wanted);
    return status;
}
