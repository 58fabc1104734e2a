/* AutoSAM (Shaharabany et al. 2023): a second encoder makes SAM's dense prompt out of the picture,
 * so that nothing is asked. Its file holds that encoder and lies on SAM's.
 * Follows talshaharabany/AutoSAM, models/model_single.py (ModelEmb) and inference.py. */
#include "models/hardnet.h"
#include "models/registry.h"
#include "models/vit_blocks.h"

#include <stdio.h>

extern const sgm_family sgm_family_autosam;

/* config->own */
enum { SMALL = 0 /* side of the picture that the second encoder sees */ };

enum { PAPER_SMALL = 512 };

#define AUTOSAM_EPS 1e-5f

/* Doubled and set beside the finer features; two convolutions, batch norm, leaky ReLU. */
static sgm_node *up_block(const sgm_net *decoder, sgm_node *x, sgm_node *finer, const char *name)
{
    if (!x || !finer) return NULL;
    sgm_net net = sgm_net_scope(decoder, "%s", name);
    sgm_graph *g = net.graph;
    int64_t height = finer->shape.dim[1], width = finer->shape.dim[2];
    sgm_conv_spec spec = {
        .out = sgm_net_channels(finer), .kernel = 3, .stride = 1, .pad = 1, .bias = true};
    x = sgm_resize(g, x, height, width, false);
    x = sgm_concat(g, 3, 2, (sgm_node *[]){x, finer});
    x = sgm_net_conv(&net, x, spec, "conv1");
    x = sgm_net_conv_norm(&net, x, spec, AUTOSAM_EPS, "conv2", "BN");
    return sgm_net_tap(&net, sgm_act_node(g, x, SGM_ACT_LEAKY_RELU), "%s", name);
}

/* The dense prompt: [B, grid, grid, dim]. */
static sgm_node *dense_prompt(const sgm_net *root, const sgm_model_config *config, sgm_node *image)
{
    sgm_net backbone = sgm_net_scope(root, "backbone"), decoder = sgm_net_scope(root, "decoder");
    sgm_net final = sgm_net_scope(&decoder, "final");
    sgm_graph *g = root->graph;
    int64_t small = config->own[SMALL];
    sgm_conv_spec spec = {
        .out = config->decoder.dim, .kernel = 3, .stride = 1, .pad = 1, .bias = true};
    sgm_node *x = sgm_net_tap(root, sgm_resize(g, image, small, small, true), "small");
    sgm_hardnet_features f = sgm_hardnet(&backbone, x);
    x = up_block(&decoder, f.sixteenth, f.eighth, "up1");
    x = up_block(&decoder, x, f.quarter, "up2");
    x = sgm_act_node(g, sgm_net_conv_norm(&final, x, spec, AUTOSAM_EPS, "conv1", "BN1"),
                     SGM_ACT_RELU);
    x = sgm_net_tap(root, sgm_net_conv(&final, x, spec, "conv2"), "final");
    x = sgm_resize(g, sgm_act_node(g, x, SGM_ACT_TANH), config->grid, config->grid, true);
    return sgm_net_tap(root, x, "dense");
}

/* The official code normalises the picture for SAM's encoder a second time, border included. */
static sgm_node *normalised_twice(const sgm_net *net, sgm_node *image)
{
    static const float scale[3] = {1 / 58.395f, 1 / 57.12f, 1 / 57.375f};
    static const float shift[3] = {-123.675f / 58.395f, -116.28f / 57.12f, -103.53f / 57.375f};
    sgm_graph *g = net->graph;
    sgm_node *x = sgm_mul(g, image, sgm_data(g, SGM_SHAPE(3), scale));
    return sgm_net_tap(net, sgm_add(g, x, sgm_data(g, SGM_SHAPE(3), shift)), "input_twice");
}

static sgm_features encode(const sgm_net *net, const sgm_model_config *config, sgm_node *image)
{
    sgm_node *dense = dense_prompt(net, config, image);
    sgm_features out = sgm_family_vit.encode(net, config, normalised_twice(net, image));
    out.node[out.count++] = dense;
    return out;
}

static int features(const sgm_model_config *config, sgm_feature *f)
{
    f[0] = (sgm_feature){"embedding", config->grid, config->grid, config->decoder.dim};
    f[1] = (sgm_feature){"dense_prompt", config->grid, config->grid, config->decoder.dim};
    return 2;
}

static sgm_prompt_embedding prompt(const sgm_net *net, const sgm_model_config *config,
                                   const sgm_prompt_input *input, const sgm_features *encoded)
{
    (void)input;
    sgm_prompt_embedding out = sgm_sam_prompt(net, config, &(sgm_prompt_input){0}, encoded);
    out.dense = encoded->node[1];
    return out;
}

/* ------------------------------------------------------------------------------------- the row */

/* SAM's picture (the official code resizes floats, ours 8 bits); mask 0, stretched to [0, 1]. */
static const sgm_protocol protocol = {.name = "autosam",
                                      .resampling = SGM_RESAMPLING_PILLOW,
                                      .levels = SGM_LEVELS_IMAGENET,
                                      .range = true,
                                      .unprompted = true,
                                      .answer = SGM_ANSWER_FIRST};

static void fill(sgm_model_config *c)
{
    sgm_vit_fill_h(c);
    c->family = &sgm_family_autosam;
    c->protocol = &protocol;
    c->own[SMALL] = PAPER_SMALL;
}

/* The authors' networks: GlaS 256, polyps 352, MoNuSeg 512 (inference.py). */
static void assume(const sgm_checkpoint *file, char assumption[256])
{
    (void)file;
    snprintf(assumption, 256,
             "AutoSAM's file does not say how large the pictures of its second encoder are: %d x "
             "%d pixels are taken. Its authors also have 256 and 352: segmodel convert --set "
             "small=256.",
             PAPER_SMALL, PAPER_SMALL);
}

static const sgm_variant variants[] = {
    {"autosam", "AutoSAM: SAM with a second encoder that makes the prompt", fill}, {NULL}};

static void adopt(const sgm_checkpoint *file, sgm_model_config *config)
{
    sgm_vit_adopt(file, config, "rel_pos_h");
    config->image_size = config->vit.pos_side * config->vit.patch;
}

static int fields(sgm_model_config *c, sgm_field *f)
{
    int n = sgm_vit_fields(c, f);
    f[n++] = (sgm_field){.key = "small", .value = &c->own[SMALL], .count = 1};
    return n;
}

static sgm_status check(sgm_model_config *config)
{
    SGM_TRY(sgm_config_within("small", config->own[SMALL], 32, 4096));
    if (config->own[SMALL] % 32) return sgm_config_refuse("small", config->own[SMALL]);
    return sgm_vit_check(config);
}

static const sgm_overlay overlay = {.mark = "backbone.base.0.conv.weight", .base = "SAM"};

/* The stage of stride 32 and the second norm of the last block are in every file and never read. */
const sgm_family sgm_family_autosam = {
    .name = "autosam",
    .variants = variants,
    .mark = "decoder.final.conv2.weight",
    .assume = assume,
    .unsaid = "small",
    .adopt = adopt,
    .overlay = &overlay,
    .unused = "prompt_encoder.*,backbone.base.16.*,backbone.base.18.*,decoder.final.BN2.*,"
              "*num_batches_tracked,pixel_mean,pixel_std",
    .fields = fields,
    .check = check,
    .features = features,
    .encode = encode,
    .prompt = prompt,
    .decode = sgm_sam_decode,
    .trained = "backbone.*,decoder.*"};
