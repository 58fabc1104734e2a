/* test_volume_session WEIGHTS.safetensors: volume prediction and zoom on a real network (a narrow
 * SAM of hash weights: masks mean nothing, but everything is wired as it will be). */
#include "check.h"

#include "disc_volume.h"

#include <stdlib.h>
#include <string.h>

#include "portable.h"

enum { SIDE = DISC_SIDE, SLICES = 5, VOXELS = DISC_SLICE * SLICES };

static int16_t voxels[VOXELS];
static int cancelling;

static int cancel(void *user)
{
    (void)user;
    return cancelling;
}

/* A box on every slice, whole slice or crop; the second run takes everything from the cache. */
static void check_cached(sgm_model *model, sgm_zoom_mode zoom)
{
    char folder[] = "test_session.XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    sgm_volume volume = disc_volume(voxels, SLICES);
    sgm_roi roi = {{20, 25, 2}, {{13, 0, 0}, {0, 13, 0}, {0, 0, 2}}};
    sgm_object object = {.name = "disc", .rois = &roi, .roi_count = 1};
    sgm_volume_result first, second;
    sgm_volume_options options = {.zoom = zoom};
    CHECK_OK(sgm_store_open(folder, 0, &options.store));
    CHECK_OK(sgm_volume_predict(model, &volume, &object, 1, &options, NULL, &first));
    CHECK_OK(sgm_volume_predict(model, &volume, &object, 1, &options, NULL, &second));
    sgm_store_close(&options.store);
    CHECK(first.axis == 2 && first.window[0] == -160 && first.window[1] == 240);
    CHECK(first.encoded >= SLICES && first.cached == 0);
    CHECK(second.encoded == 0 && second.cached == first.encoded);
    CHECK(first.object_count == 1 && first.objects[0].slice_count == SLICES);
    if (first.object_count == 1 && second.object_count == 1) {
        CHECK(memcmp(first.objects[0].mask, second.objects[0].mask, VOXELS) == 0);
        for (size_t i = 0; i < first.objects[0].slice_count; i++)
            CHECK(isfinite(first.objects[0].slices[i].predicted_iou));
    }
    sgm_volume_result_clear(&first);
    sgm_volume_result_clear(&second);
    CHECK(remove_folder(folder));
}

/* With the zoom off, a zoom predictor is a session; on, its mask lies in the crop it looked at. */
static void check_zoom(sgm_model *model)
{
    static uint8_t pixels[SIDE * 3 * SIDE * 3];
    for (int i = 0; i < SIDE * 3 * SIDE * 3; i++)
        pixels[i] = (uint8_t)(i % (SIDE * 3) * 3 / 2 ^ i / (SIDE * 3));
    sgm_image image = {.data = pixels, .width = SIDE * 3, .height = SIDE * 3, .channels = 1};
    sgm_box box = {60, 70, 90, 95};
    sgm_prompt prompt = {.box = &box};
    sgm_session *session = NULL;
    sgm_picture *zoom = NULL;
    sgm_mask want, got;
    int view[4];
    CHECK_OK(sgm_session_create(model, &session));
    CHECK_OK(sgm_session_set_image(session, &image));
    CHECK_OK(sgm_session_predict(session, &prompt, NULL, &want));
    sgm_picture_options options = {.size = sizeof options, .zoom = SGM_ZOOM_OFF};
    CHECK_OK(sgm_picture_create(model, &options, &zoom));
    CHECK_OK(sgm_picture_set_image(zoom, &image));
    CHECK_OK(sgm_picture_predict(zoom, &prompt, NULL, NULL, &got));
    CHECK(memcmp(got.data, want.data, sizeof pixels) == 0);
    CHECK(got.predicted_iou == want.predicted_iou);
    sgm_picture_destroy(zoom);

    options.zoom = SGM_ZOOM_ON;
    CHECK_OK(sgm_picture_create(model, &options, &zoom));
    CHECK_OK(sgm_picture_set_image(zoom, &image));
    CHECK_OK(sgm_picture_predict(zoom, &prompt, NULL, NULL, &got));
    sgm_picture_view(zoom, view);
    sgm_image crop = {.data = pixels + view[1] * SIDE * 3 + view[0],
                      .width = view[2],
                      .height = view[3],
                      .channels = 1,
                      .stride = SIDE * 3};
    sgm_box moved = {box.x0 - view[0], box.y0 - view[1], box.x1 - view[0], box.y1 - view[1]};
    prompt.box = &moved;
    CHECK_OK(sgm_session_set_image(session, &crop));
    CHECK_OK(sgm_session_predict(session, &prompt, NULL, &want));
    int wrong = 0;
    for (int y = 0; y < view[3]; y++)
        for (int x = 0; x < view[2]; x++) {
            int in = x >= moved.x0 && x <= moved.x1 && y >= moved.y0 && y <= moved.y1;
            wrong += got.data[(view[1] + y) * SIDE * 3 + view[0] + x] !=
                     (in && want.data[y * view[2] + x]);
        }
    CHECK(wrong == 0); /* and nothing outside the box */
    sgm_picture_destroy(zoom);
    sgm_session_destroy(session);
}

static void check_cancel(sgm_model *model)
{
    sgm_volume volume = disc_volume(voxels, SLICES);
    sgm_seed seed = {{20, 25, 2}, SGM_FOREGROUND};
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume_result result;
    cancelling = 1;
    CHECK_STATUS(sgm_volume_predict(model, &volume, &object, 1, NULL, NULL, &result), SGM_CANCELLED,
                 "");
    cancelling = 0;
    CHECK_OK(sgm_volume_predict(model, &volume, &object, 1, NULL, NULL, &result));
    CHECK(result.object_count == 1 && result.objects[0].slice_count >= 1);
    sgm_volume_result_clear(&result);
    CHECK_STATUS(sgm_volume_predict(NULL, &volume, &object, 1, NULL, NULL, &result),
                 SGM_INVALID_ARGUMENT, "NULL");
}

int main(int argc, char **argv)
{
    sgm_context_options options = {.device = SGM_DEVICE_CPU, .cancel = cancel};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: test_volume_session WEIGHTS.safetensors\n");
        return 1;
    }
    CHECK_OK(sgm_context_create(&options, &context));
    if (CHECK_OK(sgm_model_load(context, argv[1], "sam_vit", &model))) {
        check_cached(model, SGM_ZOOM_OFF);
        check_cached(model, SGM_ZOOM_ON);
        check_zoom(model);
        check_cancel(model);
    }
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return check_report();
}
