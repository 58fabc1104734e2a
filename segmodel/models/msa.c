/* Medical-SAM-Adapter (Wu et al. 2023): SAM's ViT-B with a bottleneck adapter after every attention
 * and one beside every MLP. Two generations of its code: the first (2023) keeps SAM's names,
 * decoder and 1024 pixels; the second (2025) renames the relative positions, resizes the 64 x 64
 * positions bicubically to any grid, and has EfficientSAM's decoder.
 * Follows SuperMedIntel/Medical-SAM-Adapter, models/ImageEncoder/vit/adapter_block.py and
 * models/common/MaskDecoder/two_way_transformer.py. */
#include "models/registry.h"
#include "models/vit_blocks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

extern const sgm_family sgm_family_msa;

/* config->own */
enum { SECOND = 0 /* 1: the second generation */ };

/* Weights of Keys' cubic convolution (a = -0.75, as in PyTorch) that bring `from` samples to `to`:
 * [to, from], borders repeated. */
static sgm_node *cubic_matrix(const sgm_net *net, int64_t from, int64_t to)
{
    const double a = -0.75;
    float *weight = calloc((size_t)(from * to), sizeof *weight);
    if (!weight)
        return sgm_graph_fail(net->graph, sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph"));
    for (int64_t i = 0; i < to; i++) {
        double at = ((double)i + 0.5) * (double)from / (double)to - 0.5, base = floor(at);
        for (int k = -1; k <= 2; k++) {
            double d = fabs(at - base - k), value;
            if (d <= 1)
                value = ((a + 2) * d - (a + 3)) * d * d + 1;
            else
                value = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
            int64_t sample = (int64_t)fmin(fmax(base + k, 0), (double)(from - 1));
            weight[i * from + sample] += (float)value;
        }
    }
    sgm_node *matrix = sgm_data(net->graph, SGM_SHAPE(1, to, from), weight);
    free(weight);
    return matrix;
}

/* x[1, S, S, C] -> [1, grid, grid, C]: rows, then columns, as products with the matrix above. */
static sgm_node *resize_cubic(const sgm_net *net, sgm_node *x, int64_t grid)
{
    if (!x || x->shape.dim[1] == grid) return x;
    static const int last_first[3] = {1, 2, 0}, middle_last[3] = {0, 2, 1}, swap[3] = {1, 0, 2};
    sgm_graph *g = net->graph;
    int64_t side = x->shape.dim[1], channels = x->shape.dim[3];
    sgm_node *matrix = cubic_matrix(net, side, grid);
    x = sgm_permute(g, sgm_reshape(g, x, SGM_SHAPE(side, side, channels)), last_first);
    x = sgm_matmul(g, matrix, sgm_reshape(g, x, SGM_SHAPE(1, side * channels, side)));
    x = sgm_permute(g, sgm_reshape(g, x, SGM_SHAPE(grid, side, channels)), middle_last);
    x = sgm_matmul(g, matrix, sgm_reshape(g, x, SGM_SHAPE(1, grid * channels, side)));
    x = sgm_permute(g, sgm_reshape(g, x, SGM_SHAPE(grid, grid, channels)), swap);
    return sgm_reshape(g, x, SGM_SHAPE(1, grid, grid, channels));
}

/* Windows are padded before the norm, so a padding token is the norm's beta. */
static sgm_node *attention(const sgm_net *net, const sgm_model_config *config, int i, sgm_node *x)
{
    const sgm_vit_config *vit = &config->vit;
    sgm_graph *g = net->graph;
    int64_t dim = vit->embed_dim;
    sgm_node *gamma = sgm_net_param(net, SGM_SHAPE(dim), "norm1.weight");
    sgm_node *beta = sgm_net_param(net, SGM_SHAPE(dim), "norm1.bias");
    sgm_vit_qkv qkv = {.weight = sgm_net_param(net, SGM_SHAPE(3 * dim, dim), "attn.qkv.weight"),
                       .bias = sgm_net_param(net, SGM_SHAPE(3 * dim), "attn.qkv.bias"),
                       .rel = config->own[SECOND] ? "rel" : "rel_pos"};
    sgm_node *pad = sgm_reshape(g, beta, SGM_SHAPE(1, dim));
    x = sgm_layernorm(g, x, gamma, beta, SGM_VIT_EPS);
    x = sgm_net_tap(net, sgm_vit_attention_of(net, vit, i, x, pad, &qkv), "block%d.attn", i);
    x = sgm_add(g, x, sgm_vit_adapter(net, x, "Space_Adapter"));
    return sgm_net_tap(net, x, "block%d.Space_Adapter", i);
}

static sgm_node *block(const sgm_net *encoder, const sgm_model_config *config, int i, sgm_node *x)
{
    sgm_net net = sgm_net_scope(encoder, "blocks.%d", i);
    sgm_graph *g = net.graph;
    x = sgm_add(g, x, attention(&net, config, i, x));
    sgm_node *normed = sgm_net_norm(&net, x, SGM_VIT_EPS, "norm2");
    sgm_node *beside = sgm_vit_adapter(&net, normed, "MLP_Adapter");
    sgm_net_tap(&net, beside, "block%d.MLP_Adapter", i);
    x = sgm_add(g, x, sgm_vit_mlp(&net, &config->vit, normed));
    return sgm_net_tap(&net, sgm_add(g, x, sgm_affine(g, beside, 0.5f, 0)), "block%d", i);
}

static sgm_features encode(const sgm_net *root, const sgm_model_config *config, sgm_node *image)
{
    const sgm_vit_config *vit = &config->vit;
    sgm_net net = sgm_net_scope(root, "image_encoder");
    sgm_node *pos = sgm_vit_pos_embed(&net, vit, vit->pos_side);
    sgm_node *x = sgm_vit_patches(&net, vit, image);
    x = sgm_add(net.graph, x, resize_cubic(&net, pos, config->grid));
    sgm_net_tap(&net, x, "pos_added");
    for (int i = 0; i < vit->depth; i++)
        x = block(&net, config, i, x);
    return (sgm_features){1, {sgm_sam_neck(&net, config->decoder.dim, x)}};
}

static sgm_prompt_embedding prompt(const sgm_net *root, const sgm_model_config *config,
                                   const sgm_prompt_input *input, const sgm_features *features)
{
    sgm_prompt_input in = *input;
    sgm_graph *g = root->graph;
    if (config->protocol->rows_first && in.coordinates)
        in.coordinates = sgm_concat(g, 2, 2,
                                    (sgm_node *[]){sgm_slice(g, in.coordinates, 2, 1, 1),
                                                   sgm_slice(g, in.coordinates, 2, 0, 1)});
    return sgm_sam_prompt(root, config, &in, features);
}

static sgm_decoder_output decode(const sgm_net *root, const sgm_model_config *config,
                                 const sgm_features *features, const sgm_prompt_embedding *prompt,
                                 int64_t batch)
{
    if (config->own[SECOND]) return sgm_efficient_decode(root, config, features, prompt, batch);
    return sgm_sam_decode(root, config, features, prompt, batch);
}

/* ------------------------------------------------------------------------------------- the row */

/* The second generation applies SAM's mean and deviation for 0..255 to pictures in [0, 1]; the
 * first one never applies them in training and validation. Both were trained with one point, which
 * the official code drew as (row, column) until 13 April 2025 (commit 2e0d1c6). */
static const sgm_protocol second_rows = {.name = "msa_rows",
                                         .stretch = true,
                                         .resampling = SGM_RESAMPLING_PILLOW,
                                         .levels = SGM_LEVELS_UNIT_IMAGENET,
                                         .answer = SGM_ANSWER_FIRST,
                                         .walk = {.points = 1},
                                         .rows_first = true};
static const sgm_protocol second_protocol = {.name = "msa",
                                             .stretch = true,
                                             .resampling = SGM_RESAMPLING_PILLOW,
                                             .levels = SGM_LEVELS_UNIT_IMAGENET,
                                             .answer = SGM_ANSWER_FIRST,
                                             .walk = {.points = 1},
                                             .other = &second_rows};
static const sgm_protocol first_rows = {.name = "msa_2023_rows",
                                        .stretch = true,
                                        .resampling = SGM_RESAMPLING_PILLOW,
                                        .levels = SGM_LEVELS_UNIT,
                                        .answer = SGM_ANSWER_FIRST,
                                        .walk = {.points = 1},
                                        .rows_first = true};
static const sgm_protocol first_protocol = {.name = "msa_2023",
                                            .stretch = true,
                                            .resampling = SGM_RESAMPLING_PILLOW,
                                            .levels = SGM_LEVELS_UNIT,
                                            .answer = SGM_ANSWER_FIRST,
                                            .walk = {.points = 1},
                                            .other = &first_rows};

static void fill_first(sgm_model_config *c)
{
    sgm_vit_fill_b(c);
    c->family = &sgm_family_msa;
    c->protocol = &first_protocol;
}

static void fill_second(sgm_model_config *c)
{
    fill_first(c);
    c->protocol = &second_protocol;
    c->own[SECOND] = 1;
    c->image_size = 256;
    c->vit.rel_global = 31;
}

static const sgm_variant variants[] = {
    {"msa", "Medical-SAM-Adapter (2025): ViT-B with adapters", fill_second},
    {"msa_2023", "Medical-SAM-Adapter (2023): ViT-B at 1024 with adapters", fill_first},
    {NULL}};

static void assume(const sgm_checkpoint *file, char assumption[256])
{
    (void)file;
    snprintf(assumption, 256,
             "Medical-SAM-Adapter's code trained with points as (row, column) until 13 April 2025; "
             "(x, y) is taken. Older weights: segmodel convert --set protocol=msa_rows (of 2023: "
             "msa_2023_rows).");
}

static const char *detect(const sgm_checkpoint *file, char assumption[256])
{
    (void)assumption;
    return sgm_tensor_dimension(file, "image_encoder.blocks.0.attn.rel_h", 0) ? "msa" : "msa_2023";
}

/* The picture is as large as the file's tables say. The first generation adds its positions as they
 * are; the second one's are always SAM's 64 x 64, its relative positions have the grid's length. */
static void adopt(const sgm_checkpoint *file, sgm_model_config *config)
{
    const sgm_vit_config *vit = &config->vit;
    bool renamed = sgm_tensor_dimension(file, "image_encoder.blocks.0.attn.rel_h", 0);
    sgm_vit_adopt(file, config, renamed ? "rel_h" : "rel_pos_h");
    config->image_size = (renamed ? (vit->rel_global + 1) / 2 : vit->pos_side) * vit->patch;
}

static int fields(sgm_model_config *c, sgm_field *f)
{
    int n = sgm_vit_fields(c, f);
    f[n++] = (sgm_field){.key = "second", .value = &c->own[SECOND], .count = 1};
    return n;
}

static sgm_status check(sgm_model_config *config)
{
    SGM_TRY(sgm_config_within("second", config->own[SECOND], 0, 1));
    return sgm_vit_check(config);
}

/* Depth adapters are for volumes shown as stacks of slices; in the plane they rest. */
const sgm_family sgm_family_msa = {.name = "msa",
                                   .variants = variants,
                                   .mark = "image_encoder.blocks.0.Space_Adapter.D_fc1.weight",
                                   .detect = detect,
                                   .assume = assume,
                                   .adopt = adopt,
                                   .unused = "*.Depth_Adapter.*,pixel_mean,pixel_std",
                                   .fields = fields,
                                   .check = check,
                                   .encode = encode,
                                   .prompt = prompt,
                                   .decode = decode,
                                   .trained = "image_encoder.*Adapter*,mask_decoder.*",
                                   .zero = "*.attn.rel_h,*.attn.rel_w"};
