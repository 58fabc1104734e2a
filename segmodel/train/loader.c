#include "train/loader.h"

#include "core/clock.h"
#include "core/sync.h"
#include "core/system.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 64, AHEAD = 2 };

typedef struct loader_slot {
    sgm_batch batch;
    uint64_t number;
    bool ready;
} loader_slot;

struct sgm_loader {
    const sgm_sampler *sampler;
    sgm_sampler_options options;
    int batch_size, extra, thread_count, slot_count;
    sgm_thread threads[MAX_THREADS];
    sgm_mutex lock;
    sgm_condition changed;
    loader_slot *slots;
    uint64_t next_made, next_given; /* numbers of batches */
    bool stop, holding;
    long process; /* that has the threads: a forked child has none */
    sgm_status status;
    char message[1024];
};

static sgm_status fill(const sgm_loader *loader, const sgm_sampler_scratch *scratch,
                       uint64_t number, sgm_batch *batch)
{
    batch->first = number * (uint64_t)loader->batch_size;
    for (int i = 0; i < loader->batch_size; i++)
        SGM_TRY(sgm_sampler_draw(loader->sampler, batch->first + (uint64_t)i, i, scratch, batch));
    return SGM_OK;
}

/* Lock held: the slot of the next batch to make, once it is free. NULL to stop. */
static loader_slot *claim(sgm_loader *loader)
{
    for (;;) {
        if (loader->stop || loader->status != SGM_OK) return NULL;
        if (loader->next_made <
            loader->next_given + (uint64_t)loader->slot_count - (loader->holding ? 1 : 0))
            break;
        sgm_condition_wait(&loader->changed, &loader->lock);
    }
    loader_slot *slot = &loader->slots[loader->next_made % (uint64_t)loader->slot_count];
    slot->number = loader->next_made++;
    slot->ready = false;
    return slot;
}

static void work(void *argument)
{
    sgm_loader *loader = argument;
    sgm_sampler_scratch scratch = {0};
    sgm_status status = sgm_sampler_scratch_create(&loader->options, &scratch);
    sgm_mutex_lock(&loader->lock);
    loader_slot *slot;
    while (status == SGM_OK && (slot = claim(loader))) {
        sgm_mutex_unlock(&loader->lock);
        status = fill(loader, &scratch, slot->number, &slot->batch);
        sgm_mutex_lock(&loader->lock);
        slot->ready = status == SGM_OK;
        sgm_condition_wake_all(&loader->changed);
    }
    if (status != SGM_OK && loader->status == SGM_OK) {
        loader->status = status;
        strncpy(loader->message, sgm_last_message(), sizeof loader->message - 1);
        sgm_condition_wake_all(&loader->changed);
    }
    sgm_mutex_unlock(&loader->lock);
    sgm_sampler_scratch_clear(&scratch);
}

static sgm_status start(sgm_loader *loader, int threads)
{
    loader->slots = calloc((size_t)loader->slot_count, sizeof *loader->slots);
    if (!loader->slots) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for batches");
    for (int i = 0; i < loader->slot_count; i++)
        SGM_TRY(sgm_batch_create(&loader->options, loader->batch_size + loader->extra,
                                 &loader->slots[i].batch));
    for (int i = 0; i < threads; i++) {
        if (!sgm_thread_start(&loader->threads[i], work, loader))
            return sgm_fail(SGM_OUT_OF_MEMORY,
                            "loader_threads: wanted %d to prepare batches, the system gave %d",
                            threads, i);
        loader->thread_count++;
    }
    return SGM_OK;
}

sgm_status sgm_loader_create(const sgm_sampler *sampler, const sgm_sampler_options *options,
                             int batch_size, int extra, uint64_t first_batch, int threads,
                             sgm_loader **out)
{
    *out = NULL;
    if (batch_size < 1 || threads < 1 || threads > MAX_THREADS)
        return sgm_fail(SGM_INVALID_ARGUMENT, "a loader needs a batch and 1..%d threads",
                        MAX_THREADS);
    sgm_loader *loader = calloc(1, sizeof *loader);
    if (!loader) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the loader");
    loader->process = sgm_process_id();
    loader->sampler = sampler;
    loader->options = *options;
    loader->batch_size = batch_size;
    loader->extra = extra;
    loader->slot_count = threads + AHEAD;
    loader->next_made = loader->next_given = first_batch;
    sgm_mutex_create(&loader->lock);
    sgm_condition_create(&loader->changed);
    sgm_status status = start(loader, threads);
    if (status != SGM_OK)
        sgm_loader_destroy(loader);
    else
        *out = loader;
    return status;
}

static void stop(sgm_loader *loader)
{
    sgm_mutex_lock(&loader->lock);
    loader->stop = true;
    sgm_condition_wake_all(&loader->changed);
    sgm_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->thread_count; i++)
        sgm_thread_join(&loader->threads[i]);
    sgm_mutex_destroy(&loader->lock);
    sgm_condition_destroy(&loader->changed);
}

void sgm_loader_destroy(sgm_loader *loader)
{
    if (!loader) return;
    if (loader->process == sgm_process_id()) stop(loader);
    for (int i = 0; loader->slots && i < loader->slot_count; i++)
        sgm_batch_clear(&loader->slots[i].batch);
    free(loader->slots);
    free(loader);
}

sgm_status sgm_loader_next(sgm_loader *loader, sgm_batch **batch)
{
    sgm_mutex_lock(&loader->lock);
    loader->holding = false; /* the batch given last is free again */
    sgm_condition_wake_all(&loader->changed);
    loader_slot *slot = &loader->slots[loader->next_given % (uint64_t)loader->slot_count];
    while (loader->status == SGM_OK && !(slot->ready && slot->number == loader->next_given))
        sgm_condition_wait(&loader->changed, &loader->lock);
    sgm_status status = loader->status;
    if (status == SGM_OK) {
        slot->ready = false;
        loader->next_given++;
        loader->holding = true;
        *batch = &slot->batch;
    } else {
        sgm_set_message(loader->message);
    }
    sgm_mutex_unlock(&loader->lock);
    return status;
}
