/* test_everything utils.txt SAM_SMALL.safetensors MEDSAM.safetensors
 *
 * The parts of the mask generator against the official utilities, and the public interface on a
 * narrow network. */
#include "../check.h"
#include "../hash_weights.h"

#include "predict/everything/crops.h"
#include "predict/everything/found.h"
#include "predict/everything/regions.h"
#include "predict/everything/ridges.h"
#include "predict/session/model.h"
#include "predict/session/postprocess.h"

#include <stdbool.h>
#include <stdlib.h>

int check_count, check_failures;

/* ------------------------------------------------------------------------ official utilities */

/* So many numbers of the file. */
static bool read_numbers(FILE *file, double *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fscanf(file, "%lf", &out[i]) != 1) return false;
    return true;
}

static bool test_grid(FILE *file)
{
    double n, place[2];
    if (!read_numbers(file, &n, 1)) return false;
    for (int j = 0; j < (int)n; j++)
        for (int i = 0; i < (int)n; i++) {
            if (!read_numbers(file, place, 2)) return false;
            CHECK_NEAR(sgm_grid_place(i, (int)n), place[0], 1e-15);
            CHECK_NEAR(sgm_grid_place(j, (int)n), place[1], 1e-15);
        }
    return true;
}

static bool test_crops(FILE *file)
{
    double head[5], box[4];
    sgm_part *crops = NULL;
    size_t count = 0;
    if (!read_numbers(file, head, 5)) return false;
    CHECK_OK(sgm_crops_make((int)head[0], (int)head[1], (int)head[2], head[3], &crops, &count));
    CHECK((double)count == head[4]);
    for (size_t i = 0; i < (size_t)head[4]; i++) {
        if (!read_numbers(file, box, 4)) return false;
        if (i >= count) continue;
        CHECK(crops[i].x0 == box[0] && crops[i].y0 == box[1]);
        CHECK(crops[i].x1 == box[2] && crops[i].y1 == box[3]);
    }
    free(crops);
    return true;
}

static bool test_near(FILE *file)
{
    double n[11];
    if (!read_numbers(file, n, 11)) return false;
    const sgm_part crop = {(int)n[0], (int)n[1], (int)n[2], (int)n[3], 1};
    const int box[4] = {(int)(n[6] + n[0]), (int)(n[7] + n[1]), (int)(n[8] + n[0]),
                        (int)(n[9] + n[1])};
    CHECK(sgm_crop_cuts(&crop, (int)n[4], (int)n[5], box) == (int)n[10]);
    return true;
}

static bool test_suppression(FILE *file)
{
    double threshold, count, box[4], kept, place, value;
    float scores[128];
    sgm_everything all = {.width = 512, .height = 512};
    if (!read_numbers(file, &threshold, 1) || !read_numbers(file, &count, 1) || count > 128)
        return false;
    for (int i = 0; i < (int)count; i++) {
        if (!read_numbers(file, box, 4)) return false;
        CHECK_OK(sgm_everything_add(
            &all, (sgm_candidate){
                      .found = {.token = i,
                                .box = {(int)box[0], (int)box[1], (int)box[2], (int)box[3]}}}));
    }
    for (int i = 0; i < (int)count; i++) {
        if (!read_numbers(file, &value, 1)) return false;
        scores[i] = (float)value;
    }
    CHECK_OK(sgm_everything_suppress(&all, scores, threshold));
    if (!read_numbers(file, &kept, 1)) return false;
    CHECK((double)all.count == kept);
    for (size_t i = 0; i < (size_t)kept; i++) {
        if (!read_numbers(file, &place, 1)) return false;
        CHECK(i < all.count && all.items[i].found.token == (int)place);
    }
    sgm_everything_clear(&all);
    return true;
}

enum { MASK_WIDTH = 80, MASK_HEIGHT = 60 };

/* A disc with single pixels flipped. */
static void make_mask(int number, uint8_t *mask)
{
    float *logits = malloc(128 * 128 * sizeof *logits);
    float *noise = malloc(MASK_WIDTH * MASK_HEIGHT * sizeof *noise);
    char name[64];
    hash_mask_logits(128, 30 + 7 * number, 28 + 3 * number, 20 + number, logits);
    snprintf(name, sizeof name, "synthetic:masknoise:%d", number);
    hash_uniform(name, MASK_WIDTH * MASK_HEIGHT, noise);
    for (int y = 0; y < MASK_HEIGHT; y++)
        for (int x = 0; x < MASK_WIDTH; x++) {
            float n = noise[y * MASK_WIDTH + x], v = logits[y * 128 + x];
            if (n > 0.985f) v += 12;
            if (n < -0.985f) v -= 12;
            mask[y * MASK_WIDTH + x] = v > 0;
        }
    free(logits);
    free(noise);
}

static bool test_regions(FILE *file)
{
    static uint8_t mask[MASK_WIDTH * MASK_HEIGHT];
    char kind[16];
    int number, least, changed, want_changed, area, runs, run, at = 0, value = 0, wrong = 0,
                                                               got = 0;
    if (fscanf(file, "%d%15s%d%d%d%d", &number, kind, &least, &want_changed, &area, &runs) != 6)
        return false;
    make_mask(number, mask);
    CHECK_OK(sgm_regions_remove(mask, MASK_WIDTH, MASK_HEIGHT, least,
                                strcmp(kind, "holes") ? SGM_REGION_ISLANDS : SGM_REGION_HOLES,
                                &changed));
    for (int i = 0; i < MASK_WIDTH * MASK_HEIGHT; i++)
        got += mask[i];
    CHECK(changed == want_changed);
    CHECK(got == area);
    for (int i = 0; i < runs; i++, value = !value) {
        if (fscanf(file, "%d", &run) != 1) return false;
        for (int k = 0; k < run && at < MASK_WIDTH * MASK_HEIGHT; k++, at++)
            wrong += mask[at % MASK_HEIGHT * MASK_WIDTH + at / MASK_HEIGHT] != value;
    }
    CHECK(wrong == 0);
    return true;
}

static void test_utilities(const char *path)
{
    const struct {
        const char *name;
        bool (*run)(FILE *);
        int seen;
    } rows[] = {{"grid", test_grid, 0},
                {"crops", test_crops, 0},
                {"near", test_near, 0},
                {"nms", test_suppression, 0},
                {"regions", test_regions, 0}};
    char word[32];
    int seen = 0;
    bool ok = true;
    FILE *file = fopen(path, "r");
    while (file && ok && fscanf(file, "%31s", word) == 1) {
        ok = false;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (!strcmp(word, rows[i].name)) ok = rows[i].run(file);
        seen++;
    }
    if (file) fclose(file);
    CHECK(file && ok && seen > 50);
}

/* --------------------------------------------------------------------------------- levels */

/* Leaving out rows that nothing reaches changes no mask and no count. */
static void test_levels(const sgm_model *model, int width, int height)
{
    const sgm_model_config *config = sgm_model_get_config(model);
    size_t side = 4 * (size_t)config->grid, pixels = (size_t)width * (size_t)height;
    float *low = malloc(side * side * sizeof *low), *values = malloc(pixels * sizeof *values);
    uint8_t *mask = malloc(pixels);
    sgm_upscaler *upscaler = NULL;
    sgm_frame frame;
    hash_mask_logits((int)side, (int)side / 3, (int)side / 4, (int)side / 6, low);
    CHECK_OK(sgm_frame_make(config, width, height, &frame));
    if (CHECK_OK(sgm_upscaler_create(config, &frame, &upscaler)))
        for (float above = -12; above <= 4; above += 0.5f) {
            const float levels[3] = {above - 1, above, above + 1};
            int64_t counts[2], wanted[2] = {0, 0}, wrong = 0;
            sgm_upscaler_values(upscaler, low, values);
            sgm_upscaler_levels(upscaler, low, levels, mask, counts);
            for (size_t i = 0; i < pixels; i++) {
                wanted[0] += values[i] > levels[0];
                wanted[1] += values[i] > levels[2];
                wrong += mask[i] != (values[i] > above);
            }
            CHECK(counts[0] == wanted[0] && counts[1] == wanted[1] && wrong == 0);
        }
    sgm_upscaler_destroy(upscaler);
    free(low);
    free(values);
    free(mask);
}

/* -------------------------------------------------------------------------- public interface */

enum { WIDTH = 200, HEIGHT = 150 };

typedef struct watch {
    double last;
    int calls, cancel_at, fell;
} watch;

static void on_progress(void *user, double fraction, const char *message)
{
    watch *w = user;
    (void)message;
    w->fell += fraction < w->last || fraction > 1;
    w->last = fraction;
    w->calls++;
}

static int on_cancel(void *user)
{
    const watch *w = user;
    return w->cancel_at && w->calls >= w->cancel_at;
}

static sgm_call watched(watch *w)
{
    sgm_call call = sgm_call_init();
    call.progress = on_progress;
    call.cancel = on_cancel;
    call.progress_user = call.cancel_user = w;
    return call;
}

/* SAM's own defaults for SAM; those of networks trained on crops for such. */
static void test_defaults(sgm_model *model)
{
    const sgm_everything_options official = sgm_everything_options_init();
    const sgm_everything_options o = sgm_everything_options_of(model);
    int crops = sgm_zoom_applies(model, SGM_ZOOM_AUTO);
    CHECK(o.points_per_side == (crops ? 16 : official.points_per_side));
    CHECK(o.crop_n_layers == (crops ? 1 : 0));
    CHECK_NEAR(o.pred_iou_thresh, crops ? 0.3 : 0.88, 1e-12);
    CHECK_NEAR(o.stability_score_thresh, crops ? 0.6 : 0.95, 1e-12);
    CHECK_NEAR(o.box_nms_thresh, official.box_nms_thresh, 1e-12);
}

static void test_options(sgm_model *model, const sgm_image *image)
{
    sgm_everything *all = NULL;
    sgm_everything_options o = sgm_everything_options_init();
    o.points_per_side = 0;
    CHECK_STATUS(sgm_everything_find(model, image, &o, NULL, &all), SGM_INVALID_ARGUMENT,
                 "points_per_side is 0");
    o = sgm_everything_options_init();
    o.box_nms_thresh = NAN;
    CHECK_STATUS(sgm_everything_find(model, image, &o, NULL, &all), SGM_INVALID_ARGUMENT,
                 "box_nms_thresh is");
    o = sgm_everything_options_init();
    o.crop_n_layers = 5;
    CHECK_STATUS(sgm_everything_find(model, image, &o, NULL, &all), SGM_INVALID_ARGUMENT,
                 "crop_n_layers is 5");
    const sgm_image none = {.width = 0, .height = 3};
    CHECK_STATUS(sgm_everything_find(model, &none, NULL, NULL, &all), SGM_INVALID_ARGUMENT,
                 "0 x 3");
    CHECK(all == NULL);
}

/* All masks are wanted: each is what its record says, and none is empty. */
static void test_records(sgm_model *model, const sgm_image *image)
{
    sgm_everything_options o = sgm_everything_options_init();
    sgm_everything *all = NULL;
    watch w = {0};
    const sgm_call call = watched(&w);
    uint8_t *mask = malloc((size_t)WIDTH * HEIGHT);
    o.points_per_side = 4;
    o.crop_n_layers = 1;
    o.pred_iou_thresh = o.stability_score_thresh = 0;
    o.box_nms_thresh = o.crop_nms_thresh = 1;
    if (!CHECK_OK(sgm_everything_find(model, image, &o, &call, &all))) return;
    CHECK(w.last == 1 && w.fell == 0 && w.calls > 5);
    CHECK(sgm_everything_count(all) > 10);
    for (size_t i = 0; i < sgm_everything_count(all); i++) {
        sgm_found f;
        int64_t area = 0, outside = 0;
        sgm_everything_get(all, i, &f);
        sgm_everything_mask(all, i, mask);
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                int in = x >= f.box[0] && x <= f.box[2] && y >= f.box[1] && y <= f.box[3];
                area += mask[y * WIDTH + x];
                outside += mask[y * WIDTH + x] && !in;
            }
        CHECK(area == f.area && area > 0 && outside == 0);
        CHECK(f.box[0] >= f.crop_box[0] && f.box[2] < f.crop_box[2]);
        CHECK(f.point[0] > f.crop_box[0] && f.point[0] < f.crop_box[2]);
    }
    sgm_everything_destroy(all);
    free(mask);
}

static void test_proposals(sgm_model *model, const sgm_image *image)
{
    sgm_everything_options o = sgm_everything_proposals_init();
    sgm_everything *all = NULL;
    sgm_found f, before = {.predicted_iou = INFINITY};
    o.points_per_side = 6;
    o.box_nms_thresh = 1;
    o.most = 20;
    if (!CHECK_OK(sgm_everything_find(model, image, &o, NULL, &all))) return;
    CHECK(sgm_everything_count(all) == 20);
    for (size_t i = 0; i < sgm_everything_count(all); i++, before = f) {
        sgm_everything_get(all, i, &f);
        CHECK((float)(f.predicted_iou + f.stability_score) <=
              (float)(before.predicted_iou + before.stability_score));
    }
    sgm_everything_destroy(all);
}

static void test_cancel(sgm_model *model, const sgm_image *image)
{
    sgm_everything *all = NULL;
    watch w = {.cancel_at = 2};
    const sgm_call call = watched(&w);
    CHECK_STATUS(sgm_everything_find(model, image, NULL, &call, &all), SGM_CANCELLED, NULL);
    CHECK(all == NULL && w.calls < 10);
}

static void test_edge_map(sgm_model *model, const sgm_image *image)
{
    float *edges = malloc((size_t)WIDTH * HEIGHT * sizeof *edges), most = 0;
    int set = 0;
    watch w = {0};
    const sgm_call call = watched(&w);
    sgm_everything_options o = sgm_everything_options_init();
    o.points_per_side = 4;
    if (CHECK_OK(sgm_edge_map(model, image, &o, &call, edges))) {
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            CHECK(edges[i] >= 0 && edges[i] <= 1);
            set += edges[i] > 0;
            most = fmaxf(most, edges[i]);
        }
        CHECK(set > 0 && set < WIDTH * HEIGHT / 2 && most > 0.5f);
        CHECK(w.last == 1 && w.fell == 0);
    }
    o.crop_n_layers = 1;
    CHECK_STATUS(sgm_edge_map(model, image, &o, NULL, edges), SGM_INVALID_ARGUMENT,
                 "without crops");
    free(edges);
}

/* A square's edge lies around it, one pixel wide on straight sides. */
static void test_ridges(void)
{
    enum { SIDE = 40 };
    static float values[SIDE * SIDE], edges[SIDE * SIDE];
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            values[y * SIDE + x] = x >= 10 && x < 30 && y >= 12 && y < 28 ? 0.9f : 0.1f;
    sgm_edges_raise(values, 0.5f, SIDE, SIDE, edges);
    sgm_edges_stretch(edges, SIDE, SIDE);
    CHECK_OK(sgm_ridges_thin(edges, SIDE, SIDE));
    for (int x = 0; x < SIDE; x++)
        CHECK((edges[20 * SIDE + x] > 0) == (x == 9 || x == 30));
    for (int y = 0; y < SIDE; y++)
        CHECK((edges[y * SIDE + 20] > 0) == (y == 11 || y == 28));
    CHECK_NEAR(edges[20 * SIDE + 9], 1, 1e-6);
}

static void test_model(sgm_model *model)
{
    uint8_t *rgb = malloc((size_t)WIDTH * HEIGHT * 3);
    const sgm_image image = {.data = rgb, .width = WIDTH, .height = HEIGHT, .channels = 3};
    hash_image(WIDTH, HEIGHT, 5, rgb);
    test_defaults(model);
    test_levels(model, 200, 150);
    test_levels(model, 37, 512);
    test_options(model, &image);
    test_records(model, &image);
    test_proposals(model, &image);
    test_cancel(model, &image);
    test_edge_map(model, &image);
    free(rgb);
}

/* A network with one answer: one mask per point. */
static void test_single(sgm_model *model)
{
    uint8_t *rgb = malloc((size_t)WIDTH * HEIGHT * 3);
    const sgm_image image = {.data = rgb, .width = WIDTH, .height = HEIGHT, .channels = 3};
    sgm_everything_options o = sgm_everything_options_init();
    sgm_everything *all = NULL;
    test_defaults(model);
    test_levels(model, 123, 77); /* its own way of enlarging */
    hash_image(WIDTH, HEIGHT, 5, rgb);
    o.points_per_side = 2;
    o.pred_iou_thresh = o.stability_score_thresh = 0;
    o.box_nms_thresh = 1;
    if (CHECK_OK(sgm_everything_find(model, &image, &o, NULL, &all))) {
        CHECK(sgm_everything_count(all) <= 4);
        for (size_t i = 0; i < sgm_everything_count(all); i++) {
            sgm_found f;
            sgm_everything_get(all, i, &f);
            CHECK(f.token == 0);
        }
    }
    sgm_everything_destroy(all);
    free(rgb);
}

int main(int argc, char **argv)
{
    const sgm_context_options exact = {
        .size = sizeof exact, .device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    if (!CHECK(argc == 4)) return 1;
    test_utilities(argv[1]);
    test_ridges();
    if (CHECK_OK(sgm_context_create(&exact, &context))) {
        if (CHECK_OK(sgm_model_load(context, argv[2], "sam_vit", &model))) test_model(model);
        sgm_model_destroy(model);
        model = NULL;
        if (CHECK_OK(sgm_model_load(context, argv[3], "lite_medsam", &model))) test_single(model);
        sgm_model_destroy(model);
    }
    sgm_context_destroy(context);
    return check_report();
}
