/* A session: one image's embedding, the memory to encode and decode, and the last masks. */
#include "core/number.h"
#include "core/sized.h"
#include "plan/weights.h"
#include "predict/session/mask.h"
#include "predict/session/prompt_prior.h"
#include "predict/session/prompt_tokens.h"
#include "predict/session/session_internal.h"
#include "predict/session/tight_box.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

sgm_status sgm_session_reserve(sgm_buffer *b, size_t count, size_t size)
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

size_t sgm_session_embedding_count(const sgm_session *session)
{
    return sgm_config_embedding_count(session->config);
}

size_t sgm_session_feature_count(const sgm_session *session, int feature)
{
    const sgm_feature *f = &session->features[feature];
    return (size_t)(f->rows * f->columns * f->channels);
}

static size_t low_count(const sgm_model_config *config)
{
    return 16 * (size_t)config->grid * (size_t)config->grid;
}

void sgm_runner_clear(sgm_session *session, sgm_runner *r)
{
    sgm_workspace_destroy(r->workspace);
    sgm_model_release(session->model, r->program);
    *r = (sgm_runner){0};
}

static size_t workspace_bytes(const sgm_runner *r)
{
    return r->program ? sgm_plan_workspace_bytes(r->program->plan) : 0;
}

static bool shares(const sgm_session *session)
{
    return session->backend->ops->host_memory;
}

size_t sgm_session_workspaces(const sgm_session *session)
{
    size_t sum = session->shared_size;
    for (int i = 0; i < ENCODER_SIZES; i++)
        sum += workspace_bytes(&session->encoders[i]);
    for (int i = 0; i < KEPT_DECODERS && !shares(session); i++)
        sum += workspace_bytes(&session->decoders[i]);
    return sum;
}

static void give_up_decoders(sgm_session *session)
{
    for (int i = 0; i < KEPT_DECODERS; i++)
        sgm_runner_clear(session, &session->decoders[i]);
    if (session->shared) session->backend->ops->free(session->backend, session->shared);
    session->shared = NULL;
    session->shared_size = 0;
}

/* On the CPU, memory that is made again at little cost is given up: the decoders', then the
 * encoder's. False: there is none. */
static bool give_up_some(sgm_session *session)
{
    if (sgm_session_batch(session) > 1) return false;
    if (session->shared_size)
        give_up_decoders(session);
    else if (session->encoders[0].program)
        sgm_runner_clear(session, &session->encoders[0]);
    else
        return false;
    return true;
}

/* All workspaces together stay within the context's limit with `more` bytes. */
static sgm_status check_limit(sgm_session *session, size_t more)
{
    size_t limit = sgm_context_memory_limit(sgm_model_context(session->model));
    while (limit && more + sgm_session_workspaces(session) > limit)
        if (!give_up_some(session))
            return sgm_fail(SGM_OUT_OF_MEMORY,
                            "this network needs %zu MiB of working memory, the limit is %zu MiB",
                            (more + sgm_session_workspaces(session) + (1 << 20) - 1) >> 20,
                            limit >> 20);
    return SGM_OK;
}

sgm_status sgm_runner_make(sgm_session *session, sgm_program_key key, sgm_runner *r)
{
    sgm_program *program;
    sgm_runner_clear(session, r);
    SGM_TRY(sgm_model_program(session->model, key, &program));
    sgm_status status = check_limit(session, sgm_plan_workspace_bytes(program->plan));
    r->program = program;
    if (status == SGM_OK) status = sgm_workspace_create(program->plan, &r->workspace);
    if (status != SGM_OK) sgm_runner_clear(session, r);
    return status;
}

/* Memory that every decoder fits into, with some room for one more point. */
static sgm_status reserve_shared(sgm_session *session, const sgm_program *program)
{
    const sgm_backend_ops *ops = session->backend->ops;
    size_t own = sgm_plan_workspace_bytes(program->plan);
    bool limited = sgm_context_memory_limit(sgm_model_context(session->model)) > 0;
    if (own <= session->shared_size) return SGM_OK;
    give_up_decoders(session);
    if (!limited) own += own / 8;
    SGM_TRY(check_limit(session, own));
    session->shared = ops->alloc(session->backend, own + 64);
    if (!session->shared)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a workspace of %zu MiB", own >> 20);
    session->shared_size = own;
    return SGM_OK;
}

static sgm_status make_decoder(sgm_session *session, sgm_program_key key, sgm_runner *r)
{
    sgm_program *program;
    if (!shares(session)) return sgm_runner_make(session, key, r);
    sgm_runner_clear(session, r);
    SGM_TRY(sgm_model_program(session->model, key, &program));
    sgm_status status = reserve_shared(session, program);
    r->program = program;
    if (status == SGM_OK)
        status = sgm_workspace_create_in(program->plan, session->shared, &r->workspace);
    if (status != SGM_OK) sgm_runner_clear(session, r);
    return status;
}

sgm_status sgm_session_encoder(sgm_session *session, int count, sgm_runner **out)
{
    int number = count == 8 ? 3 : count == 4 ? 2 : count - 1;
    sgm_runner *r = *out = &session->encoders[number];
    if (r->program) return SGM_OK;
    sgm_program_key key = {.stage = SGM_STAGE_ENCODE, .batch = count};
    sgm_status status = sgm_runner_make(session, key, r);
    if (status != SGM_OUT_OF_MEMORY || count > 1) return status;
    for (int i = 1; i < ENCODER_SIZES; i++)
        sgm_runner_clear(session, &session->encoders[i]);
    session->most_encoded = 1;
    return sgm_runner_make(session, key, r);
}

static bool runs(const sgm_runner *r, sgm_program_key key)
{
    if (!r->program) return false;
    const sgm_program_key *k = &r->program->key;
    return k->batch == key.batch && k->tokens == key.tokens && k->mask == key.mask &&
           k->classes == key.classes;
}

/* The runner for a decoder, in place of the least recently used one if need be. */
static sgm_status find_decoder(sgm_session *session, sgm_program_key key, sgm_runner **out)
{
    sgm_runner *place = &session->decoders[0];
    int kept = shares(session) ? KEPT_DECODERS : KEPT_ON_DEVICE;
    for (int i = 0; i < kept; i++) {
        sgm_runner *r = &session->decoders[i];
        if (runs(r, key)) {
            place = r;
            break;
        }
        if (r->last_used < place->last_used) place = r;
    }
    if (!runs(place, key)) SGM_TRY(make_decoder(session, key, place));
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

/* The checkpoint's own threshold, in logits; 0 as SAM has it when there is none or it is none. */
static float mask_threshold(const sgm_model *model)
{
    const char *text =
        sgm_checkpoint_metadata(sgm_model_checkpoint(model), SGM_METADATA_MASK_THRESHOLD);
    double value = text ? sgm_read_number(text, NULL) : 0;
    return fabs(value) <= SGM_LARGEST_MASK_THRESHOLD ? (float)value : 0;
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
    session->feature_count = sgm_config_features(session->config, session->features);
    session->wants_prior = has_flag(model, SGM_METADATA_PROMPT_PRIOR);
    session->knows_loose = has_flag(model, SGM_METADATA_LOOSE_BOX);
    session->wants_tight = has_flag(model, SGM_METADATA_TIGHT_BOX);
    session->threshold = mask_threshold(model);
    session->backend = sgm_weights_backend(sgm_model_weights(model));
    session->most_encoded = session->most_decoded = LARGEST_BATCH;
    session->embedding = sgm_session_embedding_alloc(session);
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
    sgm_buffer *buffers[] = {&session->input,        &session->coordinates, &session->labels,
                             &session->low_res,      &session->iou,         &session->masks,
                             &session->prompt_masks, &session->transposed,  &session->largest};
    for (int i = 0; i < ENCODER_SIZES; i++)
        sgm_runner_clear(session, &session->encoders[i]);
    give_up_decoders(session);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]->data);
    sgm_session_device_clear(session);
    sgm_upscaler_destroy(session->upscaler);
    sgm_session_embedding_free(session, session->embedding);
    sgm_model_destroy(session->model);
    free(session);
}

/* --------------------------------------------------------------------------------- embedding */

void sgm_session_set_frame(sgm_session *session, sgm_frame frame)
{
    if (memcmp(&frame, &session->frame, sizeof frame) != 0) {
        sgm_session_drop_masker(session);
        sgm_upscaler_destroy(session->upscaler);
        session->upscaler = NULL;
    }
    session->frame = frame;
    session->has_embedding = true;
    session->has_largest = false;
}

/* The encoder's input for `image` into session->input. */
static sgm_status make_input(sgm_session *session, const sgm_image *image, sgm_frame *frame)
{
    size_t side = (size_t)session->config->image_size;
    SGM_TRY(sgm_session_reserve(&session->input, side * side * 3, sizeof(float)));
    return sgm_preprocess(session->config, image, session->input.data, frame);
}

/* The image into the encoder's input, by the device where it can; in host memory it is made there.
 */
static sgm_status set_input(sgm_session *session, const sgm_runner *r, const sgm_image *image,
                            sgm_frame *frame)
{
    bool done;
    void *input = sgm_workspace_memory(r->workspace, r->program->image);
    SGM_TRY(sgm_session_place_image(session, image, input, &done));
    if (done) return sgm_frame_make(session->config, image->width, image->height, frame);
    if (input && session->backend->ops->host_memory)
        return sgm_preprocess(session->config, image, input, frame);
    SGM_TRY(make_input(session, image, frame));
    return sgm_workspace_set(r->workspace, r->program->image, session->input.data);
}

sgm_status sgm_session_set_image(sgm_session *session, const sgm_image *image)
{
    if (!session) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_session_set_image: no session");
    sgm_frame frame;
    sgm_runner *r;
    session->has_embedding = false;
    if (image) SGM_TRY(sgm_frame_make(session->config, image->width, image->height, &frame));
    SGM_TRY(sgm_session_encoder(session, 1, &r));
    SGM_TRY(set_input(session, r, image, &frame));
    SGM_TRY(sgm_plan_run(r->program->plan, r->workspace));
    SGM_TRY(sgm_session_take_features(session, r, 0, session->embedding));
    session->current = session->embedding;
    sgm_session_set_frame(session, frame);
    return SGM_OK;
}

sgm_status sgm_session_get_embedding(sgm_session *session, float *values)
{
    if (!session || !values || !session->has_embedding)
        return sgm_fail(SGM_INVALID_ARGUMENT, "the session has no embedding yet");
    return sgm_session_embedding_read(session, session->current, values);
}

sgm_status sgm_session_set_embedding(sgm_session *session, const float *values, int width,
                                     int height)
{
    if (!session || !values)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_session_set_embedding: no session or values");
    sgm_frame frame;
    SGM_TRY(sgm_frame_make(session->config, width, height, &frame));
    if (!sgm_are_finite(values, sgm_session_embedding_count(session)))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "sgm_session_set_embedding: a value is not a number or not finite");
    SGM_TRY(sgm_session_embedding_write(session, session->embedding, values));
    session->current = session->embedding;
    sgm_session_set_frame(session, frame);
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

float sgm_session_mask_threshold(const sgm_session *session)
{
    return session->threshold;
}

int sgm_session_knows_loose(const sgm_session *session)
{
    return session->knows_loose;
}

/* A box is tight for models that know no other. */
static sgm_prompt meant(const sgm_session *session, const sgm_prompt *prompt)
{
    sgm_prompt known = *prompt;
    known.loose_box = prompt->loose_box && prompt->box && session->knows_loose;
    return known;
}

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
    int side = 4 * session->config->grid;
    if (meant(session, prompt).loose_box)
        sgm_prompt_prior_loose(points, prompt->point_count, &box, side, logits);
    else
        sgm_prompt_prior(points, prompt->point_count, prompt->box ? &box : NULL, side, logits);
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
        SGM_TRY(sgm_session_reserve(&session->prompt_masks, count, low * sizeof(float)));
        if (!prompts[i].mask) {
            SGM_TRY(
                draw_prior(session, &prompts[i], (float *)session->prompt_masks.data + low * i));
            continue;
        }
        memcpy((float *)session->prompt_masks.data + low * i, prompts[i].mask, low * sizeof(float));
    }
    return SGM_OK;
}

static int class_of(const sgm_session *session, const sgm_prompt *prompt)
{
    return prompt->class_index ? prompt->class_index : session->class_index;
}

/* Tokens and mask prompts of the sets from `first` on into the decoder's inputs. */
static sgm_status set_prompts(sgm_session *session, const sgm_runner *r, const sgm_prompt *prompts,
                              size_t first)
{
    const sgm_program *p = r->program;
    size_t tokens = (size_t)p->key.tokens, low = low_count(session->config);
    float *coordinates = session->coordinates.data;
    int32_t *labels = session->labels.data;
    for (size_t i = 0; tokens && i < (size_t)p->key.batch; i++) {
        sgm_prompt prompt = meant(session, &prompts[first + i]);
        sgm_prompt_tokens(session->config, &session->frame, &prompt, coordinates + 2 * tokens * i,
                          labels + tokens * i);
    }
    if (tokens) {
        SGM_TRY(sgm_workspace_set(r->workspace, p->prompt.coordinates, coordinates));
        SGM_TRY(sgm_workspace_set(r->workspace, p->prompt.labels, labels));
    }
    for (size_t i = 0; p->key.classes && i < (size_t)p->key.batch; i++)
        labels[i] = class_of(session, &prompts[first + i]) - 1;
    if (p->key.classes) SGM_TRY(sgm_workspace_set(r->workspace, p->prompt.classes, labels));
    if (p->key.mask)
        SGM_TRY(sgm_workspace_set(r->workspace, p->prompt.mask,
                                  (float *)session->prompt_masks.data + first * low));
    return sgm_session_give_features(session, r, session->current);
}

static bool has_number(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i])) return true;
    return false;
}

/* Of a network whose weights hold what is no number, no mask would be taken for an empty one. The
 * answers of `batch` prompts from `first` on: their ratings and, where the host has them, logits.
 */
static sgm_status check_answers(const sgm_session *session, size_t first, size_t batch,
                                bool has_logits)
{
    size_t masks = (size_t)session->config->decoder.mask_tokens, low = low_count(session->config);
    const float *iou = (const float *)session->iou.data + first * masks;
    const float *logits = (const float *)session->low_res.data + first * masks * low;
    bool numbers = true;
    for (size_t i = 0; i < batch && numbers; i++)
        numbers = has_number(iou + i * masks, masks);
    for (size_t i = 0; has_logits && i < batch * masks && numbers; i++)
        numbers = has_number(logits + i * low, low);
    if (numbers) return SGM_OK;
    return sgm_fail(SGM_BAD_MODEL,
                    "%s: the network's answer is not a number: its weights are damaged, as those "
                    "of a training that diverged",
                    sgm_checkpoint_path(sgm_model_checkpoint(session->model)));
}

/* Decodes `key.batch` prompt sets; IoU predictions go to places `first` on, and so do logits where
 * the host needs them. */
static sgm_status decode(sgm_session *session, sgm_program_key key, const sgm_prompt *prompts,
                         size_t first, bool want_logits, sgm_runner **out)
{
    sgm_runner *r;
    size_t batch = (size_t)key.batch, masks = (size_t)session->config->decoder.mask_tokens;
    size_t low = low_count(session->config);
    SGM_TRY(sgm_session_reserve(&session->coordinates, 2 * batch * (size_t)key.tokens + 1,
                                sizeof(float)));
    SGM_TRY(
        sgm_session_reserve(&session->labels, batch * ((size_t)key.tokens + 1), sizeof(int32_t)));
    SGM_TRY(find_decoder(session, key, &r));
    SGM_TRY(set_prompts(session, r, prompts, first));
    SGM_TRY(sgm_plan_run(r->program->plan, r->workspace));
    if (want_logits)
        SGM_TRY(sgm_workspace_get(r->workspace, r->program->low_res,
                                  (float *)session->low_res.data + first * masks * low));
    *out = r;
    SGM_TRY(sgm_workspace_get(r->workspace, r->program->iou,
                              (float *)session->iou.data + first * masks));
    return check_answers(session, first, batch, want_logits);
}

sgm_status sgm_session_ask_class(sgm_session *session, int class_index)
{
    SGM_TRY(sgm_prompt_check_class(session->config, class_index));
    session->class_index = class_index;
    return SGM_OK;
}

/* The prompt as it is decoded: with the session's class where it has none. */
static sgm_status check_prompt(const sgm_session *session, const sgm_prompt *prompt)
{
    sgm_prompt whole = *prompt;
    whole.class_index = class_of(session, prompt);
    return sgm_prompt_check(session->config, &session->frame, &whole);
}

static sgm_program_key key_of(const sgm_session *session, const sgm_prompt *prompt)
{
    if (!sgm_config_listens(session->config))
        return (sgm_program_key){
            .stage = SGM_STAGE_DECODE, .batch = 1, .classes = session->config->classes > 0};
    sgm_prompt known = meant(session, prompt);
    return (sgm_program_key){.stage = SGM_STAGE_DECODE,
                             .batch = 1,
                             .tokens = sgm_prompt_token_count(&known),
                             .mask = prompt->mask || session->wants_prior};
}

sgm_status sgm_session_expect(sgm_session *session, size_t points)
{
    static const float any_mask;
    sgm_program *program;
    sgm_prompt prompt = {.point_count = points, .mask = &any_mask};
    SGM_TRY(sgm_model_program(session->model, key_of(session, &prompt), &program));
    sgm_model_release(session->model, program);
    return SGM_OK;
}

/* The largest power of two of prompts from `first` on that fit one decoder. */
static sgm_program_key next_batch(const sgm_session *session, const sgm_prompt *prompts,
                                  size_t first, size_t count)
{
    sgm_program_key key = key_of(session, &prompts[first]);
    while (key.batch < session->most_decoded && first + 2 * (size_t)key.batch <= count) {
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
    int count = session->config->decoder.mask_tokens;
    bool one_point = prompt->point_count == 1 && !prompt->box && !prompt->mask;
    if (choice == SGM_CHOOSE_AUTO || session->config->classes)
        return sgm_protocol_answer(session->config->protocol, one_point, iou, count,
                                   class_of(session, prompt));
    return sgm_protocol_answer(&sgm_protocol_sam, choice == SGM_CHOOSE_MULTI, iou, count, 0);
}

static bool is_tight(const sgm_session *session, const sgm_prompt *prompt,
                     const sgm_predict_options *options)
{
    sgm_tight_box wish = options ? options->tight_box : SGM_TIGHT_BOX_AUTO;
    bool wanted = wish == SGM_TIGHT_BOX_ON || (wish == SGM_TIGHT_BOX_AUTO && session->wants_tight);
    if (!sgm_config_listens(session->config)) return false;
    if (!wanted || !prompt->box || prompt->mask || prompt->loose_box) return false;
    for (size_t i = 0; i < prompt->point_count; i++)
        if (prompt->points[i].label == SGM_BACKGROUND) return false;
    return !session->config->protocol->probabilities && !session->config->protocol->range;
}

/* Whether the host reads the logits of these prompts' masks: always, unless masks are made on the
 * device. */
static bool needs_logits(const sgm_session *session, const sgm_prompt *prompts, size_t count,
                         const sgm_predict_options *options)
{
    if (!sgm_session_on_device(session) || (options && options->want_logits)) return true;
    if (session->config->protocol->answer == SGM_ANSWER_CLASS) return true;
    for (size_t i = 0; i < count; i++)
        if (is_tight(session, &prompts[i], options)) return true;
    return false;
}

/* Where the mask of a prompt goes, and what else is known of it before it is made. */
static void describe_mask(const sgm_session *session, const sgm_prompt *prompt,
                          const sgm_predict_options *options, size_t index, sgm_mask *out)
{
    size_t tokens = (size_t)session->config->decoder.mask_tokens, low = low_count(session->config);
    sgm_size size = session->frame.original;
    const float *logits = (const float *)session->low_res.data + index * tokens * low;
    const float *iou = (const float *)session->iou.data + index * tokens;
    int side = 4 * session->config->grid;
    int chosen = choose(session, prompt, options ? options->choice : SGM_CHOOSE_AUTO, iou);
    *out = (sgm_mask){.data = (uint8_t *)session->masks.data +
                              index * (size_t)size.width * (size_t)size.height,
                      .width = size.width,
                      .height = size.height,
                      .chosen = chosen,
                      .predicted_iou = iou[chosen],
                      .low_res = options && options->want_logits ? logits : NULL,
                      .iou = iou,
                      .mask_tokens = (int)tokens,
                      .low_res_shape = {side, side}};
}

/* The logit above which a place belongs to the mask. */
static float threshold_of(const sgm_session *session, const sgm_prompt *prompt,
                          const sgm_predict_options *options, const float *logits)
{
    if (!is_tight(session, prompt, options)) return session->threshold;
    sgm_point first = low_res_place(session, prompt->box->x0, prompt->box->y0);
    sgm_point second = low_res_place(session, prompt->box->x1, prompt->box->y1);
    return sgm_tight_box_threshold(logits, 4 * session->config->grid,
                                   &(sgm_box){first.x, first.y, second.x, second.y},
                                   session->threshold);
}

/* Whether all prompts are one question: the network has a mask per class and asks for nothing. */
static bool asks_once(const sgm_session *session)
{
    return session->config->protocol->answer == SGM_ANSWER_CLASS &&
           !sgm_config_listens(session->config);
}

/* Where mask `chosen` of the `tokens` maps is the largest. */
static sgm_status class_mask(sgm_session *session, const float *maps, int tokens, int chosen,
                             uint8_t *mask)
{
    size_t pixels = (size_t)session->frame.original.width * (size_t)session->frame.original.height;
    if (!session->has_largest) {
        SGM_TRY(sgm_session_reserve(&session->largest, pixels, sizeof(uint16_t)));
        SGM_TRY(sgm_upscaler_largest(session->upscaler, maps, tokens, session->largest.data));
    }
    const uint16_t *largest = session->largest.data;
    session->has_largest = asks_once(session);
    for (size_t i = 0; i < pixels; i++)
        mask[i] = largest[i] == chosen;
    return SGM_OK;
}

/* Makes the mask that `out` describes, prompt `index`, number `place` of its decoder's batch; by
 * the device where it can (then *started: it is under way), else here. */
static sgm_status make_mask(sgm_session *session, const sgm_runner *r, const sgm_prompt *prompt,
                            const sgm_predict_options *options, size_t index, size_t place,
                            const sgm_mask *out, bool *started)
{
    size_t tokens = (size_t)session->config->decoder.mask_tokens, low = low_count(session->config);
    size_t chosen = (size_t)out->chosen;
    float *logits = (float *)session->low_res.data + (index * tokens + chosen) * low;
    const float *device = sgm_workspace_memory(r->workspace, r->program->low_res);
    if (session->config->protocol->answer == SGM_ANSWER_CLASS) {
        *started = false;
        return class_mask(session, logits - chosen * low, (int)tokens, (int)chosen,
                          (uint8_t *)out->data);
    }
    float above = threshold_of(session, prompt, options, logits);
    SGM_TRY(
        sgm_session_start_mask(session, device + (place * tokens + chosen) * low, above, started));
    if (*started) return SGM_OK;
    bool fetched = !sgm_session_on_device(session) || (options && options->want_logits);
    if (!fetched)
        SGM_TRY(session->backend->ops->download(session->backend, logits,
                                                device + (place * tokens + chosen) * low,
                                                low * sizeof(float)));
    sgm_upscaler_mask(session->upscaler, logits, above, (uint8_t *)out->data);
    return SGM_OK;
}

static sgm_status finish_mask(sgm_session *session, const sgm_prompt *prompt,
                              const sgm_predict_options *options, bool started, const sgm_mask *out)
{
    if (started) SGM_TRY(sgm_session_finish_mask(session, (uint8_t *)out->data));
    if (!is_tight(session, prompt, options)) return SGM_OK;
    return sgm_mask_fill_holes((uint8_t *)out->data, out->width, out->height);
}

/* The masks of a decoder's batch. A mask is on its way to the host while the next one is made. */
static sgm_status make_masks(sgm_session *session, const sgm_runner *r, const sgm_prompt *prompts,
                             const sgm_predict_options *options, size_t first, sgm_mask *masks)
{
    size_t count = (size_t)r->program->key.batch;
    bool started[LARGEST_BATCH] = {false};
    sgm_status status = SGM_OK;
    for (size_t i = 0; i < count && status == SGM_OK; i++) {
        size_t index = first + i;
        describe_mask(session, &prompts[index], options, index, &masks[index]);
        status =
            make_mask(session, r, &prompts[index], options, index, i, &masks[index], &started[i]);
        if (status != SGM_OK || i == 0) continue;
        status =
            finish_mask(session, &prompts[index - 1], options, started[i - 1], &masks[index - 1]);
    }
    if (status != SGM_OK) sgm_session_drop_masker(session); /* with what is under way */
    SGM_TRY(status);
    return finish_mask(session, &prompts[first + count - 1], options, started[count - 1],
                       &masks[first + count - 1]);
}

static sgm_status reserve_results(sgm_session *session, size_t count)
{
    size_t tokens = (size_t)session->config->decoder.mask_tokens;
    size_t pixels = (size_t)session->frame.original.width * (size_t)session->frame.original.height;
    SGM_TRY(sgm_session_reserve(&session->low_res, count,
                                tokens * low_count(session->config) * sizeof(float)));
    SGM_TRY(sgm_session_reserve(&session->iou, count, tokens * sizeof(float)));
    SGM_TRY(sgm_session_reserve(&session->masks, count, pixels));
    if (session->upscaler) return SGM_OK;
    return sgm_upscaler_create(session->config, &session->frame, &session->upscaler);
}

/* After a decoder for `batch` prompts found no memory: fewer at a time, then the encoders for more
 * than one picture give theirs. False: nothing is left to give. */
static bool find_room(sgm_session *session, int batch)
{
    if (batch > 1) {
        session->most_decoded = batch / 2;
        return true;
    }
    bool held = false;
    for (int i = 1; i < ENCODER_SIZES; i++) {
        held |= session->encoders[i].program != NULL;
        sgm_runner_clear(session, &session->encoders[i]);
    }
    session->most_encoded = 1;
    return held;
}

sgm_status sgm_session_predict_many(sgm_session *session, const sgm_prompt *prompts, size_t count,
                                    const sgm_predict_options *given, sgm_mask *masks)
{
    sgm_predict_options how = {0}, *options = &how;
    if (given) SGM_TRY(sgm_sized_read("sgm_predict_options", given, sizeof how, &how, sizeof how));
    if (!session || (count && (!prompts || !masks)))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "sgm_session_predict: session, prompt or out is NULL");
    if (!session->has_embedding)
        return sgm_fail(SGM_INVALID_ARGUMENT, "set an image or an embedding before predicting");
    for (size_t i = 0; i < count; i++)
        SGM_TRY(check_prompt(session, &prompts[i]));
    bool known = session->has_largest && count == 1;
    session->has_largest = known;
    SGM_TRY(copy_masks(session, prompts, count));
    SGM_TRY(reserve_results(session, count));
    for (size_t first = 0; first < count;) {
        sgm_runner *r;
        sgm_program_key key = next_batch(session, prompts, first, count);
        bool want = needs_logits(session, &prompts[first], (size_t)key.batch, options);
        sgm_status status =
            known ? find_decoder(session, key, &r) : decode(session, key, prompts, first, want, &r);
        if (status == SGM_OUT_OF_MEMORY && find_room(session, key.batch)) continue;
        SGM_TRY(status);
        SGM_TRY(make_masks(session, r, prompts, options, first, masks));
        first += (size_t)key.batch;
    }
    return SGM_OK;
}

sgm_status sgm_session_decode(sgm_session *session, const sgm_prompt *prompts, size_t count,
                              const float **low_res, const float **iou)
{
    if (!session->has_embedding)
        return sgm_fail(SGM_INVALID_ARGUMENT, "set an image or an embedding before predicting");
    for (size_t i = 0; i < count; i++)
        SGM_TRY(check_prompt(session, &prompts[i]));
    SGM_TRY(copy_masks(session, prompts, count));
    SGM_TRY(reserve_results(session, count));
    for (size_t first = 0; first < count;) {
        sgm_runner *r;
        sgm_program_key key = next_batch(session, prompts, first, count);
        sgm_status status = decode(session, key, prompts, first, true, &r);
        if (status == SGM_OUT_OF_MEMORY && find_room(session, key.batch)) continue;
        SGM_TRY(status);
        first += (size_t)key.batch;
    }
    *low_res = session->low_res.data;
    *iou = session->iou.data;
    return SGM_OK;
}

static sgm_status check_each(const sgm_session *session, const sgm_prompt *prompts, size_t count)
{
    const char *own = session->low_res.data;
    for (size_t i = 0; i < count; i++) {
        const char *mask = (const char *)prompts[i].mask;
        SGM_TRY(sgm_prompt_check(session->config, &session->frame, &prompts[i]));
        if (mask && own && mask >= own && mask < own + session->low_res.size)
            return sgm_fail(SGM_INVALID_ARGUMENT,
                            "prompt %zu: its mask is the session's own memory, which masks on the "
                            "way overwrite; copy it",
                            i + 1);
    }
    return SGM_OK;
}

sgm_status sgm_session_predict_each(sgm_session *session, const sgm_prompt *prompts, size_t count,
                                    const sgm_predict_options *options, sgm_mask_fn give,
                                    void *user)
{
    sgm_mask masks[LARGEST_BATCH];
    if (!session || !give || (count && !prompts))
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_session_predict_each: NULL");
    SGM_TRY(check_each(session, prompts, count));
    for (size_t first = 0; first < count; first += LARGEST_BATCH) {
        size_t part = count - first < LARGEST_BATCH ? count - first : LARGEST_BATCH;
        SGM_TRY(sgm_context_cancelled(sgm_model_context(session->model)));
        SGM_TRY(sgm_session_predict_many(session, prompts + first, part, options, masks));
        for (size_t i = 0; i < part; i++)
            if (give(user, first + i, &masks[i]))
                return sgm_fail(SGM_CANCELLED, "cancelled after %zu of %zu masks", first + i + 1,
                                count);
    }
    return SGM_OK;
}

sgm_status sgm_session_predict(sgm_session *session, const sgm_prompt *prompt,
                               const sgm_predict_options *options, sgm_mask *out)
{
    return sgm_session_predict_many(session, prompt, 1, options, out);
}
