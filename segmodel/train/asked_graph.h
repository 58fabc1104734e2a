/* The network of a training step as a family's authors take it: pictures, or what the encoder made
 * of them, one prompt each, one loss on a grid of targets. */
#ifndef SEGMODEL_TRAIN_ASKED_GRAPH_H
#define SEGMODEL_TRAIN_ASKED_GRAPH_H

#include "train/train_graph.h"

/* Samples of a pass: the batch and what the image bank adds. */
static inline int sgm_asked_batch(const sgm_train_config *config)
{
    return config->batch + config->bank;
}

/* SGM_INVALID_ARGUMENT: prompts, loss and network do not go together. */
sgm_status sgm_asked_check(const sgm_train_config *config);

/* norms: batch norms take the batch's statistics, and graph->norms lists them. Without a loss (for
 * validation) pass with_loss false. Settings as sgm_asked_check wants them. */
sgm_status sgm_asked_graph_build(const sgm_train_config *config, bool batch_norms, bool with_loss,
                                 sgm_train_graph *out);

/* Nodes that are read after a step; `outputs` has room for SGM_ASKED_OUTPUTS. Returns how many. */
enum { SGM_ASKED_OUTPUTS = 512 };
int sgm_asked_graph_outputs(const sgm_train_graph *graph, sgm_node **outputs);

/* Sets all inputs but features and embeddings, which come from a store (feature_store.h). */
sgm_status sgm_asked_graph_feed(const sgm_train_graph *graph, sgm_train_plan *plan,
                                const sgm_batch *batch);

/* The grid of targets that settings ask for: of the decoder's masks, of the network's square, or
 * "1280x1024": of the picture, brought to that size. */
sgm_status sgm_target_grid_parse(const char *text, const char *path, const sgm_model_config *model,
                                 sgm_target_grid *grid);

/* After a step: running mean and variance of every batch norm move a tenth of the way to the
 * batch's (unbiased variance), as PyTorch's. Nothing where the graph has no such norms. */
sgm_status sgm_batch_norms_gather(const sgm_train_graph *graph, sgm_train_plan *plan,
                                  sgm_backend *backend, sgm_params *params);

#endif
