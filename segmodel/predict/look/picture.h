/* sgm_picture on any predictor. */
#ifndef SEGMODEL_PREDICT_LOOK_PICTURE_H
#define SEGMODEL_PREDICT_LOOK_PICTURE_H

#include "predict/look/predictor.h"

/* `predictor` is borrowed; `zoom` 0: the whole image always. */
sgm_status sgm_picture_make(const sgm_predictor *predictor, int zoom,
                            const sgm_picture_options *options, sgm_picture **out);

#endif
