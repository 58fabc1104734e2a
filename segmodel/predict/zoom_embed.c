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
        embedder->slots[i].view.width = 0;
        embedder->slots[i].used = 0;
    }
}

static sgm_embedding_slot *find(sgm_embedder *embedder, int64_t picture, sgm_view view)
{
    for (size_t i = 0; i < embedder->slot_count; i++) {
        sgm_embedding_slot *slot = &embedder->slots[i];
        if (slot->view.width && slot->picture == picture && sgm_view_equal(slot->view, view))
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
    oldest->view.width = 0;
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

static sgm_image part_of(const sgm_image *image, sgm_view view)
{
    sgm_image part = *image;
    if (!part.stride) part.stride = (ptrdiff_t)image->width * image->channels;
    part.data += view.y * part.stride + (ptrdiff_t)view.x * image->channels;
    part.width = view.width;
    part.height = view.height;
    return part;
}

static sgm_status fill(sgm_embedder *embedder, int64_t picture, const sgm_image *image,
                       sgm_view view, sgm_embedding_slot **out)
{
    sgm_embedding_slot *slot = evict(embedder);
    if (!slot) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an embedding");
    sgm_image part = part_of(image, view);
    SGM_TRY(compute(embedder, &part, slot->values));
    slot->picture = picture;
    slot->view = view;
    *out = slot;
    return SGM_OK;
}

/* A computed embedding goes through select() like a kept one, so that a mask cannot depend on
 * where its embedding came from. */
sgm_status sgm_embedder_select(sgm_embedder *embedder, int64_t picture, const sgm_image *image,
                               sgm_view view)
{
    const sgm_predictor *predictor = embedder->predictor;
    if (predictor->cancelled) SGM_TRY(predictor->cancelled(predictor->self));
    sgm_embedding_slot *slot = find(embedder, picture, view);
    if (!slot) SGM_TRY(fill(embedder, picture, image, view, &slot));
    slot->used = ++embedder->tick;
    if (embedder->current == slot) return SGM_OK;
    embedder->current = NULL;
    SGM_TRY(predictor->select(predictor->self, slot->values, view.width, view.height));
    embedder->current = slot;
    return SGM_OK;
}
