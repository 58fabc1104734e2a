/* The table of known networks, and telling from a checkpoint which one it is. */
#ifndef SEGMODEL_MODELS_REGISTRY_H
#define SEGMODEL_MODELS_REGISTRY_H

#include "checkpoint/checkpoint.h"
#include "models/config.h"

/* Keys of a .safetensors `__metadata__` that this library writes and understands. */
#define SGM_METADATA_VARIANT "variant"
#define SGM_METADATA_ARCHITECTURE "architecture"
/* Names of the classes of a network that is prompted by class, "clasper,wrist,shaft". */
#define SGM_METADATA_CLASSES "classes"
/* The file whose weights a trained network began with, "sam_vit_b_01ec64.pth". */
#define SGM_METADATA_BASE "base"

/* Opens the checkpoint of a network: a whole one (base NULL), or one that holds only what was
 * trained, on the file it was made from. SGM_BAD_MODEL says that a base is missing, is too much, or
 * is of another size. */
sgm_status sgm_registry_open(const char *path, const char *base, sgm_checkpoint **out);

/* Names and one-line descriptions of the table, in order; NULL past the end. */
const char *sgm_variant_name(int index);
const char *sgm_variant_description(int index);

/* The numbers of a named network; false if there is none of that name. */
bool sgm_variant_config(const char *name, sgm_model_config *config);

/* Which network is this? In this order: `variant` (NULL or "auto": not given), metadata, names and
 * shapes of the tensors; where several fit, the plain SAM layout unless the file's name contains
 * another's. `assumption` receives a sentence about what was taken for granted, or "".
 * SGM_BAD_MODEL names the file and what is missing or unknown. */
sgm_status sgm_registry_detect(const sgm_checkpoint *checkpoint, const char *variant,
                               sgm_model_config *config, char assumption[256]);

/* What to say of a tensor that a file lacks: that the file is one of several ("-00001-of-00002" in
 * its name), or holds low-rank additions that are not joined with their network; else "". */
const char *sgm_registry_missing_hint(const sgm_checkpoint *checkpoint);

/* The numbers of a named network that is to be made out of this file (warm_start.h): sizes that any
 * network takes over (channels, depth) are the file's, lengths of tables are those of the variant.
 */
sgm_status sgm_registry_fresh(const sgm_checkpoint *checkpoint, const char *variant,
                              sgm_model_config *config);

/* ------------------------------------------------------------------------- for families' rows */

/* The size of a tensor's dimension, 0 if there is no such tensor or dimension. */
int sgm_tensor_dimension(const sgm_checkpoint *checkpoint, const char *name, int axis);
/* Does the file's own name, in lower case, contain `word`? */
bool sgm_file_name_contains(const sgm_checkpoint *checkpoint, const char *word);

#endif
