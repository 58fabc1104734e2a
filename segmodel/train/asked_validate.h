/* Validation of a network that is trained as its authors do: Dice of what it answers with on the
 * grid of targets. */
#ifndef SEGMODEL_TRAIN_ASKED_VALIDATE_H
#define SEGMODEL_TRAIN_ASKED_VALIDATE_H

#include "train/asked_graph.h"
#include "train/feature_store.h"
#include "train/validate.h"

/* Features and embeddings of a batch, into a plan whose graph wants them; else nothing. */
sgm_status sgm_asked_feed_features(const sgm_train_graph *graph, sgm_train_plan *plan,
                                   const sgm_feature_store *store, const sgm_batch *batch);

/* As sgm_validate; out->dice[0] and [1] are the same mean over samples. A mask is what the family's
 * protocol says; of class maps a sample's Dice is the mean over the classes that it has. Where
 * nothing is to be found (sgm_sampler_options.empty), what is found counts 0, and nothing not at
 * all. */
sgm_status sgm_asked_validate(const sgm_train_graph *graph, sgm_train_plan *plan,
                              const sgm_feature_store *store, const sgm_sampler *sampler,
                              const sgm_sampler_options *options, int batch, int count,
                              sgm_validation_watch watch, sgm_validation *out);

#endif
