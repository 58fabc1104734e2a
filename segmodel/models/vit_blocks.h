/* Parts that SAM's ViT shares with the networks built on it (SAMUS, SAMIHS). The scope is
 * "image_encoder" unless said otherwise. */
#ifndef SEGMODEL_MODELS_VIT_BLOCKS_H
#define SEGMODEL_MODELS_VIT_BLOCKS_H

#include "models/family.h"

#define SGM_VIT_EPS 1e-6f

bool sgm_vit_is_global(const sgm_vit_config *vit, int block);

/* In the scope of block `block`. x[B, H, W, C]: self-attention with decomposed relative positions,
 * in windows unless the block is global, with its output projection.
 * pad[1, C]: what padding tokens hold before qkv; NULL for zeros (SAM pads after the norm). */
sgm_node *sgm_vit_attention(const sgm_net *net, const sgm_vit_config *vit, int block, sgm_node *x,
                            sgm_node *pad);

/* In the scope of a block: lin2(gelu(lin1(x))) */
sgm_node *sgm_vit_mlp(const sgm_net *net, const sgm_vit_config *vit, sgm_node *x);

/* Patches of vit->patch pixels without overlap: [B, S, S, 3] -> [B, grid, grid, C]. */
sgm_node *sgm_vit_patches(const sgm_net *net, const sgm_vit_config *vit, sgm_node *image);

/* pos_embed, resized to the grid when it was stored for another one: [1, grid, grid, C]. */
sgm_node *sgm_vit_pos_embed(const sgm_net *net, const sgm_vit_config *vit, int grid);

/* conv 1x1, norm, conv 3x3, norm: [B, H, W, C] -> [B, H, W, dim]. TinyViT ends in it too. */
sgm_node *sgm_sam_neck(const sgm_net *net, int dim, sgm_node *x);

/* ----------------------------------------------------------------------- for rows of such families
 */

extern const sgm_family sgm_family_vit;
/* SAM ViT-B at 1024. */
void sgm_vit_fill_b(sgm_model_config *config);
/* Sizes that follow from the tensors, all but the picture's. */
void sgm_vit_adopt(const sgm_checkpoint *file, sgm_model_config *config);
int sgm_vit_fields(sgm_model_config *config, sgm_field *fields);
sgm_status sgm_vit_check(sgm_model_config *config);

#endif
