/* Simulated users: the prompts of the rounds for one object.
 *
 *   0  one point                                             (2 tokens: point, padding)
 *   1  a box                                                 (2 tokens: its corners)
 *   2  three points, or a box with points                    (4 tokens)
 *   3  a worse mask as mask prompt and a correction in its largest error: round 2 continued, or
 *      (walks) up to three points beside a mask whose logits may be weakened at the click
 *                                                            (4 tokens)
 * and where walks through volumes are trained:
 *   4  the mask of a neighbouring slice as mask prompt       (no token)
 *   5  a loose box: the object is somewhere in it; in half of the cases with a point in the object or
 *      in the box beside it                                  (4 tokens: point, corners, padding)
 *
 * Rounds 0, 1, 4 and 5 have exactly the tokens a predictor gives; absent tokens of 2 and 3 are
 * padding. Point strategies: any pixel of the object, or the one deepest inside (maximum distance).
 */
#ifndef SEGMODEL_TRAIN_PROMPT_SIM_H
#define SEGMODEL_TRAIN_PROMPT_SIM_H

#include "train/mask_tools.h"

enum { SGM_ROUNDS = 6, SGM_ROUND_TOKENS = 4, SGM_GROUPS = 4, SGM_NEIGHBOUR_ROUND = 4 };

/* Rounds with the same number of tokens are decoded together. */
typedef struct sgm_round_group {
    int first, rounds, tokens;
} sgm_round_group;

extern const sgm_round_group sgm_round_groups[SGM_GROUPS];

/* How many groups and rounds there are, with walks or without. */
static inline int sgm_group_count(bool walks)
{
    return walks ? SGM_GROUPS : 2;
}

static inline int sgm_round_count(bool walks)
{
    return walks ? SGM_ROUNDS : 4;
}

/* The group of a round, and its number there. */
int sgm_group_of(int round, int *part);

typedef struct sgm_sim_options {
    double box_noise;      /* standard deviation of box corners, in box sides */
    double deepest_chance; /* of a first point at the deepest place instead of anywhere */
    bool prior;            /* draw prompt_prior.h where there is no mask prompt */
    bool walks;            /* rounds 4 and 5 as well */
} sgm_sim_options;

typedef struct sgm_round {
    int tokens;                        /* of its group */
    float coords[SGM_ROUND_TOKENS][2]; /* in [-1, 1] over the image */
    int32_t labels[SGM_ROUND_TOKENS];  /* sgm_token of models.h */
} sgm_round;

/* What is needed beside the result: 3 masks and 1 distance map of size * size. */
typedef struct sgm_sim_scratch {
    uint8_t *mask[3];
    int32_t *distance;
} sgm_sim_scratch;

/* mask: size * size. neighbour: the object on a neighbouring slice, or NULL for one made up from
 * the mask; needed where the mask is empty (an object that has ended: only round 4 means something
 * then). masks[r]: size * size logits of round r's mask prompt, or its prior; zeros when there is
 * neither. */
void sgm_simulate(const uint8_t *mask, const uint8_t *neighbour, int size,
                  const sgm_sim_options *options, sgm_rng *rng, const sgm_sim_scratch *scratch,
                  sgm_round rounds[SGM_ROUNDS], float *const masks[SGM_ROUNDS]);

/* A correction: the deepest place (or any) of the larger of the two error regions of `guess`.
 * False when there is no error. */
bool sgm_correction(const uint8_t *mask, const uint8_t *guess, int size, bool deepest, sgm_rng *rng,
                    const sgm_sim_scratch *scratch, int *x, int *y, int *label);

/* Takes the certainty out of a mask prompt around a click that contradicts it: logits, side * side,
 * are 0 at (x, y) and untouched a tenth of the side away. */
void sgm_weaken_logits(float *logits, int side, double x, double y);

#endif
