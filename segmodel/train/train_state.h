/* Checkpoints of a training run. OUT/state.safetensors holds everything a run needs to go on as if
 * it had never stopped; best.safetensors and last.safetensors are ordinary models. All are
 * replaced atomically: a full disk leaves the old file. */
#ifndef SEGMODEL_TRAIN_TRAIN_STATE_H
#define SEGMODEL_TRAIN_TRAIN_STATE_H

#include "train/bank.h"
#include "train/run_identity.h"
#include "train/train_weights.h"

typedef struct sgm_train_progress_state {
    int64_t step;   /* updates done; samples follow from it */
    double seconds; /* spent training so far */
    double best;    /* best validation score; negative: none yet */
    int64_t best_step;
    int without_progress; /* validations since */
    int64_t validated;    /* step of the last validation; -1: none, or an earlier version's state,
                             which does not say */
    sgm_bank *bank;       /* borrowed; NULL: none */
} sgm_train_progress_state;

sgm_status sgm_train_state_save(const char *path, const sgm_train_config *config,
                                const sgm_run_identity *identity, const sgm_master *master,
                                const sgm_train_progress_state *state);

/* Restores values, moments and averages, on the device too. SGM_BAD_MODEL when the file belongs to
 * another run (run_identity.h): going on would not be the same. */
sgm_status sgm_train_state_load(const char *path, const sgm_train_config *config,
                                const sgm_run_identity *identity, sgm_master *master,
                                sgm_train_progress_state *state);

/* The model as FP32: averages where there are any, else values; tensors that training does not
 * touch come from `init` (the warm start's checkpoint, or NULL). `note` is one sentence about the
 * run for the metadata. */
sgm_status sgm_train_export(const char *path, const sgm_train_config *config,
                            const sgm_master *master, const sgm_checkpoint *init, const char *note);

#endif
