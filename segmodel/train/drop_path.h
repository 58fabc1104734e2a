/* Drop path (Huang et al. 2016): while a ViT learns, branches beside its shortcuts are left out by
 * chance, each sample's by itself. */
#ifndef SEGMODEL_TRAIN_DROP_PATH_H
#define SEGMODEL_TRAIN_DROP_PATH_H

#include "plan/train_plan.h"
#include "train/rng.h"
#include "train/train_config.h"

/* [B, 2 blocks], what sgm_net.drop multiplies branches with; NULL where the settings have none. */
sgm_node *sgm_drop_input(sgm_graph *graph, const sgm_train_config *config);
/* SGM_INVALID_ARGUMENT: the settings want it and there is no such branch in the network. */
sgm_status sgm_drop_check(const sgm_graph *graph, const sgm_node *drop,
                          const sgm_train_config *config);

/* A branch of block n of N is left out with the chance rate * n / (N - 1); where it is not it
 * stands for those left out, too. `rng` NULL: all are whole, as in prediction. `drop` may be NULL.
 */
sgm_status sgm_drop_feed(sgm_train_plan *plan, const sgm_node *drop, double rate, sgm_rng *rng);

#endif
