/* What a live volume keeps: of earlier answers as much for an object among many as for one alone,
 * and no more than it may; of embeddings as many as memory may hold. */
#include "check.h"
#include "phantom.h"
#include "synthetic_network.h"

#include "predict/volume/live.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 40, DEPTH = 24, COUNT = SIDE * SIDE * DEPTH };

static synthetic_network network;

/* A tube along z, the ground beside it of another grey on each slice's halves. */
static double tube(const double mm[3])
{
    return hypot(mm[0], mm[1]) < 8 && fabs(mm[2]) < 10 ? 200 : mm[0] > 0 ? 40 : 90;
}

static sgm_live_volume *open_tube(phantom *p, size_t answer_memory)
{
    const int64_t extent[3] = {SIDE, SIDE, DEPTH};
    const double spacing[3] = {1, 1, 1};
    const int order[3] = {0, 1, 2};
    sgm_volume_options options = sgm_volume_options_init();
    sgm_live_volume *live = NULL;
    phantom_make(p, tube, extent, spacing, order, 0);
    synthetic_init(&network, 64);
    network.predictor.walk = network.predictor.walk_in_box = (sgm_walk){.logits = true};
    network.object_grey = 200;
    network.object_reach = 90;
    options.axis = SGM_AXIS_K;
    options.answer_memory = answer_memory;
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &p->volume, &options, &live));
    return live;
}

static void close_tube(phantom *p, sgm_live_volume *live)
{
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
    phantom_clear(p);
}

/* Objects with an initial label of many small parts, which takes as many bytes as it has voxels. */
static void add_labelled(sgm_live_volume *live, int count)
{
    static uint8_t labels[COUNT];
    for (int n = 0; n < count; n++) {
        sgm_object object = {.labels = labels};
        for (int i = 0; i < COUNT; i++)
            labels[i] = (uint8_t)((i + i / SIDE + n) % 2);
        CHECK_OK(sgm_live_volume_predict(live, 100 + n, &object, NULL, NULL));
    }
}

enum { QUESTIONS = 4 };

/* What is decoded for a point, for another one instead, and for each of them again, beside so many
 * other objects. */
static void count_decodes(int others, int64_t decodes[QUESTIONS])
{
    phantom p;
    sgm_live_result result = sgm_live_result_init();
    sgm_live_volume *live = open_tube(&p, 300000);
    sgm_seed seeds[2] = {{{20, 20, 12}, SGM_FOREGROUND}, {{23, 22, 15}, SGM_FOREGROUND}};
    add_labelled(live, others);
    for (int n = 0; n < QUESTIONS; n++) {
        sgm_object object = {.seeds = &seeds[n % 2], .seed_count = 1};
        CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, &result));
        CHECK(result.slice_count > 15);
        decodes[n] = result.decoded;
    }
    close_tube(&p, live);
}

static void check_among_others(void)
{
    int64_t alone[QUESTIONS], among[QUESTIONS];
    count_decodes(0, alone);
    count_decodes(12, among);
    CHECK(alone[0] > 15 && alone[1] > 15 && alone[2] == 0 && alone[3] == 0);
    for (int n = 0; n < QUESTIONS; n++)
        CHECK(among[n] == alone[n]);
}

/* However often an object changes, what is kept of it stays within the limit, and nothing that its
 * result needs goes. */
static void check_limit(void)
{
    enum { LIMIT = 200000, TURNS = 60 };
    phantom p;
    size_t most = 0;
    sgm_live_volume *live = open_tube(&p, LIMIT);
    const sgm_answers *answers = &live->desk.answers;
    for (int turn = 0; turn < TURNS; turn++) {
        sgm_seed seed = {{16 + turn % 8, 16 + turn / 8, 12}, SGM_FOREGROUND};
        sgm_object object = {.seeds = &seed, .seed_count = 1};
        sgm_live_result result = sgm_live_result_init();
        CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, &result));
        CHECK(answers->bytes <= LIMIT + LIMIT / 2); /* the last walk's go with the next one's */
        CHECK(answers->count >= result.slice_count);
        if (answers->count > most) most = answers->count;
    }
    CHECK(most > 40 && most < TURNS * 19 / 2);
    sgm_live_volume_remove(live, 1);
    CHECK(answers->bytes > 0);
    close_tube(&p, live);
}

/* The tube after a point, then with a background point on another slice, of a network that walks by
 * boxes and points; the mask of the latter. */
static uint8_t *mask_with_background(size_t answer_memory)
{
    phantom p;
    sgm_live_volume *live = open_tube(&p, answer_memory);
    network.predictor.walk = network.predictor.walk_in_box =
        (sgm_walk){.logits = true, .box = true, .points = SGM_WALK_POINTS};
    sgm_seed seeds[2] = {{{20, 20, 9}, SGM_FOREGROUND}, {{25, 20, 14}, SGM_BACKGROUND}};
    sgm_object object = {.seeds = seeds};
    uint8_t *mask = calloc(COUNT, 1);
    for (object.seed_count = 1; object.seed_count <= 2; object.seed_count++)
        CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, NULL));
    CHECK_OK(sgm_live_volume_paint(live, 1, mask, SGM_VOXEL_U8, 1));
    close_tube(&p, live);
    return mask;
}

/* A slice with points of its own, reached from answers whose logits have to be computed again, is
 * asked with its own points. */
static void check_forgotten(void)
{
    uint8_t *want = mask_with_background(0), *got = mask_with_background(1);
    int64_t tube_voxels = 0, differences = 0, lacking = 0;
    for (int n = 0; n < COUNT; n++) {
        tube_voxels += want[n];
        differences += want[n] != got[n];
        lacking += n / SIDE / SIDE == 14 && want[n - SIDE * SIDE] && !want[n];
    }
    CHECK(tube_voxels > 1000 && lacking > 5); /* the background point was obeyed */
    CHECK(differences == 0);
    free(want);
    free(got);
}

/* Embeddings that a walk over 600 slices computes again when memory is for so many. */
static int64_t encoded_again(size_t embeddings)
{
    enum { SLICES = 600, EDGE = 8 };
    static int16_t voxels[SLICES * EDGE * EDGE];
    sgm_volume volume = {.data = voxels,
                         .type = SGM_VOXEL_I16,
                         .channels = 1,
                         .size = {EDGE, EDGE, SLICES},
                         .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}},
                         .hounsfield = SGM_HOUNSFIELD_OFF};
    sgm_volume_options options = sgm_volume_options_init();
    sgm_live_volume *live = NULL;
    sgm_live_result result = sgm_live_result_init();
    sgm_roi roi = {.center = {4, 4, 300}, .half_axis = {{3, 0, 0}, {0, 3, 0}, {0, 0, 300}}};
    sgm_object object = {.rois = &roi, .roi_count = 1};
    for (int i = 0; i < SLICES * EDGE * EDGE; i++)
        voxels[i] = (int16_t)(i % EDGE > 2 && i % EDGE < 6 ? 200 : i / (EDGE * EDGE) % 50);
    synthetic_init(&network, EDGE);
    options.axis = SGM_AXIS_K;
    options.embedding_memory = embeddings * EDGE * EDGE * sizeof(float);
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &volume, &options, &live));
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, &result));
    CHECK(result.encoded == SLICES && result.voxels > SLICES);
    roi.half_axis[0][0] = 2.9;
    CHECK_OK(sgm_live_volume_predict(live, 2, &object, NULL, &result));
    CHECK(result.decoded >= SLICES);
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
    return result.encoded;
}

static void check_embeddings(void)
{
    CHECK(encoded_again(600) == 0);
    CHECK(encoded_again(300) >= 300);
    CHECK(encoded_again(1) >= 590);
}

int main(void)
{
    check_embeddings();
    check_among_others();
    check_limit();
    check_forgotten();
    return check_report();
}
