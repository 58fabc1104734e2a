/* SAM's prompt encoder: random Fourier features of places plus one learned vector per kind of
 * prompt; masks through a small convolutional stem.
 * Follows facebookresearch/segment-anything, modeling/prompt_encoder.py. */
#include "models/models.h"

#include <stdlib.h>

/* Rows in the order of sgm_token. */
static sgm_node *token_table(const sgm_net *net, int dim)
{
    sgm_node *rows[5];
    for (int i = 0; i < 4; i++)
        rows[i] = sgm_net_param(net, SGM_SHAPE(1, dim), "point_embeddings.%d.weight", i);
    rows[SGM_TOKEN_PADDING] = sgm_net_param(net, SGM_SHAPE(1, dim), "not_a_point_embed.weight");
    return sgm_concat(net->graph, 0, 5, rows);
}

/* A padding token has no place: its Fourier features are multiplied by 0. */
static sgm_node *sparse_tokens(const sgm_net *net, int dim, sgm_node *gaussian,
                               sgm_node *coordinates, sgm_node *labels)
{
    static const float has_place[5] = {1, 1, 1, 1, 0};
    sgm_graph *g = net->graph;
    sgm_node *place = sgm_fourier(g, coordinates, gaussian);
    place = sgm_mul(g, place, sgm_gather(g, sgm_data(g, SGM_SHAPE(5, 1), has_place), labels));
    sgm_node *kind = sgm_gather(g, token_table(net, dim), labels);
    return sgm_net_tap(net, sgm_add(g, place, kind), "sparse");
}

/* Fourier features of the cell centres of a grid over [-1, 1] x [-1, 1]. */
static sgm_node *grid_positions(const sgm_net *net, int grid, int dim, sgm_node *gaussian)
{
    float *centres = malloc((size_t)grid * (size_t)grid * 2 * sizeof *centres);
    if (!centres)
        return sgm_graph_fail(net->graph, sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph"));
    for (int i = 0; i < grid * grid; i++) {
        centres[2 * i] = 2 * ((float)(i % grid) + 0.5f) / (float)grid - 1;
        centres[2 * i + 1] = 2 * ((float)(i / grid) + 0.5f) / (float)grid - 1;
    }
    sgm_node *places = sgm_data(net->graph, SGM_SHAPE(grid * grid, 2), centres);
    free(centres);
    places = sgm_fourier(net->graph, places, gaussian);
    places = sgm_reshape(net->graph, places, SGM_SHAPE(1, grid, grid, dim));
    return sgm_net_tap(net, places, "dense_pe");
}

/* mask[B, 4 grid, 4 grid, 1] -> [B, grid, grid, dim] */
static sgm_node *embed_mask(const sgm_net *net, int dim, sgm_node *mask)
{
    const char *p = "mask_downscaling";
    sgm_conv_spec halve = {.out = 4, .kernel = 2, .stride = 2, .bias = true};
    sgm_node *x = sgm_net_conv(net, mask, halve, "%s.0", p);
    x = sgm_act_node(net->graph, sgm_net_norm(net, x, 1e-6f, "%s.1", p), SGM_ACT_GELU);
    halve.out = 16;
    x = sgm_net_conv(net, x, halve, "%s.3", p);
    x = sgm_act_node(net->graph, sgm_net_norm(net, x, 1e-6f, "%s.4", p), SGM_ACT_GELU);
    sgm_conv_spec pointwise = {.out = dim, .kernel = 1, .stride = 1, .bias = true};
    return sgm_net_conv(net, x, pointwise, "%s.6", p);
}

/* Without a mask: one learned vector everywhere, [1, 1, 1, dim]. */
static sgm_node *no_mask(const sgm_net *net, int dim)
{
    sgm_node *vector = sgm_net_param(net, SGM_SHAPE(1, dim), "no_mask_embed.weight");
    return sgm_reshape(net->graph, vector, SGM_SHAPE(1, 1, 1, dim));
}

sgm_prompt_embedding sgm_sam_prompt(const sgm_net *root, const sgm_model_config *config,
                                    const sgm_prompt_input *in, const sgm_features *features)
{
    (void)features;
    int dim = config->decoder.dim;
    sgm_net scope = sgm_net_scope(root, "prompt_encoder"), *net = &scope;
    sgm_node *gaussian =
        sgm_net_param(net, SGM_SHAPE(2, dim / 2), "pe_layer.positional_encoding_gaussian_matrix");
    sgm_prompt_embedding out = {.position = grid_positions(net, config->grid, dim, gaussian)};
    if (in->coordinates)
        out.sparse = sparse_tokens(net, dim, gaussian, in->coordinates, in->labels);
    out.dense = in->mask ? embed_mask(net, dim, in->mask) : no_mask(net, dim);
    sgm_net_tap(net, out.dense, "dense");
    return out;
}
