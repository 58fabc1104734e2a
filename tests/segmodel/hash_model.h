/* Whole checkpoints of hash weights, made from a manifest: a text file with a line
 *
 *     name dtype d0,d1,.. [hashed-name]
 *
 * per tensor ("-" for a scalar; the hashed name is the name itself unless given). The manifests in
 * goldens/manifests list the official state dicts. */
#ifndef SEGMODEL_TESTS_HASH_MODEL_H
#define SEGMODEL_TESTS_HASH_MODEL_H

#include "checkpoint/stored_tensor.h"

/* Writes the .safetensors; floats are stored as `type` (F32 for goldens). `key` and `value` are one
 * entry of metadata, or NULL. ViT-B takes about a second. */
sgm_status hash_model_write(const char *manifest, const char *path, sgm_stored_type type,
                            const char *key, const char *value);

#endif
