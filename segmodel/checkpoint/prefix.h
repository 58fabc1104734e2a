/* A network's tensors by the names that it gives them itself, whatever the program that trained it
 * had wrapped around it. */
#ifndef SEGMODEL_CHECKPOINT_PREFIX_H
#define SEGMODEL_CHECKPOINT_PREFIX_H

#include "checkpoint/checkpoint.h"

/* `landmarks`: names of tensors by which networks are told, NULL at the end. What stands before
 * them in the file is what is wrapped around its network ("module.", "model.sam.", "student/") and
 * is taken off all names; tensors that lack it are `beside`. Modules that PyTorch puts between a
 * network and its parts ("image_encoder._orig_mod.neck.0.weight") are left out of every name.
 * Without a landmark only that is done.
 *
 * SGM_BAD_MODEL where the landmarks are in several places and no network has nine in ten tensors
 * (a student and its teacher, weights and their moving average), where one has fewer (a network
 * that is a part of another), and where two tensors would share a name; SGM_OUT_OF_MEMORY. The
 * names are then of no use. Call it once. */
sgm_status sgm_checkpoint_take_off_prefix(sgm_checkpoint *checkpoint, const char *const *landmarks);

#endif
