/* A new family is one file and one line (linear.c, models/family_list.h): it is listed, told from
 * its tensors, written into an architecture's text, and predicts through the public interface. */
#include "../check.h"

#include "checkpoint/checkpoint_write.h"
#include "models/registry.h"
#include "predict/look/session_predictor.h"
#include "predict/session/model.h"

#include <stdlib.h>

enum { SIDE = 64, PATCH = 16, PLACES = 16, LOW = 16 };

/* Output o of a patch is the mean of the pixels that lie in its cell, minus a half. */
static void save_weights(const char *path)
{
    static float weight[PLACES][3][PATCH][PATCH], bias[PLACES];
    const int64_t shape[4] = {PLACES, 3, PATCH, PATCH}, places = PLACES;
    for (int o = 0; o < PLACES; o++) {
        bias[o] = -0.5f;
        for (int y = 0; y < 4; y++)
            for (int x = 0; x < 4; x++)
                weight[o][0][o / 4 * 4 + y][o % 4 * 4 + x] = 1.0f / 16;
    }
    sgm_checkpoint_writer *writer;
    if (!CHECK_OK(sgm_checkpoint_writer_create(&writer))) return;
    CHECK_OK(sgm_checkpoint_writer_add_f32(writer, "image_encoder.linear.weight", 4, shape,
                                           &weight[0][0][0][0], SGM_STORED_F32));
    CHECK_OK(sgm_checkpoint_writer_add_f32(writer, "image_encoder.linear.bias", 1, &places, bias,
                                           SGM_STORED_F32));
    CHECK_OK(sgm_checkpoint_writer_save(writer, path));
    sgm_checkpoint_writer_destroy(writer);
}

static void is_listed(void)
{
    bool listed = false;
    sgm_model_config config, back;
    char text[512];
    for (int i = 0; sgm_variant_name(i); i++)
        listed |= !strcmp(sgm_variant_name(i), "linear");
    CHECK(listed);
    CHECK(sgm_protocol_find("linear") && sgm_protocol_find("linear")->grey);
    if (!CHECK(sgm_variant_config("linear", &config))) return;
    sgm_config_text(&config, text);
    CHECK(!strncmp(text, "linear protocol=linear image=64", 31));
    CHECK_OK(sgm_config_parse(text, &back));
    CHECK(back.grid == 4 && back.protocol == config.protocol);
}

/* Bright pixels in the middle: the mask is where they are, whatever was asked. */
static void predicts(sgm_model *model)
{
    static uint8_t pixels[SIDE * SIDE];
    sgm_image image = {.data = pixels, .width = SIDE, .height = SIDE, .channels = 1};
    sgm_point point = {5, 5, SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    sgm_predict_options options = {.want_logits = 1};
    sgm_session *session = NULL;
    sgm_mask mask = {0};
    for (int y = 16; y < 48; y++)
        memset(pixels + y * SIDE + 20, 255, 24);
    if (CHECK_OK(sgm_session_create(model, &session)) &&
        CHECK_OK(sgm_session_set_image(session, &image)) &&
        CHECK_OK(sgm_session_predict(session, &prompt, &options, &mask))) {
        int wrong = 0;
        for (int y = 0; y < LOW; y++)
            for (int x = 0; x < LOW; x++)
                wrong += mask.low_res[y * LOW + x] !=
                         (y >= 4 && y < 12 && x >= 5 && x < 11 ? .5f : -.5f);
        CHECK(wrong == 0 && mask.chosen == 0 && mask.mask_tokens == 1);
        CHECK(mask.data[30 * SIDE + 30] == 1 && mask.data[5 * SIDE + 5] == 0);
    }
    sgm_session_destroy(session);
}

int main(void)
{
    sgm_context_options options = {.device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    save_weights("linear.safetensors");
    is_listed();
    if (CHECK_OK(sgm_context_create(&options, &context)) &&
        CHECK_OK(sgm_model_load(context, "linear.safetensors", NULL, &model))) {
        sgm_model_info info;
        sgm_model_get_info(model, &info);
        CHECK(!strcmp(info.variant, "linear") && info.embedding_shape[0] == PLACES);
        CHECK(info.embedding_count == PLACES * 16 && !sgm_model_wants_zoom(model));
        predicts(model);
    }
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return check_report();
}
