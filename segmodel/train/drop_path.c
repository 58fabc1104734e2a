#include "train/drop_path.h"

#include <stdlib.h>

sgm_node *sgm_drop_input(sgm_graph *graph, const sgm_train_config *config)
{
    int64_t blocks = config->model.vit.depth;
    if (!(config->drop_path > 0) || !blocks) return NULL;
    return sgm_input(graph, "drop_path", SGM_F32, SGM_SHAPE(config->batch, 2 * blocks));
}

static bool is_read(const sgm_graph *graph, const sgm_node *node)
{
    for (int id = 0; id < sgm_graph_size(graph); id++) {
        const sgm_node *reader = sgm_graph_node(graph, id);
        for (int i = 0; i < reader->input_count; i++)
            if (reader->in[i] == node) return true;
    }
    return false;
}

sgm_status sgm_drop_check(const sgm_graph *graph, const sgm_node *drop,
                          const sgm_train_config *config)
{
    if (!(config->drop_path > 0) || (drop && is_read(graph, drop))) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT,
                    "%s: drop_path: the encoder of %s has no branches that can be left out",
                    config->path, config->model.variant);
}

sgm_status sgm_drop_feed(sgm_train_plan *plan, const sgm_node *drop, double rate, sgm_rng *rng)
{
    if (!drop) return SGM_OK;
    int64_t batch = drop->shape.dim[0], branches = drop->shape.dim[1], blocks = branches / 2;
    float *keep = malloc((size_t)(batch * branches) * sizeof *keep);
    if (!keep) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for drop path");
    for (int64_t i = 0; i < batch * branches; i++) {
        double block = (double)(i % branches / 2);
        double chance = blocks > 1 ? rate * block / (double)(blocks - 1) : rate;
        keep[i] = !rng ? 1 : sgm_rng_chance(rng, chance) ? 0 : (float)(1 / (1 - chance));
    }
    sgm_status status = sgm_train_plan_set(plan, drop, keep);
    free(keep);
    return status;
}
