/* Parts that SAM's ViT shares with the networks built on it (SAMUS, SAMIHS). */
#ifndef SEGMODEL_MODELS_VIT_BLOCKS_H
#define SEGMODEL_MODELS_VIT_BLOCKS_H

#include "models/models.h"

#define SGM_VIT_EPS 1e-6f

bool sgm_vit_is_global(const sgm_vit_config *vit, int block);

/* x[B, H, W, C]: self-attention of block `block` with decomposed relative positions, in windows
 * unless the block is global, with its output projection.
 * pad[1, C]: what padding tokens hold before qkv; NULL for zeros (SAM pads after the norm). */
sgm_node *sgm_vit_attention(sgm_net *net, const sgm_vit_config *vit, int block, sgm_node *x,
                            sgm_node *pad);

/* lin2(gelu(lin1(x))) */
sgm_node *sgm_vit_mlp(sgm_net *net, const sgm_vit_config *vit, int block, sgm_node *x);

/* pos_embed, resized to the grid when it was stored for another one: [1, grid, grid, C]. */
sgm_node *sgm_vit_pos_embed(sgm_net *net, const sgm_vit_config *vit, int grid);

/* conv 1x1, norm, conv 3x3, norm: [B, H, W, C] -> [B, H, W, dim]. TinyViT ends in it too. */
sgm_node *sgm_sam_neck(sgm_net *net, int dim, sgm_node *x);

#endif
