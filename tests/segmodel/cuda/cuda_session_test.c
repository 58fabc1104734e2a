/* cuda_session_test pictures: pictures and masks alone, which need no weights.
 * cuda_session_test order: one picture, for the emulation's check of orders (each launch is
 * costly). cuda_session_test WEIGHTS.safetensors: sessions and volumes on a GPU: the same inputs
 * and masks as on the CPU, recorded plans, batches. On the emulated one also with work done as
 * early and as late as CUDA may do it, and with devices that are too small, busy or lost. */
#include "../check.h"
#include "../volume/disc_volume.h"
#include "backend/context.h"
#include "backend/picture.h"
#include "predict/session/postprocess.h"
#include "predict/session/session_batch.h"

#include <stdlib.h>

#ifdef SGM_TEST_EMULATED
#include "emulation/emulation_control.h"
#else
/* of a real device nothing is known and nothing can be asked */
static void emulation_eager(int on)
{
    (void)on;
}
#endif

enum { SLICES = 6, VOXELS = DISC_SLICE * SLICES };
enum { OUT_OF_MEMORY = 2, DEVICES_UNAVAILABLE = 46, NO_KERNEL_IMAGE = 209, ILLEGAL_ADDRESS = 700 };

static const char *weights;

/* ---------------------------------------------------------------------------------- pictures */

static uint32_t noise_state = 1;

static uint8_t noise(void)
{
    noise_state = noise_state * 1664525u + 1013904223u;
    return (uint8_t)(noise_state >> 24);
}

/* Smooth with noise, not the whole range. */
static uint8_t *make_pixels(int width, int height, int channels)
{
    uint8_t *pixels = malloc((size_t)width * (size_t)height * (size_t)channels);
    for (int i = 0; i < width * height * channels; i++)
        pixels[i] =
            (uint8_t)(20 + (i / channels % width + i / channels / width) % 160 + noise() % 40);
    return pixels;
}

/* The device's input of two pictures, staged together, against the host's, bit for bit. */
static void check_pictures(sgm_backend *b, const sgm_protocol *protocol, int side, int width,
                           int height, int channels)
{
    sgm_model_config config = {.image_size = side, .grid = side / 16, .protocol = protocol};
    size_t count = (size_t)side * (size_t)side * 3;
    float *want = malloc(count * sizeof *want), *got = malloc(count * sizeof *got);
    void *input = b->ops->alloc(b, count * sizeof *got), *picture = NULL;
    uint8_t *data[2] = {make_pixels(width, height, channels), make_pixels(width, height, channels)};
    sgm_frame frame;
    sgm_picture_rule rule;
    sgm_image image = {.width = width, .height = height, .channels = channels};
    CHECK_OK(sgm_frame_make(&config, width, height, &frame));
    CHECK_OK(sgm_picture_rule_make(&config, &frame, sgm_picture_channels(&config, &image), &rule));
    CHECK_OK(b->ops->pictures->picture_create(b, &rule, 2, &picture));
    for (int i = 0; picture && i < 2; i++) {
        uint8_t *pixels;
        image.data = data[i];
        CHECK_OK(sgm_picture_pixels(&config, &image, &pixels));
        CHECK_OK(b->ops->pictures->picture_stage(b, picture, i, pixels));
        free(pixels);
    }
    for (int i = 0; picture && i < 2; i++) {
        char what[96];
        image.data = data[i];
        CHECK_OK(b->ops->pictures->picture_place(b, picture, i, input));
        CHECK_OK(b->ops->download(b, got, input, count * sizeof *got));
        CHECK_OK(sgm_preprocess(&config, &image, want, &frame));
        snprintf(what, sizeof what, "protocol %s: %d x %d x %d to %d", protocol->name, width,
                 height, channels, side);
        check_that(memcmp(got, want, count * sizeof *got) == 0, what, __FILE__, __LINE__);
    }
    b->ops->pictures->picture_free(b, picture);
    b->ops->free(b, input);
    sgm_picture_rule_clear(&rule);
    free(data[0]);
    free(data[1]);
    free(want);
    free(got);
}

static void pictures_are_the_hosts(sgm_backend *b)
{
    const sgm_protocol *const protocols[] = {&sgm_protocol_sam, &sgm_protocol_medsam,
                                             &sgm_protocol_lite_medsam, &sgm_protocol_samus,
                                             &sgm_protocol_samihs};
    const int sizes[][2] = {{64, 64}, {33, 70}, {200, 90}, {64, 31}, {1, 9}};
    for (size_t p = 0; p < sizeof protocols / sizeof *protocols; p++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int channels = 1; channels <= 3; channels += 2)
                check_pictures(b, protocols[p], 64, sizes[i][0], sizes[i][1], channels);
}

static void one_picture(void)
{
    sgm_backend *b = NULL;
    if (!CHECK_OK(sgm_cuda_create(0, &b))) return;
    check_pictures(b, &sgm_protocol_medsam, 64, 33, 70, 3);
    b->ops->destroy(b);
}

/* Masks of two maps under way at once, against the host's. */
static void check_masks(sgm_backend *b, const sgm_protocol *protocol, int width, int height)
{
    enum { GRID = 8, LOW = 4 * GRID, MAPS = 3 };
    sgm_model_config config = {.image_size = 16 * GRID, .grid = GRID, .protocol = protocol};
    sgm_frame frame;
    sgm_upscaler *upscaler = NULL;
    sgm_mask_rule rule;
    void *masker = NULL;
    float low[MAPS][LOW * LOW];
    uint8_t *want = malloc((size_t)width * (size_t)height),
            *got = malloc((size_t)width * (size_t)height);
    char *device = b->ops->alloc(b, sizeof low);
    for (int m = 0; m < MAPS; m++)
        for (int i = 0; i < LOW * LOW; i++)
            low[m][i] = (float)(noise() - 128) / 16;
    CHECK_OK(b->ops->upload(b, device, low, sizeof low));
    CHECK_OK(sgm_frame_make(&config, width, height, &frame));
    CHECK_OK(sgm_upscaler_create(&config, &frame, &upscaler));
    sgm_upscaler_rule(upscaler, &rule);
    CHECK_OK(b->ops->pictures->mask_create(b, &rule, &masker));
    for (int i = 0; masker && i <= MAPS; i++) {
        float above = 0.25f * (float)i;
        if (i < MAPS)
            CHECK_OK(b->ops->pictures->mask_start(
                b, masker, (const float *)(device + (size_t)i * sizeof low[0]),
                sgm_upscaler_threshold(upscaler, above)));
        if (i == 0) continue;
        CHECK_OK(b->ops->pictures->mask_finish(b, masker, got));
        sgm_upscaler_mask(upscaler, low[i - 1], above - 0.25f, want);
        size_t differ = 0;
        for (int k = 0; k < width * height; k++)
            differ += want[k] != got[k];
        /* MedSAM's go through expf, where host and device differ by two units in the last place */
        CHECK(differ <= (protocol->probabilities ? 1 : 0));
    }
    b->ops->pictures->mask_free(b, masker);
    b->ops->free(b, device);
    sgm_upscaler_destroy(upscaler);
    free(want);
    free(got);
}

static void pictures_and_masks(void)
{
    sgm_backend *b = NULL;
    if (!CHECK_OK(sgm_cuda_create(0, &b))) return;
    pictures_are_the_hosts(b);
    check_masks(b, &sgm_protocol_sam, 100, 70);
    check_masks(b, &sgm_protocol_sam, 20, 31);
    check_masks(b, &sgm_protocol_medsam, 64, 90);
    b->ops->destroy(b);
}

/* ---------------------------------------------------------------------------------- sessions */

static sgm_context *open_context(sgm_device device, size_t limit)
{
    sgm_context *context = NULL;
    sgm_context_options options = {
        .device = device, .precision = SGM_PRECISION_FP32, .threads = 2, .memory_limit = limit};
    CHECK_OK(sgm_context_create(&options, &context));
    return context;
}

static sgm_model *open_model(sgm_device device)
{
    sgm_model *model = NULL;
    sgm_context *context = open_context(device, 0);
    if (context) CHECK_OK(sgm_model_load(context, weights, "sam_vit", &model));
    sgm_context_destroy(context);
    return model;
}

static sgm_image picture_of(const uint8_t *pixels, int width, int height)
{
    return (sgm_image){.data = pixels, .width = width, .height = height, .channels = 1};
}

/* Upsampled logits beside zero may fall on either side after a sum in another order. */
static void check_same_mask(const uint8_t *want, const uint8_t *got, size_t count, const char *what)
{
    size_t differ = 0;
    for (size_t i = 0; i < count; i++)
        differ += want[i] != got[i];
    if (differ) printf("%s: %zu of %zu differ\n", what, differ, count);
    check_that(differ <= count / 1000, what, __FILE__, __LINE__);
}

static void masks_are_the_cpus(sgm_model *cpu, sgm_model *cuda)
{
    sgm_session *a = NULL, *b = NULL;
    uint8_t *pixels = make_pixels(90, 70, 1);
    sgm_image image = picture_of(pixels, 90, 70);
    sgm_box box = {20, 15, 60, 50};
    sgm_point points[2] = {{30, 30, SGM_FOREGROUND}, {70, 60, SGM_BACKGROUND}};
    sgm_prompt prompts[5] = {{.points = points, .point_count = 1},
                             {.box = &box},
                             {.points = points, .point_count = 2},
                             {.points = points, .point_count = 1},
                             {.points = points, .point_count = 1, .box = &box}};
    sgm_predict_options options[2] = {{.tight_box = SGM_TIGHT_BOX_ON}, {.want_logits = 1}};
    CHECK_OK(sgm_session_create(cpu, &a));
    CHECK_OK(sgm_session_create(cuda, &b));
    CHECK_OK(sgm_session_set_image(a, &image));
    CHECK_OK(sgm_session_set_image(b, &image));
    for (int o = 0; o < 2; o++) {
        sgm_mask want[5], got[5];
        if (!CHECK_OK(sgm_session_predict_many(a, prompts, 5, &options[o], want)) ||
            !CHECK_OK(sgm_session_predict_many(b, prompts, 5, &options[o], got)))
            break;
        for (int i = 0; i < 5; i++) {
            CHECK(want[i].chosen == got[i].chosen);
            CHECK_NEAR(got[i].predicted_iou, want[i].predicted_iou, 1e-4);
            check_same_mask(want[i].data, got[i].data, 90 * 70, "a session's mask");
            if (o) CHECK(got[i].low_res != NULL);
        }
    }
    sgm_session_destroy(a);
    sgm_session_destroy(b);
    free(pixels);
}

static size_t embedding_count(sgm_model *model)
{
    sgm_model_info info;
    sgm_model_get_info(model, &info);
    return info.embedding_count;
}

/* Runs 1 (plain), 2 (recorded) and 3 (replayed) against the first run of fresh sessions. With
 * `fails`, a call that cannot be recorded. */
static void recordings_give_the_same(sgm_model *model, const char *fails)
{
    sgm_session *session = NULL;
    size_t count = embedding_count(model);
    float *got = malloc(count * sizeof *got), *want = malloc(count * sizeof *want);
#ifdef SGM_TEST_EMULATED
    emulation_counts before = emulation_count();
    if (fails) emulation_fail(fails, 999, 0, 0);
#endif
    CHECK_OK(sgm_session_create(model, &session));
    for (int i = 0; i < 3; i++) {
        sgm_session *fresh = NULL;
        uint8_t *pixels = make_pixels(64, 50 + i, 1);
        sgm_image image = picture_of(pixels, 64, 50 + i);
        CHECK_OK(sgm_session_set_image(session, &image));
        CHECK_OK(sgm_session_get_embedding(session, got));
        if (i == 0) {
            free(pixels);
            continue;
        }
        CHECK_OK(sgm_session_create(model, &fresh));
        CHECK_OK(sgm_session_set_image(fresh, &image));
        CHECK_OK(sgm_session_get_embedding(fresh, want));
        CHECK(memcmp(got, want, count * sizeof *got) == 0);
        sgm_session_destroy(fresh);
        free(pixels);
    }
#ifdef SGM_TEST_EMULATED
    emulation_counts after = emulation_count();
    CHECK(after.captures - before.captures == (fails ? 0 : 1));
    CHECK(after.replays - before.replays == (fails ? 0 : 2));
    if (fails) emulation_fail(NULL, 0, 0, 0);
#else
    (void)fails;
#endif
    sgm_session_destroy(session);
    free(got);
    free(want);
}

/* ---------------------------------------------------------------------------------- volumes */

static int16_t voxels[VOXELS];

static void volumes_are_the_cpus(sgm_model *cpu, sgm_model *cuda, sgm_zoom_mode zoom, bool seeded)
{
    sgm_volume volume = disc_volume(voxels, SLICES);
    sgm_roi roi = {{20, 25, 2.5}, {{13, 0, 0}, {0, 13, 0}, {0, 0, 3}}};
    sgm_seed seed = {{20, 25, 1}, SGM_FOREGROUND};
    sgm_object object = {.name = "disc", .rois = &roi, .roi_count = 1};
    if (seeded) object = (sgm_object){.name = "seed", .seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.zoom = zoom};
    sgm_volume_result want, got;
    if (CHECK_OK(sgm_volume_predict(cpu, &volume, &object, 1, &options, NULL, &want)) &&
        CHECK_OK(sgm_volume_predict(cuda, &volume, &object, 1, &options, NULL, &got))) {
        CHECK(got.objects[0].slice_count == want.objects[0].slice_count);
        CHECK(got.encoded >= want.encoded); /* a walk that ends was encoded ahead */
        if (!seeded && zoom == SGM_ZOOM_OFF) CHECK(got.encoded == SLICES);
        check_same_mask(want.objects[0].mask, got.objects[0].mask, VOXELS,
                        zoom == SGM_ZOOM_OFF ? "a volume's mask" : "a zoomed volume's mask");
        sgm_volume_result_clear(&got);
    }
    sgm_volume_result_clear(&want);
}

static void same_as_on_the_cpu(bool eager)
{
    sgm_model *cpu = open_model(SGM_DEVICE_CPU), *cuda = open_model(SGM_DEVICE_CUDA);
    if (cpu && cuda) {
        masks_are_the_cpus(cpu, cuda);
        recordings_give_the_same(cuda, NULL);
        if (eager)
            volumes_are_the_cpus(cpu, cuda, SGM_ZOOM_ON, false);
        else
            volumes_are_the_cpus(cpu, cuda, SGM_ZOOM_OFF, true);
        if (!eager) volumes_are_the_cpus(cpu, cuda, SGM_ZOOM_OFF, false);
    }
    sgm_model_destroy(cpu);
    sgm_model_destroy(cuda);
}

#ifdef SGM_TEST_EMULATED
/* ---------------------------------------------------------------------------------- memory */

/* Eight pictures in one batch, and in the batches that little memory allows. */
static void batches_shrink(size_t spare, size_t limit)
{
    enum { PICTURES = 8 };
    sgm_model *model = NULL;
    sgm_session *session = NULL;
    sgm_context *context = open_context(SGM_DEVICE_CUDA, limit);
    CHECK_OK(sgm_model_load(context, weights, "sam_vit", &model));
    CHECK_OK(sgm_session_create(model, &session));
    size_t count = embedding_count(model);
    float *want = malloc(count * sizeof *want), *got = malloc(count * sizeof *got);
    void *kept[PICTURES];
    uint8_t *pixels[PICTURES];
    for (int i = 0; i < PICTURES; i++) {
        pixels[i] = make_pixels(64, 64, 1);
        sgm_image image = picture_of(pixels[i], 64, 64);
        CHECK((kept[i] = sgm_session_embedding_alloc(session)) != NULL);
        CHECK_OK(sgm_session_stage(session, i, &image));
    }
    sgm_image first = picture_of(pixels[5], 64, 64);
    if (spare) { /* the smallest encoder is there, little else fits */
        sgm_image image = picture_of(pixels[0], 64, 64);
        CHECK_OK(sgm_session_set_image(session, &image));
        emulation_limit_memory(emulation_memory() + spare);
    }
    for (int i = 0; i < PICTURES; i++) {
        sgm_image image = picture_of(pixels[i], 64, 64);
        CHECK_OK(sgm_session_stage(session, i, &image));
    }
    CHECK_OK(sgm_session_encode_staged(session, PICTURES, kept));
    CHECK_OK(sgm_session_embedding_read(session, kept[5], got));
    emulation_limit_memory(0);
    CHECK_OK(sgm_session_set_image(session, &first));
    CHECK_OK(sgm_session_get_embedding(session, want));
    check_close("an embedding of a batch", got, want, count, 1e-5, 1e-4);
    for (int i = 0; i < PICTURES; i++) {
        sgm_session_embedding_free(session, kept[i]);
        free(pixels[i]);
    }
    free(want);
    free(got);
    sgm_session_destroy(session);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
}

static void too_little_memory(void)
{
    sgm_model *model = NULL;
    sgm_session *session = NULL;
    uint8_t *pixels = make_pixels(64, 64, 1);
    sgm_image image = picture_of(pixels, 64, 64);
    sgm_context *context = open_context(SGM_DEVICE_CUDA, 0);
    CHECK_OK(sgm_model_load(context, weights, "sam_vit", &model));
    CHECK_OK(sgm_session_create(model, &session));
    emulation_limit_memory(emulation_memory() + 100000);
    CHECK_STATUS(sgm_session_set_image(session, &image), SGM_OUT_OF_MEMORY, "memory");
    CHECK(!strchr(sgm_last_message(), '\n'));
    emulation_limit_memory(0);
    CHECK_OK(sgm_session_set_image(session, &image)); /* memory has come back */
    sgm_session_destroy(session);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    free(pixels);
}

static char logged[512];

static void keep_log(void *user, const char *sentence)
{
    (void)user;
    snprintf(logged, sizeof logged, "%s", sentence);
}

/* --device auto: a GPU without room for the network is left for the CPU. */
static void auto_takes_the_cpu(void)
{
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_session *session = NULL;
    uint8_t *pixels = make_pixels(64, 64, 1);
    sgm_image image = picture_of(pixels, 64, 64);
    sgm_context_options options = {.threads = 1, .log = keep_log};
    CHECK_OK(sgm_context_create(&options, &context));
    CHECK(strstr(sgm_context_device(context), "cuda") != NULL);
    emulation_limit_memory(emulation_memory() + 100000);
    logged[0] = 0;
    CHECK_OK(sgm_model_load(context, weights, "sam_vit", &model));
    emulation_limit_memory(0);
    CHECK(strstr(sgm_context_device(context), "cpu") != NULL);
    CHECK(strstr(logged, "CPU") && strstr(logged, "memory"));
    CHECK_OK(sgm_session_create(model, &session));
    CHECK_OK(sgm_session_set_image(session, &image));
    sgm_session_destroy(session);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    free(pixels);
}

/* ---------------------------------------------------------------------------------- failures */

/* Opening a device fails with this message, and --device auto takes the CPU. */
static void refuses(const char *call, int error, const char *part)
{
    sgm_context *context = NULL;
    sgm_context_options options = {.device = SGM_DEVICE_CUDA, .threads = 1};
    emulation_fail(call, error, 0, 1);
    CHECK_STATUS(sgm_context_create(&options, &context), SGM_DEVICE, part);
    CHECK(strstr(sgm_last_message(), "--device cpu") && !strchr(sgm_last_message(), '\n'));
    options.device = SGM_DEVICE_AUTO;
    emulation_fail(call, error, 0, 1);
    CHECK_OK(sgm_context_create(&options, &context));
    CHECK(context && strstr(sgm_context_device(context), "cpu"));
    sgm_context_destroy(context);
    emulation_fail(NULL, 0, 0, 0);
}

/* The device is lost in the middle: a status and a sentence, and everything can be destroyed. */
static void survives_a_lost_device(const char *call, int after)
{
    sgm_model *model = open_model(SGM_DEVICE_CUDA);
    sgm_session *session = NULL;
    uint8_t *pixels = make_pixels(64, 64, 1);
    sgm_image image = picture_of(pixels, 64, 64);
    sgm_point point = {20, 20, SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    sgm_mask mask;
    CHECK_OK(sgm_session_create(model, &session));
    emulation_fail(call, ILLEGAL_ADDRESS, after, 1);
    sgm_status status = sgm_session_set_image(session, &image);
    if (status == SGM_OK) status = sgm_session_predict(session, &prompt, NULL, &mask);
    CHECK(status == SGM_DEVICE); /* and not out of memory, which it has none of either */
    CHECK(!strchr(sgm_last_message(), '\n') && !strstr(sgm_last_message(), "no memory"));
    sgm_session_destroy(session);
    sgm_model_destroy(model);
    emulation_fail(NULL, 0, 0, 0);
    free(pixels);
}
#endif

#ifdef SGM_TEST_EMULATED
static void emulated_only(void)
{
    sgm_model *model = open_model(SGM_DEVICE_CUDA);
    recordings_give_the_same(model, "cudaStreamEndCapture");
    sgm_model_destroy(model);
    batches_shrink(0, 0);
    batches_shrink((size_t)3 << 20, 0);
    batches_shrink(0, (size_t)32 << 20); /* one picture: 7 MiB */
    too_little_memory();
    auto_takes_the_cpu();
    refuses("cudaStreamCreateWithFlags", DEVICES_UNAVAILABLE, "another program has the GPU");
    refuses("cudaFuncGetAttributes", NO_KERNEL_IMAGE, "no code");
    refuses("cudaGetDeviceCount", 100, "looking for a GPU");
    refuses("cudaGetDeviceCount", 35,
            "wants NVIDIA driver 580 or later; the driver here serves "
            "CUDA 12.4");
    survives_a_lost_device("cudaEventSynchronize", 1);
    survives_a_lost_device("cudaEventSynchronize", 12);
    survives_a_lost_device("cudaMemcpyAsync", 3);
    survives_a_lost_device("cudaEventRecord", 5);
    survives_a_lost_device("cudaMalloc", 0);
    survives_a_lost_device("cudaMalloc", 1);
    CHECK(emulation_memory() == 0 && emulation_pinned() == 0);
}
#else
static void emulated_only(void) {}
#endif

int main(int argc, char **argv)
{
    sgm_backend *b = NULL;
    if (argc < 2) return 1;
    weights = argv[1];
    if (sgm_cuda_create(0, &b) != SGM_OK) {
        printf("skipped: %s\n", sgm_last_message());
        return 77;
    }
    b->ops->destroy(b);
    if (!strcmp(weights, "order")) {
        one_picture();
        return check_report();
    }
    for (int eager = 0; eager < 2; eager++) {
        emulation_eager(eager);
        pictures_and_masks();
        if (!strcmp(weights, "pictures")) continue;
        same_as_on_the_cpu(eager);
    }
    if (strcmp(weights, "pictures")) emulated_only();
    return check_report();
}
