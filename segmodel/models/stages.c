#include "models/family.h"

int sgm_config_features(const sgm_model_config *config, sgm_feature *features)
{
    if (config->family->features) return config->family->features(config, features);
    features[0] = (sgm_feature){"embedding", config->grid, config->grid, config->decoder.dim};
    return 1;
}

size_t sgm_config_embedding_count(const sgm_model_config *config)
{
    sgm_feature features[SGM_MAX_FEATURES];
    int64_t sum = 0;
    for (int i = sgm_config_features(config, features); i-- > 0;)
        sum += features[i].rows * features[i].columns * features[i].channels;
    return (size_t)sum;
}

sgm_features sgm_encode(const sgm_net *net, const sgm_model_config *config, sgm_node *image)
{
    return config->family->encode(net, config, image);
}

sgm_prompt_embedding sgm_encode_prompt(const sgm_net *net, const sgm_model_config *config,
                                       const sgm_prompt_input *input, const sgm_features *features)
{
    return config->family->prompt(net, config, input, features);
}

sgm_decoder_output sgm_decode(const sgm_net *net, const sgm_model_config *config,
                              const sgm_features *features, const sgm_prompt_embedding *prompt,
                              int64_t batch)
{
    return config->family->decode(net, config, features, prompt, batch);
}

sgm_features sgm_features_repeat(sgm_graph *graph, const sgm_features *features, int times)
{
    sgm_features out = {.count = features->count};
    for (int i = 0; i < features->count; i++) {
        sgm_node *copies[SGM_MAX_INPUTS];
        for (int k = 0; k < times; k++)
            copies[k] = features->node[i];
        out.node[i] = sgm_concat(graph, 0, times, copies);
    }
    return out;
}
