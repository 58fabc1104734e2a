#include "predict/look/session_predictor.h"

#include "core/number.h"
#include "predict/session/model.h"
#include "predict/session/session_batch.h"

static sgm_status bound_input_hash(void *self, const sgm_image *image, uint64_t *hash)
{
    sgm_session_predictor *binding = self;
    return sgm_session_input_hash(binding->session, image, hash);
}

static sgm_status bound_decode(void *self, const sgm_prompt *prompt,
                               const sgm_predict_options *options, sgm_mask *out)
{
    sgm_session_predictor *binding = self;
    return sgm_session_predict(binding->session, prompt, options, out);
}

static sgm_status bound_expect(void *self, size_t points)
{
    sgm_session_predictor *binding = self;
    return sgm_session_expect(binding->session, points);
}

static sgm_status bound_cancelled(void *self)
{
    sgm_session_predictor *binding = self;
    return sgm_context_cancelled(sgm_model_context(binding->model));
}

static sgm_status bound_maps(void *self, sgm_feature_map *maps, int *count)
{
    sgm_session_predictor *binding = self;
    return sgm_session_maps(binding->session, maps, SGM_MOST_MAPS, count);
}

/* ----------------------------------- embeddings, kept as the network reads them, where it runs */

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

uint64_t sgm_model_store_key(const sgm_model *model)
{
    sgm_model_info info;
    sgm_model_get_info(model, &info);
    /* an odd multiplier spreads the precision over the key */
    return info.hash ^ ((uint64_t)info.precision * 0x9e3779b97f4a7c15u);
}

int sgm_model_wants_zoom(const sgm_model *model)
{
    return sgm_model_get_config(model)->protocol->crops;
}

/* A number of the checkpoint's metadata, if it has one there that can be. */
static float number_of(const sgm_model *model, const char *key, double low, double high,
                       float otherwise)
{
    const char *text = sgm_checkpoint_metadata(sgm_model_checkpoint(model), key);
    char *end = NULL;
    double value = text ? sgm_read_number(text, &end) : 0;
    bool can_be = text && end != text && !*end && value >= low && value <= high;
    return can_be ? (float)value : otherwise;
}

/* The file's weights, or NULL where it has none that can be. */
static const sgm_point_rating *point_rating(sgm_session_predictor *binding)
{
    const char *text =
        sgm_checkpoint_metadata(sgm_model_checkpoint(binding->model), SGM_METADATA_POINT_RATING);
    bool can_be = text && sgm_point_rating_read(text, &binding->point_rating) == SGM_OK;
    return can_be ? &binding->point_rating : NULL;
}

static sgm_walk walk_in_box(const sgm_session_predictor *binding)
{
    const sgm_protocol *row = sgm_model_get_config(binding->model)->protocol;
    bool differs = row->walk_in_box && !sgm_session_knows_loose(binding->session);
    return differs ? *row->walk_in_box : row->walk;
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
        .walk = sgm_model_get_config(model)->protocol->walk,
        .walk_in_box = walk_in_box(binding),
        .stop_rating = number_of(model, SGM_METADATA_STOP_RATING, 0, 1, SGM_STOP_RATING),
        .far_rating = number_of(model, SGM_METADATA_FAR_RATING, 0, 1, 0),
        .walk_lowering = number_of(model, SGM_METADATA_WALK_LOWERING, -SGM_LARGEST_WALK_LOWERING,
                                   SGM_LARGEST_WALK_LOWERING, 0),
        .walk_likeness =
            number_of(model, SGM_METADATA_WALK_LIKENESS, 0, SGM_LARGEST_WALK_LIKENESS, 0),
        .mask_threshold = sgm_session_mask_threshold(binding->session),
        .point_rating = point_rating(binding),
        .stretches = sgm_model_get_config(model)->protocol->stretch,
        .embedding_count = info.embedding_count,
        .key = sgm_model_store_key(model),
        .input_hash = bound_input_hash,
        .decode = bound_decode,
        .expect = bound_expect,
        .cancelled = bound_cancelled,
        .encode = kept_encode,
        .select = kept_select,
        .maps = bound_maps,
        .alloc = kept_alloc,
        .free = kept_free,
        .read = kept_read,
        .write = kept_write,
        .batch = sgm_session_batch(binding->session),
        .stage = kept_stage,
        .encode_staged = kept_encode_staged,
    };
    return SGM_OK;
}

void sgm_session_predictor_clear(sgm_session_predictor *binding)
{
    sgm_session_destroy(binding->session);
    *binding = (sgm_session_predictor){0};
}
