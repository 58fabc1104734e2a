/* test_session SAM_SMALL.safetensors LITE_MEDSAM.safetensors
 *
 * The public interface on a narrow SAM (256 pixels) with hash weights: what it refuses and says,
 * and what must agree with what. */
#include "../check.h"
#include "../hash_weights.h"
#include "../portable.h"

#include "checkpoint/checkpoint_write.h"
#include "core/status.h"
#include "models/registry.h"
#include "predict/look/session_predictor.h"
#include "predict/session/session_internal.h"

#include <pthread.h>
#include <stdlib.h>

enum { WIDTH = 100, HEIGHT = 80 };

int check_count, check_failures;

static uint8_t pixels[WIDTH * HEIGHT * 3];
static const sgm_image picture = {.data = pixels, .width = WIDTH, .height = HEIGHT, .channels = 3};
static const sgm_point one_point = {40, 30, SGM_FOREGROUND};
static const sgm_prompt by_point = {.points = &one_point, .point_count = 1};
static const sgm_predict_options with_logits = {.want_logits = 1};

static sgm_model *load(const char *path, const char *variant, sgm_context_options options)
{
    sgm_context *context;
    sgm_model *model = NULL;
    options.device = SGM_DEVICE_CPU;
    options.precision = SGM_PRECISION_FP32;
    if (CHECK_OK(sgm_context_create(&options, &context)))
        CHECK_OK(sgm_model_load(context, path, variant, &model));
    sgm_context_destroy(context); /* the model keeps it */
    return model;
}

static sgm_session *open_session(sgm_model *model)
{
    sgm_session *session = NULL;
    if (CHECK_OK(sgm_session_create(model, &session)))
        CHECK_OK(sgm_session_set_image(session, &picture));
    return session;
}

static void refuses_bad_prompts(sgm_session *session)
{
    static sgm_point many[4097];
    sgm_mask mask;
    float *low = calloc(64 * 64, sizeof *low);
    sgm_point bad = {NAN, 3, 1};
    sgm_prompt prompt = {.points = &bad, .point_count = 1};
    CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_PROMPT, "point 1");
    bad = (sgm_point){WIDTH + 1.5, 3, 1};
    CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_PROMPT, "100 x 80");
    bad = (sgm_point){3, INFINITY, 1};
    CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_PROMPT, "point 1");
    bad = (sgm_point){3, 3, 7};
    CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_PROMPT, "label 7");
    prompt = (sgm_prompt){.points = many, .point_count = 4097};
    CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_PROMPT, "4097");
    prompt.point_count = 1000000; /* more than there are: must be refused before they are read */
    CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_PROMPT, "1000000");
    prompt = (sgm_prompt){0};
    CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_PROMPT, "no prompt");
    sgm_box box = {30, 30, 20, 50};
    prompt = (sgm_prompt){.box = &box};
    CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_PROMPT, "empty");
    box = (sgm_box){30, 30, 40, -5};
    CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_PROMPT, "outside");
    low[64 * 3 + 5] = NAN;
    prompt = (sgm_prompt){.mask = low};
    CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_PROMPT, "column 5");
    free(low);
}

static void refuses_bad_images(sgm_model *model)
{
    sgm_session *session;
    sgm_mask mask;
    if (!CHECK_OK(sgm_session_create(model, &session))) return;
    CHECK_STATUS(sgm_session_predict(session, &by_point, NULL, &mask), SGM_INVALID_ARGUMENT,
                 "before predicting");
    sgm_image image = picture;
    image.width = 0;
    CHECK_STATUS(sgm_session_set_image(session, &image), SGM_INVALID_ARGUMENT, "0 x 80");
    image.width = 40000;
    CHECK_STATUS(sgm_session_set_image(session, &image), SGM_INVALID_ARGUMENT, "40000");
    image = picture;
    image.channels = 2;
    CHECK_STATUS(sgm_session_set_image(session, &image), SGM_INVALID_ARGUMENT, "2");
    image.data = NULL;
    CHECK_STATUS(sgm_session_set_image(session, &image), SGM_INVALID_ARGUMENT, "data");
    CHECK_STATUS(sgm_session_set_image(NULL, &image), SGM_INVALID_ARGUMENT, NULL);
    CHECK_STATUS(sgm_session_get_embedding(session, NULL), SGM_INVALID_ARGUMENT, NULL);
    sgm_session_destroy(session);
}

static size_t low_size(const sgm_mask *mask)
{
    return (size_t)mask->mask_tokens * (size_t)mask->low_res_shape[0] *
           (size_t)mask->low_res_shape[1];
}

static float *copy_logits(const sgm_mask *mask)
{
    float *copy = malloc(low_size(mask) * sizeof *copy);
    memcpy(copy, mask->low_res, low_size(mask) * sizeof *copy);
    return copy;
}

/* One point: the best of 1..3; anything more: mask 0; and the options that force either. */
static void chooses_masks(sgm_session *session)
{
    sgm_mask mask;
    sgm_box box = {10, 10, 60, 50};
    sgm_prompt both = {.points = &one_point, .point_count = 1, .box = &box};
    sgm_predict_options multi = {.choice = SGM_CHOOSE_MULTI},
                        single = {.choice = SGM_CHOOSE_SINGLE};
    if (CHECK_OK(sgm_session_predict(session, &by_point, NULL, &mask))) {
        CHECK(mask.chosen >= 1 && mask.chosen <= 3 && mask.low_res == NULL);
        for (int i = 1; i < 4; i++)
            CHECK(mask.predicted_iou >= mask.iou[i]);
    }
    if (CHECK_OK(sgm_session_predict(session, &by_point, &single, &mask))) CHECK(mask.chosen == 0);
    if (CHECK_OK(sgm_session_predict(session, &both, NULL, &mask))) CHECK(mask.chosen == 0);
    if (CHECK_OK(sgm_session_predict(session, &both, &multi, &mask))) CHECK(mask.chosen > 0);
}

/* Eleven prompts of two kinds at once give what they give one by one. */
static void batches_agree(sgm_session *session)
{
    enum { COUNT = 11 };
    sgm_point points[COUNT];
    sgm_box box = {10, 10, 60, 50};
    sgm_prompt prompts[COUNT];
    sgm_mask many[COUNT], single;
    float *logits[COUNT];
    for (int i = 0; i < COUNT; i++) {
        points[i] = (sgm_point){5 + 8 * i, 10 + 5 * i, i % 3 != 0};
        prompts[i] = (sgm_prompt){.points = &points[i], .point_count = 1};
        if (i == 9) prompts[i].box = &box;
    }
    if (!CHECK_OK(sgm_session_predict_many(session, prompts, COUNT, &with_logits, many))) return;
    for (int i = 0; i < COUNT; i++)
        logits[i] = copy_logits(&many[i]);
    for (int i = 0; i < COUNT; i++) {
        if (CHECK_OK(sgm_session_predict(session, &prompts[i], &with_logits, &single)))
            check_close("batch and single", logits[i], single.low_res, low_size(&single), 1e-4, 0);
        free(logits[i]);
    }
    CHECK_OK(sgm_session_predict_many(session, prompts, 0, NULL, many));
}

typedef struct handed {
    const sgm_mask *want;
    size_t count, last; /* how many came; after which to stop */
    int differ;
} handed;

static int take_one(void *user, size_t index, const sgm_mask *mask)
{
    handed *h = user;
    const sgm_mask *want = &h->want[index];
    h->differ += index != h->count || mask->chosen != want->chosen ||
                 memcmp(mask->data, want->data, (size_t)WIDTH * HEIGHT) != 0;
    return ++h->count == h->last;
}

/* One after the other, in order, what all at once are; memory for a few of them. */
static void hands_out_one_by_one(sgm_model *model)
{
    enum { COUNT = 37 };
    sgm_point points[COUNT];
    sgm_prompt prompts[COUNT];
    sgm_mask masks[COUNT];
    sgm_session *session = open_session(model), *other = open_session(model);
    if (!session || !other) return;
    for (int i = 0; i < COUNT; i++) {
        points[i] = (sgm_point){3 + 2 * i, 4 + 2 * i, 1};
        prompts[i] = (sgm_prompt){.points = &points[i], .point_count = 1};
    }
    handed h = {.want = masks};
    CHECK_OK(sgm_session_predict_many(session, prompts, COUNT, NULL, masks));
    CHECK_OK(sgm_session_predict_each(other, prompts, COUNT, NULL, take_one, &h));
    CHECK(h.count == COUNT && h.differ == 0);
    CHECK(8 * other->masks.size < 2 * session->masks.size);
    h = (handed){.want = masks, .last = 12};
    CHECK_STATUS(sgm_session_predict_each(other, prompts, COUNT, NULL, take_one, &h), SGM_CANCELLED,
                 "12 of 37");
    CHECK(h.count == 12);
    prompts[20].mask = other->low_res.data;
    CHECK_STATUS(sgm_session_predict_each(other, prompts, COUNT, NULL, take_one, &h),
                 SGM_INVALID_ARGUMENT, "prompt 21");
    sgm_session_destroy(session);
    sgm_session_destroy(other);
}

/* Everything that a session works with stays within the limit, and it works. */
static void keeps_to_the_limit(const char *path)
{
    sgm_model *model = load(path, "sam_vit", (sgm_context_options){0});
    sgm_session *session = model ? open_session(model) : NULL;
    if (!session) return;
    size_t limit =
        sgm_session_workspaces(session) + 4096; /* the encoder's alone, but for the rounding */
    sgm_model *tight = load(path, "sam_vit", (sgm_context_options){.memory_limit = limit});
    sgm_session *small = tight ? open_session(tight) : NULL;
    for (size_t count = 1; small && count <= 6; count++) {
        sgm_point points[6];
        sgm_mask want, got;
        sgm_prompt prompt = {.points = points, .point_count = count};
        for (int i = 0; i < 6; i++)
            points[i] = (sgm_point){10 + 9 * i, 20 + 5 * i, 1};
        if (count == 4) CHECK_OK(sgm_session_set_image(small, &picture));
        CHECK_OK(sgm_session_predict(session, &prompt, NULL, &want));
        CHECK_OK(sgm_session_predict(small, &prompt, NULL, &got));
        CHECK(memcmp(want.data, got.data, (size_t)WIDTH * HEIGHT) == 0);
        CHECK(sgm_session_workspaces(small) <= limit);
    }
    CHECK(sgm_session_workspaces(session) > limit);
    sgm_session_destroy(small);
    sgm_model_destroy(tight);
    sgm_session_destroy(session);
    sgm_model_destroy(model);
}

/* The last logits as a mask prompt, in place and as a copy. */
static void refines_in_place(sgm_session *session)
{
    sgm_mask mask;
    if (!CHECK_OK(sgm_session_predict(session, &by_point, &with_logits, &mask))) return;
    size_t low = low_size(&mask) / (size_t)mask.mask_tokens;
    float *copy = copy_logits(&mask), *first = NULL;
    sgm_prompt again = by_point;
    again.mask = mask.low_res + (size_t)mask.chosen * low;
    size_t offset = (size_t)mask.chosen * low;
    if (CHECK_OK(sgm_session_predict(session, &again, &with_logits, &mask)))
        first = copy_logits(&mask);
    again.mask = copy + offset;
    if (CHECK_OK(sgm_session_predict(session, &again, &with_logits, &mask)) && first)
        check_close("refined", first, mask.low_res, low_size(&mask), 0, 0);
    free(first);
    free(copy);
}

static void embeddings_travel(sgm_model *model, sgm_session *session)
{
    sgm_model_info info;
    sgm_mask mask;
    sgm_session *other = NULL;
    sgm_model_get_info(model, &info);
    float *values = malloc(info.embedding_count * sizeof *values);
    if (CHECK_OK(sgm_session_get_embedding(session, values)) &&
        CHECK_OK(sgm_session_create(model, &other)) &&
        CHECK_OK(sgm_session_set_embedding(other, values, WIDTH, HEIGHT)) &&
        CHECK_OK(sgm_session_predict(session, &by_point, &with_logits, &mask))) {
        float *want = copy_logits(&mask);
        if (CHECK_OK(sgm_session_predict(other, &by_point, &with_logits, &mask)))
            check_close("embedding set", mask.low_res, want, low_size(&mask), 0, 0);
        free(want);
    }
    CHECK_STATUS(sgm_session_set_embedding(other, values, 0, 5), SGM_INVALID_ARGUMENT, "0 x 5");
    values[info.embedding_count - 1] = NAN;
    CHECK_STATUS(sgm_session_set_embedding(other, values, WIDTH, HEIGHT), SGM_INVALID_ARGUMENT,
                 "not a number");
    values[info.embedding_count - 1] = -INFINITY;
    CHECK_STATUS(sgm_session_set_embedding(other, values, WIDTH, HEIGHT), SGM_INVALID_ARGUMENT,
                 "not finite");
    sgm_session_destroy(other);
    free(values);
}

static void hashes_tell_inputs_apart(sgm_session *session)
{
    uint64_t a, b, c;
    uint8_t kept = pixels[5000];
    CHECK_OK(sgm_session_input_hash(session, &picture, &a));
    CHECK_OK(sgm_session_input_hash(session, &picture, &b));
    pixels[5000] ^= 128;
    CHECK_OK(sgm_session_input_hash(session, &picture, &c));
    pixels[5000] = kept;
    CHECK(a == b && a != c);
}

/* Grey, three equal channels, and rows with gaps between them are the same picture. */
static void layouts_agree(sgm_session *session)
{
    static uint8_t grey[WIDTH * HEIGHT], rgb[HEIGHT * 400];
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        grey[i] = pixels[3 * i];
        for (size_t c = 0; c < 3; c++)
            rgb[i / WIDTH * 400 + i % WIDTH * 3 + c] = grey[i];
    }
    sgm_image one = {.data = grey, .width = WIDTH, .height = HEIGHT, .channels = 1};
    sgm_image three = {.data = rgb, .width = WIDTH, .height = HEIGHT, .channels = 3, .stride = 400};
    uint64_t a, b;
    CHECK_OK(sgm_session_input_hash(session, &one, &a));
    CHECK_OK(sgm_session_input_hash(session, &three, &b));
    CHECK(a == b);
}

static int say_stop(void *user)
{
    (void)user;
    return 1;
}

static void obeys_the_context(const char *path)
{
    sgm_session *session = NULL;
    sgm_model *model = load(path, "sam_vit", (sgm_context_options){.cancel = say_stop});
    if (model && CHECK_OK(sgm_session_create(model, &session)))
        CHECK_STATUS(sgm_session_set_image(session, &picture), SGM_CANCELLED, NULL);
    sgm_session_destroy(session);
    sgm_model_destroy(model);
    session = NULL;
    model = load(path, "sam_vit", (sgm_context_options){.memory_limit = 4096});
    if (model && CHECK_OK(sgm_session_create(model, &session)))
        CHECK_STATUS(sgm_session_set_image(session, &picture), SGM_OUT_OF_MEMORY, NULL);
    sgm_session_destroy(session);
    sgm_model_destroy(model);
}

typedef struct worker {
    pthread_t thread;
    sgm_model *model;
    sgm_status status;
    float logits[8];
} worker;

static void *work(void *user)
{
    worker *w = user;
    sgm_session *session = NULL;
    sgm_mask mask;
    w->status = sgm_session_create(w->model, &session);
    if (w->status == SGM_OK) w->status = sgm_session_set_image(session, &picture);
    if (w->status == SGM_OK)
        w->status = sgm_session_predict(session, &by_point, &with_logits, &mask);
    if (w->status == SGM_OK) memcpy(w->logits, mask.low_res, sizeof w->logits);
    sgm_session_destroy(session);
    return NULL;
}

/* Sessions of one model in several threads, made and used at the same time. */
static void threads_agree(const char *path)
{
    worker workers[3] = {0};
    sgm_model *model = load(path, "sam_vit", (sgm_context_options){.threads = 2});
    for (int i = 0; model && i < 3; i++) {
        workers[i].model = model;
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; model && i < 3; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK(workers[i].status == SGM_OK);
        check_close("threads", workers[i].logits, workers[0].logits, 8, 0, 0);
    }
    sgm_model_destroy(model);
}

/* A copy of the checkpoint in which one tensor is missing, of another shape or of another type must
 * be refused with its name. */
static void refuses_damage(const char *path, const char *name, bool keep, sgm_stored_type type,
                           int64_t rows, const char *says)
{
    const char *damaged = "damaged.safetensors";
    sgm_checkpoint *checkpoint;
    sgm_checkpoint_writer *writer;
    static const int32_t zeros[4096];
    if (!CHECK_OK(sgm_checkpoint_open(path, &checkpoint))) return;
    CHECK_OK(sgm_checkpoint_writer_create(&writer));
    for (size_t i = 0; i < sgm_checkpoint_count(checkpoint); i++) {
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(checkpoint, i);
        if (strcmp(t->name, name) != 0)
            CHECK_OK(sgm_checkpoint_writer_add(writer, t, SGM_STORED_F32));
        else if (keep)
            CHECK_OK(sgm_checkpoint_writer_add_raw(writer, name, type, 1, &rows, zeros));
    }
    CHECK_OK(sgm_checkpoint_writer_save(writer, damaged));
    sgm_checkpoint_writer_destroy(writer);
    sgm_checkpoint_close(checkpoint);
    sgm_context *context;
    sgm_model *model;
    sgm_context_options options = {.device = SGM_DEVICE_REFERENCE};
    if (CHECK_OK(sgm_context_create(&options, &context))) {
        CHECK_STATUS(sgm_model_load(context, damaged, NULL, &model), SGM_BAD_MODEL, name);
        CHECK_STATUS(sgm_model_load(context, damaged, NULL, &model), SGM_BAD_MODEL, says);
        CHECK(model == NULL);
    }
    sgm_context_destroy(context);
    remove(damaged);
}

/* Weights that are no numbers, as a training that diverged leaves them: an error and not an empty
 * mask, be it that all of the answer is lost, the ratings, or the logits. */
static void says_that_weights_are_no_numbers(const char *path, const char *name)
{
    static float numbers[1 << 20];
    sgm_checkpoint *checkpoint;
    sgm_checkpoint_writer *writer;
    sgm_mask mask;
    if (!CHECK_OK(sgm_checkpoint_open(path, &checkpoint))) return;
    CHECK_OK(sgm_checkpoint_writer_create(&writer));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        numbers[i] = NAN;
    for (size_t i = 0; i < sgm_checkpoint_count(checkpoint); i++) {
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(checkpoint, i);
        if (strcmp(t->name, name) != 0)
            CHECK_OK(sgm_checkpoint_writer_add(writer, t, SGM_STORED_F32));
        else if (CHECK(t->count <= sizeof numbers / sizeof *numbers))
            CHECK_OK(sgm_checkpoint_writer_add_f32(writer, name, t->rank, t->shape, numbers,
                                                   SGM_STORED_F32));
    }
    CHECK_OK(sgm_checkpoint_writer_save(writer, "no_numbers.safetensors"));
    sgm_checkpoint_writer_destroy(writer);
    sgm_checkpoint_close(checkpoint);
    sgm_model *model = load("no_numbers.safetensors", "sam_vit", (sgm_context_options){0});
    sgm_session *session = model ? open_session(model) : NULL;
    sgm_point point = {.x = 20, .y = 30, .label = SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    if (session)
        CHECK_STATUS(sgm_session_predict(session, &prompt, NULL, &mask), SGM_BAD_MODEL,
                     "no_numbers.safetensors: the network's answer is not a number");
    sgm_session_destroy(session);
    sgm_model_destroy(model);
    remove("no_numbers.safetensors");
}

static void architectures_travel_as_text(void)
{
    sgm_model_config config, back;
    char text[512], again[512];
    for (int i = 0; sgm_variant_name(i); i++) {
        if (!CHECK(sgm_variant_config(sgm_variant_name(i), &config))) continue;
        sgm_config_text(&config, text);
        if (CHECK_OK(sgm_config_parse(text, &back))) {
            sgm_config_text(&back, again);
            CHECK(strcmp(text, again) == 0 && back.grid == config.grid);
        }
    }
    const char *trained =
        "tiny_vit protocol=sam norm=none image=128 decoder_dim=128 decoder_heads=4 decoder_depth=2 "
        "decoder_mlp=512 mask_tokens=4 high_res=1 stem_kernel=3 stem_strides=2,2 "
        "dims=48,96,128,160 depths=2,2,3,2 heads=2,3,4,5 windows=8,8,16,8 merge_strides=2,1,1 "
        "expand=3 mlp_ratio=3";
    if (CHECK_OK(sgm_config_parse(trained, &config))) {
        sgm_config_text(&config, text);
        CHECK(strcmp(text, trained) == 0 && config.protocol == &sgm_protocol_sam_crops);
        CHECK(config.grid == 16 && sgm_config_embedding_count(&config) == 16 * 16 * 128 * 4);
        config.tiny.merge_stride[1] = 2; /* no features of 4 x the grid any more */
        CHECK_STATUS(sgm_config_check(&config), SGM_BAD_MODEL, "high_res");
    }
    /* small networks have learnt on crops, large ones have not */
    CHECK_OK(sgm_config_parse("tiny_vit protocol=sam image=512 dims=64,128,160,320 depths=2,2,6,2 "
                              "heads=2,4,5,10 windows=7,7,14,7 merge_strides=2,2,1 expand=4 "
                              "mlp_ratio=4 stem_kernel=3 stem_strides=2,2",
                              &config));
    CHECK(config.protocol == &sgm_protocol_sam_crops);
    CHECK(sgm_variant_config("mobile_sam", &config) && config.protocol == &sgm_protocol_sam);
    sgm_variant_config("sam_vit_b", &config);
    config.decoder.high_res = 1;
    CHECK_STATUS(sgm_config_check(&config), SGM_BAD_MODEL, "high_res");
    CHECK_STATUS(sgm_config_parse("cube image=256", &back), SGM_BAD_MODEL, "cube");
    CHECK_STATUS(sgm_config_parse("vit image=1e9", &back), SGM_BAD_MODEL, "1e9");
    CHECK_STATUS(sgm_config_parse("tiny_vit image=256 dims=1,2,3", &back), SGM_BAD_MODEL, "1,2,3");
    sgm_variant_config("sam_vit_b", &config);
    config.vit.heads = 7;
    CHECK_STATUS(sgm_config_check(&config), SGM_BAD_MODEL, "heads");
    config.vit.heads = 12;
    config.image_size = 1 << 20;
    CHECK_STATUS(sgm_config_check(&config), SGM_BAD_MODEL, "image");
}

/* TinyViT at 256 with a pointwise stem is told from MobileSAM by its shapes, and predicts. */
static void lite_medsam_runs(const char *path)
{
    sgm_model_info info;
    sgm_mask mask;
    sgm_box box = {20, 10, 70, 60};
    sgm_prompt prompt = {.box = &box};
    sgm_model *model = load(path, NULL, (sgm_context_options){0});
    if (!model) return;
    sgm_model_get_info(model, &info);
    CHECK(!strcmp(info.variant, "lite_medsam") && info.image_size == 256);
    CHECK(info.low_res_shape[0] == 256 && info.assumption[0] == 0);
    sgm_session *session = open_session(model);
    if (CHECK_OK(sgm_session_predict(session, &prompt, NULL, &mask)))
        CHECK(mask.width == WIDTH && mask.height == HEIGHT && mask.chosen == 0);
    sgm_session_destroy(session);
    sgm_model_destroy(model);
}

/* The bundled model: features of several strides travel inside the embedding. The fast kernels and
 * the plain loops agree as far as single precision sums of some hundred terms do. */
static void bundled_model_runs(const char *path)
{
    sgm_model *fast = load(path, NULL, (sgm_context_options){.precision = SGM_PRECISION_FP32});
    sgm_model *plain = load(path, NULL, (sgm_context_options){.device = SGM_DEVICE_REFERENCE});
    sgm_session *session = fast ? open_session(fast) : NULL;
    sgm_session *other = plain ? open_session(plain) : NULL;
    sgm_mask mask;
    if (session && other &&
        CHECK_OK(sgm_session_predict(session, &by_point, &with_logits, &mask))) {
        float *got = copy_logits(&mask);
        if (CHECK_OK(sgm_session_predict(other, &by_point, &with_logits, &mask)))
            check_close("bundled", got, mask.low_res, low_size(&mask), 1e-3, 1e-3);
        free(got);
        batches_agree(session);
        refines_in_place(session);
        embeddings_travel(fast, session);
    }
    sgm_session_destroy(session);
    sgm_session_destroy(other);
    sgm_model_destroy(fast);
    sgm_model_destroy(plain);
}

/* Writes the checkpoint again, with one tensor more unless `extra` is NULL, and with a stop rating
 * unless `rating` is NULL. */
static void copy_rated(const char *path, const char *extra, const char *rating, const char *to)
{
    static const float values[4] = {1, 2, 3, 4};
    static const int64_t four = 4;
    sgm_checkpoint *checkpoint;
    sgm_checkpoint_writer *writer;
    if (!CHECK_OK(sgm_checkpoint_open(path, &checkpoint))) return;
    CHECK_OK(sgm_checkpoint_writer_create(&writer));
    CHECK_OK(sgm_checkpoint_writer_add_all(writer, checkpoint, SGM_STORED_F32));
    if (extra)
        CHECK_OK(sgm_checkpoint_writer_add_f32(writer, extra, 1, &four, values, SGM_STORED_F32));
    if (rating) CHECK_OK(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_STOP_RATING, rating));
    CHECK_OK(sgm_checkpoint_writer_save(writer, to));
    sgm_checkpoint_writer_destroy(writer);
    sgm_checkpoint_close(checkpoint);
}

static void copy_checkpoint(const char *path, const char *extra, const char *to)
{
    copy_rated(path, extra, NULL, to);
}

static void stops_at(const char *path, const char *rating, float wanted)
{
    sgm_session_predictor binding;
    copy_rated(path, NULL, rating, "rated.safetensors");
    sgm_model *model = load("rated.safetensors", "sam_vit", (sgm_context_options){0});
    if (model && CHECK_OK(sgm_session_predictor_init(&binding, model))) {
        CHECK(binding.predictor.stop_rating == wanted);
        CHECK(binding.predictor.far_rating == 0); /* what the file does not say does not matter */
        CHECK(sgm_walk_is_by_mask(&binding.predictor.walk)); /* as the row of small networks says */
        CHECK(binding.predictor.walk_in_box.points == 3);    /* it has not learnt what that means */
        sgm_session_predictor_clear(&binding);
    }
    sgm_model_destroy(model);
}

/* What ends a walk by masks is the checkpoint's to say, where it says something that can be. */
static void walks_stop_where_the_checkpoint_says(const char *path)
{
    stops_at(path, NULL, 0.35f);
    stops_at(path, "0.5", 0.5f);
    stops_at(path, "0", 0);
    stops_at(path, "1.5", 0.35f);
    stops_at(path, "nan", 0.35f);
    stops_at(path, "never", 0.35f);
}

/* How a lone point chooses is the file's to say, all of it or nothing. */
static void check_point_rating(const char *path, const char *text, double last)
{
    sgm_session_predictor binding;
    sgm_checkpoint *checkpoint;
    sgm_checkpoint_writer *writer;
    CHECK_OK(sgm_checkpoint_open(path, &checkpoint));
    CHECK_OK(sgm_checkpoint_writer_create(&writer));
    CHECK_OK(sgm_checkpoint_writer_add_all(writer, checkpoint, SGM_STORED_F32));
    if (text) CHECK_OK(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_POINT_RATING, text));
    CHECK_OK(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_MASK_THRESHOLD, "-0.25"));
    CHECK_OK(sgm_checkpoint_writer_save(writer, "rated.safetensors"));
    sgm_checkpoint_writer_destroy(writer);
    sgm_checkpoint_close(checkpoint);
    sgm_model *model = load("rated.safetensors", "sam_vit", (sgm_context_options){0});
    if (model && CHECK_OK(sgm_session_predictor_init(&binding, model))) {
        const sgm_point_rating *rating = binding.predictor.point_rating;
        CHECK((rating != NULL) == (last != 0));
        CHECK(!rating || (rating->weights[0] == -1.5 && rating->weights[14] == last));
        CHECK(binding.predictor.mask_threshold == -0.25f);
        sgm_session_predictor_clear(&binding);
    }
    sgm_model_destroy(model);
}

static void check_point_ratings(const char *path)
{
    check_point_rating(path, NULL, 0);
    check_point_rating(path, "-1.5,2,3,4,5,6,7,8,9,10,11,12,13,14,15", 15);
    check_point_rating(path, "-1.5,2,3,4,5,6,7,8,9,10,11,12,13,14", 0);
    check_point_rating(path, "-1.5,2,3,4,5,6,7,8,9,10,11,12,13,14,nan", 0);
}

/* A file with adapters that SAM does not have is not SAM with something left over. */
static void refuses_what_it_would_not_use(const char *path)
{
    sgm_context_options options = {.device = SGM_DEVICE_REFERENCE};
    sgm_context *context;
    sgm_model *model = NULL;
    if (!CHECK_OK(sgm_context_create(&options, &context))) return;
    copy_checkpoint(path, "image_encoder.blocks.0.some_adapter", "more.safetensors");
    CHECK_STATUS(sgm_model_load(context, "more.safetensors", NULL, &model), SGM_BAD_MODEL,
                 "1 of its tensors have no place in sam_vit: image_encoder.blocks.0.some_adapter");
    copy_checkpoint(path, "pixel_mean", "more.safetensors");
    CHECK_OK(sgm_model_load(context, "more.safetensors", NULL, &model));
    sgm_model_destroy(model);
    sgm_context_destroy(context);
}

/* Somebody overwrites the file in place while the model lives: an error, not SIGBUS. Windows lets
 * nobody cut what is mapped. */
static void survives_a_cut_file(const char *path)
{
    copy_checkpoint(path, NULL, "cut.safetensors");
    sgm_model *model = load("cut.safetensors", "sam_vit", (sgm_context_options){0});
    sgm_session *session = NULL;
    bool cut = truncate("cut.safetensors", 8192) == 0;
    CHECK(cut == POSIX_FILES);
    if (model && CHECK_OK(sgm_session_create(model, &session)))
        CHECK_STATUS(sgm_session_set_image(session, &picture), cut ? SGM_BAD_MODEL : SGM_OK,
                     "cut.safetensors: the file has been cut");
    sgm_session_destroy(session);
    sgm_model_destroy(model);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 1;
    const char *path = argv[1];
    hash_image(WIDTH, HEIGHT, 1, pixels);
    sgm_model *model = load(path, "sam_vit", (sgm_context_options){0});
    sgm_session *session = model ? open_session(model) : NULL;
    if (session) {
        refuses_bad_prompts(session);
        refuses_bad_images(model);
        chooses_masks(session);
        batches_agree(session);
        refines_in_place(session);
        embeddings_travel(model, session);
        hashes_tell_inputs_apart(session);
        layouts_agree(session);
        hands_out_one_by_one(model);
    }
    sgm_model_destroy(model); /* the session keeps it */
    sgm_session_destroy(session);
    walks_stop_where_the_checkpoint_says(path);
    check_point_ratings(path);
    obeys_the_context(path);
    keeps_to_the_limit(path);
    threads_agree(path);
    refuses_damage(path, "image_encoder.neck.3.bias", false, 0, 0, "missing");
    refuses_damage(path, "image_encoder.neck.3.bias", true, SGM_STORED_F32, 255, "(255)");
    refuses_damage(path, "mask_decoder.iou_token.weight", false, 0, 0, "(1, 256)");
    refuses_damage(path, "prompt_encoder.no_mask_embed.weight", false, 0, 0, "missing");
    refuses_damage(path, "image_encoder.neck.1.weight", true, SGM_STORED_I32, 256, "I32");
    refuses_what_it_would_not_use(path);
    says_that_weights_are_no_numbers(path, "image_encoder.neck.2.weight");
    says_that_weights_are_no_numbers(path, "mask_decoder.output_upscaling.3.bias");
    says_that_weights_are_no_numbers(path, "mask_decoder.iou_prediction_head.layers.2.bias");
    survives_a_cut_file(path);
    architectures_travel_as_text();
    lite_medsam_runs(argv[2]);
    if (argc > 3) bundled_model_runs(argv[3]);
    return check_report();
}
