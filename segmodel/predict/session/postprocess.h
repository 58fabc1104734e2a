/* From low-res logits to a mask of the image's size. */
#ifndef SEGMODEL_PREDICT_SESSION_POSTPROCESS_H
#define SEGMODEL_PREDICT_SESSION_POSTPROCESS_H

#include "predict/picture/preprocess.h"

/* The metadata key of a checkpoint whose masks are where the logits exceed another number than
 * SAM's 0; text of a number. The threshold that maximises the expected Dice is half of that Dice as
 * a probability (Lipton et al. 2014), below 0 as a logit for every network that is not perfect. */
#define SGM_METADATA_MASK_THRESHOLD "mask_threshold"
#define SGM_LARGEST_MASK_THRESHOLD 10

typedef struct sgm_upscaler sgm_upscaler;

/* Precomputes the way from a low_side x low_side map to frame->original. It may be used for any
 * number of masks; nothing is allocated then. */
sgm_status sgm_upscaler_create(const sgm_model_config *config, const sgm_frame *frame,
                               sgm_upscaler **out);
void sgm_upscaler_destroy(sgm_upscaler *upscaler);

/* low: low_side x low_side logits; mask: original.width * original.height, 0 or 1: where the value
 * exceeds `above` more than the network's own threshold (0 for the official rule). */
void sgm_upscaler_mask(sgm_upscaler *upscaler, const float *low, float above, uint8_t *mask);
/* The values before the threshold: logits, probabilities for MedSAM. */
void sgm_upscaler_values(sgm_upscaler *upscaler, const float *low, float *values);

/* The mask where the values exceed levels[1], and how many exceed levels[0] and levels[2] (in
 * rising order): the same as counting sgm_upscaler_values, without the rows that nothing reaches.
 */
void sgm_upscaler_levels(sgm_upscaler *upscaler, const float *low, const float levels[3],
                         uint8_t *mask, int64_t counts[2]);

/* Which of `count` maps, one after the other, is the largest at every pixel (the first of equals):
 * original.width * original.height numbers from 0. SGM_OUT_OF_MEMORY. */
sgm_status sgm_upscaler_largest(sgm_upscaler *upscaler, const float *low, int count,
                                uint16_t *largest);

/* The upscaler's tables for a device (backend/picture.h), and the value a pixel must exceed: the
 * network's own threshold and `above` as in sgm_upscaler_mask. Valid as long as the upscaler. */
void sgm_upscaler_rule(const sgm_upscaler *upscaler, sgm_mask_rule *rule);
float sgm_upscaler_threshold(const sgm_upscaler *upscaler, float above);

#endif
