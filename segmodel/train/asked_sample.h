/* What a sample is asked with where a network is trained as its authors do (asked.h). */
#ifndef SEGMODEL_TRAIN_ASKED_SAMPLE_H
#define SEGMODEL_TRAIN_ASKED_SAMPLE_H

#include "train/given_prompts.h"
#include "train/mask_tools.h"
#include "train/sampler.h"

/* Tokens per sample. */
int sgm_asked_tokens(sgm_asked asked, const sgm_given_prompts *given);

/* The drawn prompt for an object in the network's square. `distance`: size * size for the work.
 * coordinates: [tokens][2], labels: [tokens], as prompt_tokens.h makes them. */
void sgm_asked_prompt(const sgm_sampler_options *options, const uint8_t *mask, sgm_rng *rng,
                      int32_t *distance, float *coordinates, int32_t *labels);

/* The given one, in a mirrored picture too; padding tokens fill up. */
void sgm_asked_given(const sgm_sampler_options *options, const sgm_given_prompt *given,
                     const sgm_frame *frame, const sgm_look_change *change, float *coordinates,
                     int32_t *labels);

/* Item number `at` of epoch `epoch` over `count` items: a permutation for every epoch and seed. */
int64_t sgm_epoch_item(uint64_t seed, uint64_t epoch, int64_t at, int64_t count);

#endif
