/* A session: one image's embedding, the memory to encode and decode, and the last masks. */
#include "predict/model.h"
#include "predict/postprocess.h"
#include "predict/prompt_prior.h"
#include "predict/prompt_tokens.h"
#include "predict/tight_box.h"
#include "predict/volume_mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_DECODERS = 4, LARGEST_BATCH = 8 };

/* A program and this session's memory to run it. */
typedef struct runner {
    sgm_program *program;
    sgm_workspace *workspace;
    uint64_t last_used;
} runner;

/* Memory that grows and is never given back before the end. */
typedef struct buffer {
    void *data;
    size_t size;
} buffer;

struct sgm_session {
    sgm_model *model;
    const sgm_model_config *config;
    runner encoder, decoders[KEPT_DECODERS];
    uint64_t clock;
    sgm_frame frame;
    bool has_embedding;
    bool wants_prior;       /* the model takes prompt_prior.h where there is no mask prompt */
    bool wants_tight;       /* and tight_box.h where the caller does not say */
    sgm_upscaler *upscaler; /* for frame; NULL until a mask is asked for */
    float *embedding;       /* [grid, grid, dim] */
    buffer input, coordinates, labels, prompt_masks, low_res, iou, masks;
};

static sgm_status reserve(buffer *b, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu values", count);
    if (count * size <= b->size) return SGM_OK;
    free(b->data);
    b->size = 0;
    b->data = malloc(count * size);
    if (!b->data) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu MiB", count * size >> 20);
    b->size = count * size;
    return SGM_OK;
}

static size_t embedding_count(const sgm_model_config *config)
{
    return (size_t)sgm_config_embedding_rows(config) * (size_t)config->grid *
           (size_t)config->decoder.dim;
}

static size_t low_count(const sgm_model_config *config)
{
    return 16 * (size_t)config->grid * (size_t)config->grid;
}

static void clear_runner(sgm_session *session, runner *r)
{
    sgm_workspace_destroy(r->workspace);
    sgm_model_release(session->model, r->program);
    *r = (runner){0};
}

static sgm_status make_runner(sgm_session *session, sgm_program_key key, runner *r)
{
    clear_runner(session, r);
    SGM_TRY(sgm_model_program(session->model, key, &r->program));
    sgm_status status = sgm_workspace_create(r->program->plan, &r->workspace);
    if (status != SGM_OK) clear_runner(session, r);
    return status;
}

static bool runs(const runner *r, sgm_program_key key)
{
    if (!r->program) return false;
    const sgm_program_key *k = &r->program->key;
    return k->batch == key.batch && k->tokens == key.tokens && k->mask == key.mask;
}

/* The runner for a decoder, in place of the least recently used one if need be. */
static sgm_status find_decoder(sgm_session *session, sgm_program_key key, runner **out)
{
    runner *place = &session->decoders[0];
    for (int i = 0; i < KEPT_DECODERS; i++) {
        runner *r = &session->decoders[i];
        if (runs(r, key)) {
            place = r;
            break;
        }
        if (r->last_used < place->last_used) place = r;
    }
    if (!runs(place, key)) SGM_TRY(make_runner(session, key, place));
    place->last_used = ++session->clock;
    *out = place;
    return SGM_OK;
}

/* Whether the checkpoint's metadata set `key` to "1". */
static bool has_flag(const sgm_model *model, const char *key)
{
    const char *value = sgm_checkpoint_metadata(sgm_model_checkpoint(model), key);
    return value && !strcmp(value, "1");
}

sgm_status sgm_session_create(sgm_model *model, sgm_session **out)
{
    if (!model || !out)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_session_create: model or out is NULL");
    *out = NULL;
    sgm_session *session = calloc(1, sizeof *session);
    if (!session) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a session");
    session->model = sgm_model_retain(model);
    session->config = sgm_model_get_config(model);
    session->wants_prior = has_flag(model, SGM_METADATA_PROMPT_PRIOR);
    session->wants_tight = has_flag(model, SGM_METADATA_TIGHT_BOX);
    session->embedding = malloc(embedding_count(session->config) * sizeof(float));
    if (!session->embedding) {
        sgm_session_destroy(session);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an embedding");
    }
    *out = session;
    return SGM_OK;
}

void sgm_session_destroy(sgm_session *session)
{
    if (!session) return;
    buffer *buffers[] = {&session->input,       &session->coordinates, &session->labels,
                         &session->low_res,     &session->iou,         &session->masks,
                         &session->prompt_masks};
    clear_runner(session, &session->encoder);
    for (int i = 0; i < KEPT_DECODERS; i++)
        clear_runner(session, &session->decoders[i]);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]->data);
    sgm_upscaler_destroy(session->upscaler);
    free(session->embedding);
    sgm_model_destroy(session->model);
    free(session);
}

/* --------------------------------------------------------------------------------- embedding */

static void set_frame(sgm_session *session, sgm_frame frame)
{
    if (memcmp(&frame, &session->frame, sizeof frame) != 0) {
        sgm_upscaler_destroy(session->upscaler);
        session->upscaler = NULL;
    }
    session->frame = frame;
    session->has_embedding = true;
}

/* The encoder's input for `image` into session->input. */
static sgm_status make_input(sgm_session *session, const sgm_image *image, sgm_frame *frame)
{
    size_t side = (size_t)session->config->image_size;
    SGM_TRY(reserve(&session->input, side * side * 3, sizeof(float)));
    return sgm_preprocess(session->config, image, session->input.data, frame);
}

sgm_status sgm_session_set_image(sgm_session *session, const sgm_image *image)
{
    if (!session) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_session_set_image: no session");
    sgm_frame frame;
    session->has_embedding = false;
    SGM_TRY(make_input(session, image, &frame));
    runner *r = &session->encoder;
    if (!r->program) SGM_TRY(make_runner(session, (sgm_program_key){.batch = 1}, r));
    SGM_TRY(sgm_workspace_set(r->workspace, r->program->image, session->input.data));
    SGM_TRY(sgm_plan_run(r->program->plan, r->workspace));
    SGM_TRY(sgm_workspace_get(r->workspace, r->program->embedding, session->embedding));
    set_frame(session, frame);
    return SGM_OK;
}

sgm_status sgm_session_get_embedding(sgm_session *session, float *values)
{
    if (!session || !values || !session->has_embedding)
        return sgm_fail(SGM_INVALID_ARGUMENT, "the session has no embedding yet");
    size_t dim = (size_t)session->config->decoder.dim,
           places = embedding_count(session->config) / dim;
    for (size_t c = 0; c < dim; c++)
        for (size_t i = 0; i < places; i++)
            values[c * places + i] = session->embedding[i * dim + c];
    return SGM_OK;
}

sgm_status sgm_session_set_embedding(sgm_session *session, const float *values, int width,
                                     int height)
{
    if (!session || !values)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_session_set_embedding: no session or values");
    sgm_frame frame;
    SGM_TRY(sgm_frame_make(session->config, width, height, &frame));
    size_t dim = (size_t)session->config->decoder.dim,
           places = embedding_count(session->config) / dim;
    for (size_t i = 0; i < places; i++)
        for (size_t c = 0; c < dim; c++)
            session->embedding[i * dim + c] = values[c * places + i];
    set_frame(session, frame);
    return SGM_OK;
}

sgm_status sgm_session_input_hash(sgm_session *session, const sgm_image *image, uint64_t *hash)
{
    if (!session || !hash)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_session_input_hash: no session or hash");
    sgm_frame frame;
    size_t side = (size_t)session->config->image_size;
    SGM_TRY(make_input(session, image, &frame));
    *hash = sgm_hash_bytes(session->input.data, side * side * 3 * sizeof(float));
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------ decoding */

static sgm_point low_res_place(const sgm_session *session, double x, double y)
{
    const sgm_frame *f = &session->frame;
    double side = 4.0 * session->config->grid, size = session->config->image_size;
    double along_x = (double)f->resized.width / f->original.width;
    double along_y = (double)f->resized.height / f->original.height;
    return (sgm_point){(x * along_x + 0.5) / size * side - 0.5,
                       (y * along_y + 0.5) / size * side - 0.5, 0};
}

static sgm_status draw_prior(const sgm_session *session, const sgm_prompt *prompt, float *logits)
{
    sgm_point *points = malloc((prompt->point_count + 1) * sizeof *points);
    if (!points)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu points", prompt->point_count);
    for (size_t i = 0; i < prompt->point_count; i++) {
        points[i] = low_res_place(session, prompt->points[i].x, prompt->points[i].y);
        points[i].label = prompt->points[i].label;
    }
    sgm_box box;
    if (prompt->box) {
        sgm_point first = low_res_place(session, prompt->box->x0, prompt->box->y0);
        sgm_point second = low_res_place(session, prompt->box->x1, prompt->box->y1);
        box = (sgm_box){first.x, first.y, second.x, second.y};
    }
    sgm_prompt_prior(points, prompt->point_count, prompt->box ? &box : NULL,
                     4 * session->config->grid, logits);
    free(points);
    return SGM_OK;
}

/* Mask prompts are copied first: they may be the logits of the last prediction, whose memory this
 * one reuses. */
static sgm_status copy_masks(sgm_session *session, const sgm_prompt *prompts, size_t count)
{
    size_t low = low_count(session->config);
    for (size_t i = 0; i < count; i++) {
        if (!prompts[i].mask && !session->wants_prior) continue;
        SGM_TRY(reserve(&session->prompt_masks, count, low * sizeof(float)));
        if (!prompts[i].mask) {
            SGM_TRY(
                draw_prior(session, &prompts[i], (float *)session->prompt_masks.data + low * i));
            continue;
        }
        memcpy((float *)session->prompt_masks.data + low * i, prompts[i].mask, low * sizeof(float));
    }
    return SGM_OK;
}

/* Tokens and mask prompts of the sets from `first` on into the decoder's inputs. */
static sgm_status set_prompts(sgm_session *session, const runner *r, const sgm_prompt *prompts,
                              size_t first)
{
    const sgm_program *p = r->program;
    size_t tokens = (size_t)p->key.tokens, low = low_count(session->config);
    float *coordinates = session->coordinates.data;
    int32_t *labels = session->labels.data;
    for (size_t i = 0; tokens && i < (size_t)p->key.batch; i++)
        sgm_prompt_tokens(session->config, &session->frame, &prompts[first + i],
                          coordinates + 2 * tokens * i, labels + tokens * i);
    if (tokens) {
        SGM_TRY(sgm_workspace_set(r->workspace, p->coordinates, coordinates));
        SGM_TRY(sgm_workspace_set(r->workspace, p->labels, labels));
    }
    if (p->key.mask)
        SGM_TRY(sgm_workspace_set(r->workspace, p->mask,
                                  (float *)session->prompt_masks.data + first * low));
    return sgm_workspace_set(r->workspace, p->in_embedding, session->embedding);
}

/* Decodes `key.batch` prompt sets; logits and IoU predictions go to places `first` on. */
static sgm_status decode(sgm_session *session, sgm_program_key key, const sgm_prompt *prompts,
                         size_t first)
{
    runner *r;
    size_t batch = (size_t)key.batch, masks = (size_t)session->config->decoder.mask_tokens;
    size_t low = low_count(session->config);
    SGM_TRY(reserve(&session->coordinates, 2 * batch * (size_t)key.tokens + 1, sizeof(float)));
    SGM_TRY(reserve(&session->labels, batch * (size_t)key.tokens + 1, sizeof(int32_t)));
    SGM_TRY(find_decoder(session, key, &r));
    SGM_TRY(set_prompts(session, r, prompts, first));
    SGM_TRY(sgm_plan_run(r->program->plan, r->workspace));
    SGM_TRY(sgm_workspace_get(r->workspace, r->program->low_res,
                              (float *)session->low_res.data + first * masks * low));
    return sgm_workspace_get(r->workspace, r->program->iou,
                             (float *)session->iou.data + first * masks);
}

static sgm_program_key key_of(const sgm_session *session, const sgm_prompt *prompt)
{
    return (sgm_program_key){.decoder = true,
                             .batch = 1,
                             .tokens = sgm_prompt_token_count(prompt),
                             .mask = prompt->mask || session->wants_prior};
}

/* The largest power of two of prompts from `first` on that fit one decoder. */
static sgm_program_key next_batch(const sgm_session *session, const sgm_prompt *prompts,
                                  size_t first, size_t count)
{
    sgm_program_key key = key_of(session, &prompts[first]);
    while (key.batch < LARGEST_BATCH && first + 2 * (size_t)key.batch <= count) {
        for (size_t i = (size_t)key.batch; i < 2 * (size_t)key.batch; i++) {
            sgm_program_key other = key_of(session, &prompts[first + i]);
            if (other.tokens != key.tokens || other.mask != key.mask) return key;
        }
        key.batch *= 2;
    }
    return key;
}

/* Which mask token answers this prompt: see sgm_choice. */
static int choose(const sgm_session *session, const sgm_prompt *prompt, sgm_choice choice,
                  const float *iou)
{
    int count = session->config->decoder.mask_tokens, best = 1;
    bool one_point = prompt->point_count == 1 && !prompt->box && !prompt->mask;
    if (choice == SGM_CHOOSE_SINGLE || (choice == SGM_CHOOSE_AUTO && !one_point) || count < 2)
        return 0;
    for (int i = 2; i < count; i++)
        if (iou[i] > iou[best]) best = i;
    return best;
}

static bool is_tight(const sgm_session *session, const sgm_prompt *prompt,
                     const sgm_predict_options *options)
{
    sgm_tight_box wish = options ? options->tight_box : SGM_TIGHT_BOX_AUTO;
    bool wanted = wish == SGM_TIGHT_BOX_ON || (wish == SGM_TIGHT_BOX_AUTO && session->wants_tight);
    if (!wanted || !prompt->box || prompt->mask) return false;
    for (size_t i = 0; i < prompt->point_count; i++)
        if (prompt->points[i].label == SGM_BACKGROUND) return false;
    return session->config->protocol != SGM_PROTOCOL_MEDSAM; /* its values are no logits */
}

/* The chosen map's mask, after tight_box.h where it applies. */
static sgm_status make_mask(sgm_session *session, const sgm_prompt *prompt,
                            const sgm_predict_options *options, const float *logits, uint8_t *mask)
{
    sgm_size size = session->frame.original;
    float above = 0;
    bool tight = is_tight(session, prompt, options);
    if (tight) {
        sgm_point first = low_res_place(session, prompt->box->x0, prompt->box->y0);
        sgm_point second = low_res_place(session, prompt->box->x1, prompt->box->y1);
        above = sgm_tight_box_threshold(logits, 4 * session->config->grid,
                                        &(sgm_box){first.x, first.y, second.x, second.y});
    }
    sgm_upscaler_mask(session->upscaler, logits, above, mask);
    return tight ? sgm_mask_fill_holes(mask, size.width, size.height) : SGM_OK;
}

static sgm_status fill_mask(sgm_session *session, const sgm_prompt *prompt,
                            const sgm_predict_options *options, size_t index, sgm_mask *out)
{
    size_t tokens = (size_t)session->config->decoder.mask_tokens, low = low_count(session->config);
    sgm_size size = session->frame.original;
    const float *logits = (const float *)session->low_res.data + index * tokens * low;
    uint8_t *data =
        (uint8_t *)session->masks.data + index * (size_t)size.width * (size_t)size.height;
    const float *iou = (const float *)session->iou.data + index * tokens;
    int side = 4 * session->config->grid;
    int chosen = choose(session, prompt, options ? options->choice : SGM_CHOOSE_AUTO, iou);
    SGM_TRY(make_mask(session, prompt, options, logits + (size_t)chosen * low, data));
    *out = (sgm_mask){.data = data,
                      .width = size.width,
                      .height = size.height,
                      .chosen = chosen,
                      .predicted_iou = iou[chosen],
                      .low_res = options && options->want_logits ? logits : NULL,
                      .iou = iou,
                      .mask_tokens = (int)tokens,
                      .low_res_shape = {side, side}};
    return SGM_OK;
}

static sgm_status reserve_results(sgm_session *session, size_t count)
{
    size_t tokens = (size_t)session->config->decoder.mask_tokens;
    size_t pixels = (size_t)session->frame.original.width * (size_t)session->frame.original.height;
    SGM_TRY(reserve(&session->low_res, count, tokens * low_count(session->config) * sizeof(float)));
    SGM_TRY(reserve(&session->iou, count, tokens * sizeof(float)));
    SGM_TRY(reserve(&session->masks, count, pixels));
    if (session->upscaler) return SGM_OK;
    return sgm_upscaler_create(session->config, &session->frame, &session->upscaler);
}

sgm_status sgm_session_predict_many(sgm_session *session, const sgm_prompt *prompts, size_t count,
                                    const sgm_predict_options *options, sgm_mask *masks)
{
    if (!session || (count && (!prompts || !masks)))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "sgm_session_predict: session, prompt or out is NULL");
    if (!session->has_embedding)
        return sgm_fail(SGM_INVALID_ARGUMENT, "set an image or an embedding before predicting");
    for (size_t i = 0; i < count; i++)
        SGM_TRY(sgm_prompt_check(session->config, &session->frame, &prompts[i]));
    SGM_TRY(copy_masks(session, prompts, count));
    SGM_TRY(reserve_results(session, count));
    for (size_t first = 0; first < count;) {
        sgm_program_key key = next_batch(session, prompts, first, count);
        SGM_TRY(decode(session, key, prompts, first));
        first += (size_t)key.batch;
    }
    for (size_t i = 0; i < count; i++)
        SGM_TRY(fill_mask(session, &prompts[i], options, i, &masks[i]));
    return SGM_OK;
}

sgm_status sgm_session_predict(sgm_session *session, const sgm_prompt *prompt,
                               const sgm_predict_options *options, sgm_mask *out)
{
    return sgm_session_predict_many(session, prompt, 1, options, out);
}
