/* What must agree for a resumed run to be the same run: its state says it, and whoever goes on with
 * it is compared. Rates, lengths, shares of samples, validation and reports may change. */
#ifndef SEGMODEL_TRAIN_RUN_IDENTITY_H
#define SEGMODEL_TRAIN_RUN_IDENTITY_H

#include "checkpoint/checkpoint.h"
#include "train/sampler.h"
#include "train/train_config.h"

/* `network` and `settings` are metadata of the state. */
typedef struct sgm_run_identity {
    char network[640];   /* "training_run": architecture, seed, batch, the pack's tables */
    char clipped[640];   /* the same, as versions said it whose files of clip_levels = 0 clipped in
                            prediction; "": none */
    char settings[6144]; /* "training_settings": lines `key = value`, contents of files as hashes;
                            states of earlier versions have none */
} sgm_run_identity;

/* Reads the pack and `init` (or NULL) as a whole. The configuration knows its model. */
sgm_status sgm_run_identity_make(const sgm_train_config *config, sgm_pack *pack,
                                 const sgm_sampler *sampler, const sgm_checkpoint *init,
                                 sgm_run_identity *out);

/* What the state in file `path` has, NULL where it has none, beside this run's. SGM_BAD_MODEL says
 * which line was wanted and which was found. */
sgm_status sgm_run_identity_check(const sgm_run_identity *wanted, const char *path,
                                  const char *network, const char *settings);

#endif
