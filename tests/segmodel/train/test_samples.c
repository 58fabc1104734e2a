/* Samples: objects of label maps, windows, prompts, synthetic pictures, and that a sample depends
 * on nothing but its index. */
#include <stdlib.h>
#ifndef _WIN32
#include <sys/wait.h>
#endif

#include "../check.h"
#include "../portable.h"
#include "models/models.h"
#include "predict/session/prompt_prior.h"
#include "predict/session/prompt_tokens.h"
#include "segmodel/metrics.h"
#include "train/augment.h"
#include "train/crop.h"
#include "train/loader.h"
#include "train/neighbour.h"
#include "train/synth.h"

enum { SIDE = 64, PIXELS = SIDE * SIDE };

static double dice_of(const uint8_t *a, const uint8_t *b, size_t count)
{
    sgm_overlap overlap = sgm_overlap_of(a, b, count);
    return sgm_overlap_dice(&overlap, 0);
}

static const char *const PATH = "test_samples.pack";

/* Labels: two discs of class 1, a ring of class 2 around a disc of class 3, one pixel of class 4.
 */
static void draw_labels(uint8_t *label)
{
    for (int i = 0; i < PIXELS; i++) {
        int x = i % SIDE, y = i / SIDE;
        int a = (x - 14) * (x - 14) + (y - 14) * (y - 14);
        int b = (x - 46) * (x - 46) + (y - 14) * (y - 14);
        int c = (x - 32) * (x - 32) + (y - 46) * (y - 46);
        label[i] = (uint8_t)(a < 64 || b < 49 ? 1 : c < 36 ? 3 : c < 144 ? 2 : x + y == 0 ? 4 : 0);
    }
}

static sgm_pack *make_pack(bool instances, bool held_out)
{
    static uint8_t image[PIXELS], label[PIXELS];
    sgm_pack_writer *writer;
    sgm_pack *pack = NULL;
    sgm_pack_set set = {"set", "CT", "", instances, held_out, false};
    int index;
    draw_labels(label);
    for (int i = 0; i < PIXELS; i++)
        image[i] = (uint8_t)(50 * label[i] + i % 7);
    sgm_pack_item item = {"item", 0, SGM_SPLIT_TRAIN, SIDE, SIDE, 1, 1, image, label};
    CHECK_OK(sgm_pack_writer_open(PATH, 0, &writer));
    CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
    CHECK_OK(sgm_pack_writer_item(writer, &item));
    CHECK_OK(sgm_pack_writer_finish(writer));
    CHECK_OK(sgm_pack_open(PATH, &pack));
    return pack;
}

static const sgm_target *find(const sgm_target_list *list, sgm_target_kind kind, int label, int x0)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->objects[i].kind == kind && list->objects[i].label == label &&
            (x0 < 0 || list->objects[i].x0 == x0))
            return &list->objects[i];
    return NULL;
}

static void check_mask(const sgm_pack *pack, const sgm_target *object)
{
    if (!CHECK(object != NULL)) return;
    uint8_t *mask = sgm_target_mask(pack, object);
    int area = 0, count = (object->x1 - object->x0 + 1) * (object->y1 - object->y0 + 1);
    for (int i = 0; mask && i < count; i++)
        area += mask[i];
    CHECK(area == object->area);
    free(mask);
}

static void check_objects(void)
{
    sgm_target_list list = {0};
    sgm_pack *pack = make_pack(false, false);
    CHECK_OK(sgm_targets_find(pack, 0, 8, &list));
    /* two discs, both discs, the ring, its core, ring and core together */
    CHECK(list.count == 6);
    check_mask(pack, find(&list, SGM_TARGET_COMPONENT, 1, 7));
    check_mask(pack, find(&list, SGM_TARGET_COMPONENT, 1, 40));
    check_mask(pack, find(&list, SGM_TARGET_VALUE, 1, 7));
    check_mask(pack, find(&list, SGM_TARGET_COMPONENT, 2, -1));
    check_mask(pack, find(&list, SGM_TARGET_MERGED, 0, -1));
    const sgm_target *ring = find(&list, SGM_TARGET_COMPONENT, 2, -1);
    const sgm_target *both = find(&list, SGM_TARGET_MERGED, 0, -1);
    const sgm_target *core = find(&list, SGM_TARGET_COMPONENT, 3, -1);
    if (CHECK(ring && both && core)) CHECK(both->area == ring->area + core->area);
    CHECK(find(&list, SGM_TARGET_COMPONENT, 4, -1) == NULL);
    sgm_target_list_clear(&list);
    sgm_pack_close(pack);
    pack = make_pack(true, false);
    CHECK_OK(sgm_targets_find(pack, 0, 8, &list));
    CHECK(list.count == 3); /* one per value */
    sgm_target_list_clear(&list);
    sgm_pack_close(pack);
}

/* A window the size of the item gives the item back; a mirrored one its mirror image. */
static void check_crop(void)
{
    sgm_pack *pack = make_pack(false, false);
    const sgm_pack_item *item = sgm_pack_item_at(pack, 0);
    static float image[3 * PIXELS];
    static uint8_t mask[PIXELS];
    sgm_crop crop = {31.5, 31.5, SIDE, 0, 1, false, false};
    sgm_crop_image(&crop, item, SIDE, 0, image);
    double worst = 0;
    for (int i = 0; i < PIXELS; i++)
        worst = fmax(worst, fabs((double)image[3 * i + 2] - item->image[i]));
    CHECK(worst < 1e-3);
    crop.flip_x = true;
    sgm_crop_image(&crop, item, SIDE, 0, image);
    CHECK_NEAR(image[3 * (20 * SIDE + 5)], item->image[20 * SIDE + 58], 1e-3);
    crop = (sgm_crop){31.5, 31.5, 2 * SIDE, 0, 1, false, false};
    sgm_crop_image(&crop, item, SIDE, 77, image);
    CHECK_NEAR(image[0], 77, 1e-3);
    sgm_target_list list = {0};
    CHECK_OK(sgm_targets_find(pack, 0, 8, &list));
    const sgm_target *disc = find(&list, SGM_TARGET_COMPONENT, 1, 7);
    uint8_t *object_mask = sgm_target_mask(pack, disc);
    crop = (sgm_crop){31.5, 31.5, SIDE, 1.5707963267948966, 1, false, false};
    sgm_crop_mask(&crop, disc, object_mask, SIDE, mask);
    sgm_mask_box box = sgm_mask_bounds(mask, SIDE, SIDE);
    CHECK(box.area == disc->area); /* a quarter turn loses nothing */
    free(object_mask);
    sgm_target_list_clear(&list);
    sgm_pack_close(pack);
}

static void check_distance(void)
{
    static uint8_t mask[PIXELS];
    static int32_t distance[PIXELS];
    int x = -1, y = -1;
    for (int i = 0; i < PIXELS; i++)
        mask[i] = i % SIDE >= 10 && i % SIDE < 31 && i / SIDE >= 20 && i / SIDE < 31;
    sgm_mask_distance(mask, SIDE, SIDE, distance);
    CHECK(distance[0] == 0 && distance[20 * SIDE + 10] == 3 && distance[25 * SIDE + 20] == 18);
    CHECK(sgm_mask_deepest_pixel(distance, SIDE, SIDE, &x, &y) && y == 25 && x == 15);
    memset(mask, 0, sizeof mask);
    sgm_mask_distance(mask, SIDE, SIDE, distance);
    CHECK(!sgm_mask_deepest_pixel(distance, SIDE, SIDE, &x, &y));
}

static int place(float coordinate)
{
    return (int)floor((coordinate + 1) * SIDE / 2);
}

/* Prompts mean the object: points lie in it, corners around it, corrections in the error. */
static void check_prompts(void)
{
    static uint8_t mask[PIXELS], bytes[3][PIXELS], guess[PIXELS];
    static int32_t ints[PIXELS];
    static float logits[SGM_ROUNDS][PIXELS];
    sgm_sim_scratch scratch = {{bytes[0], bytes[1], bytes[2]}, ints};
    float *masks[SGM_ROUNDS] = {logits[0], logits[1], logits[2], logits[3]};
    sgm_sim_options options = {0, 0.5, true, false};
    for (int i = 0; i < PIXELS; i++)
        mask[i] = abs(i % SIDE - 30) + abs(i / SIDE - 25) < 15;
    int corrections = 0;
    for (uint64_t k = 0; k < 200; k++) {
        sgm_round rounds[SGM_ROUNDS];
        sgm_rng rng = sgm_rng_at(3, k);
        sgm_simulate(mask, NULL, SIDE, &options, &rng, &scratch, rounds, masks);
        const sgm_round *point = &rounds[0], *box = &rounds[1], *fixed = &rounds[3];
        CHECK(point->tokens == 2 && point->labels[0] == SGM_TOKEN_FOREGROUND &&
              point->labels[1] == SGM_TOKEN_PADDING);
        CHECK(mask[place(point->coords[0][1]) * SIDE + place(point->coords[0][0])]);
        CHECK(box->labels[0] == SGM_TOKEN_BOX_FIRST && box->labels[1] == SGM_TOKEN_BOX_SECOND);
        CHECK(place(box->coords[0][0]) == 16 && place(box->coords[1][1]) == 39);
        for (int r = 2; r < 4; r++)
            for (int t = 0; t < 4; t++) {
                int label = rounds[r].labels[t];
                int at = place(rounds[r].coords[t][1]) * SIDE + place(rounds[r].coords[t][0]);
                if (label <= SGM_TOKEN_FOREGROUND) CHECK(mask[at] == (label == 1));
            }
        for (int i = 0; i < PIXELS; i++)
            guess[i] = logits[3][i] > 0;
        double dice = dice_of(mask, guess, PIXELS);
        CHECK(dice > 0.1); /* worse, but still of this object */
        for (int t = 0; t < 4; t++) {
            int at = place(fixed->coords[t][1]) * SIDE + place(fixed->coords[t][0]);
            if (fixed->labels[t] <= SGM_TOKEN_FOREGROUND && mask[at] != guess[at]) {
                corrections++;
                break;
            }
        }
    }
    CHECK(corrections > 150); /* guesses without an error need none */
}

typedef struct walk_sim {
    uint8_t mask[PIXELS], bytes[3][PIXELS];
    int32_t ints[PIXELS];
    float logits[SGM_ROUNDS][PIXELS];
    sgm_round rounds[SGM_ROUNDS];
} walk_sim;

static void simulate_walk(walk_sim *w, const uint8_t *neighbour, uint64_t k)
{
    sgm_sim_scratch scratch = {{w->bytes[0], w->bytes[1], w->bytes[2]}, w->ints};
    float *masks[SGM_ROUNDS];
    sgm_sim_options options = {0, 0.5, true, true};
    sgm_rng rng = sgm_rng_at(5, k);
    for (int r = 0; r < SGM_ROUNDS; r++)
        masks[r] = w->logits[r];
    sgm_simulate(w->mask, neighbour, SIDE, &options, &rng, &scratch, w->rounds, masks);
}

static int positive(const float *logits)
{
    int count = 0;
    for (int i = 0; i < PIXELS; i++)
        count += logits[i] > 0;
    return count;
}

/* A loose box, and the point that may stand before it, are asked in training with the tokens that a
 * session makes of them. points: 0 or 1. */
static void check_loose_tokens(const sgm_round *round, int points)
{
    float coordinates[8];
    int32_t labels[4];
    const float(*at)[2] = round->coords + points;
    sgm_point point = {place(round->coords[0][0]), place(round->coords[0][1]),
                       round->labels[0] == SGM_TOKEN_FOREGROUND ? SGM_FOREGROUND : SGM_BACKGROUND};
    sgm_box box = {(at[0][0] + 1) * SIDE / 2 - 0.5, (at[0][1] + 1) * SIDE / 2 - 0.5,
                   (at[1][0] + 1) * SIDE / 2 - 0.5, (at[1][1] + 1) * SIDE / 2 - 0.5};
    sgm_prompt prompt = {
        .points = &point, .point_count = (size_t)points, .box = &box, .loose_box = 1};
    sgm_model_config config = {.image_size = SIDE, .protocol = &sgm_protocol_sam};
    sgm_frame frame = {{SIDE, SIDE}, {SIDE, SIDE}};
    CHECK(sgm_prompt_token_count(&prompt) == round->tokens);
    sgm_prompt_tokens(&config, &frame, &prompt, coordinates, labels);
    for (int t = 0; t < 4; t++) {
        CHECK(labels[t] == round->labels[t]);
        for (int c = 0; c < 2 && t < points + 2; c++) /* a padding token has no place */
            CHECK_NEAR(coordinates[2 * t + c], round->coords[t][c], 1e-6);
    }
}

/* What a walk asks: a mask and nothing else, larger than the truth as often as smaller; a loose box
 * that holds the object and is told from a tight one; corrections of both polarities. */
static void check_walk_prompts(void)
{
    static walk_sim w;
    double growth = 0;
    int draws = 400, foreground = 0, background = 0, beside[3] = {0};
    for (int i = 0; i < PIXELS; i++)
        w.mask[i] = abs(i % SIDE - 30) + abs(i / SIDE - 25) < 15;
    int area = sgm_mask_bounds(w.mask, SIDE, SIDE).area;
    for (int k = 0; k < draws; k++) {
        simulate_walk(&w, NULL, (uint64_t)k);
        CHECK(w.rounds[4].tokens == 0 && w.rounds[5].tokens == 4);
        growth += log(positive(w.logits[4]) / (double)area) / draws;
        const sgm_round *loose = &w.rounds[5], *click = &w.rounds[3];
        int points = loose->labels[0] != SGM_TOKEN_BOX_FIRST;
        const float(*at)[2] = loose->coords + points;
        CHECK(loose->labels[points] == SGM_TOKEN_BOX_FIRST &&
              loose->labels[points + 1] == SGM_TOKEN_BOX_SECOND &&
              loose->labels[3] == SGM_TOKEN_PADDING);
        CHECK(place(at[0][0]) <= 16 && place(at[0][1]) <= 11 && place(at[1][0]) >= 44 &&
              place(at[1][1]) >= 39);
        beside[points ? loose->labels[0] == SGM_TOKEN_FOREGROUND : 2]++;
        check_loose_tokens(loose, points);
        for (int i = 0; i < PIXELS && !points; i++)
            if (w.logits[5][i] > 1 || w.logits[5][i] < -8) CHECK(!"a loose box claims too much");
        for (int t = 0; t < 4; t++) {
            foreground += click->labels[t] == SGM_TOKEN_FOREGROUND;
            background += click->labels[t] == SGM_TOKEN_BACKGROUND;
        }
    }
    CHECK(fabs(growth) < 0.03);
    CHECK(foreground > draws / 2 && background > draws / 2);
    CHECK(beside[0] > draws / 10 && beside[1] > draws / 4 && beside[2] > draws / 3);
    static uint8_t gone[PIXELS];
    memcpy(gone, w.mask, sizeof gone);
    memset(w.mask, 0, sizeof w.mask);
    simulate_walk(&w, gone, 1); /* the object has ended: only its last mask is asked with */
    CHECK(positive(w.logits[4]) == area && positive(w.logits[0]) == 0);
}

static void check_weakening(void)
{
    static float logits[PIXELS];
    for (int i = 0; i < PIXELS; i++)
        logits[i] = 8;
    sgm_weaken_logits(logits, SIDE, 20, 30);
    CHECK(logits[30 * SIDE + 20] == 0 && logits[30 * SIDE + 22] < 4);
    CHECK(logits[30 * SIDE + 40] == 8 && logits[0] == 8);
}

enum { SLICES = 7, EMPTY_SLICE = 6 };

/* A ball's slices: the radius of the object grows, then it ends. */
static int radius_of(int slice)
{
    return slice == EMPTY_SLICE ? 0 : 8 + 2 * slice;
}

static sgm_pack *make_volume(void)
{
    static uint8_t image[PIXELS], label[PIXELS];
    sgm_pack_writer *writer;
    sgm_pack *pack = NULL;
    sgm_pack_set set = {"ball", "CT", "", false, false, false};
    int index;
    CHECK_OK(sgm_pack_writer_open(PATH, 0, &writer));
    CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
    for (int s = 0; s < SLICES; s++) {
        int r = radius_of(s);
        for (int i = 0; i < PIXELS; i++) {
            int x = i % SIDE - 32, y = i / SIDE - 32;
            label[i] = x * x + y * y < r * r;
            image[i] = (uint8_t)(label[i] ? 200 : 30);
        }
        char id[8];
        snprintf(id, sizeof id, "%d", s);
        sgm_pack_item item = {id, 0, SGM_SPLIT_TRAIN, SIDE, SIDE, 1, 1, image, label, 1, s};
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
    CHECK_OK(sgm_pack_open(PATH, &pack));
    return pack;
}

/* Pairs of slices: the truth is the asked slice's own, objects grow as often as they shrink, and
 * beyond the last one there is nothing. */
static void check_neighbours(void)
{
    sgm_pack *pack = make_volume();
    sgm_target_list list = {0};
    int grows = 0, shrinks = 0, ended = 0;
    for (int s = 0; s < SLICES; s++)
        CHECK_OK(sgm_targets_find(pack, s, 8, &list));
    CHECK(list.count == SLICES - 1);
    for (uint64_t k = 0; k < 600; k++) {
        sgm_neighbour_pair pair;
        bool found;
        sgm_rng rng = sgm_rng_at(8, k);
        CHECK_OK(sgm_neighbour_draw(pack, &list.objects[k % list.count], &rng, &pair, &found));
        if (!found) continue;
        int area = sgm_mask_bounds(pair.mask, SIDE, SIDE).area;
        int beside = sgm_mask_bounds(pair.neighbour, SIDE, SIDE).area, truth = 0;
        for (int i = 0; i < PIXELS; i++)
            truth += sgm_pack_label(sgm_pack_item_at(pack, pair.item), i % SIDE, i / SIDE) != 0;
        CHECK(area == truth && pair.ended == (area == 0) && beside > 0);
        CHECK(!pair.ended || pair.item == EMPTY_SLICE);
        ended += pair.ended;
        grows += area > beside;
        shrinks += area < beside && area;
        sgm_neighbour_clear(&pair);
    }
    CHECK(ended > 20 && ended < 150);
    CHECK(abs(grows - shrinks) < 60 && grows > 100);
    sgm_target_list_clear(&list);
    sgm_pack_close(pack);
}

static const sgm_sampler_options walk_options = {.seed = 4,
                                                 .protocol = &sgm_protocol_sam,
                                                 .size = SIDE,
                                                 .target_side = SIDE / 2,
                                                 .tight_share = 1,
                                                 .sim = {0, 0.5, true, true}};

/* How well the neighbour's mask that sample `a` is asked with is what sample `b` shows. */
static double asked_beside(const sgm_batch *batch, int a, int b)
{
    static uint8_t asked[PIXELS / 4], shown[PIXELS / 4];
    for (int i = 0; i < PIXELS / 4; i++) {
        asked[i] = batch->masks[2][a * PIXELS / 4 + i] > 0;
        shown[i] = batch->target[b * PIXELS / 4 + i] > 0.5f;
    }
    return dice_of(asked, shown, PIXELS / 4);
}

/* Two samples are neighbouring slices in one window: each is asked with the mask of the other.
 * Where the object has ended, the other sample still has it. */
static void check_pairs(void)
{
    sgm_pack *pack = make_volume();
    sgm_sampler_options options = walk_options;
    sgm_sampler *sampler;
    sgm_sampler_scratch scratch;
    sgm_batch batch;
    int ended = 0;
    options.augmentation = 1;
    CHECK_OK(sgm_sampler_create(pack, &options, &sampler));
    CHECK_OK(sgm_sampler_scratch_create(&options, &scratch));
    CHECK_OK(sgm_batch_create(&options, 2, &batch));
    for (uint64_t k = 0; k < 60; k++) {
        for (int i = 0; i < 2; i++)
            CHECK_OK(sgm_sampler_draw(sampler, 2 * k + (uint64_t)i, i, &scratch, &batch));
        CHECK(batch.paired[0] == 1 && batch.item[0] != batch.item[1] && batch.weight[1] == 1);
        CHECK(asked_beside(&batch, 0, 1) > 0.9);
        CHECK(batch.paired[1] == (batch.weight[0] == 1));
        if (batch.paired[1]) CHECK(asked_beside(&batch, 1, 0) > 0.9);
        ended += !batch.paired[1];
    }
    CHECK(ended > 2 && ended < 30);
    sgm_batch_clear(&batch);
    sgm_sampler_scratch_clear(&scratch);
    sgm_sampler_destroy(sampler);
    sgm_pack_close(pack);
}

/* Where pictures have no neighbours the second sample of two is one of its own, not the first one
 * once more. */
static void check_no_pairs(void)
{
    sgm_pack *pack = make_pack(false, false);
    sgm_sampler_options options = walk_options;
    sgm_sampler *sampler;
    sgm_sampler_scratch scratch;
    sgm_batch batch;
    int twice = 0;
    CHECK_OK(sgm_sampler_create(pack, &options, &sampler));
    CHECK_OK(sgm_sampler_scratch_create(&options, &scratch));
    CHECK_OK(sgm_batch_create(&options, 2, &batch));
    for (uint64_t k = 0; k < 40; k++) {
        for (int i = 0; i < 2; i++)
            CHECK_OK(sgm_sampler_draw(sampler, 2 * k + (uint64_t)i, i, &scratch, &batch));
        CHECK(batch.paired[0] == 0 && batch.paired[1] == 0);
        twice += !memcmp(batch.image, batch.image + 3 * PIXELS, 3 * PIXELS * sizeof(float));
    }
    CHECK(twice == 0);
    sgm_batch_clear(&batch);
    sgm_sampler_scratch_clear(&scratch);
    sgm_sampler_destroy(sampler);
    sgm_pack_close(pack);
}

/* All that is labelled is followed as a whole, whatever its labels are. */
static void check_foreground_neighbours(void)
{
    sgm_pack *pack = make_volume();
    sgm_target_list list = {0};
    sgm_neighbour_pair pair;
    bool found;
    sgm_rng rng = sgm_rng_at(8, 1);
    CHECK_OK(sgm_targets_find_values(pack, 2, 1, true, &list));
    if (!CHECK(list.count == 1 && list.objects[0].kind == SGM_TARGET_FOREGROUND)) return;
    list.objects[0].label = 7; /* no pixel has it */
    CHECK_OK(sgm_neighbour_draw(pack, &list.objects[0], &rng, &pair, &found));
    CHECK(found && !pair.ended && sgm_mask_bounds(pair.mask, SIDE, SIDE).area > 0);
    sgm_neighbour_clear(&pair);
    sgm_target_list_clear(&list);
    sgm_pack_close(pack);
}

/* A sample of an object that has ended: nothing to draw, and no other round counts. */
static void check_ended_sample(void)
{
    sgm_pack *pack = make_volume();
    sgm_sampler_options options = walk_options;
    sgm_sampler *sampler;
    sgm_sampler_scratch scratch;
    sgm_batch batch;
    int ended = 0, cells = PIXELS / 4;
    CHECK_OK(sgm_sampler_create(pack, &options, &sampler));
    CHECK_OK(sgm_sampler_scratch_create(&options, &scratch));
    CHECK_OK(sgm_batch_create(&options, 1, &batch));
    for (uint64_t k = 0; k < 100; k++) {
        float drawn = 0, asked = 0;
        CHECK_OK(sgm_sampler_draw(sampler, 2 * k, 0, &scratch, &batch));
        for (int i = 0; i < cells; i++) {
            drawn += batch.target[i];
            asked += batch.masks[2][i] > 0;
        }
        CHECK(batch.paired[0] == 1 && asked > 0);
        CHECK((drawn > 0) == (batch.weight[0] == 1));
        ended += batch.weight[0] == 0;
    }
    CHECK(ended > 3 && ended < 40);
    sgm_batch_clear(&batch);
    sgm_sampler_scratch_clear(&scratch);
    sgm_sampler_destroy(sampler);
    sgm_pack_close(pack);
}

static void check_prior(void)
{
    static float logits[PIXELS];
    sgm_box box = {10, 20, 40, 50};
    sgm_prompt_prior(NULL, 0, &box, SIDE, logits);
    CHECK(logits[35 * SIDE + 25] > 3 && logits[20 * SIDE + 10] < 0 && logits[0] == -8);
    sgm_point points[2] = {{5, 5, SGM_FOREGROUND}, {1e9, -1e9, SGM_BACKGROUND}};
    sgm_prompt_prior(points, 2, NULL, SIDE, logits);
    CHECK(logits[5 * SIDE + 5] > 5 && logits[60 * SIDE + 60] == -1);
}

static void check_synthetic(void)
{
    static float a[3 * PIXELS], b[3 * PIXELS], scratch[SGM_SYNTH_SCRATCH(SIDE)];
    static uint8_t mask_a[PIXELS], mask_b[PIXELS];
    int styles[SGM_SYNTH_STYLE_COUNT] = {0};
    for (uint64_t k = 0; k < 120; k++) {
        styles[sgm_synth(9, k, SIDE, false, a, mask_a, scratch)]++;
        sgm_mask_box box = sgm_mask_bounds(mask_a, SIDE, SIDE);
        CHECK(box.area >= PIXELS / 400);
        for (int i = 0; i < 3 * PIXELS; i++)
            if (!(a[i] >= 0 && a[i] <= 255)) CHECK(!"value out of range");
    }
    for (int s = 0; s < SGM_SYNTH_STYLE_COUNT; s++)
        CHECK(styles[s] > 5);
    sgm_synth(9, 17, SIDE, false, a, mask_a, scratch);
    sgm_synth(9, 18, SIDE, false, b, mask_b, scratch);
    CHECK(memcmp(a, b, sizeof a) != 0);
    sgm_synth(9, 17, SIDE, false, b, mask_b, scratch);
    CHECK(memcmp(a, b, sizeof a) == 0 && memcmp(mask_a, mask_b, sizeof mask_a) == 0);
    sgm_synth(9, 17, SIDE, true, b, mask_b, scratch); /* the object is gone, its place is told */
    CHECK(memcmp(a, b, sizeof a) != 0 && memcmp(mask_a, mask_b, sizeof mask_a) == 0);
}

/* Normalised images span [0, 1]; a constant one does not explode. */
static void check_augmentation(void)
{
    static float image[3 * PIXELS], scratch[3 * PIXELS];
    for (uint64_t k = 0; k < 50; k++) {
        sgm_rng rng = sgm_rng_at(1, k);
        for (int i = 0; i < 3 * PIXELS; i++)
            image[i] = k ? (float)(i * 37 % 256) : 5;
        sgm_augment(image, SIDE, k ? 1 : 0, &rng, scratch);
        sgm_normalise(image, SIDE, &sgm_protocol_lite_medsam);
        float low = 2, high = -2;
        for (int i = 0; i < 3 * PIXELS; i++) {
            low = fminf(low, image[i]);
            high = fmaxf(high, image[i]);
        }
        CHECK(low == 0 && (k ? fabsf(high - 1) < 1e-5f : high == 0));
    }
}

static const sgm_sampler_options OPTIONS = {.seed = 4,
                                            .protocol = &sgm_protocol_sam,
                                            .size = SIDE,
                                            .target_side = SIDE / 2,
                                            .synthetic_share = 0.3,
                                            .tight_share = 0.5,
                                            .augmentation = 1,
                                            .sim = {0.05, 0.5, true, false}};

/* The same batches in the same order, from one thread or three. */
static void check_loader(void)
{
    sgm_pack *pack = make_pack(false, false);
    sgm_sampler *sampler;
    sgm_loader *one, *three;
    if (!CHECK_OK(sgm_sampler_create(pack, &OPTIONS, &sampler))) return;
    CHECK_OK(sgm_loader_create(sampler, &OPTIONS, 3, 0, 0, 1, &one));
    CHECK_OK(sgm_loader_create(sampler, &OPTIONS, 3, 0, 2, 3, &three));
    size_t image = 3 * 3 * PIXELS, cells = 3 * PIXELS / 4;
    for (int k = 0; k < 8; k++) {
        sgm_batch *a, *b;
        CHECK_OK(sgm_loader_next(one, &a));
        if (k < 2) continue;
        CHECK_OK(sgm_loader_next(three, &b));
        CHECK(a->first == b->first && a->first == (uint64_t)k * 3);
        CHECK(!memcmp(a->image, b->image, image * sizeof(float)));
        CHECK(!memcmp(a->target, b->target, cells * sizeof(float)));
        CHECK(!memcmp(a->masks[1], b->masks[1], 2 * cells * sizeof(float)));
        CHECK(!memcmp(a->labels[1], b->labels[1], 24 * sizeof(int32_t)));
    }
#ifndef _WIN32
    fflush(NULL);
    pid_t child = fork(); /* has no threads to wait for */
    if (child == 0) {
        alarm(20);
        sgm_loader_destroy(three);
        _exit(0);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
#endif
    sgm_loader_destroy(one);
    sgm_loader_destroy(three);
    sgm_sampler_destroy(sampler);
    sgm_pack_close(pack);
}

static void check_sampler_refusals(void)
{
    sgm_sampler *sampler;
    sgm_pack *pack = make_pack(false, true); /* all of it kept aside */
    CHECK_STATUS(sgm_sampler_create(pack, &OPTIONS, &sampler), SGM_UNREADABLE, "no object");
    sgm_sampler_options options = OPTIONS;
    options.held_out = true;
    if (CHECK_OK(sgm_sampler_create(pack, &options, &sampler))) {
        CHECK(sgm_sampler_object_count(sampler) > 0);
        CHECK(!sgm_sampler_weight(sampler, "unknown", 2));
        CHECK(sgm_sampler_weight(sampler, "set", 2));
        sgm_sampler_destroy(sampler);
    }
    options.target_side = 60;
    CHECK_STATUS(sgm_sampler_create(pack, &options, &sampler), SGM_INVALID_ARGUMENT, "60");
    sgm_pack_close(pack);
}

/* What is held out of a set is a second one of its name, which may come first: a weight is of both.
 */
static void check_parted_set(void)
{
    static uint8_t image[PIXELS], label[PIXELS];
    sgm_pack_writer *writer;
    sgm_pack *pack = NULL;
    sgm_sampler *sampler;
    int index;
    draw_labels(label);
    CHECK_OK(sgm_pack_writer_open(PATH, 0, &writer));
    for (int held_out = 1; held_out >= 0; held_out--) {
        sgm_pack_set set = {"set", "CT", "", false, held_out, false};
        CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
        sgm_pack_item item = {
            held_out ? "a" : "b", index, SGM_SPLIT_TRAIN, SIDE, SIDE, 1, 1, image, label};
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
    CHECK_OK(sgm_pack_open(PATH, &pack));
    for (int held_out = 0; pack && held_out < 2; held_out++) {
        sgm_sampler_options options = OPTIONS;
        options.held_out = held_out;
        if (!CHECK_OK(sgm_sampler_create(pack, &options, &sampler))) continue;
        CHECK_OK(sgm_sampler_check_weights(sampler));
        CHECK(sgm_sampler_weight(sampler, "set", 0));
        CHECK_STATUS(sgm_sampler_check_weights(sampler), SGM_INVALID_ARGUMENT, "weight 0");
        sgm_sampler_destroy(sampler);
    }
    sgm_pack_close(pack);
}

int main(void)
{
    check_objects();
    check_parted_set();
    check_crop();
    check_distance();
    check_prompts();
    check_walk_prompts();
    check_weakening();
    check_neighbours();
    check_foreground_neighbours();
    check_pairs();
    check_no_pairs();
    check_ended_sample();
    check_prior();
    check_synthetic();
    check_augmentation();
    check_loader();
    check_sampler_refusals();
    unlink(PATH);
    return check_report();
}
