/* test_live_model MODEL [emulated]: live volumes and pictures with the bundled model. "emulated":
 * by a processor whose milliseconds say nothing of a machine's. */
#include "check.h"
#include "phantom.h"

#include "segmodel/volume.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "portable.h"

enum { SIDE = 120, SLICES = 14, COUNT = SIDE * SIDE * SLICES };

/* A bright body that leans and grows, a ring around another, on a shaded ground. */
static double scene(const double mm[3])
{
    double x = mm[0], y = mm[1], z = mm[2];
    if (hypot(x + 14 - z / 2, y + 8) < 13 + z / 4) return 190;
    double r = hypot(x - 22, y - 16);
    if (r < 15 && r > 6) return 130;
    return 50 + x / 8 + ((int)(x * 5 + 900) ^ (int)(y * 3 + 900)) % 7;
}

static phantom make_scene(void)
{
    const int64_t extent[3] = {SIDE, SIDE, SLICES};
    const double spacing[3] = {1, 1, 3};
    const int order[3] = {0, 1, 2};
    phantom p;
    phantom_make(&p, scene, extent, spacing, order, 0);
    return p;
}

static sgm_seed seed_at(const phantom *p, double x, double y, double z, int label)
{
    sgm_seed seed = {.label = label};
    phantom_index(p, (const double[3]){x, y, z}, seed.index);
    return seed;
}

/* ------------------------------------------------------------------------------- the same answer
 */

static sgm_embedding_store store; /* so that a run from nothing need not encode again */

static void check_same(sgm_model *model, sgm_live_volume *live, const phantom *p,
                       const sgm_object *object)
{
    sgm_volume_options options = sgm_volume_options_init();
    sgm_volume_result want;
    sgm_live_result got = sgm_live_result_init();
    uint8_t *mask = calloc(COUNT, 1);
    options.store = store;
    CHECK_OK(sgm_volume_predict(model, &p->volume, object, 1, &options, NULL, &want));
    CHECK_OK(sgm_live_volume_predict(live, 1, object, NULL, &got));
    CHECK_OK(sgm_live_volume_paint(live, 1, mask, SGM_VOXEL_U8, 1));
    if (want.object_count == 1) {
        CHECK(memcmp(mask, want.objects[0].mask, COUNT) == 0);
        CHECK(got.voxels == want.objects[0].voxels && got.quality == want.objects[0].quality);
    }
    free(mask);
    sgm_volume_result_clear(&want);
}

static unsigned next_random(unsigned *state, unsigned below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 16) % below;
}

enum { MOST_CLICKS = 6, TURNS = 7 };

/* Clicks in and around the body, undo and redo in random order: every time what a run from nothing
 * gives. `said` are all clicks so far, `count` those that stand. */
static void check_conversation(sgm_model *model, const phantom *p, unsigned seed)
{
    sgm_live_volume *live = NULL;
    sgm_volume_options options = sgm_volume_options_init();
    sgm_seed said[MOST_CLICKS] = {seed_at(p, -14, -8, 1, 1)};
    size_t count = 1, known = 1;
    unsigned random = seed;
    options.store = store;
    CHECK_OK(sgm_live_volume_create(model, &p->volume, &options, &live));
    for (int turn = 0; turn < TURNS; turn++) {
        unsigned what = turn ? next_random(&random, 4) : 3;
        if (what == 0 && count > 1) {
            count--; /* undo */
        } else if (what == 1 && count < known) {
            count++; /* redo */
        } else if (turn && count < MOST_CLICKS) {
            double x = -30 + (int)next_random(&random, 34), y = -20 + (int)next_random(&random, 26);
            said[count++] = seed_at(p, x, y, -9 + (int)next_random(&random, 20),
                                    (int)next_random(&random, 3) > 0);
            known = count;
        }
        sgm_object object = {.name = "body", .seeds = said, .seed_count = count};
        check_same(model, live, p, &object);
    }
    if (check_failures) fprintf(stderr, "    seed %u\n", seed);
    sgm_live_volume_destroy(live);
}

/* --------------------------------------------------------------------------------------- pictures
 */

/* A picture answers as a volume of this one slice does: seeds are its points, a ROI its box. */
static void check_picture(sgm_model *model, const phantom *p)
{
    const uint8_t *pixels = p->voxels + (size_t)SIDE * SIDE * 7;
    const sgm_volume slice = {.data = pixels,
                              .type = SGM_VOXEL_U8,
                              .channels = 1,
                              .size = {SIDE, SIDE, 1},
                              .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    const sgm_image image = {.data = pixels, .width = SIDE, .height = SIDE, .channels = 1};
    const sgm_seed seeds[2] = {{{44, 50, 0}, 1}, {{62, 50, 0}, 0}};
    const sgm_point points[2] = {{44, 50, 1}, {62, 50, 0}};
    const sgm_roi rois[2] = {{{46, 52, 0}, {{14, 0, 0}, {0, 15, 0}, {0, 0, 0.4}}},
                             {{81.5, 75.5, 0}, {{16, 0, 0}, {0, 17, 0}, {0, 0, 0.4}}}};
    const sgm_box boxes[2] = {{32, 37, 60, 67}, {65.5, 58.5, 97.5, 92.5}};
    for (int n = 1; n < 5; n++) { /* a point, two, a box, another */
        sgm_object object = {.seeds = seeds, .seed_count = n < 3 ? (size_t)n : 0};
        sgm_prompt prompt = {.points = points, .point_count = n < 3 ? (size_t)n : 0};
        sgm_picture *picture = NULL;
        sgm_volume_result want;
        sgm_mask got = {0};
        if (n >= 3) {
            object.rois = &rois[n - 3];
            object.roi_count = 1;
            prompt.box = &boxes[n - 3];
        }
        CHECK_OK(sgm_volume_predict(model, &slice, &object, 1, NULL, NULL, &want));
        CHECK_OK(sgm_picture_create(model, NULL, &picture));
        CHECK_OK(sgm_picture_set_image(picture, &image));
        CHECK_OK(sgm_picture_predict(picture, &prompt, NULL, NULL, &got));
        if (want.object_count == 1 && got.data) {
            CHECK(want.objects[0].voxels > 50);
            CHECK(memcmp(got.data, want.objects[0].mask, (size_t)SIDE * SIDE) == 0);
        }
        sgm_picture_destroy(picture);
        sgm_volume_result_clear(&want);
    }
}

/* ------------------------------------------------------------------------------------ the numbers
 */

/* With everything encoded: a preview of a further click is what the slice takes; undo is free. */
static void check_counts(sgm_model *model, const phantom *p)
{
    sgm_live_volume *live = NULL;
    sgm_volume_options options = sgm_volume_options_init();
    const sgm_seed seeds[2] = {seed_at(p, -14, -8, 1, 1), seed_at(p, -14, -8, 7, 0)};
    sgm_object object = {.seeds = seeds, .seed_count = 1};
    sgm_live_result first = sgm_live_result_init(), next = first, undone = first;
    options.store = store;
    CHECK_OK(sgm_live_volume_create(model, &p->volume, &options, &live));
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, &first));
    object.seed_count = 2;
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, &next));
    CHECK(next.reused > 0 && next.decoded < first.decoded);
    object.seed_count = 1;
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, &undone));
    CHECK(undone.decoded == 0 && undone.encoded == 0 && undone.cached == 0);
    CHECK(undone.voxels == first.voxels);
    sgm_live_volume_destroy(live);
}

/* Processor time of the calling thread: what else the machine does is none of the test's business.
 * Windows counts it in ticks of its scheduler, so that what lasts less may be seen as one more. */
#ifdef _WIN32
static const double TICK = 1.0 / 64;
#else
static const double TICK = 0;
#endif

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct watch {
    double first, last, longest;
    long polls, stop_at;
} watch;

static int note_poll(void *user)
{
    watch *w = user;
    double now = thread_seconds();
    if (w->first == 0) w->first = now;
    if (w->last > 0 && now - w->last > w->longest) w->longest = now - w->last;
    w->last = now;
    return w->stop_at && ++w->polls >= w->stop_at;
}

/* The user is never deaf to a cancel for more than 20 ms of work, nor for a fiftieth of the call (a
 * hundredth where it was measured), which is all that can be asked where the processor is emulated.
 * A cancel ends the call at once. */
static void check_cancel(sgm_model *model, const phantom *p, bool emulated)
{
    sgm_live_volume *live = NULL;
    const sgm_seed seed = seed_at(p, -14, -8, 1, 1);
    const sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_call call = sgm_call_init();
    watch w = {0};
    call.cancel = note_poll;
    call.cancel_user = &w;
    CHECK_OK(sgm_live_volume_create(model, &p->volume, NULL, &live));
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, &call, NULL)); /* plans are made here */
    sgm_live_volume_destroy(live);
    CHECK_OK(sgm_live_volume_create(model, &p->volume, NULL, &live));
    w = (watch){0};
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, &call, NULL));
    double whole = w.last - w.first, limit = emulated ? whole / 50 : 0.02 + TICK;
    printf("longest without a look at cancel: %.1f ms of %.0f\n", 1000 * w.longest, 1000 * whole);
    CHECK(w.longest > 0 && w.longest < limit && w.longest < whole / 50 + TICK);
    w = (watch){.stop_at = 4};
    CHECK_STATUS(sgm_live_volume_predict(live, 2, &object, &call, NULL), SGM_CANCELLED, "");
    sgm_live_volume_remove(live, 1);
    w = (watch){.stop_at = 3};
    CHECK_STATUS(sgm_live_volume_ahead(live, (const double[3]){10, 90, 3}, &call), SGM_CANCELLED,
                 "");
    CHECK(thread_seconds() - w.last < limit);
    sgm_live_volume_destroy(live);
}

/* ------------------------------------------------------------------------------- two live threads
 */

typedef struct listener {
    sgm_model *model;
    const phantom *scene;
    double x;
    int64_t voxels;
} listener;

static void *listen(void *user)
{
    listener *l = user;
    sgm_live_volume *live = NULL;
    sgm_volume_options options = sgm_volume_options_init();
    sgm_live_result result = sgm_live_result_init();
    options.store = store;
    options.max_slices = 3;
    sgm_seed seeds[2] = {seed_at(l->scene, l->x, -8, 1, 1), seed_at(l->scene, l->x, -4, 4, 1)};
    sgm_object object = {.seeds = seeds, .seed_count = 1};
    if (sgm_live_volume_create(l->model, &l->scene->volume, &options, &live) != SGM_OK) return NULL;
    for (int n = 0; n < 3; n++) {
        object.seed_count = 1 + (size_t)n % 2;
        if (sgm_live_volume_predict(live, n, &object, NULL, &result) == SGM_OK)
            l->voxels += result.voxels;
    }
    sgm_live_volume_destroy(live);
    return NULL;
}

/* Two volumes on two threads share the model, its threads and a store. */
static void check_threads(sgm_model *model, const phantom *p)
{
    listener alone = {model, p, -14, 0}, both[2] = {{model, p, -14, 0}, {model, p, -14, 0}};
    pthread_t threads[2];
    for (int n = 0; n < 2; n++)
        CHECK(pthread_create(&threads[n], NULL, listen, &both[n]) == 0);
    for (int n = 0; n < 2; n++)
        pthread_join(threads[n], NULL);
    listen(&alone);
    CHECK(alone.voxels > 0 && both[0].voxels == alone.voxels && both[1].voxels == alone.voxels);
}

int main(int argc, char **argv)
{
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    char folder[] = "test_live_model.XXXXXX";
    if (argc < 2) return 2;
    bool emulated = argc > 2 && !strcmp(argv[2], "emulated");
    phantom p = make_scene();
    sgm_context_options options = {.size = sizeof options, .device = SGM_DEVICE_CPU, .threads = 2};
    CHECK(mkdtemp(folder) != NULL);
    CHECK_OK(sgm_store_open(folder, 0, &store));
    CHECK_OK(sgm_context_create(&options, &context));
    if (CHECK_OK(sgm_model_load(context, argv[1], NULL, &model))) {
        check_threads(model, &p);
        for (unsigned seed = 1; seed <= 2; seed++)
            check_conversation(model, &p, seed);
        check_counts(model, &p);
        check_picture(model, &p);
        check_cancel(model, &p, emulated);
    }
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    sgm_store_close(&store);
    phantom_clear(&p);
    CHECK(remove_folder(folder));
    return check_report();
}
