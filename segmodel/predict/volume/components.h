/* Connected components in space. */
#ifndef SEGMODEL_PREDICT_VOLUME_COMPONENTS_H
#define SEGMODEL_PREDICT_VOLUME_COMPONENTS_H

#include "segmodel/volume.h"

/* Clears all but the largest 26-connected component of a 0/1 mask within first..last (inclusive,
 * the mask's bounding box); the first one in memory among equals. 26, because thin oblique
 * structures cross from slice to slice over edges and corners. Works on runs along i joined by
 * union-find, so that its memory follows the surface, not the volume. SGM_OUT_OF_MEMORY. */
sgm_status sgm_keep_largest(uint8_t *mask, const int64_t size[3], const int64_t first[3],
                            const int64_t last[3]);

#endif
