#include "train/asked_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/family.h"
#include "train/drop_path.h"
#include "train/loss.h"
#include "train/rounds.h"

enum { MOST_NORMS = SGM_ASKED_OUTPUTS / 2 - 2 };

/* Of one batch norm: where the tap found it. */
typedef struct batch_norm_taps {
    char name[160]; /* without ".running_mean" */
    sgm_node *mean, *variance;
} batch_norm_taps;

typedef struct sgm_batch_norms {
    batch_norm_taps list[MOST_NORMS];
    int count;
} sgm_batch_norms;

/* ------------------------------------------------------------------------------------ the check */

static bool is_sam_loss(sgm_train_loss loss)
{
    return loss == SGM_TRAIN_LOSS_SAM || loss == SGM_TRAIN_LOSS_BALANCED;
}

static sgm_status check_prompt(const sgm_train_config *c)
{
    const sgm_model_config *m = &c->model;
    sgm_asked asked = c->sampler.asked;
    bool places = asked == SGM_ASKED_POINT || asked == SGM_ASKED_BOX || asked == SGM_ASKED_EITHER ||
                  c->given[0];
    if (places && !sgm_config_listens(m))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "%s is not prompted by points and boxes; wanted prompts = %s", m->variant,
                        m->classes ? "class or none" : "none");
    if (asked == SGM_ASKED_CLASS && !m->classes)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s is not prompted by a class", m->variant);
    if (asked == SGM_ASKED_NOTHING && !c->given[0] && sgm_config_listens(m))
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s wants prompts, found prompts = none", m->variant);
    return SGM_OK;
}

/* Rounds of questions about one object go on from one prompt, with the loss and the masks of SAM.
 */
static sgm_status check_rounds(const sgm_train_config *c)
{
    int rounds = c->sampler.rounds;
    if (rounds < 2) return SGM_OK;
    if (rounds < SGM_LEAST_ROUNDS)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "rounds = %d; wanted 1, or %d to %d: a first one, points, and two with the "
                        "mask alone",
                        rounds, SGM_LEAST_ROUNDS, SGM_MOST_ROUNDS);
    if (!is_sam_loss(c->loss) || !sgm_config_listens(&c->model) || c->given[0] || c->bank ||
        c->features[0] || c->norms == SGM_NORMS_BATCH || strcmp(c->target, "low"))
        return sgm_fail(
            SGM_INVALID_ARGUMENT,
            "rounds = %d needs loss = sam or balanced, target = low, gathered norms, and "
            "drawn prompts of points and boxes",
            rounds);
    return SGM_OK;
}

/* A file of features (feature_store.h) holds the embedding alone: a decoder that reads more of a
 * picture would be another network than the one that is saved. */
static sgm_status check_features(const sgm_train_config *c)
{
    sgm_feature f[SGM_MAX_FEATURES];
    if (!c->features[0]) return SGM_OK;
    int count = sgm_config_features(&c->model, f);
    if (count == 1 && f->rows == c->model.grid && f->channels == c->model.decoder.dim)
        return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT,
                    "features = FILE keeps the embedding alone, and the decoder of %s reads %s%s: "
                    "its encoder must run for every picture",
                    c->model.variant, count > 1 ? "also " : "", count > 1 ? f[1].name : f[0].name);
}

sgm_status sgm_asked_check(const sgm_train_config *c)
{
    bool whole = c->sampler.window == SGM_VIEW_WHOLE;
    SGM_TRY(check_prompt(c));
    SGM_TRY(check_rounds(c));
    SGM_TRY(check_features(c));
    if (c->given[0] && (!whole || c->sampler.kinds == SGM_OBJECTS_ANY))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "given prompts need window = whole and objects = class or foreground");
    if (!whole && (c->sampler.asked == SGM_ASKED_CLASS || c->loss == SGM_TRAIN_LOSS_SAMED))
        return sgm_fail(SGM_INVALID_ARGUMENT, "training with classes needs window = whole");
    if (c->sampler.asked == SGM_ASKED_CLASS && c->sampler.kinds != SGM_OBJECTS_CLASS)
        return sgm_fail(SGM_INVALID_ARGUMENT, "prompts = class needs objects = class");
    if (c->bank && (!whole || c->sampler.kinds != SGM_OBJECTS_CLASS || c->given[0] ||
                    c->loss == SGM_TRAIN_LOSS_SAMED))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "bank = %d needs window = whole, objects = class and drawn prompts for one "
                        "object",
                        c->bank);
    if (c->loss == SGM_TRAIN_LOSS_SAMED && c->model.classes + 1 != c->model.decoder.mask_tokens)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "the loss samed needs a network with a mask per class");
    if (c->loss == SGM_TRAIN_LOSS_SURGICALSAM &&
        (c->sampler.asked != SGM_ASKED_CLASS || !c->features[0]))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "the loss surgicalsam needs prompts = class and features = FILE");
    if (is_sam_loss(c->loss) && c->model.decoder.mask_tokens < 2)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "the SAM loss needs a decoder with several masks, found %d",
                        c->model.decoder.mask_tokens);
    return SGM_OK;
}

sgm_status sgm_target_grid_parse(const char *text, const char *path, const sgm_model_config *model,
                                 sgm_target_grid *grid)
{
    int width = 0, height = 0, used = 0;
    *grid = (sgm_target_grid){4 * model->grid, 4 * model->grid, false};
    if (!strcmp(text, "low")) return SGM_OK;
    *grid = (sgm_target_grid){model->image_size, model->image_size, false};
    if (!strcmp(text, "picture")) return SGM_OK;
    if (sscanf(text, "%5dx%5d%n", &width, &height, &used) != 2 || text[used] || width < 1 ||
        height < 1 || width > SGM_PACK_MAX_SIDE || height > SGM_PACK_MAX_SIDE)
        return sgm_fail(SGM_UNREADABLE,
                        "%s: target must be low, picture or WIDTHxHEIGHT, found \"%s\"", path,
                        text);
    *grid = (sgm_target_grid){width, height, true};
    return SGM_OK;
}

/* ---------------------------------------------------------------------------------- the network */

static void tap_norm(void *user, const char *stage, sgm_node *value)
{
    sgm_batch_norms *norms = user;
    const char *mean = strstr(stage, ".batch_mean"), *variance = strstr(stage, ".batch_var");
    if (!mean && !variance) return;
    if (mean && norms->count < MOST_NORMS) {
        batch_norm_taps *n = &norms->list[norms->count++];
        snprintf(n->name, sizeof n->name, "%.*s", (int)(mean - stage), stage);
        n->mean = value;
    } else if (variance && norms->count) {
        norms->list[norms->count - 1].variance = value;
    }
}

static void add_inputs(sgm_train_graph *t, const sgm_train_config *c)
{
    sgm_graph *g = t->graph;
    const sgm_model_config *m = &c->model;
    int64_t batch = sgm_asked_batch(c), size = m->image_size, tokens = c->sampler.tokens;
    sgm_target_grid grid = c->sampler.grid;
    if (c->features[0])
        t->features =
            sgm_input(g, "features", SGM_F32, SGM_SHAPE(batch, m->grid, m->grid, m->decoder.dim));
    else
        t->image = sgm_input(g, "image", SGM_F32, SGM_SHAPE(batch, size, size, 3));
    t->target = sgm_input(g, "target", SGM_F32, SGM_SHAPE(batch, grid.height, grid.width));
    if (tokens) {
        t->coords[0] = sgm_input(g, "coordinates0", SGM_F32, SGM_SHAPE(batch, tokens, 2));
        t->labels[0] = sgm_input(g, "labels0", SGM_I32, SGM_SHAPE(batch, tokens));
    }
    if (c->sampler.asked == SGM_ASKED_CLASS)
        t->classes = sgm_input(g, "classes", SGM_I32, SGM_SHAPE(batch));
    if (c->loss != SGM_TRAIN_LOSS_SURGICALSAM) return;
    t->class_at = sgm_input(g, "class_at", SGM_F32, SGM_SHAPE(batch));
    t->embedding = sgm_input(g, "embedding", SGM_F32, SGM_SHAPE(batch, m->decoder.dim));
}

/* logits[B, M, h, w] on the target's grid, as the official code brings them there: to the network's
 * square, without its padding, to the picture's size. */
static sgm_node *on_grid(sgm_train_graph *t, const sgm_train_config *c, sgm_node *logits)
{
    static const int last[4] = {0, 2, 3, 1}, first[4] = {0, 3, 1, 2};
    sgm_graph *g = t->graph;
    sgm_target_grid grid = c->sampler.grid;
    int64_t size = c->model.image_size;
    if (!logits || (!grid.of_picture && grid.width == (int)logits->shape.dim[3])) return logits;
    sgm_node *x = sgm_permute(g, logits, last);
    x = sgm_resize(g, x, size, size, c->model.protocol->range);
    if (grid.of_picture) {
        sgm_frame frame;
        if (sgm_frame_make(&c->model, grid.width, grid.height, &frame) != SGM_OK) return NULL;
        x = sgm_slice(g, x, 1, 0, frame.resized.height);
        x = sgm_slice(g, x, 2, 0, frame.resized.width);
        x = sgm_resize(g, x, grid.height, grid.width, c->model.protocol->range);
    }
    return sgm_permute(g, x, first);
}

/* The masks that the loss is about: all of class maps and of SAM, else mask 0. */
static sgm_node *wanted_masks(sgm_train_graph *t, const sgm_train_config *c)
{
    if (c->loss == SGM_TRAIN_LOSS_SAMED || is_sam_loss(c->loss)) return t->low_res[0];
    return sgm_slice(t->graph, t->low_res[0], 1, 0, 1);
}

static sgm_node *loss_of(sgm_train_graph *t, const sgm_train_config *c)
{
    sgm_graph *g = t->graph;
    bool balanced = c->loss == SGM_TRAIN_LOSS_BALANCED;
    switch (c->loss) {
    case SGM_TRAIN_LOSS_SAM:
    case SGM_TRAIN_LOSS_BALANCED:
        return sgm_loss_sam(g, t->answer, t->iou[0], t->target, NULL,
                            (sgm_sam_shares){balanced ? 10 : 20, 1, 1, balanced}, true);
    case SGM_TRAIN_LOSS_SAMUS:
        return sgm_loss_samus(g, t->answer, t->target);
    case SGM_TRAIN_LOSS_SAMIHS:
    case SGM_TRAIN_LOSS_SAMIHS_PAPER:
        return sgm_loss_samihs(g, t->answer, t->target, c->loss == SGM_TRAIN_LOSS_SAMIHS_PAPER);
    case SGM_TRAIN_LOSS_MSA:
        return sgm_loss_msa(g, t->answer, t->target);
    case SGM_TRAIN_LOSS_SAMED:
        return sgm_loss_samed(g, t->answer, t->target);
    case SGM_TRAIN_LOSS_AUTOSAM:
        return sgm_loss_autosam(g, t->answer, t->target);
    case SGM_TRAIN_LOSS_SURGICALSAM:
        return sgm_loss_surgicalsam(g, t->answer, t->target,
                                    sgm_param(g, SGM_SHAPE(c->model.classes, c->model.decoder.dim),
                                              "prototypes.class_embeddings.weight"),
                                    t->embedding, t->class_at);
    case SGM_TRAIN_LOSS_MEDSAM:
        break;
    }
    return sgm_loss_medsam(g, t->answer, t->target);
}

static void add_network(sgm_train_graph *t, const sgm_train_config *c, bool batch_norms,
                        bool with_loss)
{
    t->drop = with_loss ? sgm_drop_input(t->graph, c) : NULL;
    sgm_net net = {.graph = t->graph,
                   .drop = t->drop,
                   .batch_statistics = batch_norms,
                   .tap = batch_norms ? tap_norm : NULL,
                   .tap_user = t->norms};
    sgm_features features = {1, {t->features}};
    if (!t->features) features = sgm_encode(&net, &c->model, t->image);
    sgm_prompt_input in = {
        .coordinates = t->coords[0], .labels = t->labels[0], .classes = t->classes};
    sgm_prompt_embedding prompt = sgm_encode_prompt(&net, &c->model, &in, &features);
    sgm_decoder_output out = sgm_decode(&net, &c->model, &features, &prompt, sgm_asked_batch(c));
    t->low_res[0] = out.low_res;
    t->iou[0] = out.iou;
    t->answer = on_grid(t, c, wanted_masks(t, c));
    if (with_loss) t->loss = loss_of(t, c);
}

sgm_status sgm_asked_graph_build(const sgm_train_config *config, bool batch_norms, bool with_loss,
                                 sgm_train_graph *out)
{
    memset(out, 0, sizeof *out);
    SGM_TRY(sgm_asked_check(config));
    out->asked = config->sampler.asked;
    out->graph = sgm_graph_create(NULL, NULL);
    out->norms = batch_norms ? calloc(1, sizeof *out->norms) : NULL;
    if (!out->graph || (batch_norms && !out->norms)) {
        sgm_train_graph_clear(out);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training graph");
    }
    add_inputs(out, config);
    add_network(out, config, batch_norms, with_loss);
    sgm_status status = sgm_graph_status(out->graph);
    if (status == SGM_OK && with_loss) status = sgm_drop_check(out->graph, out->drop, config);
    if (status == SGM_OK && batch_norms && !out->norms->count)
        status = sgm_fail(SGM_INVALID_ARGUMENT, "norms = batch: %s has no batch norm",
                          config->model.variant);
    if (status != SGM_OK) sgm_train_graph_clear(out);
    return status;
}

int sgm_asked_graph_outputs(const sgm_train_graph *t, sgm_node **outputs)
{
    int count = 0;
    outputs[count++] = t->answer;
    outputs[count++] = t->iou[0];
    for (int i = 0; t->norms && i < t->norms->count; i++) {
        outputs[count++] = t->norms->list[i].mean;
        outputs[count++] = t->norms->list[i].variance;
    }
    return count;
}

sgm_status sgm_asked_graph_feed(const sgm_train_graph *t, sgm_train_plan *plan,
                                const sgm_batch *batch)
{
    if (t->image) SGM_TRY(sgm_train_plan_set(plan, t->image, batch->image));
    SGM_TRY(sgm_drop_feed(plan, t->drop, 0, NULL));
    SGM_TRY(sgm_train_plan_set(plan, t->target, batch->target));
    if (t->coords[0]) {
        SGM_TRY(sgm_train_plan_set(plan, t->coords[0], batch->coords[0]));
        SGM_TRY(sgm_train_plan_set(plan, t->labels[0], batch->labels[0]));
    }
    if (t->classes) SGM_TRY(sgm_train_plan_set(plan, t->classes, batch->class_index));
    if (t->class_at) SGM_TRY(sgm_train_plan_set(plan, t->class_at, batch->class_at));
    return SGM_OK;
}

/* --------------------------------------------------------------------------------- batch norms */

/* `values` has room for the old and the new ones. */
static sgm_status move_towards(const sgm_node *node, float factor, sgm_train_plan *plan,
                               sgm_backend *backend, sgm_params *params, const char *name,
                               float *values)
{
    sgm_parameter *p = sgm_params_find(params, name);
    if (!p) return SGM_OK; /* a norm that prediction does not read */
    float *running = values + p->count;
    size_t bytes = (size_t)p->count * sizeof *values;
    SGM_TRY(sgm_train_plan_get(plan, node, values));
    SGM_TRY(backend->ops->download(backend, running, p->value, bytes));
    for (int64_t i = 0; i < p->count; i++)
        running[i] = 0.9f * running[i] + 0.1f * (factor * values[i]);
    return backend->ops->upload(backend, p->value, running, bytes);
}

/* N / (N - 1) for the N values that a channel's variance was taken over: they are the input of the
 * sum behind the variance. */
static float unbiased(const sgm_node *variance)
{
    const sgm_node *sum = variance->in[0];
    double n =
        (double)sgm_shape_count(sum->in[0]->shape) / (double)sgm_shape_count(variance->shape);
    return n > 1 ? (float)(n / (n - 1)) : 1;
}

sgm_status sgm_batch_norms_gather(const sgm_train_graph *graph, sgm_train_plan *plan,
                                  sgm_backend *backend, sgm_params *params)
{
    sgm_status status = SGM_OK;
    for (int i = 0; graph->norms && i < graph->norms->count && status == SGM_OK; i++) {
        const batch_norm_taps *n = &graph->norms->list[i];
        char name[192];
        float *values = malloc(2 * (size_t)sgm_shape_count(n->mean->shape) * sizeof *values);
        if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for batch norms");
        snprintf(name, sizeof name, "%s.running_mean", n->name);
        status = move_towards(n->mean, 1, plan, backend, params, name, values);
        snprintf(name, sizeof name, "%s.running_var", n->name);
        if (status == SGM_OK)
            status = move_towards(n->variance, unbiased(n->variance), plan, backend, params, name,
                                  values);
        free(values);
    }
    return status;
}
