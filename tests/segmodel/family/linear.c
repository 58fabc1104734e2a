/* A family that does nothing but a linear map: 16 logits of every patch of 16 x 16 pixels. Step 1
 * of "How to add a family" (segmodel/README.md), followed literally: this file is all there is of
 * it. */
#include "models/family.h"

extern const sgm_family sgm_family_linear;

enum { PATCH = 16, PLACES = 4 /* logits of a patch: 4 x 4 */ };

static sgm_features encode(const sgm_net *root, const sgm_model_config *config, sgm_node *image)
{
    sgm_net net = sgm_net_scope(root, "image_encoder");
    sgm_conv_spec patches = {
        .out = config->decoder.dim, .kernel = PATCH, .stride = PATCH, .bias = true};
    return (sgm_features){1, {sgm_net_conv(&net, image, patches, "linear")}};
}

/* It does not listen. */
static sgm_prompt_embedding prompt(const sgm_net *net, const sgm_model_config *config,
                                   const sgm_prompt_input *input, const sgm_features *features)
{
    (void)net, (void)config, (void)input, (void)features;
    return (sgm_prompt_embedding){0};
}

static sgm_decoder_output decode(const sgm_net *net, const sgm_model_config *config,
                                 const sgm_features *features, const sgm_prompt_embedding *prompted,
                                 int64_t batch)
{
    (void)prompted;
    static const int rows_first[5] = {0, 1, 3, 2, 4};
    sgm_graph *g = net->graph;
    int64_t grid = config->grid, side = PLACES * grid;
    sgm_node *x = sgm_reshape(g, features->node[0], SGM_SHAPE(-1, grid, grid, PLACES, PLACES));
    x = sgm_reshape(g, sgm_permute(g, x, rows_first), SGM_SHAPE(-1, 1, side, side));
    x = sgm_net_repeat(net, x, batch);
    sgm_node *size = sgm_reshape(g, sgm_sum(g, x, 1), SGM_SHAPE(batch, 1));
    return (sgm_decoder_output){.low_res = x, .iou = size};
}

static sgm_status check(sgm_model_config *config)
{
    SGM_TRY(
        sgm_config_within("decoder_dim", config->decoder.dim, PLACES * PLACES, PLACES * PLACES));
    SGM_TRY(sgm_config_within("mask_tokens", config->decoder.mask_tokens, 1, 1));
    config->grid = config->image_size / PATCH;
    return SGM_OK;
}

/* A protocol of its own: grey pictures, stretched, / 255, mask 0. */
static const sgm_protocol protocol = {.name = "linear",
                                      .grey = true,
                                      .stretch = true,
                                      .levels = SGM_LEVELS_UNIT,
                                      .answer = SGM_ANSWER_FIRST,
                                      .walk = {.points = true}};

static void fill(sgm_model_config *config)
{
    config->family = &sgm_family_linear;
    config->protocol = &protocol;
    config->image_size = 64;
    config->decoder = (sgm_decoder_config){.dim = PLACES * PLACES, .mask_tokens = 1};
}

static const sgm_variant variants[] = {{"linear", "a linear map", fill}, {NULL}};

const sgm_family sgm_family_linear = {.name = "linear",
                                      .variants = variants,
                                      .mark = "image_encoder.linear.weight",
                                      .check = check,
                                      .encode = encode,
                                      .prompt = prompt,
                                      .decode = decode};
