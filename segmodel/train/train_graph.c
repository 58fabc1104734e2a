#include "train/train_graph.h"

#include <stdio.h>
#include <string.h>

#include "train/loss.h"

static void add_inputs(sgm_train_graph *t, const sgm_model_config *model, int64_t batch)
{
    sgm_graph *g = t->graph;
    int64_t size = model->image_size, side = 4 * model->grid;
    t->image = sgm_input(g, "image", SGM_F32, SGM_SHAPE(batch, size, size, 3));
    t->target = sgm_input(g, "target", SGM_F32, SGM_SHAPE(batch, side, side));
    for (int p = 0; p < 2; p++) {
        char name[32];
        int64_t tokens = p ? 4 : 2;
        snprintf(name, sizeof name, "coordinates%d", p);
        t->coords[p] = sgm_input(g, name, SGM_F32, SGM_SHAPE(2 * batch, tokens, 2));
        snprintf(name, sizeof name, "labels%d", p);
        t->labels[p] = sgm_input(g, name, SGM_I32, SGM_SHAPE(2 * batch, tokens));
        snprintf(name, sizeof name, "mask%d", p);
        t->masks[p] = sgm_input(g, name, SGM_F32, SGM_SHAPE(2 * batch, side, side, 1));
    }
}

static sgm_node *round_loss(sgm_train_graph *t, sgm_train_loss kind, int pair, int part,
                            int64_t batch)
{
    sgm_graph *g = t->graph;
    sgm_node *logits = sgm_slice(g, t->low_res[pair], 0, part * batch, batch);
    if (kind == SGM_TRAIN_LOSS_SAM || kind == SGM_TRAIN_LOSS_BALANCED) {
        sgm_node *iou = sgm_slice(g, t->iou[pair], 0, part * batch, batch);
        return sgm_loss_sam(g, logits, iou, t->target, NULL, pair == 0 && part == 0,
                            kind == SGM_TRAIN_LOSS_BALANCED);
    }
    logits = sgm_slice(g, logits, 1, 0, 1);
    if (kind == SGM_TRAIN_LOSS_SAMUS) return sgm_loss_samus(g, logits, t->target);
    if (kind == SGM_TRAIN_LOSS_SAMIHS) return sgm_loss_samihs(g, logits, t->target);
    return sgm_loss_medsam(g, logits, t->target);
}

/* Decodes rows [first, first + count) of a pair of rounds. `dense` is of all rows or of none. */
static sgm_decoder_output decode(sgm_train_graph *t, const sgm_model_config *model,
                                 const sgm_features *features, const sgm_prompt_embedding *all,
                                 sgm_node *dense, int64_t first, int64_t count)
{
    sgm_net net = {.graph = t->graph};
    sgm_prompt_embedding part = {sgm_slice(t->graph, all->sparse, 0, first, count), dense,
                                 all->position};
    return sgm_decode(&net, model, features, &part, count);
}

static void add_pair(sgm_train_graph *t, const sgm_model_config *model, const sgm_features *once,
                     const sgm_features *twice, int pair, int64_t batch)
{
    sgm_graph *g = t->graph;
    sgm_net net = {.graph = g};
    sgm_prompt_input in = {.coordinates = t->coords[pair], .labels = t->labels[pair]};
    if (t->prior) in.mask = t->masks[pair];
    sgm_prompt_embedding prompt = sgm_encode_prompt(&net, model, &in, twice);
    if (t->prior || pair == 0) {
        sgm_decoder_output out = sgm_decode(&net, model, twice, &prompt, 2 * batch);
        t->low_res[pair] = out.low_res;
        t->iou[pair] = out.iou;
        return;
    }
    in.mask = t->masks[pair];
    sgm_prompt_embedding masked = sgm_encode_prompt(&net, model, &in, twice);
    sgm_node *dense = sgm_slice(g, masked.dense, 0, batch, batch);
    sgm_decoder_output first = decode(t, model, once, &prompt, prompt.dense, 0, batch);
    sgm_decoder_output second = decode(t, model, once, &prompt, dense, batch, batch);
    sgm_node *low_res[2] = {first.low_res, second.low_res}, *iou[2] = {first.iou, second.iou};
    t->low_res[pair] = sgm_concat(g, 0, 2, low_res);
    t->iou[pair] = sgm_concat(g, 0, 2, iou);
}

static void add_network(sgm_train_graph *t, const sgm_model_config *model, sgm_train_loss kind,
                        int64_t batch)
{
    sgm_net net = {.graph = t->graph};
    sgm_features once = sgm_encode(&net, model, t->image);
    sgm_features twice = sgm_features_repeat(t->graph, &once, 2);
    for (int p = 0; p < 2; p++) {
        add_pair(t, model, &once, &twice, p, batch);
        for (int part = 0; part < 2; part++) {
            sgm_node *loss = round_loss(t, kind, p, part, batch);
            t->loss = t->loss ? sgm_add(t->graph, t->loss, loss) : loss;
        }
    }
    t->loss = sgm_affine(t->graph, t->loss, 1.0f / SGM_ROUNDS, 0);
}

sgm_status sgm_train_graph_build(const sgm_model_config *model, sgm_train_loss loss, int batch,
                                 bool prior, sgm_train_graph *out)
{
    memset(out, 0, sizeof *out);
    if ((loss == SGM_TRAIN_LOSS_SAM || loss == SGM_TRAIN_LOSS_BALANCED) &&
        model->decoder.mask_tokens < 2)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "the SAM loss needs a decoder with several masks, found %d",
                        model->decoder.mask_tokens);
    out->graph = sgm_graph_create(NULL, NULL);
    if (!out->graph) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a training graph");
    out->prior = prior;
    add_inputs(out, model, batch);
    add_network(out, model, loss, batch);
    sgm_status status = sgm_graph_status(out->graph);
    if (status != SGM_OK) sgm_train_graph_clear(out);
    return status;
}

void sgm_train_graph_clear(sgm_train_graph *graph)
{
    sgm_graph_destroy(graph->graph);
    memset(graph, 0, sizeof *graph);
}

sgm_status sgm_train_graph_feed(const sgm_train_graph *t, sgm_train_plan *plan,
                                const sgm_batch *batch)
{
    SGM_TRY(sgm_train_plan_set(plan, t->image, batch->image));
    SGM_TRY(sgm_train_plan_set(plan, t->target, batch->target));
    for (int p = 0; p < 2; p++) {
        SGM_TRY(sgm_train_plan_set(plan, t->coords[p], batch->coords[p]));
        SGM_TRY(sgm_train_plan_set(plan, t->labels[p], batch->labels[p]));
        SGM_TRY(sgm_train_plan_set(plan, t->masks[p], batch->masks[p]));
    }
    return SGM_OK;
}
