/* SAM's rounds of questions (Kirillov et al. 2023, appendix A): the encoder runs once, then the
 * decoder is asked again and again about the same objects, each time with what it answered before.
 *
 *   first   a point or a box, no mask: of the masks 1.. the best is trained; the best rated goes on
 *   point   one more point, uniformly from where the answer is wrong, and the answer's logits as
 *           mask prompt: mask 0 is trained and goes on, here and below
 *   mask    the same prompts again with the answer's logits, nothing new
 *
 * `rounds` = 11 are first, eight points, one mask at a place between them by chance, and one at the
 * end. The loss is the mean over the rounds; answers are given on without gradient. */
#ifndef SEGMODEL_TRAIN_ROUNDS_H
#define SEGMODEL_TRAIN_ROUNDS_H

#include "plan/train_plan.h"
#include "train/sampler.h"
#include "train/train_config.h"

enum { SGM_LEAST_ROUNDS = 4, SGM_MOST_ROUNDS = 32 };

/* What every sample is asked in a round. */
typedef struct sgm_round_question {
    bool by_mask;          /* all rounds but the first: `masks` */
    bool new_point;        /* and what was added to the round before is a point */
    int tokens;            /* per sample */
    const float *coords;   /* [B, tokens, 2] */
    const int32_t *labels; /* [B, tokens] sgm_token */
    const float *masks;    /* [B, 4 grid, 4 grid] logits */
} sgm_round_question;

typedef struct sgm_rounds sgm_rounds;

/* Settings that sgm_asked_check has seen, with rounds > 1. All is borrowed. The plans share the
 * parameters, which are made here if they are new. */
sgm_status sgm_rounds_create(const sgm_train_config *config, sgm_backend *backend,
                             sgm_params *params, sgm_rounds **out);
void sgm_rounds_destroy(sgm_rounds *rounds);

/* All rounds of a batch: adds grad_scale * d loss / d parameter to the gradients. `rng` chooses
 * places, points and branches that are left out. */
sgm_status sgm_rounds_run(sgm_rounds *rounds, const sgm_batch *batch, sgm_rng rng,
                          float grad_scale);

/* The mean loss of the last run, a float in the backend's memory. */
const void *sgm_rounds_loss(const sgm_rounds *rounds);
/* Round `number` of the last run; valid until the next. */
sgm_round_question sgm_rounds_question(const sgm_rounds *rounds, int number);

#endif
