/* Crops around prompts: where they lie, when they stay, and that nothing moves on the way back. */
#include "check.h"
#include "phantom.h"
#include "synthetic_network.h"

#include "predict/look/picture.h"
#include "predict/look/view.h"
#include "predict/volume/segment.h"

#include <stdlib.h>
#include <string.h>

enum { W = 300, H = 220 };

static synthetic_network net;
static uint8_t pixels[W * H];

/* A disc of a radius that 64 cells across the whole picture cannot resolve. */
static void draw_disc(double cx, double cy, double radius, uint8_t shade)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            if (hypot(x - cx, y - cy) < radius) pixels[y * W + x] = shade;
}

static void check_views(void)
{
    unsigned seed = 5;
    for (int n = 0; n < 2000; n++) {
        double r[6];
        for (int i = 0; i < 6; i++) {
            seed = seed * 1664525u + 1013904223u;
            r[i] = (double)(seed >> 8) / (1 << 24);
        }
        int width = 1 + (int)(600 * r[0] * r[0]), height = 1 + (int)(600 * r[1]);
        sgm_box box = {r[2] * (width - 1), r[3] * (height - 1), 0, 0};
        box.x1 = box.x0 + r[4] * r[4] * (width - 1 - box.x0);
        box.y1 = box.y0 + r[5] * (height - 1 - box.y0);
        sgm_view v = sgm_view_around(&box, width, height);
        CHECK(v.x >= 0 && v.y >= 0 && v.width > 0 && v.height > 0);
        CHECK(v.x + v.width <= width && v.y + v.height <= height);
        CHECK(v.x <= box.x0 && v.y <= box.y0);
        CHECK(v.x + v.width - 1 >= box.x1 && v.y + v.height - 1 >= box.y1);
        CHECK(sgm_view_serves(v, &box, width, height)); /* or every slice would move it */
        double size = fmax(box.x1 - box.x0, box.y1 - box.y0) + 1;
        int side = v.width > v.height ? v.width : v.height,
            longest = width > height ? width : height;
        CHECK(side >= fmin(SGM_VIEW_MARGIN * size, longest) - 1);
        CHECK(side <= fmax(1.4143 * SGM_VIEW_MARGIN * size, SGM_VIEW_MIN_SIDE) + 1);
    }
}

static sgm_picture *start(int side)
{
    sgm_picture *zoom = NULL;
    sgm_image image = {.data = pixels, .width = W, .height = H, .channels = 1};
    synthetic_clear(&net);
    synthetic_init(&net, side);
    CHECK_OK(sgm_picture_make(&net.predictor, 1, NULL, &zoom));
    CHECK_OK(sgm_picture_set_image(zoom, &image));
    return zoom;
}

static int wrong_pixels(const sgm_mask *mask, uint8_t shade)
{
    int wrong = 0;
    for (int i = 0; i < W * H; i++)
        wrong += mask->data[i] != (pixels[i] == shade);
    return wrong;
}

static void check_box(void)
{
    memset(pixels, 40, sizeof pixels);
    draw_disc(203, 151, 18, 200);
    sgm_picture *zoom = start(96);
    sgm_box box = {185, 133, 221, 169};
    sgm_prompt prompt = {.box = &box};
    sgm_mask mask;
    int view[4];
    CHECK_OK(sgm_picture_predict(zoom, &prompt, NULL, NULL, &mask));
    CHECK(mask.width == W && mask.height == H);
    CHECK(wrong_pixels(&mask, 200) == 0); /* 54 to 76 pixels on 96 cells lose nothing */
    sgm_picture_view(zoom, view);
    CHECK(view[2] >= 53 && view[2] <= 76 && view[3] == view[2]);
    CHECK(net.encodes == 1);
    /* a further click is a decode; so is the previous mask with a corrected box */
    sgm_point points[2] = {{203, 151, SGM_FOREGROUND}, {190, 140, SGM_BACKGROUND}};
    prompt.points = points;
    prompt.point_count = 2;
    float *low_res = malloc(sizeof(float) * 96 * 96);
    memcpy(low_res, mask.low_res, sizeof(float) * 96 * 96);
    prompt.mask = low_res;
    CHECK_OK(sgm_picture_predict(zoom, &prompt, NULL, NULL, &mask));
    CHECK(net.encodes == 1 && net.decodes == 2 && net.mask_prompts == 1);
    CHECK(mask.data[140 * W + 190] == 0 && mask.data[151 * W + 203] == 1);
    /* the whole picture alone cannot resolve the disc: the zoom is worth something */
    sgm_picture_destroy(zoom);
    zoom = NULL;
    synthetic_clear(&net);
    synthetic_init(&net, 64);
    sgm_image image = {.data = pixels, .width = W, .height = H, .channels = 1};
    CHECK_OK(sgm_picture_make(&net.predictor, 0, NULL, &zoom));
    CHECK_OK(sgm_picture_set_image(zoom, &image));
    prompt = (sgm_prompt){.box = &box};
    CHECK_OK(sgm_picture_predict(zoom, &prompt, NULL, NULL, &mask));
    CHECK(wrong_pixels(&mask, 200) > 30);
    free(low_res);
    sgm_picture_destroy(zoom);
}

/* One point: the scale follows from what is there, small or large. */
static void check_point(double radius)
{
    memset(pixels, 40, sizeof pixels);
    draw_disc(150, 110, radius, 200);
    sgm_picture *zoom = start(128);
    sgm_point points[2] = {{150 + radius / 2, 110, SGM_FOREGROUND}, {150, 110, SGM_FOREGROUND}};
    sgm_prompt prompt = {.points = points, .point_count = 1};
    sgm_mask mask;
    int view[4];
    CHECK_OK(sgm_picture_predict(zoom, &prompt, NULL, NULL, &mask));
    double area = 3.14159265 * radius * radius;
    /* half a cell of the crop along the outline */
    sgm_picture_view(zoom, view);
    double cell = fmax(1, view[2] / 128.0);
    CHECK(wrong_pixels(&mask, 200) <= 6.3 * radius * (cell - 1) + 0.001 * area);
    CHECK(view[2] <= 2 * SGM_VIEW_MARGIN * 2 * radius || view[2] <= 75);
    int encodes = net.encodes;
    prompt.point_count = 2;
    CHECK_OK(sgm_picture_predict(zoom, &prompt, NULL, NULL, &mask));
    CHECK(net.encodes == encodes);
    CHECK(mask.data[110 * W + 150] == 1);
    sgm_picture_destroy(zoom);
}

/* A box that is too small for what it marks: the view follows the answer, which ends at the box. */
static void check_recentring(void)
{
    memset(pixels, 40, sizeof pixels);
    draw_disc(150, 110, 40, 200);
    sgm_picture *zoom = start(128);
    net.ignores_box = 1;
    sgm_box box = {165, 105, 185, 120};
    sgm_prompt prompt = {.box = &box};
    sgm_mask mask;
    CHECK_OK(sgm_picture_predict(zoom, &prompt, NULL, NULL, &mask));
    int wrong = 0;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            int in_box = x >= 165 && x <= 185 && y >= 105 && y <= 120;
            wrong += mask.data[y * W + x] != (in_box && pixels[y * W + x] == 200);
        }
    CHECK(wrong == 0);
    CHECK(net.encodes > 1);
    sgm_picture_destroy(zoom);
}

/* Pixels reach half a pixel beyond their centres, and background alone is no prompt. */
static void check_strict_places(sgm_picture *zoom)
{
    static const sgm_point outside[] = {{-0.6, 3, 1}, {W - 0.4, 3, 1}, {3, -1, 1}, {3, H, 0}};
    static const sgm_point border[] = {{-0.5, -0.5, 1}, {W - 0.5, H - 0.5, 1}, {0, H - 0.5, 0}};
    static const sgm_box beside[] = {{-1, 3, -0.6, 9}, {3, H - 0.3, 9, H}};
    static const float mask[1 << 16];
    sgm_mask got;
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        CHECK_STATUS(sgm_picture_predict(zoom, &(sgm_prompt){&outside[i], 1}, NULL, NULL, &got),
                     SGM_BAD_PROMPT, "outside the image of 300 x 220");
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
        CHECK_STATUS(sgm_picture_predict(zoom, &(sgm_prompt){.box = &beside[i]}, NULL, NULL, &got),
                     SGM_BAD_PROMPT, "outside the image of 300 x 220");
    CHECK_OK(sgm_picture_predict(zoom, &(sgm_prompt){border, 3}, NULL, NULL, &got));
    sgm_prompt excluded = {.points = &border[2], .point_count = 1};
    CHECK_STATUS(sgm_picture_predict(zoom, &excluded, NULL, NULL, &got), SGM_BAD_PROMPT,
                 "background points alone");
    excluded.mask = mask;
    CHECK_OK(sgm_picture_predict(zoom, &excluded, NULL, NULL, &got));
}

static void check_refusals(void)
{
    sgm_picture *zoom = start(64);
    sgm_mask mask;
    sgm_point point = {W + 5, 3, SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    CHECK_STATUS(sgm_picture_predict(zoom, &prompt, NULL, NULL, &mask), SGM_BAD_PROMPT,
                 "300 x 220");
    point.x = NAN;
    CHECK_STATUS(sgm_picture_predict(zoom, &prompt, NULL, NULL, &mask), SGM_BAD_PROMPT,
                 "not a number");
    sgm_box box = {10, 10, 10, 20};
    prompt = (sgm_prompt){.box = &box};
    CHECK_STATUS(sgm_picture_predict(zoom, &prompt, NULL, NULL, &mask), SGM_BAD_PROMPT, "empty");
    check_strict_places(zoom);
    sgm_image image = {.data = pixels, .width = 0, .height = 5, .channels = 1};
    CHECK_STATUS(sgm_picture_set_image(zoom, &image), SGM_INVALID_ARGUMENT, "0 x 5");
    sgm_picture_destroy(zoom);
    CHECK_OK(sgm_picture_make(&net.predictor, 1, NULL, &zoom));
    CHECK_STATUS(sgm_picture_predict(zoom, &prompt, NULL, NULL, &mask), SGM_INVALID_ARGUMENT,
                 "no image");
    sgm_picture_destroy(zoom);
    sgm_picture_destroy(NULL);
}

/* A slanting cone in a volume larger than the network's input: small at one end, large at the
 * other. Without zoom its tip is lost. */
static double cone(const double mm[3])
{
    double x = mm[0] - mm[2], y = mm[1] + 0.5 * mm[2];
    return mm[2] > -15 && mm[2] < 15 && hypot(x, y) < 4 + 0.6 * (mm[2] + 15) ? 200 : 40;
}

static void check_volume(void)
{
    const int64_t extent[3] = {200, 200, 40};
    const double spacing[3] = {1, 1, 1};
    const int order[3] = {0, 1, 2};
    phantom p;
    sgm_volume_result result;
    double dice[2];
    phantom_make(&p, cone, extent, spacing, order, 0);
    sgm_seed seed = {.label = SGM_FOREGROUND};
    phantom_index(&p, (const double[3]){0, 0, 0.5}, seed.index);
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    for (int zoom = 0; zoom < 2; zoom++) {
        synthetic_clear(&net);
        synthetic_init(&net, 64);
        CHECK_OK(
            sgm_volume_segment(&net.predictor, zoom, &p.volume, &object, 1, &options, &result));
        dice[zoom] = phantom_dice(&p, result.objects[0].mask, 200, 200);
        CHECK(result.objects[0].slice_count == 30 || !zoom);
        sgm_volume_result_clear(&result);
    }
    CHECK(dice[1] > 0.98);
    CHECK(dice[1] > dice[0] + 0.02);
    CHECK(net.decodes < 30 + 15); /* the view stays or moves once, it does not hunt */
    phantom_clear(&p);
}

/* A box around a slanting object fits it on no slice: beside a seed it only says where to look, so
 * the network is not told that the object fills it. A box on one slice is meant as it is. */
static void check_roi_beside_seed(void)
{
    const int64_t extent[3] = {200, 200, 40};
    const double spacing[3] = {1, 1, 1};
    const int order[3] = {0, 1, 2};
    phantom p;
    sgm_volume_result result;
    phantom_make(&p, cone, extent, spacing, order, 0);
    sgm_seed seed = {.label = SGM_FOREGROUND};
    phantom_index(&p, (const double[3]){0, 0, 0.5}, seed.index);
    sgm_roi roi = {.half_axis = {{40, 0, 0}, {0, 40, 0}, {0, 0, 16}}};
    phantom_index(&p, (const double[3]){0, 0, 0.5}, roi.center);
    sgm_object object = {.seeds = &seed, .seed_count = 1, .rois = &roi, .roi_count = 1};
    sgm_volume_options options = {.axis = SGM_AXIS_K, .no_propagation = 1};
    for (int thick = 0; thick < 2; thick++) {
        roi.half_axis[2][2] = thick ? 16 : 0;
        synthetic_clear(&net);
        synthetic_init(&net, 64);
        CHECK_OK(sgm_volume_segment(&net.predictor, 1, &p.volume, &object, 1, &options, &result));
        CHECK((net.last.box == NULL) == thick && net.last.point_count == 1);
        CHECK(result.objects[0].slice_count == 1);
        sgm_volume_result_clear(&result);
    }
    phantom_clear(&p);
}

enum { MANY = 300, ACROSS = 4, CELL = 90, WIDE = ACROSS * CELL };

static double shaken(unsigned *seed, double reach)
{
    *seed = *seed * 1664525u + 1013904223u;
    return reach * ((double)(*seed >> 8) / (1 << 23) - 1);
}

/* How often one slice of 16 discs is encoded for 300 objects: a box each that misses its disc's by
 * up to a pixel or two, or a point each, up to `reach` from a disc's middle. */
static int encodes_of_many(int boxes, double reach)
{
    static uint8_t slice[WIDE * WIDE];
    static sgm_seed seeds[MANY];
    static sgm_roi rois[MANY];
    static sgm_object objects[MANY];
    unsigned random = 17;
    for (int i = 0; i < WIDE * WIDE; i++)
        slice[i] = hypot(i % WIDE % CELL - 45, i / WIDE % CELL - 45) < 18 ? 200 : 40;
    for (int n = 0; n < MANY; n++) {
        int x = n % ACROSS * CELL + 45, y = n / ACROSS % ACROSS * CELL + 45;
        seeds[n] =
            (sgm_seed){{x + shaken(&random, reach), y + shaken(&random, reach), 0}, SGM_FOREGROUND};
        rois[n] = (sgm_roi){{x + shaken(&random, reach), y + shaken(&random, reach), 0},
                            {{18.5 + shaken(&random, 0.5), 0, 0}, {0, 18.5, 0}, {0, 0, 0.5}}};
        objects[n] = boxes ? (sgm_object){.rois = &rois[n], .roi_count = 1}
                           : (sgm_object){.seeds = &seeds[n], .seed_count = 1};
    }
    sgm_volume volume = {.data = slice,
                         .type = SGM_VOXEL_U8,
                         .channels = 1,
                         .size = {WIDE, WIDE, 1},
                         .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    sgm_volume_options options = sgm_volume_options_init();
    sgm_volume_result result;
    synthetic_clear(&net);
    synthetic_init(&net, 64);
    CHECK_OK(sgm_volume_segment(&net.predictor, 1, &volume, objects, MANY, &options, &result));
    for (size_t n = 0; n < result.object_count; n++)
        CHECK(result.objects[n].voxels > 500);
    sgm_volume_result_clear(&result);
    return net.encodes;
}

/* Objects whose crops nearly coincide share one; on a grid of half the step, 77 and 859. */
static void check_many_objects(void)
{
    int boxes = encodes_of_many(1, 3), points = encodes_of_many(0, 6);
    printf("%d objects of 16 kinds on one slice: %d encodings for boxes, %d for points\n", MANY,
           boxes, points);
    CHECK(boxes <= 50);
    CHECK(points <= 400);
}

/* Boxes in the outer half of border pixels, of which a crop's pixel centres leave nothing, and
 * around a picture of one column. */
static void check_border_boxes(void)
{
    static const sgm_box boxes[] = {{W - 1, 10, W, 14},  {W - 0.8, 10, W - 0.1, 20},
                                    {-1, 10, 0, 20},     {-1, -1, -0.5, -0.5},
                                    {10, H - 1, 14, H},  {10, -1, 20, 0},
                                    {W - 1, H - 1, W, H}};
    static const sgm_image thin = {.data = pixels, .width = 1, .height = H, .channels = 1};
    const sgm_box inside = {0, 30, 1, 60};
    sgm_picture *zoom = start(96);
    sgm_mask mask;
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++) {
        int view[4];
        CHECK_OK(sgm_picture_predict(zoom, &(sgm_prompt){.box = &boxes[i]}, NULL, NULL, &mask));
        sgm_picture_view(zoom, view);
        CHECK(view[2] < W && net.last_box.x0 >= 0 && net.last_box.x1 <= view[2] - 1 &&
              net.last_box.y0 >= 0 && net.last_box.y1 <= view[3] - 1);
        CHECK(net.last_box.x1 - net.last_box.x0 >= 1 && net.last_box.y1 - net.last_box.y0 >= 1);
    }
    CHECK_OK(sgm_picture_set_image(zoom, &thin));
    CHECK_OK(sgm_picture_predict(zoom, &(sgm_prompt){.box = &inside}, NULL, NULL, &mask));
    CHECK(net.last_box.x0 == 0 && net.last_box.x1 == 1);
    sgm_picture_destroy(zoom);
}

int main(void)
{
    check_border_boxes();
    check_views();
    check_many_objects();
    check_box();
    check_point(6);
    check_point(20);
    check_point(70);
    check_recentring();
    check_refusals();
    check_volume();
    check_roi_beside_seed();
    synthetic_clear(&net);
    return check_report();
}
