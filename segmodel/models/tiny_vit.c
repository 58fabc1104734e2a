/* TinyViT (Wu et al. 2022) as an image encoder for SAM: MobileSAM (Zhang et al. 2023) at 1024,
 * LiteMedSAM at 256, and the models trained here. A convolutional stem and stage, then three stages
 * of windowed attention, then SAM's neck.
 * Follows ChaoningZhang/MobileSAM and bowang-lab/MedSAM (branch LiteMedSAM), tiny_vit_sam.py. */
#include "models/registry.h"
#include "models/vit_blocks.h"

#include <stdio.h>

#define TINY_EPS 1e-5f

extern const sgm_family sgm_family_tiny_vit;

/* <prefix>.c is a convolution without bias, <prefix>.bn a batch norm with fixed statistics, which
 * is folded into weight and bias (by constant folding, so at no cost). Models trained here have a
 * bias and no norm, or a LayerNorm2d named <prefix>.ln. */
static sgm_node *conv_norm(const sgm_net *net, const sgm_tiny_vit_config *tiny, sgm_node *x,
                           sgm_conv_spec spec, const char *prefix)
{
    if (tiny->norm == SGM_NORM_BATCH) {
        char conv[96], norm[96];
        snprintf(conv, sizeof conv, "%s.c", prefix);
        snprintf(norm, sizeof norm, "%s.bn", prefix);
        return sgm_net_conv_norm(net, x, spec, TINY_EPS, conv, norm);
    }
    /* With a bias: without one, brightness is a mere factor of all channels, and a norm would take
     * it away (a grey region would look like a white one). */
    spec.bias = true;
    x = sgm_net_conv(net, x, spec, "%s.c", prefix);
    return tiny->norm == SGM_NORM_LAYER ? sgm_net_norm(net, x, 1e-6f, "%s.ln", prefix) : x;
}

static sgm_node *gelu(const sgm_net *net, sgm_node *x)
{
    return sgm_act_node(net->graph, x, SGM_ACT_GELU);
}

/* `half` receives the features between the two convolutions. */
static sgm_node *patch_embed(const sgm_net *net, const sgm_tiny_vit_config *tiny, sgm_node *x,
                             sgm_node **half)
{
    sgm_conv_spec spec = {.out = tiny->dim[0] / 2,
                          .kernel = tiny->stem_kernel,
                          .stride = tiny->stem_stride[0],
                          .pad = tiny->stem_kernel / 2};
    x = gelu(net, conv_norm(net, tiny, x, spec, "patch_embed.seq.0"));
    *half = x;
    spec.out = tiny->dim[0];
    spec.stride = tiny->stem_stride[1];
    return conv_norm(net, tiny, x, spec, "patch_embed.seq.2");
}

/* Expand 1x1, depthwise 3x3, project 1x1, shortcut, GELU. */
static sgm_node *mb_conv(const sgm_net *net, const sgm_tiny_vit_config *tiny, int block,
                         sgm_node *x)
{
    char p[96];
    int64_t dim = tiny->dim[0], wide = dim * tiny->expand;
    sgm_node *shortcut = x;
    snprintf(p, sizeof p, "layers.0.blocks.%d.conv1", block);
    x = gelu(net, conv_norm(net, tiny, x, (sgm_conv_spec){wide, 1, 1, 0, false, false}, p));
    snprintf(p, sizeof p, "layers.0.blocks.%d.conv2", block);
    x = gelu(net, conv_norm(net, tiny, x, (sgm_conv_spec){wide, 3, 1, 1, true, false}, p));
    snprintf(p, sizeof p, "layers.0.blocks.%d.conv3", block);
    x = conv_norm(net, tiny, x, (sgm_conv_spec){dim, 1, 1, 0, false, false}, p);
    return gelu(net, sgm_add(net->graph, x, shortcut));
}

/* Between stages: to the next stage's channels and, with stride 2, half its resolution. */
static sgm_node *patch_merging(const sgm_net *net, const sgm_tiny_vit_config *tiny, int stage,
                               sgm_node *x)
{
    char p[96];
    int64_t out = tiny->dim[stage + 1];
    int stride = tiny->merge_stride[stage];
    snprintf(p, sizeof p, "layers.%d.downsample.conv1", stage);
    x = gelu(net, conv_norm(net, tiny, x, (sgm_conv_spec){out, 1, 1, 0, false, false}, p));
    snprintf(p, sizeof p, "layers.%d.downsample.conv2", stage);
    x = gelu(net, conv_norm(net, tiny, x, (sgm_conv_spec){out, 3, stride, 1, true, false}, p));
    snprintf(p, sizeof p, "layers.%d.downsample.conv3", stage);
    return conv_norm(net, tiny, x, (sgm_conv_spec){out, 1, 1, 0, false, false}, p);
}

/* Norm, windowed attention with a learned bias per offset, projection. Windows are padded with
 * zeros before the norm, so a padding token is the norm's beta. */
static sgm_node *attention(const sgm_net *net, const sgm_tiny_vit_config *tiny, int stage,
                           int block, sgm_node *x)
{
    if (!x) return NULL;
    sgm_graph *g = net->graph;
    char p[96];
    snprintf(p, sizeof p, "layers.%d.blocks.%d.attn", stage, block);
    int64_t dim = tiny->dim[stage], window = tiny->window[stage];
    sgm_node *gamma = sgm_net_param(net, SGM_SHAPE(dim), "%s.norm.weight", p);
    sgm_node *beta = sgm_net_param(net, SGM_SHAPE(dim), "%s.norm.bias", p);
    sgm_node *weight = sgm_net_param(net, SGM_SHAPE(3 * dim, dim), "%s.qkv.weight", p);
    sgm_node *bias = sgm_net_param(net, SGM_SHAPE(3 * dim), "%s.qkv.bias", p);
    sgm_node *offsets = sgm_net_param(net, SGM_SHAPE(tiny->heads[stage], window * window),
                                      "%s.attention_biases", p);
    sgm_node *pad = sgm_linear(g, sgm_reshape(g, beta, SGM_SHAPE(1, dim)), weight, bias);
    pad = sgm_reshape(g, pad, SGM_SHAPE(3 * dim));
    x = sgm_linear(g, sgm_layernorm(g, x, gamma, beta, TINY_EPS), weight, bias);
    x = sgm_attention_grid(g, x, pad, offsets, NULL, SGM_BIAS_TABLE, SGM_QKV_TINYVIT,
                           tiny->heads[stage], (int)window);
    x = sgm_net_linear(net, x, dim, "%s.proj", p);
    return sgm_net_tap(net, x, "layer%d.block%d.attn", stage, block);
}

static sgm_node *mlp(const sgm_net *net, const sgm_tiny_vit_config *tiny, int stage, int block,
                     sgm_node *x)
{
    char p[96];
    snprintf(p, sizeof p, "layers.%d.blocks.%d.mlp", stage, block);
    int64_t dim = tiny->dim[stage];
    x = sgm_net_norm(net, x, TINY_EPS, "%s.norm", p);
    x = gelu(net, sgm_net_linear(net, x, dim * tiny->mlp_ratio, "%s.fc1", p));
    return sgm_net_linear(net, x, dim, "%s.fc2", p);
}

/* Attention, depthwise convolution (without shortcut in MobileSAM), MLP. */
static sgm_node *tiny_block(const sgm_net *net, const sgm_tiny_vit_config *tiny, int stage,
                            int block, sgm_node *x)
{
    char p[96];
    int64_t dim = tiny->dim[stage];
    snprintf(p, sizeof p, "layers.%d.blocks.%d.local_conv", stage, block);
    x = sgm_add(net->graph, x, attention(net, tiny, stage, block, x));
    sgm_node *local = conv_norm(net, tiny, x, (sgm_conv_spec){dim, 3, 1, 1, true, false}, p);
    /* MobileSAM's BatchNorm re-centres every channel over many images; nothing else here can, and
     * without a shortcut a deep stack forgets the image before training can stop it. */
    x = tiny->norm == SGM_NORM_BATCH ? local : sgm_add(net->graph, x, local);
    return sgm_add(net->graph, x, mlp(net, tiny, stage, block, x));
}

static sgm_node *blocks(const sgm_net *net, const sgm_tiny_vit_config *tiny, int i, sgm_node *x)
{
    for (int block = 0; block < tiny->depth[i]; block++) {
        x = i == 0 ? mb_conv(net, tiny, block, x) : tiny_block(net, tiny, i, block, x);
        sgm_net_tap(net, x, "layer%d.block%d", i, block);
    }
    return x;
}

/* Features of a side of `times` the grid, to as many channels as the decoder has at that side. SAM
 * 2's conv_s0 and conv_s1, which it too applies once per image; 3x3 here, because the stem is
 * shallower than Hiera's. */
static sgm_node *fine_features(const sgm_net *root, const sgm_model_config *config, sgm_node *x,
                               int times, const char *name)
{
    sgm_net net = sgm_net_scope(root, "mask_decoder");
    sgm_conv_spec spatial = {.out = config->decoder.dim / (times == 2 ? 4 : 8),
                             .kernel = 3,
                             .stride = 1,
                             .pad = 1,
                             .bias = true};
    return sgm_net_conv(&net, x, spatial, "%s", name);
}

static sgm_features encode(const sgm_net *root, const sgm_model_config *config, sgm_node *image)
{
    const sgm_tiny_vit_config *tiny = &config->tiny;
    sgm_net net = sgm_net_scope(root, "image_encoder");
    sgm_node *half, *quarter = NULL;
    sgm_node *x = sgm_net_tap(&net, patch_embed(&net, tiny, image, &half), "patch_embed");
    for (int i = 0; i < 4; i++) {
        x = blocks(&net, tiny, i, x);
        if (i == 0) quarter = x;
        if (i < 3) x = patch_merging(&net, tiny, i, x);
        sgm_net_tap(&net, x, "layer%d", i);
    }
    x = sgm_sam_neck(&net, config->decoder.dim, x);
    if (!config->decoder.high_res) return (sgm_features){1, {x}};
    return (sgm_features){3,
                          {x, fine_features(root, config, quarter, 2, "conv_s1"),
                           fine_features(root, config, half, 4, "conv_s0")}};
}

/* ------------------------------------------------------------------------------------- the row */

/* The two finer maps are those of the decoder's upsampling: models.h, sgm_sam_decode. */
static int features(const sgm_model_config *config, sgm_feature *f)
{
    int64_t grid = config->grid, dim = config->decoder.dim;
    f[0] = (sgm_feature){"embedding", grid, grid, dim};
    if (!config->decoder.high_res) return 1;
    f[1] = (sgm_feature){"high_res_2", 2 * grid, 2 * grid, dim / 4};
    f[2] = (sgm_feature){"high_res_4", 4 * grid, 4 * grid, dim / 8};
    return 3;
}

static void fill_mobile_sam(sgm_model_config *c)
{
    c->family = &sgm_family_tiny_vit;
    c->protocol = &sgm_protocol_sam;
    c->image_size = 1024;
    c->tiny = (sgm_tiny_vit_config){.stem_kernel = 3,
                                    .stem_stride = {2, 2},
                                    .dim = {64, 128, 160, 320},
                                    .depth = {2, 2, 6, 2},
                                    .heads = {2, 4, 5, 10},
                                    .window = {7, 7, 14, 7},
                                    .merge_stride = {2, 2, 1},
                                    .expand = 4,
                                    .mlp_ratio = 4};
    c->decoder = sgm_sam_decoder_numbers;
}

static void fill_tiny_vit_256(sgm_model_config *c)
{
    fill_mobile_sam(c);
    c->image_size = 256;
}

/* Its stem is pointwise, so the first stage works on every pixel. */
static void fill_lite_medsam(sgm_model_config *c)
{
    fill_mobile_sam(c);
    c->protocol = &sgm_protocol_lite_medsam;
    c->image_size = 256;
    c->tiny.stem_kernel = 1;
    c->tiny.stem_stride[0] = c->tiny.stem_stride[1] = 1;
}

static const sgm_variant variants[] = {
    {"mobile_sam", "MobileSAM: TinyViT at 1024", fill_mobile_sam},
    {"tiny_vit_256", "MobileSAM's network at 256", fill_tiny_vit_256},
    {"lite_medsam", "LiteMedSAM: TinyViT at 256, box prompts, medical images", fill_lite_medsam},
    {NULL}};

#define MARK "image_encoder.patch_embed.seq.0.c.weight"

static const char *detect(const sgm_checkpoint *file, char assumption[256])
{
    if (sgm_tensor_dimension(file, MARK, 2) == 1) return "lite_medsam";
    if (sgm_file_name_contains(file, "256")) {
        snprintf(assumption, 256,
                 "The model is taken for TinyViT at 256 pixels because of its file's name; "
                 "MobileSAM at 1024 has the same tensors (--variant mobile_sam).");
        return "tiny_vit_256";
    }
    if (sgm_file_name_contains(file, "mobile_sam")) return "mobile_sam"; /* as it is published */
    snprintf(assumption, 256,
             "The model is taken for MobileSAM at 1024 pixels; the same network at 256 has the "
             "same tensors (--variant tiny_vit_256).");
    return "mobile_sam";
}

static void adopt(const sgm_checkpoint *file, sgm_model_config *config)
{
    sgm_sam_decoder_adopt(file, &config->decoder);
}

static int fields(sgm_model_config *c, sgm_field *f)
{
    static const char *const norms[] = {"batch", "layer", "none", NULL};
    int n = 0;
    f[n++] = (sgm_field){.key = "norm", .value = (int *)&c->tiny.norm, .words = norms};
    f[n++] = (sgm_field){.key = "stem_kernel", .value = &c->tiny.stem_kernel, .count = 1};
    f[n++] = (sgm_field){.key = "stem_strides", .value = c->tiny.stem_stride, .count = 2};
    f[n++] = (sgm_field){.key = "dims", .value = c->tiny.dim, .count = 4};
    f[n++] = (sgm_field){.key = "depths", .value = c->tiny.depth, .count = 4};
    f[n++] = (sgm_field){.key = "heads", .value = c->tiny.heads, .count = 4};
    f[n++] = (sgm_field){.key = "windows", .value = c->tiny.window, .count = 4};
    f[n++] = (sgm_field){.key = "merge_strides", .value = c->tiny.merge_stride, .count = 3};
    f[n++] = (sgm_field){.key = "expand", .value = &c->tiny.expand, .count = 1};
    f[n++] = (sgm_field){.key = "mlp_ratio", .value = &c->tiny.mlp_ratio, .count = 1};
    return n;
}

/* The encoder must have features of the sides that the decoder upsamples to. */
static sgm_status check_high_res(const sgm_model_config *config)
{
    const sgm_tiny_vit_config *tiny = &config->tiny;
    SGM_TRY(sgm_config_within("high_res", config->decoder.high_res, 0, 1));
    if (!config->decoder.high_res) return SGM_OK;
    int side = config->image_size / tiny->stem_stride[0];
    bool fits = side == 4 * config->grid && side / tiny->stem_stride[1] == 2 * config->grid;
    return fits ? SGM_OK : sgm_config_refuse("high_res", 1);
}

/* Dimensions of the stages; `stride` receives that of all down-samplings together. */
static sgm_status check_stages(const sgm_tiny_vit_config *tiny, int *stride)
{
    *stride = 1;
    for (int i = 0; i < 2; i++) {
        SGM_TRY(sgm_config_within("stem_strides", tiny->stem_stride[i], 1, 4));
        *stride *= tiny->stem_stride[i];
    }
    for (int i = 0; i < 4; i++) {
        SGM_TRY(sgm_config_within("dims", tiny->dim[i], 2, 4096));
        SGM_TRY(sgm_config_within("depths", tiny->depth[i], 0, 64));
        SGM_TRY(sgm_config_within("heads", tiny->heads[i], 1, 256));
        SGM_TRY(sgm_config_within("windows", tiny->window[i], 1, 256));
        if (i && tiny->dim[i] % tiny->heads[i]) return sgm_config_refuse("heads", tiny->heads[i]);
        if (i == 3) break;
        SGM_TRY(sgm_config_within("merge_strides", tiny->merge_stride[i], 1, 2));
        *stride *= tiny->merge_stride[i];
    }
    return SGM_OK;
}

static sgm_status check(sgm_model_config *config)
{
    const sgm_tiny_vit_config *tiny = &config->tiny;
    int stride;
    SGM_TRY(sgm_sam_decoder_check(config));
    if (tiny->stem_kernel != 1 && tiny->stem_kernel != 3)
        return sgm_config_refuse("stem_kernel", tiny->stem_kernel);
    SGM_TRY(check_stages(tiny, &stride));
    SGM_TRY(sgm_config_within("expand", tiny->expand, 1, 16));
    SGM_TRY(sgm_config_within("mlp_ratio", tiny->mlp_ratio, 1, 16));
    if (config->image_size % stride) return sgm_config_refuse("image", config->image_size);
    config->grid = config->image_size / stride;
    return check_high_res(config);
}

/* The classifier and the counters of batch norms are in every official file. */
const sgm_family sgm_family_tiny_vit = {
    .name = "tiny_vit",
    .variants = variants,
    .mark = MARK,
    .detect = detect,
    .adopt = adopt,
    .unused = "image_encoder.norm_head.*,image_encoder.head.*,*num_batches_tracked,pixel_mean,"
              "pixel_std",
    .fields = fields,
    .check = check,
    .features = features,
    .encode = encode,
    .prompt = sgm_sam_prompt,
    .decode = sgm_sam_decode};
