/* Where studies point, and their loop of clicks, against the contracts' own numbers
 * (goldens/strategies.json). */
#include "metrics_golden.h"

#include "checkpoint/checkpoint.h"
#include "metrics/draw.h"
#include "study/strategies.h"
#include "study/study.h"

enum { SEED = 1, SIDE_X = 96, SIDE_Y = 72, PIXELS = SIDE_X * SIDE_Y, MOST_LOW = 256 };

static golden_array truth_of(const json_t *golden)
{
    char key[128];
    snprintf(key, sizeof key, "gt.%s", json_string_value(json_object_get(golden, "case")));
    golden_array truth = golden_bytes("pairs.safetensors", key);
    for (size_t i = 0; i < truth.count; i++)
        truth.data[i] = truth.data[i] > 128;
    assert_int_equal(truth.count, PIXELS);
    return truth;
}

static void read_doubt(const char *name, float *doubt)
{
    char path[1024], key[128];
    sgm_checkpoint *file;
    snprintf(path, sizeof path, "%s/strategies.safetensors", golden_folder);
    snprintf(key, sizeof key, "logits.%s", name);
    assert_int_equal(sgm_checkpoint_open(path, &file), SGM_OK);
    const sgm_stored_tensor *tensor = sgm_checkpoint_find(file, key);
    assert_non_null(tensor);
    assert_int_equal(tensor->count, PIXELS);
    sgm_stored_tensor_read_f32(tensor, doubt);
    sgm_checkpoint_close(file);
    for (int i = 0; i < PIXELS; i++)
        doubt[i] = fabsf(doubt[i]);
}

static void second_points_are_the_contract_s(void **state)
{
    (void)state;
    static float doubt[PIXELS];
    size_t i;
    json_t *golden, *root = golden_json("strategies.json");
    json_array_foreach(json_object_get(root, "second"), i, golden)
    {
        const char *name = json_string_value(json_object_get(golden, "case"));
        golden_array truth = truth_of(golden);
        const uint64_t key = sgm_draw_key("points:", name, SEED);
        const int64_t first = sgm_point_random(truth.data, PIXELS, key, 0);
        read_doubt(name, doubt);
        assert_int_equal(first, (int64_t)golden_number(golden, "first"));
        assert_int_equal(sgm_second_random(truth.data, PIXELS, first, key),
                         (int64_t)golden_number(golden, "random"));
        assert_int_equal(sgm_second_doubt(truth.data, PIXELS, first, doubt),
                         (int64_t)golden_number(golden, "entropy"));
        assert_int_equal(sgm_second_farthest(truth.data, SIDE_X, SIDE_Y, first),
                         (int64_t)golden_number(golden, "max_distance"));
        free(truth.data);
    }
    assert_int_equal(i, 4);
    json_decref(root);
}

static void first_points_lie_deepest(void **state)
{
    (void)state;
    size_t i;
    json_t *golden, *root = golden_json("strategies.json");
    json_array_foreach(json_object_get(root, "first"), i, golden)
    {
        golden_array truth = truth_of(golden);
        int64_t place;
        assert_int_equal(sgm_point_centre(truth.data, SIDE_X, SIDE_Y, &place), SGM_OK);
        assert_int_equal(
            place, json_integer_value(json_array_get(json_object_get(golden, "first_centre"), 0)));
        free(truth.data);
    }
    assert_true(i > 8);
    json_decref(root);
}

static sgm_box box_of(const json_t *list)
{
    double v[4];
    for (size_t i = 0; i < 4; i++)
        v[i] = json_number_value(json_array_get(list, i));
    return (sgm_box){v[0], v[1], v[2], v[3]};
}

static void boxes_have_sam_s_noise(void **state)
{
    (void)state;
    size_t i;
    json_t *golden, *root = golden_json("strategies.json");
    json_array_foreach(json_object_get(root, "boxes"), i, golden)
    {
        char name[128];
        snprintf(name, sizeof name, "%s:%d", json_string_value(json_object_get(golden, "case")),
                 (int)golden_number(golden, "rep"));
        const sgm_box wanted = box_of(json_object_get(golden, "noisy_box"));
        const sgm_box found = sgm_noisy_box(box_of(json_object_get(golden, "box")), 0.1,
                                            sgm_draw_key("box:", name, SEED), SIDE_X, SIDE_Y);
        check_near(name, "x0", found.x0, wanted.x0, 1e-12);
        check_near(name, "y0", found.y0, wanted.y0, 1e-12);
        check_near(name, "x1", found.x1, wanted.x1, 1e-12);
        check_near(name, "y1", found.y1, wanted.y1, 1e-12);
    }
    assert_true(i > 4);
    json_decref(root);
}

/* ------------------------------------------------------------------- the goldens' toy predictor */

typedef struct toy {
    sgm_predictor predictor;
    uint8_t mask[PIXELS];
    float low_res[MOST_LOW * MOST_LOW], iou;
} toy;

static sgm_status toy_encode(void *self, const sgm_image *image, float *embedding)
{
    (void)self, (void)image;
    *embedding = 0;
    return SGM_OK;
}

static sgm_status toy_select(void *self, const float *embedding, int width, int height)
{
    (void)self, (void)embedding, (void)width, (void)height;
    return SGM_OK;
}

static int near_background(const sgm_prompt *prompt, double x, double y)
{
    for (size_t i = 0; i < prompt->point_count; i++) {
        const double dx = x - prompt->points[i].x, dy = y - prompt->points[i].y;
        if (!prompt->points[i].label && dx * dx + dy * dy < 64) return 1;
    }
    return 0;
}

/* Discs of 12 pixels around foreground points, without those of 8 around background points. */
static sgm_status toy_decode(void *self, const sgm_prompt *prompt,
                             const sgm_predict_options *options, sgm_mask *out)
{
    toy *t = self;
    (void)options;
    for (int p = 0; p < PIXELS; p++) {
        t->mask[p] = 0;
        for (size_t i = 0; i < prompt->point_count; i++) {
            const double dx = p % SIDE_X - prompt->points[i].x;
            const double dy = p / SIDE_X - prompt->points[i].y;
            t->mask[p] |= prompt->points[i].label && dx * dx + dy * dy < 144;
        }
        if (near_background(prompt, p % SIDE_X, p / SIDE_X)) t->mask[p] = 0;
    }
    *out =
        (sgm_mask){.data = t->mask,
                   .width = SIDE_X,
                   .height = SIDE_Y,
                   .predicted_iou = 1,
                   .low_res = t->low_res,
                   .iou = &t->iou,
                   .mask_tokens = 1,
                   .low_res_shape = {t->predictor.low_res_shape[0], t->predictor.low_res_shape[1]}};
    return SGM_OK;
}

static void toy_init(toy *t, sgm_asker *asker, sgm_model_config *config)
{
    static float low_res[MOST_LOW * MOST_LOW];
    *t = (toy){.iou = 1};
    t->predictor = (sgm_predictor){.self = t,
                                   .image_size = 256,
                                   .embedding_count = 1,
                                   .encode = toy_encode,
                                   .select = toy_select,
                                   .decode = toy_decode};
    assert_int_equal(
        sgm_config_parse("tiny_vit protocol=sam norm=none image=256 decoder_dim=128 "
                         "decoder_heads=4 decoder_depth=2 decoder_mlp=512 mask_tokens=4 "
                         "high_res=1 stem_kernel=3 stem_strides=2,2 dims=48,96,128,160 "
                         "depths=2,2,3,2 heads=2,3,4,5 windows=8,8,16,8 merge_strides=2,1,1 "
                         "expand=3 mlp_ratio=3",
                         config),
        SGM_OK);
    t->predictor.low_res_shape[0] = t->predictor.low_res_shape[1] = 4 * config->grid;
    assert_true(4 * config->grid <= MOST_LOW);
    *asker = (sgm_asker){.config = config, .low_res = low_res};
    asker->binding.predictor = t->predictor;
    assert_int_equal(sgm_embedder_init(&asker->embedder, &t->predictor, NULL, 0), SGM_OK);
    assert_int_equal(sgm_looker_init(&asker->looker, &t->predictor, &asker->embedder, 0), SGM_OK);
}

static void check_clicks(sgm_asker *asker, const json_t *golden)
{
    const json_t *ious = json_object_get(golden, "iou_after_1_2_3_5_9");
    const char *name = json_string_value(json_object_get(golden, "case"));
    sgm_study_score scores[SGM_STUDY_MOST_CONDITIONS];
    sgm_study_config config;
    sgm_study_config_defaults(&config);
    golden_array truth = truth_of(golden);
    static uint8_t grey[PIXELS];
    const sgm_pack_item item = {.width = SIDE_X, .height = SIDE_Y, .channels = 1, .image = grey};
    asker->item = &item;
    asker->image = (sgm_image){grey, SIDE_X, SIDE_Y, 1, 0};
    asker->truth = truth.data;
    assert_int_equal(sgm_study_find("points")->examine(asker, &config, 1, scores), SGM_OK);
    for (size_t i = 0; i < json_array_size(ious); i++)
        check_near(name, "IoU", scores[i].iou, json_number_value(json_array_get(ious, i)), 1e-12);
    asker->truth = NULL;
    free(truth.data);
}

/* The IoU after 1, 2, 3, 5 and 9 clicks, centre first: each depends on where all clicks went. */
static void clicks_follow_the_errors(void **state)
{
    (void)state;
    static toy t;
    sgm_model_config config;
    sgm_asker asker;
    size_t i;
    json_t *golden, *root = golden_json("strategies.json");
    toy_init(&t, &asker, &config);
    json_array_foreach(json_object_get(root, "clicks_of_toy"), i, golden)
        check_clicks(&asker, golden);
    assert_int_equal(i, 5);
    sgm_looker_clear(&asker.looker);
    sgm_embedder_clear(&asker.embedder);
    json_decref(root);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(second_points_are_the_contract_s),
                                       cmocka_unit_test(first_points_lie_deepest),
                                       cmocka_unit_test(boxes_have_sam_s_noise),
                                       cmocka_unit_test(clicks_follow_the_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
