/* Low-res logits as mask prompts: between views, and from binary masks. */
#ifndef SEGMODEL_PREDICT_LOOK_LOGITS_H
#define SEGMODEL_PREDICT_LOOK_LOGITS_H

#include "predict/look/predictor.h"
#include "predict/look/view.h"

/* Logit of what is surely inside (and, negated, outside), about what SAM's decoder puts out for
 * clear objects. */
#define SGM_SURE_LOGIT 10.0f

/* Low-res logits of view `from` interpolated at the grid of view `to`; what `from` does not cover
 * is background. `source` and `result` hold low_res_shape values and must not overlap. */
void sgm_logits_move(const sgm_predictor *predictor, const float *source, sgm_view from,
                     float *result, sgm_view to);

/* From -10 to 10 by the share of each low-res pixel that `mask` (0/1, width x height) covers: steep
 * at the outline but continuous, as the decoder's own logits are. */
void sgm_logits_from_mask(const sgm_predictor *predictor, const uint8_t *mask, int width,
                          int height, sgm_view view, float *result);

/* Makes cells beyond the view's picture NAN. */
void sgm_logits_clear_padding(const sgm_predictor *predictor, float *logits, sgm_view view);

/* Fades the logits around a pixel of the picture, to 0 at the pixel itself: where a click says that
 * they are wrong. As training does it (train/prompt_sim.h). */
void sgm_logits_weaken(const sgm_predictor *predictor, float *logits, sgm_view view, double x,
                       double y);

/* What low-res logits say of their own mask, over the cells that the view fills. */
typedef struct sgm_logits_summary {
    double mean_inside; /* of the logits above the threshold; 0: there are none */
    double at_point;    /* interpolated */
    double stability;   /* IoU of the masks at threshold + offset and - offset (SAM's stability
                           score); 0: both are empty */
} sgm_logits_summary;

/* (x, y) in picture coordinates; threshold and offset in logits. */
sgm_logits_summary sgm_logits_summarize(const sgm_predictor *predictor, const float *logits,
                                        sgm_view view, double x, double y, float threshold,
                                        float offset);

/* Logits in a byte, steps of 0.25 clamped to +-31.75: what travels from slice to slice. */
void sgm_logits_pack(const float *logits, size_t count, int8_t *packed);
void sgm_logits_unpack(const int8_t *packed, size_t count, float *logits);

#endif
