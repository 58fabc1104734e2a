/* SAM's mask decoder: a two-way transformer between output tokens and image tokens, then each mask
 * token's own linear classifier over the upscaled image embedding.
 * Follows facebookresearch/segment-anything, modeling/mask_decoder.py and transformer.py. */
#include "models/few_tokens.h"
#include "models/models.h"
#include "models/registry.h"

#include <stdio.h>

#define DECODER_EPS 1e-5f

/* How the layers of the transformer differ between SAM's code and EfficientSAM's (which
 * Medical-SAM-Adapter took over in 2025). */
typedef struct layer_style {
    bool efficient; /* a shortcut around the first layer's self-attention too, and positions that
                       join the stream instead of being added to queries and keys alone */
    const char *mlp_in, *mlp_out;
} layer_style;

static const layer_style sam_style = {.mlp_in = "mlp.lin1", .mlp_out = "mlp.lin2"};
static const layer_style efficient_style = {
    .efficient = true, .mlp_in = "mlp.layers.0.0", .mlp_out = "mlp.fc"};

/* What the transformer passes from layer to layer. The image side may have batch 1 as long as it is
 * the same for all prompts: it is then projected once. */
typedef struct two_way {
    const layer_style *style;
    sgm_node *queries;     /* [B, T, dim]: output tokens and prompt tokens */
    sgm_node *keys;        /* [B | 1, grid * grid, dim]: image tokens */
    sgm_node *query_pe;    /* [B, T, dim]: the tokens as they came in */
    sgm_node *key_pe;      /* [1, grid * grid, dim] */
    sgm_node *placed_keys; /* keys + key_pe, where few_tokens.h is used; else NULL */
    int dim, heads, mlp_dim;
    int64_t batch;
} two_way;

static void set_keys(const sgm_net *net, two_way *t, sgm_node *keys)
{
    int64_t tokens = t->queries ? t->queries->shape.dim[1] : 0;
    t->keys = keys;
    t->placed_keys = NULL;
    if (net->few_tokens && sgm_few_tokens_pay(t->heads, t->dim / 2, t->dim, tokens))
        t->placed_keys = sgm_add(net->graph, keys, t->key_pe);
}

static sgm_few_tokens few_tokens(const two_way *t, const char *prefix, sgm_node *placed)
{
    return (sgm_few_tokens){.prefix = prefix,
                            .heads = t->heads,
                            .inner = t->dim / 2,
                            .placed = placed,
                            .tokens = t->queries,
                            .placed_image = t->placed_keys,
                            .image = t->keys};
}

/* Attention of projected q, k and v, and the projection back. */
static sgm_node *attend(const sgm_net *net, const two_way *t, sgm_node *q, sgm_node *k, sgm_node *v,
                        const char *prefix)
{
    q = sgm_net_repeat(net, q, t->batch);
    sgm_node *x = sgm_attention(net->graph, q, k, v, t->heads);
    return sgm_net_linear(net, x, t->dim, "%s.out_proj", prefix);
}

/* <prefix>.<name> of the image tokens with their places, as W keys + (W key_pe + b): the second
 * part is a constant of the model, so the sum keys + key_pe is never formed. */
static sgm_node *project_image(const sgm_net *net, const two_way *t, const char *prefix,
                               const char *name)
{
    sgm_graph *g = net->graph;
    int64_t out = t->dim / 2;
    sgm_node *weight = sgm_net_param(net, SGM_SHAPE(out, t->dim), "%s.%s.weight", prefix, name);
    sgm_node *bias = sgm_net_param(net, SGM_SHAPE(out), "%s.%s.bias", prefix, name);
    sgm_node *places = sgm_linear(g, t->key_pe, weight, bias);
    return sgm_add(g, sgm_linear(g, t->keys, weight, NULL), places);
}

/* SAM's first layer has neither positions nor a shortcut here, as the official code has it. */
static void self_attention(const sgm_net *net, two_way *t, int layer, const char *prefix)
{
    char p[96];
    snprintf(p, sizeof p, "%s.self_attn", prefix);
    bool joins = t->style->efficient;
    sgm_node *placed = layer ? sgm_add(net->graph, t->queries, t->query_pe) : t->queries;
    if (joins) t->queries = placed;
    sgm_node *q = sgm_net_linear(net, placed, t->dim, "%s.q_proj", p);
    sgm_node *k = sgm_net_linear(net, placed, t->dim, "%s.k_proj", p);
    sgm_node *v = sgm_net_linear(net, t->queries, t->dim, "%s.v_proj", p);
    sgm_node *x = attend(net, t, q, k, v, p);
    t->queries = layer || joins ? sgm_add(net->graph, t->queries, x) : x;
    t->queries = sgm_net_norm(net, t->queries, DECODER_EPS, "%s.norm1", prefix);
}

/* Queries look at the image. `norm` closes it. */
static void tokens_to_image(const sgm_net *net, two_way *t, const char *prefix, const char *norm)
{
    sgm_node *placed = sgm_add(net->graph, t->queries, t->query_pe), *x;
    if (t->placed_keys) {
        sgm_few_tokens few = few_tokens(t, prefix, placed);
        x = sgm_few_tokens_ask(net, &few);
    } else {
        sgm_node *q = sgm_net_linear(net, placed, t->dim / 2, "%s.q_proj", prefix);
        sgm_node *k = project_image(net, t, prefix, "k_proj");
        sgm_node *v = sgm_net_linear(net, t->keys, t->dim / 2, "%s.v_proj", prefix);
        x = attend(net, t, q, k, v, prefix);
    }
    t->queries = sgm_net_norm(net, sgm_add(net->graph, t->queries, x), DECODER_EPS, "%s", norm);
}

static void token_mlp(const sgm_net *net, two_way *t, const char *prefix)
{
    sgm_node *x = sgm_net_linear(net, t->queries, t->mlp_dim, "%s.%s", prefix, t->style->mlp_in);
    x = sgm_act_node(net->graph, x, SGM_ACT_RELU);
    x = sgm_net_linear(net, x, t->dim, "%s.%s", prefix, t->style->mlp_out);
    t->queries =
        sgm_net_norm(net, sgm_add(net->graph, t->queries, x), DECODER_EPS, "%s.norm3", prefix);
}

/* keys + what they learn of the tokens. */
static sgm_node *told_keys(const sgm_net *net, const two_way *t, const char *prefix)
{
    sgm_node *placed = sgm_add(net->graph, t->queries, t->query_pe);
    if (t->placed_keys) {
        sgm_few_tokens few = few_tokens(t, prefix, placed);
        return sgm_few_tokens_answer(net, &few);
    }
    sgm_node *q = project_image(net, t, prefix, "q_proj");
    sgm_node *k = sgm_net_linear(net, placed, t->dim / 2, "%s.k_proj", prefix);
    sgm_node *v = sgm_net_linear(net, t->queries, t->dim / 2, "%s.v_proj", prefix);
    return sgm_add(net->graph, t->keys, attend(net, t, q, k, v, prefix));
}

/* The image looks at the tokens; from here on it differs from prompt to prompt. */
static void image_to_tokens(const sgm_net *net, two_way *t, const char *prefix)
{
    char p[96];
    snprintf(p, sizeof p, "%s.cross_attn_image_to_token", prefix);
    sgm_node *keys = told_keys(net, t, p);
    set_keys(net, t, sgm_net_norm(net, keys, DECODER_EPS, "%s.norm4", prefix));
}

static void two_way_layer(const sgm_net *net, two_way *t, int layer)
{
    char p[64], cross[96], norm2[96];
    snprintf(p, sizeof p, "transformer.layers.%d", layer);
    snprintf(cross, sizeof cross, "%s.cross_attn_token_to_image", p);
    snprintf(norm2, sizeof norm2, "%s.norm2", p);
    self_attention(net, t, layer, p);
    tokens_to_image(net, t, cross, norm2);
    token_mlp(net, t, p);
    image_to_tokens(net, t, p);
}

/* IoU token, mask tokens, prompt tokens: [B, 1 + mask_tokens + N, dim]. */
static sgm_node *all_tokens(const sgm_net *net, const sgm_decoder_config *decoder, sgm_node *sparse,
                            int64_t batch)
{
    sgm_graph *g = net->graph;
    sgm_node *own[2] = {
        sgm_net_param(net, SGM_SHAPE(1, decoder->dim), "iou_token.weight"),
        sgm_net_param(net, SGM_SHAPE(decoder->mask_tokens, decoder->dim), "mask_tokens.weight")};
    sgm_node *tokens = sgm_concat(g, 0, 2, own);
    tokens = sgm_reshape(g, tokens, SGM_SHAPE(1, decoder->mask_tokens + 1, decoder->dim));
    tokens = sgm_net_repeat(net, tokens, batch);
    if (!sparse) return tokens;
    return sgm_concat(g, 1, 2, (sgm_node *[]){tokens, sparse});
}

/* x + gelu(conv3x3(x)): with features of the image just added, one look at the neighbourhood. */
static sgm_node *refine(const sgm_net *net, sgm_node *x)
{
    sgm_conv_spec spatial = {
        .out = sgm_net_channels(x), .kernel = 3, .stride = 1, .pad = 1, .bias = true};
    sgm_node *y = sgm_net_conv(net, x, spatial, "refine");
    return sgm_add(net->graph, x, sgm_act_node(net->graph, y, SGM_ACT_GELU));
}

/* Image tokens[B, grid * grid, dim] -> [B, (4 grid)^2, dim / 8]. With high_res it also sees the
 * encoder's features of sides 2 grid and 4 grid. */
static sgm_node *upscale(const sgm_net *net, const sgm_model_config *config, sgm_node *x,
                         const sgm_features *features)
{
    if (!x) return NULL;
    sgm_graph *g = net->graph;
    const char *p = "output_upscaling";
    int64_t dim = config->decoder.dim, batch = x->shape.dim[0], side = config->grid;
    sgm_node *w0 = sgm_net_param(net, SGM_SHAPE(dim, dim / 4, 2, 2), "%s.0.weight", p);
    sgm_node *b0 = sgm_net_param(net, SGM_SHAPE(dim / 4), "%s.0.bias", p);
    sgm_node *w3 = sgm_net_param(net, SGM_SHAPE(dim / 4, dim / 8, 2, 2), "%s.3.weight", p);
    sgm_node *b3 = sgm_net_param(net, SGM_SHAPE(dim / 8), "%s.3.bias", p);
    x = sgm_reshape(g, x, SGM_SHAPE(batch, side, side, dim));
    bool fine = config->decoder.high_res;
    sgm_node *quarter = fine ? features->node[1] : NULL, *half = fine ? features->node[2] : NULL;
    x = sgm_conv_transpose(g, x, w0, b0);
    if (quarter) x = sgm_add(g, x, quarter);
    x = sgm_act_node(g, sgm_net_norm(net, x, 1e-6f, "%s.1", p), SGM_ACT_GELU);
    x = sgm_conv_transpose(g, quarter ? refine(net, x) : x, w3, b3);
    if (half) x = sgm_add(g, x, half);
    x = sgm_act_node(g, x, SGM_ACT_GELU);
    return sgm_reshape(g, x, SGM_SHAPE(batch, 16 * side * side, dim / 8));
}

/* Token `index` of queries[B, T, dim] as [B, dim]. */
static sgm_node *token(const sgm_net *net, sgm_node *queries, int64_t index)
{
    if (!queries) return NULL;
    sgm_node *x = sgm_slice(net->graph, queries, 1, index, 1);
    return sgm_reshape(net->graph, x, SGM_SHAPE(queries->shape.dim[0], sgm_net_channels(queries)));
}

/* Every mask token through its hypernetwork: [B, mask_tokens, dim / 8]. */
static sgm_node *classifiers(const sgm_net *net, const sgm_decoder_config *decoder,
                             sgm_node *queries, int64_t batch)
{
    sgm_node *all = NULL;
    for (int i = 0; i < decoder->mask_tokens; i++) {
        sgm_node *x = token(net, queries, 1 + i);
        x = sgm_net_mlp(net, x, decoder->dim, decoder->dim / 8, 3, "output_hypernetworks_mlps.%d",
                        i);
        x = sgm_reshape(net->graph, x, SGM_SHAPE(batch, 1, decoder->dim / 8));
        all = i ? sgm_concat(net->graph, 1, 2, (sgm_node *[]){all, x}) : x;
    }
    return all;
}

/* Image tokens with the mask prompt: [B | 1, grid * grid, dim]. */
static sgm_node *image_tokens(const sgm_net *net, const sgm_model_config *config,
                              sgm_node *embedding, sgm_node *dense)
{
    sgm_node *x = sgm_add(net->graph, embedding, dense);
    if (!x) return NULL;
    int64_t places = (int64_t)config->grid * config->grid;
    return sgm_reshape(net->graph, x, SGM_SHAPE(x->shape.dim[0], places, config->decoder.dim));
}

static sgm_decoder_output decode(const sgm_net *root, const sgm_model_config *config,
                                 const layer_style *style, const sgm_features *features,
                                 const sgm_prompt_embedding *prompt, int64_t batch)
{
    const sgm_decoder_config *decoder = &config->decoder;
    sgm_net scope = sgm_net_scope(root, "mask_decoder"), *net = &scope;
    sgm_graph *g = net->graph;
    int64_t places = (int64_t)config->grid * config->grid, side = 4 * config->grid;
    two_way t = {.style = style,
                 .dim = decoder->dim,
                 .heads = decoder->heads,
                 .mlp_dim = decoder->mlp_dim,
                 .batch = batch};
    t.queries = t.query_pe = all_tokens(net, decoder, prompt->sparse, batch);
    t.key_pe = sgm_reshape(g, prompt->position, SGM_SHAPE(1, places, decoder->dim));
    set_keys(net, &t, image_tokens(net, config, features->node[0], prompt->dense));
    for (int layer = 0; layer < decoder->depth; layer++)
        two_way_layer(net, &t, layer);
    tokens_to_image(net, &t, "transformer.final_attn_token_to_image",
                    "transformer.norm_final_attn");
    sgm_node *masks = sgm_matmul(g, classifiers(net, decoder, t.queries, batch),
                                 upscale(net, config, t.keys, features));
    sgm_decoder_output out = {
        .low_res = sgm_reshape(g, masks, SGM_SHAPE(batch, decoder->mask_tokens, side, side)),
        .iou = sgm_net_mlp(net, token(net, t.queries, 0), decoder->dim, decoder->mask_tokens, 3,
                           "iou_prediction_head")};
    return out;
}

sgm_decoder_output sgm_sam_decode(const sgm_net *root, const sgm_model_config *config,
                                  const sgm_features *features, const sgm_prompt_embedding *prompt,
                                  int64_t batch)
{
    return decode(root, config, &sam_style, features, prompt, batch);
}

sgm_decoder_output sgm_efficient_decode(const sgm_net *root, const sgm_model_config *config,
                                        const sgm_features *features,
                                        const sgm_prompt_embedding *prompt, int64_t batch)
{
    return decode(root, config, &efficient_style, features, prompt, batch);
}

/* ------------------------------------------------------------------------------------- numbers */

const sgm_decoder_config sgm_sam_decoder_numbers = {
    .dim = 256, .heads = 8, .depth = 2, .mlp_dim = 2048, .mask_tokens = 4};

void sgm_sam_decoder_adopt(const sgm_checkpoint *file, sgm_decoder_config *decoder)
{
    int tokens = sgm_tensor_dimension(file, "mask_decoder.mask_tokens.weight", 0);
    if (tokens) decoder->mask_tokens = tokens;
}

sgm_status sgm_sam_decoder_check(const sgm_model_config *config)
{
    const sgm_decoder_config *decoder = &config->decoder;
    SGM_TRY(sgm_config_within("decoder_dim", decoder->dim, 8, 4096));
    SGM_TRY(sgm_config_within("decoder_heads", decoder->heads, 1, 256));
    if (decoder->dim % 8 || decoder->dim % (2 * decoder->heads))
        return sgm_config_refuse("decoder_dim", decoder->dim);
    SGM_TRY(sgm_config_within("decoder_depth", decoder->depth, 1, 16));
    SGM_TRY(sgm_config_within("decoder_mlp", decoder->mlp_dim, 1, 65536));
    return sgm_config_within("mask_tokens", decoder->mask_tokens, 1, 256);
}
