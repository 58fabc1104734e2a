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

/* The same with qkv's weight[3C, C] and bias as the family has them, and with the name of its
 * relative positions: "rel_pos" in SAM, tensors attn.rel_pos_h and attn.rel_pos_w. */
typedef struct sgm_vit_qkv {
    sgm_node *weight, *bias;
    const char *rel;
} sgm_vit_qkv;
sgm_node *sgm_vit_attention_of(const sgm_net *net, const sgm_vit_config *vit, int block,
                               sgm_node *x, sgm_node *pad, const sgm_vit_qkv *qkv);

/* In the scope of a block: a bottleneck of a quarter of the channels, D_fc1, GELU, D_fc2, without
 * shortcut. */
sgm_node *sgm_vit_adapter(const sgm_net *net, sgm_node *x, const char *name);

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
/* SAM ViT-B and ViT-H at 1024. */
void sgm_vit_fill_b(sgm_model_config *config);
void sgm_vit_fill_h(sgm_model_config *config);
/* Sizes that follow from the tensors, all but the picture's. rel: what relative positions are
 * called in a block's attention, "rel_pos_h" in SAM. */
void sgm_vit_adopt(const sgm_checkpoint *file, sgm_model_config *config, const char *rel);
int sgm_vit_fields(sgm_model_config *config, sgm_field *fields);
sgm_status sgm_vit_check(sgm_model_config *config);

#endif
