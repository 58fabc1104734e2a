/* Parameters as the training plan sees them. */
#ifndef SEGMODEL_PLAN_PARAMS_INTERNAL_H
#define SEGMODEL_PLAN_PARAMS_INTERNAL_H

#include "plan/train_plan.h"

/* The parameter of a PARAM node, made on first use. */
sgm_status sgm_params_of_node(sgm_params *params, const sgm_node *node, sgm_parameter **out);
/* Keeps a BF16 copy of the parameter from now on. */
sgm_status sgm_params_keep_bf16(sgm_params *params, sgm_parameter *p);
sgm_backend *sgm_params_backend(const sgm_params *params);

#endif
