/* Settings are obeyed or refused, never passed over. Runs in the current folder. */
#include "train_run.h"

#include "checkpoint/checkpoint_write.h"
#include "models/registry.h"
#include "train/sampler.h"
#include "train/train_config.h"
#include "train/train_weights.h"

#include <math.h>
#include <stdlib.h>

#define PACK "test_obeyed.pack"
#define WHOLE                                                                                      \
    "window = whole\nobjects = class\ndraw = epochs\nsynthetic = 0\naugmentation = 0\n"            \
    "steps = 1\nbatch = 1\nwarmup = 0\nvalidate_objects = 0\nsave_every = 0\nclip = 0\n"
#define VIT                                                                                        \
    " decoder_dim=64 decoder_heads=4 decoder_depth=2 decoder_mlp=64 embed=64 depth=2 heads=4 "     \
    "patch=8 window=4 pos_side=8 rel_window=7 rel_global=15 global=1"

/* Data sets "a" and "b" of `each` pictures, all with one bright square of class 1. */
static void make_two_sets(int each)
{
    static uint8_t pixels[PIXELS], labels[PIXELS];
    static const char *const names[2] = {"a", "b"};
    sgm_pack_writer *writer;
    int index = 0;
    CHECK_OK(sgm_pack_writer_open(PACK, 0, &writer));
    for (int k = 0; k < 2 * each; k++) {
        char id[16];
        sgm_pack_set set = {names[k / each], "none", "", false, false, false};
        for (int i = 0; i < PIXELS; i++) {
            labels[i] = i % SIDE / 20 == 1 && i / SIDE / 20 == 1;
            pixels[i] = (uint8_t)(labels[i] ? 200 - k : 40 + i % 5);
        }
        snprintf(id, sizeof id, "i%d", k);
        if (k % each == 0) CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
        sgm_pack_item item = {id, index, SGM_SPLIT_TRAIN, SIDE, SIDE, 1, 1, pixels, labels};
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
}

static void refused(const char *settings, sgm_status status, const char *message)
{
    run r = {.device = SGM_DEVICE_CPU, .config = "obeyed.cfg", .pack = PACK, .out = "run_obeyed"};
    remove_folder(r.out);
    write_config("obeyed.cfg", settings);
    CHECK_STATUS(train(&r), status, message);
    remove_folder(r.out);
    unlink("obeyed.cfg");
}

/* A file of features has the embedding alone. */
static void check_features(void)
{
    static const char *const CASES[][2] = {
        {"architecture = autosam protocol=autosam image=64 small=64" VIT
         "\nloss = autosam\nprompts = none\n",
         "reads also dense_prompt"},
        {"architecture = unet protocol=unet image=64 mask_tokens=3 classes=2 width=4\n"
         "loss = samed\nprompts = none\n",
         "reads logits"},
        {"architecture = tiny_vit protocol=sam norm=none image=64 decoder_dim=32 decoder_heads=4 "
         "decoder_depth=2 decoder_mlp=64 mask_tokens=4 high_res=1 stem_kernel=3 stem_strides=2,2 "
         "dims=16,24,32,32 depths=1,1,1,1 heads=1,1,1,1 windows=8,8,8,8 merge_strides=2,1,1 "
         "expand=2 mlp_ratio=2\nprompts = point\n",
         "reads also "},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[2048];
        snprintf(text, sizeof text, "%s" WHOLE "features = obeyed.features\n", CASES[i][0]);
        refused(text, SGM_INVALID_ARGUMENT, CASES[i][1]);
        CHECK(access("obeyed.features", F_OK) != 0);
        unlink("obeyed.features");
    }
}

/* What is drawn in two epochs, by data set. */
static void draw_epochs(const sgm_sampler_options *options, const char *without, int drawn[2])
{
    sgm_pack *pack;
    sgm_sampler *sampler;
    sgm_sampler_scratch scratch;
    sgm_batch batch;
    drawn[0] = drawn[1] = 0;
    if (!CHECK_OK(sgm_pack_open(PACK, &pack))) return;
    if (CHECK_OK(sgm_sampler_create(pack, options, &sampler)) &&
        CHECK_OK(sgm_batch_create(options, 1, &batch)) &&
        CHECK_OK(sgm_sampler_scratch_create(options, &scratch))) {
        CHECK(sgm_sampler_weight(sampler, without, 0));
        CHECK_OK(sgm_sampler_check_weights(sampler));
        CHECK(sgm_sampler_object_count(sampler) == 3);
        for (uint64_t i = 0; i < 6; i++) {
            CHECK_OK(sgm_sampler_draw(sampler, i, 0, &scratch, &batch));
            drawn[sgm_pack_item_at(pack, batch.item[0])->set]++;
        }
        CHECK(sgm_sampler_weight(sampler, "a", 0) && sgm_sampler_weight(sampler, "b", 0));
        CHECK_STATUS(sgm_sampler_check_weights(sampler), SGM_INVALID_ARGUMENT, "weight 0");
        sgm_sampler_scratch_clear(&scratch);
        sgm_batch_clear(&batch);
        sgm_sampler_destroy(sampler);
    }
    sgm_pack_close(pack);
}

/* Epochs leave out what has the weight 0, and know no other weight. */
static void check_weights(void)
{
    static sgm_train_config c;
    int drawn[2];
    CHECK_OK(sgm_train_config_parse(NETWORK "prompts = point\n" WHOLE, "test.cfg", &c));
    c.sampler.size = c.sampler.target_side = c.model.image_size;
    c.sampler.protocol = c.model.protocol;
    c.sampler.model = &c.model;
    c.sampler.grid = (sgm_target_grid){c.model.image_size, c.model.image_size, false};
    c.sampler.tokens = 2;
    draw_epochs(&c.sampler, "a", drawn);
    CHECK(drawn[0] == 0 && drawn[1] == 6);
    draw_epochs(&c.sampler, "b", drawn);
    CHECK(drawn[0] == 6 && drawn[1] == 0);
    refused(NETWORK "prompts = point\nloss = samus\n" WHOLE "weight.a = 0\nweight.b = 0\n",
            SGM_INVALID_ARGUMENT, "weight 0");
    CHECK_STATUS(sgm_train_config_parse(NETWORK "draw = epochs\nweight.a = 2\n", "test.cfg", &c),
                 SGM_UNREADABLE, "weight.a = 2: draw = epochs");
    CHECK_OK(sgm_train_config_parse(NETWORK "draw = epochs\nweight.a = 1\n", "test.cfg", &c));
}

/* Settings that the other way of asking knows. */
static void check_ways_of_asking(void)
{
    static const char *const NOT_MIXED[] = {
        "norms = batch",  "target = picture", "given = prompts.csv", "features = f.safetensors",
        "box_shift = 20", "box_limit = 20",   "rounds = 11",         "drop_path = 0.1"};
    static sgm_train_config c;
    char text[2048];
    for (size_t i = 0; i < sizeof NOT_MIXED / sizeof *NOT_MIXED; i++) {
        snprintf(text, sizeof text, NETWORK "%s\n", NOT_MIXED[i]);
        CHECK_STATUS(sgm_train_config_parse(text, "test.cfg", &c), SGM_UNREADABLE,
                     "not for prompts = mixed");
        snprintf(text, sizeof text, NETWORK "prompts = point\n%s\n", NOT_MIXED[i]);
        CHECK_OK(sgm_train_config_parse(text, "test.cfg", &c));
    }
    CHECK_STATUS(sgm_train_config_parse(NETWORK "prompts = point\nwalks = 1\n", "test.cfg", &c),
                 SGM_UNREADABLE, "walks is for prompts = mixed");
    CHECK_STATUS(
        sgm_train_config_parse(NETWORK "prompts = point\npoint_weight = 2\n", "test.cfg", &c),
        SGM_UNREADABLE, "point_weight is for prompts = mixed");
}

/* ------------------------------------------------------------- what the saved file says of it */

static bool train_small(const char *settings, run *r)
{
    char text[2048];
    *r = (run){.device = SGM_DEVICE_CPU, .config = "obeyed.cfg", .pack = PACK, .out = "run_obeyed"};
    snprintf(text, sizeof text, "%s" WHOLE, settings);
    remove_folder(r->out);
    write_config(r->config, text);
    return CHECK_OK(train(r));
}

/* Prediction clips what training has clipped, and nothing else; a run that goes on does so too. */
static void check_levels(void)
{
    static const char *const CLIP[] = {"clip_levels = 1\n", "clip_levels = 0\n"};
    for (int i = 0; i < 2; i++) {
        char text[1024], assumption[256];
        sgm_model_config c;
        run r;
        snprintf(text, sizeof text,
                 "architecture = samihs protocol=samihs image=64" VIT
                 "\nprompts = point\nloss = samihs\n%s",
                 CLIP[i]);
        if (!train_small(text, &r)) continue;
        sgm_checkpoint *file = open_saved(&r, "last.safetensors");
        if (file && CHECK_OK(sgm_registry_detect(file, NULL, &c, assumption)))
            CHECK((c.protocol->clip[1] > 0) == (i == 0) && c.protocol->grey && c.protocol->stretch);
        sgm_checkpoint_close(file);
        if (i) CHECK(rename("run_obeyed/last.safetensors", "obeyed.safetensors") == 0);
    }
    /* What goes on with a file that does not clip, by the file or by what is said. */
#define SAMIHS "architecture = samihs protocol=samihs image=64" VIT "\n"
    static const struct {
        const char *settings;
        bool clips;
    } GOES_ON[] = {{"", false},
                   {"clip_levels = 0\n", false},
                   {"clip_levels = 1\n", true},
                   {SAMIHS "clip_levels = 0\n", false},
                   {SAMIHS "clip_levels = 1\n", true}};
    char text[1024];
    static const char init[] = "init = obeyed.safetensors\nprompts = point\nloss = samihs\n";
    for (size_t i = 0; i < sizeof GOES_ON / sizeof *GOES_ON; i++) {
        run r;
        snprintf(text, sizeof text, "%s%s", GOES_ON[i].settings, init);
        if (!train_small(text, &r)) continue;
        sgm_checkpoint *file = open_saved(&r, "last.safetensors");
        const char *said = file ? sgm_checkpoint_metadata(file, SGM_METADATA_ARCHITECTURE) : NULL;
        CHECK(said && !strstr(said, "protocol=samihs_unclipped") == GOES_ON[i].clips);
        sgm_checkpoint_close(file);
    }
    snprintf(text, sizeof text, SAMIHS "%s" WHOLE, init);
    refused(text, SGM_BAD_MODEL,
            "says protocol=samihs_unclipped, and the network of `architecture` has "
            "protocol=samihs:");
    unlink("obeyed.safetensors");
}

/* The file with another word in its architecture. */
static void write_as(const sgm_checkpoint *file, const char *from, const char *to, const char *path)
{
    sgm_checkpoint_writer *writer;
    char text[600];
    const char *architecture = sgm_checkpoint_metadata(file, SGM_METADATA_ARCHITECTURE);
    const char *at = architecture ? strstr(architecture, from) : NULL;
    if (!CHECK(at != NULL) || !CHECK_OK(sgm_checkpoint_writer_create(&writer))) return;
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - architecture), architecture, to,
             at + strlen(from));
    for (size_t i = 0; i < sgm_checkpoint_count(file); i++)
        CHECK_OK(sgm_checkpoint_writer_add(writer, sgm_checkpoint_tensor(file, i), SGM_STORED_F32));
    CHECK_OK(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_VARIANT, "msa"));
    CHECK_OK(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_ARCHITECTURE, text));
    CHECK_OK(sgm_checkpoint_writer_save(writer, path));
    sgm_checkpoint_writer_destroy(writer);
}

/* Logits for a point on a picture with something in it. */
static bool ask(const char *path, double x, double y, float low_res[32 * 32])
{
    static uint8_t pixels[PIXELS];
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_session *session = NULL;
    sgm_mask mask = {0};
    sgm_point point = {x, y, SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    sgm_predict_options options = {.want_logits = 1};
    sgm_image image = {.data = pixels, .width = SIDE, .height = SIDE, .channels = 1};
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (uint8_t)((i % SIDE * 5 + i / SIDE * 3 + (i % 7) * 9) % 251);
    bool good = CHECK_OK(sgm_context_create(NULL, &context)) &&
                CHECK_OK(sgm_model_load(context, path, NULL, &model)) &&
                CHECK_OK(sgm_session_create(model, &session)) &&
                CHECK_OK(sgm_session_set_image(session, &image)) &&
                CHECK_OK(sgm_session_predict(session, &prompt, &options, &mask));
    good = good && CHECK(mask.low_res_shape[0] == 32 && mask.low_res_shape[1] == 32);
    if (good) memcpy(low_res, mask.low_res, 32 * 32 * sizeof *low_res);
    sgm_session_destroy(session);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return good;
}

/* Weights that were trained with (row, column) are told places so. */
static void check_rows_first(void)
{
    static float columns[32 * 32], rows[32 * 32], same[32 * 32];
    run r;
    if (!train_small("architecture = msa protocol=msa image=64 second=1" VIT
                     "\nprompts = point\nloss = msa\n",
                     &r))
        return;
    sgm_checkpoint *file = open_saved(&r, "last.safetensors");
    if (file) write_as(file, "protocol=msa ", "protocol=msa_rows ", "obeyed.safetensors");
    sgm_checkpoint_close(file);
    if (ask("run_obeyed/last.safetensors", 10, 40, columns) &&
        ask("obeyed.safetensors", 40, 10, rows) && ask("obeyed.safetensors", 10, 40, same)) {
        CHECK(!memcmp(columns, rows, sizeof rows));
        CHECK(memcmp(columns, same, sizeof same) != 0);
    }
    static const char again[] = "init = obeyed.safetensors\nprompts = point\nloss = msa\n";
    char text[1024];
    snprintf(text, sizeof text,
             "architecture = msa protocol=msa image=64 second=1" VIT "\n%s" WHOLE, again);
    refused(text, SGM_BAD_MODEL,
            "says protocol=msa_rows, and the network of `architecture` has protocol=msa:");
    CHECK(train_small(again, &r));
    unlink("obeyed.safetensors");
}

/* Names of classes are as many as the network has; those of another network are not its own. */
static void check_class_names(void)
{
#define UNET(masks, classes)                                                                       \
    "architecture = unet protocol=unet image=64 mask_tokens=" masks " classes=" classes            \
    " width=4\nloss = samed\nprompts = none\n"
    static const char *const BAD[][2] = {{"classes = a,b,c\n", "classes has 3 names; custom has 2"},
                                         {"classes = a, ,\n", "classes has 3 names"},
                                         {"classes = a, \t\n", "name 2 is empty"}};
    char text[1024];
    run r;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        snprintf(text, sizeof text, UNET("3", "2") WHOLE "%s", BAD[i][0]);
        refused(text, SGM_INVALID_ARGUMENT, BAD[i][1]);
    }
    refused(NETWORK "prompts = point\n" WHOLE "classes = a\n", SGM_INVALID_ARGUMENT,
            "classes has 1 names; custom has 0 classes");
    if (!train_small(UNET("3", "2") "classes = left lung , heart\n", &r)) return;
    sgm_checkpoint *file = open_saved(&r, "last.safetensors");
    const char *names = file ? sgm_checkpoint_metadata(file, SGM_METADATA_CLASSES) : NULL;
    CHECK(names && !strcmp(names, "left lung,heart"));
    sgm_checkpoint_close(file);
    /* Nor is a network of another size of input, which no tensor shows. */
    CHECK(rename("run_obeyed/last.safetensors", "obeyed.safetensors") == 0);
    snprintf(text, sizeof text, UNET("3", "2") WHOLE "init = obeyed.safetensors\n");
    char *at = strstr(text, "image=64");
    memcpy(at, "image=32", strlen("image=32"));
    refused(text, SGM_BAD_MODEL,
            "obeyed.safetensors: says image=64, and the network of `architecture` has image=32:");
    CHECK(train_small(UNET("3", "2") "init = obeyed.safetensors\n", &r));
    unlink("obeyed.safetensors");
}

/* The names of the file that a run begins with, of the same number of classes or of another. */
static void check_names_of_init(void)
{
    static const char *const SAMED =
        "architecture = samed protocol=samed image=64 mask_tokens=%s classes=%s rank=4 whole=0" VIT
        "\nloss = samed\nprompts = none\ninit = %s\n%s";
    char text[1024];
    run r;
    snprintf(text, sizeof text, SAMED, "3", "2", "", "classes = a,b\n");
    if (!train_small(text, &r)) return;
    CHECK(rename("run_obeyed/last.safetensors", "obeyed.safetensors") == 0);
    for (int more = 0; more < 2; more++) {
        snprintf(text, sizeof text, SAMED, more ? "4" : "3", more ? "3" : "2", "obeyed.safetensors",
                 "");
        if (!train_small(text, &r)) continue;
        sgm_checkpoint *file = open_saved(&r, "last.safetensors");
        const char *names = file ? sgm_checkpoint_metadata(file, SGM_METADATA_CLASSES) : NULL;
        CHECK(file && (more ? !names : names && !strcmp(names, "a,b")));
        sgm_checkpoint_close(file);
    }
    char other[1024], whole[1024];
    snprintf(other, sizeof other, SAMED, "3", "2", "obeyed.safetensors", WHOLE);
    char *at = strstr(other, "whole=0");
    snprintf(whole, sizeof whole, "%.*swhole=1%s", (int)(at - other), other, at + 7);
    refused(whole, SGM_BAD_MODEL, "the family's other layout");
    unlink("obeyed.safetensors");
}

/* MedSAM's authors leave the prompt encoder as it is; of SAM everything learns. */
static void check_family_trains(void)
{
    static const char *const FAMILY[] = {"medsam", "sam_vit_b"};
    static sgm_train_config c;
    char text[256];
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "architecture = %s\nprompts = box\ntrain_only = family\n",
                 FAMILY[i]);
        if (!CHECK_OK(sgm_train_config_parse(text, "test.cfg", &c))) continue;
        CHECK(sgm_is_trainable(&c, "prompt_encoder.point_embeddings.2.weight") == (i == 1));
        CHECK(sgm_is_trainable(&c, "image_encoder.neck.0.weight"));
        CHECK(sgm_is_trainable(&c, "mask_decoder.iou_token.weight"));
    }
}

/* New tensors begin with the variance that the families' own code gives them (SAMed's
 * kaiming_uniform_ with a = sqrt(5), which is nn.Linear's and nn.Conv1d's own; SAMIHS's
 * xavier_uniform_; SurgicalSAM's nn.Embedding); others as they did. */
static void check_beginnings(void)
{
    static const struct {
        const char *name;
        sgm_shape shape;
        double variance;
    } CASES[] = {
        {"w_a_003", SGM_SHAPE(16, 768), 1 / (3 * 768.0)},
        {"image_encoder.blocks.2.attn.qkv.linear_a_q.weight", SGM_SHAPE(16, 768), 1 / (3 * 768.0)},
        {"image_encoder.blocks.0.MLP_Adapter.D_fc1.weight", SGM_SHAPE(64, 256), 1 / (3 * 256.0)},
        {"image_encoder.blocks.0.Space_Adapter.D_fc2.weight", SGM_SHAPE(256, 64), 1 / (3 * 64.0)},
        {"prototype_prompt_encoder.dense_fc_1.weight", SGM_SHAPE(64, 256, 1, 1), 1 / (3 * 256.0)},
        {"prototype_prompt_encoder.sparse_fc_1.weight", SGM_SHAPE(64, 512, 1), 1 / (3 * 512.0)},
        {"prototypes.class_embeddings.weight", SGM_SHAPE(64, 256), 1},
        {"image_encoder.att_down_projection", SGM_SHAPE(256, 100), 2 / 356.0},
        {"image_encoder.mlp_down_projection", SGM_SHAPE(256, 100), 2 / 356.0},
        {"image_encoder.blocks.0.mlp.lin1.weight", SGM_SHAPE(64, 256), 1 / 256.0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        sgm_first_values first = {.seed = 1};
        const float *values;
        bool owned;
        int64_t count = sgm_shape_count(CASES[i].shape);
        double sum = 0;
        if (!CHECK_OK(
                sgm_first_values_read(&first, CASES[i].name, CASES[i].shape, &values, &owned)))
            continue;
        for (int64_t k = 0; k < count; k++)
            sum += (double)values[k] * values[k];
        /* of 12288 values or more: five deviations of a variance */
        double found = sum / (double)count / CASES[i].variance;
        if (!CHECK(fabs(found - 1) < 5 * sqrt(2.0 / 12288)))
            printf("    %s: %g of the variance\n", CASES[i].name, found);
        if (owned) free((float *)values);
    }
}

int main(void)
{
    make_two_sets(3);
    check_beginnings();
    check_class_names();
    check_names_of_init();
    check_family_trains();
    check_levels();
    check_rows_first();
    remove_folder("run_obeyed");
    unlink("obeyed.cfg");
    check_features();
    check_weights();
    check_ways_of_asking();
    unlink(PACK);
    return check_report();
}
