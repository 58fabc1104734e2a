/* Tensors under other names than their file gives them. */
#ifndef SEGMODEL_CHECKPOINT_RENAME_H
#define SEGMODEL_CHECKPOINT_RENAME_H

#include "checkpoint/checkpoint.h"

/* Changes are "from=to,from=to": the first `from` that a name begins with is replaced. A '#' in it
 * stands for a number, which the '#' of `to` repeats; each has one at most. */

/* The changed name, or `name` itself if no change is for it; lives as long as the checkpoint. NULL
 * when there is no memory. `changes` NULL: none. */
const char *sgm_checkpoint_changed_name(sgm_checkpoint *checkpoint, const char *changes,
                                        const char *name);

/* Of all tensors. SGM_BAD_MODEL if two would share a name, SGM_OUT_OF_MEMORY; the names are then of
 * no use. */
sgm_status sgm_checkpoint_rename(sgm_checkpoint *checkpoint, const char *changes);

/* From now on the tensor of that name, if there is one, is no part of the network: `beside`. */
void sgm_checkpoint_leave_out(sgm_checkpoint *checkpoint, const char *name);

#endif
