/* Where training weights come from, and what the optimiser keeps beside them: FP32 master values,
 * moments and averages, all in the backend's memory. They come to the host to be saved only. */
#ifndef SEGMODEL_TRAIN_TRAIN_WEIGHTS_H
#define SEGMODEL_TRAIN_TRAIN_WEIGHTS_H

#include "checkpoint/checkpoint.h"
#include "models/family.h"
#include "plan/train_plan.h"
#include "train/train_config.h"

/* Source of first values: a checkpoint (tensors it has must fit, or be resized as the family's own
 * loader does), else random by name, shape and seed: the same on every machine. */
typedef struct sgm_first_values {
    const sgm_checkpoint *checkpoint; /* or NULL */
    const sgm_family *family; /* of the network; NULL: nothing is zero or made anew for its sake */
    uint64_t seed;
    int loaded, made;     /* how many came from where */
    int resized, zero;    /* of the loaded ones; and new ones that are zero at the start */
    char made_names[400]; /* of the made ones, as far as they fit */
} sgm_first_values;

/* What a warm start found: how many tensors were loaded, which were made anew because the file has
 * none of that name, and how many of the file's are of no use to the network. */
void sgm_first_values_tell(const sgm_first_values *first, char text[640]);

/* sgm_weights_read_fn; user: sgm_first_values. */
sgm_status sgm_first_values_read(void *user, const char *name, sgm_shape shape,
                                 const float **values, bool *owned);

/* Whether earlier versions made such a tensor by another rule. */
bool sgm_first_rule_changed(const char *name, sgm_shape shape);

/* sgm_trainable_fn; user: const sgm_train_config. Statistics of batch norms and the position
 * encoding's matrix never are, what matches `freeze` is not, nor what `train_only` leaves out. */
bool sgm_is_trainable(void *config, const char *name);

/* What is trained. The master values are the parameters' own. */
typedef struct sgm_master {
    sgm_backend *backend; /* borrowed, as params */
    sgm_params *params;
    sgm_trained *trained; /* arrays in the backend's memory */
    int trained_count;
    sgm_parameter **parameters;
    void *memory; /* moments and averages */
    double *norm; /* the backend's memory: of the gradients of the last update */
    void *table;  /* the backend's, NULL in host memory */
} sgm_master;

/* Call after the plan is made; parameters without gradient are left out. with_average: keep moving
 * averages, which begin as the values. `config` says how fast which layer learns (layer_decay);
 * NULL: all alike. */
sgm_status sgm_master_create(sgm_backend *backend, sgm_params *params, bool with_average,
                             const sgm_train_config *config, sgm_master *out);

/* layer_decay: the share of the learning rate that a tensor gets. In an encoder of N blocks the
 * last block has decay, each one before it the decay of it, positions and patches come below the
 * first; what is no part of these learns at the whole rate. */
float sgm_layer_rate(const sgm_train_config *config, const char *name);

/* Rows of what Muon takes for a matrix, else 0: weights of layers, and of convolutions with all
 * taps of an output as a row. Not tables, embeddings and depthwise taps, which are vectors side by
 * side, nor what is narrower than 16. */
int64_t sgm_muon_rows(const char *name, sgm_shape shape);
/* Before the parameters are destroyed. */
void sgm_master_clear(sgm_master *master);

sgm_status sgm_master_clear_gradients(sgm_master *master);
/* sgm_optim_update on the device, without waiting: the norm is in master->norm then. */
sgm_status sgm_master_update(sgm_master *master, const sgm_optim_numbers *numbers);

/* Lets plans read the averages (if there are any) instead of the values, or the values again. */
sgm_status sgm_master_show(sgm_master *master, bool averages);

/* The same tensors in host memory. Where the backend works in host memory these are the tensors
 * themselves, else copies (gradients included), which sgm_master_write brings back without the
 * gradients. */
typedef struct sgm_host_master {
    sgm_trained *trained;
    float *memory; /* NULL: no copies */
} sgm_host_master;

sgm_status sgm_master_read(const sgm_master *master, sgm_host_master *out);
sgm_status sgm_master_write(sgm_master *master, const sgm_host_master *host);
void sgm_host_master_clear(sgm_host_master *host);

#endif
