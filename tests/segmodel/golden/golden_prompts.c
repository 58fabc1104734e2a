/* Prompt encoder and mask decoder against the prompt goldens. Their prompts are in pixels of the
 * encoder's input. */
#include "golden_model.h"

#include "../check.h"
#include "../hash_weights.h"

#include "predict/session/postprocess.h"
#include "predict/session/prompt_tokens.h"

#include <stdlib.h>

enum { MAX_TOKENS = 64 };

/* One prompt golden as decoder tokens, and what the decoder made of them. */
typedef struct prompt_case {
    golden_file file;
    int batch, tokens;
    float coordinates[MAX_TOKENS * 2];
    int32_t labels[MAX_TOKENS];
    float *mask; /* or NULL */
    float *low_res, *iou, *sparse, *dense, *position;
    sgm_shape sparse_shape, dense_shape, position_shape;
} prompt_case;

static size_t low_count(const golden_model *m)
{
    return 16 * (size_t)m->config->grid * (size_t)m->config->grid;
}

static void put_token(const golden_model *m, prompt_case *c, int at, const float *place, int label)
{
    sgm_token_place(m->config->image_size, place[0], place[1], c->coordinates + 2 * at);
    c->labels[at] = label < 0 ? SGM_TOKEN_PADDING : label;
}

/* Points [B, N, 2], a padding token when there is no box, boxes [B, 4]. */
static bool read_tokens(const golden_model *m, prompt_case *c)
{
    static const float origin[2] = {0, 0};
    size_t coordinates = 0, labels = 0, boxes = 0;
    bool has_points = golden_has(&c->file, "in.points"), has_box = golden_has(&c->file, "in.boxes");
    float *points = has_points ? golden_floats(&c->file, "in.points", &coordinates) : NULL;
    float *label = has_points ? golden_floats(&c->file, "in.labels", &labels) : NULL;
    float *box = has_box ? golden_floats(&c->file, "in.boxes", &boxes) : NULL;
    const sgm_stored_tensor *stored = sgm_checkpoint_find(c->file.checkpoint, "in.points");
    int per_set = stored ? (int)stored->shape[stored->rank - 2] : 0;
    c->batch = per_set ? (int)labels / per_set : has_box ? (int)boxes / 4 : 1;
    c->tokens = per_set + (has_box ? 2 : per_set ? 1 : 0);
    bool fits = CHECK(c->batch * c->tokens <= MAX_TOKENS && coordinates == 2 * labels);
    for (int b = 0; b < c->batch && fits; b++) {
        int at = b * c->tokens;
        for (int i = 0; i < per_set; i++)
            put_token(m, c, at++, points + 2 * (b * per_set + i), (int)label[b * per_set + i]);
        for (int i = 0; i < 2 && has_box; i++)
            put_token(m, c, at++, box + 4 * b + 2 * i, SGM_TOKEN_BOX_FIRST + i);
        if (per_set && !has_box) put_token(m, c, at, origin, -1);
    }
    free(points);
    free(label);
    free(box);
    return fits;
}

static void read_mask(const golden_model *m, prompt_case *c)
{
    const char *text = sgm_checkpoint_metadata(c->file.checkpoint, "mask_prompt");
    int size, cx, cy, radius;
    if (!text || sscanf(text, "mask_logits(%d,%d,%d,%d)", &size, &cx, &cy, &radius) != 4) return;
    if (!CHECK((size_t)size * (size_t)size == low_count(m))) return;
    c->mask = malloc(low_count(m) * sizeof *c->mask);
    hash_mask_logits(size, cx, cy, radius, c->mask);
}

static void keep_prompt_stage(void *user, const char *stage, sgm_node *value)
{
    sgm_node **nodes = user;
    if (strcmp(stage, "sparse") == 0) nodes[0] = value;
    if (strcmp(stage, "dense") == 0) nodes[1] = value;
    if (strcmp(stage, "dense_pe") == 0) nodes[2] = value;
}

static float *fetch(sgm_workspace *workspace, const sgm_node *node, sgm_shape *shape)
{
    if (!node) return NULL;
    float *values = malloc((size_t)sgm_shape_count(node->shape) * sizeof *values);
    if (shape) *shape = node->shape;
    if (CHECK_OK(sgm_workspace_get(workspace, node, values))) return values;
    free(values);
    return NULL;
}

static bool set_inputs(const prompt_case *c, const sgm_program *p, sgm_workspace *workspace,
                       const float *embedding)
{
    bool ok = CHECK_OK(sgm_workspace_set(workspace, p->in.node[0], embedding));
    if (c->tokens) {
        ok &= CHECK_OK(sgm_workspace_set(workspace, p->prompt.coordinates, c->coordinates));
        ok &= CHECK_OK(sgm_workspace_set(workspace, p->prompt.labels, c->labels));
    }
    if (c->mask) ok &= CHECK_OK(sgm_workspace_set(workspace, p->prompt.mask, c->mask));
    return ok;
}

static void decode(const golden_model *m, prompt_case *c, const float *embedding)
{
    sgm_node *stage[3] = {0}, *outputs[5];
    sgm_net net = {.tap = keep_prompt_stage, .tap_user = stage};
    sgm_program_key key = {
        .stage = SGM_STAGE_DECODE, .batch = c->batch, .tokens = c->tokens, .mask = c->mask != NULL};
    sgm_plan_options options = sgm_model_plan_options(m->model);
    sgm_program *p;
    sgm_workspace *workspace = NULL;
    if (!CHECK_OK(sgm_program_build(m->config, key, NULL, NULL, &net, &p))) return;
    int count = 0;
    outputs[count++] = p->low_res;
    outputs[count++] = p->iou;
    for (int i = 0; i < 3; i++)
        if (stage[i]) outputs[count++] = stage[i];
    if (CHECK_OK(sgm_plan_create(p->graph, sgm_model_weights(m->model), count, outputs, &options,
                                 &p->plan)) &&
        CHECK_OK(sgm_workspace_create(p->plan, &workspace)) &&
        set_inputs(c, p, workspace, embedding) && CHECK_OK(sgm_plan_run(p->plan, workspace))) {
        c->low_res = fetch(workspace, p->low_res, NULL);
        c->iou = fetch(workspace, p->iou, NULL);
        c->sparse = fetch(workspace, stage[0], &c->sparse_shape);
        c->dense = fetch(workspace, stage[1], &c->dense_shape);
        c->position = fetch(workspace, stage[2], &c->position_shape);
    }
    sgm_workspace_destroy(workspace);
    sgm_program_destroy(p);
}

/* Small tensors that goldens store whole. */
static void check_whole(const golden_model *m, const prompt_case *c, const char *name,
                        const float *values, size_t have, bool absolute, double limit)
{
    size_t count;
    char label[128];
    (void)m;
    if (!golden_has(&c->file, name) || !values) return;
    snprintf(label, sizeof label, "%s %s", c->file.label, name);
    float *want = golden_floats(&c->file, name, &count);
    if (want && CHECK(count == have)) {
        if (absolute)
            check_close(label, values, want, count, limit, 0);
        else
            check_nrmse(label, values, want, count, limit);
    }
    free(want);
}

/* Without a mask prompt ours is one vector where the golden repeats it over the grid. */
static void check_dense(const golden_model *m, const prompt_case *c)
{
    if (!golden_has(&c->file, "dense.val") || !c->dense) return;
    sgm_shape full = SGM_SHAPE(golden_shape(&c->file, "dense").dim[0], m->config->grid,
                               m->config->grid, m->config->decoder.dim);
    size_t dim = (size_t)m->config->decoder.dim, places = (size_t)sgm_shape_count(full) / dim;
    float *values = malloc(places * dim * sizeof *values);
    bool repeated = (size_t)sgm_shape_count(c->dense_shape) == dim;
    for (size_t i = 0; i < places; i++)
        memcpy(values + i * dim, c->dense + (repeated ? 0 : i * dim), dim * sizeof *values);
    golden_check(&c->file, "dense", full, values, m->embedding_limit);
    free(values);
}

/* Mask 0 of every prompt set, [B, 1, side, side]. */
static float *first_masks(const golden_model *m, const prompt_case *c)
{
    size_t low = low_count(m), tokens = (size_t)m->config->decoder.mask_tokens;
    float *masks = malloc((size_t)c->batch * low * sizeof *masks);
    for (size_t b = 0; b < (size_t)c->batch; b++)
        memcpy(masks + b * low, c->low_res + b * tokens * low, low * sizeof *masks);
    return masks;
}

static void check_logits(const golden_model *m, const prompt_case *c)
{
    int64_t side = 4 * m->config->grid, tokens = m->config->decoder.mask_tokens;
    sgm_shape all = SGM_SHAPE(c->batch, tokens, side, side);
    sgm_shape one = SGM_SHAPE(c->batch, 1, side, side);
    float *first = first_masks(m, c);
    bool only_first = golden_shape(&c->file, "lowres").dim[1] != tokens;
    golden_check(&c->file, "lowres", only_first ? one : all, only_first ? first : c->low_res,
                 m->logit_limit);
    if (golden_has(&c->file, "lowres_all4.val"))
        golden_check(&c->file, "lowres_all4", all, c->low_res, m->logit_limit);
    if (golden_has(&c->file, "lowres.bits"))
        golden_check_bits(&c->file, "lowres", c->low_res, (size_t)sgm_shape_count(all), 0, 5e-3,
                          m->exact);
    free(first);
}

/* Upsampled mask `from` and those after it, of every prompt set, against golden `name`. */
static void check_upsampled(const golden_model *m, const prompt_case *c, const char *name,
                            sgm_size original, int from)
{
    char key[64];
    snprintf(key, sizeof key, "%s.val", name);
    if (!golden_has(&c->file, key)) return;
    sgm_shape shape = golden_shape(&c->file, name);
    int64_t per_set = sgm_shape_count(shape) / c->batch / original.width / original.height;
    size_t pixels = (size_t)original.width * (size_t)original.height, low = low_count(m);
    float *values = malloc((size_t)sgm_shape_count(shape) * sizeof *values), *to = values;
    sgm_frame frame;
    sgm_upscaler *upscaler = NULL;
    if (CHECK_OK(sgm_frame_make(m->config, original.width, original.height, &frame)) &&
        CHECK_OK(sgm_upscaler_create(m->config, &frame, &upscaler))) {
        for (int b = 0; b < c->batch; b++)
            for (int64_t k = 0; k < per_set; k++, to += pixels) {
                size_t index = (size_t)(b * m->config->decoder.mask_tokens + from + k);
                sgm_upscaler_values(upscaler, c->low_res + index * low, to);
            }
        golden_check(&c->file, name, shape, values, m->upsampled_limit);
        snprintf(key, sizeof key, "%s.bits", name);
        if (golden_has(&c->file, key))
            golden_check_bits(&c->file, name, values, (size_t)sgm_shape_count(shape),
                              strcmp(name, "prob_up") == 0 ? 0.5f : 0, 5e-3, m->exact);
    }
    sgm_upscaler_destroy(upscaler);
    free(values);
}

static void check_case(const golden_model *m, const prompt_case *c)
{
    int side = m->config->image_size;
    size_t tokens = (size_t)c->batch * (size_t)c->tokens;
    check_whole(m, c, "sparse", c->sparse, tokens * (size_t)m->config->decoder.dim, false,
                m->embedding_limit);
    check_whole(m, c, "iou", c->iou, (size_t)(c->batch * m->config->decoder.mask_tokens), true,
                m->iou_limit);
    check_dense(m, c);
    if (golden_has(&c->file, "dense_pe.val"))
        golden_check(&c->file, "dense_pe", c->position_shape, c->position, 1e-4);
    check_logits(m, c);
    check_upsampled(m, c, "post", (sgm_size){1024, 768}, 0);
    check_upsampled(m, c, "post_427x569", (sgm_size){569, 427}, 1);
    check_upsampled(m, c, "prob_up", (sgm_size){800, 600}, 0);
    check_upsampled(m, c, "post_600x800", (sgm_size){800, 600}, 0);
    if (m->config->protocol == &sgm_protocol_samus)
        check_upsampled(m, c, "masks", (sgm_size){side, side}, 0);
}

static void free_case(prompt_case *c)
{
    golden_close(&c->file);
    free(c->mask);
    free(c->low_res);
    free(c->iou);
    free(c->sparse);
    free(c->dense);
    free(c->position);
}

static void run_case(golden_model *m, const char *name)
{
    char file[64];
    prompt_case c = {0};
    snprintf(file, sizeof file, "prompt_%s", name);
    if (golden_open(m->folder, file, &c.file) && read_tokens(m, &c)) {
        read_mask(m, &c);
        decode(m, &c, m->embedding);
        if (CHECK(c.low_res && c.iou)) check_case(m, &c);
    }
    free_case(&c);
}

void golden_prompts(golden_model *m)
{
    static const char *const of_sam[] = {"p1",   "p3",     "box", "boxpts", "maskpt",
                                         "none", "batch3", "pad", NULL};
    static const char *const of_large[] = {"p1", "boxpts", "maskpt", NULL};
    static const char *const of_medsam[] = {"box", NULL};
    static const char *const of_samus[] = {"p1", "p3", "neg", "multi_obj", NULL};
    static const char *const of_samihs[] = {"p1", "p3", "neg", NULL};
    const char *const *names = of_sam;
    if (!strcmp(m->config->variant, "sam_vit_l") || !strcmp(m->config->variant, "sam_vit_h"))
        names = of_large;
    if (m->config->protocol == &sgm_protocol_medsam) names = of_medsam;
    if (m->config->protocol == &sgm_protocol_lite_medsam) names = of_medsam;
    if (m->config->protocol == &sgm_protocol_samus) names = of_samus;
    if (m->config->protocol == &sgm_protocol_samihs) names = of_samihs;
    for (; *names; names++)
        run_case(m, *names);
}
