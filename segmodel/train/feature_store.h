/* What the encoder makes of the pictures of a pack, computed once and kept in a file: for training
 * that leaves the encoder as it is. A safetensors file with a tensor [1, dim, grid, grid]
 * "SET/ITEM" per picture; "SET/ITEM/LABEL" [1, dim], where it is there, stands for the mean feature
 * of the object with that label. The metadata's "made_from" says of which encoder and pictures it
 * is, by hashes; "elsewhere" in a file that was not made here. */
#ifndef SEGMODEL_TRAIN_FEATURE_STORE_H
#define SEGMODEL_TRAIN_FEATURE_STORE_H

#include "plan/train_plan.h"
#include "train/train_config.h"
#include "train/train_weights.h"

typedef struct sgm_feature_store sgm_feature_store;

/* Opens the file of config->features, or makes it first of all pictures of the pack that hold
 * something, one after the other; the context's cancel stops it, and nothing is left then. `first`
 * is where the encoder's weights come from. SGM_BAD_MODEL: the file is of another encoder or of
 * other pictures, or does not say. */
sgm_status sgm_feature_store_open(const sgm_train_config *config, sgm_pack *pack,
                                  const sgm_first_values *first, sgm_params *params,
                                  sgm_context *context, sgm_feature_store **out);
void sgm_feature_store_close(sgm_feature_store *store);

/* features: [grid, grid, dim]. SGM_UNREADABLE names a picture that the file has not. */
sgm_status sgm_feature_store_read(const sgm_feature_store *store, int item, float *features);

/* embedding[dim]: what the file has of that label; else the mean of `features` over the cells where
 * the nearest pixel is of the object, or, where the object falls between them, at the cell nearest
 * to its seed. */
sgm_status sgm_feature_store_class(const sgm_feature_store *store, int item, int label,
                                   const float *features, float *embedding);

#endif
