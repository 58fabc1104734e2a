/* Embeddings of pictures and their views: as many in memory as it may hold, the rest in a store,
 * each computed only when it is in neither. */
#ifndef SEGMODEL_PREDICT_LOOK_EMBEDDER_H
#define SEGMODEL_PREDICT_LOOK_EMBEDDER_H

#include "predict/look/predictor.h"
#include "predict/look/view.h"
#include "segmodel/segmodel.h"

#define SGM_EMBEDDING_MEMORY ((size_t)256 << 20)

typedef struct sgm_embedding_slot sgm_embedding_slot;

struct sgm_embedding_slot {
    int64_t picture;
    sgm_view view; /* width 0: free */
    float *values; /* of the predictor's memory, if it has alloc */
    int ahead;     /* encoded before anybody asked for it */
    sgm_embedding_slot *next_in_bucket, *older, *newer; /* older, newer: by last use */
};

/* What the caller will probably want next, so that pictures are encoded in batches. */
typedef struct sgm_upcoming {
    void *user;
    /* The n-th picture after the present one: 0 if there is none, 1 if it may be asked for, 2 if it
     * will be. */
    int (*picture)(void *user, int n, int64_t *picture);
    /* Its pixels, of the present picture's size; valid until the next call. */
    const sgm_image *(*image)(void *user, int64_t picture);
} sgm_upcoming;

#define SGM_MOST_AHEAD 16

typedef struct sgm_embedder {
    const sgm_predictor *predictor;
    sgm_embedding_store store;
    sgm_embedding_slot *oldest, *newest;   /* slots are made when they are needed */
    sgm_embedding_slot **buckets;          /* those that are not free, by picture and view */
    size_t bucket_count, made, slot_count; /* slots there are, and how many there may be */
    sgm_embedding_slot *current;           /* the predictor's, or NULL */
    int64_t encoded, cached;
    float *host;                    /* one embedding on its way to or from the store; see alloc */
    sgm_upcoming upcoming;          /* picture NULL: nothing is encoded ahead */
    int depth;                      /* pictures per batch that only may be asked for */
    int ahead, used_ahead;          /* of the last batch */
    int64_t staged[SGM_MOST_AHEAD]; /* pictures the predictor has staged, in the view below */
    uint64_t staged_keys[SGM_MOST_AHEAD]; /* for the store, if there is one */
    int staged_count;
    sgm_view staged_view;
} sgm_embedder;

/* `predictor` is borrowed; `store` may be NULL; `memory` in bytes, 0: SGM_EMBEDDING_MEMORY. */
sgm_status sgm_embedder_init(sgm_embedder *embedder, const sgm_predictor *predictor,
                             const sgm_embedding_store *store, size_t memory);
void sgm_embedder_clear(sgm_embedder *embedder);

/* Makes the embedding of this part of a picture the predictor's current one. `picture` numbers
 * pictures: the same number means the same pixels until sgm_embedder_forget. */
sgm_status sgm_embedder_select(sgm_embedder *embedder, int64_t picture, const sgm_image *image,
                               sgm_view view);
/* Whether the embedding is in memory; it counts as used then, and stays there longer. */
int sgm_embedder_holds(sgm_embedder *embedder, int64_t picture, sgm_view view);
/* Drops what is in memory: pictures change. */
void sgm_embedder_forget(sgm_embedder *embedder);

#endif
