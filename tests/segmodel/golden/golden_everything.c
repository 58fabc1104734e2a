/* golden_everything MOBILE_SAM.safetensors generate_a.txt ...
 *
 * Masks of everything on a picture against the official generator of MobileSAM: how many, in which
 * order, and of each the box, area, scores, point, crop and pixels. */
#include "../check.h"
#include "../hash_weights.h"

#include "segmodel/everything.h"

#include <stdbool.h>
#include <stdlib.h>

int check_count, check_failures;

enum { WIDTH = 320, HEIGHT = 240, MOST = 64 };

typedef struct wanted {
    int bbox[4]; /* x, y, width, height */
    long long area;
    double iou, stability, point[2];
    int crop[4]; /* x, y, width, height */
    int count;   /* of runs, column after column, background first; 0: not told */
    int *runs;
} wanted;

typedef struct golden {
    sgm_everything_options options;
    wanted masks[MOST];
    size_t count;
} golden;

static bool read_mask(FILE *file, golden *g)
{
    wanted *w = &g->masks[g->count];
    if (g->count == MOST ||
        fscanf(file, "%d%d%d%d%lld%lf%lf%lf%lf%d%d%d%d%d", &w->bbox[0], &w->bbox[1], &w->bbox[2],
               &w->bbox[3], &w->area, &w->iou, &w->stability, &w->point[0], &w->point[1],
               &w->crop[0], &w->crop[1], &w->crop[2], &w->crop[3], &w->count) != 14)
        return false;
    w->runs = calloc((size_t)w->count + 1, sizeof *w->runs);
    g->count++;
    for (int i = 0; i < w->count; i++)
        if (fscanf(file, "%d", &w->runs[i]) != 1) return false;
    return true;
}

static bool read_number(const char *word, double value, sgm_everything_options *o)
{
    const struct {
        const char *name;
        double *real;
        int *whole;
    } rows[] = {{"mask_threshold", &o->mask_threshold, NULL},
                {"stability_score_offset", &o->stability_score_offset, NULL},
                {"crop_overlap_ratio", &o->crop_overlap_ratio, NULL},
                {"pred_iou_thresh", &o->pred_iou_thresh, NULL},
                {"stability_score_thresh", &o->stability_score_thresh, NULL},
                {"box_nms_thresh", &o->box_nms_thresh, NULL},
                {"crop_nms_thresh", &o->crop_nms_thresh, NULL},
                {"points_per_side", NULL, &o->points_per_side},
                {"crop_n_layers", NULL, &o->crop_n_layers},
                {"crop_n_points_downscale_factor", NULL, &o->crop_n_points_downscale_factor}};
    if (!strcmp(word, "min_mask_region_area")) {
        o->min_mask_region_area = (int64_t)value;
        return true;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(word, rows[i].name) != 0) continue;
        if (rows[i].real) *rows[i].real = value;
        if (rows[i].whole) *rows[i].whole = (int)value;
        return true;
    }
    return false;
}

static bool read_golden(const char *path, golden *g)
{
    char word[64];
    double value;
    bool ok = true;
    FILE *file = fopen(path, "r");
    g->options = sgm_everything_options_init();
    while (file && ok && fscanf(file, "%63s", word) == 1)
        ok = !strcmp(word, "mask")
                 ? read_mask(file, g)
                 : fscanf(file, "%lf", &value) == 1 && read_number(word, value, &g->options);
    if (file) fclose(file);
    return file && ok && g->count > 0;
}

static void check_pixels(const uint8_t *mask, const wanted *w)
{
    int value = 0, at = 0, wrong = 0;
    for (int i = 0; i < w->count; i++, value = !value)
        for (int k = 0; k < w->runs[i] && at < WIDTH * HEIGHT; k++, at++)
            wrong += mask[at % HEIGHT * WIDTH + at / HEIGHT] != value;
    if (w->count) CHECK(at == WIDTH * HEIGHT && wrong == 0);
}

static void check_mask(const sgm_everything *all, size_t index, const wanted *w, uint8_t *mask)
{
    sgm_found f;
    sgm_everything_get(all, index, &f);
    CHECK(f.area == w->area);
    CHECK(f.box[0] == w->bbox[0] && f.box[1] == w->bbox[1]);
    CHECK(f.box[2] - f.box[0] == w->bbox[2] && f.box[3] - f.box[1] == w->bbox[3]);
    CHECK_NEAR(f.predicted_iou, w->iou, 1e-4);
    CHECK_NEAR(f.stability_score, w->stability, 1e-4);
    CHECK_NEAR(f.point[0], w->point[0], 1e-9);
    CHECK_NEAR(f.point[1], w->point[1], 1e-9);
    CHECK(f.crop_box[0] == w->crop[0] && f.crop_box[1] == w->crop[1]);
    CHECK(f.crop_box[2] - f.crop_box[0] == w->crop[2]);
    CHECK(f.crop_box[3] - f.crop_box[1] == w->crop[3]);
    sgm_everything_mask(all, index, mask);
    check_pixels(mask, w);
}

static void check_file(sgm_model *model, const char *path)
{
    golden g = {.count = 0};
    sgm_everything *all = NULL;
    uint8_t *rgb = malloc((size_t)WIDTH * HEIGHT * 3), *mask = malloc((size_t)WIDTH * HEIGHT);
    const sgm_image image = {.data = rgb, .width = WIDTH, .height = HEIGHT, .channels = 3};
    hash_image(WIDTH, HEIGHT, 21, rgb);
    if (CHECK(read_golden(path, &g)) &&
        CHECK_OK(sgm_everything_find(model, &image, &g.options, NULL, &all))) {
        printf("%s: %zu masks, %zu wanted\n", path, sgm_everything_count(all), g.count);
        if (CHECK(sgm_everything_count(all) == g.count))
            for (size_t i = 0; i < g.count; i++)
                check_mask(all, i, &g.masks[i], mask);
    }
    sgm_everything_destroy(all);
    for (size_t i = 0; i < g.count; i++)
        free(g.masks[i].runs);
    free(rgb);
    free(mask);
}

int main(int argc, char **argv)
{
    const sgm_context_options exact = {
        .size = sizeof exact, .device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    if (CHECK(argc > 2) && CHECK_OK(sgm_context_create(&exact, &context)) &&
        CHECK_OK(sgm_model_load(context, argv[1], "mobile_sam", &model)))
        for (int i = 2; i < argc; i++)
            check_file(model, argv[i]);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return check_report();
}
