/* From prompts to masks in space: orientation, spacing, prompts of every kind, refusals. */
#include "check.h"
#include "phantom.h"
#include "synthetic_network.h"

#include "predict/volume/segment.h"

#include <stdlib.h>
#include <string.h>

static const int straight[3] = {0, 1, 2};
static const double isotropic[3] = {1, 1, 1};

/* Two bright ellipsoids without symmetry axis in common, on grey. */
static double two_bodies(const double mm[3])
{
    double a = (mm[0] + 6) / 7, b = (mm[1] + 3) / 9, c = (mm[2] - 1) / 11;
    double d = (mm[0] - 8) / 5, e = (mm[1] - 6) / 6, f = (mm[2] + 3) / 7;
    if (a * a + b * b + c * c < 1) return 220;
    if (d * d + e * e + f * f < 1) return 150;
    return 40;
}

static synthetic_network *network(void)
{
    static synthetic_network n;
    synthetic_clear(&n);
    synthetic_init(&n, 128);
    return &n;
}

static sgm_seed seed_at(const phantom *p, double x, double y, double z, int label)
{
    sgm_seed seed = {.label = label};
    phantom_index(p, (const double[3]){x, y, z}, seed.index);
    return seed;
}

static double dice_of(const phantom *p, const sgm_volume_result *result, size_t object, int low,
                      int high)
{
    return object < result->object_count ? phantom_dice(p, result->objects[object].mask, low, high)
                                         : NAN;
}

/* One seed each; whatever the order, signs and spacing of the axes, the bodies are found whole. */
static void check_orientations(const int64_t extent[3], const double spacing[3], sgm_axis axis)
{
    for (int number = 0; number < 48; number += axis == SGM_AXIS_AUTO ? 1 : 5) {
        int order[3], signs;
        phantom p;
        sgm_volume_result result;
        phantom_orientation(number, order, &signs);
        phantom_make(&p, two_bodies, extent, spacing, order, signs);
        sgm_seed seeds[2] = {seed_at(&p, -6, -3, 1, 1), seed_at(&p, 8, 6, -3, 1)};
        sgm_object objects[2] = {{.name = "a", .seeds = &seeds[0], .seed_count = 1},
                                 {.name = "b", .seeds = &seeds[1], .seed_count = 1}};
        sgm_volume_options options = {.axis = axis};
        CHECK_OK(
            sgm_volume_segment(&network()->predictor, 0, &p.volume, objects, 2, &options, &result));
        /* interpolated in-plane spacing moves outlines by a voxel at most */
        CHECK(dice_of(&p, &result, 0, 220, 220) > 0.93);
        CHECK(dice_of(&p, &result, 1, 150, 150) > 0.9);
        CHECK(result.object_count == 2 && result.objects[0].voxels > 100);
        sgm_volume_result_clear(&result);
        phantom_clear(&p);
    }
}

static sgm_volume_result run(const phantom *p, synthetic_network *n, const sgm_object *object,
                             sgm_volume_options *options)
{
    sgm_volume_result result;
    CHECK_OK(sgm_volume_segment(&n->predictor, 0, &p->volume, object, 1, options, &result));
    return result;
}

/* The bounding box and voxel counts that come with a mask are those of the mask. */
static void check_measures(const phantom *p, const sgm_volume_result *result)
{
    const sgm_object_result *object = &result->objects[0];
    const int64_t *size = p->volume.size;
    int64_t count = 0, in_slices = 0, outside = 0;
    for (int64_t i = 0; i < size[0] * size[1] * size[2]; i++) {
        int64_t index[3] = {i % size[0], i / size[0] % size[1], i / size[0] / size[1]};
        if (!object->mask[i]) continue;
        count++;
        for (int a = 0; a < 3; a++)
            outside += index[a] < object->first[a] || index[a] > object->last[a];
    }
    for (size_t i = 0; i < object->slice_count; i++) {
        in_slices += object->slices[i].voxels;
        CHECK(i == 0 || object->slices[i].slice > object->slices[i - 1].slice);
    }
    CHECK(count == object->voxels && count == in_slices && outside == 0);
}

static void check_roi(void)
{
    const int64_t extent[3] = {40, 40, 40};
    phantom p;
    synthetic_network *n = network();
    phantom_make(&p, two_bodies, extent, isotropic, straight, 0);
    sgm_roi roi = {.half_axis = {{8, 0, 0}, {0, 10, 0}, {0, 0, 6}}};
    phantom_index(&p, (const double[3]){-6, -3, 1}, roi.center);
    sgm_object object = {.name = "roi", .rois = &roi, .roi_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_volume_result result = run(&p, n, &object, &options);
    CHECK(result.objects[0].slice_count == 12);
    for (size_t i = 0; i < result.objects[0].slice_count; i++)
        CHECK(result.objects[0].slices[i].prompted);
    CHECK(n->last.box && n->last.point_count == 0 && n->encodes == 12);
    /* last asked: the slice below the topmost, 4.5 of 6 up; an ellipsoid is so wide there */
    double narrowed = sqrt(1 - 4.5 * 4.5 / 36);
    CHECK_NEAR(n->last_box.x0, roi.center[0] - 8 * narrowed, 1e-9);
    CHECK_NEAR(n->last_box.y1, roi.center[1] + 10 * narrowed, 1e-9);
    CHECK(result.objects[0].first[2] >= roi.center[2] - 6);
    CHECK(result.objects[0].last[2] <= roi.center[2] + 6);
    check_measures(&p, &result);
    sgm_volume_result_clear(&result);

    /* with a seed, the box bounds the walk in the plane and across */
    sgm_seed seed = seed_at(&p, -6, -3, 1, 1);
    roi.half_axis[0][0] = 4;
    object.seeds = &seed;
    object.seed_count = 1;
    result = run(&p, n, &object, &options);
    CHECK(result.objects[0].slice_count == 12);
    int64_t prompted = 0;
    for (size_t i = 0; i < result.objects[0].slice_count; i++)
        prompted += result.objects[0].slices[i].prompted;
    CHECK(prompted == 1);
    CHECK(result.objects[0].first[0] >= roi.center[0] - 4.5);
    CHECK(result.objects[0].last[0] <= roi.center[0] + 4.5);
    CHECK(n->mask_prompts == 11);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

/* Two boxes of one object: their union on the slices they share, each alone elsewhere. */
static void check_united_rois(void)
{
    const int64_t extent[3] = {40, 40, 40};
    phantom p;
    synthetic_network *n = network();
    phantom_make(&p, two_bodies, extent, isotropic, straight, 0);
    sgm_roi rois[2] = {{{10, 10, 10}, {{3, 0, 0}, {0, 3, 0}, {0, 0, 2}}},
                       {{20, 25, 12}, {{3, 0, 0}, {0, 3, 0}, {0, 0, 2}}}};
    sgm_object object = {.rois = rois, .roi_count = 2};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_volume_result result = run(&p, n, &object, &options);
    CHECK(result.objects[0].slice_count == 7);   /* 8 to 14 */
    double half = 3 * sqrt(1 - 0.5 * 0.5);       /* half way up an ellipsoid */
    CHECK_NEAR(n->last_box.x0, 20 - half, 1e-9); /* of slice 13, the second one's */
    sgm_volume_result_clear(&result);
    rois[1].center[2] = 10;
    result = run(&p, n, &object, &options);
    CHECK(result.objects[0].slice_count == 5);
    CHECK_NEAR(n->last_box.x0, 10 - half, 1e-9);
    CHECK_NEAR(n->last_box.y1, 25 + half, 1e-9);
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

static void check_initial_mask(void)
{
    const int64_t extent[3] = {40, 40, 40};
    phantom p;
    synthetic_network *n = network();
    phantom_make(&p, two_bodies, extent, isotropic, straight, 0);
    uint8_t *mask = calloc(40 * 40, 40);
    for (int64_t k = 18; k < 21; k++)
        for (int64_t j = 12; j < 21; j++)
            memset(mask + (k * 40 + j) * 40 + 10, 1, 6);
    sgm_object object = {.labels = mask};
    sgm_volume_options options = {.axis = SGM_AXIS_K, .no_propagation = 1};
    sgm_volume_result result = run(&p, n, &object, &options);
    CHECK(result.objects[0].slice_count == 3 && n->mask_prompts == 3);
    CHECK(n->last.box && n->last_box.x0 == 10 && n->last_box.x1 == 15 && n->last_box.y0 == 12 &&
          n->last_box.y1 == 20);
    sgm_volume_result_clear(&result);
    options.no_propagation = 0;
    result = run(&p, n, &object, &options);
    CHECK(result.objects[0].slice_count > 6);
    sgm_volume_result_clear(&result);
    memset(mask, 0, 40 * 40 * 40);
    CHECK_STATUS(sgm_volume_segment(&n->predictor, 0, &p.volume, &object, 1, NULL, &result),
                 SGM_BAD_PROMPT, "no foreground seed");
    free(mask);
    phantom_clear(&p);
}

/* Background seeds act on the slice they lie on, prompted or reached. */
static void check_background_seeds(void)
{
    const int64_t extent[3] = {40, 40, 40};
    phantom p;
    synthetic_network *n = network();
    phantom_make(&p, two_bodies, extent, isotropic, straight, 0);
    sgm_seed seeds[3] = {seed_at(&p, -6, -3, 1, 1), seed_at(&p, -2, -3, 1, 0),
                         seed_at(&p, -6, -8, 4, 0)};
    sgm_object object = {.seeds = seeds, .seed_count = 3};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    sgm_volume_result result = run(&p, n, &object, &options);
    CHECK(n->background_points == 2);
    for (int i = 1; i < 3; i++) {
        int64_t at[3];
        for (int a = 0; a < 3; a++)
            at[a] = (int64_t)floor(seeds[i].index[a] + 0.5);
        CHECK(result.objects[0].mask[at[0] + 40 * (at[1] + 40 * at[2])] == 0);
    }
    sgm_volume_result_clear(&result);
    phantom_clear(&p);
}

static void check_post_processing(void)
{
    const int64_t extent[3] = {40, 40, 40};
    phantom p;
    synthetic_network *n = network();
    phantom_make(&p, two_bodies, extent, isotropic, straight, 0);
    /* both bodies, the seeds in one slice; a dark spot inside the larger one */
    sgm_seed seeds[2] = {seed_at(&p, -6, -3, -1, 1), seed_at(&p, 8, 6, -1, 1)};
    double spot[3];
    phantom_index(&p, (const double[3]){-6, -6, -1}, spot);
    int64_t hole = (int64_t)floor(spot[0] + 0.5) +
                   40 * ((int64_t)floor(spot[1] + 0.5) + 40 * (int64_t)floor(spot[2] + 0.5));
    p.voxels[hole] = 40;
    sgm_object object = {.seeds = seeds, .seed_count = 2};
    sgm_volume_options options = {.axis = SGM_AXIS_K, .no_propagation = 1};
    sgm_volume_result plain = run(&p, n, &object, &options);
    options.fill_holes = 1;
    sgm_volume_result filled = run(&p, n, &object, &options);
    options.keep_largest = 1;
    sgm_volume_result largest = run(&p, n, &object, &options);
    CHECK(plain.objects[0].mask[hole] == 0 && filled.objects[0].mask[hole] == 1);
    CHECK(filled.objects[0].voxels == plain.objects[0].voxels + 1);
    CHECK(largest.objects[0].voxels < filled.objects[0].voxels);
    CHECK(largest.objects[0].voxels > filled.objects[0].voxels / 2);
    check_measures(&p, &largest);
    sgm_volume_result_clear(&plain);
    sgm_volume_result_clear(&filled);
    sgm_volume_result_clear(&largest);
    phantom_clear(&p);
}

/* Voxels of all types, with padding: the same picture, the same mask. */
static void check_types(void)
{
    enum { N = 24 * 24 * 4 };
    static const sgm_voxel types[] = {SGM_VOXEL_I16, SGM_VOXEL_F32, SGM_VOXEL_F64, SGM_VOXEL_I32};
    static int16_t i16[N];
    static int32_t i32[N];
    static float f32[N];
    static double f64[N];
    static uint8_t rgb[3 * N];
    const void *data[] = {i16, f32, f64, i32};
    for (int i = 0; i < N; i++) {
        int x = i % 24 - 12, y = i / 24 % 24 - 12, value = x * x + y * y < 50 ? 300 : -100;
        if (x < -9) value = 3000;
        i16[i] = (int16_t)value;
        i32[i] = value;
        f32[i] = value == 3000 ? NAN : (float)value;
        f64[i] = value;
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = value == 300 ? 200 : 10;
    }
    sgm_seed seed = {{12, 12, 2}, 1};
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume volume = {.channels = 1,
                         .size = {24, 24, 4},
                         .has_padding = 1,
                         .padding = 3000,
                         .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 3, 0}}};
    sgm_volume_result result;
    for (int t = 0; t < 4; t++) {
        volume.data = data[t];
        volume.type = types[t];
        CHECK_OK(sgm_volume_segment(&network()->predictor, 0, &volume, &object, 1, NULL, &result));
        CHECK(result.objects[0].voxels == 4 * 149); /* pixels with x^2 + y^2 < 50 */
        CHECK_NEAR(result.window[0], -100, 1e-6);
        CHECK_NEAR(result.window[1], 300, 0.1);
        sgm_volume_result_clear(&result);
    }
    volume.data = rgb;
    volume.type = SGM_VOXEL_U8;
    volume.channels = 3;
    CHECK_OK(sgm_volume_segment(&network()->predictor, 0, &volume, &object, 1, NULL, &result));
    CHECK(result.objects[0].voxels == 4 * 149);
    sgm_volume_result_clear(&result);
}

static sgm_status refuse(const phantom *p, const sgm_object *object, size_t count)
{
    sgm_volume_result result;
    sgm_status status =
        sgm_volume_segment(&network()->predictor, 0, &p->volume, object, count, NULL, &result);
    CHECK(result.objects == NULL && result.object_count == 0);
    sgm_volume_result_clear(&result);
    return status;
}

static void check_refusals(void)
{
    const int64_t extent[3] = {20, 20, 10};
    const double spacing[3] = {1, 1, 2};
    phantom p;
    phantom_make(&p, two_bodies, extent, spacing, straight, 1);
    sgm_seed seeds[2] = {{{5, 5, 5}, 1}, {{5, 5, 9.6}, 1}};
    sgm_roi roi = {{5, 5, 5}, {{2, 0, 0}, {0, 2, 0}, {0, 0, 2}}};
    sgm_object object = {.name = "liver", .seeds = seeds, .seed_count = 2};
    CHECK_STATUS(refuse(&p, &object, 0), SGM_BAD_PROMPT, "no prompt");
    CHECK_STATUS(refuse(&p, NULL, 1), SGM_INVALID_ARGUMENT, "");
    CHECK_STATUS(refuse(&p, &object, 1), SGM_BAD_PROMPT, "\"liver\": seed 2");
    CHECK_STATUS(refuse(&p, &object, 1), SGM_BAD_PROMPT, "z -10.0..10.0 mm");
    seeds[1].index[2] = NAN;
    CHECK_STATUS(refuse(&p, &object, 1), SGM_BAD_PROMPT, "not a number");
    seeds[1].index[2] = INFINITY;
    CHECK_STATUS(refuse(&p, &object, 1), SGM_BAD_PROMPT, "\"liver\": seed 2");
    seeds[1] = (sgm_seed){{1, 1, 1}, 7};
    CHECK_STATUS(refuse(&p, &object, 1), SGM_BAD_PROMPT, "label 7");
    seeds[0].label = seeds[1].label = SGM_BACKGROUND;
    CHECK_STATUS(refuse(&p, &object, 1), SGM_BAD_PROMPT, "no foreground");
    object = (sgm_object){.name = "box", .rois = &roi, .roi_count = 1};
    roi.center[1] = 40;
    CHECK_STATUS(refuse(&p, &object, 1), SGM_BAD_PROMPT, "\"box\": ROI 1");
    roi.center[1] = NAN;
    CHECK_STATUS(refuse(&p, &object, 1), SGM_BAD_PROMPT, "not a number");
    roi = (sgm_roi){{5, 5, 5}, {{0}}};
    CHECK_STATUS(refuse(&p, &object, 1), SGM_BAD_PROMPT, "no extent");
    /* a slanting box that enters the volume's bounds in x only where it has left them in z */
    roi = (sgm_roi){{-8, 5, 5}, {{8.5, 0, -8}, {0, 2, 0}, {0, 0, 0.2}}};
    CHECK_STATUS(refuse(&p, &object, 1), SGM_BAD_PROMPT, "\"box\": no ROI meets");
    object = (sgm_object){.name = "lost", .seed_count = 3};
    CHECK_STATUS(refuse(&p, &object, 1), SGM_INVALID_ARGUMENT, "lost");
    phantom_clear(&p);
}

/* Seeds on the very border, and volumes one voxel wide. */
static void check_edges(void)
{
    const int64_t extents[][3] = {{1, 1, 1}, {1, 9, 1}, {9, 1, 5}, {9, 9, 1}, {2, 2, 2}};
    for (size_t n = 0; n < sizeof extents / sizeof *extents; n++) {
        phantom p;
        sgm_volume_result result;
        phantom_make(&p, two_bodies, extents[n], isotropic, straight, 0);
        sgm_seed seeds[2] = {{{-0.5, -0.5, -0.5}, 1}};
        for (int a = 0; a < 3; a++)
            seeds[1].index[a] = (double)extents[n][a] - 0.5;
        seeds[1].label = 1;
        sgm_object object = {.seeds = seeds, .seed_count = 2};
        CHECK_OK(
            sgm_volume_segment(&network()->predictor, n % 2, &p.volume, &object, 1, NULL, &result));
        CHECK(result.object_count == 1 && result.objects[0].voxels > 0);
        sgm_volume_result_clear(&result);
        phantom_clear(&p);
    }
}

static double odd_number(unsigned *seed)
{
    static const double odd[] = {0,     -0.5, 3,     5.5,      1e-300, 1e300, -1e300, 1e18,
                                 -1e18, 0.01, 1e308, -1.7e308, 4.999,  1e-9,  2.5,    -7};
    *seed = *seed * 1664525u + 1013904223u;
    return odd[*seed >> 28];
}

/* Prompts and geometry come from files: whatever finite numbers they hold, the answer is a result
 * of the right size or a refusal with a sentence (under sanitizers: and nothing else happens). */
static void check_hostile_numbers(void)
{
    uint8_t voxels[6 * 5 * 4];
    unsigned state = 11;
    int results = 0, refusals = 0;
    for (size_t i = 0; i < sizeof voxels; i++)
        voxels[i] = (uint8_t)(i * 37);
    for (int n = 0; n < 1000; n++) {
        sgm_volume volume = {.data = voxels, .channels = 1, .size = {6, 5, 4}};
        sgm_seed seed = {{2, 2, 2}, 1};
        sgm_roi roi = {.center = {2, 2, 2}, .half_axis = {{2, 0, 0}, {0, 2, 0}, {0, 0, 1}}};
        for (int a = 0; a < 3; a++) {
            volume.matrix[a][a] = 1;
            if (n % 3 == 0) roi.center[a] = odd_number(&state);
            for (int b = 0; b < 3 && n % 3; b++)
                roi.half_axis[a][b] = odd_number(&state);
            for (int b = 0; b < 4 && n % 4 == 1; b++)
                volume.matrix[a][b] = odd_number(&state);
            if (n % 5 == 2) seed.index[a] = odd_number(&state);
        }
        sgm_object object = {
            .seeds = &seed, .seed_count = (size_t)(n % 2), .rois = &roi, .roi_count = 1};
        sgm_volume_options options = {.axis = (sgm_axis)(n % 7)};
        sgm_volume_result result;
        sgm_status status = sgm_volume_segment(&network()->predictor, n % 2, &volume, &object, 1,
                                               &options, &result);
        if (status == SGM_OK) results++;
        if (status == SGM_BAD_PROMPT || status == SGM_UNREADABLE) refusals++;
        CHECK((status == SGM_OK) == (result.object_count == 1));
        sgm_volume_result_clear(&result);
    }
    CHECK(results + refusals == 1000 && results > 100 && refusals > 100);
}

/* Faces of a ROI exactly between voxels, seeds exactly between slices: what rounding on the way
 * through millimetres makes of them changes nothing, and nothing is marked beyond the faces. */
static void check_touching(void)
{
    const int64_t extent[3] = {40, 40, 40};
    static const double errors[] = {0, 1e-9, -1e-9, 3e-6, -3e-6, 2e-5, -2e-5};
    uint8_t *want = NULL;
    phantom p;
    phantom_make(&p, two_bodies, extent, isotropic, straight, 0);
    for (size_t n = 0; n < sizeof errors / sizeof *errors; n++) {
        double e = errors[n];
        sgm_roi roi = {{13.5 + e, 17, 20.5 - e},
                       {{4 + e, 0, 0}, {0, 6.5 - e, 0}, {0, 0, 6.5 + e / 2}}};
        sgm_seed seed = {{13, 17, 19.5 + e}, 1};
        sgm_object objects[2] = {
            {.name = "roi", .rois = &roi, .roi_count = 1, .seeds = &seed, .seed_count = 1},
            {.name = "seed", .seeds = &seed, .seed_count = 1}};
        sgm_volume_options options = {.axis = SGM_AXIS_K};
        sgm_volume_result result;
        synthetic_network *net = network();
        net->ignores_box = 1;
        CHECK_OK(sgm_volume_segment(&net->predictor, 0, &p.volume, objects, 2, &options, &result));
        if (result.object_count != 2) continue;
        CHECK(result.objects[0].voxels > 100);
        CHECK(result.objects[0].first[0] >= 10 && result.objects[0].last[0] <= 17);
        CHECK(result.objects[0].first[2] >= 14 && result.objects[0].last[2] <= 27);
        if (!want) want = malloc(2 * 64000);
        for (int i = 0; i < 2; i++) {
            uint8_t *first = want + (size_t)i * 64000;
            if (n == 0) memcpy(first, result.objects[i].mask, 64000);
            CHECK(memcmp(first, result.objects[i].mask, 64000) == 0);
        }
        for (size_t s = 0; s < result.objects[1].slice_count; s++)
            CHECK(!result.objects[1].slices[s].prompted || result.objects[1].slices[s].slice == 20);
        sgm_volume_result_clear(&result);
    }
    free(want);
    phantom_clear(&p);
}

int main(void)
{
    check_touching();
    const int64_t cube[3] = {40, 40, 40}, thick[3] = {40, 40, 16}, uneven[3] = {40, 25, 16};
    const double thick_mm[3] = {1, 1, 2.5}, uneven_mm[3] = {1, 1.6, 2.5};
    check_orientations(cube, isotropic, SGM_AXIS_AUTO);
    check_orientations(thick, thick_mm, SGM_AXIS_AUTO);
    check_orientations(uneven, uneven_mm, SGM_AXIS_AUTO);
    check_orientations(uneven, uneven_mm, SGM_AXIS_CORONAL);
    check_orientations(uneven, uneven_mm, SGM_AXIS_SAGITTAL);
    check_roi();
    check_united_rois();
    check_initial_mask();
    check_background_seeds();
    check_post_processing();
    check_types();
    check_refusals();
    check_edges();
    check_hostile_numbers();
    synthetic_clear(network());
    return check_report();
}
