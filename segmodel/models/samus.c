/* SAMUS (Lin et al. 2023): SAM's ViT-B at 256 for ultrasound, with a CNN branch, attention from the
 * ViT to the branch, and adapters for positions and features. "b h w c" below is channels last.
 * Follows xianlin7/SAMUS, models/segment_anything_samus/modeling/image_encoder.py. */
#include "models/vit_blocks.h"

#include <stdio.h>

/* What the paper's ablation leaves out: bits of config->without, in this order. */
enum { CNN_BRANCH, CROSS_ATTENTION, FEATURE_ADAPTERS, POSITION_ADAPTER };
static const char *const parts[] = {"cnn_branch", "cross_attention", "feature_adapters",
                                    "position_adapter", NULL};

static bool has(const sgm_model_config *config, int part)
{
    return !(config->without >> part & 1);
}

/* conv 3x3, LayerNorm2d, GELU. `first` is the index of the convolution in its nn.Sequential. */
static sgm_node *conv_norm_gelu(const sgm_net *net, sgm_node *x, int64_t out, int first,
                                const char *prefix)
{
    sgm_conv_spec spec = {.out = out, .kernel = 3, .stride = 1, .pad = 1};
    x = sgm_net_conv(net, x, spec, "%s.%d", prefix, first);
    x = sgm_net_norm(net, x, SGM_VIT_EPS, "%s.%d", prefix, first + 1);
    return sgm_act_node(net->graph, x, SGM_ACT_GELU);
}

/* Image[B, 256, 256, 3] -> [B, 32, 32, C] at the ViT's resolution. */
static sgm_node *cnn_branch(const sgm_net *net, const sgm_vit_config *vit, sgm_node *x)
{
    static const int middle[2] = {128, 256};
    char p[96];
    x = conv_norm_gelu(net, x, 64, 0, "cnn_embed.inc.conv");
    sgm_net_tap(net, x, "cnn_embed.inc");
    for (int i = 0; i < 3; i++) {
        snprintf(p, sizeof p, "cnn_embed.downs.%d.maxpool_conv", i);
        x = conv_norm_gelu(net, sgm_maxpool(net->graph, x), i < 2 ? middle[i] : vit->embed_dim, 1,
                           p);
        sgm_net_tap(net, x, "cnn_embed.down%d", i);
    }
    return sgm_net_tap(net, x, "cnn_embed");
}

/* Patches of 16 at stride 8, so the image is enlarged by 8 pixels first (264 in the official
 * code). */
static sgm_node *patch_embed(const sgm_net *net, const sgm_model_config *config, sgm_node *image)
{
    int64_t side = config->image_size + 8;
    sgm_conv_spec spec = {.out = config->vit.embed_dim, .kernel = 16, .stride = 8, .bias = true};
    sgm_node *x = sgm_resize(net->graph, image, side, side, false);
    return sgm_net_tap(net, sgm_net_conv(net, x, spec, "patch_embed.proj"), "patch_embed");
}

/* SAM's positions at 64 x 64, brought to 32 x 32 by a learned down-sampling; without that adapter
 * as SAM's own are when the picture has another size. */
static sgm_node *positions(const sgm_net *net, const sgm_model_config *config)
{
    const sgm_vit_config *vit = &config->vit;
    if (!has(config, POSITION_ADAPTER)) return sgm_vit_pos_embed(net, vit, config->grid);
    sgm_node *pos = sgm_vit_pos_embed(net, vit, vit->pos_side);
    pos = conv_norm_gelu(net, sgm_maxpool(net->graph, pos), vit->embed_dim, 1,
                         "post_pos_embed.downs.0.maxpool_conv");
    return sgm_net_tap(net, pos, "post_pos_embed");
}

/* Cross-branch attention: the ViT's tokens ask the CNN branch. */
static sgm_node *space_adapter(const sgm_net *block, const sgm_vit_config *vit, sgm_node *x,
                               sgm_node *cnn)
{
    if (!x || !cnn) return NULL;
    sgm_net net = sgm_net_scope(block, "Space_Adapter");
    sgm_graph *g = net.graph;
    int64_t dim = vit->embed_dim;
    sgm_shape grid = x->shape, tokens = SGM_SHAPE(grid.dim[0], grid.dim[1] * grid.dim[2], dim);
    sgm_node *q = sgm_reshape(g, sgm_net_linear(&net, x, dim, "q"), tokens);
    sgm_node *k = sgm_reshape(g, sgm_net_linear(&net, cnn, dim, "k"), tokens);
    sgm_node *v = sgm_reshape(g, sgm_net_linear(&net, cnn, dim, "v"), tokens);
    sgm_node *y = sgm_reshape(g, sgm_attention(g, q, k, v, vit->heads), grid);
    return sgm_net_linear(&net, y, dim, "proj");
}

/* The tokens after they have asked the CNN branch, which then goes a convolution further. */
static sgm_node *exchange(const sgm_net *net, const sgm_model_config *config, int i, sgm_node *x,
                          sgm_node **cnn)
{
    if (has(config, CROSS_ATTENTION)) {
        sgm_node *asked = space_adapter(net, &config->vit, x, *cnn);
        x = sgm_add(net->graph, x, sgm_net_tap(net, asked, "block%d.Space_Adapter", i));
    }
    *cnn = conv_norm_gelu(net, *cnn, config->vit.embed_dim, 0, "refine_Adapter.conv");
    sgm_net_tap(net, *cnn, "block%d.refine_Adapter", i);
    sgm_net_tap(net, *cnn, "block%d.cnnx", i);
    return x;
}

/* A block of SAM; global ones also exchange with the CNN branch (NULL: there is none) and have a
 * parallel adapter. */
static sgm_node *samus_block(const sgm_net *encoder, const sgm_model_config *config, int i,
                             sgm_node *x, sgm_node **cnn)
{
    const sgm_vit_config *vit = &config->vit;
    sgm_net net = sgm_net_scope(encoder, "blocks.%d", i);
    sgm_graph *g = net.graph;
    bool global = sgm_vit_is_global(vit, i);
    sgm_node *shortcut = x;
    x = sgm_net_norm(&net, x, SGM_VIT_EPS, "norm1");
    if (global && *cnn) x = exchange(&net, config, i, x, cnn);
    x = sgm_net_tap(&net, sgm_vit_attention(&net, vit, i, x, NULL), "block%d.attn", i);
    x = sgm_add(g, shortcut, x);
    sgm_node *normed = sgm_net_norm(&net, x, SGM_VIT_EPS, "norm2");
    x = sgm_add(g, x, sgm_vit_mlp(&net, vit, normed));
    if (global && has(config, FEATURE_ADAPTERS)) {
        sgm_node *parallel = sgm_vit_adapter(&net, normed, "MLP_Adapter");
        sgm_net_tap(&net, parallel, "block%d.MLP_Adapter", i);
        x = sgm_add(g, x, sgm_affine(g, parallel, 0.5f, 0));
    }
    return sgm_net_tap(&net, x, "block%d", i);
}

static sgm_features encode(const sgm_net *root, const sgm_model_config *config, sgm_node *image)
{
    const sgm_vit_config *vit = &config->vit;
    sgm_net net = sgm_net_scope(root, "image_encoder");
    sgm_graph *g = net.graph;
    sgm_node *cnn = has(config, CNN_BRANCH) ? cnn_branch(&net, vit, image) : NULL;
    sgm_node *x = patch_embed(&net, config, image);
    if (has(config, FEATURE_ADAPTERS)) x = sgm_add(g, x, sgm_vit_adapter(&net, x, "input_Adapter"));
    sgm_net_tap(&net, x, "input_Adapter");
    x = sgm_net_tap(&net, sgm_add(g, x, positions(&net, config)), "pos_added");
    for (int i = 0; i < vit->depth; i++)
        x = samus_block(&net, config, i, x, &cnn);
    if (cnn) x = sgm_add(g, x, sgm_affine(g, cnn, 0.5f, 0));
    sgm_net_tap(&net, x, "before_neck_nchw");
    return (sgm_features){1, {sgm_sam_neck(&net, config->decoder.dim, x)}};
}

/* ------------------------------------------------------------------------------------- the row */

extern const sgm_family sgm_family_samus;

static void fill(sgm_model_config *c)
{
    sgm_vit_fill_b(c);
    c->family = &sgm_family_samus;
    c->protocol = &sgm_protocol_samus;
    c->image_size = 256;
    c->vit.patch = 8;
    c->vit.rel_global = 63;
}

static void adopt(const sgm_checkpoint *file, sgm_model_config *config)
{
    sgm_vit_adopt(file, config, "rel_pos_h");
}

static int fields(sgm_model_config *c, sgm_field *f)
{
    int n = sgm_vit_fields(c, f);
    f[n++] = (sgm_field){.key = "without", .words = parts, .bits = &c->without};
    return n;
}

static const sgm_variant variants[] = {
    {"samus", "SAMUS: ViT-B at 256 with a CNN branch, ultrasound", fill}, {NULL}};

const sgm_family sgm_family_samus = {
    .name = "samus",
    .variants = variants,
    .mark = "image_encoder.cnn_embed.inc.conv.0.weight",
    .adopt = adopt,
    .unused = "pixel_mean,pixel_std",
    .fields = fields,
    .check = sgm_vit_check,
    .encode = encode,
    .prompt = sgm_sam_prompt,
    .decode = sgm_sam_decode,
    .trained = "*cnn_embed*,*post_pos_embed*,*Adapter*,*2.attn.rel_pos*,*5.attn.rel_pos*,"
               "*8.attn.rel_pos*,*11.attn.rel_pos*,*upneck*"};
