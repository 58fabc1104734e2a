/* How masks travel: where walks meet and stop, what is encoded how often, memory, cancelling. */
#include "check.h"
#include "phantom.h"
#include "synthetic_network.h"

#include "core/call.h"
#include "predict/session/mask.h"
#include "predict/volume/motion.h"
#include "predict/volume/segment.h"
#include "predict/volume/stop.h"

#include <stdlib.h>
#include <string.h>

#include "core/system.h"

static const int straight[3] = {0, 1, 2};
static const double isotropic[3] = {1, 1, 1};
static synthetic_network net;

static synthetic_network *network(void)
{
    synthetic_clear(&net);
    synthetic_init(&net, 64);
    return &net;
}

/* A tube along z over the whole volume. */
static double tube(const double mm[3])
{
    return hypot(mm[0], mm[1]) < 6 ? 200 : 40;
}

/* Two tubes side by side. */
static double two_tubes(const double mm[3])
{
    if (hypot(mm[0] - 7, mm[1]) < 5) return 200;
    return hypot(mm[0] + 7, mm[1]) < 5 ? 130 : 40;
}

static double fading_tube(const double mm[3])
{
    return hypot(mm[0], mm[1]) < 6 ? 235 - 4 * fabs(mm[2]) : 0;
}

/* A tube that opens into a wide chamber of the same intensity at z = 8. */
static double leaking_tube(const double mm[3])
{
    return hypot(mm[0], mm[1]) < (mm[2] < 8 ? 5 : 13) ? 200 : 40;
}

/* A tube that ends at z = 8, while another body begins beside it. */
static double jumping_tube(const double mm[3])
{
    if (mm[2] < 8) return hypot(mm[0] + 6, mm[1]) < 5 ? 200 : 40;
    return hypot(mm[0] - 6, mm[1]) < 5 ? 200 : 40;
}

/* A tube with an interruption around z = 10. */
static double broken_tube(const double mm[3])
{
    return hypot(mm[0], mm[1]) < 6 && fabs(mm[2] - 10) > 1.2 ? 200 : 40;
}

static sgm_volume_result run(const phantom *p, synthetic_network *n, const sgm_object *objects,
                             size_t count, const sgm_volume_options *options)
{
    sgm_volume_result result;
    CHECK_OK(sgm_volume_segment(&n->predictor, 0, &p->volume, objects, count, options, &result));
    return result;
}

/* Slices of an object's report, first to last, without gaps. */
static int covers(const sgm_volume_result *result, size_t object, int64_t first, int64_t last)
{
    const sgm_object_result *o = &result->objects[object];
    for (size_t i = 0; i < o->slice_count; i++)
        if (o->slices[i].slice != first + (int64_t)i) return 0;
    return (int64_t)o->slice_count == last - first + 1;
}

static sgm_seed on_axis(double k)
{
    return (sgm_seed){{14.5, 14.5, k}, SGM_FOREGROUND};
}

/* Seeds on several slices: the gaps are walked from both sides, each slice once. */
static void check_meeting(int64_t a, int64_t b)
{
    const int64_t extent[3] = {30, 30, 40};
    phantom p;
    synthetic_network *n = network();
    phantom_make(&p, tube, extent, isotropic, straight, 0);
    sgm_seed seeds[2] = {on_axis((double)a), on_axis((double)b)};
    sgm_object object = {.seeds = seeds, .seed_count = 2};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_volume_result result = run(&p, n, &object, 1, &options);
    CHECK(covers(&result, 0, 0, 39));
    CHECK(n->decodes == 40 && n->encodes == 40 && n->mask_prompts == 38);
    CHECK_NEAR(phantom_dice(&p, result.objects[0].mask, 200, 200), 1, 0);
    CHECK(result.encoded == 40 && result.cached == 0);
    sgm_volume_result_clear(&result);
    options.no_propagation = 1;
    result = run(&p, network(), &object, 1, &options);
    CHECK(result.objects[0].slice_count == 2 && net.decodes == 2);
    sgm_volume_result_clear(&result);
    options.no_propagation = 0;
    options.max_slices = 3;
    result = run(&p, network(), &object, 1, &options);
    int64_t gap = b - a - 1 < 6 ? b - a - 1 : 6;
    CHECK((int64_t)result.objects[0].slice_count == 2 + 6 + gap);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* The slice in the middle comes from both sides: two discs, moved against each other, give a box in
 * between. */
static void check_blend(void)
{
    const int64_t extent[3] = {30, 30, 5};
    phantom p;
    synthetic_network *n = network();
    phantom_make(&p, tube, extent, isotropic, straight, 0);
    for (int64_t k = 0; k < 5; k++)
        for (int64_t j = 0; j < 30; j++)
            for (int64_t i = 0; i < 30; i++) {
                double centre = 13 + (double)k;
                p.voxels[i + 30 * (j + 30 * k)] =
                    hypot((double)i - centre, (double)j - 14) < 6.3 ? 200 : 40;
            }
    sgm_seed seeds[2] = {{{13, 14, 0}, 1}, {{17, 14, 4}, 1}};
    sgm_object object = {.seeds = seeds, .seed_count = 2};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_volume_result result = run(&p, n, &object, 1, &options);
    /* last decoded: slice 2 between discs at 14 and 16, radius 6, with a margin of one pixel */
    CHECK(covers(&result, 0, 0, 4));
    CHECK_NEAR(n->last_box.x0, 15 - 6 - 1, 1e-9);
    CHECK_NEAR(n->last_box.x1, 15 + 6 + 1, 1e-9);
    CHECK_NEAR(phantom_dice(&p, result.objects[0].mask, 200, 200), 1, 0);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* extent 30 x 30 x 40: slice k lies at z = k - 19.5. */
static void check_stop(phantom_fn scene, sgm_seed seed, int64_t first, int64_t last, sgm_stop above)
{
    const int64_t extent[3] = {30, 30, 40};
    phantom p;
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    synthetic_network *n = network();
    n->ignores_box = 1; /* else the box alone would hold it back */
    phantom_make(&p, scene, extent, isotropic, straight, 0);
    sgm_volume_result result = run(&p, n, &object, 1, &options);
    CHECK(result.objects[0].stopped[1] == above);
    CHECK(first > 0 || result.objects[0].stopped[0] == SGM_STOP_LIMIT);
    CHECK(covers(&result, 0, first, last));
    if (!covers(&result, 0, first, last))
        fprintf(stderr, "    wanted %d..%d, got %d..%d\n", (int)first, (int)last,
                (int)result.objects[0].first[2], (int)result.objects[0].last[2]);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* A walk that stops early leaves the rest of the gap to the other side. */
static void check_gap_is_taken_over(void)
{
    const int64_t extent[3] = {30, 30, 40};
    phantom p;
    phantom_make(&p, broken_tube, extent, isotropic, straight, 0);
    sgm_seed seeds[2] = {on_axis(5), on_axis(35)};
    sgm_object object = {.seeds = seeds, .seed_count = 2};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_volume_result result = run(&p, network(), &object, 1, &options);
    /* slices 29 and 30 are interrupted: from below up to 28, from above down to 31 */
    CHECK(result.objects[0].slice_count == 38);
    CHECK_NEAR(phantom_dice(&p, result.objects[0].mask, 200, 200), 1, 0);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* Objects share embeddings, and do not change each other's masks. */
static void check_sharing(int64_t a, int64_t b, int most_encodes)
{
    const int64_t extent[3] = {30, 30, 40};
    phantom p;
    phantom_make(&p, two_tubes, extent, isotropic, straight, 0);
    sgm_seed seeds[2] = {{{21.5, 14.5, (double)a}, 1}, {{7.5, 14.5, (double)b}, 1}};
    sgm_roi roi = {{21.5, 14.5, 19.5}, {{6, 0, 0}, {0, 6, 0}, {0, 0, 20}}};
    sgm_object objects[3] = {{.seeds = &seeds[0], .seed_count = 1},
                             {.seeds = &seeds[1], .seed_count = 1},
                             {.rois = &roi, .roi_count = 1}};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_volume_result together = run(&p, network(), objects, 3, &options);
    CHECK(net.encodes <= most_encodes);
    CHECK(together.encoded == net.encodes && net.decodes >= 120);
    for (size_t i = 0; i < 3; i++) {
        sgm_volume_result alone = run(&p, network(), &objects[i], 1, &options);
        CHECK(memcmp(alone.objects[0].mask, together.objects[i].mask, 30 * 30 * 40) == 0);
        CHECK(alone.objects[0].voxels > 0);
        sgm_volume_result_clear(&alone);
    }
    sgm_volume_result_clear(&together);
    phantom_clear(&p);
}

/* Room for two embeddings only: still one encoding per slice when the prompts share a slice. */
static void check_little_memory(void)
{
    const int64_t extent[3] = {30, 30, 40};
    phantom p;
    phantom_make(&p, two_tubes, extent, isotropic, straight, 0);
    sgm_seed seeds[2] = {{{21.5, 14.5, 20}, 1}, {{7.5, 14.5, 20}, 1}};
    sgm_object objects[2] = {{.seeds = &seeds[0], .seed_count = 1},
                             {.seeds = &seeds[1], .seed_count = 1}};
    sgm_volume_options options = {.axis = SGM_AXIS_K, .embedding_memory = 1};
    sgm_volume_result result = run(&p, network(), objects, 2, &options);
    CHECK(net.encodes == 40 && net.decodes == 80);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* A long thin volume, walked through from end to end: beside the volume and its mask, memory stays
 * what it is for a short one. */
static void check_memory(void)
{
    const int64_t extent[3] = {24, 24, 6000};
    phantom p;
    sgm_seed seed = {{11.5, 11.5, 3000}, 1};
    phantom_make(&p, tube, extent, isotropic, straight, 0);
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K, .embedding_memory = 1 << 20};
    double before = sgm_peak_memory();
    sgm_volume_result result = run(&p, network(), &object, 1, &options);
    double after = sgm_peak_memory();
    CHECK(covers(&result, 0, 0, 5999));
#ifdef __SANITIZE_ADDRESS__
    printf("memory is not compared: the address sanitiser keeps what is freed (%g)\n",
           after - before);
#else
    /* 6000 embeddings of 16 KiB would be 94 MiB; mask and report take 3.5 MiB */
    CHECK(after - before < 16 * 1024 * 1024.0);
#endif
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

static void check_cancel(void)
{
    const int64_t extent[3] = {30, 30, 40};
    phantom p;
    sgm_volume_result result;
    synthetic_network *n = network();
    sgm_seed seed = on_axis(20);
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    phantom_make(&p, tube, extent, isotropic, straight, 0);
    n->cancel_after = 7;
    CHECK_STATUS(sgm_volume_segment(&n->predictor, 0, &p.volume, &object, 1, NULL, &result),
                 SGM_CANCELLED, "cancelled");
    CHECK(n->encodes == 7 && result.objects == NULL);
    phantom_clear(&p);
}

typedef struct watch {
    double last;
    int calls, fell;
    char message[128];
} watch;

static void watch_progress(void *user, double fraction, const char *message)
{
    watch *w = user;
    w->fell += !(fraction >= w->last);
    w->last = fraction;
    w->calls++;
    snprintf(w->message, sizeof w->message, "%s", message);
}

static void check_progress(void)
{
    const int64_t extent[3] = {30, 30, 40};
    phantom p;
    watch w = {0};
    phantom_make(&p, broken_tube, extent, isotropic, straight, 0);
    sgm_seed seeds[2] = {on_axis(5), on_axis(35)};
    sgm_object object = {.name = "tube", .seeds = seeds, .seed_count = 2};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_call call = {.progress = watch_progress, .progress_user = &w};
    sgm_call_scope scope;
    CHECK_OK(sgm_call_enter(&scope, &call));
    sgm_volume_result result = run(&p, network(), &object, 1, &options);
    sgm_call_leave(&scope);
    CHECK(w.fell == 0 && w.last == 1 && w.calls >= 38);
    CHECK(strncmp(w.message, "tube, slice ", 12) == 0);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* Every network is asked by what its row says, and by nothing else. */
static void check_way_of_asking(sgm_walk walk)
{
    static const int64_t extent[3] = {30, 30, 12};
    phantom p;
    phantom_make(&p, tube, extent, isotropic, straight, 0);
    sgm_seed seed = on_axis(6);
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_volume_result result;
    network()->predictor.walk = walk;
    CHECK_OK(sgm_volume_segment(&net.predictor, 0, &p.volume, &object, 1, &options, &result));
    int walked = net.decodes - 1;
    CHECK(walked > 0);
    CHECK(net.boxes == (walk.box ? walked : 0));
    CHECK(net.mask_prompts == (walk.logits ? walked : 0));
    CHECK(net.points - 1 == walked * walk.points); /* a disc has one innermost point */
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* The largest logit that a walk asks with. */
static float asked_peak(float lowering)
{
    static const int64_t extent[3] = {30, 30, 12};
    phantom p;
    phantom_make(&p, tube, extent, isotropic, straight, 0);
    sgm_seed seed = on_axis(6);
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_volume_result result;
    network()->predictor.walk = (sgm_walk){.logits = true};
    net.predictor.walk_lowering = lowering;
    CHECK_OK(sgm_volume_segment(&net.predictor, 0, &p.volume, &object, 1, &options, &result));
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
    return net.mask_peak;
}

/* A network that gives back more than it is shown is asked with less. */
static void check_lowering(void)
{
    float peak = asked_peak(0);
    CHECK(peak > 0 && asked_peak(1.5f) == peak - 1.5f);
}

static double everywhere(const double mm[3])
{
    (void)mm;
    return 200;
}

/* The largest logit that a walk asks with whose neighbour's logits are lowered to 3 and that leans
 * to what looks like its first slice. */
static float leaning_peak(float likeness, int shows_maps, phantom_fn scene)
{
    static const int64_t extent[3] = {30, 30, 2};
    phantom p;
    phantom_make(&p, scene, extent, isotropic, straight, 0);
    sgm_seed seed = on_axis(0);
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_volume_result result;
    network()->predictor.walk = (sgm_walk){.logits = true};
    net.object_grey = 200;
    net.object_reach = 255;
    net.predictor.walk_lowering = 5;
    net.predictor.walk_likeness = likeness;
    if (shows_maps) synthetic_show_maps(&net);
    CHECK_OK(sgm_volume_segment(&net.predictor, 0, &p.volume, &object, 1, &options, &result));
    CHECK(net.mask_prompts > 0);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
    return net.mask_peak;
}

/* What looks like the object where the walk began is asked for more surely, by less than the
 * strength; networks that show no maps, and objects
 * without an outside to tell them from, are asked as before. */
static void check_leaning(void)
{
    float plain = leaning_peak(0, 1, tube), leaning = leaning_peak(1, 1, tube);
    CHECK(plain == 3);
    CHECK(leaning > plain + 0.2f && leaning < plain + 1);
    CHECK(leaning_peak(1, 0, tube) == plain);
    CHECK(leaning_peak(1, 1, everywhere) == leaning_peak(0, 1, everywhere));
}

static void check_ways_of_asking(void)
{
    check_way_of_asking((sgm_walk){.logits = true, .box = true, .points = 1});
    check_way_of_asking((sgm_walk){.box = true});
    check_way_of_asking((sgm_walk){.points = 1});
    check_way_of_asking((sgm_walk){.logits = true});
}

/* ------------------------------------------------------------------------------------- motion */

enum { GROUND = 96 };

/* A disc of radius 9 with a darker quarter, on ground that is a little uneven everywhere. */
static void draw_cell(uint8_t *picture, uint8_t *mask, double x, double y, unsigned noise)
{
    for (int v = 0; v < GROUND; v++)
        for (int u = 0; u < GROUND; u++) {
            int at = v * GROUND + u, inside = hypot(u - x, v - y) <= 9;
            noise = noise * 1664525u + 1013904223u;
            picture[at] = (uint8_t)(60 + (noise >> 29) + (inside ? u > x && v > y ? 60 : 110 : 0));
            if (mask) mask[at] = (uint8_t)inside;
        }
}

static sgm_motion motion_of_cell(double x, double y, double to_x, double to_y, int is_flat)
{
    static uint8_t before[GROUND * GROUND], now[GROUND * GROUND], mask[GROUND * GROUND];
    sgm_image pictures[2] = {{before, GROUND, GROUND, 1, 0}, {now, GROUND, GROUND, 1, 0}};
    sgm_box extent = {0, 0, 0, 0};
    draw_cell(before, mask, x, y, 1);
    draw_cell(now, NULL, to_x, to_y, 2);
    if (is_flat) memset(now, 60, sizeof now);
    sgm_mask_measure(mask, GROUND, GROUND, &extent);
    return sgm_motion_of(&pictures[0], mask, &extent, &pictures[1]);
}

static void moves(double x, double y, int by_x, int by_y, int wanted_x, int wanted_y)
{
    sgm_motion m = motion_of_cell(x, y, x + by_x, y + by_y, 0);
    if (!CHECK(m.x == wanted_x && m.y == wanted_y))
        fprintf(stderr, "    %d, %d: found %d, %d\n", by_x, by_y, m.x, m.y);
}

/* A shift is found to the pixel, up to half the object's side; at the picture's sides too. What is
 * not there any more, or has not moved, does not move. */
static void check_motion(void)
{
    moves(48, 48, 6, -5, 6, -5);
    moves(48, 48, -9, 9, -9, 9);
    moves(48, 48, 0, 0, 0, 0);
    moves(48, 48, 40, 0, 0, 0); /* too far to be the same */
    moves(9, 86, 7, -4, 7, -4);
    moves(9, 48, -6, 3, -6, 3); /* a third of it leaves the picture */
    sgm_motion none = motion_of_cell(48, 48, 48, 48, 1);
    CHECK(none.x == 0 && none.y == 0);
}

/* A disc that moves four fifths of its radius from slice to slice. */
static double wandering_disc(const double mm[3])
{
    return hypot(mm[0] - 4 * mm[2], mm[1]) < 5 ? 200 : 40;
}

/* Where a walk by boxes expects the disc on the last of eight slices. */
static double expected_place(int is_sequence, int64_t first, int64_t *covered)
{
    static const int64_t extent[3] = {60, 30, 8};
    phantom p;
    phantom_make(&p, wandering_disc, extent, isotropic, straight, 0);
    sgm_seed seed = {{29.5 + 4 * ((double)first - 3.5), 14.5, (double)first}, SGM_FOREGROUND};
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K, .is_sequence = is_sequence};
    sgm_volume_result result;
    network()->predictor.walk = (sgm_walk){.box = true};
    CHECK_OK(sgm_volume_segment(&net.predictor, 0, &p.volume, &object, 1, &options, &result));
    *covered = (int64_t)result.objects[0].slice_count;
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
    return (net.last_box.x0 + net.last_box.x1) / 2;
}

/* In sequences a walk asks where the object is now. In space it asks where it was, for there a
 * shape changes and does not move; so this disc is lost. */
static void check_following(void)
{
    int64_t covered;
    CHECK_NEAR(expected_place(1, 0, &covered), 43.5, 0.6);
    CHECK(covered == 8);
    CHECK_NEAR(expected_place(1, 7, &covered), 15.5, 0.6);
    CHECK(covered == 8);
    expected_place(0, 0, &covered);
    CHECK(covered < 8);
}

/* Where two walks meet, both come with what has moved towards each other. */
static void check_moved_meeting(void)
{
    static const int64_t extent[3] = {60, 30, 3};
    phantom p;
    phantom_make(&p, wandering_disc, extent, isotropic, straight, 0);
    sgm_seed seeds[2] = {{{25.5, 14.5, 0}, SGM_FOREGROUND}, {{33.5, 14.5, 2}, SGM_FOREGROUND}};
    sgm_object object = {.seeds = seeds, .seed_count = 2};
    sgm_volume_options options = {.axis = SGM_AXIS_K, .is_sequence = 1};
    network()->predictor.walk = (sgm_walk){.box = true, .logits = true, .points = 1};
    sgm_volume_result result = run(&p, &net, &object, 1, &options);
    CHECK(covers(&result, 0, 0, 2));
    CHECK_NEAR((net.last_box.x0 + net.last_box.x1) / 2, 29.5, 0.6);
    CHECK(net.last_box.x1 - net.last_box.x0 < 13); /* both boxes lie over each other */
    CHECK_NEAR(phantom_dice(&p, result.objects[0].mask, 200, 200), 1, 0);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* A bright line along the picture's upper side, above ground that is a row higher on slices behind
 * the first: what the line lies on moves it out of the picture. */
static double leaving_line(const double mm[3])
{
    int row = (int)floor(mm[1] + 15) + (mm[2] > -0.5), column = (int)floor(mm[0] + 30);
    if (row == 0) return fabs(mm[0]) < 10 ? 200 : 40;
    return 20 + (double)((unsigned)(row * 7919 + column * 104729) * 2654435761u >> 25);
}

static void check_leaving(void)
{
    static const int64_t extent[3] = {60, 30, 2};
    phantom p;
    phantom_make(&p, leaving_line, extent, isotropic, straight, 0);
    sgm_seed seed = {{29.5, 0, 0}, SGM_FOREGROUND};
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K, .is_sequence = 1};
    network()->predictor.walk = (sgm_walk){.box = true};
    sgm_volume_result result = run(&p, &net, &object, 1, &options);
    CHECK(net.boxes == 1); /* it is still asked for where it was */
    CHECK(net.last_box.y0 == 0 && net.last_box.y1 <= 2);
    CHECK(net.last_box.x0 >= 17 && net.last_box.x1 <= 42);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* One rule at a time, on a picture of 40 x 40. */
static sgm_stop reason_in(int enclosed, double cx, double radius, uint8_t shade, float iou,
                          float quality)
{
    static uint8_t pixels[40 * 40], mask[40 * 40];
    sgm_image picture = {.data = pixels, .width = 40, .height = 40, .channels = 1};
    sgm_look look = {.mask = mask, .width = 40, .height = 40, .raw = {.predicted_iou = iou}};
    /* the neighbour: a bright disc of radius 8 about (20, 20) on dark ground */
    sgm_neighbour from = {.area = 197,
                          .extent = {13, 13, 27, 27},
                          .shades = {200, 60},
                          .quality = quality,
                          .enclosed = enclosed};
    for (int i = 0; i < 40 * 40; i++) {
        mask[i] = hypot(i % 40 - cx, i / 40 - 20) < radius;
        pixels[i] = mask[i] ? shade : 60;
    }
    look.area = sgm_mask_measure(mask, 40, 40, &look.extent);
    return sgm_stop_reason(&picture, &look, &from);
}

/* Grey levels of a CT: a fifth of the way from 200 to 60 is 28. */
static sgm_stop reason_in_ct(uint8_t shade)
{
    static uint8_t pixels[40 * 40], mask[40 * 40];
    sgm_image picture = {.data = pixels, .width = 40, .height = 40, .channels = 1};
    sgm_look look = {.mask = mask, .width = 40, .height = 40, .raw = {.predicted_iou = 0.9f}};
    sgm_neighbour from = {.area = 197,
                          .extent = {13, 13, 27, 27},
                          .shades = {180, 60}, /* it has drifted slowly */
                          .first = {200, 60},
                          .quality = 0.9f,
                          .calibrated = 1};
    for (int i = 0; i < 40 * 40; i++) {
        mask[i] = hypot(i % 40 - 20, i / 40 - 20) < 8;
        pixels[i] = mask[i] ? shade : 60;
    }
    look.area = sgm_mask_measure(mask, 40, 40, &look.extent);
    return sgm_stop_reason(&picture, &look, &from);
}

static sgm_stop reason(double cx, double radius, uint8_t shade, float iou, float quality)
{
    return reason_in(0, cx, radius, shade, iou, quality);
}

/* Of a network that is asked by masks alone, so many diameters from where the walk began; what
 * others would call another rating's end is not. */
static sgm_stop reason_far(float iou, float stop_rating, float far_rating, double distance,
                           int enclosed)
{
    static uint8_t pixels[40 * 40], mask[40 * 40];
    sgm_image picture = {.data = pixels, .width = 40, .height = 40, .channels = 1};
    sgm_look look = {.mask = mask, .width = 40, .height = 40, .raw = {.predicted_iou = iou}};
    sgm_neighbour from = {.area = 197,
                          .extent = {13, 13, 27, 27},
                          .shades = {200, 60},
                          .quality = 0.9f,
                          .by_mask = 1,
                          .stop_rating = stop_rating,
                          .far_rating = far_rating,
                          .distance = distance,
                          .enclosed = enclosed};
    for (int i = 0; i < 40 * 40; i++) {
        mask[i] = hypot(i % 40 - 20, i / 40 - 20) < 8;
        pixels[i] = mask[i] ? 200 : 60;
    }
    look.area = sgm_mask_measure(mask, 40, 40, &look.extent);
    return sgm_stop_reason(&picture, &look, &from);
}

static sgm_stop reason_by_mask(float iou, float stop_rating)
{
    return reason_far(iou, stop_rating, 0, 10, 0);
}

/* The farther beyond the end of a ball, the surer of itself the network has to be. */
static void check_far_rating(void)
{
    CHECK(reason_far(0.3f, 0.25f, 0.7f, 0.5, 0) == SGM_STOP_NONE);
    CHECK(reason_far(0.44f, 0.25f, 0.7f, 0.6, 0) == SGM_STOP_QUALITY);
    CHECK(reason_far(0.46f, 0.25f, 0.7f, 0.6, 0) == SGM_STOP_NONE);
    CHECK(reason_far(0.69f, 0.25f, 0.7f, 1, 0) == SGM_STOP_QUALITY);
    CHECK(reason_far(0.71f, 0.25f, 0.7f, 100, 0) == SGM_STOP_NONE);
    CHECK(reason_far(0.69f, 0.25f, 0.7f, 1, 1) == SGM_STOP_NONE); /* a prompted slice lies ahead */
    CHECK(reason_far(0.5f, 0.6f, 0.4f, 1, 0) == SGM_STOP_QUALITY);
}

/* A tube's walk goes on to the volume's end while the network is sure of it; else it ends a little
 * beyond its own radius, whatever the spacing, and never in a sequence. */
static void check_far(double step, int is_sequence, float rating, int64_t last)
{
    static const int64_t extent[3] = {28, 28, 40};
    static const int straight[3] = {0, 1, 2};
    const double spacing[3] = {1, 1, step};
    synthetic_network network;
    phantom p;
    phantom_make(&p, tube, extent, spacing, straight, 0);
    synthetic_init(&network, 64);
    network.predictor.walk = (sgm_walk){.logits = true};
    network.predictor.far_rating = 0.7f;
    network.object_grey = 200;
    network.object_reach = 90;
    network.rating = rating;
    sgm_seed seed = {{14, 14, 5}, SGM_FOREGROUND};
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K, .is_sequence = is_sequence};
    sgm_volume_result result;
    CHECK_OK(sgm_volume_segment(&network.predictor, 0, &p.volume, &object, 1, &options, &result));
    int64_t taken = result.objects[0].slices[result.objects[0].slice_count - 1].slice;
    CHECK(taken == last);
    sgm_volume_result_clear(&result);
    synthetic_clear(&network);
    phantom_clear(&p);
}

static void check_stop_rule(void)
{
    CHECK(reason(20, 8, 200, 0.9f, 0.9f) == SGM_STOP_NONE);
    CHECK(reason(20, 8, 200, 0.55f, 0.9f) == SGM_STOP_NONE);
    CHECK(reason(20, 8, 200, 0.53f, 0.9f) == SGM_STOP_QUALITY);
    CHECK(reason(20, 8, 200, NAN, 0.9f) == SGM_STOP_QUALITY);
    CHECK(reason(20, 8, 200, NAN, -1) == SGM_STOP_QUALITY);
    CHECK(reason(20, 8, 200, -3, -1) == SGM_STOP_NONE); /* ratings that mean nothing */
    CHECK(reason(20, 12, 200, 0.9f, 0.9f) == SGM_STOP_NONE);
    CHECK(reason(20, 13.5, 200, 0.9f, 0.9f) == SGM_STOP_AREA);
    CHECK(reason(20, 3, 200, 0.9f, 0.9f) == SGM_STOP_NONE); /* an end is small, not wrong */
    CHECK(reason(20, 0, 200, 0.9f, 0.9f) == SGM_STOP_EMPTY);
    CHECK(reason(28, 8, 200, 0.9f, 0.9f) == SGM_STOP_NONE);
    CHECK(reason(31, 8, 200, 0.9f, 0.9f) == SGM_STOP_PLACE);
    CHECK(reason(20, 8, 120, 0.9f, 0.9f) == SGM_STOP_NONE);
    CHECK(reason(20, 8, 112, 0.9f, 0.9f) == SGM_STOP_APPEARANCE);
    CHECK(reason_in_ct(175) == SGM_STOP_NONE && reason_in_ct(225) == SGM_STOP_NONE);
    CHECK(reason_in_ct(170) == SGM_STOP_APPEARANCE && reason_in_ct(230) == SGM_STOP_APPEARANCE);
    CHECK(reason_in(1, 20, 8, 112, 0.9f, 0.9f) == SGM_STOP_NONE);
    CHECK(reason_in(1, 20, 8, 100, 0.9f, 0.9f) == SGM_STOP_APPEARANCE);
    CHECK(reason_by_mask(0.36f, 0.35f) == SGM_STOP_NONE);
    CHECK(reason_by_mask(0.34f, 0.35f) == SGM_STOP_QUALITY);
    CHECK(reason_by_mask(0.36f, 0.5f) == SGM_STOP_QUALITY);
    CHECK(reason_by_mask(0, 0) == SGM_STOP_NONE && reason_by_mask(NAN, 0) == SGM_STOP_QUALITY);
    for (int stop = SGM_STOP_LIMIT; stop < SGM_STOP_COUNT; stop++)
        CHECK(sgm_stop_name((sgm_stop)stop) != NULL);
    CHECK(sgm_stop_name(SGM_STOP_NONE) == NULL && sgm_stop_name(SGM_STOP_COUNT) == NULL);
}

int main(void)
{
    check_memory();        /* first: the peak must be its own */
    check_meeting(10, 20); /* nine slices between: one in the middle */
    check_meeting(10, 21);
    check_meeting(10, 12);
    check_meeting(10, 11);
    check_blend();
    check_stop(tube, on_axis(20), 0, 39, SGM_STOP_LIMIT);
    /* slow change is no reason to stop */
    check_stop(fading_tube, on_axis(20), 0, 39, SGM_STOP_LIMIT);
    check_stop(leaking_tube, on_axis(12), 0, 27, SGM_STOP_AREA);
    check_stop(jumping_tube, (sgm_seed){{8.5, 14.5, 12}, 1}, 0, 27, SGM_STOP_AREA);
    check_stop(broken_tube, on_axis(12), 0, 28, SGM_STOP_AREA);
    check_stop(broken_tube, on_axis(35), 31, 39, SGM_STOP_LIMIT);
    check_gap_is_taken_over();
    check_motion();
    check_following();
    check_moved_meeting();
    check_leaving();
    check_ways_of_asking();
    check_lowering();
    check_leaning();
    check_stop_rule();
    check_far_rating();
    check_far(1, 0, 0.8f, 39);
    check_far(1, 0, 0.6f, 12); /* .6 are wanted .625 diameters of 12 away */
    check_far(0.5, 0, 0.6f, 19);
    check_far(1, 1, 0.6f, 39);
    check_sharing(20, 20, 40);
    check_sharing(5, 33, 40);
    check_little_memory();
    check_cancel();
    check_progress();
    synthetic_clear(&net);
    return check_report();
}
