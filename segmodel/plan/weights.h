/* Internal side of sgm_weights (plan.h): device values and packed forms, shared by all plans of a
 * model under their structural keys. */
#ifndef SEGMODEL_PLAN_WEIGHTS_H
#define SEGMODEL_PLAN_WEIGHTS_H

#include "plan/plan.h"

sgm_backend *sgm_weights_backend(const sgm_weights *weights);

/* The F32 device value of a constant node: parameters are read, data uploaded, anything else
 * computed from its inputs and kept. Valid as long as `weights`. */
sgm_status sgm_weights_value(sgm_weights *weights, const sgm_node *node, void **value);

/* The packed form of a step's constant weight (in[1]), made on first use; *packed is NULL when the
 * backend needs none (then in[1] must be bound to sgm_weights_value). */
sgm_status sgm_weights_packed(sgm_weights *weights, const sgm_step *step, bool bf16, void **packed);

/* Frees values that no plan holds: what was only needed for packing or folding. */
void sgm_weights_trim(sgm_weights *weights);

#endif
