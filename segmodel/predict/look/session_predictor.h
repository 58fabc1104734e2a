/* A session as a predictor. */
#ifndef SEGMODEL_PREDICT_LOOK_SESSION_PREDICTOR_H
#define SEGMODEL_PREDICT_LOOK_SESSION_PREDICTOR_H

#include "predict/look/predictor.h"
#include "segmodel/segmodel.h"

typedef struct sgm_session_predictor {
    sgm_predictor predictor;
    sgm_model *model; /* borrowed */
    sgm_session *session;
} sgm_session_predictor;

/* Makes a session of the model; the model must outlive it. The struct must not move. */
sgm_status sgm_session_predictor_init(sgm_session_predictor *binding, sgm_model *model);
void sgm_session_predictor_clear(sgm_session_predictor *binding);

/* Whether SGM_ZOOM_AUTO zooms for this model: an input of at most 512 pixels, and a protocol that
 * knows crops. Other networks (LiteMedSAM, SAMUS, SAMIHS) were trained on whole pictures.
 */
int sgm_model_wants_zoom(const sgm_model *model);

#endif
