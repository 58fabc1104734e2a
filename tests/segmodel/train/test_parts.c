/* SAMUS's ablation switches. A part that is left out is as one whose last layer says nothing: with
 * those weights at zero the whole network and the one without the part answer the same. What is
 * trained without a part holds none of its tensors and is read so by prediction. Runs in the
 * current folder. */
#include "train_run.h"

#include "checkpoint/checkpoint_write.h"
#include "core/names.h"
#include "models/registry.h"
#include "train/train_config.h"

#include <math.h>
#include <stdlib.h>

#define PACK "test_parts.pack"
#define SAMUS                                                                                      \
    "samus protocol=samus image=64 decoder_dim=32 decoder_heads=4 decoder_depth=2 "                \
    "decoder_mlp=64 mask_tokens=4 embed=32 depth=2 heads=2 patch=8 window=4 pos_side=16 "          \
    "rel_window=7 rel_global=15 global=1"

/* What silences a part, and what it has: patterns of tensors. */
typedef struct part {
    const char *name, *silent, *own;
} part;

static const part parts[] = {
    {"cross_attention", "*Space_Adapter.proj.*", "*Space_Adapter*"},
    {"feature_adapters", "*input_Adapter.D_fc2.*,*MLP_Adapter.D_fc2.*",
     "*input_Adapter*,*MLP_Adapter*"},
    /* the branch ends in a norm and GELU: of no weight and no bias it is 0 */
    {"cnn_branch", "*Space_Adapter.proj.*,*refine_Adapter.conv.1.*",
     "*cnn_embed*,*refine_Adapter*,*Space_Adapter*"},
    /* a constant: the same before and behind any down-sampling */
    {"position_adapter", "*post_pos_embed.downs.0.maxpool_conv.2.weight", "*post_pos_embed*"},
};
enum { PARTS = sizeof parts / sizeof *parts };

static bool train_samus(const char *out, const char *more, run *r)
{
    char text[2048];
    snprintf(text, sizeof text,
             "architecture = " SAMUS "\nwindow = whole\nobjects = class\ndraw = epochs\n"
             "synthetic = 0\naugmentation = 0\nclip = 0\nprompts = point\nloss = samus\n"
             "steps = 2\nbatch = 2\nrate = 1e-3\nwarmup = 0\nvalidate_objects = 0\n"
             "train_only = family\nvalidate_every = 0\nsave_every = 0\nreport_every = 1\n%s",
             more);
    remove_folder(out);
    write_config("parts.cfg", text);
    *r = (run){.device = SGM_DEVICE_CPU, .config = "parts.cfg", .pack = PACK, .out = out};
    return CHECK_OK(train(r));
}

/* How many of a file's tensors have such names. */
static int count_names(const sgm_checkpoint *file, const char *patterns)
{
    int count = 0;
    for (size_t i = 0; i < sgm_checkpoint_count(file); i++)
        count += sgm_name_matches(patterns, sgm_checkpoint_tensor(file, i)->name);
    return count;
}

/* ------------------------------------------------------------------------ silent is left out */

static float constant_of(const char *name, const part *p)
{
    bool positions = !strcmp(p->name, "position_adapter");
    if (positions && strstr(name, "pos_embed") && !strstr(name, "post_pos"))
        return 0.84134474606854f; /* GELU(1) */
    if (positions && strstr(name, "maxpool_conv.2.bias")) return 1;
    return sgm_name_matches(p->silent, name) ? 0 : NAN;
}

/* The file with the part silenced, as `architecture`; without its own tensors, or with them. */
static void write_silent(const sgm_checkpoint *file, const part *p, const char *architecture,
                         bool with_own, const char *path)
{
    float *values[512] = {NULL};
    size_t count = sgm_checkpoint_count(file);
    sgm_checkpoint_writer *writer;
    if (!CHECK(count <= 512) || !CHECK_OK(sgm_checkpoint_writer_create(&writer))) return;
    for (size_t i = 0; i < count; i++) {
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(file, i);
        if (!with_own && sgm_name_matches(p->own, t->name)) continue;
        float constant = constant_of(t->name, p);
        values[i] = malloc(t->count * sizeof(float));
        sgm_stored_tensor_read_f32(t, values[i]);
        for (size_t k = 0; k < t->count && !isnan(constant); k++)
            values[i][k] = constant;
        CHECK_OK(sgm_checkpoint_writer_add_f32(writer, t->name, t->rank, t->shape, values[i],
                                               SGM_STORED_F32));
    }
    CHECK_OK(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_VARIANT, "parts"));
    CHECK_OK(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_ARCHITECTURE, architecture));
    CHECK_OK(sgm_checkpoint_writer_save(writer, path));
    sgm_checkpoint_writer_destroy(writer);
    for (size_t i = 0; i < count; i++)
        free(values[i]);
}

/* Low-resolution logits of a point on a picture with something in it. */
static bool answer(const char *path, float low_res[64 * 64], int *cells)
{
    static uint8_t pixels[SIDE * SIDE];
    sgm_context_options how = {.device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_session *session = NULL;
    sgm_mask mask = {0};
    sgm_point point = {30, 34, SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    sgm_predict_options options = {.want_logits = 1};
    sgm_image image = {.data = pixels, .width = SIDE, .height = SIDE, .channels = 1};
    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = (uint8_t)((i % SIDE * 5 + i / SIDE * 3 + (i % 7) * 9) % 251);
    bool good = CHECK_OK(sgm_context_create(&how, &context)) &&
                CHECK_OK(sgm_model_load(context, path, NULL, &model)) &&
                CHECK_OK(sgm_session_create(model, &session)) &&
                CHECK_OK(sgm_session_set_image(session, &image)) &&
                CHECK_OK(sgm_session_predict(session, &prompt, &options, &mask));
    *cells = good ? mask.low_res_shape[0] * mask.low_res_shape[1] : 0;
    if (good && CHECK(*cells > 0 && *cells <= 64 * 64))
        memcpy(low_res, mask.low_res, (size_t)*cells * sizeof *low_res);
    sgm_session_destroy(session);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return good;
}

static double difference(const float *a, const float *b, int cells)
{
    double most = 0;
    for (int i = 0; i < cells; i++)
        most = fmax(most, fabs((double)a[i] - b[i]));
    return most;
}

static void check_silent(const sgm_checkpoint *file, const char *whole_path, const part *p)
{
    static float whole[64 * 64], silent[64 * 64], without[64 * 64];
    char architecture[1024];
    int cells;
    snprintf(architecture, sizeof architecture, SAMUS " without=%s", p->name);
    write_silent(file, p, SAMUS, true, "parts_silent.safetensors");
    write_silent(file, p, architecture, false, "parts_without.safetensors");
    if (!answer(whole_path, whole, &cells) || !answer("parts_silent.safetensors", silent, &cells) ||
        !answer("parts_without.safetensors", without, &cells))
        return;
    double same = difference(silent, without, cells), other = difference(whole, silent, cells);
    printf("  %s: silenced and left out differ by %.1e, from the whole by %.1e\n", p->name, same,
           other);
    CHECK(same <= 1e-5 && other > 1e-4); /* FP32's rounding of logits of about 1 */
}

/* ------------------------------------------------------------------------ trained without it */

static void check_trained(const sgm_checkpoint *whole, const part *p)
{
    static float low_res[64 * 64];
    char more[128], path[512];
    int cells;
    run r;
    snprintf(more, sizeof more, "without = %s\n", p->name);
    if (!train_samus("parts_trained", more, &r)) return;
    sgm_checkpoint *file = open_saved(&r, "last.safetensors");
    if (!file) return;
    const char *architecture = sgm_checkpoint_metadata(file, SGM_METADATA_ARCHITECTURE);
    int own = count_names(whole, p->own);
    CHECK(own > 0 && count_names(file, p->own) == 0);
    CHECK(sgm_checkpoint_count(file) == sgm_checkpoint_count(whole) - (size_t)own);
    CHECK(architecture && strstr(architecture, " without=") && strstr(architecture, p->name));
    sgm_checkpoint_close(file);
    snprintf(path, sizeof path, "%s/last.safetensors", r.out);
    CHECK(answer(path, low_res, &cells) && cells > 0);
    remove_folder("parts_trained");
}

static void check_refused(void)
{
    static sgm_train_config c;
    CHECK_STATUS(sgm_train_config_parse("architecture = samus\nwithout = cnn\n", "test.cfg", &c),
                 SGM_UNREADABLE, "cnn_branch, cross_attention, feature_adapters");
    CHECK_STATUS(
        sgm_train_config_parse("architecture = medsam\nwithout = cnn_branch\n", "test.cfg", &c),
        SGM_UNREADABLE, "nothing can be left out");
    CHECK_STATUS(sgm_train_config_parse("architecture = " SAMUS " without=x\n", "test.cfg", &c),
                 SGM_UNREADABLE, "not understood");
}

/* Text and back. */
static void check_text(void)
{
    static sgm_train_config c;
    sgm_model_config back;
    char text[512];
    CHECK_OK(sgm_train_config_parse(
        "architecture = samus\nwithout = feature_adapters, cnn_branch\n", "test.cfg", &c));
    sgm_config_text(&c.model, text);
    CHECK(strstr(text, " without=cnn_branch,feature_adapters") != NULL);
    CHECK_OK(sgm_config_parse(text, &back));
    CHECK(back.without == c.model.without && back.without == 5);
}

int main(void)
{
    run r;
    make_pack(PACK, 4, false);
    check_text();
    check_refused();
    sgm_checkpoint *whole = NULL;
    if (train_samus("parts_whole", "", &r)) whole = open_saved(&r, "last.safetensors");
    for (int i = 0; whole && i < PARTS; i++) {
        check_silent(whole, "parts_whole/last.safetensors", &parts[i]);
        check_trained(whole, &parts[i]);
    }
    sgm_checkpoint_close(whole);
    remove_folder("parts_whole");
    unlink("parts_silent.safetensors");
    unlink("parts_without.safetensors");
    unlink("parts.cfg");
    unlink(PACK);
    return check_report();
}
