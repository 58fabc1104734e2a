/* A network made out of another one's weights: what `segmodel convert --fresh` writes. */
#ifndef SEGMODEL_TOOL_FRESH_NETWORK_H
#define SEGMODEL_TOOL_FRESH_NETWORK_H

#include "checkpoint/checkpoint.h"
#include "models/warm_start.h"

typedef struct fresh_tensor {
    char *name;
    sgm_shape shape;
    float *values;
    sgm_origin origin;
} fresh_tensor;

typedef struct fresh_network {
    sgm_model_config config;
    fresh_tensor *tensors;
    size_t count, room;
} fresh_network;

/* Every tensor of a network of this variant, out of the file (of additions: on its `base`, else
 * NULL) or made as training makes it (seed 1). On failure nothing needs clearing. */
sgm_status fresh_network_make(const char *from, const char *base, const char *variant,
                              fresh_network *out);
void fresh_network_clear(fresh_network *fresh);

/* With variant, architecture and `extra` in the metadata. */
sgm_status fresh_network_save(const fresh_network *fresh, const char *to, sgm_stored_type type,
                              const sgm_metadata_entry *extra, size_t extra_count);
/* What was loaded, resized and made, by name, on stdout. */
void fresh_network_print(const fresh_network *fresh, const char *to);

#endif
