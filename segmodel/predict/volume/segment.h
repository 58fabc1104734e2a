/* sgm_volume_predict on any predictor. */
#ifndef SEGMODEL_PREDICT_VOLUME_SEGMENT_H
#define SEGMODEL_PREDICT_VOLUME_SEGMENT_H

#include "predict/look/predictor.h"
#include "segmodel/volume.h"

/* `zoom` non-zero: look at crops around the prompts. Otherwise as sgm_volume_predict. */
sgm_status sgm_volume_segment(const sgm_predictor *predictor, int zoom, const sgm_volume *volume,
                              const sgm_object *objects, size_t object_count,
                              const sgm_volume_options *options, sgm_volume_result *out);

#endif
