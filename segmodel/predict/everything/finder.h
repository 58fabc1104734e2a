/* What finding masks and drawing edges share: a picture's crops are encoded one after the other,
 * points are asked in batches, and each answer is shown as values of the crop's size. */
#ifndef SEGMODEL_PREDICT_EVERYTHING_FINDER_H
#define SEGMODEL_PREDICT_EVERYTHING_FINDER_H

#include "predict/everything/crops.h"
#include "predict/session/session_internal.h"
#include "segmodel/everything.h"

typedef struct sgm_finder {
    sgm_session *session;
    const sgm_model_config *config;
    sgm_image image;         /* the picture, borrowed */
    double threshold;        /* of masks, logits */
    int first_token, tokens; /* answers of a point: so many masks from that one on */
    sgm_part crop;           /* the one that is encoded */
    float *values;           /* one answer at the picture's size; NULL until it is needed */
    double done, total;      /* points asked, and to be asked in all, for the progress */
    const char *doing;       /* what the progress says */
    sgm_embedding_store store;
    float *embedding; /* on its way from or to the store; NULL until it is needed */
    size_t embedding_count;
    uint64_t model_key; /* the model's part of a store's keys */
} sgm_finder;

/* SGM_BAD_PROMPT if the network is not asked by places. The options are checked. */
sgm_status sgm_finder_init(sgm_finder *finder, sgm_model *model, const sgm_image *image,
                           const sgm_everything_options *options);
void sgm_finder_clear(sgm_finder *finder);

/* Encodes a crop. */
sgm_status sgm_finder_look(sgm_finder *finder, const sgm_part *crop);

/* One answer: point `index` (its place in the crop), the decoder's mask `token`, its predicted IoU,
 * its low-res logits. */
typedef struct sgm_point_answer {
    size_t index;
    sgm_point point;
    int token;
    float predicted_iou;
    const float *low_res;
} sgm_point_answer;

/* Asks points of the crop and hands out their answers, point by point, token by token. Polls for
 * cancel and tells the progress. */
typedef sgm_status (*sgm_answer_fn)(void *user, const sgm_point_answer *answer);
sgm_status sgm_finder_ask(sgm_finder *finder, const sgm_point *points, size_t count,
                          sgm_answer_fn take, void *user);

/* The answer's mask at the crop's size, and its stability: the IoU of the masks at the threshold
 * plus and minus `offset`, NaN if both are empty. */
double sgm_finder_mask(sgm_finder *finder, const sgm_point_answer *answer, double offset,
                       uint8_t *mask);
/* The answer's values at the crop's size, in finder->values, which is made on first use. Which of
 * them are inside of a mask at `logit`: those above what sgm_finder_level gives (probabilities of
 * networks that give such). SGM_OUT_OF_MEMORY. */
sgm_status sgm_finder_values(sgm_finder *finder, const sgm_point_answer *answer);
float sgm_finder_level(const sgm_finder *finder, double logit);

/* Metadata keys of checkpoints with thresholds of their own. */
#define SGM_METADATA_PRED_IOU_THRESH "pred_iou_thresh"
#define SGM_METADATA_STABILITY_THRESH "stability_score_thresh"

/* SGM_INVALID_ARGUMENT names an option that cannot be. `options` may be NULL: `usual`. */
sgm_status sgm_everything_options_read(const sgm_everything_options *options,
                                       const sgm_everything_options *usual,
                                       sgm_everything_options *out);

#endif
