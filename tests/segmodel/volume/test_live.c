/* Live volumes: the same prompts give the same masks as a run from nothing, whatever was asked
 * before; only what must be is decoded; ways in and out; cancelling. */
#include "check.h"
#include "phantom.h"
#include "synthetic_network.h"

#include "predict/volume/live.h"
#include "predict/volume/segment.h"

#include <stdlib.h>
#include <string.h>

enum { I = 34, J = 30, K = 26, COUNT = I * J * K, MOST_SEEDS = 12, MOST_ROIS = 2 };

/* Three bodies: one forked towards +z, one hollow, one like the ground around the first. */
static double scene(const double mm[3])
{
    double x = mm[0], y = mm[1], z = mm[2];
    double fork = z > 4 ? 4 : 0;
    double a = fmin(hypot(x + 6 - fork, y + 2), hypot(x + 6 + fork, y + 2));
    double b = sqrt((x - 8) * (x - 8) + (y - 3) * (y - 3) + z * z);
    if (a < 4.5 + z / 8 && fabs(z) < 11) return 200 + z;
    if (b < 6.5 && b > 2.5) return 140;
    if (hypot(x - 2, y + 10) < 3) return 210;
    return 40 + ((int)(x + 40) * 7 + (int)(y + 40) * 3) % 9;
}

static phantom make_scene(void)
{
    const int64_t extent[3] = {I, J, K};
    const double spacing[3] = {1, 1.3, 1};
    const int order[3] = {0, 1, 2};
    phantom p;
    phantom_make(&p, scene, extent, spacing, order, 0);
    return p;
}

static unsigned next_random(unsigned *state, unsigned below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

/* ------------------------------------------------------------------------ random conversations */

typedef struct prompts {
    sgm_seed seeds[MOST_SEEDS];
    sgm_roi rois[MOST_ROIS];
    size_t seed_count, roi_count;
    const uint8_t *labels;
} prompts;

static sgm_object object_of(const prompts *p)
{
    return (sgm_object){.name = "it",
                        .seeds = p->seeds,
                        .seed_count = p->seed_count,
                        .rois = p->rois,
                        .roi_count = p->roi_count,
                        .labels = p->labels};
}

static void add_seed(prompts *p, unsigned *random)
{
    sgm_seed *seed = &p->seeds[p->seed_count];
    if (p->seed_count == MOST_SEEDS) return;
    p->seed_count++;
    for (int a = 0; a < 3; a++) /* around the bodies, seldom on a voxel's centre */
        seed->index[a] = (a == 0 ? 6 : a == 1 ? 6 : 4) + next_random(random, 180) / 10.0;
    seed->label = next_random(random, 3) > 0 || p->seed_count == 1;
}

static void add_roi(prompts *p, unsigned *random)
{
    sgm_roi *roi = &p->rois[p->roi_count];
    if (p->roi_count == MOST_ROIS) return;
    p->roi_count++;
    *roi = (sgm_roi){.center = {12 + next_random(random, 6), 13, 10 + next_random(random, 5)},
                     .half_axis = {{9, 0, 0}, {0, 8, 1}, {0, 0, 3 + next_random(random, 5)}}};
}

static void change(prompts *p, const uint8_t *labels, unsigned *random)
{
    switch (next_random(random, 8)) {
    case 0:
        add_roi(p, random);
        break;
    case 1:
        p->roi_count = 0;
        break;
    case 2:
        p->labels = p->labels ? NULL : labels;
        break;
    default:
        add_seed(p, random);
    }
}

static uint8_t *mask_of(sgm_live_volume *live, int64_t id)
{
    uint8_t *mask = calloc(COUNT, 1);
    CHECK_OK(sgm_live_volume_paint(live, id, mask, SGM_VOXEL_U8, 1));
    return mask;
}

static void check_same_slices(const sgm_live_result *got, const sgm_object_result *want)
{
    CHECK(got->slice_count == want->slice_count);
    for (size_t i = 0; i < got->slice_count && i < want->slice_count; i++)
        CHECK(got->slices[i].slice == want->slices[i].slice &&
              got->slices[i].voxels == want->slices[i].voxels &&
              got->slices[i].prompted == want->slices[i].prompted &&
              got->slices[i].predicted_iou == want->slices[i].predicted_iou);
    CHECK(got->walk_count == want->walk_count);
    for (size_t i = 0; i < got->walk_count && i < want->walk_count; i++)
        CHECK(got->walks[i].from == want->walks[i].from &&
              got->walks[i].last == want->walks[i].last &&
              got->walks[i].stop == want->walks[i].stop);
}

/* Asks the live volume, and a run from nothing with a network of its own. */
static void check_same(sgm_live_volume *live, int64_t id, const phantom *scene_volume, int zoom,
                       const sgm_volume_options *options, const prompts *p)
{
    static synthetic_network fresh;
    sgm_volume_result want;
    sgm_object object = object_of(p);
    sgm_live_result got = sgm_live_result_init();
    synthetic_clear(&fresh);
    synthetic_init(&fresh, 64);
    sgm_status status = sgm_volume_segment(&fresh.predictor, zoom, &scene_volume->volume, &object,
                                           1, options, &want);
    CHECK(sgm_live_volume_predict(live, id, &object, NULL, &got) == status);
    if (status != SGM_OK || want.object_count != 1) return;
    uint8_t *mask = mask_of(live, id);
    CHECK(memcmp(mask, want.objects[0].mask, COUNT) == 0);
    CHECK(got.voxels == want.objects[0].voxels && got.axis == want.axis &&
          got.quality == want.objects[0].quality);
    CHECK(memcmp(got.first, want.objects[0].first, sizeof got.first) == 0 &&
          memcmp(got.last, want.objects[0].last, sizeof got.last) == 0 &&
          memcmp(got.stopped, want.objects[0].stopped, sizeof got.stopped) == 0);
    check_same_slices(&got, &want.objects[0]);
    free(mask);
    sgm_volume_result_clear(&want);
}

/* The box of changes that a call reports holds every voxel that changed. */
static void check_changes(const uint8_t *before, const uint8_t *after, const sgm_live_result *got)
{
    int outside = 0, changed = 0;
    for (int n = 0; n < COUNT; n++) {
        int64_t index[3] = {n % I, n / I % J, n / I / J};
        if (before[n] == after[n]) continue;
        changed = 1;
        for (int a = 0; a < 3; a++)
            outside += index[a] < got->changed_first[a] || index[a] > got->changed_last[a];
    }
    CHECK(outside == 0);
    if (!changed) CHECK(got->changed_last[0] < got->changed_first[0] || got->voxels > 0);
}

/* Clicks, boxes, masks, undo, redo, on two objects in turn. */
static void converse(unsigned seed, int zoom, const sgm_volume_options *options, int turns)
{
    enum { HISTORY = 16 };
    static prompts history[2][HISTORY];
    static uint8_t labels[COUNT];
    int at[2] = {0, 0}, end[2] = {0, 0};
    unsigned random = seed;
    synthetic_network network;
    sgm_live_volume *live = NULL;
    phantom p = make_scene();
    memset(history, 0, sizeof history);
    for (int n = 0; n < COUNT; n++) {
        int k = n / I / J;
        labels[n] = (k == 9 || k == 10) && p.voxels[n] > 190;
    }
    synthetic_init(&network, 64);
    CHECK_OK(sgm_live_volume_make(&network.predictor, zoom, &p.volume, options, &live));
    for (int turn = 0; turn < turns; turn++) {
        int who = (int)next_random(&random, 2);
        int what = (int)next_random(&random, 4);
        if (what == 0 && at[who] > 0) {
            at[who]--;
        } else if (what == 1 && at[who] < end[who]) {
            at[who]++;
        } else if (at[who] + 1 < HISTORY) {
            history[who][at[who] + 1] = history[who][at[who]];
            end[who] = ++at[who];
            change(&history[who][at[who]], labels, &random);
        }
        check_same(live, 100 + who, &p, zoom, options, &history[who][at[who]]);
    }
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
    phantom_clear(&p);
}

static void check_conversations(void)
{
    sgm_volume_options options = sgm_volume_options_init();
    for (unsigned seed = 1; seed <= 4; seed++)
        converse(seed, 0, &options, 24);
    converse(5, 1, &options, 16);
    options.axis = SGM_AXIS_K;
    options.fill_holes = options.keep_largest = 1;
    converse(6, 0, &options, 24);
    options.answer_memory = 1; /* nothing is kept that need not be */
    options.embedding_memory = 1;
    converse(7, 0, &options, 24);
    options.axis = SGM_AXIS_J;
    options.max_slices = 4;
    options.answer_memory = 40000;
    converse(8, 1, &options, 16);
}

/* ------------------------------------------------------------------------------- what is decoded
 */

static sgm_seed seed_at(const phantom *p, double x, double y, double z, int label)
{
    sgm_seed seed = {.label = label};
    phantom_index(p, (const double[3]){x, y, z}, seed.index);
    return seed;
}

/* A background click on one slice changes that slice's step and what was reached from it; undo
 * and redo cost nothing; so does a prediction after its preview. */
static void check_counts(void)
{
    synthetic_network network;
    sgm_live_volume *live = NULL;
    phantom p = make_scene();
    sgm_volume_options options = sgm_volume_options_init();
    options.axis = SGM_AXIS_K;
    synthetic_init(&network, 64);
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &p.volume, &options, &live));
    sgm_seed seeds[3] = {seed_at(&p, -6, -2, -5, 1), seed_at(&p, -2, -2, 7, 0),
                         seed_at(&p, -6, 0, -5, 1)};
    sgm_object object = {.seeds = seeds, .seed_count = 1};
    sgm_live_result first = sgm_live_result_init(), next = first, undone = first, redone = first;
    CHECK_OK(sgm_live_volume_predict(live, 7, &object, NULL, &first));
    int64_t slices = (int64_t)first.slice_count;
    CHECK(first.reused == 0 && first.decoded >= slices && first.encoded == first.decoded);
    CHECK(slices > 15 && network.decodes == (int)first.decoded);
    uint8_t *before = mask_of(live, 7);

    object.seed_count = 2;
    CHECK_OK(sgm_live_volume_predict(live, 7, &object, NULL, &next));
    int64_t clicked = (int64_t)floor(seeds[1].index[2] + 0.5), beyond = 0;
    for (size_t i = 0; i < next.slice_count; i++)
        beyond += next.slices[i].slice >= clicked;
    CHECK(next.encoded == 0);
    CHECK(next.decoded >= 1 && next.decoded <= beyond + 1); /* and where it stopped */
    CHECK(next.reused >= clicked - (int64_t)floor(seeds[0].index[2] + 0.5));
    uint8_t *after = mask_of(live, 7);
    check_changes(before, after, &next);
    CHECK(next.changed_first[2] >= clicked);

    object.seed_count = 1;
    CHECK_OK(sgm_live_volume_predict(live, 7, &object, NULL, &undone));
    CHECK(undone.decoded == 0 && undone.encoded == 0 && undone.voxels == first.voxels);
    uint8_t *again = mask_of(live, 7);
    CHECK(memcmp(before, again, COUNT) == 0);
    object.seed_count = 2;
    CHECK_OK(sgm_live_volume_predict(live, 7, &object, NULL, &redone));
    CHECK(redone.decoded == 0 && redone.voxels == next.voxels);

    /* a click on the prompted slice: seen at once, then taken */
    sgm_live_slice slice = sgm_live_slice_init();
    object.seed_count = 3;
    int decodes = network.decodes;
    CHECK_OK(sgm_live_volume_preview(live, 7, &object, -1, NULL, &slice));
    CHECK(slice.decoded == 1 && slice.prompted && network.decodes == decodes + 1);
    CHECK(slice.slice == (int64_t)floor(seeds[2].index[2] + 0.5) && slice.axis == 2);
    CHECK(slice.mask_size[0] == I && slice.mask_size[1] == J && slice.voxels > 0);
    CHECK_OK(sgm_live_volume_get(live, 7, &next));
    CHECK(next.voxels == redone.voxels); /* a preview changes nothing */
    CHECK_OK(sgm_live_volume_predict(live, 7, &object, NULL, &next));
    uint8_t *taken = mask_of(live, 7);
    CHECK(next.decoded == (int64_t)network.decodes - decodes - 1);
    CHECK(memcmp(slice.mask, taken + slice.slice * I * J, I * J) == 0);
    /* elsewhere it shows the object as it is */
    CHECK_OK(sgm_live_volume_preview(live, 7, &object, slice.slice + 1, NULL, &slice));
    CHECK(slice.decoded == 0 && !slice.prompted);
    CHECK(memcmp(slice.mask, taken + slice.slice * I * J, I * J) == 0);
    free(before);
    free(after);
    free(again);
    free(taken);
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
    phantom_clear(&p);
}

/* ------------------------------------------------------------------------------------ ways in, out
 */

/* Each way to hand the same initial label over gives the same mask. */
static void check_labels(void)
{
    static uint8_t bytes[COUNT];
    static uint64_t wide[COUNT];
    static float real[COUNT];
    phantom p = make_scene();
    synthetic_network network;
    sgm_live_volume *live = NULL;
    for (int n = 0; n < COUNT; n++) {
        bytes[n] = n / I / J == 12 && p.voxels[n] > 190;
        wide[n] = bytes[n] ? 70000 : n % 3;
        real[n] = bytes[n] ? 3 : 2;
    }
    const sgm_object objects[] = {
        {.labels = bytes},
        {.labels = bytes, .label_value = 1},
        {.labels = wide, .label_type = SGM_VOXEL_U64, .label_value = 70000},
        {.labels = real, .label_type = SGM_VOXEL_F32, .label_value = 3, .label_stamp = 1}};
    synthetic_init(&network, 64);
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &p.volume, NULL, &live));
    for (int n = 0; n < 4; n++)
        CHECK_OK(sgm_live_volume_predict(live, n, &objects[n], NULL, NULL));
    uint8_t *want = mask_of(live, 0);
    for (int n = 1; n < 4; n++) {
        uint8_t *got = mask_of(live, n);
        CHECK(memcmp(want, got, COUNT) == 0);
        free(got);
    }
    /* with a stamp, the labels are read once */
    memset(real, 0, sizeof real);
    CHECK_OK(sgm_live_volume_predict(live, 3, &objects[3], NULL, NULL));
    sgm_object changed = objects[3];
    changed.label_stamp = 2;
    CHECK_STATUS(sgm_live_volume_predict(live, 3, &changed, NULL, NULL), SGM_BAD_PROMPT, "no ");
    free(want);
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
    phantom_clear(&p);
}

static void check_ways_out(void)
{
    static int16_t labels[COUNT];
    phantom p = make_scene();
    synthetic_network network;
    sgm_live_volume *live = NULL;
    sgm_seed seed = seed_at(&p, -6, -2, 0, 1);
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_live_result result = sgm_live_result_init();
    synthetic_init(&network, 64);
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &p.volume, NULL, &live));
    CHECK_OK(sgm_live_volume_predict(live, -5, &object, NULL, &result));
    uint8_t *mask = mask_of(live, -5);
    for (int n = 0; n < COUNT; n++)
        labels[n] = 5;
    CHECK_OK(sgm_live_volume_paint(live, -5, labels, SGM_VOXEL_I16, -300));
    int64_t size[3], part_size = 1, wrong = 0, seen = 0;
    for (int a = 0; a < 3; a++)
        part_size *= size[a] = result.last[a] - result.first[a] + 1;
    uint8_t *part = malloc((size_t)part_size);
    CHECK_OK(sgm_live_volume_mask(live, -5, result.first, result.last, part));
    for (int n = 0; n < COUNT; n++)
        wrong += labels[n] != (mask[n] ? -300 : 5);
    for (int64_t n = 0; n < part_size; n++) {
        int64_t i = n % size[0] + result.first[0], j = n / size[0] % size[1] + result.first[1];
        int64_t k = n / size[0] / size[1] + result.first[2];
        wrong += part[n] != mask[i + I * (j + J * k)];
        seen += part[n];
    }
    CHECK(wrong == 0 && seen == result.voxels && seen > 0);
    CHECK_STATUS(sgm_live_volume_paint(live, -5, labels, SGM_VOXEL_U8, 300), SGM_INVALID_ARGUMENT,
                 "300");
    CHECK_STATUS(sgm_live_volume_paint(live, -5, labels, SGM_VOXEL_F32, 1), SGM_INVALID_ARGUMENT,
                 "integers");
    const int64_t outside[3] = {I, J, K};
    CHECK_STATUS(sgm_live_volume_mask(live, -5, result.first, outside, part), SGM_INVALID_ARGUMENT,
                 "outside");
    /* what is not there is empty; what is removed too */
    CHECK_OK(sgm_live_volume_get(live, 99, &result));
    CHECK(result.voxels == 0 && result.slice_count == 0 && result.last[0] < result.first[0]);
    sgm_live_volume_remove(live, -5);
    CHECK_OK(sgm_live_volume_get(live, -5, &result));
    CHECK(result.voxels == 0);
    free(part);
    free(mask);
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
    phantom_clear(&p);
}

/* ------------------------------------------------------------------------------------- the call */

typedef struct waiting {
    int polls, patience;
} waiting;

static int is_impatient(void *user)
{
    waiting *w = user;
    return ++w->polls > w->patience;
}

/* A call that is cancelled anywhere leaves the object as it was; the next one is as ever. */
static void check_cancel(void)
{
    phantom p = make_scene();
    synthetic_network network;
    sgm_live_volume *live = NULL;
    sgm_seed seeds[2] = {seed_at(&p, -6, -2, 0, 1), seed_at(&p, -4, -2, 5, 0)};
    sgm_object object = {.seeds = seeds, .seed_count = 1};
    sgm_live_result result = sgm_live_result_init();
    waiting w = {0};
    sgm_call call = sgm_call_init();
    call.cancel = is_impatient;
    call.cancel_user = &w;
    synthetic_init(&network, 64);
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &p.volume, NULL, &live));
    CHECK_STATUS(sgm_live_volume_predict(live, 1, &object, &call, &result), SGM_CANCELLED, "");
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, &result));
    uint8_t *before = mask_of(live, 1);
    object.seed_count = 2;
    for (w.patience = 1; w.patience < 200; w.patience += 7) {
        w.polls = 0;
        sgm_status status = sgm_live_volume_predict(live, 1, &object, &call, NULL);
        uint8_t *now = mask_of(live, 1);
        CHECK(status == SGM_OK || memcmp(before, now, COUNT) == 0);
        free(now);
        if (status == SGM_OK) break;
    }
    CHECK(w.patience > 1 && w.patience < 200);
    prompts all = {.seed_count = 2};
    memcpy(all.seeds, seeds, sizeof seeds);
    sgm_volume_options options = sgm_volume_options_init();
    check_same(live, 1, &p, 0, &options, &all);
    w = (waiting){.patience = 3};
    CHECK_STATUS(sgm_live_volume_ahead(live, seeds[0].index, &call), SGM_CANCELLED, "");
    free(before);
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
    phantom_clear(&p);
}

/* What was encoded ahead serves the first click. */
static void check_ahead(int zoom)
{
    phantom p = make_scene();
    synthetic_network network;
    sgm_live_volume *live = NULL;
    sgm_seed seed = seed_at(&p, -6, -2, 0, 1);
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_live_slice slice = sgm_live_slice_init();
    synthetic_init(&network, 64);
    CHECK_OK(sgm_live_volume_make(&network.predictor, zoom, &p.volume, NULL, &live));
    CHECK_OK(sgm_live_volume_ahead(live, seed.index, NULL));
    int encodes = network.encodes;
    CHECK(encodes >= (zoom ? 1 : K));
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, -1, NULL, &slice));
    CHECK(slice.encoded <= zoom); /* a zoom's second look depends on the first answer */
    if (!zoom) {
        CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, NULL));
        CHECK(network.encodes == encodes);
    }
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
    phantom_clear(&p);
}

static void count_warning(void *user, const char *sentence)
{
    *(int *)user += strstr(sentence, "Hounsfield") != NULL;
}

static int is_refused(void *user)
{
    return --*(int *)user < 0;
}

/* What nobody heard, or what was said to a call that was cancelled, is said again. */
static void check_told(const sgm_volume *volume, const sgm_object *object)
{
    synthetic_network network;
    sgm_live_volume *live = NULL;
    sgm_live_slice slice = sgm_live_slice_init();
    int warned = 0;
    sgm_call call = sgm_call_init();
    call.warning = count_warning;
    call.warning_user = &warned;
    synthetic_init(&network, 64);
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, volume, NULL, &live));
    CHECK_OK(sgm_live_volume_ahead(live, object->seeds[0].index, NULL));
    CHECK_OK(sgm_live_volume_preview(live, 1, object, -1, &call, &slice));
    CHECK(warned == 0);
    call.cancel = is_refused;
    for (int patience = 1; patience < 10; patience += 8) {
        int left = patience;
        call.cancel_user = &left;
        CHECK_STATUS(sgm_live_volume_predict(live, 1, object, &call, NULL), SGM_CANCELLED, "");
    }
    call.cancel = NULL;
    warned = 0;
    CHECK_OK(sgm_live_volume_predict(live, 1, object, &call, NULL));
    CHECK(warned == 1);
    CHECK_OK(sgm_live_volume_predict(live, 2, object, &call, NULL));
    CHECK(warned == 1);
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
}

/* Air and water make a CT where nothing says otherwise; the caller may say otherwise. */
static void check_hounsfield(void)
{
    static int16_t voxels[COUNT];
    int warned = 0;
    sgm_volume volume = {.data = voxels,
                         .type = SGM_VOXEL_I16,
                         .channels = 1,
                         .size = {I, J, K},
                         .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 4, 0}}};
    sgm_seed seed = {{15, 15, 12}, 1};
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_call call = sgm_call_init();
    call.warning = count_warning;
    call.warning_user = &warned;
    for (int n = 0; n < COUNT; n++)
        voxels[n] = n % 3 ? (int16_t)(n % 40 - 20) : -1000;
    for (int how = SGM_HOUNSFIELD_AUTO; how <= SGM_HOUNSFIELD_OFF; how++) {
        synthetic_network network;
        sgm_live_volume *live = NULL;
        sgm_live_result result = sgm_live_result_init();
        sgm_volume_options options = sgm_volume_options_init();
        options.hounsfield = (sgm_hounsfield)how;
        synthetic_init(&network, 64);
        CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &volume, &options, &live));
        CHECK_OK(sgm_live_volume_predict(live, 1, &object, &call, &result));
        CHECK(result.hounsfield == (how != SGM_HOUNSFIELD_OFF));
        CHECK((result.window[0] == -160 && result.window[1] == 240) == result.hounsfield);
        CHECK(warned == 1); /* by AUTO, once */
        CHECK_OK(sgm_live_volume_predict(live, 1, &object, &call, &result));
        sgm_live_volume_destroy(live);
        synthetic_clear(&network);
    }
    CHECK(warned == 1);
    check_told(&volume, &object);
}

/* A result that cannot be filled is refused before anything is done. */
static void check_result_size(const phantom *p, sgm_live_volume *live,
                              const synthetic_network *network)
{
    sgm_seed seed = seed_at(p, -6, -2, 0, 1);
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_live_result result = sgm_live_result_init();
    sgm_live_slice slice = sgm_live_slice_init();
    result.size = slice.size = 8;
    CHECK_STATUS(sgm_live_volume_predict(live, 1, &object, NULL, &result), SGM_INVALID_ARGUMENT,
                 "sizeof(sgm_live_result)");
    CHECK_STATUS(sgm_live_volume_preview(live, 1, &object, -1, NULL, &slice), SGM_INVALID_ARGUMENT,
                 "sizeof(sgm_live_slice)");
    result = sgm_live_result_init();
    CHECK_OK(sgm_live_volume_get(live, 1, &result));
    CHECK(result.voxels == 0 && result.slice_count == 0 && network->decodes == 0);
}

/* Structs of another size: older headers, newer ones, and what is none. */
static void check_sizes(void)
{
    phantom p = make_scene();
    synthetic_network network;
    sgm_live_volume *live = NULL;
    struct {
        sgm_volume_options options;
        int more;
    } newer = {.options = sgm_volume_options_init()};
    synthetic_init(&network, 64);
    newer.options.size = sizeof newer;
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &p.volume, &newer.options, &live));
    sgm_live_volume_destroy(live);
    newer.more = 1;
    CHECK_STATUS(sgm_live_volume_make(&network.predictor, 0, &p.volume, &newer.options, &live),
                 SGM_INVALID_ARGUMENT, "does not know");
    newer.options.size = 12;
    CHECK_STATUS(sgm_live_volume_make(&network.predictor, 0, &p.volume, &newer.options, &live),
                 SGM_INVALID_ARGUMENT, "sizeof(sgm_volume_options)");
    newer.options.size = 0; /* as zeros are */
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &p.volume, &newer.options, &live));
    check_result_size(&p, live, &network);
    sgm_live_volume_destroy(live);
    phantom_clear(&p);
}

/* Objects of one answer are cut along one axis, as at once, whatever each would choose alone. */
static void check_one_axis(void)
{
    const int64_t extent[3] = {I, J, K};
    const double spacing[3] = {1, 1, 1};
    const int order[3] = {0, 1, 2};
    sgm_seed along_i[] = {{{12, 13.3, 12.4}, 1}, {{12, 14.2, 11.7}, 1}};
    sgm_seed along_k[] = {{{20.2, 15.4, 12}, 1}, {{19.6, 16.3, 12}, 1}};
    const sgm_object objects[] = {{.name = "a", .seeds = along_i, .seed_count = 2},
                                  {.name = "b", .seeds = along_k, .seed_count = 2}};
    sgm_volume_options options = sgm_volume_options_init();
    sgm_live_result result = sgm_live_result_init();
    synthetic_network network;
    sgm_volume_result once;
    sgm_live_volume *live;
    phantom p;
    phantom_make(&p, scene, extent, spacing, order, 0);
    synthetic_init(&network, 64);
    CHECK_OK(sgm_volume_segment(&network.predictor, 0, &p.volume, objects, 2, &options, &once));
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &p.volume, &options, &live));
    CHECK_OK(sgm_live_volume_predict(live, 1, &objects[0], NULL, &result));
    CHECK(once.axis == 2 && result.axis == 0);
    CHECK_OK(sgm_live_volume_hold_axis(live, objects, 2));
    for (int n = 0; n < 2; n++) {
        CHECK_OK(sgm_live_volume_predict(live, n + 1, &objects[n], NULL, &result));
        CHECK(result.axis == once.axis);
        check_same_slices(&result, &once.objects[n]);
        uint8_t *mask = mask_of(live, n + 1);
        CHECK(memcmp(mask, once.objects[n].mask, COUNT) == 0);
        free(mask);
    }
    along_k[1].index[0] = 99;
    CHECK_STATUS(sgm_live_volume_hold_axis(live, objects, 2), SGM_BAD_PROMPT, "99");
    CHECK_STATUS(sgm_live_volume_hold_axis(NULL, objects, 2), SGM_INVALID_ARGUMENT, "NULL");
    CHECK_OK(sgm_live_volume_predict(live, 1, &objects[0], NULL, &result));
    CHECK(result.axis == 0);
    CHECK_OK(sgm_live_volume_hold_axis(live, objects, 1));
    CHECK_OK(sgm_live_volume_hold_axis(live, NULL, 0));
    sgm_live_volume_destroy(live);
    options.axis = SGM_AXIS_J;
    along_k[1].index[0] = 19;
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &p.volume, &options, &live));
    CHECK_OK(sgm_live_volume_hold_axis(live, objects, 2));
    CHECK_OK(sgm_live_volume_predict(live, 1, &objects[0], NULL, &result));
    CHECK(result.axis == 1);
    sgm_live_volume_destroy(live);
    sgm_volume_result_clear(&once);
    synthetic_clear(&network);
    phantom_clear(&p);
}

/* Volumes that cannot be are refused in a sentence, before anything is done. */
static void check_refusals(void)
{
    phantom p = make_scene();
    sgm_volume volume = p.volume;
    volume.type = SGM_VOXEL_I64;
    CHECK_STATUS(sgm_volume_check(&volume), SGM_UNREADABLE, "64-bit");
    volume.type = SGM_VOXEL_U16;
    volume.channels = 3;
    CHECK_STATUS(sgm_volume_check(&volume), SGM_UNREADABLE, "8 bits per channel");
    volume.type = SGM_VOXEL_U8;
    volume.channels = 4;
    CHECK_STATUS(sgm_volume_check(&volume), SGM_UNREADABLE, "this one has 4");
    volume.channels = 2;
    CHECK_STATUS(sgm_volume_check(&volume), SGM_UNREADABLE, "this one has 2");
    CHECK_OK(sgm_volume_check(&p.volume));
    phantom_clear(&p);
}

int main(void)
{
    check_conversations();
    check_counts();
    check_labels();
    check_ways_out();
    check_cancel();
    check_ahead(0);
    check_ahead(1);
    check_hounsfield();
    check_sizes();
    check_one_axis();
    check_refusals();
    return check_report();
}
