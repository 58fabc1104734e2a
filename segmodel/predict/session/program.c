#include "predict/session/program.h"

#include <stdlib.h>

static void build_encoder(sgm_net *net, const sgm_model_config *config, sgm_program *p)
{
    int64_t side = config->image_size;
    p->image = sgm_input(net->graph, "image", SGM_F32, SGM_SHAPE(p->key.batch, side, side, 3));
    p->features = sgm_encode(net, config, p->image);
}

static void add_features(sgm_graph *g, const sgm_model_config *config, sgm_features *in)
{
    sgm_feature f[SGM_MAX_FEATURES];
    in->count = sgm_config_features(config, f);
    for (int i = 0; i < in->count; i++)
        in->node[i] =
            sgm_input(g, f[i].name, SGM_F32, SGM_SHAPE(1, f[i].rows, f[i].columns, f[i].channels));
}

static void build_decoder(sgm_net *net, const sgm_model_config *config, sgm_program *p)
{
    sgm_graph *g = net->graph;
    int64_t batch = p->key.batch, tokens = p->key.tokens, side = 4 * config->grid;
    add_features(g, config, &p->in);
    if (tokens) {
        p->prompt.coordinates = sgm_input(g, "coordinates", SGM_F32, SGM_SHAPE(batch, tokens, 2));
        p->prompt.labels = sgm_input(g, "labels", SGM_I32, SGM_SHAPE(batch, tokens));
    }
    if (p->key.mask)
        p->prompt.mask = sgm_input(g, "mask", SGM_F32, SGM_SHAPE(batch, side, side, 1));
    if (p->key.classes) p->prompt.classes = sgm_input(g, "classes", SGM_I32, SGM_SHAPE(batch));
    sgm_prompt_embedding prompt = sgm_encode_prompt(net, config, &p->prompt, &p->in);
    sgm_decoder_output out = sgm_decode(net, config, &p->in, &prompt, batch);
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
    if (key.stage == SGM_STAGE_DECODE)
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
    sgm_node *masks[2] = {p->low_res, p->iou};
    bool decodes = p->key.stage == SGM_STAGE_DECODE;
    return sgm_plan_create(p->graph, weights, decodes ? 2 : p->features.count,
                           decodes ? masks : p->features.node, options, &p->plan);
}

void sgm_program_destroy(sgm_program *p)
{
    if (!p) return;
    sgm_plan_destroy(p->plan);
    sgm_graph_destroy(p->graph);
    free(p);
}
