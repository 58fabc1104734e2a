#include "predict/session/program.h"

#include <stdlib.h>

static void build_encoder(sgm_net *net, const sgm_model_config *config, sgm_program *p)
{
    int64_t side = config->image_size;
    p->image = sgm_input(net->graph, "image", SGM_F32, SGM_SHAPE(p->key.batch, side, side, 3));
    p->embedding = sgm_encoder(net, config, p->image);
}

static void build_decoder(sgm_net *net, const sgm_model_config *config, sgm_program *p)
{
    sgm_graph *g = net->graph;
    int64_t batch = p->key.batch, tokens = p->key.tokens, grid = config->grid;
    int64_t rows = sgm_config_embedding_rows(config);
    p->in_embedding =
        sgm_input(g, "embedding", SGM_F32, SGM_SHAPE(1, rows, grid, config->decoder.dim));
    if (tokens) {
        p->coordinates = sgm_input(g, "coordinates", SGM_F32, SGM_SHAPE(batch, tokens, 2));
        p->labels = sgm_input(g, "labels", SGM_I32, SGM_SHAPE(batch, tokens));
    }
    if (p->key.mask)
        p->mask = sgm_input(g, "mask", SGM_F32, SGM_SHAPE(batch, 4 * grid, 4 * grid, 1));
    sgm_prompt_embedding prompt =
        sgm_prompt_encoder(net, config, p->coordinates, p->labels, p->mask);
    sgm_decoder_output out = sgm_mask_decoder(net, config, p->in_embedding, &prompt, batch);
    p->low_res = out.low_res;
    p->iou = out.iou;
}

sgm_status sgm_program_build(const sgm_model_config *config, sgm_program_key key,
                             sgm_param_check_fn check, void *user, const sgm_net *net,
                             sgm_program **out)
{
    *out = NULL;
    sgm_program *p = calloc(1, sizeof *p);
    if (!p) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a program");
    p->key = key;
    p->graph = sgm_graph_create(check, user);
    if (!p->graph) {
        free(p);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph");
    }
    sgm_net own = net ? *net : (sgm_net){0};
    own.graph = p->graph;
    if (key.decoder)
        build_decoder(&own, config, p);
    else
        build_encoder(&own, config, p);
    sgm_status status = sgm_graph_status(p->graph);
    if (status != SGM_OK) {
        sgm_program_destroy(p);
        return status;
    }
    *out = p;
    return SGM_OK;
}

sgm_status sgm_program_plan(sgm_program *p, sgm_weights *weights, const sgm_plan_options *options)
{
    sgm_node *decoder[2] = {p->low_res, p->iou};
    if (p->key.decoder) return sgm_plan_create(p->graph, weights, 2, decoder, options, &p->plan);
    return sgm_plan_create(p->graph, weights, 1, &p->embedding, options, &p->plan);
}

void sgm_program_destroy(sgm_program *p)
{
    if (!p) return;
    sgm_plan_destroy(p->plan);
    sgm_graph_destroy(p->graph);
    free(p);
}
