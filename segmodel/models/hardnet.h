/* HarDNet-85 (Chao et al. 2019) as an encoder: AutoSAM's prompt generator. */
#ifndef SEGMODEL_MODELS_HARDNET_H
#define SEGMODEL_MODELS_HARDNET_H

#include "models/net.h"

/* What it has of strides 4, 8 and 16: 192, 320 and 720 channels. */
typedef struct sgm_hardnet_features {
    sgm_node *quarter, *eighth, *sixteenth;
} sgm_hardnet_features;

/* In the scope of the backbone. image[B, S, S, 3], S a multiple of 16. Batch norms have the
 * statistics that they have gathered; the stage of stride 32, which nobody reads, is left out. */
sgm_hardnet_features sgm_hardnet(const sgm_net *net, sgm_node *image);

#endif
