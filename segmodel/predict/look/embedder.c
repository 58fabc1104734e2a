#include "predict/look/embedder.h"

#include "core/call.h"
#include "core/status.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_SLOTS = 2, FIRST_BUCKETS = 64 };

sgm_status sgm_embedder_init(sgm_embedder *embedder, const sgm_predictor *predictor,
                             const sgm_embedding_store *store, size_t memory)
{
    size_t count = (memory ? memory : SGM_EMBEDDING_MEMORY) /
                   (sizeof(float) * (predictor->embedding_count ? predictor->embedding_count : 1));
    if (count < MIN_SLOTS) count = MIN_SLOTS;
    *embedder = (sgm_embedder){.predictor = predictor, .slot_count = count, .depth = 2};
    if (store) embedder->store = *store;
    embedder->buckets = calloc(FIRST_BUCKETS, sizeof *embedder->buckets);
    if (!embedder->buckets) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for embeddings");
    embedder->bucket_count = FIRST_BUCKETS;
    return SGM_OK;
}

static float *alloc_values(const sgm_predictor *predictor)
{
    if (predictor->alloc) return predictor->alloc(predictor->self);
    return malloc(sizeof(float) * predictor->embedding_count);
}

static void free_values(const sgm_predictor *predictor, float *values)
{
    if (predictor->alloc)
        predictor->free(predictor->self, values);
    else
        free(values);
}

void sgm_embedder_clear(sgm_embedder *embedder)
{
    for (sgm_embedding_slot *slot = embedder->oldest, *next; slot; slot = next) {
        next = slot->newer;
        free_values(embedder->predictor, slot->values);
        free(slot);
    }
    free(embedder->buckets);
    free(embedder->host);
    *embedder = (sgm_embedder){0};
}

/* --------------------------------------------------------------------------------------- slots */

static sgm_embedding_slot **bucket_of(const sgm_embedder *embedder, int64_t picture, sgm_view view)
{
    const int64_t parts[] = {picture, view.x, view.y, view.width, view.height};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        hash = (hash ^ (uint64_t)parts[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return &embedder->buckets[hash % embedder->bucket_count];
}

static sgm_embedding_slot *find(const sgm_embedder *embedder, int64_t picture, sgm_view view)
{
    sgm_embedding_slot *slot = *bucket_of(embedder, picture, view);
    while (slot && (slot->picture != picture || !sgm_view_equal(slot->view, view)))
        slot = slot->next_in_bucket;
    return slot;
}

static void put_in_bucket(sgm_embedder *embedder, sgm_embedding_slot *slot)
{
    sgm_embedding_slot **bucket = bucket_of(embedder, slot->picture, slot->view);
    slot->next_in_bucket = *bucket;
    *bucket = slot;
}

/* Without memory for more buckets it is slower. */
static void grow_buckets(sgm_embedder *embedder)
{
    if (embedder->made < embedder->bucket_count) return;
    sgm_embedding_slot **buckets = calloc(2 * embedder->bucket_count, sizeof(sgm_embedding_slot *));
    if (!buckets) return;
    free(embedder->buckets);
    embedder->buckets = buckets;
    embedder->bucket_count *= 2;
    for (sgm_embedding_slot *slot = embedder->oldest; slot; slot = slot->newer)
        if (slot->view.width) put_in_bucket(embedder, slot);
}

/* What a slot that is free holds from now on. */
static void fill_slot(sgm_embedder *embedder, sgm_embedding_slot *slot, int64_t picture,
                      sgm_view view)
{
    slot->picture = picture;
    slot->view = view;
    put_in_bucket(embedder, slot);
}

static void free_slot(sgm_embedder *embedder, sgm_embedding_slot *slot)
{
    if (embedder->current == slot) embedder->current = NULL;
    slot->ahead = 0;
    if (!slot->view.width) return;
    sgm_embedding_slot **at = bucket_of(embedder, slot->picture, slot->view);
    while (*at != slot)
        at = &(*at)->next_in_bucket;
    *at = slot->next_in_bucket;
    slot->view.width = 0;
}

static void link_newest(sgm_embedder *embedder, sgm_embedding_slot *slot)
{
    slot->older = embedder->newest;
    slot->newer = NULL;
    *(slot->older ? &slot->older->newer : &embedder->oldest) = slot;
    embedder->newest = slot;
}

static void use(sgm_embedder *embedder, sgm_embedding_slot *slot)
{
    *(slot->older ? &slot->older->newer : &embedder->oldest) = slot->newer;
    *(slot->newer ? &slot->newer->older : &embedder->newest) = slot->older;
    link_newest(embedder, slot);
}

void sgm_embedder_forget(sgm_embedder *embedder)
{
    for (sgm_embedding_slot *slot = embedder->oldest; slot; slot = slot->newer)
        free_slot(embedder, slot);
    embedder->staged_count = 0;
}

/* Another slot; NULL: there may be no more, or there is no memory for it. */
static sgm_embedding_slot *new_slot(sgm_embedder *embedder)
{
    if (embedder->made == embedder->slot_count) return NULL;
    sgm_embedding_slot *slot = calloc(1, sizeof *slot);
    if (slot) slot->values = alloc_values(embedder->predictor);
    if (!slot || !slot->values) {
        free(slot);
        return NULL;
    }
    grow_buckets(embedder);
    embedder->made++;
    link_newest(embedder, slot);
    return slot;
}

/* A free slot, or the one unused for longest, emptied. NULL: no memory. A device that has no room
 * for all slots makes do with those it has room for. */
static sgm_embedding_slot *evict(sgm_embedder *embedder)
{
    sgm_embedding_slot *slot = embedder->oldest;
    if (slot && !slot->view.width) return slot;
    slot = new_slot(embedder);
    if (!slot) slot = embedder->oldest;
    if (slot) free_slot(embedder, slot);
    return slot;
}

/* The store works on host memory. */
static sgm_status host_values(sgm_embedder *embedder, float *values, float **out)
{
    *out = values;
    if (!embedder->predictor->alloc) return SGM_OK;
    if (!embedder->host)
        embedder->host = malloc(sizeof(float) * embedder->predictor->embedding_count);
    *out = embedder->host;
    return *out ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an embedding");
}

static sgm_status look_up(sgm_embedder *embedder, uint64_t key, float *values, bool *found)
{
    const sgm_predictor *predictor = embedder->predictor;
    float *host;
    *found = false;
    if (!embedder->store.get) return SGM_OK;
    SGM_TRY(host_values(embedder, values, &host));
    if (!embedder->store.get(embedder->store.user, key, host, predictor->embedding_count))
        return SGM_OK;
    *found = true;
    return host == values ? SGM_OK : predictor->write(predictor->self, values, host);
}

static sgm_status put_away(sgm_embedder *embedder, uint64_t key, float *values)
{
    const sgm_predictor *predictor = embedder->predictor;
    float *host;
    if (!embedder->store.put) return SGM_OK;
    SGM_TRY(host_values(embedder, values, &host));
    if (host != values) SGM_TRY(predictor->read(predictor->self, values, host));
    embedder->store.put(embedder->store.user, key, host, predictor->embedding_count);
    return SGM_OK;
}

/* 0 without a store. */
static sgm_status key_of(const sgm_embedder *embedder, const sgm_image *part, uint64_t *key)
{
    const sgm_predictor *predictor = embedder->predictor;
    *key = 0;
    if (!embedder->store.get && !embedder->store.put) return SGM_OK;
    SGM_TRY(predictor->input_hash(predictor->self, part, key));
    *key ^= predictor->key;
    return SGM_OK;
}

static sgm_status compute(sgm_embedder *embedder, const sgm_image *part, float *values)
{
    const sgm_predictor *predictor = embedder->predictor;
    uint64_t key;
    bool found;
    SGM_TRY(key_of(embedder, part, &key));
    SGM_TRY(look_up(embedder, key, values, &found));
    if (found) {
        embedder->cached++;
        return SGM_OK;
    }
    embedder->current = NULL;
    SGM_TRY(predictor->encode(predictor->self, part, values));
    embedder->encoded++;
    return put_away(embedder, key, values);
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
    fill_slot(embedder, slot, picture, view);
    *out = slot;
    return SGM_OK;
}

/* --------------------------------------------------------------------------------- in batches */

static bool encodes_ahead(const sgm_embedder *embedder)
{
    return embedder->predictor->batch > 1 && embedder->upcoming.picture;
}

/* How much a batch may hold: all memory is not for what nobody has asked for yet. */
static int most_in_batch(const sgm_embedder *embedder)
{
    int most = embedder->predictor->batch;
    if ((size_t)most > embedder->slot_count / 2) most = (int)(embedder->slot_count / 2);
    return most < SGM_MOST_AHEAD ? most : SGM_MOST_AHEAD;
}

/* An embedding that the store has, in the staged view. */
static sgm_status take_stored(sgm_embedder *embedder, int64_t picture, uint64_t key,
                              sgm_embedding_slot **out)
{
    bool found;
    if (!embedder->store.get) return SGM_OK;
    sgm_embedding_slot *slot = evict(embedder);
    if (!slot) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an embedding");
    SGM_TRY(look_up(embedder, key, slot->values, &found));
    if (!found) return SGM_OK;
    fill_slot(embedder, slot, picture, embedder->staged_view);
    use(embedder, slot);
    embedder->cached++;
    *out = slot;
    return SGM_OK;
}

/* A picture goes to the predictor, or comes from the store, where one is found: then *found. */
static sgm_status stage(sgm_embedder *embedder, int64_t picture, const sgm_image *image,
                        sgm_embedding_slot **found)
{
    const sgm_predictor *predictor = embedder->predictor;
    sgm_image part = part_of(image, embedder->staged_view);
    uint64_t key;
    *found = NULL;
    SGM_TRY(key_of(embedder, &part, &key));
    SGM_TRY(take_stored(embedder, picture, key, found));
    if (*found) return SGM_OK;
    SGM_TRY(predictor->stage(predictor->self, embedder->staged_count, &part));
    embedder->staged_keys[embedder->staged_count] = key;
    embedder->staged[embedder->staged_count++] = picture;
    return SGM_OK;
}

static bool is_staged(const sgm_embedder *embedder, int64_t picture)
{
    for (int i = 0; i < embedder->staged_count; i++)
        if (embedder->staged[i] == picture) return true;
    return false;
}

/* Fills the batch with what will be asked for, and with `depth` of what may be. */
static sgm_status stage_upcoming(sgm_embedder *embedder)
{
    int most = most_in_batch(embedder), fetched = 0;
    for (int n = 0; n < 2 * most && embedder->staged_count + fetched < most; n++) {
        int64_t picture;
        int likely = embedder->upcoming.picture(embedder->upcoming.user, n, &picture);
        if (!likely || (likely == 1 && embedder->staged_count >= embedder->depth)) break;
        if (is_staged(embedder, picture) || find(embedder, picture, embedder->staged_view))
            continue;
        sgm_embedding_slot *stored;
        SGM_TRY(stage(embedder, picture, embedder->upcoming.image(embedder->upcoming.user, picture),
                      &stored));
        fetched += stored != NULL;
    }
    return SGM_OK;
}

/* Twice as far when all that was encoded ahead was used, half as far when it was not. */
static void adapt_depth(sgm_embedder *embedder)
{
    if (!embedder->ahead) return;
    bool all_used = embedder->used_ahead == embedder->ahead;
    embedder->depth = all_used ? 2 * embedder->depth : embedder->depth / 2;
    if (embedder->depth > most_in_batch(embedder)) embedder->depth = most_in_batch(embedder);
    if (embedder->depth < 1) embedder->depth = 1;
}

static sgm_status encode_batch(sgm_embedder *embedder, int64_t picture, sgm_embedding_slot **out)
{
    const sgm_predictor *predictor = embedder->predictor;
    sgm_embedding_slot *slots[SGM_MOST_AHEAD];
    void *values[SGM_MOST_AHEAD];
    int count = embedder->staged_count;
    for (int i = 0; i < count; i++) {
        slots[i] = evict(embedder);
        /* with few slots, one may come twice: then it is not worth a batch */
        for (int k = 0; k < i; k++)
            if (slots[k] == slots[i]) count = i;
        if (i == count || !slots[i]) break;
        use(embedder, slots[i]);
        values[i] = slots[i]->values;
    }
    if (!count || !slots[0]) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an embedding");
    embedder->current = NULL;
    SGM_TRY(predictor->encode_staged(predictor->self, count, values));
    for (int i = 0; i < count; i++) {
        fill_slot(embedder, slots[i], embedder->staged[i], embedder->staged_view);
        slots[i]->ahead = embedder->staged[i] != picture;
        if (!slots[i]->ahead) *out = slots[i];
    }
    embedder->encoded += count;
    embedder->ahead = count - 1;
    embedder->used_ahead = 0;
    for (int i = 0; i < count; i++)
        SGM_TRY(put_away(embedder, embedder->staged_keys[i], slots[i]->values));
    return SGM_OK;
}

/* The batch with this picture: what was staged while the last one was encoded, if it is in there,
 * else a new one. While the device encodes, the next batch is staged. */
static sgm_status fill_batch(sgm_embedder *embedder, int64_t picture, const sgm_image *image,
                             sgm_view view, sgm_embedding_slot **out)
{
    *out = NULL;
    adapt_depth(embedder);
    if (!sgm_view_equal(embedder->staged_view, view) || !is_staged(embedder, picture)) {
        embedder->staged_count = 0;
        embedder->staged_view = view;
        SGM_TRY(stage(embedder, picture, image, out));
        if (*out) return SGM_OK;
    }
    SGM_TRY(stage_upcoming(embedder));
    SGM_TRY(encode_batch(embedder, picture, out));
    embedder->staged_count = 0;
    if (!*out) { /* memory did not do for as many */
        SGM_TRY(stage(embedder, picture, image, out));
        if (!*out) SGM_TRY(encode_batch(embedder, picture, out));
        embedder->staged_count = 0;
    }
    use(embedder, *out); /* so that what comes next does not push it out */
    return stage_upcoming(embedder);
}

/* -----------------------------------------------------------------------------------------------
 */

/* A computed embedding goes through select() like a kept one, so that a mask cannot depend on
 * where its embedding came from. */
sgm_status sgm_embedder_select(sgm_embedder *embedder, int64_t picture, const sgm_image *image,
                               sgm_view view)
{
    const sgm_predictor *predictor = embedder->predictor;
    SGM_TRY(sgm_call_cancelled());
    if (predictor->cancelled) SGM_TRY(predictor->cancelled(predictor->self));
    sgm_embedding_slot *slot = find(embedder, picture, view);
    if (!slot && encodes_ahead(embedder))
        SGM_TRY(fill_batch(embedder, picture, image, view, &slot));
    else if (!slot)
        SGM_TRY(fill(embedder, picture, image, view, &slot));
    embedder->used_ahead += slot->ahead;
    slot->ahead = 0;
    use(embedder, slot);
    if (embedder->current == slot) return SGM_OK;
    embedder->current = NULL;
    SGM_TRY(predictor->select(predictor->self, slot->values, view.width, view.height));
    embedder->current = slot;
    return SGM_OK;
}

int sgm_embedder_holds(sgm_embedder *embedder, int64_t picture, sgm_view view)
{
    sgm_embedding_slot *slot = find(embedder, picture, view);
    if (slot) use(embedder, slot);
    return slot != NULL;
}
