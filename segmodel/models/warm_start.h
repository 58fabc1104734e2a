/* A network's first values out of another network's file, as the official loaders of the families
 * take them out of SAM's: what fits is taken, tables of positions are resized, the rest is made by
 * whoever asks. */
#ifndef SEGMODEL_MODELS_WARM_START_H
#define SEGMODEL_MODELS_WARM_START_H

#include "graph/graph.h"
#include "models/family.h"

typedef enum sgm_origin {
    SGM_ORIGIN_LOADED,
    SGM_ORIGIN_RESIZED, /* bilinear: pos_embed; linear: relative positions; rows repeated
                           (family->copied) */
    SGM_ORIGIN_ZERO,    /* new, and zero at the start (family->zero) */
    SGM_ORIGIN_MADE     /* new: `values` is untouched */
} sgm_origin;

/* Where tensor `name` of a network of that family (NULL: of any) comes from, and its values.
 * SGM_BAD_MODEL if the file has it in a shape that nothing makes fit. */
sgm_status sgm_warm_start(const sgm_checkpoint *file, const sgm_family *family, const char *name,
                          sgm_shape wanted, float *values, sgm_origin *origin);

#endif
