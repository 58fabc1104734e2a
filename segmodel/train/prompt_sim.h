/* Simulated users: the prompts of four rounds for one object.
 *
 *   0  one point                                             (2 tokens: point, padding)
 *   1  a box                                                 (2 tokens: its corners)
 *   2  three points, or a box with points                    (4 tokens)
 *   3  round 2 continued: a worse mask as mask prompt and a correction in its largest error
 *                                                            (4 tokens)
 *
 * Rounds 0 and 1 have exactly the tokens a predictor gives; absent tokens of 2 and 3 are padding.
 * Point strategies: any pixel of the object, or the one deepest inside (maximum distance). */
#ifndef SEGMODEL_TRAIN_PROMPT_SIM_H
#define SEGMODEL_TRAIN_PROMPT_SIM_H

#include "train/mask_tools.h"

enum { SGM_ROUNDS = 4, SGM_ROUND_TOKENS = 4 };

typedef struct sgm_sim_options {
    double box_noise;      /* standard deviation of box corners, in box sides */
    double deepest_chance; /* of a first point at the deepest place instead of anywhere */
    bool prior;            /* draw prompt_prior.h where there is no mask prompt */
} sgm_sim_options;

typedef struct sgm_round {
    int tokens;                        /* 2 or 4 */
    float coords[SGM_ROUND_TOKENS][2]; /* in [-1, 1] over the image */
    int32_t labels[SGM_ROUND_TOKENS];  /* sgm_token of models.h */
} sgm_round;

/* What is needed beside the result: 3 masks and 1 distance map of size * size. */
typedef struct sgm_sim_scratch {
    uint8_t *mask[3];
    int32_t *distance;
} sgm_sim_scratch;

/* mask: size * size, not empty. masks[r]: size * size logits of round r's mask prompt, or its
 * prior; zeros when there is neither. */
void sgm_simulate(const uint8_t *mask, int size, const sgm_sim_options *options, sgm_rng *rng,
                  const sgm_sim_scratch *scratch, sgm_round rounds[SGM_ROUNDS],
                  float *const masks[SGM_ROUNDS]);

/* A correction: the deepest place (or any) of the larger of the two error regions of `guess`.
 * False when there is no error. */
bool sgm_correction(const uint8_t *mask, const uint8_t *guess, int size, bool deepest, sgm_rng *rng,
                    const sgm_sim_scratch *scratch, int *x, int *y, int *label);

#endif
