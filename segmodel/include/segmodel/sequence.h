/* Sequences: frames in time, such as endoscopy and ultrasound, as a volume whose third axis is
 * time. There are no millimetres in it.
 *
 * Masks that another network made of each frame are prompts here: this network is shown each of
 * them as it is shown a neighbouring slice's mask when it walks through a volume, and answers with
 * what it sees there. Frames without a mask are reached by sgm_volume_predict: the answers as
 * sgm_object.labels, SGM_AXIS_K, no seeds; the walk then goes along time and meets in gaps. */
#ifndef SEGMODEL_SEQUENCE_H
#define SEGMODEL_SEQUENCE_H

#include "segmodel/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise, set `size`, then what matters. */
typedef struct sgm_sequence_options {
    size_t size;       /* sizeof(sgm_sequence_options) */
    sgm_window window; /* as in sgm_volume_options */
    double window_low, window_high;
    sgm_zoom_mode zoom;
    sgm_embedding_store store; /* borrowed for the call */
} sgm_sequence_options;

/* One object. `frames`: a volume with time along k. `labels`: of its size; the voxels of
 * `label_value` (0: all that are not 0) are the masks that are given, borrowed. `masks`: as many
 * bytes, 0 or 1; frames that have no given mask stay empty, and so do frames where the network sees
 * nothing. `quality` (may be NULL): predicted IoU of each frame, 0 where there is none.
 *
 * Only networks that walk by masks (the bundled one, and what is trained here on crops) answer
 * anew; for others the given masks are copied, because sgm_volume_predict asks them with the masks
 * of its labels anyway. `options` and `call` may be NULL. Errors as of sgm_volume_predict. */
SGM_API sgm_status sgm_sequence_refine(sgm_model *model, const sgm_volume *frames,
                                       const void *labels, sgm_voxel label_type,
                                       int64_t label_value, const sgm_sequence_options *options,
                                       const sgm_call *call, uint8_t *masks, float *quality);

#ifdef __cplusplus
}
#endif
#endif
