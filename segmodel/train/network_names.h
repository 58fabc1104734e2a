/* Names of a network's tensors. */
#ifndef SEGMODEL_TRAIN_NETWORK_NAMES_H
#define SEGMODEL_TRAIN_NETWORK_NAMES_H

#include "checkpoint/checkpoint.h"
#include "models/config.h"
#include "plan/train_plan.h"
#include "train/train_config.h"

/* Shows every tensor that prediction reads, some more than once, in the shape that is wanted. What
 * `see` fails with ends it. */
sgm_status sgm_network_visit(const sgm_model_config *model, sgm_param_check_fn see, void *user);

/* SGM_INVALID_ARGUMENT names the first of `patterns` (core/names.h) that no tensor matches, neither
 * of the network nor of what training has read (params), and the key that it was given for. */
sgm_status sgm_patterns_check(const char *key, const char *patterns, const sgm_model_config *model,
                              sgm_params *params);

/* Files of a family may have two layouts, of which each has a tensor that the other lacks.
 * SGM_BAD_MODEL: the network is of another one than `init`, whose weights it would not find. */
sgm_status sgm_layout_check(const sgm_model_config *model, const sgm_checkpoint *init);

/* What tensors do not say and the text of `init` does (segmodel convert --set). SGM_BAD_MODEL: the
 * network has it otherwise, for which the weights were not made. What clip_levels says is not
 * asked. */
sgm_status sgm_said_check(const sgm_train_config *config, const sgm_checkpoint *init);

#endif
