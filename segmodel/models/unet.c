/* U-Net (Ronneberger et al. 2015): the baseline that papers compare with. Five levels, two
 * convolutions with batch norm each, 2 x 2 pools on the way down, transposed convolutions and the
 * finer level's features on the way up. It is asked nothing: a map of classes, or one mask.
 *
 * What the rest of the library calls the embedding are its logits, 4 x 4 pixels as channels of one
 * place; the "decoder" only lays them out again.
 * Tensors are named as in milesial/Pytorch-UNet, unet/unet_parts.py (with transposed convolutions).
 */
#include "models/registry.h"
#include "models/vit_blocks.h"

#include <stdio.h>

extern const sgm_family sgm_family_unet;

/* config->own */
enum { WIDTH = 0 /* channels of the finest level */ };

enum { LEVELS = 5, USUAL_SIZE = 256 };

#define UNET_EPS 1e-5f

/* conv 3x3, batch norm, ReLU, twice. */
static sgm_node *double_conv(const sgm_net *net, sgm_node *x, int64_t out, const char *prefix)
{
    if (!x) return NULL;
    for (int i = 0; i < 2; i++) {
        char conv[64], norm[64];
        sgm_conv_spec spec = {.out = out, .kernel = 3, .stride = 1, .pad = 1};
        snprintf(conv, sizeof conv, "%s.double_conv.%d", prefix, 3 * i);
        snprintf(norm, sizeof norm, "%s.double_conv.%d", prefix, 3 * i + 1);
        x = sgm_act_node(net->graph, sgm_net_conv_norm(net, x, spec, UNET_EPS, conv, norm),
                         SGM_ACT_RELU);
    }
    return x;
}

/* Twice as large, half as many channels, beside the finer level. */
static sgm_node *up(const sgm_net *root, sgm_node *x, sgm_node *finer, int number)
{
    if (!x) return NULL;
    sgm_net net = sgm_net_scope(root, "up%d", number);
    int64_t in = sgm_net_channels(x), out = in / 2;
    sgm_node *weight = sgm_net_param(&net, SGM_SHAPE(in, out, 2, 2), "up.weight");
    sgm_node *bias = sgm_net_param(&net, SGM_SHAPE(out), "up.bias");
    x = sgm_conv_transpose(net.graph, x, weight, bias);
    x = sgm_concat(net.graph, 3, 2, (sgm_node *[]){finer, x});
    return sgm_net_tap(&net, double_conv(&net, x, out, "conv"), "up%d", number);
}

/* [B, S, S, M] <-> [B, S / 4, S / 4, 16 M] */
static sgm_node *fold(sgm_graph *g, sgm_node *x, int64_t grid, int64_t masks, bool back)
{
    static const int swap[4] = {0, 2, 1, 3};
    x = sgm_reshape(g, x,
                    back ? SGM_SHAPE(-1, grid, 4, 4 * masks) : SGM_SHAPE(-1, 4, grid, 4 * masks));
    x = sgm_permute(g, x, swap);
    return sgm_reshape(g, x,
                       back ? SGM_SHAPE(-1, 4 * grid, 4 * grid, masks)
                            : SGM_SHAPE(-1, grid, grid, 16 * masks));
}

static sgm_features encode(const sgm_net *net, const sgm_model_config *config, sgm_node *image)
{
    sgm_node *level[LEVELS];
    int64_t width = config->own[WIDTH], masks = config->decoder.mask_tokens;
    sgm_node *x = level[0] = sgm_net_tap(net, double_conv(net, image, width, "inc"), "inc");
    for (int i = 1; i < LEVELS; i++) {
        char prefix[48];
        snprintf(prefix, sizeof prefix, "down%d.maxpool_conv.1", i);
        x = double_conv(net, sgm_maxpool(net->graph, x), width << i, prefix);
        level[i] = sgm_net_tap(net, x, "down%d", i);
    }
    for (int i = 1; i < LEVELS; i++)
        x = up(net, x, level[LEVELS - 1 - i], i);
    sgm_conv_spec last = {.out = masks, .kernel = 1, .stride = 1, .bias = true};
    x = sgm_net_tap(net, sgm_net_conv(net, x, last, "outc.conv"), "outc");
    return (sgm_features){1, {fold(net->graph, x, config->grid, masks, false)}};
}

static int features(const sgm_model_config *config, sgm_feature *f)
{
    f[0] = (sgm_feature){"logits", config->grid, config->grid, 16 * config->decoder.mask_tokens};
    return 1;
}

static sgm_prompt_embedding prompt(const sgm_net *net, const sgm_model_config *config,
                                   const sgm_prompt_input *input, const sgm_features *encoded)
{
    (void)net, (void)config, (void)input, (void)encoded;
    return (sgm_prompt_embedding){0};
}

/* It does not rate its masks: 0. */
static sgm_decoder_output decode(const sgm_net *net, const sgm_model_config *config,
                                 const sgm_features *encoded, const sgm_prompt_embedding *asked,
                                 int64_t batch)
{
    static const int masks_first[4] = {0, 3, 1, 2};
    (void)asked;
    sgm_graph *g = net->graph;
    int64_t masks = config->decoder.mask_tokens;
    sgm_node *x = encoded->node[0];
    if (x && x->shape.dim[0] < batch) x = sgm_net_repeat(net, x, batch);
    x = fold(g, x, config->grid, masks, true);
    sgm_node *corner = sgm_slice(g, sgm_slice(g, x, 1, 0, 1), 2, 0, 1);
    corner = sgm_affine(g, sgm_reshape(g, corner, SGM_SHAPE(-1, masks)), 0, 0);
    return (sgm_decoder_output){.low_res = sgm_permute(g, x, masks_first), .iou = corner};
}

/* ------------------------------------------------------------------------------------- the rows */

static const sgm_protocol of_classes = {.name = "unet",
                                        .stretch = true,
                                        .resampling = SGM_RESAMPLING_PILLOW,
                                        .levels = SGM_LEVELS_UNIT,
                                        .answer = SGM_ANSWER_CLASS};
static const sgm_protocol of_one = {.name = "unet_mask",
                                    .stretch = true,
                                    .resampling = SGM_RESAMPLING_PILLOW,
                                    .levels = SGM_LEVELS_UNIT,
                                    .unprompted = true,
                                    .answer = SGM_ANSWER_FIRST};

/* One map is a mask, more are classes behind a background. */
static void set_masks(sgm_model_config *c, int masks)
{
    c->decoder.mask_tokens = masks;
    c->classes = masks - 1;
    c->protocol = masks > 1 ? &of_classes : &of_one;
}

static void fill_mask(sgm_model_config *c)
{
    c->family = &sgm_family_unet;
    c->decoder = sgm_sam_decoder_numbers;
    c->image_size = USUAL_SIZE;
    c->own[WIDTH] = 64;
    set_masks(c, 1);
}

static void fill_classes(sgm_model_config *c)
{
    fill_mask(c);
    set_masks(c, 2);
}

static void assume(const sgm_checkpoint *file, char assumption[256])
{
    (void)file;
    snprintf(assumption, 256,
             "a U-Net's file does not say how large its pictures are: %d x %d pixels are taken. "
             "Another size: segmodel convert --set image=512.",
             USUAL_SIZE, USUAL_SIZE);
}

static const sgm_variant variants[] = {
    {"unet", "U-Net at 256: a map of classes without a prompt", fill_classes},
    {"unet_mask", "U-Net at 256: one mask without a prompt", fill_mask},
    {NULL}};

static const char *detect(const sgm_checkpoint *file, char assumption[256])
{
    (void)assumption;
    return sgm_tensor_dimension(file, "outc.conv.weight", 0) == 1 ? "unet_mask" : "unet";
}

static void adopt(const sgm_checkpoint *file, sgm_model_config *config)
{
    int masks = sgm_tensor_dimension(file, "outc.conv.weight", 0);
    int width = sgm_tensor_dimension(file, "outc.conv.weight", 1);
    if (masks) set_masks(config, masks);
    if (width) config->own[WIDTH] = width;
}

static int fields(sgm_model_config *c, sgm_field *f)
{
    int n = 0;
    f[n++] = (sgm_field){.key = "width", .value = &c->own[WIDTH], .count = 1};
    f[n++] = (sgm_field){.key = "classes", .value = &c->classes, .count = 1};
    return n;
}

static sgm_status check(sgm_model_config *config)
{
    int masks = config->decoder.mask_tokens;
    SGM_TRY(sgm_config_within("mask_tokens", masks, 1, 4096));
    SGM_TRY(sgm_config_within("classes", config->classes, masks - 1, masks - 1));
    SGM_TRY(sgm_config_within("width", config->own[WIDTH], 1, 1024));
    if (config->image_size % 16) return sgm_config_refuse("image", config->image_size);
    if (config->protocol->unprompted != (masks == 1))
        return sgm_config_refuse("mask_tokens", masks);
    config->grid = config->image_size / 4;
    return SGM_OK;
}

const sgm_family sgm_family_unet = {.name = "unet",
                                    .variants = variants,
                                    .mark = "inc.double_conv.0.weight",
                                    .detect = detect,
                                    .assume = assume,
                                    .unsaid = "image",
                                    .adopt = adopt,
                                    .unused = "*num_batches_tracked,mask_values",
                                    .fields = fields,
                                    .check = check,
                                    .features = features,
                                    .encode = encode,
                                    .prompt = prompt,
                                    .decode = decode};
