/* What session.c (the public calls) and session_device.c (where embeddings, pictures and masks are
 * when the backend has its own memory) share. */
#ifndef SEGMODEL_PREDICT_SESSION_SESSION_INTERNAL_H
#define SEGMODEL_PREDICT_SESSION_SESSION_INTERNAL_H

#include "backend/picture.h"
#include "predict/session/model.h"
#include "predict/session/postprocess.h"
#include "predict/session/session_batch.h"

enum {
    KEPT_DECODERS = 12, /* where they share memory */
    KEPT_ON_DEVICE = 4, /* where each has its own */
    LARGEST_BATCH = 8,
    ENCODER_SIZES = 4 /* batches of 1, 2, 4, 8 */
};

/* A program and this session's memory to run it. */
typedef struct sgm_runner {
    sgm_program *program;
    sgm_workspace *workspace;
    uint64_t last_used;
} sgm_runner;

/* Memory that grows and is never given back before the end. */
typedef struct sgm_buffer {
    void *data;
    size_t size;
} sgm_buffer;

struct sgm_session {
    sgm_model *model;
    const sgm_model_config *config;
    sgm_backend *backend;
    sgm_runner encoders[ENCODER_SIZES], decoders[KEPT_DECODERS];
    void *shared; /* of all decoders, on the host: they run one after the other */
    size_t shared_size;
    int most_encoded, most_decoded; /* batches; they shrink when memory does not do */
    uint64_t clock;
    sgm_frame frame;
    bool has_embedding;
    bool knows_loose;       /* the model tells loose boxes from tight ones */
    bool wants_prior;       /* the model takes prompt_prior.h where there is no mask prompt */
    bool wants_tight;       /* and tight_box.h where the caller does not say */
    int class_index;        /* of prompts that have none */
    float threshold;        /* of masks, in logits: the model's metadata, else 0 */
    sgm_upscaler *upscaler; /* for frame; NULL until a mask is asked for */
    int feature_count;      /* what the network makes of a picture: family.h */
    sgm_feature features[SGM_MAX_FEATURES];
    void *embedding;     /* all features one after the other, [rows, columns, channels] each, in the
                            backend's memory */
    const void *current; /* the one that is asked: that, or a kept one */
    sgm_buffer input, coordinates, labels, prompt_masks, low_res, iou, masks, transposed;
    sgm_buffer largest; /* uint16: of every pixel the largest mask, where that is the answer */
    bool has_largest;   /* of the current embedding, and low_res and iou are what it was made of */
    /* device only */
    void *picture;       /* for staged_frame and staged_channels; NULL: the host prepares */
    bool picture_failed; /* no room for it */
    sgm_frame staged_frame;
    int staged_channels;
    void *masker; /* for frame; NULL: the host makes masks */
};

sgm_status sgm_session_reserve(sgm_buffer *buffer, size_t count, size_t size);
size_t sgm_session_embedding_count(const sgm_session *session);
size_t sgm_session_feature_count(const sgm_session *session, int feature);

void sgm_runner_clear(sgm_session *session, sgm_runner *runner);
/* Bytes of all of them together. */
size_t sgm_session_workspaces(const sgm_session *session);
/* A program with memory to run it, within the context's limit. */
sgm_status sgm_runner_make(sgm_session *session, sgm_program_key key, sgm_runner *runner);
/* The encoder for `count` images, 1, 2, 4 or 8; when only one has no room, the others give theirs.
 */
sgm_status sgm_session_encoder(sgm_session *session, int count, sgm_runner **out);
void sgm_session_set_frame(sgm_session *session, sgm_frame frame);

/* ------------------------------------------------------------------------- session_device.c */

/* Whether this backend prepares pictures and masks by itself. */
bool sgm_session_on_device(const sgm_session *session);
void sgm_session_device_clear(sgm_session *session);
/* Drops what was made for the last frame. */
void sgm_session_drop_masker(sgm_session *session);
/* The image as input `place` of an encoder; *done is false where the host has to do it. */
sgm_status sgm_session_place_image(sgm_session *session, const sgm_image *image, void *input,
                                   bool *done);
/* Starts a mask from logits in device memory; *started is false where the host has to make it. */
sgm_status sgm_session_start_mask(sgm_session *session, const float *low, float above,
                                  bool *started);
sgm_status sgm_session_finish_mask(sgm_session *session, uint8_t *mask);
/* Picture `place` of a batch's features into an embedding, and an embedding into a decoder. */
sgm_status sgm_session_take_features(sgm_session *session, const sgm_runner *encoder, int place,
                                     void *embedding);
sgm_status sgm_session_give_features(sgm_session *session, const sgm_runner *decoder,
                                     const void *embedding);
/* To and from the backend's memory, in order with plans. */
sgm_status sgm_session_copy(sgm_session *session, void *to, const void *from, size_t size);

#endif
