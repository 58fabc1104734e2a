/* TinyViT (Wu et al. 2022) as an image encoder for SAM: MobileSAM (Zhang et al. 2023) at 1024,
 * LiteMedSAM at 256, and the models trained here. A convolutional stem and stage, then three stages
 * of windowed attention, then SAM's neck.
 * Follows ChaoningZhang/MobileSAM and bowang-lab/MedSAM (branch LiteMedSAM), tiny_vit_sam.py. */
#include "models/vit_blocks.h"

#include <stdio.h>

#define TINY_EPS 1e-5f

/* <prefix>.c is a convolution without bias, <prefix>.bn a batch norm with fixed statistics, which
 * is folded into weight and bias (by constant folding, so at no cost). Models trained here have a
 * bias and no norm, or a LayerNorm2d named <prefix>.ln. */
static sgm_node *conv_norm(sgm_net *net, const sgm_tiny_vit_config *tiny, sgm_node *x,
                           sgm_conv_spec spec, const char *prefix)
{
    if (!x) return NULL;
    sgm_graph *g = net->graph;
    if (tiny->norm != SGM_NORM_BATCH) {
        /* With a bias: without one, brightness is a mere factor of all channels, and a norm would
         * take it away (a grey region would look like a white one). */
        spec.bias = true;
        x = sgm_net_conv(net, x, spec, "%s.c", prefix);
        return tiny->norm == SGM_NORM_LAYER ? sgm_net_norm(net, x, 1e-6f, "%s.ln", prefix) : x;
    }
    int64_t in = spec.depthwise ? 1 : sgm_net_channels(x);
    sgm_shape channels = SGM_SHAPE(spec.out);
    sgm_node *weight =
        sgm_param(g, SGM_SHAPE(spec.out, in, spec.kernel, spec.kernel), "%s.c.weight", prefix);
    sgm_node *gamma = sgm_param(g, channels, "%s.bn.weight", prefix);
    sgm_node *beta = sgm_param(g, channels, "%s.bn.bias", prefix);
    sgm_node *mean = sgm_param(g, channels, "%s.bn.running_mean", prefix);
    sgm_node *variance = sgm_param(g, channels, "%s.bn.running_var", prefix);
    sgm_node *scale = sgm_act_node(g, sgm_affine(g, variance, 1, TINY_EPS), SGM_ACT_RSQRT);
    scale = sgm_mul(g, gamma, scale);
    sgm_node *bias = sgm_add(g, beta, sgm_affine(g, sgm_mul(g, mean, scale), -1, 0));
    weight = sgm_mul(g, weight, sgm_reshape(g, scale, SGM_SHAPE(spec.out, 1, 1, 1)));
    return sgm_conv2d(g, x, weight, bias, spec.stride, spec.pad,
                      spec.depthwise ? (int)spec.out : 1);
}

static sgm_node *gelu(sgm_net *net, sgm_node *x)
{
    return sgm_act_node(net->graph, x, SGM_ACT_GELU);
}

/* `half` receives the features between the two convolutions. */
static sgm_node *patch_embed(sgm_net *net, const sgm_tiny_vit_config *tiny, sgm_node *x,
                             sgm_node **half)
{
    sgm_conv_spec spec = {.out = tiny->dim[0] / 2,
                          .kernel = tiny->stem_kernel,
                          .stride = tiny->stem_stride[0],
                          .pad = tiny->stem_kernel / 2};
    x = gelu(net, conv_norm(net, tiny, x, spec, "image_encoder.patch_embed.seq.0"));
    *half = x;
    spec.out = tiny->dim[0];
    spec.stride = tiny->stem_stride[1];
    return conv_norm(net, tiny, x, spec, "image_encoder.patch_embed.seq.2");
}

/* Expand 1x1, depthwise 3x3, project 1x1, shortcut, GELU. */
static sgm_node *mb_conv(sgm_net *net, const sgm_tiny_vit_config *tiny, int block, sgm_node *x)
{
    char p[96];
    int64_t dim = tiny->dim[0], wide = dim * tiny->expand;
    sgm_node *shortcut = x;
    snprintf(p, sizeof p, "image_encoder.layers.0.blocks.%d.conv1", block);
    x = gelu(net, conv_norm(net, tiny, x, (sgm_conv_spec){wide, 1, 1, 0, false, false}, p));
    snprintf(p, sizeof p, "image_encoder.layers.0.blocks.%d.conv2", block);
    x = gelu(net, conv_norm(net, tiny, x, (sgm_conv_spec){wide, 3, 1, 1, true, false}, p));
    snprintf(p, sizeof p, "image_encoder.layers.0.blocks.%d.conv3", block);
    x = conv_norm(net, tiny, x, (sgm_conv_spec){dim, 1, 1, 0, false, false}, p);
    return gelu(net, sgm_add(net->graph, x, shortcut));
}

/* Between stages: to the next stage's channels and, with stride 2, half its resolution. */
static sgm_node *patch_merging(sgm_net *net, const sgm_tiny_vit_config *tiny, int stage,
                               sgm_node *x)
{
    char p[96];
    int64_t out = tiny->dim[stage + 1];
    int stride = tiny->merge_stride[stage];
    snprintf(p, sizeof p, "image_encoder.layers.%d.downsample.conv1", stage);
    x = gelu(net, conv_norm(net, tiny, x, (sgm_conv_spec){out, 1, 1, 0, false, false}, p));
    snprintf(p, sizeof p, "image_encoder.layers.%d.downsample.conv2", stage);
    x = gelu(net, conv_norm(net, tiny, x, (sgm_conv_spec){out, 3, stride, 1, true, false}, p));
    snprintf(p, sizeof p, "image_encoder.layers.%d.downsample.conv3", stage);
    return conv_norm(net, tiny, x, (sgm_conv_spec){out, 1, 1, 0, false, false}, p);
}

/* Norm, windowed attention with a learned bias per offset, projection. Windows are padded with
 * zeros before the norm, so a padding token is the norm's beta. */
static sgm_node *attention(sgm_net *net, const sgm_tiny_vit_config *tiny, int stage, int block,
                           sgm_node *x)
{
    if (!x) return NULL;
    sgm_graph *g = net->graph;
    char p[96];
    snprintf(p, sizeof p, "image_encoder.layers.%d.blocks.%d.attn", stage, block);
    int64_t dim = tiny->dim[stage], window = tiny->window[stage];
    sgm_node *gamma = sgm_param(g, SGM_SHAPE(dim), "%s.norm.weight", p);
    sgm_node *beta = sgm_param(g, SGM_SHAPE(dim), "%s.norm.bias", p);
    sgm_node *weight = sgm_param(g, SGM_SHAPE(3 * dim, dim), "%s.qkv.weight", p);
    sgm_node *bias = sgm_param(g, SGM_SHAPE(3 * dim), "%s.qkv.bias", p);
    sgm_node *offsets =
        sgm_param(g, SGM_SHAPE(tiny->heads[stage], window * window), "%s.attention_biases", p);
    sgm_node *pad = sgm_linear(g, sgm_reshape(g, beta, SGM_SHAPE(1, dim)), weight, bias);
    pad = sgm_reshape(g, pad, SGM_SHAPE(3 * dim));
    x = sgm_linear(g, sgm_layernorm(g, x, gamma, beta, TINY_EPS), weight, bias);
    x = sgm_attention_grid(g, x, pad, offsets, NULL, SGM_BIAS_TABLE, SGM_QKV_TINYVIT,
                           tiny->heads[stage], (int)window);
    x = sgm_net_linear(net, x, dim, "%s.proj", p);
    return sgm_net_tap(net, x, "layer%d.block%d.attn", stage, block);
}

static sgm_node *mlp(sgm_net *net, const sgm_tiny_vit_config *tiny, int stage, int block,
                     sgm_node *x)
{
    char p[96];
    snprintf(p, sizeof p, "image_encoder.layers.%d.blocks.%d.mlp", stage, block);
    int64_t dim = tiny->dim[stage];
    x = sgm_net_norm(net, x, TINY_EPS, "%s.norm", p);
    x = gelu(net, sgm_net_linear(net, x, dim * tiny->mlp_ratio, "%s.fc1", p));
    return sgm_net_linear(net, x, dim, "%s.fc2", p);
}

/* Attention, depthwise convolution (without shortcut in MobileSAM), MLP. */
static sgm_node *tiny_block(sgm_net *net, const sgm_tiny_vit_config *tiny, int stage, int block,
                            sgm_node *x)
{
    char p[96];
    int64_t dim = tiny->dim[stage];
    snprintf(p, sizeof p, "image_encoder.layers.%d.blocks.%d.local_conv", stage, block);
    x = sgm_add(net->graph, x, attention(net, tiny, stage, block, x));
    sgm_node *local = conv_norm(net, tiny, x, (sgm_conv_spec){dim, 3, 1, 1, true, false}, p);
    /* MobileSAM's BatchNorm re-centres every channel over many images; nothing else here can, and
     * without a shortcut a deep stack forgets the image before training can stop it. */
    x = tiny->norm == SGM_NORM_BATCH ? local : sgm_add(net->graph, x, local);
    return sgm_add(net->graph, x, mlp(net, tiny, stage, block, x));
}

static sgm_node *blocks(sgm_net *net, const sgm_tiny_vit_config *tiny, int i, sgm_node *x)
{
    for (int block = 0; block < tiny->depth[i]; block++) {
        x = i == 0 ? mb_conv(net, tiny, block, x) : tiny_block(net, tiny, i, block, x);
        sgm_net_tap(net, x, "layer%d.block%d", i, block);
    }
    return x;
}

/* Features of a side of `times` the grid, to as many channels as the decoder has at that side, as
 * rows below the embedding. SAM 2's conv_s0 and conv_s1, which it too applies once per image; 3x3
 * here, because the stem is shallower than Hiera's. */
static sgm_node *high_res_rows(sgm_net *net, const sgm_model_config *config, sgm_node *x, int times,
                               const char *name)
{
    int64_t dim = config->decoder.dim, channels = dim / (times == 2 ? 4 : 8), grid = config->grid;
    if (!x) return NULL;
    sgm_conv_spec spatial = {.out = channels, .kernel = 3, .stride = 1, .pad = 1, .bias = true};
    int64_t batch = x->shape.dim[0], rows = times * times * grid * channels / dim;
    x = sgm_net_conv(net, x, spatial, "mask_decoder.%s", name);
    return sgm_reshape(net->graph, x, SGM_SHAPE(batch, rows, grid, dim));
}

sgm_node *sgm_tiny_vit(sgm_net *net, const sgm_model_config *config, sgm_node *image)
{
    const sgm_tiny_vit_config *tiny = &config->tiny;
    sgm_node *half, *quarter = NULL;
    sgm_node *x = sgm_net_tap(net, patch_embed(net, tiny, image, &half), "patch_embed");
    for (int i = 0; i < 4; i++) {
        x = blocks(net, tiny, i, x);
        if (i == 0) quarter = x;
        if (i < 3) x = patch_merging(net, tiny, i, x);
        sgm_net_tap(net, x, "layer%d", i);
    }
    x = sgm_sam_neck(net, config->decoder.dim, x);
    if (!config->decoder.high_res) return x;
    sgm_node *rows[3] = {x, high_res_rows(net, config, quarter, 2, "conv_s1"),
                         high_res_rows(net, config, half, 4, "conv_s0")};
    return sgm_concat(net->graph, 1, 3, rows);
}
