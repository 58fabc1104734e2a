/* Previews of a live volume with a network that is asked by the neighbour's mask: what a prediction
 * will take, whatever was asked before. */
#include "check.h"
#include "phantom.h"
#include "synthetic_network.h"

#include "predict/volume/live.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 48, DEPTH = 9, COUNT = SIDE * SIDE * DEPTH, DOTS = 64 };

static synthetic_network network;

static sgm_live_volume *open_scene(phantom *p, phantom_fn scene, const sgm_volume_options *options)
{
    const int64_t extent[3] = {SIDE, SIDE, DEPTH};
    const double spacing[3] = {1, 1, 1};
    const int order[3] = {0, 1, 2};
    sgm_live_volume *live = NULL;
    phantom_make(p, scene, extent, spacing, order, 0);
    synthetic_init(&network, 64);
    network.predictor.walk = network.predictor.walk_in_box = (sgm_walk){.logits = true};
    network.object_grey = 200;
    network.object_reach = 90;
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &p->volume, options, &live));
    return live;
}

static void close_scene(phantom *p, sgm_live_volume *live)
{
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
    phantom_clear(p);
}

/* Voxels of the last preview that a prediction of the same prompts has otherwise. */
static int64_t differences(sgm_live_volume *live, const sgm_object *object,
                           const sgm_live_slice *slice)
{
    static uint8_t mask[COUNT], before[SIDE * SIDE];
    int64_t count = 0;
    memcpy(before, slice->mask, sizeof before);
    memset(mask, 0, sizeof mask);
    CHECK_OK(sgm_live_volume_predict(live, 1, object, NULL, NULL));
    CHECK_OK(sgm_live_volume_paint(live, 1, mask, SGM_VOXEL_U8, 1));
    for (int64_t i = 0; i < SIDE * SIDE; i++)
        count += before[i] != mask[slice->slice * SIDE * SIDE + i];
    return count;
}

/* Rods along z in eight rows, 6 mm apart, that touch nowhere. */
static double rods(const double mm[3])
{
    double x = mm[0] + 24, y = mm[1] + 24;
    return fabs(fmod(x, 6) - 3) < 1.1 && fabs(fmod(y, 6) - 3) < 1.1 ? 200 : 40;
}

/* A volume's first question may be a preview of many clicks on one slice, each on what the mask
 * lacks when its turn comes. */
static void check_many_clicks(void)
{
    phantom p;
    sgm_volume_options options = sgm_volume_options_init();
    sgm_live_slice slice = sgm_live_slice_init();
    options.axis = SGM_AXIS_K;
    sgm_seed seeds[DOTS];
    for (int i = 0; i < DOTS; i++)
        seeds[i] = (sgm_seed){{6 * (i % 8) + 3, 6 * (i / 8) + 3, 4}, SGM_FOREGROUND};
    sgm_object object = {.seeds = seeds, .seed_count = DOTS};
    sgm_live_volume *live = open_scene(&p, rods, &options);
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, -1, NULL, &slice));
    CHECK(live->desk.point_room >= DOTS + SGM_WALK_POINTS);
    CHECK(slice.slice == 4 && slice.prompted && slice.voxels >= DOTS);
    CHECK(differences(live, &object, &slice) == 0);
    close_scene(&p, live);
}

/* A tube along z with a neighbour at its side that is nearly as bright. */
static double touching_tube(const double mm[3])
{
    if (hypot(mm[0], mm[1]) < 6) return 200;
    return hypot(mm[0] - 10, mm[1]) < 5 ? 170 : 40;
}

/* Clicks on other slices change a slice that the first point asks for, as the prediction's do. */
static void check_click_beside(int index, int label, int was_known)
{
    phantom p;
    sgm_volume_options options = sgm_volume_options_init();
    sgm_live_slice slice = sgm_live_slice_init(), alone = slice;
    options.axis = SGM_AXIS_K;
    sgm_seed seeds[2] = {{{24, 24, 4}, SGM_FOREGROUND}, {{34, 24, index}, label}};
    sgm_object object = {.seeds = seeds, .seed_count = 1};
    sgm_live_volume *live = open_scene(&p, touching_tube, &options);
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, 4, NULL, &alone));
    if (was_known) CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, NULL));
    object.seed_count = 2;
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, 4, NULL, &slice));
    CHECK(slice.prompted && slice.voxels > 100 && slice.voxels != alone.voxels);
    CHECK(differences(live, &object, &slice) == 0);
    close_scene(&p, live);
}

/* A leaning ROI that lies beside the picture on its middle slice is asked where it meets it. */
static void check_leaning_roi(void)
{
    phantom p;
    sgm_volume_options options = sgm_volume_options_init();
    sgm_live_slice slice = sgm_live_slice_init();
    options.axis = SGM_AXIS_K;
    sgm_roi roi = {.center = {-30, 24, 4}, .half_axis = {{38, 0, 5}, {0, 6, 0}, {3, 0, 0}}};
    sgm_object object = {.rois = &roi, .roi_count = 1};
    sgm_live_volume *live = open_scene(&p, rods, &options);
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, -1, NULL, &slice));
    CHECK(slice.slice == 8 && slice.prompted && slice.voxels > 0);
    CHECK(differences(live, &object, &slice) == 0);
    close_scene(&p, live);
}

/* How many slices' pictures the stack along k holds. */
static int pictures_made(const sgm_live_volume *live)
{
    int count = 0;
    for (int n = 0; n < SGM_STACK_PICTURES; n++)
        count += live->stacks[2].pixels[0] && live->stacks[2].slices[n] >= 0;
    return count;
}

static int is_second_poll(void *user)
{
    return ++*(int *)user > 1;
}

/* What is looked at before a click is read only where there is something to encode. */
static void check_ahead(int zoom)
{
    phantom p;
    sgm_volume_options options = sgm_volume_options_init();
    const double place[3] = {24, 24, 4};
    int polls = 0;
    sgm_call call = sgm_call_init();
    options.axis = SGM_AXIS_K;
    sgm_live_volume *live = open_scene(&p, touching_tube, &options);
    live->desk.looker.zoom = zoom;
    CHECK_OK(sgm_live_volume_ahead(live, place, NULL));
    CHECK(pictures_made(live) == (zoom ? 1 : SGM_STACK_PICTURES)); /* no walk's view is known */
    int encodes = network.encodes;
    CHECK(zoom ? encodes > 0 : encodes == DEPTH);
    int64_t shown = live->stacks[2].shown;
    CHECK_OK(sgm_live_volume_ahead(live, place, NULL));
    CHECK(network.encodes == encodes && live->stacks[2].shown == shown);
    call.cancel = is_second_poll;
    call.cancel_user = &polls;
    if (!zoom) CHECK_STATUS(sgm_live_volume_ahead(live, place, &call), SGM_CANCELLED, "");
    sgm_seed seed = {{24, 24, 4}, SGM_FOREGROUND};
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, NULL));
    encodes = network.encodes;
    CHECK_OK(sgm_live_volume_ahead(live, place, NULL));
    shown = live->stacks[2].shown;
    CHECK_OK(sgm_live_volume_ahead(live, place, NULL));
    CHECK(live->stacks[2].shown == shown && (zoom || network.encodes == encodes));
    polls = 0;
    CHECK_STATUS(sgm_live_volume_ahead(live, place, &call), SGM_CANCELLED, "");
    close_scene(&p, live);
}

/* Labels with a stamp are read once, whether a preview or a prediction comes first, and others each
 * time; the object stays as it was. */
static void check_stamp(int predicts_first)
{
    static uint8_t labels[COUNT];
    phantom p;
    sgm_volume_options options = sgm_volume_options_init();
    sgm_live_slice slice = sgm_live_slice_init();
    sgm_live_result result = sgm_live_result_init();
    sgm_object object = {.labels = labels, .label_stamp = 5};
    options.axis = SGM_AXIS_K;
    sgm_live_volume *live = open_scene(&p, touching_tube, &options);
    for (int i = 0; i < COUNT; i++)
        labels[i] = i / SIDE / SIDE == 4 && p.voxels[i] == 200;
    if (predicts_first) CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, NULL));
    CHECK_OK(sgm_live_volume_get(live, 1, &result));
    int64_t before = result.voxels;
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, 4, NULL, &slice));
    int64_t first = slice.voxels;
    CHECK(first > 100);
    memset(labels, 0, sizeof labels);
    labels[4 * SIDE * SIDE] = 1;
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, 4, NULL, &slice));
    CHECK(slice.voxels == first);
    object.label_stamp = 0;
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, 4, NULL, &slice));
    CHECK(slice.voxels == 1);
    object.label_stamp = 6;
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, 4, NULL, &slice));
    CHECK(slice.voxels == 1);
    CHECK_OK(sgm_live_volume_get(live, 1, &result));
    CHECK(result.voxels == before && (before > 0) == predicts_first);
    labels[4 * SIDE * SIDE] = 0;
    CHECK_OK(sgm_live_volume_predict(live, 1, &object, NULL, &result)); /* it is known */
    CHECK(result.slice_count > 0);
    close_scene(&p, live);
}

/* On the slice of a background seed that only a walk takes, a preview shows the object as it is, of
 * whatever prompts, and says so. */
static void check_walked_background(void)
{
    phantom p;
    sgm_volume_options options = sgm_volume_options_init();
    sgm_live_slice slice = sgm_live_slice_init();
    sgm_seed seeds[2] = {{{24, 24, 3}, SGM_FOREGROUND}, {{27, 24, 6}, SGM_BACKGROUND}};
    sgm_roi roi = {.center = {24, 24, 4}, .half_axis = {{8, 0, 0}, {0, 8, 0}, {0, 0, 4}}};
    sgm_seed other = {{34, 24, 4}, SGM_FOREGROUND};
    sgm_object object = {.seeds = seeds, .seed_count = 2, .rois = &roi, .roi_count = 1};
    sgm_object before = {.seeds = &other, .seed_count = 1};
    options.axis = SGM_AXIS_K;
    sgm_live_volume *live = open_scene(&p, touching_tube, &options);
    network.predictor.walk_in_box = (sgm_walk){.logits = true, .box = true, .points = 3};
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, -1, NULL, &slice));
    CHECK(slice.slice == 6 && !slice.prompted && slice.voxels == 0 && slice.predicted_iou == 0);
    CHECK_OK(sgm_live_volume_predict(live, 1, &before, NULL, NULL));
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, -1, NULL, &slice));
    CHECK(slice.slice == 6 && !slice.prompted && slice.voxels > 0);
    CHECK(slice.mask[24 * SIDE + 34]); /* outside of the new prompts' box */
    CHECK_OK(sgm_live_volume_preview(live, 1, &object, 3, NULL, &slice));
    CHECK(slice.prompted && slice.voxels > 0 && !slice.mask[24 * SIDE + 34]);
    close_scene(&p, live);
}

int main(void)
{
    check_walked_background();
    check_stamp(0);
    check_stamp(1);
    check_ahead(0);
    check_ahead(1);
    check_leaning_roi();
    for (int index = 3; index <= 5; index += 2)
        for (int was_known = 0; was_known < 2; was_known++)
            check_click_beside(index, SGM_BACKGROUND, was_known);
    check_many_clicks();
    return check_report();
}
