/* test_live_threads WEIGHTS.safetensors [ROUNDS [cuda]]: two live volumes on two threads share a
 * model, its threads and a store of embeddings. Each answers as one alone does, also when it is
 * interrupted and when the other one asks for the same slices at the same time. For the thread
 * sanitizer
 * (./dev races), and in every run of the tests. */
#include "check.h"
#include "disc_volume.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "portable.h"

enum { SLICES = 7, VOXELS = DISC_SLICE * SLICES, OBJECTS = 4, THREADS = 2 };

static int16_t voxels[VOXELS];
static sgm_volume volume;
static sgm_embedding_store store;
static sgm_model *model;
static int rounds = 2;

/* What a thread found. */
typedef struct talk {
    int backwards; /* asks for the last object first */
    int failed;
    int64_t encoded, cached, cancelled;
    atomic_int calls; /* of the cancel callback, until it stops the call; below 0: never */
    uint8_t masks[OBJECTS][VOXELS];
} talk;

static talk alone, both[THREADS];

static int stops(void *user)
{
    talk *t = user;
    int left = atomic_load(&t->calls);
    return left >= 0 && atomic_fetch_sub(&t->calls, 1) <= 0;
}

/* Points on neighbouring slices, a box, and a point with a correction. */
static sgm_object prompts_of(int id, sgm_seed seeds[2], sgm_roi *roi)
{
    sgm_object object = {.seeds = seeds, .seed_count = id == 3 ? 2 : 1};
    seeds[0] = (sgm_seed){{20 + id, 25 - id, 2 + id % 3}, SGM_FOREGROUND};
    seeds[1] = (sgm_seed){{40, 40, 3}, SGM_BACKGROUND};
    *roi = (sgm_roi){{20, 25, 3}, {{13, 0, 0}, {0, 13, 0}, {0, 0, 2}}};
    if (id == 2) object = (sgm_object){.rois = roi, .roi_count = 1};
    return object;
}

static void ask(talk *t, sgm_live_volume *live, int id, int round)
{
    sgm_seed seeds[2];
    sgm_roi roi;
    sgm_object object = prompts_of(id, seeds, &roi);
    sgm_live_result result = sgm_live_result_init();
    sgm_live_slice slice = sgm_live_slice_init();
    sgm_call call = sgm_call_init();
    call.cancel = stops;
    call.cancel_user = t;
    atomic_store(&t->calls, round == 0 ? 3 * id : -1); /* the first round is interrupted */
    sgm_status status = sgm_live_volume_predict(live, id, &object, &call, &result);
    t->cancelled += status == SGM_CANCELLED;
    atomic_store(&t->calls, -1);
    if (status == SGM_CANCELLED) status = sgm_live_volume_predict(live, id, &object, NULL, &result);
    t->failed += status != SGM_OK;
    t->encoded += result.encoded;
    t->cached += result.cached;
    t->failed += sgm_live_volume_preview(live, id, &object, -1, NULL, &slice) != SGM_OK;
    memset(t->masks[id], 0, VOXELS);
    t->failed += sgm_live_volume_paint(live, id, t->masks[id], SGM_VOXEL_U8, 1) != SGM_OK;
}

static void *listen(void *user)
{
    talk *t = user;
    sgm_volume_options options = sgm_volume_options_init();
    const double place[3] = {20, 25, 3};
    options.store = store;
    options.max_slices = 3;
    options.embedding_memory = 1; /* the least: what is older comes from the store */
    for (int round = 0; round < rounds; round++) {
        sgm_live_volume *live = NULL;
        sgm_call call = sgm_call_init();
        call.cancel = stops;
        call.cancel_user = t;
        atomic_store(&t->calls, 2);
        if (sgm_live_volume_create(model, &volume, &options, &live) != SGM_OK) t->failed++;
        if (!live) return NULL;
        sgm_live_volume_ahead(live, place, &call); /* stopped by its third question */
        for (int n = 0; n < OBJECTS; n++)
            ask(t, live, t->backwards ? OBJECTS - 1 - n : n, round);
        sgm_live_volume_remove(live, 0);
        sgm_live_volume_destroy(live);
    }
    return NULL;
}

static void check_together(void)
{
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++) {
        both[n].backwards = n;
        CHECK(pthread_create(&threads[n], NULL, listen, &both[n]) == 0);
    }
    for (int n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    listen(&alone);
    int64_t marked = 0;
    for (int i = 0; i < OBJECTS * VOXELS; i++)
        marked += alone.masks[i / VOXELS][i % VOXELS];
    CHECK(alone.failed == 0 && marked > 0);
    for (int n = 0; n < THREADS; n++) {
        CHECK(both[n].failed == 0 && both[n].cancelled > 0);
        for (int id = 0; id < OBJECTS; id++)
            CHECK(memcmp(both[n].masks[id], alone.masks[id], VOXELS) == 0);
    }
    CHECK(both[0].encoded + both[1].encoded > 0 && both[0].cached + both[1].cached > 0);
    printf("%d threads, %d rounds: %lld embeddings computed, %lld from the store, %lld calls "
           "interrupted\n",
           THREADS, rounds, (long long)(both[0].encoded + both[1].encoded),
           (long long)(both[0].cached + both[1].cached),
           (long long)(both[0].cancelled + both[1].cancelled));
}

int main(int argc, char **argv)
{
    sgm_context *context = NULL;
    char folder[] = "test_live_threads.XXXXXX";
    if (argc < 2) return 2;
    if (argc > 2) rounds = atoi(argv[2]);
    sgm_context_options options = {.size = sizeof options, .device = SGM_DEVICE_CPU, .threads = 2};
    if (argc > 3 && !strcmp(argv[3], "cuda")) options.device = SGM_DEVICE_CUDA;
    volume = disc_volume(voxels, SLICES);
    CHECK(mkdtemp(folder) != NULL);
    CHECK_OK(sgm_store_open(folder, 0, &store));
    CHECK_OK(sgm_context_create(&options, &context));
    if (CHECK_OK(sgm_model_load(context, argv[1], NULL, &model))) check_together();
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    sgm_store_close(&store);
    CHECK(remove_folder(folder));
    return check_report();
}
