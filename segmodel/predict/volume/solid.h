/* A segmented object as it is kept: packed slices, what is reported of them, and ways out. */
#ifndef SEGMODEL_PREDICT_VOLUME_SOLID_H
#define SEGMODEL_PREDICT_VOLUME_SOLID_H

#include "predict/volume/run.h"

typedef struct sgm_solid_slice {
    int64_t slice;
    const sgm_answer *answer; /* held */
    int prompted;
    sgm_packed_mask filled, final; /* the answer's mask after filling holes, and after leaving out
                                      smaller components; where these were not asked for or changed
                                      nothing, the mask before */
    int has_filled, has_final;
} sgm_solid_slice;

typedef struct sgm_solid {
    sgm_plane plane;
    sgm_solid_slice *slices; /* ascending */
    sgm_slice_report *reports;
    size_t count;
    sgm_walk_report *walks;
    size_t walk_count;
    sgm_stop stopped[2];
    int64_t voxels, first[3], last[3];
    double quality;
} sgm_solid;

/* Of subject `number` of a run that is done. `earlier` (may be NULL) is the object's solid before:
 * what is as it was is taken from there. Takes over the subject's holds. */
sgm_status sgm_solid_make(sgm_run *run, size_t number, const sgm_solid *earlier, sgm_solid *out);
void sgm_solid_clear(sgm_solid *solid, sgm_answers *answers);

const sgm_packed_mask *sgm_solid_mask(const sgm_solid_slice *slice);

/* Bounding box of the voxels in which two solids of one volume differ; last < first: none. Either
 * may be NULL. Between solids along different axes: of all their voxels. */
void sgm_solid_difference(const sgm_solid *a, const sgm_solid *b, int64_t first[3],
                          int64_t last[3]);

/* Sets its voxels in a volume of this size and integer type. */
void sgm_solid_paint(const sgm_solid *solid, const int64_t size[3], void *labels, sgm_voxel type,
                     int64_t value);
/* Copies the part first..last (inclusive) as 0/1, i fastest. */
void sgm_solid_copy(const sgm_solid *solid, const int64_t first[3], const int64_t last[3],
                    uint8_t *mask);

/* Fills holes of a slice's mask, as it lies in the picture. */
sgm_status sgm_fill_slice(sgm_stack *stack, const sgm_packed_mask *mask, sgm_packed_mask *filled);

#endif
