/* What ROIs leave out: slices that none of them crosses have no voxels, whatever seeds lie there,
 * and whoever set them is told. */
#include "check.h"
#include "phantom.h"
#include "synthetic_network.h"

#include "core/call.h"
#include "predict/volume/live.h"
#include "predict/volume/segment.h"

#include <stdio.h>
#include <string.h>

enum { SIDE = 36, DEPTH = 40, COUNT = SIDE * SIDE * DEPTH };

static synthetic_network net;

/* Heard of a call. */
typedef struct heard {
    int count;
    char last[256];
} heard;

static void hear(void *user, const char *sentence)
{
    heard *all = user;
    all->count++;
    snprintf(all->last, sizeof all->last, "%s", sentence);
}

static sgm_call listening(heard *all)
{
    sgm_call call = sgm_call_init();
    *all = (heard){0};
    call.warning = hear;
    call.warning_user = all;
    return call;
}

/* How a network may be asked in a box in space. */
typedef enum way { BY_MASK, BY_MASK_AND_TIGHT_BOX, BY_BOX, WAYS } way;

static void make_network(way w)
{
    const sgm_walk by_mask = {.logits = true}, by_box = {.logits = true, .box = true, .points = 3};
    synthetic_clear(&net);
    synthetic_init(&net, 64);
    net.predictor.walk = w == BY_BOX ? by_box : by_mask;
    net.predictor.walk_in_box = w == BY_MASK ? by_mask : by_box;
    net.object_grey = 200;
    net.object_reach = 90;
}

/* Wider than the ROIs, and farther behind them. */
static double tube(const double mm[3])
{
    return hypot(mm[0], mm[1]) < 12 && fabs(mm[2]) < 18 ? 200 : 40;
}

static phantom make(void)
{
    static const int64_t extent[3] = {SIDE, SIDE, DEPTH};
    static const int straight[3] = {0, 1, 2};
    phantom p;
    phantom_make(&p, tube, extent, (const double[3]){1, 1, 1}, straight, 0);
    return p;
}

static int64_t voxels_on(const uint8_t *mask, int64_t slice)
{
    int64_t count = 0;
    for (int64_t i = 0; i < SIDE * SIDE; i++)
        count += mask[slice * SIDE * SIDE + i];
    return count;
}

/* Slices 6..10 and 26..30, x and y 14..21. */
static const sgm_roi two_rois[2] = {{{17.5, 17.5, 8}, {{4, 0, 0}, {0, 4, 0}, {0, 0, 2}}},
                                    {{17.5, 17.5, 28}, {{4, 0, 0}, {0, 4, 0}, {0, 0, 2}}}};

static int is_allowed(size_t rois, int64_t at)
{
    int64_t x = at % SIDE, y = at / SIDE % SIDE, z = at / SIDE / SIDE;
    if (x < 14 || x > 21 || y < 14 || y > 21) return 0;
    return (z >= 6 && z <= 10) || (rois == 2 && z >= 26 && z <= 30);
}

static sgm_volume_options along_k(void)
{
    sgm_volume_options options = sgm_volume_options_init();
    options.axis = SGM_AXIS_K;
    return options;
}

static void segment(const phantom *p, const sgm_object *object, heard *all,
                    sgm_volume_result *result)
{
    sgm_call_scope scope;
    sgm_call call = listening(all);
    sgm_volume_options options = along_k();
    CHECK_OK(sgm_call_enter(&scope, &call));
    CHECK_OK(sgm_volume_segment(&net.predictor, 0, &p->volume, object, 1, &options, result));
    sgm_call_leave(&scope);
}

/* The object as asked, and without the seeds from `used` on: the same, within the ROIs, and said.
 */
static void check_left_out(way w, size_t rois, const sgm_seed *seeds, size_t count, size_t used,
                           const char *sentence)
{
    phantom p = make();
    heard all;
    sgm_volume_result with, without;
    sgm_object object = {
        .name = "tumour", .seeds = seeds, .seed_count = count, .rois = two_rois, .roi_count = rois};
    make_network(w);
    segment(&p, &object, &all, &with);
    CHECK(all.count == 1 && strcmp(all.last, sentence) == 0);
    object.seed_count = used;
    make_network(w);
    segment(&p, &object, &all, &without);
    CHECK(all.count == 0);
    int64_t outside = 0;
    for (int64_t i = 0; i < COUNT; i++)
        outside += with.objects[0].mask[i] && !is_allowed(rois, i);
    CHECK(outside == 0);
    CHECK(with.objects[0].voxels > 100);
    CHECK(memcmp(with.objects[0].mask, without.objects[0].mask, COUNT) == 0);
    sgm_volume_result_clear(&with);
    sgm_volume_result_clear(&without);
    phantom_clear(&p);
}

static void check_all_left_out(way w)
{
    static const sgm_seed gap[] = {{{18, 18, 18}, SGM_FOREGROUND}};
    static const sgm_seed behind[] = {{{18, 18, 33}, SGM_FOREGROUND}};
    static const sgm_seed both[] = {{{18, 18, 8}, SGM_FOREGROUND}, {{18, 18, 20}, SGM_FOREGROUND}};
    static const sgm_seed kinds[] = {{{18, 18, 8}, SGM_FOREGROUND},
                                     {{15, 15, 24}, SGM_BACKGROUND},
                                     {{18, 18, 20}, SGM_FOREGROUND},
                                     {{19, 18, 2}, SGM_FOREGROUND}};
    const char *one = "object \"tumour\": point 1 lies on a slice that no ROI crosses and is not "
                      "used";
    const char *two = "object \"tumour\": point 2 lies on a slice that no ROI crosses and is not "
                      "used";
    const char *three =
        "object \"tumour\": 3 points, the first of them point 2, lie on slices that "
        "no ROI crosses and are not used";
    check_left_out(w, 2, gap, 1, 0, one);
    check_left_out(w, 1, gap, 1, 0, one);
    check_left_out(w, 1, behind, 1, 0, one);
    check_left_out(w, 1, both, 2, 1, two);
    check_left_out(w, 2, both, 2, 1, two);
    check_left_out(w, 1, kinds, 4, 1, three);
}

/* A point that is left out leaves the others their say: the first of those says what is meant in
 * the box, and a background point ends the object where it did. */
static void check_first_left_out(way w)
{
    static const sgm_seed seeds[] = {{{18, 18, 20}, SGM_FOREGROUND},
                                     {{18, 18, 7}, SGM_FOREGROUND},
                                     {{17.5, 17.5, 10}, SGM_BACKGROUND}};
    phantom p = make();
    heard all;
    sgm_volume_result with, without;
    sgm_object object = {.seeds = seeds, .seed_count = 3, .rois = two_rois, .roi_count = 1};
    make_network(w);
    segment(&p, &object, &all, &with);
    CHECK(all.count == 1);
    object.seeds++;
    object.seed_count = 2;
    make_network(w);
    segment(&p, &object, &all, &without);
    CHECK(memcmp(with.objects[0].mask, without.objects[0].mask, COUNT) == 0);
    sgm_volume_result_clear(&with);
    sgm_volume_result_clear(&without);
    phantom_clear(&p);
}

/* Live volumes and previews say the same; undoing the point is as if it had not been. */
static void check_live(way w)
{
    static const sgm_seed seeds[] = {{{18, 18, 8}, SGM_FOREGROUND}, {{18, 18, 20}, SGM_FOREGROUND}};
    static uint8_t before[COUNT], after[COUNT];
    static const int64_t first[3] = {0, 0, 0}, last[3] = {SIDE - 1, SIDE - 1, DEPTH - 1};
    phantom p = make();
    heard all;
    sgm_call call = listening(&all);
    sgm_live_volume *live = NULL;
    sgm_live_slice slice = sgm_live_slice_init();
    sgm_volume_options options = along_k();
    sgm_object object = {.seeds = seeds, .seed_count = 1, .rois = two_rois, .roi_count = 2};
    make_network(w);
    CHECK_OK(sgm_live_volume_make(&net.predictor, 0, &p.volume, &options, &live));
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, &call, NULL));
    CHECK_OK(sgm_live_volume_mask(live, 1, first, last, before));
    CHECK(all.count == 0);
    object.seed_count = 2;
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, -1, &call, &slice));
    CHECK(slice.slice == 20 && slice.voxels == 0 && !slice.prompted && all.count == 1);
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, 8, &call, &slice));
    CHECK(slice.voxels == voxels_on(before, 8) && slice.voxels > 0 && all.count == 2);
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, &call, NULL));
    CHECK_OK(sgm_live_volume_mask(live, 1, first, last, after));
    CHECK(all.count == 3 && memcmp(before, after, COUNT) == 0);
    sgm_live_volume_destroy(live);
    phantom_clear(&p);
}

/* Between two ROIs an initial mask stays as it is; what a click adds to it ends with the ROI. */
static void check_initial_between(void)
{
    static uint8_t initial[COUNT];
    static const sgm_seed seed = {{15, 17, 9}, SGM_FOREGROUND};
    phantom p = make();
    heard all;
    sgm_volume_result result;
    sgm_object object = {
        .seeds = &seed, .seed_count = 1, .rois = two_rois, .roi_count = 2, .labels = initial};
    for (int64_t i = 0; i < COUNT; i++)
        initial[i] = p.voxels[i] == 200 && i % SIDE > 17;
    make_network(BY_MASK);
    segment(&p, &object, &all, &result);
    int64_t added = 0, elsewhere = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        int is_other = result.objects[0].mask[i] != initial[i];
        added += is_other;
        elsewhere += is_other && !is_allowed(2, i);
    }
    CHECK(added > 0 && elsewhere == 0 && all.count == 0);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* On a slice that a ROI crosses a foreground seed beside the cross-section counts, and widens it.
 */
static void check_beside(way w)
{
    static const sgm_seed seed = {{24, 17, 8}, SGM_FOREGROUND};
    phantom p = make();
    heard all;
    sgm_volume_result result;
    sgm_object object = {.seeds = &seed, .seed_count = 1, .rois = two_rois, .roi_count = 1};
    make_network(w);
    segment(&p, &object, &all, &result);
    CHECK(all.count == 0);
    CHECK(result.objects[0].mask[24 + SIDE * (17 + SIDE * 8)]);
    CHECK(!result.objects[0].mask[25 + SIDE * (17 + SIDE * 8)]);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

int main(void)
{
    for (way w = BY_MASK; w < WAYS; w++) {
        check_all_left_out(w);
        check_first_left_out(w);
        check_live(w);
        check_beside(w);
    }
    check_initial_between();
    synthetic_clear(&net);
    return check_report();
}
