#include "predict/everything/finder.h"

#include "core/call.h"
#include "core/number.h"
#include "core/sized.h"
#include "core/status.h"
#include "predict/look/session_predictor.h"
#include "predict/session/prompt_tokens.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------------- options */

static sgm_status check_whole(const char *name, int64_t value, int64_t least, int64_t most)
{
    if (value >= least && value <= most) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "%s is %lld; it can be %lld to %lld", name,
                    (long long)value, (long long)least, (long long)most);
}

static sgm_status check_number(const char *name, double value, double least, double most)
{
    if (value >= least && value <= most) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "%s is %g; it can be %g to %g", name, value, least, most);
}

static sgm_status check_options(const sgm_everything_options *o)
{
    SGM_TRY(check_whole("points_per_side", o->points_per_side, 1, 1024));
    SGM_TRY(check_whole("crop_n_layers", o->crop_n_layers, 0, SGM_MOST_CROP_LAYERS));
    SGM_TRY(
        check_whole("crop_n_points_downscale_factor", o->crop_n_points_downscale_factor, 1, 1024));
    SGM_TRY(check_whole("min_mask_region_area", o->min_mask_region_area, 0, 1 << 30));
    SGM_TRY(check_number("pred_iou_thresh", o->pred_iou_thresh, -1e6, 1e6));
    SGM_TRY(check_number("stability_score_thresh", o->stability_score_thresh, -1e6, 1e6));
    SGM_TRY(check_number("stability_score_offset", o->stability_score_offset, 0, 1e6));
    SGM_TRY(check_number("box_nms_thresh", o->box_nms_thresh, 0, 1));
    SGM_TRY(check_number("crop_nms_thresh", o->crop_nms_thresh, 0, 1));
    SGM_TRY(check_number("crop_overlap_ratio", o->crop_overlap_ratio, 0, 0.9));
    if (isnan(o->mask_threshold)) return SGM_OK;
    return check_number("mask_threshold", o->mask_threshold, -1e6, 1e6);
}

sgm_status sgm_everything_options_read(const sgm_everything_options *options,
                                       const sgm_everything_options *usual,
                                       sgm_everything_options *out)
{
    *out = *usual;
    if (options)
        SGM_TRY(sgm_sized_read("sgm_everything_options", options, sizeof *out, out, sizeof *out));
    return check_options(out);
}

/* A model's own threshold, where its file has one that can be. */
static double threshold_of(const sgm_model *model, const char *key, double otherwise)
{
    const char *text = sgm_checkpoint_metadata(sgm_model_checkpoint(model), key);
    char *end = NULL;
    double value = text ? sgm_read_number(text, &end) : 0;
    return text && end != text && !*end && value >= 0 && value <= 1 ? value : otherwise;
}

/* Measured with the bundled model (Testing/quality/README.md, "Everything"): nothing reaches SAM's
 * thresholds; above 0.3 and 0.6 there are as many masks as above 0.4 and 0.5, and more of them are
 * an object's; a layer of crops finds two to three times what the whole picture does. */
sgm_everything_options sgm_everything_options_of(const sgm_model *model)
{
    sgm_everything_options o = sgm_everything_options_init();
    if (sgm_model_get_config(model)->protocol->crops) {
        o.points_per_side = 16;
        o.crop_n_layers = 1;
        o.pred_iou_thresh = 0.3;
        o.stability_score_thresh = 0.6;
    }
    o.pred_iou_thresh = threshold_of(model, SGM_METADATA_PRED_IOU_THRESH, o.pred_iou_thresh);
    o.stability_score_thresh =
        threshold_of(model, SGM_METADATA_STABILITY_THRESH, o.stability_score_thresh);
    return o;
}

/* --------------------------------------------------------------------------------------- finder */

static sgm_status check_network(const sgm_model_config *config)
{
    if (config->classes) return sgm_prompt_check_class(config, 0);
    if (sgm_config_listens(config)) return SGM_OK;
    return sgm_fail(SGM_BAD_PROMPT, "%s is asked nothing: it cannot be asked point by point",
                    config->variant);
}

sgm_status sgm_finder_init(sgm_finder *f, sgm_model *model, const sgm_image *image,
                           const sgm_everything_options *options)
{
    const sgm_model_config *config = sgm_model_get_config(model);
    sgm_model_info info;
    sgm_model_get_info(model, &info);
    *f = (sgm_finder){.config = config,
                      .image = *image,
                      .tokens = 1,
                      .store = options->store,
                      .embedding_count = info.embedding_count,
                      .model_key = sgm_model_store_key(model)};
    SGM_TRY(check_network(config));
    if (image->width < 1 || image->height < 1 || !image->data)
        return sgm_fail(SGM_INVALID_ARGUMENT, "an image of %d x %d pixels", image->width,
                        image->height);
    if (config->protocol->answer == SGM_ANSWER_SAM && config->decoder.mask_tokens > 1) {
        f->first_token = 1;
        f->tokens = config->decoder.mask_tokens - 1;
    }
    SGM_TRY(sgm_session_create(model, &f->session));
    f->threshold = isnan(options->mask_threshold) ? f->session->threshold : options->mask_threshold;
    return SGM_OK;
}

void sgm_finder_clear(sgm_finder *f)
{
    sgm_session_destroy(f->session);
    free(f->values);
    free(f->embedding);
    f->session = NULL;
    f->values = f->embedding = NULL;
}

/* The crop's embedding from the store, or into it. */
static sgm_status encode(sgm_finder *f, const sgm_image *part)
{
    uint64_t key;
    if (!f->store.get || !f->store.put) return sgm_session_set_image(f->session, part);
    if (!f->embedding) f->embedding = malloc(f->embedding_count * sizeof *f->embedding);
    if (!f->embedding) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an embedding");
    SGM_TRY(sgm_session_input_hash(f->session, part, &key));
    key ^= f->model_key;
    if (f->store.get(f->store.user, key, f->embedding, f->embedding_count))
        return sgm_session_set_embedding(f->session, f->embedding, part->width, part->height);
    SGM_TRY(sgm_session_set_image(f->session, part));
    SGM_TRY(sgm_session_get_embedding(f->session, f->embedding));
    f->store.put(f->store.user, key, f->embedding, f->embedding_count);
    return SGM_OK;
}

sgm_status sgm_finder_look(sgm_finder *f, const sgm_part *crop)
{
    ptrdiff_t stride = f->image.stride;
    if (!stride) stride = (ptrdiff_t)f->image.width * f->image.channels;
    const sgm_image part = {.data = f->image.data + crop->y0 * stride +
                                    (ptrdiff_t)crop->x0 * f->image.channels,
                            .width = crop->x1 - crop->x0,
                            .height = crop->y1 - crop->y0,
                            .channels = f->image.channels,
                            .stride = stride};
    f->crop = *crop;
    return encode(f, &part);
}

/* Answers of points first .. first + count - 1, at most LARGEST_BATCH. */
static sgm_status ask_batch(sgm_finder *f, const sgm_point *points, size_t first, size_t count,
                            sgm_answer_fn take, void *user)
{
    size_t low = 16 * (size_t)f->config->grid * (size_t)f->config->grid;
    size_t masks = (size_t)f->config->decoder.mask_tokens;
    sgm_prompt prompts[LARGEST_BATCH] = {{0}};
    const float *low_res, *iou;
    for (size_t i = 0; i < count; i++)
        prompts[i] = (sgm_prompt){.points = &points[first + i], .point_count = 1};
    SGM_TRY(sgm_session_decode(f->session, prompts, count, &low_res, &iou));
    for (size_t i = 0; i < count; i++)
        for (int t = f->first_token; t < f->first_token + f->tokens; t++) {
            size_t at = i * masks + (size_t)t;
            const sgm_point_answer answer = {first + i, points[first + i], t, iou[at],
                                             low_res + at * low};
            SGM_TRY(take(user, &answer));
        }
    return SGM_OK;
}

sgm_status sgm_finder_ask(sgm_finder *f, const sgm_point *points, size_t count, sgm_answer_fn take,
                          void *user)
{
    for (size_t first = 0; first < count; first += LARGEST_BATCH) {
        size_t part = count - first < LARGEST_BATCH ? count - first : LARGEST_BATCH;
        SGM_TRY(sgm_context_cancelled(sgm_model_context(f->session->model)));
        SGM_TRY(ask_batch(f, points, first, part, take, user));
        f->done += (double)part;
        sgm_call_progress(f->total > 0 ? fmin(1, f->done / f->total) : 0, f->doing);
    }
    return SGM_OK;
}

sgm_status sgm_finder_values(sgm_finder *f, const sgm_point_answer *answer)
{
    size_t pixels = (size_t)f->image.width * (size_t)f->image.height;
    if (!f->values) f->values = malloc(pixels * sizeof *f->values);
    if (!f->values)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a mask of %d x %d pixels", f->image.width,
                        f->image.height);
    sgm_upscaler_values(f->session->upscaler, answer->low_res, f->values);
    return SGM_OK;
}

double sgm_finder_mask(sgm_finder *f, const sgm_point_answer *answer, double offset, uint8_t *mask)
{
    const float levels[3] = {sgm_finder_level(f, f->threshold - offset),
                             sgm_finder_level(f, f->threshold),
                             sgm_finder_level(f, f->threshold + offset)};
    int64_t counts[2];
    sgm_upscaler_levels(f->session->upscaler, answer->low_res, levels, mask, counts);
    return (float)counts[1] / (float)counts[0];
}

float sgm_finder_level(const sgm_finder *f, double logit)
{
    return f->config->protocol->probabilities ? (float)(1 / (1 + exp(-logit))) : (float)logit;
}
