#include "study/asker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"
#include "core/status.h"
#include "predict/session/model.h"
#include "predict/session/postprocess.h"
#include "predict/session/prompt_prior.h"
#include "segmodel/metrics.h"

static bool draws_prior(const sgm_model *model)
{
    const char *text =
        sgm_checkpoint_metadata(sgm_model_checkpoint(model), SGM_METADATA_PROMPT_PRIOR);
    return text && !strcmp(text, "1");
}

static float threshold_of(const sgm_model *model)
{
    const char *text =
        sgm_checkpoint_metadata(sgm_model_checkpoint(model), SGM_METADATA_MASK_THRESHOLD);
    double value = text ? sgm_read_number(text, NULL) : 0;
    return fabs(value) <= SGM_LARGEST_MASK_THRESHOLD ? (float)value : 0;
}

static sgm_status check_family(const sgm_model *model)
{
    sgm_model_info info;
    sgm_model_get_info(model, &info);
    const sgm_protocol *protocol = sgm_model_get_config(model)->protocol;
    if (!info.classes && !protocol->unprompted) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT,
                    "%s is not prompted by points or boxes (%s): a study of prompts has nothing to "
                    "vary",
                    info.variant, info.classes ? "but by a class" : "it makes its own prompt");
}

sgm_status sgm_asker_init(sgm_asker *asker, sgm_model *model, const sgm_pack *pack,
                          const sgm_study_config *config)
{
    *asker = (sgm_asker){.pack = pack,
                         .config = sgm_model_get_config(model),
                         .threshold = threshold_of(model),
                         .feeds = config->feedback == SGM_STUDY_FEEDBACK_LOGITS};
    if (config->feedback == SGM_STUDY_FEEDBACK_AUTO) asker->feeds = !draws_prior(model);
    SGM_TRY(check_family(model));
    sgm_status status = sgm_session_predictor_init(&asker->binding, model);
    const sgm_predictor *predictor = &asker->binding.predictor;
    if (status == SGM_OK) status = sgm_embedder_init(&asker->embedder, predictor, NULL, 0);
    if (status == SGM_OK)
        status = sgm_looker_init(&asker->looker, predictor, &asker->embedder,
                                 sgm_zoom_applies(model, (sgm_zoom_mode)config->zoom));
    if (status == SGM_OK) {
        size_t low = (size_t)predictor->low_res_shape[0] * (size_t)predictor->low_res_shape[1];
        asker->low_res = malloc(low * sizeof *asker->low_res);
        if (!asker->low_res) status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory for logits");
    }
    if (status != SGM_OK) sgm_asker_clear(asker);
    return status;
}

void sgm_asker_clear(sgm_asker *asker)
{
    sgm_looker_clear(&asker->looker);
    sgm_embedder_clear(&asker->embedder);
    sgm_session_predictor_clear(&asker->binding);
    free(asker->truth);
    free(asker->low_res);
    *asker = (sgm_asker){0};
}

sgm_status sgm_asker_take(sgm_asker *asker, const sgm_target *object)
{
    const sgm_pack_item *item = sgm_pack_item_at(asker->pack, object->item);
    size_t pixels = (size_t)item->width * (size_t)item->height;
    size_t width = (size_t)(object->x1 - object->x0 + 1);
    uint8_t *truth = calloc(pixels, 1), *mask = sgm_target_mask(asker->pack, object);
    if (!truth || !mask) {
        free(truth);
        free(mask);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's mask");
    }
    for (int y = object->y0; y <= object->y1; y++)
        memcpy(truth + (size_t)y * (size_t)item->width + (size_t)object->x0,
               mask + (size_t)(y - object->y0) * width, width);
    free(mask);
    free(asker->truth);
    asker->truth = truth;
    asker->item = item;
    asker->picture = object->item;
    asker->image = (sgm_image){item->image, item->width, item->height, item->channels, 0};
    asker->box = (sgm_box){object->x0, object->y0, object->x1, object->y1};
    asker->asked = false;
    return SGM_OK;
}

void sgm_asker_restart(sgm_asker *asker)
{
    asker->asked = false;
}

sgm_status sgm_asker_ask(sgm_asker *asker, const sgm_point *points, size_t count,
                         const sgm_box *box)
{
    const sgm_predictor *predictor = &asker->binding.predictor;
    sgm_question question = {.picture = asker->picture,
                             .image = &asker->image,
                             .points = points,
                             .point_count = count,
                             .box = box,
                             .tight_box = SGM_TIGHT_BOX_OFF};
    if (asker->asked) {
        question.stay = asker->look.view;
        if (asker->feeds) {
            size_t low = (size_t)predictor->low_res_shape[0] * (size_t)predictor->low_res_shape[1];
            memcpy(asker->low_res, asker->look.low_res, low * sizeof *asker->low_res);
            question.logits = asker->low_res;
            question.logits_view = asker->look.view;
        }
    }
    asker->asked = false;
    SGM_TRY(sgm_look_at(&asker->looker, &question, &asker->look));
    asker->asked = true;
    return SGM_OK;
}

static sgm_study_score score_of(const sgm_asker *asker, const uint8_t *mask)
{
    size_t pixels = (size_t)asker->item->width * (size_t)asker->item->height;
    sgm_overlap overlap = sgm_overlap_of(asker->truth, mask, pixels);
    return (sgm_study_score){sgm_overlap_dice(&overlap, 0), sgm_overlap_iou(&overlap, 0)};
}

sgm_study_score sgm_asker_score(const sgm_asker *asker)
{
    return score_of(asker, asker->look.mask);
}

/* From low-res logits to pixels of the view that the last answer was found in. */
static sgm_status upscaler_of(const sgm_asker *asker, sgm_upscaler **out)
{
    sgm_frame frame;
    SGM_TRY(sgm_frame_make(asker->config, asker->look.view.width, asker->look.view.height, &frame));
    return sgm_upscaler_create(asker->config, &frame, out);
}

static void paste_mask(const sgm_asker *asker, const uint8_t *part, uint8_t *mask)
{
    sgm_view view = asker->look.view;
    size_t width = (size_t)asker->item->width;
    memset(mask, 0, width * (size_t)asker->item->height);
    for (int y = 0; y < view.height; y++)
        memcpy(mask + (size_t)(view.y + y) * width + view.x, part + (size_t)y * (size_t)view.width,
               (size_t)view.width);
}

static void find_best(const sgm_asker *asker, sgm_upscaler *upscaler, uint8_t *part, uint8_t *mask,
                      sgm_study_score *best)
{
    const sgm_mask *raw = &asker->look.raw;
    size_t low = (size_t)raw->low_res_shape[0] * (size_t)raw->low_res_shape[1];
    *best = (sgm_study_score){-1, -1};
    for (int m = raw->mask_tokens > 1; m < raw->mask_tokens; m++) {
        sgm_upscaler_mask(upscaler, raw->low_res + (size_t)m * low, asker->threshold, part);
        paste_mask(asker, part, mask);
        sgm_study_score score = score_of(asker, mask);
        if (score.iou > best->iou) *best = score;
    }
}

sgm_status sgm_asker_oracle(sgm_asker *asker, sgm_study_score *best)
{
    size_t pixels = (size_t)asker->item->width * (size_t)asker->item->height;
    sgm_upscaler *upscaler;
    SGM_TRY(upscaler_of(asker, &upscaler));
    uint8_t *memory = malloc(2 * pixels);
    if (memory) find_best(asker, upscaler, memory, memory + pixels, best);
    free(memory);
    sgm_upscaler_destroy(upscaler);
    return memory ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for masks");
}

sgm_status sgm_asker_doubt(sgm_asker *asker, float *doubt)
{
    sgm_view view = asker->look.view;
    size_t width = (size_t)asker->item->width, part = (size_t)view.width;
    float middle = asker->config->protocol->probabilities ? 0.5f : 0;
    sgm_upscaler *upscaler;
    SGM_TRY(upscaler_of(asker, &upscaler));
    float *values = malloc(part * (size_t)view.height * sizeof *values);
    if (values) sgm_upscaler_values(upscaler, asker->look.low_res, values);
    for (size_t i = 0; values && i < width * (size_t)asker->item->height; i++)
        doubt[i] = INFINITY;
    for (int y = 0; values && y < view.height; y++)
        for (int x = 0; x < view.width; x++)
            doubt[(size_t)(view.y + y) * width + (size_t)(view.x + x)] =
                fabsf(values[(size_t)y * part + (size_t)x] - middle);
    free(values);
    sgm_upscaler_destroy(upscaler);
    return values ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for logits");
}
