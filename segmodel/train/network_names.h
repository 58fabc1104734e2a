/* Names of a network's tensors. */
#ifndef SEGMODEL_TRAIN_NETWORK_NAMES_H
#define SEGMODEL_TRAIN_NETWORK_NAMES_H

#include "models/config.h"
#include "plan/train_plan.h"

/* Shows every tensor that prediction reads, some more than once, in the shape that is wanted. What
 * `see` fails with ends it. */
sgm_status sgm_network_visit(const sgm_model_config *model, sgm_param_check_fn see, void *user);

/* SGM_INVALID_ARGUMENT names the first of `patterns` (core/names.h) that no tensor matches, neither
 * of the network nor of what training has read (params), and the key that it was given for. */
sgm_status sgm_patterns_check(const char *key, const char *patterns, const sgm_model_config *model,
                              sgm_params *params);

#endif
