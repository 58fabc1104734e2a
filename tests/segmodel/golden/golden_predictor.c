/* From an 8-bit picture of 640 x 427 to masks of its size through the public interface: two points
 * and a box, then one point with the best mask's logits as the mask prompt. */
#include "golden_model.h"

#include "../check.h"
#include "../hash_weights.h"

#include "predict/session/postprocess.h"

#include <stdlib.h>

enum { WIDTH = 640, HEIGHT = 427 };

/* The resized picture must be Pillow's to the last bit: its sum and every sampled pixel. */
static void check_resized(const golden_file *file, const sgm_image *image)
{
    sgm_size from = {WIDTH, HEIGHT}, to = {1024, 683};
    size_t count = (size_t)to.width * (size_t)to.height * 3, sums;
    uint8_t *resized = malloc(count);
    float *values = malloc(count * sizeof *values);
    int64_t sum = 0;
    CHECK_OK(sgm_resample_pillow(image->data, from, 3, resized, to));
    for (size_t i = 0; i < count; i++) {
        values[i] = resized[i];
        sum += resized[i];
    }
    golden_check(file, "resized_u8", SGM_SHAPE(to.height, to.width, 3), values, 0);
    float *want = golden_floats(file, "resized.sum", &sums);
    if (want) CHECK_NEAR((double)(float)sum, want[0], 0);
    free(want);
    free(resized);
    free(values);
}

static void check_embedding(const golden_model *m, const golden_file *file, sgm_session *session)
{
    const sgm_model_config *c = m->config;
    sgm_shape shape = SGM_SHAPE(1, c->decoder.dim, c->grid, c->grid);
    float *values = malloc((size_t)sgm_shape_count(shape) * sizeof *values);
    if (CHECK_OK(sgm_session_get_embedding(session, values))) {
        golden_check(file, "embedding", shape, values, m->embedding_limit);
        /* and back: the round trip must not change what is decoded from it */
        CHECK_OK(sgm_session_set_embedding(session, values, WIDTH, HEIGHT));
    }
    free(values);
}

/* Masks `first`.. of `count` of them, upsampled, against the golden's bits. */
static void check_masks(const golden_model *m, const golden_file *file, const char *name,
                        const sgm_mask *mask, int first, int count)
{
    size_t pixels = (size_t)WIDTH * HEIGHT;
    size_t low = (size_t)mask->low_res_shape[0] * (size_t)mask->low_res_shape[1];
    float *values = malloc((size_t)count * pixels * sizeof *values);
    sgm_frame frame;
    sgm_upscaler *upscaler = NULL;
    if (CHECK_OK(sgm_frame_make(m->config, WIDTH, HEIGHT, &frame)) &&
        CHECK_OK(sgm_upscaler_create(m->config, &frame, &upscaler))) {
        for (int i = 0; i < count; i++)
            sgm_upscaler_values(upscaler, mask->low_res + (size_t)(first + i) * low,
                                values + (size_t)i * pixels);
        golden_check_bits(file, name, values, (size_t)count * pixels, 0, 5e-3, m->exact);
        const float *chosen = values + (size_t)(mask->chosen - first) * pixels;
        size_t differ = 0;
        for (size_t i = 0; i < pixels; i++)
            differ += mask->data[i] != (chosen[i] > 0);
        CHECK(mask->width == WIDTH && mask->height == HEIGHT && differ == 0);
    }
    sgm_upscaler_destroy(upscaler);
    free(values);
}

static void check_prediction(const golden_model *m, const golden_file *file, const char *prefix,
                             const sgm_mask *mask, int first, int count)
{
    char low[48], masks[48], iou[48], label[128];
    snprintf(low, sizeof low, "%slowres", prefix);
    snprintf(masks, sizeof masks, "%smasks", prefix);
    snprintf(iou, sizeof iou, "%siou", prefix);
    size_t side = (size_t)mask->low_res_shape[0], predictions;
    sgm_shape shape = SGM_SHAPE(count, (int64_t)side, (int64_t)side);
    /* In BF16 the second prediction starts from logits that are already 3e-2 off. */
    bool second = prefix[0] != 0;
    golden_check(file, low, shape, mask->low_res + (size_t)first * side * side,
                 second && !m->exact ? 2 * m->logit_limit : m->logit_limit);
    float *want = golden_floats(file, iou, &predictions);
    snprintf(label, sizeof label, "%s %s", file->label, iou);
    if (want && CHECK(predictions == (size_t)count))
        check_close(label, mask->iou + first, want, predictions, m->iou_limit, 0);
    free(want);
    check_masks(m, file, masks, mask, first, count);
}

static void predict_twice(const golden_model *m, const golden_file *file, sgm_session *session)
{
    size_t n;
    float *xy = golden_floats(file, "in.points", &n), *box = golden_floats(file, "in.box", &n);
    float *label = golden_floats(file, "in.labels", &n);
    if (xy && box && label && CHECK(n == 2)) {
        sgm_point points[2] = {{xy[0], xy[1], (int)label[0]}, {xy[2], xy[3], (int)label[1]}};
        sgm_box corners = {box[0], box[1], box[2], box[3]};
        sgm_prompt prompt = {.points = points, .point_count = 2, .box = &corners};
        sgm_predict_options options = {.choice = SGM_CHOOSE_MULTI, .want_logits = 1};
        sgm_mask mask;
        if (CHECK_OK(sgm_session_predict(session, &prompt, &options, &mask))) {
            check_prediction(m, file, "", &mask, 1, 3);
            size_t low = (size_t)mask.low_res_shape[0] * (size_t)mask.low_res_shape[1];
            sgm_prompt again = {.points = points,
                                .point_count = 1,
                                .mask = mask.low_res + (size_t)mask.chosen * low};
            options.choice = SGM_CHOOSE_AUTO;
            if (CHECK_OK(sgm_session_predict(session, &again, &options, &mask))) {
                CHECK(mask.chosen == 0);
                check_prediction(m, file, "iter2.", &mask, 0, 1);
            }
        }
    }
    free(xy);
    free(box);
    free(label);
}

void golden_predictor(golden_model *m)
{
    golden_file file = {0};
    sgm_session *session = NULL;
    uint8_t *rgb = malloc((size_t)WIDTH * HEIGHT * 3);
    sgm_image image = {.data = rgb, .width = WIDTH, .height = HEIGHT, .channels = 3};
    hash_image(WIDTH, HEIGHT, 7, rgb);
    if (golden_open(m->folder, "predictor", &file) &&
        CHECK_OK(sgm_session_create(m->model, &session))) {
        check_resized(&file, &image);
        if (CHECK_OK(sgm_session_set_image(session, &image))) {
            check_embedding(m, &file, session);
            predict_twice(m, &file, session);
        }
    }
    sgm_session_destroy(session);
    golden_close(&file);
    free(rgb);
}
