/* sgm_volume_predict on any predictor. */
#ifndef SEGMODEL_PREDICT_VOLUME_SEGMENT_H
#define SEGMODEL_PREDICT_VOLUME_SEGMENT_H

#include "predict/volume/live.h"

/* `zoom` non-zero: look at crops around the prompts. Otherwise as sgm_volume_predict. */
sgm_status sgm_volume_segment(const sgm_predictor *predictor, int zoom, const sgm_volume *volume,
                              const sgm_object *objects, size_t object_count,
                              const sgm_volume_options *options, sgm_volume_result *out);

/* What a run that is done has taken, subject by subject, as the caller's objects. */
sgm_status sgm_volume_finish(sgm_live_volume *live, sgm_run *run, sgm_volume_result *out);

#endif
