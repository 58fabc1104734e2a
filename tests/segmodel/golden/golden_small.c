/* golden_small sam|medsam|samus|samihs WEIGHTS.safetensors GOLDEN.safetensors [cpu|ref|cuda]
 * golden_small samihs_prompts WEIGHTS.safetensors GOLDEN.safetensors [cpu|ref|cuda]
 *
 * Networks of two or three narrow blocks against the official code: quick enough for the reference
 * backend and for sanitizers. Pictures are encoded as a batch, which the large goldens do not do.
 * The files are those of the training goldens; here only the first forward pass is of interest. */
#include "golden_file.h"
#include "small_case.h"

#include "../check.h"
#include "../hash_weights.h"

#include "plan/weights.h"
#include "predict/session/model.h"
#include "predict/session/postprocess.h"
#include "predict/session/prompt_tokens.h"

#include <stdlib.h>

int check_count, check_failures;

typedef struct small_run {
    const small_case *c;
    sgm_model *model;
    const sgm_model_config *config;
    sgm_plan_options options;
    golden_file file;
    sgm_frame frame;
    float *input, *embedding, *low_res, *iou;
    bool few_tokens; /* decode as models/few_tokens.h has it */
} small_run;

/* Runs a program; outputs are fetched by the caller while the workspace lives. */
static bool start(small_run *r, sgm_program_key key, sgm_program **p, sgm_workspace **workspace)
{
    sgm_net net = {.few_tokens = r->few_tokens};
    return CHECK_OK(sgm_program_build(r->config, key, NULL, NULL, &net, p)) &&
           CHECK_OK(sgm_program_plan(*p, sgm_model_weights(r->model), &r->options)) &&
           CHECK_OK(sgm_workspace_create((*p)->plan, workspace));
}

static void encode(small_run *r)
{
    sgm_program *p = NULL;
    sgm_workspace *workspace = NULL;
    size_t values = (size_t)r->config->image_size * (size_t)r->config->image_size * 3;
    for (int i = 0; i < r->c->images; i++)
        small_case_input(r->config, i, &r->frame, r->input + (size_t)i * values);
    if (start(r, (sgm_program_key){.stage = SGM_STAGE_ENCODE, .batch = r->c->images}, &p,
              &workspace) &&
        CHECK_OK(sgm_workspace_set(workspace, p->image, r->input)) &&
        CHECK_OK(sgm_plan_run(p->plan, workspace)))
        CHECK_OK(sgm_workspace_get(workspace, p->features.node[0], r->embedding));
    sgm_workspace_destroy(workspace);
    sgm_program_destroy(p);
}

/* Linear layers over all tokens of the picture: what few_tokens.h does away with. */
static int picture_layers(const sgm_program *p, int64_t places)
{
    int count = 0;
    for (int i = 0; i < sgm_graph_size(p->graph); i++) {
        const sgm_node *node = sgm_graph_node(p->graph, i);
        if (node->op != SGM_OP_LINEAR || node->constant || node->shape.ndim != 3) continue;
        count += node->shape.dim[1] == places;
    }
    return count;
}

/* `mask`: logits of the masks' size, or NULL. */
static void decode(small_run *r, int index, const sgm_prompt *prompt, const float *mask,
                   float *low_res, float *iou)
{
    float coordinates[16];
    int32_t labels[8];
    size_t grid = (size_t)r->config->grid, dim = (size_t)r->config->decoder.dim;
    sgm_program *p = NULL;
    sgm_workspace *workspace = NULL;
    sgm_program_key key = {.stage = SGM_STAGE_DECODE,
                           .batch = 1,
                           .tokens = sgm_prompt_token_count(prompt),
                           .mask = mask != NULL};
    sgm_prompt_tokens(r->config, &r->frame, prompt, coordinates, labels);
    if (start(r, key, &p, &workspace) &&
        CHECK(!picture_layers(p, (int64_t)(grid * grid)) == r->few_tokens) &&
        CHECK_OK(sgm_workspace_set(workspace, p->in.node[0],
                                   r->embedding + (size_t)index * grid * grid * dim)) &&
        (!key.tokens ||
         (CHECK_OK(sgm_workspace_set(workspace, p->prompt.coordinates, coordinates)) &&
          CHECK_OK(sgm_workspace_set(workspace, p->prompt.labels, labels)))) &&
        (!mask || CHECK_OK(sgm_workspace_set(workspace, p->prompt.mask, mask))) &&
        CHECK_OK(sgm_plan_run(p->plan, workspace)) &&
        CHECK_OK(sgm_workspace_get(workspace, p->low_res, low_res)))
        CHECK_OK(sgm_workspace_get(workspace, p->iou, iou));
    sgm_workspace_destroy(workspace);
    sgm_program_destroy(p);
}

static void check_upsampled(small_run *r, const float *low, size_t low_count)
{
    if (!r->c->upsampled) return;
    int64_t side = r->config->image_size;
    sgm_shape shape = SGM_SHAPE(r->c->images, 1, side, side);
    float *values = malloc((size_t)sgm_shape_count(shape) * sizeof *values);
    sgm_model_config plain = *r->config; /* these goldens upsample logits, MedSAM's too */
    sgm_upscaler *upscaler = NULL;
    plain.protocol = &sgm_protocol_sam;
    if (CHECK_OK(sgm_upscaler_create(&plain, &r->frame, &upscaler))) {
        for (int64_t i = 0; i < r->c->images; i++)
            sgm_upscaler_values(upscaler, low + (size_t)i * low_count, values + i * side * side);
        golden_check(&r->file, r->c->upsampled, shape, values, 5e-4);
    }
    sgm_upscaler_destroy(upscaler);
    free(values);
}

static void check_outputs(small_run *r)
{
    int64_t grid = r->config->grid, side = 4 * grid, dim = r->config->decoder.dim;
    size_t low = (size_t)(side * side), tokens = (size_t)r->config->decoder.mask_tokens;
    size_t masks = (size_t)r->c->masks;
    float *kept = malloc((size_t)r->c->images * masks * low * sizeof *kept);
    for (int i = 0; i < r->c->images; i++) {
        decode(r, i, &r->c->prompt[i], NULL, r->low_res, r->iou);
        memcpy(kept + (size_t)i * masks * low, r->low_res + (size_t)r->c->first_mask * low,
               masks * low * sizeof *kept);
    }
    if (golden_has(&r->file, "out.embedding.val"))
        golden_check(&r->file, "out.embedding", SGM_SHAPE(1, grid, grid, dim), r->embedding, 1e-4);
    golden_check(&r->file, r->c->low_res, SGM_SHAPE(r->c->images, r->c->masks, side, side), kept,
                 5e-4);
    if (golden_has(&r->file, "out.iou.val"))
        golden_check(&r->file, "out.iou", SGM_SHAPE(1, (int64_t)tokens - 1), r->iou + 1, 1e-3);
    check_upsampled(r, kept, low);
    free(kept);
}

/* A box, and a mask as prompt: SAMIHS's own forward takes points only, its prompt encoder and
 * decoder are SAM's. */
static void check_prompts(small_run *r)
{
    enum { SIDE = 256 };
    static float mask[SIDE * SIDE];
    sgm_box box = {192, 352, 608, 768};
    const sgm_point *point = r->c->prompt[0].points;
    const struct {
        const char *name;
        sgm_prompt prompt;
        const float *mask;
    } asked[] = {{"mask_and_point", {.points = point, .point_count = 1}, mask},
                 {"mask_only", {.points = NULL}, mask},
                 {"box_and_point", {.points = point, .point_count = 1, .box = &box}, NULL}};
    int64_t grid = r->config->grid, side = 4 * grid, dim = r->config->decoder.dim;
    if (!CHECK(side == SIDE)) return;
    hash_mask_logits(SIDE, 100, 140, 52, mask);
    golden_check(&r->file, "embedding", SGM_SHAPE(1, grid, grid, dim), r->embedding, 1e-4);
    for (int i = 0; i < 3; i++) {
        char name[64];
        size_t count = 0;
        decode(r, 0, &asked[i].prompt, asked[i].mask, r->low_res, r->iou);
        snprintf(name, sizeof name, "%s.lowres", asked[i].name);
        golden_check(&r->file, name, SGM_SHAPE(1, 1, side, side), r->low_res, 5e-4);
        snprintf(name, sizeof name, "%s.iou", asked[i].name);
        float *iou = golden_floats(&r->file, name, &count);
        if (iou && CHECK(count == 1)) check_close(name, r->iou, iou, 1, 1e-4, 0);
        free(iou);
    }
}

static void check(small_run *r)
{
    if (r->c->low_res)
        check_outputs(r);
    else
        check_prompts(r);
}

static void run(small_run *r, sgm_context *context, const char *weights, const char *golden)
{
    if (!CHECK_OK(sgm_model_load(context, weights, r->c->variant, &r->model))) return;
    snprintf(r->file.label, sizeof r->file.label, "%s_small", r->c->name);
    if (!CHECK_OK(sgm_checkpoint_open(golden, &r->file.checkpoint))) return;
    r->config = sgm_model_get_config(r->model);
    r->options = sgm_model_plan_options(r->model);
    size_t images = (size_t)r->c->images, side = (size_t)r->config->image_size;
    size_t places = (size_t)r->config->grid * (size_t)r->config->grid;
    r->input = malloc(images * side * side * 3 * sizeof(float));
    r->embedding = calloc(images * places * (size_t)r->config->decoder.dim, sizeof(float));
    r->low_res = calloc(16 * places * (size_t)r->config->decoder.mask_tokens, sizeof(float));
    r->iou = calloc((size_t)r->config->decoder.mask_tokens, sizeof(float));
    encode(r);
    check(r);
    r->few_tokens = sgm_weights_backend(sgm_model_weights(r->model))->ops->host_memory;
    if (r->few_tokens) check(r);
}

int main(int argc, char **argv)
{
    small_run r = {0};
    if (argc >= 4) r.c = small_case_find(argv[1]);
    if (!r.c) {
        fprintf(stderr, "usage: golden_small sam|medsam|samus|samihs|samihs_prompts WEIGHTS GOLDEN "
                        "[cpu|ref|cuda]\n");
        return 1;
    }
    sgm_context *context = NULL;
    sgm_status status = small_case_context(argc > 4 ? argv[4] : "cpu", &context);
    if (status == SGM_DEVICE) {
        printf("left out: %s\n", sgm_last_message());
        return 77;
    }
    if (CHECK_OK(status)) run(&r, context, argv[2], argv[3]);
    sgm_model_destroy(r.model);
    sgm_context_destroy(context);
    golden_close(&r.file);
    free(r.input);
    free(r.embedding);
    free(r.low_res);
    free(r.iou);
    return check_report();
}
