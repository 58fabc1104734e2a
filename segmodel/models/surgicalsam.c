/* SurgicalSAM (Yue et al. 2024): SAM asked by the class of a surgical instrument. A learned
 * prototype per class is compared with every place of the embedding; what is similar becomes the
 * class's dense prompt, and tokens of all classes say which is meant and which are not. Its file
 * holds prototypes, prompt encoder and decoder, and lies on SAM's (ViT-H in the paper).
 * Follows wenxi-yue/SurgicalSAM, surgicalSAM/model.py. */
#include "models/registry.h"
#include "models/vit_blocks.h"

#include <stdlib.h>
#include <string.h>

extern const sgm_family sgm_family_surgicalsam;

/* config->own */
enum { TOKENS = 0 /* tokens per class */ };

/* [B, 1, classes]: 1 for the class that is asked for. */
static sgm_node *one_hot(const sgm_net *net, const sgm_model_config *config, sgm_node *classes)
{
    int64_t count = config->classes;
    if (!classes)
        return sgm_graph_fail(net->graph,
                              sgm_fail(SGM_INVALID_ARGUMENT, "no class is given to be asked for"));
    float *identity = calloc((size_t)(count * count), sizeof *identity);
    if (!identity)
        return sgm_graph_fail(net->graph, sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph"));
    for (int64_t i = 0; i < count; i++)
        identity[i * count + i] = 1;
    sgm_node *rows = sgm_data(net->graph, SGM_SHAPE(count, count), identity);
    free(identity);
    rows = sgm_gather(net->graph, rows, classes);
    return sgm_reshape(net->graph, rows, SGM_SHAPE(-1, 1, count));
}

/* What the embedding has of the class, through two layers: [B, grid, grid, dim]. */
static sgm_node *dense_prompt(const sgm_net *net, const sgm_model_config *config, sgm_node *feature,
                              sgm_node *factor)
{
    sgm_graph *g = net->graph;
    int64_t grid = config->grid, dim = config->decoder.dim;
    sgm_conv_spec pointwise = {.out = dim / 2, .kernel = 1, .stride = 1, .bias = true};
    sgm_node *x = sgm_reshape(g, factor, SGM_SHAPE(-1, grid, grid, 1));
    x = sgm_net_conv(net, sgm_mul(g, feature, x), pointwise, "dense_fc_1");
    x = sgm_act_node(g, x, SGM_ACT_RELU);
    pointwise.out = dim;
    return sgm_net_conv(net, x, pointwise, "dense_fc_2");
}

/* A layer over places: x[.., in] with a kernel of PyTorch's Conv1d of width 1. */
static sgm_node *over_places(const sgm_net *net, sgm_node *x, int64_t out, const char *name)
{
    int64_t in = sgm_net_channels(x);
    sgm_node *weight = sgm_net_param(net, SGM_SHAPE(out, in, 1), "%s.weight", name);
    sgm_node *bias = sgm_net_param(net, SGM_SHAPE(out), "%s.bias", name);
    return sgm_linear(net->graph, x, sgm_reshape(net->graph, weight, SGM_SHAPE(out, in)), bias);
}

/* Tokens of every class, [B, classes * tokens, dim]: what the embedding has of it, and whether it
 * is the one. factors: [B, classes, places]. */
static sgm_node *sparse_prompt(const sgm_net *net, const sgm_model_config *config,
                               sgm_node *feature, sgm_node *factors, sgm_node *hot)
{
    static const int places_last[3] = {0, 2, 1}, tokens_first[4] = {0, 1, 3, 2};
    sgm_graph *g = net->graph;
    int64_t dim = config->decoder.dim, tokens = config->own[TOKENS], classes = config->classes;
    int64_t places = (int64_t)config->grid * config->grid;
    sgm_node *x = sgm_permute(g, sgm_reshape(g, feature, SGM_SHAPE(-1, places, dim)), places_last);
    x = sgm_mul(g, sgm_reshape(g, x, SGM_SHAPE(-1, 1, dim, places)),
                sgm_reshape(g, factors, SGM_SHAPE(-1, classes, 1, places)));
    x = sgm_act_node(g, over_places(net, x, dim / 2, "sparse_fc_1"), SGM_ACT_RELU);
    x = sgm_permute(g, over_places(net, x, tokens, "sparse_fc_2"), tokens_first);
    sgm_shape kind = SGM_SHAPE(tokens, dim);
    sgm_node *not_it = sgm_net_param(net, kind, "pn_cls_embeddings.0.weight");
    sgm_node *it = sgm_net_param(net, kind, "pn_cls_embeddings.1.weight");
    sgm_node *difference = sgm_add(g, it, sgm_affine(g, not_it, -1, 0));
    hot = sgm_reshape(g, hot, SGM_SHAPE(-1, classes, 1, 1));
    x = sgm_add(g, x, sgm_add(g, not_it, sgm_mul(g, hot, difference)));
    return sgm_reshape(g, x, SGM_SHAPE(-1, classes * tokens, dim));
}

static sgm_prompt_embedding prompt(const sgm_net *root, const sgm_model_config *config,
                                   const sgm_prompt_input *input, const sgm_features *features)
{
    static const int classes_last[3] = {0, 2, 1};
    sgm_net net = sgm_net_scope(root, "prototype_prompt_encoder");
    sgm_graph *g = root->graph;
    int64_t dim = config->decoder.dim, places = (int64_t)config->grid * config->grid;
    sgm_prompt_embedding out = sgm_sam_prompt(root, config, &(sgm_prompt_input){0}, features);
    sgm_node *prototypes =
        sgm_net_param(root, SGM_SHAPE(config->classes, dim), "prototypes.class_embeddings.weight");
    sgm_node *feature = features->node[0], *hot = one_hot(root, config, input->classes);
    sgm_node *flat = sgm_reshape(g, feature, SGM_SHAPE(-1, places, dim));
    prototypes = sgm_reshape(g, prototypes, SGM_SHAPE(1, config->classes, dim));
    sgm_node *factors = sgm_affine(g, sgm_matmul(g, prototypes, flat), 1, 1);
    sgm_node *factor = sgm_matmul(g, hot, sgm_permute(g, factors, classes_last));
    out.dense = dense_prompt(&net, config, feature, factor);
    out.sparse = sparse_prompt(&net, config, feature, factors, hot);
    sgm_net_tap(&net, out.dense, "class_dense");
    sgm_net_tap(&net, out.sparse, "class_sparse");
    return out;
}

/* ------------------------------------------------------------------------------------- the row */

/* Pictures as SAM sees them; the answer is mask 0 of the class that was asked for. */
static const sgm_protocol protocol = {.name = "surgicalsam",
                                      .resampling = SGM_RESAMPLING_PILLOW,
                                      .levels = SGM_LEVELS_IMAGENET,
                                      .answer = SGM_ANSWER_FIRST};

static sgm_features encode(const sgm_net *net, const sgm_model_config *config, sgm_node *image)
{
    return sgm_family_vit.encode(net, config, image);
}

static void fill(sgm_model_config *c)
{
    sgm_vit_fill_h(c);
    c->family = &sgm_family_surgicalsam;
    c->protocol = &protocol;
    c->classes = 7;
    c->own[TOKENS] = 2;
}

static const sgm_variant variants[] = {
    {"surgicalsam", "SurgicalSAM: ViT-H at 1024, prompted by the class of an instrument", fill},
    {NULL}};

static void adopt(const sgm_checkpoint *file, sgm_model_config *config)
{
    int classes = sgm_tensor_dimension(file, "prototypes.class_embeddings.weight", 0);
    int tokens = sgm_tensor_dimension(file, "prototype_prompt_encoder.sparse_fc_2.weight", 0);
    sgm_vit_adopt(file, config, "rel_pos_h");
    config->image_size = config->vit.pos_side * config->vit.patch;
    if (classes) config->classes = classes;
    if (tokens) config->own[TOKENS] = tokens;
}

static int fields(sgm_model_config *c, sgm_field *f)
{
    int n = sgm_vit_fields(c, f);
    f[n++] = (sgm_field){.key = "classes", .value = &c->classes, .count = 1};
    f[n++] = (sgm_field){.key = "tokens", .value = &c->own[TOKENS], .count = 1};
    return n;
}

static sgm_status check(sgm_model_config *config)
{
    SGM_TRY(sgm_config_within("classes", config->classes, 1, 4096));
    SGM_TRY(sgm_config_within("tokens", config->own[TOKENS], 1, 64));
    return sgm_vit_check(config);
}

static const sgm_overlay overlay = {
    .mark = "prototypes_state_dict/class_embeddings.weight",
    .base = "SAM ViT-H",
    .names = "prototype_prompt_encoder_state_dict/=prototype_prompt_encoder.,"
             "sam_decoder_state_dict/=mask_decoder.,prototypes_state_dict/=prototypes."};

/* What says "this class" and "not this class" is SAM's foreground and background. */
#define COPIED                                                                                     \
    "prototype_prompt_encoder.pn_cls_embeddings.0.weight=prompt_encoder.point_embeddings.0."       \
    "weight,"                                                                                      \
    "prototype_prompt_encoder.pn_cls_embeddings.1.weight=prompt_encoder.point_embeddings.1.weight"

const sgm_family sgm_family_surgicalsam = {.name = "surgicalsam",
                                           .variants = variants,
                                           .mark = "prototypes.class_embeddings.weight",
                                           .adopt = adopt,
                                           .overlay = &overlay,
                                           .unused = "prompt_encoder.*,pixel_mean,pixel_std",
                                           .fields = fields,
                                           .check = check,
                                           .encode = encode,
                                           .prompt = prompt,
                                           .decode = sgm_sam_decode,
                                           .copied = COPIED,
                                           .trained = "prototype_prompt_encoder.*fc*,prototypes.*,"
                                                      "mask_decoder.*"};
