#include "small_case.h"

#include "../check.h"
#include "../hash_weights.h"

#include <stdlib.h>

static const sgm_point sam_points[2] = {{100, 140, 1}, {20, 30, 0}};
static const sgm_point samus_points[2] = {{100, 140, 1}, {100, 180, 1}};
static const sgm_point samihs_point = {400, 560, 1};
static const sgm_box medsam_boxes[2] = {{48, 88, 152, 192}, {55, 130, 150, 230}};

static const small_case cases[] = {
    {"sam", "sam_vit", "out.low", NULL, 1, 1, 3, {{.points = sam_points, .point_count = 2}}},
    {"medsam",
     "medsam",
     "out.low",
     "out.ori",
     2,
     0,
     1,
     {{.box = &medsam_boxes[0]}, {.box = &medsam_boxes[1]}}},
    {"samus",
     "samus",
     "out.low_res_logits",
     "out.masks",
     2,
     0,
     1,
     {{.points = &samus_points[0], .point_count = 1},
      {.points = &samus_points[1], .point_count = 1}}},
    {"samihs",
     "samihs",
     "out.low_res_logits",
     NULL,
     1,
     0,
     1,
     {{.points = &samihs_point, .point_count = 1}}},
    {"samihs_prompts",
     "samihs",
     NULL,
     NULL,
     1,
     0,
     1,
     {{.points = &samihs_point, .point_count = 1}}},
};

const small_case *small_case_find(const char *name)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(cases[i].name, name)) return &cases[i];
    return NULL;
}

/* Channel 0 between its extremes. */
static void samihs_input(const uint8_t *rgb, size_t pixels, float *to)
{
    uint8_t low = 255, high = 0;
    for (size_t i = 0; i < pixels; i++) {
        low = rgb[3 * i] < low ? rgb[3 * i] : low;
        high = rgb[3 * i] > high ? rgb[3 * i] : high;
    }
    for (size_t i = 0; i < pixels; i++)
        to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = (float)(rgb[3 * i] - low) / (float)(high - low);
}

void small_case_input(const sgm_model_config *config, int index, sgm_frame *frame, float *input)
{
    int side = config->image_size;
    size_t pixels = (size_t)side * (size_t)side;
    uint8_t *rgb = malloc(pixels * 3);
    hash_image(side, side, index ? 3 : 0, rgb);
    sgm_image image = {.data = rgb, .width = side, .height = side, .channels = 3};
    if (config->protocol == &sgm_protocol_samihs) {
        samihs_input(rgb, pixels, input);
        CHECK_OK(sgm_frame_make(config, side, side, frame));
        free(rgb);
        return;
    }
    if (config->protocol == &sgm_protocol_samus) {
        for (size_t i = 0; i < pixels; i++)
            rgb[i] = rgb[3 * i];
        image.channels = 1;
    }
    CHECK_OK(sgm_preprocess(config, &image, input, frame));
    free(rgb);
}

sgm_status small_case_context(const char *device, sgm_context **context)
{
    sgm_context_options options = {.precision = SGM_PRECISION_FP32, .device = SGM_DEVICE_CPU};
    if (!strcmp(device, "ref")) options.device = SGM_DEVICE_REFERENCE;
    if (!strcmp(device, "cuda")) options.device = SGM_DEVICE_CUDA;
    return sgm_context_create(&options, context);
}
