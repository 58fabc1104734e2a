/* sgm_zoom on any predictor. */
#ifndef SEGMODEL_PREDICT_LOOK_ZOOM_PICTURE_H
#define SEGMODEL_PREDICT_LOOK_ZOOM_PICTURE_H

#include "predict/look/predictor.h"
#include "segmodel/zoom.h"

/* `predictor` is borrowed; `crops` 0: the whole image always. */
sgm_status sgm_zoom_make(const sgm_predictor *predictor, int crops,
                         const sgm_embedding_store *store, sgm_zoom **out);

#endif
