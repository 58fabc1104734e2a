/* A network that is asked about one object after the other, as users' programs ask it. */
#ifndef SEGMODEL_STUDY_ASKER_H
#define SEGMODEL_STUDY_ASKER_H

#include "models/config.h"
#include "predict/look/look.h"
#include "predict/look/session_predictor.h"
#include "study/study_config.h"
#include "train/objects.h"

/* Of one answer; as segmodel/metrics.h counts. */
typedef struct sgm_study_score {
    double dice, iou;
} sgm_study_score;

typedef struct sgm_asker {
    const sgm_pack *pack;
    sgm_session_predictor binding;
    sgm_embedder embedder;
    sgm_looker looker;
    const sgm_model_config *config;
    float threshold; /* of the network's masks, in logits */
    bool feeds;      /* the last answer's logits come with a further click */
    /* the present object */
    const sgm_pack_item *item;
    sgm_image image;
    int64_t picture;
    uint8_t *truth; /* of the picture's size */
    sgm_box box;    /* tight */
    sgm_look look;  /* the last answer */
    bool asked;     /* there is one */
    float *low_res; /* its logits, kept while the looker answers again */
} sgm_asker;

/* The model must outlive it. SGM_INVALID_ARGUMENT for networks that nobody prompts by places. */
sgm_status sgm_asker_init(sgm_asker *asker, sgm_model *model, const sgm_pack *pack,
                          const sgm_study_config *config);
void sgm_asker_clear(sgm_asker *asker);

/* Goes to another object. */
sgm_status sgm_asker_take(sgm_asker *asker, const sgm_target *object);
/* Forgets the last answer: the next question is a first one. */
void sgm_asker_restart(sgm_asker *asker);
/* All prompts so far; box may be NULL. After an earlier answer the network stays where it looked
 * and, if it `feeds`, is shown that answer. */
sgm_status sgm_asker_ask(sgm_asker *asker, const sgm_point *points, size_t count,
                         const sgm_box *box);
/* The last answer against the object. */
sgm_study_score sgm_asker_score(const sgm_asker *asker);
/* The best of the network's three masks by their true IoU, as far as it makes several. */
sgm_status sgm_asker_oracle(sgm_asker *asker, sgm_study_score *best);
/* |logit| of the last answer at each pixel of the picture (or |probability - 1/2| where the network
 * answers with such); infinite where it did not look. */
sgm_status sgm_asker_doubt(sgm_asker *asker, float *doubt);

#endif
