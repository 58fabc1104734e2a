/* Follows huggingface/transformers, models/sam/convert_sam_to_hf.py, the other way round. */
#include "models/transformers_names.h"

#include "checkpoint/rename.h"
#include "core/status.h"

#define PLACES "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
/* What transformers sets to the image's when it loads a file. */
#define PLACES_AGAIN "prompt_encoder.shared_embedding.positional_embedding"

#define BLOCK "vision_encoder.layers.#."
#define NECK "vision_encoder.neck."
#define MASK "prompt_encoder.mask_embed."
#define DOWN "prompt_encoder.mask_downscaling."
#define UP "mask_decoder.output_upscaling."
#define HYPER "mask_decoder.output_hypernetworks_mlps.#."
#define RATING "mask_decoder.iou_prediction_head."
#define LAYER "mask_decoder.transformer.layers.#."

/* Of one beginning the longer ones come first. */
/* clang-format off */
static const char official_names[] =
    "vision_encoder.patch_embed.projection.=image_encoder.patch_embed.proj.,"
    BLOCK "layer_norm1.=image_encoder.blocks.#.norm1.,"
    BLOCK "layer_norm2.=image_encoder.blocks.#.norm2.,"
    BLOCK "=image_encoder.blocks.#.,"
    NECK "conv1.=image_encoder.neck.0.,"
    NECK "layer_norm1.=image_encoder.neck.1.,"
    NECK "conv2.=image_encoder.neck.2.,"
    NECK "layer_norm2.=image_encoder.neck.3.,"
    "vision_encoder.=image_encoder.,"

    "shared_image_embedding.positional_embedding=" PLACES ","
    "prompt_encoder.point_embed.=prompt_encoder.point_embeddings.,"
    MASK "conv1.=" DOWN "0.,"
    MASK "layer_norm1.=" DOWN "1.,"
    MASK "conv2.=" DOWN "3.,"
    MASK "layer_norm2.=" DOWN "4.,"
    MASK "conv3.=" DOWN "6.,"

    "mask_decoder.upscale_conv1.=" UP "0.,"
    "mask_decoder.upscale_layer_norm.=" UP "1.,"
    "mask_decoder.upscale_conv2.=" UP "3.,"
    HYPER "proj_in.=" HYPER "layers.0.,"
    HYPER "layers.0.=" HYPER "layers.1.,"
    HYPER "proj_out.=" HYPER "layers.2.,"
    RATING "proj_in.=" RATING "layers.0.,"
    RATING "layers.0.=" RATING "layers.1.,"
    RATING "proj_out.=" RATING "layers.2.,"
    LAYER "layer_norm1.=" LAYER "norm1.,"
    LAYER "layer_norm2.=" LAYER "norm2.,"
    LAYER "layer_norm3.=" LAYER "norm3.,"
    LAYER "layer_norm4.=" LAYER "norm4.,"
    "mask_decoder.transformer.layer_norm_final_attn.=mask_decoder.transformer.norm_final_attn.";
/* clang-format on */

sgm_status sgm_transformers_rename(sgm_checkpoint *file)
{
    if (!sgm_checkpoint_find(file, SGM_TRANSFORMERS_MARK)) return SGM_OK;
    SGM_TRY(sgm_checkpoint_rename(file, official_names));
    if (!sgm_checkpoint_find(file, PLACES))
        return sgm_checkpoint_rename(file, PLACES_AGAIN "=" PLACES);
    sgm_checkpoint_leave_out(file, PLACES_AGAIN);
    return SGM_OK;
}
