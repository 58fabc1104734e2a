#include "models/models.h"

sgm_node *sgm_encoder(sgm_net *net, const sgm_model_config *config, sgm_node *image)
{
    switch (config->encoder) {
    case SGM_ENCODER_VIT:
        return sgm_sam_vit(net, config, image);
    case SGM_ENCODER_TINY_VIT:
        return sgm_tiny_vit(net, config, image);
    case SGM_ENCODER_SAMUS:
        return sgm_samus(net, config, image);
    case SGM_ENCODER_SAMIHS:
        return sgm_samihs(net, config, image);
    }
    return sgm_graph_fail(net->graph,
                          sgm_fail(SGM_INTERNAL, "no encoder of kind %d", (int)config->encoder));
}
