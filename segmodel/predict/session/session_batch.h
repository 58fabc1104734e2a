/* Sessions for callers that encode many pictures: embeddings stay where the network runs, and
 * pictures are encoded in batches. Internal to predict/. */
#ifndef SEGMODEL_PREDICT_SESSION_SESSION_BATCH_H
#define SEGMODEL_PREDICT_SESSION_SESSION_BATCH_H

#include "predict/session/feature_map.h"
#include "segmodel/segmodel.h"

/* The class that prompts without one ask for; 0: none. SGM_BAD_PROMPT if the network is not
 * prompted by class, has no such class, or is and none is given. */
sgm_status sgm_session_ask_class(sgm_session *session, int class_index);

/* Pictures that are worth staging together; 1 where batches gain nothing (the CPU). */
int sgm_session_batch(const sgm_session *session);

/* Brings a picture to `place` (below sgm_session_batch), beside what the device is doing. All
 * pictures staged together have one size and number of channels. */
sgm_status sgm_session_stage(sgm_session *session, int place, const sgm_image *image);
/* Encodes places 0 .. count - 1 into these embeddings and returns before that is done; errors show
 * in a later call. Staging may go on at once. Where memory does not do for `count` at a time, fewer
 * are encoded at a time. */
sgm_status sgm_session_encode_staged(sgm_session *session, int count, void *const embeddings[]);

/* Embeddings in the backend's memory. */
void *sgm_session_embedding_alloc(sgm_session *session);
void sgm_session_embedding_free(sgm_session *session, void *embedding);
/* To and from FP32 values as sgm_session_get_embedding gives them. */
sgm_status sgm_session_embedding_read(sgm_session *session, const void *embedding, float *values);
sgm_status sgm_session_embedding_write(sgm_session *session, void *embedding, const float *values);
/* Keeps the embedding that is asked, and asks a kept one: it is borrowed until another one, or a
 * picture, is set. */
sgm_status sgm_session_keep(sgm_session *session, void *embedding);
sgm_status sgm_session_select(sgm_session *session, const void *embedding, int width, int height);

/* Maps of the embedding that is asked, at most `most`; valid until the
 * session's next call. */
sgm_status sgm_session_maps(sgm_session *session, sgm_feature_map *maps, int most, int *count);

/* Makes the program that decodes so many points together with a mask, so that the first prompt of
 * that kind does not wait for it; the model keeps it. */
sgm_status sgm_session_expect(sgm_session *session, size_t points);

/* What the decoder says of each prompt, before a mask is chosen and made: mask_tokens maps of
 * low_res_shape logits and as many predicted IoUs per prompt, on the host, valid until the
 * session's next call. The session's upscaler is made. Errors as sgm_session_predict_many's. */
sgm_status sgm_session_decode(sgm_session *session, const sgm_prompt *prompts, size_t count,
                              const float **low_res, const float **iou);

/* Whether the model tells boxes that only bound their object from tight ones. */
int sgm_session_knows_loose(const sgm_session *session);
/* Masks are where logits exceed it. */
float sgm_session_mask_threshold(const sgm_session *session);

#endif
