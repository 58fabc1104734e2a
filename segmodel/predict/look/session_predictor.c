#include "predict/look/session_predictor.h"

#include "predict/session/model.h"
#include "predict/session/session_batch.h"

enum { LARGEST_ZOOMED_INPUT = 512 };

static sgm_status bound_input_hash(void *self, const sgm_image *image, uint64_t *hash)
{
    sgm_session_predictor *binding = self;
    return sgm_session_input_hash(binding->session, image, hash);
}

static sgm_status bound_encode(void *self, const sgm_image *image, float *embedding)
{
    sgm_session_predictor *binding = self;
    SGM_TRY(sgm_session_set_image(binding->session, image));
    return sgm_session_get_embedding(binding->session, embedding);
}

static sgm_status bound_select(void *self, const float *embedding, int width, int height)
{
    sgm_session_predictor *binding = self;
    return sgm_session_set_embedding(binding->session, embedding, width, height);
}

static sgm_status bound_decode(void *self, const sgm_prompt *prompt,
                               const sgm_predict_options *options, sgm_mask *out)
{
    sgm_session_predictor *binding = self;
    return sgm_session_predict(binding->session, prompt, options, out);
}

static sgm_status bound_cancelled(void *self)
{
    sgm_session_predictor *binding = self;
    return sgm_context_cancelled(sgm_model_context(binding->model));
}

/* --------------------------------------------------------- embeddings that stay on the device */

static sgm_status kept_encode(void *self, const sgm_image *image, float *embedding)
{
    sgm_session_predictor *binding = self;
    SGM_TRY(sgm_session_set_image(binding->session, image));
    return sgm_session_keep(binding->session, embedding);
}

static sgm_status kept_select(void *self, const float *embedding, int width, int height)
{
    sgm_session_predictor *binding = self;
    return sgm_session_select(binding->session, embedding, width, height);
}

static void *kept_alloc(void *self)
{
    sgm_session_predictor *binding = self;
    return sgm_session_embedding_alloc(binding->session);
}

static void kept_free(void *self, void *embedding)
{
    sgm_session_predictor *binding = self;
    sgm_session_embedding_free(binding->session, embedding);
}

static sgm_status kept_read(void *self, const void *embedding, float *values)
{
    sgm_session_predictor *binding = self;
    return sgm_session_embedding_read(binding->session, embedding, values);
}

static sgm_status kept_write(void *self, void *embedding, const float *values)
{
    sgm_session_predictor *binding = self;
    return sgm_session_embedding_write(binding->session, embedding, values);
}

static sgm_status kept_stage(void *self, int place, const sgm_image *image)
{
    sgm_session_predictor *binding = self;
    return sgm_session_stage(binding->session, place, image);
}

static sgm_status kept_encode_staged(void *self, int count, void *const embeddings[])
{
    sgm_session_predictor *binding = self;
    return sgm_session_encode_staged(binding->session, count, embeddings);
}

static void keep_on_device(sgm_predictor *predictor, int batch)
{
    predictor->encode = kept_encode;
    predictor->select = kept_select;
    predictor->alloc = kept_alloc;
    predictor->free = kept_free;
    predictor->read = kept_read;
    predictor->write = kept_write;
    predictor->batch = batch;
    predictor->stage = kept_stage;
    predictor->encode_staged = kept_encode_staged;
}

int sgm_model_wants_zoom(const sgm_model *model)
{
    const sgm_model_config *config = sgm_model_get_config(model);
    return config->image_size <= LARGEST_ZOOMED_INPUT && config->protocol->crops;
}

/* The row's word; networks that were trained here on crops have the row of SAM, but have learnt
 * what a neighbour's mask means. */
static int walks_by_mask(const sgm_model *model)
{
    const sgm_walk *walk = &sgm_model_get_config(model)->protocol->walk;
    return sgm_model_wants_zoom(model) || (walk->logits && !walk->box && !walk->points);
}

sgm_status sgm_session_predictor_init(sgm_session_predictor *binding, sgm_model *model)
{
    sgm_model_info info;
    *binding = (sgm_session_predictor){.model = model};
    SGM_TRY(sgm_session_create(model, &binding->session));
    sgm_model_get_info(model, &info);
    binding->predictor = (sgm_predictor){
        .self = binding,
        .image_size = info.image_size,
        .low_res_shape = {info.low_res_shape[0], info.low_res_shape[1]},
        .walks_by_mask = walks_by_mask(model),
        .knows_loose = sgm_session_knows_loose(binding->session),
        .stretches = sgm_model_get_config(model)->protocol->stretch,
        .embedding_count = info.embedding_count,
        /* an odd multiplier spreads the precision over the key */
        .key = info.hash ^ ((uint64_t)info.precision * 0x9e3779b97f4a7c15u),
        .input_hash = bound_input_hash,
        .encode = bound_encode,
        .select = bound_select,
        .decode = bound_decode,
        .cancelled = bound_cancelled,
    };
    int batch = sgm_session_batch(binding->session);
    if (batch > 1) keep_on_device(&binding->predictor, batch);
    return SGM_OK;
}

void sgm_session_predictor_clear(sgm_session_predictor *binding)
{
    sgm_session_destroy(binding->session);
    *binding = (sgm_session_predictor){0};
}
