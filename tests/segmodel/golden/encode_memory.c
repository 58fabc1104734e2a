/* What encoding a picture by SAM ViT-B in FP32 takes at most, whatever the process holds.
 *
 *     encode_memory sam_vit_b.safetensors
 *
 * Two threads. 359 MB of it are packed weights, 63 MB the values of a block (tokens, queries, keys
 * and values, attention's output), 5 MB each thread's blocks of rows. */
#include "../check.h"

#include "core/system.h"

#include <stdlib.h>

#define SIDE 1024
#define LIMIT 450e6 /* what is promised; measured 447 to 449 with 2 threads */

static void encode(const char *path)
{
    sgm_context_options options = {
        .device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32, .threads = 2};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_session *session = NULL;
    uint8_t *pixels = calloc(SIDE * SIDE, 3);
    for (size_t i = 0; i < SIDE * SIDE * 3; i++)
        pixels[i] = (uint8_t)(i * 7919 >> 5);
    sgm_image image = {.data = pixels, .width = SIDE, .height = SIDE, .channels = 3};
    CHECK_OK(sgm_context_create(&options, &context));
    CHECK_OK(sgm_model_load(context, path, "sam_vit_b", &model));
    CHECK_OK(sgm_session_create(model, &session));
    CHECK_OK(sgm_session_set_image(session, &image));
    sgm_session_destroy(session);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    free(pixels);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    encode(argv[1]);
    double peak = sgm_peak_memory();
#ifdef __SANITIZE_ADDRESS__
    printf("not compared: the address sanitiser keeps what is freed (%g)\n", peak);
#else
    if (!CHECK(peak > 359e6 && peak <= LIMIT)) fprintf(stderr, "    peak %.1f MB\n", 1e-6 * peak);
#endif
    return check_report();
}
