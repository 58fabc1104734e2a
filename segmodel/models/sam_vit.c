/* SAM's image encoder: a ViT with windowed attention and a few global blocks (Kirillov et al. 2023;
 * ViTDet, Li et al. 2022). MedSAM is the same network with other weights and preprocessing.
 * Follows facebookresearch/segment-anything, modeling/image_encoder.py. */
#include "models/registry.h"
#include "models/vit_blocks.h"

#include <stdio.h>

bool sgm_vit_is_global(const sgm_vit_config *vit, int block)
{
    return vit->global_blocks >> block & 1;
}

/* rel_pos as stored[length, head_dim], linearly resized to 2 * side - 1 rows when it was trained
 * for another side. */
static sgm_node *rel_pos(const sgm_net *net, const sgm_vit_config *vit, int block, const char *name,
                         char axis, int64_t side)
{
    int64_t stored = sgm_vit_is_global(vit, block) ? vit->rel_global : vit->rel_window;
    int64_t wanted = 2 * side - 1, head_dim = vit->embed_dim / vit->heads;
    sgm_node *table = sgm_net_param(net, SGM_SHAPE(stored, head_dim), "attn.%s_%c", name, axis);
    if (stored == wanted) return table;
    table = sgm_reshape(net->graph, table, SGM_SHAPE(1, stored, 1, head_dim));
    table = sgm_resize(net->graph, table, wanted, 1, false);
    return sgm_reshape(net->graph, table, SGM_SHAPE(wanted, head_dim));
}

sgm_node *sgm_vit_attention_of(const sgm_net *net, const sgm_vit_config *vit, int block,
                               sgm_node *x, sgm_node *pad, const sgm_vit_qkv *of)
{
    if (!x) return NULL;
    sgm_graph *g = net->graph;
    int64_t dim = vit->embed_dim;
    int window = sgm_vit_is_global(vit, block) ? 0 : vit->window;
    sgm_node *qkv = sgm_linear(g, x, of->weight, of->bias);
    sgm_node *pad_qkv = of->bias; /* of a zero token */
    if (pad) pad_qkv = sgm_reshape(g, sgm_linear(g, pad, of->weight, of->bias), SGM_SHAPE(3 * dim));
    sgm_node *h = rel_pos(net, vit, block, of->rel, 'h', window ? window : x->shape.dim[1]);
    sgm_node *w = rel_pos(net, vit, block, of->rel, 'w', window ? window : x->shape.dim[2]);
    x = sgm_attention_grid(g, qkv, window ? pad_qkv : NULL, h, w, SGM_BIAS_REL_POS, SGM_QKV_SAM,
                           vit->heads, window);
    return sgm_net_linear(net, x, dim, "attn.proj");
}

sgm_node *sgm_vit_attention(const sgm_net *net, const sgm_vit_config *vit, int block, sgm_node *x,
                            sgm_node *pad)
{
    int64_t dim = vit->embed_dim;
    sgm_vit_qkv qkv = {.weight = sgm_net_param(net, SGM_SHAPE(3 * dim, dim), "attn.qkv.weight"),
                       .bias = sgm_net_param(net, SGM_SHAPE(3 * dim), "attn.qkv.bias"),
                       .rel = "rel_pos"};
    return sgm_vit_attention_of(net, vit, block, x, pad, &qkv);
}

sgm_node *sgm_vit_adapter(const sgm_net *net, sgm_node *x, const char *name)
{
    int64_t dim = sgm_net_channels(x);
    sgm_node *y = sgm_net_linear(net, x, dim / 4, "%s.D_fc1", name);
    y = sgm_act_node(net->graph, y, SGM_ACT_GELU);
    return sgm_net_linear(net, y, dim, "%s.D_fc2", name);
}

sgm_node *sgm_vit_mlp(const sgm_net *net, const sgm_vit_config *vit, sgm_node *x)
{
    x = sgm_net_linear(net, x, 4 * vit->embed_dim, "mlp.lin1");
    x = sgm_act_node(net->graph, x, SGM_ACT_GELU);
    return sgm_net_linear(net, x, vit->embed_dim, "mlp.lin2");
}

static sgm_node *vit_block(const sgm_net *encoder, const sgm_vit_config *vit, int i, sgm_node *x)
{
    sgm_net net = sgm_net_scope(encoder, "blocks.%d", i);
    sgm_node *shortcut = x;
    x = sgm_net_norm(&net, x, SGM_VIT_EPS, "norm1");
    sgm_net_tap(&net, x, "block%d.norm1", i);
    x = sgm_net_tap(&net, sgm_vit_attention(&net, vit, i, x, NULL), "block%d.attn", i);
    x = sgm_add(net.graph, shortcut, sgm_net_branch(&net, x, 2 * i));
    sgm_node *normed = sgm_net_norm(&net, x, SGM_VIT_EPS, "norm2");
    sgm_node *mlp = sgm_net_tap(&net, sgm_vit_mlp(&net, vit, normed), "block%d.mlp", i);
    mlp = sgm_net_branch(&net, mlp, 2 * i + 1);
    return sgm_net_tap(&net, sgm_add(net.graph, x, mlp), "block%d", i);
}

sgm_node *sgm_vit_patches(const sgm_net *net, const sgm_vit_config *vit, sgm_node *image)
{
    sgm_conv_spec patches = {
        .out = vit->embed_dim, .kernel = vit->patch, .stride = vit->patch, .bias = true};
    return sgm_net_tap(net, sgm_net_conv(net, image, patches, "patch_embed.proj"), "patch_embed");
}

sgm_node *sgm_vit_pos_embed(const sgm_net *net, const sgm_vit_config *vit, int grid)
{
    sgm_shape stored = SGM_SHAPE(1, vit->pos_side, vit->pos_side, vit->embed_dim);
    sgm_node *pos = sgm_net_param(net, stored, "pos_embed");
    return vit->pos_side == grid ? pos : sgm_resize(net->graph, pos, grid, grid, false);
}

sgm_node *sgm_sam_neck(const sgm_net *net, int dim, sgm_node *x)
{
    sgm_conv_spec pointwise = {.out = dim, .kernel = 1, .stride = 1};
    sgm_conv_spec spatial = {.out = dim, .kernel = 3, .stride = 1, .pad = 1};
    x = sgm_net_tap(net, sgm_net_conv(net, x, pointwise, "neck.0"), "neck0");
    x = sgm_net_tap(net, sgm_net_norm(net, x, 1e-6f, "neck.1"), "neck1");
    x = sgm_net_tap(net, sgm_net_conv(net, x, spatial, "neck.2"), "neck2");
    x = sgm_net_tap(net, sgm_net_norm(net, x, 1e-6f, "neck.3"), "neck3");
    return x;
}

static sgm_features encode(const sgm_net *root, const sgm_model_config *config, sgm_node *image)
{
    const sgm_vit_config *vit = &config->vit;
    sgm_net net = sgm_net_scope(root, "image_encoder");
    sgm_node *x = sgm_vit_patches(&net, vit, image);
    x = sgm_add(net.graph, x, sgm_vit_pos_embed(&net, vit, config->grid));
    sgm_net_tap(&net, x, "pos_added");
    for (int i = 0; i < vit->depth; i++)
        x = vit_block(&net, vit, i, x);
    return (sgm_features){1, {sgm_sam_neck(&net, config->decoder.dim, x)}};
}

/* ------------------------------------------------------------------------------------- the row */

/* Every `step`-th block is global: 2, 5, 8, 11 of 12. */
static uint64_t every(int step, int depth)
{
    uint64_t blocks = 0;
    for (int i = step - 1; i < depth; i += step)
        blocks |= UINT64_C(1) << i;
    return blocks;
}

static void fill_vit(sgm_model_config *c, int dim, int depth, int heads)
{
    c->family = &sgm_family_vit;
    c->protocol = &sgm_protocol_sam;
    c->image_size = 1024;
    c->vit = (sgm_vit_config){.embed_dim = dim,
                              .depth = depth,
                              .heads = heads,
                              .patch = 16,
                              .window = 14,
                              .global_blocks = every(depth / 4, depth),
                              .pos_side = 64,
                              .rel_window = 27,
                              .rel_global = 127};
    c->decoder = sgm_sam_decoder_numbers;
}

void sgm_vit_fill_b(sgm_model_config *c)
{
    fill_vit(c, 768, 12, 12);
}

static void fill_vit_l(sgm_model_config *c)
{
    fill_vit(c, 1024, 24, 16);
}

void sgm_vit_fill_h(sgm_model_config *c)
{
    fill_vit(c, 1280, 32, 16);
}

static void fill_medsam(sgm_model_config *c)
{
    sgm_vit_fill_b(c);
    c->protocol = &sgm_protocol_medsam;
}

static const sgm_variant variants[] = {
    {"sam_vit_b", "Segment Anything, ViT-B at 1024", sgm_vit_fill_b},
    {"sam_vit_l", "Segment Anything, ViT-L at 1024", fill_vit_l},
    {"sam_vit_h", "Segment Anything, ViT-H at 1024", sgm_vit_fill_h},
    {"sam_vit", "Segment Anything, a ViT of another size", sgm_vit_fill_b},
    {"medsam", "MedSAM: ViT-B at 1024, box prompts, medical images", fill_medsam},
    {NULL}};

static const char *detect(const sgm_checkpoint *file, char assumption[256])
{
    switch (sgm_tensor_dimension(file, "image_encoder.patch_embed.proj.weight", 0)) {
    case 1024:
        return "sam_vit_l";
    case 1280:
        return "sam_vit_h";
    case 768:
        break;
    default:
        return "sam_vit";
    }
    if (sgm_file_name_contains(file, "medsam")) {
        if (sgm_file_name_contains(file, "medsam_vit_b")) return "medsam"; /* as it is published */
        snprintf(assumption, 256,
                 "The model is taken for MedSAM because of its file's name; SAM ViT-B has the "
                 "same tensors (--variant sam_vit_b).");
        return "medsam";
    }
    if (sgm_file_name_contains(file, "sam_vit_b")) return "sam_vit_b";
    snprintf(assumption, 256,
             "The model is taken for SAM ViT-B; MedSAM has the same tensors (--variant medsam).");
    return "sam_vit_b";
}

/* Length of block i's rel_pos, 0 if it has none. */
static int rel_length(const sgm_checkpoint *file, const char *rel, int block)
{
    char name[80];
    snprintf(name, sizeof name, "image_encoder.blocks.%d.attn.%s", block, rel);
    return sgm_tensor_dimension(file, name, 0);
}

/* A ViT of a size outside the table: depth, heads and which blocks are global follow from the
 * tensors (windowed blocks have the shorter rel_pos). Every official size keeps the table's
 * numbers, so that a missing block is an error and not a shallower network. */
static void adopt_size(const sgm_checkpoint *file, const char *rel, sgm_vit_config *vit)
{
    int dim = sgm_tensor_dimension(file, "image_encoder.patch_embed.proj.weight", 0);
    if (dim == vit->embed_dim || dim == 0) return;
    char first[80];
    snprintf(first, sizeof first, "image_encoder.blocks.0.attn.%s", rel);
    int head_dim = sgm_tensor_dimension(file, first, 1);
    vit->embed_dim = dim;
    vit->heads = head_dim > 0 ? dim / head_dim : 0;
    vit->global_blocks = 0;
    for (vit->depth = 0; vit->depth < 64 && rel_length(file, rel, vit->depth); vit->depth++)
        if (rel_length(file, rel, vit->depth) > vit->rel_window)
            vit->global_blocks |= UINT64_C(1) << vit->depth;
}

void sgm_vit_adopt(const sgm_checkpoint *file, sgm_model_config *config, const char *rel)
{
    sgm_vit_config *vit = &config->vit;
    adopt_size(file, rel, vit);
    int side = sgm_tensor_dimension(file, "image_encoder.pos_embed", 1);
    if (side) vit->pos_side = side;
    for (int i = 0; i < vit->depth && i < 64; i++) {
        int length = rel_length(file, rel, i);
        if (length && vit->global_blocks >> i & 1) vit->rel_global = length;
    }
    sgm_sam_decoder_adopt(file, &config->decoder);
}

/* SAM's picture is as large as its positions say. */
static void adopt(const sgm_checkpoint *file, sgm_model_config *config)
{
    sgm_vit_adopt(file, config, "rel_pos_h");
    config->image_size = config->vit.pos_side * config->vit.patch;
}

int sgm_vit_fields(sgm_model_config *c, sgm_field *f)
{
    int n = 0;
    f[n++] = (sgm_field){.key = "embed", .value = &c->vit.embed_dim, .count = 1};
    f[n++] = (sgm_field){.key = "depth", .value = &c->vit.depth, .count = 1};
    f[n++] = (sgm_field){.key = "heads", .value = &c->vit.heads, .count = 1};
    f[n++] = (sgm_field){.key = "patch", .value = &c->vit.patch, .count = 1};
    f[n++] = (sgm_field){.key = "window", .value = &c->vit.window, .count = 1};
    f[n++] = (sgm_field){.key = "pos_side", .value = &c->vit.pos_side, .count = 1};
    f[n++] = (sgm_field){.key = "rel_window", .value = &c->vit.rel_window, .count = 1};
    f[n++] = (sgm_field){.key = "rel_global", .value = &c->vit.rel_global, .count = 1};
    f[n++] = (sgm_field){.key = "global", .bits = &c->vit.global_blocks};
    return n;
}

sgm_status sgm_vit_check(sgm_model_config *config)
{
    const sgm_vit_config *vit = &config->vit;
    SGM_TRY(sgm_sam_decoder_check(config));
    SGM_TRY(sgm_config_within("high_res", config->decoder.high_res, 0, 0));
    SGM_TRY(sgm_config_within("embed", vit->embed_dim, 8, 8192));
    SGM_TRY(sgm_config_within("depth", vit->depth, 1, 64));
    SGM_TRY(sgm_config_within("heads", vit->heads, 1, 256));
    if (vit->embed_dim % vit->heads) return sgm_config_refuse("heads", vit->heads);
    SGM_TRY(sgm_config_within("patch", vit->patch, 1, 64));
    SGM_TRY(sgm_config_within("window", vit->window, 1, 256));
    SGM_TRY(sgm_config_within("pos_side", vit->pos_side, 1, 1024));
    SGM_TRY(sgm_config_within("rel_window", vit->rel_window, 1, 4095));
    SGM_TRY(sgm_config_within("rel_global", vit->rel_global, 1, 4095));
    if (config->image_size % vit->patch) return sgm_config_refuse("image", config->image_size);
    config->grid = config->image_size / vit->patch;
    return SGM_OK;
}

const sgm_family sgm_family_vit = {.name = "vit",
                                   .variants = variants,
                                   .mark = "image_encoder.patch_embed.proj.weight",
                                   .detect = detect,
                                   .adopt = adopt,
                                   .unused = "pixel_mean,pixel_std",
                                   .fields = sgm_vit_fields,
                                   .check = sgm_vit_check,
                                   .encode = encode,
                                   .prompt = sgm_sam_prompt,
                                   .decode = sgm_sam_decode};
