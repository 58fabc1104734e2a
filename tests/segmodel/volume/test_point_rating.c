/* What a lone point means: the terms of a look, the choice by their weights, and the fit of these.
 */
#include "../train/train_run.h"
#include "check.h"

#include "predict/look/look.h"
#include "predict/look/point_rating.h"
#include "predict/session/mask.h"
#include "quality/point_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { W = 320, H = 240, CELLS = 32 };

static int is_near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1, fabs(b)); /* false for NaN */
}

static void check_reading(void)
{
    sgm_point_rating rating;
    const char *bad[] = {"",
                         "1",
                         "1,2,3,4,5,6,7,8,9,10,11,12,13,14",
                         "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
                         "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 ",
                         "1,2,3,4,5,6,7,8,9,10,11,12,13,14,nan",
                         "1,2,3,4,5,6,7,inf,9,10,11,12,13,14,15",
                         "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
                         "1,,3,4,5,6,7,8,9,10,11,12,13,14,15"};
    CHECK_OK(sgm_point_rating_read("-1.5,2,3,4,5,6,7,8,9,10,11,12,13,14,1e-3", &rating));
    CHECK(rating.weights[0] == -1.5 && rating.weights[7] == 8 && rating.weights[14] == 1e-3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(sgm_point_rating_read(bad[i], &rating) == SGM_INVALID_ARGUMENT);
}

static void fill(uint8_t *mask, int x0, int y0, int x1, int y1)
{
    for (int y = y0; y <= y1; y++)
        memset(mask + y * W + x0, 1, (size_t)(x1 - x0 + 1));
}

/* A square of 9 x 9 and, beside it, one of 3 x 3 in a view of 80 x 60; logits on 4 x 4 cells, the
 * lowest row of which is padding. */
static void check_terms(void)
{
    static uint8_t mask[W * H];
    float logits[16] = {4, 2, -1, -9, 1, 0.4f, -0.4f, -9, -1, -1, -1, -9, 50, 50, 50, 50};
    sgm_predictor predictor = {.low_res_shape = {4, 4}};
    double terms[SGM_POINT_TERMS];
    memset(mask, 0, sizeof mask);
    fill(mask, 10, 8, 18, 16);
    fill(mask, 30, 30, 32, 32);
    sgm_look look = {.mask = mask,
                     .width = W,
                     .height = H,
                     .area = 90,
                     .extent = {10, 8, 32, 32},
                     .view = {0, 0, 80, 60},
                     .low_res = logits,
                     .raw = {.predicted_iou = 0.75f}};
    CHECK_OK(sgm_point_terms(&predictor, &look, 14, 12, terms));
    CHECK(terms[SGM_TERM_PREDICTED_IOU] == 0.75);
    CHECK(is_near(terms[SGM_TERM_VIEW_SHARE], log(90 / 4800.0)));
    CHECK(is_near(terms[SGM_TERM_VIEW_SHARE_SQUARE], pow(log(90 / 4800.0), 2)));
    CHECK(is_near(terms[SGM_TERM_PICTURE_SHARE], log(90.0 / W / H)));
    CHECK(is_near(terms[SGM_TERM_PICTURE_SHARE_SQUARE], pow(log(90.0 / W / H), 2)));
    CHECK(terms[SGM_TERM_TOUCHES_VIEW] == 0 && terms[SGM_TERM_TOUCHES_PICTURE] == 0);
    CHECK(is_near(terms[SGM_TERM_DEPTH], 1) && is_near(terms[SGM_TERM_DEPTH_SQUARE], 1));
    double centre_x = (81 * 14 + 9 * 31) / 90.0, centre_y = (81 * 12 + 9 * 31) / 90.0;
    CHECK(is_near(terms[SGM_TERM_OFF_CENTRE], hypot(centre_x - 14, centre_y - 12) / sqrt(90)));
    CHECK(is_near(terms[SGM_TERM_PART], 0.9));
    CHECK(is_near(terms[SGM_TERM_THICKNESS], log(5 / sqrt(90))));
    CHECK(is_near(terms[SGM_TERM_MEAN_LOGIT], (7 + (double)0.4f) / 4));
    CHECK(is_near(terms[SGM_TERM_STABILITY], 3 / 5.0)); /* above .5 / above -.5 */
    /* (14, 12) is 0.225 cells right of the first cell's centre and 0.125 below it */
    float top = (1 - 0.225f) * 4 + 0.225f * 2, bottom = (1 - 0.225f) * 1 + 0.225f * 0.4f;
    CHECK(fabs(terms[SGM_TERM_POINT_LOGIT] - (0.875 * top + 0.125 * bottom)) < 1e-5);
    /* a corner of the square; then beside the mask, where no part is the point's */
    CHECK_OK(sgm_point_terms(&predictor, &look, 10, 8, terms));
    CHECK(is_near(terms[SGM_TERM_DEPTH], 0.2) && is_near(terms[SGM_TERM_DEPTH_SQUARE], 0.04));
    CHECK_OK(sgm_point_terms(&predictor, &look, 100, 100, terms));
    CHECK(terms[SGM_TERM_DEPTH] == 0 && terms[SGM_TERM_PART] == 0);
    CHECK(is_near(terms[SGM_TERM_THICKNESS], log(1 / sqrt(90))));
    /* sides */
    look.view.width = 33;
    CHECK_OK(sgm_point_terms(&predictor, &look, 14, 12, terms));
    CHECK(terms[SGM_TERM_TOUCHES_VIEW] == 1 && terms[SGM_TERM_TOUCHES_PICTURE] == 0);
    look.extent.y1 = H - 1;
    CHECK_OK(sgm_point_terms(&predictor, &look, 14, 12, terms));
    CHECK(terms[SGM_TERM_TOUCHES_PICTURE] == 1);
}

/* Two discs of one shape in pictures of 300 and of 3000 pixels: large masks are looked at by every
 * so many pixels, which changes little. */
static void disc_terms(int side, double terms[SGM_POINT_TERMS])
{
    float logits[4] = {1, 1, 1, 1};
    sgm_predictor predictor = {.low_res_shape = {2, 2}};
    uint8_t *mask = calloc((size_t)side * (size_t)side, 1);
    sgm_look look = {
        .mask = mask, .width = side, .height = side, .view = {0, 0, side, side}, .low_res = logits};
    for (int y = 0; mask && y < side; y++)
        for (int x = 0; x < side; x++) {
            double u = (x + 0.5) / side, v = (y + 0.5) / side;
            mask[y * side + x] = hypot(u - 0.45, v - 0.5) < 0.4 || hypot(u - 0.9, v - 0.9) < 0.05;
        }
    look.area = mask ? sgm_mask_measure(mask, side, side, &look.extent) : 0;
    if (CHECK(look.area > 0))
        CHECK_OK(sgm_point_terms(&predictor, &look, 0.3 * side - 0.5, 0.4 * side - 0.5, terms));
    free(mask);
}

static void check_large_mask(void)
{
    double small[SGM_POINT_TERMS], large[SGM_POINT_TERMS];
    disc_terms(300, small);
    disc_terms(3000, large);
    for (int t = 0; t < SGM_POINT_TERMS; t++)
        if (!CHECK(fabs(small[t] - large[t]) < 0.02))
            fprintf(stderr, "    %s: %g, %g\n", sgm_point_term_name(t), small[t], large[t]);
    CHECK(small[SGM_TERM_PART] > 0.9 && small[SGM_TERM_PART] < 0.999);
}

/* --------------------------------------------------------------------------------- the choice */

/* Answers with a disc around the point of a sixth of the view's side in radius: each scale shows
 * something else. It likes the whole picture best. */
typedef struct scales_network {
    sgm_predictor predictor;
    int width, height;
    uint8_t mask[W * H];
    float low_res[CELLS * CELLS], iou;
} scales_network;

static sgm_status no_hash(void *self, const sgm_image *image, uint64_t *hash)
{
    (void)self;
    *hash = (uint64_t)image->width;
    return SGM_OK;
}

static sgm_status no_encoding(void *self, const sgm_image *image, float *embedding)
{
    (void)self;
    (void)image;
    *embedding = 0;
    return SGM_OK;
}

static sgm_status take_size(void *self, const float *embedding, int width, int height)
{
    scales_network *net = self;
    (void)embedding;
    net->width = width;
    net->height = height;
    return SGM_OK;
}

static sgm_status answer_disc(void *self, const sgm_prompt *prompt,
                              const sgm_predict_options *options, sgm_mask *out)
{
    scales_network *net = self;
    double side = fmax(net->width, net->height), radius = side / 6;
    (void)options;
    for (int y = 0; y < net->height; y++)
        for (int x = 0; x < net->width; x++)
            net->mask[y * net->width + x] =
                hypot(x - prompt->points[0].x, y - prompt->points[0].y) <= radius;
    net->iou = (float)(0.5 + side / W / 4);
    *out = (sgm_mask){.data = net->mask,
                      .width = net->width,
                      .height = net->height,
                      .predicted_iou = net->iou,
                      .low_res = net->low_res,
                      .iou = &net->iou,
                      .mask_tokens = 1,
                      .low_res_shape = {CELLS, CELLS}};
    return SGM_OK;
}

static double chosen_area(const sgm_point_rating *rating, size_t points)
{
    static scales_network net;
    static uint8_t pixels[W * H];
    sgm_point point[2] = {{160, 120, SGM_FOREGROUND}, {162, 121, SGM_FOREGROUND}};
    sgm_image image = {pixels, W, H, 1, 0};
    sgm_question question = {.image = &image, .points = point, .point_count = points};
    sgm_embedder embedder;
    sgm_looker looker;
    sgm_look look = {0};
    net = (scales_network){.predictor = {.self = &net,
                                         .image_size = CELLS,
                                         .low_res_shape = {CELLS, CELLS},
                                         .embedding_count = 1,
                                         .point_rating = rating,
                                         .input_hash = no_hash,
                                         .encode = no_encoding,
                                         .select = take_size,
                                         .decode = answer_disc}};
    CHECK_OK(sgm_embedder_init(&embedder, &net.predictor, NULL, 0));
    CHECK_OK(sgm_looker_init(&looker, &net.predictor, &embedder, 1));
    CHECK_OK(sgm_look_at(&looker, &question, &look));
    double area = (double)look.area;
    sgm_looker_clear(&looker);
    sgm_embedder_clear(&embedder);
    return area;
}

/* -(ln share - ln wanted)^2 is greatest where the mask has the wanted share of the picture. */
static sgm_point_rating likes_share(double share)
{
    sgm_point_rating rating = {{0}};
    rating.weights[SGM_TERM_PICTURE_SHARE] = 2 * log(share);
    rating.weights[SGM_TERM_PICTURE_SHARE_SQUARE] = -1;
    return rating;
}

static void check_choice(void)
{
    double all = 3.14159265 * W * W / 36; /* of a disc in the whole picture */
    CHECK(fabs(chosen_area(NULL, 1) / all - 1) < 0.02);
    for (double scale = 1; scale > 0.2; scale /= 1.41421356) {
        sgm_point_rating rating = likes_share(all * scale * scale / (W * H));
        CHECK(fabs(chosen_area(&rating, 1) / (all * scale * scale) - 1) < 0.1);
    }
    /* several points say more than a lone one; what they mean was not fitted */
    sgm_point_rating small = likes_share(all / 16 / (W * H));
    CHECK(fabs(chosen_area(&small, 2) / all - 1) < 0.02);
}

/* ------------------------------------------------------------------------------------ the fit */

/* Dice rises with depth and falls with the distance of the picture's share from a tenth; what the
 * network says of itself is noise. */
static void make_case(sgm_point_case *c, unsigned *seed)
{
    *c = (sgm_point_case){.count = 5};
    for (int k = 0; k < c->count; k++) {
        double r[4];
        for (int i = 0; i < 4; i++) {
            *seed = *seed * 1664525u + 1013904223u;
            r[i] = (double)(*seed >> 8) / (1 << 24);
        }
        double *terms = c->looks[k].terms, share = log(0.1) + 4 * (r[1] - 0.5);
        terms[SGM_TERM_DEPTH] = r[0];
        terms[SGM_TERM_PICTURE_SHARE] = share;
        terms[SGM_TERM_PICTURE_SHARE_SQUARE] = share * share;
        terms[SGM_TERM_PREDICTED_IOU] = r[2];
        c->looks[k].dice = 0.6 + 0.3 * r[0] - 0.1 * pow(share - log(0.1), 2) + 0.02 * r[3];
    }
}

static void check_fit(void)
{
    enum { CASES = 300 };
    static sgm_point_case fitted_on[CASES], others[CASES];
    sgm_point_cases cases = {.set_count = 2, .cases = fitted_on, .count = CASES};
    sgm_point_cases unseen = {.set_count = 2, .cases = others, .count = CASES};
    sgm_point_rating rating;
    unsigned seed = 7;
    for (int i = 0; i < CASES; i++) {
        make_case(&fitted_on[i], &seed);
        make_case(&others[i], &seed);
        fitted_on[i].set = others[i].set = i % 5 == 0;
    }
    CHECK_OK(sgm_point_rating_fit(&cases, &rating));
    sgm_point_score before = sgm_point_cases_score(&unseen, NULL);
    sgm_point_score after = sgm_point_cases_score(&unseen, &rating);
    CHECK(after.best == before.best);
    CHECK(before.chosen < before.best - 0.1);
    CHECK(after.chosen > after.best - 0.01);
    CHECK(rating.weights[SGM_TERM_DEPTH] > 0);
    CHECK(rating.weights[SGM_TERM_PICTURE_SHARE_SQUARE] < 0);
    CHECK(rating.weights[SGM_TERM_THICKNESS] == 0); /* never differs: says nothing */
}

/* ------------------------------------------------------------------------ cases of a network */

static void check_measured(const sgm_point_cases *cases, int objects)
{
    CHECK(cases->count == objects);
    for (int i = 0; i < cases->count; i++) {
        const sgm_point_case *c = &cases->cases[i];
        CHECK(c->count >= 1 && c->count <= SGM_MOST_VIEWS);
        for (int k = 0; k < c->count; k++) {
            CHECK(c->looks[k].dice >= 0 && c->looks[k].dice <= 1);
            for (int t = 0; t < SGM_POINT_TERMS; t++)
                CHECK(isfinite(c->looks[k].terms[t]));
        }
    }
}

/* With the bundled model, on synthetic pictures: few of the images' objects, and the same again. */
static void check_cases(const char *path, const char *pack_path)
{
    sgm_context *context;
    sgm_model *model;
    sgm_pack *pack;
    sgm_point_cases cases, again;
    sgm_point_fit_options options = {.objects = 2, .min_area = 64};
    CHECK_OK(sgm_context_create(NULL, &context));
    CHECK_OK(sgm_model_load(context, path, NULL, &model));
    CHECK_OK(sgm_pack_open(pack_path, &pack));
    if (CHECK_OK(sgm_point_cases_measure(model, pack, &options, &cases)) &&
        CHECK_OK(sgm_point_cases_measure(model, pack, &options, &again))) {
        check_measured(&cases, 2);
        CHECK(!memcmp(cases.cases, again.cases, 2 * sizeof *cases.cases));
        CHECK_OK(sgm_point_cases_csv(&cases, "points.csv"));
        CHECK(!unlink("points.csv"));
        CHECK(sgm_point_cases_csv(&cases, "no_such_folder/points.csv") == SGM_UNWRITABLE);
        sgm_point_cases_clear(&cases);
        sgm_point_cases_clear(&again);
    }
    options.min_area = SIDE * SIDE + 1; /* nothing is as large */
    CHECK(sgm_point_cases_measure(model, pack, &options, &cases) == SGM_UNREADABLE);
    sgm_pack_close(pack);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
}

/* A data set may be called anything; each line of the table has its fields all the same. */
static void check_csv(void)
{
    static const uint8_t image[4] = {1, 2, 3, 4}, label[4] = {0, 1, 1, 0};
    const sgm_pack_set named = {"masses, \"BI-RADS\" 4", "US", "mass", false, false, false};
    const sgm_pack_item item = {.id = "a",
                                .width = 2,
                                .height = 2,
                                .channels = 1,
                                .label_bytes = 1,
                                .image = image,
                                .label = label};
    sgm_point_case one = {.count = 1, .area = 7, .looks = {{.dice = 0.5}}};
    sgm_point_cases cases = {.set_count = 1, .cases = &one, .count = 1};
    sgm_pack_writer *writer;
    sgm_pack *pack;
    int set;
    char text[1024] = "";
    CHECK_OK(sgm_pack_writer_open("test_points_csv.pack", 0, &writer));
    CHECK_OK(sgm_pack_writer_set(writer, &named, &set));
    CHECK_OK(sgm_pack_writer_item(writer, &item));
    CHECK_OK(sgm_pack_writer_finish(writer));
    if (!CHECK_OK(sgm_pack_open("test_points_csv.pack", &pack))) return;
    cases.pack = pack;
    CHECK_OK(sgm_point_cases_csv(&cases, "test_points.csv"));
    FILE *stream = fopen("test_points.csv", "rb");
    if (CHECK(stream != NULL)) {
        CHECK(fread(text, 1, sizeof text - 1, stream) > 0);
        fclose(stream);
    }
    CHECK(strstr(text, "\n\"masses, \"\"BI-RADS\"\" 4\",0,0,7,0.5000,") != NULL);
    sgm_pack_close(pack);
    CHECK(!unlink("test_points.csv"));
    CHECK(!unlink("test_points_csv.pack"));
}

int main(int argc, char **argv)
{
    check_reading();
    check_terms();
    check_large_mask();
    check_choice();
    check_fit();
    check_csv();
    if (argc > 1) {
        make_pack("test_points.pack", 4, true);
        check_cases(argv[1], "test_points.pack");
        unlink("test_points.pack");
    }
    return check_report();
}
