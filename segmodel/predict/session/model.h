/* The model behind segmodel.h: an open checkpoint, the network's numbers, weights on the device,
 * and the programs made so far. Shared by threads. */
#ifndef SEGMODEL_PREDICT_SESSION_MODEL_H
#define SEGMODEL_PREDICT_SESSION_MODEL_H

#include "backend/context.h"
#include "checkpoint/checkpoint.h"
#include "models/config.h"
#include "predict/session/program.h"
#include "segmodel/classes.h"

sgm_model *sgm_model_retain(sgm_model *model);
/* sgm_model_destroy gives a reference back. */

sgm_context *sgm_model_context(const sgm_model *model);
const sgm_model_config *sgm_model_get_config(const sgm_model *model);
const sgm_checkpoint *sgm_model_checkpoint(const sgm_model *model);

/* Does tensor `index` of the checkpoint stand beside the network, which has no place for it
 * (stored_tensor.h)? */
bool sgm_model_leaves_out(const sgm_model *model, size_t index);
sgm_weights *sgm_model_weights(const sgm_model *model);

/* sgm_param_check_fn and sgm_weights_read_fn over a sgm_checkpoint: names and shapes must be
 * exactly those the network wants. */
sgm_status sgm_checkpoint_check(void *checkpoint, const char *name, sgm_shape wanted);
sgm_status sgm_checkpoint_read(void *checkpoint, const char *name, sgm_shape wanted,
                               const float **values, bool *owned);

/* The program for a key, made on first use and kept while it is among the most recently used ones
 * or held. Give it back with sgm_model_release. */
sgm_status sgm_model_program(sgm_model *model, sgm_program_key key, sgm_program **out);
void sgm_model_release(sgm_model *model, sgm_program *program);

/* The options every plan of this model is made with. */
sgm_plan_options sgm_model_plan_options(const sgm_model *model);

#endif
