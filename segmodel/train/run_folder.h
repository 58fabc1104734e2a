/* The folder that a run writes into: OUT/state.safetensors and what stands beside it. */
#ifndef SEGMODEL_TRAIN_RUN_FOLDER_H
#define SEGMODEL_TRAIN_RUN_FOLDER_H

#include "segmodel/train.h"
#include "train/train_config.h"

#define SGM_RUN_STATE "state.safetensors"
#define SGM_RUN_BEST "best.safetensors"
#define SGM_RUN_LAST "last.safetensors"
#define SGM_RUN_LOG "log.csv"
#define SGM_RUN_CURVES "curves.png"
#define SGM_RUN_CLASSES "classes.csv"

/* Makes the folder, or takes it over: what killed runs left half-written goes. *resumes: a state is
 * there, and it was asked for. SGM_INVALID_ARGUMENT when files of an earlier run are there that
 * would be overwritten, or when one of the run's own inputs would be. SGM_UNWRITABLE: no folder. */
sgm_status sgm_run_folder_open(const sgm_train_options *options, const sgm_train_config *config,
                               bool *resumes);

#endif
