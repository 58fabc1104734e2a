/* A session as a predictor. */
#ifndef SEGMODEL_PREDICT_LOOK_SESSION_PREDICTOR_H
#define SEGMODEL_PREDICT_LOOK_SESSION_PREDICTOR_H

#include "predict/look/point_rating.h"
#include "predict/look/predictor.h"
#include "segmodel/segmodel.h"

typedef struct sgm_session_predictor {
    sgm_predictor predictor;
    sgm_model *model; /* borrowed */
    sgm_session *session;
    sgm_point_rating point_rating;
} sgm_session_predictor;

/* Makes a session of the model; the model must outlive it. The struct must not move. */
sgm_status sgm_session_predictor_init(sgm_session_predictor *binding, sgm_model *model);
void sgm_session_predictor_clear(sgm_session_predictor *binding);

/* The model's part of the keys of an embedding store; an encoder input's hash is the other part,
 * joined by exclusive or. */
uint64_t sgm_model_store_key(const sgm_model *model);

/* The metadata key of a checkpoint whose walks by masks end at ratings (predicted IoU) below
 * another number than SGM_STOP_RATING; text of a number from 0 to 1. Ratings are learnt, so weights
 * that are trained on may rate an object's end higher or lower: resources/train/LABBOOK.md. */
#define SGM_METADATA_STOP_RATING "stop_rating"
#define SGM_STOP_RATING 0.35f

/* The metadata key of the rating that is wanted where a ball of the cross-section that the walk
 * began with would have ended (predict/volume/stop.h): text of a number from 0 to 1. Without it the
 * distance does not matter. */
#define SGM_METADATA_FAR_RATING "far_rating"

/* The metadata key of weights that choose what a point means from looks at several scales
 * (predict/look/point_rating.h): text of SGM_POINT_TERMS numbers with commas between them. */
#define SGM_METADATA_POINT_RATING "point_rating"

/* The metadata key of a checkpoint whose walks by masks lean to what looks like the slice they left
 * (predict/look/likeness.h): text of a number from 0 to 5, in logits. Other weights have other
 * features, so that this too is measured. */
#define SGM_METADATA_WALK_LIKENESS "walk_likeness"
#define SGM_LARGEST_WALK_LIKENESS 5

/* The metadata key of a checkpoint whose walks by masks ask with the neighbour's logits lowered:
 * text of a number from -5 to 5. A network that gives back a little more than it was shown adds
 * that up from slice to slice; what keeps areas even is measured, as the rating to stop at is. */
#define SGM_METADATA_WALK_LOWERING "walk_lowering"
#define SGM_LARGEST_WALK_LOWERING 5

/* Whether SGM_ZOOM_AUTO zooms for this model: its protocol knows crops. Other networks (LiteMedSAM,
 * SAMUS, SAMIHS) were trained on whole pictures. */
int sgm_model_wants_zoom(const sgm_model *model);

#endif
