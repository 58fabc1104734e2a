/* The weights inside the pickle of a PyTorch file, however the file keeps its storages: which of
 * the nested dicts they are, and each tensor as a view of a storage. */
#ifndef SEGMODEL_CHECKPOINT_TORCH_DICT_H
#define SEGMODEL_CHECKPOINT_TORCH_DICT_H

#include "checkpoint/checkpoint_build.h"
#include "checkpoint/pickle.h"

#define SGM_TORCH_SAVE_AGAIN                                                                       \
    "in Python: torch.save(torch.load(\"old.pth\", map_location=\"cpu\", weights_only=False), "    \
    "\"new.pth\")"

typedef struct sgm_torch_storages {
    const void *file;
    /* Where a storage's bytes are, and how many elements they are. `tensor` is for messages. */
    sgm_status (*find)(const void *file, const sgm_pickle *pickle, const sgm_pickle_value *storage,
                       const char *tensor, const unsigned char **data, int64_t *count);
} sgm_torch_storages;

/* Adds the tensors; sets checkpoint->wrapper. SGM_BAD_MODEL if there are none. */
sgm_status sgm_torch_add_weights(sgm_checkpoint *checkpoint, const sgm_pickle *pickle,
                                 const sgm_torch_storages *storages);

#endif
