/* SAMIHS (Wang et al. 2024): SAM's ViT-B with parameter-refactoring adapters whose projections all
 * blocks share.
 * Follows mileswyn/SAMIHS, models/segment_anything_samihs/modeling/image_encoder.py. */
#include "models/registry.h"
#include "models/vit_blocks.h"

enum { ADAPTER_DIM = 100 };

/* x + (x (D * rescale)) D^T + bias: D[C, 100] is shared by all blocks, rescale and bias are the
 * block's own. */
typedef struct pr_adapter {
    sgm_node *up;   /* D: as the weight of a linear layer it maps 100 -> C */
    sgm_node *down; /* (D * rescale)^T: C -> 100 */
    sgm_node *bias;
} pr_adapter;

/* In the scope of a block. */
static pr_adapter make_adapter(const sgm_net *net, sgm_node *projection, const char *kind)
{
    sgm_graph *g = net->graph;
    const int transpose[2] = {1, 0};
    sgm_node *rescale = sgm_net_param(net, SGM_SHAPE(1, ADAPTER_DIM), "%s.adapter_rescale", kind);
    pr_adapter a = {.up = projection};
    a.down = sgm_permute(g, sgm_mul(g, projection, rescale), transpose);
    /* the official name has two letters transposed */
    a.bias = sgm_net_param(net, SGM_SHAPE(projection ? projection->shape.dim[0] : 1),
                           "%s.adpater_bias", kind);
    return a;
}

static sgm_node *adapt(const sgm_net *net, const pr_adapter *a, sgm_node *x)
{
    sgm_node *y = sgm_linear(net->graph, x, a->down, NULL);
    return sgm_add(net->graph, sgm_linear(net->graph, y, a->up, a->bias), x);
}

/* Windows are padded before the norm, so a padding token is the norm's beta through the adapter. */
static sgm_node *attention(const sgm_net *net, const sgm_vit_config *vit, int i, sgm_node *x,
                           sgm_node *projection)
{
    sgm_graph *g = net->graph;
    sgm_shape channels = SGM_SHAPE(vit->embed_dim);
    pr_adapter adapter = make_adapter(net, projection, "attn_adapter");
    sgm_node *gamma = sgm_net_param(net, channels, "norm1.weight");
    sgm_node *beta = sgm_net_param(net, channels, "norm1.bias");
    sgm_node *pad = adapt(net, &adapter, sgm_reshape(g, beta, SGM_SHAPE(1, vit->embed_dim)));
    x = adapt(net, &adapter, sgm_layernorm(g, x, gamma, beta, SGM_VIT_EPS));
    sgm_net_tap(net, x, "block%d.attn_adapter", i);
    return sgm_net_tap(net, sgm_vit_attention(net, vit, i, x, pad), "block%d.attn", i);
}

static sgm_node *samihs_block(const sgm_net *encoder, const sgm_vit_config *vit, int i, sgm_node *x,
                              sgm_node *att_projection, sgm_node *mlp_projection)
{
    sgm_net net = sgm_net_scope(encoder, "blocks.%d", i);
    sgm_graph *g = net.graph;
    x = sgm_add(g, x, attention(&net, vit, i, x, att_projection));
    pr_adapter adapter = make_adapter(&net, mlp_projection, "mlp_adapter");
    sgm_node *y = sgm_net_norm(&net, x, SGM_VIT_EPS, "norm2");
    y = sgm_net_tap(&net, adapt(&net, &adapter, y), "block%d.mlp_adapter", i);
    return sgm_net_tap(&net, sgm_add(g, x, sgm_vit_mlp(&net, vit, y)), "block%d", i);
}

static sgm_features encode(const sgm_net *root, const sgm_model_config *config, sgm_node *image)
{
    const sgm_vit_config *vit = &config->vit;
    sgm_net net = sgm_net_scope(root, "image_encoder");
    sgm_shape projection = SGM_SHAPE(vit->embed_dim, ADAPTER_DIM);
    sgm_node *attention_down = sgm_net_param(&net, projection, "att_down_projection");
    sgm_node *mlp_down = sgm_net_param(&net, projection, "mlp_down_projection");
    sgm_node *x = sgm_vit_patches(&net, vit, image);
    x = sgm_add(net.graph, x, sgm_vit_pos_embed(&net, vit, config->grid));
    sgm_net_tap(&net, x, "pos_added");
    for (int i = 0; i < vit->depth; i++)
        x = samihs_block(&net, vit, i, x, attention_down, mlp_down);
    return (sgm_features){1, {sgm_sam_neck(&net, config->decoder.dim, x)}};
}

/* ------------------------------------------------------------------------------------- the row */

extern const sgm_family sgm_family_samihs;

static void fill(sgm_model_config *c)
{
    sgm_vit_fill_b(c);
    c->family = &sgm_family_samihs;
    c->protocol = &sgm_protocol_samihs;
}

/* The official code keeps SAM's 64 x 64 tokens at every size of the picture: patches are
 * image_size / 64 pixels wide. */
static void adopt(const sgm_checkpoint *file, sgm_model_config *config)
{
    int patch = sgm_tensor_dimension(file, "image_encoder.patch_embed.proj.weight", 2);
    sgm_vit_adopt(file, config, "rel_pos_h");
    if (patch) config->vit.patch = patch;
    config->image_size = config->vit.pos_side * config->vit.patch;
}

static const sgm_variant variants[] = {
    {"samihs", "SAMIHS: ViT-B at 1024 with adapters, intracranial haemorrhage in CT", fill},
    {NULL}};

const sgm_family sgm_family_samihs = {.name = "samihs",
                                      .variants = variants,
                                      .mark = "image_encoder.att_down_projection",
                                      .adopt = adopt,
                                      .unused = "pixel_mean,pixel_std",
                                      .fields = sgm_vit_fields,
                                      .check = sgm_vit_check,
                                      .encode = encode,
                                      .prompt = sgm_sam_prompt,
                                      .decode = sgm_sam_decode,
                                      .trained = "image_encoder.*down_projection*,"
                                                 "image_encoder.*adapter*,prompt_encoder.*,"
                                                 "mask_decoder.*",
                                      .zero = "*adapter_rescale,*adpater_bias"};
