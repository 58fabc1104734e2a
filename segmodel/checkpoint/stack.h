/* Two checkpoints as one: a base beneath an overlay, which holds only what was trained (SAMed's
 * low-rank additions, SurgicalSAM's prototypes). */
#ifndef SEGMODEL_CHECKPOINT_STACK_H
#define SEGMODEL_CHECKPOINT_STACK_H

#include "checkpoint/checkpoint.h"

/* All tensors of both; where both have a name, the overlay's. The metadata are the overlay's alone:
 * what a base says of itself (its network, what was learnt with its weights) is not true of the
 * two. `names`: changes of the overlay's names (rename.h); NULL: none.
 * Its path, for messages, is "OVERLAY on BASE". Takes both checkpoints over, also when it fails;
 * the stack is closed like any checkpoint. SGM_BAD_MODEL for names that meet after the change,
 * SGM_OUT_OF_MEMORY. */
sgm_status sgm_checkpoint_stack(sgm_checkpoint *base, sgm_checkpoint *overlay, const char *names,
                                sgm_checkpoint **out);

/* Is it one of the above, and not a file by itself? */
bool sgm_checkpoint_is_stack(const sgm_checkpoint *checkpoint);

#endif
