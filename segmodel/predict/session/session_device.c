/* Sessions on a backend with memory of its own: pictures are resized, normalised, upsampled and
 * thresholded there (backend/picture.h), embeddings stay there, and pictures of a series are
 * encoded in batches. Where there is no room for the tables the host does its part as on the CPU.
 */
#include "predict/session/session_internal.h"

#include <stdlib.h>
#include <string.h>

bool sgm_session_on_device(const sgm_session *session)
{
    return session->backend->ops->pictures && session->backend->ops->copy;
}

static void drop_picture(sgm_session *session)
{
    if (session->picture)
        session->backend->ops->pictures->picture_free(session->backend, session->picture);
    session->picture = NULL;
}

void sgm_session_drop_masker(sgm_session *session)
{
    if (session->masker)
        session->backend->ops->pictures->mask_free(session->backend, session->masker);
    session->masker = NULL;
}

void sgm_session_device_clear(sgm_session *session)
{
    drop_picture(session);
    sgm_session_drop_masker(session);
}

sgm_status sgm_session_copy(sgm_session *session, void *to, const void *from, size_t size)
{
    const sgm_backend_ops *ops = session->backend->ops;
    if (ops->copy) return ops->copy(session->backend, to, from, size);
    return ops->upload(session->backend, to, from, size); /* host memory */
}

/* ------------------------------------------------------------------------------------- pictures */

/* The device's tables for pictures of this frame; without room for them picture_failed is set. */
static sgm_status have_picture(sgm_session *session, const sgm_frame *frame, int channels)
{
    if ((session->picture || session->picture_failed) && session->staged_channels == channels &&
        !memcmp(&session->staged_frame, frame, sizeof *frame))
        return SGM_OK;
    sgm_picture_rule rule;
    drop_picture(session);
    SGM_TRY(sgm_picture_rule_make(session->config, frame, channels, &rule));
    sgm_status status = session->backend->ops->pictures->picture_create(
        session->backend, &rule, LARGEST_BATCH, &session->picture);
    sgm_picture_rule_clear(&rule);
    session->picture_failed = status == SGM_OUT_OF_MEMORY;
    session->staged_frame = *frame;
    session->staged_channels = channels;
    return session->picture_failed ? SGM_OK : status;
}

static sgm_status stage(sgm_session *session, int place, const sgm_image *image, bool *done)
{
    sgm_frame frame;
    uint8_t *pixels;
    *done = false;
    if (!image) return sgm_fail(SGM_INVALID_ARGUMENT, "the image has no data");
    SGM_TRY(sgm_frame_make(session->config, image->width, image->height, &frame));
    SGM_TRY(sgm_picture_pixels(session->config, image, &pixels));
    sgm_status status = have_picture(session, &frame, sgm_picture_channels(session->config, image));
    if (status == SGM_OK && session->picture) {
        status = session->backend->ops->pictures->picture_stage(session->backend, session->picture,
                                                                place, pixels);
        *done = true;
    }
    free(pixels);
    return status;
}

sgm_status sgm_session_place_image(sgm_session *session, const sgm_image *image, void *input,
                                   bool *done)
{
    *done = false;
    if (!sgm_session_on_device(session)) return SGM_OK;
    SGM_TRY(stage(session, 0, image, done));
    if (!*done) return SGM_OK;
    return session->backend->ops->pictures->picture_place(session->backend, session->picture, 0,
                                                          input);
}

int sgm_session_batch(const sgm_session *session)
{
    return sgm_session_on_device(session) ? LARGEST_BATCH : 1;
}

sgm_status sgm_session_stage(sgm_session *session, int place, const sgm_image *image)
{
    bool done;
    SGM_TRY(stage(session, place, image, &done));
    return done ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no GPU memory for pictures of this size");
}

/* Places first .. first + size - 1 through one encoder. */
static sgm_status encode_some(sgm_session *session, sgm_runner *r, int first, int size,
                              void *const embeddings[])
{
    const sgm_program *p = r->program;
    size_t input = (size_t)sgm_shape_count(p->image->shape) / (size_t)size * sizeof(float);
    char *to = sgm_workspace_memory(r->workspace, p->image);
    for (int i = 0; i < size; i++)
        SGM_TRY(session->backend->ops->pictures->picture_place(session->backend, session->picture,
                                                               first + i, to + (size_t)i * input));
    SGM_TRY(sgm_plan_submit(p->plan, r->workspace));
    for (int i = 0; i < size; i++)
        SGM_TRY(sgm_session_take_features(session, r, i, embeddings[first + i]));
    return SGM_OK;
}

sgm_status sgm_session_encode_staged(sgm_session *session, int count, void *const embeddings[])
{
    for (int first = 0; first < count;) {
        sgm_runner *r;
        int size = 1;
        while (2 * size <= session->most_encoded && first + 2 * size <= count)
            size *= 2;
        sgm_status status = sgm_session_encoder(session, size, &r);
        if (status == SGM_OUT_OF_MEMORY && size > 1) {
            session->most_encoded = size / 2;
            continue;
        }
        SGM_TRY(status);
        SGM_TRY(encode_some(session, r, first, size, embeddings));
        first += size;
    }
    return SGM_OK;
}

/* ----------------------------------------------------------------------------------- embeddings */

static size_t embedding_bytes(const sgm_session *session)
{
    return sgm_session_embedding_count(session) * sizeof(float);
}

void *sgm_session_embedding_alloc(sgm_session *session)
{
    return session->backend->ops->alloc(session->backend, embedding_bytes(session));
}

void sgm_session_embedding_free(sgm_session *session, void *embedding)
{
    if (embedding) session->backend->ops->free(session->backend, embedding);
}

sgm_status sgm_session_take_features(sgm_session *session, const sgm_runner *encoder, int place,
                                     void *embedding)
{
    float *to = embedding;
    for (int i = 0; i < session->feature_count; i++) {
        size_t count = sgm_session_feature_count(session, i);
        const float *from =
            sgm_workspace_memory(encoder->workspace, encoder->program->features.node[i]);
        SGM_TRY(sgm_session_copy(session, to, from + (size_t)place * count, count * sizeof *to));
        to += count;
    }
    return SGM_OK;
}

sgm_status sgm_session_give_features(sgm_session *session, const sgm_runner *decoder,
                                     const void *embedding)
{
    const float *from = embedding;
    for (int i = 0; i < session->feature_count; i++) {
        size_t count = sgm_session_feature_count(session, i);
        const sgm_node *input = decoder->program->in.node[i];
        if (session->backend->ops->host_memory)
            SGM_TRY(sgm_workspace_lend(decoder->workspace, input, from));
        else
            SGM_TRY(sgm_session_copy(session, sgm_workspace_memory(decoder->workspace, input), from,
                                     count * sizeof *from));
        from += count;
    }
    return SGM_OK;
}

/* Between the network's order, channels last, and the public one, channels first. */
static void reorder(const sgm_session *session, const float *from, float *to, bool to_public)
{
    for (int f = 0; f < session->feature_count; f++) {
        size_t channels = (size_t)session->features[f].channels;
        size_t count = sgm_session_feature_count(session, f), places = count / channels;
        for (size_t c = 0; c < channels; c++)
            for (size_t i = 0; i < places; i++) {
                if (to_public)
                    to[c * places + i] = from[i * channels + c];
                else
                    to[i * channels + c] = from[c * places + i];
            }
        from += count;
        to += count;
    }
}

/* Where the session's values of this embedding can be read by the host. */
static sgm_status on_host(sgm_session *session, const void *embedding, const float **values)
{
    *values = embedding;
    if (session->backend->ops->host_memory) return SGM_OK;
    SGM_TRY(sgm_session_reserve(&session->transposed, sgm_session_embedding_count(session),
                                sizeof(float)));
    *values = session->transposed.data;
    return session->backend->ops->download(session->backend, session->transposed.data, embedding,
                                           embedding_bytes(session));
}

sgm_status sgm_session_embedding_read(sgm_session *session, const void *embedding, float *values)
{
    const float *from;
    SGM_TRY(on_host(session, embedding, &from));
    reorder(session, from, values, true);
    return SGM_OK;
}

sgm_status sgm_session_embedding_write(sgm_session *session, void *embedding, const float *values)
{
    bool host = session->backend->ops->host_memory;
    if (!host)
        SGM_TRY(sgm_session_reserve(&session->transposed, sgm_session_embedding_count(session),
                                    sizeof(float)));
    float *to = host ? embedding : session->transposed.data;
    reorder(session, values, to, false);
    if (host) return SGM_OK;
    return session->backend->ops->upload(session->backend, embedding, to, embedding_bytes(session));
}

sgm_status sgm_session_maps(sgm_session *session, sgm_feature_map *maps, int most, int *count)
{
    const float *values;
    *count = session->feature_count;
    if (*count > most) return sgm_fail(SGM_INTERNAL, "an embedding has %d maps", *count);
    SGM_TRY(on_host(session, session->current, &values));
    for (int i = 0; i < *count; i++) {
        const sgm_feature *f = &session->features[i];
        maps[i] = (sgm_feature_map){(int)f->rows, (int)f->columns, (int)f->channels, values};
        values += sgm_session_feature_count(session, i);
    }
    return SGM_OK;
}

sgm_status sgm_session_keep(sgm_session *session, void *embedding)
{
    return sgm_session_copy(session, embedding, session->current, embedding_bytes(session));
}

sgm_status sgm_session_select(sgm_session *session, const void *embedding, int width, int height)
{
    sgm_frame frame;
    SGM_TRY(sgm_frame_make(session->config, width, height, &frame));
    session->current = embedding;
    sgm_session_set_frame(session, frame);
    return SGM_OK;
}

/* ---------------------------------------------------------------------------------------- masks */

sgm_status sgm_session_start_mask(sgm_session *session, const float *low, float above,
                                  bool *started)
{
    *started = false;
    if (!sgm_session_on_device(session) || session->config->protocol->range) return SGM_OK;
    const sgm_picture_ops *pictures = session->backend->ops->pictures;
    if (!session->masker) {
        sgm_mask_rule rule;
        sgm_upscaler_rule(session->upscaler, &rule);
        sgm_status status = pictures->mask_create(session->backend, &rule, &session->masker);
        if (status == SGM_OUT_OF_MEMORY) return SGM_OK; /* the host can do it */
        SGM_TRY(status);
    }
    *started = true;
    return pictures->mask_start(session->backend, session->masker, low,
                                sgm_upscaler_threshold(session->upscaler, above));
}

sgm_status sgm_session_finish_mask(sgm_session *session, uint8_t *mask)
{
    return session->backend->ops->pictures->mask_finish(session->backend, session->masker, mask);
}
