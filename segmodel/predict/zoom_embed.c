#include "predict/zoom_embed.h"

#include "core/status.h"

#include <stdlib.h>
#include <string.h>

enum { MIN_SLOTS = 2, MAX_SLOTS = 256 };

sgm_status sgm_embedder_init(sgm_embedder *embedder, const sgm_predictor *predictor,
                             const sgm_embedding_store *store, size_t memory)
{
    size_t count = (memory ? memory : SGM_EMBEDDING_MEMORY) /
                   (sizeof(float) * (predictor->embedding_count ? predictor->embedding_count : 1));
    if (count < MIN_SLOTS) count = MIN_SLOTS;
    if (count > MAX_SLOTS) count = MAX_SLOTS;
    *embedder = (sgm_embedder){.predictor = predictor, .slot_count = count};
    if (store) embedder->store = *store;
    embedder->slots = calloc(count, sizeof *embedder->slots);
    return embedder->slots ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for embeddings");
}

void sgm_embedder_clear(sgm_embedder *embedder)
{
    for (size_t i = 0; embedder->slots && i < embedder->slot_count; i++)
        free(embedder->slots[i].values);
    free(embedder->slots);
    *embedder = (sgm_embedder){0};
}

void sgm_embedder_forget(sgm_embedder *embedder)
{
    embedder->current = NULL;
    for (size_t i = 0; i < embedder->slot_count; i++) {
        embedder->slots[i].frame.width = 0;
        embedder->slots[i].used = 0;
    }
}

static sgm_embedding_slot *find(sgm_embedder *embedder, int64_t picture, sgm_frame frame)
{
    for (size_t i = 0; i < embedder->slot_count; i++) {
        sgm_embedding_slot *slot = &embedder->slots[i];
        if (slot->frame.width && slot->picture == picture && sgm_frame_equal(slot->frame, frame))
            return slot;
    }
    return NULL;
}

/* The slot unused for longest, emptied, with room for an embedding. NULL: no memory. */
static sgm_embedding_slot *evict(sgm_embedder *embedder)
{
    sgm_embedding_slot *oldest = &embedder->slots[0];
    for (size_t i = 1; i < embedder->slot_count; i++)
        if (embedder->slots[i].used < oldest->used) oldest = &embedder->slots[i];
    if (!oldest->values)
        oldest->values = malloc(sizeof(float) * embedder->predictor->embedding_count);
    oldest->frame.width = 0;
    if (embedder->current == oldest) embedder->current = NULL;
    return oldest->values ? oldest : NULL;
}

static sgm_status compute(sgm_embedder *embedder, const sgm_image *part, float *values)
{
    const sgm_predictor *predictor = embedder->predictor;
    const sgm_embedding_store *store = &embedder->store;
    uint64_t key = 0;
    if (store->get || store->put) {
        SGM_TRY(predictor->input_hash(predictor->self, part, &key));
        key ^= predictor->key;
    }
    if (store->get && store->get(store->user, key, values, predictor->embedding_count)) {
        embedder->cached++;
        return SGM_OK;
    }
    embedder->current = NULL;
    SGM_TRY(predictor->encode(predictor->self, part, values));
    embedder->encoded++;
    if (store->put) store->put(store->user, key, values, predictor->embedding_count);
    return SGM_OK;
}

static sgm_image view(const sgm_image *image, sgm_frame frame)
{
    sgm_image part = *image;
    if (!part.stride) part.stride = (ptrdiff_t)image->width * image->channels;
    part.data += frame.y * part.stride + (ptrdiff_t)frame.x * image->channels;
    part.width = frame.width;
    part.height = frame.height;
    return part;
}

static sgm_status fill(sgm_embedder *embedder, int64_t picture, const sgm_image *image,
                       sgm_frame frame, sgm_embedding_slot **out)
{
    sgm_embedding_slot *slot = evict(embedder);
    if (!slot) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an embedding");
    sgm_image part = view(image, frame);
    SGM_TRY(compute(embedder, &part, slot->values));
    slot->picture = picture;
    slot->frame = frame;
    *out = slot;
    return SGM_OK;
}

/* A computed embedding goes through select() like a kept one, so that a mask cannot depend on
 * where its embedding came from. */
sgm_status sgm_embedder_select(sgm_embedder *embedder, int64_t picture, const sgm_image *image,
                               sgm_frame frame)
{
    const sgm_predictor *predictor = embedder->predictor;
    if (predictor->cancelled && predictor->cancelled(predictor->self))
        return sgm_fail(SGM_CANCELLED, "cancelled");
    sgm_embedding_slot *slot = find(embedder, picture, frame);
    if (!slot) SGM_TRY(fill(embedder, picture, image, frame, &slot));
    slot->used = ++embedder->tick;
    if (embedder->current == slot) return SGM_OK;
    embedder->current = NULL;
    SGM_TRY(predictor->select(predictor->self, slot->values, frame.width, frame.height));
    embedder->current = slot;
    return SGM_OK;
}
