/* What prompts mean to a network that is asked by the neighbour's mask: walks, boxes in space,
 * correcting clicks, initial masks; the same for every way a volume may be stored. */
#include "check.h"
#include "phantom.h"
#include "synthetic_network.h"

#include "predict/volume/live.h"
#include "predict/volume/segment.h"

#include <stdlib.h>
#include <string.h>

static const int straight[3] = {0, 1, 2};
static const double isotropic[3] = {1, 1, 1};
static synthetic_network net;

static synthetic_network *network(void)
{
    synthetic_clear(&net);
    synthetic_init(&net, 64);
    net.predictor.walk = net.predictor.walk_in_box = (sgm_walk){.logits = true};
    net.object_grey = 200;
    net.object_reach = 90;
    return &net;
}

/* A tube along z from -15 to 15. */
static double tube(const double mm[3])
{
    return hypot(mm[0], mm[1]) < 6 && fabs(mm[2]) < 15 ? 200 : 40;
}

/* The same with a neighbour organ at its side, a little darker, on twenty slices. */
static double touching_tube(const double mm[3])
{
    if (tube(mm) > 100) return 200;
    return hypot(mm[0] - 10, mm[1]) < 5 && fabs(mm[2] + 2) < 10 ? 170 : 40;
}

/* The same with a part that is much darker. */
static double two_part_tube(const double mm[3])
{
    if (tube(mm) > 100) return 200;
    return hypot(mm[0] - 10, mm[1]) < 5 && fabs(mm[2] + 2) < 10 ? 120 : 40;
}

static sgm_seed seed_at(const phantom *p, double x, double y, double z, int label)
{
    sgm_seed seed = {.label = label};
    phantom_index(p, (const double[3]){x, y, z}, seed.index);
    return seed;
}

static phantom make(phantom_fn scene)
{
    static const int64_t extent[3] = {36, 36, 40};
    phantom p;
    phantom_make(&p, scene, extent, isotropic, straight, 0);
    return p;
}

static sgm_volume_result ask(const phantom *p, const sgm_object *object, sgm_axis axis)
{
    sgm_volume_result result;
    sgm_volume_options options = {.axis = axis};
    CHECK_OK(sgm_volume_segment(&net.predictor, 0, &p->volume, object, 1, &options, &result));
    return result;
}

static int64_t count_of(const phantom *p)
{
    return p->volume.size[0] * p->volume.size[1] * p->volume.size[2];
}

/* Voxels in which two masks differ. */
static int64_t differences(const phantom *p, const uint8_t *a, const uint8_t *b)
{
    int64_t count = 0;
    for (int64_t i = 0; i < count_of(p); i++)
        count += a[i] != b[i];
    return count;
}

/* After the first slice nothing but masks is asked, and the walk ends with the object. */
static void check_walk(void)
{
    phantom p = make(tube);
    network();
    sgm_seed seed = seed_at(&p, 0, 0, 0.5, SGM_FOREGROUND);
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    CHECK_NEAR(phantom_dice(&p, result.objects[0].mask, 200, 200), 1, 0);
    CHECK(net.points == 1 && net.boxes == 0);
    CHECK(net.mask_prompts == net.decodes - 1);
    CHECK(result.objects[0].stopped[0] == SGM_STOP_EMPTY);
    CHECK(result.objects[0].stopped[1] == SGM_STOP_EMPTY);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* As of a network that takes boxes to be tight. */
static const sgm_walk by_tight_box = {.logits = true, .box = true, .points = 3};

/* A box in space is asked on its middle slice, as one that only bounds the object or, of a network
 * that does not know such boxes, as a tight one. Every further slice is asked by the box of the
 * ellipsoid in it and then by the mask; the walks end at the box, or where nothing is found. */
static void check_box(int knows_loose)
{
    phantom p = make(tube);
    network();
    if (!knows_loose) net.predictor.walk_in_box = by_tight_box;
    sgm_roi roi = {.half_axis = {{9, 0, 0}, {0, 9, 0}, {0, 0, 9}}};
    phantom_index(&p, (const double[3]){0, 0, -9}, roi.center);
    sgm_object object = {.rois = &roi, .roi_count = 1};
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    CHECK(net.boxes == net.mask_prompts + 1 && net.mask_prompts > 10);
    CHECK(net.loose_boxes == knows_loose && net.points == 0);
    CHECK(result.objects[0].stopped[0] == SGM_STOP_EMPTY);
    CHECK(result.objects[0].stopped[1] == SGM_STOP_LIMIT);
    size_t inside = 0;
    for (int64_t i = 0; i < count_of(&p); i++) {
        int64_t index[3] = {i % 36, i / 36 % 36, i / 36 / 36};
        int in_box = fabs((double)index[2] - roi.center[2]) <= 9;
        inside += in_box && p.voxels[i] == 200;
        CHECK(!result.objects[0].mask[i] || (in_box && p.voxels[i] == 200));
    }
    CHECK(result.objects[0].voxels == (int64_t)inside && inside > 1000);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* A first point that the box's answer has says what is meant in it: a network that takes boxes to
 * be tight begins with the point. */
static void check_point_in_box(void)
{
    phantom p = make(tube);
    network()->predictor.walk_in_box = by_tight_box;
    sgm_seed seed = seed_at(&p, 0, 0, 4.5, SGM_FOREGROUND);
    sgm_roi roi = {.half_axis = {{9, 0, 0}, {0, 9, 0}, {0, 0, 12}}};
    phantom_index(&p, (const double[3]){0, 0, 0}, roi.center);
    sgm_object object = {.seeds = &seed, .seed_count = 1, .rois = &roi, .roi_count = 1};
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    size_t prompted = 0;
    for (size_t i = 0; i < result.objects[0].slice_count; i++)
        if (result.objects[0].slices[i].prompted) {
            prompted++;
            CHECK(result.objects[0].slices[i].slice == llrint(seed.index[2]));
        }
    CHECK(prompted == 1 && result.objects[0].voxels > 1000);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* What a live volume shows after all of the object's prompts. */
static void predict_live(const phantom *p, sgm_live_volume *live, const sgm_object *object,
                         uint8_t *mask)
{
    const int64_t zero[3] = {0, 0, 0}, last[3] = {35, 35, 39};
    sgm_live_slice slice = sgm_live_slice_init();
    uint8_t shown[36 * 36];
    CHECK_OK(sgm_live_volume_preview(live, 1, object, -1, NULL, &slice));
    memcpy(shown, slice.mask, sizeof shown);
    CHECK_OK(sgm_live_volume_predict(live, 1, object, NULL, NULL));
    CHECK_OK(sgm_live_volume_mask(live, 1, zero, last, mask));
    CHECK(memcmp(shown, mask + slice.slice * 36 * 36, sizeof shown) == 0);
    sgm_volume_result result = ask(p, object, SGM_AXIS_K);
    CHECK(differences(p, mask, result.objects[0].mask) == 0);
    sgm_volume_result_clear(&result);
}

/* A first point that the box's answer lacks corrects it: the part that was left out is added on all
 * of its slices, and what the box gave stays to the voxel; so do clicks that the mask agrees with.
 * One by one in a live volume as from nothing. */
static void check_clicks_in_box(void)
{
    phantom p = make(two_part_tube);
    network()->predictor.walk_in_box = by_tight_box;
    sgm_seed seeds[3] = {seed_at(&p, 11.5, 0.5, -2.5, SGM_FOREGROUND),
                         seed_at(&p, 0.5, 0.5, 3.5, SGM_FOREGROUND),
                         seed_at(&p, -3.5, 1.5, 9.5, SGM_BACKGROUND)};
    sgm_roi roi = {.half_axis = {{17, 0, 0}, {0, 8, 0}, {0, 0, 16}}};
    phantom_index(&p, (const double[3]){0, 0, 0}, roi.center);
    sgm_object object = {.seeds = seeds, .rois = &roi, .roi_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_live_volume *live;
    uint8_t *mask = malloc((size_t)count_of(&p));
    CHECK_OK(sgm_live_volume_make(&net.predictor, 0, &p.volume, &options, &live));
    predict_live(&p, live, &object, mask);
    CHECK_NEAR(phantom_dice(&p, mask, 200, 200), 1, 0); /* the box alone */
    for (object.seed_count = 1; object.seed_count <= 2; object.seed_count++) {
        predict_live(&p, live, &object, mask);
        CHECK_NEAR(phantom_dice(&p, mask, 120, 200), 1, 0);
    }
    predict_live(&p, live, &object, mask);
    CHECK(phantom_dice(&p, mask, 120, 200) < 1);
    sgm_live_volume_destroy(live);
    free(mask);
    phantom_clear(&p);
}

/* One click on a leak of twenty slices removes it on all of them, and nothing else. */
static void check_leak(void)
{
    phantom p = make(touching_tube);
    network();
    sgm_seed seeds[2] = {seed_at(&p, -0.5, 0.5, 0.5, SGM_FOREGROUND),
                         seed_at(&p, 10.5, 0.5, -2.5, SGM_BACKGROUND)};
    sgm_object object = {.seeds = seeds, .seed_count = 1};
    sgm_volume_result leaky = ask(&p, &object, SGM_AXIS_K);
    CHECK_NEAR(phantom_dice(&p, leaky.objects[0].mask, 170, 200), 1, 0);
    object.seed_count = 2;
    sgm_volume_result mended = ask(&p, &object, SGM_AXIS_K);
    CHECK_NEAR(phantom_dice(&p, mended.objects[0].mask, 200, 200), 1, 0);
    sgm_volume_result_clear(&leaky);
    sgm_volume_result_clear(&mended);
    phantom_clear(&p);
}

/* One click into a part that was left out adds it on all of its slices, and nothing else. */
static void check_missing_part(void)
{
    phantom p = make(two_part_tube);
    network();
    sgm_seed seeds[2] = {seed_at(&p, -0.5, 0.5, 0.5, SGM_FOREGROUND),
                         seed_at(&p, 11.5, 0.5, -2.5, SGM_FOREGROUND)};
    sgm_object object = {.seeds = seeds, .seed_count = 1};
    sgm_volume_result before = ask(&p, &object, SGM_AXIS_K);
    CHECK_NEAR(phantom_dice(&p, before.objects[0].mask, 200, 200), 1, 0);
    object.seed_count = 2;
    sgm_volume_result after = ask(&p, &object, SGM_AXIS_K);
    CHECK_NEAR(phantom_dice(&p, after.objects[0].mask, 120, 200), 1, 0);
    sgm_volume_result_clear(&before);
    sgm_volume_result_clear(&after);
    phantom_clear(&p);
}

/* A tube with a bright line along its axis and another one near its outline. */
static double lined_tube(const double mm[3])
{
    if (tube(mm) < 100) return 40;
    return hypot(mm[0], mm[1]) < 1.6 || hypot(mm[0] - 3.5, mm[1]) < 1.2 ? 240 : 200;
}

/* Voxels of the phantom's object that a mask lacks, on slices before `slice` and from it on. */
static void count_lacking(const phantom *p, const uint8_t *mask, int64_t slice, int64_t lacking[2])
{
    lacking[0] = lacking[1] = 0;
    for (int64_t i = 0; i < count_of(p); i++)
        lacking[i / 36 / 36 >= slice] += p->voxels[i] >= 200 && !mask[i];
}

/* Clicks into lined_tube's object after foreground seeds, and what is lacking then; *slice: that of
 * the last click. */
static void click_lined(const phantom *p, sgm_seed *seeds, size_t count, int64_t *slice,
                        int64_t lacking[2])
{
    sgm_object object = {.seeds = seeds, .seed_count = count};
    network();
    sgm_volume_result result = ask(p, &object, SGM_AXIS_K);
    *slice = llrint(seeds[count - 1].index[2]);
    count_lacking(p, result.objects[0].mask, *slice, lacking);
    for (size_t i = 0; i < result.objects[0].slice_count; i++)
        CHECK(result.objects[0].slices[i].voxels > 0 || result.objects[0].slices[i].prompted);
    sgm_volume_result_clear(&result);
}

/* A background click at the heart of the mask beyond all foreground seeds says that the object does
 * not reach its slice: nothing stands there and beyond, and all before it stays. One nearer to the
 * outline, or between foreground seeds, changes its place alone. */
static void check_end(void)
{
    phantom p = make(lined_tube);
    sgm_seed seeds[3] = {seed_at(&p, -3.5, 0.5, 0.5, SGM_FOREGROUND),
                         seed_at(&p, 0.2, 0.2, 6.5, SGM_BACKGROUND)};
    int64_t slice, lacking[2], beyond = 0;
    for (int64_t i = 0; i < count_of(&p); i++)
        beyond += p.voxels[i] >= 200 && i / 36 / 36 >= llrint(seeds[1].index[2]);
    click_lined(&p, seeds, 2, &slice, lacking);
    CHECK(lacking[0] == 0 && lacking[1] == beyond && beyond > 500);

    seeds[1] = seed_at(&p, 3.5, 0.2, 6.5, SGM_BACKGROUND);
    click_lined(&p, seeds, 2, &slice, lacking);
    CHECK(lacking[0] + lacking[1] > 0 && lacking[1] < beyond / 4);

    seeds[1] = seed_at(&p, -3.5, 0.5, 12.5, SGM_FOREGROUND);
    seeds[2] = seed_at(&p, 0.2, 0.2, 6.5, SGM_BACKGROUND);
    click_lined(&p, seeds, 2, &slice, lacking);
    CHECK(lacking[0] == 0 && lacking[1] == 0);
    click_lined(&p, seeds, 3, &slice, lacking);
    CHECK(lacking[0] + lacking[1] > 0 && lacking[1] < beyond / 4);
    phantom_clear(&p);
}

/* Of a box alone the middle counts as prompted: a click before it ends the object downwards. */
static void check_end_in_box(void)
{
    phantom p = make(lined_tube);
    network();
    sgm_seed seed = seed_at(&p, 0.2, 0.2, -6.5, SGM_BACKGROUND);
    sgm_roi roi = {.half_axis = {{9, 0, 0}, {0, 9, 0}, {0, 0, 12}}};
    phantom_index(&p, (const double[3]){0, 0, 0}, roi.center);
    sgm_object object = {.seeds = &seed, .rois = &roi, .roi_count = 1};
    sgm_volume_result box = ask(&p, &object, SGM_AXIS_K);
    object.seed_count = 1;
    sgm_volume_result ended = ask(&p, &object, SGM_AXIS_K);
    int64_t clicked = llrint(seed.index[2]), gone = 0;
    for (int64_t i = 0; i < count_of(&p); i++) {
        int beyond = i / 36 / 36 <= clicked;
        CHECK(ended.objects[0].mask[i] == (box.objects[0].mask[i] && !beyond));
        gone += beyond && box.objects[0].mask[i];
    }
    CHECK(gone > 300 && ended.objects[0].voxels > 1000);
    sgm_volume_result_clear(&box);
    sgm_volume_result_clear(&ended);
    phantom_clear(&p);
}

/* A tube with a hole that looks unlike it. */
static double hollow_tube(const double mm[3])
{
    if (tube(mm) < 100) return 251;
    return fmax(fabs(mm[0] - 0.5), fabs(mm[1] - 0.5)) < 1.2 ? 150 : 200;
}

/* At the innermost place of a mask may be a hole in it: nothing else goes then. */
static void check_hole(void)
{
    phantom p = make(hollow_tube);
    network();
    net.object_reach = net.tolerance = 50;
    sgm_seed seeds[2] = {seed_at(&p, -3.5, 0.5, 0.5, SGM_FOREGROUND),
                         seed_at(&p, 0.5, 0.5, 6.5, SGM_BACKGROUND)};
    sgm_object object = {.seeds = seeds, .seed_count = 2};
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    int64_t holes = 0, lost = 0;
    for (int64_t i = 0; i < count_of(&p); i++) {
        lost += p.voxels[i] == 200 && !result.objects[0].mask[i];
        holes += p.voxels[i] == 150 && !result.objects[0].mask[i];
    }
    CHECK(holes > 0 && lost < 10); /* around the click, on its slice */
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* Before the first seed's slice the object ends the other way; one by one in a live volume as from
 * nothing, and what was ended begins anew from a foreground click. */
static void check_live_end(void)
{
    phantom p = make(lined_tube);
    network();
    sgm_seed seeds[3] = {seed_at(&p, -3.5, 0.5, 0.5, SGM_FOREGROUND),
                         seed_at(&p, 0.2, 0.2, -7.5, SGM_BACKGROUND),
                         seed_at(&p, -3.5, 0.5, -12.5, SGM_FOREGROUND)};
    sgm_object object = {.seeds = seeds};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_live_volume *live;
    uint8_t *mask = malloc((size_t)count_of(&p));
    CHECK_OK(sgm_live_volume_make(&net.predictor, 0, &p.volume, &options, &live));
    for (object.seed_count = 1; object.seed_count <= 3; object.seed_count++) {
        int64_t lacking[2];
        predict_live(&p, live, &object, mask);
        count_lacking(&p, mask, llrint(seeds[1].index[2]) + 1, lacking);
        CHECK(lacking[1] == 0);
        CHECK(object.seed_count == 2 ? lacking[0] > 500 : lacking[0] < 150);
    }
    sgm_live_volume_destroy(live);
    free(mask);
    phantom_clear(&p);
}

/* Where the network is not sure of the mask with it, such a part is added on the two slices on
 * either side alone. */
static void check_doubtful_part(void)
{
    phantom p = make(two_part_tube);
    network()->rating = 0.7f;
    sgm_seed seeds[2] = {seed_at(&p, -0.5, 0.5, 0.5, SGM_FOREGROUND),
                         seed_at(&p, 11.5, 0.5, -2.5, SGM_FOREGROUND)};
    sgm_object object = {.seeds = seeds, .seed_count = 2};
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    int64_t clicked = llrint(seeds[1].index[2]);
    for (int64_t i = 0; i < count_of(&p); i++) {
        int is_near = llabs(i / 36 / 36 - clicked) <= 2;
        CHECK(result.objects[0].mask[i] == (p.voxels[i] == 200 || (is_near && p.voxels[i] == 120)));
    }
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* A tube, at its side a darker part that is narrow in the middle and wide towards the ends. */
static double hourglass_tube(const double mm[3])
{
    if (tube(mm) > 100) return 200;
    return hypot(mm[0] - 9, mm[1]) < 3.5 + fabs(mm[2]) / 2 && fabs(mm[2]) < 14 ? 120 : 40;
}

/* Added pixels of a slice. */
static int64_t added_on(const uint8_t *before, const uint8_t *after, int64_t slice)
{
    int64_t count = 0;
    for (int64_t i = slice * 36 * 36; i < (slice + 1) * 36 * 36; i++)
        count += after[i] && !before[i];
    return count;
}

/* What a click adds is not much larger on other slices than where it was set: a few pixels more
 * each time, and after twenty slices it would be the neighbour organ. */
static void check_change_stays_small(void)
{
    phantom p = make(hourglass_tube);
    network();
    sgm_seed seeds[2] = {seed_at(&p, -0.5, 0.5, 0.5, SGM_FOREGROUND),
                         seed_at(&p, 9.5, 0.5, 0.5, SGM_FOREGROUND)};
    sgm_object object = {.seeds = seeds, .seed_count = 1};
    sgm_volume_result before = ask(&p, &object, SGM_AXIS_K);
    object.seed_count = 2;
    sgm_volume_result after = ask(&p, &object, SGM_AXIS_K);
    const uint8_t *then = before.objects[0].mask, *now = after.objects[0].mask;
    int64_t clicked = added_on(then, now, llrint(seeds[1].index[2])), slices = 0;
    for (int64_t slice = 0; slice < 40; slice++) {
        slices += added_on(then, now, slice) > 0;
        CHECK(added_on(then, now, slice) <= clicked + 16);
    }
    CHECK(clicked > 20 && slices > 20);
    sgm_volume_result_clear(&before);
    sgm_volume_result_clear(&after);
    phantom_clear(&p);
}

/* Points that the mask agrees with change nothing and cost nothing. */
static void check_agreement(void)
{
    phantom p = make(tube);
    network();
    sgm_seed seeds[3] = {seed_at(&p, -0.5, 0.5, 0.5, SGM_FOREGROUND),
                         seed_at(&p, 3.5, 0.5, 7.5, SGM_FOREGROUND),
                         seed_at(&p, 12.5, 0.5, 7.5, SGM_BACKGROUND)};
    sgm_object object = {.seeds = seeds, .seed_count = 1};
    sgm_volume_result one = ask(&p, &object, SGM_AXIS_K);
    int decodes = net.decodes;
    network();
    object.seed_count = 3;
    sgm_volume_result three = ask(&p, &object, SGM_AXIS_K);
    CHECK(net.decodes == decodes);
    CHECK(differences(&p, one.objects[0].mask, three.objects[0].mask) == 0);
    sgm_volume_result_clear(&one);
    sgm_volume_result_clear(&three);
    phantom_clear(&p);
}

/* Whether the tube is there on the slices at `z` mm. */
static int has_tube(const phantom *p, const uint8_t *mask, double z)
{
    int64_t wanted = 0, found = 0;
    for (int64_t i = 0; i < count_of(p); i++) {
        double index[3] = {(double)(i % 36), (double)(i / 36 % 36), (double)(i / 36 / 36)}, mm[3];
        phantom_position(p, index, mm);
        if (fabs(mm[2] - z) > 0.6 || p->voxels[i] != 200) continue;
        wanted++;
        found += mask[i];
    }
    return wanted && found == wanted;
}

/* Three points on two parts, the first on the one that ends early. In a list of clicks the second
 * corrects the first one's slices. A third point that the mask holds already was no click: then the
 * walk begins with the second, which agrees with more of them, and goes through the whole tube. */
static void check_together(void)
{
    phantom p = make(two_part_tube);
    network();
    net.tolerance = 5;
    net.object_reach = 200;
    sgm_seed part = seed_at(&p, 11.5, 0.5, -6.5, SGM_FOREGROUND);
    sgm_seed tube_1 = seed_at(&p, -0.5, 0.5, -2.5, SGM_FOREGROUND);
    sgm_seed tube_2 = seed_at(&p, -0.5, 0.5, 1.5, SGM_FOREGROUND);
    sgm_seed set[3] = {part, tube_1, tube_2}, other[3] = {tube_1, part, tube_2};
    sgm_object clicks = {.seeds = set, .seed_count = 2}, together = {.seeds = set, .seed_count = 3};
    sgm_object other_way = {.seeds = other, .seed_count = 3};
    sgm_volume_result one = ask(&p, &clicks, SGM_AXIS_K), all = ask(&p, &together, SGM_AXIS_K);
    sgm_volume_result again = ask(&p, &other_way, SGM_AXIS_K);
    CHECK(has_tube(&p, one.objects[0].mask, -2.5) && !has_tube(&p, one.objects[0].mask, 12.5));
    CHECK(has_tube(&p, all.objects[0].mask, -2.5) && has_tube(&p, all.objects[0].mask, 12.5));
    CHECK(differences(&p, all.objects[0].mask, again.objects[0].mask) == 0);
    sgm_volume_result_clear(&one);
    sgm_volume_result_clear(&all);
    sgm_volume_result_clear(&again);
    phantom_clear(&p);
}

/* A click beyond the end of a mask begins a walk of its own, up to the mask that stands. */
static void check_second_body(void)
{
    phantom p = make(two_part_tube);
    network();
    net.tolerance = 5;
    sgm_seed seeds[2] = {seed_at(&p, 11.5, 0.5, -2.5, SGM_FOREGROUND),
                         seed_at(&p, 0.5, 0.5, 12.5, SGM_FOREGROUND)};
    sgm_object object = {.seeds = seeds, .seed_count = 2};
    net.object_reach = 200; /* the dark part first */
    net.object_grey = 200;
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    for (int64_t i = 0; i < count_of(&p); i++) {
        double index[3] = {(double)(i % 36), (double)(i / 36 % 36), (double)(i / 36 / 36)}, mm[3];
        phantom_position(&p, index, mm);
        if (mm[2] > 8.1 && p.voxels[i] == 200) CHECK(result.objects[0].mask[i]);
        if (fabs(mm[2] + 2) < 10 && p.voxels[i] == 120) CHECK(result.objects[0].mask[i]);
        if (p.voxels[i] == 40 && mm[2] < 15) CHECK(!result.objects[0].mask[i]);
    }
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* Somebody's own segmentation, frayed: what no click reaches stays as it is, to the voxel. */
static void check_initial(void)
{
    phantom p = make(touching_tube);
    network();
    uint8_t *initial = calloc((size_t)count_of(&p), 1);
    unsigned noise = 1;
    for (int64_t i = 0; i < count_of(&p); i++) {
        noise = noise * 1664525u + 1013904223u;
        initial[i] = p.voxels[i] >= 170 && (noise >> 24) > 20;
    }
    sgm_seed seed = seed_at(&p, 10.5, 0.5, -2.5, SGM_BACKGROUND);
    initial[(int64_t)llrint(seed.index[0]) +
            36 * (llrint(seed.index[1]) + 36 * llrint(seed.index[2]))] = 1;
    sgm_object object = {
        .seeds = &seed, .seed_count = 1, .labels = initial, .label_type = SGM_VOXEL_U8};
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    int64_t removed = 0, lost = 0, added = 0;
    for (int64_t i = 0; i < count_of(&p); i++) {
        int now = result.objects[0].mask[i];
        removed += p.voxels[i] == 170 && initial[i] && !now;
        lost += p.voxels[i] == 200 && initial[i] && !now;
        added += now && !initial[i];
    }
    CHECK(lost == 0 && added == 0 && removed > 500);
    sgm_volume_result_clear(&result);
    object.seed_count = 0; /* and without a click it only goes on where there is none */
    result = ask(&p, &object, SGM_AXIS_K);
    CHECK(differences(&p, initial, result.objects[0].mask) == 0);
    sgm_volume_result_clear(&result);
    free(initial);
    phantom_clear(&p);
}

/* One slice of a mask, as it is, and walks from there. */
static void check_painted_slice(void)
{
    phantom p = make(tube);
    network();
    uint8_t *initial = calloc((size_t)count_of(&p), 1);
    for (int64_t i = 20 * 36 * 36; i < 21 * 36 * 36; i++)
        initial[i] = p.voxels[i] == 200 && i % 36 != 17; /* a line through it is left out */
    sgm_object object = {.labels = initial, .label_type = SGM_VOXEL_U8};
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    for (int64_t i = 0; i < count_of(&p); i++) {
        int want = i / 36 / 36 == 20 ? initial[i] : p.voxels[i] == 200;
        CHECK(result.objects[0].mask[i] == want);
    }
    CHECK(net.points == 0 && net.boxes == 0);
    sgm_volume_result_clear(&result);
    free(initial);
    phantom_clear(&p);
}

/* A live volume that took the points one by one has the masks of a run from nothing, and previewed
 * the slice of each point as it then became; that of the second, a click, by one decode. */
static void check_live_list(const phantom *p, const sgm_seed *seeds, size_t count)
{
    sgm_live_volume *live;
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_object object = {.seeds = seeds};
    const int64_t zero[3] = {0, 0, 0};
    int64_t last[3] = {35, 35, 39};
    uint8_t *mask = malloc((size_t)count_of(p));
    CHECK_OK(sgm_live_volume_make(&net.predictor, 0, &p->volume, &options, &live));
    for (object.seed_count = 1; object.seed_count <= count; object.seed_count++) {
        sgm_live_slice slice = sgm_live_slice_init();
        uint8_t shown[36 * 36];
        CHECK_OK(sgm_live_volume_preview(live, 1, &object, -1, NULL, &slice));
        CHECK(object.seed_count != 2 || slice.decoded == 1);
        memcpy(shown, slice.mask, sizeof shown);
        CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, NULL));
        CHECK_OK(sgm_live_volume_mask(live, 1, zero, last, mask));
        CHECK(memcmp(shown, mask + slice.slice * 36 * 36, sizeof shown) == 0);
        sgm_volume_result result = ask(p, &object, SGM_AXIS_K);
        CHECK(differences(p, mask, result.objects[0].mask) == 0);
        sgm_volume_result_clear(&result);
    }
    sgm_live_volume_destroy(live);
    free(mask);
}

static void check_live(void)
{
    phantom p = make(touching_tube);
    network();
    const sgm_seed clicks[4] = {
        seed_at(&p, -0.5, 0.5, 0.5, SGM_FOREGROUND), seed_at(&p, 10.5, 0.5, -2.5, SGM_BACKGROUND),
        seed_at(&p, 13.5, 0.5, 3.5, SGM_FOREGROUND), seed_at(&p, -3.5, 1.5, 9.5, SGM_BACKGROUND)};
    check_live_list(&p, clicks, 4);
    phantom_clear(&p);
    p = make(two_part_tube);
    network();
    net.tolerance = 5;
    net.object_reach = 200;
    const sgm_seed together[4] = {
        seed_at(&p, 11.5, 0.5, -6.5, SGM_FOREGROUND), seed_at(&p, -0.5, 0.5, -2.5, SGM_FOREGROUND),
        seed_at(&p, -0.5, 0.5, 1.5, SGM_FOREGROUND), seed_at(&p, 0.5, -12.5, 8.5, SGM_BACKGROUND)};
    check_live_list(&p, together, 4);
    phantom_clear(&p);
}

/* ------------------------------------------------------------------------------- orientations */

/* No symmetry, faint stripes: rounding to another pixel or slice would show. */
static double bent_body(const double mm[3])
{
    double x = mm[0] - 0.2 * mm[2], y = mm[1] + 0.1 * mm[2];
    double stripe = 6 * sin(1.3 * mm[0] + 0.7 * mm[1] - 0.9 * mm[2]);
    if (x * x / 49 + y * y / 81 + mm[2] * mm[2] / 200 < 1) return 200 + stripe;
    if (hypot(x - 9, y - 2) < 4.3 && fabs(mm[2] - 1) < 6) return 172 + stripe / 3;
    return 40 + stripe;
}

/* The mask of one storage order, taken to the straight one. */
static void straighten(const phantom *from, const phantom *to, const uint8_t *mask, uint8_t *out)
{
    const int64_t *size = from->volume.size;
    for (int64_t i = 0; i < count_of(from); i++) {
        double index[3] = {(double)(i % size[0]), (double)(i / size[0] % size[1]),
                           (double)(i / size[0] / size[1])},
               mm[3], there[3];
        phantom_position(from, index, mm);
        phantom_index(to, mm, there);
        out[llrint(there[0]) +
            to->volume.size[0] * (llrint(there[1]) + to->volume.size[1] * llrint(there[2]))] =
            mask[i];
    }
}

typedef struct marks {
    sgm_seed seeds[5];
    size_t seed_count;
    sgm_roi roi;
    int has_roi, has_initial, zoom, tight;
    float
        rating; /* of a network that is less sure of itself than far from the start it has to be */
} marks;

static uint8_t *segment_stored(const phantom *p, marks m)
{
    sgm_volume_result result;
    sgm_volume_options options = {.axis = SGM_AXIS_AUTO};
    uint8_t *initial = NULL;
    network();
    if (m.tight) net.predictor.walk_in_box = by_tight_box;
    if (m.rating > 0) net.rating = m.rating;
    if (m.rating > 0) net.predictor.far_rating = 0.7f;
    for (size_t i = 0; i < m.seed_count; i++)
        phantom_index(
            p, (const double[3]){m.seeds[i].index[0], m.seeds[i].index[1], m.seeds[i].index[2]},
            m.seeds[i].index);
    if (m.has_roi) {
        double centre[3], tip[3];
        memcpy(centre, m.roi.center, sizeof centre);
        phantom_index(p, centre, m.roi.center);
        for (int a = 0; a < 3; a++) {
            for (int n = 0; n < 3; n++)
                tip[n] = centre[n] + m.roi.half_axis[a][n];
            phantom_index(p, tip, m.roi.half_axis[a]);
            for (int n = 0; n < 3; n++)
                m.roi.half_axis[a][n] -= m.roi.center[n];
        }
    }
    if (m.has_initial) {
        const int64_t *size = p->volume.size;
        initial = calloc((size_t)count_of(p), 1);
        for (int64_t i = 0; i < count_of(p); i++) {
            double index[3] = {(double)(i % size[0]), (double)(i / size[0] % size[1]),
                               (double)(i / size[0] / size[1])},
                   mm[3];
            phantom_position(p, index, mm);
            initial[i] = p->voxels[i] > 150 && (fabs(mm[2] - 7.5) < 0.6 || fabs(mm[2] + 4.5) < 0.6);
        }
    }
    sgm_object object = {.seeds = m.seeds,
                         .seed_count = m.seed_count,
                         .rois = &m.roi,
                         .roi_count = m.has_roi ? 1 : 0,
                         .labels = initial,
                         .label_type = SGM_VOXEL_U8};
    CHECK_OK(sgm_volume_segment(&net.predictor, m.zoom, &p->volume, &object, 1, &options, &result));
    uint8_t *mask = malloc((size_t)count_of(p));
    memcpy(mask, result.objects[0].mask, (size_t)count_of(p));
    CHECK(result.objects[0].voxels > 500);
    sgm_volume_result_clear(&result);
    free(initial);
    return mask;
}

/* The same anatomy and the same marks give the same voxels, in all 48 ways to store a volume. */
static void check_storage(const char *what, marks m, const double spacing[3])
{
    static const int64_t extent[3] = {36, 34, 40};
    phantom reference;
    int64_t wrong = 0;
    phantom_make(&reference, bent_body, extent, spacing, straight, 0);
    uint8_t *want = segment_stored(&reference, m);
    uint8_t *got = malloc((size_t)count_of(&reference));
    for (int number = 1; number < 48; number++) {
        int order[3], signs;
        phantom stored;
        phantom_orientation(number, order, &signs);
        phantom_make(&stored, bent_body, extent, spacing, order, signs);
        uint8_t *mask = segment_stored(&stored, m);
        straighten(&stored, &reference, mask, got);
        wrong += differences(&reference, want, got) != 0;
        free(mask);
        phantom_clear(&stored);
    }
    if (wrong) printf("%s: %d of 47 storage orders give another mask\n", what, (int)wrong);
    CHECK(wrong == 0);
    free(want);
    free(got);
    phantom_clear(&reference);
}

/* Positions in millimetres; some lie exactly between two slices. */
static void check_all_storage(int zoom)
{
    static const double thick[3] = {1, 1, 1.5};
    marks seeds = {.seeds = {{{0, 0, 0}, 1}, {{1, 1, 8}, 1}, {{9, 3, 1}, 0}, {{2, 2, -9}, 1}},
                   .seed_count = 4,
                   .zoom = zoom};
    marks box = {.has_roi = 1,
                 .roi = {{1, 0, 0.5}, {{12, 0, 0}, {0, 11, 0}, {0, 0, 10}}},
                 .seeds = {{{9, 3, 1}, 0}},
                 .seed_count = 1,
                 .zoom = zoom};
    marks painted = {.has_initial = 1, .zoom = zoom};
    marks ended = {
        .seeds = {{{0, 0, 0}, 1}, {{1, 1, 8}, 0}, {{9, 3, -7}, 0}}, .seed_count = 3, .zoom = zoom};
    marks unsure = {.seeds = {{{0, 0, 0}, 1}}, .seed_count = 1, .zoom = zoom, .rating = 0.6f};
    check_storage("points", seeds, isotropic);
    check_storage("points, thick slices", seeds, thick);
    check_storage("a box and a click", box, isotropic);
    check_storage("two painted slices", painted, isotropic);
    check_storage("a click that ends the object", ended, thick);
    check_storage("a network that is not sure far away", unsure, thick);
    box.tight = 1;
    check_storage("a box and a click, of a network of tight boxes", box, thick);
}

/* A bar in the middle of a slice of voxels that are far longer along one axis. */
static double bar(const double mm[3])
{
    return fabs(mm[0]) < 8 && fabs(mm[1]) < 40 ? 200 : 40;
}

/* On a picture that is not enlarged far enough for all voxels, a mask of single columns may have no
 * pixel: it walks on all the same, and stays as it is. `column` alone, or every one that has none
 * (-1). */
static void check_thin_mask(int column, sgm_seed *seed)
{
    static const int64_t extent[3] = {150, 60, 4};
    static const double spacing[3] = {0.1, 10, 20};
    phantom p;
    phantom_make(&p, bar, extent, spacing, straight, 0);
    network();
    uint8_t *initial = calloc((size_t)count_of(&p), 1);
    for (int64_t j = 20; j < 40; j++)
        for (int64_t i = 0; i < 150; i++)
            initial[i + 150 * (j + 60)] = column < 0 ? i % 3 == 1 && i < 8 : i == column;
    sgm_object object = {.seeds = seed, .seed_count = seed != NULL, .labels = initial};
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    if (CHECK(result.object_count == 1))
        CHECK(memcmp(initial + 150 * 60, result.objects[0].mask + 150 * 60, 150 * 60) == 0);
    sgm_volume_result_clear(&result);
    free(initial);
    phantom_clear(&p);
}

static void check_thin_masks(void)
{
    sgm_seed beside = {{70, 30, 3}, SGM_FOREGROUND};
    for (int column = 0; column < 12; column++)
        check_thin_mask(column, NULL);
    check_thin_mask(-1, NULL);
    check_thin_mask(7, &beside);
}

/* A foreground click at the edge of a ROI marks nothing outside of it. */
static void check_click_at_edge(void)
{
    phantom p = make(tube);
    network();
    sgm_seed seed = {{25.6, 17, 19}, SGM_FOREGROUND};
    sgm_roi roi = {.center = {17.5, 17.5, 19.5},
                   .half_axis = {{8.7, 0, 0}, {0, 8.7, 0}, {0, 0, 8.7}}};
    sgm_object object = {.seeds = &seed, .seed_count = 1, .rois = &roi, .roi_count = 1};
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    int64_t outside = 0;
    for (int64_t i = 0; i < count_of(&p); i++) {
        int64_t x = i % 36, y = i / 36 % 36;
        outside += result.objects[0].mask[i] && (x < 9 || x > 26 || y < 9 || y > 26);
    }
    CHECK(result.objects[0].mask[26 + 36 * (17 + 36 * 19)]); /* the click's own place */
    CHECK(outside == 0);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* The voxel that holds a click follows it wherever in the voxel it lies, though the network insists
 * on its opinion, and asking for it once more changes nothing. */
static void check_thick_voxel(int flip, double part, int label)
{
    static const int64_t extent[3] = {48, 12, 5};
    static const double spacing[3] = {0.5, 10, 10};
    phantom p;
    phantom_make(&p, bar, extent, spacing, straight, flip ? 7 : 0);
    network()->object_reach = 255;
    uint8_t *initial = malloc((size_t)count_of(&p));
    for (int64_t i = 0; i < count_of(&p); i++)
        initial[i] = p.voxels[i] == 200;
    sgm_seed seeds[2] = {{{23, (label ? 1 : 9) + part, 2}, label}};
    seeds[1] = seeds[0];
    sgm_object object = {.seeds = seeds, .seed_count = 1, .labels = initial};
    int64_t clicked = 23 + 48 * (llrint(seeds[0].index[1]) + 12 * 2);
    CHECK(initial[clicked] != label);
    sgm_volume_result once = ask(&p, &object, SGM_AXIS_K);
    CHECK(once.objects[0].mask[clicked] == label);
    int decodes = net.decodes;
    object.seed_count = 2;
    sgm_volume_result twice = ask(&p, &object, SGM_AXIS_K);
    CHECK(net.decodes == 2 * decodes);
    CHECK(differences(&p, once.objects[0].mask, twice.objects[0].mask) == 0);
    sgm_volume_result_clear(&once);
    sgm_volume_result_clear(&twice);
    free(initial);
    phantom_clear(&p);
}

/* A short bar in one row of such voxels. */
static double spot(const double mm[3])
{
    return fabs(mm[0]) < 2 && fabs(mm[1] + 5) < 5 && fabs(mm[2]) < 6 ? 200 : 40;
}

static int64_t row_of(int64_t at)
{
    return at / 48 % 12;
}

/* So does the voxel of a first point that the network's mask holds, though that need not reach the
 * pixel at the voxel's centre. */
static void check_first_in_thick_voxel(int flip, double part, int by_box)
{
    static const int64_t extent[3] = {48, 12, 5};
    static const double spacing[3] = {0.5, 10, 10};
    phantom p;
    phantom_make(&p, spot, extent, spacing, straight, flip ? 7 : 0);
    network();
    if (by_box) net.predictor.walk = net.predictor.walk_in_box = by_tight_box;
    sgm_seed seed = {{flip ? 23.6 : 23.4, (flip ? 6 : 5) + part, 2}, SGM_FOREGROUND};
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_result result = ask(&p, &object, SGM_AXIS_K);
    const uint8_t *mask = result.objects[0].mask;
    int64_t clicked = llrint(seed.index[0]) + 48 * (llrint(seed.index[1]) + 12 * 2), elsewhere = 0;
    for (int64_t i = 0; i < count_of(&p); i++)
        elsewhere += mask[i] && row_of(i) != row_of(clicked);
    CHECK(mask[clicked] && elsewhere == 0);
    CHECK(result.objects[0].slice_count > 0 && result.objects[0].voxels > 0);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

int main(void)
{
    check_walk();
    for (int code = 0; code < 28; code++)
        check_first_in_thick_voxel(code / 14, (code % 7 - 3) * 0.16, code / 7 % 2);
    for (int code = 0; code < 20; code++)
        check_thick_voxel(code / 10, (code % 5 - 2) * 0.245, code / 5 % 2);
    check_box(0);
    check_box(1);
    check_point_in_box();
    check_clicks_in_box();
    check_leak();
    check_doubtful_part();
    check_end();
    check_end_in_box();
    check_hole();
    check_live_end();
    check_missing_part();
    check_change_stays_small();
    check_agreement();
    check_together();
    check_second_body();
    check_initial();
    check_painted_slice();
    check_live();
    check_click_at_edge();
    check_thin_masks();
    check_all_storage(0);
    check_all_storage(1);
    return check_report();
}
