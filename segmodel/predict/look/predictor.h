/* What volume prediction and zoom need of a network, and nothing more: pictures in, masks out.
 * session_predictor.c binds it to sgm_session; tests bind it to a synthetic network. */
#ifndef SEGMODEL_PREDICT_LOOK_PREDICTOR_H
#define SEGMODEL_PREDICT_LOOK_PREDICTOR_H

#include "models/protocol.h"
#include "predict/session/feature_map.h"
#include "segmodel/segmodel.h"

#define SGM_MOST_MAPS 8

typedef struct sgm_predictor {
    void *self;
    int image_size;       /* side of the network's square input */
    int low_res_shape[2]; /* rows, columns of the low-res logits */
    int stretches;        /* 1: pictures are stretched to the square; 0: scaled by their longer side
                             and padded at the right or bottom, as in SAM */
    size_t embedding_count; /* FP32 values of an embedding */
    uint64_t key;           /* of weights and precision, for embedding stores */
    sgm_walk walk;          /* how a walk asks */
    sgm_walk walk_in_box;   /* and where a box in space bounds the object */
    float stop_rating;      /* a walk by masks alone ends at answers rated lower, */
    float far_rating;       /* and far from where it began at those rated lower than this */
    float walk_lowering;    /* and asks with a neighbour's logits lowered by so much */
    float walk_likeness;    /* which leans by up to so many logits to what looks like the slice
                               that the walk left */
    float mask_threshold;   /* masks are where logits exceed it */
    const struct sgm_point_rating *point_rating; /* borrowed; NULL: looks at a point are rated by
                                                    their predicted IoU */

    /* Hash of the exact network input. */
    sgm_status (*input_hash)(void *self, const sgm_image *image, uint64_t *hash);
    /* Picture to embedding_count values; the current embedding becomes unspecified. */
    sgm_status (*encode)(void *self, const sgm_image *image, float *embedding);
    /* Makes these values, of a picture of this size, the current embedding; borrowed until another
     * one becomes it. */
    sgm_status (*select)(void *self, const float *embedding, int width, int height);
    /* As sgm_session_predict on the current embedding. */
    sgm_status (*decode)(void *self, const sgm_prompt *prompt, const sgm_predict_options *options,
                         sgm_mask *out);
    /* The current embedding's maps, at most SGM_MOST_MAPS; valid until the next call. May be NULL:
     * they are not to be had. */
    sgm_status (*maps)(void *self, sgm_feature_map *maps, int *count);
    /* Prompts of so many points and a mask will come; may be NULL. */
    sgm_status (*expect)(void *self, size_t points);
    /* SGM_CANCELLED when the user wants to stop, else SGM_OK; may be NULL. */
    sgm_status (*cancelled)(void *self);

    /* Where embeddings are kept as the network reads them, where it runs, `embedding` above is not
     * values of the host; these are set then, and NULL otherwise. alloc: memory for one, NULL when
     * there is none. read, write: to and from embedding_count values as stores keep them. */
    void *(*alloc)(void *self);
    void (*free)(void *self, void *embedding);
    sgm_status (*read)(void *self, const void *embedding, float *values);
    sgm_status (*write)(void *self, void *embedding, const float *values);
    /* Up to `batch` pictures of one size are staged, then encoded together; as in session_batch.h.
     * Used where batch > 1. */
    int batch;
    sgm_status (*stage)(void *self, int place, const sgm_image *image);
    sgm_status (*encode_staged)(void *self, int count, void *const embeddings[]);
} sgm_predictor;

#endif
