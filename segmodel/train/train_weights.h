/* Where training weights come from, and their host copies: FP32 master values, moments, averages.
 */
#ifndef SEGMODEL_TRAIN_TRAIN_WEIGHTS_H
#define SEGMODEL_TRAIN_TRAIN_WEIGHTS_H

#include "checkpoint/checkpoint.h"
#include "graph/train_plan.h"
#include "train/train_config.h"

/* Source of first values: a checkpoint (tensors it has must fit), else random by name, shape and
 * seed: the same on every machine. */
typedef struct sgm_first_values {
    const sgm_checkpoint *checkpoint; /* or NULL */
    uint64_t seed;
    int loaded, made; /* how many came from where */
} sgm_first_values;

/* sgm_weights_read_fn; user: sgm_first_values. */
sgm_status sgm_first_values_read(void *user, const char *name, sgm_shape shape,
                                 const float **values, bool *owned);

/* sgm_trainable_fn; user: const sgm_train_config. Statistics of batch norms and the position
 * encoding's matrix never are, what matches `freeze` is not. */
bool sgm_is_trainable(void *config, const char *name);

/* Host side of all parameters; those without gradient have no moments. */
typedef struct sgm_master {
    sgm_params *params; /* borrowed */
    sgm_trained *trained;
    int trained_count;
    float *memory;
    sgm_parameter **parameters;
} sgm_master;

/* Copies the device's values; call after the plan is made. with_average: keep moving averages. */
sgm_status sgm_master_create(sgm_backend *backend, sgm_params *params, bool with_average,
                             sgm_master *out);
void sgm_master_clear(sgm_master *master);

/* Device gradients to the host, and values (or averages) to the device. */
sgm_status sgm_master_fetch_gradients(sgm_backend *backend, sgm_master *master);
sgm_status sgm_master_send(sgm_backend *backend, sgm_master *master, bool averages);

#endif
