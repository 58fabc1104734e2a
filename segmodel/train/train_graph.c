#include "train/train_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/asked_graph.h"
#include "train/loss.h"

static sgm_node *named_input(sgm_train_graph *t, const char *name, int group, sgm_dtype type,
                             sgm_shape shape)
{
    char text[32];
    snprintf(text, sizeof text, "%s%d", name, group);
    return sgm_input(t->graph, text, type, shape);
}

static void add_inputs(sgm_train_graph *t, const sgm_model_config *model, int64_t batch)
{
    sgm_graph *g = t->graph;
    int64_t size = model->image_size, side = 4 * model->grid;
    t->image = sgm_input(g, "image", SGM_F32, SGM_SHAPE(batch, size, size, 3));
    t->target = sgm_input(g, "target", SGM_F32, SGM_SHAPE(batch, side, side));
    if (t->walks) t->weight = sgm_input(g, "weight", SGM_F32, SGM_SHAPE(batch));
    for (int p = 0; p < sgm_group_count(t->walks); p++) {
        int64_t tokens = sgm_round_groups[p].tokens, rows = sgm_round_groups[p].rounds * batch;
        if (tokens) {
            t->coords[p] = named_input(t, "coordinates", p, SGM_F32, SGM_SHAPE(rows, tokens, 2));
            t->labels[p] = named_input(t, "labels", p, SGM_I32, SGM_SHAPE(rows, tokens));
        }
        t->masks[p] = named_input(t, "mask", p, SGM_F32, SGM_SHAPE(rows, side, side, 1));
    }
}

/* Where walks are trained: a lone point's rating chooses between scales and a neighbour's ends the
 * walk, so their errors count threefold. A neighbour's mask is answered without Dice in the loss:
 * it would rather have too much than too little wherever an edge is uncertain, and a walk adds that
 * up from slice to slice. Focal terms with an alpha of one half mean the same for both sides. */
static sgm_sam_shares shares_of(const sgm_train_graph *t, sgm_train_loss kind, int round)
{
    bool balanced = kind == SGM_TRAIN_LOSS_BALANCED;
    sgm_sam_shares shares = {balanced ? 10 : 20, 1, 1, balanced};
    if (round == SGM_NEIGHBOUR_ROUND) return (sgm_sam_shares){40, 0, 3, true};
    if (t->walks && round == 0) shares.rating = 3;
    return shares;
}

static sgm_node *round_loss(sgm_train_graph *t, sgm_train_loss kind, int round, int64_t batch)
{
    sgm_graph *g = t->graph;
    int part, group = sgm_group_of(round, &part);
    sgm_node *logits = sgm_slice(g, t->low_res[group], 0, part * batch, batch);
    if (kind == SGM_TRAIN_LOSS_SAM || kind == SGM_TRAIN_LOSS_BALANCED) {
        sgm_node *iou = sgm_slice(g, t->iou[group], 0, part * batch, batch);
        sgm_node *weight = round == SGM_NEIGHBOUR_ROUND ? NULL : t->weight;
        return sgm_loss_sam(g, logits, iou, t->target, weight, shares_of(t, kind, round),
                            round == 0);
    }
    logits = sgm_slice(g, logits, 1, 0, 1);
    if (kind == SGM_TRAIN_LOSS_SAMUS) return sgm_loss_samus(g, logits, t->target);
    if (kind == SGM_TRAIN_LOSS_SAMIHS) return sgm_loss_samihs(g, logits, t->target, false);
    return sgm_loss_medsam(g, logits, t->target);
}

/* Decodes rows [first, first + count) of a group. `dense` is of all rows or of none. */
static sgm_decoder_output decode(sgm_train_graph *t, const sgm_model_config *model,
                                 const sgm_features *features, const sgm_prompt_embedding *all,
                                 sgm_node *dense, int64_t first, int64_t count)
{
    sgm_net net = {.graph = t->graph};
    sgm_prompt_embedding part = {sgm_slice(t->graph, all->sparse, 0, first, count), dense,
                                 all->position};
    return sgm_decode(&net, model, features, &part, count);
}

/* Round 2 without a mask prompt, round 3 with one. */
static void add_unlike_pair(sgm_train_graph *t, const sgm_model_config *model,
                            const sgm_features features[2], const sgm_prompt_embedding *prompt,
                            int group, int64_t batch)
{
    sgm_graph *g = t->graph;
    sgm_net net = {.graph = g};
    sgm_prompt_input in = {t->coords[group], t->labels[group], .mask = t->masks[group]};
    sgm_prompt_embedding masked = sgm_encode_prompt(&net, model, &in, &features[1]);
    sgm_node *dense = sgm_slice(g, masked.dense, 0, batch, batch);
    sgm_decoder_output first = decode(t, model, &features[0], prompt, prompt->dense, 0, batch);
    sgm_decoder_output second = decode(t, model, &features[0], prompt, dense, batch, batch);
    sgm_node *low_res[2] = {first.low_res, second.low_res}, *iou[2] = {first.iou, second.iou};
    t->low_res[group] = sgm_concat(g, 0, 2, low_res);
    t->iou[group] = sgm_concat(g, 0, 2, iou);
}

/* features: of the images once and twice in a row. */
static void add_group(sgm_train_graph *t, const sgm_model_config *model,
                      const sgm_features features[2], int group, int64_t batch)
{
    sgm_net net = {.graph = t->graph};
    int rounds = sgm_round_groups[group].rounds;
    const sgm_features *seen = &features[rounds - 1];
    sgm_prompt_input in = {.coordinates = t->coords[group], .labels = t->labels[group]};
    if (t->prior) in.mask = t->masks[group];
    sgm_prompt_embedding prompt = sgm_encode_prompt(&net, model, &in, seen);
    if (!t->prior && group == 1) {
        add_unlike_pair(t, model, features, &prompt, group, batch);
        return;
    }
    sgm_decoder_output out = sgm_decode(&net, model, seen, &prompt, rounds * batch);
    t->low_res[group] = out.low_res;
    t->iou[group] = out.iou;
}

static double round_weight(int round, double point_weight)
{
    if (round == 0) return point_weight;
    return round == SGM_NEIGHBOUR_ROUND ? 2 : 1;
}

static void add_loss(sgm_train_graph *t, sgm_train_loss kind, double point_weight, int64_t batch)
{
    int rounds = sgm_round_count(t->walks);
    double sum = 0;
    for (int r = 0; r < rounds; r++) {
        double weight = round_weight(r, point_weight);
        sgm_node *loss = round_loss(t, kind, r, batch);
        if (weight != 1) loss = sgm_affine(t->graph, loss, (float)weight, 0);
        t->loss = t->loss ? sgm_add(t->graph, t->loss, loss) : loss;
        sum += weight;
    }
    t->loss = sgm_affine(t->graph, t->loss, 1.0f / (float)sum, 0);
}

static void add_network(sgm_train_graph *t, const sgm_model_config *model, sgm_train_loss kind,
                        double point_weight, int64_t batch)
{
    sgm_net net = {.graph = t->graph};
    sgm_features once = sgm_encode(&net, model, t->image);
    sgm_features features[2] = {once, sgm_features_repeat(t->graph, &once, 2)};
    for (int p = 0; p < sgm_group_count(t->walks); p++)
        add_group(t, model, features, p, batch);
    add_loss(t, kind, point_weight, batch);
}

static sgm_status check(const sgm_model_config *model, sgm_train_loss loss, int batch,
                        const sgm_sim_options *sim)
{
    if (!sgm_config_listens(model))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "%s is not prompted by points and boxes, which is what is trained here",
                        model->variant);
    bool of_sam = loss == SGM_TRAIN_LOSS_SAM || loss == SGM_TRAIN_LOSS_BALANCED;
    if (loss > SGM_TRAIN_LOSS_BALANCED)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "this loss is for one kind of prompt; prompts must be point, box, none or "
                        "class");
    if (of_sam && model->decoder.mask_tokens < 2)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "the SAM loss needs a decoder with several masks, found %d",
                        model->decoder.mask_tokens);
    if (sim->walks && !(of_sam && sim->prior))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "walks = 1 needs prior = 1 and loss = sam or balanced");
    if (sim->walks && batch % 2)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "walks = 1 learns from pairs of slices; the batch must be even, found %d",
                        batch);
    return SGM_OK;
}

sgm_status sgm_train_graph_build(const sgm_model_config *model, sgm_train_loss loss,
                                 double point_weight, int batch, const sgm_sim_options *sim,
                                 sgm_train_graph *out)
{
    memset(out, 0, sizeof *out);
    SGM_TRY(check(model, loss, batch, sim));
    out->graph = sgm_graph_create(NULL, NULL);
    if (!out->graph) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training graph");
    out->prior = sim->prior;
    out->walks = sim->walks;
    add_inputs(out, model, batch);
    add_network(out, model, loss, point_weight, batch);
    sgm_status status = sgm_graph_status(out->graph);
    if (status != SGM_OK) sgm_train_graph_clear(out);
    return status;
}

void sgm_train_graph_clear(sgm_train_graph *graph)
{
    sgm_graph_destroy(graph->graph);
    free(graph->norms);
    memset(graph, 0, sizeof *graph);
}

sgm_status sgm_train_graph_feed(const sgm_train_graph *t, sgm_train_plan *plan,
                                const sgm_batch *batch)
{
    if (t->asked != SGM_ASKED_MIXED) return sgm_asked_graph_feed(t, plan, batch);
    SGM_TRY(sgm_train_plan_set(plan, t->image, batch->image));
    SGM_TRY(sgm_train_plan_set(plan, t->target, batch->target));
    if (t->walks) SGM_TRY(sgm_train_plan_set(plan, t->weight, batch->weight));
    return sgm_train_graph_feed_prompts(t, plan, batch);
}

int sgm_train_graph_prompts(const sgm_train_graph *t, sgm_node *inputs[SGM_PROMPT_INPUTS])
{
    int count = 0;
    for (int p = 0; p < sgm_group_count(t->walks); p++) {
        if (t->coords[p]) {
            inputs[count++] = t->coords[p];
            inputs[count++] = t->labels[p];
        }
        inputs[count++] = t->masks[p];
    }
    return count;
}

sgm_status sgm_train_graph_feed_prompts(const sgm_train_graph *t, sgm_train_plan *plan,
                                        const sgm_batch *batch)
{
    for (int p = 0; p < sgm_group_count(t->walks); p++) {
        if (t->coords[p]) {
            SGM_TRY(sgm_train_plan_set(plan, t->coords[p], batch->coords[p]));
            SGM_TRY(sgm_train_plan_set(plan, t->labels[p], batch->labels[p]));
        }
        SGM_TRY(sgm_train_plan_set(plan, t->masks[p], batch->masks[p]));
    }
    return SGM_OK;
}
