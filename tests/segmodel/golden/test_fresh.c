/* test_fresh SAM_SMALL.safetensors
 *
 * A fresh SAMIHS is SAM: its adapters change nothing before training. A fresh SAMed is asked for a
 * class, in a volume too. On narrow networks. */
#include "../check.h"
#include "../hash_weights.h"

#include "checkpoint/checkpoint_write.h"
#include "models/registry.h"
#include "predict/session/model.h"
#include "segmodel/classes.h"
#include "tool/fresh_network.h"
#include "train/train_weights.h"

#include <stdlib.h>

enum { SIDE = 224 };

/* The embedding of the same input by the model of a file. malloc'ed; NULL after a failure. */
static float *embed(const char *path, const float *input, size_t *count)
{
    sgm_context_options options = {.device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    sgm_program_key key = {.stage = SGM_STAGE_ENCODE, .batch = 1};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_program *p = NULL;
    sgm_workspace *workspace = NULL;
    float *values = NULL;
    if (CHECK_OK(sgm_context_create(&options, &context)) &&
        CHECK_OK(sgm_model_load(context, path, NULL, &model)) &&
        CHECK_OK(sgm_model_program(model, key, &p)) &&
        CHECK_OK(sgm_workspace_create(p->plan, &workspace)) &&
        CHECK_OK(sgm_workspace_set(workspace, p->image, input)) &&
        CHECK_OK(sgm_plan_run(p->plan, workspace))) {
        *count = (size_t)sgm_shape_count(p->features.node[0]->shape);
        values = malloc(*count * sizeof *values);
        CHECK_OK(sgm_workspace_get(workspace, p->features.node[0], values));
    }
    sgm_workspace_destroy(workspace);
    if (model) sgm_model_release(model, p);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return values;
}

/* A network of the variant out of the file, for pictures of SIDE pixels: 14 x 14 tokens, one
 * window, because SAMIHS fills windows before the norm and SAM after it. */
static void save_fresh(const char *from, const char *variant, const char *to, size_t zero,
                       size_t made)
{
    fresh_network fresh;
    if (!CHECK_OK(fresh_network_make(from, NULL, variant, &fresh))) return;
    for (size_t i = 0; i < fresh.count; i++) {
        zero -= fresh.tensors[i].origin == SGM_ORIGIN_ZERO;
        made -= fresh.tensors[i].origin == SGM_ORIGIN_MADE;
    }
    CHECK(zero == 0 && made == 0);
    fresh.config.image_size = SIDE;
    CHECK_OK(sgm_config_check(&fresh.config));
    CHECK_OK(fresh_network_save(&fresh, to, SGM_STORED_F32, NULL, 0));
    fresh_network_clear(&fresh);
}

/* Says where the object is by one seed, and which class is meant. */
static sgm_status segment(sgm_model *model, int class_index, sgm_volume_result *out)
{
    enum { WIDTH = 24, DEPTH = 3 };
    static uint8_t voxels[DEPTH * WIDTH * WIDTH];
    const sgm_seed seed = {.index = {12, 12, 1}, .label = SGM_FOREGROUND};
    const sgm_object object = {.seeds = &seed, .seed_count = 1};
    sgm_volume volume = {.data = voxels,
                         .type = SGM_VOXEL_U8,
                         .channels = 1,
                         .size = {WIDTH, WIDTH, DEPTH},
                         .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    sgm_volume_options options = sgm_volume_options_init();
    for (int i = 0; i < DEPTH * WIDTH * WIDTH; i++)
        voxels[i] = (uint8_t)(i * 37 % 251);
    options.class_index = class_index;
    options.axis = SGM_AXIS_K;
    return sgm_volume_predict(model, &volume, &object, 1, &options, NULL, out);
}

/* A picture asked for a class gives what a session gives. */
static void pictures_ask_for_a_class(sgm_model *model)
{
    enum { WIDTH = 90, HEIGHT = 70 };
    static uint8_t pixels[WIDTH * HEIGHT];
    sgm_image image = {.data = pixels, .width = WIDTH, .height = HEIGHT, .channels = 1};
    sgm_prompt prompt = {.class_index = 3}, none = {0};
    sgm_session *session = NULL;
    sgm_picture *picture = NULL;
    sgm_mask want, got;
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        pixels[i] = (uint8_t)(i * 29 % 241);
    if (CHECK_OK(sgm_session_create(model, &session)) &&
        CHECK_OK(sgm_session_set_image(session, &image)) &&
        CHECK_OK(sgm_session_predict(session, &prompt, NULL, &want)) &&
        CHECK_OK(sgm_picture_create(model, NULL, &picture)) &&
        CHECK_OK(sgm_picture_set_image(picture, &image)) &&
        CHECK_OK(sgm_picture_predict(picture, &prompt, NULL, NULL, &got))) {
        CHECK(!memcmp(want.data, got.data, sizeof pixels));
        CHECK_STATUS(sgm_picture_predict(picture, &none, NULL, NULL, &got), SGM_BAD_PROMPT,
                     "none is given");
    }
    static uint16_t labels[WIDTH * HEIGHT];
    if (session && CHECK_OK(sgm_session_predict_labels(session, labels)))
        for (int c = 1; c <= 8; c++) { /* the map is what every class is by itself */
            sgm_prompt one = {.class_index = c};
            if (!CHECK_OK(sgm_session_predict(session, &one, NULL, &want))) continue;
            int differ = 0;
            for (int i = 0; i < WIDTH * HEIGHT; i++)
                differ += (labels[i] == c) != want.data[i];
            CHECK(differ == 0);
        }
    sgm_picture_destroy(picture);
    sgm_session_destroy(session);
}

enum { ACROSS = 24, SLICES = 3 };

/* Slice by slice what a session gives of the same pictures, in one run and without a prompt; one
 * class by itself is its part of the map; what cannot be asked is refused. */
static void volumes_give_all_classes(sgm_model *model, bool disjoint)
{
    static uint8_t voxels[SLICES * ACROSS * ACROSS];
    static uint16_t labels[SLICES][ACROSS * ACROSS];
    const int one[1] = {6}, beyond[1] = {9}, twice[2] = {3, 3};
    const sgm_volume volume = {.data = voxels,
                               .type = SGM_VOXEL_U8,
                               .channels = 1,
                               .size = {ACROSS, ACROSS, SLICES},
                               .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    sgm_volume_options options = sgm_volume_options_init();
    sgm_volume_result all = {0}, alone = {0}, none = {0};
    sgm_session *session = NULL;
    int differ = 0, found = 0, outside = 0;
    options.axis = SGM_AXIS_K;
    for (int i = 0; i < SLICES * ACROSS * ACROSS; i++)
        voxels[i] = (uint8_t)(i * 37 % 251);
    if (!CHECK_OK(sgm_session_create(model, &session))) return;
    for (int k = 0; k < SLICES; k++) {
        sgm_image image = {
            .data = voxels + k * ACROSS * ACROSS, .width = ACROSS, .height = ACROSS, .channels = 1};
        CHECK_OK(sgm_session_set_image(session, &image));
        CHECK_OK(sgm_session_predict_labels(session, labels[k]));
    }
    sgm_session_destroy(session);
    if (CHECK_OK(sgm_volume_predict_classes(model, &volume, NULL, 0, &options, NULL, &all)) &&
        CHECK_OK(sgm_volume_predict_classes(model, &volume, one, 1, &options, NULL, &alone)) &&
        CHECK(all.object_count == 8 && alone.object_count == 1))
        for (int i = 0; i < SLICES * ACROSS * ACROSS; i++) {
            int label = labels[i / (ACROSS * ACROSS)][i % (ACROSS * ACROSS)];
            for (int c = 1; c <= 8; c++)
                differ += (label == c) != all.objects[c - 1].mask[i];
            found += label > 0;
            outside += alone.objects[0].mask[i] < (label == 6) ||
                       (disjoint && alone.objects[0].mask[i] > (label == 6));
        }
    CHECK(differ == 0 && outside == 0 && found > 0);
    CHECK(all.objects && all.objects[0].slice_count == SLICES && all.encoded == SLICES);
    CHECK_STATUS(sgm_volume_predict_classes(model, &volume, beyond, 1, &options, NULL, &none),
                 SGM_BAD_PROMPT, "there is no class 9");
    CHECK_STATUS(sgm_volume_predict_classes(model, &volume, twice, 2, &options, NULL, &none),
                 SGM_INVALID_ARGUMENT, "twice");
    sgm_volume_result_clear(&all);
    sgm_volume_result_clear(&alone);
}

/* Which networks answer without a prompt. */
static void classes_and_places(const char *sam)
{
    sgm_context_options options = {.device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    sgm_context *context = NULL;
    sgm_model *model = NULL, *plain = NULL;
    fresh_network fresh;
    sgm_volume_result none = {0};
    static const uint8_t voxels[8] = {0};
    const sgm_volume volume = {.data = voxels,
                               .type = SGM_VOXEL_U8,
                               .channels = 1,
                               .size = {2, 2, 2},
                               .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    if (!CHECK_OK(fresh_network_make(sam, NULL, "surgicalsam", &fresh))) return;
    fresh.config.image_size = 256;
    CHECK_OK(sgm_config_check(&fresh.config));
    CHECK_OK(fresh_network_save(&fresh, "fresh_surgical.safetensors", SGM_STORED_F32, NULL, 0));
    fresh_network_clear(&fresh);
    if (CHECK_OK(sgm_context_create(&options, &context)) &&
        CHECK_OK(sgm_model_load(context, "fresh_surgical.safetensors", NULL, &model)) &&
        CHECK_OK(sgm_model_load(context, "fresh_sam.safetensors", NULL, &plain))) {
        sgm_model_info info;
        sgm_model_get_info(model, &info);
        CHECK(info.classes == 7 && !sgm_model_wants_places(model) && sgm_model_wants_places(plain));
        CHECK_STATUS(sgm_volume_predict_classes(plain, &volume, NULL, 0, NULL, NULL, &none),
                     SGM_BAD_PROMPT, "prompted by points and boxes");
    }
    sgm_model_destroy(plain);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
}

/* A fresh SurgicalSAM tells its classes apart by SAM's foreground and background, as its authors
 * begin. */
static void classes_begin_as_points(const char *sam)
{
    static const char *const NAMES[2][2] = {{"prototype_prompt_encoder.pn_cls_embeddings.0.weight",
                                             "prompt_encoder.point_embeddings.0.weight"},
                                            {"prototype_prompt_encoder.pn_cls_embeddings.1.weight",
                                             "prompt_encoder.point_embeddings.1.weight"}};
    sgm_checkpoint *file;
    fresh_network fresh;
    float row[256];
    if (!CHECK_OK(fresh_network_make(sam, NULL, "surgicalsam", &fresh))) return;
    if (CHECK_OK(sgm_checkpoint_open(sam, &file))) {
        int found = 0;
        for (size_t i = 0; i < 2 * fresh.count; i++) {
            const fresh_tensor *t = &fresh.tensors[i / 2];
            const sgm_stored_tensor *source = sgm_checkpoint_find(file, NAMES[i % 2][1]);
            if (strcmp(t->name, NAMES[i % 2][0]) || !CHECK(source && source->count == 256))
                continue;
            sgm_stored_tensor_read_f32(source, row);
            for (int64_t k = 0; k < t->shape.dim[0]; k++)
                CHECK(!memcmp(t->values + 256 * k, row, sizeof row));
            found++;
        }
        CHECK(found == 2);
        sgm_checkpoint_close(file);
    }
    fresh_network_clear(&fresh);
}

static void volumes_ask_for_a_class(const char *sam)
{
    sgm_context_options options = {.device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    fresh_network fresh;
    if (!CHECK_OK(fresh_network_make(sam, NULL, "samed", &fresh))) return;
    fresh.config.image_size = 256; /* the narrow network's own */
    CHECK_OK(sgm_config_check(&fresh.config));
    CHECK_OK(fresh_network_save(&fresh, "fresh_samed.safetensors", SGM_STORED_F32, NULL, 0));
    fresh_network_clear(&fresh);
    if (CHECK_OK(sgm_context_create(&options, &context)) &&
        CHECK_OK(sgm_model_load(context, "fresh_samed.safetensors", NULL, &model))) {
        sgm_volume_result result = {0};
        int64_t all = 0;
        CHECK_STATUS(segment(model, 0, &result), SGM_BAD_PROMPT, "1 to 8; none is given");
        sgm_volume_result_clear(&result);
        CHECK_STATUS(segment(model, 9, &result), SGM_BAD_PROMPT, "there is no class 9");
        sgm_volume_result_clear(&result);
        for (int c = 1; c <= 8; c++) {
            if (CHECK_OK(segment(model, c, &result))) all += result.objects[0].voxels;
            sgm_volume_result_clear(&result);
        }
        CHECK(all <= 24 * 24 * 3); /* no voxel has two classes */
        pictures_ask_for_a_class(model);
        volumes_give_all_classes(model, true);
    }
    sgm_model_destroy(model);
    sgm_context_destroy(context);
}

/* Classes by number and, where the metadata name them, by name. */
static void classes_have_names(void)
{
    sgm_context_options options = {.device = SGM_DEVICE_REFERENCE};
    sgm_checkpoint *file;
    sgm_checkpoint_writer *writer;
    sgm_context *context = NULL;
    sgm_model *model = NULL, *plain = NULL;
    int found = 0;
    if (!CHECK_OK(sgm_checkpoint_open("fresh_samed.safetensors", &file)) ||
        !CHECK_OK(sgm_checkpoint_writer_create(&writer)))
        return;
    CHECK_OK(sgm_checkpoint_writer_add_all(writer, file, SGM_STORED_F32));
    CHECK_OK(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_CLASSES,
                                            "aorta,gallbladder,spleen,a,b,c,d,stomach"));
    CHECK_OK(sgm_checkpoint_writer_save(writer, "named_samed.safetensors"));
    sgm_checkpoint_writer_destroy(writer);
    sgm_checkpoint_close(file);
    if (CHECK_OK(sgm_context_create(&options, &context)) &&
        CHECK_OK(sgm_model_load(context, "named_samed.safetensors", NULL, &model)) &&
        CHECK_OK(sgm_model_load(context, "fresh_sam.safetensors", NULL, &plain))) {
        CHECK(sgm_model_class(model, "spleen", &found) == SGM_OK && found == 3);
        CHECK(sgm_model_class(model, "8", &found) == SGM_OK && found == 8);
        CHECK_STATUS(sgm_model_class(model, "liver", &found), SGM_BAD_PROMPT,
                     "no class 'liver' in samed; its classes are 1 to 8: aorta,gallbladder");
        CHECK_STATUS(sgm_model_class(model, "9", &found), SGM_BAD_PROMPT, "no class '9'");
        CHECK_STATUS(sgm_model_class(plain, "1", &found), SGM_BAD_PROMPT, "not by a class");
        char name[16];
        sgm_model_class_name(model, 3, name, sizeof name);
        CHECK(!strcmp(name, "spleen"));
        sgm_model_class_name(model, 8, name, 5);
        CHECK(!strcmp(name, "stom"));
        sgm_model_class_name(model, 9, name, sizeof name);
        CHECK(!*name);
        sgm_model_class_name(plain, 1, name, sizeof name);
        CHECK(!*name);
    }
    sgm_model_destroy(model);
    sgm_model_destroy(plain);
    sgm_context_destroy(context);
}

static sgm_status first_value(sgm_first_values *first, const char *name, sgm_shape shape)
{
    const float *values;
    bool owned;
    SGM_TRY(sgm_first_values_read(first, name, shape, &values, &owned));
    if (owned) free((void *)values);
    return SGM_OK;
}

/* Training into another family takes SAM's tables in the lengths it needs, begins adapters at zero,
 * makes the rest, and says so. */
static void training_starts_like_the_loader(const char *sam)
{
    sgm_model_config config;
    sgm_checkpoint *file;
    char text[640];
    if (!CHECK(sgm_variant_config("samihs", &config)) || !CHECK_OK(sgm_checkpoint_open(sam, &file)))
        return;
    sgm_first_values first = {.checkpoint = file, .family = config.family, .seed = 1};
    CHECK_OK(first_value(&first, "image_encoder.neck.3.bias", SGM_SHAPE(256)));
    CHECK_OK(first_value(&first, "image_encoder.blocks.1.attn.rel_pos_h", SGM_SHAPE(63, 64)));
    CHECK_OK(first_value(&first, "image_encoder.pos_embed", SGM_SHAPE(1, 8, 8, 192)));
    CHECK_OK(first_value(&first, "image_encoder.blocks.0.attn_adapter.adapter_rescale",
                         SGM_SHAPE(1, 100)));
    CHECK_OK(first_value(&first, "image_encoder.att_down_projection", SGM_SHAPE(192, 100)));
    CHECK(first.loaded == 3 && first.resized == 2 && first.zero == 1 && first.made == 1);
    sgm_first_values_tell(&first, text);
    CHECK(strstr(text, "3 tensors loaded (2 of them resized), 1 zero at the start, 1 made"));
    CHECK_STATUS(first_value(&first, "image_encoder.neck.3.bias", SGM_SHAPE(255)), SGM_BAD_MODEL,
                 "wanted 255, found (256)");
    sgm_checkpoint_close(file);
}

int main(int argc, char **argv)
{
    enum { BLOCKS = 2 };
    static float input[SIDE * SIDE * 3];
    size_t count = 0, same = 0;
    if (argc < 2) return 1;
    hash_uniform("synthetic:fresh", SIDE * SIDE * 3, input);
    save_fresh(argv[1], "sam_vit", "fresh_sam.safetensors", 0, 0);
    save_fresh(argv[1], "samihs", "fresh_samihs.safetensors", 4 * BLOCKS, 2);
    float *sam = embed("fresh_sam.safetensors", input, &count);
    float *samihs = embed("fresh_samihs.safetensors", input, &same);
    if (sam && samihs && CHECK(count == same)) check_close("fresh", samihs, sam, count, 1e-6, 1e-6);
    free(sam);
    free(samihs);
    volumes_ask_for_a_class(argv[1]);
    classes_begin_as_points(argv[1]);
    classes_and_places(argv[1]);
    classes_have_names();
    training_starts_like_the_loader(argv[1]);
    return check_report();
}
