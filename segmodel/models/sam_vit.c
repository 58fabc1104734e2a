/* SAM's image encoder: a ViT with windowed attention and a few global blocks (Kirillov et al. 2023;
 * ViTDet, Li et al. 2022). MedSAM is the same network with other weights and preprocessing.
 * Follows facebookresearch/segment-anything, modeling/image_encoder.py. */
#include "models/vit_blocks.h"

bool sgm_vit_is_global(const sgm_vit_config *vit, int block)
{
    return vit->global_blocks >> block & 1;
}

/* rel_pos as stored[length, head_dim], linearly resized to 2 * side - 1 rows when it was trained
 * for another side. */
static sgm_node *rel_pos(sgm_net *net, const sgm_vit_config *vit, int block, char axis,
                         int64_t side)
{
    int64_t stored = sgm_vit_is_global(vit, block) ? vit->rel_global : vit->rel_window;
    int64_t wanted = 2 * side - 1, head_dim = vit->embed_dim / vit->heads;
    sgm_node *table = sgm_param(net->graph, SGM_SHAPE(stored, head_dim),
                                "image_encoder.blocks.%d.attn.rel_pos_%c", block, axis);
    if (stored == wanted) return table;
    table = sgm_reshape(net->graph, table, SGM_SHAPE(1, stored, 1, head_dim));
    table = sgm_resize(net->graph, table, wanted, 1, false);
    return sgm_reshape(net->graph, table, SGM_SHAPE(wanted, head_dim));
}

sgm_node *sgm_vit_attention(sgm_net *net, const sgm_vit_config *vit, int block, sgm_node *x,
                            sgm_node *pad)
{
    if (!x) return NULL;
    sgm_graph *g = net->graph;
    int64_t dim = vit->embed_dim;
    int window = sgm_vit_is_global(vit, block) ? 0 : vit->window;
    sgm_node *weight =
        sgm_param(g, SGM_SHAPE(3 * dim, dim), "image_encoder.blocks.%d.attn.qkv.weight", block);
    sgm_node *bias =
        sgm_param(g, SGM_SHAPE(3 * dim), "image_encoder.blocks.%d.attn.qkv.bias", block);
    sgm_node *qkv = sgm_linear(g, x, weight, bias);
    sgm_node *pad_qkv = bias; /* of a zero token */
    if (pad) pad_qkv = sgm_reshape(g, sgm_linear(g, pad, weight, bias), SGM_SHAPE(3 * dim));
    sgm_node *rel_h = rel_pos(net, vit, block, 'h', window ? window : x->shape.dim[1]);
    sgm_node *rel_w = rel_pos(net, vit, block, 'w', window ? window : x->shape.dim[2]);
    x = sgm_attention_grid(g, qkv, window ? pad_qkv : NULL, rel_h, rel_w, SGM_BIAS_REL_POS,
                           SGM_QKV_SAM, vit->heads, window);
    return sgm_net_linear(net, x, dim, "image_encoder.blocks.%d.attn.proj", block);
}

sgm_node *sgm_vit_mlp(sgm_net *net, const sgm_vit_config *vit, int block, sgm_node *x)
{
    x = sgm_net_linear(net, x, 4 * vit->embed_dim, "image_encoder.blocks.%d.mlp.lin1", block);
    x = sgm_act_node(net->graph, x, SGM_ACT_GELU);
    return sgm_net_linear(net, x, vit->embed_dim, "image_encoder.blocks.%d.mlp.lin2", block);
}

static sgm_node *vit_block(sgm_net *net, const sgm_vit_config *vit, int i, sgm_node *x)
{
    sgm_node *shortcut = x;
    x = sgm_net_norm(net, x, SGM_VIT_EPS, "image_encoder.blocks.%d.norm1", i);
    sgm_net_tap(net, x, "block%d.norm1", i);
    x = sgm_net_tap(net, sgm_vit_attention(net, vit, i, x, NULL), "block%d.attn", i);
    x = sgm_add(net->graph, shortcut, x);
    sgm_node *normed = sgm_net_norm(net, x, SGM_VIT_EPS, "image_encoder.blocks.%d.norm2", i);
    sgm_node *mlp = sgm_net_tap(net, sgm_vit_mlp(net, vit, i, normed), "block%d.mlp", i);
    return sgm_net_tap(net, sgm_add(net->graph, x, mlp), "block%d", i);
}

sgm_node *sgm_vit_pos_embed(sgm_net *net, const sgm_vit_config *vit, int grid)
{
    sgm_node *pos =
        sgm_param(net->graph, SGM_SHAPE(1, vit->pos_side, vit->pos_side, vit->embed_dim),
                  "image_encoder.pos_embed");
    return vit->pos_side == grid ? pos : sgm_resize(net->graph, pos, grid, grid, false);
}

sgm_node *sgm_sam_neck(sgm_net *net, int dim, sgm_node *x)
{
    sgm_conv_spec pointwise = {.out = dim, .kernel = 1, .stride = 1};
    sgm_conv_spec spatial = {.out = dim, .kernel = 3, .stride = 1, .pad = 1};
    x = sgm_net_tap(net, sgm_net_conv(net, x, pointwise, "image_encoder.neck.0"), "neck0");
    x = sgm_net_tap(net, sgm_net_norm(net, x, 1e-6f, "image_encoder.neck.1"), "neck1");
    x = sgm_net_tap(net, sgm_net_conv(net, x, spatial, "image_encoder.neck.2"), "neck2");
    x = sgm_net_tap(net, sgm_net_norm(net, x, 1e-6f, "image_encoder.neck.3"), "neck3");
    return x;
}

sgm_node *sgm_sam_vit(sgm_net *net, const sgm_model_config *config, sgm_node *image)
{
    const sgm_vit_config *vit = &config->vit;
    sgm_conv_spec patches = {
        .out = vit->embed_dim, .kernel = vit->patch, .stride = vit->patch, .bias = true};
    sgm_node *x = sgm_net_conv(net, image, patches, "image_encoder.patch_embed.proj");
    sgm_net_tap(net, x, "patch_embed");
    x = sgm_add(net->graph, x, sgm_vit_pos_embed(net, vit, config->grid));
    sgm_net_tap(net, x, "pos_added");
    for (int i = 0; i < vit->depth; i++)
        x = vit_block(net, vit, i, x);
    return sgm_sam_neck(net, config->decoder.dim, x);
}
