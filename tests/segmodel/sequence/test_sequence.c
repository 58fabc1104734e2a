/* test_sequence SAM_SMALL.safetensors SAMUS_SMALL.safetensors
 *
 * What sgm_sequence_refine does with masks that are given, missing, of other values, and what it
 * refuses. How good its answers are is for the bundled model: Testing/cli/SequenceRuns.cmake. */
#include <stdlib.h>

#include "../check.h"
#include "segmodel/sequence.h"

enum { WIDTH = 64, HEIGHT = 48, FRAMES = 4, PLANE = WIDTH * HEIGHT, VOXELS = PLANE * FRAMES };

static uint8_t frames[3 * VOXELS], labels[VOXELS];
static uint16_t wide[VOXELS];

static int in_disc(int i, int frame)
{
    const int dx = i % WIDTH - 25 - 2 * frame, dy = i / WIDTH - 22;
    return dx * dx + dy * dy < 12 * 12;
}

/* A disc that moves; its label is 3, and frame 2 has none. A stray 5 lies there. */
static void draw(void)
{
    for (int k = 0; k < FRAMES; k++)
        for (int i = 0; i < PLANE; i++) {
            const int inside = in_disc(i, k);
            for (int c = 0; c < 3; c++)
                frames[3 * (k * PLANE + i) + c] =
                    (uint8_t)((inside ? 180 : 70) + 10 * c + (i * 7 + k) % 9);
            labels[k * PLANE + i] = (uint8_t)(inside && k != 2 ? 3 : 0);
            wide[k * PLANE + i] = labels[k * PLANE + i];
        }
    labels[2 * PLANE + 5] = 5;
    wide[2 * PLANE + 5] = 5;
}

static sgm_volume clip(void)
{
    return (sgm_volume){.data = frames,
                        .type = SGM_VOXEL_U8,
                        .channels = 3,
                        .size = {WIDTH, HEIGHT, FRAMES},
                        .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
}

static int64_t count(const uint8_t *masks, int frame)
{
    int64_t voxels = 0;
    for (int i = 0; i < PLANE; i++) {
        CHECK(masks[frame * PLANE + i] <= 1);
        voxels += masks[frame * PLANE + i];
    }
    return voxels;
}

static int always(void *user)
{
    (void)user;
    return 1;
}

static void check_answers(sgm_model *model)
{
    static uint8_t first[VOXELS], second[VOXELS];
    float quality[FRAMES];
    sgm_volume volume = clip();
    if (!CHECK_OK(sgm_sequence_refine(model, &volume, labels, SGM_VOXEL_U8, 3, NULL, NULL, first,
                                      quality)))
        return;
    CHECK(count(first, 2) == 0 && quality[2] == 0);
    for (int k = 0; k < FRAMES; k++)
        CHECK(isfinite(quality[k]) && (k == 2 || quality[k] != 0 || count(first, k) == 0));
    CHECK(count(first, 0) + count(first, 1) + count(first, 3) > 0);
    /* The same labels in another type, and without ratings: the same answers. */
    CHECK_OK(sgm_sequence_refine(model, &volume, wide, SGM_VOXEL_U16, 3, NULL, NULL, second, NULL));
    CHECK(!memcmp(first, second, VOXELS));
    CHECK_OK(
        sgm_sequence_refine(model, &volume, labels, SGM_VOXEL_U8, 9, NULL, NULL, second, quality));
    for (int k = 0; k < FRAMES; k++)
        CHECK(count(second, k) == 0 && quality[k] == 0);
}

static void check_refusals(sgm_model *model)
{
    static uint8_t masks[VOXELS];
    sgm_volume volume = clip();
    sgm_call call = sgm_call_init();
    sgm_sequence_options options = {sizeof options, SGM_WINDOW_MANUAL, 5, 3, SGM_ZOOM_AUTO, {0}};
    call.cancel = always;
    CHECK_STATUS(
        sgm_sequence_refine(model, &volume, labels, SGM_VOXEL_U8, 3, NULL, &call, masks, NULL),
        SGM_CANCELLED, NULL);
    CHECK_STATUS(
        sgm_sequence_refine(model, &volume, NULL, SGM_VOXEL_U8, 3, NULL, NULL, masks, NULL),
        SGM_INVALID_ARGUMENT, "NULL");
    CHECK_STATUS(
        sgm_sequence_refine(model, &volume, labels, SGM_VOXEL_U8, 3, &options, NULL, masks, NULL),
        SGM_INVALID_ARGUMENT, NULL);
    volume.channels = 2;
    CHECK_STATUS(
        sgm_sequence_refine(model, &volume, labels, SGM_VOXEL_U8, 3, NULL, NULL, masks, NULL),
        SGM_UNREADABLE, NULL);
}

/* A network that walks by boxes is asked with the masks by sgm_volume_predict. */
static void check_copies(sgm_model *model)
{
    static uint8_t masks[VOXELS];
    sgm_volume volume = clip();
    CHECK_OK(sgm_sequence_refine(model, &volume, labels, SGM_VOXEL_U8, 3, NULL, NULL, masks, NULL));
    for (int i = 0; i < VOXELS; i++)
        CHECK(masks[i] == (labels[i] == 3));
}

int main(int argc, char **argv)
{
    sgm_context_options options = {.device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    if (argc != 3) return 2;
    draw();
    if (!CHECK_OK(sgm_context_create(&options, &context))) return check_report();
    if (CHECK_OK(sgm_model_load(context, argv[1], NULL, &model))) {
        check_answers(model);
        check_refusals(model);
        sgm_model_destroy(model);
    }
    if (CHECK_OK(sgm_model_load(context, argv[2], NULL, &model))) {
        check_copies(model);
        sgm_model_destroy(model);
    }
    sgm_context_destroy(context);
    return check_report();
}
