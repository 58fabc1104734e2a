/* SAMIHS (Wang et al. 2024): SAM's ViT-B with parameter-refactoring adapters whose projections all
 * blocks share.
 * Follows mileswyn/SAMIHS, models/segment_anything_samihs/modeling/image_encoder.py. */
#include "models/vit_blocks.h"

#include <stdio.h>

enum { ADAPTER_DIM = 100 };

/* x + (x (D * rescale)) D^T + bias: D[C, 100] is shared by all blocks, rescale and bias are the
 * block's own. */
typedef struct pr_adapter {
    sgm_node *up;   /* D: as the weight of a linear layer it maps 100 -> C */
    sgm_node *down; /* (D * rescale)^T: C -> 100 */
    sgm_node *bias;
} pr_adapter;

static pr_adapter make_adapter(sgm_net *net, sgm_node *projection, int block, const char *kind)
{
    sgm_graph *g = net->graph;
    const int transpose[2] = {1, 0};
    sgm_node *rescale = sgm_param(g, SGM_SHAPE(1, ADAPTER_DIM),
                                  "image_encoder.blocks.%d.%s.adapter_rescale", block, kind);
    pr_adapter a = {.up = projection};
    a.down = sgm_permute(g, sgm_mul(g, projection, rescale), transpose);
    /* the official name has two letters transposed */
    a.bias = sgm_param(g, SGM_SHAPE(projection ? projection->shape.dim[0] : 1),
                       "image_encoder.blocks.%d.%s.adpater_bias", block, kind);
    return a;
}

static sgm_node *adapt(sgm_net *net, const pr_adapter *a, sgm_node *x)
{
    sgm_node *y = sgm_linear(net->graph, x, a->down, NULL);
    return sgm_add(net->graph, sgm_linear(net->graph, y, a->up, a->bias), x);
}

/* Windows are padded before the norm, so a padding token is the norm's beta through the adapter. */
static sgm_node *attention(sgm_net *net, const sgm_vit_config *vit, int i, sgm_node *x,
                           sgm_node *projection)
{
    sgm_graph *g = net->graph;
    sgm_shape channels = SGM_SHAPE(vit->embed_dim);
    pr_adapter adapter = make_adapter(net, projection, i, "attn_adapter");
    sgm_node *gamma = sgm_param(g, channels, "image_encoder.blocks.%d.norm1.weight", i);
    sgm_node *beta = sgm_param(g, channels, "image_encoder.blocks.%d.norm1.bias", i);
    sgm_node *pad = adapt(net, &adapter, sgm_reshape(g, beta, SGM_SHAPE(1, vit->embed_dim)));
    x = adapt(net, &adapter, sgm_layernorm(g, x, gamma, beta, SGM_VIT_EPS));
    sgm_net_tap(net, x, "block%d.attn_adapter", i);
    return sgm_net_tap(net, sgm_vit_attention(net, vit, i, x, pad), "block%d.attn", i);
}

static sgm_node *samihs_block(sgm_net *net, const sgm_vit_config *vit, int i, sgm_node *x,
                              sgm_node *att_projection, sgm_node *mlp_projection)
{
    sgm_graph *g = net->graph;
    x = sgm_add(g, x, attention(net, vit, i, x, att_projection));
    pr_adapter adapter = make_adapter(net, mlp_projection, i, "mlp_adapter");
    sgm_node *y = sgm_net_norm(net, x, SGM_VIT_EPS, "image_encoder.blocks.%d.norm2", i);
    y = sgm_net_tap(net, adapt(net, &adapter, y), "block%d.mlp_adapter", i);
    return sgm_net_tap(net, sgm_add(g, x, sgm_vit_mlp(net, vit, i, y)), "block%d", i);
}

sgm_node *sgm_samihs(sgm_net *net, const sgm_model_config *config, sgm_node *image)
{
    const sgm_vit_config *vit = &config->vit;
    sgm_graph *g = net->graph;
    sgm_shape projection = SGM_SHAPE(vit->embed_dim, ADAPTER_DIM);
    sgm_conv_spec patches = {
        .out = vit->embed_dim, .kernel = vit->patch, .stride = vit->patch, .bias = true};
    sgm_node *attention_down = sgm_param(g, projection, "image_encoder.att_down_projection");
    sgm_node *mlp_down = sgm_param(g, projection, "image_encoder.mlp_down_projection");
    sgm_node *x = sgm_net_conv(net, image, patches, "image_encoder.patch_embed.proj");
    sgm_net_tap(net, x, "patch_embed");
    x = sgm_net_tap(net, sgm_add(g, x, sgm_vit_pos_embed(net, vit, config->grid)), "pos_added");
    for (int i = 0; i < vit->depth; i++)
        x = samihs_block(net, vit, i, x, attention_down, mlp_down);
    return sgm_sam_neck(net, config->decoder.dim, x);
}
