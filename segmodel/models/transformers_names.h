/* SAM as Hugging Face's transformers saves it (SamModel): the official tensors by other names. */
#ifndef SEGMODEL_MODELS_TRANSFORMERS_NAMES_H
#define SEGMODEL_MODELS_TRANSFORMERS_NAMES_H

#include "checkpoint/checkpoint.h"

/* A tensor by which such a file is told. */
#define SGM_TRANSFORMERS_MARK "vision_encoder.patch_embed.projection.weight"

/* Gives the tensors of such a file their official names; leaves any other file as it is.
 * SGM_BAD_MODEL if it has both, SGM_OUT_OF_MEMORY. */
sgm_status sgm_transformers_rename(sgm_checkpoint *file);

#endif
