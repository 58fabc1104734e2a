/* consumer MODEL: one point on a grey square, as the header's example shows it. */
#include <segmodel/segmodel.h>
#include <segmodel/train.h>
#include <segmodel/volume.h>

#include <stdio.h>
#include <string.h>

enum { SIDE = 64 };

static sgm_status predict(sgm_picture *picture, const sgm_image *image, sgm_mask *mask)
{
    sgm_point point = {32, 24, SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    sgm_status status = sgm_picture_set_image(picture, image);
    return status == SGM_OK ? sgm_picture_predict(picture, &prompt, NULL, NULL, mask) : status;
}

int main(int argc, char **argv)
{
    static uint8_t pixels[SIDE * SIDE];
    sgm_image image = {.data = pixels, .width = SIDE, .height = SIDE, .channels = 1};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_picture *picture = NULL;
    sgm_mask mask = {0};
    if (argc != 2 || strcmp(sgm_version(), "0.3.0") != 0) return 1;
    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = i / SIDE > 16 && i % SIDE > 16 ? 200 : 40;
    sgm_status status = sgm_context_create(NULL, &context);
    if (status == SGM_OK) status = sgm_model_load(context, argv[1], "lite_medsam", &model);
    if (status == SGM_OK) status = sgm_picture_create(model, NULL, &picture);
    if (status == SGM_OK) status = predict(picture, &image, &mask);
    if (status != SGM_OK) fprintf(stderr, "%s\n", sgm_last_message());
    int right = status == SGM_OK && mask.width == SIDE && mask.height == SIDE && mask.data[0] <= 1;
    sgm_picture_destroy(picture);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return right ? 0 : 1;
}
