/* golden_forward CASE WEIGHTS GOLDEN [BASE]
 *
 * Families that are more than SAM's encoder against the official code, in FP32: SAMed (LoRA on a
 * base, and as a whole network), Medical-SAM-Adapter of 2025 and 2023, SurgicalSAM (prompted by
 * class, on given embeddings), AutoSAM, U-Net. Limits as in golden_test.c. */
#include "golden_file.h"

#include "../check.h"
#include "../hash_weights.h"

#include "models/registry.h"
#include "predict/picture/preprocess.h"
#include "predict/session/model.h"
#include "predict/session/prompt_tokens.h"

#include <stdlib.h>

int check_count, check_failures;

enum { MAX_STAGES = 40 };

static const double embedding_limit = 1e-4, logit_limit = 5e-4;

typedef struct forward_case {
    const char *name, *variant, *low_res; /* the last: what the golden calls the logits */
    bool grey;                            /* the picture is its first channel / 255 */
    const char *protocol;                 /* variant whose protocol the golden was made with */
    int stages;                           /* of the encoder that are compared */
} forward_case;

static const forward_case cases[] = {
    {"samed", "samed", "lowres", true, "samed", 6},
    {"msa", "msa", "lowres_all", false, "msa", 9},
    /* made with a call that the code of 2023 never makes: goldens/README.md */
    {"msa_2023", "msa_2023", "lowres_all", false, "msa", 9},
    {"surgicalsam", "surgicalsam", "lowres", false, "surgicalsam", 0},
    {"autosam", "autosam", "lowres", false, "autosam", 20},
    {"unet", "unet", "lowres", false, "unet", 9},
    {"autosam_batch", "autosam", NULL, false, "autosam", 0},
};

typedef struct forward {
    const forward_case *c;
    sgm_model *model;
    const sgm_model_config *config;
    golden_file file;
    float *input, *features[SGM_MAX_FEATURES];
    int stage_count;
    char stage[MAX_STAGES][64];
    sgm_node *node[MAX_STAGES];
} forward;

static void keep_stage(void *user, const char *stage, sgm_node *value)
{
    forward *f = user;
    char key[80];
    snprintf(key, sizeof key, "%.63s.val", stage);
    if (f->stage_count == MAX_STAGES || !golden_has(&f->file, key)) return;
    snprintf(f->stage[f->stage_count], sizeof f->stage[0], "%.63s", stage);
    f->node[f->stage_count++] = value;
}

static void make_input(forward *f)
{
    int side = f->config->image_size;
    size_t pixels = (size_t)side * (size_t)side;
    uint8_t *rgb = malloc(pixels * 3);
    sgm_image image = {.data = rgb, .width = side, .height = side, .channels = 3};
    sgm_model_config with = *f->config, other;
    sgm_frame frame;
    hash_image(side, side, 0, rgb);
    f->input = malloc(pixels * 3 * sizeof *f->input);
    if (CHECK(sgm_variant_config(f->c->protocol, &other))) with.protocol = other.protocol;
    if (f->c->grey)
        for (size_t i = 0; i < 3 * pixels; i++)
            f->input[i] = (float)rgb[i / 3 * 3] / 255;
    else
        CHECK_OK(sgm_preprocess(&with, &image, f->input, &frame));
    golden_check(&f->file, "input", SGM_SHAPE(1, side, side, 3), f->input, 1e-6);
    free(rgb);
}

/* AutoSAM's: a picture of 800 x 600 resized as floats, SAM's normalisation, 0 beside it. */
static void make_wide_input(forward *f)
{
    enum { WIDTH = 800, HEIGHT = 600, SIDE = 1024, ROWS = 768 };
    static const float mean[3] = {123.675f, 116.28f, 103.53f},
                       deviation[3] = {58.395f, 57.12f, 57.375f};
    uint8_t *rgb = malloc((size_t)WIDTH * HEIGHT * 3);
    float *values = malloc((size_t)WIDTH * HEIGHT * 3 * sizeof *values);
    f->input = calloc((size_t)SIDE * SIDE * 3, sizeof *f->input);
    hash_image(WIDTH, HEIGHT, 5, rgb);
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT * 3; i++)
        values[i] = rgb[i];
    CHECK_OK(sgm_resample_linear(values, (sgm_size){WIDTH, HEIGHT}, 3, f->input,
                                 (sgm_size){SIDE, ROWS}));
    for (size_t i = 0; i < (size_t)SIDE * ROWS * 3; i++)
        f->input[i] = (f->input[i] - mean[i % 3]) / deviation[i % 3];
    golden_check(&f->file, "input", SGM_SHAPE(1, SIDE, SIDE, 3), f->input, 1e-6);
    free(rgb);
    free(values);
}

static float *fetch(sgm_workspace *workspace, const sgm_node *node)
{
    float *values = malloc((size_t)sgm_shape_count(node->shape) * sizeof *values);
    CHECK_OK(sgm_workspace_get(workspace, node, values));
    return values;
}

static void check_stages(forward *f, sgm_workspace *workspace)
{
    int compared = 0;
    for (int i = 0; i < f->stage_count; i++) {
        sgm_node *node = f->node[i];
        sgm_shape golden = golden_shape(&f->file, f->stage[i]);
        /* attention inside windows was captured per window */
        if (sgm_shape_count(golden) > sgm_shape_count(node->shape)) continue;
        float *values = fetch(workspace, node);
        golden_check(&f->file, f->stage[i], node->shape, values, embedding_limit);
        free(values);
        compared++;
    }
    check_that(compared >= f->c->stages, "as many stages as the golden has", f->c->name, compared);
}

static void encode(forward *f)
{
    sgm_program *p = NULL;
    sgm_workspace *workspace = NULL;
    sgm_program_key key = {.stage = SGM_STAGE_ENCODE, .batch = 1};
    sgm_net net = {.tap = keep_stage, .tap_user = f};
    sgm_plan_options options = sgm_model_plan_options(f->model);
    sgm_node *outputs[MAX_STAGES + SGM_MAX_FEATURES];
    if (f->config->protocol->unprompted)
        make_wide_input(f);
    else
        make_input(f);
    if (!CHECK_OK(sgm_program_build(f->config, key, NULL, NULL, &net, &p))) return;
    int count = p->features.count;
    memcpy(outputs, p->features.node, (size_t)count * sizeof *outputs);
    memcpy(outputs + count, f->node, (size_t)f->stage_count * sizeof *outputs);
    if (CHECK_OK(sgm_plan_create(p->graph, sgm_model_weights(f->model), f->stage_count + count,
                                 outputs, &options, &p->plan)) &&
        CHECK_OK(sgm_workspace_create(p->plan, &workspace)) &&
        CHECK_OK(sgm_workspace_set(workspace, p->image, f->input)) &&
        CHECK_OK(sgm_plan_run(p->plan, workspace))) {
        check_stages(f, workspace);
        for (int i = 0; i < count; i++)
            f->features[i] = fetch(workspace, p->features.node[i]);
        golden_check(&f->file, "embedding", p->features.node[0]->shape, f->features[0],
                     embedding_limit);
    }
    sgm_workspace_destroy(workspace);
    sgm_program_destroy(p);
}

/* One point in pixels of the input, and SAM's padding token. */
static void set_point(const forward *f, const sgm_program *p, sgm_workspace *workspace)
{
    static const int32_t labels[2] = {SGM_TOKEN_FOREGROUND, SGM_TOKEN_PADDING};
    float coordinates[4] = {0};
    size_t count;
    float *point = golden_floats(&f->file, "in.points", &count);
    if (!point || !CHECK(count == 2)) return;
    sgm_token_place(f->config->image_size, point[0], point[1], coordinates);
    CHECK_OK(sgm_workspace_set(workspace, p->prompt.coordinates, coordinates));
    CHECK_OK(sgm_workspace_set(workspace, p->prompt.labels, labels));
    free(point);
}

static void check_iou(const forward *f, const char *name, const float *values, size_t have)
{
    size_t count;
    float *want = golden_floats(&f->file, name, &count);
    if (want && CHECK(count == have)) check_close(name, values, want, count, 1e-3, 0);
    free(want);
}

/* AutoSAM's mask between the extremes of its map. */
static void check_range(const forward *f, const float *low)
{
    size_t count = 16 * (size_t)f->config->grid * (size_t)f->config->grid;
    float least = low[0], most = low[0], *values = malloc(count * sizeof *values);
    for (size_t i = 1; i < count; i++) {
        least = fminf(least, low[i]);
        most = fmaxf(most, low[i]);
    }
    for (size_t i = 0; i < count; i++)
        values[i] = (low[i] - least) / (most - least);
    golden_check(&f->file, "norm", SGM_SHAPE(1, 1, 4 * f->config->grid, 4 * f->config->grid),
                 values, logit_limit);
    free(values);
}

static void decode(forward *f)
{
    sgm_program *p = NULL;
    sgm_workspace *workspace = NULL;
    bool classes = f->config->classes > 0, listens = sgm_config_listens(f->config);
    int32_t first = 0;
    sgm_program_key key = {
        .stage = SGM_STAGE_DECODE, .batch = 1, .tokens = listens ? 2 : 0, .classes = classes};
    sgm_plan_options options = sgm_model_plan_options(f->model);
    if (f->features[0] && CHECK_OK(sgm_program_build(f->config, key, NULL, NULL, NULL, &p)) &&
        CHECK_OK(sgm_program_plan(p, sgm_model_weights(f->model), &options)) &&
        CHECK_OK(sgm_workspace_create(p->plan, &workspace))) {
        for (int i = 0; i < p->in.count; i++)
            CHECK_OK(sgm_workspace_set(workspace, p->in.node[i], f->features[i]));
        if (classes) CHECK_OK(sgm_workspace_set(workspace, p->prompt.classes, &first));
        if (listens) set_point(f, p, workspace);
        CHECK_OK(sgm_plan_run(p->plan, workspace));
        float *low = fetch(workspace, p->low_res), *iou = fetch(workspace, p->iou);
        int64_t masks = golden_shape(&f->file, f->c->low_res).dim[1], side = 4 * f->config->grid;
        golden_check(&f->file, f->c->low_res, SGM_SHAPE(1, masks, side, side), low, logit_limit);
        check_iou(f, "iou", iou, (size_t)masks);
        if (f->config->protocol->range) check_range(f, low);
        free(low);
        free(iou);
    }
    sgm_workspace_destroy(workspace);
    sgm_program_destroy(p);
}

/* ----------------------------------------------------------------------- AutoSAM while it trains
 */

/* Two pictures together, the second encoder at 128 pixels and with the batch's statistics. 80 norms
 * in a row, the deepest over 32 values, amplify rounding: the reference backend, whose sums are in
 * double, is 4e-4 from the official code, ours 2e-4. The unbiased variance would be off by 1e-2. */
static void run_batch(forward *f)
{
    enum { BATCH = 2, SMALL = 128 };
    sgm_model_config config = *f->config;
    size_t side = (size_t)config.image_size, pixels = side * side;
    float *input = malloc(BATCH * pixels * 3 * sizeof *input);
    uint8_t *rgb = malloc(pixels * 3);
    sgm_image image = {
        .data = rgb, .width = config.image_size, .height = config.image_size, .channels = 3};
    sgm_frame frame;
    sgm_program *p = NULL;
    sgm_workspace *workspace = NULL;
    sgm_net net = {.batch_statistics = true};
    sgm_plan_options options = sgm_model_plan_options(f->model);
    config.own[0] = SMALL;
    for (int i = 0; i < BATCH; i++) {
        hash_image(config.image_size, config.image_size, i ? 3 : 0, rgb);
        CHECK_OK(sgm_preprocess(&config, &image, input + (size_t)i * pixels * 3, &frame));
    }
    sgm_program_key key = {.stage = SGM_STAGE_ENCODE, .batch = BATCH};
    if (CHECK_OK(sgm_program_build(&config, key, NULL, NULL, &net, &p)) &&
        CHECK_OK(sgm_plan_create(p->graph, sgm_model_weights(f->model), 1, &p->features.node[1],
                                 &options, &p->plan)) &&
        CHECK_OK(sgm_workspace_create(p->plan, &workspace)) &&
        CHECK_OK(sgm_workspace_set(workspace, p->image, input)) &&
        CHECK_OK(sgm_plan_run(p->plan, workspace))) {
        float *dense = fetch(workspace, p->features.node[1]);
        golden_check(&f->file, "out.dense", p->features.node[1]->shape, dense, 1e-3);
        free(dense);
    }
    sgm_workspace_destroy(workspace);
    sgm_program_destroy(p);
    free(input);
    free(rgb);
}

/* ------------------------------------------------------------------------ SAMed, as it is used */

/* What encode left, channels first as the public interface takes it. */
static sgm_status give_embedding(const forward *f, sgm_session *session)
{
    size_t dim = (size_t)f->config->decoder.dim;
    size_t places = (size_t)f->config->grid * (size_t)f->config->grid;
    float *values = malloc(places * dim * sizeof *values);
    for (size_t c = 0; c < dim; c++)
        for (size_t i = 0; i < places; i++)
            values[c * places + i] = f->features[0][i * dim + c];
    sgm_status status =
        sgm_session_set_embedding(session, values, f->config->image_size, f->config->image_size);
    free(values);
    return status;
}

/* Every class's mask against the official label map, of which every fourth pixel is stored. */
static void check_labels(const forward *f, sgm_session *session)
{
    enum { STORED = 128, STEP = 4 };
    size_t count, same = 0;
    float *labels = golden_floats(&f->file, "label.sub", &count);
    if (!labels || !CHECK(count == STORED * STORED)) return;
    for (int c = 1; c <= f->config->classes; c++) {
        sgm_prompt prompt = {.class_index = c};
        sgm_mask mask;
        if (!CHECK_OK(sgm_session_predict(session, &prompt, NULL, &mask))) continue;
        for (int y = 0; y < STORED; y++)
            for (int x = 0; x < STORED; x++)
                same += mask.data[STEP * (y * mask.width + x)] == (labels[y * STORED + x] == c);
    }
    double share = (double)same / (double)(count * (size_t)f->config->classes);
    printf("  %s: %.6f of the official labels\n", f->c->name, share);
    CHECK(share >= 0.9999);
    free(labels);
}

static void ask_all_classes(const forward *f)
{
    sgm_session *session = NULL;
    sgm_mask mask;
    const sgm_point point = {10, 10, SGM_FOREGROUND};
    const sgm_prompt none = {.points = &point, .point_count = 1}, beyond = {.class_index = 9};
    if (CHECK_OK(sgm_session_create(f->model, &session)) && CHECK_OK(give_embedding(f, session))) {
        CHECK_STATUS(sgm_session_predict(session, &none, NULL, &mask), SGM_BAD_PROMPT,
                     "prompted by a class, 1 to 8");
        CHECK_STATUS(sgm_session_predict(session, &beyond, NULL, &mask), SGM_BAD_PROMPT,
                     "there is no class 9 in samed; its classes are 1 to 8");
        check_labels(f, session);
    }
    sgm_session_destroy(session);
}

/* ------------------------------------------------------------------------------- SurgicalSAM */

enum { PICTURES = 3 };

typedef struct class_outputs {
    float *dense, *sparse, *low, *quality;
    sgm_node *node[2]; /* taps: dense, sparse */
} class_outputs;

static void keep_prompt(void *user, const char *stage, sgm_node *value)
{
    class_outputs *out = user;
    if (!strcmp(stage, "class_dense")) out->node[0] = value;
    if (!strcmp(stage, "class_sparse")) out->node[1] = value;
}

static void copy_out(sgm_workspace *workspace, const sgm_node *node, float *to, size_t count)
{
    float *values = fetch(workspace, node);
    memcpy(to, values, count * sizeof *to);
    free(values);
}

/* Picture i of the golden: features that are a function of their index, and a class. */
static void ask_class(forward *f, sgm_program *p, sgm_workspace *workspace, int i, int32_t asked,
                      class_outputs *out)
{
    size_t places = (size_t)f->config->grid * (size_t)f->config->grid;
    size_t dim = (size_t)f->config->decoder.dim, low = 16 * places;
    size_t tokens = (size_t)sgm_shape_count(out->node[1]->shape);
    float *features = malloc(places * dim * sizeof *features);
    char name[64];
    snprintf(name, sizeof name, "synthetic:sam_feat:%d", i);
    hash_uniform(name, places * dim, features);
    for (size_t k = 0; k < places * dim; k++)
        features[k] = 1.5f * features[k];
    CHECK_OK(sgm_workspace_set(workspace, p->in.node[0], features));
    CHECK_OK(sgm_workspace_set(workspace, p->prompt.classes, &asked));
    if (CHECK_OK(sgm_plan_run(p->plan, workspace))) {
        copy_out(workspace, out->node[0], out->dense + (size_t)i * places * dim, places * dim);
        copy_out(workspace, out->node[1], out->sparse + (size_t)i * tokens, tokens);
        copy_out(workspace, p->low_res, out->low + (size_t)i * low, low); /* mask 0 */
        copy_out(workspace, p->iou, out->quality + i, 1);
    }
    free(features);
}

static void check_classes(const forward *f, const class_outputs *out)
{
    int64_t grid = f->config->grid, dim = f->config->decoder.dim;
    size_t count;
    golden_check(&f->file, "dense", SGM_SHAPE(PICTURES, grid, grid, dim), out->dense, 1e-4);
    golden_check(&f->file, "lowres", SGM_SHAPE(PICTURES, 1, 4 * grid, 4 * grid), out->low,
                 logit_limit);
    float *sparse = golden_floats(&f->file, "sparse", &count);
    if (sparse && CHECK(count == PICTURES * (size_t)sgm_shape_count(out->node[1]->shape)))
        check_nrmse("sparse", out->sparse, sparse, count, 1e-4);
    free(sparse);
    check_iou(f, "quality", out->quality, PICTURES);
}

static void run_classes(forward *f)
{
    size_t places = (size_t)f->config->grid * (size_t)f->config->grid, count;
    size_t dim = (size_t)f->config->decoder.dim;
    sgm_program *p = NULL;
    sgm_workspace *workspace = NULL;
    class_outputs out = {.dense = malloc(PICTURES * places * dim * sizeof(float)),
                         .sparse = malloc(PICTURES * 64 * dim * sizeof(float)),
                         .low = malloc(PICTURES * 16 * places * sizeof(float)),
                         .quality = malloc(PICTURES * sizeof(float))};
    sgm_net net = {.tap = keep_prompt, .tap_user = &out};
    sgm_program_key key = {.stage = SGM_STAGE_DECODE, .batch = 1, .classes = true};
    sgm_plan_options options = sgm_model_plan_options(f->model);
    float *asked = golden_floats(&f->file, "in.cls_ids", &count);
    if (asked && CHECK(count == PICTURES) &&
        CHECK_OK(sgm_program_build(f->config, key, NULL, NULL, &net, &p))) {
        sgm_node *outputs[4] = {p->low_res, p->iou, out.node[0], out.node[1]};
        if (CHECK_OK(sgm_plan_create(p->graph, sgm_model_weights(f->model), 4, outputs, &options,
                                     &p->plan)) &&
            CHECK_OK(sgm_workspace_create(p->plan, &workspace))) {
            for (int i = 0; i < PICTURES; i++)
                ask_class(f, p, workspace, i, (int32_t)asked[i] - 1, &out);
            check_classes(f, &out);
        }
    }
    sgm_workspace_destroy(workspace);
    sgm_program_destroy(p);
    free(asked);
    free(out.dense);
    free(out.sparse);
    free(out.low);
    free(out.quality);
}

/* ---------------------------------------------------------------------------------------------- */

static void run(forward *f, sgm_context *context, char **argv, const char *base)
{
    if (!CHECK_OK(sgm_model_load_on(context, base, argv[2], NULL, &f->model))) return;
    f->config = sgm_model_get_config(f->model);
    snprintf(f->file.label, sizeof f->file.label, "%s", f->c->name);
    if (!CHECK_OK(sgm_checkpoint_open(argv[3], &f->file.checkpoint))) return;
    CHECK(!strcmp(f->config->variant, f->c->variant)); /* told from its tensors */
    if (!f->c->low_res) {
        run_batch(f);
        return;
    }
    if (!strcmp(f->c->name, "surgicalsam")) {
        run_classes(f);
        return;
    }
    encode(f);
    decode(f);
    if (f->features[0] && !strcmp(f->c->name, "samed")) ask_all_classes(f);
}

int main(int argc, char **argv)
{
    forward f = {0};
    sgm_context *context = NULL;
    sgm_context_options options = {.device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    for (size_t i = 0; argc > 3 && i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(cases[i].name, argv[1])) f.c = &cases[i];
    if (!f.c) {
        fprintf(stderr, "usage: golden_forward CASE WEIGHTS GOLDEN [BASE]\n");
        return 1;
    }
    if (CHECK_OK(sgm_context_create(&options, &context)))
        run(&f, context, argv, argc > 4 ? argv[4] : NULL);
    sgm_model_destroy(f.model);
    sgm_context_destroy(context);
    golden_close(&f.file);
    free(f.input);
    for (int i = 0; i < SGM_MAX_FEATURES; i++)
        free(f.features[i]);
    return check_report();
}
