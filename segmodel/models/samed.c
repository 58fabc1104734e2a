/* SAMed (Zhang, Liu 2023): SAM ViT-B at 512 whose q and v have low-rank additions, and a decoder
 * with one mask per class (the first is the background) that is asked for nothing in particular.
 * Its own file holds the additions, prompt encoder and decoder, and lies on SAM's; a whole network
 * saved from its code has other names for the same.
 * Follows hitachinsk/SAMed, sam_lora_image_encoder.py. */
#include "checkpoint/stack.h"
#include "models/registry.h"
#include "models/vit_blocks.h"

#include <stdio.h>

#define MASK_TOKENS "mask_decoder.mask_tokens.weight"

enum { SAM_SIDE = 64, SAM_MASKS = 4, PAPER_SIZE = 512 };

extern const sgm_family sgm_family_samed;

/* config->own */
enum {
    RANK = 0,
    WHOLE = 1 /* 1: the names of a whole network, 0: those of the file with the additions alone */
};

/* B A [C, C] of q (part 0) or v (part 1). Files of additions number all of them in a row. */
static sgm_node *addition(const sgm_net *root, const sgm_net *net, const sgm_model_config *config,
                          int block, int part)
{
    static const int transpose[2] = {1, 0};
    int64_t dim = config->vit.embed_dim, rank = config->own[RANK];
    int number = 2 * block + part;
    const char *kind = part ? "v" : "q";
    sgm_shape down = SGM_SHAPE(rank, dim), up = SGM_SHAPE(dim, rank);
    sgm_graph *g = net->graph;
    sgm_node *a = config->own[WHOLE] ? sgm_net_param(net, down, "attn.qkv.linear_a_%s.weight", kind)
                                     : sgm_net_param(root, down, "w_a_%03d", number);
    sgm_node *b = config->own[WHOLE] ? sgm_net_param(net, up, "attn.qkv.linear_b_%s.weight", kind)
                                     : sgm_net_param(root, up, "w_b_%03d", number);
    a = sgm_reshape(g, sgm_permute(g, a, transpose), SGM_SHAPE(1, dim, rank));
    sgm_node *product = sgm_matmul(g, sgm_reshape(g, b, SGM_SHAPE(1, dim, rank)), a);
    return sgm_reshape(g, product, SGM_SHAPE(dim, dim));
}

/* The weight of qkv with its additions: a constant when predicting. */
static sgm_node *folded(const sgm_net *root, const sgm_net *net, const sgm_model_config *config,
                        int block, sgm_node *weight)
{
    sgm_graph *g = net->graph;
    int64_t dim = config->vit.embed_dim;
    sgm_node *part[3];
    for (int i = 0; i < 3; i++)
        part[i] = sgm_slice(g, weight, 0, i * dim, dim);
    part[0] = sgm_add(g, part[0], addition(root, net, config, block, 0));
    part[2] = sgm_add(g, part[2], addition(root, net, config, block, 1));
    return sgm_concat(g, 0, 3, part);
}

static sgm_node *block(const sgm_net *root, const sgm_net *encoder, const sgm_model_config *config,
                       int i, sgm_node *x)
{
    const sgm_vit_config *vit = &config->vit;
    sgm_net net = sgm_net_scope(encoder, "blocks.%d", i);
    const char *within = config->own[WHOLE] ? "attn.qkv.qkv" : "attn.qkv";
    int64_t dim = vit->embed_dim;
    sgm_node *weight = sgm_net_param(&net, SGM_SHAPE(3 * dim, dim), "%s.weight", within);
    sgm_vit_qkv qkv = {.weight = folded(root, &net, config, i, weight),
                       .bias = sgm_net_param(&net, SGM_SHAPE(3 * dim), "%s.bias", within),
                       .rel = "rel_pos"};
    sgm_node *y = sgm_net_norm(&net, x, SGM_VIT_EPS, "norm1");
    x = sgm_add(net.graph, x, sgm_vit_attention_of(&net, vit, i, y, NULL, &qkv));
    y = sgm_net_norm(&net, x, SGM_VIT_EPS, "norm2");
    x = sgm_add(net.graph, x, sgm_vit_mlp(&net, vit, y));
    return sgm_net_tap(&net, x, "block%d", i);
}

static sgm_features encode(const sgm_net *root, const sgm_model_config *config, sgm_node *image)
{
    const sgm_vit_config *vit = &config->vit;
    sgm_net net = sgm_net_scope(root, "image_encoder");
    sgm_node *x = sgm_vit_patches(&net, vit, image);
    x = sgm_add(net.graph, x, sgm_vit_pos_embed(&net, vit, config->grid));
    for (int i = 0; i < vit->depth; i++)
        x = block(root, &net, config, i, x);
    return (sgm_features){1, {sgm_sam_neck(&net, config->decoder.dim, x)}};
}

/* Neither points nor a mask: the class that is asked for picks from what the decoder gives. */
static sgm_prompt_embedding prompt(const sgm_net *net, const sgm_model_config *config,
                                   const sgm_prompt_input *input, const sgm_features *features)
{
    (void)input;
    return sgm_sam_prompt(net, config, &(sgm_prompt_input){0}, features);
}

/* ------------------------------------------------------------------------------------- the row */

/* The official code resizes with a cubic spline of its own (scipy's zoom); ours is scikit-image's.
 * A class is where its mask is the largest. */
static const sgm_protocol protocol = {.name = "samed",
                                      .grey = true,
                                      .stretch = true,
                                      .resampling = SGM_RESAMPLING_CUBIC,
                                      .levels = SGM_LEVELS_UNIT,
                                      .answer = SGM_ANSWER_CLASS};

static void fill(sgm_model_config *c)
{
    sgm_vit_fill_b(c);
    c->family = &sgm_family_samed;
    c->protocol = &protocol;
    c->image_size = PAPER_SIZE;
    c->vit.pos_side = 32;
    c->vit.rel_global = 63;
    c->decoder.mask_tokens = 9;
    c->classes = 8;
    c->own[RANK] = 4;
}

static const sgm_variant variants[] = {
    {"samed", "SAMed: ViT-B at 512 with low-rank additions, one mask per class", fill}, {NULL}};

/* The side of the picture. A whole network's positions have the length of its grid; so have those
 * of a base that was resized for it. The official code resizes SAM's 64 x 64 itself, to a size that
 * the file of additions does not say. */
static int side_of(const sgm_checkpoint *file, const sgm_model_config *config)
{
    bool beneath = sgm_checkpoint_is_stack(file) && config->vit.pos_side == SAM_SIDE;
    return beneath ? PAPER_SIZE : config->vit.pos_side * config->vit.patch;
}

/* SAM's own decoder gives as many masks as SAMed of three classes does, and its masks are none. */
static sgm_status refuse(const sgm_checkpoint *file)
{
    int masks = sgm_tensor_dimension(file, MASK_TOKENS, 0);
    if (masks != SAM_MASKS || sgm_checkpoint_is_stack(file)) return SGM_OK;
    return sgm_fail(SGM_BAD_MODEL,
                    "%s: low-rank additions with a decoder of %d masks, as SAM's own is: a network "
                    "that is not known, unless it is SAMed of %d classes (--variant samed)",
                    sgm_checkpoint_path(file), masks, masks - 1);
}

static void assume(const sgm_checkpoint *file, char assumption[256])
{
    if (sgm_checkpoint_is_stack(file) &&
        sgm_tensor_dimension(file, "image_encoder.pos_embed", 1) == SAM_SIDE)
        snprintf(assumption, 256,
                 "SAMed's file of additions does not say how large its pictures are: the paper's "
                 "%d x %d pixels are taken. Another size: segmodel convert --base SAM --set "
                 "image=224.",
                 PAPER_SIZE, PAPER_SIZE);
}

static void adopt(const sgm_checkpoint *file, sgm_model_config *config)
{
    int whole = sgm_tensor_dimension(file, "image_encoder.blocks.0.attn.qkv.linear_a_q.weight", 0);
    int rank = sgm_tensor_dimension(file, "w_a_000", 0);
    sgm_vit_adopt(file, config, "rel_pos_h");
    config->image_size = side_of(file, config);
    config->own[WHOLE] = whole != 0;
    if (whole || rank) config->own[RANK] = whole ? whole : rank;
    config->classes = config->decoder.mask_tokens - 1;
}

static int fields(sgm_model_config *c, sgm_field *f)
{
    int n = sgm_vit_fields(c, f);
    f[n++] = (sgm_field){.key = "classes", .value = &c->classes, .count = 1};
    f[n++] = (sgm_field){.key = "rank", .value = &c->own[RANK], .count = 1};
    f[n++] = (sgm_field){.key = "whole", .value = &c->own[WHOLE], .count = 1};
    return n;
}

static sgm_status check(sgm_model_config *config)
{
    SGM_TRY(sgm_config_within("rank", config->own[RANK], 1, 1024));
    SGM_TRY(sgm_config_within("whole", config->own[WHOLE], 0, 1));
    SGM_TRY(sgm_vit_check(config));
    return sgm_config_within("classes", config->classes, config->decoder.mask_tokens - 1,
                             config->decoder.mask_tokens - 1);
}

/* Others call their low-rank additions so too; SAMed's come with the decoder of its classes. */
static const sgm_overlay overlay = {
    .mark = "w_a_000", .with = MASK_TOKENS, .base = "SAM ViT-B", .wide = "w_a_000", .wide_axis = 1};

/* Prompts and masks are never shown to it, though the prompt encoder comes along. */
const sgm_family sgm_family_samed = {
    .name = "samed",
    .variants = variants,
    .mark = "w_b_000",
    .other_mark = "image_encoder.blocks.0.attn.qkv.linear_b_q.weight",
    .assume = assume,
    .unsaid = "image",
    .refuse = refuse,
    .adopt = adopt,
    .overlay = &overlay,
    .unused = "prompt_encoder.*,pixel_mean,pixel_std",
    .fields = fields,
    .check = check,
    .encode = encode,
    .prompt = prompt,
    .decode = sgm_sam_decode,
    .trained = "w_*,*linear_a_*,*linear_b_*,prompt_encoder.*,mask_decoder.*",
    .zero = "w_b_*,*linear_b_*",
    .remade = "mask_decoder.mask_tokens.weight,mask_decoder.iou_prediction_head.layers.2.*"};
