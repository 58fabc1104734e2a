/* An object's initial label, slice by slice. */
#ifndef SEGMODEL_PREDICT_VOLUME_INITIAL_H
#define SEGMODEL_PREDICT_VOLUME_INITIAL_H

#include "predict/picture/packed_mask.h"
#include "predict/picture/plane.h"

typedef struct sgm_initial {
    int64_t *slices; /* those that are not empty, ascending */
    sgm_packed_mask *masks;
    size_t count;
    /* where it was read */
    const void *labels;
    sgm_voxel type;
    int64_t value;
    uint64_t stamp;
    int axis;
} sgm_initial;

/* Reads the object's label along the plane's axis, or leaves what was read from the same one with
 * the same stamp. *initial is zeroed or from an earlier call. */
sgm_status sgm_initial_read(sgm_initial *initial, const sgm_plane *plane, const int64_t size[3],
                            const sgm_object *object);
void sgm_initial_clear(sgm_initial *initial);

/* NULL: nothing on this slice. */
const sgm_packed_mask *sgm_initial_on(const sgm_initial *initial, int64_t slice);

#endif
